"""The Lua scripts at sizes, indexes and contents they could mistake, against Python's list and the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from secrets import token_bytes
from typing import Any, TypeVar

import pytest
import redis

from persistent_collections.backends.base import Backend, Examined, Wanted
from persistent_collections.backends.changes import (
    Change,
    Condition,
    Delete,
    Exists,
    FieldsAre,
    Make,
    Replace,
    SetDeadline,
    SetFields,
)
from persistent_collections.backends.fakeredis import FakeRedisBackend
from persistent_collections.backends.handles import SequenceStore
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content, Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.redis import RedisBackend, connection, sequence
from persistent_collections.backends.redis.changes import Step, as_arguments
from persistent_collections.backends.redis.executor import MAX_ITEMS
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import COMMIT, REPLACE
from persistent_collections.backends.redis.sequence import RedisSequence
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ObjectNotFound, WrongShapeError
from persistent_collections.testing.backends.base import read_content, ttl
from tests.backends.conftest import OTHERS
from tests.conftest import Start

pytestmark = pytest.mark.store("server")

T = TypeVar("T")
KEY = Key("Thing:x")
CHILD = Key("Thing:x", "child")
OTHER = Key("Thing:x", "other")


@pytest.fixture(params=["server", *OTHERS])
def real(request: pytest.FixtureRequest, start: Start) -> Iterator[RedisBackend]:
    with RedisBackend.from_url(StoreURL.parse(start(request.param).url)) as backend:
        yield backend


@pytest.fixture(params=["server", *OTHERS, "fake redis", "fake valkey"])
def backend(request: pytest.FixtureRequest, start: Start) -> Iterator[Backend]:
    if request.param.startswith("fake"):
        yield FakeRedisBackend(server_type=request.param.removeprefix("fake "))
        return
    with RedisBackend.from_url(StoreURL.parse(start(request.param).url)) as backend:
        yield backend


def everything(store: SequenceStore) -> list[bytes]:
    return store.get_slice(slice(None))


def insert(random: Random, items: list[bytes], store: SequenceStore) -> None:
    index, item = anywhere(random, items), random.choice(items)
    items.insert(index, item)
    store.insert(index, item)


def pop(random: Random, items: list[bytes], store: SequenceStore) -> None:
    index = random.randrange(-len(items), len(items))
    assert store.pop(index) == items.pop(index)


def delete(random: Random, items: list[bytes], store: SequenceStore) -> None:
    index = random.randrange(-len(items), len(items))
    assert store.pop(index, b"other than any") is None
    assert store.pop(index, items[index]) == items.pop(index)


def splice(random: Random, items: list[bytes], store: SequenceStore) -> None:
    start, stop = bound(random, items), bound(random, items)
    new = random.choices(items, k=random.choice([0, 1, 10, 5000, len(items[start:stop])]))
    items[start:stop] = new
    store.splice(start, stop, new)


def set_stride(random: Random, items: list[bytes], store: SequenceStore) -> None:
    where = stride(random, items)
    new = random.choices(items, k=len(items[where]))
    items[where] = new
    assert store.set_stride(where, new) == len(new)
    assert store.set_stride(where, [*new, b"one too many"]) == len(new)


def delete_stride(random: Random, items: list[bytes], store: SequenceStore) -> None:
    where = stride(random, items)
    del items[where]
    store.delete_stride(where)


def find(random: Random, items: list[bytes], store: SequenceStore) -> None:
    start, stop, item = bound(random, items), bound(random, items), random.choice(items)
    there = items[slice(start, stop)]
    first = slice(start, stop).indices(len(items))[0]
    assert store.find(item, start, stop) == (first + there.index(item) if item in there else None)
    assert store.get_slice(slice(start, stop)) == there
    assert store.count(item) == items.count(item)


def turn(_: Random, items: list[bytes], store: SequenceStore) -> None:
    items.reverse()
    store.reverse()


def write_back(_: Random, items: list[bytes], store: SequenceStore) -> None:
    assert not store.replace([], [*items[:-1], b"other than any"])
    assert store.replace(items[1:] + items[:1], items)
    items.append(items.pop(0))


def anywhere(random: Random, items: list[bytes]) -> int:
    return random.randint(-len(items) - 5, len(items) + 5)


def bound(random: Random, items: list[bytes]) -> int | None:
    return random.choice([None, 0, -1, *(anywhere(random, items) for _ in range(4))])


def stride(random: Random, items: list[bytes]) -> slice:
    return slice(bound(random, items), bound(random, items), random.choice([-700, -7, -2, -1, 1, 2, 7, 700, 2**40]))


ONE_ITEM = [insert, pop, delete]
MANY_ITEMS = [splice, set_stride, delete_stride, find, turn, write_back]


@pytest.mark.parametrize("size", [1, 3, 130, 5000])
def test_no_item_is_taken_for_the_marker(backend: Backend, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Markers are random texts, each of 128 bits and for one call; those of earlier calls may well be items."""
    markers: list[bytes] = []

    def noted(length: int) -> bytes:
        markers.append(token_bytes(length))
        return markers[-1]

    monkeypatch.setattr(sequence, "token_bytes", noted)
    random, store = Random(size), backend.sequence(KEY)
    items = [b"x"] * size
    store.replace(items)
    for step in range(60):
        name = random.choice([*ONE_ITEM, *MANY_ITEMS] if len(items) > 1 else [insert])
        name(random, items, store)
        assert everything(store) == items, f"step {step}: {name.__name__}"
        if not items:
            items = [b"x"] * size
            store.replace(items)
        if markers:
            place = random.randrange(len(items))
            items[place] = random.choice(markers)
            assert store.set(place, items[place])
    assert len(set(markers)) == len(markers)
    assert {len(marker) for marker in markers} == {16}


@pytest.mark.slow
def test_long_lists_change_as_pythons_do_and_keep_their_deadline(backend: Backend) -> None:
    random, store = Random(1), backend.sequence(KEY)
    start = [b"%d" % random.randrange(2000) for _ in range(9000)]
    items = start.copy()
    store.replace(items)
    backend.commit([], [SetDeadline(KEY, 1000)])
    for step in range(120):
        act = random.choice([*ONE_ITEM, *MANY_ITEMS, *MANY_ITEMS])
        act(random, items, store)
        assert everything(store) == items, f"step {step}: {act.__name__}"
        if not 100 < len(items) < 20_000:
            items = start.copy()
            store.replace(items)
            backend.commit([], [SetDeadline(KEY, 1000)])
        assert ttl(backend, KEY) == pytest.approx(950, abs=50), f"step {step}: {act.__name__}"


MANY = [b"%d" % number for number in range(2 * sequence.STEP + 1)]


def test_many_items_take_the_place_of_all_at_once_and_keep_the_deadline(backend: Backend) -> None:
    store, child = backend.sequence(KEY), Key("Thing:owner", "child")

    def left_s(key: Key) -> float | None:
        [found] = backend.look([key])
        assert found is not None
        return found.ttl_s

    store.replace(MANY)
    assert everything(store) == MANY
    assert left_s(KEY) is None
    backend.commit([], [SetDeadline(KEY, 1000)])
    store.splice(None, None, MANY[::-1])
    assert everything(store) == MANY[::-1]
    assert 900 < (left_s(KEY) or 0) <= 1000
    with pytest.raises(ObjectNotFound):
        backend.sequence(child).replace(MANY)
    backend.commit([], [Replace(child.owner, {"f": b"x"}), SetDeadline(child.owner, 1000)])
    backend.sequence(child).replace(MANY)
    assert 900 < (left_s(child) or 0) <= 1000
    backend.commit([], [Delete(KEY)])
    backend.mapping(KEY).set_many({"f": b"x"})
    with pytest.raises(WrongShapeError):
        store.replace(MANY)


def test_many_items_that_are_sent_twice_or_lost_on_the_way_are_there_once(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, stage, lost = backend.sequence(KEY), RedisSequence._stage, list[bytes]()

    def twice(self: RedisSequence, name: bytes, start: int, items: list[bytes]) -> bool:
        return stage(self, name, start, items) and stage(self, name, start, items)

    def one_is_lost(self: RedisSequence, name: bytes, start: int, items: list[bytes]) -> bool:
        if start and not lost:
            lost.append(name)
            self._server.ask(self._subject, ("UNLINK", name), repeatable=True)
        return stage(self, name, start, items)

    for each in (twice, one_is_lost):
        monkeypatch.setattr(RedisSequence, "_stage", each)
        store.replace([b"before"])
        store.replace(MANY)
        assert everything(store) == MANY
    assert lost


def test_what_is_left_of_many_items_vanishes(real: RedisBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = RedisSequence._stage

    def interrupted(self: RedisSequence, name: bytes, start: int, items: list[bytes]) -> bool:
        assert stage(self, name, start, items)
        raise KeyboardInterrupt

    monkeypatch.setattr(RedisSequence, "_stage", interrupted)
    real.sequence(KEY).replace([b"before"])
    with pytest.raises(KeyboardInterrupt):
        real.sequence(KEY).replace(MANY)
    assert everything(real.sequence(KEY)) == [b"before"]
    assert list(real.keys("Thing")) == [KEY]
    with redis.Redis.from_url(real.url) as client:
        [left] = [name for name in client.keys("*") if name != b"Thing:x"]
        assert 0 < client.pttl(left) <= 60_000


@pytest.mark.parametrize("index", [2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63, 10**30])
def test_indexes_beyond_any_list_are_out_of_range(backend: Backend, index: int) -> None:
    store = backend.sequence(KEY)
    for size in (0, 3, 500):
        items = [b"%d" % number for number in range(size)]
        store.replace(items)
        for far in (index, -index):
            assert store.get(far) is None
            assert not store.set(far, b"x")
            assert not store.compare_and_set(far, b"0", b"x")
            assert store.pop(far) is None
            assert store.pop(far, b"0") is None
            for where in (slice(far, None), slice(None, far), slice(None, None, far), slice(far, -far, -1)):
                assert store.get_slice(where) == items[where]
                assert store.find(b"0", where.start, where.stop) == (
                    0 if b"0" in items[where.start : where.stop] else None
                )
            store.delete_stride(slice(far, far, far))
            assert store.set_stride(slice(far, far, far), [b"x"]) == 0
            assert everything(store) == items
        store.insert(index, b"last")
        store.insert(-index, b"first")
        store.splice(index, index, [b"very last"])
        store.splice(-index, -index, [b"very first"])
        assert everything(store) == [b"very first", b"first", *items, b"last", b"very last"]


def test_a_step_of_zero_is_refused_as_lists_refuse_it(backend: Backend) -> None:
    store, none = backend.sequence(KEY), slice(None, None, 0)
    for call in (lambda: store.get_slice(none), lambda: store.delete_stride(none), lambda: store.set_stride(none, [])):
        with pytest.raises(ValueError, match="slice step cannot be zero"):
            call()


def test_fields_set_and_deleted_at_once_make_a_child_with_the_deadline_of_its_owner(backend: Backend) -> None:
    backend.commit([], [Replace(KEY, {"f": b"1"}), SetDeadline(KEY, 1000)])
    backend.mapping(CHILD).set_many({"a": None, "b": b"1"})
    assert ttl(backend, CHILD) == pytest.approx(950, abs=50)


@pytest.mark.parametrize("role", ["plain", "child", "record"])
def test_increment_is_exact_on_all_64_bits(backend: Backend, role: str) -> None:
    backend.commit([], [Replace(KEY, {"other": b"1"})])
    mapping = backend.mapping(CHILD if role == "child" else KEY, is_record=role == "record")
    for start, by, total in [
        (2**53 + 1, 2, 2**53 + 3),
        (2**63 - 2, 1, 2**63 - 1),
        (2**63 - 1, 1, None),
        (-(2**63) + 1, -1, -(2**63)),
        (-(2**63), -1, None),
        (-1, 2**63 - 1, 2**63 - 2),
        (0, 2**63, None),
        (2**63, -1, None),
    ]:
        mapping.replace({"n": b"%d" % start})
        assert mapping.increment("n", by) == total
        assert mapping.get("n") == b"%d" % (start if total is None else total)
        mapping.replace({})
        assert mapping.increment("n", by, start) == total
        assert mapping.get("n") == (None if total is None else b"%d" % total)


def test_an_item_of_ten_mebibytes_passes_through_every_script(backend: Backend) -> None:
    big, mapping, store = b"\0\xff" * (5 * 2**20), backend.mapping(KEY, is_record=True), backend.sequence(CHILD)
    backend.commit([], [SetFields(KEY, {"f": big}), Replace(CHILD, [b"a", big, b"b"])])
    assert backend.commit([FieldsAre(KEY, {"f": big, "g": None})], [])
    assert not backend.commit([FieldsAre(KEY, {"f": big[1:]})], [])
    assert backend.examine([Wanted(KEY, ["f"])]) == [Examined([big], [])]
    assert mapping.compare_and_set("f", big, big + b"1")
    assert mapping.replace({"f": big}, {"f": big + b"1"})
    assert mapping.add("f", b"") == big
    assert mapping.pop("f") == big
    assert store.pop(1, big) == big
    store.insert(1, big)
    assert store.find(big, 1) == 1
    store.splice(1, 2, [big, big])
    store.delete_stride(slice(None, None, 3))
    assert store.replace([big], [big, big])
    assert everything(store) == [big]


def test_changes_upon_changes_do_what_the_reference_does(backend: Backend) -> None:
    random, keys = Random(2), [KEY, CHILD, OTHER]
    contents: list[Content] = [
        {},
        {"a": b"1"},
        {"a": b"2", "b": b"3"},
        [],
        [b"x"],
        [b"y", b"z"],
        set(),
        {"m"},
        {"m", "n"},
    ]

    def change() -> Change:
        key = random.choice(keys)
        made: list[Callable[[], Change]] = [
            lambda: Replace(key, random.choice(contents)),
            lambda: SetFields(key, random.choice([{"d": None}, {"a": b"4"}, {"b": None, "c": b"5"}])),
            lambda: SetFields(KEY, random.choice([{}, {"d": None}, {"a": b"4", "b": None}]), is_record=True),
            lambda: Make(KEY, {"a": b"6"}, (CHILD, OTHER)),  # all of them, which the reference finds by itself
            lambda: Delete(key),
            lambda: Delete(KEY, (CHILD, OTHER)),
            lambda: SetDeadline(key, random.choice([None, 500.0, 1000.0, 1500.0])),
        ]
        return random.choice(made)()

    def condition() -> Condition:
        expected: list[dict[str, bytes | None]] = [{"a": b"1"}, {"a": b"4", "d": None}, {"d": None}, {}]
        exists: list[Condition] = [Exists(random.choice(keys), random.random() < 0.8)]
        return random.choice([*exists, FieldsAre(KEY, random.choice(expected))])

    reference = MemoryBackend()
    results: Counter[object] = Counter()
    for step in range(600):
        conditions = [condition() for _ in range(random.choice([0, 0, 0, 1, 2]))]
        changes = [change() for _ in range(random.randint(0, 4))]
        found, expected = (outcome(store, conditions, changes) for store in (backend, reference))
        told = f"step {step}: {conditions} {changes}"
        assert found == expected, told
        results[found] += 1
        for key in keys:
            assert read_content(backend, key) == read_content(reference, key), told
            left, right = ttl(backend, key), ttl(reference, key)
            assert (left is None) == (right is None), told
            assert abs((left or 0) - (right or 0)) < 100, told
    assert min(results[outcome] for outcome in (True, False, WrongShapeError)) > 20, "all of it was tried"


def test_many_items_set_in_place_are_written_anew(real: RedisBackend) -> None:
    """Each ``LSET`` looks for its place, so that a million of them would keep all others waiting for long."""
    store, items = real.sequence(KEY), [b"%d" % number for number in range(110_000)]
    store.push_right(items)
    real.commit([], [SetDeadline(KEY, 1000)])
    with redis.Redis.from_url(real.url) as client:
        client.config_resetstat()
        for where in (slice(None, None, 2), slice(-5, 5, -2), slice(7, -1), slice(None)):
            new = [b"new " + item for item in items[where]]
            items[where] = new
            assert store.set_stride(where, new) == len(new)
            assert everything(store) == items
            if where.step is None:
                store.splice(where.start, where.stop, new[::-1])
                items[where] = new[::-1]
                assert everything(store) == items
        assert calls_of("lset", client) == 0
    assert ttl(real, KEY) == pytest.approx(950, abs=50)


@pytest.mark.slow
class TestTablesThatShrinkUnderAWalk:
    """There a server repeats what it gave before."""

    def walk(self, pages: Iterator[list[T]], delete: Callable[[list[str]], object]) -> list[T]:
        """Return all that ``pages`` give, deleting half of what is left after each page."""
        names, walked = list(map(str, range(2**14))), list[T]()
        for page in pages:
            walked += page
            names, gone = names[: len(names) // 2], names[len(names) // 2 :]
            if names:
                delete(gone)
        return walked

    def test_no_field_is_given_twice(self, real: RedisBackend) -> None:
        mapping = real.mapping(KEY)
        for _ in range(10):
            mapping.replace({str(number): b"x" for number in range(2**14)})
            found = self.walk(mapping.pages(), lambda gone: mapping.set_many(dict.fromkeys(gone)))
            assert len(dict(found)) == len(found)

    def test_no_member_is_given_twice(self, real: RedisBackend) -> None:
        members = real.members(KEY)
        for _ in range(10):
            members.replace({str(number) + "x" for number in range(2**14)})
            found = self.walk(members.pages(), lambda gone: members.remove({name + "x" for name in gone}))
            assert len(set(found)) == len(found)

    def test_no_key_is_given_twice(self, real: RedisBackend) -> None:
        for _ in range(10):
            real.commit([], [SetFields(Key(f"T:{number}"), {"f": b"1"}) for number in range(2**14)])
            keys = ([key] for key in real.keys(""))
            found = self.walk(keys, lambda gone: real.commit([], [Delete(Key(f"T:{name}")) for name in gone]))
            assert len(set(found)) == len(found)


def calls_of(command: str, client: redis.Redis) -> int:
    """Return how often a server has executed a command, scripts included."""
    stats: Any = client.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def outcome(store: Backend, conditions: list[Condition], changes: list[Change]) -> object:
    try:
        return store.commit(conditions, changes)
    except WrongShapeError:
        return WrongShapeError


class TestMoreItemsThanOneCommandCarries:
    """Every method that takes items takes more of them than a server takes arguments."""

    pytestmark = pytest.mark.slow

    @pytest.fixture(autouse=True)
    def most_arguments(self, real: RedisBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """See that no command has more than half of what a server takes, and that none frees memory while others wait.

        Redis 6.2 drops a connection whose command has more than 1,048,576 arguments.
        """
        lengths = [0]
        pack = connection.hiredis_pack
        assert pack is not None

        def measured(command: Command) -> bytes:
            lengths.append(len(command))
            return pack(command)

        monkeypatch.setattr(connection, "hiredis_pack", measured)
        with redis.Redis.from_url(real.url) as client:
            client.config_resetstat()
            yield
            assert MAX_ITEMS < max(lengths) <= 500_000
            assert calls_of("del", client) == 0

    def test_of_a_sequence(self, real: RedisBackend) -> None:
        store, items = real.sequence(CHILD), [b"%d" % number for number in range(MAX_ITEMS + 1)]
        with pytest.raises(ObjectNotFound):
            store.push_right(items)
        assert list(real.keys("")) == [], "nothing is left of what was staged"
        real.commit([], [Replace(KEY, {"f": b"1"}), SetDeadline(KEY, 1000)])
        store.push_right(items)
        store.push_left(items)
        assert everything(store) == items + items
        assert ttl(real, CHILD) is not None, "the deadline of the owner"
        store.replace(items)
        store.splice(1, -1, items)
        assert everything(store) == [items[0], *items, items[-1]]
        assert store.set_stride(slice(-2, 0, -1), items) == len(items)
        assert everything(store) == [items[0], *items[::-1], items[-1]]
        assert store.replace(items, [items[0], *items[::-1], items[-1]])
        assert everything(store) == items
        assert ttl(real, CHILD) is not None
        assert set(real.keys("")) == {KEY, CHILD}, "nothing is left of what was staged"

    @pytest.mark.parametrize("is_record", [False, True])
    def test_of_a_mapping(self, real: RedisBackend, *, is_record: bool) -> None:
        mapping, fields = (
            real.mapping(KEY, is_record=is_record),
            {f"{number}": b"%d" % number for number in range(MAX_ITEMS // 2 + 1)},
        )
        if is_record:
            real.commit([], [Make(KEY, {"0": b"1"})])
        mapping.set_many(fields)
        assert mapping.get_all() == fields
        assert mapping.get_many([*fields, *fields, "absent"]) == [*fields.values(), *fields.values(), None]
        swapped = dict(zip(fields, reversed(fields.values()), strict=True))
        assert mapping.replace(swapped, fields)
        assert mapping.get_all() == swapped
        mapping.set_many({**dict.fromkeys(fields), "new": b"1"})
        assert mapping.get_all() == {"new": b"1"}
        mapping.replace(fields)
        mapping.set_many(dict.fromkeys([*fields, *map(str, range(MAX_ITEMS))]))
        assert mapping.get_all() == ({MARKER: MARKER_DATA} if is_record else {})

    def test_of_members(self, real: RedisBackend) -> None:
        store, members = real.members(KEY), {f"{number}" for number in range(MAX_ITEMS + 1)}
        assert store.add(members) == len(members)
        store.retain(members - {"0"})
        store.toggle(members)
        assert store.get_all() == {"0"}
        store.replace(members)
        assert store.get_all() == members
        assert store.remove(members - {"1"}) == len(members) - 1
        assert store.get_all() == {"1"}

    def test_of_changes(self, real: RedisBackend) -> None:
        items = [b"%d" % number for number in range(MAX_ITEMS + 1)]
        fields: dict[str, bytes | None] = {f"{number}": b"%d" % number for number in range(MAX_ITEMS // 2 + 1)}
        changes: list[Change] = [Replace(KEY, items), SetFields(CHILD, fields)]
        assert real.commit([Exists(KEY, expected=False)], changes)
        assert not real.commit([Exists(KEY, expected=False)], changes)
        assert everything(real.sequence(KEY)) == items
        assert real.commit([FieldsAre(CHILD, fields)], [SetFields(CHILD, {**dict.fromkeys(fields), "f": b"1"})])
        assert not real.commit([FieldsAre(CHILD, fields)], [Delete(CHILD)])
        with pytest.raises(WrongShapeError, match="'Thing:x' does not hold a set"):
            real.commit([], [Replace(OTHER, items), Replace(KEY, {"a"})])
        with pytest.raises(WrongShapeError, match="'Thing:x:child' does not hold a list"):
            real.sequence(CHILD).push_right(items)
        assert real.mapping(CHILD).get_all() == {"f": b"1"}
        assert set(real.keys("")) == {KEY, CHILD}


def test_steps_compare_and_replace_a_sorted_set_which_no_shape_is_yet(backend: Any) -> None:
    server = backend._server
    name = server.names.spell(KEY)

    def commit(conditions: list[Step], changes: list[Step]) -> int:
        arguments, items = as_arguments(conditions, changes, [KEY])
        reply: int = server.run_with(Subject(str(KEY)), COMMIT, [name], arguments, items)
        return reply

    def same(*items: str) -> list[Step]:
        return [Step("size", KEY, [len(items) // 2]), Step("scored", KEY, items)]

    def replace(*items: str) -> Step:
        return Step("ZADD", KEY, items)

    def held() -> list[Any]:
        return list(server.ask(Subject(str(KEY)), ("ZRANGE", name, 0, -1), repeatable=True))

    assert commit([Step("absent", KEY)], [replace("1.5", "a", "0.1", "b"), Step("expire", KEY, [10**6])]) == 1
    assert commit(same("0.1", "b", "1.5", "a"), []) == 1
    assert [commit(same(*items), []) for items in (("0.2", "b", "1.5", "a"), ("1.5", "a"))] == [0, 0]
    assert commit(same("0.1", "b", "1.5", "c"), [replace("1", "x")]) == 0
    assert held() == [b"b", b"a"]
    assert commit([], [replace("2", "b", "1", "c")]) == 1
    assert held() == [b"c", b"b"]
    assert ttl(backend, KEY) is not None
    server.run_with(Subject(str(KEY)), REPLACE["plain"], [name], ["ZCARD", "ZADD"], ["3", "d", "4", "c"])
    assert held() == [b"d", b"c"]
    assert commit([Step("in", KEY, ["d"])], []) == -1
    assert commit([], [replace()]) == 1
    assert backend.look([KEY]) == [None]
    backend.members(KEY).add({"a"})
    assert [commit(same("1", "a"), []), commit([], [replace("1", "a")])] == [-2, -1]

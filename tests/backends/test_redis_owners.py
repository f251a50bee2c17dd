"""How Redis keeps a record, its marker, its children and their deadlines together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import (
    Change,
    Delete,
    Exists,
    FieldsAre,
    Make,
    Replace,
    SetDeadline,
    SetFields,
)
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.redis.changes import comes_back, steps_of
from persistent_collections.backends.redis.sequence import STEP, RedisSequence
from persistent_collections.backends.shapes import SHAPES
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ObjectNotFound, WrongShapeError
from persistent_collections.testing.backends.base import put
from persistent_collections.testing.backends.calls import NAME, ON_ABSENT, Call
from tests.backends.conftest import OTHERS
from tests.conftest import Start

pytestmark = pytest.mark.store("server")

KEY = Key("Thing:x")
CHILD, SIBLING = Key("Thing:x", "child"), Key("Thing:x", "sibling")
LONG_S = 1000.0
MANY = [b"%d" % number for number in range(2 * STEP + 1)]
MAKING = [call for call in ON_ABSENT if call.shape in SHAPES and call.leaves]


@pytest.fixture(params=["server", *OTHERS])
def backend(request: pytest.FixtureRequest, start: Start) -> Iterator[RedisBackend]:
    with RedisBackend.from_url(StoreURL.parse(start(request.param).url)) as backend:
        yield backend


@pytest.fixture
def client(backend: RedisBackend) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(backend.url) as client:
        yield client


def before_the_last_stage(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do ``act`` once, before the last of ``MANY`` is sent."""
    stage = RedisSequence._stage

    def staged(self: RedisSequence, name: bytes, start: int, items: list[bytes]) -> bool:
        if start + STEP >= len(MANY):
            monkeypatch.setattr(RedisSequence, "_stage", stage)
            act()
        return stage(self, name, start, items)

    monkeypatch.setattr(RedisSequence, "_stage", staged)


def expiries_ms(client: redis.Redis, *names: str) -> set[int]:
    """Return the milliseconds since the epoch at which keys vanish, by any version of Redis."""
    script: Any = """
        local function now() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end
        local found = {}
        for i, name in ipairs(KEYS) do
          local before, left
          repeat
            before = now()
            left = redis.call('PTTL', name)
          until now() == before
          found[i] = string.format('%.0f', before + left)
        end
        return found
    """
    return set(map(int, client.eval(script, len(names), *names)))


class TestDeadlines:
    """A record and its children vanish in the same millisecond."""

    @pytest.mark.parametrize("call", MAKING, ids=NAME)
    def test_of_a_child_that_a_write_makes(self, backend: RedisBackend, client: redis.Redis, call: Call) -> None:
        for number in range(20):
            put(backend, KEY, {"f": b"1"})
            backend.commit([], [Delete(CHILD), SetDeadline(KEY, LONG_S + number / 1000)])
            call.run(backend, CHILD)
            assert len(expiries_ms(client, "Thing:x", "Thing:x:child")) == 1

    def test_of_thousands_of_children_whatever_the_clock_does_meanwhile(
        self, backend: RedisBackend, client: redis.Redis
    ) -> None:
        """One step that takes many milliseconds meets some that end between two of its commands."""
        children = [Key(KEY.root, f"child{number}") for number in range(20_000)]
        put(backend, KEY, {"f": b"1"})
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        backend.commit([], [Replace(child, {"a"}) for child in children])
        assert len(expiries_ms(client, *map(str, [KEY, *children]))) == 1

    def test_of_a_child_whose_making_takes_long(self, backend: RedisBackend, client: redis.Redis) -> None:
        put(backend, KEY, {"f": b"1"})
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        backend.sequence(CHILD).push_right([b"x"] * 300_000)
        backend.commit([], [Replace(SIBLING, {str(number) for number in range(100_000)})])
        assert len(expiries_ms(client, "Thing:x", "Thing:x:child", "Thing:x:sibling")) == 1

    @pytest.mark.parametrize("exists", [False, True])
    def test_of_a_list_that_is_put_in_place_of_a_child(
        self, backend: RedisBackend, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, *, exists: bool
    ) -> None:
        """Neither what was there, which takes long to delete, nor what changes before the last step parts the two."""

        def set_deadline() -> None:
            backend.commit([], [SetDeadline(KEY, LONG_S), SetDeadline(CHILD, LONG_S)])

        for _ in range(5):
            put(backend, KEY, {"f": b"1"})
            if exists:
                backend.sequence(CHILD).push_right([b"x" * 100] * 100_000)
            before_the_last_stage(monkeypatch, set_deadline)
            backend.sequence(CHILD).replace(MANY)
            assert backend.sequence(CHILD).size() == len(MANY)
            assert len(expiries_ms(client, "Thing:x", "Thing:x:child")) == 1

    def test_of_what_one_step_makes_and_sets(self, backend: RedisBackend, client: redis.Redis) -> None:
        many = {str(number): b"x" for number in range(50_000)}
        making: list[Change] = [Make(KEY, many, [CHILD, SIBLING]), SetDeadline(KEY, LONG_S), Replace(CHILD, [b"a"])]
        for _ in range(5):
            backend.commit([], [Delete(KEY, [CHILD, SIBLING])])
            backend.commit([], [*making, Replace(SIBLING, set(many)), SetDeadline(SIBLING, LONG_S)])
            assert len(expiries_ms(client, "Thing:x", "Thing:x:child", "Thing:x:sibling")) == 1

    def test_of_one_step_are_counted_from_one_moment(self, backend: RedisBackend, client: redis.Redis) -> None:
        names = {key: str(key) for key in (KEY, CHILD, SIBLING)}
        for key in names:
            put(backend, key, {"f": b"1"})
        slow = Replace(Key("Thing:x", "many"), {str(number) for number in range(50_000)})
        for _ in range(20):
            backend.commit([], [SetDeadline(KEY, LONG_S), slow, SetDeadline(CHILD, LONG_S), SetDeadline(SIBLING, 1500)])
            [own], [child], [sibling] = (expiries_ms(client, name) for name in names.values())
            assert own == child
            assert sibling - own == 500_000

    def test_too_far_for_a_clock_are_kept_as_far_as_it_goes(self, backend: RedisBackend, client: redis.Redis) -> None:
        put(backend, KEY, {"f": b"1"})
        for ttl_s in (1e11, 1e18, 1e300):
            assert backend.commit([], [SetDeadline(KEY, ttl_s)])
            [found] = backend.look([KEY])
            assert found is not None
            assert found.ttl_s is not None
            assert found.ttl_s > 1e10
        assert backend.commit([], [SetDeadline(KEY, 0.0001)])
        assert client.pttl("Thing:x") in (-2, 0, 1)


class TestMarker:
    def test_no_other_write_leaves_a_marker(self, backend: RedisBackend, client: redis.Redis) -> None:
        put(backend, KEY, {"f": b"1", "g": b"2"})
        record = backend.mapping(KEY, is_record=True)
        record.set_many({"f": None, "x": None, "y": None})
        record.set_many({"g": None, "h": b"3"})
        assert not record.delete("x")
        assert record.pop("x") is None
        assert not record.compare_and_set("h", b"other", None)
        assert record.compare_and_set("x", None, None)
        assert backend.commit([], [SetFields(KEY, {"x": None, "y": None}, is_record=True)])
        assert client.hgetall("Thing:x") == {b"h": b"3"}

    def test_a_record_of_many_fields_is_emptied_in_one_step(self, backend: RedisBackend, client: redis.Redis) -> None:
        fields = {f"{number}": b"x" for number in range(10_001)}
        gone = dict.fromkeys(fields)
        for empty in (
            lambda: backend.mapping(KEY, is_record=True).set_many(gone),
            lambda: backend.commit([], [SetFields(KEY, gone, is_record=True)]),
            lambda: backend.commit([], [SetFields(KEY, {**gone, MARKER: None}, is_record=True)]),
        ):
            put(backend, KEY, {**fields, MARKER: MARKER_DATA})
            empty()
            assert client.hgetall("Thing:x") == {b"": b""}

    def test_a_marker_is_deleted_only_beside_another_field(self, backend: RedisBackend, client: redis.Redis) -> None:
        record = backend.mapping(KEY, is_record=True)
        put(backend, KEY, {MARKER: MARKER_DATA})
        assert record.delete(MARKER)
        assert record.pop(MARKER) == MARKER_DATA
        assert record.pop_any() == (MARKER, MARKER_DATA)
        assert client.hgetall("Thing:x") == {b"": b""}
        record.set_many({"f": b"1"})
        assert record.delete(MARKER)
        assert client.hgetall("Thing:x") == {b"f": b"1"}


class TestGuard:
    def test_an_owner_of_any_type_will_do_and_its_shape_is_not_the_childs(self, backend: RedisBackend) -> None:
        for content in ({"f": b"1"}, [b"1"], {"f"}):
            put(backend, KEY, content)
            backend.sequence(CHILD).push_right([b"a"])
            backend.commit([], [Delete(CHILD)])
        with pytest.raises(WrongShapeError, match="'Thing:x' does not hold a dict"):
            backend.mapping(KEY, is_record=True).set_many({"f": b"1"})
        put(backend, CHILD, [b"a"])
        with pytest.raises(WrongShapeError, match="'Thing:x:child' does not hold a set"):
            backend.members(CHILD).add(set())

    @pytest.mark.parametrize("exists", [False, True])
    def test_a_list_put_in_place_of_a_child_is_refused_at_its_last_step(
        self, backend: RedisBackend, monkeypatch: pytest.MonkeyPatch, *, exists: bool
    ) -> None:
        listed: list[set[Key]] = []

        def delete_owner() -> None:
            listed.append(set(backend.keys("")))
            assert not list(backend.strangers(["Thing"]))
            backend.commit([], [Delete(KEY, [CHILD])])

        put(backend, KEY, {"f": b"1"})
        if exists:
            backend.sequence(CHILD).push_right([b"before"])
        before_the_last_stage(monkeypatch, delete_owner)
        with pytest.raises(ObjectNotFound, match="'Thing:x' does not exist"):
            backend.sequence(CHILD).replace(MANY)
        assert listed == [{KEY, CHILD} if exists else {KEY}]
        assert not set(backend.keys(""))
        put(backend, KEY, {"f": b"1"})
        assert backend.look([CHILD]) == [None]

    @pytest.mark.parametrize("size", [0, 1, 3999, 4000, 4001, 8000])
    def test_any_number_of_items_goes_through_it(self, backend: RedisBackend, size: int) -> None:
        members, fields = {str(number) for number in range(size)}, {str(number): b"x" for number in range(size)}
        store, mapping = backend.members(CHILD), backend.mapping(SIBLING)
        for exists in (False, True):
            if exists:
                put(backend, KEY, {"f": b"1"})
                assert store.add(members) == size
                mapping.set_many(fields)
                assert (store.get_all(), mapping.get_all()) == (members, fields)
                assert store.remove(members) == size
                mapping.set_many(dict.fromkeys(fields))
                assert set(backend.keys("")) == {KEY}
                continue
            for write in (lambda: store.add(members), lambda: store.remove(members), lambda: mapping.set_many(fields)):
                with pytest.raises(ObjectNotFound, match=r"^'Thing:x' does not exist in redis://127\.0\.0\.1:\d+/0$"):
                    write()


class TestSteps:
    """A step that would come back to a key that it may have emptied is found before it is sent."""

    @pytest.mark.parametrize(
        "changes",
        [
            [Delete(KEY), Replace(KEY, [b"a"])],
            [Delete(KEY, [CHILD]), Replace(CHILD, [b"a"])],
            [Delete(KEY), Replace(CHILD, [b"a"])],
            [Replace(CHILD, []), SetFields(CHILD, {"f": b"1"})],
            [SetFields(KEY, {"f": None}), Replace(CHILD, [b"a"])],
            [SetDeadline(KEY, 0), Make(KEY, {"f": b"1"})],
            [Delete(KEY), Delete(KEY)],
        ],
        ids=str,
    )
    def test_one_that_does(self, changes: list[Change]) -> None:
        assert comes_back(steps_of(changes))

    @pytest.mark.parametrize(
        "changes",
        [
            [Delete(KEY, [CHILD, SIBLING])],
            [Make(KEY, {"f": b"1"}, [CHILD]), Replace(CHILD, [b"a"]), SetDeadline(KEY, 1), SetDeadline(CHILD, 1)],
            [SetFields(KEY, {"f": None}, is_record=True), Replace(CHILD, [b"a"])],
            [SetFields(KEY, {"f": None, "g": b"1"}), Replace(CHILD, [b"a"])],
            [Replace(CHILD, [b"a"]), Delete(KEY), Delete(SIBLING)],
        ],
        ids=str,
    )
    def test_one_that_does_not(self, changes: list[Change]) -> None:
        assert not comes_back(steps_of(changes))


def test_conditions_are_compared_byte_by_byte_in_pieces(backend: Backend) -> None:
    fields: dict[str, bytes | None] = {str(number): b"%d\0\xff" % number for number in range(10_001)}
    absent = dict.fromkeys(f"absent {number}" for number in range(10_001))
    backend.commit([], [SetFields(KEY, fields)])
    assert backend.commit([Exists(KEY), FieldsAre(KEY, fields), FieldsAre(KEY, absent)], [])
    assert not backend.commit([FieldsAre(KEY, {**fields, "10000": b"other"})], [Delete(KEY)])
    assert not backend.commit([FieldsAre(KEY, {**absent, "10000": None})], [Delete(KEY)])
    assert backend.look([KEY], sizes=True) != [None]

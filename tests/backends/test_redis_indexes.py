"""Indexes on one server: what every store promises of them at random, and what only this one has to fear."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

import pytest
import redis

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import (
    Change,
    Condition,
    Delete,
    Exists,
    FieldsAre,
    Make,
    SetDeadline,
    SetEntries,
    SetFields,
)
from persistent_collections.backends.fakeredis import FakeRedisBackend
from persistent_collections.backends.indexes import (
    FIRST,
    LAST,
    EntryKey,
    Indexing,
    IndexStore,
    IndexUnbuiltError,
    Place,
)
from persistent_collections.backends.keys import MARKER, MARKER_DATA
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.redis.entries import SWEPT, Sweeps, as_saving, quoted, read, spelt, unquoted
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import EncodeError, NotUnique, WrongShapeError
from persistent_collections.testing.backends.base import exists
from persistent_collections.testing.backends.indexes import (
    BOTH,
    INDEXES,
    INDEXING,
    NAME,
    SIZE,
    entries_of,
    entry,
    key,
    saving,
    text,
)
from tests.backends.conftest import OTHERS
from tests.conftest import Start
from tests.servers import RunningServer

pytestmark = pytest.mark.store("server")

NAMES: Final = [each.name for each in INDEXES]
IDS: Final = ["a", "a\0", "a\0\0", "a\0\x01", "ab", "a%3A", "é", "\U0010ffff", "0" * 300, "0" * 299]
Values = dict[str, str | None]


@pytest.fixture(params=["server", *OTHERS, "fake redis", "fake valkey"])
def backend(request: pytest.FixtureRequest, start: Start) -> Iterator[Backend]:
    if request.param.startswith("fake"):
        yield FakeRedisBackend(server_type=request.param.removeprefix("fake "))
        return
    with RedisBackend.from_url(StoreURL.parse(f"{start(request.param).url}?prefix=p:")) as backend:
        yield backend


@pytest.fixture
def index(backend: Backend) -> IndexStore:
    """Give the indexes of a class, all whole."""
    found = backend.index(INDEXING)
    found.mark(NAMES, whole=True)
    return found


class Reference:
    """What the store should hold: the values of each record that exists."""

    def __init__(self) -> None:
        self.records: dict[str, Values] = {}

    def taken(self, changed: dict[str, Values]) -> bool:
        """Say whether two records would have the same unique values."""
        after = {**self.records, **changed}
        names = [values["name"] for values in after.values() if values["name"] is not None]
        return len(names) != len(set(names))

    def check(self, index: IndexStore) -> None:
        for each in INDEXES:
            expected = sorted(
                (entry(each, *map(values.get, each.fields)), ident.encode()) for ident, values in self.records.items()
            )
            for backwards in (False, True):
                found = index.find(each.name, FIRST, LAST, 1000, backwards=backwards)
                assert found is not None
                places = [(hit.place.key, hit.place.id.encode()) for hit in found.hits]
                assert places == (expected[::-1] if backwards else expected), each.name
            assert index.count(each.name, FIRST, LAST) == len(expected)
            kept = {(place.key, place.id.encode()) for place in index.entries(each.name)}
            assert kept == set(expected), "find forgets what is gone in every index"


def saved(ident: str, values: Values) -> list[Change]:
    return saving(ident, name=values["name"], size=values["size"])


def changing(random: Random, reference: Reference, ident: str, values: Values) -> list[Change]:
    """Return changes that give a record values; one that exists is told only of some indexes where that is enough."""
    before = reference.records.get(ident)
    if before is None or random.random() < 0.5:
        return saved(ident, values)
    changed = {name: value for name, value in values.items() if value != before[name]}
    fields = {name: None if value is None else text(value) for name, value in values.items()}
    return [
        SetFields(key(ident), {name: fields[name] for name in changed}, is_record=True),
        SetEntries(key(ident), INDEXING, entries_of(fields, changed), {}),
    ]


def save(random: Random, reference: Reference, backend: Backend, idents: list[str]) -> None:
    changed: dict[str, Values] = {
        ident: {"name": random.choice([None, *"abcde"]), "size": random.choice([None, *"12"])} for ident in idents
    }
    changes: list[Change] = [
        change for ident in idents for change in changing(random, reference, ident, changed[ident])
    ]
    if reference.taken(changed):
        with pytest.raises(NotUnique):
            backend.commit([], changes)
        return
    assert backend.commit([], changes)
    reference.records.update(changed)


def create(random: Random, reference: Reference, backend: Backend, idents: list[str]) -> None:
    ident = idents[0]
    values: Values = {"name": random.choice("abcdefg"), "size": "1"}
    made = {name: text(value) for name, value in values.items() if value is not None}
    changes: list[Change] = [Make(key(ident), made), SetEntries(key(ident), INDEXING, {}, entries_of(made, made))]
    if ident in reference.records:
        assert not backend.commit([Exists(key(ident), expected=False)], changes)
    elif reference.taken({ident: values}):
        with pytest.raises(NotUnique):
            backend.commit([Exists(key(ident), expected=False)], changes)
    else:
        assert backend.commit([Exists(key(ident), expected=False)], changes)
        reference.records[ident] = values


def end(random: Random, reference: Reference, backend: Backend, idents: list[str]) -> None:
    ident = idents[0]
    ends: list[Change] = [Delete(key(ident), [], INDEXING), Delete(key(ident)), SetDeadline(key(ident), 0)]
    assert backend.commit([], [random.choice(ends)])
    reference.records.pop(ident, None)


def anew(random: Random, reference: Reference, backend: Backend, idents: list[str]) -> None:
    """Delete records and make one of them again, with the name that another of them had."""
    gone = [reference.records.pop(ident, None) for ident in idents]
    names = [values["name"] for values in gone if values]
    made: Values = {"name": random.choice([*names, None]), "size": "2"}
    changes: list[Change] = [Delete(key(ident), [], INDEXING) for ident in idents]
    assert backend.commit([], [*changes, *saved(idents[0], made)])
    reference.records[idents[0]] = made


@pytest.mark.parametrize("seed", range(3))
def test_the_indexes_have_what_the_records_do(backend: Backend, index: IndexStore, seed: int) -> None:
    random, reference = Random(seed), Reference()
    for number in range(150):
        idents = random.sample(IDS, random.choice([1, 1, 1, 2, 3]))
        random.choice([save, save, create, end, anew])(random, reference, backend, idents)
        if number % 10 == 9:
            reference.check(index)
    for ident, values in reference.records.items():
        fields = {name: text(value) for name, value in values.items() if value is not None} or {MARKER: MARKER_DATA}
        assert backend.mapping(key(ident)).get_all() == fields


def test_entries_are_spelt_so_that_ids_sort_as_utf_8() -> None:
    places = [Place(b"k\0", ident) for ident in IDS]
    assert [read(each) for each in map(spelt, places)] == places
    assert sorted(places, key=spelt) == sorted(places, key=lambda place: place.id.encode())


def test_names_of_indexes_are_quoted() -> None:
    for name in ("size.text", "a:b", "{x}", "%3A", "100%", "::"):
        assert unquoted(quoted(name).encode()) == name
        assert not {*":{}"} & {*quoted(name)}


def test_a_record_that_is_gone_is_forgotten_in_every_index(backend: Backend, index: IndexStore) -> None:
    backend.commit([], saving("x", name="a", size="1"))
    backend.commit([], [SetDeadline(key("x"), 0)])
    backend.commit([], saving("y", name="a", size="2"))
    for each in INDEXES:
        assert [place.id for place in index.entries(each.name)] == ["y"], each.name


def test_an_index_that_this_version_does_not_know_is_kept_up(backend: Backend, index: IndexStore) -> None:
    backend.commit([], saving("x", name="a", size="1"))
    older = Indexing(INDEXING.type_name, (NAME,), INDEXING.key_of)
    only = {NAME.name: EntryKey(entry(NAME, "b"), claims=True)}
    backend.commit(
        [Exists(key("x"))], [SetFields(key("x"), {"name": text("b")}), SetEntries(key("x"), older, only, only)]
    )
    assert [place.key for place in index.entries(SIZE.name)] == [entry(SIZE, "1")], "it stays"
    backend.commit([], [Delete(key("x"), [], older)])
    assert [list(index.entries(name)) for name in NAMES] == [[], [], []]


def test_an_id_of_60_kb_is_indexed_and_a_longer_one_refused(backend: Backend, index: IndexStore) -> None:
    long = "\0" + "x" * 60_000
    backend.commit([], saving(long, name="a" * 60_000, size="1"))
    page = index.find(NAME.name, FIRST, LAST, 1)
    assert page is not None
    assert [hit.place.id for hit in page.hits] == [long]
    backend.commit([], [Delete(key(long), [], INDEXING)])
    assert list(index.entries(NAME.name)) == []
    for ident in ("x" * 65_280, "\0" * 32_640):
        with pytest.raises(EncodeError, match="an id of 65280 bytes, and an index holds up to 65279"):
            backend.commit([], saving(ident, name="b"))
        assert not exists(backend, key(ident))


def test_entries_of_what_is_no_record_stay_as_they_are(backend: Backend, index: IndexStore) -> None:
    backend.commit([], saving("x", size="1"))
    backend.commit([], [Delete(key("x"))])
    backend.sequence(key("x")).push_right([b"1"])
    with pytest.raises(WrongShapeError):
        backend.commit([Exists(key("x"))], [SetFields(key("x"), {"name": text("a")}), saving("x", name="a")[2]])
    assert [place.key for place in index.entries(NAME.name) if place.id == "x"] == [entry(NAME, None)]


@pytest.fixture
def client(server: RunningServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture
def real(server: RunningServer) -> Iterator[RedisBackend]:
    with RedisBackend.from_url(StoreURL.parse(server.url)) as backend:
        backend.index(INDEXING).mark(NAMES, whole=True)
        yield backend


def test_fields_that_were_read_are_asked_in_the_script_of_most_steps(backend: Backend, index: IndexStore) -> None:
    backend.commit([], saving("x", name="a", size="1"))
    fields = {"name": text("b"), "size": text("1")}
    changes: list[Change] = [
        SetFields(key("x"), {"name": text("b")}, is_record=True),
        SetEntries(key("x"), INDEXING, entries_of(fields, {"name": None}), {}),
    ]
    for size, is_done in (("2", False), ("1", True)):
        conditions: list[Condition] = [Exists(key("x")), FieldsAre(key("x"), {"size": text(size)})]
        assert as_saving(conditions, changes, Sweeps()) is not None
        assert backend.commit(conditions, changes) is is_done
        assert backend.mapping(key("x")).get("name") == text("b" if is_done else "a")
        assert [place.key for place in index.entries(NAME.name)] == [entry(NAME, "b" if is_done else "a")]


@pytest.mark.parametrize("gone", [False, True])
def test_a_page_asks_for_each_record_once(real: RedisBackend, client: redis.Redis, gone: bool) -> None:
    index = real.index(INDEXING)
    real.commit([], [change for number in range(20) for change in saving(f"{number:02}", name=f"{number}", size="1")])
    if gone:
        client.delete("Indexed:07")
    for fields in ([], ["size"], ["size", "none"]):
        client.config_resetstat()
        page = index.find(SIZE.name, FIRST, LAST, 30, fields=fields)
        stats = client.info("commandstats")
        asked = [stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("hmget", "exists")]
        if not gone:
            assert asked == ([len(page.hits), 0] if fields and page else [0, 1])
        gone = False
        assert page is not None
        assert [hit.place.id for hit in page.hits] == [f"{n:02}" for n in range(20) if client.exists(f"Indexed:{n:02}")]
        assert all([*hit.data] == [text("1"), None][: len(fields)] for hit in page.hits)


@pytest.mark.slow
def test_many_entries_are_found_and_counted(real: RedisBackend) -> None:
    index = real.index(INDEXING)
    for number in range(0, 9000, 3000):
        ids = [f"{each:05}" for each in range(number, number + 3000)]
        real.commit([], [change for ident in ids for change in saving(ident, size="1")[::2]])
    gone = [f"{each:05}" for each in range(0, 9000, 2)]
    real.commit([], [Delete(key(ident)) for ident in gone])
    page = index.find(SIZE.name, FIRST, LAST, 9000)
    assert page is not None
    assert [hit.place.id for hit in page.hits] == [f"{each:05}" for each in range(1, 9000, 2)]
    assert index.count(SIZE.name, FIRST, LAST) == 4500
    assert len(list(index.entries(BOTH.name))) == 4500


@pytest.mark.parametrize("evicted", ["Indexed:::", f"Indexed::{NAME.name}"])
def test_an_index_that_the_server_evicts_is_not_whole(real: RedisBackend, client: redis.Redis, evicted: str) -> None:
    real.commit([], saving("x", name="a", size="1"))
    client.delete(evicted)
    index = real.index(INDEXING)
    assert index.find(NAME.name, FIRST, LAST, 10) is None
    assert not index.states().get(NAME.name)
    with pytest.raises(IndexUnbuiltError):
        real.commit([], saving("y", name="a", size="1"))
    real.commit([], saving("y", anyway=True, name="b", size="1"))
    assert index.find(NAME.name, FIRST, LAST, 10) is None, "entries that came later do not make it whole"
    assert not index.states().get(NAME.name)
    with pytest.raises(IndexUnbuiltError):
        real.commit([], saving("y", name="c", size="1"))
    real.commit([], [Delete(key("y"), [], INDEXING)])
    index.mark(NAMES, whole=False)
    real.commit([], saving("x", anyway=True, name="a", size="1"))
    index.mark(NAMES, whole=True)
    assert index.count(NAME.name, FIRST, LAST) == 1


def test_an_index_that_is_evicted_while_it_is_built_does_not_become_whole(
    real: RedisBackend, client: redis.Redis
) -> None:
    index = real.index(INDEXING)
    index.mark(NAMES, whole=False)
    client.delete(f"Indexed::{NAME.name}")
    index.mark(NAMES, whole=True)
    assert index.states() == {SIZE.name: True, BOTH.name: True}


def test_names_of_indexes_are_neither_keys_nor_strangers(real: RedisBackend, client: redis.Redis) -> None:
    real.commit([], saving("x", name="a", size="1"))
    assert sorted(client.keys()) == sorted(
        [b"Indexed:x", b"Indexed:::", *(f"Indexed::{name}".encode() for name in NAMES)]
    )
    assert list(real.keys("")) == [key("x")]
    client.set("Indexed:a:b:c", "")
    client.set("Indexed::a:b", "")
    assert sorted(name for name, _ in real.strangers(["Indexed"])) == ["Indexed::a:b", "Indexed:a:b:c"]


@pytest.mark.slow
def test_sessions_that_expire_do_not_pile_up(real: RedisBackend) -> None:
    random, alive = Random(1), 400
    index = real.index(INDEXING)
    entries: list[int] = []
    for number in range(12 * alive):
        ident = f"s{number}"
        real.commit([], saving(ident, name=ident, size=str(random.randrange(20))))
        if number >= alive:
            real.commit([], [SetDeadline(key(f"s{number - alive}"), 0)])
        if number > 6 * alive and number % alive == 0:
            entries.append(len(list(index.entries(NAME.name))))
    assert max(entries) <= 2 * alive, entries


@pytest.mark.slow
def test_sweeps_meet_the_first_and_the_last_entries_as_often_as_others(
    real: RedisBackend, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sweeps, "swept", lambda _self, _type_name: SWEPT)
    index = real.index(INDEXING)
    for number in range(400):
        real.commit([], saving(f"s{number}", name=f"s{number}", size="5"))
    for ident in ["a0", "z0", "a1", "z1", "a2", "z2", "a3", "z3"]:
        real.commit([], saving(ident, name=ident, size="0" if ident < "b" else "9"))
        client.delete(f"Indexed:{ident}")
        for _ in range(300):
            real.commit([], saving("s1", name="s1", size="5"))
        assert len(list(index.entries(NAME.name))) == 400, ident


def test_an_index_that_is_dropped_leaves_nothing(real: RedisBackend, client: redis.Redis) -> None:
    real.commit([], saving("x", name="a", size="1"))
    index = real.index(INDEXING)
    index.drop(NAMES[:1])
    assert index.states() == dict.fromkeys(NAMES[1:], True)
    index.drop(NAMES[1:])
    assert client.keys() == [b"Indexed:x"]

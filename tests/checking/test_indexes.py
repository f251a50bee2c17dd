"""``check`` compares the indexes of a class with its records, and puts them right."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import pytest

from persistent_collections import Backend, CorruptDataError, NotUnique, Record, indexed, unique
from persistent_collections.backends.changes import Delete, SetEntries
from persistent_collections.backends.indexes import EntryKey, Indexing, Place
from persistent_collections.backends.keys import Key
from persistent_collections.checking import Finding, check
from persistent_collections.records.reindexing import indexed_of
from tests.testing.indexed import IndexedMemory


class Seal(Record):
    number: Annotated[str, unique]
    size: Annotated[int, indexed] = 1


class Buoy(Record):
    """Of a class that is never written to, nothing is found."""

    name: Annotated[str, unique]


class Pattern(Record):
    number: str
    size: int = 1


@pytest.fixture(params=["chosen", "entries"])
def store(request: pytest.FixtureRequest, store_kind: str, backend: Backend) -> Backend:
    if request.param == "entries" and store_kind != "json":
        pytest.skip("once is enough")
    made = backend if request.param == "chosen" else IndexedMemory()
    for ident in "abc":
        Seal.create(ident, number=ident, backend=made)
    assert list(check(made)) == []
    return made


@pytest.fixture
def keeping(store: Backend) -> Backend:
    """Give a store that keeps entries."""
    if store.indexing != "indexes":
        pytest.skip("this store keeps no entries")
    return store


def indexing_in(store: Backend) -> Indexing:
    return indexed_of(Seal.__pc__, store).indexing


def short(findings: Iterator[Finding]) -> list[tuple[str, str, str | int | None, bool]]:
    return sorted((found.kind, found.key, found.place, found.repaired) for found in findings)


def stored(store: Backend, **values: Any) -> dict[str, bytes]:
    """Return the bytes of fields."""
    return store.mapping(Pattern.create("p", **values, backend=store).__pc__.key).get_all()


def write_past_the_indexes(store: Backend, ident: str, number: str) -> None:
    """Set a field as a process does that runs a class without indexes."""
    store.mapping(Key(f"Seal:{ident}"), is_record=True).set_many({"number": stored(store, number=number)["number"]})
    Pattern.ref("p", backend=store).delete()


def wrong_entry(store: Backend, ident: str, size: int) -> None:
    """Let a record have the entry of another size."""
    indexed = indexed_of(Seal.__pc__, store)
    of_size = next(index for index in indexed.indexing.indexes if index.fields == ("size",))
    entry = indexed.key_of(of_size, [stored(store, number="", size=size)["size"]])
    Pattern.ref("p", backend=store).delete()
    change = SetEntries(Key(f"Seal:{ident}"), indexed.indexing, {of_size.name: EntryKey(entry.key)}, {})
    store.commit([], [change])


def test_a_record_that_was_written_past_its_index_is_found_and_gets_its_entry(keeping: Backend) -> None:
    write_past_the_indexes(keeping, "b", "s3cret")
    if keeping.index(indexing_in(keeping)).exact:
        assert not Seal.find(number="s3cret", backend=keeping)
    found = short(check(keeping))
    assert ("unindexed", "Seal:b", "number", False) in found
    assert {key for _, key, _, _ in found} == {"Seal:b"}
    repaired = list(check(keeping, repair=["unindexed", "stale_entry"]))
    assert all(each.repaired for each in repaired)
    assert "s3cret" not in "".join(each.message for each in repaired)
    assert list(check(keeping, repair=["unindexed"])) == []
    assert Seal.find(number="s3cret", backend=keeping).one().id == "b"
    Seal.create("d", number="b", backend=keeping)


def test_an_entry_of_another_value_is_found_and_taken_away(keeping: Backend) -> None:
    wrong_entry(keeping, "b", 7)
    is_exact = keeping.index(indexing_in(keeping)).exact
    assert [seal.id for seal in Seal.find(size=7, backend=keeping)] == ["b"] * is_exact
    kinds = {found.kind for found in check(keeping)}
    assert kinds == ({"unindexed", "stale_entry"} if is_exact else set())
    assert all(found.repaired for found in check(keeping, repair=["stale_entry", "unindexed"]))
    assert list(check(keeping, repair=["stale_entry"])) == []
    assert not Seal.find(size=7, backend=keeping)
    assert len(list(Seal.find(size=1, backend=keeping))) == 3


def test_entries_of_records_that_are_gone_are_no_fault_and_are_taken_away_on_demand(keeping: Backend) -> None:
    index = keeping.index(indexing_in(keeping))
    names = [each.name for each in indexing_in(keeping).indexes]
    Seal.ref("a", backend=keeping).expire(0)
    keeping.commit([], [Delete(Key("Seal:b"))])
    left = [place for name in names for place in index.entries(name) if place.id in "ab"]
    assert list(check(keeping)) == []
    assert list(check(keeping, prefix="Seal:c", repair=["stale_entry"])) == []
    gone = list(check(keeping, repair=["stale_entry"]))
    assert len(gone) <= len(left)
    assert all(found.repaired and found.kind == "stale_entry" for found in gone)
    assert [place.id for name in names for place in index.entries(name)] == ["c", "c"]


def test_an_entry_that_its_record_has_is_not_taken_away(keeping: Backend) -> None:
    index = keeping.index(indexing_in(keeping))
    for each in indexing_in(keeping).indexes:
        for place in list(index.entries(each.name)):
            assert not index.discard(each.name, place)
            assert not index.discard(each.name, Place(place.key, "none"))
    assert list(check(keeping)) == []


def test_an_index_that_is_not_built_is_found_and_built(keeping: Backend) -> None:
    [number, _] = indexing_in(keeping).indexes
    index = keeping.index(indexing_in(keeping))
    index.mark([number.name], whole=False)
    assert short(check(keeping)) == [("unindexed", "Seal:", "number", False)]
    assert short(check(keeping, repair=["unindexed"])) == [("unindexed", "Seal:", "number", True)]
    assert index.states()[number.name]
    assert list(check(keeping)) == []


@pytest.mark.parametrize("store_kind", ["sqlite"])
def test_an_index_with_damaged_entries_is_found_and_built_anew(backend: Backend, tmp_path: Path) -> None:
    for ident in "abc":
        Seal.create(ident, number=ident, backend=backend)
    with closing(sqlite3.connect(tmp_path / "data.db")) as db, db:
        db.execute("UPDATE entries SET root = x'ff' WHERE root = CAST('Seal:b' AS BLOB) AND value < x'ff'")
    [number, _] = indexing_in(backend).indexes
    with pytest.raises(CorruptDataError, match=r"an index of Seal has an entry .* reindex\(\)"):
        list(backend.index(indexing_in(backend)).entries(number.name))
    found = list(check(backend))
    assert short(iter(found)) == [("unindexed", "Seal:", each, False) for each in ("number", "size")]
    assert all("did not write" in each.message for each in found)
    assert all(each.repaired for each in check(backend, repair=["unindexed"]))
    assert list(check(backend)) == []
    assert Seal.find(number="b", backend=backend).one().id == "b"


def test_a_value_that_has_to_be_unique_and_has_two_records_is_found_and_left_alone(store: Backend) -> None:
    write_past_the_indexes(store, "b", "a")
    found = [each for each in check(store, repair=["unindexed", "stale_entry"]) if each.kind == "duplicate"]
    assert [(each.place, each.repaired) for each in found] == [("number", False)]
    assert {"Seal:a", "Seal:b"} == {found[0].key, found[0].message.split("'")[1]}
    assert [seal.number for seal in Seal.all(backend=store)].count("a") == 2
    with pytest.raises(NotUnique):
        Seal.reindex(backend=store)
    Seal.ref("b", backend=store).number = "b"
    assert [each.kind for each in check(store, repair=["unindexed"]) if not each.repaired] == []
    assert list(check(store)) == []


def test_a_record_that_cannot_be_read_is_told_once(store: Backend) -> None:
    store.mapping(Key("Seal:a"), is_record=True).set_many({"size": b'"x"'})
    assert short(check(store)) == [("undecodable", "Seal:a", "size", False)]


def test_only_objects_with_the_prefix_are_checked(keeping: Backend) -> None:
    wrong_entry(keeping, "b", 7)
    assert list(check(keeping, prefix="Seal:a")) == []

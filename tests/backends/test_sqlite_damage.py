"""Damage to any row, or any byte, ends in an error of this package, and never in a deletion or a silent gap."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import pytest

from persistent_collections import indexed, make_record
from persistent_collections.backends.changes import Delete, Exists, SetDeadline
from persistent_collections.backends.handles import MappingStore, SequenceStore
from persistent_collections.backends.indexes import FIRST, LAST, Place
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.backends.sqlite.file import LOOK_S
from persistent_collections.checking import check
from persistent_collections.errors import CorruptDataError, PersistentCollectionsError
from persistent_collections.testing.backends.base import put
from persistent_collections.testing.backends.indexes import INDEXES, INDEXING, NAME, SIZE, entry, saving
from persistent_collections.testing.backends.indexes import key as record

pytestmark = pytest.mark.store("sqlite")

RECORD, CHILD, FIELDS = Key("User:luke"), Key("User:luke", "friends"), Key("Dict:x")
ITEMS, TREE, NAMES = Key("List:x"), Key("List:tree"), Key("Set:x")
CONTENTS: dict[Key, Content] = {
    RECORD: {"name": b"Luke", "age": b"19"},
    CHILD: [b"leia", b"han"],
    FIELDS: {f"field {number}": b"%d" % number for number in range(20)},
    ITEMS: [b"%d" % number for number in range(20)],
    TREE: [b"%d" % number for number in range(30)],
    NAMES: {f"member {number}" for number in range(10)},
}
KEYS = [*CONTENTS, *map(record, "abc")]
ROWS = {
    "objects": ("root", "child", "id", "shape", "size", "first", "next", "tree", "deadline", "indexed"),
    "fields": ("place", "object", "name", "data", "born"),
    "items": ("place", "data"),
    "nodes": ("place", "level", "entries"),
    "members": ("object", "name", "score"),
    "entries": ("name", "value", "root"),
}
VALUES = ("NULL", "-1", "0", "99", "9223372036854775807", "1.5", "'x'", "x''", "x'ff'", "x'00112233445566778899'")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "store.db"
    with SQLiteBackend(path, synchronous="OFF") as store:
        for key, content in CONTENTS.items():
            put(store, key, content)
        store.sequence(TREE).reverse()
        store.index(INDEXING).mark([index.name for index in INDEXES], whole=True)
        for ident in "abc":
            store.commit([], saving(ident, name=ident, size="1"))
    return path


@pytest.fixture
def path(sound: Path, tmp_path: Path) -> Path:
    shutil.copy(sound, tmp_path / "store.db")
    return tmp_path / "store.db"


def damage(path: Path, statement: str) -> bool:
    """Change rows as a broken program might, whatever the tables say of types; return whether anything changed."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        lax = (
            "UPDATE sqlite_master SET sql = replace(replace(sql, ' STRICT', ''), ' NOT NULL', '') WHERE type = 'table'"
        )
        db.execute("PRAGMA writable_schema = ON")
        db.execute(lax)
        db.execute("UPDATE sqlite_master SET sql = replace(sql, '), WITHOUT', ') WITHOUT')")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        with suppress(sqlite3.IntegrityError):
            return db.execute(statement).rowcount > 0
    return False


Uses = list[Callable[[], object]]


def mappings(store: SQLiteBackend) -> list[MappingStore]:
    return [store.mapping(FIELDS), store.mapping(RECORD, is_record=True)]


def sequences(store: SQLiteBackend) -> list[SequenceStore]:
    return [store.sequence(key) for key in (ITEMS, TREE, CHILD)]


def reads_of_mapping(mapping: MappingStore) -> Uses:
    return [
        mapping.get_all,
        lambda: [None] * mapping.size(),  # as list() does
        lambda: list(mapping.pages()),
        lambda: [mapping.get(name) for name in ("field 7", "name")],
        lambda: mapping.get_many(["field 7", "name"]),
    ]


def reads_of_sequence(sequence: SequenceStore) -> Uses:
    return [
        lambda: [None] * sequence.size(),
        lambda: sequence.get_slice(slice(None)),
        lambda: [sequence.get(index) for index in (0, 7, -1)],
        lambda: (sequence.find(b"7"), sequence.count(b"7"), sequence.get_slice(slice(0, 9, 2))),
    ]


def reads_of_indexes(store: SQLiteBackend) -> Uses:
    index = store.index(INDEXING)
    return [
        index.states,
        *(partial(index.find, each.name, FIRST, LAST, 2, fields=["name"]) for each in INDEXES),
        *(partial(index.find, each.name, FIRST, LAST, 2, backwards=True) for each in INDEXES),
        *(partial(index.count, each.name, FIRST, LAST) for each in INDEXES),
        lambda: [list(index.entries(each.name)) for each in INDEXES],
    ]


def writes_of_mapping(mapping: MappingStore) -> Uses:
    return [
        lambda: mapping.set_many({"field 7": b"x", "new": b"y"}),
        lambda: mapping.set_many({"field 7": b"x"}),
        lambda: mapping.increment("field 8", 1),
        mapping.pop_any,
        lambda: mapping.replace({"field 1": b"z", "name": b"z"}),
    ]


def writes_of_sequence(sequence: SequenceStore) -> Uses:
    return [
        lambda: sequence.push_right([b"x"]),
        lambda: sequence.insert(3, b"x"),
        lambda: sequence.pop(0),
        sequence.reverse,
        lambda: sequence.repeat(2),
    ]


def writes_of_indexes(store: SQLiteBackend) -> Uses:
    index = store.index(INDEXING)
    return [
        *(partial(store.commit, [], saving(ident, name=f"{ident}2", size="2")) for ident in "abcd"),
        lambda: index.discard(NAME.name, Place(entry(NAME, "b"), "b")),
        lambda: store.commit([], [Delete(record("c"), [], INDEXING)]),
        lambda: index.mark([SIZE.name], whole=True, only_new=True),
        lambda: index.drop([SIZE.name]),
    ]


def reads(store: SQLiteBackend) -> Uses:
    """Return ways to read everything there is."""
    names = store.members(NAMES)
    return [
        lambda: list(store.keys("")),
        lambda: list(store.keys("User:")),
        lambda: list(store.strangers([])),
        *(partial(store.look, [key], sizes=True) for key in KEYS),
        *(partial(store.snapshot, [key]) for key in KEYS),
        *(read for mapping in mappings(store) for read in reads_of_mapping(mapping)),
        *(read for sequence in sequences(store) for read in reads_of_sequence(sequence)),
        *reads_of_indexes(store),
        *(
            names.get_all,
            lambda: [None] * names.size(),
            lambda: list(names.pages()),
            lambda: names.contains("member 7"),
        ),
        lambda: names.combine("union", [NAMES]),
    ]


def writes(store: SQLiteBackend) -> Uses:
    """Return ways to write everything there is."""
    names = store.members(NAMES)
    return [
        *(write for mapping in mappings(store) for write in writes_of_mapping(mapping)),
        *(write for sequence in sequences(store) for write in writes_of_sequence(sequence)),
        *writes_of_indexes(store),
        *(lambda: names.add({"new"}), lambda: names.toggle({"member 7"}), names.pop_any),
        lambda: store.commit([Exists(RECORD)], [SetDeadline(RECORD, 1000)]),
    ]


def use_all(path: Path) -> None:
    """Use everything; whatever is not an error of this package leaves the test."""
    with SQLiteBackend(path, synchronous="OFF") as store:
        for use in (*reads(store), *writes(store), *reads(store)):
            with suppress(PersistentCollectionsError):
                use()


def assert_not_silent(path: Path) -> None:
    """Check that a listing and reading of all there is has everything, or raises."""
    with SQLiteBackend(path, synchronous="OFF") as store, suppress(PersistentCollectionsError):
        listed = set(store.keys(""))
        found = {key: entry.content for key in listed for entry in store.snapshot([key]) if entry}
        assert len(listed) == len(KEYS), "an object is missing from the listing, and nothing was said"
        assert len(found) == len(KEYS), "an object cannot be read, and nothing was said"


CASES = [
    *(
        f"UPDATE {table} SET {column} = {value}"
        for table, columns in ROWS.items()
        for column in columns
        for value in VALUES
    ),
    *(f"DELETE FROM {table}" for table in ROWS),
    "UPDATE entries SET name = CAST('Indexed:' AS BLOB) || x'ff'",
]


@pytest.mark.parametrize(
    "statement",
    [pytest.param(case, marks=() if number % 9 == 0 else pytest.mark.slow) for number, case in enumerate(CASES)],
)
def test_a_row_that_is_damaged_ends_in_an_error_of_this_package(path: Path, statement: str) -> None:
    table = statement.split()[2 if statement.startswith("DELETE") else 1]
    orders = {"objects": "root, child", "members": "object, name", "entries": "name, value, root"}.get(table, "place")
    names = orders.split(", ")
    applied = 0
    for number in (0, 3, 7):
        copy = path.with_name(f"{number}.db")
        shutil.copy(path, copy)
        one = " AND ".join(
            f"{name} = (SELECT {name} FROM {table} ORDER BY {orders} LIMIT 1 OFFSET {number})" for name in names
        )
        if not damage(copy, f"{statement} WHERE {one}"):
            continue
        applied += 1
        if "deadline" not in statement:  # any number is a deadline that the package may have written
            assert_not_silent(copy)
        use_all(copy)
    assert applied or "NULL" in statement or table == "nodes" or {"root", "name", "place"} & set(statement.split())


@pytest.mark.parametrize("rounds", [30, pytest.param(1500, marks=pytest.mark.slow)])
def test_a_byte_of_the_file_that_is_damaged_ends_in_an_error_of_this_package(path: Path, rounds: int) -> None:
    random_ = random.Random(7)
    whole = path.read_bytes()
    for number in range(rounds):
        data = bytearray(whole)
        for _ in range(random_.choice([1, 1, 8])):
            data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        copy = path.with_name(f"{number}.db")
        copy.write_bytes(data)
        use_all(copy)
        for file in path.parent.glob(f"{number}.db*"):
            file.unlink()


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_corrupt_and_is_left_as_it_is(path: Path, keep: float) -> None:
    data = path.read_bytes()[: int(path.stat().st_size * keep)]
    path.write_bytes(data)
    use_all(path)
    with SQLiteBackend(path) as store, pytest.raises(CorruptDataError):
        [store.snapshot([key]) for key in store.keys("")]
    assert path.read_bytes()[:100] == data[:100]


def test_a_file_that_is_emptied_while_it_is_open_is_corrupt_until_a_copy_is_in_its_place(path: Path) -> None:
    copy = path.read_bytes()
    with SQLiteBackend(path, synchronous="OFF") as store:
        fields = store.mapping(FIELDS)
        assert fields.size() == 20
        os.truncate(path, 0)
        time.sleep(2 * LOOK_S)
        uses: list[Callable[[], object]] = [
            partial(fields.get, "field 1"),
            fields.get_all,
            partial(fields.set_many, {"field 1": b"x"}),
            partial(store.commit, [], [Delete(FIELDS)]),
            lambda: list(store.keys("")),
            partial(store.back_up, path.with_name("backup.db")),
        ]
        for use in uses:
            with pytest.raises(
                CorruptDataError, match="is empty: another program truncated it while it was open; close"
            ):
                use()
    path.write_bytes(copy)
    with SQLiteBackend(path, synchronous="OFF") as store:
        assert store.mapping(FIELDS).size() == 20


def test_an_object_that_is_damaged_can_be_deleted(path: Path) -> None:
    assert damage(path, "UPDATE objects SET size = -3, shape = 'x' WHERE root = CAST('List:x' AS BLOB)")
    with SQLiteBackend(path, synchronous="OFF") as store:
        assert ITEMS in store.keys("List:")
        [found] = store.look([ITEMS])
        assert found
        assert found.shape is None
        with pytest.raises(
            CorruptDataError, match=r"'List:x' has rows .* left as it is: go back to a backup, or delete"
        ):
            store.sequence(ITEMS).push_right([b"x"])
        assert store.commit([], [Delete(ITEMS)])
        assert store.look([ITEMS]) == [None]
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM items").fetchone() == (32,)


def test_a_check_reports_a_name_that_is_damaged_and_goes_on(path: Path) -> None:
    assert damage(path, "UPDATE objects SET root = x'ff' WHERE root = CAST('List:x' AS BLOB)")
    assert damage(path, "DELETE FROM objects WHERE root = CAST('Set:x' AS BLOB)")
    with SQLiteBackend(path, synchronous="OFF") as store:
        found = list(check(store))
    assert [finding.kind for finding in found if "a listing lacks some" in finding.message] == ["unreadable"]
    assert {"unknown_type"} <= {finding.kind for finding in found}, "what can be listed is examined"


def test_a_check_of_a_class_with_indexes_goes_on_if_a_name_is_damaged(path: Path) -> None:
    indexed_class = make_record("Lantern", {"place": Annotated[str, indexed]})
    with SQLiteBackend(path, synchronous="OFF") as store:
        indexed_class.create("a", place="x", backend=store)
        indexed_class.create("b", place="x", backend=store)
    assert damage(path, "UPDATE objects SET root = x'ff' WHERE root = CAST('Lantern:a' AS BLOB)")
    with SQLiteBackend(path, synchronous="OFF") as store:
        found = list(check(store, prefix="Lantern:", repair=["stale_entry"]))
        assert {finding.kind for finding in found} == {"unreadable"}

"""Changes of one part of an object are one statement, and do exactly what the long way does."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Make, SetDeadline
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.backends.sqlite.schema import PLACES
from persistent_collections.errors import CorruptDataError, ObjectNotFound, WrongShapeError
from persistent_collections.testing.backends.base import put, read_content

pytestmark = pytest.mark.store("sqlite")

FIELDS, ITEMS = Key("Dict:x"), Key("List:x")
CHANGES: dict[str, tuple[Key, Callable[[Backend, Key], object], object, Content]] = {
    "set": (FIELDS, lambda store, key: store.mapping(key).set_many({"a": b"3"}), None, {"a": b"3", "b": b"2"}),
    "set a new one": (
        *(FIELDS, lambda store, key: store.mapping(key).set_many({"c": b"3"}), None),
        {"a": b"1", "b": b"2", "c": b"3"},
    ),
    "delete": (FIELDS, lambda store, key: store.mapping(key).delete("a"), True, {"b": b"2"}),
    "increment": (FIELDS, lambda store, key: store.mapping(key).increment("a", 4), 5, {"a": b"5", "b": b"2"}),
    "push_right": (ITEMS, lambda store, key: store.sequence(key).push_right([b"3"]), None, [b"1", b"2", b"3"]),
    "push_left": (ITEMS, lambda store, key: store.sequence(key).push_left([b"3"]), None, [b"3", b"1", b"2"]),
    "insert(0)": (ITEMS, lambda store, key: store.sequence(key).insert(0, b"3"), None, [b"3", b"1", b"2"]),
    "pop(-1)": (ITEMS, lambda store, key: store.sequence(key).pop(-1), b"2", [b"1"]),
    "pop(0)": (ITEMS, lambda store, key: store.sequence(key).pop(0), b"1", [b"2"]),
    "set(0)": (ITEMS, lambda store, key: store.sequence(key).set(0, b"3"), True, [b"3", b"2"]),
    "set(-1)": (ITEMS, lambda store, key: store.sequence(key).set(-1, b"3"), True, [b"1", b"3"]),
}
"""By name: the key, the change, what it returns, and what is stored afterwards."""

BEFORE: dict[Key, Content] = {FIELDS: {"a": b"1", "b": b"2"}, ITEMS: [b"1", b"2"]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        yield backend


def executed(backend: SQLiteBackend, call: Callable[[], object]) -> set[str]:
    """Return the statements that a call executes; those of a trigger show as the one that set it off."""
    statements: list[str] = []
    db = backend._database.write(lambda db: db)
    db.set_trace_callback(statements.append)
    call()
    db.set_trace_callback(None)
    return set(statements)


def rows(path: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(statement).fetchall()


@pytest.mark.parametrize("child", [None, "c"], ids=["an object", "a child"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_one_part_is_one_statement(backend: SQLiteBackend, name: str, child: str | None) -> None:
    key, change, result, after = CHANGES[name]
    content = BEFORE[key]
    if child is not None:
        key = Key("User:x", child)
        backend.commit([], [Make(key.owner, {"f": b"1"})])
    put(backend, key, content)
    found: list[object] = []
    assert len(executed(backend, lambda: found.append(change(backend, key)))) == 1
    assert found == [result]
    assert read_content(backend, key) == after


@pytest.mark.parametrize("name", CHANGES)
def test_a_child_whose_owner_is_gone_is_not_changed(backend: SQLiteBackend, name: str) -> None:
    key, change, _, _ = CHANGES[name]
    child = Key("User:x", "c")
    backend.commit([], [Make(child.owner, {"f": b"1"})])
    put(backend, child, BEFORE[key])
    for gone in (SetDeadline(child.owner, 0.001), Delete(child.owner)):
        backend.commit([], [gone])
        time.sleep(0.002)
        with pytest.raises(ObjectNotFound):
            change(backend, child)
        assert read_content(backend, child) == BEFORE[key]


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_expired_is_not_changed_but_made_anew(backend: SQLiteBackend, path: Path, name: str) -> None:
    key, change, _, _ = CHANGES[name]
    put(backend, key, BEFORE[key])
    backend.commit([], [SetDeadline(key, 0.001)])
    time.sleep(0.002)
    change(backend, key)
    made = {"set": {"a": b"3"}, "set a new one": {"c": b"3"}, "increment": {"a": b"4"}}
    expected = made.get(name) or ([b"3"] if name.startswith(("push", "insert")) else None)
    assert read_content(backend, key) == expected
    assert rows(path, "SELECT deadline FROM objects WHERE deadline IS NOT NULL") == []


@pytest.mark.parametrize("name", CHANGES)
def test_another_shape_is_refused_and_stays(backend: SQLiteBackend, name: str) -> None:
    key, change, _, _ = CHANGES[name]
    put(backend, key, {"a", "b"})
    with pytest.raises(WrongShapeError):
        change(backend, key)
    assert read_content(backend, key) == {"a", "b"}


@pytest.mark.parametrize("name", ["delete", "pop(-1)", "pop(0)"])
def test_the_last_part_goes_with_its_object(backend: SQLiteBackend, path: Path, name: str) -> None:
    key, change, _, _ = CHANGES[name]
    put(backend, key, {"a": b"1"} if key is FIELDS else [b"1"])
    assert change(backend, key)
    assert rows(path, "SELECT * FROM objects") == []


def test_the_last_field_of_a_record_leaves_the_marker(backend: SQLiteBackend) -> None:
    key = Key("User:x")
    backend.commit([], [Make(key, {"a": b"1"})])
    assert backend.mapping(key, is_record=True).delete("a")
    assert read_content(backend, key) == {"": b""}


def test_what_is_absent_is_not_counted(backend: SQLiteBackend) -> None:
    put(backend, FIELDS, {"a": b"1", "b": b"2"})
    put(backend, ITEMS, [b"1", b"2"])
    assert not backend.mapping(FIELDS).delete("c")
    assert not backend.sequence(ITEMS).set(2, b"3")
    assert not backend.sequence(ITEMS).set(-3, b"3")
    assert not backend.sequence(ITEMS).set(2**70, b"3")
    assert [backend.mapping(FIELDS).size(), backend.sequence(ITEMS).size()] == [2, 2]


@pytest.mark.parametrize("end", [0, PLACES], ids=["first", "last"])
def test_at_the_last_place_the_others_move(backend: SQLiteBackend, path: Path, end: int) -> None:
    put(backend, ITEMS, [b"1", b"2"])
    put(backend, FIELDS, {"a": b"1"})
    with closing(sqlite3.connect(path)) as db, db:
        [(number, first)] = db.execute("SELECT id, first FROM objects WHERE shape = 'sequence'").fetchall()
        start = end and PLACES - 2
        db.execute("UPDATE items SET place = place - ? + ?", (first, start))
        db.execute("UPDATE objects SET first = ?, next = ? WHERE id = ?", (start, start + 2, number))
        db.execute(f"UPDATE fields SET place = place + {PLACES - 1}")
        db.execute(f"UPDATE objects SET next = {PLACES} WHERE shape = 'mapping'")
    backend.sequence(ITEMS).push_left([b"0"])
    backend.sequence(ITEMS).push_right([b"3"])
    backend.mapping(FIELDS).set_many({"b": b"2"})
    backend.mapping(FIELDS).set_many({"a": b"3"})
    assert read_content(backend, ITEMS) == [b"0", b"1", b"2", b"3"]
    assert list(backend.mapping(FIELDS).get_all().items()) == [("a", b"3"), ("b", b"2")]


def test_an_item_in_the_way_is_damage_and_is_not_overwritten(backend: SQLiteBackend, path: Path) -> None:
    put(backend, ITEMS, [b"1", b"2"])
    rows(path, "INSERT INTO items (place, data) SELECT max(place) + 1, x'33' FROM items")
    with pytest.raises(CorruptDataError):
        backend.sequence(ITEMS).push_right([b"4"])
    assert rows(path, "SELECT count(*) FROM items") == [(3,)]


def test_a_statement_does_not_return_what_one_that_failed_has_taken(backend: SQLiteBackend) -> None:
    put(backend, FIELDS, {"a": b"1"})
    put(backend, ITEMS, [b"1", b"2", b"3"])
    [connection] = backend._database._idle
    for index, result in ((0, b"1"), (-1, b"3")):
        connection.taken.append(b"another")
        assert backend.sequence(ITEMS).pop(index) == result
    connection.taken.append(7)
    assert backend.mapping(FIELDS).increment("a", 4) == 5
    assert connection.taken == []


def test_an_item_that_is_no_blob_is_damage_and_stays(backend: SQLiteBackend, path: Path) -> None:
    put(backend, ITEMS, [b"1", b"2", b"3"])
    backend.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_master SET sql = replace(sql, 'STRICT', '') WHERE name = 'items'")
    rows(path, "UPDATE items SET data = 'text' WHERE data = x'33'")
    with pytest.raises(CorruptDataError):
        backend.sequence(ITEMS).pop(-1)
    assert rows(path, "SELECT count(*) FROM items") == [(3,)]


@pytest.mark.parametrize("count", [1000, pytest.param(30_000, marks=pytest.mark.slow)])
def test_the_size_of_a_mapping_is_that_of_its_content_after_many_changes(
    backend: SQLiteBackend, path: Path, count: int
) -> None:
    random = Random(5)
    mapping, fields = backend.mapping(FIELDS), dict[str, bytes]()
    for number in range(count):
        name, data = f"f{random.randrange(30)}", b"%d" % number
        if random.random() < 0.6:
            mapping.set_many({name: data})
            fields[name] = data
        else:
            assert mapping.delete(name) == (fields.pop(name, None) is not None)
    assert list(mapping.get_all().items()) == list(fields.items())
    assert rows(path, "SELECT size FROM objects") == rows(path, "SELECT count(*) FROM fields")


@pytest.mark.parametrize("count", [2000, pytest.param(30_000, marks=pytest.mark.slow)])
def test_the_size_of_a_list_is_that_of_its_content_after_many_changes(
    backend: SQLiteBackend, path: Path, count: int
) -> None:
    random = Random(5)
    sequence, items = backend.sequence(ITEMS), list[bytes]()

    def put(index: int, data: bytes) -> None:
        sequence.insert(index, data)
        items.insert(index, data)

    def change(index: int, data: bytes) -> None:
        assert sequence.set(index, data) == (-len(items) <= index < len(items))
        items[index : index + 1 or None] = [data] if -len(items) <= index < len(items) else []

    for number in range(count):
        data = b"%d" % number
        match random.randrange(5):
            case 0:
                sequence.push_right([data])
                items.append(data)
            case 1:
                put(0 if random.random() < 0.9 else 1, data)  # in the middle, it makes a tree for a time
            case 2:
                change(random.randrange(-5, 5), data)
            case _:
                index = random.choice((0, -1))
                assert sequence.pop(index) == (items.pop(index) if items else None)
    assert sequence.get_slice(slice(None)) == items
    assert rows(path, "SELECT ifnull(sum(size), 0) FROM objects") == rows(path, "SELECT count(*) FROM items")


def test_a_list_whose_middle_is_as_it_was_needs_no_tree_any_more(backend: SQLiteBackend, path: Path) -> None:
    sequence = backend.sequence(ITEMS)
    sequence.replace([b"%d" % number for number in range(10)])
    for number in range(3):
        sequence.insert(5, b"new")
        assert rows(path, "SELECT tree IS NULL FROM objects") == [(0,)]
        assert sequence.pop(5) == b"new"
        assert rows(path, "SELECT tree IS NULL, size, next - first FROM objects") == [(1, 10 + number, 10 + number)]
        assert rows(path, "SELECT count(*) FROM nodes") == [(0,)]
        sequence.push_right([b"%d" % (10 + number)])
    assert sequence.get_slice(slice(None)) == [b"%d" % number for number in range(13)]

"""Iteration while others write, names of every kind, and what is left of the expired."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path

import pytest

from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.changes import Delete, Make, Replace, SetDeadline
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.sqlite import SQLiteBackend

pytestmark = pytest.mark.store("sqlite")

KEY = Key("Thing:x")
MANY = 2 * PAGE_SIZE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        yield backend


def rows(path: Path) -> int:
    """Return how many rows there are in all tables together."""
    tables = ("objects", "fields", "members", "items", "nodes")
    with closing(sqlite3.connect(path)) as db:
        return sum(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables)


@pytest.mark.parametrize("turn", [1, -1], ids=["in their order", "in reverse"])
def test_fields_that_a_replacement_keeps_are_paged_exactly_once_though_it_moves_them(
    backend: SQLiteBackend, turn: int
) -> None:
    mapping = backend.mapping(KEY)
    fields = {f"field {number}": b"%d" % number for number in range(MANY)}
    mapping.replace(fields)
    pages = mapping.pages()
    found = next(pages)
    for _ in range(2):
        mapping.replace({"new": b"x", **dict(list(fields.items())[::turn])})
    found += chain.from_iterable(pages)
    assert sorted(found) == sorted(fields.items())


def test_a_loop_that_adds_a_field_for_each_it_meets_ends(backend: SQLiteBackend) -> None:
    mapping = backend.mapping(KEY)
    mapping.replace({f"field {number}": b"x" for number in range(MANY)})
    met = 0
    for page in mapping.pages():
        mapping.set_many({f"{field} again": data for field, data in page})
        met += len(page)
    assert met == MANY
    assert mapping.size() == 2 * MANY


def test_a_loop_that_adds_a_greater_member_for_each_it_meets_ends(backend: SQLiteBackend) -> None:
    members = backend.members(KEY)
    members.replace({f"{number:05}" for number in range(MANY)})
    met = 0
    for page in members.pages():
        members.add({f"1{member}" for member in page})
        met += len(page)
    assert met == MANY


def test_a_loop_that_makes_an_object_for_each_it_meets_ends(backend: SQLiteBackend) -> None:
    backend.commit([], [Replace(Key("Thing:x", f"child {number}"), [b"x"]) for number in range(MANY)])
    met = 0
    for key in backend.keys("Thing:"):
        backend.commit([], [Replace(Key(key.root, f"{key.child} again"), [b"x"])])
        met += 1
        assert met <= MANY
    assert met == MANY


def test_no_page_keeps_a_transaction_open(backend: SQLiteBackend, path: Path) -> None:
    backend.mapping(KEY).replace({f"field {number}": b"x" for number in range(MANY)})
    backend.members(Key("Thing:y")).replace({f"member {number}" for number in range(MANY)})
    iterators: list[Iterator[object]] = [
        backend.mapping(KEY).pages(),
        backend.members(Key("Thing:y")).pages(),
        backend.keys(""),
    ]
    for iterator in iterators:
        next(iterator)
    with closing(sqlite3.connect(path, timeout=0)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb", "\ud83d\ude00", "\N{GRINNING FACE}", "\0", "a\0", "a\0b"])
def test_whatever_a_python_text_holds_it_is_a_name_of_its_own(backend: SQLiteBackend, name: str) -> None:
    others = {"", "a", "\ufffd", chr(0xD83D), "\N{GRINNING FACE}", "\ud83d\ude00"} - {name}
    mapping, members = backend.mapping(Key(f"Thing:{name}", name)), backend.members(KEY)
    backend.commit([], [Make(Key(f"Thing:{name}"), {})])
    mapping.set_many({name: b"1", **dict.fromkeys(others, b"2")})
    members.add({name, *others})
    assert mapping.pop(name) == b"1"
    assert members.remove({name}) == 1
    assert set(mapping.get_all()) == set(chain.from_iterable(members.pages())) == others
    assert list(backend.keys(f"Thing:{name}")) == [Key(f"Thing:{name}"), Key(f"Thing:{name}", name)]


@pytest.mark.parametrize("content", [{"f": b"1", "g": b"2"}, [b"1", b"2"], {"f", "g"}], ids=lambda c: type(c).__name__)
def test_what_has_expired_is_deleted_by_the_next_write_to_it(
    backend: SQLiteBackend, path: Path, content: Content
) -> None:
    backend.commit([], [Replace(KEY, content), SetDeadline(KEY, 0.01)])
    time.sleep(0.02)
    assert rows(path) > 0
    assert not backend.look([KEY])[0]
    assert backend.mapping(KEY).pop("f") is None
    assert rows(path) == 0


def test_what_has_expired_does_not_pile_up_where_new_deadlines_are_set(backend: SQLiteBackend, path: Path) -> None:
    for number in range(100):
        key = Key(f"Session:{number}")
        backend.commit([], [Replace(key, [b"x"] * 3), SetDeadline(key, 0.001)])
        time.sleep(0.002)
    assert rows(path) <= 3 * 5, "each deadline that is set clears away what the ones before have left"


def test_a_deleted_object_leaves_no_row(backend: SQLiteBackend, path: Path) -> None:
    contents: list[Content] = [{"f": b"1"}, [b"1"] * 1000, {"f"}]
    keys = [Key(f"Thing:{number}") for number in range(3)]
    for key, content in zip(keys, contents, strict=True):
        backend.commit([], [Replace(key, content)])
    backend.commit([], [Delete(key) for key in keys])
    assert rows(path) == 0

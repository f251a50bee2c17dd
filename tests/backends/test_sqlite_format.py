"""The stored form, row for row, and an old file that has to be read for as long as its format is known."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from persistent_collections.backends.base import Key, SetDeadline
from persistent_collections.backends.sqlite import SQLiteBackend
from tests.backends.sqlite_tables import VERSION_1

ROWS: dict[str, list[tuple[Any, ...]]] = {
    "objects": [
        (1, b"User:luke", b"", "mapping", 2, 32503680000.0, None),
        (2, b"User:luke", b"friends", "sequence", 3, None, 1),
        (3, "Set:gr\u00f6\u00dfe".encode(), b"", "members", 2, None, None),
    ],
    "fields": [(1, 1, 1, b"name", b"Luke"), (2, 1, 2, b"a\0b", b"\xff\0")],
    "items": [(1, 2, b"han"), (2, 2, b"leia"), (3, 2, b"")],
    "nodes": [(1, 2, 0, struct.pack("<3q", 2, 1, 3))],
    "members": [(3, b""), (3, b"red")],
}
LUKE, FRIENDS, COLOURS = Key("User:luke"), Key("User:luke", "friends"), Key("Set:gr\u00f6\u00dfe")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        yield backend


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as db:
        return {table: db.execute(f"SELECT * FROM {table}").fetchall() for table in ROWS}


def test_what_is_written_are_these_rows(path: Path, backend: SQLiteBackend) -> None:
    backend.mapping(LUKE).set_many({"name": b"Luke", "a\0b": b"\xff\0"})
    backend.sequence(FRIENDS).push_right([b"han", b"leia"])
    backend.sequence(FRIENDS).reverse()
    backend.sequence(FRIENDS).push_right([b""])
    backend.members(COLOURS).add({"red", ""})
    backend.apply([SetDeadline(LUKE, 1)])
    with backend._database.writing() as db:
        db.execute("UPDATE objects SET deadline = 32503680000.0 WHERE deadline IS NOT NULL")
    assert dump(path) == ROWS


def test_a_file_of_version_1_is_read_and_written(path: Path, backend: SQLiteBackend) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_1)
        for table, rows in ROWS.items():
            db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    assert set(backend.keys("")) == {LUKE, FRIENDS, COLOURS}
    assert list(backend.mapping(LUKE).get_all().items()) == [("name", b"Luke"), ("a\0b", b"\xff\0")]
    assert backend.ttl([LUKE]) is not None
    assert backend.sequence(FRIENDS).get_slice(slice(None)) == [b"leia", b"han", b""]
    assert backend.members(COLOURS).get_all() == {"", "red"}
    backend.sequence(FRIENDS).insert(1, b"chewie")
    assert dump(path)["nodes"] == [(1, 2, 0, struct.pack("<4q", 2, 4, 1, 3))]


def test_the_tables_are_those_of_version_1(path: Path, backend: SQLiteBackend) -> None:
    backend.members(COLOURS).add({"red"})
    with closing(sqlite3.connect(":memory:")) as expected, closing(sqlite3.connect(path)) as found:
        expected.executescript(VERSION_1)
        for query in ("SELECT sql FROM sqlite_master", "PRAGMA application_id", "PRAGMA user_version"):
            texts = ([" ".join(str(text).split()) for (text,) in db.execute(query)] for db in (expected, found))
            assert next(texts) == next(texts), "another format needs another number, and the old one still to be read"

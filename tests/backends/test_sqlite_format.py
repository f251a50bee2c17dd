"""The stored form, row for row, and old files, which are read and written for as long as their format is known."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from persistent_collections.backends.changes import Delete, Make, SetDeadline
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.errors import BackendError, CorruptDataError
from persistent_collections.testing.backends.indexes import INDEXES, key, saving
from tests.backends.sqlite_tables import VERSION_1, VERSION_2
from tests.backends.users import another_user

pytestmark = pytest.mark.store("sqlite")

FIRST = 2**31
FIELDS, FRIENDS_ROWS, ORDERED = (number << 32 for number in (1, 2, 4))
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "objects": [
        ("Set:gr\u00f6\u00dfe".encode(), b"", 3, "members", 2, 0, 0, None, None, None),
        (b"User:luke", b"", 1, "mapping", 2, 0, 2, None, 32503680000.0, None),
        (b"User:luke", b"friends", 2, "sequence", 3, FIRST - 1, FIRST + 2, None, None, None),
        (b"User:luke", b"order", 4, "sequence", 3, 0, FIRST + 3, 0, None, None),
    ],
    "fields": [(FIELDS, 1, b"name", b"Luke", None), (FIELDS + 1, 1, b"a\0b", b"\xff\0", None)],
    "items": [
        (FRIENDS_ROWS + FIRST - 1, b""),
        (FRIENDS_ROWS + FIRST, b"han"),
        (FRIENDS_ROWS + FIRST + 1, b"leia"),
        (ORDERED + FIRST, b"1"),
        (ORDERED + FIRST + 1, b"3"),
        (ORDERED + FIRST + 2, b"2"),
    ],
    "nodes": [(ORDERED, 0, struct.pack("<6q", FIRST, FIRST + 2, FIRST + 1, 1, 1, 1))],
    "members": [(3, b"", None), (3, b"red", None)],
    "entries": [],
}
LUKE, FRIENDS, COLOURS = Key("User:luke"), Key("User:luke", "friends"), Key("Set:gr\u00f6\u00dfe")
NUMBERS = Key("User:luke", "order")

ROWS_1: dict[str, list[tuple[Any, ...]]] = {
    "objects": [
        (1, b"User:luke", b"", "mapping", 2, 32503680000.0, None),
        (2, b"User:luke", b"friends", "sequence", 3, None, 1),
        (2**40, "Set:gr\u00f6\u00dfe".encode(), b"", "members", 2, None, None),
        (2**40 + 1, b"List:high", b"", "sequence", 4, None, 4),
    ],
    "fields": [(9, 1, 7, b"name", b"Luke"), (2, 1, 8, b"a\0b", b"\xff\0")],
    "items": [(1, 2, b"han"), (2, 2, b"leia"), (3, 2, b""), *((n, 2**40 + 1, b"%d" % n) for n in (10, 11, 12, 13))],
    "nodes": [
        (1, 2, 0, struct.pack("<3q", 2, 1, 3)),
        (2, 2**40 + 1, 0, struct.pack("<2q", 13, 11)),
        (3, 2**40 + 1, 0, struct.pack("<2q", 10, 12)),
        (4, 2**40 + 1, 1, struct.pack("<4q", 2, 3, 2, 2)),
    ],
    "members": [(2**40, b""), (2**40, b"red")],
}
"""Rows of format 1, with ids that are too great for format 2, fields in another order than their ids, and a tree."""


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


def make_version_1(path: Path, rows: dict[str, list[tuple[Any, ...]]] = ROWS_1) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_1)
        for table, values in rows.items():
            if values:
                db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values[0]))})", values)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def assert_read(backend: SQLiteBackend) -> None:
    """Check that all of ``ROWS_1`` is read."""
    assert set(backend.keys("")) == {LUKE, FRIENDS, COLOURS, Key("List:high")}
    assert list(backend.mapping(LUKE).get_all().items()) == [("name", b"Luke"), ("a\0b", b"\xff\0")]
    assert backend.mapping(LUKE).get("name") == b"Luke"
    [found] = backend.look([LUKE])
    assert found
    assert found.ttl_s
    assert backend.sequence(FRIENDS).get_slice(slice(None)) == [b"leia", b"han", b""]
    assert backend.sequence(Key("List:high")).get_slice(slice(None)) == [b"13", b"11", b"10", b"12"]
    assert backend.members(COLOURS).get_all() == {"", "red"}


def test_what_is_written_are_these_rows(path: Path, backend: SQLiteBackend) -> None:
    backend.mapping(LUKE).set_many({"name": b"Luke", "a\0b": b"\xff\0"})
    backend.sequence(FRIENDS).push_right([b"han", b"leia"])
    backend.members(COLOURS).add({"red", ""})
    backend.sequence(NUMBERS).push_right([b"1", b"3"])
    backend.sequence(NUMBERS).insert(1, b"2")
    backend.sequence(FRIENDS).push_left([b""])
    backend.commit([], [SetDeadline(LUKE, 1)])
    backend._database.write(
        lambda db: db.execute("UPDATE objects SET deadline = 32503680000.0 WHERE deadline IS NOT NULL")
    )
    assert dump(path) == ROWS


def test_a_file_of_version_2_is_read_and_written(path: Path, backend: SQLiteBackend) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_2)
        for table, rows in ROWS.items():
            for row in rows:
                db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    assert set(backend.keys("")) == {LUKE, FRIENDS, COLOURS, NUMBERS}
    assert list(backend.mapping(LUKE).get_all().items()) == [("name", b"Luke"), ("a\0b", b"\xff\0")]
    assert backend.sequence(FRIENDS).get_slice(slice(None)) == [b"", b"han", b"leia"]
    assert backend.sequence(NUMBERS).get_slice(slice(None)) == [b"1", b"2", b"3"]
    assert backend.members(COLOURS).get_all() == {"", "red"}
    backend.sequence(NUMBERS).insert(1, b"4")
    assert dump(path)["nodes"] == [(ORDERED, 0, struct.pack("<8q", FIRST, FIRST + 3, FIRST + 2, FIRST + 1, 1, 1, 1, 1))]


def test_the_tables_are_those_of_version_2(path: Path, backend: SQLiteBackend) -> None:
    backend.members(COLOURS).add({"red"})
    with closing(sqlite3.connect(":memory:")) as expected, closing(sqlite3.connect(path)) as found:
        expected.executescript(VERSION_2)
        for query in ("SELECT sql FROM sqlite_master", "PRAGMA application_id", "PRAGMA user_version"):
            texts = ([" ".join(str(text).split()) for (text,) in db.execute(query)] for db in (expected, found))
            assert next(texts) == next(texts), "another format needs another number, and the old one still to be read"


@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_what_deletes_an_object_deletes_its_entries_of_indexes(
    path: Path, backend: SQLiteBackend, damaged: bool
) -> None:
    for deadline in (None, 0.001):
        backend.commit([], [*saving("x", anyway=True, name="a"), SetDeadline(key("x"), deadline)])
        assert len(dump(path)["entries"]) == len(INDEXES)
        if damaged:
            backend._database.write(lambda db: db.execute("UPDATE objects SET indexed = x'c1'"))
        time.sleep(0.002)
        backend.commit([], [Delete(key("x"))] if deadline is None else [Make(key("x"), {"f": b"1"})])
        assert dump(path)["entries"] == []
        backend.commit([], [Delete(key("x"))])


def test_a_file_of_version_1_is_read_as_it_is_until_the_first_write(path: Path, backend: SQLiteBackend) -> None:
    make_version_1(path)
    before = path.read_bytes()
    assert_read(backend)
    backend.close()
    assert path.read_bytes() == before
    assert version(path) == 1
    backend.sequence(FRIENDS).insert(1, b"chewie")
    assert version(path) == 2
    assert backend.sequence(FRIENDS).get_slice(slice(None)) == [b"leia", b"chewie", b"han", b""]
    backend.sequence(FRIENDS).pop(1)
    assert_read(backend)
    with closing(sqlite3.connect(path)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == set(ROWS), "nothing of the old tables is left"
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_reader_of_version_1_sees_what_others_write_and_how_they_migrate(path: Path, backend: SQLiteBackend) -> None:
    make_version_1(path)
    assert_read(backend)
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("UPDATE fields SET data = x'30' WHERE name = ?", [b"name"])
    assert backend.mapping(LUKE).get("name") == b"0"
    with SQLiteBackend(path, synchronous="OFF") as other:
        other.mapping(LUKE).set_many({"name": b"1"})
        assert backend.mapping(LUKE).get("name") == b"1"
    assert backend.mapping(LUKE).get("name") == b"1"


def test_a_store_of_version_1_that_may_only_be_read_is_read(folder: Path) -> None:
    with another_user():
        make_version_1(folder / "store.db")
    folder.chmod(0o555)
    with another_user(), SQLiteBackend(folder / "store.db") as backend:
        assert_read(backend)
        with pytest.raises(BackendError, match="let this user read and write it"):
            backend.mapping(LUKE).set_many({"name": b"1"})


def test_a_tree_of_version_1_of_many_nodes_is_read_in_its_order(path: Path, backend: SQLiteBackend) -> None:
    ids = [number * 7919 % 10_007 for number in range(1, 10_007)]
    leaves = [(place, ids[start : start + 200]) for place, start in enumerate(range(0, len(ids), 200), 1)]
    top = struct.pack(f"<{2 * len(leaves)}q", *[place for place, _ in leaves], *[len(leaf) for _, leaf in leaves])
    make_version_1(
        path,
        {
            "objects": [(5, b"List:x", b"", "sequence", len(ids), None, 1000)],
            "items": [(number, 5, b"%d" % number) for number in ids],
            "nodes": [(place, 5, 0, struct.pack(f"<{len(leaf)}q", *leaf)) for place, leaf in leaves]
            + [(1000, 5, 1, top)],
        },
    )
    backend.mapping(LUKE).set_many({"name": b"1"})
    assert backend.sequence(Key("List:x")).get_slice(slice(None)) == [b"%d" % number for number in ids]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM nodes WHERE id = 1",
        "DELETE FROM items WHERE id = 2",
        "DELETE FROM objects WHERE id = 1",
        "UPDATE objects SET size = 99",
        "UPDATE nodes SET entries = x'00'",
        "UPDATE nodes SET level = 99",
        "UPDATE nodes SET entries = (SELECT entries FROM nodes WHERE id = 2) WHERE id = 3",
        "UPDATE objects SET size = -1",
        "UPDATE items SET data = 5",
    ],
)
def test_a_damaged_file_of_version_1_is_not_migrated_and_left_as_it_is(
    path: Path, backend: SQLiteBackend, damage: str
) -> None:
    make_version_1(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(damage)
    with closing(sqlite3.connect(path)) as db:
        before = list(db.iterdump())
    for use in (lambda: backend.members(COLOURS).add({"blue"}), lambda: list(backend.keys(""))):
        with pytest.raises(CorruptDataError, match=r"damaged: .*left as it is"):
            use()
    with closing(sqlite3.connect(path)) as db:
        assert list(db.iterdump()) == before


MIGRATE_AND_DIE = """
import os, sqlite3, sys
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend, file

left = int(sys.argv[2])

class Dying(sqlite3.Connection):
    def execute(self, *arguments):
        global left
        left -= not arguments[0].startswith("PRAGMA")
        if left == 0:
            os.kill(os.getpid(), 9)
        return super().execute(*arguments)

connect = sqlite3.connect
file.sqlite3.connect = lambda *arguments, **options: connect(*arguments, **options, factory=Dying)
SQLiteBackend(sys.argv[1]).mapping(Key("User:luke")).set_many({"name": b"Luke"})
"""


@pytest.mark.slow
def test_a_kill_at_any_statement_of_a_migration_leaves_a_store_of_one_format_or_the_other(
    path: Path, tmp_path: Path
) -> None:
    make_version_1(path)
    (tmp_path / "work").mkdir()
    versions = set()
    for statement in range(1, 200):
        copy = tmp_path / "work" / f"{statement}.db"
        shutil.copy(path, copy)
        run = subprocess.run([sys.executable, "-c", MIGRATE_AND_DIE, str(copy), str(statement)], check=False)
        with SQLiteBackend(copy, synchronous="OFF") as backend:
            assert_read(backend)
            versions.add(version(copy))
            backend.members(COLOURS).add({"red"})
            assert_read(backend)
        if run.returncode != -signal.SIGKILL:
            assert statement > 20, "the kills came before, in and after the migration"
            break
    else:
        pytest.fail("the migration never ended")
    assert versions == {1, 2}


@pytest.mark.parametrize("number", range(2))
def test_processes_that_migrate_at_once_migrate_once(path: Path, number: int) -> None:
    make_version_1(path)
    command = [
        sys.executable,
        "-c",
        "import sys\n"
        "from persistent_collections.backends.keys import Key\n"
        "from persistent_collections.backends.sqlite import SQLiteBackend\n"
        "SQLiteBackend(sys.argv[1]).mapping(Key('User:luke')).increment('n', 1)",
        os.fspath(path),
    ]
    makers = [subprocess.Popen(command) for _ in range(4)]
    assert [maker.wait() for maker in makers] == [0] * 4
    with SQLiteBackend(path) as backend:
        assert backend.mapping(LUKE).get("n") == b"4"

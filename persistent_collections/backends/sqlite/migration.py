"""The tables of format 1, and the upgrade of a store to format 2, in one transaction: a crash undoes it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from persistent_collections.backends.sqlite.schema import MIDDLE, create_tables
from persistent_collections.errors import CorruptDataError

_TABLES: Final = ("objects", "fields", "members", "items", "nodes")
_CONTENTS: Final = {"mapping": "fields", "sequence": "items", "members": "members"}
_HIGHEST: Final = 20  # more levels than a tree of format 1 can have

# Ids are numbered anew: they begin the rows of format 2, for which those of format 1 may be too great.
_MOVE: Final = (
    "CREATE TABLE old_ids (old INTEGER PRIMARY KEY, new INTEGER NOT NULL)",
    "INSERT INTO old_ids SELECT id, row_number() OVER (ORDER BY id) FROM old_objects",
    "INSERT INTO objects (root, child, id, shape, size, first, next, tree, deadline) "
    "SELECT root, child, new, shape, size, "
    "CASE shape WHEN 'sequence' THEN :middle ELSE 0 END, "
    "CASE shape WHEN 'mapping' THEN size WHEN 'sequence' THEN :middle + size ELSE 0 END, NULL, deadline "
    "FROM old_objects JOIN old_ids ON old = id",
    "INSERT INTO fields (place, object, name, data) "
    "SELECT (new << 32) + row_number() OVER (PARTITION BY object ORDER BY place) - 1, new, name, data "
    "FROM old_fields JOIN old_ids ON old = object",
    "INSERT INTO members (object, name) SELECT new, name FROM old_members JOIN old_ids ON old = object",
)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Give a store of format 1 the tables of format 2, within a transaction.

    Raises:
        CorruptDataError: The store is damaged.
    """
    for table in _TABLES:
        db.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    db.execute("DROP INDEX objects_by_deadline")
    create_tables(db)
    try:
        for statement in _MOVE:
            db.execute(statement, {"middle": MIDDLE} if ":middle" in statement else {})
        for new, tree in db.execute(
            "SELECT new, tree FROM old_objects JOIN old_ids ON old = id WHERE shape = 'sequence'"
        ):
            ids = list(_leaves(db, tree, _HIGHEST))
            if len(set(ids)) != len(ids):
                raise _damaged(path)
            rows = list(enumerate(ids, (new << 32) + MIDDLE))
            db.executemany("INSERT INTO items (place, data) SELECT ?, data FROM old_items WHERE id = ?", rows)
    except (sqlite3.IntegrityError, struct.error) as error:
        raise _damaged(path) from error
    if not _is_whole(db):
        raise _damaged(path)
    for table in (*_TABLES, "ids"):
        db.execute(f"DROP TABLE old_{table}")


def _leaves(db: sqlite3.Connection, node: int | None, height: int) -> Iterator[int]:
    """Yield the ids of the items under a node, in order; nothing under a damaged node."""
    row = db.execute("SELECT level, entries FROM old_nodes WHERE id = ?", (node,)).fetchone()
    if row is None or type(row[0]) is not int or not 0 <= row[0] < height or type(row[1]) is not bytes:
        return
    level, entries = row
    numbers = struct.unpack(f"<{len(entries) // 8}q", entries)
    if level == 0:
        yield from numbers
        return
    for child in numbers[: len(numbers) // 2]:
        yield from _leaves(db, child, level)


def _is_whole(db: sqlite3.Connection) -> bool:
    """Return whether every row of format 1 was moved, and every object has the number of rows that it records."""
    sizes = dict(db.execute("SELECT shape, sum(size) FROM objects GROUP BY shape").fetchall())
    moved = all(_count(db, table) == _count(db, f"old_{table}") for table in _TABLES[:-1])
    return moved and all(_count(db, table) == sizes.get(shape, 0) for shape, table in _CONTENTS.items())


def _count(db: sqlite3.Connection, table: str) -> int:
    found: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def _damaged(path: Path) -> CorruptDataError:
    return CorruptDataError(
        f"{path} is damaged: it does not have all rows of its objects, or others, so it was not given a newer format "
        "and was left as it is; try 'sqlite3 FILE .recover', or go back to a backup"
    )

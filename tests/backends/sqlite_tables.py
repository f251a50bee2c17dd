"""The tables of a SQLite store, read and written by statements of the tests' own."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

from persistent_collections.backends.keys import Content, Key

VERSION_1 = (Path(__file__).parent / "sqlite_format_1.sql").read_text()
"""The tables of format 1, which the version that made them dumped."""

VERSION_2 = """
PRAGMA application_id = 1346588492;
PRAGMA user_version = 2;
CREATE TABLE objects (
    root BLOB NOT NULL,
    child BLOB NOT NULL,
    id INTEGER NOT NULL UNIQUE CHECK (id > 0 AND id < 2147483648),
    shape TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size > 0),
    first INTEGER NOT NULL,
    next INTEGER NOT NULL,
    tree INTEGER,
    deadline REAL,
    indexed BLOB,
    PRIMARY KEY (root, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_by_deadline ON objects (deadline) WHERE deadline IS NOT NULL;
CREATE TABLE fields (
    place INTEGER PRIMARY KEY,
    object INTEGER NOT NULL CHECK (object = place >> 32),
    name BLOB NOT NULL,
    data BLOB NOT NULL,
    born INTEGER,
    UNIQUE (object, name)
) STRICT;
CREATE TABLE items (
    place INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE nodes (
    place INTEGER PRIMARY KEY,
    level INTEGER NOT NULL,
    entries BLOB NOT NULL
) STRICT;
CREATE TABLE members (
    object INTEGER NOT NULL,
    name BLOB NOT NULL,
    score REAL,
    PRIMARY KEY (object, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_score ON members (object, score, name) WHERE score IS NOT NULL;
CREATE TABLE entries (
    name BLOB NOT NULL,
    value BLOB NOT NULL,
    root BLOB NOT NULL,
    PRIMARY KEY (name, value, root)
) STRICT, WITHOUT ROWID;
"""


def stored(path: Path, key: Key) -> Content | None:
    """Return what a file holds under ``key``."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as db:
        row = db.execute(
            "SELECT id, shape, size, first, next, tree FROM objects WHERE root = ? AND child = ?", _names(key)
        ).fetchone()
        if row is None:
            return None
        number, shape, size, first, after, tree = row
        content = _read(db, number, shape, (first, after, tree))
        assert len(content) == size
        return content


def store(path: Path, key: Key, content: Content) -> None:
    """Make a file of version 2 that holds ``content`` under ``key`` and nothing else."""
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_2)
        shape = {dict: "mapping", list: "sequence", set: "members"}[type(content)]
        size = len(content)
        db.execute(
            "INSERT INTO objects VALUES (?, ?, 7, ?, ?, 5, ?, NULL, NULL, NULL)",
            (*_names(key), shape, size, 5 + size),
        )
        first = (7 << 32) + 5
        if isinstance(content, dict):
            fields = [(place, name.encode(), data) for place, (name, data) in enumerate(content.items(), first)]
            db.executemany("INSERT INTO fields VALUES (?, 7, ?, ?, NULL)", fields)
        elif isinstance(content, set):
            db.executemany("INSERT INTO members VALUES (7, ?, NULL)", [(member.encode(),) for member in content])
        else:
            db.executemany("INSERT INTO items VALUES (?, ?)", enumerate(content, first))


def _names(key: Key) -> tuple[bytes, bytes]:
    return key.root.encode("utf-8", "surrogatepass"), (key.child or "").encode("utf-8", "surrogatepass")


def _read(db: sqlite3.Connection, number: int, shape: str, order: tuple[int, int, int | None]) -> Content:
    """Return what one object holds, from its rows."""
    own = (number << 32, (number << 32) + 2**32 - 1)
    if shape == "mapping":
        rows = db.execute("SELECT name, data FROM fields WHERE place BETWEEN ? AND ? ORDER BY place", own)
        return {name.decode("utf-8", "surrogatepass"): data for name, data in rows}
    if shape == "members":
        rows = db.execute("SELECT name FROM members WHERE object = ?", [number])
        return {name.decode("utf-8", "surrogatepass") for (name,) in rows}
    items = {place - own[0]: data for place, data in db.execute("SELECT * FROM items WHERE place BETWEEN ? AND ?", own)}
    rows = db.execute("SELECT * FROM nodes WHERE place BETWEEN ? AND ?", own)
    nodes = {place - own[0]: (level, entries) for place, level, entries in rows}
    first, after, tree = order
    places = range(first, after) if tree is None else _leaves(nodes, tree)
    content = [items.pop(place) for place in places]
    assert not items
    assert not nodes
    return content


def _leaves(nodes: dict[int, tuple[int, bytes]], node: int) -> list[int]:
    """Return the places of all items under a node."""
    level, entries = nodes.pop(node)
    numbers = list(struct.unpack(f"<{len(entries) // 8}q", entries))
    starts, sizes = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
    if level == 0:
        return [start + at for start, size in zip(starts, sizes, strict=True) for at in range(size)]
    return [place for child in starts for place in _leaves(nodes, child)]

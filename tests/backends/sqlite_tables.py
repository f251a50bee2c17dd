"""The tables of a SQLite store, read and written by statements of the tests' own."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

from persistent_collections.backends.base import Content, Key

VERSION_1 = """
PRAGMA application_id = 1346588492;
PRAGMA user_version = 1;
CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    root BLOB NOT NULL CHECK (typeof(root) = 'blob'),
    child BLOB NOT NULL CHECK (typeof(child) = 'blob'),
    shape TEXT NOT NULL CHECK (shape IN ('mapping', 'sequence', 'members')),
    size INTEGER NOT NULL,
    deadline REAL,
    tree INTEGER,
    UNIQUE (root, child)
);
CREATE INDEX objects_by_deadline ON objects (deadline) WHERE deadline IS NOT NULL;
CREATE TABLE fields (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    place INTEGER NOT NULL,
    name BLOB NOT NULL CHECK (typeof(name) = 'blob'),
    data BLOB NOT NULL CHECK (typeof(data) = 'blob'),
    UNIQUE (object, name),
    UNIQUE (object, place)
);
CREATE TABLE members (
    object INTEGER NOT NULL,
    name BLOB NOT NULL CHECK (typeof(name) = 'blob'),
    PRIMARY KEY (object, name)
) WITHOUT ROWID;
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    data BLOB NOT NULL CHECK (typeof(data) = 'blob')
);
CREATE INDEX items_by_object ON items (object);
CREATE TABLE nodes (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    level INTEGER NOT NULL,
    entries BLOB NOT NULL
);
CREATE INDEX nodes_by_object ON nodes (object);
"""


def stored(path: Path, key: Key) -> Content | None:
    """Return what a file holds under ``key``."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(path)) as db:
        row = db.execute(
            "SELECT id, shape, size, tree FROM objects WHERE root = ? AND child = ?", _names(key)
        ).fetchone()
        if row is None:
            return None
        number, shape, size, tree = row
        content = _read(db, number, shape, tree)
        assert len(content) == size
        return content


def store(path: Path, key: Key, content: Content) -> None:
    """Make a file of version 1 that holds ``content`` under ``key`` and nothing else."""
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(VERSION_1)
        shape = {dict: "mapping", list: "sequence", set: "members"}[type(content)]
        db.execute("INSERT INTO objects VALUES (7, ?, ?, ?, ?, NULL, 5)", (*_names(key), shape, len(content)))
        if isinstance(content, dict):
            fields = [(place, name.encode(), data) for place, (name, data) in enumerate(content.items(), 1)]
            db.executemany("INSERT INTO fields VALUES (NULL, 7, ?, ?, ?)", fields)
        elif isinstance(content, set):
            db.executemany("INSERT INTO members VALUES (7, ?)", [(member.encode(),) for member in content])
        else:
            ids = range(10, 10 + len(content))
            db.executemany("INSERT INTO items VALUES (?, 7, ?)", zip(ids, content, strict=True))
            db.execute("INSERT INTO nodes VALUES (5, 7, 0, ?)", [struct.pack(f"<{len(ids)}q", *ids)])


def _names(key: Key) -> tuple[bytes, bytes]:
    return key.root.encode("utf-8", "surrogatepass"), (key.child or "").encode("utf-8", "surrogatepass")


def _read(db: sqlite3.Connection, number: int, shape: str, tree: int) -> Content:
    """Return what one object holds, from its rows."""
    if shape == "mapping":
        rows = db.execute("SELECT name, data FROM fields WHERE object = ? ORDER BY place", [number])
        return {name.decode("utf-8", "surrogatepass"): data for name, data in rows}
    if shape == "members":
        rows = db.execute("SELECT name FROM members WHERE object = ?", [number])
        return {name.decode("utf-8", "surrogatepass") for (name,) in rows}
    items = dict(db.execute("SELECT id, data FROM items WHERE object = ?", [number]))
    nodes = {row[0]: row[1:] for row in db.execute("SELECT id, level, entries FROM nodes WHERE object = ?", [number])}
    return [items.pop(item) for item in _leaves(nodes, tree)]


def _leaves(nodes: dict[int, tuple[int, bytes]], node: int) -> list[int]:
    """Return the ids of all items under a node."""
    level, entries = nodes.pop(node)
    ids = list(struct.unpack(f"<{len(entries) // 8}q", entries))
    if level == 0:
        return ids
    return [item for child in ids[: len(ids) // 2] for item in _leaves(nodes, child)]

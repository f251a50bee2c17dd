"""The tables of a store, and how a file shows that it is one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from persistent_collections.errors import CorruptDataError

APPLICATION_ID: Final = 0x50434F4C  # "PCOL"
VERSION: Final = 1

# Names are UTF-8 in blobs, since what SQLite does with a NUL in a text is undefined. The object itself is the child of
# no name.
_TABLES: Final = (
    """CREATE TABLE objects (
        id INTEGER PRIMARY KEY,
        root BLOB NOT NULL CHECK (typeof(root) = 'blob'),
        child BLOB NOT NULL CHECK (typeof(child) = 'blob'),
        shape TEXT NOT NULL CHECK (shape IN ('mapping', 'sequence', 'members')),
        size INTEGER NOT NULL,
        deadline REAL,
        tree INTEGER,
        UNIQUE (root, child)
    )""",
    "CREATE INDEX objects_by_deadline ON objects (deadline) WHERE deadline IS NOT NULL",
    """CREATE TABLE fields (
        id INTEGER PRIMARY KEY,
        object INTEGER NOT NULL,
        place INTEGER NOT NULL,
        name BLOB NOT NULL CHECK (typeof(name) = 'blob'),
        data BLOB NOT NULL CHECK (typeof(data) = 'blob'),
        UNIQUE (object, name),
        UNIQUE (object, place)
    )""",
    """CREATE TABLE members (
        object INTEGER NOT NULL,
        name BLOB NOT NULL CHECK (typeof(name) = 'blob'),
        PRIMARY KEY (object, name)
    ) WITHOUT ROWID""",
    """CREATE TABLE items (
        id INTEGER PRIMARY KEY,
        object INTEGER NOT NULL,
        data BLOB NOT NULL CHECK (typeof(data) = 'blob')
    )""",
    "CREATE INDEX items_by_object ON items (object)",
    """CREATE TABLE nodes (
        id INTEGER PRIMARY KEY,
        object INTEGER NOT NULL,
        level INTEGER NOT NULL,
        entries BLOB NOT NULL
    )""",
    "CREATE INDEX nodes_by_object ON nodes (object)",
)


def create_tables(db: sqlite3.Connection) -> None:
    """Make the tables, and mark the file as a store of this format."""
    for table in _TABLES:
        db.execute(table)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")


def check(db: sqlite3.Connection, path: Path) -> None:
    """Raise unless the database is a store of this format.

    Raises:
        CorruptDataError: It is another application's, or of a format that a newer version made.
    """
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise CorruptDataError(
            f"{path} is a database of another application and was left as it is; choose another path for the store"
        )
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise CorruptDataError(
            f"{path} has format {version}, and this version of persistent-collections knows {VERSION}; "
            "it was left as it is: use the version that made it"
        )

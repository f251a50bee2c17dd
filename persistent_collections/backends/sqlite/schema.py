"""The tables of a store, and the marks by which a file is recognized as one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from persistent_collections.errors import ConfigurationError, CorruptDataError

if sqlite3.sqlite_version_info < (3, 37):  # older ones have no STRICT tables
    raise ConfigurationError(
        f"a SQLite store needs SQLite 3.37 or newer, and this Python has {sqlite3.sqlite_version}; use another Python"
    )

APPLICATION_ID: Final = 0x50434F4C  # "PCOL"
BACKUP_ID: Final = 0x50434F42
"""``PCOB``: a backup that was never opened as a store. A log beside it belongs to another file."""

VERSION: Final = 2
OLDEST: Final = 1
"""The oldest format that ``migration`` knows."""

PLACES: Final = 2**32
"""How many places an object has for its fields, items or nodes. The row of each is ``id * PLACES + place``."""

MIDDLE: Final = PLACES // 2
"""The place of the first item of a new sequence, which grows at both ends."""

# Names are UTF-8 in blobs, since what SQLite does with a NUL in a text is undefined. The object itself is the child of
# no name. Scores are for what is to come; nothing here writes them.
_TABLES: Final = (
    """CREATE TABLE objects (
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
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX objects_by_deadline ON objects (deadline) WHERE deadline IS NOT NULL",
    """CREATE TABLE fields (
        place INTEGER PRIMARY KEY,
        object INTEGER NOT NULL CHECK (object = place >> 32),
        name BLOB NOT NULL,
        data BLOB NOT NULL,
        born INTEGER,
        UNIQUE (object, name)
    ) STRICT""",
    """CREATE TABLE items (
        place INTEGER PRIMARY KEY,
        data BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE nodes (
        place INTEGER PRIMARY KEY,
        level INTEGER NOT NULL,
        entries BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE members (
        object INTEGER NOT NULL,
        name BLOB NOT NULL,
        score REAL,
        PRIMARY KEY (object, name)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX members_by_score ON members (object, score, name) WHERE score IS NOT NULL",
    """CREATE TABLE entries (
        name BLOB NOT NULL,
        value BLOB NOT NULL,
        root BLOB NOT NULL,
        PRIMARY KEY (name, value, root)
    ) STRICT, WITHOUT ROWID""",
)


def create_tables(db: sqlite3.Connection) -> None:
    """Make the tables, and mark the file as a store of this format."""
    for table in _TABLES:
        db.execute(table)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")


def version_of(db: sqlite3.Connection) -> int:
    """Return the format of a store."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def check(db: sqlite3.Connection, path: Path) -> bool:
    """Raise unless the database is a store of a format known here, and return whether it is an unopened backup.

    Raises:
        CorruptDataError: It belongs to another application, or has a format of a newer version.
    """
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    if application_id not in (APPLICATION_ID, BACKUP_ID):
        raise CorruptDataError(
            f"{path} is a database of another application and was left as it is; choose another path for the store"
        )
    version = version_of(db)
    if not OLDEST <= version <= VERSION:
        raise CorruptDataError(
            f"{path} has format {version}, and this version of persistent-collections knows {VERSION}; "
            "it was left as it is: use the version that made it"
        )
    return bool(application_id == BACKUP_ID)

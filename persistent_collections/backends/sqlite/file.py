"""The file of a store: found, made by the first write, and opened only if it is one."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path

from persistent_collections.backends.sqlite.connections import Identity, gate
from persistent_collections.backends.sqlite.schema import check, create_tables
from persistent_collections.errors import BackendError


class File:
    """A database file that need not exist yet.

    Args:
        path: Where it is, without symbolic links.
        synchronous: When SQLite waits for the disk, in its own words.
        busy_timeout_s: How long SQLite waits for other processes.
    """

    def __init__(self, path: Path, synchronous: str, busy_timeout_s: float) -> None:
        self._path = path
        self._synchronous = synchronous
        self._busy_timeout_s = busy_timeout_s

    def identify(self) -> Identity | None:
        """Return the identity of the file, None if it is missing or empty, which a store never is.

        Raises:
            BackendError: Something other than a file is there.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            raise BackendError(f"{self._path} is not a file; choose another path for the store, or move it away")
        return (status.st_dev, status.st_ino) if status.st_size else None

    def make(self) -> None:
        """Make an empty store, unless somebody has just done so."""
        with gate:  # closing a file drops every lock this process has on it (POSIX)
            _make_directory(self._path.parent)
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with closing(self._connect("mode=rw")) as db:
                db.execute(f"PRAGMA synchronous = {self._synchronous}")
                db.execute("BEGIN IMMEDIATE")
                if _is_empty(db):
                    create_tables(db)
                    db.execute("PRAGMA locking_mode = EXCLUSIVE")  # lets nobody in between the next two
                    db.execute("COMMIT")
                    db.execute("PRAGMA journal_mode = WAL")

    def open(self) -> sqlite3.Connection:
        """Return a new connection.

        Raises:
            CorruptDataError: The file is not a store; not a byte of it is changed and nothing is made beside it.
        """
        with closing(self._connect("mode=ro&immutable=1")) as db:  # without locks and without a log
            db.execute("PRAGMA writable_schema = ON")  # a checkpoint cut off may leave the file shorter than it says
            check(db, self._path)
        db = self._connect("mode=rw")
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA fullfsync = ON")  # on macOS, where fsync leaves out the cache of the drive
        db.execute(f"PRAGMA synchronous = {self._synchronous}")
        with suppress(sqlite3.OperationalError):  # a copy made by VACUUM INTO has another mode, which would do too
            db.execute("PRAGMA journal_mode = WAL")
        if _is_empty(db):  # whoever was making it was killed
            self.make()
        check(db, self._path)

    def _connect(self, parameters: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._path.as_uri()}?{parameters}",
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
            uri=True,
        )


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _make_directory(path: Path) -> None:
    """Make a directory, and those above it, for this user alone; they are on the disk when this returns."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    if os.name != "nt":  # Windows offers no way
        above = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)

"""The file of a store: found, created by the first write, and opened only if it is a store."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from persistent_collections.backends.forks import lock_across_forks
from persistent_collections.backends.sqlite.connections import Connection, Identity, refuse_inherited
from persistent_collections.backends.sqlite.migration import migrate
from persistent_collections.backends.sqlite.procedures import create_procedures
from persistent_collections.backends.sqlite.schema import APPLICATION_ID, VERSION, check, create_tables, version_of
from persistent_collections.errors import BackendError, CorruptDataError

CACHE_PAGES: Final = 8192
LOOK_S: Final = 0.001
"""The maximum age of a check of the file and its log before a read. Writes check the file before, and the log after."""

_BESIDE: Final = ("-journal", "-wal", "-shm")
_NOT_OURS_TO_MAKE: Final = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)

_making: Final = lock_across_forks()
"""Held while a file is made: closing it drops every lock that this process has on it (POSIX)."""


class File:
    """A database file, which may not exist yet.

    Args:
        path: Its path, without symbolic links.
        synchronous: When SQLite waits for the disk, in its own words.
    """

    def __init__(self, path: Path, synchronous: str) -> None:
        self._path = path
        self._uri = path.as_uri()  # Python imports for it, which it cannot while the interpreter exits
        self._name = os.fspath(path)
        self._log = f"{self._name}-wal"
        self._synchronous = synchronous

    def identify(self, connections: Iterable[Connection] = ()) -> Identity | None:
        """Return the identity of the file, None if it is missing or empty, which a store never is.

        Raises:
            BackendError: The path is not a regular file.
            CorruptDataError: It is empty, and one of ``connections`` is open to it.
        """
        try:
            status = os.stat(self._name)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            raise BackendError(f"{self._name} is not a file; choose another path for the store, or move it away")
        identity = status.st_dev, status.st_ino
        if status.st_size:
            return identity
        if any(each.db is not None and each.identity == identity for each in connections):
            raise CorruptDataError(
                f"{self._name} is empty: another program truncated it while it was open; close all programs that use "
                "it, and put a copy in its place"
            )
        return None

    def is_at(self, identity: Identity | None) -> bool:
        """Return whether the file is the one that has this identity, and holds something."""
        try:
            status = os.stat(self._name)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == identity and status.st_size > 0

    def is_in_place(self, connection: Connection) -> bool:
        """Return whether the files of a connection still have their names, and a frozen one its content.

        Closing any descriptor of the file, such as after reading it, drops this process's locks (POSIX). Then another
        program that closes the file believes that it is the last user, and deletes the log that this process writes.
        """
        if connection.frozen:
            return self._freeze() == connection.frozen
        try:
            found = os.stat(self._log).st_ino == connection.log
        except FileNotFoundError:
            found = not connection.log
        connection.fresh_until = time.monotonic() + LOOK_S if found else 0.0
        return found

    def make(self) -> None:
        """Make an empty store, unless another process or thread has just made it."""
        with _making:
            _make_directory(self._path.parent)
            with suppress(FileExistsError):
                os.close(os.open(self._name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._refuse_pipes()
            db = self._connect("mode=rw")
            try:
                db.execute(f"PRAGMA synchronous = {self._synchronous}")
                db.execute("BEGIN IMMEDIATE")
                if _is_empty(db):
                    create_tables(db)
                    db.execute("PRAGMA locking_mode = EXCLUSIVE")  # lets nobody in between the next two
                    db.execute("COMMIT")
                    db.execute("PRAGMA journal_mode = WAL")
            finally:
                db.close()

    def open(self, connection: Connection, identity: Identity) -> None:
        """Open a connection to the file with ``identity``.

        Raises:
            CorruptDataError: The file is not a store; it is left unchanged, and nothing is created beside it.
        """
        connection.release()
        refuse_inherited(self._name, identity)
        self._refuse_pipes()
        connection.frozen = None
        connection.fresh_until = 0.0
        connection.identity = identity
        is_backup = self._check_untouched()
        try:
            connection.hold(db := self._connect("mode=rw"))
            self._prepare(db, is_backup=is_backup)
            self._renew(connection, db)
            if not connection.frozen:
                create_procedures(db, connection.taken.append)
        except sqlite3.OperationalError as error:
            connection.release()
            if error.sqlite_errorcode & 0xFF not in _NOT_OURS_TO_MAKE or self._size_of_log():
                raise
            self._open_frozen(connection)
        except BaseException:
            connection.release()
            raise
        if not connection.frozen:
            connection.log = self._inode_of_log()
            connection.fresh_until = time.monotonic() + LOOK_S

    def _renew(self, connection: Connection, db: sqlite3.Connection) -> None:
        """Upgrade a store of an older format: the file before a write, a copy in memory for reading."""
        if version_of(db) == VERSION:
            return
        if connection.writes:
            db.execute("BEGIN IMMEDIATE")
            if version_of(db) != VERSION:
                migrate(db, self._path)
            db.execute("COMMIT")
        else:
            frozen = self._freeze()
            copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            db.backup(copy)
            connection.release()
            connection.hold(copy)
            connection.frozen = frozen
            migrate(copy, self._path)

    def _check_untouched(self) -> bool:
        """Check that the file is a store, without locks and without a log, and return whether it is an unopened backup.

        Raises:
            CorruptDataError: It is not a store, or the log beside it belongs to another.
        """
        db = self._connect("mode=ro&immutable=1")
        try:
            db.execute("PRAGMA writable_schema = ON")  # a checkpoint cut off may leave the file shorter than it says
            is_backup = check(db, self._path)
        finally:
            db.close()
        if is_backup and self._size_of_log():
            raise CorruptDataError(
                f"{self._name} is a backup that was put beside the log of another file; nothing was changed: close all "
                f"programs that use it, then delete {self._log} and {self._name}-shm, or put the backup elsewhere"
            )
        return is_backup

    def _open_frozen(self, connection: Connection) -> None:
        """Open a file in a read-only directory: it is read as it is, and opened again once it changes."""
        connection.frozen = self._freeze()
        connection.hold(db := self._connect("mode=ro&immutable=1"))
        db.execute(f"PRAGMA cache_size = {CACHE_PAGES}")
        self._renew(connection, db)

    def _prepare(self, db: sqlite3.Connection, *, is_backup: bool) -> None:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA fullfsync = ON")  # on macOS, where fsync doesn't flush the cache of the drive
        db.execute(f"PRAGMA synchronous = {self._synchronous}")
        db.execute(f"PRAGMA cache_size = {CACHE_PAGES}")
        if is_backup:
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        with suppress(sqlite3.OperationalError):  # a copy made by VACUUM INTO has another mode, which would do too
            db.execute("PRAGMA journal_mode = WAL")
        if _is_empty(db):  # whoever was making it was killed
            self.make()
        check(db, self._path)

    def _refuse_pipes(self) -> None:
        """Raise if SQLite would open something that is not a file, and wait for it forever."""
        for end in _BESIDE:
            with suppress(FileNotFoundError):
                if not stat.S_ISREG(os.stat(self._name + end).st_mode):
                    raise BackendError(f"{self._name}{end} is not a file; SQLite keeps one there: move it away")

    def _freeze(self) -> tuple[int, ...]:
        """Return a value that differs once the file, or the log beside it, has changed."""
        status = os.stat(self._name)
        with suppress(FileNotFoundError):
            log = os.stat(self._log)
            if log.st_size:
                return status.st_size, status.st_mtime_ns, log.st_size, log.st_mtime_ns
        return status.st_size, status.st_mtime_ns

    def _inode_of_log(self) -> int:
        try:
            return os.stat(self._log).st_ino
        except FileNotFoundError:
            return 0

    def _size_of_log(self) -> int:
        try:
            return os.stat(self._log).st_size
        except FileNotFoundError:
            return 0

    def _connect(self, parameters: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._uri}?{parameters}",
            timeout=0,  # a waiter holds nothing meanwhile, see Database
            isolation_level=None,
            check_same_thread=False,
            uri=True,
        )


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _make_directory(path: Path) -> None:
    """Create a directory, and its parents, for this user only; they are on the disk when this returns."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    if os.name != "nt":  # Windows can't do this
        above = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)

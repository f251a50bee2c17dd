"""One database, read in snapshots and written in transactions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from os import getpid
from pathlib import Path
from threading import get_ident
from time import monotonic
from typing import Any, TypeAlias, TypeVar

from persistent_collections.backends import forks
from persistent_collections.backends.polling import pause_s
from persistent_collections.backends.sqlite.connections import Connection, Identity, is_writing, refuse_inherited
from persistent_collections.backends.sqlite.failures import FOREIGN, is_busy, is_full, outcome_of, translated
from persistent_collections.backends.sqlite.file import File
from persistent_collections.backends.sqlite.schema import BACKUP_ID, create_tables
from persistent_collections.errors import BackendError, OutcomeUnknown, PersistentCollectionsError

T = TypeVar("T")
Step: TypeAlias = Callable[[sqlite3.Connection], T]
Parameters: TypeAlias = tuple[str | bytes | float | None, ...]


class _Later(Exception):  # noqa: N818 - never leaves this module
    """Nothing was done, and the operation can be retried at once."""


class Database:
    """The tables of a store, or those of an empty store if there is no file.

    An operation is a function of a connection. It may be called several times; only its last call counts.

    Args:
        path: The file, without symbolic links.
        synchronous: When SQLite waits for the disk, in its own words.
        busy_timeout_s: How long an operation waits for other processes.
    """

    def __init__(self, path: Path, synchronous: str, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._file = File(path, synchronous)
        self._idle: list[Connection] = []
        self._epoch = object()

    def read(self, step: Step[T]) -> T:
        """Return the result of ``step`` on the state of the store at one moment."""
        return self._patiently(lambda: self._read(step))

    def write(self, step: Step[T]) -> T:
        """Return the result of ``step``; all its changes are made in one step, or none if it raises."""
        return self._patiently(lambda: self._write(step))

    def ask(self, statement: str, parameters: Parameters) -> Any:
        """Return the row that one statement finds, at its own moment, None for no row."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self.read(lambda db: db.execute(statement, parameters).fetchone())
        epoch, thread = self._epoch, get_ident()
        try:  # as _work() does, in fewer calls
            with connection.lock:
                if (
                    not forks.pending
                    and (monotonic() < connection.fresh_until or self._is_ready(connection))
                    and connection.process == getpid()
                ):
                    connection.thread = thread
                    try:
                        return connection.db.execute(statement, parameters).fetchone()  # type: ignore[union-attr] # fresh
                    finally:
                        connection.thread = 0
        except FOREIGN:
            pass  # the fault shows again below
        finally:
            if epoch is self._epoch:
                self._idle.append(connection)
            else:
                connection.release()
        return self.read(lambda db: db.execute(statement, parameters).fetchone())

    def change(self, statement: str, parameters: Parameters) -> tuple[bool, Any]:
        """Execute one statement as a step of its own, if nothing blocks it.

        Returns:
            Whether it changed anything, and what it gave to ``take``, None for nothing. If it changed nothing,
            :meth:`write` decides.
        """
        try:
            connection = self._idle.pop()
        except IndexError:
            return False, None
        epoch, thread = self._epoch, get_ident()
        try:  # as _work() does, in fewer calls
            with connection.lock:
                if not forks.pending and self._is_ready(connection) and connection.process == getpid():
                    connection.thread = thread
                    connection.writes = True
                    try:
                        return self._execute(connection, statement, parameters)
                    finally:
                        connection.writes = False
                        connection.thread = 0
        finally:
            if epoch is self._epoch:
                self._idle.append(connection)
            else:
                connection.release()
        return False, None

    def back_up(self, file: Path) -> None:
        """Copy all tables, at one moment, to an empty file, which is marked as a backup.

        Raises:
            BackendError: The store does not exist yet.
        """
        if self._file.identify(self._idle) is None:
            raise BackendError(f"{self._path} does not exist; nothing was backed up")

        def copy(db: sqlite3.Connection) -> None:
            backup = sqlite3.connect(file, isolation_level=None)
            try:
                db.backup(backup)
                backup.execute("PRAGMA journal_mode = DELETE")  # so that all of it is in this file
                backup.execute(f"PRAGMA application_id = {BACKUP_ID}")
            except sqlite3.Error as error:
                if not is_full(error):
                    raise
                raise translated(error, file) from error  # the store itself is only read
            finally:
                backup.close()

        self.read(copy)

    def close(self) -> None:
        """Close all connections, busy ones after their operation; the next operation opens a new one."""
        self._epoch = object()
        while self._idle:
            connection = self._idle.pop()
            with connection.lock:
                connection.release()

    def _execute(self, connection: Connection, statement: str, parameters: Parameters) -> tuple[bool, Any]:
        db: Any = connection.db
        taken = connection.taken
        taken.clear()  # a statement that failed may have left something
        before = db.total_changes
        try:
            db.execute(statement, parameters)
        except FOREIGN as error:
            if isinstance(outcome := outcome_of(error, self._path), OutcomeUnknown):
                raise outcome from error
            return False, None  # the fault shows again in the full procedure
        if db.total_changes == before:
            return False, None
        self._check_log(connection)
        return True, taken.pop() if taken else None

    def _is_ready(self, connection: Connection) -> bool:
        """Return whether a connection is open to the file that has its name now, and not frozen."""
        if connection.db is None or connection.frozen or not self._file.is_at(connection.identity):
            return False
        return monotonic() < connection.fresh_until or self._file.is_in_place(connection)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        """Attempt an operation until nothing blocks it; a waiter holds no resource that a fork would wait for."""
        begun_s = None
        while True:
            try:
                return attempt()
            except _Later:
                continue
            except PersistentCollectionsError:  # BackendUnavailable and OutcomeUnknown are OSErrors as well
                raise
            except FOREIGN as error:
                now_s = monotonic()
                begun_s = now_s if begun_s is None else begun_s
                if not is_busy(error) or now_s - begun_s >= self._busy_timeout_s:
                    raise translated(error, self._path) from error
            self._refuse_waiting_for_itself()
            time.sleep(pause_s(now_s - begun_s))

    def _read(self, step: Step[T]) -> T:
        identity = self._file.identify(self._idle)
        if identity is None:
            return _read_nothing(step)

        def read(connection: Connection, db: sqlite3.Connection) -> T:
            db.execute("BEGIN")
            found = step(db)
            db.execute("COMMIT")
            self._check_frozen(connection)
            return found

        return self._work(identity, read, writes=False)

    def _write(self, step: Step[T]) -> T:
        while (identity := self._file.identify(self._idle)) is None:
            self._file.make()

        return self._work(identity, lambda connection, db: self._commit(connection, db, step), writes=True)

    def _commit(self, connection: Connection, db: sqlite3.Connection, step: Step[T]) -> T:
        db.execute("BEGIN IMMEDIATE")
        result = step(db)
        try:
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise outcome_of(error, self._path) from error
        self._check_log(connection)
        return result

    def _work(self, identity: Identity, operation: Callable[[Connection, sqlite3.Connection], T], *, writes: bool) -> T:
        """Run an operation on a connection of its own.

        No exception of a signal handler can keep the connection or its transaction: between taking the lock and the
        ``try``, and in each ``finally`` up to its first call, the interpreter runs no handler.
        """
        connection = self._take()
        epoch, thread, nested = self._epoch, get_ident(), forks.pending and forks.is_at_work()
        db: sqlite3.Connection | None = None
        lost = False
        try:
            with connection.lock:
                if nested or not forks.pending:
                    connection.thread = thread
                    connection.writes = writes
                    try:
                        db = self._opened(connection, identity)
                        if db is not None:
                            return operation(connection, db)
                        lost = True
                    finally:
                        try:
                            if db is not None:
                                db.rollback()
                        finally:
                            connection.writes = False
                            connection.thread = 0
        finally:
            if epoch is self._epoch:
                self._idle.append(connection)
            else:
                connection.release()
        self._make_way(lost)
        raise _Later

    def _check_frozen(self, connection: Connection) -> None:
        if connection.frozen and not self._file.is_in_place(connection):
            raise _Later

    def _check_log(self, connection: Connection) -> None:
        try:
            found = self._file.is_in_place(connection)
        except OSError:  # nor can it be seen
            found = False
        if not found:
            raise OutcomeUnknown(
                f"{self._path}: its log was deleted during this write, which may be lost: read the object again; "
                "let no program that uses the store open the file itself"
            )

    def _take(self) -> Connection:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return Connection()
            if connection.opened or connection.db is None:
                return connection

    def _opened(self, connection: Connection, identity: Identity) -> sqlite3.Connection | None:
        """Return the connection to the file with ``identity``, None if its log is no longer in place."""
        db = connection.db
        if db is None or connection.identity != identity or (connection.frozen and connection.writes):
            self._close_others(identity)
            self._file.open(connection, identity)
        elif connection.process != getpid():
            refuse_inherited(str(self._path), identity)
        elif monotonic() >= connection.fresh_until and not self._file.is_in_place(connection):
            if not connection.frozen:
                return None
            self._file.open(connection, identity)
        else:
            return db
        return connection.db

    def _close_others(self, identity: Identity) -> None:
        """Close idle connections to another file that had the same name before."""
        for connection in [other for other in self._idle if other.identity not in (None, identity)]:
            with suppress(ValueError):  # taken meanwhile
                self._idle.remove(connection)
                connection.release()

    def _make_way(self, lost: bool) -> None:
        """Wait for a fork, or close all connections of the process if the log was lost: they share its state."""
        if not lost:
            forks.wait()
        elif forks.is_at_work():
            raise BackendError(f"{self._path}: its log was deleted; nothing was done: try again outside this operation")
        else:
            quiet = forks.silence()
            next(quiet)
            quiet.close()  # type: ignore[attr-defined] # a generator

    def _refuse_waiting_for_itself(self) -> None:
        identity = self._file.identify()
        if identity is not None and is_writing(identity, get_ident()):
            raise BackendError(
                f"{self._path}: this thread is in the middle of another write to this store, which a signal handler or "
                "a finalizer interrupted; nothing was done: let the handler set a flag, and write after the other "
                "write has returned"
            )


def _read_nothing(step: Step[T]) -> T:
    db = sqlite3.connect(":memory:")
    try:
        create_tables(db)
        return step(db)
    finally:
        db.close()

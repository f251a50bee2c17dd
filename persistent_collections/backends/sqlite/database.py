"""One database, read in snapshots and written in transactions."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from persistent_collections.backends.sqlite.connections import Connections, Identity
from persistent_collections.backends.sqlite.failures import is_busy, past_return, translated
from persistent_collections.backends.sqlite.file import File
from persistent_collections.backends.sqlite.schema import create_tables

POLL_S: Final = 0.002


class Database:
    """The tables of a store, those of an empty one where there is no file.

    Args:
        path: The file, without symbolic links.
        synchronous: When SQLite waits for the disk, in its own words.
        busy_timeout_s: How long an operation waits for other processes.
    """

    def __init__(self, path: Path, synchronous: str, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._file = File(path, synchronous, busy_timeout_s)
        self._connections = Connections(path, self._file.open)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees the store as it is at one moment."""
        with translated(self._path):
            identity = self._file.identify()
            if identity is None:
                with closing(sqlite3.connect(":memory:")) as nothing:
                    create_tables(nothing)
                    yield nothing
                return
            with self._connections.lend(identity) as db:
                db.execute("BEGIN")
                try:
                    yield db
                finally:
                    _roll_back(db)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on which all that is done is done in one step, or nothing if an error leaves."""
        with translated(self._path), self._connections.lend(self._made()) as db:
            self._begin_writing(db)
            try:
                yield db
                with past_return(self._path):
                    db.execute("COMMIT")
            finally:
                _roll_back(db)

    def close(self) -> None:
        """Close all connections; the next operation opens another one."""
        self._connections.close()

    def _made(self) -> Identity:
        """Return the identity of the file, which is made if there is none."""
        while (identity := self._file.identify()) is None:
            self._file.make()
        return identity

    def _begin_writing(self, db: sqlite3.Connection) -> None:
        """Wait for other writers; of many, SQLite's own pauses, which grow to 0.1 s, would keep some out for ever."""
        give_up = time.monotonic() + self._busy_timeout_s
        db.execute("PRAGMA busy_timeout = 0")
        while True:
            try:
                db.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= give_up:
                    raise
            time.sleep(POLL_S)
        db.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout_s * 1000)}")


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")

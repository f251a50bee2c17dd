"""Open connections to one file, kept from one operation to the next, and none of them open while the process forks.

SQLite keeps track, within a process, of the locks it holds on a file. A fork takes the account along but not the locks,
so that even a new connection of the child's would believe itself protected: once the parent has closed its own, another
process may clear the write-ahead log away from under the child, and acknowledged writes with it. Hence no connection is
open at that moment. (Section 2.6 of "How To Corrupt An SQLite Database File" names the danger.)
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, get_ident
from typing import Final, TypeAlias
from weakref import WeakSet, finalize

from persistent_collections.errors import BackendError

Identity: TypeAlias = tuple[int, int]
"""What tells a file from another one that has come to bear its name: device and inode."""

gate: Final = Condition()
"""Held while files are made and connections go in and out, for all stores, so that a fork has but one to hold."""

_everywhere: Final[WeakSet[Connections]] = WeakSet()


class Connections:
    """Lends each operation a connection of its own.

    Args:
        path: The file, for messages.
        open_one: Opens a connection.
    """

    def __init__(self, path: Path, open_one: Callable[[], sqlite3.Connection]) -> None:
        self._path = path
        self._open_one = open_one
        self._idle: list[sqlite3.Connection] = []
        self._lent: list[int] = []  # by the ids of threads
        self._identity: Identity | None = None
        self._process: int | None = None  # the one whose SQLite knows the file
        finalize(self, _close_all, self._idle)
        with gate:
            _everywhere.add(self)

    @contextmanager
    def lend(self, identity: Identity) -> Iterator[sqlite3.Connection]:
        """Give a connection to the file that is ``identity``; kept ones to another file are closed."""
        connection = self._take(identity)
        try:
            if connection is None:
                connection = self._open_one()
            yield connection
        finally:
            self._give_back(connection, identity)

    def close(self) -> None:
        """Close what is idle now, and what is lent when it comes back."""
        with gate:
            self._identity = None
            _close_all(self._idle)

    def release_file(self) -> None:
        """Close what is idle; call it with the gate held."""
        _close_all(self._idle)
        if not self._lent:
            self._process = None

    def is_at_work(self) -> bool:
        """Say whether another thread has a connection; call it with the gate held."""
        return any(thread != get_ident() for thread in self._lent)

    def _take(self, identity: Identity) -> sqlite3.Connection | None:
        with gate:
            if self._process not in (None, os.getpid()):
                raise BackendError(
                    f"{self._path} was open when this process was forked, which SQLite cannot bear; "
                    "close the backend before forking, or fork with os.fork or multiprocessing"
                )
            if identity != self._identity:
                _close_all(self._idle)
                self._identity = identity
            self._process = os.getpid()
            self._lent.append(get_ident())
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: sqlite3.Connection | None, identity: Identity) -> None:
        with gate:
            self._lent.remove(get_ident())
            if connection is not None and identity == self._identity and not connection.in_transaction:
                self._idle.append(connection)
            elif connection is not None:
                connection.close()
            gate.notify_all()


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _before_fork() -> None:
    gate.acquire()
    gate.wait_for(lambda: not any(connections.is_at_work() for connections in _everywhere))
    for connections in _everywhere:
        connections.release_file()


def _after_fork() -> None:
    with suppress(RuntimeError):  # uWSGI tells Python of a fork only afterwards
        gate.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)

"""Open connections to one file, kept between operations, but never open while the process forks.

Within a process, SQLite notes the locks that it holds on a file. A fork copies these notes, but not the locks. So even
a new connection of the child would believe that it holds them. Once the parent has closed its own, another process may
delete the write-ahead log that the child uses, and acknowledged writes with it. So no connection is open at that
moment.

Source: "How To Corrupt An SQLite Database File", section 2.6.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any, TypeAlias
from weakref import finalize

from persistent_collections.backends.forks import Seat, seats
from persistent_collections.errors import BackendError

Identity: TypeAlias = tuple[int, int]
"""Distinguishes a file from another one that takes its name: device and inode."""


class Connection(Seat):
    """A connection, open or not, for one operation at a time.

    Attributes:
        db: SQLite's connection, None while it is closed.
        identity: The file it was opened to.
        log: The inode of the write-ahead log then, 0 without one.
        opened: The resource to close, with its process. The garbage collector closes it and leaves ``db`` as it is; a
            finalizer of another object may use the store after that.
        fresh_until: Until when reads skip the check of the file and its log, in seconds of the monotonic clock; 0 for a
            connection that is closed or frozen.
        frozen: The value of ``File._freeze`` when the file was opened to be read without locks; None otherwise.
        process: The id of the process that opened it.
        taken: What the statement at work gave to ``take``; see ``procedures``.
        writes: Whether the operation in progress is a write.
    """

    __slots__ = ("db", "fresh_until", "frozen", "identity", "log", "opened", "process", "taken", "writes")

    def __init__(self) -> None:
        self.db: sqlite3.Connection | None = None
        self.opened: list[tuple[sqlite3.Connection, int]] = []
        self.identity: Identity | None = None
        self.log = 0
        self.fresh_until = 0.0
        self.frozen: tuple[int, ...] | None = None
        self.process = 0
        self.taken: list[Any] = []
        self.writes = False
        super().__init__()
        finalize(self, _close, self.opened)  # the cache of statements keeps a connection alive, until it is closed

    def hold(self, db: sqlite3.Connection) -> None:
        """Wrap a newly opened connection."""
        self.process = os.getpid()
        self.opened.append((db, self.process))
        self.db = db

    def release(self) -> None:
        self.fresh_until = 0.0
        self.db = None
        _close(self.opened)


def _close(connections: list[tuple[sqlite3.Connection, int]]) -> None:
    """Close connections that this process opened."""
    while connections:
        db, process = connections.pop()
        if process == os.getpid():
            db.close()


def refuse_inherited(path: str, identity: Identity) -> None:
    """Raise if a connection to the file was open when this process was forked.

    Raises:
        BackendError: One was.
    """
    for seat in seats():
        if isinstance(seat, Connection) and seat.db and seat.identity == identity and seat.process != os.getpid():
            raise BackendError(
                f"{path} was open when this process was forked, which SQLite does not allow; "
                "close the backend before forking, or fork with os.fork or multiprocessing"
            )


def is_writing(identity: Identity, thread: int) -> bool:
    """Return whether a thread is in the middle of a write to the file."""
    return any(
        isinstance(seat, Connection) and seat.thread == thread and seat.writes and seat.identity == identity
        for seat in seats()
    )

"""The common base of the handles of all shapes."""

from __future__ import annotations

import sqlite3
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final, Protocol, TypeVar

from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.shapes import Shape, child_is_field
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.backends.sqlite.names import spell
from persistent_collections.backends.sqlite.objects import ALIVE, Cell, find, find_swept
from persistent_collections.errors import ObjectNotFound

T = TypeVar("T")

GUARD: Final = f"EXISTS (SELECT 1 FROM objects WHERE root = ?1 AND child = x'' AND {ALIVE.replace('?', '?3')})"
"""Whether the owner of a child exists: the parameters begin with root, child and the time."""

_SIZE: Final = f"SELECT shape, size FROM objects WHERE root = ? AND child = ? AND {ALIVE}"
_MANY: Final = 10_000_000
"""A size from which on it is checked, since ``list()`` takes memory for as many items as there are said to be."""


class Store(Protocol):
    """The store of a handle, for its messages."""

    @property
    def url(self) -> str:
        """The URL of the store, for messages."""
        ...


class Handle:
    """One key of a database.

    Attributes:
        shape: The shape of its content.

    Args:
        store: For messages.
        database: The database that stores it.
        key: The key.
        is_record: See ``Backend.open``.
    """

    shape: ClassVar[Shape]

    def __init__(self, store: Store, database: Database, key: Key, *, is_record: bool = False) -> None:
        self._store = store
        self._database = database
        self._key = key
        self._is_record = is_record
        self._root, self._child = spell(key)
        self._is_child = key.child is not None

    @staticmethod
    @abstractmethod
    def read_all(cell: Cell) -> Content:
        """Return the whole content of the cell of a key."""

    @staticmethod
    @abstractmethod
    def put_instead(cell: Cell, content: Any) -> None:
        """Replace the whole content of the cell of a key."""

    def size(self) -> int:
        row = self._database.ask(_SIZE, (self._root, self._child, time.time()))
        if row is None:
            return 0
        if row[0] == self.shape.name and type(row[1]) is int and 0 < row[1] < _MANY:
            size: int = row[1]
            return size
        return self._read(Cell.counted)

    def _read(self, look: Callable[[Cell], T]) -> T:
        """Return the result of ``look`` on the key's state at one moment."""

        def step(db: sqlite3.Connection) -> T:
            cell = find(db, self._key, time.time())
            cell.require(self.shape)
            return look(cell)

        return self._database.read(step)

    def _write(self, change: Callable[[Cell], T]) -> T:
        """Return the result of ``change``, and store the changed cell, in one step."""
        return self._database.write(self._step(change))

    def _step(self, change: Callable[[Cell], T]) -> Callable[[sqlite3.Connection], T]:
        """Return the step of a write.

        Raises:
            ObjectNotFound: The step raises it if the owner does not exist; nothing was done.
        """

        def step(db: sqlite3.Connection) -> T:
            now = time.time()
            cell = find_swept(db, self._key, now)
            if self._is_record and not cell.id:
                raise self._missing()
            if self._key.child is not None:
                owner = find(db, self._key.owner, now)
                if not owner.id:
                    raise self._missing()
                if not cell.id:
                    self._refuse_field(owner)
                    cell.deadline = owner.deadline
            cell.require(self.shape)
            result = change(cell)
            self._finish(cell)
            cell.save()
            return result

        return step

    def _refuse_field(self, owner: Cell) -> None:
        """Raise if the record holds a field of the name of this child, which does not exist.

        Raises:
            SchemaChangedError: It does.
        """
        rows = owner.db.execute("SELECT 1 FROM fields WHERE object = ? AND name = ?", (owner.id, self._child))
        if rows.fetchone() is not None:
            raise child_is_field(self._key)

    def _finish(self, cell: Cell) -> None:
        """Finish a change of this shape, before its row is stored."""

    def _missing(self) -> ObjectNotFound:
        return ObjectNotFound(f"{str(self._key.owner)!r} does not exist in {self._store.url}")

"""What the handles of the three shapes have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from persistent_collections.backends.base import Key, Shape
from persistent_collections.backends.sqlite.cell import Cell
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.backends.sqlite.objects import find, find_first, find_swept


class Handle:
    """One key of a database.

    Attributes:
        shape: What it holds.
    """

    shape: ClassVar[Shape]

    def __init__(self, database: Database, key: Key, kin: Sequence[Key]) -> None:
        self._database = database
        self._key = key
        self._kin = kin

    def size(self) -> int:
        with self._reading() as cell:
            return cell.size

    @contextmanager
    def _reading(self) -> Iterator[Cell]:
        with self._database.reading() as db:
            yield Cell(db, self._key, find(db, self._key), self.shape)

    @contextmanager
    def _writing(self) -> Iterator[Cell]:
        with self._database.writing() as db:
            row = find_swept(db, self._key)
            yield Cell(db, self._key, row, self.shape, lambda: find_first(db, self._kin).deadline)

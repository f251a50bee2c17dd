"""One key as one operation finds and leaves it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from persistent_collections.backends.base import Key, Shape
from persistent_collections.backends.sqlite import objects
from persistent_collections.backends.sqlite.objects import Row
from persistent_collections.errors import CorruptDataError, WrongShapeError


class Cell:
    """What a key of one shape holds, within a transaction.

    Attributes:
        db: The connection.
        id: What the rows of the content call it; 0, which none does, until it is made.
        size: The number of its fields, items or members.
        tree: The topmost node of a sequence, None if it has no items.

    Args:
        db: The connection.
        key: The key.
        row: What ``objects`` says of it.
        shape: What it is to hold.
        inherit: Gives the deadline it takes if it has to be made.

    Raises:
        WrongShapeError: It holds another shape.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        key: Key,
        row: Row,
        shape: Shape,
        inherit: Callable[[], float | None] = lambda: None,
    ) -> None:
        if row.shape not in (shape, None):
            raise WrongShapeError(
                f"{str(key)!r} holds a {row.shape}, not a {shape}; open it as what it is, or choose another id"
            )
        self.db = db
        self.id, _, self.size, _, self.tree = row
        self._key = key
        self._shape: Shape = shape
        self._inherit = inherit

    def make(self) -> None:
        """Give it an id if it has none, so that content can be put in."""
        if not self.id:
            made = self.db.execute(
                "INSERT INTO objects (root, child, shape, size, deadline) VALUES (?, ?, ?, 0, ?)",
                (*objects.spell(self._key), self._shape, self._inherit()),
            )
            self.id = made.lastrowid or 0

    def note(self, size: int, tree: int | None = None) -> None:
        """Note what it has now; without content it is deleted."""
        if not size:
            objects.delete(self.db, self.id, self._shape)
        elif (size, tree) != (self.size, self.tree):
            self.db.execute("UPDATE objects SET size = ?, tree = ? WHERE id = ?", (size, tree, self.id))

    def clear(self) -> None:
        """Delete its content, to be filled again."""
        objects.clear(self.db, self.id, self._shape)
        self.size, self.tree = 0, None

    def damaged(self) -> CorruptDataError:
        """Return the error for content that is not whole."""
        return CorruptDataError(
            f"{str(self._key)!r} refers to rows that are not in its file; it was left as it is: "
            "go back to a copy, or delete it"
        )

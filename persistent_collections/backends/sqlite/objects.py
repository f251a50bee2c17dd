"""The rows of keys, and the state of one of them before and after an operation."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.keys import Key
from persistent_collections.backends.popped import P, last_part
from persistent_collections.backends.shapes import MAPPING, SEQUENCE, SHAPES, Shape, wrong_shape
from persistent_collections.backends.sqlite.names import encode, spell
from persistent_collections.backends.sqlite.schema import MIDDLE, PLACES
from persistent_collections.errors import CorruptDataError

ALIVE: Final = "(deadline IS NULL OR deadline > ?)"

_COLUMNS: Final = "id, shape, size, first, next, tree, deadline"
_FIND: Final = f"SELECT {_COLUMNS} FROM objects WHERE root = ? AND child = ?"
_UNLISTED: Final = ("root < x''", "root >= x'ff'")
_ORPHANS: Final = tuple(
    f"WITH RECURSIVE held (held_id) AS (SELECT min({row}) {shift} FROM {table} UNION "
    f"SELECT (SELECT min({row}) {shift} FROM {table} WHERE {row} >= (held_id + 1) {unshift}) "
    "FROM held WHERE held_id IS NOT NULL) "
    "SELECT 1 FROM held WHERE held_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM objects WHERE id = held_id) LIMIT 1"
    for table, row, shift, unshift in (
        ("fields", "place", ">> 32", "<< 32"),
        ("items", "place", ">> 32", "<< 32"),
        ("members", "object", "", ""),
    )
)
_TYPES: Final = (int, str, int, int, int, int | None, float | None)
_UPDATE: Final = "UPDATE objects SET {}size = ?, first = ?, next = ?, tree = ? WHERE root = ? AND child = ?"
_NOTHING: Final = (0, None, 0, 0, 0, None, None)
_LAST_ID: Final = 2**31 - 1
_SWEPT_AT_ONCE: Final = 2  # more than the one that may join them meanwhile
_OF_PLACES: Final = "DELETE FROM {} WHERE place BETWEEN ? AND ?"
_CLEAR: Final[dict[str, tuple[str, ...]]] = {
    MAPPING.name: (_OF_PLACES.format("fields"),),
    SEQUENCE.name: (_OF_PLACES.format("items"), _OF_PLACES.format("nodes")),
}
_PLACED: Final = _CLEAR.keys()
"""The shapes whose content is in rows with places; other contents are rows of ``members``."""

_EVERYTHING: Final = tuple(statement for statements in _CLEAR.values() for statement in statements)


class Cell:
    """The state of a key, within a transaction.

    Attributes:
        db: The connection.
        key: The key.
        id: The number that marks the rows of its content, alone or in their places; 0 for a key without content.
        shape: The name of its shape, None for a key without content.
        size: The number of its fields, items or members.
        first: The place of the first item of a sequence without a tree.
        next: The place after the last one in use, now or earlier.
        tree: The topmost node of a sequence, None if its items are in the order of their places.
        deadline: Seconds since the epoch at which it vanishes, or None.
        indexed: The note about its index entries with which a new row is written.
    """

    __slots__ = ("_before", "db", "deadline", "first", "id", "indexed", "key", "next", "shape", "size", "tree")

    def __init__(self, db: sqlite3.Connection, key: Key, row: tuple[Any, ...] | None) -> None:
        self.db = db
        self.key = key
        self._before = row
        self.indexed: bytes | None = None
        self.id: int
        self.size: int
        self.first: int
        self.next: int
        self.shape: str | None
        self.tree: int | None
        self.deadline: float | None
        self.id, self.shape, self.size, self.first, self.next, self.tree, self.deadline = row or _NOTHING
        if row is not None and not _is_sound(row):
            raise self.damaged()

    def popped(self, part: P) -> P:
        """Return the popped part, with the remaining time of the object if it was the last part."""
        if self.size or self.deadline is None or self.key.child is not None:
            return part
        return last_part(part, self.deadline - time.time())

    def counted(self) -> int:
        """Return its size.

        Raises:
            CorruptDataError: It is larger than the file has room for, so it was damaged.
        """
        room = self.db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
        if self.size > room:
            raise self.damaged()
        return self.size

    @property
    def base(self) -> int:
        """The row of its place 0."""
        return self.id * PLACES

    def require(self, shape: Shape) -> None:
        """Raise if it holds another shape.

        Raises:
            WrongShapeError: It does.
        """
        if self.shape not in (shape.name, None):
            raise wrong_shape(self.key, SHAPES[str(self.shape)], shape)

    def make(self, shape: Shape) -> None:
        """Give it an id if it has none, so that content can be stored."""
        if not self.id:
            self.id = _free_id(self.db)
            self.shape = shape.name
            self.first = self.next = MIDDLE if shape is SEQUENCE else 0

    def save(self) -> None:
        """Write its current row; without content, delete the row."""
        row = (self.id, self.shape, self.size, self.first, self.next, self.tree, self.deadline)
        if not self.size:
            if self._before is not None:
                self.delete()
        elif self._before is None:
            self.db.execute(
                f"INSERT INTO objects (root, child, {_COLUMNS}, indexed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*spell(self.key), *row, self.indexed),
            )
        elif row[-1] != self._before[-1]:
            self.db.execute(_UPDATE.format("deadline = ?, "), (row[-1], *row[2:-1], *spell(self.key)))
        elif row != self._before:
            self.db.execute(_UPDATE.format(""), (*row[2:-1], *spell(self.key)))

    def clear(self) -> None:
        """Delete its content, to be filled again."""
        if self.id:
            _clear(self.db, self.id, self.shape)
            self.size, self.tree = 0, None
            self.first = self.next = MIDDLE if self.shape == SEQUENCE.name else 0

    def delete(self) -> None:
        """Delete it and its content."""
        delete(self.db, *spell(self.key), self.id, self.shape)
        self.id, self.size, self.shape, self._before = 0, 0, None, None

    def damaged(self) -> CorruptDataError:
        """Return the error for incomplete content."""
        return CorruptDataError(
            f"{str(self.key)!r} has rows that this package did not write, or not all of its rows; it was left as it "
            "is: go back to a backup, or delete it"
        )


def change_all(db: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Execute a statement for each of ``rows``, and return how many rows it changed."""
    if len(rows) == 1:
        return db.execute(statement, rows[0]).rowcount
    return db.executemany(statement, rows).rowcount if rows else 0


def find(db: sqlite3.Connection, key: Key, now: float) -> Cell:
    """Return the state of ``key``."""
    row = db.execute(_FIND, spell(key)).fetchone()
    return Cell(db, key, row if row is None or not _has_expired(row[-1], now) else None)


def find_swept(db: sqlite3.Connection, key: Key, now: float) -> Cell:
    """Return the state of ``key``, after deleting it if its deadline has passed."""
    row = db.execute(_FIND, spell(key)).fetchone()
    cell = Cell(db, key, row)
    if row is not None and _has_expired(cell.deadline, now):
        cell.delete()
        return Cell(db, key, None)
    return cell


def has_unlisted(db: sqlite3.Connection) -> bool:
    """Return whether an object has a damaged name, which listings don't find."""
    return any(db.execute(f"SELECT 1 FROM objects WHERE {wrong} LIMIT 1").fetchone() for wrong in _UNLISTED)


def has_orphans(db: sqlite3.Connection) -> bool:
    """Return whether there is content without its object. Cost: O(log n) per object."""
    return any(db.execute(query).fetchone() for query in _ORPHANS)


class Listing(NamedTuple):
    """A page of the keys that begin with ``prefix``, from ``start`` on, without those newer than ``newest``."""

    prefix: bytes
    start: tuple[bytes, bytes]
    newest: int | None

    def page(self, db: sqlite3.Connection) -> tuple[int, list[tuple[bytes, bytes, str]]]:
        """Return the newest id, or the initial one at the first page, and the page."""
        last = _newest(db) if self.newest is None else self.newest
        found = db.execute(
            "SELECT root, child, shape FROM objects WHERE (root, child) >= (?, ?) AND root < ? AND ifnull(id, 0) <= ? "
            f"AND {ALIVE} ORDER BY root, child LIMIT ?",
            (*self.start, self.prefix + b"\xff", last, time.time(), PAGE_SIZE),  # no UTF-8 holds 0xFF
        )
        return last, found.fetchall()


def delete_children(db: sqlite3.Connection, root: str) -> None:
    """Delete all children of a record's key, expired or not."""
    found = db.execute("SELECT root, child, id, shape FROM objects WHERE root = ? AND child > x''", [encode(root)])
    for row in found.fetchall():
        delete(db, *row)


def sweep(db: sqlite3.Connection, now: float) -> None:
    """Delete a few expired objects, so that they don't accumulate."""
    expired = db.execute(
        "SELECT root, child, id, shape FROM objects WHERE deadline <= ? LIMIT ?", (now, _SWEPT_AT_ONCE)
    ).fetchall()
    for row in expired:
        delete(db, *row)


def entries_of(db: sqlite3.Connection, root: bytes, indexed: Any) -> dict[bytes, bytes]:
    """Return the entry key of a record in each index, by class and name of the index.

    Args:
        db: The connection.
        root: The record.
        indexed: The note in its row about them.
    """
    if indexed is None:
        return {}
    try:
        return msgspec.msgpack.decode(indexed, type=dict[bytes, bytes])
    except (msgspec.DecodeError, TypeError):  # damaged: a search finds them
        return dict(db.execute("SELECT name, value FROM entries WHERE root = ?", (root,)).fetchall())


def delete(db: sqlite3.Connection, root: bytes, child: bytes, object_id: int, shape: str | None) -> None:
    """Delete an object, its content, and its index entries."""
    _clear(db, object_id, shape)
    if not child:
        row = db.execute("SELECT indexed FROM objects WHERE root = ? AND child = x''", (root,)).fetchone()
        entries = [(name, value, root) for name, value in entries_of(db, root, row and row[0]).items()]
        change_all(db, "DELETE FROM entries WHERE name = ? AND value = ? AND root = ?", entries)
    db.execute("DELETE FROM objects WHERE root = ? AND child = ?", (root, child))


def _clear(db: sqlite3.Connection, object_id: int, shape: str | None) -> None:
    if not isinstance(object_id, int):  # damaged: no row is its content
        return
    rows = (object_id * PLACES, object_id * PLACES + PLACES - 1)
    for statement in _EVERYTHING if shape not in SHAPES else _CLEAR.get(str(shape), ()):
        db.execute(statement, rows)
    if shape not in _PLACED:
        db.execute("DELETE FROM members WHERE object = ?", (object_id,))


def _newest(db: sqlite3.Connection) -> Any:
    return db.execute("SELECT ifnull(max(id), 0) FROM objects").fetchone()[0]


def _free_id(db: sqlite3.Connection) -> int:
    """Return an unused id: the greatest plus one, if possible."""
    newest = _newest(db)
    found = newest + 1 if isinstance(newest, int) else _LAST_ID + 1  # after damage, texts and bytes come last
    while found > _LAST_ID:
        found = random.randint(1, _LAST_ID)  # noqa: S311 - not a secret
        if db.execute("SELECT 1 FROM objects WHERE id = ?", (found,)).fetchone():
            found = _LAST_ID + 1
    return found


def _has_expired(deadline: object, now: float) -> bool:
    return isinstance(deadline, float) and deadline <= now


def _is_sound(row: Sequence[Any]) -> bool:
    """Return whether a row of ``objects`` is one that this package may have written."""
    if not all(map(isinstance, row, _TYPES)):
        return False
    object_id, shape, size, first, after, tree, _ = row
    if shape not in SHAPES or size <= 0 or not 0 < object_id <= _LAST_ID or not 0 <= first <= after <= PLACES:
        return False
    return shape not in _PLACED or _fits(size, after - first, shape == SEQUENCE.name and tree is None)


def _fits(size: int, places: int, is_run: bool) -> bool:
    return size == places if is_run else size <= places

"""The rows that say what each key holds."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from persistent_collections.backends.base import PAGE_SIZE, Key, Shape
from persistent_collections.backends.sqlite.texts import decode, encode

_CLEAR: Final[dict[Shape | None, tuple[str, ...]]] = {
    "mapping": ("DELETE FROM fields WHERE object = ?",),
    "sequence": ("DELETE FROM items WHERE object = ?", "DELETE FROM nodes WHERE object = ?"),
    "members": ("DELETE FROM members WHERE object = ?",),
    None: (),
}
_SWEPT_AT_ONCE: Final = 2  # more than the one that may join them meanwhile


class Row(NamedTuple):
    """A row of ``objects``, by default that of a key that holds nothing.

    Attributes:
        id: What the rows of its content call it; none calls it 0.
        shape: What it is.
        size: The number of its fields, items or members.
        deadline: Seconds since the epoch at which it vanishes, or None.
        tree: The topmost node of a sequence.
    """

    id: int = 0
    shape: Shape | None = None
    size: int = 0
    deadline: float | None = None
    tree: int | None = None


NOTHING: Final = Row()


def spell(key: Key) -> tuple[bytes, bytes]:
    """Return ``key`` as it stands in its row."""
    return encode(key.root), encode(key.child or "")


def read_name(root: bytes, child: bytes) -> Key | None:
    """Return the key that a row is named after, None where another program gave it a name that is no key's."""
    try:
        key = Key(decode(root), decode(child) or None)
    except UnicodeDecodeError:
        return None
    type_name, _, object_id = key.root.partition(":")
    return key if type_name and object_id else None


def find(db: sqlite3.Connection, key: Key) -> Row:
    """Return the row of ``key``, or ``NOTHING``."""
    row = _find(db, key)
    return NOTHING if _has_expired(row) else row


def find_swept(db: sqlite3.Connection, key: Key) -> Row:
    """Return the row of ``key``, or ``NOTHING`` after deleting one whose deadline has passed."""
    row = _find(db, key)
    if not _has_expired(row):
        return row
    delete(db, row.id, row.shape)
    return NOTHING


def find_first(db: sqlite3.Connection, keys: Sequence[Key]) -> Row:
    """Return the row of the first of ``keys`` that is there, or ``NOTHING``."""
    return next(filter(lambda row: row.id, (find(db, key) for key in keys)), NOTHING)


def newest(db: sqlite3.Connection) -> int:
    """Return the greatest id."""
    found: int = db.execute("SELECT ifnull(max(id), 0) FROM objects").fetchone()[0]
    return found


def list_page(
    db: sqlite3.Connection, prefix: bytes, start: tuple[bytes, bytes], last: int
) -> list[tuple[bytes, bytes]]:
    """Return a page of the keys that begin with ``prefix``, from ``start`` on, without those newer than ``last``."""
    return db.execute(
        "SELECT root, child FROM objects WHERE (root, child) >= (?, ?) AND root < ? AND id <= ? "
        "AND (deadline IS NULL OR deadline > ?) ORDER BY root, child LIMIT ?",
        (*start, prefix + b"\xff", last, time.time(), PAGE_SIZE),  # no UTF-8 holds 0xFF
    ).fetchall()


def clear(db: sqlite3.Connection, object_id: int, shape: Shape | None) -> None:
    """Delete what an object holds."""
    for statement in _CLEAR[shape]:
        db.execute(statement, (object_id,))


def delete(db: sqlite3.Connection, object_id: int, shape: Shape | None) -> None:
    """Delete an object and what it holds."""
    clear(db, object_id, shape)
    db.execute("DELETE FROM objects WHERE id = ?", (object_id,))


def set_deadline(db: sqlite3.Connection, object_id: int, deadline: float | None) -> None:
    """Set or take away a deadline, and delete a few objects whose own has passed, lest they pile up."""
    db.execute("UPDATE objects SET deadline = ? WHERE id = ?", (deadline, object_id))
    expired = db.execute(
        "SELECT id, shape FROM objects WHERE deadline <= ? LIMIT ?", (time.time(), _SWEPT_AT_ONCE)
    ).fetchall()
    for row in expired:
        delete(db, *row)


def _find(db: sqlite3.Connection, key: Key) -> Row:
    row = db.execute(
        "SELECT id, shape, size, deadline, tree FROM objects WHERE root = ? AND child = ?", spell(key)
    ).fetchone()
    return Row(*row) if row else NOTHING


def _has_expired(row: Row) -> bool:
    return row.deadline is not None and row.deadline <= time.time()

"""All that a key holds, of whatever shape."""

from __future__ import annotations

import sqlite3

from persistent_collections.backends.base import Content, Entry, Key
from persistent_collections.backends.sqlite.cell import Cell
from persistent_collections.backends.sqlite.mapping import get_fields
from persistent_collections.backends.sqlite.members import get_members
from persistent_collections.backends.sqlite.objects import find
from persistent_collections.backends.sqlite.sequence import get_range


def read_entry(db: sqlite3.Connection, key: Key) -> Entry | None:
    """Return what ``key`` holds, None if nothing."""
    row = find(db, key)
    if row.shape is None:
        return None
    cell = Cell(db, key, row, row.shape)
    content: Content
    match row.shape:
        case "mapping":
            content = get_fields(cell)
        case "sequence":
            content = get_range(cell, range(cell.size))
        case "members":
            content = get_members(cell)
    return Entry(content, row.deadline)

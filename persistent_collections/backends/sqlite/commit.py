"""Several keys in one transaction: their contents, conditions, and changes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import cast

from persistent_collections.backends.changes import (
    Change,
    Condition,
    ContentIs,
    Delete,
    HeldBy,
    Make,
    SetDeadline,
    SetEntries,
)
from persistent_collections.backends.contents import shape_for
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.shapes import SHAPES, Shape
from persistent_collections.backends.sqlite import objects
from persistent_collections.backends.sqlite.contents import AGREES, CHANGE
from persistent_collections.backends.sqlite.indexes import is_held, note_of, set_entries
from persistent_collections.backends.sqlite.mapping import mark_emptied, set_fields
from persistent_collections.backends.sqlite.names import spell
from persistent_collections.backends.sqlite.objects import Cell
from persistent_collections.backends.sqlite.shapes import HANDLES


def read_entry(db: sqlite3.Connection, key: Key, now: float) -> Entry | None:
    """Return the content of ``key``, None for nothing."""
    cell = objects.find(db, key, now)
    return Entry(HANDLES[SHAPES[cell.shape]].read_all(cell), cell.deadline) if cell.shape else None


def commit(db: sqlite3.Connection, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
    """Make the changes if all conditions hold, and return whether they do."""
    now = time.time()
    if not all(_holds(db, condition, now) for condition in conditions):
        return False
    steps = [change for change in changes if isinstance(change, SetEntries)]
    notes = {step.key: note_of(step, step.when_made) for step in steps if step.when_made}
    made = {change.key for change in changes if _make(db, change, now, notes)}
    if steps:
        set_entries(db, steps, made, now)
    return True


def _holds(db: sqlite3.Connection, condition: Condition, now: float) -> bool:
    cell = objects.find(db, condition.key, now)
    if isinstance(condition, HeldBy):
        return is_held(db, condition, now)
    shape = shape_for(condition)
    if shape is not None and not (isinstance(condition, ContentIs) and not condition.content):
        cell.require(shape)
    return AGREES[type(condition)](cell, condition)


def _make(db: sqlite3.Connection, change: Change, now: float, notes: Mapping[Key, bytes]) -> bool:
    """Make a change, and return whether it created a record, whose row has its note then."""
    if isinstance(change, SetEntries):
        return False  # done last
    if isinstance(change, Delete):
        _delete(db, change)
        return False
    cell = objects.find_swept(db, change.key, now)
    match change:
        case SetDeadline(ttl_s=ttl_s):
            _set_deadline(cell, None if ttl_s is None else now + ttl_s, now)
        case Make(fields=fields):
            if cell.id:
                return False
            objects.delete_children(db, change.key.root)
            _inherit(cell, now)
            set_fields(cell, fields)
            mark_emptied(cell)
            cell.indexed = notes.get(change.key)
        case _:
            cell.require(cast("Shape", shape_for(change)))
            _inherit(cell, now)
            CHANGE[type(change)](cell, change)
    cell.save()
    return isinstance(change, Make)


def _inherit(cell: Cell, now: float) -> None:
    """Give a new child the deadline of its owner."""
    if not cell.id and cell.key.child is not None:
        cell.deadline = objects.find(cell.db, cell.key.owner, now).deadline


def _set_deadline(cell: Cell, deadline: float | None, now: float) -> None:
    if cell.id:
        cell.deadline = deadline
        cell.save()
        if deadline is not None and deadline <= now:
            cell.delete()
    objects.sweep(cell.db, now)


def _delete(db: sqlite3.Connection, change: Delete) -> None:
    """Delete a key, even a damaged one."""
    names = spell(change.key)
    row = db.execute("SELECT id, shape FROM objects WHERE root = ? AND child = ?", names).fetchone()
    if row is not None:
        objects.delete(db, *names, *row)
    if change.children is not None:
        objects.delete_children(db, change.key.root)

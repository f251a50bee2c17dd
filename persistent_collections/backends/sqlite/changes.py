"""Several changes in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence

from persistent_collections.backends.base import Change, Delete, Key, Replace, SetDeadline, SetFields, Shape
from persistent_collections.backends.sqlite import objects
from persistent_collections.backends.sqlite.cell import Cell
from persistent_collections.backends.sqlite.mapping import replace_fields, set_fields
from persistent_collections.backends.sqlite.members import replace_members
from persistent_collections.backends.sqlite.sequence import replace_items


def make_changes(db: sqlite3.Connection, changes: Sequence[Change], kin: Sequence[Key]) -> list[bool]:
    """Make the changes, and say for each whether its key was there before the first of them.

    Nothing is done where one that ``must_be_absent`` was there.
    """
    there = [objects.find_swept(db, change.key).id != 0 for change in changes]
    if any(change.must_be_absent and found for change, found in zip(changes, there, strict=True)):
        return there
    inherited = objects.find_first(db, kin).deadline
    for change in changes:
        _make_one(db, change, inherited)
    return there


def _make_one(db: sqlite3.Connection, change: Change, inherited: float | None) -> None:
    row = objects.find_swept(db, change.key)

    def cell(shape: Shape) -> Cell:
        return Cell(db, change.key, row, shape, lambda: inherited)

    match change:
        case Delete():
            objects.delete(db, row.id, row.shape)
        case SetDeadline(ttl_s=ttl_s):
            objects.set_deadline(db, row.id, None if ttl_s is None else time.time() + ttl_s)
        case SetFields(items=items):
            set_fields(cell("mapping"), items)
        case Replace(content=dict() as fields):
            replace_fields(cell("mapping"), fields)
        case Replace(content=list() as items):
            replace_items(cell("sequence"), items)
        case Replace(content=set() as members):
            replace_members(cell("members"), members)

"""Conditions and changes of a commit that are about the content of one key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from persistent_collections.backends.changes import (
    ChangeMembers,
    ContentIs,
    Exists,
    FieldsAre,
    ItemsAre,
    MembersAre,
    Push,
    Replace,
    SetFields,
    SizeIs,
    Trim,
)
from persistent_collections.backends.shapes import shape_of
from persistent_collections.backends.sqlite.mapping import get_field, mark_emptied, set_fields
from persistent_collections.backends.sqlite.members import add_members, has_member, remove_members
from persistent_collections.backends.sqlite.objects import Cell
from persistent_collections.backends.sqlite.sequence import get_range, splice_items
from persistent_collections.backends.sqlite.shapes import HANDLES


def _has_fields(cell: Cell, condition: FieldsAre) -> bool:
    return all(get_field(cell, field) == data for field, data in condition.fields.items())


def _has_items(cell: Cell, condition: ItemsAre) -> bool:
    def item(index: int) -> bytes | None:
        position = index + cell.size if index < 0 else index
        return get_range(cell, range(position, position + 1))[0] if 0 <= position < cell.size else None

    return all(item(index) == data for index, data in condition.items.items())


def _has_members(cell: Cell, condition: MembersAre) -> bool:
    return all(has_member(cell, member) is expected for member, expected in condition.members.items())


def _has_content(cell: Cell, condition: ContentIs) -> bool:
    if cell.size != len(condition.content):
        return False
    return not cell.size or HANDLES[shape_of(condition.content)].read_all(cell) == condition.content


def _set_fields(cell: Cell, change: SetFields) -> None:
    set_fields(cell, change.items)
    if change.is_record:
        mark_emptied(cell)


def _push(cell: Cell, change: Push) -> None:
    position = 0 if change.left else cell.size
    splice_items(cell, position, position, change.items)


def _trim(cell: Cell, change: Trim) -> None:
    splice_items(cell, max(cell.size - change.right, 0), cell.size, ())
    splice_items(cell, 0, min(change.left, cell.size), ())


def _change_members(cell: Cell, change: ChangeMembers) -> None:
    add_members(cell, change.add)
    remove_members(cell, change.remove)


def _replace(cell: Cell, change: Replace) -> None:
    HANDLES[shape_of(change.content)].put_instead(cell, change.content)


AGREES: Final[Mapping[type, Callable[[Cell, Any], bool]]] = {
    Exists: lambda cell, condition: bool(cell.id) is condition.expected,
    SizeIs: lambda cell, condition: bool(cell.size == condition.size),
    FieldsAre: _has_fields,
    ItemsAre: _has_items,
    MembersAre: _has_members,
    ContentIs: _has_content,
}
"""Each kind of condition, as a check of a cell of its shape."""

CHANGE: Final[Mapping[type, Callable[[Cell, Any], None]]] = {
    SetFields: _set_fields,
    Push: _push,
    Trim: _trim,
    ChangeMembers: _change_members,
    Replace: _replace,
}
"""Each kind of change of one shape, as a change of a cell of that shape."""

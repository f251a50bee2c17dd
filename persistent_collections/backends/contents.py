"""Apply conditions and changes of a step to a content in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from persistent_collections.backends.changes import (
    Change,
    ChangeMembers,
    Condition,
    ContentIs,
    FieldsAre,
    ItemsAre,
    MembersAre,
    Push,
    Replace,
    SetFields,
    Trim,
)
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape, shape_of


def shape_for(part: Condition | Change) -> Shape | None:
    """Return the shape of a condition or change, None if it applies to keys of any shape."""
    if isinstance(part, ContentIs | Replace):
        return shape_of(part.content)
    return _SHAPES.get(type(part))


def agrees(content: Any, condition: Condition) -> bool:
    """Return whether ``content``, of the condition's shape and empty if nothing is stored, meets ``condition``."""
    return _AGREES[type(condition)](content, condition)


def changed(content: Any, change: Change) -> Content:
    """Return ``content``, of the shape of ``change``, after the change; the same object if nothing changes."""
    return _CHANGED[type(change)](content, change)


def updated(fields: dict[str, bytes], items: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return ``fields`` with ``items`` set, or deleted if None; ``fields`` itself if nothing changes."""
    if list(map(fields.get, items)) == list(items.values()):
        return fields
    fields = fields.copy()
    for field, data in items.items():
        if data is None:
            fields.pop(field, None)
        else:
            fields[field] = data
    return fields


def marked(*, is_record: bool) -> dict[str, bytes]:
    """Return the content of a mapping that became empty."""
    return {MARKER: MARKER_DATA} if is_record else {}


def _has_fields(fields: dict[str, bytes], condition: FieldsAre) -> bool:
    return all(fields.get(field) == data for field, data in condition.fields.items())


def _has_items(items: list[bytes], condition: ItemsAre) -> bool:
    return all(
        (items[index] if -len(items) <= index < len(items) else None) == data for index, data in condition.items.items()
    )


def _has_members(members: set[str], condition: MembersAre) -> bool:
    return all((member in members) is expected for member, expected in condition.members.items())


def _set_fields(fields: dict[str, bytes], change: SetFields) -> Content:
    return updated(fields, change.items) or marked(is_record=change.is_record)


def _push(items: list[bytes], change: Push) -> Content:
    if not change.items:
        return items
    return [*change.items, *items] if change.left else [*items, *change.items]


def _trim(items: list[bytes], change: Trim) -> Content:
    return items[change.left : max(len(items) - change.right, 0)] if change.left or change.right else items


def _change_members(members: set[str], change: ChangeMembers) -> Content:
    after = (members | change.add) - change.remove
    return members if after == members else after


_SHAPES: Final[Mapping[type, Shape]] = {
    FieldsAre: MAPPING,
    ItemsAre: SEQUENCE,
    MembersAre: MEMBERS,
    SetFields: MAPPING,
    Push: SEQUENCE,
    Trim: SEQUENCE,
    ChangeMembers: MEMBERS,
}
_AGREES: Final[Mapping[type, Callable[[Any, Any], bool]]] = {
    FieldsAre: _has_fields,
    ItemsAre: _has_items,
    MembersAre: _has_members,
    ContentIs: lambda content, condition: content == condition.content,
}
_CHANGED: Final[Mapping[type, Callable[[Any, Any], Content]]] = {
    SetFields: _set_fields,
    Push: _push,
    Trim: _trim,
    ChangeMembers: _change_members,
    Replace: lambda _, change: change.content.copy(),
}

"""The conditions and changes of a commit as the steps of the script that makes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from persistent_collections.backends.changes import (
    Change,
    ChangeMembers,
    Condition,
    ContentIs,
    Delete,
    Exists,
    FieldsAre,
    HeldBy,
    ItemsAre,
    Make,
    MembersAre,
    Push,
    Replace,
    SetDeadline,
    SetEntries,
    SetFields,
    SizeIs,
    Trim,
)
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis.entries import Claim, id_in, parts_in, quoted
from persistent_collections.backends.redis.mapping import flat, sorted_out
from persistent_collections.backends.redis.names import encode_all
from persistent_collections.backends.redis.shapes import HANDLES
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape, shape_of

_LONGEST_MS: Final = 2**53  # the greatest a Lua number holds exactly: some 285,000 years


class Step(NamedTuple):
    """One step of the script.

    Attributes:
        kind: Its name in the script.
        key: The key it changes or checks.
        items: Its arguments.
        shape: The shape that the key must have, if it exists.
        owner: The owner of the key, if the step asks for it.
        children: The keys of the children that the step names, for kinds of steps that name any.
        may_empty: Whether the key may be gone after it.
    """

    kind: str
    key: Key
    items: Sequence[bytes | str | int] = ()
    shape: Shape | None = None
    owner: Key | None = None
    children: Sequence[Key] | None = None
    may_empty: bool = False


def steps_of(parts: Sequence[Condition | Change]) -> list[Step]:
    """Return the steps that check conditions or make changes, in their order."""
    return [step for part in _without_repetition(parts) for step in _STEPS[type(part)](part)]


def _without_repetition(parts: Sequence[Condition | Change]) -> Sequence[Condition | Change]:
    """Return ``parts``; if the first makes a record, leave out the initial fields that the second sets."""
    match parts:
        case [Make() as made, SetFields() as given, *_] if made.key == given.key:
            rest = {field: data for field, data in made.fields.items() if field not in given.items}
            return [Make(made.key, rest, made.children), *parts[1:]]
    return parts


def as_arguments(
    conditions: Sequence[Step], changes: Sequence[Step], keys: Sequence[Key]
) -> tuple[list[str | int], list[bytes | str | int]]:
    """Return the arguments and the items of the script that runs these steps, for ``keys``."""
    numbers: dict[Key | None, int] = {key: number for number, key in enumerate(keys, start=1)}
    arguments: list[str | int] = [len(conditions), len(changes)]
    items: list[bytes | str | int] = []
    for step in (*conditions, *changes):
        before = len(items)
        if step.children is not None:
            items += (len(step.children), *map(numbers.__getitem__, step.children))
        items += step.items
        arguments += (step.kind, numbers[step.key], numbers.get(step.owner, 0), len(items) - before)
    return arguments, items


def claimed(claim: Claim) -> Step:
    """Return the step that checks whether a claim is still valid."""
    return Step("claimed", claim.key, (claim.stamp, claim.window_us))


def comes_back(changes: Iterable[Step]) -> bool:
    """Return whether one of ``changes`` needs a key that one before it may have emptied."""
    emptied: set[Key | None] = set()
    for step in changes:
        if emptied and not emptied.isdisjoint((step.key, step.owner, *(step.children or ()))):
            return True
        if step.may_empty:
            emptied.add(step.key)
    return False


def _exists(condition: Exists) -> Iterable[Step]:
    return (Step("exists" if condition.expected else "absent", condition.key),)


def _fields_are(condition: FieldsAre) -> Iterable[Step]:
    absent, present = sorted_out(condition.fields)
    if present or not absent:
        yield Step("has", condition.key, present, MAPPING)
    if absent:
        yield Step("lacks", condition.key, absent, MAPPING)


def _held_by(condition: HeldBy) -> Iterator[Step]:
    yield Step(
        "held_by", condition.key, (id_in(condition.key, condition.indexing), quoted(condition.index), condition.entry)
    )


def _items_are(condition: ItemsAre) -> Iterator[Step]:
    present = [part for index, data in condition.items.items() if data is not None for part in (index, data)]
    absent = [index for index, data in condition.items.items() if data is None]
    if present or not absent:
        yield Step("at", condition.key, present, SEQUENCE)
    if absent:
        yield Step("beyond", condition.key, absent, SEQUENCE)


def _members_are(condition: MembersAre) -> Iterator[Step]:
    present = [member for member, expected in condition.members.items() if expected]
    absent = [member for member, expected in condition.members.items() if not expected]
    if present or not absent:
        yield Step("in", condition.key, encode_all(present), MEMBERS)
    if absent:
        yield Step("out", condition.key, encode_all(absent), MEMBERS)


def _size_is(condition: SizeIs) -> Iterator[Step]:
    yield Step("size", condition.key, [condition.size])


def _content_is(condition: ContentIs) -> Iterator[Step]:
    key, content = condition.key, condition.content
    if not content:
        yield Step("absent", key)
        return
    yield Step("size", key, [len(content)])
    handle = HANDLES[shape_of(content)]
    yield Step(handle.same_step, key, handle.items_of(content), handle.shape)


def _push(change: Push) -> Iterator[Step]:
    items = change.items[::-1] if change.left else change.items
    yield Step("unshift" if change.left else "push", change.key, items, SEQUENCE, _owner(change.key))


def _trim(change: Trim) -> Iterator[Step]:
    yield Step("trim", change.key, [change.left, -1 - change.right], SEQUENCE, may_empty=True)


def _change_members(change: ChangeMembers) -> Iterator[Step]:
    if change.add or not change.remove:
        yield Step("add", change.key, encode_all(change.add), MEMBERS, _owner(change.key))
    if change.remove:
        yield Step("remove", change.key, encode_all(change.remove), MEMBERS, may_empty=True)


def _replace(change: Replace) -> Iterable[Step]:
    handle = HANDLES[shape_of(change.content)]
    items = handle.items_of(change.content)
    return (Step(handle.put_command, change.key, items, handle.shape, _owner(change.key), may_empty=not items),)


def _set_fields(change: SetFields) -> Iterable[Step]:
    gone, kept = sorted_out(change.items)
    if kept or not gone:
        yield Step("set", change.key, kept, MAPPING, _owner(change.key))
    if change.is_record and not kept:
        yield Step("unset_record", change.key, gone, MAPPING)
    elif gone:
        yield Step("unset", change.key, gone, MAPPING, may_empty=not kept)


def _make(change: Make) -> Iterable[Step]:
    return (Step("make", change.key, flat(change.fields), None, _owner(change.key), change.children),)


def _delete(change: Delete) -> Iterator[Step]:
    if change.indexing:
        yield Step("forget", change.key, [id_in(change.key, change.indexing)])
    for key in (change.key, *(change.children or ())):
        yield Step("delete", key, may_empty=True)


def _set_entries(change: SetEntries) -> Iterator[Step]:
    yield Step("entries", change.key, [id_in(change.key, change.indexing), int(change.anyway), *parts_in(change)])


def _set_deadline(change: SetDeadline) -> Iterator[Step]:
    if change.ttl_s is None:
        yield Step("persist", change.key)
    elif change.ttl_s > 0:
        yield Step("expire", change.key, [math.ceil(min(change.ttl_s * 1000, _LONGEST_MS))])
    else:
        yield Step("delete", change.key, may_empty=True)


def _owner(key: Key) -> Key | None:
    """Return the key whose deadline ``key`` inherits when created."""
    return None if key.child is None else key.owner


_STEPS: Final[Mapping[type, Callable[[Any], Iterable[Step]]]] = {
    Exists: _exists,
    FieldsAre: _fields_are,
    HeldBy: _held_by,
    ItemsAre: _items_are,
    MembersAre: _members_are,
    SizeIs: _size_is,
    ContentIs: _content_is,
    Push: _push,
    Trim: _trim,
    ChangeMembers: _change_members,
    Replace: _replace,
    SetFields: _set_fields,
    Make: _make,
    Delete: _delete,
    SetDeadline: _set_deadline,
    SetEntries: _set_entries,
}
"""The functions that return the steps of each kind of condition and change."""

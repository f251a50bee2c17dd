"""Steps that make one record, or set fields and children of one, in the form of a script of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from persistent_collections.backends.changes import Change, Condition, Exists, FieldsAre, Make, Replace, SetFields
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis.mapping import flat, is_whole
from persistent_collections.backends.redis.names import encode
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.shapes import HANDLES
from persistent_collections.backends.shapes import shape_of

_MOST_ARGUMENTS = 4000
_MAY_EXIST = 2


class Putting(NamedTuple):
    """A step in the form of ``put.lua``.

    Attributes:
        keys: The record's, then those of its children.
        arguments: The arguments after their names.
    """

    keys: Sequence[Key]
    arguments: Command


def as_putting(conditions: Sequence[Condition], changes: Sequence[Change]) -> Putting | None:
    """Return a step in the form of ``put.lua``, None if it does something else or more."""
    match changes:
        case [Make(key=Key(child=None) as key, fields=made, children=children), SetFields() as fields, *replaced]:
            pass
        case [Make(key=Key(child=None) as key, fields=made, children=children), *replaced]:
            fields = SetFields(key, {})
        case [SetFields(key=Key(child=None) as key) as fields, *replaced]:
            made, children = {}, ()
        case _:
            return None
    expected = _expected(conditions, key)
    given = fields.items
    if expected is None or fields.key != key or not is_whole(given):
        return None
    is_said = made.items() >= given.items() if made else expected.exists == 1
    return _put([key, *children], expected, made, given, replaced) if is_said else None


class _Expected(NamedTuple):
    """The state of a record that a step needs.

    Attributes:
        exists: Whether the record exists, as a number; 2 if that does not matter.
        lacked: The fields that it does not have.
    """

    exists: int
    lacked: Sequence[bytes]


def _expected(conditions: Sequence[Condition], key: Key) -> _Expected | None:
    """Return the state that conditions describe, None if they ask for more."""
    exists, lacked = _MAY_EXIST, list[bytes]()
    for condition in conditions:
        if condition.key != key:
            return None
        match condition:
            case Exists(expected=expected):
                exists = int(expected)
            case FieldsAre(fields=fields) if not any(data is not None for data in fields.values()):
                lacked += map(encode, fields)
            case _:
                return None
    return _Expected(exists, lacked)


def _put(
    keys: list[Key],
    expected: _Expected,
    made: Mapping[str, bytes],
    given: Mapping[str, bytes],
    replaced: Sequence[Change],
) -> Putting | None:
    told: list[bytes | str | int] = []
    items: list[bytes | str | int] = []
    for change in replaced:
        if not isinstance(change, Replace) or change.key.root != keys[0].root or change.key.child is None:
            return None
        if change.key not in keys:
            keys.append(change.key)
        handle = HANDLES[shape_of(change.content)]
        content = handle.items_of(change.content)
        told += (keys.index(change.key) + 1, handle.put_command, len(content))
        items += content
    new, old = flat(made), flat(given)
    counts = expected.exists, len(expected.lacked), len(new), len(old), len(replaced)
    arguments = [*counts, *told, *expected.lacked, *new, *old, *items]
    return Putting(keys, arguments) if len(arguments) <= _MOST_ARGUMENTS else None

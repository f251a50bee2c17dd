"""Changes as the arguments of the script that makes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from persistent_collections.backends.base import Change, Content, Delete, Key, Replace, SetDeadline, SetFields, Shape
from persistent_collections.backends.redis.mapping import RedisMapping, flat, sorted_out
from persistent_collections.backends.redis.members import RedisMembers
from persistent_collections.backends.redis.sequence import RedisSequence
from persistent_collections.backends.redis.texts import encode_all

_LONGEST_MS: Final = 2**53  # the greatest a Lua number holds exactly: some 285,000 years


class _Step(NamedTuple):
    """One change for the script: what to do, two figures and the items it takes."""

    what: str
    a: int | str
    b: int
    items: Sequence[bytes | str]


def as_arguments(changes: Sequence[Change], keys: Sequence[Key]) -> tuple[list[str | int], list[bytes | str]]:
    """Return the arguments and the items that say ``changes`` of ``keys`` to the script."""
    steps = list(map(_step, changes))
    numbers = {key: number for number, key in enumerate(keys, start=1)}
    arguments: list[str | int] = [len(changes)]
    for change, step in zip(changes, steps, strict=True):
        arguments += [numbers[change.key], int(change.must_be_absent), step.what, step.a, step.b]
    return arguments, [item for step in steps for item in step.items]


def shape_of(change: Change) -> Shape | None:
    """Return the shape that the key of ``change`` must have, if it is there."""
    match change:
        case SetFields() | Replace(content=dict()):
            return "mapping"
        case Replace(content=list()):
            return "sequence"
        case Replace():
            return "members"
    return None


def _step(change: Change) -> _Step:
    match change:
        case Replace(content=content):
            command, items = _put(content)
            return _Step(command, len(items), 0, items)
        case SetFields(items=fields):
            gone, kept = sorted_out(fields)
            return _Step("fields", len(gone), len(kept), [*gone, *kept])
        case SetDeadline(ttl_s=ttl_s):
            return _Step("deadline", "" if ttl_s is None else _milliseconds(ttl_s), 0, ())
        case Delete():
            return _Step("delete", 0, 0, ())


def _put(content: Content) -> tuple[str, Sequence[bytes | str]]:
    """Return the command that puts ``content``, and its items."""
    match content:
        case dict():
            return RedisMapping.put_command, flat(content)
        case list():
            return RedisSequence.put_command, content
        case _:
            return RedisMembers.put_command, encode_all(content)


def _milliseconds(seconds: float) -> int:
    return max(0, math.ceil(min(seconds * 1000, _LONGEST_MS)))

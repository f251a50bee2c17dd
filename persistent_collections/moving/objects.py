"""Whole objects, children and deadlines included, read from a store and compared with what a store holds."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from persistent_collections.backends.base import Backend, Entry, ForeignDataError, Key, Medium
from persistent_collections.known import Known

TOLERANCE_S: Final = 5.0
"""How far two deadlines lie apart that are taken for one.

A deadline is told to a store, and by it, as the seconds left, so it moves by the time a command takes and by a
millisecond's rounding. A Redis client waits 5 s for a reply by default; what takes longer is an error.
"""


class StoredObject(NamedTuple):
    """All that is stored of one object.

    Attributes:
        root: The root of its keys.
        parts: What each of its keys holds, its own and its children's.
    """

    root: str
    parts: Mapping[Key, Entry]


def families(backend: Backend, prefix: str) -> dict[str, list[Key]]:
    """Return the keys of each object whose root starts with ``prefix``, by root, all in order.

    Cost: one walk over the keys, whose names are held in memory.
    """
    found = defaultdict(list)
    for key in backend.keys(prefix):
        found[key.root].append(key)
    return {root: sorted(found[root], key=str) for root in sorted(found)}


class Source:
    """The store objects are read from.

    Args:
        backend: The store.
        prefix: What the roots of the objects start with.
        known: Says which children an object may have.

    Attributes:
        foreign: How many keys were left out until now, since another program put there what they hold.
    """

    def __init__(self, backend: Backend, prefix: str, known: Known) -> None:
        self._backend = backend
        self._prefix = prefix
        self._known = known
        self.foreign = 0

    def objects(self) -> Iterator[StoredObject]:
        """Yield each object, in order, its keys read at one moment. What vanishes meanwhile is left out."""
        for root, found in families(self._backend, self._prefix).items():
            parts = self._parts(sorted({*found, *self._known.family(root)}, key=str))
            if parts:
                yield StoredObject(root, parts)

    def _parts(self, keys: list[Key]) -> dict[Key, Entry]:
        try:
            entries = self._backend.snapshot(keys)
        except ForeignDataError as error:
            self.foreign += 1
            return self._parts([key for key in keys if key != error.key])
        return {key: entry for key, entry in zip(keys, entries, strict=True) if entry}


def holds(backend: Backend, expected: Mapping[Key, Entry | None]) -> bool:
    """Say whether each key holds just what is expected, deadlines compared as :data:`TOLERANCE_S` says."""
    found = zip(expected, backend.snapshot(list(expected)), strict=True)
    return all(_is_same(entry, expected[key], backend.medium) for key, entry in found)


def left_s(entry: Entry) -> float | None:
    """Return the seconds until the deadline, None without one."""
    return None if entry.deadline is None else entry.deadline - time.time()


def _is_same(found: Entry | None, expected: Entry | None, medium: Medium) -> bool:
    if expected is None:
        return found is None
    if found is None:
        left = left_s(expected)
        return left is not None and left <= TOLERANCE_S
    content, told = found.content, expected.content
    if isinstance(told, set) and isinstance(content, list) and medium == "json":  # there the two are one shape
        content, told = sorted(content), sorted(map(_as_json, told))
    return content == told and is_close(found.deadline, expected.deadline)


def _as_json(member: str) -> bytes:
    """Return a member as it stands in an array; one with half a surrogate pair, which none holds, as no array's."""
    return json.dumps(member, ensure_ascii=False).encode("utf-8", "surrogatepass")


def is_close(one: float | None, other: float | None) -> bool:
    """Say whether two deadlines are taken for one, as :data:`TOLERANCE_S` says."""
    return one is other if one is None or other is None else abs(one - other) <= TOLERANCE_S

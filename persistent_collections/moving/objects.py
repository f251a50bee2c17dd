"""Whole objects, with children and deadlines, read from a store and compared with a store's content."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from persistent_collections.backends.base import Backend, ForeignDataError, Medium, Whole
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.media import same_content
from persistent_collections.catalogue import Known
from persistent_collections.errors import CorruptDataError

TOLERANCE_S: Final = 5.0
"""The largest difference of two deadlines that count as equal.

A deadline is sent to a store, and returned, as the seconds left, so it moves by the duration of a command and by a
millisecond's rounding. A Redis client waits 5 s for a reply by default; longer waits are an error.
"""

MOST_OBJECTS: Final = 200
"""So many objects are read together, or fewer."""


class StoredObject(NamedTuple):
    """The stored content of one object.

    Attributes:
        root: The root of its keys.
        parts: The content of each of its keys, its own and its children's.
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
        prefix: The start of the roots of the objects.
        known: Returns the children that an object may have.

    Attributes:
        foreign: The number of skipped keys so far, whose content was written by another program.
    """

    def __init__(self, backend: Backend, prefix: str, known: Known) -> None:
        self._backend = backend
        self._prefix = prefix
        self._known = known
        self.foreign = 0

    def objects(self) -> Iterator[StoredObject]:
        """Yield each object, in order, its keys read at one moment. Objects that vanish meanwhile are skipped."""
        found = {
            root: sorted({*keys, *self._known.family(root)}, key=str)
            for root, keys in families(self._backend, self._prefix).items()
        }
        for (root, keys), whole in zip(found.items(), wholes(self._backend, list(found.values())), strict=True):
            if parts := self._parts(keys, whole):
                yield StoredObject(root, parts)

    def _parts(self, keys: Sequence[Key], whole: Whole) -> dict[Key, Entry]:
        if isinstance(whole, ForeignDataError):
            self.foreign += 1
            rest = [key for key in keys if key != whole.key]
            [whole] = self._backend.snapshots([rest]) if rest else [[]]
            return self._parts(rest, whole)
        return {key: entry for key, entry in zip(keys, read(whole), strict=True) if entry}


def wholes(backend: Backend, objects: Sequence[Sequence[Key]]) -> Iterator[Whole]:
    """Yield the entries of keys of each of some objects, each object's at one moment, as many together as is best."""
    start = 0
    while start < len(objects):
        found = _first_wholes(backend, objects[start : start + MOST_OBJECTS])
        yield from found
        start += len(found)


def _first_wholes(backend: Backend, objects: Sequence[Sequence[Key]]) -> list[Whole]:
    try:
        return backend.snapshots(objects)
    except CorruptDataError:  # of the store, or of some object
        return backend.snapshots(objects[:1])


def read(whole: Whole) -> list[Entry | None]:
    """Return the entries of an object.

    Raises:
        CorruptDataError: They could not be read.
    """
    if isinstance(whole, CorruptDataError):
        raise whole
    return whole


def is_same(found: Sequence[Entry | None], expected: Sequence[Entry | None], medium: Medium) -> bool:
    """Return whether the entries of an object are as expected, deadlines equal within :data:`TOLERANCE_S`."""
    return all(_is_same(one, other, medium) for one, other in zip(found, expected, strict=True))


def left_s(entry: Entry) -> float | None:
    """Return the seconds until the deadline, None without one."""
    return None if entry.deadline is None else entry.deadline - time.time()


def _is_same(found: Entry | None, expected: Entry | None, medium: Medium) -> bool:
    if expected is None:
        return found is None
    if found is None:
        left = left_s(expected)
        return left is not None and left <= TOLERANCE_S
    return same_content(found.content, expected.content, medium) and is_close(found.deadline, expected.deadline)


def is_close(one: float | None, other: float | None) -> bool:
    """Return whether two deadlines are equal within :data:`TOLERANCE_S`."""
    return one is other if one is None or other is None else abs(one - other) <= TOLERANCE_S

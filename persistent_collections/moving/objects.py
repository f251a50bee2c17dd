"""Whole objects, children and deadlines included, read from a store and compared with what a store holds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from persistent_collections.backends.base import Backend, Content, Key, Shape
from persistent_collections.backends.simple import SHAPES
from persistent_collections.errors import WrongShapeError

TOLERANCE_S: Final = 5.0
"""How far two deadlines lie apart that are taken for one.

A deadline is told to a store, and by it, as the seconds left, so it moves by the time a command takes and by a
millisecond's rounding. A Redis client waits 5 s for a reply by default; what takes longer is an error.
"""

_READERS: Final[dict[Shape, Callable[[Backend, Key], Content]]] = {
    "mapping": lambda backend, key: backend.mapping(key).get_all(),
    "sequence": lambda backend, key: backend.sequence(key).get_slice(slice(None)),
    "members": lambda backend, key: backend.members(key).get_all(),
}


class Part(NamedTuple):
    """What one key of an object holds.

    Attributes:
        content: Never empty.
        deadline: Seconds since the epoch, by this machine's clock, at which it vanishes, or None.
    """

    content: Content
    deadline: float | None = None

    def left_s(self) -> float | None:
        """Return the seconds until the deadline, None without one."""
        return None if self.deadline is None else self.deadline - time.time()


class StoredObject(NamedTuple):
    """All that is stored of one object.

    Attributes:
        root: The root of its keys.
        parts: What each of its keys holds, its own and its children's.
    """

    root: str
    parts: Mapping[Key, Part]


def families(backend: Backend, prefix: str) -> dict[str, list[Key]]:
    """Return the keys of each object whose root starts with ``prefix``, by root, all in order.

    Cost: one walk over the keys, whose names are held in memory.
    """
    found = defaultdict(list)
    for key in backend.keys(prefix):
        found[key.root].append(key)
    return {root: sorted(found[root], key=str) for root in sorted(found)}


def read_all(backend: Backend, prefix: str) -> Iterator[StoredObject]:
    """Yield each object whose root starts with ``prefix``, in order; what vanishes meanwhile is left out."""
    for root, keys in families(backend, prefix).items():
        parts = {key: part for key in keys if (part := read_part(backend, key, backend.shape(key)))}
        if parts:
            yield StoredObject(root, parts)


def read_part(backend: Backend, key: Key, shape: Shape | None) -> Part | None:
    """Return what ``key`` holds, of this shape, or None if nothing.

    The deadline is read first: of what vanishes in between, the content is missing, not the deadline.
    """
    left_s = backend.ttl([key])
    deadline = None if left_s is None else time.time() + left_s
    content = read_content(backend, key, shape)
    return Part(content, deadline) if content else None


def read_content(backend: Backend, key: Key, shape: Shape | None) -> Content | None:
    """Return what ``key`` holds, of this shape, empty or None if nothing."""
    return _READERS[shape](backend, key) if shape else None


def holds(backend: Backend, key: Key, part: Part | None) -> bool:
    """Say whether ``key`` holds just ``part``, or nothing if None; deadlines compared as :data:`TOLERANCE_S` says."""
    if part is None:
        return not backend.exists([key])
    try:
        found = read_part(backend, key, SHAPES[type(part.content)])
    except WrongShapeError:
        return False
    if found is None:
        left_s = part.left_s()
        return left_s is not None and left_s <= TOLERANCE_S
    return found.content == part.content and _is_close(found.deadline, part.deadline)


def _is_close(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else abs(one - other) <= TOLERANCE_S

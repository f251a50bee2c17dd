"""Reads the objects to check, many together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import repeat
from typing import TypeAlias

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.errors import CorruptDataError
from persistent_collections.moving.objects import read, wholes

Entries: TypeAlias = Mapping[Key, Entry | None]


def read_ahead(backend: Backend, keys: Sequence[Key]) -> Iterator[tuple[Key, Entries]]:
    """Yield each key, and what its object held when it was read together with others.

    Without entries, if the object could not be read so; then read the key by itself.

    Args:
        backend: The store.
        keys: In the order of their texts, so that few objects are held until their last key.
    """
    objects: dict[str, dict[Key, None]] = {}
    for key in keys:
        objects.setdefault(key.root, {key.owner: None})[key] = None
    found = zip(objects, _entries(backend, list(map(list, objects.values()))), strict=False)
    left = Counter(key.root for key in keys)
    held: dict[str, Entries] = {}
    for key in keys:
        while key.root not in held:
            root, entries = next(found)
            held[root] = entries
        left[key.root] -= 1
        yield key, held[key.root] if left[key.root] else held.pop(key.root)


def _entries(backend: Backend, objects: Sequence[Sequence[Key]]) -> Iterator[Entries]:
    with suppress(CorruptDataError):  # of the whole store
        for keys, whole in zip(objects, wholes(backend, objects), strict=True):
            yield {} if isinstance(whole, CorruptDataError) else dict(zip(keys, read(whole), strict=True))
    yield from repeat({})

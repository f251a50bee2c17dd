"""A plain in-process store: the reference the other stores are compared with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, Self

from persistent_collections.backends.forks import lock_across_forks
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.simple import SimpleBackend, Step
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ConfigurationError

_lock: Final = lock_across_forks()
"""Held while the entries of a store are looked at or changed."""


class MemoryBackend(SimpleBackend):
    """Keep entries in a dict of this process.

    ::

        with MemoryBackend() as store:
            PersistentDict("settings", {"theme": "dark"}, backend=store)
            assert store.mapping(Key("PersistentDict:settings")).get("theme") == b'"dark"'

    If a signal handler or a finalizer writes in the middle of a write of its thread, the interrupted write starts
    again.

    Args:
        name: Only shown in the URL.
    """

    in_process = True

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._objects: dict[str, dict[Key, Entry]] = {}
        self._unmade: list[Any] = []  # of the last write; this thread's next write empties and reuses it

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        if url.netloc:
            raise ConfigurationError(f"a memory: URL has no host; write 'memory:{url.netloc}' to name the store")
        backend = cls(url.path)
        backend.codec = url.read_options(cls.options).get("codec")
        return backend

    @property
    def url(self) -> str:
        options = {} if self.codec is None else {"codec": self.codec}
        return StoreURL("memory", path=self._name, options=options).without_secrets(self.options)

    def read(self, key: Key) -> Entry | None:
        entries = self._objects.get(key.root)
        return entries.get(key) if entries else None

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        self.transform_among(keys, step, ())

    def transform_among(self, keys: Sequence[Key], step: Step, prefixes: Collection[str]) -> None:
        with _lock:  # an interpreter lock: no signal handler runs between acquiring it and entering the block
            made: list[None] = []
            changed: Mapping[Key, Entry | None] = {}
            objects: dict[str, dict[Key, Entry]] = {}
            while not made:
                unmade = [objects]
                self._unmade.clear()
                self._unmade = unmade
                given = [*keys, *self._starting_with(prefixes)] if prefixes else keys
                changed = step(self._stored(given))
                if not changed:
                    return
                objects.clear()
                for key, entry in changed.items():
                    root = key.root
                    if root not in objects:
                        objects[root] = self._objects.get(root, {}).copy()
                    if entry:
                        objects[root][key] = entry
                    else:
                        objects[root].pop(key, None)
                made.extend(map(self._objects.update, unmade))  # one call of C functions: made, or not
            if None in changed.values():
                self._forget([root for root, entries in objects.items() if not entries])

    def _stored(self, keys: Sequence[Key]) -> dict[Key, Entry | None]:
        stored: dict[Key, Entry | None] = {}
        for key in keys:  # a comprehension would be one call more in each write
            entries = self._objects.get(key.root)
            stored[key] = entries.get(key) if entries else None
        return stored

    def _forget(self, emptied: list[str]) -> None:
        """Remove empty roots; if an interrupt leaves some, they do no harm."""
        self._unmade.clear()
        self._unmade = emptied
        if not any(map(self._objects.get, emptied)):
            list(map(self._objects.pop, emptied, repeat(None)))

    def stored_keys(self, prefix: str) -> Iterator[Key]:
        objects = list(self._objects.items())
        return iter([key for root, entries in objects if root.startswith(prefix) for key in entries])

    def children_of(self, root: str) -> Sequence[Key]:
        return [key for key in self._objects.get(root, ()) if key.child is not None]

    def close(self) -> None:
        """Do nothing: the content lasts as long as the backend."""

"""A plain in-process store: the reference the other stores are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Self

from persistent_collections.backends.base import Entry, Key
from persistent_collections.backends.forks import lock_across_forks
from persistent_collections.backends.simple import SimpleBackend, Step
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ConfigurationError

_lock: Final = lock_across_forks()
"""Held while the entries of a store are looked at or changed."""


class MemoryBackend(SimpleBackend):
    """Keep entries in a dict of this process.

    Args:
        name: Only shown in the URL.
    """

    in_process = True

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._entries: dict[Key, Entry] = {}

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
        return self._entries.get(key)

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        with _lock:
            for key, entry in step({key: self._entries.get(key) for key in keys}).items():
                if entry:
                    self._entries[key] = entry
                else:
                    self._entries.pop(key, None)

    def stored_keys(self, prefix: str) -> Iterator[Key]:
        with _lock:
            return iter([key for key in self._entries if key.root.startswith(prefix)])

    def close(self) -> None:
        """Do nothing: what is stored lasts as long as the backend."""

"""A store in memory: it tries an operation on a record that does not exist yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.simple import SimpleBackend, Step


class ScratchBackend(SimpleBackend):
    """Keep entries in a dict, for one thread.

    Args:
        url: The URL of the store that this replaces, for messages.
        medium: Its medium.
    """

    def __init__(self, url: str, medium: str) -> None:
        self._url = url
        self._entries: dict[Key, Entry] = {}
        vars(self).update(medium=medium)

    @property
    def url(self) -> str:
        return self._url

    def read(self, key: Key) -> Entry | None:
        return self._entries.get(key)

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        for key, entry in step({key: self._entries.get(key) for key in keys}).items():
            if entry:
                self._entries[key] = entry
            else:
                self._entries.pop(key, None)

    def stored_keys(self, prefix: str) -> Iterator[Key]:
        return iter([key for key in self._entries if key.root.startswith(prefix)])

    def close(self) -> None:
        """Do nothing."""

"""A store in one file that processes share, and three that each break one promise, for the suites to catch."""

from __future__ import annotations

import pickle
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Self

from filelock import FileLock

from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.simple import SimpleBackend, Step
from persistent_collections.backends.urls import StoreURL


class Shelf(SimpleBackend):
    """Keep entries in one pickle, written anew by each step."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        url.read_options({})
        return cls(Path(url.path))

    @property
    def url(self) -> str:
        return f"shelf:{self._path}"

    @property
    def identity(self) -> Hashable:
        return self._path

    def read(self, key: Key) -> Entry | None:
        return self._load().get(key)

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        with self._lock():
            entries = self._load()
            changed = step({key: entries.get(key) for key in keys})
            if any(entries.get(key) is not entry for key, entry in changed.items()):
                self._save({key: entry for key, entry in {**entries, **changed}.items() if entry})

    def stored_keys(self, prefix: str) -> Iterator[Key]:
        return iter([key for key in self._load() if key.root.startswith(prefix)])

    def close(self) -> None:
        """Do nothing: no file is kept open."""

    def _lock(self) -> AbstractContextManager[object]:
        return FileLock(f"{self._path}.lock", poll_interval=0.001)

    def _load(self) -> dict[Key, Entry]:
        entries: dict[Key, Entry] = pickle.loads(self._path.read_bytes()) if self._path.exists() else {}
        return entries

    def _save(self, entries: dict[Key, Entry | None]) -> None:
        draft = self._path.with_suffix(".draft")
        draft.write_bytes(pickle.dumps(entries))
        draft.replace(self._path)


class UnlockedShelf(Shelf):
    """Lets two processes write at once."""

    def _lock(self) -> AbstractContextManager[object]:
        return nullcontext()


class TornShelf(Shelf):
    """Writes over the old file, so that a kill leaves half of the new one."""

    def _save(self, entries: dict[Key, Entry | None]) -> None:
        with self._path.open("wb", buffering=0) as file:
            for byte in pickle.dumps(entries)[:20_000]:
                file.write(bytes([byte]))
            file.write(pickle.dumps(entries)[20_000:])


class LateShelf(Shelf):
    """Acknowledges a write and makes it with a later one."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._written = 0
        self._entries: dict[Key, Entry] | None = None

    def _load(self) -> dict[Key, Entry]:
        return super()._load() if self._entries is None else self._entries

    def _save(self, entries: dict[Key, Entry | None]) -> None:
        self._entries = {key: entry for key, entry in entries.items() if entry}
        self._written += 1
        if self._written % 50 == 0:
            super()._save(entries)

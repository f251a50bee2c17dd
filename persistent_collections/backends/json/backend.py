"""The JSON backend."""

from __future__ import annotations

import os
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import ClassVar, Final, Self, cast

import msgspec

from persistent_collections.backends.base import Content, Entry, Key
from persistent_collections.backends.forks import late
from persistent_collections.backends.json.errors import corrupt, translated
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.json.listing import Listed, Listing
from persistent_collections.backends.json.store import Store
from persistent_collections.backends.paths import absolute, path_of, url_of
from persistent_collections.backends.simple import C, SimpleBackend, Step
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError, CorruptDataError

LOCK_TIMEOUT_S: Final = 30.0

_TEXTS: Final = msgspec.json.Decoder(list[str])


class JSONBackend(SimpleBackend):
    """Keep each object in a readable JSON file of its own, which may be edited by hand.

    Shape: ``<path>/<type>/<id>.json``, and ``<path>/<type>/<id>/<field>.json`` for a child collection; sets are sorted
    arrays. All else lies in ``<path>/.store``. Nothing is made before the first write.

    Cost: a write reads and writes its object's whole file, with two fsyncs (about three more, and one a file, where it
    changes several files), and writers take turns. A read takes no lock, and a ``stat`` or two while nothing changes.

    Editing by hand: the next read sees it, but writers do not wait for it, so an object that is being written may lose
    the edit. What an editor that does not replace the file has half written is a ``CorruptDataError`` until it is done.

    Args:
        path: The directory; a relative one stays what it is now, and ``~`` is a name like any other.
        fsync: Whether a write waits until it is on the disk. Without it, what is stored outlives the process as it
            should, but not a power cut.
        lock_timeout_s: How long a write waits for other writers.
        files: The file system, where it is not the real one.

    Raises:
        ConfigurationError: An argument is out of its range.
    """

    medium = "json"
    options: ClassVar[Mapping[str, Option]] = {
        "codec": Option(),
        "fsync": Option(bool),
        "lock_timeout_s": Option(float),
    }

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fsync: bool = True,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        files: Files | None = None,
    ) -> None:
        if not 0 <= lock_timeout_s <= TIMEOUT_MAX:
            raise ConfigurationError(f"lock_timeout_s is a number of seconds of at least 0, not {lock_timeout_s!r}")
        self._path = absolute(path)
        self._fsync = fsync
        self._lock_timeout_s = lock_timeout_s
        self._files = files or Files()
        self._opened: tuple[int, Store] | None = None

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        options = url.read_options(cls.options)
        codec = options.pop("codec", None)
        backend = cls(path_of(url, "directory", "data"), **options)
        backend.codec = codec
        return backend

    @property
    def url(self) -> str:
        options = {"fsync": self._fsync, "lock_timeout_s": self._lock_timeout_s, "codec": self.codec}
        defaults = {"fsync": True, "lock_timeout_s": LOCK_TIMEOUT_S, "codec": None}
        return url_of("json", self._path, options, defaults).without_secrets(self.options)

    @property
    def identity(self) -> Hashable:
        return self._real_path

    @property
    def path(self) -> Path:
        return self._path

    def read(self, key: Key) -> Entry | None:
        return self.read_many([key])[0]

    def read_many(self, keys: Sequence[Key]) -> list[Entry | None]:
        with translated(self._path):
            return self._store.read(keys)

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        with translated(self._path):
            self._store.transform(keys, step)

    def stored_keys(self, prefix: str) -> Iterator[Key]:
        return (listed.key for listed in self._listed(prefix))

    def keys(self, prefix: str) -> Iterator[Key]:
        return (listed.key for listed in self._listed(prefix) if listed.certain or self._is_there(listed.key))

    def file(self, key: Key) -> Path:
        return self._store.layout.place(key).data

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        del type_names
        with translated(self._path):
            for path in self._listing().strangers():
                yield str(path.relative_to(self._path)), "a file or directory that is named as no object's is"

    def reshape(self, key: Key, content: Content, shape: type[C]) -> C | None:
        """Return an array of texts as a set: in a JSON file, the two are one shape."""
        if shape is not set or not isinstance(content, list):
            return None
        try:
            texts = _TEXTS.decode(b"[%b]" % b",".join(content))
        except msgspec.ValidationError:
            return None
        members = set(texts)
        if len(members) != len(texts):
            raise corrupt(self.file(key), " holds an array with a repeated item, which is no set")
        return cast("C", members)

    def close(self) -> None:
        """Forget what was read."""
        self._opened = None

    @late
    def _real_path(self) -> tuple[str, Path]:
        return "json", self._path.resolve()

    @property
    def _store(self) -> Store:
        """The store as this process sees it: a fork takes along neither locks nor who holds them."""
        opened = self._opened
        if opened is None or opened[0] != os.getpid():
            store = Store(self._files, self._path, fsync=self._fsync, lock_timeout_s=self._lock_timeout_s)
            self._opened = opened = os.getpid(), store
        return opened[1]

    def _listed(self, prefix: str) -> Iterator[Listed]:
        with translated(self._path):
            yield from self._listing().keys(prefix)

    def _listing(self) -> Listing:
        store = self._store
        return Listing(self._files, store.reader, store.layout, store.journal.pending())

    def _is_there(self, key: Key) -> bool:
        try:
            return self.exists([key])
        except CorruptDataError:
            return True

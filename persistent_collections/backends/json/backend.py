"""The JSON backend."""

from __future__ import annotations

import os
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import ClassVar, Final, Self

import msgspec

from persistent_collections.backends.base import Backend, Found
from persistent_collections.backends.changes import Change, Condition
from persistent_collections.backends.forks import late
from persistent_collections.backends.json.failures import translated
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.json.listing import Listed, Listing
from persistent_collections.backends.json.store import Store
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.paths import absolute, path_of, url_of
from persistent_collections.backends.shapes import Shape
from persistent_collections.backends.simple import SimpleBackend, Step
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError, CorruptDataError

LOCK_TIMEOUT_S: Final = 30.0

_TEXTS: Final = msgspec.json.Decoder(list[str])


class JSONBackend(SimpleBackend):
    """Keep each object in its own readable JSON file, which you may edit by hand.

    ::

        configure({"backends": {"default": JSONBackend("./data", fsync=False)}})    # as json:./data?fsync=off
        configure({})

    Shape: ``<path>/<type>/<id>.json``, and ``<path>/<type>/<id>/<field>.json`` for a child collection; sets are sorted
    arrays. All other files are in ``<path>/.store``. Nothing is created before the first write.

    Cost: a write reads and writes the whole file of its object, with two fsyncs. If it changes several files, it takes
    about three more, and one per file. Writers take turns. A read takes no lock, and one or two ``stat`` calls while
    nothing changes.

    Editing by hand: the next read sees your edit. Writers do not wait for you, so a write to the same object may
    overwrite the edit. If your editor does not replace files in one step, reads of a half-written file raise
    ``CorruptDataError``.

    Args:
        path: The directory. A relative one is resolved now, and ``~`` is an ordinary name.
        fsync: Whether a write waits until it is on the disk. Without it, stored data outlive the process, but perhaps
            not a power cut.
        lock_timeout_s: How many seconds a write waits for other writers.
        files: The file system, if it is not the real one.

    Raises:
        ConfigurationError: An argument is out of its range.
    """

    medium = "json"
    steps_at_once: ClassVar[int] = 20  # other writers wait for all of them
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
        try:
            return self._store.read_one(key)
        except (OSError, UnicodeEncodeError):
            with translated(self._path):
                raise

    def read_many(self, keys: Sequence[Key]) -> list[Entry | None]:
        with translated(self._path):
            return self._store.read(keys)

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        return Backend.get_many(self, wanted)  # each file once; all at one moment would be twice

    def look(self, keys: Sequence[Key], *, sizes: bool = False) -> list[Found | None]:
        del sizes
        return [self._found(key, self._read_with_deadline) for key in keys]

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        with translated(self._path):
            self._store.transform(keys, step)

    def transform_among(self, keys: Sequence[Key], step: Step, prefixes: Collection[str]) -> None:
        with translated(self._path):
            self._store.transform(keys, step, prefixes)

    def commit_each(self, steps: Sequence[tuple[Sequence[Condition], Sequence[Change]]]) -> list[bool]:
        """Make several steps. Cost: one write of all their files, with an fsync per file and per directory."""
        return self.commit_together(steps) if steps else []

    def stored_keys(self, prefix: str) -> Iterator[Key]:
        return (listed.key for listed in self._listed(prefix))

    def keys(self, prefix: str, shape: Shape | None = None) -> Iterator[Key]:
        del shape
        return (listed.key for listed in self._listed(prefix) if listed.certain or self._is_there(listed.key))

    def file(self, key: Key) -> Path:
        return self._store.layout.files_of(key).data

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        del type_names
        with translated(self._path):
            for path, message in self._listing().strangers():
                yield str(path.relative_to(self._path)), message

    def children_of(self, root: str) -> Sequence[Key]:
        with translated(self._path):
            return self._listing().children(root)

    def close(self) -> None:
        """Discard the cache."""
        self._opened = None

    def _read_with_deadline(self, key: Key) -> Entry | None:
        """Return the entry of ``key`` with the deadline of that moment; :meth:`read` may miss one that was just set."""
        [entry] = self.read_many([key])
        return entry

    @late
    def _real_path(self) -> tuple[str, Path]:
        return "json", self._path.resolve()

    @property
    def _store(self) -> Store:
        """The store in this process: a fork inherits neither locks nor their owners."""
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
            return self.snapshot([key]) != [None]
        except CorruptDataError:
            return True

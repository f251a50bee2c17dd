"""The SQLite backend."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

from persistent_collections.backends.base import (
    PAGE_SIZE,
    Backend,
    Change,
    Description,
    Entry,
    Key,
    MappingStore,
    MemberStore,
    SequenceStore,
    Shape,
)
from persistent_collections.backends.forks import late
from persistent_collections.backends.paths import absolute, path_of, url_of
from persistent_collections.backends.sqlite import objects
from persistent_collections.backends.sqlite.changes import make_changes
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.backends.sqlite.entries import read_entry
from persistent_collections.backends.sqlite.mapping import SQLiteMapping
from persistent_collections.backends.sqlite.members import SQLiteMembers
from persistent_collections.backends.sqlite.sequence import SQLiteSequence
from persistent_collections.backends.sqlite.texts import encode
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError

SYNCHRONOUS: Final = "FULL"
BUSY_TIMEOUT_S: Final = 30.0

_LONGEST_S: Final = (2**31 - 1) // 1000  # SQLite counts milliseconds in 32 bits


class SQLiteBackend(Backend):
    """Keep everything in one SQLite file, whose tables are in ``schema``. Nothing is made before the first write.

    Cost: a method is one transaction, O(log n) in the size of what it is about; writers take turns, and readers wait
    for nobody. A file has the size it once had to have, until SQLite's ``VACUUM``.

    Args:
        path: The file; a relative one stays what it is now, and ``~`` is a name like any other.
        synchronous: When a write waits for the disk (``PRAGMA synchronous``). What is stored always outlives the
            process. With ``FULL`` or ``EXTRA`` it outlives a power cut too; with ``NORMAL``, which is many times as
            fast, the last writes may be lost then; with ``OFF`` the whole file may.
        busy_timeout_s: How long an operation waits for other writers.

    Raises:
        ConfigurationError: An argument is out of its range.
    """

    options: ClassVar[Mapping[str, Option]] = {
        "codec": Option(),
        "synchronous": Option(choices=("OFF", "NORMAL", "FULL", "EXTRA")),
        "busy_timeout_s": Option(float),
    }

    def __init__(
        self, path: str | os.PathLike[str], *, synchronous: str = SYNCHRONOUS, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        if not 0 <= busy_timeout_s <= _LONGEST_S:
            raise ConfigurationError(
                f"busy_timeout_s is a number of seconds up to {_LONGEST_S}, not {busy_timeout_s!r}"
            )
        if Path(path).name == ":memory:":
            raise ConfigurationError("a SQLite store is a file; for one that ends with the process, write 'memory:'")
        self.options["synchronous"].read("synchronous", synchronous)
        self._path = absolute(path)
        self._synchronous = synchronous
        self._busy_timeout_s = busy_timeout_s

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        options = url.read_options(cls.options)
        codec = options.pop("codec", None)
        backend = cls(path_of(url, "file", "app.db"), **options)
        backend.codec = codec
        return backend

    @property
    def url(self) -> str:
        options = {"synchronous": self._synchronous, "busy_timeout_s": self._busy_timeout_s, "codec": self.codec}
        defaults = {"synchronous": SYNCHRONOUS, "busy_timeout_s": BUSY_TIMEOUT_S, "codec": None}
        return url_of("sqlite", self._path, options, defaults).without_secrets(self.options)

    @property
    def identity(self) -> Hashable:
        return "sqlite", self._real_path

    @property
    def path(self) -> Path:
        return self._path

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        return SQLiteMapping(self._database, key, kin)

    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        return SQLiteSequence(self._database, key, kin)

    def members(self, key: Key, kin: Sequence[Key] = ()) -> MemberStore:
        return SQLiteMembers(self._database, key, kin)

    def exists(self, keys: Sequence[Key]) -> bool:
        with self._database.reading() as db:
            return objects.find_first(db, keys).id != 0

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        with self._database.reading() as db:
            return [read_entry(db, key) for key in keys]

    def describe(self, keys: Sequence[Key]) -> list[Description | None]:
        """Return what each of ``keys`` holds, None if nothing. Cost: one transaction, O(log n) a key."""
        with self._database.reading() as db:
            rows = [objects.find(db, key) for key in keys]
        return [Description(row.shape, row.size, _left_s(row)) if row.shape else None for row in rows]

    def shape(self, key: Key) -> Shape | None:
        with self._database.reading() as db:
            return objects.find(db, key).shape

    def keys(self, prefix: str) -> Iterator[Key]:
        return (key for name in self._names(prefix) if (key := objects.read_name(*name)))

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        del type_names
        for root, child in self._names(""):
            if objects.read_name(root, child) is None:
                name = b":".join([root, child] if child else [root])
                yield name.decode(errors="backslashreplace"), "a row of objects that is named as no object is"

    def apply(self, changes: Sequence[Change], kin: Sequence[Key] = ()) -> list[bool]:
        with self._database.writing() as db:
            return make_changes(db, changes, kin)

    def ttl(self, keys: Sequence[Key]) -> float | None:
        with self._database.reading() as db:
            return _left_s(objects.find_first(db, keys))

    def close(self) -> None:
        self._database.close()

    def _names(self, prefix: str) -> Iterator[tuple[bytes, bytes]]:
        start, newest = (encode(prefix), b""), None
        while True:
            with self._database.reading() as db:
                newest = objects.newest(db) if newest is None else newest
                page = objects.list_page(db, encode(prefix), start, newest)
            yield from page
            if len(page) < PAGE_SIZE:
                return
            root, child = page[-1]
            start = root, child + b"\0"  # the next key there can be

    @late
    def _real_path(self) -> Path:
        return self._path.resolve()

    @late
    def _database(self) -> Database:
        return Database(self._real_path, self._synchronous, self._busy_timeout_s)


def _left_s(row: objects.Row) -> float | None:
    return None if row.deadline is None else max(row.deadline - time.time(), 0.0)

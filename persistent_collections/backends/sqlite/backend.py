"""The SQLite backend."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from persistent_collections.backends.base import BATCH_BYTES, PAGE_SIZE, Backend, Examined, Found, Wanted, Whole
from persistent_collections.backends.changes import Change, Condition
from persistent_collections.backends.forks import late
from persistent_collections.backends.indexes import Indexing, IndexStore, Support
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.paths import absolute, path_of, url_of
from persistent_collections.backends.shapes import MAPPING, SHAPES, Shape
from persistent_collections.backends.sqlite import objects
from persistent_collections.backends.sqlite.commit import commit, read_entry
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.backends.sqlite.indexes import SQLiteIndexes
from persistent_collections.backends.sqlite.mapping import get_field
from persistent_collections.backends.sqlite.names import encode, read_key
from persistent_collections.backends.sqlite.shapes import HANDLES
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError, CorruptDataError

SYNCHRONOUS: Final = "FULL"
BUSY_TIMEOUT_S: Final = 30.0

_LONGEST_S: Final = (2**31 - 1) // 1000  # SQLite counts milliseconds in 32 bits


class SQLiteBackend(Backend):
    """Keep everything in one SQLite file, which the first write creates. The module ``schema`` shows its tables.

    ::

        configure({"backends": {"default": SQLiteBackend("./app.db", busy_timeout_s=5)}})    # as sqlite:./app.db
        configure({})

    Cost: a method is one transaction, O(log n) in the size of the object. Writers take turns, and readers never wait.
    The file does not shrink until you run SQLite's ``VACUUM``.

    Args:
        path: The file. A relative path is resolved now, and ``~`` is an ordinary name.
        synchronous: When a write waits for the disk (``PRAGMA synchronous``). Stored data always outlive the process.
            With ``FULL`` or ``EXTRA`` they outlive a power cut too. ``NORMAL`` is many times as fast, but a power cut
            may lose the last writes. With ``OFF`` it may lose the whole file.
        busy_timeout_s: How many seconds an operation waits for other writers.

    Raises:
        ConfigurationError: An argument is out of its range.
    """

    steps_at_once: ClassVar[int] = 200
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
        self._path = absolute(path)
        self._synchronous: str = self.options["synchronous"].read("synchronous", synchronous)
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
    def path(self) -> Path | None:
        return self._path

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        return HANDLES[shape](self, self._database, key, is_record=is_record)

    @property
    def indexing(self) -> Support:
        return "indexes"

    def index(self, indexing: Indexing) -> IndexStore:
        return SQLiteIndexes(self._database, indexing)

    def look(self, keys: Sequence[Key], *, sizes: bool = False) -> list[Found | None]:
        """Return the properties of each of ``keys``. Cost: one transaction, O(log n) per key."""
        del sizes  # which cost nothing here
        now = time.time()
        return self._database.read(lambda db: [_found(db, key, now) for key in keys])

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        now = time.time()

        def step(db: sqlite3.Connection) -> list[list[bytes | None]]:
            return [list(_fields(objects.find(db, key, now), fields)) for key, fields in wanted]

        return self._database.read(step)

    def examine(self, wanted: Sequence[Wanted]) -> list[Examined | None]:
        now = time.time()
        return self._database.read(lambda db: [_examined(db, each, now) for each in wanted])

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        now = time.time()
        return self._database.read(lambda db: [read_entry(db, key, now) for key in keys])

    def snapshots(self, objects: Sequence[Sequence[Key]]) -> list[Whole]:
        """Return the entries of the first of some objects. Cost: one transaction."""
        now = time.time()
        return self._database.read(lambda db: _wholes(db, objects, now))

    def keys(self, prefix: str, shape: Shape | None = None) -> Iterator[Key]:
        """Yield every key whose root starts with ``prefix``, without keys of other shapes than ``shape``.

        Raises:
            CorruptDataError: At the end, if names of objects cannot be read; if all keys are listed, also if some
                content has no object.
        """
        unreadable = 0
        left_out = SHAPES.keys() - {shape.name} if shape else ()
        for root, child, found in self._names(prefix):
            key = read_key(root, child)
            if key is not None and found not in left_out:
                yield key
            unreadable += key is None
        if unreadable or self._database.read(objects.has_unlisted):
            raise self._incomplete("objects whose names are damaged")
        if not prefix and self._database.read(objects.has_orphans):
            raise self._incomplete("fields, items or members of objects that are missing")

    def back_up(self, file: Path) -> None:
        """Write the whole store, as it is at one moment, to ``file``. Other writers go on meanwhile."""
        self._database.back_up(file)

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        del type_names
        for root, child, _ in self._names(""):
            if read_key(root, child) is None:
                yield (
                    ":".join(map(_shown, [root, child] if child else [root])),
                    "a row of objects whose name is not one of an object",
                )

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        return self._database.write(lambda db: commit(db, conditions, changes))

    def commit_each(self, steps: Sequence[tuple[Sequence[Condition], Sequence[Change]]]) -> list[bool]:
        """Make several steps. Cost: one transaction."""

        def make(db: sqlite3.Connection) -> list[bool]:
            tried: list[bool] = []
            for conditions, changes in steps:
                tried.append(commit(db, conditions, changes))
                if not tried[-1]:
                    break
            return tried

        return self._database.write(make)

    def close(self) -> None:
        self._database.close()

    def _incomplete(self, what: str) -> CorruptDataError:
        return CorruptDataError(
            f"{self._path} holds {what}, so a listing lacks some; try 'sqlite3 FILE .recover', or go back to a backup"
        )

    def _names(self, prefix: str) -> Iterator[tuple[bytes, bytes, str]]:
        """Yield the names and the shape of every object whose root starts with ``prefix``."""
        start: tuple[bytes, bytes] = (encode(prefix), b"")
        newest: int | None = None
        page: list[tuple[bytes, bytes, str]]
        while True:
            newest, page = self._database.read(objects.Listing(encode(prefix), start, newest).page)
            yield from page
            if len(page) < PAGE_SIZE:
                return
            root, child, _ = page[-1]
            start = root, child + b"\0"  # the next key there can be

    @late
    def _real_path(self) -> Path:
        return self._path.resolve()

    @late
    def _database(self) -> Database:
        return Database(self._real_path, self._synchronous, self._busy_timeout_s)


def _shown(name: object) -> str:
    return name.decode(errors="backslashreplace") if isinstance(name, bytes) else repr(name)


def _found(db: sqlite3.Connection, key: Key, now: float) -> Found | None:
    try:
        cell = objects.find(db, key, now)
    except CorruptDataError:
        return Found(None)
    if cell.shape is None:
        return None
    return Found(SHAPES[cell.shape], None if cell.deadline is None else max(cell.deadline - now, 0.0), cell.size)


def _wholes(db: sqlite3.Connection, objects: Sequence[Sequence[Key]], now: float) -> list[Whole]:
    wholes: list[Whole] = []
    size_bytes = 0
    for keys in objects:
        try:
            entries = [read_entry(db, key, now) for key in keys]
        except CorruptDataError as error:
            wholes.append(error)
            continue
        wholes.append(entries)
        size_bytes += sum(entry.size_bytes for entry in entries if entry)
        if size_bytes >= BATCH_BYTES:
            break
    return wholes


def _fields(cell: objects.Cell, fields: Sequence[str]) -> Iterator[bytes | None]:
    cell.require(MAPPING)
    return (get_field(cell, field) for field in fields)


def _examined(db: sqlite3.Connection, wanted: Wanted, now: float) -> Examined | None:
    cell = objects.find(db, wanted.key, now)
    if not cell.id:
        return None
    children = [objects.find(db, child, now).id != 0 for child in wanted.children]
    return Examined(list(_fields(cell, wanted.fields)), children)

"""Stores on one machine, beside those of other libraries that do the same: a dict and a list of dicts of five.

A store that has no lists keeps one as the value of a field, as its users have to.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Container, Iterator, MutableMapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from functools import partial
from itertools import count, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, TypeAlias

import diskcache  # type: ignore[import-untyped] # it ships no types
import tinydb
from sqlitedict import SqliteDict  # type: ignore[import-untyped] # it ships no types
from tinydb import where

from benchmarks.timing import LIMIT_S, Call, Clock, Figures, Row, affordable, race
from persistent_collections import PersistentDict, PersistentList, connect

BATCH: Final = 10
LARGEST: Final = {"sqlitedict": 100_000}
"""Up to which size a contender takes part, if not in all: one that takes minutes to fill."""
PIECE: Final = 100_000

Mapping: TypeAlias = MutableMapping[str, Any]


class Store(NamedTuple):
    """A dict and a list, each write of theirs as lasting as was asked for.

    Attributes:
        fields: The dict.
        items: The list.
        filling: Makes all writes of a block one transaction, if each would take its own.
        settle: Closes the store, which opens again by itself: what is in its log goes to its file.
    """

    fields: Mapping
    items: Any
    filling: Callable[[], AbstractContextManager[object]] = nullcontext
    settle: Callable[[], object] = bool


class Pace(NamedTuple):
    """How a race goes.

    Attributes:
        rounds: How many.
        batch: Calls that are timed together.
        limit_s: A contender whose batch would take longer is left out.
        clock: Gives seconds.
        warm: Whether each contender makes a call before a batch, outside the time.
    """

    rounds: int
    batch: int = BATCH
    limit_s: float = LIMIT_S
    clock: Clock = time.perf_counter
    warm: bool = False


class Settled(Mapping):
    """A mapping of another library's that has to be told to make its writes last."""

    def __init__(self, inner: Mapping, settle: Callable[[], object]) -> None:
        self._inner, self._settle = inner, settle

    def __getitem__(self, field: str) -> Any:
        return self._inner[field]

    def __setitem__(self, field: str, value: Any) -> None:
        self._inner[field] = value
        self._settle()

    def __delitem__(self, field: str) -> None:
        del self._inner[field]
        self._settle()

    def __contains__(self, field: object) -> bool:
        return field in self._inner

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)

    def update(self, fields: Any = (), /, **_: Any) -> None:
        self._inner.update(fields)
        self._settle()


class TinyMapping(Mapping):
    """A table of TinyDB, a document a field."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __getitem__(self, field: str) -> Any:
        document = self._table.get(where("field") == field)
        if document is None:
            raise KeyError(field)
        return document["value"]

    def __setitem__(self, field: str, value: Any) -> None:
        self._table.upsert({"field": field, "value": value}, where("field") == field)

    def __delitem__(self, field: str) -> None:
        self._table.remove(where("field") == field)

    def __contains__(self, field: object) -> bool:
        return bool(self._table.contains(where("field") == field))

    def __iter__(self) -> Iterator[str]:
        return (document["field"] for document in self._table)

    def __len__(self) -> int:
        return len(self._table)

    def update(self, fields: Any = (), /, **_: Any) -> None:
        self._table.insert_multiple({"field": field, "value": value} for field, value in fields.items())


class ListAsValue:
    """A list as the value of one field."""

    def __init__(self, fields: Mapping) -> None:
        self._fields = fields

    def extend(self, items: list[Any]) -> None:
        self._fields["a list"] = items

    def append(self, item: Any) -> None:
        self.insert(len(self), item)

    def insert(self, index: int, item: Any) -> None:
        items = self._fields["a list"]
        items.insert(index, item)
        self._fields["a list"] = items

    def pop(self, index: int = -1) -> Any:
        items = self._fields["a list"]
        item = items.pop(index)
        self._fields["a list"] = items
        return item

    def __getitem__(self, index: int) -> Any:
        return self._fields["a list"][index]

    def __len__(self) -> int:
        return len(self._fields["a list"])


class WholeFile(Mapping):
    """What many programs do: a dict in memory, all of it written to a new file in the old one's place at each change.

    Args:
        path: The file.
        fsync: Whether file and directory are on the disk before a write returns.
    """

    def __init__(self, path: Path, *, fsync: bool) -> None:
        self._path, self._fsync = path, fsync
        self._all: dict[str, Any] = {}

    def __getitem__(self, field: str) -> Any:
        return self._all[field]

    def __setitem__(self, field: str, value: Any) -> None:
        self._all[field] = value
        self._write()

    def __delitem__(self, field: str) -> None:
        del self._all[field]
        self._write()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def update(self, fields: Any = (), /, **_: Any) -> None:
        self._all.update(fields)
        self._write()

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(self._all, file)
            if self._fsync:
                file.flush()
                os.fsync(file.fileno())
        new.replace(self._path)
        if self._fsync:
            directory = os.open(self._path.parent, os.O_RDONLY)
            os.fsync(directory)
            os.close(directory)


@contextmanager
def _ours(url: str, **options: Any) -> Iterator[Store]:
    with connect(url, **options) as backend:
        fields, items = (
            PersistentDict[str, Any]("fields", backend=backend),
            PersistentList[Any]("items", backend=backend),
        )
        yield Store(fields, items, settle=backend.close)


def our_sqlite(folder: Path) -> AbstractContextManager[Store]:
    """A write-ahead log, ``synchronous=NORMAL``."""
    return _ours(f"sqlite:{folder}/store.db", synchronous="NORMAL")


def our_json(folder: Path, *, fsync: bool) -> AbstractContextManager[Store]:
    """With fsync or without."""
    return _ours(f"json:{folder}", fsync=fsync)


@contextmanager
def other_diskcache(folder: Path) -> Iterator[Store]:
    """A write-ahead log, ``synchronous=NORMAL``; its lists have no insert and no pop but at the ends."""
    options = {"sqlite_synchronous": 1, "eviction_policy": "none"}
    with (
        diskcache.Cache(str(folder / "fields"), **options) as fields,
        diskcache.Cache(str(folder / "items"), **options) as items,
    ):
        _require_normal(fields._sql("PRAGMA synchronous").fetchone())

        @contextmanager
        def filling() -> Iterator[None]:
            with fields.transact(), items.transact():
                yield

        def settle() -> None:
            fields.close()
            items.close()

        yield Store(diskcache.Index.fromcache(fields), diskcache.Deque.fromcache(items), filling, settle)


@contextmanager
def other_sqlitedict(folder: Path) -> Iterator[Store]:
    """A write-ahead log, a commit after each write, ``synchronous=NORMAL`` in place of the OFF it sets."""
    with (
        SqliteDict(str(folder / "fields.db"), journal_mode="WAL") as fields,
        SqliteDict(str(folder / "items.db"), journal_mode="WAL") as items,
    ):
        for one in (fields, items):
            one.conn.execute("PRAGMA synchronous = NORMAL")
            _require_normal(one.conn.select_one("PRAGMA synchronous"))
        yield Store(Settled(fields, fields.commit), ListAsValue(Settled(items, items.commit)))


@contextmanager
def other_tinydb(folder: Path) -> Iterator[Store]:
    """An fsync after each write, of a file it overwrites, which a kill may leave torn."""
    with (
        closing(tinydb.TinyDB(folder / "fields.json")) as fields,
        closing(tinydb.TinyDB(folder / "items.json")) as items,
    ):
        yield Store(TinyMapping(fields), ListAsValue(TinyMapping(items)))


@contextmanager
def whole_file(folder: Path, *, fsync: bool) -> Iterator[Store]:
    """A dict in memory, written whole."""
    fields, items = WholeFile(folder / "fields.json", fsync=fsync), WholeFile(folder / "items.json", fsync=fsync)
    yield Store(fields, ListAsValue(items))


def _require_normal(row: tuple[int, ...]) -> None:
    if row != (1,):
        raise AssertionError(f"PRAGMA synchronous is {row}, not NORMAL")


Opener: TypeAlias = Callable[[Path], AbstractContextManager[Store]]
SQLITE: Final[dict[str, Opener]] = {
    "ours": our_sqlite,
    "diskcache": other_diskcache,
    "sqlitedict": other_sqlitedict,
}
JSON: Final[dict[str, Opener]] = {
    "ours": partial(our_json, fsync=True),
    "whole file, fsync": partial(whole_file, fsync=True),
    "tinydb": other_tinydb,
    "ours, fsync=off": partial(our_json, fsync=False),
    "whole file, no fsync": partial(whole_file, fsync=False),
}
CYCLES: Final = {
    "d[new] = v": "field",
    "del d[k]": "field",
    "l.append(v)": "end",
    "l.pop()": "end",
    "l.insert(0, v)": "start",
    "l.pop(0)": "start",
    "l.insert(middle, v)": "middle",
    "l.pop(middle)": "middle",
}
READS: Final = ("d[k]", "k in d", "len(d)", "l[i]")
LACKING: Final = {
    ("diskcache", "l.insert(middle, v)"),
    ("diskcache", "l.pop(middle)"),
    *product(("whole file, fsync", "whole file, no fsync"), READS),  # a look at a dict in memory is no work
}


def value_of(number: int) -> dict[str, Any]:
    """Return a value to store."""
    return {"name": f"name {number}", "age": number, "score": 1.5, "active": True, "tags": ["a", "b"]}


def calls(store: Store, size: int) -> dict[str, Call]:
    """Return what a store does for each row."""
    new, deleted, turn, middle = count(size).__next__, count(size).__next__, count().__next__, size // 2
    fields, items = store.fields, store.items
    push_left = getattr(items, "appendleft", lambda item: items.insert(0, item))
    pop_left = getattr(items, "popleft", lambda: items.pop(0))
    return {
        "d[k]": lambda i: fields[f"field {i}"],
        "k in d": lambda i: f"field {i}" in fields,
        "len(d)": lambda _: len(fields),
        "d[k] = v": lambda i: fields.__setitem__(f"field {i}", value_of(turn())),
        "d[new] = v": lambda i: fields.__setitem__(f"field {new()}", value_of(i)),
        "del d[k]": lambda _: fields.__delitem__(f"field {deleted()}"),
        "l[i]": lambda i: items[i],
        "l.append(v)": lambda i: items.append(value_of(i)),
        "l.pop()": lambda _: items.pop(),
        "l.insert(0, v)": lambda i: push_left(value_of(i)),
        "l.pop(0)": lambda _: pop_left(),
        "l.insert(middle, v)": lambda i: items.insert(middle, value_of(i)),
        "l.pop(middle)": lambda _: items.pop(middle),
    }


def measured(
    openers: dict[str, Opener],
    sizes: list[int],
    pace: Pace,
    titles: Container[str] | None = None,
) -> dict[str, Figures]:
    """Return figures by size.

    Args:
        openers: Open the contenders, the yardstick first.
        sizes: How much they hold, ascending.
        pace: Of each race.
        titles: Which rows, all unless given.
    """
    report: dict[str, Figures] = {}
    known: Figures = {}
    for last, size in zip([sizes[0], *sizes], sizes, strict=False):
        print(f"{', '.join(openers)}: {size:,}", file=sys.stderr, flush=True)
        with TemporaryDirectory() as place, ExitStack() as stack:
            stores = {
                name: _filled(stack, opener, Path(place, str(number)), size)
                for number, (name, opener) in enumerate(openers.items())
                if size <= LARGEST.get(name, size)
            }
            by_store = {name: calls(store, size) for name, store in stores.items()}
            rows = [
                Row(
                    title,
                    able := {name: made[title] for name, made in by_store.items() if (name, title) not in LACKING},
                    pace.batch,
                    {name: partial(call, 0) for name, call in able.items()} if pace.warm else {},
                    CYCLES.get(title, ""),
                )
                for title in by_store["ours"]
                if titles is None or title in titles
            ]
            rows = affordable(rows, known, last, size, pace.limit_s)
            known = race(rows, pace.rounds, size, pace.clock)
            report[str(size)] = known
    return report


def _filled(stack: ExitStack, opener: Opener, folder: Path, size: int) -> Store:
    folder.mkdir()
    store = stack.enter_context(opener(folder))
    with store.filling():
        for start in range(0, size, PIECE):
            piece = range(start, min(size, start + PIECE))
            store.fields.update({f"field {number}": value_of(number) for number in piece})
        store.items.extend([value_of(number) for number in range(size)])
    store.settle()
    return store

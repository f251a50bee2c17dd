"""Time dicts and lists kept on this machine beside other libraries' stores.

``python benchmarks/local.py 1000 100000 --outlive power`` fills each store with so many fields and items, lets all of
them do the same in turn, some rounds of it, and prints the median microseconds of each operation. With ``--outlive
power`` every write is on the disk when it returns, with ``--outlive kill`` in the hands of the system. Values are dicts
of five. A store that has no lists keeps one as the value of a field, as its users have to.

The others come with ``pip install --group bench``.
"""

from __future__ import annotations

import argparse
import platform
import shelve
import sqlite3
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, TypeAlias

import diskcache  # type: ignore[import-untyped] # it ships no types
import tinydb
from sqlitedict import SqliteDict  # type: ignore[import-untyped] # it ships no types
from tinydb import where

from persistent_collections import PersistentDict, PersistentList, connect

BATCH: Final = 20
BATCH_S: Final = 0.5
"""A batch is cut off after so many seconds: some stores write all they hold at each change."""

Mapping: TypeAlias = MutableMapping[str, Any]


class Store(NamedTuple):
    """A dict and a list, each write of theirs as lasting as was asked for."""

    fields: Mapping
    items: Any


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

    def pop(self, index: int) -> Any:
        items = self._fields["a list"]
        item = items.pop(index)
        self._fields["a list"] = items
        return item

    def __getitem__(self, index: int) -> Any:
        return self._fields["a list"][index]

    def __len__(self) -> int:
        return len(self._fields["a list"])


@contextmanager
def _ours(url: str, **options: Any) -> Iterator[Store]:
    with connect(url, **options) as backend:
        yield Store(PersistentDict("fields", backend=backend), PersistentList("items", backend=backend))


def our_sqlite(folder: Path, power: bool) -> AbstractContextManager[Store]:
    """Synchronous FULL (power) or NORMAL (kill)."""
    return _ours(f"sqlite:{folder}/store.db", synchronous="FULL" if power else "NORMAL")


def our_json(folder: Path, power: bool) -> AbstractContextManager[Store]:
    """With fsync (power) or without (kill)."""
    return _ours(f"json:{folder}", fsync=power)


@contextmanager
def other_diskcache(folder: Path, power: bool) -> Iterator[Store]:
    """Synchronous FULL (power) or NORMAL (kill); its lists have no insert and no pop but at the ends."""
    synchronous = {"sqlite_synchronous": 2 if power else 1, "eviction_policy": "none"}
    with (
        diskcache.Cache(str(folder / "fields"), **synchronous) as fields,
        diskcache.Cache(str(folder / "items"), **synchronous) as items,
    ):
        yield Store(diskcache.Index.fromcache(fields), diskcache.Deque.fromcache(items))


@contextmanager
def other_sqlitedict(folder: Path, power: bool) -> Iterator[Store]:
    """A write-ahead log and a commit after each write; synchronous FULL (power) or OFF (kill), as it sets it."""
    with (
        SqliteDict(str(folder / "fields.db"), journal_mode="WAL") as fields,
        SqliteDict(str(folder / "items.db"), journal_mode="WAL") as items,
    ):
        for one in (fields, items):
            if power:
                one.conn.execute("PRAGMA synchronous = FULL")
        yield Store(Settled(fields, fields.commit), ListAsValue(Settled(items, items.commit)))


@contextmanager
def other_shelve(folder: Path, power: bool) -> Iterator[Store]:  # noqa: ARG001 - it has no choice
    """A sync after each write, which is whatever the dbm takes for one: dbm.dumb has no fsync, so no power cut."""
    with shelve.open(str(folder / "fields")) as fields, shelve.open(str(folder / "items")) as items:  # noqa: S301 - its own
        yield Store(Settled(fields, fields.sync), ListAsValue(Settled(items, items.sync)))


@contextmanager
def other_tinydb(folder: Path, power: bool) -> Iterator[Store]:  # noqa: ARG001 - it has no choice
    """An fsync after each write in any case, of a file it overwrites, which a kill may leave torn."""
    with (
        closing(tinydb.TinyDB(folder / "fields.json")) as fields,
        closing(tinydb.TinyDB(folder / "items.json")) as items,
    ):
        yield Store(TinyMapping(fields), ListAsValue(TinyMapping(items)))


STORES: Final[dict[str, Callable[[Path, bool], AbstractContextManager[Store]]]] = {
    "ours, sqlite": our_sqlite,
    "ours, json": our_json,
    "diskcache": other_diskcache,
    "sqlitedict": other_sqlitedict,
    "shelve": other_shelve,
    "tinydb": other_tinydb,
}
Operation: TypeAlias = Callable[[Store, str, int], object]
OPERATIONS: Final[dict[str, Operation]] = {
    "d[k]": lambda store, field, _: store.fields[field],
    "k in d": lambda store, field, _: field in store.fields,
    "d[k] = v": lambda store, field, _: store.fields.__setitem__(field, value_of(7)),
    "d[new] = v": lambda store, field, _: store.fields.__setitem__(f"new {field}", value_of(7)),
    "del d[new]": lambda store, field, _: store.fields.pop(f"new {field}", None),
    "l[i]": lambda store, _, index: store.items[index],
    "l.append(v)": lambda store, _, index: store.items.append(value_of(index)),
    "l.insert(i, v)": lambda store, _, index: store.items.insert(index, value_of(index)),
    "l.pop(i)": lambda store, _, index: store.items.pop(index),
    "l.pop(0)": lambda store, _, __: store.items.popleft() if hasattr(store.items, "popleft") else store.items.pop(0),
}
LACKING: Final = {("diskcache", "l.insert(i, v)"), ("diskcache", "l.pop(i)")}


def value_of(number: int) -> dict[str, Any]:
    """Return a value to store."""
    return {"name": f"name {number}", "age": number, "score": 1.5, "active": True, "tags": ["a", "b"]}


def timed_us(operation: Operation, store: Store, size: int, random: Random) -> float:
    """Return the microseconds one operation takes, the mean of a batch."""
    done = 0
    start = time.perf_counter()
    for position in random.sample(range(size - BATCH), BATCH):
        operation(store, f"field {position}", position)
        done += 1
        if time.perf_counter() - start > BATCH_S:
            break
    return (time.perf_counter() - start) / done * 1e6


def measured(folder: Path, names: list[str], size: int, rounds: int, *, power: bool) -> dict[str, dict[str, float]]:
    """Return the median microseconds by operation and store."""
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in OPERATIONS}
    with ExitStack() as stack:
        stores = {}
        for name in names:
            place = folder / name.replace(", ", "-")
            place.mkdir()
            stores[name] = store = stack.enter_context(STORES[name](place, power))
            store.fields.update({f"field {number}": value_of(number) for number in range(size)})
            store.items.extend([value_of(number) for number in range(size)])
        for turn in range(rounds):
            for title, operation in OPERATIONS.items():
                for name, store in stores.items():
                    if (name, title) not in LACKING:
                        took = timed_us(operation, store, size, Random(turn))  # noqa: S311 - the same for all
                        figures[title].setdefault(name, []).append(took)
    return {title: {name: median(took) for name, took in row.items()} for title, row in figures.items()}


def print_table(names: list[str], figures: dict[str, dict[str, float]]) -> None:
    """Print microseconds, an operation a line and a store a column."""
    print("µs".ljust(16) + "".join(f"{name:>14}" for name in names))
    for title, row in figures.items():
        print(title.ljust(16) + "".join(f"{row[name]:>14,.0f}" if name in row else f"{'-':>14}" for name in names))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", type=int, nargs="*", default=[1000, 10_000], help="fields and items to start with")
    parser.add_argument("--outlive", choices=("kill", "power"), default="power", help="what a write must outlive")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--stores", nargs="*", choices=STORES, default=list(STORES))
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk that is to be timed")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, median of {given.rounds} rounds")
    for name in given.stores:
        print(f"  {name}: {STORES[name].__doc__}")
    for size in given.sizes:
        with TemporaryDirectory(dir=given.folder) as folder:
            print(f"\n{size:,} fields and {size:,} items, writes outlive {given.outlive}")
            figures = measured(Path(folder), given.stores, size, given.rounds, power=given.outlive == "power")
            print_table(given.stores, figures)


if __name__ == "__main__":
    main()

"""The bytes that stores keep: per record, per entry of an index, and per item of a dict, a list and a set."""

from __future__ import annotations

import gc
import sqlite3
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final, NamedTuple

from persistent_collections import (
    Backend,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    connect,
    indexed,
    unique,
)
from tests.servers import RunningServer, run_cluster, run_server

GROUPS: Final = 90
"""How many values of ``age`` there are."""
ITEMS_PER_RECORD: Final = 10
SETTLED_S: Final = 1.2
"""After so long, a server has given up the buffers of what it received, and knows how large those are that are left."""
VALUES: Final = {"name": "Luke Skywalker", "city": "Tatooine"}
TITLES: Final = ("record", "unique entry", "plain entry", "dict item", "list item", "set item")


class NoIndex(Record, name="Scaled0"):
    """A record without an index; the names of all three are equally long."""

    name: str
    city: str
    email: str
    age: int


class OneIndex(Record, name="Scaled1"):
    """A record with a unique field."""

    name: str
    city: str
    email: Annotated[str, unique]
    age: int


class TwoIndexes(Record, name="Scaled2"):
    """A record with a unique field and another that is found."""

    name: str
    city: str
    email: Annotated[str, unique]
    age: Annotated[int, indexed]


class Store(NamedTuple):
    """An empty store of one kind.

    Attributes:
        backend: The store.
        used_bytes: Returns how many bytes it keeps now.
        servers: Its servers.
    """

    backend: Backend
    used_bytes: Callable[[], int]
    servers: tuple[RunningServer, ...] = ()


@contextmanager
def in_memory() -> Iterator[Store]:
    """In this process, by what Python allocates while it is traced."""

    def used_bytes() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    with connect("memory:") as backend:
        yield Store(backend, used_bytes)


@contextmanager
def in_json() -> Iterator[Store]:
    """In files, without what the file system adds."""
    with TemporaryDirectory() as folder, connect(f"json:{folder}?fsync=off") as backend:
        files = Path(folder)
        yield Store(backend, lambda: sum(file.stat().st_size for file in files.rglob("*.json")))


@contextmanager
def in_sqlite() -> Iterator[Store]:
    """In a file, with nothing left in the log."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "store.db")

        def used_bytes() -> int:
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            return path.stat().st_size

        with connect(f"sqlite:{path}") as backend:
            yield Store(backend, used_bytes)


def _used(servers: tuple[RunningServer, ...]) -> int:
    """Return what servers keep apart from buffers of connections."""
    total = 0
    time.sleep(SETTLED_S)
    for server in servers:
        with server.client() as client:
            told = client.info("memory")
            total += told["used_memory"] - told["mem_clients_normal"]
    return total


@contextmanager
def in_redis() -> Iterator[Store]:
    """In the memory of a server."""
    with run_server() as server, connect(server.url) as backend:
        yield Store(backend, lambda: _used((server,)), (server,))


@contextmanager
def in_cluster() -> Iterator[Store]:
    """In the memory of three servers without replicas."""
    with run_cluster() as cluster, connect(cluster.url) as backend:
        nodes = tuple(cluster.nodes)
        yield Store(backend, lambda: _used(nodes), nodes)


STORES: Final = {"memory": in_memory, "JSON": in_json, "SQLite": in_sqlite, "Redis": in_redis, "Cluster": in_cluster}


def measured(sizes: Mapping[str, int]) -> dict[str, dict[str, float]]:
    """Return the bytes by store and title.

    Args:
        sizes: How many records are added to as many in each store, and a tenth of the items.
    """
    report = {}
    tracemalloc.start()
    for name, open_store in STORES.items():
        found = []
        for fill, count in _fills(sizes[name]):
            with open_store() as store:  # each in one of its own, so that tables grow alike
                fill(store.backend, range(count))
                before = store.used_bytes()
                fill(store.backend, range(count, 2 * count))  # in which each table doubles once
                found.append((store.used_bytes() - before) / count)
        plain, one, two, *items = found
        report[name] = dict(zip(TITLES, (plain, one - plain, two - one, *items), strict=True))
        tracemalloc.stop()  # only the first store is in this process
    return report


def _fills(size: int) -> Iterator[tuple[Callable[[Backend, range], object], int]]:
    """Yield what adds so many of each kind to a store, and how many."""
    for cls in (NoIndex, OneIndex, TwoIndexes):
        yield partial(_records, cls), size
    for kind in (PersistentDict, PersistentList, PersistentSet):
        yield partial(_items, kind), ITEMS_PER_RECORD * size


def _records(cls: Any, backend: Backend, numbers: range) -> None:
    for number in numbers:
        ident = f"{number:07}"
        cls.create(ident, backend=backend, email=f"{ident}@example.com", age=number % GROUPS, **VALUES)


def _items(kind: Any, backend: Backend, numbers: range) -> None:
    texts = [f"value {number:07}" for number in numbers]
    stored = kind("items", backend=backend)
    if kind is PersistentList:
        stored.extend(texts)
    else:
        stored.update(
            {f"field {number:07}": text for number, text in zip(numbers, texts, strict=True)}
            if kind is PersistentDict
            else texts
        )

"""What operations cost in processor time, of the program and of the servers, on each kind of store."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest import mock

from benchmarks.scale.sizes import GROUPS, STORES, VALUES, NoIndex, Store, TwoIndexes
from benchmarks.timing import Clock, pin
from persistent_collections import Backend, NotUnique, PersistentDict, PersistentList, PersistentSet
from persistent_collections.backends.redis import claims
from tests.servers import RunningServer

BATCH: Final = 50
PAGE: Final = 20
STRIDE: Final = 7
"""Records and items are used in an order that is not that in which they were made."""

READ: Final = "`r.name`"
WRITE: Final = "`r.name = v`"
INDEXED: Final = "`r.age = v`, indexed"
TAKEN: Final = "create, refused: the value is taken"
FIND_ONE: Final = "find by a unique value"
FIND_PAGE: Final = f"find a page of {PAGE}"


class Seconds(NamedTuple):
    """Processor time of one operation.

    Attributes:
        client: Of this process.
        server: Of all servers together.
    """

    client: float
    server: float


def measured(sizes: Mapping[str, int], rounds: Mapping[str, int]) -> dict[str, dict[str, Seconds]]:
    """Return the processor time by store and operation, the least of all rounds.

    Args:
        sizes: How many records and items there are before, by store.
        rounds: How often everything is done, by store.
    """
    report, cores = {}, os.sched_getaffinity(0)
    pin()  # servers too, since waking up another core costs more than what is measured
    try:
        for name, open_store in STORES.items():
            with aged(), open_store() as store:
                fill(store.backend, sizes[name])
                calls = operations(store.backend, sizes[name])
                report[name] = _fastest(store, calls, rounds[name], sizes[name])
    finally:
        os.sched_setaffinity(0, cores)
    return report


def aged() -> AbstractContextManager[object]:
    """Let all entries on a cluster count as old within the block, as they do after ten minutes."""
    return mock.patch.object(claims, "MARGIN_US", 1 - claims.WINDOW_US)


def fill(backend: Backend, size: int) -> None:
    """Make records, and a dict, a list and a set of as many items."""
    for number in range(size):
        TwoIndexes.create(f"n{number}", backend=backend, **values(number))
    items = [f"value {number}" for number in range(size)]
    PersistentDict("d", backend=backend).update({f"field {number}": item for number, item in enumerate(items)})
    PersistentList("l", backend=backend).extend(items)
    PersistentSet("s", backend=backend).update(items)


def values(number: int) -> dict[str, Any]:
    """Return the fields of a record."""
    return {"email": f"n{number}@example.com", "age": number % GROUPS, **VALUES}


def operations(backend: Backend, size: int) -> dict[str, Callable[[int], object]]:
    """Return what each operation does, given a number below ``size``."""
    d: Any = PersistentDict("d", backend=backend)
    items: Any = PersistentList("l", backend=backend)
    members: Any = PersistentSet("s", backend=backend)
    new = count(size)
    handles = [TwoIndexes.ref(f"n{number}", backend=backend) for number in range(size)]

    def create(cls: Any) -> None:
        number = next(new)
        cls.create(f"n{number}", backend=backend, **values(number))

    def taken(number: int) -> None:
        with suppress(NotUnique):
            TwoIndexes.create(f"taken {next(new)}", backend=backend, **values(number))

    return {
        "`d[k]`": lambda i: d[f"field {i}"],
        "`d[k] = v`": lambda i: d.__setitem__(f"field {i}", f"value {next(new)}"),
        "`l.append(v)`": lambda i: items.append(f"value {i}"),
        "`s.add(v)`": lambda _: members.add(f"value {next(new)}"),
        READ: lambda i: handles[i].name,
        WRITE: lambda i: setattr(handles[i], "name", f"Luke {i}"),
        INDEXED: lambda i: setattr(handles[i], "age", (i + 1) % GROUPS),
        "create, no index": lambda _: create(NoIndex),
        "create, two indexes": lambda _: create(TwoIndexes),
        TAKEN: taken,
        FIND_ONE: lambda i: TwoIndexes.find(email=f"n{i}@example.com", backend=backend).one(),
        FIND_PAGE: lambda i: list(TwoIndexes.find(age=i % GROUPS, backend=backend).limit(PAGE)),
    }


def _fastest(store: Store, calls: Mapping[str, Callable[[int], object]], rounds: int, size: int) -> dict[str, Seconds]:
    at_work = work_of(store.servers)
    best: dict[str, Seconds] = {}
    for turn in range(rounds + 1):
        for title, call in calls.items():
            server, client = at_work(), time.process_time()
            for number in range(BATCH):
                call((turn * BATCH + number) * STRIDE % size)
            client, server = time.process_time() - client, at_work() - server
            took = Seconds(client / BATCH, server / BATCH)
            best[title] = min(best.get(title, took), took, key=sum)
    return best


def work_of(servers: Sequence[RunningServer]) -> Clock:
    """Return a clock of the processor time of some servers.

    Source: Linux ``/proc/<pid>/schedstat``.
    """
    files = [Path(f"/proc/{server.pid}/schedstat") for server in servers]
    return lambda: sum(int(file.read_bytes().split()[0]) for file in files) / 1e9

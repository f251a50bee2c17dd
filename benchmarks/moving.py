"""Whole stores moved, exported, read and checked: ``python -m benchmarks.moving``.

For each work, it prints what one object costs: milliseconds in which this process and the servers are at work, the best
of a few rounds, and accesses to stores. An access is a round trip to a server, a transaction of SQLite, or a step that
reads or writes files of JSON. Waiting for the disk and the network is not in the milliseconds. Every second object has
a child.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from benchmarks.timing import Clock, busy_s, pin
from persistent_collections import Backend, PersistentList, Record, child, connect, migrate
from persistent_collections.backends.json.journal import Journal
from persistent_collections.backends.json.store import Store
from persistent_collections.backends.redis.connection import Exchange
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.checking import check
from persistent_collections.moving import copy, export, import_
from tests.servers import run_cluster, run_server

ACCESSES: Final[Mapping[str, tuple[type, list[str]]]] = {
    "Redis": (Exchange, ["send"]),
    "SQLite reads": (Database, ["read", "ask"]),
    "SQLite writes": (Database, ["write", "change"]),
    "JSON reads": (Store, ["read", "read_one"]),
    "JSON writes": (Journal, ["write"]),
}
"""The methods whose calls are counted."""


class Person(Record):
    """A record of the usual size."""

    name: str
    email: str
    age: int
    tags: PersistentList[str] = child()


class Measured(NamedTuple):
    """What one object cost.

    Attributes:
        ms: Milliseconds.
        accesses: The number of accesses by what they are to.
    """

    ms: float
    accesses: Mapping[str, float]

    def __str__(self) -> str:
        shown = ", ".join(f"{number:.3g} {name}" for name, number in self.accesses.items() if number)
        return f"{self.ms:8.3f} ms   {shown}"


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    """Yield the number of accesses so far in the block, by what they are to."""
    found = dict.fromkeys(ACCESSES, 0)
    with ExitStack() as stack:
        for name, (cls, methods) in ACCESSES.items():
            for method in methods:
                original = getattr(cls, method)
                stack.callback(setattr, cls, method, original)
                setattr(cls, method, _counted(original, name, found))
        yield found


def _counted(original: Callable[..., Any], name: str, found: dict[str, int]) -> Callable[..., Any]:
    def method(*args: Any, **kwargs: Any) -> Any:
        found[name] += 1
        return original(*args, **kwargs)

    return method


def fill(backend: Backend, size: int) -> None:
    """Make ``size`` records, every second one with a child."""
    for number in range(size):
        tags = {"tags": ["a", "b", "c"]} if number % 2 else {}
        name = f"Person {number}"
        Person.create(number, name=name, email=f"p{number}@example.com", age=40, backend=backend, **tags)


def clear(backend: Backend) -> None:
    """Delete all records."""
    for person in list(Person.all(backend=backend)):
        person.delete()


class Meter(NamedTuple):
    """How a work is measured.

    Attributes:
        size: The number of objects.
        rounds: Of which the best counts.
        clock: Gives seconds.
    """

    size: int
    rounds: int
    clock: Clock


def measured(work: Callable[[], object], meter: Meter, before: Callable[[], object] = bool) -> Measured:
    """Return what one object costs in the best of a few rounds."""
    size, rounds, clock = meter
    times: list[float] = []
    for _ in range(rounds):
        before()
        start = clock()
        work()
        times.append(clock() - start)
    before()
    with counting() as found:
        work()
    return Measured(min(times) / size * 1000, {name: number / size for name, number in found.items()})


def in_store(backend: Backend, size: int) -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Yield each work within one store: its name, what does it, and what is done before."""
    file = BytesIO()

    def write() -> None:
        file.seek(0)
        file.truncate()
        export(backend, file)

    def read() -> None:
        file.seek(0)
        import_(file, backend)

    def require(number: int) -> None:
        if number != size:
            raise ValueError(f"{number} objects were read instead of {size}")

    yield "export", write, bool
    yield "import", read, lambda: clear(backend)
    yield "import again", read, bool
    yield "all", lambda: require(sum(1 for _ in Person.all(backend=backend))), bool
    yield "fetch", lambda: require(sum(1 for _ in Person.all(backend=backend).fetch("name", "age"))), bool
    yield "check", lambda: list(check(backend)), bool
    yield "migrate, dry run", lambda: migrate(Person, backend=backend, dry_run=True), bool


def stores(stack: ExitStack, folder: Path, names: list[str]) -> tuple[dict[str, tuple[Backend, Backend]], Clock]:
    """Return two stores of each kind, and a clock of the time that this process and their servers are at work."""
    clocks: list[Clock] = []

    def of_server(run: Any) -> tuple[Backend, Backend]:
        started = [stack.enter_context(run()) for _ in range(2)]
        clocks.extend(busy_s(node.pid) for one in started for node in getattr(one, "nodes", [one]))
        one, other = (connect(each.url) for each in started)
        return one, other

    def at_work_s() -> float:
        here = time.process_time()
        return here + sum(clock() - here for clock in clocks)

    makes: dict[str, Callable[[], tuple[Backend, Backend]]] = {
        "memory": lambda: (connect("memory:one"), connect("memory:other")),
        "JSON": lambda: (connect(f"json:{folder}/one"), connect(f"json:{folder}/other")),
        "SQLite": lambda: (connect(f"sqlite:{folder}/one.db"), connect(f"sqlite:{folder}/other.db")),
        "Redis": lambda: of_server(run_server),
        "Cluster": lambda: of_server(run_cluster),
    }
    return {name: make() for name, make in makes.items() if name in names}, at_work_s


def main() -> None:
    """Measure all pairs of stores."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--size", type=int, default=1000, help="how many objects")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    parser.add_argument("--stores", nargs="*", default=["memory", "JSON", "SQLite", "Redis", "Cluster"])
    given = parser.parse_args()
    size = given.size
    pin()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        made, clock = stores(stack, Path(folder), given.stores)
        meter = Meter(size, given.rounds, clock)
        for name, (source, _) in made.items():
            fill(source, size)
            for title, work, before in in_store(source, size):
                print(f"{f'{title}, {name}':28}{measured(work, meter, before)}", flush=True)
        for name, (source, _) in made.items():
            for other, (_, target) in made.items():
                cost = measured(partial(copy, source, target), meter, partial(clear, target))
                print(f"{f'copy, {name} to {other}':28}{cost}", flush=True)


if __name__ == "__main__":
    main()

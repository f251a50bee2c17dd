"""The costs of indexes, beside the plain commands by redis-py: ``python -m benchmarks.indexes``.

Each row is timed in one run, the contenders in turn. ``--store redis`` keeps our process and the server on one core,
and times the work of both. ``apart`` keeps each on a core of its own, and times how long a caller waits, by the clock
of the wall: the machine must be idle. ``cluster`` measures three nodes, by the clock of the wall; ``sqlite`` and
``json`` by that of the processor.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from itertools import count
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import redis

from benchmarks.timing import Call, Clock, Figures, Row, busy_s, part, pin, race
from persistent_collections import Backend, Record, connect, indexed, unique
from tests.servers import run_cluster, run_server

BATCH: Final = 20
ROUNDS: Final = 100
SIZE: Final = 100_000
GROUPS: Final = 90
VALUES: Final = {"name": "Luke Skywalker", "city": "Tatooine"}


class Plain(Record):
    """A record without an index."""

    name: str
    city: str
    email: str
    age: int


class OneIndex(Record):
    """A record with a unique field."""

    name: str
    city: str
    email: Annotated[str, unique]
    age: int


class TwoIndexes(Record):
    """A record with a unique field and another that is found."""

    name: str
    city: str
    email: Annotated[str, unique]
    age: Annotated[int, indexed]


def fill(backend: Backend, size: int) -> float:
    """Make ``size`` records and return the seconds that it took."""
    start = time.perf_counter()
    for number in range(size):
        TwoIndexes.create(f"n{number}", backend=backend, email=f"n{number}", age=number % GROUPS, **VALUES)
    return time.perf_counter() - start


def writes(backend: Backend, size: int, client: Any = None) -> list[Row]:
    """Return the races of writes: redis-py first, if there is a client, else records without an index."""
    new = count(size)
    handles = [TwoIndexes.load(f"n{number}", backend=backend) for number in range(min(size, 100))]
    plain = Plain.create("plain", backend=backend, email="", age=0, **VALUES)

    def hset(number: int) -> None:
        ident = next(new)
        client.hset(f"h:{ident}", mapping={**VALUES, "email": f"n{ident}", "age": number})

    def create(cls: Any) -> Call:
        def make(number: int) -> None:
            ident = next(new)
            cls.create(f"n{ident}", backend=backend, email=f"n{ident}", age=number % GROUPS, **VALUES)

        return make

    def set_age(number: int) -> None:
        handles[number % len(handles)].age = number % GROUPS

    def set_name(number: int) -> None:
        handles[number % len(handles)].name = f"Luke {number}"

    def set_plain(number: int) -> None:
        plain.name = f"Luke {number}"

    creates = {
        "redis-py": hset,
        "no index": create(Plain),
        "unique": create(OneIndex),
        "unique and another": create(TwoIndexes),
    }
    sets = {
        "redis-py": lambda number: client.hset(f"h:{number}", "name", "Luke"),
        "no index": set_plain,
        "not indexed": set_name,
        "indexed": set_age,
    }
    return [
        Row("create (HSET)", _without_client(creates, client), BATCH),
        Row("set one field (HSET)", _without_client(sets, client), BATCH),
    ]


def finds(backend: Backend, client: Any = None) -> list[Row]:
    """Return the races of finds: redis-py first, if there is a client, else reading a field of a record."""

    def hget(number: int) -> object:
        return client.hget(f"TwoIndexes:n{number}", "name")

    def read(number: int) -> object:
        return TwoIndexes.ref(f"n{number}", backend=backend).name

    def first(number: int) -> object:
        return TwoIndexes.find(email=f"n{number}", backend=backend).first()

    def page(limit: int) -> Call:
        return lambda number: list(TwoIndexes.find(age=number % GROUPS, backend=backend).limit(limit))

    def counted(number: int) -> int:
        return TwoIndexes.find(age=number % GROUPS, backend=backend).count()

    unique_values = {"redis-py": hget, "read a field": read, "first()": first}
    many = {"redis-py": hget, "read a field": read, "20": page(20), "1,000": page(1000), "count()": counted}
    return [
        Row("find by a unique value (HGET)", _without_client(unique_values, client), BATCH),
        Row("find many (HGET)", _without_client(many, client), 5),
    ]


def _without_client(calls: dict[str, Call], client: Any) -> dict[str, Call]:
    return {name: call for name, call in calls.items() if client is not None or name != "redis-py"}


def memory(server: redis.Redis, backend: Backend, size: int) -> dict[str, float]:
    """Return the bytes that a server keeps per record of each class."""
    took = {}
    for cls in (Plain, OneIndex, TwoIndexes):
        maker: Any = cls
        before = server.info("memory")["used_memory"]
        for number in range(size):
            email = f"{cls.__name__}{number}@example.com"
            maker.create(f"m{number}", backend=backend, email=email, age=number % GROUPS, **VALUES)
        took[cls.__name__] = (server.info("memory")["used_memory"] - before) / size
    return took


def main() -> None:
    """Print each row with its times and ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each race")
    parser.add_argument("--size", type=int, default=SIZE, help="records that are there")
    parser.add_argument(
        "--store", choices=["redis", "apart", "cluster", "sqlite", "json"], default="redis", help="to measure"
    )
    given = parser.parse_args()
    with ExitStack() as stack:
        if given.store == "cluster":
            cluster = stack.enter_context(run_cluster())
            compare(connect(cluster.url), given.size, given.rounds, time.perf_counter, cluster.client())
            return
        if given.store == "apart":
            server = stack.enter_context(run_server())
            part(server.pid)
            client = stack.enter_context(redis.Redis(port=server.port))
            compare(connect(server.url), given.size, given.rounds, time.perf_counter, client)
            return
        pin()
        if given.store == "redis":
            server = stack.enter_context(run_server())
            client = stack.enter_context(redis.Redis(port=server.port))
            for name, size in memory(client, connect(server.url), min(given.size, 10_000)).items():
                print(f"{name}: {size:.0f} bytes per record")
            compare(connect(server.url), given.size, given.rounds, busy_s(server.pid), client)
        else:
            url = f"{given.store}:{stack.enter_context(TemporaryDirectory())}/store"
            compare(connect(url), given.size, given.rounds, time.process_time)


def compare(backend: Backend, size: int, rounds: int, clock: Clock, client: Any = None) -> None:
    """Make ``size`` records, then race and print all rows."""
    print(f"{size} records made in {fill(backend, size):.1f} s")
    show(race([*writes(backend, size, client), *finds(backend, client)], rounds, size, clock))


def show(figures: Figures) -> None:
    """Print what was measured."""
    for title, cells in figures.items():
        times = ", ".join(f"{name} {cell.seconds * 1e6:.0f} µs ({cell.ratio:.2f})" for name, cell in cells.items())
        print(f"{title}: {times}")


if __name__ == "__main__":
    main()

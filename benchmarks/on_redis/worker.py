"""Measures some contenders in the environment it runs in: ``python -m benchmarks.on_redis.worker``; prints JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import redis

from benchmarks.on_redis import answers, work
from benchmarks.on_redis.work import Contender
from benchmarks.timing import Clock, Figures, Row, affordable, busy_s, race
from tests.proxy import counted

COUNTED: Final = 100_000
"""Up to this size round trips are counted."""

MANY: Final = 10_000
"""From this size on there are fewer rounds of fewer calls."""


class Server(NamedTuple):
    """What the contenders work on.

    Attributes:
        port: On 127.0.0.1.
        clock: Gives the seconds it and this process were at work.
    """

    port: int
    clock: Clock


def measured(server: Server, names: list[str], sizes: list[int], rounds: int) -> dict[str, Any]:
    """Return everything about the contenders called ``names``: figures, traffic and faults."""
    report: dict[str, Any] = {"versions": {}, "faults": {}, "traffic": {}, "times": {}}
    for name in names:
        distribution = "persistent-collections" if name == "ours" else "redis" if name.startswith("redis-py") else name
        report["versions"][name] = version(distribution)
        if not name.startswith("redis-py"):
            report["faults"][name] = answers.faults(lambda size, name=name: _made(name, server.port, 0, size))
    known: Figures = {}
    for last, size in zip([sizes[0], *sizes], sizes, strict=False):
        rows, known = _race(server, names, (last, size), rounds, known)
        report["times"][str(size)] = known
        for name in names if size <= COUNTED else ():
            for title, counts in _traffic(server.port, name, size, rows):
                report["traffic"].setdefault(title, {}).setdefault(name, {})[str(size)] = counts
    return report


def _race(
    server: Server, names: list[str], sizes: tuple[int, int], rounds: int, known: Figures
) -> tuple[list[Row], Figures]:
    last, size = sizes
    contenders = {name: _made(name, server.port, database, size) for database, name in enumerate(names)}
    rows = affordable(work.rows(contenders, 50 if size < MANY else 20), known, last, size)
    single = [row for row in rows if row.title in work.SINGLES + (work.RECORDS if last == size else ())]
    whole = [row for row in rows if row.title in work.BULK + work.WALKS]
    print(f"{', '.join(names)}: {size:,}", file=sys.stderr, flush=True)
    figures = race(single, rounds if size < MANY else max(1, rounds // 2), size, server.clock)
    figures |= race(whole, max(1, min(rounds, 500_000 // size)) if size > MANY else rounds, size, server.clock)
    return rows, figures


def _made(name: str, port: int, database: int, size: int) -> Contender:
    """Return a contender in a database it has to itself."""
    with redis.Redis(port=port, db=database) as client:
        client.flushdb()
    return work.contender(name)(port, database, size)


def _traffic(port: int, name: str, size: int, rows: list[Row]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield round trips and commands of one call of each row."""
    with counted(port) as proxy, redis.Redis(port=port) as observer:
        contender = _made(name, proxy.port, 0, size)
        for row in rows:
            if name in row.calls:
                call, before = contender.calls[row.title], contender.before.get(row.title, bool)
                if row.title not in work.WALKS:  # connections and scripts are there from then on
                    before()
                    call(0)
                before()
                commands = _commands(observer)
                proxy.reset()
                call(1)
                yield row.title, (proxy.trips, _commands(observer) - commands)


def _commands(observer: redis.Redis) -> int:
    """Return how many commands the server has executed, those within scripts included, this question not."""
    statistics: Mapping[str, Mapping[str, int]] = observer.info("commandstats")
    return sum(each["calls"] for command, each in statistics.items() if command != "cmdstat_info")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+", choices=work.MODULES)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--server", type=int, required=True, help="its process id")
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    given = parser.parse_args()
    print(json.dumps(measured(Server(given.port, busy_s(given.server)), given.names, given.sizes, given.rounds)))


if __name__ == "__main__":
    main()

"""Requests of five reads on an event loop, many at a time: ``python -m benchmarks.aio``.

``run`` with threads, ``run`` with the bridge, and redis.asyncio doing the same calls: by a pool of 40 connections, by
one for each request, and by a single one. Each has its time-outs on. They take turns, round after round, on one core
that they share with the server. Time is that in which one of the two is at work, as on an idle machine. A ticker on the
loop notes how long it stood still.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, Final, NamedTuple, TypeAlias

import redis.asyncio

from benchmarks.timing import Clock, busy_s, pin
from persistent_collections import PersistentDict, connect, use_backend
from persistent_collections.aio import configure, run
from tests.servers import run_server

Request: TypeAlias = Callable[[], Awaitable[Any]]

OPERATIONS: Final = 5
TIMEOUT_S: Final = 5.0
CONNECTIONS: Final = 40
TICK_S: Final = 0.001
VALUES: Final = {"a": 1, "b": "two", "c": 3.5}


class Round(NamedTuple):
    """What one contender did in one round.

    Attributes:
        per_s: Requests in a second.
        stall_s: The longest time for which the loop stood still.
    """

    per_s: float
    stall_s: float


def read() -> None:
    """Make the request of this library."""
    values = PersistentDict[str, Any]("d")
    for _ in range(OPERATIONS):
        assert values["b"] == "two"  # noqa: S101 - so that none is quick for being wrong


async def measured(request: Request, at_once: int, requests: int, clock: Clock) -> Round:
    """Make requests, ``at_once`` at a time."""
    stalls = [0.0]

    async def tick() -> None:
        while True:
            before = clock()
            await asyncio.sleep(TICK_S)
            stalls.append(clock() - before)

    async def work(_: int) -> None:
        for _ in range(requests // at_once):
            await request()

    ticker = asyncio.create_task(tick())
    begun = clock()
    await asyncio.gather(*map(work, range(at_once)))
    took = clock() - begun
    ticker.cancel()
    return Round(requests // at_once * at_once / took, max(stalls))


async def ours(url: str, at_once: int, requests: int, clock: Clock, *, bridge: bool) -> Round:
    """Measure ``run``."""
    configure(bridge=bridge)
    with connect(url, socket_timeout=TIMEOUT_S) as backend, use_backend(backend):
        await run(read)
        return await measured(lambda: run(read), at_once, requests, clock)


async def of_redis_asyncio(port: int, at_once: int, requests: int, clock: Clock, *, connections: int) -> Round:
    """Measure redis.asyncio."""
    pool = redis.asyncio.BlockingConnectionPool(
        max_connections=connections, timeout=None, port=port, socket_timeout=TIMEOUT_S
    )
    client = redis.asyncio.Redis(connection_pool=pool)

    async def request() -> None:
        for _ in range(OPERATIONS):
            data: Any = client.hget("PersistentDict:d", "b")  # typed as for both kinds of client
            assert json.loads(await data) == "two"  # noqa: S101 - so that none is quick for being wrong

    await request()
    try:
        return await measured(request, at_once, requests, clock)
    finally:
        await client.aclose()
        await pool.disconnect()


def race(at_once: int, requests: int, rounds: int) -> None:
    """Let all take turns, and print a table."""
    took: dict[str, list[Round]] = defaultdict(list)
    pin()
    with run_server() as server:
        with connect(server.url) as backend:
            PersistentDict("d", VALUES, backend=backend)
        given = at_once, requests, busy_s(server.pid)
        contenders: dict[str, Callable[[], Any]] = {
            "redis.asyncio, 40 connections": lambda: of_redis_asyncio(server.port, *given, connections=CONNECTIONS),
            "redis.asyncio, a connection each": lambda: of_redis_asyncio(server.port, *given, connections=at_once),
            "redis.asyncio, 1 connection": lambda: of_redis_asyncio(server.port, *given, connections=1),
            "run, threads": lambda: ours(server.url, *given, bridge=False),
            "run, bridge": lambda: ours(server.url, *given, bridge=True),
        }
        for _ in range(rounds):
            for name, contend in contenders.items():
                gc.collect()
                took[name].append(asyncio.run(contend()))
    yardstick = [each.per_s for each in next(iter(took.values()))]
    print(f"\n{at_once} requests at a time, medians of {rounds} rounds\n")
    print("| | requests/s | times redis.asyncio | longest stall, ms | worst of all rounds, ms |\n|---|---|---|---|---|")
    for name, each in took.items():
        ratio = median(one.per_s / other for one, other in zip(each, yardstick, strict=True))
        stalls = [one.stall_s * 1000 for one in each]
        print(
            f"| {name} | {median(one.per_s for one in each):,.0f} | {ratio:.2f} "
            f"| {median(stalls):.0f} | {max(stalls):.0f} |"
        )


def main() -> None:
    """Print a table for 50 and one for 500 requests at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=3000, help="of each contender in each round")
    given = parser.parse_args()
    for at_once in (50, 500):
        race(at_once, given.requests, given.rounds)


if __name__ == "__main__":
    main()

"""A million items: what an iteration holds in memory, and how a bulk write travels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from persistent_collections import PersistentDict, PersistentList, PersistentSet, connect
from persistent_collections.backends.redis.node import Exchange
from tests.servers import RunningServer

pytestmark = pytest.mark.slow

MILLION = 1_000_000
MAX_ARGUMENTS = 500_000
VALUE = "v" * 100
MIB = 2**20


@pytest.fixture
def big(server: RunningServer) -> Iterator[RunningServer]:
    """Give a server with a list, a dict and a set of a million items, put there without the library."""
    with server.client() as client:
        for start in range(0, MILLION, 100_000):
            names = [f"{number:07}" for number in range(start, start + 100_000)]
            client.rpush("PersistentList:big", *[f'"{VALUE}"'] * len(names))
            client.hset("PersistentDict:big", mapping=dict.fromkeys(names, f'"{VALUE}"'))
            client.sadd("PersistentSet:big", *names)
    yield server
    server.flush()


def walked(items: Iterable[Any]) -> tuple[int, float]:
    """Return how many items there are, and the most memory that walking over them took, in MiB."""
    tracemalloc.start()
    try:
        count = sum(1 for _ in items)
        return count, tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


def test_a_walk_over_a_million_holds_a_page_of_values_and_the_names_it_has_seen(big: RunningServer) -> None:
    with connect(big.url) as backend:
        count, list_mib = walked(PersistentList("big", backend=backend))
        assert (count, list_mib < 10) == (MILLION, True)
        count, set_mib = walked(PersistentSet("big", backend=backend))
        assert count == MILLION
        count, dict_mib = walked(PersistentDict("big", backend=backend).items())
        assert count == MILLION
        values_mib = MILLION * len(VALUE) / MIB
        assert dict_mib < set_mib + values_mib / 4, "the names are remembered, and of the values a page"


@pytest.mark.parametrize("change", ["extend", "assign", "update", "add"])
def test_a_write_of_a_million_is_one_step_of_commands_that_any_server_takes(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    sent: list[Sequence[Sequence[object]]] = []
    send = Exchange.send

    def noted(exchange: Exchange, commands: Sequence[Any]) -> None:
        sent.append(commands)
        send(exchange, commands)

    monkeypatch.setattr(Exchange, "send", noted)
    with connect(server.url) as backend:
        items, fields = PersistentList[int]("big", backend=backend), PersistentDict("big", backend=backend)
        members = PersistentSet("big", backend=backend)
        match change:
            case "extend":
                items.extend(range(MILLION))
            case "assign":
                items[:] = range(MILLION)
            case "update":
                fields.update(dict.fromkeys(map(str, range(MILLION)), 1))
            case "add":
                members.update(map(str, range(MILLION)))
        written = [commands for commands in sent if max(map(len, commands)) > 1000]
        assert len(written) == 1, "all of it goes at once"
        assert written[0][0] == ("MULTI",)
        assert max(map(len, written[0])) <= MAX_ARGUMENTS
        assert len(items) + len(fields) + len(members) == MILLION

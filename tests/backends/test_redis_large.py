"""A million items: what an iteration holds in memory, and how a bulk write travels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

from persistent_collections import PersistentDict, PersistentList, PersistentSet, connect
from persistent_collections.backends.handles import SequenceStore
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis.connection import Exchange
from tests.servers import RunningServer

pytestmark = [pytest.mark.store("server"), pytest.mark.slow]

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


@pytest.mark.parametrize("change", ["extend", "update", "add"])
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
            case "update":
                fields.update(dict.fromkeys(map(str, range(MILLION)), 1))
            case "add":
                members.update(map(str, range(MILLION)))
        written = [commands for commands in sent if max(map(len, commands)) > 1000]
        assert len(written) == 1, "all of it goes at once"
        assert written[0][0] == ("MULTI",)
        assert max(map(len, written[0])) <= MAX_ARGUMENTS
        assert len(items) + len(fields) + len(members) == MILLION


MIDDLE = MILLION // 2
LOOKS = 10
"""Looks at all items that the longest of these changes may take, on a machine that other programs use too."""
X: list[bytes] = [b"x"]
CHANGES: dict[str, Callable[[SequenceStore], object]] = {
    "del l[m]": lambda store: store.pop(MIDDLE),
    "del l[m:m+2]": lambda store: store.splice(MIDDLE, MIDDLE + 2, []),
    "del l[m:m+1000]": lambda store: store.splice(MIDDLE, MIDDLE + 1000, []),
    "del l[m:]": lambda store: store.splice(MIDDLE, None, []),
    "del l[::1000]": lambda store: store.delete_stride(slice(None, None, 1000)),
    "l.insert(m, x)": lambda store: store.insert(MIDDLE, b"x"),
    "l.insert(0.9n, x)": lambda store: store.insert(MILLION * 9 // 10, b"x"),
    "l[m:m+2] = 2": lambda store: store.splice(MIDDLE, MIDDLE + 2, X * 2),
    "l[m:m+2] = 3": lambda store: store.splice(MIDDLE, MIDDLE + 2, X * 3),
    "l[:] = 10": lambda store: store.splice(None, None, X * 10),
    "l[:] = 1 million": lambda store: store.splice(None, None, X * MILLION),
    "l[::1000] = 1000": lambda store: store.set_stride(slice(None, None, 1000), X * 1000),
    "remove": lambda store: store.remove(b"%d" % MIDDLE),
}


def test_no_change_keeps_the_server_for_long(server: RunningServer) -> None:
    """No script takes more than a few times as long as a look at all items; moving half of them takes 50 times that."""
    key = Key("PersistentList:big")
    with connect(server.url) as backend, server.client() as client:
        for start in range(0, MILLION, 10_000):
            client.rpush("start", *[b"%d" % number for number in range(start, start + 10_000)])
        client.config_set("slowlog-log-slower-than", 0)
        client.config_set("slowlog-max-len", 1000)
        shortest_ms: dict[str, float] = {}
        looks_ms: list[float] = []
        for name, change in CHANGES.items():
            taken_ms = []
            for _ in range(3):
                client.slowlog_reset()
                client.lpos("start", "absent")
                looks_ms.append(client.slowlog_get(10)[0]["duration"] / 1000)
                client.copy("start", str(key), replace=True)
                client.slowlog_reset()
                change(backend.sequence(key))
                taken_ms.append(max(one["duration"] for one in client.slowlog_get(1000)) / 1000)
            shortest_ms[name] = min(taken_ms)
        client.config_set("slowlog-log-slower-than", 10_000)
    assert max(shortest_ms.values()) < LOOKS * min(looks_ms), (shortest_ms, min(looks_ms))

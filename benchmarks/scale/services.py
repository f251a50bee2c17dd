"""How long a node of a cluster is busy with each kind of request when it has no rest, for the simulation.

The requests are those that the library sends: it sends them once, and they are noted. Then many connections at once
send them to the same node, without waiting for anything but the replies. The clock is the processor time of the server.
A claim that is sent again moves the entry that it has, which is as much work as deleting an old one.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import Any, Final, NamedTuple, Self, TypeAlias
from unittest import mock

import hiredis

from benchmarks.scale import speeds
from benchmarks.scale.simulation import Costs
from persistent_collections import connect
from persistent_collections.backends.redis import scripts
from persistent_collections.backends.redis.connection import Exchange
from tests.servers import RunningCluster, run_cluster

CONNECTIONS: Final = 16
CLIENTS: Final = (1, 2, 4, 8, 16, 32)
ROUNDS: Final = 15
WARMING: Final = 50
INDEXED: Final = speeds.INDEXED
AFTER: Final = "a write that asks about old entries, which a find has met"
CLAIM: Final = "CLAIM"
NAMES: Final = {
    word: name
    for name in (CLAIM, "COMMIT_CLAIMED", "FORBID", "INDEX_PAGE", "EXAMINE")
    for word in (getattr(scripts, name).source, getattr(scripts, name).digest)
}

Sent: TypeAlias = Sequence[Sequence[Any]]
"""Commands that one node received at once."""


class Request(NamedTuple):
    """What one node received at once.

    Attributes:
        port: The node's.
        data: The bytes.
        replies: How many replies there are to it.
    """

    port: int
    data: bytes
    replies: int


class Load(NamedTuple):
    """What a node does for connections each of which sends a request when it has the reply to the last one.

    Attributes:
        per_s: Requests per second.
        p50_s: The latency that half of them do not exceed.
        p99_s: That 99 of 100 do not.
        busy_s: The processor time of one request on the node.
    """

    per_s: float
    p50_s: float
    p99_s: float
    busy_s: float


def kind(sent: Sent) -> str:
    """Return what requests of this kind are called: the script or command, and how many there are."""
    first = sent[0]
    name = NAMES.get(first[1], "script") if str(first[0]).startswith("EVAL") else str(first[0])
    return f"{name} {len(sent)}" if len(sent) > 1 else name


@contextmanager
def noted() -> Iterator[list[tuple[int, Sent]]]:
    """Note what is sent within the block, and to which port."""
    found: list[tuple[int, Sent]] = []
    send = Exchange.send

    def noting(exchange: Exchange, commands: Sent) -> None:
        found.append((int(exchange._node.address.rpartition(":")[2]), commands))
        send(exchange, commands)

    with mock.patch.object(Exchange, "send", noting):
        yield found


def measured(size: int, count: int, window_s: float) -> tuple[dict[str, float], dict[int, Load]]:
    """Return the seconds of each kind of request, and what a node does with claims of so many connections.

    Args:
        size: How many records there are.
        count: How many operations of each kind are noted.
        window_s: How long each load goes on, each time.
    """
    with speeds.aged(), run_cluster() as cluster, apart(cluster), connect(cluster.url) as backend:
        speeds.fill(backend, size)
        seconds, checked = {}, {}
        calls = speeds.operations(backend, size)
        page, write = calls[speeds.FIND_PAGE], calls[INDEXED]
        calls[AFTER] = lambda number: (page(number), write(number))
        for title, call in calls.items():
            for name, requests in _requests(call, size, count).items():
                seconds[f"{title}: {name}"] = _best(cluster, requests, CONNECTIONS, window_s).busy_s
                if title == AFTER and name == CLAIM:
                    checked = {clients: _best(cluster, requests, clients, window_s) for clients in CLIENTS}
        return seconds, checked


@contextmanager
def apart(cluster: RunningCluster) -> Iterator[None]:
    """Keep the servers on one core and this process on another within the block."""
    cores = os.sched_getaffinity(0)
    for node in cluster.nodes:
        os.sched_setaffinity(node.pid, {min(cores)})
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _requests(call: Callable[[int], object], size: int, count: int) -> dict[str, list[Request]]:
    """Return what some operations send, by kind, each to the node that receives most of this kind."""
    for number in range(WARMING):
        call(number)  # connections and scripts are there from then on
    with noted() as sent:
        for number in range(count):
            call(number * speeds.STRIDE % size)
    kinds: dict[str, dict[int, list[Request]]] = defaultdict(lambda: defaultdict(list))
    for port, commands in sent:
        data = b"".join(hiredis.pack_command(tuple(command)) for command in commands)
        kinds[kind(commands)][port].append(Request(port, data, len(commands)))
    return {name: max(by_port.values(), key=len) for name, by_port in kinds.items()}


def _best(cluster: RunningCluster, requests: Sequence[Request], clients: int, window_s: float) -> Load:
    """Return the load of the time in which other programs disturbed least, and the least time that a request took."""
    loads = [_load(cluster, requests, clients, window_s) for _ in range(ROUNDS)]
    best = max(loads, key=lambda load: load.per_s)
    return best._replace(busy_s=min(load.busy_s for load in loads))


def _load(cluster: RunningCluster, requests: Sequence[Request], clients: int, window_s: float) -> Load:
    port, waiting = requests[0].port, cycle(requests)
    [node] = [node for node in cluster.nodes if node.port == port]
    at_work, latencies = speeds.work_of([node]), list[float]()
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.EpollSelector())
        lines = [stack.enter_context(_Line(port)) for _ in range(clients)]
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
        begun_s, busy_s = time.perf_counter(), at_work()
        for line in lines:
            line.send(next(waiting))
        while not latencies or time.perf_counter() - begun_s < window_s:
            for key, _ in selector.select():
                if key.data.has_replied():
                    latencies.append(time.perf_counter() - key.data.sent_s)
                    key.data.send(next(waiting))
        took_s, busy_s = time.perf_counter() - begun_s, at_work() - busy_s
    latencies.sort()
    count = len(latencies)
    return Load(count / took_s, latencies[count // 2], latencies[count * 99 // 100], busy_s / count)


class _Line:
    """A connection that has one request in flight."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()
        self._awaited = 0
        self.sent_s = 0.0

    def send(self, request: Request) -> None:
        self._awaited, self.sent_s = request.replies, time.perf_counter()
        self.socket.sendall(request.data)

    def has_replied(self) -> bool:
        """Read what has come, and return whether that is all."""
        self._reader.feed(self.socket.recv(1 << 16))
        while self._awaited and (reply := self._reader.gets()) is not False:
            if isinstance(reply, hiredis.ReplyError):
                raise reply
            self._awaited -= 1
        return not self._awaited

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def costs(seconds: Mapping[str, float]) -> Costs:
    """Return what the simulation is fed with."""
    page = speeds.FIND_PAGE
    examine, twice = seconds[f"{page}: EXAMINE"], seconds[f"{page}: EXAMINE 2"]
    return Costs(
        read=seconds[f"{speeds.READ}: HGET"],
        write=seconds[f"{speeds.WRITE}: script"],
        claim=seconds[f"{AFTER}: {CLAIM}"],
        commit=seconds[f"{INDEXED}: COMMIT_CLAIMED"],
        forbid=seconds[f"{AFTER}: FORBID"],
        one=seconds[f"{speeds.FIND_ONE}: INDEX_PAGE"],
        page=seconds[f"{page}: INDEX_PAGE"],
        examine=examine,
        more=max(twice - examine, 0.0),  # in a trial run, chance can make two take less than one
    )

"""A Redis Cluster of any number of nodes, simulated by discrete events.

A node executes one request at a time, in the order of arrival, and takes as long for each kind of request as was
measured. A message takes half a round trip. Clients are never short of processor time. Each class has its indexes in
one slot, or in several if they are split into shards; its records are everywhere.

An operation takes the trips that ``backends/redis/claims.py`` takes: a write of an indexed field claims its entry on
the node of its class, then writes the record on the node of that. A claim of a value that another record has claimed
before first forbids that claim, then claims again.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import accumulate, count
from random import Random
from typing import Final, NamedTuple, TypeAlias

Request: TypeAlias = tuple[int, float]
"""A node, and the seconds that it takes to execute."""
Operation: TypeAlias = Iterator[Sequence[Request]]
"""The requests of each of its round trips, which are sent at once."""

PAGE: Final = 20
"""How many records a page that is found has."""
SWEPT: Final = 4
"""How many old entries a write asks about beside its claim, as ``backends/redis/claims.py`` does."""
_BEGINS: Final = -1
_REPLIED: Final = -2


class Costs(NamedTuple):
    """How long a node is busy with a request, in seconds.

    Attributes:
        read: One field of a record.
        write: A field that no index has.
        claim: Claiming an entry.
        commit: Writing the record whose entry is claimed.
        forbid: Asking whether a record holds a value, or forbidding its claim.
        one: Reading the entry of a unique value.
        page: Reading a page of entries.
        examine: Reading a found record.
        more: Reading another one in the same request.
    """

    read: float
    write: float
    claim: float
    commit: float
    forbid: float
    one: float
    page: float
    examine: float
    more: float


class Mix(NamedTuple):
    """What part of all operations is of each kind.

    Attributes:
        read: Reads of a field.
        write: Writes of a field that no index has.
        indexed: Writes of an indexed field.
        first: Finds by a unique value.
        page: Finds of a page of records.
        contested: The part of the claims that meet a claim of another record, which does not hold the value.
    """

    read: float = 0.6
    write: float = 0.2
    indexed: float = 0.1
    first: float = 0.08
    page: float = 0.02
    contested: float = 0.01


class Setting(NamedTuple):
    """A cluster and its work.

    Attributes:
        nodes: How many nodes there are.
        shards: Into how many slots the indexes of each class are split.
        costs: What requests take.
        seed: Says how slots lie on nodes and which operations are done.
        mix: The operations.
        classes: How many there are; the k-th is used 1/k as much as the first.
    """

    nodes: int
    shards: int
    costs: Costs
    seed: int = 0
    mix: Mix = Mix()
    classes: int = 20


class Cluster:
    """Where everything lies, and what operations ask for.

    Args:
        setting: The cluster and its work.
    """

    def __init__(self, setting: Setting) -> None:
        self.nodes, self.costs, self.mix = setting.nodes, setting.costs, setting.mix
        self._random = Random(f"{setting.nodes}, {setting.shards}, {setting.seed}")  # noqa: S311 - the same in each run
        self._homes = [[self._anywhere() for _ in range(setting.shards)] for _ in range(setting.classes)]
        self._used = list(accumulate(1 / rank for rank in range(1, setting.classes + 1)))
        self._kinds = [self._read, self._write, self._indexed, self._first, self._page]
        self._shares = list(accumulate(self.mix[: len(self._kinds)]))

    def operation(self) -> Operation:
        """Return the next operation."""
        return self._kinds[bisect(self._shares, self._random.random() * self._shares[-1])]()

    def most_per_s(self) -> float:
        """Return how many operations per second keep the busiest node busy all the time: no cluster does more."""
        mix, costs, total = self.mix, self.costs, self._shares[-1]
        again = 1 + mix.contested
        anywhere = (
            mix.read * costs.read
            + mix.write * costs.write
            + mix.indexed * (costs.commit + costs.forbid * (SWEPT + mix.contested))
            + mix.first * costs.examine
            + mix.page * PAGE * costs.more
        ) / self.nodes + mix.page * (1 - (1 - 1 / self.nodes) ** PAGE) * (costs.examine - costs.more)
        busy = [anywhere] * self.nodes
        for rank, homes in enumerate(self._homes, 1):
            share = 1 / rank / self._used[-1]
            per_entry = (mix.indexed * costs.claim * again + mix.first * costs.one) * share / len(homes)
            for home in homes:
                busy[home] += per_entry + mix.page * costs.page * share
        return total / max(busy)

    def _anywhere(self) -> int:
        return self._random.randrange(self.nodes)

    def _class(self) -> list[int]:
        """Return the nodes that have the indexes of a class."""
        return self._homes[bisect(self._used, self._random.random() * self._used[-1])]

    def _read(self) -> Operation:
        yield [(self._anywhere(), self.costs.read)]

    def _write(self) -> Operation:
        yield [(self._anywhere(), self.costs.write)]

    def _indexed(self) -> Operation:
        claim = (self._random.choice(self._class()), self.costs.claim)
        yield [claim, *((self._anywhere(), self.costs.forbid) for _ in range(SWEPT))]
        if self._random.random() < self.mix.contested:
            yield [(self._anywhere(), self.costs.forbid)]
            yield [claim]
        yield [(self._anywhere(), self.costs.commit)]

    def _first(self) -> Operation:
        yield [(self._random.choice(self._class()), self.costs.one)]
        yield [(self._anywhere(), self.costs.examine)]

    def _page(self) -> Operation:
        """Every shard may have the first entry, so each is asked for a page."""
        yield [(home, self.costs.page) for home in self._class()]
        records: dict[int, int] = {}
        for _ in range(PAGE):
            node = self._anywhere()
            records[node] = records.get(node, 0) + 1
        yield [(node, self.costs.examine + self.costs.more * (found - 1)) for node, found in records.items()]


@dataclass
class Outcome:
    """What happened until a simulation ended.

    Attributes:
        seconds: How long it went on.
        begun: How many operations began.
        completed: How many of them completed.
        in_flight: How many had not completed when it ended.
        latencies: The seconds that each took that began after the first tenth, in the order in which they completed.
        indexed: The same of operations that used an index, which are those of several round trips.
    """

    seconds: float
    begun: int = 0
    completed: int = 0
    in_flight: int = 0
    latencies: list[float] = field(default_factory=list)
    indexed: list[float] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        """How many completed per second."""
        return self.completed / self.seconds


def percentile(latencies: Sequence[float], part: float) -> float:
    """Return the latency that this part of the operations does not exceed."""
    return sorted(latencies)[min(int(part * len(latencies)), len(latencies) - 1)]


class _Running:
    """An operation that has begun."""

    __slots__ = ("awaited", "begun_s", "made", "trips")

    def __init__(self, trips: Operation, begun_s: float) -> None:
        self.trips, self.begun_s, self.awaited, self.made = trips, begun_s, 0, 0


class Simulation:
    """Operations on nodes.

    Args:
        nodes: How many there are.
        trip_s: The round trip of a message.
        operation: Returns the next operation.
    """

    def __init__(self, nodes: int, trip_s: float, operation: Callable[[], Operation]) -> None:
        self._half_s, self._operation = trip_s / 2, operation
        self._free_s = [0.0] * nodes
        self._events: list[tuple[float, int, int, float, _Running | None]] = []
        self._numbers = count()

    def offered(self, per_s: float, seconds: float, random: Random) -> Outcome:
        """Let operations begin at random moments, on average ``per_s`` of them, however many are in flight."""
        outcome, now = Outcome(seconds), 0.0
        while (now := now + random.expovariate(per_s)) <= seconds:
            self._at(now, _BEGINS)
        return self._ended(outcome, again=False)

    def closed(self, clients: int, seconds: float) -> Outcome:
        """Let each client begin an operation when its last one has completed."""
        for _ in range(clients):
            self._at(0, _BEGINS)
        return self._ended(Outcome(seconds), again=True)

    def _at(self, moment: float, place: int, seconds: float = 0, running: _Running | None = None) -> None:
        heappush(self._events, (moment, next(self._numbers), place, seconds, running))

    def _ended(self, outcome: Outcome, *, again: bool) -> Outcome:
        """Let everything happen until the end. ``again``: the end of an operation is the beginning of another."""
        while self._events and self._events[0][0] <= outcome.seconds:
            now, _, place, seconds, running = heappop(self._events)
            if running is None:
                outcome.begun += 1
                self._go_on(_Running(self._operation(), now), now, outcome)
            elif place == _REPLIED:
                running.awaited -= 1
                if not running.awaited and self._go_on(running, now, outcome) and again:
                    self._at(now, _BEGINS)
            else:
                done = self._free_s[place] = max(now, self._free_s[place]) + seconds
                self._at(done + self._half_s, _REPLIED, 0, running)
        outcome.in_flight = outcome.begun - outcome.completed
        return outcome

    def _go_on(self, running: _Running, now: float, outcome: Outcome) -> bool:
        """Send the requests of the next round trip; return whether there is none, so that the operation completed."""
        requests = next(running.trips, None)
        if requests is not None:
            running.awaited, running.made = len(requests), running.made + 1
            for node, seconds in requests:
                self._at(now + self._half_s, node, seconds, running)
            return False
        outcome.completed += 1
        if running.begun_s > outcome.seconds / 10:
            outcome.latencies.append(now - running.begun_s)
            if running.made > 1:
                outcome.indexed.append(now - running.begun_s)
        return True

"""Finds in a history of transactions what no order of them, one after the other, explains.

The transactions append values, each of them unique, to lists and read lists. So a read shows in which order the values
were appended, and whose they are (Kingsbury and Alvaro, *Elle: Inferring Isolation Anomalies from Experimental
Observations*, 2020).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Final, Literal, NamedTuple

Outcome = Literal["committed", "failed", "unknown"]
Edges = Mapping[str, Mapping[int, set[int]]]
"""For each kind of dependency and each transaction, the transactions that depend on it, by their numbers."""

LEVELS: Final = {
    "G0": ("ww",),
    "G1c": ("ww", "wr"),
    "G2": ("ww", "wr", "rw"),
    "session": ("ww", "wr", "rw", "session"),
}
"""What a cycle of some kinds of dependencies is called; session: only the order within one worker contradicts it."""


class Append(NamedTuple):
    """An append of a value to a list."""

    key: str
    value: str


class Read(NamedTuple):
    """A read of a whole list."""

    key: str
    values: Sequence[str]


@dataclass
class Transaction:
    """What one attempt did.

    Attributes:
        operations: In their order.
        outcome: Unknown if the worker did not live to learn it, or the store did not say.
        worker: Who made it; the history has the transactions of each worker in their order.
    """

    operations: Sequence[Append | Read]
    outcome: Outcome = "committed"
    worker: int = 0

    def appends(self) -> Iterator[Append]:
        """Yield the appends."""
        return (each for each in self.operations if isinstance(each, Append))

    def seen(self) -> Iterator[tuple[Read, list[str], bool]]:
        """Yield each read, the part of it that others appended, and whether the rest is what this one had appended."""
        own: dict[str, list[str]] = defaultdict(list)
        for each in self.operations:
            if isinstance(each, Append):
                own[each.key].append(each.value)
                continue
            size = len(each.values) - len(own[each.key])
            others, rest = list(each.values[: max(0, size)]), list(each.values[max(0, size) :])
            yield each, others, rest == own[each.key]


class Anomaly(NamedTuple):
    """What is wrong.

    Attributes:
        kind: Its name: ``G0``, ``G1a``, … as Adya has them, or a word.
        about: Where.
    """

    kind: str
    about: str


@dataclass
class History:
    """What is known of some transactions, the last of which reads every list when all others have ended.

    One of unknown outcome counts as committed if another one has read something of it.
    """

    transactions: Sequence[Transaction]
    anomalies: list[Anomaly] = field(default_factory=list)

    def check(self) -> list[Anomaly]:
        """Return what is wrong; nothing if the transactions could have run one after the other."""
        self._learn_writers()
        self._learn_outcomes()
        self._learn_orders()
        for number in self.committed:
            self._check_reads(number)
            self._check_appends(number)
        self._check_cycles()
        return self.anomalies

    def _found(self, kind: str, about: str) -> None:
        self.anomalies.append(Anomaly(kind, about))

    def _learn_writers(self) -> None:
        self.writers: dict[Append, int] = {}
        self.last: dict[tuple[int, str], str] = {}
        for number, transaction in enumerate(self.transactions):
            for append in transaction.appends():
                if append in self.writers:
                    raise ValueError(f"{append} is appended twice, so reads do not say whose it is")
                self.writers[append] = number
                self.last[number, append.key] = append.value

    def _learn_outcomes(self) -> None:
        committed = [each for each in self.transactions if each.outcome == "committed"]
        read = {
            Append(each.key, value)
            for transaction in committed
            for each in transaction.operations
            if isinstance(each, Read)
            for value in each.values
        }
        self.committed = [
            number
            for number, each in enumerate(self.transactions)
            if each.outcome == "committed" or (each.outcome == "unknown" and not read.isdisjoint(each.appends()))
        ]

    def _learn_orders(self) -> None:
        """Take the longest read of each list for the order of its values."""
        self.orders: dict[str, list[str]] = defaultdict(list)
        for number in self.committed:
            for read, others, _ in self.transactions[number].seen():
                if len(set(read.values)) < len(read.values):
                    self._found("duplicate", f"{read.key} holds a value twice")
                if len(others) > len(self.orders[read.key]):
                    self.orders[read.key] = others
        self.places = {Append(key, each): at for key, order in self.orders.items() for at, each in enumerate(order)}

    def _check_reads(self, number: int) -> None:
        first: dict[str, list[str]] = {}
        for read, others, is_own in self.transactions[number].seen():
            where = f"{read.key}, read by transaction {number}"
            if not is_own or first.setdefault(read.key, others) != others:
                self._found("internal", f"{where}, is not what it read or appended before")
            if others != self.orders[read.key][: len(others)]:
                self._found("incompatible order", f"{where}, begins otherwise than the longest read of it")
            for value in others:
                self._check_value(Append(read.key, value), where)
            if others:
                self._check_end(Append(read.key, others[-1]), where)

    def _check_value(self, append: Append, where: str) -> None:
        writer = self.writers.get(append)
        if writer is None:
            self._found("nowhere", f"{where}, has {append.value}, which nobody appended")
        elif self.transactions[writer].outcome == "failed":
            self._found("G1a", f"{where}, has {append.value} of transaction {writer}, which failed")

    def _check_end(self, append: Append, where: str) -> None:
        writer = self.writers.get(append)
        if writer is not None and self.last[writer, append.key] != append.value:
            self._found("G1b", f"{where}, ends in the midst of what transaction {writer} appended")

    def _check_appends(self, number: int) -> None:
        for append in self.transactions[number].appends():
            if append not in self.places:
                self._found("lost", f"{append.value}, appended to {append.key} by transaction {number}")

    def _dependencies(self) -> Edges:
        edges: dict[str, dict[int, set[int]]] = {kind: defaultdict(set) for kind in LEVELS["session"]}
        for kind, before, after in [*self._by_values(), *self._by_workers()]:
            if before is not None and after is not None and before != after:
                edges[kind][before].add(after)
        return edges

    def _by_values(self) -> Iterator[tuple[str, int | None, int | None]]:
        whose = {key: [self.writers.get(Append(key, each)) for each in order] for key, order in self.orders.items()}
        for writers in whose.values():
            for before, after in pairwise(writers):
                yield "ww", before, after
        for number in self.committed:
            for read, others, _ in self.transactions[number].seen():
                writers = whose[read.key]
                if others:
                    yield "wr", writers[len(others) - 1], number
                yield "rw", number, next(iter(writers[len(others) :]), None)

    def _by_workers(self) -> Iterator[tuple[str, int | None, int]]:
        """Yield what a worker was told to be done, and what it did next."""
        latest: dict[int, int] = {}
        for number in self.committed:
            transaction = self.transactions[number]
            yield "session", latest.get(transaction.worker), number
            if transaction.outcome == "committed":
                latest[transaction.worker] = number

    def _check_cycles(self) -> None:
        edges = self._dependencies()
        for name, kinds in LEVELS.items():
            cycle = _cycle([edges[kind] for kind in kinds])
            if cycle:
                is_single = name == "G2" and _is_single(edges)
                path = " before ".join(map(str, cycle))
                self._found("G-single" if is_single else name, f"transactions {path}")
                return


def _cycle(graphs: Iterable[Mapping[int, set[int]]]) -> list[int] | None:
    sorter: TopologicalSorter[int] = TopologicalSorter()
    for graph in graphs:
        for before, after in graph.items():
            for each in after:
                sorter.add(each, before)
    try:
        sorter.prepare()
    except CycleError as error:
        found: list[int] = error.args[1]
        return found
    return None


def _is_single(edges: Edges) -> bool:
    """Return whether a cycle has a single dependency of the kind rw."""
    return any(_reaches(edges, after, before) for before, each in edges["rw"].items() for after in each)


def _reaches(edges: Edges, source: int, target: int) -> bool:
    known, left = {source}, deque([source])
    while left:
        number = left.popleft()
        if number == target:
            return True
        new = {*edges["ww"].get(number, ()), *edges["wr"].get(number, ())} - known
        known |= new
        left.extend(new)
    return False


def anomalies(transactions: Sequence[Transaction]) -> list[Anomaly]:
    """Return what is wrong with a history, the last transaction of which reads every list after all others."""
    return History(transactions).check()

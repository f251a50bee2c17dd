"""What a transaction costs: ``python -m benchmarks.transactions [redis://host:port/db]``.

The work is a transfer: 2 reads, 2 writes, 2 appends, in 2 records. It is done as separate operations, of which a crash
leaves some, and as one transaction. Single operations are timed as they are and as they were before
there were transactions, without the look whether one is under way. Runs take turns; the fastest of each counts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from persistent_collections import PersistentDict, PersistentList, Record, child, connect, transactional, use_backend
from persistent_collections.collections.core import Core
from persistent_collections.config import resolve

ROUNDS = 300


class Account(Record, name="bench-account"):
    """What is transferred between."""

    balance: int = 0
    log: PersistentList[str] = child()


def transfer(source: Account, target: Account) -> None:
    """Move 1 from an account to another one."""
    source.balance -= 1
    target.balance += 1
    source.log.append("-1")
    target.log.append("+1")


def fastest(works: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the microseconds that each of some works takes at best, measured in turns."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            begun_s = time.perf_counter()
            work()
            best[name] = min(best[name], (time.perf_counter() - begun_s) * 1e6)
    return best


def now_before(self: Core) -> Any:
    """Return what ``Core.now`` returned before there were transactions."""
    choice, bound = self.choice, self.bound
    return bound if bound is not None and bound.backend is choice else self.on(resolve(choice))


def as_before(work: Callable[[], object]) -> Callable[[], object]:
    """Return a work that is done without asking whether a transaction is under way."""

    def plain() -> object:
        with mock.patch.object(Core, "now", now_before):
            return work()

    return plain


def row(url: str) -> str:
    """Return the line of one store."""
    with connect(url) as backend, use_backend(backend):
        source, target = Account.create("a", balance=10**6), Account.create("b")
        together = transactional(transfer)
        moves = fastest({"separate": lambda: transfer(source, target), "one": lambda: together(source, target)})
        names = PersistentDict("bench", {"x": 1})

        def reads() -> None:
            for _ in range(100):
                names["x"]

        def writes() -> None:
            for _ in range(20):
                names["x"] = 2

        times = fastest({"read": reads, "read_before": as_before(reads), "write": writes, "before": as_before(writes)})
        shown = f"{moves['separate']:.0f} | {moves['one']:.0f} | {moves['one'] / moves['separate']:.2f}"
        ratios = f"{times['read'] / times['read_before']:.3f} | {times['write'] / times['before']:.3f}"
        return f"| {url.partition('?')[0].partition('/')[0]} | {shown} | {ratios} |"


if __name__ == "__main__":
    folder = tempfile.mkdtemp()
    stores = ["memory:", f"json:{folder}/data?fsync=off", f"sqlite:{folder}/app.db?synchronous=NORMAL"]
    print("| store | separate, µs | transaction, µs | ratio | d[k], with and before | d[k] = v, with and before |")
    for url in [*stores, f"sqlite:{folder}/full.db", *sys.argv[1:]]:
        print(row(url), flush=True)

"""Transactions that append unique values to lists and read lists; it needs no pytest, so that processes start fast."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

from persistent_collections import (
    Backend,
    BackendUnavailable,
    ConflictError,
    OutcomeUnknown,
    PersistentDict,
    PersistentList,
    Record,
    child,
    transaction,
    use_backend,
)
from tests.transactions.gang import WORKERS, Log, events
from tests.transactions.histories import Append, Read, Transaction

LISTS: Final = ("list", "field a", "field b", "child")
"""A list, two lists that are values of one dict, and a child of a record that the first append makes."""

ENOUGH: Final = 40
"""How long a list becomes before those of the next round are used."""


class Shelf(Record, name="history-shelf"):
    lines: PersistentList[str] = child()


def read(key: str) -> list[str]:
    """Return all of a list."""
    kind, _, number = key.partition("/")
    if kind == "list":
        return PersistentList[str](f"history-{number}")[:]
    if kind == "child":
        return Shelf.ref(number).lines[:]
    return list(PersistentDict[str, Any](f"history-{number}").get(kind, []))


def append(key: str, value: str) -> None:
    """Append to a list."""
    kind, _, number = key.partition("/")
    if kind == "list":
        PersistentList[str](f"history-{number}").append(value)
    elif kind == "child" and Shelf.ref(number):
        Shelf.ref(number).lines.append(value)
    elif kind == "child":
        Shelf.create(number, lines=[value])
    else:
        PersistentDict[str, Any](f"history-{number}").setdefault(kind, []).append(value)


def append_and_read(backend: Backend, log: Log, times: int) -> None:
    """Make transactions and write down what each did, until so many are committed."""
    random, values = Random(), (f"{log.worker}.{len(log.before)}.{number}" for number in count())
    number, done = max([about for _, about in log.before if isinstance(about, int)], default=0), 0
    with use_backend(backend):
        while done < times or not log.is_over:
            outcome, longest = _attempt(log, random, number, values)
            log.write(outcome, number)
            done += outcome == "committed"
            number += longest >= ENOUGH


def _attempt(log: Log, random: Random, number: int, values: Iterator[str]) -> tuple[str, int]:
    """Make one transaction; return what became of it, and how long the longest list was that it read."""
    longest = 0
    try:
        with transaction():
            done: list[tuple[str, str | list[str]]] = []
            for kind in random.choices(LISTS, k=random.randint(1, 4)):
                key = f"{kind}/{number}"
                for _ in range(random.choice([0, 1, 1, 2])):
                    value = next(values)
                    append(key, value)
                    done.append((key, value))
                if random.random() < 0.5:
                    found = read(key)
                    longest = max(longest, len(found))
                    done.append((key, found))
            log.write("try", done)
    except (ConflictError, BackendUnavailable):
        return "failed", longest
    except OutcomeUnknown:
        return "unknown", longest
    return "committed", longest


def history(folder: Path) -> list[Transaction]:
    """Return all transactions that the workers wrote down, and one that reads all lists now."""
    found = [each for worker in range(WORKERS) for each in _written(folder, worker)]
    keys = {each.key for made in found for each in made.operations}
    return [*found, Transaction([Read(key, read(key)) for key in sorted(keys)], worker=WORKERS)]


def _written(folder: Path, worker: int) -> Iterator[Transaction]:
    tried: Any = None
    for name, about in [*events(folder, worker), ("start", None)]:
        if tried is not None:
            operations = [Append(key, done) if isinstance(done, str) else Read(key, done) for key, done in tried]
            outcome: Any = "unknown" if name in ("start", "try") else name
            yield Transaction(operations, outcome, worker)
        tried = about if name == "try" else None

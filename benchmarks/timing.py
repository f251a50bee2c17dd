"""Races: the same work done by several contenders in turn, round after round, in one process pinned to one core."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from operator import truediv
from random import Random
from statistics import median
from typing import Final, NamedTuple, TypeAlias

Call: TypeAlias = Callable[[int], object]
"""One operation, given a number that says on which field or item."""


Clock: TypeAlias = Callable[[], float]
"""Gives seconds."""


class Row(NamedTuple):
    """One kind of work.

    Attributes:
        title: What the table calls it.
        calls: What does it, by contender.
        batch: How many calls are timed together.
        before: What each contender does before a batch, outside the time.
        cycle: Rows of one cycle undo one another, so that a contender takes part in all of them or in none.
    """

    title: str
    calls: Mapping[str, Call]
    batch: int = 1
    before: Mapping[str, Callable[[], object]] = {}
    cycle: str = ""


class Cell(NamedTuple):
    """What one contender needed for one row.

    Attributes:
        seconds: Of one call, the median of all rounds.
        ratio: The median of its times, each as a multiple of the first contender's in the same round.
    """

    seconds: float
    ratio: float


Figures: TypeAlias = dict[str, dict[str, Cell]]
"""Cells by title and contender."""

LIMIT_S: Final = 4.0
"""A batch that would take longer is left out."""

_ENOUGH: Final = 1000
_SEED: Final = 7


def pin() -> int | None:
    """Keep this process, and all it starts, on one core; return which, None where the system cannot.

    Two processes on two cores wake one another up for each message, which costs more than what is compared here.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def part(server: int) -> None:
    """Keep this process on one core and a server on another, as a server in use has a core or a machine of its own.

    Raises:
        OSError: The system has one core, or cannot keep a process on one.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
    if len(cores) < 2:  # noqa: PLR2004 - one for each of them
        raise OSError("there are no two cores to keep the processes on")
    os.sched_setaffinity(0, cores[-1:])
    os.sched_setaffinity(server, cores[:1])  # its main thread, which executes the commands


def busy_s(server: int) -> Clock:
    """Return a clock of the time this process and a server are at work; it stands still while others have the core.

    With both on one core, and one of them waiting for the other, this is the time that passes on an idle machine.

    Args:
        server: Its process id.

    Source: Linux ``/proc/<pid>/schedstat``; elsewhere the clock is that of the wall.
    """
    path = f"/proc/{server}/schedstat"
    if not os.path.exists(path):  # noqa: PTH110 - no object is wanted of it
        return time.perf_counter
    file = os.open(path, os.O_RDONLY)
    return lambda: time.process_time() + int(os.pread(file, 64, 0).split()[0]) / 1e9


def race(rows: Sequence[Row], rounds: int, span: int, clock: Clock = time.perf_counter) -> Figures:
    """Let every contender of every row work in turn, ``rounds`` times; a round before does not count.

    Args:
        rows: In the order they are done, rounds outermost.
        rounds: How often.
        span: Calls are given numbers below it.
        clock: Gives seconds.
    """
    took: dict[str, dict[str, list[float]]] = {row.title: {name: [] for name in row.calls} for row in rows}
    random = Random(_SEED)  # noqa: S311 - the same for all
    for turn in range(rounds + 1):
        gc.collect()
        gc.disable()
        try:
            for row in rows:
                numbers = [random.randrange(span) for _ in range(row.batch)]
                order = random.sample([*row.calls], len(row.calls))  # nobody always follows the same other
                _round(row, order, numbers, took[row.title] if turn else {}, clock)
        finally:
            gc.enable()
    return {row.title: _cells(took[row.title], next(iter(row.calls), "")) for row in rows}


def _round(row: Row, order: Sequence[str], numbers: Sequence[int], took: dict[str, list[float]], clock: Clock) -> None:
    for contender in order:
        row.before.get(contender, bool)()
        call = row.calls[contender]
        start = clock()
        for number in numbers:
            call(number)
        took.setdefault(contender, []).append((clock() - start) / len(numbers))


def _cells(times: Mapping[str, Sequence[float]], yardstick: str) -> dict[str, Cell]:
    return {
        contender: Cell(median(own), median(map(truediv, own, times[yardstick]))) for contender, own in times.items()
    }


def affordable(rows: Sequence[Row], known: Figures, last: int, size: int, limit_s: float = LIMIT_S) -> list[Row]:
    """Return the rows without the contenders whose batch would need too long, going by a race among less.

    Args:
        rows: To be raced next.
        known: What was measured before.
        last: How much there was to work on then; too little tells nothing.
        size: How much there is now.
        limit_s: What is too long.
    """
    if last < _ENOUGH:
        return [*rows]
    slow = {
        (row.cycle or row.title, contender)
        for row in rows
        for contender, cell in known.get(row.title, {}).items()
        if cell.seconds * size / last * row.batch > limit_s
    }

    def kept(row: Row) -> dict[str, Call]:
        before = known.get(row.title, row.calls)
        return {n: call for n, call in row.calls.items() if n in before and (row.cycle or row.title, n) not in slow}

    return [row._replace(calls=kept(row)) for row in rows]

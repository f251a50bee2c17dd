"""Whether a contender gives the right answer: Python's own, and when several threads ask at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from typing import Any, Final

from benchmarks.on_redis import plain, work
from benchmarks.on_redis.work import Contender

SIZE: Final = 10
THREADS: Final = 4
CALLS: Final = 50
CONTENDED: Final = {"l.insert(middle, v)": 1, "del l[middle]": -1}
"""What changes the length of a list, and by how much."""

BYTES: Final = "gives bytes"
TEXT: Final = "keeps text alone"


def faults(make: Callable[[int], Contender]) -> dict[str, str]:
    """Return what is wrong with the answers of a contender, by row; rows that are right are left out.

    Args:
        make: Makes the contender anew, in an empty database, with so many items.
    """
    titles = [title for title in work.ORDER if title in make(SIZE).calls]
    found = {}
    for _, cycle in groupby(titles, key=lambda title: work.CYCLES.get(title, title)):
        theirs, right = make(SIZE), plain.Contender(SIZE)
        for title in cycle:
            if fault := _fault(theirs, right, title):
                found[title] = fault
                break
    if BYTES in found.values():
        found |= {title: TEXT for title in work.VALUES if title in titles and title not in found}
    for title in CONTENDED.keys() & {*titles} - found.keys():
        if fault := _contended(make(1000), title):
            found[title] = fault
    return found


def _fault(theirs: Contender, right: Contender, title: str) -> str:
    theirs.before.get(title, bool)()
    expected = right.calls[title](SIZE // 2)
    given = theirs.calls[title](SIZE // 2)
    if _ordered(_contents(theirs)) != _ordered(_contents(right, only=theirs)):
        return "changes something else"
    if expected is None or _ordered(given) == _ordered(expected):
        return ""
    return BYTES if _ordered(_text(given)) == _ordered(_text(expected)) else "gives another result"


def _contended(theirs: Contender, title: str) -> str:
    """Let threads do the same at once; say what went wrong."""

    def work_away(_: int) -> int:
        done = 0
        for _call in range(CALLS):
            with suppress(Exception):  # whatever a library raises is what is counted
                theirs.calls[title](0)
                done += 1
        return done

    before = len(theirs.contents()[1])
    with ThreadPoolExecutor(THREADS) as pool:
        done = sum(pool.map(work_away, range(THREADS)))
    changed = (len(theirs.contents()[1]) - before) * CONTENDED[title]
    if changed != done:
        return f"{THREADS} threads: {done} calls done, {changed} to be seen"
    return (
        f"{THREADS} threads: {THREADS * CALLS - done} of {THREADS * CALLS} calls fail" if done < THREADS * CALLS else ""
    )


def _contents(contender: Contender, only: Contender | None = None) -> list[Any]:
    """Return the contents as plain values; of those ``only`` has none of, nothing."""
    there = contender.contents()
    kept = (
        there
        if only is None
        else tuple(mine if its or not mine else its for mine, its in zip(there, only.contents(), strict=True))
    )
    return [_text(part) for part in kept]


def _ordered(value: Any) -> Any:
    """Return ``value``, the order lost that no store promises."""
    is_pairs = isinstance(value, list) and value and isinstance(value[0], tuple)
    return dict(value) if is_pairs else value


def _text(value: Any) -> Any:
    """Return ``value``, its bytes and numbers as text."""
    if isinstance(value, Mapping):
        return {_text(name): _text(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(map(_text, value))
    return value.decode() if isinstance(value, bytes) else str(value)

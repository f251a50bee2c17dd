"""A store that warns of what is asked of it one by one and could be asked at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import islice
from threading import local
from time import monotonic
from types import FrameType
from typing import Any, Final, TypeVar
from warnings import warn_explicit

from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.wrapping import Operation, WrappedBackend
from persistent_collections.errors import SlowHabitWarning
from persistent_collections.objects import classes
from persistent_collections.records import Record

R = TypeVar("R")

TIMES: Final = 20
"""How often in a row something is done one by one before it is a habit."""

PAUSE_S: Final = 0.01
"""How long a thread may do something else between two steps of a row: longer, and it is not the store that is slow."""

LARGE: Final = 1000
"""How many items a list has at least for a search that reads all of them to be worth a warning."""

_RECORDS: Final = (
    "fields of {} {} records were read one after another; fetch() of the list, the set or all() that gave them, or "
    "fetch(records, …), reads them all in one step"
)
_VALUES: Final = "{} values of a {} were read one after another; items() or copy() reads them all in one step"
_ITEMS: Final = "{} items of a {} were read one after another; iterate over it, or read a slice such as [:]"
_WRITES: Final = {
    ("sequence", "push_right"): "{} items were appended to a {} one by one; extend() appends all of them in one step",
    ("mapping", "set_many"): "{} fields of a {} were set one by one; update() sets all of them in one step",
    ("members", "add"): "{} members were added to a {} one by one; update() adds all of them in one step",
}
_SEARCH: Final = (
    "a search read all of the {} items or more of a {}, since bytes do not tell whether they are equal; declare their "
    "type (PersistentList[str], [int], …) and the store searches, or keep them in a PersistentSet or a PersistentDict"
)
_SEARCHES: Final = frozenset(f"PersistentList.{name}" for name in ("__contains__", "index", "count", "remove"))
_INSIDE: Final = frozenset({"persistent_collections", "collections", "contextlib"})


class _Row:
    """Steps of one kind that follow one another.

    Attributes:
        subject: What each is about, None before the first.
        position: Where the last one was.
        times: How many there are.
    """

    subject: Hashable = None
    position = 0
    times = 0

    def add(self, subject: Hashable, position: int | None = None) -> bool:
        """Add a step at a position, or next to the last, and say whether this makes the row a habit."""
        position = self.position + 1 if position is None else position
        if (subject, position) == (self.subject, self.position):
            return False
        follows = (subject, position - 1) == (self.subject, self.position)
        self.subject, self.position, self.times = subject, position, self.times + 1 if follows else 1
        return self.times == TIMES


class _Trail(local):
    """What a thread asked of the store last; of what is stored, only hashes.

    Attributes:
        listed: The hashes of what a page or a read of all gave last, each with its position.
        reads: Reads in the order of ``listed``, or of a list.
        writes: Writes to one key with nothing else in between.
        written: The hash of the field or item that the last of these wrote.
        ended_s: When the last operation ended.
    """

    def __init__(self) -> None:
        self.listed: Mapping[int, int] = {}
        self.reads, self.writes = _Row(), _Row()
        self.written = 0
        self.ended_s = 0.0


class WatchedBackend(WrappedBackend):
    """Pass everything on to another backend, and warn of slow habits, as ``?warnings=on`` does.

    A ``SlowHabitWarning`` tells of what one thread did ``TIMES`` times in a row, with no pause of ``PAUSE_S``: it read
    records, or values of a dict, one by one in the order in which they were listed; it read a list index by index; it
    appended, added or set single items of one collection, with nothing else in between. And it tells of a search in a
    list of ``LARGE`` items or more that had to read all of them.

    It names the class, and the field of a child, but no id and no value. It points at the line outside this package
    that did so and, by the usual filter of Python, comes once for each.

    Cost: no round trip; in each thread, memory for the hashes of a page.

    Args:
        backend: What does the work, and is closed along.
    """

    option = "warnings"

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._trail = _Trail()

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        trail = self._trail
        if monotonic() - trail.ended_s > PAUSE_S:
            trail.reads, trail.writes = _Row(), _Row()
        given = call()
        trail.ended_s = monotonic()
        habit = _habit(trail, operation) or _large_search(operation, given)
        listed = _listed(operation, given)
        if len(listed) >= TIMES:
            trail.listed = listed
        if habit:
            caller, _ = _caller()
            names = caller.f_globals
            registry = names.setdefault("__warningregistry__", {})
            where = caller.f_code.co_filename, caller.f_lineno, names.get("__name__"), registry
            warn_explicit(habit, SlowHabitWarning, *where)
        return given


def _habit(trail: _Trail, operation: Operation) -> str | None:
    """Take note of an operation, and return what it makes a habit of, if anything."""
    about = (operation.shape or "", operation.name)
    if about in _WRITES and len(operation.arguments[0]) == 1:
        return _told(_WRITES[about], operation) if _is_written_row(trail, operation) else None
    trail.writes = _Row()
    if about == ("sequence", "get"):
        return _told(_ITEMS, operation) if trail.reads.add(operation.keys[0], operation.arguments[0]) else None
    if about in (("mapping", "get"), ("mapping", "get_many")):
        return _reading(trail, operation)
    return None


def _is_written_row(trail: _Trail, operation: Operation) -> bool:
    """Take note of a single write; one field that is set over and over again, as progress is, makes no row."""
    before, trail.written = trail.written, hash(next(iter(operation.arguments[0])))
    is_another = operation.shape == "sequence" or trail.written != before
    return is_another and trail.writes.add((operation.name, operation.keys[0]))


def _reading(trail: _Trail, operation: Operation) -> str | None:
    """Take note of a read of a mapping that was listed, or under a field that was."""
    key = operation.keys[0]
    position = trail.listed.get(hash((key, operation.arguments[0]))) if operation.name == "get" else None
    if position is not None:
        return _told(_VALUES, operation) if trail.reads.add(key, position) else None
    position = trail.listed.get(hash(key.root.encode()))
    if position is None or key.child or not issubclass(classes.get(operation.collection, object), Record):
        return None
    return _told(_RECORDS, operation) if trail.reads.add(operation.collection, position) else None


def _told(habit: str, operation: Operation, times: int = TIMES) -> str:
    return habit.format(times, operation.collection)


def _large_search(operation: Operation, given: Any) -> str | None:
    is_whole = operation[2:] == ("sequence", (slice(None),)) and operation.name == "get_slice"
    is_search = is_whole and len(given) >= LARGE and _caller()[1] in _SEARCHES
    return _told(_SEARCH, operation, LARGE) if is_search else None


def _listed(operation: Operation, given: Any) -> Mapping[int, int]:
    """Return the hashes of the fields and keys of objects, up to a page of them, among what an operation gave."""
    fields: Iterable[Hashable] = ()
    keys: Iterable[bytes] = ()
    match operation.shape, operation.name:
        case None, "keys":
            keys = (key.root.encode() for key in given)
        case "sequence", "get_slice":
            keys = map(_bare, islice(given, PAGE_SIZE))
        case "members", "pages" | "get_all" if given:
            keys = (member.encode() for member in islice(given, PAGE_SIZE))
        case "mapping", "pages" | "get_all" if given:
            items = dict(islice(given.items() if isinstance(given, dict) else given, PAGE_SIZE))
            fields = ((operation.keys[0], field) for field in items)
            keys = map(_bare, items.values())
    return {**_positions(fields), **_positions(keys)}


def _positions(listed: Iterable[Hashable]) -> Mapping[int, int]:
    return {hashed: position for position, hashed in enumerate(dict.fromkeys(map(hash, listed)))}


def _bare(data: bytes) -> bytes:
    """Return the key of the object that ``data`` refers to, if it does, in whichever form."""
    return data.removeprefix(b'{"$ref":').strip(b'"}')


def _caller() -> tuple[FrameType, str]:
    """Return the frame that called this package, and the name of what it called."""
    frame, name = sys._getframe(), ""
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        frame, name = frame.f_back, frame.f_code.co_qualname
    return frame, name

"""A store that warns about single operations in a row that one operation could replace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import islice
from threading import local
from time import monotonic
from types import FrameType
from typing import Any, Final, TypeVar
from warnings import warn_explicit

from persistent_collections import classes, flows
from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape
from persistent_collections.backends.wrappers.base import Operation, WrappedBackend
from persistent_collections.errors import SlowHabitWarning

R = TypeVar("R")

TIMES: Final = 20
"""The number of single operations in a row that counts as a habit."""

PAUSE_S: Final = 0.01
"""The longest pause between two steps of a row: with longer ones, the store is not the slow part."""

LARGE: Final = 1000
"""The least size of a list for which a search that reads all items is worth a warning."""

_RECORDS: Final = (
    "fields of {} {} records were read one after another; fetch() of the list, the set or all() that returned them, or "
    "fetch(records, …), reads them all in one step"
)
_VALUES: Final = "{} values of a {} were read one after another; items() or copy() reads them all in one step"
_ITEMS: Final = "{} items of a {} were read one after another; iterate over it, or read a slice such as [:]"
_WRITES: Final[dict[tuple[Shape | None, str], str]] = {
    (SEQUENCE, "push_right"): "{} items were appended to a {} one by one; extend() appends all of them in one step",
    (MAPPING, "set_many"): "{} fields of a {} were set one by one; update() sets all of them in one step",
    (MEMBERS, "add"): "{} members were added to a {} one by one; update() adds all of them in one step",
}
_NESTED: Final = (
    "a list, dict or set inside a {1} was changed {0} times one by one, and each change wrote it whole; extend() or "
    "update() it once, or change it in a block: with x.edit(name) as value"
)
_SEARCH: Final = (
    "a search read all of the {} items or more of a {}, since their bytes do not show whether they are equal; declare "
    "their type (PersistentList[str], [int], …) and the store searches, or keep them in a PersistentSet or "
    "PersistentDict"
)
_BLOCKING: Final = (
    "a call to the store blocks the running event loop until the store has answered; await run(function, …) from "
    "persistent_collections.aio, or make the endpoint a plain def"
)
_SEARCHES: Final = frozenset(f"PersistentList.{name}" for name in ("__contains__", "index", "count", "remove"))
_NESTED_CHANGE: Final = "_writing_back.<locals>.changing"
"""The change of a list, dict or set inside a stored value."""

_INSIDE: Final = frozenset({"persistent_collections", "collections", "contextlib"})


class _Row:
    """Steps of one kind that follow one another.

    Attributes:
        subject: The subject of each step, None before the first.
        position: The position of the last step.
        times: The number of steps.
    """

    subject: Hashable = None
    position = 0
    times = 0

    def add(self, subject: Hashable, position: int | None = None) -> bool:
        """Add a step at a position, or next to the last, and return whether this makes the row a habit."""
        position = self.position + 1 if position is None else position
        if (subject, position) == (self.subject, self.position):
            return False
        follows = (subject, position - 1) == (self.subject, self.position)
        self.subject, self.position, self.times = subject, position, self.times + 1 if follows else 1
        return self.times == TIMES


class _Trail(local):
    """A thread's last requests to the store; stored data only as hashes.

    Attributes:
        listed: The hashes of the results of the last page or full read, each with its position.
        reads: Reads in the order of ``listed``, or of a list.
        writes: Writes to one key with nothing else in between.
        nested: Changes inside values of one key, with no change of another key in between.
        written: The hash of the field or item that the last of these changes wrote.
        ended_s: When the last operation ended.
    """

    def __init__(self) -> None:
        self.listed: Mapping[int, int] = {}
        self.reads, self.writes, self.nested = _Row(), _Row(), _Row()
        self.written = 0
        self.ended_s = 0.0


class WatchedBackend(WrappedBackend):
    """Pass everything on to another backend, and warn of slow habits, as ``?warnings=on`` does.

    You get a ``SlowHabitWarning`` if one thread does one of these ``TIMES`` times in a row, without a pause of
    ``PAUSE_S``: it reads records, or values of a dict, one by one in the order in which they were listed; it reads a
    list index by index; it appends, adds or sets single items of one collection, with nothing else in between; it
    changes lists, dicts or sets inside the values of one object. You also get one for a search that reads all of a list
    of ``LARGE`` items or more, for a call that blocks a running event loop of asyncio or trio, and for a transaction
    that commits more than 30 s after its first use of the store.

    The warning names the class, and the field of a child, but no id and no value. It points at the line outside this
    package. Python's usual filter shows it once per line.

    ::

        with connect("memory:") as store:
            names = PersistentList("names", map(str, range(100)), backend=WatchedBackend(store))
            with pytest.warns(SlowHabitWarning):
                [names[i] for i in range(100)]

    Cost: no round trip; in each thread, memory for the hashes of a page.

    Args:
        backend: The store that does the work. Closing the wrapper closes it too.
    """

    option = "warnings"

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._trail = _Trail()

    def advise(self, habit: str) -> None:
        _warn(habit)

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        here = flows.crossing()
        trail = self._trail if here is None else here.notes.setdefault(id(self), _Trail())
        if monotonic() - trail.ended_s > PAUSE_S:
            trail.reads, trail.writes, trail.nested = _Row(), _Row(), _Row()
        given = call()
        trail.ended_s = monotonic()
        habit = _habit(trail, operation) or _large_search(operation, given)
        listed = _listed(operation, given)
        if len(listed) >= TIMES:
            trail.listed = listed
        if habit:
            _warn(habit)
        if here is None and flows.event_loop():
            _warn(_BLOCKING)
        return given


def _warn(text: str) -> None:
    """Warn at the line outside this package that called it."""
    caller, _ = _caller()
    names = caller.f_globals
    registry = names.setdefault("__warningregistry__", {})
    where = caller.f_code.co_filename, caller.f_lineno, names.get("__name__"), registry
    warn_explicit(text, SlowHabitWarning, *where)


def _habit(trail: _Trail, operation: Operation) -> str | None:
    """Note an operation, and return the habit that it completes, if any."""
    about = (operation.shape, operation.name)
    if about in _WRITES and len(operation.arguments[0]) == 1:
        return _told(_WRITES[about], operation) if _is_written_row(trail, operation) else None
    trail.writes = _Row()
    if operation.name in ("compare_and_set", "commit") and _caller()[1] == _NESTED_CHANGE:
        return _told(_NESTED, operation) if trail.nested.add(operation.keys[0]) else None
    if about == (SEQUENCE, "get"):
        return _told(_ITEMS, operation) if trail.reads.add(operation.keys[0], operation.arguments[0]) else None
    if about in ((MAPPING, "get"), (MAPPING, "get_many")):
        return _reading(trail, operation)
    return None


def _is_written_row(trail: _Trail, operation: Operation) -> bool:
    """Note a single write; repeated writes of one field, such as progress, are not a row."""
    before, trail.written = trail.written, hash(next(iter(operation.arguments[0])))
    is_another = operation.shape is SEQUENCE or trail.written != before
    return is_another and trail.writes.add((operation.name, operation.keys[0]))


def _reading(trail: _Trail, operation: Operation) -> str | None:
    """Note a read of a listed mapping, or under a listed field."""
    key = operation.keys[0]
    position = trail.listed.get(hash((key, operation.arguments[0]))) if operation.name == "get" else None
    if position is not None:
        return _told(_VALUES, operation) if trail.reads.add(key, position) else None
    position = trail.listed.get(hash(key.root.encode()))
    if position is None or key.child or not classes.is_record(operation.collection):
        return None
    return _told(_RECORDS, operation) if trail.reads.add(operation.collection, position) else None


def _told(habit: str, operation: Operation, times: int = TIMES) -> str:
    return habit.format(times, operation.collection)


def _large_search(operation: Operation, given: Any) -> str | None:
    is_whole = operation[3:] == (SEQUENCE, (slice(None),)) and operation.name == "get_slice"
    is_search = is_whole and len(given) >= LARGE and _caller()[1] in _SEARCHES
    return _told(_SEARCH, operation, LARGE) if is_search else None


def _listed(operation: Operation, given: Any) -> Mapping[int, int]:
    """Return the hashes of the fields and keys of objects, up to a page of them, in the result of an operation."""
    fields: Iterable[Hashable] = ()
    keys: Iterable[bytes] = ()
    match operation.shape and operation.shape.name, operation.name:
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
    """Return ``data`` without the JSON around a reference, so that each form of a reference gives the key."""
    return data.removeprefix(b'{"$ref":').strip(b'"}')


def _caller() -> tuple[FrameType, str]:
    """Return the frame that called this package, and the name of the called function."""
    frame, name = sys._getframe(), ""
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        frame, name = frame.f_back, frame.f_code.co_qualname
    return frame, name

"""The jobs of the workers in the record tests; it needs no pytest, so that processes start fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.collections.dicts import PersistentDict
from persistent_collections.collections.lists import PersistentList
from persistent_collections.errors import ConflictError, ObjectExists, ObjectNotFound
from persistent_collections.records.record import Record, child, fetch

SESSIONS: Final = 3
LIFE_S: Final = 0.01


class Piece(Record, name="ContentionPiece"):
    """A number of pieces for sale."""

    left: int = 0


class Task(Record, name="ContentionTask"):
    """A job that one worker takes."""

    state: str = "new"
    worker: int | None = None


class Reborn(Record, name="ContentionReborn"):
    """A record that one worker deletes and makes again; all its parts are ``n`` or ``str(n)``."""

    n: int
    text: str = "the default"
    same: int = -1
    log: PersistentList[int] = child()


class Session(Record, name="ContentionSession"):
    """A record that is never created without a deadline."""

    user: str = ""
    seen: int = 0
    tags: list[int] = []  # noqa: RUF012 - a default is made anew for each object
    log: PersistentList[int] = child()


class _SoldOut(Exception):  # noqa: N818 - the name says the condition
    pass


def sell_by_update_if(backend: Backend, _worker: int, times: int) -> int:
    """Sell pieces until none is left, and return how many this worker sold.

    A store that loses writes never sells out, so the worker, like those below, stops at more than ``times``.
    """
    piece, sold = Piece.ref("x", backend=backend), 0
    while (left := piece.left) > 0 and sold <= times:
        sold += piece.update_if({"left": left}, left=left - 1)
    return sold


def sell_by_change(backend: Backend, _worker: int, times: int) -> int:
    """Sell pieces until none is left, and return how many this worker sold."""
    piece, sold = Piece.ref("x", backend=backend), 0
    with suppress(_SoldOut):
        while sold <= times:
            piece.change("left", _one_less)
            sold += 1
    return sold


def _one_less(left: int) -> int:
    if left <= 0:
        raise _SoldOut
    return left - 1


def sell_by_increment(backend: Backend, _worker: int, times: int) -> int:
    """Sell pieces until none is left, undoing a sale below zero, and return how many this worker sold."""
    piece, sold = Piece.ref("x", backend=backend), 0
    while sold <= times and piece.increment("left", -1) >= 0:
        sold += 1
    piece.increment("left")
    return sold


def stock(backend: Backend) -> PersistentDict[str, int]:
    """Return the dict whose entry ``"x"`` is a number of pieces for sale."""
    return PersistentDict[str, int]("contended stock", backend=backend)


def sell_by_compare_and_set(backend: Backend, _worker: int, times: int) -> int:
    """Sell the pieces of an entry of a dict until none is left, and return how many this worker sold."""
    pieces, sold = stock(backend), 0
    while (left := pieces["x"]) > 0 and sold <= times:
        sold += pieces.compare_and_set("x", left, left - 1)
    return sold


def sell_by_change_of_an_entry(backend: Backend, _worker: int, times: int) -> int:
    """Sell the pieces of an entry of a dict until none is left, and return how many this worker sold."""
    pieces, sold = stock(backend), 0
    with suppress(_SoldOut):
        while sold <= times:
            pieces.change("x", _one_less)
            sold += 1
    return sold


def sell_by_increment_of_an_entry(backend: Backend, _worker: int, times: int) -> int:
    """Sell the pieces of an entry, undoing a sale below zero, and return how many this worker sold."""
    pieces, sold = stock(backend), 0
    while sold <= times and pieces.increment("x", -1) >= 0:
        sold += 1
    pieces.increment("x")
    return sold


def take_by_update_if(backend: Backend, worker: int, times: int) -> list[int]:
    """Take every job that no worker has taken, and return those that this worker took."""
    tasks = [Task.ref(number, backend=backend) for number in range(times)]
    return [n for n, task in enumerate(tasks) if task.update_if({"state": "new"}, state="taken", worker=worker)]


def take_by_delete_if(backend: Backend, _worker: int, times: int) -> list[int]:
    """Delete every existing job, and return those that this worker deleted."""
    tasks = [Task.ref(number, backend=backend) for number in range(times)]
    return [n for n, task in enumerate(tasks) if task.delete_if({"state": "new"})]


def make_again_and_read(backend: Backend, worker: int, seconds: int) -> list[object]:
    """Delete a record and make it again (worker 0), or read it (others); return reads that are not a whole record."""
    end = time.monotonic() + seconds
    if worker == 0:
        _make_again(backend, end)
        return []
    return [seen for seen in _seen(backend, end) if not _is_whole(seen)]


def _make_again(backend: Backend, end: float) -> None:
    n = 0
    while time.monotonic() < end:
        n += 1
        Reborn.create("x", n=n, text=str(n), same=n, log=[n, n], backend=backend)
        Reborn.ref("x", backend=backend).delete()


def _seen(backend: Backend, end: float) -> Iterator[dict[str, Any]]:
    """Yield the result of each way to read a record while it exists."""
    record = Reborn.ref("x", backend=backend)
    reads: list[Callable[[], dict[str, Any]]] = [
        record.to_dict,
        lambda: {name: value for name, value in record.items() if name != "log"},
        lambda: {"text": record.text},
        lambda: {"same": record.same},
        lambda: {"log": record.log[:]},
        lambda: next(fetch([record], "n", "text", "same"), {}),
    ]
    while time.monotonic() < end:
        for read in reads:
            with suppress(ObjectNotFound):
                yield read()


def _is_whole(seen: dict[str, Any]) -> bool:
    """Return whether all values that were read belong to one record, and none is a default."""
    if "log" in seen:
        return len(seen["log"]) in (0, 2)
    return len({str(value) for value in seen.values()}) <= 1 and not {"the default", -1} & {*seen.values()}


def write_sessions(backend: Backend, worker: int, seconds: int) -> list[str]:
    """Write records while they expire and are made again; return the keys that had no deadline."""
    end, number, found = time.monotonic() + seconds, worker, []
    while time.monotonic() < end:
        number += 1
        session = Session.ref(number % SESSIONS, backend=backend)
        with suppress(ObjectNotFound, ObjectExists, ConflictError, IndexError):
            _WRITES[number % len(_WRITES)](session, backend)
        keys = [Key(session.key), Key(session.key, "log")]
        found += [str(key) for key, look in zip(keys, backend.look(keys), strict=True) if look and look.ttl_s is None]
    return found


def _set_user(session: Session, _: Backend) -> None:
    session.user = "x"


def _replace_log(session: Session, _: Backend) -> None:
    session.log = [1, 2]


_WRITES: Final[list[Callable[[Session, Backend], object]]] = [
    lambda session, backend: Session.create(session.id, user="a", log=[1], expire=LIFE_S, backend=backend),
    _set_user,
    lambda session, _: session.increment("seen"),
    lambda session, _: session.update(user="b", tags=[1]),
    lambda session, backend: Session.upsert(session.id, user="c", expire=LIFE_S, backend=backend),
    lambda session, _: session.update(user="b", log=[3]),
    lambda session, _: session.log.append(1),
    lambda session, _: session.update_if({"user": "b"}, user="c", log=[4]),
    lambda session, backend: Session(session.id, backend=backend).increment("seen", expire=LIFE_S),
    lambda session, _: session.change("tags", lambda tags: [*tags[-3:], 1]),
    lambda session, _: session.tags.append(2),
    _replace_log,
    lambda session, _: session.log.extend([5, 6]),
    lambda session, _: session.__delitem__("user"),
    lambda session, backend: Session(session.id, seen=1, expire=LIFE_S, backend=backend),
    lambda session, _: session.log.pop() if session.log else None,
    lambda session, _: session.delete_if({"user": "c"}),
]

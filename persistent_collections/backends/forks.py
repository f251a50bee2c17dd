"""A process may fork at any moment: keep locks and resources consistent for the child.

A fork first stops new work, then waits for work in flight, so it takes about that long. Code that waits for
another resource meanwhile, such as another process's lock, must not count as work, or the fork waits for it.

An exception of a signal handler may arrive at any moment. ``with lock:`` on a lock of the interpreter is safe from it:
no handler runs between taking the lock and being in the block. A context manager written in Python is not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from threading import Lock, RLock, get_ident
from typing import Any, Final, Generic, TypeVar
from weakref import ref

T = TypeVar("T")

pending = False
"""Whether a fork, or another caller of ``silence``, waits for work to end. Read it with a seat's lock held."""

_gate: Final = RLock()
_locks: Final[list[Any]] = []
_seats: Final[set[ref[Seat]]] = set()
_held: Final[list[Iterator[None]]] = []  # the silence while a process forks; it ends with the last reference to it
_silencer = 0  # the thread that stops the others' work


class Seat:
    """A place for one operation at a time, which a fork waits for.

    An operation takes ``lock`` in a ``with`` statement, leaves again and calls ``wait`` if ``pending``, and otherwise
    sets ``thread`` while it is at work.

    Attributes:
        lock: Held by the operation.
        thread: The thread at work, 0 between two operations.
    """

    __slots__ = ("__weakref__", "lock", "thread")

    def __init__(self) -> None:
        self.lock = Lock()
        self.thread = 0
        _seats.add(ref(self, _seats.discard))

    def release(self) -> None:
        """Release the resources that a fork must not inherit; called when no work is in progress."""


def seats() -> list[Seat]:
    """Return all existing seats."""
    return [seat for one in list(_seats) if (seat := one()) is not None]


def is_at_work() -> bool:
    """Return whether this thread is in an operation or a fork, and so in a signal handler or finalizer within it."""
    me = get_ident()
    return me == _silencer or any(seat.thread == me for seat in seats())


def wait() -> None:
    """Return when the ``pending`` fork is over; call it without a lock of a seat."""
    with _gate:
        pass


def silence(locks: Sequence[Any] = ()) -> Iterator[None]:
    """Stop the work of all other threads, then wait for work in flight; work resumes when the iterator is closed.

    The seats of this thread keep their state.

    Args:
        locks: Locks to hold meanwhile, too.
    """
    global pending, _silencer  # noqa: PLW0603 - read in each operation, so they must be cheap
    with _gate:
        try:
            _silencer = me = get_ident()
            pending = True
            for seat in seats():
                if seat.thread != me:
                    with seat.lock:
                        pass
            for seat in seats():
                if seat.thread != me:
                    seat.release()
            yield from _hold(locks)
        finally:
            pending = False
            _silencer = 0


def lock_across_forks() -> Any:
    """Return a new lock that other threads can't hold while the process forks; its child would wait forever."""
    lock = RLock()
    _locks.append(lock)
    return lock


class late(Generic[T]):  # noqa: N801 - used as a decorator
    """An attribute that is computed on first access, and is the same for all threads from then on.

    ``functools.cached_property`` of Python 3.11 has one lock for all instances, which a fork could leave locked.
    """

    def __init__(self, method: Callable[[Any], T]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type) -> T:
        if instance is None:
            return self  # type: ignore[return-value] # as of a property, for those who look at the class
        found: T = vars(instance).setdefault(self._name, self._method(instance))
        return found


def _hold(locks: Sequence[Any]) -> Iterator[None]:
    if not locks:
        yield
        return
    with locks[0]:
        yield from _hold(locks[1:])


def _before() -> None:
    while not _held:
        try:
            quiet = silence(_locks)
            next(quiet)
            _held.append(quiet)
        except BaseException:  # noqa: BLE001, S110 - of a signal handler; the interpreter would drop it and fork
            pass


def _renew() -> None:
    for seat in seats():
        if not seat.thread:
            seat.lock = Lock()  # a thread that was about to wait may have held it


if hasattr(os, "register_at_fork"):
    for _ in range(2):  # a signal handler that raises on entering one leaves the other
        os.register_at_fork(before=_before, after_in_child=_renew)
    os.register_at_fork(after_in_parent=_held.clear, after_in_child=_held.clear)

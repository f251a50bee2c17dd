"""A store that fails when a test requests it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Final, Literal, TypeAlias, TypeVar

from persistent_collections.backends.base import Backend
from persistent_collections.backends.wrappers.base import Operation, WrappedBackend
from persistent_collections.errors import (
    BackendError,
    BackendUnavailable,
    ConflictError,
    CorruptDataError,
    OutcomeUnknown,
)

R = TypeVar("R")

FaultKind: TypeAlias = type[BackendError] | type[ConflictError] | type[CorruptDataError]
Only: TypeAlias = Literal["reads", "writes"]

_KINDS: Final[tuple[FaultKind, ...]] = (
    BackendError,
    BackendUnavailable,
    ConflictError,
    CorruptDataError,
    OutcomeUnknown,
)


class _Fault:
    """One failure to come.

    Args:
        kind: The error to raise; for ``ConflictError`` a conditional write returns that it failed.
        after: How many of the operations it could hit go well first.
        times: The number of operations to hit, None for all.
        done: Whether the operation is done all the same.
        only: The kind of operations to hit.
    """

    def __init__(self, kind: FaultKind, after: int, times: int | None, only: Only | None, *, done: bool) -> None:
        self.kind = kind
        self.done = done
        self._after = after
        self._times = times
        self._only = only

    @property
    def is_over(self) -> bool:
        return self._times == 0

    def strikes(self, operation: Operation) -> bool:
        """Note an operation, and return whether to hit it."""
        effect = "reads" if operation.effect == "reads" else "writes"
        if not (_is_conditional(operation) if self.kind is ConflictError else self._only in (None, effect)):
            return False
        if self._after:
            self._after -= 1
            return False
        if self._times:
            self._times -= 1
        return True


def _check(kind: FaultKind, only: Only | None, *, done: bool) -> None:
    if kind not in _KINDS:
        known = ", ".join(known.__name__ for known in _KINDS)
        raise ValueError(f"fail() takes {known}, not {kind!r}")
    if done and kind is not OutcomeUnknown:
        raise ValueError(f"done=True is for OutcomeUnknown; after a {kind.__name__} nothing was done")
    if only not in (None, "reads", "writes"):
        raise ValueError(f"only= is 'reads' or 'writes', not {only!r}")
    if only == "reads" and kind in (OutcomeUnknown, ConflictError):
        raise ValueError(f"only writes raise {kind.__name__}; leave out only='reads'")


class FaultyBackend(WrappedBackend):
    """Pass everything on to another backend, and fail when a test requests it.

    So you can test how your code handles a write that fails, times out or meets a conflict::

        faulty = FaultyBackend(connect("memory:"))
        stock = PersistentDict("stock", {"apples": 3, "tags": []}, backend=faulty)

        faulty.fail(BackendUnavailable)                     # the next operation, once
        with pytest.raises(BackendUnavailable):
            stock["apples"]
        assert stock["apples"] == 3

        faulty.fail(OutcomeUnknown, done=True)              # the next write is made, but its reply is lost
        with pytest.raises(OutcomeUnknown):
            stock.increment("apples", -1)
        assert stock["apples"] == 2

        faulty.fail(ConflictError)                          # the next write-if-unchanged finds a change
        with pytest.raises(ConflictError):
            stock["tags"].append("ripe")
        assert stock["tags"] == []

    An operation is one call of a method of the backend or of a handle. Most methods of collections and records make
    one; iteration makes one per page, and one at the end. The wrapper is equal to the other backend, and may be
    configured in its place.

    Args:
        backend: The store that does the work. Closing the wrapper closes it too.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self._faults: list[_Fault] = []
        self._operations = 0
        self._lock = Lock()

    def fail(
        self,
        kind: FaultKind,
        *,
        after: int = 0,
        times: int | None = 1,
        done: bool = False,
        only: Only | None = None,
    ) -> None:
        """Make future operations fail. Each request counts operations by itself; if two apply, the older one wins.

        Args:
            kind: The error to raise: ``BackendUnavailable``, ``OutcomeUnknown`` (a timeout, only of writes),
                ``BackendError`` or ``CorruptDataError``. With ``ConflictError``, the next write that requires unchanged
                data finds a change.
            after: How many of the matching operations succeed first.
            times: How many fail then; None for all until :meth:`heal`.
            done: Whether a write that times out is made nevertheless.
            only: ``"reads"`` or ``"writes"``; by default both fail.

        Raises:
            ValueError: The arguments contradict each other.
        """
        _check(kind, only, done=done)
        if after < 0 or (times is not None and times < 1):
            raise ValueError(f"after= is 0 or more and times= 1 or more, not {after!r} and {times!r}")
        fault = _Fault(kind, after, times, "writes" if kind is OutcomeUnknown else only, done=done)
        with self._lock:
            self._faults.append(fault)

    def heal(self) -> bool:
        """Forget all requested failures, and return whether any was outstanding.

        ::

            faulty = FaultyBackend(connect("memory:"))
            faulty.fail(BackendUnavailable, times=None)
            assert faulty.heal()
            assert PersistentDict("stock", {"apples": 3}, backend=faulty)["apples"] == 3
        """
        with self._lock:
            waiting = bool(self._faults)
            self._faults.clear()
        return waiting

    @property
    def operations(self) -> int:
        """The number of operations so far, including failed ones.

        ::

            faulty = FaultyBackend(connect("memory:"))
            stock = PersistentDict("stock", {"apples": 3}, backend=faulty)
            before = faulty.operations
            stock.increment("apples")
            assert faulty.operations == before + 1
        """
        return self._operations

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        fault = self._fault_for(operation)
        if fault is None:
            return call()
        if fault.kind is ConflictError:
            refused: Any = None if operation.name == "pop" else False  # what a write returns that found a change
            return refused  # type: ignore[no-any-return]
        if fault.done:
            call()
        outcome = "the write may or may not have been made" if fault.kind is OutcomeUnknown else "nothing was done"
        key = next(map(str, operation.keys), self.url)
        ordered = f"FaultyBackend.fail() ordered this {fault.kind.__name__} of {operation.name}"
        raise fault.kind(f"{key!r}: {ordered}; {outcome}")

    def _fault_for(self, operation: Operation) -> _Fault | None:
        """Count an operation, and return the failure requested for it."""
        with self._lock:
            self._operations += 1
            struck = next((fault for fault in self._faults if fault.strikes(operation)), None)
            self._faults = [fault for fault in self._faults if not fault.is_over]
        return struck


def _is_conditional(operation: Operation) -> bool:
    """Return whether an operation writes only if the store holds the expected value."""
    is_conditional = operation.effect == "writes if unchanged"
    return is_conditional and (operation.name == "compare_and_set" or len(operation.arguments) > 1)

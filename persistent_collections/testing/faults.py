"""A store that fails when a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from functools import cache, partial
from inspect import isfunction
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal, TypeAlias, TypeVar

from persistent_collections.backends.base import (
    Backend,
    Change,
    Description,
    Entry,
    Key,
    MappingStore,
    MemberStore,
    SequenceStore,
    Shape,
)
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
_READS: Final = frozenset(
    (
        *("describe", "exist", "exists", "get_many", "keys", "shape", "snapshot", "strangers", "ttl"),
        *("combine", "contains", "count", "find", "get", "get_all", "get_slice", "pages", "size"),
    )
)
_CONDITIONAL: Final = frozenset({"compare_and_set", "replace_if"})


class _Fault:
    """One failure to come.

    Args:
        kind: What is raised; for ``ConflictError`` a conditional write says no.
        after: How many of the operations it could hit go well first.
        times: How many it hits then, None for all.
        done: Whether the operation is done all the same.
        only: What it hits.
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

    def strikes(self, *, writes: bool, conditional: bool) -> bool:
        """Take note of an operation, and say whether to hit it."""
        if not (conditional if self.kind is ConflictError else self._only in (None, "writes" if writes else "reads")):
            return False
        if self._after:
            self._after -= 1
            return False
        if self._times:
            self._times -= 1
        return True


class FaultyBackend(Backend):
    """Pass everything on to another backend, and fail where a test orders it to.

    So a test sees what becomes of a write that fails, times out or is beaten by another::

        faulty = FaultyBackend(connect("memory:"))
        stock = PersistentDict("stock", {"apples": 3, "tags": []}, backend=faulty)

        faulty.fail(BackendUnavailable)                     # the next operation, once
        with pytest.raises(BackendUnavailable):
            stock["apples"]
        assert stock["apples"] == 3

        faulty.fail(OutcomeUnknown, done=True)              # the next write is made, and nobody is told
        with pytest.raises(OutcomeUnknown):
            stock.increment("apples", -1)
        assert stock["apples"] == 2

        faulty.fail(ConflictError)                          # the next write-if-unchanged finds a change
        with pytest.raises(ConflictError):
            stock["tags"].append("ripe")
        assert stock["tags"] == []

    An operation is one call of a method of the backend or of a handle, which is what a method of a collection or record
    mostly makes; iteration makes one a page and one at the end. It is equal to the other backend, and may be configured
    in its place.

    Args:
        backend: What does the work, and is closed along.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        vars(self).update(
            medium=backend.medium,
            ordered=backend.ordered,
            in_process=backend.in_process,
            options=backend.options,
            codec=backend.codec,
        )
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
        """Let operations to come fail; several orders count side by side, and of two for one operation the older wins.

        Args:
            kind: ``BackendUnavailable``, ``OutcomeUnknown`` (a timeout, which hits writes only), ``BackendError`` or
                ``CorruptDataError`` is raised; for ``ConflictError`` a write that is to be made only if nothing has
                changed finds that something has.
            after: How many of the operations that it could hit go well first.
            times: How many it hits then; None for all until :meth:`heal`.
            done: Whether the write that times out is made all the same.
            only: ``"reads"`` or ``"writes"``, where it is not to hit both.

        Raises:
            ValueError: The arguments contradict each other.
        """
        if kind not in _KINDS:
            known = ", ".join(known.__name__ for known in _KINDS)
            raise ValueError(f"a store fails with {known}, not {kind!r}")
        if done and kind is not OutcomeUnknown:
            raise ValueError(f"done=True is for OutcomeUnknown; after a {kind.__name__} nothing was done")
        if only not in (None, "reads", "writes") or (only == "reads" and kind in (OutcomeUnknown, ConflictError)):
            raise ValueError(f"only= is 'reads' or 'writes', and {kind.__name__} may know writes alone, not {only!r}")
        if after < 0 or (times is not None and times < 1):
            raise ValueError(f"after= is 0 or more and times= 1 or more, not {after!r} and {times!r}")
        fault = _Fault(kind, after, times, "writes" if kind is OutcomeUnknown else only, done=done)
        with self._lock:
            self._faults.append(fault)

    def heal(self) -> bool:
        """Forget all failures that were ordered, and say whether any was still to come."""
        with self._lock:
            waiting = bool(self._faults)
            self._faults.clear()
        return waiting

    @property
    def operations(self) -> int:
        """The number of operations so far, those that failed included."""
        return self._operations

    @property
    def url(self) -> str:
        return self._backend.url

    @property
    def identity(self) -> Hashable:
        return self._backend.identity

    @property
    def path(self) -> Path | None:
        return self._backend.path

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        handle: MappingStore = _forwarding(MappingStore)(self, key, self._backend.mapping(key, kin))
        return handle

    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        handle: SequenceStore = _forwarding(SequenceStore)(self, key, self._backend.sequence(key, kin))
        return handle

    def members(self, key: Key, kin: Sequence[Key] = ()) -> MemberStore:
        handle: MemberStore = _forwarding(MemberStore)(self, key, self._backend.members(key, kin))
        return handle

    def exists(self, keys: Sequence[Key]) -> bool:
        return self._do("exists", keys, partial(self._backend.exists, keys))

    def exist(self, families: Sequence[Sequence[Key]]) -> list[bool]:
        return self._do("exist", chain.from_iterable(families), partial(self._backend.exist, families))

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        return self._do("get_many", (key for key, _ in wanted), partial(self._backend.get_many, wanted))

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        return self._do("snapshot", keys, partial(self._backend.snapshot, keys))

    def describe(self, keys: Sequence[Key]) -> list[Description | None]:
        return self._do("describe", keys, partial(self._backend.describe, keys))

    def shape(self, key: Key) -> Shape | None:
        return self._do("shape", [key], partial(self._backend.shape, key))

    def keys(self, prefix: str) -> Iterator[Key]:
        yield from self._do("keys", [Key(prefix)], partial(self._backend.keys, prefix))

    def apply(self, changes: Sequence[Change], kin: Sequence[Key] = ()) -> list[bool]:
        return self._do("apply", (change.key for change in changes), partial(self._backend.apply, changes, kin))

    def ttl(self, keys: Sequence[Key]) -> float | None:
        return self._do("ttl", keys, partial(self._backend.ttl, keys))

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        yield from self._do("strangers", (), partial(self._backend.strangers, type_names))

    def close(self) -> None:
        self._backend.close()

    def _do(self, name: str, keys: Iterable[Key], operation: Callable[[], R], refusal: R | None = None) -> R:
        """Return what an operation gives, or let it fail.

        Args:
            name: What it is called.
            keys: What it works on.
            operation: Does it.
            refusal: What it gives where it does nothing because something has changed, None if it never does.
        """
        fault = self._fault_for(writes=name not in _READS, conditional=refusal is not None)
        if fault is None:
            return operation()
        if fault.kind is ConflictError and refusal is not None:
            return refusal
        if fault.done:
            operation()
        outcome = "the write may or may not have been made" if fault.kind is OutcomeUnknown else "nothing was done"
        key = next(map(str, keys), self.url)
        raise fault.kind(f"{key!r}: FaultyBackend.fail() ordered this {fault.kind.__name__} of {name}; {outcome}")

    def _fault_for(self, *, writes: bool, conditional: bool) -> _Fault | None:
        """Count an operation and return the failure ordered for it."""
        with self._lock:
            self._operations += 1
            struck = next(
                (fault for fault in self._faults if fault.strikes(writes=writes, conditional=conditional)), None
            )
            self._faults = [fault for fault in self._faults if not fault.is_over]
        return struck


@cache
def _forwarding(interface: type) -> Callable[[FaultyBackend, Key, Any], Any]:
    """Return a class of handles that pass each method of ``interface`` on to another handle, if it is not to fail."""

    def init(self: Any, faulty: FaultyBackend, key: Key, handle: Any) -> None:
        self.faulty, self.keys, self.handle = faulty, [key], handle

    names = [name for name, member in vars(interface).items() if isfunction(member) and not name.startswith("_")]
    methods = {name: _walk if name == "pages" else _forward(name) for name in names}
    made: Any = type(f"Faulty{interface.__name__}", (interface,), {"__init__": init, **methods})
    return made  # type: ignore[no-any-return]  # a class like this one is made at run time


def _forward(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        is_conditional = name in _CONDITIONAL or (name == "delete" and len(args) + len(kwargs) > 1)  # index, expected
        operation = partial(getattr(self.handle, name), *args, **kwargs)
        return self.faulty._do(name, self.keys, operation, False if is_conditional else None)

    return method


def _walk(self: Any) -> Iterator[Any]:
    pages = self.handle.pages()
    while (page := self.faulty._do("pages", self.keys, partial(next, pages, None))) is not None:  # some are empty
        yield page

"""Stores that would block an event loop, made usable for functions that run on one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from persistent_collections import flows
from persistent_collections.backends.base import Backend
from persistent_collections.backends.indexes import Indexing, IndexStore, Place
from persistent_collections.backends.wrappers.base import Operation, WrappedBackend

R = TypeVar("R")

_ENTRIES: Final = Operation("entries", [], "reads")
_made: Final[WeakValueDictionary[int, BesideBackend]] = WeakValueDictionary()
"""The wrappers by the ``id()`` of the store, which each keeps alive."""


class BesideBackend(WrappedBackend):
    """Pass each operation on to another store, in a thread while this is on an event loop.

    Args:
        backend: The store that does the work. Closing the wrapper closes it too.
    """

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        del operation
        return flows.aside(call)

    def index(self, indexing: Indexing) -> Any:
        return _BesideIndex(self, self.wrapped.index(indexing))


class _BesideIndex:
    """Pass each method on to the indexes of a class, as ``BesideBackend`` does."""

    def __init__(self, backend: BesideBackend, index: IndexStore) -> None:
        self._backend = backend
        self._index = index

    def entries(self, index: str) -> Iterator[Place]:
        return self._backend.by_pages(_ENTRIES, partial(self._index.entries, index))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._index, name)
        return (lambda *args, **kwargs: flows.aside(partial(found, *args, **kwargs))) if callable(found) else found


def beside(backend: Backend) -> Backend:
    """Return ``backend``, or on an event loop that it would block, a wrapper that uses it in threads."""
    if not flows.bridging or flows.crossing() is None or backend.yields:
        return backend
    return _made.get(id(backend)) or _made.setdefault(id(backend), BesideBackend(backend))

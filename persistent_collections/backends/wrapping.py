"""A store that passes every operation on to another, and may do something around each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from functools import cache, partial
from inspect import isfunction
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

from persistent_collections.backends.base import (
    PAGE_SIZE,
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
from persistent_collections.backends.urls import OBSERVERS, SWITCH, StoreURL, find_observer

R = TypeVar("R")
T = TypeVar("T")


class Operation(NamedTuple):
    """One step in a store: a call of a method of a backend or of a handle, or a page of an iteration.

    Attributes:
        name: The name of the method.
        keys: What it works on; a key with the root ``User:`` stands for all whose root starts so.
        shape: That of the handle, None for a method of the backend.
        arguments: What the method of a handle was given: fields, indexes, and the bytes of values.
    """

    name: str
    keys: Sequence[Key]
    shape: Shape | None = None
    arguments: tuple[Any, ...] = ()

    @property
    def collection(self) -> str:
        """The type of what it works on, ``User``, with the field of a child, ``User.friends``; empty if several."""
        types, fields = {key.root.partition(":")[0] for key in self.keys}, {key.child for key in self.keys}
        if len(types) != 1:
            return ""
        return ".".join(filter(None, (*types, *fields))) if len(fields) == 1 else types.pop()


class WrappedBackend(Backend):
    """The base of stores that are another one and do something around each operation: subclasses define ``around``.

    It is equal to the other backend, and may be configured in its place.

    Args:
        backend: What does the work, and is closed along.
    """

    option: ClassVar[str | None] = None
    """The option by which a URL asks for this class, if it can."""

    def __init__(self, backend: Backend) -> None:
        self.wrapped = backend
        vars(self).update(
            medium=backend.medium,
            ordered=backend.ordered,
            in_process=backend.in_process,
            options=backend.options,
            codec=backend.codec,
        )

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        """Return what ``call`` gives, which does ``operation``."""
        del operation
        return call()

    @property
    def url(self) -> str:
        url = self.wrapped.url
        return f"{url}{'&' if '?' in url else '?'}{self.option}=on" if self.option else url

    @property
    def identity(self) -> Hashable:
        return self.wrapped.identity

    @property
    def path(self) -> Path | None:
        return self.wrapped.path

    def file(self, key: Key) -> Path | None:
        return self.wrapped.file(key)

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        handle: MappingStore = _forwarding(MappingStore)(self, key, "mapping", self.wrapped.mapping(key, kin))
        return handle

    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        handle: SequenceStore = _forwarding(SequenceStore)(self, key, "sequence", self.wrapped.sequence(key, kin))
        return handle

    def members(self, key: Key, kin: Sequence[Key] = ()) -> MemberStore:
        handle: MemberStore = _forwarding(MemberStore)(self, key, "members", self.wrapped.members(key, kin))
        return handle

    def exists(self, keys: Sequence[Key]) -> bool:
        return self.around(Operation("exists", keys), partial(self.wrapped.exists, keys))

    def exist(self, families: Sequence[Sequence[Key]]) -> list[bool]:
        keys = list(chain.from_iterable(families))
        return self.around(Operation("exist", keys), partial(self.wrapped.exist, families))

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        keys = [key for key, _ in wanted]
        return self.around(Operation("get_many", keys), partial(self.wrapped.get_many, wanted))

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        return self.around(Operation("snapshot", keys), partial(self.wrapped.snapshot, keys))

    def describe(self, keys: Sequence[Key]) -> list[Description | None]:
        return self.around(Operation("describe", keys), partial(self.wrapped.describe, keys))

    def shape(self, key: Key) -> Shape | None:
        return self.around(Operation("shape", [key]), partial(self.wrapped.shape, key))

    def keys(self, prefix: str) -> Iterator[Key]:
        return self._by_pages(Operation("keys", [Key(prefix)]), partial(self.wrapped.keys, prefix))

    def apply(self, changes: Sequence[Change], kin: Sequence[Key] = ()) -> list[bool]:
        keys = [change.key for change in changes]
        return self.around(Operation("apply", keys), partial(self.wrapped.apply, changes, kin))

    def ttl(self, keys: Sequence[Key]) -> float | None:
        return self.around(Operation("ttl", keys), partial(self.wrapped.ttl, keys))

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        return self._by_pages(Operation("strangers", []), partial(self.wrapped.strangers, type_names))

    def close(self) -> None:
        self.wrapped.close()

    def _by_pages(self, operation: Operation, walk: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Yield what ``walk`` yields, found a page at a time, each page an operation."""
        found = (each for start in (walk,) for each in start())  # which starts the walk within the first operation
        is_last = False
        while not is_last:
            page = self.around(operation, lambda: list(islice(found, PAGE_SIZE)))
            is_last = len(page) < PAGE_SIZE
            yield from page


def observed(backend: Backend, url: StoreURL) -> Backend:
    """Return ``backend`` in the wrappers that the options of ``url`` ask for, itself if for none.

    Raises:
        ConfigurationError: What one needs is not installed.
    """
    for name in OBSERVERS:
        if SWITCH.read(name, url.options.get(name, False)):
            backend = find_observer(name)(backend)
    return backend


@cache
def _forwarding(interface: type) -> Callable[[WrappedBackend, Key, Shape, Any], Any]:
    """Return a class of handles that pass each method of ``interface`` on to another handle, through ``around``."""

    def init(self: Any, backend: WrappedBackend, key: Key, shape: Shape, handle: Any) -> None:
        self.backend, self.keys, self.shape, self.handle = backend, [key], shape, handle

    names = [name for name, member in vars(interface).items() if isfunction(member) and not name.startswith("_")]
    methods = {name: _walk if name == "pages" else _forward(name) for name in names}
    made: Any = type(f"Wrapped{interface.__name__}", (interface,), {"__init__": init, **methods})
    return made  # type: ignore[no-any-return]  # a class like this one is made at run time


def _forward(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        operation = Operation(name, self.keys, self.shape, (*args, *kwargs.values()))
        return self.backend.around(operation, partial(getattr(self.handle, name), *args, **kwargs))

    return method


def _walk(self: Any) -> Iterator[Any]:
    pages, operation = self.handle.pages(), Operation("pages", self.keys, self.shape)
    while (page := self.backend.around(operation, partial(next, pages, None))) is not None:  # some are empty
        yield page

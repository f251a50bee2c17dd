"""A store that passes every operation on to another, and may do something around each."""

from __future__ import annotations

from abc import update_abstractmethods
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, TypeVar

from persistent_collections.backends.base import PAGE_SIZE, Backend, Found
from persistent_collections.backends.changes import Change, Condition, keys_of
from persistent_collections.backends.effects import Effect, operations_of
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.shapes import SHAPES, Shape
from persistent_collections.errors import ConfigurationError

R = TypeVar("R")
T = TypeVar("T")


class Operation(NamedTuple):
    """One step in a store: a call of a method of a backend or of a handle, or a page of an iteration.

    ::

        from persistent_collections.backends.shapes import MAPPING

        reading = Operation("get", [Key("User:luke", "settings")], "read", MAPPING, ("theme",))
        assert reading.collection == "User.settings"

    Attributes:
        name: The name of the method.
        keys: The keys that it works on; a key with the root ``User:`` represents all keys whose root starts with it.
        effect: Whether it reads or writes, as its interface declares.
        shape: The shape of the handle, None for a method of the backend.
        arguments: The arguments of a handle's method: fields, indexes, and the bytes of values.
    """

    name: str
    keys: Sequence[Key]
    effect: Effect
    shape: Shape | None = None
    arguments: tuple[Any, ...] = ()

    @property
    def collection(self) -> str:
        """The type that it works on, ``User``, with the field of a child, ``User.friends``; empty if several."""
        types, fields = {key.root.partition(":")[0] for key in self.keys}, {key.child for key in self.keys}
        if len(types) != 1:
            return ""
        return ".".join(filter(None, (*types, *fields))) if len(fields) == 1 else types.pop()


_KEYS: Final[dict[str, Callable[..., Sequence[Key]]]] = {
    "back_up": lambda _: [],
    "commit": keys_of,
    "commit_once": keys_of,
    "commit_each": lambda steps: [key for step in steps for key in keys_of(*step)],
    "examine": lambda wanted: [each.key for each in wanted],
    "get_many": lambda wanted: [key for key, _ in wanted],
    "keys": lambda prefix, *_, **__: [Key(prefix)],
    "look": lambda keys, **_: keys,
    "snapshot": lambda keys: keys,
    "snapshots": lambda objects: [key for keys in objects for key in keys],
    "strangers": lambda _: [],
}
"""The keys that each operation of a backend works on, from its arguments."""

_WALKS: Final = frozenset({"keys", "strangers"})
"""The operations of a backend that are iterations."""


class WrappedBackend(Backend):
    """The base of stores that wrap another one and do something around each operation: subclasses define ``around``.

    ::

        class CountedBackend(WrappedBackend):
            operations = 0

            def around(self, operation, call):
                self.operations += 1
                return call()

        counted = CountedBackend(connect("memory:"))
        PersistentDict("visits", backend=counted).increment("/")
        assert counted.operations == 1

    It is equal to the other backend, and may be configured in its place. Every method of ``Backend`` that this class
    does not define is passed on; the end of this module arranges that.

    Args:
        backend: The store that does the work. Closing the wrapper closes it too.

    Raises:
        ConfigurationError: ``backend`` is not one, but a URL, for example.
    """

    option: ClassVar[str | None] = None
    """The option by which a URL asks for this class, if it can."""

    def __init__(self, backend: Backend) -> None:
        if not isinstance(backend, Backend):
            raise ConfigurationError(
                f"{type(self).__name__} is put around a backend, such as connect('memory:'), not a "
                f"{type(backend).__name__}"
            )
        self.wrapped = backend

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        """Return the result of ``call``, which does ``operation``."""
        del operation
        return call()

    def by_pages(self, operation: Operation, walk: Callable[[], Iterator[T]]) -> Iterator[T]:
        """Yield the results of ``walk``, found a page at a time, each page an operation."""
        found = (each for start in (walk,) for each in start())  # which starts the walk within the first operation
        is_last = False
        while not is_last:
            page = self.around(operation, lambda: list(islice(found, PAGE_SIZE)))
            is_last = len(page) < PAGE_SIZE
            yield from page

    @property
    def url(self) -> str:
        url = self.wrapped.url
        return f"{url}{'&' if '?' in url else '?'}{self.option}=on" if self.option else url

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        return _handles_of(shape)(self, key, self.wrapped.open(shape, key, is_record=is_record))

    if TYPE_CHECKING:  # made at the end of this module too, which type checkers do not see

        def look(self, keys: Sequence[Key], *, sizes: bool = False) -> list[Found | None]: ...
        def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]: ...
        def keys(self, prefix: str, shape: Shape | None = None) -> Iterator[Key]: ...
        def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool: ...
        def close(self) -> None: ...


@cache
def _handles_of(shape: Shape) -> Callable[[WrappedBackend, Key, Any], Any]:
    """Return a class of handles that pass each method of ``shape`` on to another handle, through ``around``."""

    def init(self: Any, backend: WrappedBackend, key: Key, handle: Any) -> None:
        self.backend, self.key, self.handle = backend, key, handle

    def forward(name: str, effect: Effect) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            operation = Operation(name, [self.key], effect, shape, (*args, *kwargs.values()))
            return self.backend.around(operation, partial(getattr(self.handle, name), *args, **kwargs))

        return method

    def walk(self: Any) -> Iterator[Any]:
        pages, operation = self.handle.pages(), Operation("pages", [self.key], "reads", shape)
        while (page := self.backend.around(operation, partial(next, pages, None))) is not None:  # some are empty
            yield page

    methods = {name: forward(name, effect) for name, effect in operations_of(shape.interface).items()}
    methods |= {"pages": walk} if "pages" in methods else {}
    made: Any = type(f"Wrapped{shape.interface.__name__}", (shape.interface,), {"__init__": init, **methods})
    return made  # type: ignore[no-any-return]  # a class like this one is made at run time


def _pass_on_operation(name: str, effect: Effect) -> Callable[..., Any]:
    def method(self: WrappedBackend, *args: Any, **kwargs: Any) -> Any:
        operation = Operation(name, _KEYS[name](*args, **kwargs), effect)
        call = partial(getattr(self.wrapped, name), *args, **kwargs)
        return self.by_pages(operation, call) if name in _WALKS else self.around(operation, call)

    method.__name__, method.__doc__ = name, getattr(Backend, name).__doc__
    return method


def _pass_on_attribute(name: str) -> property:
    return property(lambda self: getattr(self.wrapped, name), doc=f"The ``{name}`` of the wrapped store.")


def _pass_on_everything() -> None:
    """Give ``WrappedBackend`` every public member of ``Backend`` that it does not define itself."""
    operations = operations_of(Backend)
    opened = {shape.name for shape in SHAPES.values()}  # these go through open()
    left = {*vars(WrappedBackend), *opened, "from_url"}
    for name in dir(Backend):
        if not name.startswith("_") and name not in left:
            passed = _pass_on_operation(name, operations[name]) if name in operations else _pass_on_attribute(name)
            setattr(WrappedBackend, name, passed)
    made: Any = WrappedBackend
    update_abstractmethods(made)


_pass_on_everything()

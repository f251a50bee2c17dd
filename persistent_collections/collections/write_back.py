"""Lists, dicts and sets inside a stored value: the built-in types, with methods that write back changes.

``d["tags"].append("x")`` reads the value under ``"tags"``, changes the copy and stores it, if the stored value is still
the one that was read. Each container read this way has the :class:`StoredAt` of the whole value that contains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from functools import partial, wraps
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, SupportsIndex, TypeVar
from uuid import UUID

import msgspec

from persistent_collections.backends.base import Backend
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.types.registry import encode_as, is_array
from persistent_collections.collections.core import Core
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.errors import ConflictError, DecodeError, EncodeError
from persistent_collections.transactions.current import on_abort, seen
from persistent_collections.transactions.overlay import real

N = TypeVar("N", bound="type[Nested]")

_UNCHANGING: Final = (
    *(int, float, complex, str, bytes, frozenset, type(None)),
    *(date, time, timedelta, tzinfo, Decimal, Enum, PurePath, UUID, PersistentObject),
)
_MANY: Final = 16
"""How many items are looked at faster all at once than one by one."""

_nested: Final[dict[type, Any]] = {}
_plain: Final[dict[type, Any]] = {}


class StoredAt(msgspec.Struct, eq=False):
    """The location of a stored value, and the bytes that were read. One is created each time a container is read.

    Attributes:
        owner: The state of the handle it was read through, which notes each write.
        backend: The store it was read from.
        where: The field or index.
        codec: Encodes the whole value.
        data: The bytes that were read, None if nothing is stored and the value is an unset field's default.
        written: The last write of this thread through the owner when it was read.
        default: The bytes of the default of an unset field.
        root: The whole value.
    """

    owner: Core
    backend: Backend
    where: str | int
    codec: Codec
    data: bytes | None
    written: object
    default: bytes | None = None
    root: Any = None

    @property
    def is_current(self) -> bool:
        """Whether the owner is still in this store, and this thread has since written only this value through it."""
        return self.written is self.owner.last_write() and real(self.backend) is real(self.owner.now().backend)

    def write(self) -> None:
        """Store the value if its bytes differ from those that were read. Cost: 1 round trip.

        Raises:
            ConflictError: The stored value changed since it was read; it stays.
        """
        try:
            data = self.codec.encode(self.root)
        except EncodeError as error:
            raise self.owner.located(self.where, error) from error.__cause__
        if data == (self.default if self.data is None else self.data):
            return
        if not self.owner.swap(seen(real(self.backend)), self.where, self.data, data):
            raise ConflictError(
                f"the value at {self.where!r} of {self.owner} changed since it was read; nothing was written; "
                "read it again"
            )
        on_abort(partial(self._unwrite, self.data, was_current=self.written is self.owner.last_write()))
        self.data = data
        self.owner.wrote()
        self.written = self.owner.last_write()

    def _unwrite(self, data: bytes | None, *, was_current: bool) -> None:
        """Note that a write was abandoned: the store holds the earlier content."""
        self.data = data
        self.written = self.owner.last_write() if was_current else None


class Nested:
    """The base of lists, dicts and sets in a stored value."""

    __slots__ = ()

    if TYPE_CHECKING:
        __pc__: StoredAt

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Create a plain built-in: only containers that were read write back, even with ``type(value)(…)``."""
        return _plain[cls](*args, **kwargs)

    def copy(self) -> Any:
        """Return the plain built-in, recursively."""
        return detach(self)

    def __copy__(self) -> Any:
        return detach(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return deepcopy(detach(self), memo)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        plain = detach(self)
        return type(plain), (plain,)

    def __repr__(self) -> str:
        return repr(detach(self))


def _built_on(kind: Any, *, changing: str, making: str = "") -> Callable[[N], N]:
    """Make a class a ``kind`` whose ``changing`` methods write back and whose ``making`` methods return plain ones."""
    fill = kind.extend if kind is list else kind.update
    put = getattr(kind, "__setitem__", None)

    def build(cls: N) -> N:
        for name in changing.split():
            setattr(cls, name, _writing_back(getattr(kind, name)))
        for name in making.split():
            setattr(cls, name, _giving_plain(getattr(kind, name)))
        _nested[kind], _plain[cls] = (cls, kind.__new__, fill, put), kind
        encode_as(cls, kind)
        return cls

    return build


def _writing_back(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of a built-in store its change, and undo the change in memory if that fails."""

    @wraps(method)
    def changing(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        before = _plain[type(self)](self)
        try:
            result = method(self, *args, **kwargs)
            self.__pc__.write()
            _attach_items(self)
        except BaseException:
            _put_back(self, before)
            raise
        on_abort(partial(_put_back, self, before))
        return result if result is self or type(result) in _nested else detach(result)

    return changing


def _giving_plain(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make a method of a built-in that creates a container return a plain one, recursively."""

    @wraps(method)
    def making(self: Any, /, *args: Any) -> Any:
        return detach(method(self, *args))

    return making


@_built_on(
    list,
    changing="append extend insert pop remove clear sort reverse __init__ __setitem__ __delitem__ __iadd__ __imul__",
)
class NestedList(Nested, list[Any]):
    """A ``list`` in a stored value."""

    __slots__ = ("__pc__",)

    def __add__(self, other: Any) -> Any:
        return detach(list(self) + other)

    def __radd__(self, other: Any) -> Any:
        return detach(other + list(self))

    def __mul__(self, times: Any) -> Any:
        return detach(list(self) * times)

    __rmul__ = __mul__

    def __getitem__(self, index: Any) -> Any:
        item = list.__getitem__(self, index)
        return detach(item) if isinstance(index, slice) else item


@_built_on(dict, changing="pop popitem clear update __init__ __setitem__ __delitem__ __ior__", making="__or__ __ror__")
class NestedDict(Nested, dict[Any, Any]):
    """A ``dict`` in a stored value."""

    __slots__ = ("__pc__",)

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """Yield the current value, to be changed."""
        if key not in self:
            self[key] = default
        return self[key]


@_built_on(
    set,
    changing="add discard remove pop clear update difference_update intersection_update symmetric_difference_update "
    "__init__ __ior__ __iand__ __isub__ __ixor__",
    making="union intersection difference symmetric_difference "
    "__or__ __ror__ __and__ __rand__ __sub__ __rsub__ __xor__ __rxor__",
)
class NestedSet(Nested, set[Any]):
    """A ``set`` in a stored value."""

    __slots__ = ("__pc__",)


NESTED: Final = frozenset(_plain)
"""The types of containers that write back."""

HOLDING: Final = frozenset({tuple, *_nested, *_plain})
"""The types of values that :func:`hold` changes."""


def hold(value: Any, here: StoredAt) -> Any:
    """Return a value of a type of ``HOLDING`` that was just read, its lists, dicts and sets writing back to ``here``.

    Raises:
        DecodeError: It is nested too deeply for the remaining call stack.
    """
    try:
        here.root = attach(value, here)
    except RecursionError:
        raise DecodeError(
            f"the value at {here.where!r} of {here.owner}: nested too deeply for the rest of the call stack"
        ) from None
    return here.root


def hold_all(values: Iterable[Any], place: Callable[[int], StoredAt]) -> list[Any]:
    """Return the result of :func:`hold` for each of ``values`` that needs it; ``place`` receives its number."""
    held = list(values)
    if not HOLDING.isdisjoint(map(type, held)):
        held = [hold(value, place(n)) if type(value) in HOLDING else value for n, value in enumerate(held)]
    return held


def attach(value: Any, place: StoredAt) -> Any:
    """Return ``value`` with every list, dict and set in it, and in tuples in it, made one that writes to ``place``."""
    kind: Any = type(value)
    make = _nested.get(kind)
    if make is None:
        return _attach_other(value, place)
    cls, new, fill, put = make
    nested = new(cls)
    fill(nested, value)
    nested.__pc__ = place
    if put is not None and (len(value) < _MANY or _holds_others(value.values() if kind is dict else value)):
        for where, item in value.items() if kind is dict else enumerate(value):
            if type(item) in HOLDING:
                put(nested, where, attach(item, place))
    return nested


def _attach_other(value: Any, place: StoredAt) -> Any:
    """Return the result of :func:`attach` for any value except a plain list, dict or set."""
    if type(value) is tuple:
        return tuple(attach(item, place) for item in value) if _holds_others(value) else value
    if type(value) in _plain:
        return value if value.__pc__ is place else attach(detach(value), place)
    return value


def _attach_items(nested: Any) -> None:
    """Make the content of a nested container write back too."""
    place = nested.__pc__
    _, _, _, put = _nested[_plain[type(nested)]]
    if put is not None:
        for where, item in nested.items() if isinstance(nested, dict) else enumerate(nested):
            if type(item) in HOLDING:
                put(nested, where, attach(item, place))


def wrote_back(value: Any, owner: Core, where: object) -> bool:
    """Store the change in a value assigned back to its source, and return whether it is such a value.

    Raises:
        ConflictError: The stored value changed since it was read; it stays.
    """
    if type(value) not in _plain:
        return False
    place: StoredAt = value.__pc__
    if value is not place.root or owner is not place.owner or where != place.where or not place.is_current:
        return False
    place.write()
    return True


@contextmanager
def editing(place: StoredAt, value: Any) -> Iterator[Any]:
    """Yield ``value``, just read from ``place``, to be changed in any way, and store it at the end of the block.

    Raises:
        TypeError: Its type can't change in place.
        ConflictError: The stored value changed meanwhile; it stays.
    """
    if isinstance(value, _UNCHANGING) or (isinstance(value, tuple) and _is_hashable(value)):
        raise TypeError(
            f"the value at {place.where!r} of {place.owner} is of type {type(value).__name__}, which cannot change in "
            "place; assign a new value, or use increment for a number"
        )
    if is_array(value):
        value = copy(value)  # values that were read refuse changes
    place.root = value
    yield value
    place.write()


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def detach(value: Any) -> Any:
    """Return ``value`` with every container in it a plain built-in of its own."""
    kind = _plain.get(type(value), type(value))
    if kind is list or kind is tuple:
        return kind(map(detach, value)) if _holds_others(value) else kind(value)
    if kind is dict:
        return {key: detach(item) for key, item in value.items()} if _holds_others(value.values()) else dict(value)
    return kind(value) if kind is set else value


def _holds_others(items: Any) -> bool:
    return not HOLDING.isdisjoint(map(type, items))


def _put_back(nested: Any, before: Any) -> None:
    """Restore the earlier items of a nested container."""
    if isinstance(nested, list):
        list.__setitem__(nested, slice(None), before)
        return
    kind: Any = _plain[type(nested)]
    kind.clear(nested)
    kind.update(nested, before)

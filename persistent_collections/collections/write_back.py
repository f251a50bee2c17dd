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
_BUILT_IN: Final = frozenset({list, dict, set})
_MANY: Final = 16
"""How many items are looked at faster all at once than one by one."""

_new_dict: Final = dict.__new__
_fill_dict: Final = dict.update
_new_list: Final = list.__new__
_fill_list: Final = list.extend
_plain: Final[dict[type, Any]] = {}


class StoredAt(msgspec.Struct, eq=False):
    """The location of a stored value, and the bytes that were read. One is created each time a container is read.

    Attributes:
        owner: The state of the handle it was read through, which notes each write.
        backend: The store it was read from.
        codec: Encodes the whole value.
        written: The last write of this thread through the owner when it was read.
        where: The field or index.
        data: The bytes that were read, None if nothing is stored and the value is an unset field's default.
        default: The bytes of the default of an unset field.
        root: The whole value, if containers in it have this location too; None while only the value itself has it.
    """

    owner: Core
    backend: Backend
    codec: Codec
    written: object
    where: str | int
    data: bytes | None
    default: bytes | None = None
    root: Any = None

    @property
    def is_current(self) -> bool:
        """Whether the owner is still in this store, and this thread has since written only this value through it."""
        return self.written is self.owner.last_write() and real(self.backend) is real(self.owner.now().backend)

    def write(self, value: Any) -> None:
        """Store the whole value, which is or holds ``value``, if its bytes differ from those that were read.

        Cost: 1 round trip.

        Raises:
            ConflictError: The stored value changed since it was read; it stays.
        """
        try:
            data = self.codec.encode(value if self.root is None else self.root)
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

    def build(cls: N) -> N:
        for name in changing.split():
            setattr(cls, name, _writing_back(getattr(kind, name)))
        for name in making.split():
            setattr(cls, name, _giving_plain(getattr(kind, name)))
        _plain[cls] = kind
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
            self.__pc__.write(self)
            _hold_items(self)
        except BaseException:
            _put_back(self, before)
            raise
        on_abort(partial(_put_back, self, before))
        return result if result is self or type(result) in _BUILT_IN else detach(result)

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

HOLDING: Final = frozenset({tuple, *_BUILT_IN, *_plain})
"""The types of values that :func:`hold` changes."""


def hold(value: Any, place: StoredAt) -> Any:
    """Return a value that was just read with every list, dict and set in it, and in tuples, writing to ``place``.

    Raises:
        DecodeError: It is nested too deeply for the remaining call stack.
    """
    kind = type(value)
    items: Any
    if kind is dict:
        nested: Any = _new_dict(NestedDict)
        _fill_dict(nested, value)
        items = value.values()
    elif kind is list:
        nested = _new_list(NestedList)
        _fill_list(nested, value)
        items = value
    else:
        return _hold_other(value, place)
    nested.__pc__ = place
    if len(value) > _MANY:
        return _hold_items(nested) if _holds_others(items) else nested
    for item in items:
        if type(item) in HOLDING:
            return _hold_items(nested)
    return nested


def hold_all(
    values: list[Any], place: Callable[[Any, bytes], StoredAt], wheres: Iterable[str | int], data: Iterable[bytes]
) -> list[Any]:
    """Return the result of :func:`hold` for each of ``values`` that needs it; ``place`` makes the location of one."""
    if HOLDING.isdisjoint(map(type, values)):
        return values
    return [
        hold(value, place(where, text)) if type(value) in HOLDING else value
        for value, where, text in zip(values, wheres, data, strict=False)
    ]


def _hold_other(value: Any, place: StoredAt) -> Any:
    """Return the result of :func:`hold` for any value except a plain list or dict."""
    kind = type(value)
    if kind is set:
        nested: Any = set.__new__(NestedSet)
        set.update(nested, value)
        nested.__pc__ = place
        return nested
    if kind is tuple and _holds_others(value):
        is_whole = place.root is None
        try:
            held = tuple([hold(item, place) for item in value])
        except RecursionError:
            raise _too_deep(place) from None
        if is_whole:
            place.root = held
        return held
    if kind in _plain:
        return value if value.__pc__ is place else hold(detach(value), place)
    return value


def _hold_items(nested: Any) -> Any:
    """Let the containers in a nested one write back too, and return it."""
    place: StoredAt = nested.__pc__
    kind = _plain[type(nested)]
    if kind is set:
        return nested
    try:
        for where, item in nested.items() if kind is dict else enumerate(nested):
            if type(item) in HOLDING:
                if place.root is None:
                    place.root = nested
                kind.__setitem__(nested, where, hold(item, place))
    except RecursionError:
        raise _too_deep(place) from None
    return nested


def _too_deep(place: StoredAt) -> DecodeError:
    return DecodeError(
        f"the value at {place.where!r} of {place.owner}: nested too deeply for the rest of the call stack"
    )


def wrote_back(value: Any, owner: Core, where: object) -> bool:
    """Store the change in a value assigned back to its source, and return whether it is such a value.

    Raises:
        ConflictError: The stored value changed since it was read; it stays.
    """
    if type(value) not in _plain:
        return False
    place: StoredAt = value.__pc__
    if (
        (place.root is not None and value is not place.root)
        or owner is not place.owner
        or where != place.where
        or not place.is_current
    ):
        return False
    place.write(value)
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
    yield value
    place.write(value)


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

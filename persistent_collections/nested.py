"""Lists, dicts and sets inside a stored value: the built-in types, whose methods write back what they change.

``d["tags"].append("x")`` reads the value under ``"tags"``, changes it in hand and stores it, if what is stored is still
what was read. Each container read this way knows the :class:`Place` of the whole value it is part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from functools import partial, wraps
from pathlib import PurePath
from typing import Any, Final, SupportsIndex, TypeVar
from uuid import UUID

from persistent_collections.backends.base import Backend
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.types import encode_as
from persistent_collections.errors import ConflictError, EncodeError
from persistent_collections.objects import PersistentObject

N = TypeVar("N", bound="type[Nested]")

_UNCHANGING: Final = (
    *(int, float, complex, str, bytes, frozenset, type(None)),
    *(date, time, timedelta, tzinfo, Decimal, Enum, PurePath, UUID, PersistentObject),
)
_nested: Final[dict[type, Any]] = {}
_plain: Final[dict[type, Any]] = {}


class Place:
    """Where a stored value lies, and the bytes it was read as.

    Args:
        owner: The handle it was read through; told of each write.
        backend: The store it was read from.
        where: The field or index.
        codec: Encodes the whole value.
        data: The bytes it was read as, None if nothing is stored and it is an unset field's default.
        compare_and_set: Writes to ``where`` if the store still holds what is expected there.
        default: The bytes of that default.
    """

    __slots__ = ("_backend", "_codec", "_compare_and_set", "_data", "_default", "_written", "owner", "root", "where")

    def __init__(
        self,
        owner: Any,
        backend: Backend,
        where: str | int,
        codec: Codec,
        data: bytes | None,
        *,
        compare_and_set: Callable[[Any, Any, bytes], bool],
        default: bytes | None = None,
    ) -> None:
        self.owner = owner
        self.where = where
        self.root: Any = None
        self._codec = codec
        self._data = data
        self._default = default
        self._compare_and_set = compare_and_set
        self._backend = backend
        self._written = owner._last_write()

    @property
    def is_current(self) -> bool:
        """Whether the owner is in the same store, and this thread wrote only the value's changes through it since."""
        return self._written is self.owner._last_write() and self._backend is self.owner._now().backend

    def write(self) -> None:
        """Store the value if its bytes are others than those read. Cost: 1 round trip.

        Raises:
            ConflictError: The stored value changed since it was read; it stays.
        """
        try:
            data = self._codec.encode(self.root)
        except EncodeError as error:
            raise self.owner._located(self.where, error) from error.__cause__
        if data == (self._default if self._data is None else self._data):
            return
        if not self._compare_and_set(self.where, self._data, data):
            raise ConflictError(
                f"the value at {self.where!r} of {self.owner} changed since it was read; nothing was written; "
                "read it again"
            )
        self._data = data
        self.owner._wrote()
        self._written = self.owner._last_write()


class Nested:
    """What lists, dicts and sets in a stored value share."""

    _place: Place

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a plain built-in: only what was read writes back, whoever makes one by ``type(value)(…)``."""
        return _plain[cls](*args, **kwargs)

    def copy(self) -> Any:
        """Return the plain built-in, all the way down."""
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


def _built_on(kind: type, *, changing: str, making: str = "") -> Callable[[N], N]:
    """Make a class a ``kind`` whose ``changing`` methods write back and whose ``making`` methods give plain values."""

    def build(cls: N) -> N:
        for name in changing.split():
            setattr(cls, name, _writing_back(getattr(kind, name)))
        for name in making.split():
            setattr(cls, name, _giving_plain(getattr(kind, name)))
        _nested[kind], _plain[cls] = cls, kind
        encode_as(cls, kind)
        return cls

    return build


def _writing_back(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of a built-in store what it changes, and undo it in hand where that fails."""

    @wraps(method)
    def changing(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        before = _plain[type(self)](self)
        try:
            result = method(self, *args, **kwargs)
            self._place.write()
            _attach_items(self)
        except BaseException:
            _put_back(self, before)
            raise
        return result if result is self or type(result) in _nested else detach(result)

    return changing


def _giving_plain(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of a built-in that makes a new container give a plain one, all the way down."""

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

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """Give what is there, to change it."""
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


_HOLDING: Final = frozenset({tuple, *_nested, *_plain})


def hold(value: Any, place: Callable[[], Place]) -> Any:
    """Return a value just read, its lists, dicts and sets writing back to where it was read from."""
    if type(value) not in _HOLDING:
        return value
    here = place()
    here.root = attach(value, here)
    return here.root


def hold_all(values: Iterable[Any], place: Callable[[int], Place]) -> list[Any]:
    """Return what :func:`hold` gives for each of ``values``; ``place`` is given its number."""
    held = list(values)
    if not _HOLDING.isdisjoint(map(type, held)):
        held = [hold(value, partial(place, number)) for number, value in enumerate(held)]
    return held


def attach(value: Any, place: Place) -> Any:
    """Return ``value`` with every list, dict and set in it, and in tuples in it, made one that writes to ``place``."""
    kind: Any = type(value)
    if kind is tuple:
        return tuple(attach(item, place) for item in value) if _holds_others(value) else value
    if kind in _plain:
        return value if value._place is place else attach(detach(value), place)
    if kind not in _nested:
        return value
    nested: Any = kind.__new__(_nested[kind])
    kind.__init__(nested, value)
    nested._place = place
    _attach_items(nested)
    return nested


def _attach_items(nested: Any) -> None:
    """Make what a nested container holds write back too."""
    place: Place = nested._place
    if isinstance(nested, list) and _holds_others(nested):
        list.__setitem__(nested, slice(None), [attach(item, place) for item in nested])
    elif isinstance(nested, dict) and _holds_others(nested.values()):
        dict.update(nested, [(key, attach(item, place)) for key, item in nested.items()])


def wrote_back(value: Any, owner: Any, where: object) -> bool:
    """Store what changed in a value assigned back to where it was read from, and say whether it is such a value.

    Raises:
        ConflictError: The stored value changed since it was read; it stays.
    """
    if type(value) not in _plain:
        return False
    place: Place = value._place
    if value is not place.root or owner is not place.owner or where != place.where or not place.is_current:
        return False
    place.write()
    return True


@contextmanager
def editing(place: Place, value: Any) -> Iterator[Any]:
    """Give ``value``, just read from ``place``, to be changed in any way, and store it at the end of the block.

    Raises:
        TypeError: It is of a type that cannot change in place.
        ConflictError: The stored value changed meanwhile; it stays.
    """
    if isinstance(value, _UNCHANGING) or (isinstance(value, tuple) and _is_hashable(value)):
        raise TypeError(
            f"the value at {place.where!r} of {place.owner} is of type {type(value).__name__}, which cannot change in "
            "place; assign a new value, or use increment for a number"
        )
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
    return not _HOLDING.isdisjoint(map(type, items))


def _put_back(nested: Any, before: Any) -> None:
    """Give a nested container the items it had."""
    if isinstance(nested, list):
        list.__setitem__(nested, slice(None), before)
        return
    kind: Any = _plain[type(nested)]
    kind.clear(nested)
    kind.update(nested, before)

"""A dict that lives in a store."""

from __future__ import annotations

from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    Mapping,
    MutableMapping,
    Sequence,
    ValuesView,
)
from contextlib import contextmanager
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Self, overload

from typing_extensions import TypeVar

from persistent_collections.backends.base import Backend, MappingStore
from persistent_collections.codecs.keys import key_codec
from persistent_collections.config import BackendSource
from persistent_collections.containers import NamedCodec, PersistentCollection, plain
from persistent_collections.counting import Counter, increment
from persistent_collections.errors import DecodeError
from persistent_collections.nested import Place, editing, hold, hold_all, wrote_back
from persistent_collections.objects import CodecSource, references

K = TypeVar("K", default=str)
V = TypeVar("V", default=Any)
D = TypeVar("D")
C = TypeVar("C", bound=type)
_MISSING: Any = object()
_SET_METHODS: Final = (
    *("__lt__", "__le__", "__gt__", "__ge__", "isdisjoint"),
    *("__and__", "__rand__", "__or__", "__ror__", "__sub__", "__rsub__", "__xor__", "__rxor__"),
)


class _Bound(NamedTuple):
    backend: Backend
    store: MappingStore
    keys: NamedCodec[str]
    values: NamedCodec[bytes]
    declared: Any


class PersistentDict(PersistentCollection, MutableMapping[K, V], Generic[K, V]):
    """A ``dict`` whose every operation is one step in a store.

    Keys are ``str`` unless declared: ``PersistentDict[int, V]``, ``PersistentDict[Any, V]``. Reading gives plain
    values; lists, dicts and sets among them write back what their methods change. Equal by content to any mapping. The
    order is the store's: insertion order in JSON files, SQLite and memory, none that can be relied on in Redis, where
    small dicts keep it and large ones do not.

    Shape: fields of one mapping; a Redis hash, a JSON object.

    Cost: 1 round trip an operation, but for iteration (1 a page of ``PAGE_SIZE``), ``edit``, what a nested value writes
    back, ``increment`` of anything but a 64-bit ``int`` (a read and a write each), and an argument that is itself
    stored (its own read). ``dict(d)`` and ``{**d}`` are Python's own loop, one read a key; ``d.copy()`` is one.

    Args:
        id: As for :class:`PersistentObject`.
        items: What ``dict`` takes; fills an object that does not exist yet, decided in the store.
        backend: As for :class:`PersistentObject`.
        codec: How values become bytes, by name or as a codec.

    Raises:
        EncodeError: A key or value cannot be stored exactly as it is; nothing was written.
    """

    _part = "key"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self,
            id: str | int | None = None,
            /,
            *,
            backend: BackendSource | None = None,
            codec: CodecSource | None = None,
        ) -> None: ...
        @overload
        def __init__(
            self,
            id: str | int | None,
            items: Mapping[K, V] | Iterable[tuple[K, V]],
            /,
            *,
            backend: BackendSource | None = None,
            codec: CodecSource | None = None,
        ) -> None: ...
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...
        def __get__(self, record: object, kind: type | None = None, /) -> Self: ...
        def __set__(self, record: object, items: Mapping[K, V] | Iterable[tuple[K, V]], /) -> None: ...

    @classmethod
    def fromkeys(
        cls,
        keys: Iterable[K],
        value: Any = None,
        /,
        *,
        id: str | int | None = None,
        backend: BackendSource | None = None,
    ) -> Self:
        """Return a new object that holds ``value`` under each of ``keys``, as ``dict.fromkeys`` does."""
        items: dict[K, Any] = dict.fromkeys(keys, value)
        return cls(id, items, backend=backend)

    def _bind(self, backend: Backend) -> _Bound:
        return _Bound(
            backend,
            backend.mapping(self._key, self._kin()),
            self._named(key_codec(self._declared(0), references(backend)), backend),
            self._named(self._value_codec(backend), backend),
            self._declared(1),
        )

    def _content(self, bound: _Bound, items: Any) -> dict[str, bytes]:
        pairs: dict[Any, Any] = {}
        pairs.update(plain(items))
        return dict(zip(bound.keys.encode_all(pairs), bound.values.encode_all(pairs.values(), pairs), strict=True))

    def __getitem__(self, key: K) -> V:
        bound: _Bound = self._now()
        field = bound.keys.encode(key)
        data = bound.store.get(field)
        if data is None:
            missing = getattr(type(self), "__missing__", None)
            if missing is None:
                raise KeyError(key)
            value: V = missing(self, key)
        else:
            value = self._held(bound, field, data)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        bound: _Bound = self._now()
        field = bound.keys.encode(key)
        if not wrote_back(value, self, field):
            self._store(bound).set_many({field: bound.values.encode(value, field)})

    def __delitem__(self, key: K) -> None:
        bound: _Bound = self._now()
        if not self._store(bound).delete(bound.keys.encode(key)):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        bound: _Bound = self._now()
        return bound.store.contains(bound.keys.encode(key))

    def __len__(self) -> int:
        bound: _Bound = self._now()
        return bound.store.size()

    def __iter__(self) -> Iterator[K]:
        bound: _Bound = self._now()
        pages = ((field for field, _ in page) for page in bound.store.pages())
        return chain.from_iterable(map(bound.keys.decode_all, pages))

    def __reversed__(self) -> Iterator[K]:
        bound: _Bound = self._now()
        return (bound.keys.decode(field) for field, _ in self._reversed(bound))

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: Any, default: Any = None, /) -> Any:
        """Mean what ``dict.get`` does."""
        bound: _Bound = self._now()
        field = bound.keys.encode(key)
        data = bound.store.get(field)
        return default if data is None else self._held(bound, field, data)

    def keys(self) -> DictKeys[K]:
        """Return a view of the keys; iterating over it reads a page at a time."""
        return DictKeys(self)

    def items(self) -> DictItems[K, V]:
        """Return a view of the items; iterating over it reads a page at a time."""
        return DictItems(self)

    def values(self) -> DictValues[V]:
        """Return a view of the values; iterating over it reads a page at a time."""
        return DictValues(self)

    def copy(self) -> dict[K, V]:
        """Return all of it as a plain ``dict``. Cost: 1 round trip, O(n)."""
        bound: _Bound = self._now()
        stored = bound.store.get_all()
        keys, values = bound.keys.decode_all(stored), bound.values.decode_all(stored.values(), stored)
        return dict(zip(keys, values, strict=True))

    def clear(self) -> None:
        """Mean what ``dict.clear`` does."""
        self._store(self._now()).replace({})

    def update(self, /, *args: Any, **kwargs: Any) -> None:
        """Mean what ``dict.update`` does, in one step."""
        bound: _Bound = self._now()
        pairs: dict[Any, Any] = {}
        pairs.update(*map(plain, args), **kwargs)
        items = self._content(bound, pairs)
        if items:
            self._store(bound).set_many(items)

    def setdefault(self, key: K, default: Any = None, /) -> Any:
        """Mean what ``dict.setdefault`` does, decided in the store."""
        bound: _Bound = self._now()
        field = bound.keys.encode(key)
        data = bound.values.encode(default, field)
        found = self._store(bound).add(field, data)
        return self._held(bound, field, data if found is None else found)

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, default: V | D, /) -> V | D: ...
    def pop(self, key: Any, default: Any = _MISSING, /) -> Any:
        """Mean what ``dict.pop`` does; the value is plain."""
        bound: _Bound = self._now()
        field = bound.keys.encode(key)
        data = self._store(bound).pop(field)
        if data is not None:
            return self._popped(bound, field, data)[1]
        if default is _MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[K, V]:
        """Mean what ``dict.popitem`` does: the last item where the store has an order, else any."""
        bound: _Bound = self._now()
        item = self._store(bound).pop_any()
        if item is None:
            raise KeyError("popitem(): dictionary is empty")
        return self._popped(bound, *item)

    def _popped(self, bound: _Bound, field: str, data: bytes) -> tuple[K, V]:
        try:
            return bound.keys.decode(field), bound.values.decode(data, field)
        except DecodeError:
            bound.store.add(field, data)  # what cannot be given is not for us to delete
            raise

    def increment(self, key: K, by: Any = 1) -> Any:
        """Add ``by`` to the number under ``key``, 0 if there is none, and return the sum.

        Cost: 1 round trip where both are 64-bit ``int``; else a read, and a write if nothing changed meanwhile.

        Raises:
            ConflictError: Others kept changing the number.
        """
        bound: _Bound = self._now()
        field = bound.keys.encode(key)
        return increment(Counter(key, self, self._store(bound), field, bound.values.bare, bound.declared), by)

    @contextmanager
    def edit(self, key: K) -> Iterator[V]:
        """Give the plain value under ``key``, to be changed in any way; store it at the end of the block.

        Cost: 1 read, and 1 write if it changed. A block left by an exception writes nothing.

        Raises:
            KeyError: Nothing is stored under ``key``.
            TypeError: The value is of a type that cannot change in place.
            ConflictError: The stored value changed meanwhile; nothing was written.
        """
        bound: _Bound = self._now()
        field = bound.keys.encode(key)
        data = bound.store.get(field)
        if data is None:
            raise KeyError(key)
        with editing(self._place(bound, field, data), bound.values.decode(data, field)) as value:
            yield value

    def _place(self, bound: _Bound, field: str, data: bytes) -> Place:
        return Place(self, bound.backend, field, bound.values.bare, data, compare_and_set=bound.store.compare_and_set)

    def _held(self, bound: _Bound, field: str, data: bytes) -> Any:
        """Return the value of ``data``, its lists, dicts and sets writing back."""
        return hold(bound.values.decode(data, field), lambda: self._place(bound, field, data))

    def _held_items(self, *, reverse: bool = False) -> Iterator[tuple[K, V]]:
        bound: _Bound = self._now()
        pages: Iterable[Iterable[tuple[str, bytes]]] = [self._reversed(bound)] if reverse else bound.store.pages()
        return chain.from_iterable(self._held_page(bound, list(page)) for page in pages)

    def _held_page(self, bound: _Bound, page: Sequence[tuple[str, bytes]]) -> Iterator[tuple[K, V]]:
        """Return the items of a page of fields and their bytes, lists, dicts and sets writing back."""
        fields = [field for field, _ in page]
        keys = bound.keys.decode_all(fields)
        values = bound.values.decode_all([data for _, data in page], fields)
        return zip(keys, hold_all(values, lambda n: self._place(bound, *page[n])), strict=True)

    def _reversed(self, bound: _Bound) -> Iterator[tuple[str, bytes]]:
        if not bound.backend.ordered:
            raise TypeError(f"{self.key!r} has no order in {bound.backend.url}; reverse a sorted copy of its keys")
        return reversed(bound.store.get_all().items())

    def __eq__(self, other: object) -> bool:
        return self.copy() == plain(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # as a dict's

    def __or__(self, other: Any) -> dict[Any, Any]:
        union: dict[Any, Any] = self.copy() | plain(other)
        return union

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self


def _reading_once(cls: C) -> C:
    """Let set operations and comparisons of a view be done on the same view of a plain copy."""

    def through(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any) -> Any:
            return getattr(self._plain(), name)(*map(_plain_set, args))

        return method

    for name in _SET_METHODS:
        setattr(cls, name, through(name))
    return cls


def _plain_set(value: Any) -> Any:
    """Return a view of a persistent dict, or a persistent collection, as the built-in it is like."""
    return value._plain() if isinstance(value, _SetView) else plain(value)


class _View:
    _mapping: PersistentDict[Any, Any]

    @property
    def mapping(self) -> Mapping[Any, Any]:
        """The dict itself, read-only."""
        return MappingProxyType(self._mapping)


class _SetView(_View):
    _plain: Callable[[], Any]

    def __eq__(self, other: object) -> bool:
        return bool(self._plain() == _plain_set(other))

    __hash__ = None  # type: ignore[assignment] # as a set's


@_reading_once
class DictKeys(_SetView, KeysView[K]):
    """The keys of a persistent dict. Cost of a set operation or comparison: 1 round trip, O(n)."""

    def _plain(self) -> Any:
        return self._mapping.copy().keys()

    def __reversed__(self) -> Iterator[K]:
        return self._mapping.__reversed__()


@_reading_once
class DictItems(_SetView, ItemsView[K, V]):
    """The items of a persistent dict. Cost of a set operation or comparison: 1 round trip, O(n)."""

    def _plain(self) -> Any:
        return self._mapping.copy().items()

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, tuple) or len(item) != 2:  # noqa: PLR2004 - an item is a pair
            return False
        key, value = item
        found = self._mapping.get(key, _MISSING)
        return found is not _MISSING and value in (found,)

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping._held_items()

    def __reversed__(self) -> Iterator[tuple[K, V]]:
        return self._mapping._held_items(reverse=True)


class DictValues(_View, ValuesView[V]):
    """The values of a persistent dict."""

    def __contains__(self, value: object) -> bool:
        return value in self._mapping.copy().values()

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in self._mapping._held_items())

    def __reversed__(self) -> Iterator[V]:
        return (value for _, value in self._mapping._held_items(reverse=True))

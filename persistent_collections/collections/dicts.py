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
from functools import partial
from itertools import chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, cast, overload

import msgspec
from typing_extensions import TypeVar

from persistent_collections import flows
from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.changes import Change, Exists, FieldsAre, SetDeadline, SetFields
from persistent_collections.backends.handles import MappingStore
from persistent_collections.backends.shapes import MAPPING
from persistent_collections.codecs.base import Codec, KeyCodec
from persistent_collections.codecs.keys.codec import key_codec
from persistent_collections.collections.base import CollectionCore, PersistentCollection, plain
from persistent_collections.collections.binding import Bindings
from persistent_collections.collections.core import ClassInfo, CodecSource, Reserved
from persistent_collections.collections.deadlines import seconds_ahead
from persistent_collections.collections.display import values_of
from persistent_collections.collections.increments import Counter, increment
from persistent_collections.collections.retrying import attempts
from persistent_collections.collections.unannotated import is_asked_by_fastapi, refuse_unannotated
from persistent_collections.collections.write_back import HOLDING, NESTED, StoredAt, editing, hold, hold_all, wrote_back
from persistent_collections.config import BackendSource
from persistent_collections.errors import DecodeError, EncodeError

K = TypeVar("K", default=str)
V = TypeVar("V", default=Any)
D = TypeVar("D")
L = TypeVar("L")
W = TypeVar("W")
C = TypeVar("C", bound=type)
_MISSING: Any = object()
_SET_METHODS: Final = (
    *("__lt__", "__le__", "__gt__", "__ge__", "isdisjoint"),
    *("__and__", "__rand__", "__or__", "__ror__", "__sub__", "__rsub__", "__xor__", "__rxor__"),
)


class _Bound(msgspec.Struct, frozen=True):
    backend: Backend
    store: MappingStore
    keys: KeyCodec
    values: Codec
    declared: Any


class DictCore(CollectionCore):
    """The state of the handle of a dict."""

    __slots__ = ()

    shape = MAPPING
    part = "key"
    kind = "dict"

    def codecs(self, store: Bindings) -> tuple[KeyCodec, Codec, Any]:
        return key_codec(self.declared(0), store.references), self.value_codec(store), self.declared(1)

    def bound_to(self, backend: Backend, store: Any) -> _Bound:
        keys, values, declared = self.kept_codecs(backend)
        return _Bound(backend, store, keys, values, declared)

    def content(self, bound: _Bound, items: Any) -> dict[str, bytes]:
        pairs: dict[Any, Any] = {}
        pairs.update(plain(items))
        return dict(
            zip(self.encode_all(bound.keys, pairs), self.encode_all(bound.values, pairs.values(), pairs), strict=True)
        )

    def each(self) -> Iterator[Any]:
        bound: _Bound = self.now()
        fields = bound.store.get_all()
        return self.decode_each(bound.keys, fields, fields)

    def first(self, limit: int) -> Iterable[Sequence[Any]]:
        bound: _Bound = self.now()
        page = next(iter(bound.store.pages()), [])[:limit]
        fields = [field for field, _ in page]
        keys = self.decode_all(bound.keys, fields)
        data = [data for _, data in page]
        return zip(keys, values_of(bound.values, lambda: self.decode_all(bound.values, data, fields)), strict=False)

    def popped(self, bound: _Bound, field: str, data: bytes) -> tuple[Any, Any]:
        """Return the popped key and value; restore them if they can't be decoded."""
        plain = bytes(data)
        try:
            return self.decode(bound.keys, field), self.decode(bound.values, plain, field)
        except DecodeError:
            if not self.put_back(bound, data, SetFields(self.key, {field: plain})):
                bound.store.add(field, plain)
            raise

    def require_record(self, bound: _Bound) -> None:
        """Raise ``ObjectNotFound`` if this is a child and its record is gone; for a write that finds nothing."""
        if self.key.child is not None:
            self.store(bound).set_many({})

    def place(self, bound: _Bound, field: str, data: bytes) -> StoredAt:
        """Return the location of the value of ``data``."""
        return StoredAt(self, bound.backend, bound.values, self.last_write(), field, data)

    def held(self, bound: _Bound, field: str, data: bytes) -> Any:
        """Return the value of ``data``; its lists, dicts and sets write back."""
        try:  # like decode(), with one call less
            value = bound.values.decode(data)
        except DecodeError as error:
            raise self.located(field, error) from error.__cause__
        if type(value) not in HOLDING:
            return value
        written = self.writes.get(flows.who()) if self.writes else None  # like place(), with two calls less
        return hold(value, StoredAt(self, bound.backend, bound.values, written, field, data))

    def held_items(self, *, reverse: bool = False) -> Iterator[tuple[Any, Any]]:
        """Yield the items; lists, dicts and sets among the values write back."""
        bound: _Bound = self.now()
        pages: Iterable[Iterable[tuple[str, bytes]]] = [self.reversed(bound)] if reverse else bound.store.pages()
        return chain.from_iterable(self._held_page(bound, list(page)) for page in pages)

    def _held_page(self, bound: _Bound, page: Sequence[tuple[str, bytes]]) -> Iterator[tuple[Any, Any]]:
        """Return the items of a page of fields and their bytes; lists, dicts and sets write back."""
        fields, data = [field for field, _ in page], [data for _, data in page]
        keys, values = self.decoded(bound.keys, fields), self.decoded(bound.values, data, fields)
        place = partial(StoredAt, self, bound.backend, bound.values, self.last_write())
        return zip(keys, hold_all(values, place, fields, data), strict=True)

    def increment_or_make(self, bound: _Bound, key: Any, field: str, by: Any, ttl_s: float) -> Any:
        """Add ``by`` to a number, or create the entry and set the deadline of the dict, in one step.

        If a bare handle makes the record of the dict, the deadline is set in a step of its own.
        """
        for _ in attempts(f"{key!r} of {self}"):
            data = bound.store.get(field)
            total = by if data is None else self.decode(bound.values, data, field) + by
            becomes = self.encode(bound.values, total, field)
            self.wrote()
            if data is not None:
                if bound.store.compare_and_set(field, data, becomes):
                    return total
                continue
            conditions = [Exists(self.key.owner)] if self.key.child else []
            changes: list[Change] = [SetFields(self.key, {field: becomes}), SetDeadline(self.key, ttl_s)]
            if bound.backend.commit([FieldsAre(self.key, {field: None}), *conditions], changes):
                return total
            if self.origin is None or self.origin.owner.__pc__.exists(bound.backend):
                continue
            if bound.store.add(field, becomes) is None:  # a bare handle made the record; any other raises
                bound.backend.commit([FieldsAre(self.key, {field: becomes}), *conditions], changes[1:])
                return total
        raise AssertionError("attempts() ends by raising")

    def reversed(self, bound: _Bound) -> Iterator[tuple[str, bytes]]:
        """Return the stored items in reverse order.

        Raises:
            TypeError: The store keeps no order.
        """
        if not bound.backend.ordered:
            raise TypeError(f"{str(self)!r} has no order in {bound.backend.url}; reverse a sorted copy of its keys")
        return reversed(bound.store.get_all().items())


class PersistentDict(PersistentCollection, MutableMapping[K, V], Generic[K, V], __pc__=DictCore):
    """A ``dict`` whose every operation is one step in a store.

    ::

        settings = PersistentDict("settings", {"theme": "dark"})
        settings["recent"] = ["a.txt"]
        settings["recent"].append("b.txt")               # a nested value writes back
        assert settings == {"theme": "dark", "recent": ["a.txt", "b.txt"]}

    Keys are ``str`` unless declared: ``PersistentDict[int, V]``, ``PersistentDict[Any, V]``. Values that you read are
    plain; lists, dicts and sets among them write back the changes of their methods. A dict is equal to any mapping of
    the same content. JSON files, SQLite and memory keep the order of insertion. Redis promises no order: small dicts
    keep it, large ones do not.

    Shape: fields of one mapping; a Redis hash, a JSON object.

    Cost: 1 round trip per operation. Exceptions: iteration takes 1 per page of ``PAGE_SIZE``; ``edit``, a change of a
    nested value, and ``increment`` of anything but a 64-bit ``int`` take a read and a write; an argument that is itself
    stored takes its own read. ``dict(d)`` and ``{**d}`` are Python's own loop, one read per key; ``d.copy()`` is one.

    Args:
        id: As for :class:`PersistentObject`.
        items: As for ``dict``. They fill an object that does not exist yet; the store decides that.
        backend: As for :class:`PersistentObject`.
        codec: How values become bytes, by name or as a codec.

    Raises:
        EncodeError: A key or value cannot be stored exactly as it is; nothing was written.
    """

    if TYPE_CHECKING:
        __pc__: ClassVar[Reserved[DictCore, ClassInfo]]

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
    ) -> Any:
        """Return a dict that holds ``value`` under each of ``keys``: a plain one, or a stored one if you give ``id``.

        ::

            flags = PersistentDict.fromkeys(["new", "beta"], False, id="flags")
            assert flags == {"new": False, "beta": False}

        The stored one is filled if it does not exist yet, as by the constructor.

        Cost: none; with ``id``, 1 round trip.
        """
        items: dict[K, Any] = dict.fromkeys(keys, value)
        return items if id is None else cls(id, items, backend=backend)

    def __getitem__(self, key: K) -> V:
        core = self.__pc__
        bound: _Bound = core.now()
        try:  # like core.encode(), with one call less
            field = bound.keys.encode(key)
        except EncodeError as error:
            raise core.located(None, error) from error.__cause__
        data = bound.store.get(field)
        if data is None:
            missing = getattr(type(self), "__missing__", None)
            if missing is None:
                raise KeyError(key)
            value: V = missing(self, key)
        else:
            value = core.held(bound, field, data)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        core = self.__pc__
        bound: _Bound = core.now()
        where = None
        try:  # like core.encode(), with two calls less
            where = field = bound.keys.encode(key)
            data = None if type(value) in NESTED else bound.values.encode(value)
        except EncodeError as error:
            raise core.located(where, error) from error.__cause__
        if data is None:
            if wrote_back(value, core, field):
                return
            data = core.encode(bound.values, value, field)
        core.wrote()
        bound.store.set_many({field: data})

    def __delitem__(self, key: K) -> None:
        core = self.__pc__
        bound: _Bound = core.now()
        if not core.store(bound).delete(core.encode(bound.keys, key)):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        core = self.__pc__
        bound: _Bound = core.now()
        field = core.sought(bound.keys, key)
        return field is not None and bound.store.contains(field)

    def __len__(self) -> int:
        bound: _Bound = self.__pc__.now()
        return bound.store.size()

    def __iter__(self) -> Iterator[K]:
        core = self.__pc__
        bound: _Bound = core.now()
        pages = ([field for field, _ in page] for page in bound.store.pages())
        return chain.from_iterable(core.decode_keys(bound.keys, page) for page in pages)

    def __reversed__(self) -> Iterator[K]:
        core = self.__pc__
        bound: _Bound = core.now()
        return (core.decode(bound.keys, field) for field, _ in core.reversed(bound))

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: Any, default: Any = None, /) -> Any:
        """Return the value under ``key``, or ``default`` if there is none. Cost: 1 round trip.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert settings.get("theme") == "dark"
            assert settings.get("font", "Mono") == "Mono"
        """
        core = self.__pc__
        bound: _Bound = core.now()
        field = core.encode(bound.keys, key)
        data = bound.store.get(field)
        return default if data is None else core.held(bound, field, data)

    def keys(self) -> DictKeys[K]:
        """Return a view of the keys.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert list(settings.keys()) == ["theme"]
            assert settings.keys() & {"theme", "font"} == {"theme"}

        Cost: none; iterating reads a page of ``PAGE_SIZE`` per round trip, a set operation all of it in 1.
        """
        if is_asked_by_fastapi():  # for dict(self), which shows it
            return cast("DictKeys[K]", list(self))
        return DictKeys(self)

    def items(self) -> DictItems[K, V]:
        """Return a view of the items.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert [f"{key}={value}" for key, value in settings.items()] == ["theme=dark"]
            assert ("theme", "dark") in settings.items()

        Cost: none; iterating reads a page of ``PAGE_SIZE`` per round trip, a set operation all in 1, ``in`` an item.
        """
        return DictItems(self)

    def values(self) -> DictValues[V]:
        """Return a view of the values.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert list(settings.values()) == ["dark"]

        Cost: none; iterating reads a page of ``PAGE_SIZE`` per round trip, ``in`` all of it in 1.
        """
        return DictValues(self)

    def copy(self) -> dict[K, V]:
        """Return the whole content as a plain ``dict``. Cost: 1 round trip, O(n).

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert settings.copy() == {"theme": "dark"}
        """
        core = self.__pc__
        bound: _Bound = core.now()
        stored = bound.store.get_all()
        keys, values = core.decode_keys(bound.keys, stored), core.decoded(bound.values, stored.values(), stored)
        return dict(zip(keys, values, strict=True))

    def clear(self) -> None:
        """Delete all items, like ``dict.clear``. Cost: 1 round trip.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            settings.clear()
            assert not settings
        """
        core = self.__pc__
        core.store(core.now()).replace({})

    def update(self, /, *args: Any, **kwargs: Any) -> None:
        """Store several items, like ``dict.update``, in one atomic step. Cost: 1 round trip.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            settings.update({"theme": "light"}, font="Mono")
            assert settings == {"theme": "light", "font": "Mono"}
        """
        core = self.__pc__
        bound: _Bound = core.now()
        pairs: dict[Any, Any] = {}
        pairs.update(*map(plain, args), **kwargs)
        items = core.content(bound, pairs)
        if items or core.origin:
            core.store(bound).set_many(items)

    def setdefault(self, key: K, default: Any = None, /) -> Any:
        """Return the value under ``key``; store ``default`` first if there is none. Cost: 1 round trip.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert settings.setdefault("theme", "light") == "dark"
            assert settings.setdefault("font", "Mono") == "Mono"

        The store decides, so all processes get the same value.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        field = core.encode(bound.keys, key)
        data = core.encode(bound.values, default, field)
        found = core.store(bound).add(field, data)
        return core.held(bound, field, data if found is None else found)

    @overload
    def pop(self, key: K, /) -> V: ...
    @overload
    def pop(self, key: K, default: V | D, /) -> V | D: ...
    def pop(self, key: Any, default: Any = _MISSING, /) -> Any:
        """Delete ``key`` and return its value, plain, or ``default``. Cost: 1 round trip.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert settings.pop("theme") == "dark"
            assert settings.pop("theme", None) is None

        Raises:
            KeyError: Nothing is stored under ``key``, and you give no ``default``.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        field = core.encode(bound.keys, key)
        data = core.store(bound).pop(field)
        if data is not None:
            return core.popped(bound, field, data)[1]
        if default is _MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[K, V]:
        """Delete an item and return it: the last one if the store has an order, else any. Cost: 1 round trip.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert settings.popitem() == ("theme", "dark")

        Raises:
            KeyError: The dict is empty.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        item = core.store(bound).pop_any()
        if item is None:
            raise KeyError("popitem(): dictionary is empty")
        return core.popped(bound, *item)

    def compare_and_set(self, key: K, expected: V, value: V) -> bool:
        """Store ``value`` under ``key`` if it holds a value equal to ``expected``; return whether it did.

        ::

            locks = PersistentDict("locks", {"report": "free"})
            if locks.compare_and_set("report", "free", "worker 7"):
                ...  # nobody else holds it

        Cost: 1 round trip; if the bytes differ, 1 more to see whether the values are equal.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        field = core.encode(bound.keys, key)
        data, becomes = core.encode(bound.values, expected, field), core.encode(bound.values, value, field)
        wanted = core.decode(bound.values, data, field)
        core.wrote()
        if bound.store.compare_and_set(field, data, becomes):
            return True
        for _ in attempts(f"{key!r} of {core}"):
            found = bound.store.get(field)
            if found is None or core.decode(bound.values, found, field) != wanted:
                return False
            if bound.store.compare_and_set(field, found, becomes):
                return True
        raise AssertionError("attempts() ends by raising")

    def change(self, key: K, function: Callable[[V], V], /) -> V:
        """Replace the value under ``key`` by ``function(value)``, and return the new value.

        ::

            settings = PersistentDict("settings", {"recent": ["a.txt"]})
            settings.change("recent", lambda recent: [*recent[-9:], "b.txt"])

        If others change the value meanwhile, ``function`` is called again with the current one, so it should only
        compute. It receives a plain value.

        Cost: 1 read and 1 write for each attempt.

        Raises:
            KeyError: Nothing is stored under ``key``.
            ConflictError: Others kept changing it.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        field = core.encode(bound.keys, key)
        for _ in attempts(f"{key!r} of {core}"):
            data = bound.store.get(field)
            if data is None:
                core.require_record(bound)
                raise KeyError(key)
            becomes = core.encode(bound.values, function(core.decode(bound.values, data, field)), field)
            if core.store(bound).compare_and_set(field, data, becomes):
                value: V = core.decode(bound.values, becomes, field)
                return value
        raise AssertionError("attempts() ends by raising")

    def increment(self, key: K, by: Any = 1, *, expire: Any = None) -> Any:
        """Add ``by`` to the number under ``key``, 0 if there is none, and return the sum.

        ::

            if PersistentDict("logins").increment("192.0.2.7", expire=60) > 5:
                ...  # too many within a minute of the first

        Cost: 1 round trip if both are 64-bit ``int`` and ``expire`` is not given; else a read, and a write if nothing
        changed meanwhile.

        Args:
            key: The key of the number.
            by: The amount to add.
            expire: The time after which the whole dict vanishes, if this creates the entry; set in the same step. If a
                bare handle makes the record of the dict, it is set in the next one.

        Raises:
            ConflictError: Others kept changing the number.
            ValueError: ``expire`` is not in the future; nothing was written.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        field = core.encode(bound.keys, key)
        ttl_s = seconds_ahead(expire)
        if ttl_s is not None:
            return core.increment_or_make(bound, key, field, by, ttl_s)
        return increment(Counter(key, core, core.store(bound), field, bound.values, bound.declared), by)

    @contextmanager
    def edit(self, key: K) -> Iterator[V]:
        """Yield the plain value under ``key`` to be changed in any way, and store it at the end of the block.

        ::

            settings = PersistentDict("settings", {"recent": ["b.txt"]})
            with settings.edit("recent") as recent:
                recent.append("a.txt")
                recent.sort()
            assert settings["recent"] == ["a.txt", "b.txt"]

        Cost: 1 read, and 1 write if it changed. If an exception leaves the block, nothing is written.

        Raises:
            KeyError: Nothing is stored under ``key``.
            TypeError: The value is of a type that cannot change in place.
            ConflictError: The stored value changed meanwhile; nothing was written.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        field = core.encode(bound.keys, key)
        data = bound.store.get(field)
        if data is None:
            core.require_record(bound)
            raise KeyError(key)
        with editing(core.place(bound, field, data), core.decode(bound.values, data, field)) as value:
            yield value

    def __eq__(self, other: object) -> bool:
        return self.copy() == plain(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # as a dict's

    def _ipython_key_completions_(self) -> list[K]:
        """Return the keys that IPython offers after ``d["``. Cost: 1 round trip."""
        return list(islice(self, PAGE_SIZE))

    def __or__(self, other: Mapping[L, W]) -> dict[K | L, V | W]:
        union: dict[K | L, V | W] = self.copy() | plain(other)
        return union

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]  # | gives a plain dict
        self.update(other)
        return self


def _reading_once(cls: C) -> C:
    """Delegate set operations and comparisons of a view to the same view of a plain copy."""

    def through(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any) -> Any:
            return getattr(self.plain_view(), name)(*map(_plain_set, args))

        return method

    for name in _SET_METHODS:
        setattr(cls, name, through(name))
    return cls


def _plain_set(value: Any) -> Any:
    """Return a view of a persistent dict, or a persistent collection, as the matching built-in type."""
    return value.plain_view() if isinstance(value, _SetView) else plain(value)


class _View:
    __slots__ = ()

    _mapping: PersistentDict[Any, Any]

    @property
    def mapping(self) -> Mapping[Any, Any]:
        """The dict itself, read-only."""
        return MappingProxyType(self._mapping)


class _SetView(_View):
    __slots__ = ()

    plain_view: Callable[[], Any]

    def __eq__(self, other: object) -> bool:
        return bool(self.plain_view() == _plain_set(other))

    __hash__ = None  # type: ignore[assignment] # as a set's


@_reading_once
class DictKeys(_SetView, KeysView[K]):
    """The keys of a persistent dict. Cost of a set operation or comparison: 1 round trip, O(n)."""

    __slots__ = ()

    def __iter__(self) -> Iterator[K]:
        refuse_unannotated("the keys of a dict")
        return iter(self._mapping)

    def plain_view(self) -> Any:
        """Return the same view of a plain copy. Cost: 1 round trip, O(n)."""
        return self._mapping.copy().keys()

    def __reversed__(self) -> Iterator[K]:
        return self._mapping.__reversed__()


@_reading_once
class DictItems(_SetView, ItemsView[K, V]):
    """The items of a persistent dict. Cost of a set operation or comparison: 1 round trip, O(n)."""

    __slots__ = ()

    def plain_view(self) -> Any:
        """Return the same view of a plain copy. Cost: 1 round trip, O(n)."""
        return self._mapping.copy().items()

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, tuple) or len(item) != 2:  # noqa: PLR2004 - an item is a pair
            return False
        key, value = item
        core = self._mapping.__pc__
        bound: _Bound = core.now()
        field = core.sought(bound.keys, key)
        data = None if field is None else bound.store.get(field)
        return data is not None and value in (core.decode(bound.values, data, field),)

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping.__pc__.held_items()

    def __reversed__(self) -> Iterator[tuple[K, V]]:
        return self._mapping.__pc__.held_items(reverse=True)


class DictValues(_View, ValuesView[V]):
    """The values of a persistent dict."""

    __slots__ = ()

    def __contains__(self, value: object) -> bool:
        return value in self._mapping.copy().values()

    def __iter__(self) -> Iterator[V]:
        refuse_unannotated("the values of a dict")
        return (value for _, value in self._mapping.__pc__.held_items())

    def __reversed__(self) -> Iterator[V]:
        return (value for _, value in self._mapping.__pc__.held_items(reverse=True))

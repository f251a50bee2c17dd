"""The base of dicts, lists and sets: type parameters, the codec of their items, and membership in a record."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Final, Self, TypeVar

import msgspec

from persistent_collections.annotations import default_of
from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Change, Exists, Replace, SetDeadline
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.popped import ttl_of
from persistent_collections.codecs.base import Codec, KeyCodec
from persistent_collections.collections.binding import (
    Bindings,
    bindings,
    bound_codec,
    first_refused,
    kept,
    portable_codec,
)
from persistent_collections.collections.core import ClassInfo, CodecSource, Core, located
from persistent_collections.collections.deadlines import seconds_ahead
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.config import BackendSource, Choice
from persistent_collections.errors import DecodeError, EncodeError, ObjectExists

_NOTHING: Final = ()


class Origin(msgspec.Struct, frozen=True):
    """The record a child collection belongs to.

    Attributes:
        owner: The record.
        field: The declared name of the child.
        codec: The codec that the field's annotation chooses, if any.
        declarer: The class whose body declares the field.
        bare: Whether texts and references are stored as they are.
    """

    owner: PersistentObject
    field: str
    codec: CodecSource | None
    declarer: type[PersistentObject]
    bare: bool


class CollectionCore(Core):
    """The state of the handle of a collection.

    Attributes:
        origin: The owner, if the collection is a child of a record.
        codec: The codec chosen for this object, if any.
    """

    __slots__ = ("codec", "origin")

    kind: ClassVar[str] = "list"
    """The name of the built-in type that the collection resembles."""

    def __init__(self, info: ClassInfo, id: str, choice: Choice) -> None:
        super().__init__(info, id, choice)
        self.origin: Origin | None = None
        self.codec: CodecSource | None = None

    @staticmethod
    def remedy(info: ClassInfo) -> str:
        del info
        return (
            "; collections are nested only by reference: declare a plain list, dict or set there, "
            "or a record whose child it is"
        )

    @abstractmethod
    def bound_to(self, backend: Backend, store: Any) -> Any:
        """Return the result of :meth:`bind` with the handle ``store``, which may be None if only codecs are needed."""

    def bind(self, backend: Backend) -> Any:
        return self.bound_to(backend, self.open(backend))

    @abstractmethod
    def content(self, bound: Any, items: Any) -> Content:
        """Return ``items`` encoded for the store of ``bound``, as content of this shape."""

    @abstractmethod
    def codecs(self, store: Bindings) -> Any:
        """Return the codecs of items in a store, in the form that :meth:`bind` needs.

        Raises:
            TypeError: A declared type can't be stored.
        """

    @abstractmethod
    def each(self) -> Iterator[Any]:
        """Return the items, read in one step; an item that can't be read doesn't end the iteration."""

    def decode_each(self, codec: Codec | KeyCodec, stored: Collection[Any], places: Iterable[object]) -> Iterator[Any]:
        """Return the values of ``stored``, found at ``places``; an undecodable item doesn't end the iteration."""
        try:
            return iter(list(codec.decode_all(stored)))
        except DecodeError:
            return map(partial(self.decode, codec), stored, places)

    def fill(self, items: Any) -> None:
        """Store ``items`` if the object does not exist."""
        bound = self.now()
        if content := self.content(bound, items):
            bound.backend.commit([Exists(self.key, expected=False)], [Replace(self.key, content)])

    def create(self, items: Any, ttl_s: float | None) -> None:
        """Store ``items`` as an object that does not exist.

        Raises:
            ObjectExists: It exists; nothing was written.
            ValueError: There are no items, and an empty collection does not exist.
        """
        bound = self.now()
        content = self.content(bound, items)
        if not content:
            raise ValueError(
                f"{str(self)!r} cannot be created empty, since an empty {self.kind} does not exist; "
                "give items, or make a handle without create()"
            )
        deadlines = [] if ttl_s is None else self.deadlines(ttl_s)
        if not bound.backend.commit([Exists(self.key, expected=False)], [Replace(self.key, content), *deadlines]):
            raise ObjectExists(f"{str(self)!r} exists already; load it, or choose another id")

    def open(self, backend: Backend) -> Any:
        """Return the handle of the object in ``backend``; of a child, as its record opens it."""
        if self.origin is None:
            return backend.open(self.shape, self.key)
        return self.origin.owner.__pc__.open(backend, self.shape, self.key)

    def exists(self, backend: Backend) -> bool:
        exists = super().exists(backend)
        if not exists and self.origin is not None:
            self.on(backend).store.require_child()
        return exists

    def put_back(self, bound: Any, part: bytes | str, change: Change) -> bool:
        """Undo the deletion of an object with a deadline by a pop, if ``part`` was the last part of one.

        A part that can't be returned to the caller must not be deleted.

        Args:
            bound: The state the handle is bound to.
            part: The popped part.
            change: Stores it again.

        Returns:
            False, with nothing done, if the object still exists, has no deadline, or was created again meanwhile.
        """
        ttl_s = None if self.origin else ttl_of(part)
        if ttl_s is None:
            return False
        absent = Exists(self.key, expected=False)
        done: bool = bound.backend.commit([absent], [change, SetDeadline(self.key, ttl_s)])
        return done

    def whole(self, backend: Backend, items: Any) -> Content:
        """Return ``items``, the whole content of a child, encoded for ``backend``.

        Raises:
            EncodeError: They are a single value that happens to be iterable, which is probably a mistake.
        """
        one = isinstance(items, str | bytes | bytearray | PersistentObject)
        if one and not isinstance(items, PersistentCollection):
            raise EncodeError(
                f"{str(self)!r}: expected a {self.kind} of items, not {type(items).__name__}; put it in a {self.kind}"
            )
        return self.content(self.bound_to(backend, None), items)

    def store(self, bound: Any) -> Any:
        """Return the store of ``bound`` for a write, and note the write for later reads through this handle."""
        self.wrote()
        return bound.store

    def declared(self, position: int) -> Any:
        """Return the type parameter at ``position``, evaluated."""
        info: ClassInfo = self.info
        parameter = info.parameters[position]
        if isinstance(parameter, TypeVar):
            return default_of(parameter)
        if self.origin and info.cls is not info.unbound:  # the field's annotation gives the parameters
            return type(self.origin.owner).__pc__.evaluated(parameter, self.origin.declarer)
        return info.evaluated(parameter, info.unbound)

    def encode(self, codec: Codec | KeyCodec, value: Any, where: object = None) -> Any:
        """Return the stored form of ``value`` for the part at ``where``; an error names both."""
        try:
            return codec.encode(value)
        except EncodeError as error:
            raise self.located(where, error) from error.__cause__

    def sought(self, codec: KeyCodec, key: Any) -> str | None:
        """Return the text of a key to look for, None if no key of the object can equal it.

        Raises:
            TypeError: It is not hashable.
        """
        try:
            return codec.encode(key)
        except EncodeError:
            hash(key)
            return None

    def encode_all(self, codec: Codec | KeyCodec, values: Collection[Any], places: Iterable[object] = ()) -> Any:
        """Return the stored forms of ``values``, found at ``places`` in the caller's argument."""
        try:
            return codec.encode_all(values)
        except EncodeError as error:
            where = first_refused(codec.encode, values, places)
            raise self.located(where, error, "given to") from error.__cause__

    def decode(self, codec: Codec | KeyCodec, stored: Any, where: object = None) -> Any:
        """Return the value stored in the part at ``where``; an error names both."""
        try:
            return codec.decode(stored)
        except DecodeError as error:
            raise self.located(where, error) from error.__cause__

    def decode_all(
        self, codec: Codec | KeyCodec, stored: Iterable[Any], places: Iterable[object] = ()
    ) -> Iterator[Any]:
        """Yield the values of ``stored``, which must not be an iterator if ``places`` locate them."""
        try:
            yield from codec.decode_all(stored)
        except DecodeError as error:
            raise self.first_undecodable(codec, stored, places, error) from error.__cause__

    def decode_keys(self, codec: KeyCodec, texts: Iterable[str]) -> Iterable[Any]:
        """Return the result of :meth:`decode_all` for a page of keys or members, in less time."""
        return texts if codec.verbatim else self.decode_all(codec, texts)

    def decoded(self, codec: Codec | KeyCodec, stored: Iterable[Any], places: Iterable[object] = ()) -> list[Any]:
        """Return the values that :meth:`decode_all` yields, in less time."""
        try:
            return list(codec.decode_all(stored))
        except DecodeError as error:
            raise self.first_undecodable(codec, stored, places, error) from error.__cause__

    def first_undecodable(
        self, codec: Codec | KeyCodec, stored: Iterable[Any], places: Iterable[object], error: DecodeError
    ) -> EncodeError | DecodeError:
        return self.located(first_refused(codec.decode, stored, places), error)

    def located(self, where: object, error: TypeError | DecodeError, relation: str = "of") -> EncodeError | DecodeError:
        part = "" if where is None else f"{self.part} {where!r} {relation} "
        return located(error, part, self.key, self.now().backend)

    def kept_codecs(self, backend: Backend) -> Any:
        """Return the result of :meth:`codecs`, cached for the class, or for the child of the class of its record."""
        origin = self.origin
        info: ClassInfo = type(origin.owner).__pc__ if origin else self.info
        known = origin.field if origin else self.codec
        return kept(info, backend).codecs_for(known, lambda: self.codecs(bindings(backend)))

    def value_codec(self, store: Bindings) -> Codec:
        """Return the codec of values, whose type is the last parameter, bound to a store."""
        origin = self.origin
        sources = [origin and origin.codec, self.codec, self.info.codec]
        return bound_codec(store, self.declared(-1), sources, in_schema=bool(origin and origin.bare))

    def state(self) -> Any:
        return self.codec if self.codec is None else portable_codec(self.codec)

    def restore(self, state: Any) -> None:
        self.codec = state


class PersistentCollection(PersistentObject, abstract=True, __pc__=CollectionCore):
    """The base of the dicts, lists and sets that live in a store.

    Args:
        id: As for :class:`PersistentObject`.
        items: Stored if the object does not exist; an existing one stays as it is, and they are ignored. The store
            decides that, in 1 round trip.
        backend: As for :class:`PersistentObject`.
        codec: How values become bytes, by name or as a codec; by default the class's, the backend's, or ``json``.
    """

    def __init__(
        self,
        id: str | int | None = None,
        items: Any = _NOTHING,
        /,
        *,
        backend: BackendSource | None = None,
        codec: CodecSource | None = None,
    ) -> None:
        super().__init__(id, backend=backend)
        core = self.__pc__
        core.codec = codec
        if items is not _NOTHING:
            core.fill(items)

    @classmethod
    def create(
        cls,
        id: str | int | None,
        items: Any,
        /,
        *,
        backend: BackendSource | None = None,
        expire: Any = None,
        **options: Any,
    ) -> Self:
        """Store items as an object that does not exist yet; the store decides that. Cost: 1 round trip.

        ::

            results = PersistentList.create("results", [30, 10, 20])

        Args:
            id: As for :class:`PersistentObject`.
            items: As for the constructor.
            backend: As for :class:`PersistentObject`.
            expire: When the object vanishes, set in the same step; as for :meth:`expire`.
            options: Other arguments of the constructor, such as ``codec``.

        Raises:
            ObjectExists: It exists; nothing was written.
            ValueError: There are no items: an empty collection does not exist. Or ``expire`` is not in the future.
        """
        made = cls(id, backend=backend, **options)
        made.__pc__.create(items, seconds_ahead(expire))
        return made

    @abstractmethod
    def copy(self) -> Any:
        """Return the whole content as a plain built-in. Cost: 1 round trip, O(n).

        ::

            assert PersistentSet("tags", {"new"}).copy() == {"new"}
        """

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        origin = self.__pc__.origin
        return (_child_of, (origin.owner, origin.field)) if origin else super().__reduce__()

    def __repr__(self) -> str:
        origin = self.__pc__.origin
        return f"{origin.owner!r}[{origin.field!r}]" if origin else super().__repr__()


def make_child(kind: type[PersistentCollection], origin: Origin, stored: str) -> PersistentCollection:
    """Return the handle of the child collection whose key ends in ``stored``; no I/O."""
    owner = origin.owner.__pc__
    child: PersistentCollection = kind.__pc__.make(owner.id, owner.choice)
    core = child.__pc__
    core.key, core.origin = Key(owner.key.root, stored), origin
    return child


def each(values: Iterable[Any]) -> Iterable[Any]:
    """Return the items of a persistent collection, read in one step; return any other iterable unchanged."""
    return values.__pc__.each() if isinstance(values, PersistentCollection) else values


def plain(value: Any) -> Any:
    """Return all of a persistent collection, read in one step; return any other value unchanged."""
    return value.copy() if isinstance(value, PersistentCollection) else value


def _child_of(owner: Mapping[str, Any], field: str) -> Any:
    """Make the handle of a child that a pickle describes."""
    return owner[field]

"""What dicts, lists and sets share: type parameters, the codec of their items, and being a record's child."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, Generic, NamedTuple, Self, TypeVar, get_args, get_origin

from persistent_collections.annotations import default_of
from persistent_collections.backends.base import Backend, Content, Key, Replace
from persistent_collections.codecs.base import Codec, KeyCodec
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.registry import get_codec, known_codecs
from persistent_collections.config import BackendSource
from persistent_collections.errors import ConfigurationError, DecodeError, EncodeError
from persistent_collections.objects import CodecSource, PersistentObject, generation, located, references

_NOTHING: Final = ()

S = TypeVar("S", bytes, str)


class Origin(NamedTuple):
    """The record a child collection belongs to.

    Attributes:
        owner: The record.
        field: The declared name of the child.
        kin: Every key of the record, its own first.
        codec: What the field's annotation chooses, if anything.
        declarer: The class in whose body the field stands.
        bare: Whether texts and references are stored as they are.
    """

    owner: PersistentObject
    field: str
    kin: tuple[Key, ...]
    codec: CodecSource | None
    declarer: type[PersistentObject]
    bare: bool


class PersistentCollection(PersistentObject, abstract=True):
    """The base of the dicts, lists and sets that live in a store.

    Args:
        id: As for :class:`PersistentObject`.
        items: What the object is filled with if it does not exist yet, decided in the store, in 1 round trip.
        backend: As for :class:`PersistentObject`.
        codec: How values become bytes, by name or as a codec; without one the class's, the backend's, or ``json``.
    """

    _origin: Origin | None
    _codec: CodecSource | None

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
        self._codec = codec
        if items is not _NOTHING:
            bound = self._now()
            if content := self._content(bound, items):
                bound.backend.apply([Replace(self._key, content, must_be_absent=True)])

    def _settle(self, id: str, choice: Any) -> None:
        super()._settle(id, choice)
        self._origin = None
        self._codec = None

    @classmethod
    def _child(cls, origin: Origin, stored: str) -> Self:
        """Return the handle of the child collection whose key ends in ``stored``; no I/O."""
        owner = origin.owner
        child = cls._handle(owner._id, owner._choice)
        child._key = Key(owner._key.root, stored)
        child._origin = origin
        return child

    @classmethod
    def _remedy(cls) -> str:
        return (
            "; collections are nested by reference alone: declare a plain list, dict or set there, "
            "or a record whose child it is"
        )

    @abstractmethod
    def copy(self) -> Any:
        """Return all of it as a plain built-in. Cost: 1 round trip, O(n)."""

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self.copy()

    @abstractmethod
    def _content(self, bound: Any, items: Any) -> Content:
        """Return ``items`` encoded for the store of ``bound``, as content of this shape."""

    def _whole(self, backend: Backend, items: Any) -> Content:
        """Return ``items``, given as all that a child holds, encoded for ``backend``.

        Raises:
            EncodeError: They are one value that Python can iterate over, which is not what was meant.
        """
        one = isinstance(items, str | bytes | bytearray | PersistentObject)
        if one and not isinstance(items, PersistentCollection):
            kind = "dict" if isinstance(self, Mapping) else "list"
            raise EncodeError(
                f"{self.key!r}: expected a {kind} of items, not {type(items).__name__}; put it in a {kind}"
            )
        return self._content(self._on(backend), items)

    def _store(self, bound: Any) -> Any:
        """Return the store of ``bound`` for a write, which what is read through this handle has to know of."""
        self._wrote()
        return bound.store

    def _family(self) -> tuple[Key, ...]:
        return (self._key,)

    def _kin(self) -> tuple[Key, ...]:
        """Return the other keys of the record this is a child of."""
        return tuple(key for key in self._origin.kin if key != self._key) if self._origin else ()

    def _declared(self, position: int) -> Any:
        """Return the type parameter at ``position``, evaluated."""
        parameter = self._parameters[position]
        if isinstance(parameter, TypeVar):
            return default_of(parameter)
        if self._origin and type(self) is not self._unbound:  # the field's annotation gives the parameters
            return type(self._origin.owner)._evaluated(parameter, self._origin.declarer)
        return self._evaluated(parameter, self._unbound)

    def _named(self, codec: Codec | KeyCodec, backend: Backend) -> NamedCodec[Any]:
        """Return ``codec``, its errors naming the object and, where that is told, the part they are about."""
        return NamedCodec(codec, self._part, self._key, backend)

    def _value_codec(self, backend: Backend) -> Codec:
        """Return the codec of values, whose type is the last parameter, bound to ``backend``."""
        origin = self._origin
        known = (generation(), type(self), type(origin.owner), origin.field) if origin else None
        codec: Codec | None = backend.memo.get(known) if known else None
        if codec is None:
            sources = [origin and origin.codec, self._codec, self._class_codec]
            codec = bound_codec(backend, self._declared(-1), sources, in_schema=bool(origin and origin.bare))
            if known:
                backend.memo[known] = codec
        return codec

    def _state(self) -> dict[str, Any]:
        return {"_codec": self._codec if self._codec is None else portable_codec(self._codec)}

    def __reduce__(self) -> tuple[Any, ...]:
        if self._origin:
            return _child_of, (self._origin.owner, self._origin.field)
        return super().__reduce__()

    def __repr__(self) -> str:
        return f"{self._origin.owner!r}[{self._origin.field!r}]" if self._origin else super().__repr__()


def bound_codec(backend: Backend, declared: Any, sources: Iterable[CodecSource | None], *, in_schema: bool) -> Codec:
    """Return the codec for values of a declared type in ``backend``, fitted to its medium.

    Args:
        backend: Whose references it reads and writes; its own choice of codec comes after ``sources``.
        declared: An evaluated annotation.
        sources: Choices of a codec, the first that is one wins.
        in_schema: Whether a record's schema declares the type, so that ``str`` and records are bare text.
    """
    codec = chosen_codec(declared, [*sources, backend.codec], in_schema=in_schema)
    try:
        found = backend.memo.get((codec, declared))
    except TypeError:  # an annotation that is not hashable
        return fit(codec.bind(declared, references(backend)), backend.medium)
    if found is None:
        found = fit(codec.bind(declared, references(backend)), backend.medium)
        backend.memo[codec, declared] = found
    bound: Codec = found
    return bound


def chosen_codec(declared: Any, sources: Iterable[CodecSource | None], *, in_schema: bool) -> Codec:
    """Return the codec for values of a declared type, not bound to it; arguments as for :func:`bound_codec`."""
    source = next((source for source in sources if source is not None), None)
    if source is None:
        source = (in_schema and text_codec(declared)) or "json"
    return get_codec(source) if isinstance(source, str) else source


class NamedCodec(Generic[S]):
    """The codec of the values or the keys of one object, whose errors say what they are about.

    Args:
        codec: Does the work; ``bare`` to those who name what it is about themselves.
        part: What errors call a part of the object.
        key: The object's.
        backend: Its store.
    """

    __slots__ = ("_backend", "_key", "_part", "bare", "canonical")

    def __init__(self, codec: Codec | KeyCodec, part: str, key: Key, backend: Backend) -> None:
        self.bare: Any = codec
        self.canonical: bool = getattr(codec, "canonical", False)
        self._part = part
        self._key = key
        self._backend = backend

    def encode(self, value: Any, where: object = None) -> S:
        """Return the stored form of ``value``, which goes to the part at ``where``."""
        try:
            encoded: S = self.bare.encode(value)
        except EncodeError as error:
            raise self._located(error, where, "of") from error.__cause__
        return encoded

    def encode_all(self, values: Collection[Any], places: Iterable[object] = ()) -> Any:
        """Return what :meth:`encode` gives for each of ``values``, which stand at ``places`` in what was given."""
        try:
            return self.bare.encode_all(values)
        except EncodeError as error:
            where = self._first_refused(self.bare.encode, values, places)
            raise self._located(error, where, "given to") from error.__cause__

    def decode(self, stored: S, where: object = None) -> Any:
        """Return the value of what is stored in the part at ``where``."""
        try:
            return self.bare.decode(stored)
        except DecodeError as error:
            raise self._located(error, where, "of") from error.__cause__

    def decode_all(self, stored: Iterable[S], places: Iterable[object] = ()) -> Iterator[Any]:
        """Yield what :meth:`decode` gives for each of ``stored``; no iterator where ``places`` say where they lie."""
        try:
            yield from self.bare.decode_all(stored)
        except DecodeError as error:
            where = self._first_refused(self.bare.decode, stored, places)
            raise self._located(error, where, "of") from error.__cause__

    def _located(self, error: EncodeError | DecodeError, where: object, relation: str) -> EncodeError | DecodeError:
        part = "" if where is None else f"{self._part} {where!r} {relation} "
        return located(error, part, self._key, self._backend)

    @staticmethod
    def _first_refused(code: Callable[[Any], object], items: Iterable[Any], places: Iterable[object]) -> object:
        """Return the place of the first item that cannot be encoded or decoded, found by trying all once more."""
        for item, place in zip(items, places, strict=False):
            try:
                code(item)
            except (EncodeError, DecodeError):
                return place
        return None


def portable_codec(codec: CodecSource) -> str:
    """Return the name by which another process finds ``codec``; what it holds, such as keys, stays in this one.

    Raises:
        ConfigurationError: It is not registered.
    """
    if isinstance(codec, str):
        return codec
    if codec.name in known_codecs() and get_codec(codec.name) is codec:
        return codec.name
    raise ConfigurationError(
        f"another process could not find the codec {codec.name!r}; register_codec it, there and here"
    )


def plain(value: Any) -> Any:
    """Return all of a persistent collection, read in one step, or any other value as it is."""
    return value.copy() if isinstance(value, PersistentCollection) else value


def text_codec(declared: Any) -> str | None:
    """Return the bare-text codec a record's schema writes values of a declared type with, None if it has none."""
    if get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    if declared is str:
        return "str"
    return "reference" if isinstance(declared, type) and issubclass(declared, PersistentObject) else None


def _child_of(owner: Mapping[str, Any], field: str) -> Any:
    """Make the handle of a child that a pickle describes."""
    return owner[field]

"""Bind codecs for values, keys and references to one store and one type, and name them in errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, get_args, get_origin
from weakref import finalize, ref

from persistent_collections import classes
from persistent_collections.backends.base import Backend, Medium
from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.registry import codec_of, get_codec, known_codecs
from persistent_collections.codecs.text import text_in
from persistent_collections.collections.core import ClassInfo, CodecSource, Core, core_of
from persistent_collections.collections.ids import unquote_id
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.config import resolve
from persistent_collections.errors import ConfigurationError, DecodeError, EncodeError
from persistent_collections.remedies import ImportModule
from persistent_collections.transactions.overlay import real

_ANY_STORE: Final = References(PersistentObject, str, str)
"""Replaces a store's references where only a type is needed."""

_KEPT: Final = 64
"""The maximum number of codec choices cached for a class in a store."""


class Bindings:
    """The properties of one store that codecs need. A backend's instance lives as long as it, and doesn't hold it.

    Attributes:
        references: Converts objects to keys and back for its codecs.
        codec: The name of the codec that the store chooses, if any.
        medium: The kind of content that the store can hold.
    """

    def __init__(self, references: References, codec: str | None = None, medium: Medium = "bytes") -> None:
        self.references = references
        self.codec = codec
        self.medium: Medium = medium


class Kept:
    """The codecs that objects of one class, or children of one record class, use in one store.

    Attributes:
        redefinitions: The number of classes that had replaced another of the same name when this was created.
        codecs: The codecs, by the name of the child or, for a class of collections, by the codec chosen for the object.
        fields: For a record class, the fields that hold a value, bound to the store; None until then.
    """

    def __init__(self) -> None:
        self.redefinitions = classes.redefinitions
        self.codecs: dict[CodecSource | None, Any] = {}
        self.fields: Any = None

    def codecs_for(self, chosen: CodecSource | None, make: Callable[[], Any]) -> Any:
        """Return the cached result of ``make`` for the child or the codec ``chosen``."""
        try:
            found = self.codecs.get(chosen)
        except TypeError:  # a codec that is not hashable
            return make()
        if found is None:
            found = make()
            if len(self.codecs) >= _KEPT:  # an application that makes a codec for each object
                self.codecs.clear()
            self.codecs[chosen] = found
        return found


_bindings: Final[dict[int, Bindings]] = {}


def bindings(backend: Backend) -> Bindings:
    """Return the bindings of ``backend``."""
    found = _bindings.get(id(backend))
    if found is None:
        backend = real(backend)
        found = _bindings.get(id(backend))
    if found is None:
        found = _bindings.setdefault(id(backend), Bindings(_references(backend), backend.codec, backend.medium))
        finalize(backend, _bindings.pop, id(backend), None).atexit = False
    return found


def kept(info: ClassInfo, backend: Backend) -> Kept:
    """Return the codecs that objects of a class use in ``backend``, rebuilt if a class replaced another of its name.

    The class holds the cache, which holds only as much of the backend as codecs do. It ends with either of the two.
    """
    known = bindings(backend)
    found: Kept | None = info.kept.get(known)
    if found is None or found.redefinitions != classes.redefinitions:
        found = info.kept[known] = Kept()
    return found


def references(backend: Backend) -> References:
    """Return the converter of objects to keys and back for the codecs of ``backend``."""
    return bindings(backend).references


def _references(backend: Backend) -> References:
    backend_now = ref(backend)  # the user of a bound codec holds the backend

    def to_key(value: PersistentObject) -> str:
        core: Core = value.__pc__
        if core.key.child is not None:
            raise EncodeError(f"{value.key!r} is a child collection, not a value; store its owner, or a copy of it")
        store = resolve(core.choice)
        if store is not backend_now() and store != (here := _alive(backend_now())):
            raise EncodeError(f"{value.key!r} lives in {store.url}, not in {here.url}; a reference stays in its store")
        return str(core)

    def from_key(text: str) -> PersistentObject:
        name, _, quoted = text.partition(":")
        cls, unquoted = classes.find(name), unquote_id(quoted)
        if not unquoted:
            raise DecodeError("a stored reference is not a key of the form '<type name>:<id>'")
        if cls is None:
            raise DecodeError(f"a stored reference is to a {name!r}").with_remedies(
                ImportModule("import the module that defines this class")
            )
        handle: PersistentObject = cls.__pc__.make(unquoted, _alive(backend_now()))
        return handle

    return References(PersistentObject, to_key, from_key, narrowed, remedy)


def _alive(backend: Backend | None) -> Backend:
    if backend is None:
        raise ReferenceError(
            "a codec was used after its backend was closed and forgotten; keep the backend as long as its codecs"
        )
    return backend


def narrowed(value: Any, kind: type[PersistentObject]) -> Any:
    """Return an object as an instance of ``kind``, or None if it isn't one.

    Its key shows neither its type parameters nor which of two definitions of its class it belongs to.
    """
    if isinstance(value, kind):
        return value
    info, core = kind.__pc__, core_of(value)
    if core is None:
        return None
    is_namesake = core.info.type_name == info.type_name and not isinstance(value, info.unbound)
    is_twin = is_namesake and classes.is_one_definition(core.info.unbound, info.unbound)
    unbound = core.info.unbound if is_twin else info.unbound
    if not isinstance(value, unbound) or (type(value) is not unbound and core.info.parameters != info.parameters):
        return None
    return info.make(core.id, core.choice)


def remedy(kind: type[PersistentObject]) -> str:
    """Return advice on how to pass an object of ``kind``, as the end of an error's sentence."""
    info: ClassInfo = kind.__pc__
    return info.remedy()


def bound_codec(store: Bindings, declared: Any, sources: Iterable[CodecSource | None], *, in_schema: bool) -> Codec:
    """Return the codec for values of a declared type, fitted to the medium of a store.

    Args:
        store: The store whose references the codec uses; the store's own choice of codec comes after ``sources``.
        declared: An evaluated annotation.
        sources: Choices of a codec; the first that is not None wins.
        in_schema: Whether a record's schema declares the type, so that ``str`` and records are bare text.
    """
    codec = chosen_codec(declared, [*sources, store.codec], in_schema=in_schema)
    return fit(codec.bind(declared, store.references), store.medium)


def chosen_codec(declared: Any, sources: Iterable[CodecSource | None], *, in_schema: bool) -> Codec:
    """Return the codec for values of a declared type, unbound; arguments as for :func:`bound_codec`."""
    source = next((source for source in sources if source is not None), None)
    if source is None:
        source = schema_codec(declared) if in_schema else "json"
    return codec_of(source)


def first_refused(code: Callable[[Any], object], items: Iterable[Any], places: Iterable[object]) -> object:
    """Return the place of the first item that ``code`` refuses, found by a second attempt on each item."""
    for item, place in zip(items, places, strict=False):
        try:
            code(item)
        except (EncodeError, DecodeError):
            return place
    return None


def portable_codec(codec: CodecSource) -> str:
    """Return the name by which another process finds ``codec``; secrets such as keys stay in this process.

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


def text_codec(declared: Any) -> str | None:
    """Return the bare-text codec that a record's schema uses for values of a declared type, or None."""
    if declared is str or text_in(declared, _ANY_STORE) == "all":
        return "str"
    if get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    return "reference" if isinstance(declared, type) and issubclass(declared, PersistentObject) else None


def schema_codec(declared: Any, written: Any = None) -> str:
    """Return the codec that a record's schema uses for values of a declared type if none is named.

    Args:
        declared: An evaluated annotation.
        written: The text that an error shows in its place.

    Raises:
        TypeError: The type allows text or another type, so texts stored as they are could be read as the other type.
    """
    if (bare := text_codec(declared)) is not None:
        return bare
    if text_in(declared, _ANY_STORE) in ("some", "optional"):
        shown = re.sub(r"\b(?:\w+\.)+(?=\w)", "", repr(written or declared))
        raise TypeError(
            f"{shown} allows str and other types, and stored text could be read as one of the others; "
            f'name the codec: Annotated[{shown}, codec("json")]'
        )
    return "json"

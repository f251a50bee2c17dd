"""Annotations read into shapes, and the base of the codecs that hold all types."""

from __future__ import annotations

import sys
import typing
from abc import abstractmethod
from enum import Enum
from inspect import isabstract
from itertools import combinations
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Any, Final, ForwardRef, Literal, NewType, Self, TypeVar, Union, Unpack, get_args, get_origin

import typing_extensions
from typing_extensions import Format, get_annotations

from persistent_collections.annotations import bindings, substitute, upper_bound
from persistent_collections.codecs import class_shapes, shapes
from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.classes import fields_of, require_constructor
from persistent_collections.codecs.constraints import constraints
from persistent_collections.codecs.lowering import lift, lower
from persistent_collections.codecs.shapes import MismatchError, Place, Shape
from persistent_collections.codecs.types import is_registered
from persistent_collections.errors import DecodeError, EncodeError

_PLAIN: Final = (NoneType, bool, int, str)
_CONTAINERS: Final = (list, set, frozenset, tuple, dict)
_ALIASES: Final[tuple[Any, ...]] = (  # the class of Python 3.12's statement is not that of the backport
    typing_extensions.TypeAliasType,
    getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType),
)
_CONCRETE: Final[dict[type, type]] = {Path: type(Path()), PurePath: type(PurePath())}
_UNIONS: Final = (Union, UnionType)
_WRAPPERS: Final = (
    typing.Final,
    typing_extensions.Required,
    typing_extensions.NotRequired,
    typing_extensions.ReadOnly,
)


class DeclaredCodec(Codec):
    """A codec for values of all types, which may be narrowed to a declared one."""

    def __init__(self, declared: Any = Any, references: References | None = None) -> None:
        self._references = references
        self._shape = None if declared in (Any, object) else shape_of(declared, references)

    def bind(self, declared: Any, references: References | None) -> Codec:
        return type(self)(declared, references)

    def encode(self, value: Any) -> bytes:
        return self._write(value if self._shape is None else checked(self._shape, value))

    def decode(self, data: bytes) -> Any:
        value = self._read(data)
        return value if self._shape is None else rebuilt(self._shape, value)

    @abstractmethod
    def _write(self, value: Any) -> bytes:
        """Return the bytes of a value of any type."""

    @abstractmethod
    def _read(self, data: bytes) -> Any:
        """Return the value of the bytes."""


def checked(shape: Shape, value: Any) -> Any:
    """Return what is to be stored for ``value``.

    Raises:
        EncodeError: It is not of this shape.
    """
    try:
        return shape.walk(value, Place("store"))
    except MismatchError as error:
        raise EncodeError(str(error)) from None
    except RecursionError:
        raise EncodeError("value: nested too deeply for what is left of the call stack") from None


def rebuilt(shape: Shape, stored: Any) -> Any:
    """Return the value of what is stored.

    Raises:
        DecodeError: It is not of this shape.
    """
    try:
        return shape.walk(stored, Place("load"))
    except MismatchError as error:
        raise DecodeError(str(error)) from None
    except RecursionError:
        raise DecodeError("nested too deeply for what is left of the call stack") from None


def shape_of(declared: Any, references: References | None) -> Shape:
    """Return the shape of an annotation.

    Raises:
        TypeError: Values of that type cannot be kept exactly, or told apart when read.
    """
    try:
        return _Reader(references).shape(declared)
    except RecursionError:
        raise TypeError(f"{declared} refers to itself outside a class; declare Any") from None


class _Reader:
    """Reads one annotation; a class met again on the way is the shape that is being made of it."""

    def __init__(self, references: References | None) -> None:
        self._references = references
        self._classes: dict[Any, Shape] = {}

    def shape(self, declared: Any) -> Shape:
        declared = _unwrapped(declared)
        if declared is None:
            return shapes.ExactShape(NoneType)
        if declared in (Any, object):
            return shapes.AnyShape()
        if isinstance(declared, str | ForwardRef):
            raise TypeError(f"the forward reference {declared!r} is not resolved")
        origin = get_origin(declared)
        if origin is typing.Annotated:
            return self._annotated(*get_args(declared))
        if origin is Literal:
            return self._literal(get_args(declared))
        if origin in _UNIONS:
            return self._union([self.shape(member) for member in get_args(declared)])
        return self._class(declared, origin or declared, get_args(declared))

    def _annotated(self, declared: Any, *metadata: Any) -> Shape:
        shape = self.shape(declared)
        origin = get_origin(declared)
        for constraint in constraints(declared if origin in (None, *_UNIONS) else origin, metadata):
            shape = shapes.ConstrainedShape(shape, constraint)
        return shape

    def _literal(self, values: tuple[Any, ...]) -> Shape:
        for kind in set(map(type, values)):
            if not (kind in _PLAIN or is_registered(kind)):
                raise _untellable(f"literals of {kind.__qualname__}", f"register_type({kind.__qualname__}, …) first")
        return shapes.LiteralShape(values)

    def _union(self, members: list[Shape]) -> Shape:
        for one, other in combinations(members, 2):
            tagged = not (one.opaque or other.opaque or isinstance(one, class_shapes.InstanceShape))
            overlap = not (one.stored and other.stored) or one.stored & other.stored
            if overlap and not tagged:
                raise TypeError(
                    f"{one.expected} and {other.expected} cannot be told apart when read; "
                    "register_type the classes, so that each is stored under a tag"
                )
        return shapes.UnionShape(members)

    def _class(self, declared: Any, kind: Any, arguments: tuple[Any, ...]) -> Shape:
        if kind in _CONTAINERS:
            return self._container(declared, kind, arguments)
        if kind is float:
            return shapes.FloatShape()
        if not isinstance(kind, type):
            raise _untellable(declared, "declare Any, and it is stored unchecked")
        if kind in _PLAIN or is_registered(kind):
            return shapes.ExactShape(kind)
        return self._classes.get(declared) or self._unregistered(declared, kind, arguments)

    def _container(self, declared: Any, kind: Any, arguments: tuple[Any, ...]) -> Shape:
        if kind is tuple:
            return self._tuple(declared, arguments)
        if kind is dict:
            keys, items = arguments or (Any, Any)
            return shapes.DictShape(self._hashable(keys), self.shape(items))
        [item] = arguments or (Any,)
        return shapes.ItemsShape(kind, self.shape(item) if kind is list else self._hashable(item))

    def _tuple(self, declared: Any, arguments: tuple[Any, ...]) -> Shape:
        if declared in (tuple, typing.Tuple):  # noqa: UP006 - the alias is what is looked for
            return shapes.ExactShape(tuple)
        if arguments[1:] == (Ellipsis,):
            return shapes.ItemsShape(tuple, self.shape(arguments[0]))
        if any(get_origin(item) is Unpack or getattr(item, "__unpacked__", False) for item in arguments):
            raise _untellable(declared, "declare tuple[Any, ...]")
        return shapes.TupleShape([self.shape(item) for item in arguments])

    def _hashable(self, declared: Any) -> Shape:
        shape = self.shape(declared)
        if shape.opaque and not isinstance(shape, class_shapes.EnumShape):
            raise _untellable(declared, "register_type it, for a set or the keys of a dict hold it under a tag alone")
        return shape

    def _unregistered(self, declared: Any, kind: type, arguments: tuple[Any, ...]) -> Shape:
        if self._references is not None and issubclass(kind, self._references.kind):
            return class_shapes.InstanceShape(kind, self._references)
        if issubclass(kind, Enum):
            return self._enum(kind)
        if _is_pydantic_model(kind):
            return class_shapes.ModelShape(kind)
        if typing_extensions.is_typeddict(kind):
            typed = class_shapes.TypedDictShape(kind)
            typed.required = _required_keys(kind)
            return self._with_fields(declared, typed, kind, arguments)
        if fields_of(kind) is None:
            concrete = "declare a concrete type, such as list or dict"
            raise _untellable(
                declared, concrete if isabstract(kind) else f"register_type({kind.__qualname__}, …) first"
            )
        require_constructor(kind)
        return self._with_fields(declared, class_shapes.FieldsShape(kind), kind, arguments)

    def _enum(self, kind: type[Enum]) -> Shape:
        try:
            kept = all(kind(lift(lower(member._value_))) is member for member in kind)
        except Exception:  # noqa: BLE001 - an Enum's _missing_ may raise anything
            kept = False
        if not kept:
            raise _untellable(kind, f"register_type({kind.__qualname__}, …), and its members go by name")
        return class_shapes.EnumShape(kind)

    def _with_fields(
        self,
        declared: Any,
        shape: class_shapes.TypedDictShape | class_shapes.FieldsShape,
        kind: type,
        arguments: tuple[Any, ...],
    ) -> Shape:
        self._classes[declared] = shape
        hints = _hints(kind)
        meanings = {name: {**_bound(kind, arguments, name), Self: declared} for name in fields_of(kind) or hints}
        shape.fields = {
            name: self.shape(substitute(hints.get(name, Any), meaning)) for name, meaning in meanings.items()
        }
        shape.opaque |= any(field.opaque for field in shape.fields.values())
        return shape


def _unwrapped(declared: Any) -> Any:
    """Return what an alias, a new type, a type variable or a qualifier stands for."""
    while True:
        origin = get_origin(declared)
        if isinstance(declared, NewType):
            declared = declared.__supertype__
        elif isinstance(declared, _ALIASES):
            declared = declared.__value__
        elif isinstance(origin, _ALIASES):
            declared = substitute(origin.__value__, dict(zip(origin.__type_params__, get_args(declared), strict=False)))
        elif isinstance(declared, TypeVar):
            declared = upper_bound(declared)
        elif origin in _WRAPPERS:
            [declared] = get_args(declared)
        else:
            return _CONCRETE.get(declared, declared) if isinstance(declared, type) else declared


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing_extensions.get_type_hints(kind, localns={kind.__name__: kind}, include_extras=True)
    except NameError as error:
        raise TypeError(f"an annotation of {kind.__qualname__} cannot be resolved: {error}") from error


def _required_keys(kind: Any) -> frozenset[str]:
    """Return the keys a TypedDict requires; it does not know itself where its annotations were left as texts."""
    told = {name: get_origin(hint) for name, hint in _hints(kind).items()}
    optional = {name for name, origin in told.items() if origin is typing_extensions.NotRequired}
    required = {name for name, origin in told.items() if origin is typing_extensions.Required}
    return frozenset(kind.__required_keys__ | required) - optional


def _bound(kind: type, arguments: tuple[Any, ...], field: str) -> dict[Any, Any]:
    """Return what the type variables of the class that declares a field of ``kind`` stand for."""
    known = bindings(kind, arguments)
    bases = reversed(known) if typing_extensions.is_typeddict(kind) else kind.__mro__  # its bases are no part of that
    own = (base for base in bases if base in known and field in get_annotations(base, format=Format.FORWARDREF))
    return {**known.get(next(own, kind), {})}


def _is_pydantic_model(kind: type) -> bool:
    """Say whether ``kind`` is a pydantic model; there are none unless somebody has imported pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


def _untellable(declared: object, remedy: str) -> TypeError:
    return TypeError(f"values of {declared} cannot be kept exactly: {remedy}")

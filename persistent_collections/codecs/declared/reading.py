"""Annotations read into checks, and the base of the codecs that hold all types."""

from __future__ import annotations

import sys
import typing
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from inspect import isabstract
from itertools import combinations
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Final,
    ForwardRef,
    Literal,
    NewType,
    Self,
    TypeVar,
    Union,
    Unpack,
    get_args,
    get_origin,
)

import typing_extensions
from typing_extensions import Format, get_annotations

from persistent_collections.annotations import (
    RecursiveAlias,
    bindings,
    parts,
    substitute,
    tied,
    upper_bound,
    where_to_define,
)
from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.declared import checks, class_checks
from persistent_collections.codecs.declared.checks import Check, Location, MismatchError
from persistent_collections.codecs.declared.constraints import constraints
from persistent_collections.codecs.declared.fields import FormerField, StoredFields
from persistent_collections.codecs.declared.models import ModelCheck, models_in
from persistent_collections.codecs.declared.mutable import warn_if_mutable
from persistent_collections.codecs.types.classes import fields_of, require_constructor, required_fields
from persistent_collections.codecs.types.lowering import MAX_DEPTH, lift, lower, shallow
from persistent_collections.codecs.types.registry import is_registered
from persistent_collections.errors import DecodeError, EncodeError
from persistent_collections.marks import SAME_TYPE, former_of, formerly, require_outermost

_PLAIN: Final = (NoneType, bool, int, str)
_CONTAINERS: Final = (list, set, frozenset, tuple, dict)
_ALIASES: Final[tuple[Any, ...]] = (  # the class of Python 3.12's statement is not that of the backport
    typing_extensions.TypeAliasType,
    getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType),
    RecursiveAlias,
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
    """A codec for values of all types, which may be narrowed to a declared one.

    Attributes:
        starts: The bytes that may start a list or a dict.
    """

    starts: ClassVar[bytes]

    def __init__(self, declared: Any = Any, references: References | None = None) -> None:
        self._references = references
        self._check = None if declared in (Any, object) else check_of(declared, references)

    def bind(self, declared: Any, references: References | None) -> Codec:
        return type(self)(declared, references)

    def encode(self, value: Any) -> bytes:
        return self._write(value if self._check is None else checked(self._check, value))

    def finished(self, value: Any, data: bytes) -> Any:
        """Return what was parsed from ``data`` as a value of the declared type, unless it is too deep."""
        if len(data) > MAX_DEPTH and self._may_be_deep(data):
            shallow(value)
        return value if self._check is None else rebuilt(self._check, value)

    def _may_be_deep(self, data: bytes) -> bool:
        """Return whether ``data`` may start enough lists and dicts for one inside another to be too deep."""
        return len(data) - len(data.translate(None, self.starts)) > MAX_DEPTH

    @abstractmethod
    def _write(self, value: Any) -> bytes:
        """Return the bytes of a value of any type."""


def checked(check: Check, value: Any) -> Any:
    """Return the stored form of ``value``.

    Raises:
        EncodeError: It doesn't match this check.
    """
    try:
        return check.walk(value, Location("store"))
    except MismatchError as error:
        raise EncodeError(str(error)) from None
    except RecursionError:
        raise EncodeError("value: nested too deeply for the rest of the call stack") from None


def rebuilt(check: Check, stored: Any) -> Any:
    """Return the value of a stored form.

    Raises:
        DecodeError: It doesn't match this check.
    """
    try:
        return check.walk(stored, Location("load"))
    except MismatchError as error:
        raise DecodeError(str(error)) from None
    except RecursionError:
        raise DecodeError("nested too deeply for the rest of the call stack") from None


def check_of(declared: Any, references: References | None) -> Check:
    """Return the check of an annotation.

    Raises:
        TypeError: Values of that type cannot be kept exactly, or can't be distinguished when read.
    """
    try:
        return _Reader(references).check(declared)
    except RecursionError:
        raise TypeError(f"{declared} refers to itself outside a class; declare Any") from None


def is_recursive(declared: Any, references: References | None) -> bool:
    """Return whether an alias that refers to itself is part of an annotation."""
    reader = _Reader(references)
    reader.check(declared)
    return reader.is_recursive


class _Reader:
    """Reads one annotation; a class that contains itself is the check being built for it."""

    def __init__(self, references: References | None) -> None:
        self.is_recursive = False
        self._references = references
        self._classes: dict[Any, Check] = {}

    def check(self, declared: Any) -> Check:
        declared = unwrapped(declared, aliases=False)
        if not _is_alias(declared):
            return self._check(declared)
        known = self._classes.get(declared)
        self.is_recursive |= known is not None
        return known or self._alias(declared)

    def _alias(self, declared: Any) -> Check:
        self._classes[declared] = later = checks.LaterCheck(getattr(declared, "__name__", repr(declared)))
        check = self.check(_unwrapped_once(declared))
        if check is later:
            raise _itself(check)
        later.target = check
        del self._classes[declared]  # beside itself it is the check that was made
        return check

    def _check(self, declared: Any) -> Check:
        if declared is None:
            return checks.ExactCheck(NoneType)
        if declared in (Any, object):
            return checks.AnyCheck()
        if isinstance(declared, str | ForwardRef):
            raise TypeError(f"the forward reference {declared!r} is not resolved")
        origin = get_origin(declared)
        if origin is typing.Annotated:
            return self._annotated(*get_args(declared))
        if origin is Literal:
            return self._literal(get_args(declared))
        if origin in _UNIONS:
            return self._union([self.check(member) for member in get_args(declared)])
        return self._class(declared, origin or declared, get_args(declared))

    def _annotated(self, declared: Any, *metadata: Any) -> Check:
        check = self.check(declared)
        origin = get_origin(declared)
        for constraint in constraints(declared if origin in (None, *_UNIONS) else origin, metadata):
            check = checks.ConstrainedCheck(check, constraint)
        return check

    def _literal(self, values: tuple[Any, ...]) -> Check:
        for kind in set(map(type, values)):
            if not (kind in _PLAIN or is_registered(kind)):
                raise _untellable(f"literals of {kind.__qualname__}", f"register_type({kind.__qualname__}, …) first")
        return checks.LiteralCheck(values)

    def _union(self, members: list[Check]) -> Check:
        for later in (member for member in members if isinstance(member, checks.LaterCheck)):
            raise _itself(later)
        for one, other in combinations(members, 2):
            if not _are_told_apart(one, other):
                raise TypeError(
                    f"{one.expected} and {other.expected} cannot be distinguished when read; "
                    "register_type the classes, so that each is stored under a tag"
                )
        return checks.UnionCheck(members)

    def _class(self, declared: Any, kind: Any, arguments: tuple[Any, ...]) -> Check:
        if kind in _CONTAINERS:
            return self._container(declared, kind, arguments)
        if kind is float:
            return checks.FloatCheck()
        if not isinstance(kind, type):
            raise _untellable(declared, "declare Any, and it is stored unchecked")
        if kind is Callable:
            raise _untellable(declared, "store a name, and look the function up by it")
        if kind in _PLAIN:
            return checks.ExactCheck(kind)
        warn_if_mutable(kind)
        if is_registered(kind):
            return checks.ExactCheck(kind)
        return self._classes.get(declared) or self._unregistered(declared, kind, arguments)

    def _container(self, declared: Any, kind: Any, arguments: tuple[Any, ...]) -> Check:
        if kind is tuple:
            return self._tuple(declared, arguments)
        if kind is dict:
            keys, items = arguments or (Any, Any)
            return checks.DictCheck(self._hashable(keys), self.check(items))
        [item] = arguments or (Any,)
        return checks.ItemsCheck(kind, self.check(item) if kind is list else self._hashable(item))

    def _tuple(self, declared: Any, arguments: tuple[Any, ...]) -> Check:
        if declared in (tuple, typing.Tuple):  # noqa: UP006 - this looks for the alias
            return checks.ExactCheck(tuple)
        if arguments[1:] == (Ellipsis,):
            return checks.ItemsCheck(tuple, self.check(arguments[0]))
        if any(get_origin(item) is Unpack or getattr(item, "__unpacked__", False) for item in arguments):
            raise _untellable(declared, "declare tuple[Any, ...]")
        return checks.TupleCheck([self.check(item) for item in arguments])

    def _hashable(self, declared: Any) -> Check:
        check = self.check(declared)
        if check.opaque and not isinstance(check, class_checks.EnumCheck):
            raise _untellable(declared, "register_type it, since sets and keys of dicts store it only under a tag")
        return check

    def _unregistered(self, declared: Any, kind: type, arguments: tuple[Any, ...]) -> Check:
        if self._references is not None and issubclass(kind, self._references.kind):
            return class_checks.ReferenceCheck(kind, self._references)
        if issubclass(kind, Enum):
            return self._enum(kind)
        if _is_pydantic_model(kind):
            return self._model(kind)
        if typing_extensions.is_typeddict(kind):
            typed = class_checks.TypedDictCheck(kind)
            typed.required = _required_keys(kind)
            return self._with_fields(declared, typed, kind, arguments)
        if fields_of(kind) is None:
            concrete = "declare a concrete type, such as list or dict"
            raise _untellable(
                declared, concrete if isabstract(kind) else f"register_type({kind.__qualname__}, …) first"
            )
        require_constructor(kind)
        return self._with_fields(declared, class_checks.FieldsCheck(kind), kind, arguments)

    def _enum(self, kind: type[Enum]) -> Check:
        try:
            kept = all(kind(lift(lower(member._value_))) is member for member in kind)
        except Exception:  # noqa: BLE001 - an Enum's _missing_ may raise anything
            kept = False
        if not kept:
            raise _untellable(kind, f"register_type({kind.__qualname__}, …), and its members go by name")
        return class_checks.EnumCheck(kind)

    def _with_fields(
        self,
        declared: Any,
        check: class_checks.TypedDictCheck | class_checks.FieldsCheck,
        kind: type,
        arguments: tuple[Any, ...],
    ) -> Check:
        self._classes[declared] = check
        hints = _hints(kind)
        meanings = {name: {**_bound(kind, arguments, name), Self: declared} for name in fields_of(kind) or hints}
        hints = {name: substitute(hints.get(name, Any), meaning) for name, meaning in meanings.items()}
        _require_outermost(kind, hints)
        checks = {name: self.check(hint) for name, hint in hints.items()}
        is_typed = isinstance(check, class_checks.TypedDictCheck)
        required = _required_keys(kind) if is_typed else required_fields(kind)
        optional = "declare it NotRequired" if is_typed else "give it a default"
        former = self._former(kind, {name: _metadata(hint) for name, hint in hints.items()}, checks)
        check.fields = StoredFields(check.expected, checks, required, former, optional)
        check.opaque |= any(field.opaque for field in checks.values())
        return check

    def _former(
        self, kind: type, marks: Mapping[str, Iterable[Any]], checks: Mapping[str, Check]
    ) -> dict[str, FormerField]:
        """Return the former names of the fields of a class; a name without a check is not checked."""
        found: dict[str, FormerField] = {}
        for name, mark in [(name, mark) for name, its in marks.items() for mark in former_of(its)]:
            if mark.name in marks or mark.name in found:
                raise TypeError(
                    f"{kind.__qualname__}: {mark!r} of {name!r} names a field, or another field's former name; "
                    "a field whose type or meaning changes gets a new name"
                )
            check = checks.get(name) if mark.declared is SAME_TYPE else self.check(mark.declared)
            found[mark.name] = FormerField(name, check, mark)
        return found

    def _model(self, kind: Any) -> Check:
        check = ModelCheck(kind)
        former, waiting = {}, [kind]
        for model in waiting:
            infos = model.model_fields
            _require_outermost(model, {name: info.annotation for name, info in infos.items()})
            marks = {info.serialization_alias or name: info.metadata for name, info in infos.items()}
            former[model] = self._former(model, marks, {})
            waiting += {part for info in infos.values() for part in models_in(info.annotation)} - {*waiting}
        check.former = {model: names for model, names in former.items() if names}
        return check


def _require_outermost(kind: type, hints: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` if a former name is a mark of a part of an annotation."""
    for name, hint in hints.items():
        try:
            require_outermost(metadata_inside(unwrapped(hint)), formerly)
        except TypeError as error:
            raise TypeError(f"field {name!r} of {kind.__qualname__}: {error}") from None


def _metadata(hint: Any) -> tuple[Any, ...]:
    """Return the metadata of ``Annotated`` in an annotation."""
    hint = unwrapped(hint)
    return get_args(hint)[1:] if get_origin(hint) is typing.Annotated else ()


def metadata_inside(declared: Any) -> Iterator[Any]:
    """Yield the metadata of all parts of a declared type, and not those of the whole."""
    for part in parts_inside(declared):
        yield from _metadata(part)


def parts_inside(declared: Any) -> Iterator[Any]:
    """Yield all parts of a declared type, at any depth; it does not look into classes."""
    met: list[Any] = []
    waiting = _parts(declared)
    while waiting:
        part, *waiting = waiting
        if part not in met:  # an alias may refer to itself
            met.append(part)
            yield (part := unwrapped(part))
            waiting += _parts(part)


def _parts(declared: Any) -> list[Any]:
    """Return the type arguments of a declared type, without metadata and values."""
    generic, arguments = parts(declared)
    if generic is typing.Literal:  # its arguments are values
        return []
    return list(arguments[:1] if generic is typing.Annotated else arguments)


def unwrapped(declared: Any, *, aliases: bool = True) -> Any:
    """Return the value of a new type, a type variable, a qualifier or, unless excluded, an alias."""
    while (inner := _unwrapped_once(declared)) is not declared and (aliases or not _is_alias(declared)):
        declared = inner
    return declared


def _unwrapped_once(declared: Any) -> Any:
    origin = get_origin(declared)
    if isinstance(declared, NewType):
        return declared.__supertype__
    if isinstance(declared, _ALIASES):
        return declared.__value__
    if isinstance(origin, _ALIASES):
        return substitute(origin.__value__, dict(zip(origin.__type_params__, get_args(declared), strict=False)))
    if isinstance(declared, TypeVar):
        return upper_bound(declared)
    if origin in _WRAPPERS:
        return get_args(declared)[0]
    return _CONCRETE.get(declared, declared) if isinstance(declared, type) else declared


def _is_alias(declared: Any) -> bool:
    return isinstance(declared, _ALIASES) or isinstance(get_origin(declared), _ALIASES)


def _hints(kind: type) -> dict[str, Any]:
    try:
        hints = typing_extensions.get_type_hints(kind, localns={kind.__name__: kind}, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"an annotation of {kind.__qualname__} cannot be resolved: {error}; {where_to_define(kind)}"
        ) from error
    names = vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {}
    return {name: tied(hint, names) for name, hint in hints.items()}


def _required_keys(kind: Any) -> frozenset[str]:
    """Return the required keys of a TypedDict, which doesn't know them if its annotations are texts."""
    told = {name: get_origin(hint) for name, hint in _hints(kind).items()}
    optional = {name for name, origin in told.items() if origin is typing_extensions.NotRequired}
    required = {name for name, origin in told.items() if origin is typing_extensions.Required}
    return frozenset(kind.__required_keys__ | required) - optional


def _bound(kind: type, arguments: tuple[Any, ...], field: str) -> dict[Any, Any]:
    """Return the values of the type variables of the class that declares a field of ``kind``."""
    known = bindings(kind, arguments)
    bases = reversed(known) if typing_extensions.is_typeddict(kind) else kind.__mro__  # its bases are no part of that
    own = (base for base in bases if base in known and field in get_annotations(base, format=Format.FORWARDREF))
    return {**known.get(next(own, kind), {})}


def _is_pydantic_model(kind: type) -> bool:
    """Return whether ``kind`` is a pydantic model; False unless pydantic has been imported."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(kind, pydantic.BaseModel)


def _are_told_apart(one: Check, other: Check) -> bool:
    """Return whether the stored forms of the two can't be confused."""
    if one.stored and other.stored and not one.stored & other.stored:
        return True
    return not (one.opaque or other.opaque or isinstance(one, class_checks.ReferenceCheck))


def _itself(check: Check) -> TypeError:
    return TypeError(f"{check.expected} refers to itself outside a list, dict or class; declare Any")


def _untellable(declared: object, remedy: str) -> TypeError:
    return TypeError(f"values of {declared} cannot be kept exactly: {remedy}")

"""Classes that are their fields (dataclasses, ``msgspec.Struct``, attrs, named tuples), taken apart and built."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cached_property
from inspect import Parameter, signature
from typing import Any, Final

import typing_extensions

from persistent_collections.errors import EncodeError
from persistent_collections.marks import former_of, formerly

_ANY_NUMBER: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_CONTENT: Final[frozenset[Any]] = frozenset(
    {list, dict, set, frozenset, tuple, str, bytes, bytearray, int, float, complex, deque}
    | {date, time, timedelta, Decimal}
)
"""The built-in types with content that a class may inherit from."""

_BY_IDENTITY: Final[Any] = object.__eq__
_MISSING: Final = object()


def fields_of(kind: type[Any]) -> Mapping[str, str | None] | None:
    """Return the fields of a class with the argument of its constructor that sets each, None for a field without one.

    The result is None if ``kind`` is not such a class.
    """
    if dataclasses.is_dataclass(kind):
        return {field.name: field.name if field.init else None for field in dataclasses.fields(kind)}
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: field.alias if field.init else None for field in kind.__attrs_attrs__}
    names = getattr(kind, "_fields" if issubclass(kind, tuple) else "__struct_fields__", None)
    return None if names is None else {name: name for name in names}


def require_constructor(kind: type[Any]) -> None:
    """Check that an instance can be made from its fields.

    Raises:
        TypeError: The constructor requires another argument.
    """
    given = (fields_of(kind) or {}).values()
    for parameter in signature(kind).parameters.values():
        optional = parameter.default is not parameter.empty or parameter.kind in _ANY_NUMBER
        if not optional and parameter.name not in given:
            raise TypeError(
                f"{kind.__qualname__}(...) requires {parameter.name!r}, which is not a field; "
                "give register_type an encode and a decode for it"
            )


def required_fields(kind: type[Any]) -> list[str]:
    """Return the fields without which an instance cannot be made, in their order."""
    parameters = signature(kind).parameters
    empty = {name for name, parameter in parameters.items() if parameter.default is parameter.empty}
    return [name for name, argument in (fields_of(kind) or {}).items() if argument in empty]


def take_apart(value: Any) -> dict[str, Any]:
    """Return the fields of an instance.

    Raises:
        EncodeError: An instance built from these fields would differ.
    """
    kind = type(value)
    try:
        fields = {name: getattr(value, name) for name in fields_of(kind) or ()}
        lost = _lost(value, build(kind, fields), fields)
    except Exception as error:  # noqa: BLE001 - a constructor may raise anything
        raise EncodeError(f"{kind.__name__}(...) built from its own fields raises {type(error).__name__}") from None
    if lost:
        raise EncodeError(f"{kind.__name__}{lost}; give register_type an encode and a decode")
    return fields


def _lost(value: Any, twin: Any, fields: Mapping[str, Any]) -> str:
    """Return the content of ``value`` that ``twin``, built from its fields, lacks, as the end of a sentence."""
    if not all(same(getattr(twin, name), field) for name, field in fields.items()):
        return "(...) built from its own fields changes them"
    for name, attribute in _attributes(value).items():
        if name not in fields and not _is_made_anew(attribute, getattr(twin, name, _MISSING)):
            return f" has the attribute {name!r}, which is not a field"
    return _lost_content(value, twin)


def _lost_content(value: Any, twin: Any) -> str:
    """Return the same for the content of an instance as one of a built-in type that its class inherits from."""
    builtin: Any = next((base for base in type(value).__mro__ if base in _CONTENT), None)
    if builtin and not builtin.__eq__(value, twin):
        return f" is a {builtin.__name__} too, and its content as one is not a field"
    if isinstance(value, BaseException) and not same(value.args, twin.args):
        return " is an exception whose args its fields do not give"
    return ""


def _attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an instance, without its cached computed values."""
    kind = type(value)
    held = {
        name: attribute
        for name, attribute in getattr(value, "__dict__", {}).items()
        if not isinstance(getattr(kind, name, None), cached_property)
    }
    return held | {slot: getattr(value, slot) for slot in _slots(kind) if hasattr(value, slot)}


def _slots(kind: type) -> Iterator[str]:
    """Yield the attributes that instances have in place of entries in a ``__dict__``."""
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for slot in [slots] if isinstance(slots, str) else slots:
            if slot in ("__dict__", "__weakref__"):
                continue
            private = slot.startswith("__") and not slot.endswith("__")
            yield f"_{base.__name__.lstrip('_')}{slot}" if private else slot


def _is_made_anew(attribute: Any, twin: Any) -> bool:
    """Return whether a constructor makes an equal attribute, or one without comparable content, such as a lock."""
    if same(attribute, twin):
        return True
    kind: Any = type(attribute)
    by_identity = kind is type(twin) and kind.__eq__ is _BY_IDENTITY
    return by_identity and not hasattr(attribute, "__dict__")


def build(kind: type[Any], fields: Mapping[str, Any]) -> Any:
    """Return an instance with these fields; a missing one takes its default.

    Raises:
        Exception: Whatever the constructor raises.
    """
    known = fields_of(kind) or {}
    value = kind(**{argument: fields[name] for name, argument in known.items() if argument and name in fields})
    for name in [name for name, argument in known.items() if not argument and name in fields]:
        object.__setattr__(value, name, fields[name])
    return value


class FieldsError(ValueError):
    """The stored form does not make an instance; the message names the field, but no value."""


def rebuild(kind: type[Any], stored: Mapping[str, Any]) -> Any:
    """Return the instance that was stored as its fields, maybe by an older or newer version of its class.

    Raises:
        FieldsError: A field has neither a stored value nor a default.
        Exception: Whatever the constructor raises.
    """
    known = fields_of(kind) or {}
    return build(kind, stored if stored.keys() == known.keys() else _evolved(kind, known, stored))


def _evolved(kind: type[Any], known: Collection[str], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an instance from those that another version of its class stored."""
    marks = [(name, mark) for name, mark in _former_fields(kind) if mark.name in stored]
    former = {name: mark.converted(stored[mark.name]) for name, mark in marks}
    fields = {name: stored[name] for name in known if name in stored} | former
    needed = known if stored and not fields else required_fields(kind)
    for name in needed:
        if name not in fields:
            raise FieldsError(
                f"its field {name!r} is not stored here; give it a default, or if it had another name, "
                f"write {name}: Annotated[…, formerly('old_name')]"
            )
    return fields


def _former_fields(kind: type[Any]) -> Iterator[tuple[str, formerly]]:
    try:
        hints = typing_extensions.get_type_hints(kind, localns={kind.__name__: kind}, include_extras=True)
    except NameError as error:
        raise FieldsError(f"an annotation of it cannot be resolved: {error}") from None
    for name, hint in hints.items():
        for mark in former_of(getattr(hint, "__metadata__", ())):
            yield name, mark


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, and of the same types all through."""
    if one is other:
        return True
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, set | frozenset):
        return {(type(item), item) for item in one} == {(type(item), item) for item in other}
    return all(map(same, _parts(one), _parts(other)))


def _parts(value: Any) -> Sequence[Any]:
    """Return the content of a container, a pydantic model or an instance of a class of fields, for comparison."""
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list | tuple):
        return value
    if hasattr(type(value), "__pydantic_root_model__"):
        fields = [getattr(value, name) for name in type(value).model_fields]
        return [*fields, value.model_extra, value.model_fields_set]
    return [getattr(value, name) for name in fields_of(type(value)) or () if hasattr(value, name)]

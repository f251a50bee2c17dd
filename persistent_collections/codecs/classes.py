"""Classes that are their fields (dataclasses, ``msgspec.Struct``, attrs, named tuples), taken apart and built."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from inspect import Parameter, signature
from typing import Any, Final

from persistent_collections.errors import EncodeError

_ANY_NUMBER: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def fields_of(kind: type[Any]) -> Mapping[str, str | None] | None:
    """Return the fields of a class with the argument of its constructor that sets each, None where none does.

    The result is None where ``kind`` is no such class.
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
        TypeError: The constructor requires something else.
    """
    given = (fields_of(kind) or {}).values()
    for parameter in signature(kind).parameters.values():
        optional = parameter.default is not parameter.empty or parameter.kind in _ANY_NUMBER
        if not optional and parameter.name not in given:
            raise TypeError(
                f"{kind.__qualname__}(...) requires {parameter.name!r}, which is no field; "
                "give register_type an encode and a decode for it"
            )


def take_apart(value: Any) -> dict[str, Any]:
    """Return the fields of an instance.

    Raises:
        EncodeError: An instance built from these fields would be another one.
    """
    kind = type(value)
    try:
        fields = {name: getattr(value, name) for name in fields_of(kind) or ()}
        twin = build(kind, fields)
        kept = all(same(getattr(twin, name), field) for name, field in fields.items())
    except Exception as error:  # noqa: BLE001 - a constructor may raise anything
        raise EncodeError(f"{kind.__name__}(...) built from its own fields raises {type(error).__name__}") from None
    if not kept:
        raise EncodeError(
            f"{kind.__name__}(...) built from its own fields changes them; give register_type an encode and a decode"
        )
    return fields


def build(kind: type[Any], fields: Mapping[str, Any]) -> Any:
    """Return an instance with these fields; one that is not given takes its default.

    Raises:
        ValueError: A name in ``fields`` is none of the class.
        Exception: Whatever the constructor raises.
    """
    known = fields_of(kind) or {}
    if not fields.keys() <= known.keys():
        raise ValueError("an unknown field")
    value = kind(**{argument: fields[name] for name, argument in known.items() if argument and name in fields})
    for name in [name for name, argument in known.items() if not argument and name in fields]:
        object.__setattr__(value, name, fields[name])
    return value


def same(one: Any, other: Any) -> bool:
    """Say whether two values are equal, and of the same types all through."""
    if one is other:
        return True
    if type(one) is not type(other) or one != other:
        return False
    match one:
        case list() | tuple():
            return all(map(same, one, other))
        case dict():
            return all(map(same, one.items(), other.items()))
        case set() | frozenset():
            return {(type(item), item) for item in one} == {(type(item), item) for item in other}
    fields = getattr(type(one), "__pydantic_fields__", ())
    return all(same(getattr(one, name), getattr(other, name)) for name in fields) and (
        not fields or same(one.model_extra, other.model_extra)
    )

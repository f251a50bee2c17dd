"""Annotations evaluated: forward references, ``Self`` and type variables replaced by what they stand for."""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import reduce
from operator import or_
from types import SimpleNamespace
from typing import Annotated, Any, Self, TypeVar, get_args, get_origin, get_type_hints

import typing_extensions


def evaluate(annotation: Any, owner: type, names: Mapping[str, Any], self_type: type | None = None) -> Any:
    """Return ``annotation`` with every forward reference and ``Self`` in it replaced.

    Args:
        annotation: As found in the body of ``owner``, possibly a ``str``.
        owner: The class whose body its names are looked up in first; not those of fields, for in ``date: date`` the
            second one is the module's.
        names: What names mean in its module.
        self_type: What ``Self`` means, if not ``owner``.

    Raises:
        NameError: A name in it is defined nowhere (yet).
    """
    if annotation is Any or isinstance(annotation, type):
        return annotation
    body = {name: value for name, value in vars(owner).items() if not hasattr(value, "__set__")}
    namespace = {**names, **body, owner.__name__: owner}
    hints = get_type_hints(
        SimpleNamespace(__annotations__={"it": annotation}), namespace, namespace, include_extras=True
    )
    return substitute(hints["it"], {Self: self_type or owner})


def substitute(annotation: Any, replacements: Mapping[Any, Any]) -> Any:
    """Return ``annotation`` with each of ``replacements`` put in place of its key, at any depth."""
    try:
        if annotation in replacements:
            return replacements[annotation]
    except TypeError:  # not hashable: an argument list, or Annotated with unhashable metadata
        if isinstance(annotation, list):
            return [substitute(part, replacements) for part in annotation]
    before = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return Annotated[(substitute(before[0], replacements), *before[1:])]
    after = tuple(substitute(part, replacements) for part in before)
    if all(new is old for new, old in zip(after, before, strict=True)):
        return annotation
    if isinstance(annotation, types.UnionType):
        return reduce(or_, after)
    return annotation.copy_with(after) if hasattr(annotation, "copy_with") else get_origin(annotation)[after]


def type_variables(parameters: tuple[Any, ...]) -> tuple[TypeVar, ...]:
    """Return the type variables among ``parameters``, at any depth, each once, in the order they first stand in."""
    found: dict[TypeVar, None] = {}
    for parameter in parameters:
        if isinstance(parameter, TypeVar):
            found[parameter] = None
        else:
            found.update(dict.fromkeys(type_variables(get_args(parameter))))
    return tuple(found)


def default_of(variable: TypeVar) -> Any:
    """Return what an unbound type variable stands for: its default, or ``Any``."""
    default = getattr(variable, "__default__", typing_extensions.NoDefault)
    return Any if default is typing_extensions.NoDefault else default

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
    if annotation is Any:
        return annotation
    hints = {"it": annotation}
    if not isinstance(annotation, type):
        body = {name: value for name, value in vars(owner).items() if not hasattr(value, "__set__")}
        namespace = {**names, **body, owner.__name__: owner}
        hints = get_type_hints(SimpleNamespace(__annotations__=hints), namespace, namespace, include_extras=True)
    return substitute(hints["it"], {Self: self_type or owner})


def substitute(annotation: Any, replacements: Mapping[Any, Any]) -> Any:
    """Return ``annotation`` with each of ``replacements`` put in place of its key, at any depth."""
    try:
        if annotation in replacements:
            return replacements[annotation]
    except TypeError:  # not hashable: an argument list, or Annotated with unhashable metadata
        if isinstance(annotation, list):
            return [substitute(part, replacements) for part in annotation]
    generic, before = parts(annotation)
    if generic is Annotated:
        return Annotated[(substitute(before[0], replacements), *before[1:])]
    after = tuple(substitute(part, replacements) for part in before)
    if all(new is old for new, old in zip(after, before, strict=True)):
        return annotation
    return _given(annotation, generic, after)


def _given(annotation: Any, generic: Any, arguments: tuple[Any, ...]) -> Any:
    """Return an annotation with other arguments than it has."""
    if isinstance(annotation, types.UnionType):
        return reduce(or_, arguments)
    if isinstance(annotation, type):
        return generic._with_parameters(arguments)
    return annotation.copy_with(arguments) if hasattr(annotation, "copy_with") else generic[arguments]


def type_variables(parameters: tuple[Any, ...]) -> tuple[TypeVar, ...]:
    """Return the type variables among ``parameters``, at any depth, each once, in the order they first stand in."""
    found: dict[TypeVar, None] = {}
    for parameter in parameters:
        if isinstance(parameter, TypeVar):
            found[parameter] = None
        else:
            found.update(dict.fromkeys(type_variables(parts(parameter)[1])))
    return tuple(found)


def bindings(cls: Any, arguments: tuple[Any, ...] = ()) -> dict[type, dict[TypeVar, Any]]:
    """Return what the type variables of a generic class, and those of its bases, stand for, by class.

    Args:
        cls: The class, or one of ours that knows its arguments already.
        arguments: What it was given in brackets.
    """
    found: dict[type, dict[TypeVar, Any]] = {}
    _bind(cls, arguments, found)
    return found


def _bind(cls: Any, arguments: tuple[Any, ...], found: dict[type, dict[TypeVar, Any]]) -> None:
    generic, given = parts(cls)
    variables = getattr(generic, "_parameters", ()) or getattr(generic, "__parameters__", ())
    known = found.setdefault(generic, dict(zip(variables, given or arguments, strict=False)))
    for base in vars(generic).get("__orig_bases__", generic.__bases__):
        origin, given = parts(base)
        if isinstance(origin, type):
            _bind(origin, tuple(substitute(part, known) for part in given), found)


def parts(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return what an annotation is of, and the type arguments it gives that; they are part of some classes of ours."""
    generic = getattr(annotation, "_unbound", annotation)
    if generic is not annotation:
        return generic, annotation._parameters
    return get_origin(annotation) or annotation, get_args(annotation)


def shown(cls: Any) -> str:
    """Return the name of a class as a user writes it, with the type arguments it was given."""
    generic, given = parts(cls)
    name = getattr(generic, "__name__", str(generic))
    return f"{name}[{', '.join(map(shown, given))}]" if given else name


def upper_bound(variable: TypeVar) -> Any:
    """Return what every value of a type variable is, where nothing was given for it."""
    default = default_of(variable)
    if default is not Any:
        return default
    return reduce(or_, variable.__constraints__) if variable.__constraints__ else variable.__bound__ or Any


def default_of(variable: TypeVar) -> Any:
    """Return what an unbound type variable stands for: its default, or ``Any``."""
    default = getattr(variable, "__default__", typing_extensions.NoDefault)
    return Any if default is typing_extensions.NoDefault else default

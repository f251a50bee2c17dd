"""Evaluate annotations: forward references, ``Self`` and type variables are replaced by their values."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, ForwardRef, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

import typing_extensions


def evaluate(annotation: Any, owner: type, names: Mapping[str, Any], self_type: type | None = None) -> Any:
    """Return ``annotation`` with every forward reference and ``Self`` in it replaced.

    Args:
        annotation: As found in the body of ``owner``, possibly a ``str``.
        owner: The class whose body is searched for names first, except names of fields: in ``date: date``, the second
            ``date`` is the module's.
        names: The namespace of its module.
        self_type: The value of ``Self``, if not ``owner``.

    Raises:
        NameError: A name in it is not defined (yet).
    """
    if annotation is Any:
        return annotation
    hints = {"it": annotation if isinstance(annotation, str) else tied(annotation, names)}
    if not isinstance(annotation, type):
        body = {name: value for name, value in vars(owner).items() if not hasattr(value, "__set__")}
        namespace = {**names, **body, owner.__name__: owner}
        body_of_class = type(owner.__name__, (), {"__annotations__": hints})  # only there, Final is allowed
        hints = get_type_hints(body_of_class, namespace, namespace, include_extras=True)
        hints["it"] = tied(hints["it"], names)
    return substitute(hints["it"], {Self: self_type or owner})


def where_to_define(owner: type) -> str:
    """Return what to do about a name in an annotation of ``owner`` that is not defined."""
    if "<locals>" in owner.__qualname__:
        return (
            f"define or import it in the module of {owner.__name__}: an annotation that is a text, as all are after "
            "'from __future__ import annotations', does not see the names of a function"
        )
    return f"define or import it where {owner.__name__} is declared, before its first use"


class RecursiveAlias:
    """The name of an alias inside the alias itself, as of ``Json = dict[str, "Json"] | list["Json"] | str | None``.

    Args:
        name: Its name.
        names: The namespace of the module that defines it.
    """

    def __init__(self, name: str, names: Mapping[str, Any]) -> None:
        self.__name__ = name
        self._names = names

    @property
    def __value__(self) -> Any:
        return tied(self._names[self.__name__], self._names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecursiveAlias) and hash(self) == hash(other)

    def __hash__(self) -> int:
        return hash((self.__name__, id(self._names)))

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - the other spelling calls this

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007 - as above

    def __repr__(self) -> str:
        return self.__name__


def tied(annotation: Any, names: Mapping[str, Any]) -> Any:
    """Return ``annotation`` with each unresolved alias name in it as a :class:`RecursiveAlias`."""
    if (name := _name_of(annotation)) is not None:
        return RecursiveAlias(name, names) if name in _names_in(names.get(name)) else annotation
    generic, before = parts(annotation)
    if generic is Annotated:
        return Annotated[(tied(before[0], names), *before[1:])]
    if generic is Literal:
        return annotation
    after = tuple(tied(part, names) for part in before)
    if all(new is old for new, old in zip(after, before, strict=True)):
        return annotation
    return _given(annotation, generic, after)


def _name_of(annotation: Any) -> str | None:
    """Return the unresolved name in place of an annotation, if it is one."""
    name = annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
    return name if type(name) is str else None


def _names_in(annotation: Any) -> set[str]:
    """Return the names that are left inside an annotation."""
    generic, arguments = parts(annotation)
    if generic is Literal or isinstance(annotation, type | str):
        return set()
    return set[str]().union(
        *({name} if (name := _name_of(part)) is not None else _names_in(part) for part in arguments)
    )


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
        return generic.__pc__.with_parameters(arguments)
    return annotation.copy_with(arguments) if hasattr(annotation, "copy_with") else generic[arguments]


def type_variables(parameters: tuple[Any, ...]) -> tuple[TypeVar, ...]:
    """Return the type variables among ``parameters``, at any depth, each once, in order of first use."""
    found: dict[TypeVar, None] = {}
    for parameter in parameters:
        if isinstance(parameter, TypeVar):
            found[parameter] = None
        else:
            found.update(dict.fromkeys(type_variables(parts(parameter)[1])))
    return tuple(found)


def bindings(cls: Any, arguments: tuple[Any, ...] = ()) -> dict[type, dict[TypeVar, Any]]:
    """Return the values of the type variables of a generic class, and of its bases, by class.

    Args:
        cls: The class, or a class of this package that has its arguments already.
        arguments: The arguments in brackets.
    """
    found: dict[type, dict[TypeVar, Any]] = {}
    _bind(cls, arguments, found)
    return found


def _bind(cls: Any, arguments: tuple[Any, ...], found: dict[type, dict[TypeVar, Any]]) -> None:
    generic, given = parts(cls)
    variables = getattr(_info(generic), "parameters", ()) or getattr(generic, "__parameters__", ())
    known = found.setdefault(generic, dict(zip(variables, given or arguments, strict=False)))
    for base in vars(generic).get("__orig_bases__", generic.__bases__):
        origin, given = parts(base)
        if isinstance(origin, type):
            _bind(origin, tuple(substitute(part, known) for part in given), found)


def parts(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the origin of an annotation and its type arguments; some classes of this package have their own."""
    info = _info(annotation)
    if getattr(info, "unbound", annotation) is not annotation:
        return info.unbound, info.parameters
    return get_origin(annotation) or annotation, get_args(annotation)


def _info(cls: Any) -> Any:
    """Return the information of a class of this package, None for other classes."""
    return getattr(cls, "__pc__", None) if isinstance(cls, type) else None


def shown(cls: Any) -> str:
    """Return the name of a class as a user writes it, with its type arguments."""
    generic, given = parts(cls)
    name = getattr(generic, "__name__", str(generic))
    return f"{name}[{', '.join(map(shown, given))}]" if given else name


def as_written(declared: Any) -> str:
    """Return a declared type as a user writes it, without the names of modules."""
    return shown(declared) if isinstance(declared, type) else re.sub(r"\b(?:\w+\.)+(?=\w)", "", repr(declared))


def upper_bound(variable: TypeVar) -> Any:
    """Return the type of a type variable's values if no argument is passed for it."""
    default = default_of(variable)
    if default is not Any:
        return default
    return reduce(or_, variable.__constraints__) if variable.__constraints__ else variable.__bound__ or Any


def default_of(variable: TypeVar) -> Any:
    """Return the value of an unbound type variable: its default, or ``Any``."""
    default = getattr(variable, "__default__", typing_extensions.NoDefault)
    return Any if default is typing_extensions.NoDefault else default

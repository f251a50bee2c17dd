"""The registry of types: the types that codecs store besides the plain values of their format, each under a tag."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, MappingView
from enum import Enum, Flag
from itertools import chain, count
from operator import attrgetter
from threading import Lock, RLock
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final, TypeVar

from persistent_collections.codecs.base import References
from persistent_collections.codecs.types.classes import FieldsError, fields_of, rebuild, require_constructor, take_apart
from persistent_collections.codecs.types.standard import STANDARD_FORMS, Form
from persistent_collections.errors import ConfigurationError, DecodeError, EncodeError
from persistent_collections.remedies import ImportModule

_T = TypeVar("_T")

REFERENCE_TAG: Final = "ref"
"""The tag of a persistent object, stored as its key."""

_PLAIN_TYPES: Final = frozenset({type(None), bool, int, float, str, list, dict})
_CODE: Final = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)
_IN_USE: Final = (Iterator, Coroutine, MappingView, type(Lock()), type(RLock()))  # an open file is an Iterator, too
_get_name: Final = attrgetter("_name_")
_get_value: Final = attrgetter("_value_")
_STANDARD: Final = frozenset(STANDARD_FORMS)
_by_type: Final[dict[type, Form]] = {form.kind: form for form in STANDARD_FORMS}
_by_tag: Final[dict[str, Form]] = {form.tag: form for form in STANDARD_FORMS}
_builtin_of: Final[dict[type, type]] = {}


def register_type(
    kind: type[_T],
    tag: str,
    encode: Callable[[_T], Any] | None = None,
    decode: Callable[[Any], _T] | None = None,
    *,
    replace: bool = False,
) -> None:
    """Let every codec store instances of exactly ``kind``; no I/O. The same registration again does nothing.

    ::

        from dataclasses import dataclass

        @dataclass(frozen=True)
        class Weight:
            grams: int

        register_type(Weight, "weight", lambda weight: weight.grams, Weight)
        parcels = PersistentList("parcels", [Weight(250)])
        assert parcels[0] == Weight(250)

    Args:
        kind: The type; not its subclasses.
        tag: The name under which its values are stored. Keep it as long as the data.
        encode: Must return a value that the codecs can encode. If instances are used as dict keys, equal instances must
            return equal values. None for an Enum (its members are stored by name, a Flag by value) and for a class that
            consists of its fields (dataclass, ``msgspec.Struct``, attrs, named tuple).
        decode: Returns the instance again; an exception becomes a ``DecodeError``.
        replace: Whether to replace another registration of the type or the tag; built-in ones can't be replaced. A
            class that was defined again replaces its older definition in any case.

    Raises:
        ConfigurationError: The type or the tag is taken, or the tag is empty or starts with ``$``.
        TypeError: ``encode`` or ``decode`` is missing, or the type is plain already.
    """
    if kind in _PLAIN_TYPES:
        raise TypeError(f"{kind.__name__} is stored as it is by every codec")
    if not tag or tag.startswith("$"):
        raise ConfigurationError(f"a tag is a word that does not start with '$', not {tag!r}")
    if encode is None or decode is None:
        encode, decode = _derived_coders(kind)
    _put(Form(kind, tag, encode, decode), replace=replace)


def _put(form: Form, *, replace: bool) -> None:
    kind, tag = form.kind, form.tag
    clashes = {old for old in (_by_type.get(kind), _by_tag.get(tag)) if old and old != form}
    if tag == REFERENCE_TAG or clashes & _STANDARD:
        raise _clash(form, clashes, "that stays so; choose others")
    if not replace and not all(_is_older(old, form) for old in clashes):
        raise _clash(form, clashes, "choose another, or give replace=True")
    for old in clashes:
        _by_type.pop(old.kind, None)
        _by_tag.pop(old.tag, None)
    _by_type[kind] = _by_tag[tag] = form


def _is_older(old: Form, form: Form) -> bool:
    return old.tag == form.tag and is_redefined(old.kind, form.kind)


def _clash(form: Form, clashes: Iterable[Form], remedy: str) -> ConfigurationError:
    owners = ", ".join(f"{old.kind.__qualname__} is stored under {old.tag!r}" for old in clashes)
    return ConfigurationError(
        f"{form.kind.__qualname__} cannot be registered under the tag {form.tag!r}: "
        f"{owners or 'persistent objects are'}; {remedy}"
    )


def is_redefined(old: type, new: type) -> bool:
    """Return whether two classes are one that was defined twice, as by a cell of a notebook that was run again."""
    return old is not new and (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


def encode_as(subclass: type, builtin: type) -> None:
    """Let instances of ``subclass`` be stored exactly as ``builtin``, which they read back as.

    Args:
        subclass: A subclass of ``builtin`` that adds behaviour, but nothing to store.
        builtin: ``list``, ``dict`` or ``set``.
    """
    _builtin_of[subclass] = builtin


def builtin_type(kind: type) -> type:
    """Return the type as which instances of ``kind`` are stored: ``kind`` itself except for :func:`encode_as`."""
    return _builtin_of.get(kind, kind)


def is_registered(kind: type) -> bool:
    """Return whether instances of exactly ``kind`` are stored under a tag."""
    return kind in _by_type


def find_form(kind: type) -> Form | None:
    """Return the registration of exactly ``kind``, or None."""
    return _by_type.get(kind)


def tagged(value: Any, references: References | None) -> tuple[str, Any]:
    """Return the tag of ``value`` and the plainer value to store under it.

    Raises:
        EncodeError: Its type is not registered, or it can't be stored; the message follows the path.
    """
    form = _by_type.get(builtin_type(type(value)))
    if form is None:
        if references is not None and isinstance(value, references.kind):
            return REFERENCE_TAG, references.to_key(value)
        raise EncodeError(_refusal(value))
    try:
        return form.tag, form.encode(value)
    except EncodeError as error:
        raise EncodeError(f"this {type(value).__name__} cannot be kept: {error}") from None
    except Exception as error:  # noqa: BLE001 - a registered function may raise anything
        raise EncodeError(f"the registered encode of {type(value).__name__} raises {type(error).__name__}") from None


def untagged(tag: str, stored: Any, references: References | None) -> Any:
    """Return the value that was stored as ``stored`` under ``tag``.

    Raises:
        DecodeError: The tag is not registered, or the type has no such stored form.
    """
    if tag == REFERENCE_TAG:
        return _follow(stored, references)
    form = _by_tag.get(tag)
    if form is None:
        raise DecodeError(f"no type is registered under the tag {tag[:80]!r}").with_remedies(
            ImportModule("import the module that registers it, or register_type one")
        )
    if form.plainer is not object and type(stored) is not form.plainer:
        raise DecodeError(f"a {type(stored).__name__} is stored under the tag {tag!r}, not a {form.plainer.__name__}")
    try:
        return _read_only(form.decode(stored))
    except FieldsError as error:
        raise DecodeError(f"the value under the tag {tag!r} is not of type {form.kind.__name__}: {error}") from None
    except Exception as error:  # noqa: BLE001 - a registered function may raise anything
        raise DecodeError(
            f"the value under the tag {tag!r} is not of type {form.kind.__name__} ({type(error).__name__})"
        ) from None


def _read_only(value: Any) -> Any:
    """Return a value; an array of numpy as one that refuses to be changed, since that would not be stored."""
    if is_array(value):
        value.setflags(write=False)
    return value


def is_array(value: object) -> bool:
    """Return whether a value is a numpy array; False unless numpy has been imported."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _follow(key: Any, references: References | None) -> Any:
    if references is None:
        raise DecodeError("a reference to a persistent object is stored here; only a collection or a record reads it")
    if type(key) is not str:
        raise DecodeError(f"a {type(key).__name__} is stored as a reference, not a key")
    return references.from_key(key)


def _derived_coders(kind: type[Any]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return the two functions for an Enum or a class of fields, equal ones each time."""
    if issubclass(kind, Flag):
        return _get_value, kind
    if issubclass(kind, Enum):
        return _get_name, MethodType(type(kind).__getitem__, kind)  # a mixed-in str has a __getitem__ of its own
    if fields_of(kind) is not None:
        require_constructor(kind)
        return take_apart, MethodType(rebuild, kind)
    raise TypeError(f"give encode and decode: {kind.__qualname__} is neither an Enum nor a class of fields")


def _free_tag(kind: type) -> str:
    """Return a tag under which ``kind`` can be registered."""
    module, name = kind.__module__.partition(".")[0].strip("_"), kind.__name__.lower()
    tags = chain((name, f"{module}_{name}"), (f"{module}_{name}_{number}" for number in count(2)))
    return next(tag for tag in tags if tag not in _by_tag and tag != REFERENCE_TAG)


def _refusal(value: Any) -> str:
    kind = type(value)
    if isinstance(value, _CODE):
        what = "class" if isinstance(value, type) else kind.__name__
        return f"a {what} is part of the program and cannot be stored; store a name that the program looks it up by"
    if any(is_redefined(form.kind, kind) for form in _by_type.values()):
        return f"this {kind.__name__} is of a class that was defined again since; make it anew"
    if isinstance(value, _IN_USE):
        return f"{kind.__name__} exists only in this process and cannot be stored; store its results, such as a list"
    return _registration(kind)


def _registration(kind: type) -> str:
    """Return the end of an error about an unregistered type: the line that registers it."""
    name, tag = kind.__qualname__, _free_tag(kind)
    if issubclass(kind, Enum) or fields_of(kind) is not None:
        return f"{kind.__name__} is not registered; register_type({name}, {tag!r}) lets every codec hold it"
    base = next((base for base in kind.__mro__[1:] if base in _PLAIN_TYPES or base in _by_type), None)
    if base is not None:
        return (
            f"{kind.__name__} would come back as a plain {base.__name__}; convert it to one, "
            f"or register_type({name}, {tag!r}, …)"
        )
    return (
        f"{kind.__name__} is not held by this codec; "
        f"register_type({name}, {tag!r}, encode, decode) lets every codec hold it"
    )

"""The declared fields of a record class, read from its annotations."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple, Union, get_args, get_origin

from persistent_collections.annotations import evaluate, shown, type_variables
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.codecs.base import References
from persistent_collections.codecs.registry import get_codec
from persistent_collections.containers import Origin, PersistentCollection, text_codec
from persistent_collections.objects import CodecSource, PersistentObject, check_name, names_in_module

if TYPE_CHECKING:
    from persistent_collections.codecs.bcrypt import PasswordHash

MISSING: Final[Any] = object()
CHILD: Final[Any] = object()
"""What ``child()`` gives: no default, and the word that the annotation is a collection."""
"""The default of a field that has none."""

_ZEROS: Final = (str, int, float, bool, bytes, list, dict, set, frozenset, tuple)
_CLASS_VARIABLE: Final = re.compile(r"(\w+\.)?ClassVar\b")
_PLACEHOLDER: Final = References(PersistentObject, str, str)
"""Stands for a store's references where only the type is checked."""


class Password:
    """The type of a field that stores a password as a bcrypt hash: given as text, read as a ``PasswordHash``."""

    if TYPE_CHECKING:

        def __get__(self, record: object, kind: type | None = None, /) -> PasswordHash: ...
        def __set__(self, record: object, password: str | PasswordHash, /) -> None: ...


@dataclass(frozen=True, slots=True)
class stored_as:  # noqa: N801 - it is written as a function is, inside Annotated
    """Name a field in the store: ``Annotated[str, stored_as("old_name")]``."""

    name: str


@dataclass(frozen=True, slots=True)
class codec:  # noqa: N801 - it is written as a function is, inside Annotated
    """Choose how a field's values become bytes: ``Annotated[T, codec("msgpack")]``."""

    source: CodecSource


class Declaration(NamedTuple):
    """A field as the body of a class declares it.

    Attributes:
        owner: The class in whose body it stands.
        name: Its name.
        annotation: Its annotation as it stands, not evaluated.
        default: What stands behind the ``=``, or ``MISSING``.
    """

    owner: type[PersistentObject]
    name: str
    annotation: Any
    default: Any


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field.

    Attributes:
        name: As declared.
        stored: Its name in the store.
        declared: The type of its values, without ``Annotated`` marks of ours; a collection class for a child.
        codec: What its annotation or its class chooses, or what its type needs.
        default: What it reads as while unset, or ``MISSING``.
        zero: Gives what it reads as while unset if it has no default.
        declarer: The class in whose body it stands.
        bare: Whether texts and references are stored as they are: not where a type variable stands for them, so that
            what is stored does not depend on what it stands for.
        child: The class of the child collection, None for a field that holds a value.
    """

    name: str
    stored: str
    declared: Any
    codec: CodecSource | None
    default: Any
    zero: Callable[[], Any]
    declarer: type[PersistentObject]
    bare: bool
    child: type[PersistentCollection] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "child", self.declared if is_child(self.declared) else None)

    @property
    def unset_is_none(self) -> bool:
        """Whether it reads as None while unset, so that None is stored as unset."""
        return self.default is None or (self.default is MISSING and self.zero is _none)


def is_child(declared: Any) -> bool:
    """Say whether a field so declared is a child collection."""
    return isinstance(declared, type) and issubclass(declared, PersistentCollection)


def declarations(
    cls: type[PersistentObject], annotations: Mapping[str, Any], inherited: Mapping[str, Declaration]
) -> dict[str, Declaration]:
    """Return what the body of ``cls`` declares as fields, and those of the inherited ones it gives another default.

    Raises:
        TypeError: A field has a name that none can have.
    """
    defaults = {name: value for name, value in vars(cls).items() if not hasattr(value, "__get__")}
    found = {name: field._replace(default=defaults[name]) for name, field in inherited.items() if name in defaults}
    lost = [name for name, value in defaults.items() if value is CHILD and name not in {**annotations, **inherited}]
    if lost:
        raise TypeError(f"{cls.__name__}: {lost[0]!r} has no annotation; write {lost[0]}: PersistentList[…] = child()")
    for name, annotation in annotations.items():
        if name.startswith("_") or _is_class_variable(annotation):
            continue
        if name == "id":
            raise TypeError(
                f"{cls.__name__}: 'id' is every record's id and no field; declare the field by another name"
            )
        found[check_name("field", name)] = Declaration(cls, name, annotation, defaults.get(name, MISSING))
    return found


def require_distinct(cls: type, fields: Sequence[Field]) -> None:
    """Raise ``TypeError`` if two fields have one name in the store."""
    stored = [field.stored for field in fields]
    if len(set(stored)) < len(stored):
        twice = next(name for name in stored if stored.count(name) > 1)
        raise TypeError(f"{cls.__name__} stores two fields as {twice!r}; give one of them another name by stored_as()")


def compiled(cls: type[PersistentObject], declaration: Declaration, source: CodecSource | None) -> Field:
    """Return what ``declaration`` declares for objects of ``cls``.

    Args:
        cls: The class whose field it is, declared there or inherited.
        declaration: What its annotation and default are.
        source: The codec the class chooses for its fields, if any.

    Raises:
        NameError: Its annotation names what is not defined (yet).
        TypeError: Its annotation or default cannot be kept exactly.
    """
    owner, name = declaration.owner, declaration.name
    try:
        return _compiled(cls, declaration, source)
    except TypeError as error:
        raise TypeError(f"field {name!r} of {cls.__name__}: {error}") from error
    except NameError as error:
        raise NameError(
            f"field {name!r} of {cls.__name__}: {error}; define or import it where {owner.__name__} is declared, "
            "before its first use",
            name=error.name,
        ) from error


def _compiled(cls: type[PersistentObject], declaration: Declaration, source: CodecSource | None) -> Field:
    owner, name, annotation, given = declaration
    default = MISSING if given is CHILD else given
    declared = cls._evaluated(annotation, owner)
    bare = not type_variables((evaluate(annotation, owner, names_in_module(owner)),))
    stored, chosen = name, None
    marks = get_args(declared)[1:] if get_origin(declared) is Annotated else ()
    for mark in marks:
        stored = mark.name if isinstance(mark, stored_as) else stored
        chosen = mark.source if isinstance(mark, codec) else chosen
    others = tuple(mark for mark in marks if not isinstance(mark, stored_as | codec))
    if marks:
        declared = Annotated[(get_args(declared)[0], *others)] if others else get_args(declared)[0]
    zero = _none if default is None else _zero(declared)
    field = _settled(Field(name, check_name("field", stored), declared, chosen, default, zero, owner, bare), source)
    if is_child(field.declared):
        _check_child(field, cls)
    elif given is CHILD:
        raise TypeError(
            "child() is for a PersistentList, PersistentDict or PersistentSet; what is declared so is a value of the "
            "record, and needs none"
        )
    else:
        _check(field)
    return field


def _settled(field: Field, source: CodecSource | None) -> Field:
    """Return ``field`` with the codec it needs or its class chooses, and its type as that codec is to see it.

    Texts and references ``| None`` that read as None while unset are bare as others are, for there None is stored as
    unset.
    """
    parts = [part for part in get_args(field.declared) if part is not type(None)]
    optional = get_origin(field.declared) in (Union, types.UnionType) and len(parts) == 1
    inner = parts[0] if optional else field.declared
    if is_child(inner):
        if optional:
            raise TypeError("a child collection is empty but never None; drop the '| None'")
        return replace(field, codec=field.codec or inner._class_codec or source)
    if inner is Password:
        return replace(field, declared=inner, codec=field.codec or "bcrypt")
    field = replace(field, codec=field.codec or source)
    if field.codec is not None or text_codec(inner) is None or not field.bare:
        return field
    if optional and not field.unset_is_none:
        raise TypeError(
            "None is stored as unset, and unset reads as the default, which is not None; "
            f"drop the default, or declare Annotated[{shown(inner)} | None, codec('json')], which stores None as such"
        )
    return replace(field, declared=inner)


def _check_child(field: Field, cls: type[PersistentObject]) -> None:
    """Raise ``TypeError`` for a default, or for types of items that cannot be kept, by binding one to a store."""
    if field.default is not MISSING:
        raise TypeError("a child collection has no default; declare it as … = child()")
    collection: PersistentCollection = field.declared._handle("any", None)
    collection._origin = Origin(cls.__new__(cls), field.name, (), field.codec, field.declarer, field.bare)
    collection._bind(MemoryBackend())


def _check(field: Field) -> None:
    """Raise ``TypeError`` for a declared type or default that the field's codec cannot keep."""
    source = field.codec or (field.bare and text_codec(field.declared)) or "json"
    bound = (get_codec(source) if isinstance(source, str) else source).bind(field.declared, _PLACEHOLDER)
    if field.default is not MISSING and field.default is not None:
        if field.declared is Password:
            raise TypeError("a password has no default; until it is set it verifies nothing")
        bound.encode(field.default)


def _zero(declared: Any) -> Callable[[], Any]:
    if get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    if declared is Password:
        return _no_password
    kind = get_origin(declared) or declared
    return kind if kind in _ZEROS else _none


def _no_password() -> Any:
    return get_codec("bcrypt").decode(b"")


def _none() -> None:
    return None


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return _CLASS_VARIABLE.match(annotation) is not None
    return annotation is ClassVar or get_origin(annotation) is ClassVar

"""The declared fields of a record class, read from its annotations."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from operator import or_
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    get_args,
    get_origin,
    overload,
)

import msgspec
from msgspec.structs import force_setattr, replace

from persistent_collections.annotations import as_written, evaluate, type_variables, where_to_define
from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.declared.reading import metadata_inside, parts_inside, unwrapped
from persistent_collections.codecs.order import Order, order_of
from persistent_collections.codecs.registry import codec_of, get_codec
from persistent_collections.collections.base import Origin, PersistentCollection
from persistent_collections.collections.binding import Bindings, schema_codec
from persistent_collections.collections.core import CodecSource, names_in_module
from persistent_collections.collections.ids import check_name
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.marks import SAME_TYPE, IndexMark, Policy, former_of, formerly, on_delete, require_outermost

if TYPE_CHECKING:
    from persistent_collections.codecs.bcrypt import PasswordHash

T = TypeVar("T")

MISSING: Final[Any] = object()
"""The default of a field without one."""
CHILD: Final[Any] = object()
"""The result of ``child()``: no default, and a sign that the annotation is a collection."""

_TAKEN: Final = {
    **dict.fromkeys(("id", "key", "type_name"), "an attribute"),
    **dict.fromkeys(("backend", "expire"), "an argument"),
}
"""Names that no field can have, and the thing that each name denotes."""

_COLLECTED: Final = (list, dict, set, frozenset, tuple)
_ZEROS: Final = (str, int, float, bool, bytes, *_COLLECTED)
_PLACEHOLDER: Final = References(PersistentObject, str, str)
"""Replaces a store's references where only the type is checked."""


class Password:
    """The type of a field that stores a password as a bcrypt hash: you set a text, and read a ``PasswordHash``.

    ::

        class Account(Record):
            password: Password

        luke = Account.create(password="TheForce")
        assert luke.password.verify("TheForce")

    Cost: hashing takes some 0.3 s, and so does ``verify``.
    """

    if TYPE_CHECKING:

        def __get__(self, record: object, kind: type | None = None, /) -> PasswordHash: ...
        def __set__(self, record: object, password: str | PasswordHash, /) -> None: ...


class stored_as(msgspec.Struct, frozen=True):  # noqa: N801 - it is used like a function, inside Annotated
    """Name a field in the store.

    ::

        from typing import Annotated

        class Milk(Record):
            expire_: Annotated[str, stored_as("expire")]
    """

    name: str


class codec(msgspec.Struct, frozen=True):  # noqa: N801 - it is used like a function, inside Annotated
    """Choose how the values of a field become bytes.

    ::

        from typing import Annotated, Any

        class Event(Record):
            payload: Annotated[Any, codec("msgpack")]

        assert Event.create(payload={"a": 1}).payload == {"a": 1}
    """

    source: CodecSource


class Default(msgspec.Struct, frozen=True):
    """The arguments of ``field()``.

    Attributes:
        value: The default, or ``MISSING``.
        factory: Returns the default of each new record.
    """

    value: Any
    factory: Callable[[], Any] | None


@overload
def field(*, default: T) -> T: ...
@overload
def field(*, default_factory: Callable[[], Any]) -> Any: ...
def field(*, default: Any = MISSING, default_factory: Callable[[], Any] | None = None) -> Any:
    """Declare the default of a field, or how to make one; no I/O.

    ::

        from datetime import UTC, datetime

        class Visit(Record):
            pages: int = field(default=0)
            began: datetime = field(default_factory=lambda: datetime.now(UTC))

    A default is stored when a record is made, so a change in code applies to new records only. A factory runs once,
    when the record is made. A record that is older than the field reads the type's zero, or None.

    Args:
        default: The value.
        default_factory: Called without arguments for each record that is made.

    Raises:
        TypeError: Both are given, or neither; or the factory is not a function.
    """
    if (default is MISSING) == (default_factory is None):
        raise TypeError("field() takes either default= or default_factory=, and not both")
    if not (default_factory is None or callable(default_factory)):
        raise TypeError(
            f"field() takes a function as default_factory=, not {type(default_factory).__name__}; write "
            "default_factory=lambda: …, or default= for one value"
        )
    return Default(default, default_factory)


class Declaration(NamedTuple):
    """A field as the body of a class declares it.

    Attributes:
        owner: The class whose body declares it.
        name: Its name.
        annotation: Its annotation, unevaluated.
        default: The value after the ``=``, or ``MISSING``.
    """

    owner: type[PersistentObject]
    name: str
    annotation: Any
    default: Any


class FormerField(msgspec.Struct, frozen=True):
    """A name that a field was stored under.

    Attributes:
        mark: The name, and how a value is converted.
        field: The field as it was then.
    """

    mark: formerly
    field: Field


class Field(msgspec.Struct, frozen=True):
    """One declared field.

    Attributes:
        name: As declared.
        stored: Its name in the store.
        declared: The type of its values, without this package's ``Annotated`` marks; a collection class for a child.
        codec: The codec that its annotation or class chooses, or that its type needs.
        default: The value of the unset field, or ``MISSING``.
        factory: Returns the value stored in a new record, if that differs from the default.
        zero: Returns the value of the unset field if it has no default.
        declarer: The class whose body declares it.
        bare: Whether texts and references are stored as they are. False if the type is a type variable, so that
            the stored form does not depend on the variable's value.
        optional: Whether its annotation allows None.
        marks: The index marks in its annotation.
        former: Its former names, the latest first.
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
    factory: Callable[[], Any] | None = None
    optional: bool = False
    marks: tuple[IndexMark | on_delete, ...] = ()
    former: tuple[FormerField, ...] = ()
    child: type[PersistentCollection] | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "child", self.declared if is_child(self.declared) else None)

    @property
    def unset_is_none(self) -> bool:
        """Whether the unset field reads as None, so that None is stored as unset."""
        return self.default is None or (self.default is MISSING and self.zero is _none)

    @property
    def held(self) -> Any:
        """The declared type without ``| None`` and ``Annotated``."""
        declared = _without_none(self.declared)[0]
        return get_args(declared)[0] if get_origin(declared) is Annotated else declared

    @property
    def collected(self) -> Any:
        """The same if the values are lists, tuples, sets or dicts; otherwise None."""
        return self.held if (get_origin(self.held) or self.held) in _COLLECTED else None

    @property
    def policy(self) -> Policy | None:
        """The treatment of a record when the record that this field refers to is deleted."""
        return next((mark.policy for mark in self.marks if isinstance(mark, on_delete)), None)

    @property
    def required(self) -> bool:
        """Whether ``create`` needs a value for it."""
        return not (self.child or self.optional or self.factory) and self.default is MISSING


def is_child(declared: Any) -> bool:
    """Return whether a field so declared is a child collection."""
    return isinstance(declared, type) and issubclass(declared, PersistentCollection)


def declarations(
    cls: type[PersistentObject], annotations: Mapping[str, Any], inherited: Mapping[str, Declaration]
) -> dict[str, Declaration]:
    """Return the fields that the body of ``cls`` declares, and inherited ones to which it assigns another default.

    Raises:
        TypeError: A field has a reserved name.
    """
    defaults = {name: value for name, value in vars(cls).items() if not hasattr(value, "__get__")}
    found = {name: field._replace(default=defaults[name]) for name, field in inherited.items() if name in defaults}
    _require_annotations(cls, {**annotations, **inherited})
    for name, annotation in annotations.items():
        if not name.startswith("_") and not _is_class_variable(annotation):
            _require_field(cls, name)
            found[name] = Declaration(cls, name, annotation, defaults.get(name, MISSING))
    return found


def _require_annotations(cls: type[PersistentObject], declared: Collection[str]) -> None:
    """Raise ``TypeError`` if the body of ``cls`` assigns ``child()`` to a name that is not ``declared``."""
    for name, value in vars(cls).items():
        if value is CHILD and name not in declared:
            raise TypeError(f"{cls.__name__}: {name!r} has no annotation; write {name}: PersistentList[…] = child()")


def _require_field(cls: type[PersistentObject], name: str) -> None:
    """Raise ``TypeError`` if the annotation of ``name`` in the body of ``cls`` can't be a field."""
    check_name("field", name)
    if name in _TAKEN:
        raise TypeError(
            f"{cls.__name__}: a field cannot be called {name!r}, which is {_TAKEN[name]} of every record; write "
            f"{name}_: Annotated[…, stored_as({name!r})], or choose another name"
        )
    given = vars(cls).get(name)
    if isinstance(given, FunctionType) and given.__qualname__ != f"{cls.__qualname__}.{name}":  # not a def of this body
        raise TypeError(
            f"{cls.__name__}: the default of {name!r} is a function, which would be a method; write "
            f"{name} = field(default_factory=…) for a default that is computed when a record is made"
        )


def require_distinct(cls: type, fields: Sequence[Field]) -> None:
    """Raise ``TypeError`` if two fields share a name in the store, now or formerly."""
    stored = [field.stored for field in fields]
    if len(set(stored)) < len(stored):
        twice = next(name for name in stored if stored.count(name) > 1)
        raise TypeError(f"{cls.__name__} stores two fields as {twice!r}; give one of them another name by stored_as()")
    for mark in (former.mark for field in fields for former in field.former):
        if mark.name in stored:
            raise TypeError(
                f"{cls.__name__}: {mark!r} names a field, or another field's former name; a field whose type "
                "or meaning changes gets a new name"
            )
        stored.append(mark.name)


def compiled(cls: type[PersistentObject], declaration: Declaration, source: CodecSource | None) -> Field:
    """Return the field of ``declaration`` for objects of ``cls``.

    Args:
        cls: The class of the field, declared there or inherited.
        declaration: Its annotation and default.
        source: The codec the class chooses for its fields, if any.

    Raises:
        NameError: Its annotation uses a name that is not defined (yet).
        TypeError: Its annotation or default can't be stored exactly.
    """
    owner, name = declaration.owner, declaration.name
    try:
        return _compiled(cls, declaration, source)
    except TypeError as error:
        raise TypeError(f"field {name!r} of {cls.__name__}: {error}") from error
    except NameError as error:
        raise NameError(
            f"field {name!r} of {cls.__name__}: {error}; {where_to_define(owner)}", name=error.name
        ) from error


def _compiled(cls: type[PersistentObject], declaration: Declaration, source: CodecSource | None) -> Field:
    owner, name, annotation, given = declaration
    default = MISSING if given is CHILD else given
    factory = None
    if isinstance(given, Default):
        default, factory = given.value, given.factory
    evaluated = _opened(cls.__pc__.evaluated(annotation, owner))
    require_outermost(metadata_inside(evaluated), stored_as, codec, IndexMark, on_delete, formerly)
    declared, stored, chosen, marks, former = _unmarked(evaluated, name)
    bare = not type_variables((evaluate(annotation, owner, names_in_module(owner)),))
    zero = _none if default is None else _zero(declared)
    optional = _allows_none(declared)
    name_in_store = check_name("field", stored)
    made = Field(name, name_in_store, declared, chosen, default, zero, owner, bare, factory, optional, marks)
    field = _settled(made, source)
    if Password in parts_inside(field.declared):
        raise TypeError(
            "a Password is a whole field, and no part of another type; for several of them, declare "
            "Annotated[PersistentList[str], codec('bcrypt')] = child()"
        )
    if is_child(field.declared):
        _check_child(field, cls)
    elif given is CHILD:
        raise TypeError(
            "child() is for a PersistentList, PersistentDict or PersistentSet; this type is a value of the "
            "record, so drop child()"
        )
    else:
        _check(field)
    return replace(field, former=tuple(_former(cls, declaration, source, field, mark) for mark in former))


def _former(
    cls: type[PersistentObject], declaration: Declaration, source: CodecSource | None, field: Field, mark: formerly
) -> FormerField:
    """Return the earlier form of a field, before it had its current name.

    Raises:
        TypeError: It was something that cannot be read as the field.
    """
    name = check_name("field", mark.name)
    if mark.declared is SAME_TYPE:
        was = replace(field, name=name, stored=name)
    else:
        was = compiled(cls, Declaration(declaration.owner, name, mark.declared, MISSING), source)
    if is_child(field.declared) or is_child(was.declared):
        raise TypeError(
            f"{mark!r} is for fields that hold values; a child keeps its name in the store by stored_as({name!r}), and "
            "migrate() moves what was a field into a child, and back"
        )
    if Password in (field.declared, was.declared) and (mark.convert or mark.declared is not SAME_TYPE):
        raise TypeError(f"a password can be renamed but not converted; write formerly({name!r})")
    return FormerField(mark, was)


def _opened(declared: Any) -> Any:
    """Return an annotation with the metadata of the alias, new type or qualifier that it is."""
    inner = unwrapped(declared)
    if get_origin(inner) is not Annotated:
        return declared
    whole, *metadata = get_args(inner)
    return Annotated[(_opened(whole), *metadata)]


def _unmarked(
    declared: Any, name: str
) -> tuple[Any, str, CodecSource | None, tuple[IndexMark | on_delete, ...], tuple[formerly, ...]]:
    """Return an annotation without this package's marks, and their content.

    The marks set the name of the field in the store, its codec, its indexes, and its former names.
    """
    if get_origin(declared) is not Annotated:
        return declared, name, None, (), ()
    inner, *given = get_args(declared)
    others = [mark for mark in given if not isinstance(mark, stored_as | codec | IndexMark | on_delete | formerly)]
    names, sources, marks = (_of_type(given, kind) for kind in (stored_as, codec, IndexMark | on_delete))
    unmarked = Annotated[(inner, *others)] if others else inner
    stored, source = names[-1].name if names else name, sources[-1].source if sources else None
    return unmarked, stored, source, tuple(marks), former_of(given)


def _of_type(marks: Sequence[Any], kind: Any) -> list[Any]:
    return [mark for mark in marks if isinstance(mark, kind)]


def _settled(field: Field, source: CodecSource | None) -> Field:
    """Return ``field`` with the codec that it needs or that its class chooses, and the type that the codec receives."""
    inner, optional = _without_none(field.declared)
    if is_child(inner):
        if optional:
            raise TypeError("a child collection is empty but never None; drop the '| None'")
        source = inner.__pc__.codec or source
    elif inner is Password:
        return replace(field, declared=inner, codec=field.codec or "bcrypt")
    field = replace(field, codec=field.codec or source)
    is_text = field.codec is None and field.bare and schema_codec(inner, field.declared) != "json"
    return _bare(field, inner, optional=optional) if is_text else field


def _bare(field: Field, inner: Any, *, optional: bool) -> Field:
    """Return the type of a field of texts or references, ``| None`` if ``optional``, that its codec receives.

    If the unset field reads as None, None is stored as unset, so the codec never receives it.
    """
    if optional and not field.unset_is_none:
        raise TypeError(
            "None is stored as unset, and unset reads as the default, which is not None; "
            f"drop the default, or declare Annotated[{as_written(inner)} | None, codec('json')], which stores None as "
            "such"
        )
    return replace(field, declared=inner)


def _allows_none(declared: Any) -> bool:
    declared = unwrapped(declared)
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is Annotated:
        return _allows_none(arguments[0])
    if origin in (Union, types.UnionType):
        return any(map(_allows_none, arguments))
    return declared in (Any, None, type(None)) or (origin is Literal and None in arguments)


def _without_none(declared: Any) -> tuple[Any, bool]:
    """Return a declared type without its None, and whether it allows None besides another type."""
    declared = unwrapped(declared)
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is Annotated:
        inner, optional = _without_none(arguments[0])
        return (Annotated[(inner, *arguments[1:])], True) if optional else (declared, False)
    others = tuple(each for each in arguments if each is not None and each is not type(None))
    if origin not in (Union, types.UnionType, Literal) or not 0 < len(others) < len(arguments):
        return declared, False
    return Literal[others] if origin is Literal else reduce(or_, others), True


def _check_child(field: Field, cls: type[PersistentObject]) -> None:
    """Raise ``TypeError`` for a default, or for types of items, that can't be stored."""
    if field.default is not MISSING:
        raise TypeError("a child collection has no default; declare it as … = child()")
    collection: PersistentCollection = field.declared.__pc__.make("any", None)
    core = collection.__pc__
    core.origin = Origin(cls.__new__(cls), field.name, field.codec, field.declarer, field.bare)
    core.codecs(Bindings(_PLACEHOLDER))


def _check(field: Field) -> None:
    """Raise ``TypeError`` for a declared type or default that the field's codec can't store."""
    bound = _own_codec(field, field.declared)
    if field.default is not MISSING and field.default is not None:
        if field.declared is Password:
            raise TypeError("a password has no default; until it is set it verifies nothing")
        bound.encode(field.default)


def _own_codec(field: Field, declared: Any) -> Codec:
    """Return the codec that the class chooses for a field, bound to a type."""
    source = field.codec or (schema_codec(field.declared) if field.bare else "json")
    return codec_of(source).bind(declared, _PLACEHOLDER)


def order_for(field: Field, cls: type, *, unique: bool, marked: bool = True) -> Order:
    """Return how an index of a class orders by a field.

    Args:
        field: The field.
        cls: The class.
        unique: Whether it is unique.
        marked: Whether the class declares the index; otherwise a query names the field.

    Raises:
        TypeError: It cannot, or it cannot compare the values of a unique field.
    """
    place = f"field {field.name!r} of {cls.__name__}"
    if field.child or field.declared is Password or not field.bare:
        what = "a child collection" if field.child else "a password" if field.bare else "a type variable"
        subject = "an index cannot order by" if marked else "find() cannot search by"
        raise TypeError(f"{place}: {subject} {what}; {_instead(field, cls, marked=marked)}")
    order = order_of(field.declared, _PLACEHOLDER)
    if order is None:
        raise TypeError(
            f"{place}: {'an index orders' if marked else 'find() searches by'} str, bytes, int, bool, float, Decimal, "
            "date, datetime, timedelta, UUID, Enums of these and references, not "
            f"{as_written(field.declared)}; {_instead(field, cls, marked=marked)}"
        )
    if unique:
        _require_canonical(field, place)
    _require_policy(field, order, place)
    return order


def _instead(field: Field, cls: type, *, marked: bool) -> str:
    """Return the remedy for a field that no index can order by."""
    if marked:
        return "drop the mark"
    if field.declared is Password:
        return "load the record and call verify()"
    if not field.child and field.collected is None:
        return f"compare its values yourself, as in [each for each in {cls.__name__}.all() if …]"
    return f"keep each value to search for in a record of its own, which refers to {cls.__name__}"


def _require_policy(field: Field, order: Order, place: str) -> None:
    """Raise ``TypeError`` if ``on_delete`` is used on a field that can't have it."""
    if field.policy and order.name != "reference":
        raise TypeError(f"{place}: on_delete() is for a reference to a record; write indexed instead")
    if field.policy == "clear" and not field.unset_is_none:
        raise TypeError(f"{place}: on_delete('clear') sets it to None; declare it {as_written(field.declared)} | None")


def shown_type(field: Field) -> str:
    """Return the type of a field as its class declares it; without ``| None``, the remedy would forbid None."""
    none = " | None" if field.optional and field.declared is not Any else ""
    return f"{as_written(_without_none(field.declared)[0])}{none}"


def _require_canonical(field: Field, place: str) -> None:
    """Raise ``TypeError`` for a field whose stored bytes don't show whether its values are equal; None has one form."""
    declared = _without_none(field.declared)[0]
    if not _own_codec(field, declared).canonical:
        raise TypeError(
            f"{place}: unique compares stored bytes, and equal values of {as_written(declared)} may have several; "
            "choose int or str, or indexed instead of unique"
        )


def require_no_default(field: Field, cls: type) -> None:
    """Raise ``TypeError`` if a unique field has a default, which only one record could have."""
    if field.default is not MISSING and field.default is not None:
        raise TypeError(
            f"field {field.name!r} of {cls.__name__}: only one record could have its default, since it is unique; drop "
            "the default, or use default_factory="
        )


def _zero(declared: Any) -> Callable[[], Any]:
    declared = unwrapped(declared)
    if get_origin(declared) is Annotated:
        declared = unwrapped(get_args(declared)[0])
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
        return annotation.partition("[")[0].rpartition(".")[2].strip() == "ClassVar"
    return annotation is ClassVar or get_origin(annotation) is ClassVar

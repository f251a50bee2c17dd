"""Objects with declared fields, child collections and references that live in a store."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import InitVar, replace
from types import new_class
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar, dataclass_transform

from typing_extensions import Format, get_annotations

from persistent_collections.annotations import type_variables
from persistent_collections.backends.base import (
    Backend,
    Change,
    Delete,
    Key,
    MappingStore,
    Replace,
    SetDeadline,
    SetFields,
)
from persistent_collections.codecs.base import Codec
from persistent_collections.config import BackendSource
from persistent_collections.containers import Origin, PersistentCollection, bound_codec, plain
from persistent_collections.counting import Counter, increment
from persistent_collections.errors import DecodeError, EncodeError, ObjectExists, UnknownFieldError
from persistent_collections.fetching import Reader, rows
from persistent_collections.nested import Place, editing, hold, wrote_back
from persistent_collections.objects import CodecSource, PersistentObject, generation, id_or_random, seconds_until
from persistent_collections.schema import CHILD, MISSING, Declaration, Field, compiled, declarations, require_distinct
from persistent_collections.spelling import suggestion

T = TypeVar("T")


def child() -> Any:
    """Declare a collection as a child of its record.

    ::

        friends: PersistentList["User"] = child()
    """
    return CHILD


class _BoundField(NamedTuple):
    """A field that holds a value, in one store.

    Attributes:
        field: As declared.
        codec: Turns its values into bytes.
        default: The encoded value it reads as while unset, None if that is its type's zero.
    """

    field: Field
    codec: Codec
    default: bytes | None

    def encode(self, value: Any) -> bytes | None:
        """Return the bytes of ``value``, None if it is stored as unset."""
        return None if value is None and self.field.unset_is_none else self.codec.encode(value)

    def decode(self, data: bytes | None) -> Any:
        """Return the value of ``data``; while nothing is stored, the default or the type's zero."""
        data = self.default if data is None else data
        return self.field.zero() if data is None else self.codec.decode(data)


class _Schema(NamedTuple):
    """The fields of a class, as the names in their annotations are understood now.

    Attributes:
        generation: Which classes there were.
        fields: Every declared field, the inherited ones first.
        children: What the child collections are called in the store.
    """

    generation: int
    fields: Mapping[str, Field]
    children: Sequence[str]


class _Bound(NamedTuple):
    """What operations on one record in one store need.

    Attributes:
        fields: Those that hold a value.
        stored: What these are called in the store.
    """

    backend: Backend
    store: MappingStore
    fields: Mapping[str, _BoundField]
    stored: Sequence[str]


class _Attribute:
    """A field of a record as an attribute: ``user.name`` is ``user["name"]``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, record: Record | None, kind: type) -> Any:
        return self if record is None else record[self._name]

    def __set__(self, record: Record, value: Any) -> None:
        record[self._name] = value

    def __delete__(self, record: Record) -> None:
        del record[self._name]


if TYPE_CHECKING:

    class _Id:
        def __get__(self, record: object, kind: type | None = None, /) -> str: ...
        def __set__(self, record: object, id: str | int | None, /) -> None: ...

    def _argument(*, default: Any, kw_only: bool = True) -> Any: ...

    @dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(_argument,))
    class _Declared(PersistentObject): ...

else:
    _Declared = PersistentObject


class Record(_Declared, abstract=True):
    """An object with declared fields.

    ::

        class User(Record):
            name: str
            password: Password
            friends: PersistentList["User"] = child()

    ``user["name"]`` and ``user.name`` are the same, both ways; where a field has the name of a method, the method keeps
    the attribute. A collection is a child, stored under a key of its own; a field of a record type is a reference,
    stored as the key and loaded lazily. A field that is not set reads as its default, or else as its type's zero; of a
    record that does not exist, every read but of a child raises ``ObjectNotFound``. Equal by key and store.

    Shape: a Redis hash or a JSON object, a field each; children as their own shape is.

    Cost: 1 round trip an operation, but for a read that finds no field (does the record exist?), an argument that is
    itself stored (its own read), ``edit`` and what a nested value writes back (a read and a write each).

    Args:
        id: As for :class:`PersistentObject`.
        backend: As for :class:`PersistentObject`.
        values: Fields to set, child collections too, in one step or not at all, whether or not the record exists; a
            child given is replaced, fields not given stay.

    Raises:
        UnknownFieldError: A field is not declared; nothing was written.
        EncodeError: A value is not of the declared type; nothing was written.
    """

    _part = "field"
    _declarations: ClassVar[Mapping[str, Declaration]] = {}
    _compiled: ClassVar[_Schema | None] = None

    if TYPE_CHECKING:
        id: _Id = _argument(default=None, kw_only=False)  # pyright: ignore[reportIncompatibleMethodOverride] # given by position, read as text
        backend: InitVar[BackendSource | None] = _argument(default=None)
    else:

        def __init__(self, id=None, /, *, backend=None, **values) -> None:
            super().__init__(id, backend=backend)
            self._write(values)

        def __setattr__(self, name, value) -> None:
            if not name.startswith("_") and not hasattr(getattr(type(self), name, None), "__set__"):
                if name in self._declarations:
                    raise AttributeError(
                        f"{name!r} is a method's name too; write the field of {self.key!r} by [{name!r}]"
                    )
                raise self._unknown(name)
            object.__setattr__(self, name, value)

        def __getattr__(self, name):
            if hasattr(type(self), name):  # a property of a subclass raised AttributeError: let it say so itself
                return object.__getattribute__(self, name)
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise self._unknown(name)

    @classmethod
    def _declare(cls) -> None:
        cls._compiled = None
        if cls._unbound is not cls:
            return  # the fields are compiled when they are asked for, as they may name this very class
        inherited: dict[str, Declaration] = {}
        for base in reversed(cls.__mro__[1:]):
            inherited |= vars(base).get("_declarations", {})
        given = tuple(part for base in cls.__bases__ for part in getattr(base, "_parameters", ()))
        cls._parameters = getattr(cls, "__parameters__", ()) or type_variables(given)
        own = declarations(cls, get_annotations(cls, format=Format.FORWARDREF), inherited)
        cls._declarations = inherited | own
        for name, declaration in own.items():
            if declaration.default is cls.__dict__.get(name):
                delattr(cls, name)
            if not _is_method(cls, name):
                setattr(cls, name, _Attribute(name))
        fields = []
        for declaration in cls._declarations.values():
            with suppress(NameError):  # of a forward reference
                fields.append(compiled(cls, declaration, cls._class_codec))
        require_distinct(cls, fields)

    @classmethod
    def _schema(cls) -> _Schema:
        known = cls._compiled
        if known is None or known.generation != generation():  # a name may mean a class that took its namesake's place
            now = generation()
            fields = [compiled(cls, declaration, cls._class_codec) for declaration in cls._declarations.values()]
            require_distinct(cls, fields)
            children = [field.stored for field in fields if field.child]
            known = cls._compiled = _Schema(now, {field.name: field for field in fields}, children)
        return known

    @classmethod
    def _fields(cls) -> Mapping[str, Field]:
        """Return every declared field, the inherited ones first."""
        return cls._schema().fields

    @classmethod
    def create(
        cls,
        id: str | int | None = None,
        /,
        *,
        backend: BackendSource | None = None,
        expire: Any = None,  # what expire() takes; a narrower type would refuse create(id, **form), a dict[str, str]
        **values: Any,
    ) -> Self:
        """Store a record that does not exist yet, decided in the store. Cost: 1 round trip.

        Args:
            id: As for :class:`Record`.
            backend: As for :class:`Record`.
            expire: When it is to vanish, in the same step; as for :meth:`expire`.
            values: As for :class:`Record`.

        Raises:
            ObjectExists: It exists already; nothing was written.
            ValueError: No value is given, so that there is nothing to store.
        """
        ttl_s = None if expire is None else seconds_until(expire)
        record = cls.ref(id_or_random(id), backend=backend)
        bound: _Bound = record._now()
        changes = record._changes(*record._encoded(bound, values))
        if not any(map(_stores, changes)):
            remedy = (
                f"give a field, such as {next(iter(cls._declarations))}=…" if cls._declarations else "declare a field"
            )
            raise ValueError(
                f"{record.key!r} cannot be created without a value, as a record is what is stored of it; {remedy}"
            )
        changed = {change.key for change in changes}
        absent: list[Change] = [Delete(key) for key in record._family() if key not in changed]
        required = [replace(change, must_be_absent=True) for change in [*absent, *changes]]
        deadlines = [] if ttl_s is None else [SetDeadline(key, ttl_s) for key in record._family()]
        if any(bound.backend.apply([*required, *deadlines], record._family())):
            raise ObjectExists(f"{record.key!r} exists already; load it, or choose another id")
        return record

    def _settle(self, id: str, choice: Any) -> None:
        super()._settle(id, choice)
        self._children: dict[str, PersistentCollection] = {}

    def _bind(self, backend: Backend) -> _Bound:
        known = generation(), type(self)
        fields, stored = backend.memo.get(known, (None, ()))
        if fields is None:
            fields = {name: _bound_field(field, backend) for name, field in self._fields().items() if not field.child}
            stored = tuple(bound_field.field.stored for bound_field in fields.values())
            backend.memo[known] = fields, stored
        return _Bound(backend, backend.mapping(self._key, self._kin()), fields, stored)

    def _family(self) -> tuple[Key, ...]:
        return (self._key, *self._kin())

    def _kin(self) -> tuple[Key, ...]:
        """Return the keys of the children."""
        return tuple(Key(self._key.root, stored) for stored in self._schema().children)

    def _wrote(self) -> None:
        super()._wrote()
        if self._children:
            for collection in list(self._children.values()):  # another thread may be making one
                collection._wrote()

    def _field(self, name: object) -> Field:
        field = self._fields().get(name) if isinstance(name, str) else None
        if field is None:
            raise self._unknown(name)
        return field

    def _unknown(self, name: object) -> UnknownFieldError:
        if name == "id":
            return UnknownFieldError(f"the id of {self.key!r} is fixed; store a record with another id instead")
        value = getattr(type(self), str(name), None)
        if value is not None and not hasattr(value, "__get__") and not hasattr(Record, str(name)):  # no method
            hint = f"; annotate it in the class: {name}: {type(value).__name__} = …"
        elif self._declarations:
            hint = f"; {suggestion(str(name), self._declarations)}"
        else:
            hint = ", which declares none"
        return UnknownFieldError(f"no field {name!r} in {type(self).__name__}{hint}")

    def _child(self, field: Field, kind: type[PersistentCollection]) -> PersistentCollection:
        found = self._children.get(field.name)
        if found is None:
            origin = Origin(self, field.name, self._family(), field.codec, field.declarer, field.bare)
            found = self._children.setdefault(field.name, kind._child(origin, field.stored))
        return found

    def __getitem__(self, name: str) -> Any:
        if name == "id":
            return self._id
        field = self._field(name)
        if field.child:
            return self._child(field, field.child)
        bound: _Bound = self._now()
        data = bound.store.get(field.stored)
        if data is None:
            self._require(bound)
        return self._hold(bound, name, data)

    def __setitem__(self, name: str, value: Any) -> None:
        field = self._field(name)
        if field.child:
            self._write({name: value})
        elif not wrote_back(value, self, name):
            bound: _Bound = self._now()
            try:
                data = bound.fields[name].encode(value)
            except TypeError as error:
                raise self._located(name, error) from error
            self._wrote()
            bound.store.set_many({field.stored: data})

    def __delitem__(self, name: str) -> None:
        field = self._field(name)
        if field.child:
            self._child(field, field.child).delete()
        else:
            bound: _Bound = self._now()
            self._wrote()
            bound.store.delete(field.stored)

    def __contains__(self, name: object) -> bool:
        return name in self._declarations

    def __iter__(self) -> Iterator[str]:
        return iter(self._declarations)

    def __len__(self) -> int:
        return len(self._declarations)

    def keys(self) -> list[str]:
        """Return the names of the declared fields; no I/O."""
        return list(self._declarations)

    def items(self) -> list[tuple[str, Any]]:
        """Return name and value of every declared field. Cost: 1 round trip."""
        return [(name, value) for name, value in self._read_all()]

    def values(self) -> list[Any]:
        """Return the value of every declared field. Cost: 1 round trip."""
        return [value for _, value in self._read_all()]

    def to_dict(self) -> dict[str, Any]:
        """Return every field but the children as plain values, references as handles. Cost: 1 round trip."""
        bound: _Bound = self._now()
        stored = self._stored(bound)
        return {name: self._decoded(bound.fields[name], data) for name, data in stored.items()}

    def _reader(self, backend: Backend, names: Sequence[str]) -> Reader:
        wanted = {name: self._value_field(name, backend)[1] for name in names if name != "id"}

        def row(record: Record, data: Sequence[bytes | None]) -> dict[str, Any]:
            stored = dict(zip(wanted, data, strict=True))
            return {name: record._id if name == "id" else record._decoded(wanted[name], stored[name]) for name in names}

        return Reader([field.field.stored for field in wanted.values()], row)

    def get(self, name: str, default: Any = None, /) -> Any:
        """Return ``self[name]``, or ``default`` where that raises ``KeyError``."""
        try:
            return self[name]
        except KeyError:
            return default

    def update(self, /, **values: Any) -> None:
        """Set several fields, child collections too, in one step or not at all. Cost: 1 round trip.

        Raises:
            UnknownFieldError: A field is not declared; nothing was written.
            EncodeError: A value is not of the declared type; nothing was written.
        """
        self._write(values)

    def increment(self, name: str, by: Any = 1) -> Any:
        """Add ``by`` to the number in a field, its default or 0 while unset, and return the sum.

        Cost: 1 round trip where both are 64-bit ``int``; else a read, and a write if nothing changed meanwhile.

        Raises:
            ConflictError: Others kept changing the number.
        """
        bound, bound_field = self._value_field(name)
        zero = bound_field.decode(None) or 0
        field = bound_field.field
        counter = Counter(name, self, bound.store, field.stored, bound_field.codec, field.declared, zero)
        return increment(counter, by)

    @contextmanager
    def edit(self, name: str) -> Iterator[Any]:
        """Give the plain value of a field, to be changed in any way; store it at the end of the block.

        Cost: 1 read, and 1 write if it changed. A block left by an exception writes nothing.

        Raises:
            TypeError: The value is of a type that cannot change in place, or the field is a child collection.
            ConflictError: The stored value changed meanwhile; nothing was written.
        """
        bound, bound_field = self._value_field(name)
        data = bound.store.get(bound_field.field.stored)
        if data is None:
            self._require(bound)
        with editing(self._place(bound, bound_field, data), self._decoded(bound_field, data)) as value:
            yield value

    def _value_field(self, name: str, backend: Backend | None = None) -> tuple[_Bound, _BoundField]:
        if self._field(name).child:
            raise TypeError(f"{name!r} of {self.key!r} is a child collection; read and change it by its own methods")
        bound: _Bound = self._now() if backend is None else self._on(backend)
        return bound, bound.fields[name]

    def _hold(self, bound: _Bound, name: str, data: bytes | None) -> Any:
        """Return the value of ``data``, read from a field, its lists, dicts and sets writing back."""
        bound_field = bound.fields[name]
        return hold(self._decoded(bound_field, data), lambda: self._place(bound, bound_field, data))

    def _decoded(self, bound_field: _BoundField, data: bytes | None) -> Any:
        try:
            return bound_field.decode(data)
        except DecodeError as error:
            raise self._located(bound_field.field.name, error) from error

    def _require(self, bound: _Bound) -> None:
        """Raise ``ObjectNotFound`` if nothing is stored of the record."""
        if not bound.backend.exists(self._family()):
            raise self._not_found(bound.backend)

    def _place(self, bound: _Bound, bound_field: _BoundField, data: bytes | None) -> Place:
        field, codec, _ = bound_field

        def compare_and_set(_: str, expected: bytes | None, data: bytes) -> bool:
            there = expected is not None or bound.backend.exists(self._family())
            return there and bound.store.compare_and_set(field.stored, expected, data)

        default = bound_field.encode(bound_field.decode(None)) if data is None else None
        return Place(self, bound.backend, field.name, codec, data, compare_and_set=compare_and_set, default=default)

    def _read_all(self) -> Iterator[tuple[str, Any]]:
        """Yield name and value of every field, all values read in one step."""
        bound: _Bound = self._now()
        data = self._stored(bound)
        for name, field in self._fields().items():
            yield name, self._child(field, field.child) if field.child else self._hold(bound, name, data[name])

    def _stored(self, bound: _Bound) -> dict[str, bytes | None]:
        """Return what is stored of every field that holds a value, read in one step."""
        data = bound.store.get_many(bound.stored) if bound.stored else []
        if all(each is None for each in data):
            self._require(bound)
        return dict(zip(bound.fields, data, strict=True))

    def _write(self, values: Mapping[str, Any]) -> None:
        if not values:
            return
        bound: _Bound = self._now()
        items, children = self._encoded(bound, values)
        self._wrote()
        if children:
            bound.backend.apply(self._changes(items, children), self._family())
        elif items:
            bound.store.set_many(items)

    def _encoded(self, bound: _Bound, values: Mapping[str, Any]) -> tuple[dict[str, bytes | None], list[Replace]]:
        """Return what is stored of ``values``, all checked and encoded for the store of ``bound``: fields, children."""
        fields = self._fields()
        items: dict[str, bytes | None] = {}
        children: list[Replace] = []
        if not values.keys() <= fields.keys():
            raise self._unknown(next(name for name in values if name not in fields))
        for name, value in values.items():
            field = fields[name]
            try:
                if not field.child:
                    unset = value is None and field.unset_is_none  # encode() of the field, less a call for each
                    items[field.stored] = None if unset else bound.fields[name].codec.encode(value)
                elif not (collection := self._child(field, field.child))._is_same(value):
                    children.append(Replace(collection._key, collection._whole(bound.backend, value)))
            except TypeError as error:
                if field.child and isinstance(error, EncodeError):
                    raise  # it names the child
                raise self._located(name, error) from error
        return items, children

    def _changes(self, items: dict[str, bytes | None], children: Sequence[Replace]) -> list[Change]:
        """Return the changes that store ``items`` and ``children``."""
        return [SetFields(self._key, items), *children] if items else [*children]


def fetch(records: Iterable[Record], /, *names: str) -> Iterator[dict[str, Any]]:
    """Yield the fields called ``names`` of each of ``records``, without a round trip for each.

    As ``PersistentList.fetch``, for any records: a slice of a list, as in ``fetch(luke.friends[:20], "id", "name")``,
    a set of references, what ``User.all()`` finds.

    Cost: 1 round trip for 1,000 records, and 1 more for those of them that have none of the fields: do they exist?
    """
    return rows(plain(records), names)


def make_record(
    name: str,
    fields: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    type_name: str | None = None,
    backend: BackendSource | None = None,
    codec: CodecSource | None = None,
) -> type[Record]:
    """Return a record class made from a mapping of names to types.

    Args:
        name: The name of the class.
        fields: Each field's annotation.
        defaults: What fields read as while unset.
        type_name: What the keys of the class start with, if not ``name``.
        backend: The backend of all its objects.
        codec: How the values of all its objects become bytes.

    Raises:
        TypeError: A field or a default cannot be kept exactly.
    """
    unknown = (defaults or {}).keys() - fields.keys()
    if unknown:
        raise TypeError(f"{name}: there is a default for {min(unknown)!r}, which is no field")
    caller = sys._getframe(1)
    inside = caller.f_code.co_qualname
    body = {
        "__module__": caller.f_globals.get("__name__", __name__),
        "__qualname__": name if inside == "<module>" else f"{inside}.<locals>.{name}",
        "__annotations__": dict(fields),
        **(defaults or {}),
    }
    options = {"name": type_name, "backend": backend, "codec": codec}
    made: type[Record] = new_class(name, (Record,), options, lambda namespace: namespace.update(body))
    return made


def _bound_field(field: Field, backend: Backend) -> _BoundField:
    codec = bound_codec(backend, field.declared, [field.codec], in_schema=field.bare)
    default = None if field.default is MISSING or field.default is None else codec.encode(field.default)
    return _BoundField(field, codec, default)


def _is_method(cls: type[Record], name: str) -> bool:
    """Say whether the attribute ``name`` is taken by what every record has, or by a method."""
    return name in dir(Record) or any(callable(vars(base).get(name)) for base in cls.__mro__)


def _stores(change: Change) -> bool:
    """Say whether anything is there after ``change``."""
    match change:
        case SetFields(items=items):
            return any(data is not None for data in items.values())
        case Replace(content=content):
            return bool(content)
    return False

"""The package's state of each record class and record: its fields, bound to a store, and its children."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from inspect import getattr_static
from itertools import islice
from types import UnionType
from typing import Any, NamedTuple, NoReturn, get_origin

import msgspec
from typing_extensions import Format, get_annotations

from persistent_collections import classes
from persistent_collections.annotations import type_variables
from persistent_collections.backends.base import Backend, Wanted
from persistent_collections.backends.changes import Change, Condition, Delete, Exists, FieldsAre
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Key
from persistent_collections.backends.shapes import MAPPING, Shape, child_is_field
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.order import Order
from persistent_collections.collections.base import Origin, PersistentCollection, make_child
from persistent_collections.collections.binding import bindings, bound_codec, kept
from persistent_collections.collections.core import RESERVED, ClassInfo, Core, Reader, info_of
from persistent_collections.collections.display import HIDDEN, Note
from persistent_collections.collections.fetching import mistaken, no_reference, own_names
from persistent_collections.collections.formers import Former, Formers, as_declared
from persistent_collections.collections.retrying import attempts
from persistent_collections.collections.write_back import HOLDING, StoredAt, hold
from persistent_collections.config import Choice
from persistent_collections.errors import DecodeError, EncodeError, UnknownFieldError
from persistent_collections.marks import SAME_TYPE
from persistent_collections.records.bare import Bare
from persistent_collections.records.doubt import Doubted
from persistent_collections.records.groups import Group, all_groups, groups_of, orders_of
from persistent_collections.records.indexing import (
    Indexed,
    IndexedFields,
    OrderedField,
    commit,
    indexed_in,
    store_converted,
)
from persistent_collections.records.schema import (
    MISSING,
    Declaration,
    Field,
    FormerField,
    Password,
    compiled,
    declarations,
    require_distinct,
)
from persistent_collections.remedies import Advice
from persistent_collections.suggestions import suggestion
from persistent_collections.transactions.current import active


class BoundField(NamedTuple):
    """A field that holds a value, in one store.

    Attributes:
        field: As declared.
        codec: Turns its values into bytes.
        default: The encoded value of an unset field, None if that is its type's zero.
    """

    field: Field
    codec: Codec
    default: bytes | None

    def encode(self, value: Any) -> bytes | None:
        """Return the bytes of ``value``, None if it is stored as unset."""
        return None if value is None and self.field.unset_is_none else self.codec.encode(value)

    def unset(self) -> Any:
        """Return the value while nothing is stored: the default or the type's zero."""
        return self.field.zero() if self.default is None else self.codec.decode(self.default)


class BoundFields(NamedTuple):
    """The fields of a class in one store.

    Attributes:
        fields: The fields that hold a value.
        stored: Their names in the store.
        indexed: The indexes of the class in the store, None if it has none.
        formers: Their former names.
    """

    fields: Mapping[str, BoundField]
    stored: Sequence[str]
    indexed: Indexed | None
    formers: Formers

    def declared(self, backend: Backend, type_name: str) -> Backend:
        """Return ``backend`` by the names that the fields have now."""
        convert = partial(store_converted, self.indexed) if self.indexed and backend.indexing == "indexes" else None
        return as_declared(backend, {type_name: self.formers}, convert)


class Bound(msgspec.Struct, frozen=True):
    """The state that operations on one record in one store need.

    Attributes:
        declared: The store by the names that the fields have now.
        store: The handle of the record, a ``MappingStore``; None if no operation has used it yet.
        fields: The fields that hold a value.
        stored: Their names in the store.
        indexed: The indexes of the class in the store, None if it has none.
        formers: The names that they were stored under before.
    """

    backend: Backend
    declared: Backend
    store: Any
    fields: Mapping[str, BoundField]
    stored: Sequence[str]
    indexed: Indexed | None
    formers: Formers


class Schema(msgspec.Struct, frozen=True):
    """The fields of a class, with the current meanings of the names in their annotations.

    Attributes:
        redefinitions: The number of classes that had replaced another of their name by then.
        fields: Every declared field, the inherited ones first.
        children: The names of the child collections in the store.
        groups: The fields of each index.
        orders: How the fields of indexes are ordered, by name.
    """

    redefinitions: int
    fields: Mapping[str, Field]
    children: Sequence[str]
    groups: Sequence[Group]
    orders: Mapping[str, Order]


class FieldAttribute:
    """A field of a record as an attribute: ``user.name`` is ``user["name"]``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, record: Any, kind: type) -> Any:
        return self if record is None else record[self._name]

    def __set__(self, record: Any, value: Any) -> None:
        record[self._name] = value

    def __delete__(self, record: Any) -> None:
        del record[self._name]


class RecordInfo(ClassInfo):
    """The state of one class of records.

    Attributes:
        declarations: Its declared fields, inherited ones first.
        root: The class that all records are made from.
        attributes: The names of the fields that are written as attributes too.
        has_policies: Whether a field has a deletion policy; None until first needed.
    """

    is_record = True
    options = ("unique", "indexes")

    def __init__(self, cls: type[Any], core: type[Core], bases: Sequence[ClassInfo]) -> None:
        super().__init__(cls, core, bases)
        records = [base for base in bases if isinstance(base, RecordInfo)]
        self.root: type[Any] = records[0].root if records else cls
        self.declarations: Mapping[str, Declaration] = records[0].declarations if records else {}
        self.attributes: frozenset[str] = records[0].attributes if records else frozenset()
        self.groups: tuple[Group, ...] = records[0].groups if records else ()
        self.has_policies: bool | None = None
        self._schema: Schema | None = None

    def take_options(self, **options: Any) -> None:
        for option, given in options.items():
            self.groups += groups_of(self.cls, option, given)

    def declare(self) -> None:
        cls = self.cls
        inherited = _inherited(cls)
        given = tuple(part for base in cls.__bases__ for part in _parameters(base))
        self.parameters = getattr(cls, "__parameters__", ()) or type_variables(given)
        own = declarations(cls, get_annotations(cls, format=Format.FORWARDREF), inherited)
        self.declarations = inherited | own
        for name, declaration in own.items():
            if declaration.default is cls.__dict__.get(name):
                delattr(cls, name)
            if not self._is_method(name):
                setattr(cls, name, FieldAttribute(name))
        self.attributes = frozenset(name for name in self.declarations if hasattr(getattr_static(cls, name), "__set__"))
        fields = {field.name: field for field in self._compiled()}
        require_distinct(cls, list(fields.values()))
        orders_of(cls, all_groups(self.groups, list(fields.values())), fields, self.declarations.keys() - fields)

    def _compiled(self) -> Iterator[Field]:
        """Yield the fields whose annotations can be read already."""
        for declaration in self.declarations.values():
            with suppress(NameError):  # of a forward reference
                yield compiled(self.cls, declaration, self.codec)

    def schema(self) -> Schema:
        """Return the fields, compiled on first use, as their annotations may name this class."""
        known = self._schema
        now = classes.redefinitions
        if known is None or known.redefinitions != now:  # a name may refer to a class that replaced another of its name
            fields = [compiled(self.cls, declaration, self.codec) for declaration in self.declarations.values()]
            require_distinct(self.cls, fields)
            children = [field.stored for field in fields if field.child]
            by_name = {field.name: field for field in fields}
            groups = all_groups(self.groups, fields)
            known = self._schema = Schema(now, by_name, children, groups, orders_of(self.cls, groups, by_name))
        return known

    def unknown(self, name: object) -> UnknownFieldError:
        """Return the error that no field has the name ``name``."""
        value = getattr(self.cls, str(name), None)
        if value is not None and not hasattr(value, "__get__") and not hasattr(self.root, str(name)):  # not a method
            hint = f"; annotate it in the class: {name}: {type(value).__name__} = …"
        elif self.declarations:
            hint = f"; {suggestion(str(name), self.declarations)}"
        else:
            hint = ", which declares none"
        return UnknownFieldError(f"no field {name!r} in {self.cls.__name__}{hint}")

    def is_left_to_relatives(self, name: str) -> bool:
        """Return whether a field ``name`` is declared only by another class of the same record class."""
        if name in self.declarations:
            return False
        eldest = next(cls for cls in reversed(self.cls.__mro__) if cls is not self.root and issubclass(cls, self.root))
        return any(name in getattr(cls, RESERVED).declarations for cls in _made_from(eldest))

    def require_fields(self, names: Iterable[str]) -> None:
        if self.cls is self.root:  # any record may be meant
            return
        for name in names:
            head, dot, rest = name.partition(".")
            if head == "id" and dot:
                raise no_reference(head, str, rest)
            if head != "id" and not self.is_left_to_relatives(head):
                field = self.value_field(head)
                if dot:
                    _require_field(field, rest)

    def value_field(self, name: str) -> Field:
        """Return the field called ``name``, which holds a value.

        Raises:
            UnknownFieldError: No such field is declared.
            TypeError: It is a child collection.
        """
        field = self.schema().fields.get(name)
        if field is None:
            raise self.unknown(name)
        if field.child:
            raise TypeError(f"{name!r} of {self.cls.__name__} is a child collection; read it by its own methods")
        return field

    def declared(self, backend: Backend) -> Backend:
        """Return ``backend`` by the names that the fields have now."""
        return self.bound_fields(backend).declared(backend, self.type_name)

    def bound_fields(self, backend: Backend) -> BoundFields:
        """Return the fields that hold a value, bound to ``backend``."""
        known = kept(self, backend)
        if known.fields is None:
            schema = self.schema()
            fields = [field for field in schema.fields.values() if not field.child]
            bound = {field.name: _bound_field(field, backend) for field in fields}
            ordered = [ordered_field(bound[name], order) for name, order in schema.orders.items()]
            indexed = indexed_in(backend, self.type_name, ordered, schema.groups) if schema.groups else None
            formers = {field.stored: _formers(bound[field.name], backend) for field in fields if field.former}
            known.fields = BoundFields(bound, tuple(field.stored for field in fields), indexed, formers)
        found: BoundFields = known.fields
        return found

    def _is_method(self, name: str) -> bool:
        """Return whether the attribute ``name`` is taken by an attribute of every record, or by a method."""
        return name in dir(self.root) or any(callable(vars(base).get(name)) for base in self.cls.__mro__)


class RecordCore(Core):
    """The state of the handle of a record.

    Attributes:
        children: The handles of child collections that were used, by field.
        is_bare: Whether its first write makes the record.
        settled: The state at the time when all fields were read and no unset field had the name of an existing child.
        shown: The plain values of a record that pydantic has validated, behind the writes through it until then.
        unshown: The error for which FastAPI could not make a ``dict`` of the record.
    """

    __slots__ = ("children", "is_bare", "settled", "shown", "unshown")

    info_class = RecordInfo
    shape = MAPPING
    part = "field"

    def __init__(self, info: ClassInfo, id: str, choice: Choice) -> None:
        super().__init__(info, id, choice)
        self.children: dict[str, PersistentCollection] = {}
        self.is_bare = False
        self.settled: Bound | None = None
        self.shown: tuple[dict[int, object], dict[str, Any]] | None = None
        self.unshown: Exception | None = None

    def __iter__(self) -> NoReturn:
        """Raise the error that FastAPI swallowed before it asked for the attributes of the record."""
        error, self.unshown = self.unshown, None
        if error is not None:
            raise error
        super().__iter__()

    def bind(self, backend: Backend) -> Bound:
        fields: BoundFields = self.info.bound_fields(backend)
        declared = fields.declared(backend, self.info.type_name) if fields.formers else backend
        return Bound(backend, declared, self.open(backend, MAPPING, self.key), *fields)

    def unopened(self) -> Bound:
        """Return the result of :meth:`now`, without a handle of the store if none exists yet."""
        backend, bound = active(self.choice), self.bound
        if bound is not None and bound.backend is backend:
            known: Bound = bound
            return known
        fields: BoundFields = self.info.bound_fields(backend)
        declared = fields.declared(backend, self.info.type_name) if fields.formers else backend
        return Bound(backend, declared, None, *fields)

    def open(self, backend: Backend, shape: Shape, key: Key) -> Any:
        """Return the handle of ``key``, the record's own or a child's, which writes only while the record exists.

        A bare handle of a record creates it by its first write. A child that reads empty isn't an older class's field.
        """
        bound: BoundFields = self.info.bound_fields(backend)
        store = bound.declared(backend, self.info.type_name) if bound.formers else backend
        handle = store.open(shape, key, is_record=key == self.key)
        if bound.indexed and key == self.key:
            handle = IndexedFields(bound.indexed, store, key, handle)
        if self.is_bare:
            make = partial(self.commit_made, backend)
            bare = Bare(backend, self.key, self.children_keys(), lambda: initial(self, bound.fields, {}), make)
            handle = bare.open(shape, key, handle)
        return handle if key.child is None else Doubted(shape, handle, partial(self.refuse_fields, backend, [key]))

    def children_keys(self) -> tuple[Key, ...]:
        children = self.info.schema().children
        return tuple([Key(self.key.root, stored) for stored in children]) if children else ()

    def deletion(self, backend: Backend) -> Delete:
        indexed = self.info.bound_fields(backend).indexed if backend.indexing == "indexes" else None
        return Delete(self.key, self.children_keys(), indexed and indexed.indexing)

    def apply(
        self,
        bound: Bound,
        conditions: Sequence[Condition],
        changes: Sequence[Change],
        items: Mapping[str, bytes | None],
        initial: Mapping[str, bytes] | None = None,
    ) -> bool:
        """Change the record, and its index entries accordingly, if all conditions hold.

        Args:
            bound: The state it is bound to.
            conditions: The conditions of the step.
            changes: The changes of the step.
            items: The fields that ``changes`` set.
            initial: The initial content of the record if ``changes`` create it.
        """
        if bound.indexed and (initial is not None or bound.indexed.touches(items)):
            return commit(bound.indexed, bound.declared, self.key, conditions, changes, items=items, initial=initial)
        return bound.declared.commit(conditions, changes)

    def commit_made(
        self,
        backend: Backend,
        conditions: Sequence[Condition],
        changes: Sequence[Change],
        initial: Mapping[str, bytes],
    ) -> bool:
        """Make the record with ``initial`` and its index entries by ``changes``, if all conditions hold."""
        indexed: Indexed | None = self.info.bound_fields(backend).indexed
        store: Backend = self.info.declared(backend)
        if indexed:
            return commit(indexed, store, self.key, conditions, changes, items={}, initial=initial)
        return store.commit(conditions, changes)

    def field(self, name: object) -> Field:
        """Return the field called ``name``.

        Raises:
            UnknownFieldError: No such field is declared.
        """
        field: Field | None = self.info.schema().fields.get(name) if isinstance(name, str) else None
        if field is None:
            raise self.unknown(name)
        return field

    def wrote_family(self) -> None:
        self.wrote()
        if self.children:
            for collection in list(self.children.values()):  # another thread may be making one
                collection.__pc__.wrote()

    def child(self, record: Any, field: Field, kind: type[PersistentCollection]) -> PersistentCollection:
        """Return the handle of a child of ``record``, the object whose core this is."""
        found = self.child_to_replace(record, field, kind)
        return self.children.setdefault(field.name, found)

    def child_to_replace(self, record: Any, field: Field, kind: type[PersistentCollection]) -> PersistentCollection:
        """Return the handle of a child, cached only if it was used before: a cached one is a reference cycle."""
        found = self.children.get(field.name)
        if found is None:
            origin = Origin(record, field.name, field.codec, field.declarer, field.bare)
            found = make_child(kind, origin, field.stored)
        return found

    def reader(self, backend: Backend, names: Sequence[str]) -> Reader:
        self.info.require_fields(names)
        names = own_names(names)
        known = [name for name in names if name != "id" and not self.info.is_left_to_relatives(name)]
        wanted = {name: self.value_field(name, backend)[1] for name in known}

        fields, is_all = list(wanted.items()), list(wanted) == list(names)

        def row(core: RecordCore, data: Sequence[bytes | None]) -> dict[str, Any]:
            values = {name: core.decoded(field, part) for (name, field), part in zip(fields, data, strict=True)}
            return values if is_all else {name: core.id if name == "id" else values.get(name) for name in names}

        return Reader([field.field.stored for _, field in fields], row, self.info.bound_fields(backend).formers)

    def value_field(self, name: str, backend: Backend | None = None) -> tuple[Bound, BoundField]:
        """Return a field that holds a value, and the state it is bound to.

        Raises:
            UnknownFieldError: No such field is declared.
            TypeError: It is a child collection.
        """
        if self.field(name).child:
            raise TypeError(f"{name!r} of {str(self)!r} is a child collection; read and change it by its own methods")
        bound: Bound = self.now() if backend is None else self.on(backend)
        return bound, bound.fields[name]

    def held(self, bound: Bound, bound_field: BoundField, data: bytes | None) -> Any:
        """Return the value of ``data``, read from a field, its lists, dicts and sets writing back."""
        value = self.decoded(bound_field, data)
        return value if type(value) not in HOLDING else hold(value, self.place(bound, bound_field, data))

    def decoded(self, bound_field: BoundField, data: bytes | None) -> Any:
        """Return the plain value of ``data``, read from a field."""
        try:
            return bound_field.unset() if data is None else bound_field.codec.decode(data)
        except DecodeError as error:
            raise self._unreadable(bound_field.field, error) from error

    def _unreadable(self, field: Field, error: DecodeError) -> Exception:
        """Return the error that a field cannot be decoded; perhaps its type has changed."""
        found = self.located(field.name, error)
        if field.declared is Password or error.remedies or "formerly(" in error.problem:
            return found
        line = f"new_{field.name}: Annotated[…, formerly({field.stored!r}, old_type, convert)]"
        return found.with_remedies(Advice(f"if its type has changed, give it a new name: {line}"))

    def examined(self, bound: Bound, stored: Sequence[str]) -> Sequence[bytes | None] | None:
        """Return the stored bytes of some fields, None if the record does not exist; all at one moment.

        Raises:
            SchemaChangedError: Nothing is stored under a field, but a child of its name exists.
        """
        wanted = Wanted(self.key, stored, [Key(self.key.root, name) for name in stored])
        [found] = bound.declared.examine([wanted])
        error = found and mistaken(wanted, found)
        if error:
            raise error
        return found and found.data

    def refuse_fields(self, backend: Backend, children: Sequence[Key]) -> bool:
        """Return whether the record exists; raise if it holds a field with the name of one of ``children``.

        Raises:
            SchemaChangedError: It does.
        """
        [found] = backend.examine([Wanted(self.key, [str(key.child) for key in children])])
        for key, data in zip(children, found.data if found else (), strict=bool(found)):
            if data is not None:
                raise child_is_field(key)
        return found is not None

    def no_fields(self, children: Sequence[Key]) -> list[Condition]:
        """Return the condition that the record has no fields with the names of ``children``."""
        return [FieldsAre(self.key, {str(key.child): None for key in children})] if children else []

    def commit(
        self,
        bound: Bound,
        changes: Sequence[Change],
        children: Sequence[Key],
        items: Mapping[str, bytes | None],
        *,
        exists: bool = False,
        initial: Mapping[str, bytes] | None = None,
    ) -> None:
        """Make ``changes``, which write ``children``, in one step.

        Args:
            bound: The store and the fields of the record there.
            changes: The changes.
            children: The children to write.
            items: The fields that are set.
            exists: Whether the record has to exist.
            initial: The initial content of the record if ``changes`` create it.

        Raises:
            ObjectNotFound: The record does not exist; nothing was written.
            SchemaChangedError: It has a field with the name of one of ``children``; nothing was written.
        """
        conditions = [*([Exists(self.key)] if exists else ()), *self.no_fields(children)]
        for _ in attempts(str(self)):
            if self.apply(bound, conditions, changes, items, initial):
                return
            is_there = bool(children) and self.refuse_fields(bound.backend, children)
            if exists and not is_there:
                raise self.not_found(bound.backend)

    def missed(self, bound: Bound, stored: Sequence[str]) -> Sequence[bytes | None]:
        """Return the stored bytes of some fields that an earlier read found empty; all at one moment.

        Raises:
            ObjectNotFound: The record does not exist.
        """
        data = self.examined(bound, stored)
        if data is None:
            raise self.not_found(bound.backend)
        return data

    def place(self, bound: Bound, bound_field: BoundField, data: bytes | None) -> StoredAt:
        """Return the location of the value of ``data``."""
        field, codec, _ = bound_field
        default = bound_field.encode(bound_field.unset()) if data is None else None
        return StoredAt(self, bound.backend, codec, self.last_write(), field.name, data, default)

    def swap(self, backend: Backend, where: Any, expected: bytes | None, data: bytes) -> bool:
        return super().swap(backend, self.field(where).stored, expected, data)

    def made(self, bound_field: BoundField) -> bytes | None:
        """Return the bytes of the default with which a field is stored when the record is made."""
        factory = bound_field.field.factory
        if factory is None:
            return bound_field.default
        try:
            return bound_field.encode(factory())
        except TypeError as error:
            raise self.located(bound_field.field.name, error) from error

    def first(self, limit: int) -> Iterable[Sequence[Any]]:
        bound: Bound = self.now()
        data = dict(zip(bound.fields, self.missed(bound, bound.stored), strict=True))
        for name, field in islice(self.info.schema().fields.items(), limit):
            if field.child:
                yield Note(name), Note(f"{field.child.__name__}, not read")
            else:
                codec = bound.fields[name].codec
                yield Note(name), HIDDEN if codec.secret else self.decoded(bound.fields[name], data[name])

    def stored(self, bound: Bound) -> dict[str, bytes | None]:
        """Return the stored bytes of every field that holds a value, read in one step."""
        data: Sequence[bytes | None] = bound.store.get_many(bound.stored) if bound.stored else []
        if data.count(None) == len(data) or (None in data and self.settled is not bound):
            data = self.missed(bound, bound.stored)
            self.settled = bound
        return dict(zip(bound.fields, data, strict=True))

    def unknown(self, name: object) -> UnknownFieldError:
        """Return the error that no writable field has the name ``name``."""
        if name == "id":
            return UnknownFieldError(f"the id of {str(self)!r} is fixed; store a record with another id instead")
        error: UnknownFieldError = self.info.unknown(name)
        return error


def initial(core: RecordCore, fields: Mapping[str, BoundField], items: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return the initial content of a record: ``items``, and the defaults of all other fields.

    The factory of a default runs only here.
    """
    held = {stored: data for stored, data in items.items() if data is not None}
    for bound_field in fields.values():
        if bound_field.field.stored not in items:
            data = core.made(bound_field)
            if data is not None:
                held[bound_field.field.stored] = data
    return held or {MARKER: MARKER_DATA}


def _inherited(cls: type[Any]) -> dict[str, Declaration]:
    """Return the declarations of all bases of ``cls``."""
    found: dict[str, Declaration] = {}
    for base in reversed(cls.__mro__[1:]):
        found |= getattr(vars(base).get(RESERVED), "declarations", {})
    return found


def _require_field(field: Field, name: str) -> None:
    """Raise if the values of ``field`` are not references to records that may have a field ``name``."""
    info, kind = info_of(field.held), get_origin(field.held) or field.held
    if info:
        info.require_fields([name])
    elif isinstance(kind, type) and kind not in (Any, object, UnionType):
        raise no_reference(field.name, kind, name)


def _made_from(cls: type[Any]) -> Iterator[type[Any]]:
    """Yield ``cls`` and every class made from it."""
    yield cls
    for made in cls.__subclasses__():
        yield from _made_from(made)


def _parameters(base: type[Any]) -> tuple[Any, ...]:
    return getattr(getattr(base, RESERVED, None), "parameters", ())


def read_all(record: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and value of every field of a record, all values read in one step."""
    core: RecordCore = record.__pc__
    bound: Bound = core.now()
    data = core.stored(bound)
    for name, field in core.info.schema().fields.items():
        if field.child:
            yield name, core.child(record, field, field.child)
        else:
            yield name, core.held(bound, bound.fields[name], data[name])


def ordered_field(bound: BoundField, order: Order) -> OrderedField:
    """Return a field whose values have an order, in one store."""
    field = bound.field
    return OrderedField(field.name, field.stored, order, bound.codec, bound.unset(), bound.default, field.policy)


def _formers(bound: BoundField, backend: Backend) -> Sequence[Former]:
    """Return the former names of a field, the oldest first; see :data:`~collections.formers.Formers`."""
    names = [Former(each.mark.name, bound.field.name, _converter(bound, each, backend)) for each in bound.field.former]
    return names[::-1]


def _converter(bound: BoundField, former: FormerField, backend: Backend) -> Callable[[bytes], bytes | None]:
    if former.mark.convert is None and former.mark.declared is SAME_TYPE:
        return lambda data: data
    was = _bound_field(former.field, backend)

    def convert(data: bytes) -> bytes | None:
        value = was.codec.decode(data)
        try:
            converted = former.mark.converted(value)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            raise DecodeError(f"its conversion raises {type(error).__name__}") from None
        try:
            return bound.encode(converted)
        except EncodeError as error:
            raise DecodeError(f"its conversion returns a value that cannot be stored: {error}") from error

    return convert


def _bound_field(field: Field, backend: Backend) -> BoundField:
    codec = bound_codec(bindings(backend), field.declared, [field.codec], in_schema=field.bare)
    default = None if field.default is MISSING or field.default is None else codec.encode(field.default)
    return BoundField(field, codec, default)

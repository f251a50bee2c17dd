"""Examines the content of one key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from persistent_collections.backends.base import Backend, ForeignDataError
from persistent_collections.backends.changes import Delete, Exists
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content, Key
from persistent_collections.backends.shapes import MAPPING, shape_of
from persistent_collections.catalogue import Example, Former, Known
from persistent_collections.checking.ahead import Entries
from persistent_collections.checking.findings import Problem
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.keys.codec import key_codec
from persistent_collections.codecs.registry import get_codec
from persistent_collections.collections.base import PersistentCollection
from persistent_collections.collections.binding import references
from persistent_collections.collections.formers import DeclaredStore
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.errors import (
    CorruptDataError,
    DecodeError,
    PersistentCollectionsError,
    WrongShapeError,
)
from persistent_collections.marks import former_fields
from persistent_collections.migrating.migrator import RecordMigrator
from persistent_collections.migrating.values import renewed
from persistent_collections.records.record import Record
from persistent_collections.records.schema import Password

_Delete: TypeAlias = Callable[[], object]
_Put: TypeAlias = Callable[[bytes | None], object]
"""Replaces the bytes that were found, if they are unchanged."""

_KEEP: Final = "to keep it, name the codec or declare the type that it was written with"
_MIGRATE: Final = "the repair stores it as it is declared, as migrate() does"
_UNKNOWN: Final = (
    "no class of this type is known; import the module that defines it; if you renamed the class, let it keep its name "
    "in the store: class New(Record, name={!r})"
)

_ORPHAN: Final = (
    "its record does not exist, and the next record of this id deletes it; to keep its items, copy them elsewhere"
)

REMEMBERED: Final = 2**16
"""The maximum number of references whose existence is cached."""


class Examiner:
    """Finds the faults in one store.

    Args:
        backend: The store.
        known: The classes.

    Attributes:
        listed: Keys of records that exist.
    """

    def __init__(self, backend: Backend, known: Known) -> None:
        self.listed: set[str] = set()
        self._backend = backend
        self._known = known
        self._met: list[PersistentObject] = []
        self._codecs: dict[Hashable, Codec] = {}
        self._text_decoders: dict[Hashable, Callable[[str], Any]] = {}
        self._looked = lru_cache(REMEMBERED)(_is_there)
        standard = references(backend)

        def meet(text: str) -> PersistentObject:
            handle: PersistentObject = standard.from_key(text)
            self._met.append(handle)
            return handle

        self._references = replace(standard, from_key=meet)

    def is_sound(self, key: Key, entries: Entries) -> bool:
        """Return whether nothing was wrong under ``key`` a moment ago; if not, or if that is unknown, look again.

        Args:
            key: The key.
            entries: What its object held at that moment.
        """
        example, entry = self._known.example(key), entries.get(key)
        if example is None or entry is None or entries.get(key.owner) is None:
            return False
        return type(entry.content) is example.__pc__.shape.content and not any(
            True for _ in self._inside(key, example, entry.content)
        )

    def problems(self, key: Key) -> Iterator[Problem]:
        """Yield the faults under ``key``, items in their order."""
        try:
            content = self._content(key)
        except ForeignDataError as error:
            yield Problem("foreign", None, str(error))
        except CorruptDataError as error:
            yield self._unreadable(key, str(error))
        except WrongShapeError as error:
            yield self._of_wrong_shape(key, str(error))
        else:
            example = self._known.example(key)
            if example is None:
                yield self._undeclared(key)
            elif content and self._is_orphan(key):
                yield Problem("orphan", None, _ORPHAN, partial(self._delete_orphan, key))
            elif content:
                yield from self._inside(key, example, content)

    def _content(self, key: Key) -> Content | None:
        shape = self._known.shape(key)
        if shape is None:
            [entry] = self._backend.snapshot([key])
            return entry and entry.content
        is_record = shape is MAPPING and isinstance(self._known.example(key), Record)
        return shape.read(self._backend.open(shape, key, is_record=is_record))

    def _unreadable(self, key: Key, message: str) -> Problem:
        """Return the fault of a key whose content can't be read: perhaps another program wrote it."""
        try:
            self._backend.snapshot([key])
        except ForeignDataError as error:
            return Problem("foreign", None, str(error))
        except CorruptDataError:
            pass
        return Problem("unreadable", None, message)

    def _of_wrong_shape(self, key: Key, message: str) -> Problem:
        try:
            self._backend.snapshot([key])
        except ForeignDataError as error:
            return Problem("foreign", None, str(error))
        return Problem("wrong_shape", None, message, partial(self._delete, key))

    def _is_orphan(self, key: Key) -> bool:
        return key.child is not None and self._backend.look([key.owner]) == [None]

    def _delete_orphan(self, key: Key) -> bool:
        return self._backend.commit([Exists(key.owner, expected=False), Exists(key)], [Delete(key)])

    def _undeclared(self, key: Key) -> Problem:
        delete = partial(self._delete, key)
        cls = self._known.class_of(key.root)
        if cls is None:
            return Problem("unknown_type", None, _UNKNOWN.format(key.root.partition(":")[0]), delete)
        if issubclass(cls, Record) and key.child in {**self._known.fields(cls), **self._known.former(cls)}:
            if self._is_orphan(key):
                return Problem("orphan", None, _ORPHAN, partial(self._delete_orphan, key))
            return self._moved(
                key, cls, None, f"{key.child!r} is declared as a field, and stored as a child collection"
            )
        message = f"{cls.__name__} declares no child {key.child!r}; declare it again to keep its items"
        return Problem("stray_child", None, message, delete)

    def _inside(self, key: Key, example: Example, content: Content) -> Iterator[Problem]:
        match content:
            case dict():
                yield from self._fields(key, example, content)
            case list():
                for index, data in enumerate(content):
                    yield from self._value(key, example, index, data, partial(self._put_item, key, index, data))
            case _:
                shape = shape_of(content)
                remove = self._backend.open(shape, key).remove
                for member in shape.members(content):
                    yield from self._text(key, example, None, member, partial(remove, {member}))

    def _fields(self, key: Key, example: Example, content: dict[str, bytes]) -> Iterator[Problem]:
        for field, data in content.items():
            put = partial(self._put_field, key, example, field, data)
            delete = partial(put, None)
            if isinstance(example, Record):
                yield from self._field(key, example, field, data, put)
            else:
                of_key = list(self._text(key, example, field, field, delete))
                yield from of_key or self._value(key, example, field, data, put)

    def _field(self, key: Key, record: Record, stored: str, data: bytes, put: _Put) -> Iterator[Problem]:
        """Yield the faults of a field of a record."""
        cls, delete = type(record), partial(put, None)
        field, former = self._known.fields(cls).get(stored), self._known.former(cls).get(stored)
        if (stored, data) == (MARKER, MARKER_DATA):
            return
        if field is not None and field.child:
            yield self._moved(
                key, cls, stored, f"{field.name!r} is declared as a child collection, and stored as a field"
            )
        elif field is None and former is None:
            keep = f"declare it again, or a field that reads it: Annotated[…, stored_as({stored!r})], or formerly(…)"
            message = f"{cls.__name__} declares no field of this name; to keep its value, {keep}"
            yield Problem("stray_field", stored, message, delete)
        else:
            found = list(self._value(key, record, stored, data, put))
            is_read = all(problem.kind != "undecodable" for problem in found)
            yield from found
            if former is not None and is_read:
                yield self._former(key, cls, former, data, delete)

    def _former(self, key: Key, cls: type[Record], former: Former, data: bytes, delete: _Delete) -> Problem:
        """Return the fault of a readable field under a former name."""
        name, was = former.field.stored, former.was.stored
        store = cls.__pc__.declared(self._backend)
        try:
            if isinstance(store, DeclaredStore):
                store.values(key, [name], [data if each == was else None for each in store.names(key, [name])])
        except DecodeError as error:
            return Problem("undecodable", was, f"the value is not converted: {error}", delete)
        message = f"it is the former name of {former.field.name!r}; {_MIGRATE}"
        return Problem("former_field", was, message, partial(self._migrate, cls, key))

    def _moved(self, key: Key, cls: type[Record], place: str | None, message: str) -> Problem:
        """Return the fault of a field that is stored as a child, or of a child that is stored as a field."""
        outcome = RecordMigrator(cls, self._backend).one(key, dry_run=True)
        if isinstance(outcome, PersistentCollectionsError):
            return Problem("former_field", place, f"{message}, and cannot be moved: {outcome}")
        return Problem("former_field", place, f"{message}; {_MIGRATE}", partial(self._migrate, cls, key))

    def _migrate(self, cls: type[Record], key: Key) -> bool:
        """Store the content of a key as it is declared, and return whether that succeeded."""
        return not isinstance(RecordMigrator(cls, self._backend).one(key), PersistentCollectionsError)

    def _text(self, key: Key, example: Example, place: str | None, text: str, delete: _Delete) -> Iterator[Problem]:
        """Yield the faults of a dict key or a set member; the fields of a record are neither."""
        if isinstance(example, PersistentCollection):
            kind = (type(example), key.child)
            if kind not in self._text_decoders:
                self._text_decoders[kind] = key_codec(example.__pc__.declared(0), self._references).decode
            what = "a member" if place is None else "the key"
            yield from self._met_in(what, place, partial(self._text_decoders[kind], text), delete)

    def _put_field(self, key: Key, example: Example, field: str, data: bytes, becomes: bytes | None) -> object:
        is_record = key.child is None and isinstance(example, Record)
        return self._backend.mapping(key, is_record=is_record).compare_and_set(field, data, becomes)

    def _put_item(self, key: Key, index: int, data: bytes, becomes: bytes | None) -> object:
        items = self._backend.sequence(key)
        return items.pop(index, data) if becomes is None else items.compare_and_set(index, data, becomes)

    def _value(self, key: Key, example: Example, place: str | int, data: bytes, put: _Put) -> Iterator[Problem]:
        codec = self._codec(key, example, place)
        keep = _KEEP
        if isinstance(example, Record) and self._declared(example, str(place)) is not Password:
            keep += f", or let a field of another name convert it: Annotated[…, formerly({place!r}, old_type, convert)]"
        with former_fields() as met:
            yield from self._met_in("the value", place, partial(codec.decode, data), partial(put, None), keep)
        if met:
            renew = partial(self._migrate, type(example), key) if isinstance(example, Record) else None
            message = f"the value holds fields under former names; {_MIGRATE}"
            yield Problem("former_field", place, message, renew or (lambda: put(renewed(codec, data))))

    def _met_in(
        self, what: str, place: str | int | None, decode: Callable[[], Any], delete: _Delete, keep: str = _KEEP
    ) -> Iterator[Problem]:
        """Yield the faults of a text or bytes, and of the references found in them."""
        self._met.clear()
        try:
            value = decode()
        except DecodeError as error:
            yield Problem("undecodable", place, f"{what} cannot be decoded: {error}; {keep}", delete)
            return
        for target in {handle.key: handle for handle in self._met if isinstance(handle, Record)}.values():
            if target.key not in self.listed and not self._looked(target):
                is_all = isinstance(value, PersistentObject)
                message = f"{what} refers to {target.key!r}, which does not exist; create that, or refer to another"
                yield Problem("dangling", place, message, delete if is_all else None)

    def _codec(self, key: Key, example: Example, place: str | int) -> Codec:
        codec = self._known.codecs(key)(place) or get_codec("json")
        field = str(place) if isinstance(example, Record) else None
        kind = (codec, type(example), key.child, field)
        if kind not in self._codecs:
            declared = self._declared(example, field)
            self._codecs[kind] = fit(codec.bind(declared, self._references), self._backend.medium)
        return self._codecs[kind]

    def _declared(self, example: Example, field: str | None) -> Any:
        """Return the declared type of a field's value; of each item, if ``place`` is None."""
        if isinstance(example, PersistentCollection):
            return example.__pc__.declared(-1)
        former = self._known.former(type(example)).get(str(field))
        return (former.was if former else self._known.fields(type(example))[str(field)]).declared

    def _delete(self, key: Key) -> bool:
        return self._backend.commit([Exists(key)], [Delete(key)])


def _is_there(record: Record) -> bool:
    """Return whether a record exists; one that cannot be read does, and is found under its own key."""
    try:
        return bool(record)
    except CorruptDataError:
        return True

"""A view of a store for a class with renamed fields: each field appears under its current name.

New code deletes a former field whenever it writes the new one. So if both are stored, old code wrote last, and the
former field is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec

from persistent_collections.backends.base import PAGE_SIZE, Backend, Examined, Wanted
from persistent_collections.backends.building import claims_of
from persistent_collections.backends.changes import Change, Condition, Delete, Exists, FieldsAre, SetEntries, SetFields
from persistent_collections.backends.handles import MappingStore
from persistent_collections.backends.indexes import EntryKey, Index, Indexing, not_unique
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING, Shape
from persistent_collections.backends.wrappers.base import WrappedBackend
from persistent_collections.collections.core import located
from persistent_collections.collections.increments import add_unless_changed
from persistent_collections.collections.retrying import attempts
from persistent_collections.errors import DecodeError, NotUnique, ObjectNotFound
from persistent_collections.transactions.overlay import real


class Former(msgspec.Struct, frozen=True):
    """A former name of a field.

    Attributes:
        name: The name.
        field: The current name of the field.
        convert: Returns the current bytes of the field, None if it is stored as unset, from the bytes of the
            former field. Raises ``DecodeError``.
    """

    name: str
    field: str
    convert: Callable[[bytes], bytes | None]


Formers: TypeAlias = Mapping[str, Sequence[Former]]
"""The former names of the fields of one class, by their names in the store; the oldest former name comes first.

Code with a later name deletes the older ones when it writes. So if several are stored, the oldest was written last."""


class _Doubtful(msgspec.Struct, frozen=True):
    """A condition about fields that may be stored under former names.

    Attributes:
        condition: As the class makes it.
        stored: All values known to be stored under the current and former names of the fields.
    """

    condition: FieldsAre
    stored: Mapping[str, bytes | None]

    @property
    def former(self) -> bool:
        """Whether anything is stored under a former name."""
        return any(self.stored[name] is not None for name in self.stored.keys() - self.condition.fields)


Convert: TypeAlias = Callable[["DeclaredStore", Key, Sequence[str]], bool]
"""Stores the fields of a record that an index orders by under their current names, together with all their index
entries; returns whether any exist."""


class DeclaredStore(WrappedBackend):
    """A view of a store for some classes.

    A field stored under a former name reads as its current bytes. A write deletes the former
    field in the same step. A step that depends on a former value stores the converted one. A snapshot is as it
    is stored.

    Args:
        backend: The store, or that of a transaction in it.
        formers: The former names, by the type names of the classes.
        convert: See :data:`Convert`; only needed for commits of records with indexes.

    Cost: As the store itself. If a commit is refused, and has a condition about such a field, 1 round trip more to read
    what is stored, and if it is stored under the former name, 1 more to commit again; 3 if an index orders by it.
    """

    def __init__(self, backend: Backend, formers: Mapping[str, Formers], convert: Convert | None = None) -> None:
        super().__init__(backend)
        self._formers = formers
        self._convert = convert

    def formers(self, key: Key) -> Formers:
        """Return the former names of the fields of a record; an empty result for any other key."""
        return {} if key.child is not None else self._formers.get(key.root.partition(":")[0], {})

    def names(self, key: Key, fields: Sequence[str]) -> list[str]:
        """Return the names to read for some fields of a record: current and former ones."""
        formers = self.formers(key)
        return [*fields, *(former.name for field in fields for former in formers.get(field, ()))]

    def values(self, key: Key, fields: Sequence[str], data: Sequence[bytes | None]) -> list[bytes | None]:
        """Return the bytes of some fields from the values stored under :meth:`names`.

        Raises:
            DecodeError: A former value can't be converted.
        """
        stored = dict(zip(self.names(key, fields), data, strict=True))
        formers = self.formers(key)
        return [self._value(key, stored, field, formers.get(field, ())) for field in fields]

    def written(self, key: Key, items: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """Return ``items``, set by a step, and the deletion of the former fields in the same step."""
        return {**dict.fromkeys(self.names(key, list(items))), **items}

    def renamed(self, key: Key, content: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the whole content of a record by the current names of its fields.

        A former value that can't be converted keeps its name.
        """
        found = dict(content)
        for field, formers in self.formers(key).items():
            names = [former.name for former in formers if former.name in content]
            with suppress(DecodeError):
                data = self._value(key, {**dict.fromkeys(self.names(key, [field])), **content}, field, formers)
                for name in names:
                    del found[name]
                if data is not None:
                    found[field] = data
        return found

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        handle = self.wrapped.open(shape, key, is_record=is_record)
        return DeclaredFields(self, key, handle) if shape is MAPPING and self.formers(key) else handle

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        found = self.wrapped.get_many([(key, self.names(key, fields)) for key, fields in wanted])
        return [self.values(key, fields, data) for (key, fields), data in zip(wanted, found, strict=True)]

    def examine(self, wanted: Sequence[Wanted]) -> list[Examined | None]:
        asked = [
            Wanted(each.key, self.names(each.key, each.fields), [*each.children, *self._former_children(each)])
            for each in wanted
        ]
        return [
            found and self._parts(each, found) for each, found in zip(wanted, self.wrapped.examine(asked), strict=True)
        ]

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        asked, others = self._parted(conditions)
        if not asked:
            return self._commit(conditions, changes)
        doubtful = [_Doubtful(each, self.written(each.key, each.fields)) for each in asked]
        for _ in attempts(str(asked[0].key)):
            if self._commit_doubtful(others, doubtful, changes):
                return True
            again = self._read(asked)
            if again == doubtful or not all(map(self._is_as_expected, again)):
                return False
            if not self._store_indexed(again, changes):
                doubtful = again
        raise AssertionError("attempts() ends by raising")

    def commit_once(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        return self.commit(conditions, changes)

    commit_each = Backend.commit_each

    def holder(self, indexing: Indexing, index: Index, entry: EntryKey, own: Key | None = None) -> Key | None:
        """Return a record, other than ``own``, with an entry key in a unique index, or None.

        For a store that compares bytes, and so misses values under former names. Only old code adds such values, so
        every entry that matters to new code is found.

        Cost: Reads all records of the class.
        """
        store = DeclaredStore(real(self.wrapped), self._formers)
        for key, found in store.entries_of(indexing, index):
            if found == entry and key != own and (self._is_outside or self._has(key, indexing, index, entry)):
                return key
        return None

    def entries_of(self, indexing: Indexing, index: Index) -> Iterator[tuple[Key, EntryKey]]:
        """Yield each record of a class, and its entry in an index."""
        keys = [key for key in self.keys(indexing.prefix, MAPPING) if key.child is None]
        for start in range(0, len(keys), PAGE_SIZE):
            page = keys[start : start + PAGE_SIZE]
            for key, data in zip(page, self.get_many([(key, index.fields) for key in page]), strict=True):
                yield key, indexing.key_of(index, data)

    @property
    def _is_outside(self) -> bool:
        """Whether it is not the store of a transaction, which may have changed stored values."""
        return real(self.wrapped) is self.wrapped

    def _has(self, key: Key, indexing: Indexing, index: Index, entry: EntryKey) -> bool:
        [data] = self.get_many([(key, index.fields)])
        return indexing.key_of(index, data) == entry

    def _value(
        self, key: Key, stored: Mapping[str, bytes | None], field: str, formers: Iterable[Former]
    ) -> bytes | None:
        for former in formers:
            data = stored[former.name]
            if data is not None:
                try:
                    return former.convert(data)
                except DecodeError as error:
                    part = f"field {former.field!r}, stored under its former name {former.name!r}, of "
                    raise located(error, part, key, self.wrapped) from error
        return stored[field]

    def _parted(self, conditions: Sequence[Condition]) -> tuple[list[FieldsAre], list[Condition]]:
        """Return the conditions about renamed fields, and the others."""
        asked, others = list[FieldsAre](), list[Condition]()
        for each in conditions:
            if isinstance(each, FieldsAre) and not self.formers(each.key).keys().isdisjoint(each.fields):
                asked.append(each)
            else:
                others.append(each)
        return asked, others

    def _former_children(self, wanted: Wanted) -> list[Key]:
        """Return the children under the former names of the fields that a condition requires not to be children."""
        formers = self.formers(wanted.key)
        names = [former.name for child in wanted.children for former in formers.get(str(child.child), ())]
        return [Key(wanted.key.root, name) for name in names]

    def _parts(self, wanted: Wanted, found: Examined) -> Examined:
        asked = [*wanted.children, *self._former_children(wanted)]
        exists = {str(child.child): there for child, there in zip(asked, found.children, strict=True)}
        children = [any(map(exists.get, self.names(wanted.key, [str(child.child)]))) for child in wanted.children]
        return Examined(self.values(wanted.key, wanted.fields, found.data), children)

    def _written(self, change: Change) -> Change:
        if isinstance(change, SetFields) and self.formers(change.key):
            return SetFields(change.key, self.written(change.key, change.items), change.is_record)
        return change

    def _read(self, conditions: Sequence[FieldsAre]) -> list[_Doubtful]:
        """Return conditions with the current content of the store."""
        asked = [(each.key, self.names(each.key, list(each.fields))) for each in conditions]
        found = self.wrapped.get_many(asked)
        return [
            _Doubtful(each, dict(zip(names, data, strict=True)))
            for each, (_, names), data in zip(conditions, asked, found, strict=True)
        ]

    def _is_as_expected(self, doubtful: _Doubtful) -> bool:
        key, fields = doubtful.condition.key, doubtful.condition.fields
        return self.values(key, list(fields), list(doubtful.stored.values())) == list(fields.values())

    def _commit_doubtful(
        self, conditions: Sequence[Condition], doubtful: Sequence[_Doubtful], changes: Sequence[Change]
    ) -> bool:
        known = [FieldsAre(each.condition.key, each.stored) for each in doubtful]
        return self._commit([*conditions, *known], [*self._conversions(doubtful, changes), *changes])

    def _conversions(self, doubtful: Sequence[_Doubtful], changes: Sequence[Change]) -> list[Change]:
        """Return the changes that store former values under the current names, except in records to be deleted."""
        return [
            SetFields(each.condition.key, self.written(each.condition.key, each.condition.fields), is_record=True)
            for each in self._to_convert(doubtful, changes)
        ]

    def _to_convert(self, doubtful: Sequence[_Doubtful], changes: Sequence[Change]) -> list[_Doubtful]:
        gone = {change.key for change in changes if isinstance(change, Delete)}
        return [each for each in doubtful if each.condition.key not in gone and each.former]

    def _store_indexed(self, doubtful: Sequence[_Doubtful], changes: Sequence[Change]) -> bool:
        """Store indexed fields under their current names, and return whether any had to be stored.

        It is a step of its own, since it changes the entries of all their indexes.
        """
        found = False
        for each in self._to_convert(doubtful, changes):
            key, stored, convert = each.condition.key, each.stored, self._convert
            fields = [field for field in each.condition.fields if any(map(stored.get, self.names(key, [field])[1:]))]
            found = (convert is not None and convert(self, key, fields)) or found
        return found

    def _commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        taken = self._taken(changes) if self.indexing == "unique" else None
        if taken is not None and self.wrapped.commit(conditions, []):
            raise taken
        return self.wrapped.commit(conditions, list(map(self._written, changes)))

    def _taken(self, changes: Sequence[Change]) -> NotUnique | None:
        """Return the error if another record has, under a former name, a value that ``changes`` claim; else None."""
        for change in changes:
            if not isinstance(change, SetEntries):
                continue
            for name, entry in claims_of(change).items():
                index = change.indexing.index(name)
                is_known = self.formers(change.key).keys().isdisjoint(index.fields)
                other = None if is_known else self.holder(change.indexing, index, entry, change.key)
                if other is not None:
                    return not_unique(change.key, index, other)
        return None


class DeclaredFields:
    """The handle of the fields of a record, by their current names.

    Cost: As the store's handle; ``increment`` of a field that had another name is a read and a write.
    """

    def __init__(self, store: DeclaredStore, key: Key, handle: MappingStore) -> None:
        self._store = store
        self._key = key
        self._handle = handle
        self._formers = store.formers(key)

    def get(self, field: str) -> bytes | None:
        """Return the bytes of a field."""
        return self.get_many([field])[0] if field in self._formers else self._handle.get(field)

    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        """Return the bytes of fields."""
        data = self._handle.get_many(self._store.names(self._key, fields))
        return self._store.values(self._key, fields, data)

    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        """Set fields, and delete the former ones, in one step."""
        self._handle.set_many(self._store.written(self._key, items))

    def delete(self, field: str) -> bool:
        """Unset a field, whatever it is called."""
        if field not in self._formers:
            return self._handle.delete(field)
        self.set_many({field: None})
        return True

    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        """Set a field if it still holds ``expected``, whatever it is called."""
        if field not in self._formers:
            return self._handle.compare_and_set(field, expected, data)
        key = self._key
        change = SetFields(key, {field: data}, is_record=True)
        if self._store.commit([Exists(key), FieldsAre(key, {field: expected})], [change]):
            return True
        if self._store.look([key]) == [None]:
            raise ObjectNotFound(f"{str(key)!r} does not exist in {self._store.url}")
        return False

    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        """Add to the integer in a field, whatever it is called."""
        if field not in self._formers:
            return self._handle.increment(field, by, initial)
        return add_unless_changed(self, f"{field!r} of {self._key}", field, by, initial)


def as_declared(backend: Backend, formers: Mapping[str, Formers | None], convert: Convert | None = None) -> Backend:
    """Return a store as classes see it: the store itself, if none of their fields had another name.

    Args:
        backend: The store, or that of a transaction in it.
        formers: The former names, by the type names of the classes.
        convert: As for :class:`DeclaredStore`.
    """
    known = {type_name: names for type_name, names in formers.items() if names}
    return DeclaredStore(backend, known, convert) if known else backend

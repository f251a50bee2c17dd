"""The indexes of a record class in one store, and writes that keep their entries equal to the record's fields."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from persistent_collections.backends.base import Backend
from persistent_collections.backends.building import anyway, claims_of, commit_with_indexes
from persistent_collections.backends.changes import Change, Condition, Exists, FieldsAre, SetEntries, SetFields
from persistent_collections.backends.handles import MappingStore
from persistent_collections.backends.indexes import EntryKey, Index, Indexing
from persistent_collections.backends.keys import Key
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.fit import from_json_text
from persistent_collections.codecs.order import NONE_KEY, Order, text_key
from persistent_collections.collections.core import core_of
from persistent_collections.collections.formers import DeclaredStore
from persistent_collections.collections.increments import add_unless_changed
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.collections.retrying import attempts
from persistent_collections.errors import (
    ConfigurationError,
    DecodeError,
    EncodeError,
    ObjectNotFound,
    PersistentCollectionsError,
)
from persistent_collections.marks import Policy
from persistent_collections.records.groups import Group

_REMEMBERED_S: Final = 30.0
"""For so many seconds after it found an incomplete index, a process writes entries without asking again."""

_PLAIN: Final = frozenset({int, float, str})
"""The types of most values; they have an order key of their own."""

_BARE: Final = frozenset({"str", "reference"})
"""The codecs that store texts unchanged."""


class OrderedField(msgspec.Struct, frozen=True):
    """A field that indexes order by, in one store.

    Attributes:
        name: As declared.
        stored: Its name in the store.
        order: How its values are ordered.
        codec: Turns its values into bytes.
        unset: Its value while nothing is stored.
        default: The bytes stored when its value is deleted, None if the field is then unset.
        policy: What happens to a record when the record that this field refers to is deleted. If set, a write requires
            that the latter exists.
    """

    name: str
    stored: str
    order: Order
    codec: Codec
    unset: Any
    default: bytes | None
    policy: Policy | None

    def key(self, data: bytes | None) -> bytes:
        """Return the order key of stored bytes.

        Raises:
            DecodeError: The codec does not write such bytes.
            EncodeError: The value can't be ordered.
        """
        try:
            if data is None:
                return self.order.key(_plain(self.unset))
            codec = self.codec
            if codec.name in _BARE:
                return text_key(data if codec.format == "text" else from_json_text(data, "text"))
            value = codec.decode(data)
            return self.order.of_value(value) if type(value) in _PLAIN else self.order.key(_plain(value))
        except EncodeError as error:
            raise EncodeError(f"field {self.name!r}: {error}") from None
        except (DecodeError, ValueError) as error:
            raise DecodeError(f"field {self.name!r}: {error}") from error


UNORDERED: Final = (DecodeError, EncodeError)
"""The errors of stored fields that cannot be put in order; :func:`unreadable` adds the record."""


def unreadable(key: Key, error: PersistentCollectionsError) -> DecodeError:
    """Return the error of a record with such a field."""
    return DecodeError(f"{str(key)!r} cannot be read: {error.problem}")


def _plain(value: Any) -> Any:
    return value.key if isinstance(value, PersistentObject) else value


class Addition(msgspec.Struct, frozen=True):
    """The additional parts of a write besides its own conditions and changes.

    Attributes:
        known: Fields that were read, which must still hold these bytes.
        changes: The entries that change.
    """

    known: Mapping[str, bytes | None]
    changes: Sequence[Change]


class Indexed(msgspec.Struct):
    """The indexes of a record class in one store.

    Attributes:
        fields: The fields that indexes order by, by their names there.
        indexing: The indexes, as stores know them.
        kept: The indexes that the store maintains or compares: all, or only the unique ones.
        policed: The fields with ``on_delete``.
        uses: A cache of which index answers queries, by their kind.
    """

    fields: Mapping[str, OrderedField]
    indexing: Indexing
    kept: tuple[Index, ...]
    policed: tuple[str, ...] = ()
    uses: dict[Any, Any] = msgspec.field(default_factory=dict)
    _unbuilt_until_s: float = 0.0

    def touches(self, items: Iterable[str]) -> bool:
        """Return whether entries change with the fields of these names in the store."""
        return not self.fields.keys().isdisjoint(items)

    def targets(self, items: Mapping[str, bytes | None]) -> set[Key]:
        """Return the keys of the records to which fields with ``on_delete`` refer."""
        given = [(self.fields[name], items.get(name)) for name in self.policed]
        values = [field.codec.decode(data) for field, data in given if data is not None]
        return {core.key for core in map(core_of, values) if core is not None}

    def key_of(self, index: Index, data: Sequence[bytes | None]) -> EntryKey:
        """Return a record's index entry for the bytes of its fields.

        In a unique index, an entry that claims its key differs from one that doesn't, such as for an unset field.
        """
        if len(data) == 1:
            key = self.fields[index.fields[0]].key(data[0])
            is_set = data[0] is not None and key != NONE_KEY
        else:
            parts = [self.fields[name].key(each) for name, each in zip(index.fields, data, strict=True)]
            key, is_set = b"".join(parts), None not in data and NONE_KEY not in parts
        return EntryKey(key + (b"\1" if is_set else b"\0"), is_set) if index.unique else EntryKey(key)

    def around(self, fields: Iterable[str]) -> list[Index]:
        """Return the indexes that order by any of ``fields``, and all indexes that share a field with one of these."""
        found, names = list[Index](), set(fields)
        while more := [index for index in self.kept if index not in found and not names.isdisjoint(index.fields)]:
            found += more
            names.update(name for index in more for name in index.fields)
        return found

    def entries_of(self, key: Key, indexes: Iterable[Index], data: Mapping[str, bytes | None]) -> dict[str, EntryKey]:
        """Return what :meth:`entries` does, of a record that was read.

        Raises:
            DecodeError: A field cannot be put in order; the error names the record.
        """
        try:
            return self.entries(indexes, data)
        except UNORDERED as error:
            raise unreadable(key, error) from error

    def entries(self, indexes: Iterable[Index], data: Mapping[str, bytes | None]) -> dict[str, EntryKey]:
        """Return the entries of a record with the content ``data`` in each of some indexes."""
        found: dict[str, EntryKey] = {}
        for index in indexes:  # runs per saved record: a comprehension within one would be a call for each
            names = index.fields
            held = [data.get(names[0])] if len(names) == 1 else [data.get(name) for name in names]
            found[index.name] = self.key_of(index, held)
        return found

    def plan(
        self, backend: Backend, key: Key, items: Mapping[str, bytes | None], initial: Mapping[str, bytes] | None
    ) -> Addition:
        """Return the additional parts of a write that sets fields of an existing record, or creates it.

        Args:
            backend: The store, or that of a transaction in it.
            key: The record's own.
            items: The fields that it sets.
            initial: The initial content of the record if the write creates it, None if it doesn't.

        Cost: 1 round trip if only some of the fields of an index are set; otherwise none.
        """
        self._require_order({**(initial or {}), **items})
        when_made = {} if initial is None else self.entries(self.kept, initial)
        known, entries = self._changed(backend, key, items) if self.touches(items) else ({}, {})
        is_needed = bool(entries or when_made)
        return Addition(known, [SetEntries(key, self.indexing, entries, when_made)] if is_needed else [])

    def _require_order(self, items: Mapping[str, bytes | None]) -> None:
        """Raise ``EncodeError`` for a value that can't be ordered, also where the store keeps no index of its field."""
        kept = {name for index in self.kept for name in index.fields}
        for name in (items.keys() & self.fields.keys()) - kept:
            self.fields[name].key(items[name])

    def _changed(
        self, backend: Backend, key: Key, items: Mapping[str, bytes | None]
    ) -> tuple[Mapping[str, bytes | None], dict[str, EntryKey]]:
        """Return the fields that had to be read, and the entries of a record that change with ``items``."""
        changed = [index for index in self.kept if not items.keys().isdisjoint(index.fields)]
        ordered = {name for index in changed for name in index.fields}
        others = sorted(ordered - items.keys())
        known = dict(zip(others, backend.mapping(key).get_many(others) if others else [], strict=True))
        return known, self.entries(changed, {**known, **items})

    def commit(self, backend: Backend, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        """Commit changes that set entries; a new index of a class without records is complete from now on.

        Raises:
            SchemaChangedError: An index that has to be unique is not whole.
        """
        if time.monotonic() < self._unbuilt_until_s and not any(map(claims_of, changes)):
            return backend.commit(conditions, list(map(anyway, changes)))
        made = commit_with_indexes(backend, backend.commit, conditions, changes)
        if not made.is_whole:
            self._unbuilt_until_s = time.monotonic() + _REMEMBERED_S
        return made.is_done


def commit(
    indexed: Indexed,
    backend: Backend,
    key: Key,
    conditions: Sequence[Condition],
    changes: Sequence[Change],
    *,
    items: Mapping[str, bytes | None],
    initial: Mapping[str, bytes] | None = None,
) -> bool:
    """Change a record, and its index entries accordingly, if all conditions hold; return whether they did.

    Args:
        indexed: Its indexes.
        backend: The store, or that of a transaction in it.
        key: The record's own.
        conditions: The conditions of the step.
        changes: The changes of the step.
        items: The fields that ``changes`` set.
        initial: The initial content of the record if ``changes`` create it.

    Raises:
        NotUnique: Another record has a value that must be unique; nothing was done.
        ObjectNotFound: The target of a reference with ``on_delete`` does not exist; nothing was done.
    """
    targets = indexed.targets({**(initial or {}), **items}) - {key} if indexed.policed else set()
    if not backend.several_roots:  # looks, and acts then
        _require(backend, key, targets)
        targets = set()
    for _ in attempts(key):
        plan = indexed.plan(backend, key, items, initial)
        expected: list[Condition] = [FieldsAre(key, plan.known)] if plan.known else []
        expected += map(Exists, targets)
        if indexed.commit(backend, [*conditions, *expected], [*changes, *plan.changes]):
            return True
        _require(backend, key, targets)
        known = list(plan.known)
        if not known or backend.mapping(key).get_many(known) == list(plan.known.values()):
            return False
    raise AssertionError("attempts() ends by raising")


def _require(backend: Backend, key: Key, targets: Collection[Key]) -> None:
    """Raise unless the targets of a record's references exist."""
    keys = list(targets)
    for target, found in zip(keys, backend.look(keys) if keys else (), strict=True):
        if found is None:
            raise ObjectNotFound(
                f"{str(target)!r} does not exist in {backend.url}, so {str(key)!r} cannot refer to it; nothing was "
                "written"
            )


def store_converted(indexed: Indexed, store: DeclaredStore, key: Key, fields: Sequence[str]) -> bool:
    """Store the indexed ones of ``fields`` under their current names, with all their entries.

    Fields of the same indexes are stored in the same way. Nothing is done if one changes meanwhile.

    Returns:
        Whether an index orders by any of them.

    Raises:
        NotUnique: Another record has a value that must be unique; nothing was done.
    """
    indexes = indexed.around(fields)
    if not indexes:
        return False
    wanted = list(dict.fromkeys(field for index in indexes for field in index.fields))
    names = store.names(key, wanted)
    [data] = store.wrapped.get_many([(key, names)])
    known = dict(zip(names, data, strict=True))
    values = dict(zip(wanted, store.values(key, wanted, data), strict=True))
    entries = SetEntries(key, indexed.indexing, indexed.entries(indexes, values), {}, anyway=True)
    items = SetFields(key, store.written(key, values), is_record=True)
    store.wrapped.commit([Exists(key), FieldsAre(key, known)], [items, entries])
    return True


class IndexedFields:
    """The handle of the fields of a record that has indexes; writes of other fields are the store's own.

    Cost: as the store's handle. If an index orders by several fields and one is set, 1 round trip more; ``increment``
    of a field that an index orders by is a read and a write.
    """

    def __init__(self, indexed: Indexed, backend: Backend, key: Key, handle: MappingStore) -> None:
        self._indexed = indexed
        self._backend = backend
        self._key = key
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._handle, name)
        setattr(self, name, method)
        return method

    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        """Set fields, and their entries, in one step."""
        if not self._indexed.touches(items):
            self._handle.set_many(items)
        elif not self._commit([], items):
            raise self._not_found()

    def delete(self, field: str) -> bool:
        """Unset a field; one that an index orders by is stored with its default."""
        known = self._indexed.fields.get(field)
        if known is None:
            return self._handle.delete(field)
        self.set_many({field: known.default})
        return True

    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        """Set a field, and its entries, in one step if it still holds ``expected``."""
        if not self._indexed.touches([field]):
            return self._handle.compare_and_set(field, expected, data)
        if self._commit([FieldsAre(self._key, {field: expected})], {field: data}):
            return True
        if self._backend.look([self._key]) == [None]:
            raise self._not_found()
        return False

    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        """Add to the integer in a field, and change its entries, if it did not change meanwhile."""
        if not self._indexed.touches([field]):
            return self._handle.increment(field, by, initial)
        return add_unless_changed(self, f"{field!r} of {self._key}", field, by, initial)

    def _commit(self, conditions: Sequence[Condition], items: Mapping[str, bytes | None]) -> bool:
        changes = [SetFields(self._key, items, is_record=True)]
        return commit(self._indexed, self._backend, self._key, [Exists(self._key), *conditions], changes, items=items)

    def _not_found(self) -> ObjectNotFound:
        return ObjectNotFound(f"{str(self._key)!r} does not exist in {self._backend.url}")


def indexed_in(backend: Backend, type_name: str, fields: Sequence[OrderedField], groups: Sequence[Group]) -> Indexed:
    """Return the indexes of a class in a store.

    Args:
        backend: The store.
        type_name: The type name of the class.
        fields: The fields that its indexes order by.
        groups: The fields of each index, by their declared names.

    Raises:
        ConfigurationError: The store can't keep a field unique.
    """
    by_name = {field.name: field for field in fields}
    indexes = tuple(_index(group, [by_name[name] for name in group.names]) for group in groups)
    found = Indexed({field.stored: field for field in fields}, Indexing(type_name, indexes, _unknown), ())
    found.indexing = Indexing(type_name, indexes, found.key_of)
    found.policed = tuple(field.stored for field in fields if field.policy)
    found.kept = _kept_in(backend, indexes)
    if found.kept and backend.indexing == "none":
        raise ConfigurationError(
            f"{backend.url}: cannot keep {' and '.join(found.kept[0].declared)!r} of {type_name} unique, since this "
            "store changes one object per step; drop the mark, or choose another store"
        )
    return found


def _kept_in(backend: Backend, indexes: tuple[Index, ...]) -> tuple[Index, ...]:
    """Return the indexes that a store maintains or compares."""
    return indexes if backend.indexing == "indexes" else tuple(index for index in indexes if index.unique)


def _unknown(index: Index, data: Sequence[bytes | None]) -> EntryKey:
    raise AssertionError(index, data)


def _index(group: Group, fields: Sequence[OrderedField]) -> Index:
    name = "+".join(f"{field.stored}.{field.order.name}" for field in fields)
    stored = tuple(field.stored for field in fields)
    return Index(f"{name}!" if group.unique else name, stored, group.unique, group.names)

"""Examines whether the indexes of a class match its records."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Final, Literal, NamedTuple

from persistent_collections.backends.base import Backend
from persistent_collections.backends.indexes import EntryKey, Index, Indexing, IndexStore, Place
from persistent_collections.backends.keys import Key
from persistent_collections.catalogue import Known
from persistent_collections.collections.fetching import UNREADABLE
from persistent_collections.errors import CorruptDataError, NotUnique, PersistentCollectionsError
from persistent_collections.records.core import RecordInfo
from persistent_collections.records.record import Record
from persistent_collections.records.reindexing import Stored, indexed_of, kept_of, put_right, reindex, stored_of

_UNBUILT: Final = "the index {} is not built, so find reads all records; the repair builds it, as reindex() does"
_DAMAGED: Final = (
    "the index {} has entries that this package did not write; the repair builds it anew, as reindex() does"
)
_MISSING: Final = "it has no entry in the index {}, so find skips it; the repair adds the entry"
_WRONG: Final = "it has an entry in the index {} for another value; the repair removes it"
_DUPLICATE: Final = "its {} must be unique, but {!r} has the same value; change one of them, or delete one"


class Fault(NamedTuple):
    """One fault.

    Attributes:
        kind: As in a finding.
        key: The record's; for an index that is not built, the start of the keys of its records.
        of: The index that it concerns.
        entry: The entry key.
        message: The description of the fault.
        is_harmless: Whether it isn't a fault, since find handles it and later writes remove it.
    """

    kind: Literal["unindexed", "stale_entry", "duplicate"]
    key: str
    of: Index
    entry: bytes
    message: str
    is_harmless: bool = False

    @property
    def place(self) -> str:
        """The fields."""
        return ", ".join(self.of.declared)


class IndexExaminer:
    """Finds the faults in the indexes of one class in a store.

    Args:
        info: The class.
        backend: The store.
    """

    def __init__(self, info: RecordInfo, backend: Backend) -> None:
        self._info = info
        self._backend = backend
        self._declared = info.declared(backend)
        self._indexed = indexed_of(info, backend)
        self._store = backend.index(self._indexed.indexing) if backend.indexing == "indexes" else None

    def faults(self) -> list[Fault]:
        """Return all faults.

        Others may write meanwhile. So if anything is wrong, everything is examined again, and only faults found both
        times are returned.
        """
        first = set(self._look())
        return [fault for fault in self._look() if fault in first] if first else []

    def repair(self, fault: Fault) -> bool:
        """Repair a fault, and return whether that succeeded; a unique value of two records is not repaired."""
        with suppress(NotUnique):
            if fault.key == self._indexed.indexing.prefix:
                return reindex(self._info, self._backend) > 0
            is_right = put_right(self._indexed, self._declared, Key(fault.key))
            if fault.kind != "stale_entry" or self._store is None:
                return is_right
            place = Place(fault.entry, fault.key.partition(":")[2])
            return self._store.discard(fault.of.name, place) or is_right
        return False

    def _look(self) -> list[Fault]:
        indexing = self._indexed.indexing
        met = _Met(indexing, self._store)
        try:
            for key, data in stored_of(self._indexed, self._declared):
                self._meet(met, key, data)
        except CorruptDataError:  # of the listing, which lacks records: their entries would seem to be stale
            return []
        return met.faults()

    def _meet(self, met: _Met, key: Key, data: Stored | PersistentCollectionsError) -> None:
        try:
            if isinstance(data, PersistentCollectionsError):
                raise data
            met.meet(key.root, self._indexed.entries_of(key, self._indexed.indexing.indexes, data))
        except UNREADABLE:
            met.pass_over(key.root)


def examiners(backend: Backend, known: Known, types: Collection[str], *, with_gone: bool) -> Iterator[IndexExaminer]:
    """Yield the examiner of each class with indexes, if the store supports indexes.

    Args:
        backend: The store.
        known: The classes.
        types: The types of which objects exist.
        with_gone: Whether to examine also types of which only entries exist.
    """
    if backend.indexing == "none":
        return
    for type_name in sorted(known.type_names):
        cls = known.class_of(f"{type_name}:")
        is_asked = type_name in types or (with_gone and kept_of(type_name, backend))
        if is_asked and cls and issubclass(cls, Record) and cls.__pc__.schema().groups:
            yield IndexExaminer(cls.__pc__, backend)


class _Met:
    """The records found so far, and the entries that none of them has.

    Args:
        indexing: The indexes of their class.
        store: The store's entries, if it keeps any.
    """

    def __init__(self, indexing: Indexing, store: IndexStore | None) -> None:
        states = store.states() if store else {}
        self._indexing = indexing
        self._store = store
        self._left: dict[Index, set[Place]] = {}
        self._damaged: set[Index] = set()
        for index in indexing.indexes:
            if store and states.get(index.name):
                try:
                    self._left[index] = set(store.entries(index.name))
                except CorruptDataError:
                    self._damaged.add(index)
        self._there: dict[str, bool] = {}
        self._holders: dict[tuple[Index, bytes], str] = {}
        self._faults: list[Fault] = []

    def meet(self, root: str, entries: Mapping[str, EntryKey]) -> None:
        """Note a record that has these entries by its fields."""
        self._there[root] = True
        for index in self._indexing.indexes:
            key, claims = entries[index.name]
            holder = self._holders.setdefault((index, key), root) if claims else root
            if holder != root:
                message = _DUPLICATE.format(" and ".join(index.declared), holder)
                self._faults.append(Fault("duplicate", root, index, key, message))
            if index in self._left and not self._take(index, Place(key, self._id(root))):
                self._faults.append(Fault("unindexed", root, index, key, _MISSING.format(index.name)))

    def pass_over(self, root: str) -> None:
        """Note a record whose fields can't be read."""
        self._there[root] = False

    def faults(self) -> list[Fault]:
        """Return all faults, when all records have been read."""
        return [*self._unbuilt(), *self._faults, *self._stale()]

    def _unbuilt(self) -> list[Fault]:
        if not (self._store and self._there):
            return []
        prefix = self._indexing.prefix
        return [
            Fault(
                "unindexed", prefix, index, b"", (_DAMAGED if index in self._damaged else _UNBUILT).format(index.name)
            )
            for index in self._indexing.indexes
            if index not in self._left
        ]

    def _stale(self) -> list[Fault]:
        """Return the entries that are left."""
        found = []
        for index, places in self._left.items():
            for key, ident in sorted(places):
                root = self._indexing.record(ident).root
                is_readable = self._there.get(root)
                is_wrong = is_readable and self._store is not None and self._store.exact
                if is_readable is not False:
                    message = _WRONG.format(index.name)
                    found.append(Fault("stale_entry", root, index, key, message, is_harmless=not is_wrong))
        return found

    def _take(self, index: Index, place: Place) -> bool:
        """Remove an entry from the remaining ones, and return whether it was there."""
        is_there = place in self._left[index]
        self._left[index].discard(place)
        return is_there

    def _id(self, root: str) -> str:
        return root.removeprefix(self._indexing.prefix)

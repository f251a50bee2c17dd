"""A full store that keeps indexes in memory, in the plainest way: what the suites and the front-end are tried on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from threading import RLock

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Change, Condition, Delete, HeldBy, Make, SetEntries
from persistent_collections.backends.indexes import (
    EntryKey,
    Hit,
    Indexing,
    IndexStore,
    IndexUnbuiltError,
    Page,
    Place,
    Support,
    not_unique,
)
from persistent_collections.backends.keys import Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.errors import WrongShapeError

Table = dict[str, bytes]


class IndexedMemory(MemoryBackend):
    """Entries by the id of their record, in a dict for each index."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name)
        self.lock = RLock()
        self.tables: dict[str, dict[str, Table]] = {}
        self.whole: dict[tuple[str, str], bool] = {}

    @property
    def indexing(self) -> Support:
        return "indexes"

    def index(self, indexing: Indexing) -> IndexStore:
        return MemoryIndexes(self, indexing)

    def exists(self, key: Key) -> bool:
        return self.look([key]) != [None]

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        with self.lock:
            plain = [each for each in conditions if not isinstance(each, HeldBy)]
            if not (super().commit(plain, []) and all(self._holds(each) for each in conditions if each not in plain)):
                return False
            made = {each.key for each in changes if isinstance(each, Make) and not self.exists(each.key)}
            gone = {each.key for each in changes if isinstance(each, Delete)} - {
                each.key for each in changes if isinstance(each, Make)
            }
            steps = [each for each in changes if isinstance(each, SetEntries)]
            new = {each.key: self._entries(each, made) for each in steps if each.key not in gone}
            for step in steps:
                self._require_unique(step, new, gone)
            super().commit(plain, [each for each in changes if not isinstance(each, SetEntries)])
            for change in changes:
                if isinstance(change, Delete) and change.indexing:
                    self._forget_entries(change.key)
            for key, entries in new.items():
                if self.exists(key):
                    self._put(key, entries, is_made=key in made)
            return True

    def _entries(self, step: SetEntries, made: set[Key]) -> Mapping[str, EntryKey]:
        entries = step.when_made if step.key in made else step.entries
        unbuilt = [name for name in entries if not self.whole.get((step.indexing.type_name, name))]
        if unbuilt and not step.anyway:
            raise IndexUnbuiltError(step.indexing, unbuilt)
        return entries if step.key in made or self.exists(step.key) else {}

    def _require_unique(self, step: SetEntries, new: Mapping[Key, Mapping[str, EntryKey]], gone: set[Key]) -> None:
        for name, entry in new.get(step.key, {}).items():
            table = self.table(step.indexing.type_name, name)
            others = {step.indexing.record(ident): key for ident, key in table.items()}
            for deleted in gone:
                others.pop(deleted, None)
            others |= {record: entries[name].key for record, entries in new.items() if name in entries}
            for other, key in others.items():
                is_held = entry.claims and other != step.key and key == entry.key
                if is_held and (self.exists(other) or other in new):
                    raise not_unique(step.key, step.indexing.index(name), other)

    def _holds(self, condition: HeldBy | object) -> bool:
        assert isinstance(condition, HeldBy)
        indexing, index = condition.indexing, condition.index
        if not self.whole.get((indexing.type_name, index)):
            raise IndexUnbuiltError(indexing, [index])
        ids = [ident for ident, key in self.table(indexing.type_name, index).items() if key == condition.entry]
        held = {indexing.record(ident) for ident in ids if self.exists(indexing.record(ident))}
        return held == ({condition.holder} if condition.holder else set())

    def _put(self, key: Key, entries: Mapping[str, EntryKey], *, is_made: bool) -> None:
        type_name, _, ident = key.root.partition(":")
        if is_made:
            self._forget_entries(key)
        for name, entry in entries.items():
            self.table(type_name, name)[ident] = entry.key

    def _forget_entries(self, key: Key) -> None:
        type_name, _, ident = key.root.partition(":")
        for table in self.tables.get(type_name, {}).values():
            with suppress(KeyError):
                del table[ident]

    def table(self, type_name: str, index: str) -> Table:
        return self.tables.setdefault(type_name, {}).setdefault(index, {})


class MemoryIndexes(IndexStore):
    def __init__(self, backend: IndexedMemory, indexing: Indexing) -> None:
        self._backend = backend
        self._indexing = indexing

    def find(
        self,
        index: str,
        low: bytes,
        high: bytes,
        limit: int,
        *,
        after: Place | None = None,
        backwards: bool = False,
        fields: Sequence[str] = (),
    ) -> Page | None:
        if not self._is_whole(index):
            return None
        places = self._places(index, low, high, backwards=backwards)
        if after is not None:
            beyond = _sorting(after)
            places = [each for each in places if (_sorting(each) < beyond if backwards else _sorting(each) > beyond)]
        page = list(islice(places, limit))
        data = {each: self._read(self._indexing.record(each.id)) for each in page}
        hits = [Hit(each, [data[each].get(field) for field in fields]) for each in page if data[each]]
        return Page(hits, page[-1] if len(places) > limit else None)

    def count(self, index: str, low: bytes, high: bytes) -> int | None:
        if not self._is_whole(index):
            return None
        return sum(self._backend.exists(self._indexing.record(place.id)) for place in self._places(index, low, high))

    def states(self) -> Mapping[str, bool]:
        type_name = self._indexing.type_name
        tables = [name for name, table in self._backend.tables.get(type_name, {}).items() if table]
        marked = {name: whole for (kind, name), whole in self._backend.whole.items() if kind == type_name}
        return {**dict.fromkeys(tables, False), **marked}

    def mark(self, names: Sequence[str], *, whole: bool, only_new: bool = False) -> None:
        known = self.states()
        for name in names:
            if not (only_new and name in known):
                self._backend.whole[self._indexing.type_name, name] = whole

    def drop(self, names: Sequence[str]) -> None:
        for name in names:
            self._backend.tables.get(self._indexing.type_name, {}).pop(name, None)
            self._backend.whole.pop((self._indexing.type_name, name), None)

    def discard(self, index: str, place: Place) -> bool:
        table = self._backend.table(self._indexing.type_name, index)
        is_there = table.get(place.id) == place.key and not self._backend.exists(self._indexing.record(place.id))
        if is_there:
            del table[place.id]
        return is_there

    def entries(self, index: str) -> Iterator[Place]:
        return iter(self._places(index, b"", b"\xff"))

    def _read(self, key: Key) -> Mapping[str, bytes]:
        backend: Backend = self._backend
        try:
            return backend.mapping(key).get_all()
        except WrongShapeError:
            return {}

    def _is_whole(self, index: str) -> bool:
        return self._backend.whole.get((self._indexing.type_name, index), False)

    def _places(self, index: str, low: bytes, high: bytes, *, backwards: bool = False) -> list[Place]:
        table = self._backend.table(self._indexing.type_name, index)
        found = [Place(key, ident) for ident, key in table.items() if low <= key < high]
        return sorted(found, key=_sorting, reverse=backwards)


def _sorting(place: Place) -> tuple[bytes, bytes]:
    return place.key, place.id.encode()

"""Backends that each break one promise, for the suites to catch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from persistent_collections.backends.base import Found
from persistent_collections.backends.changes import Change, Condition, Delete, Make, SetDeadline, SetFields
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape
from persistent_collections.backends.simple import (
    HANDLES,
    SimpleBackend,
    SimpleMapping,
    SimpleMembers,
    SimpleSequence,
    Step,
)


class LosesUpdates(MemoryBackend):
    """Reads and writes in two steps."""

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        found = {key: self.read(key) for key in keys}
        time.sleep(0)
        changed = step(found)
        super().transform(keys, lambda _: changed)


class KeepsTheFirst(MemoryBackend):
    """Loses each write to a key that holds something."""

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        super().transform(keys, lambda stored: {key: e for key, e in step(stored).items() if stored[key] is None})


class _TakesEmptyForAbsent(SimpleMapping):
    def get(self, field: str) -> bytes | None:
        return super().get(field) or None


class TakesEmptyForAbsent(MemoryBackend):
    """Says None of a field that holds no bytes."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _TakesEmptyForAbsent if shape is MAPPING else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _RepeatsWhilePaging(SimpleMapping):
    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        start, size = 0, 1000
        while page := list(self.get_all().items())[start : start + size]:
            yield page
            start += size - 1


class RepeatsWhilePaging(MemoryBackend):
    """Starts each page with the last field of the one before."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _RepeatsWhilePaging if shape is MAPPING else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _SkipsWhilePaging(SimpleMembers):
    def pages(self) -> Iterator[list[str]]:
        start, size = 0, 1000
        while page := sorted(self.get_all())[start : start + size]:
            yield page
            start += size


class SkipsWhilePaging(MemoryBackend):
    """Pages by position, which moves while others come and go."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _SkipsWhilePaging if shape is MEMBERS else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class LooksKeyByKey(MemoryBackend):
    """Takes a snapshot of each key by itself."""

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        entries = []
        for key in keys:
            entries += super().snapshot([key])
            time.sleep(0)
        return entries


class LooksAtTheExpired(MemoryBackend):
    """Forgets deadlines where it looks."""

    def look(self, keys: Sequence[Key], *, sizes: bool = False) -> list[Found | None]:
        found = super().look(keys, sizes=sizes)
        return [now or (entry and Found(MAPPING)) for entry, now in zip(map(self.read, keys), found, strict=True)]


class LeavesHalf(MemoryBackend):
    """Makes the changes of one step one by one."""

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        return super().commit(conditions, []) and all(super(LeavesHalf, self).commit([], [each]) for each in changes)


class AsksBefore(MemoryBackend):
    """Asks the conditions of a step before the step."""

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        if not super().commit(conditions, []):
            return False
        time.sleep(0)
        return super().commit([], changes)


class MakesInTwoSteps(MemoryBackend):
    """Makes a record with one of its fields, and then sets the others."""

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        firsts = [
            replace(change, fields=dict(list(change.fields.items())[:1])) if isinstance(change, Make) else change
            for change in changes
        ]
        lasts = [SetFields(change.key, change.fields) for change in changes if isinstance(change, Make)]
        if not super().commit(conditions, firsts):
            return False
        time.sleep(0)
        return not lasts or super().commit([], lasts)


class LeavesOldChildren(MemoryBackend):
    """Deletes a record without what a class that it does not know declares."""

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        kept = [
            replace(change, children=())
            if isinstance(change, Make)
            else replace(change, children=None)
            if isinstance(change, Delete)
            else change
            for change in changes
        ]
        return super().commit(conditions, kept)


class _MakesOrphans(SimpleSequence):
    def __init__(self, backend: SimpleBackend, key: Key, *, is_record: bool = False) -> None:
        super().__init__(backend, key, is_record=is_record)
        self._guard = None


class MakesOrphans(MemoryBackend):
    """Writes children of owners that do not exist."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _MakesOrphans if shape is SEQUENCE else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _RevivesRecords(SimpleMapping):
    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        SimpleMapping(self._backend, self._key).set_many(items)


class RevivesRecords(MemoryBackend):
    """Sets fields of records that do not exist."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _RevivesRecords if shape is MAPPING else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _ForgetsTheMarker(SimpleMapping):
    def pop(self, field: str) -> bytes | None:
        return SimpleMapping(self._backend, self._key).pop(field)


class ForgetsTheMarker(MemoryBackend):
    """Lets a record vanish with its last field."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _ForgetsTheMarker if shape is MAPPING else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _ForgetsDeadlines(SimpleSequence):
    def replace(self, items: Sequence[bytes], expected: Sequence[bytes] | None = None) -> bool:
        return super().replace([], expected) and super().replace(items)


class ForgetsDeadlines(MemoryBackend):
    """Replaces by deleting and making anew."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _ForgetsDeadlines if shape is SEQUENCE else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class RoundsDeadlines(MemoryBackend):
    """Keeps whole seconds."""

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        def rounded(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            changed = step(stored)
            return {
                key: entry and Entry(entry.content, entry.deadline and float(int(entry.deadline)))
                for key, entry in changed.items()
            }

        super().transform(keys, rounded)


class OverwritesOtherShapes(MemoryBackend):
    """Deletes what a key holds when it is written as another shape."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        [found] = self.look([key])
        if found and found.shape is not shape:
            super().transform([key], lambda _: {key: None})
        return super().open(shape, key, is_record=is_record)


class _MarksWhatItDeletes(SimpleSequence):
    def pop(self, index: int, expected: bytes | None = None) -> bytes | None:
        item = self.get(index)
        if expected not in (None, item) or not self.set(index, b'"__DELETED__"'):
            return None
        self.remove(b'"__DELETED__"')
        return item


class MarksWhatItDeletes(MemoryBackend):
    """Deletes an item by a marker that could be data."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _MarksWhatItDeletes if shape is SEQUENCE else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _InsertsBeforeTheLast(SimpleSequence):
    def insert(self, index: int, data: bytes) -> None:
        super().insert(0 if index < 0 else index, data)


class InsertsNegativeFirst(MemoryBackend):
    """Takes every negative index of an insertion for the start."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _InsertsBeforeTheLast if shape is SEQUENCE else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _LeavesEmptied(SimpleMapping):
    def delete(self, field: str) -> bool:
        there = super().delete(field)
        if there and not self.size():
            self._backend.transform([self._key], lambda _: {self._key: Entry({})})
        return there


class LeavesEmptied(MemoryBackend):
    """Keeps a mapping whose last field was deleted."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _LeavesEmptied if shape is MAPPING else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class FoldsCase(MemoryBackend):
    """Takes keys that differ only in case for one, as some file systems do."""

    def read(self, key: Key) -> Entry | None:
        return super().read(self._folded(key))

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        def folded(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            changed = step({key: stored[self._folded(key)] for key in keys})
            return {self._folded(key): entry for key, entry in changed.items()}

        super().transform([self._folded(key) for key in keys], folded)

    def _folded(self, key: Key) -> Key:
        return Key(key.root.casefold(), key.child and key.child.casefold())


class ListsByPattern(MemoryBackend):
    """Lists the keys of other types too."""

    def stored_keys(self, prefix: str) -> Iterator[Key]:
        return super().stored_keys(prefix.rstrip(":"))


class _IgnoresOwners(SimpleMapping):
    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        super().set_many(items)
        self._backend.commit([], [SetDeadline(self._key, None)] if self._key.child else [])


class IgnoresOwners(MemoryBackend):
    """Makes every child without a deadline."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _IgnoresOwners if shape is MAPPING else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _GivesLeadingZeros(SimpleMapping):
    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        data = self.get(field)
        if data is not None and data.strip().isdigit():
            self.set_many({field: b"%d" % int(data)})
        return super().increment(field, by, initial)


class CountsLooselyWritten(MemoryBackend):
    """Takes for an integer what Python's ``int`` would."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _GivesLeadingZeros if shape is MAPPING else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _SetsOneByOne(SimpleMapping):
    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        for field, data in items.items():
            super().set_many({field: data})
            time.sleep(0)


class SetsOneByOne(MemoryBackend):
    """Sets several fields in as many steps."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _SetsOneByOne if shape is MAPPING else HANDLES[shape]
        return kind(self, key, is_record=is_record)


class _CountsAll(SimpleMembers):
    def add(self, members: AbstractSet[str]) -> int:
        super().add(members)
        return len(members)


class CountsAllAdded(MemoryBackend):
    """Counts members that were there already as added."""

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        kind = _CountsAll if shape is MEMBERS else HANDLES[shape]
        return kind(self, key, is_record=is_record)

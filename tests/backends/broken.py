"""Backends that each break one promise, for the suites to catch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from persistent_collections.backends.base import (
    Change,
    Description,
    Entry,
    Key,
    MappingStore,
    MemberStore,
    SequenceStore,
)
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.simple import (
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


class _TakesEmptyForAbsent(SimpleMapping):
    def get(self, field: str) -> bytes | None:
        return super().get(field) or None


class TakesEmptyForAbsent(MemoryBackend):
    """Says None of a field that holds no bytes."""

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        return _TakesEmptyForAbsent(self, key, kin, dict)


class _RepeatsWhilePaging(SimpleMapping):
    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        start, size = 0, 1000
        while page := list(self.get_all().items())[start : start + size]:
            yield page
            start += size - 1


class RepeatsWhilePaging(MemoryBackend):
    """Starts each page with the last field of the one before."""

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        return _RepeatsWhilePaging(self, key, kin, dict)


class _SkipsWhilePaging(SimpleMembers):
    def pages(self) -> Iterator[list[str]]:
        start, size = 0, 1000
        while page := sorted(self.get_all())[start : start + size]:
            yield page
            start += size


class SkipsWhilePaging(MemoryBackend):
    """Pages by position, which moves while others come and go."""

    def members(self, key: Key, kin: Sequence[Key] = ()) -> MemberStore:
        return _SkipsWhilePaging(self, key, kin, set)


class LooksKeyByKey(MemoryBackend):
    """Takes a snapshot of each key by itself."""

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        entries = []
        for key in keys:
            entries += super().snapshot([key])
            time.sleep(0)
        return entries


class DescribesTheExpired(MemoryBackend):
    """Forgets deadlines where it describes."""

    def describe(self, keys: Sequence[Key]) -> list[Description | None]:
        found = super().describe(keys)
        return [
            entry and (now or Description("mapping", 1)) for entry, now in zip(map(self.read, keys), found, strict=True)
        ]


class LeavesHalf(MemoryBackend):
    """Makes the changes of one step one by one."""

    def apply(self, changes: Sequence[Change], kin: Sequence[Key] = ()) -> list[bool]:
        return [found for change in changes for found in super(LeavesHalf, self).apply([change], kin)]


class _ForgetsDeadlines(SimpleSequence):
    def replace(self, items: Sequence[bytes]) -> None:
        super().replace([])
        super().replace(items)


class ForgetsDeadlines(MemoryBackend):
    """Replaces by deleting and making anew."""

    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        return _ForgetsDeadlines(self, key, kin, list)


class OverwritesOtherShapes(MemoryBackend):
    """Deletes what a key holds when it is written as another shape."""

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        if self.shape(key) not in (None, "mapping"):
            super().transform([key], lambda _: {key: None})
        return super().mapping(key, kin)


class _MarksWhatItDeletes(SimpleSequence):
    def delete(self, index: int, expected: bytes | None = None) -> bool:
        if expected not in (None, self.get(index)) or not self.set(index, b'"__DELETED__"'):
            return False
        return self.remove(b'"__DELETED__"')


class MarksWhatItDeletes(MemoryBackend):
    """Deletes an item by a marker that could be data."""

    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        return _MarksWhatItDeletes(self, key, kin, list)


class _InsertsBeforeTheLast(SimpleSequence):
    def insert(self, index: int, data: bytes) -> None:
        super().insert(0 if index < 0 else index, data)


class InsertsNegativeFirst(MemoryBackend):
    """Takes every negative index of an insertion for the start."""

    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        return _InsertsBeforeTheLast(self, key, kin, list)


class _LeavesEmptied(SimpleMapping):
    def delete(self, field: str) -> bool:
        there = super().delete(field)
        if there and not self.size():
            self._backend.transform([self._key], lambda _: {self._key: Entry({})})
        return there


class LeavesEmptied(MemoryBackend):
    """Keeps a mapping whose last field was deleted."""

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        return _LeavesEmptied(self, key, kin, dict)


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


class IgnoresKin(MemoryBackend):
    """Makes every key without a deadline."""

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        return super().mapping(key)


class _GivesLeadingZeros(SimpleMapping):
    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        data = self.get(field)
        if data is not None and data.strip().isdigit():
            self.set_many({field: b"%d" % int(data)})
        return super().increment(field, by, initial)


class CountsLooselyWritten(MemoryBackend):
    """Takes for an integer what Python's ``int`` would."""

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        return _GivesLeadingZeros(self, key, kin, dict)


class _SetsOneByOne(SimpleMapping):
    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        for field, data in items.items():
            super().set_many({field: data})
            time.sleep(0)


class SetsOneByOne(MemoryBackend):
    """Sets several fields in as many steps."""

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        return _SetsOneByOne(self, key, kin, dict)


class _CountsAll(SimpleMembers):
    def add(self, members: AbstractSet[str]) -> int:
        super().add(members)
        return len(members)


class CountsAllAdded(MemoryBackend):
    """Counts members that were there already as added."""

    def members(self, key: Key, kin: Sequence[Key] = ()) -> MemberStore:
        return _CountsAll(self, key, kin, set)

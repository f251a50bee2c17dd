"""The short way to a new store: read a content, transform contents, list keys, close.

A content is a plain ``dict`` of bytes, ``list`` of bytes or ``set`` of texts, and every method of the handles is
Python's own on top of it. Contents are values: whoever got one never changes it, so a reader needs no copy and a
transformation that fails halfway has done nothing.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final, Generic, TypeAlias, TypeVar

from persistent_collections.backends import integers
from persistent_collections.backends.base import (
    PAGE_SIZE,
    Backend,
    Change,
    Content,
    Delete,
    Description,
    Entry,
    Key,
    MappingStore,
    MemberStore,
    Replace,
    SequenceStore,
    SetDeadline,
    SetFields,
    SetOperation,
    Shape,
)
from persistent_collections.errors import CorruptDataError, WrongShapeError

C = TypeVar("C", bound=Content)
R = TypeVar("R")

SHAPES: Final[dict[type, Shape]] = {dict: "mapping", list: "sequence", set: "members"}


Step: TypeAlias = Callable[[Mapping[Key, Entry | None]], Mapping[Key, Entry | None]]


class SimpleBackend(Backend):
    """A store made of ``read``, ``transform``, ``stored_keys``, ``close`` and ``url``."""

    @abstractmethod
    def read(self, key: Key) -> Entry | None:
        """Return what ``key`` holds, whether or not its deadline has passed."""

    @abstractmethod
    def transform(self, keys: Sequence[Key], step: Step) -> None:
        """Put what ``step`` gives in place of what ``keys`` hold, as one atomic step.

        Args:
            keys: No key twice. Of several roots only where ``step`` changes nothing.
            step: Takes an entry or None of every key, of which it may ask only for some, so that a store may read each
                when it is asked for, and gives those of the keys to change. It is pure and may be called again; where
                it raises, nothing is written. An entry it gives back as it was needs no write.
        """

    @abstractmethod
    def stored_keys(self, prefix: str) -> Iterator[Key]:
        """Yield every key whose root starts with ``prefix``, whether or not its deadline has passed."""

    def read_many(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return what each of ``keys`` holds, all at one moment, whether or not a deadline has passed."""
        entries: list[Entry | None] = []

        def look(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            entries[:] = [stored[key] for key in keys]
            return {}

        self.transform(keys, look)
        return entries

    def reshape(self, key: Key, content: Content, shape: type[C]) -> C | None:
        """Return ``content`` as another shape where the medium does not tell the two apart, else None."""
        del key, content, shape
        return None

    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        return SimpleMapping(self, key, kin, dict)

    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        return SimpleSequence(self, key, kin, list)

    def members(self, key: Key, kin: Sequence[Key] = ()) -> MemberStore:
        return SimpleMembers(self, key, kin, set)

    def shape(self, key: Key) -> Shape | None:
        entry = _live(self.read(key))
        return SHAPES[type(entry.content)] if entry else None

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        return list(map(_live, self.read_many(keys)))

    def describe(self, keys: Sequence[Key]) -> list[Description | None]:
        return list(map(self._described, keys))

    def exists(self, keys: Sequence[Key]) -> bool:
        return any(map(_live, self.read_many(keys)))

    def keys(self, prefix: str) -> Iterator[Key]:
        return (key for key in self.stored_keys(prefix) if _live(self.read(key)))

    def ttl(self, keys: Sequence[Key]) -> float | None:
        return _left_s(_deadline(self.read_many(keys)))

    def apply(self, changes: Sequence[Change], kin: Sequence[Key] = ()) -> list[bool]:
        there: list[bool] = []

        def step(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            entries = {change.key: _live(stored[change.key]) for change in changes}
            there[:] = [entries[change.key] is not None for change in changes]
            if any(change.must_be_absent and found for change, found in zip(changes, there, strict=True)):
                return {}
            for change in changes:
                entries[change.key] = self._changed(change, entries[change.key], lambda: _inherited(stored, kin))
            return entries

        self.transform(list(dict.fromkeys([*kin, *(change.key for change in changes)])), step)
        return there

    def _described(self, key: Key) -> Description | None:
        try:
            entry = _live(self.read(key))
        except CorruptDataError:
            return Description(None)
        return entry and Description(SHAPES[type(entry.content)], len(entry.content), _left_s(entry.deadline))

    def content_as(self, key: Key, entry: Entry | None, shape: type[C]) -> C:
        """Return the content of ``entry``, empty if None.

        Raises:
            WrongShapeError: It has another shape.
        """
        if entry is None:
            return shape()
        content = entry.content if isinstance(entry.content, shape) else self.reshape(key, entry.content, shape)
        if content is None:
            raise WrongShapeError(
                f"{str(key)!r} holds a {SHAPES[type(entry.content)]}, not a {SHAPES[shape]}; "
                "open it as what it is, or choose another id"
            )
        return content

    def _changed(self, change: Change, entry: Entry | None, inherit: Callable[[], float | None]) -> Entry | None:
        content: Content
        match change:
            case Delete():
                return None
            case SetDeadline(ttl_s=ttl_s):
                return _live(Entry(entry.content, None if ttl_s is None else time.time() + ttl_s)) if entry else None
            case Replace():
                content = change.content.copy()
                self.content_as(change.key, entry, type(content))
            case SetFields(items=items):
                content = _updated(self.content_as(change.key, entry, dict), items)
        if entry and content is entry.content:
            return entry
        return Entry(content, entry.deadline if entry else inherit()) if content else None


class _Handle(Generic[C]):
    """One key of a simple store, read and changed as a content of one shape."""

    def __init__(self, backend: SimpleBackend, key: Key, kin: Sequence[Key], shape: type[C]) -> None:
        self._backend = backend
        self._key = key
        self._kin = kin
        self._shape: type[C] = shape

    def _read(self) -> C:
        return self._backend.content_as(self._key, _live(self._backend.read(self._key)), self._shape)

    def _change(self, function: Callable[[C], tuple[C, R]]) -> R:
        """Put the first of ``function(content)`` in place of the content and return the second.

        ``function`` changes nothing in place, and gives back the very content it got to write nothing.
        """
        results: list[R] = []

        def step(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            entry = _live(stored[self._key])
            before = self._backend.content_as(self._key, entry, self._shape)
            after, result = function(before)
            results[:] = [result]
            if after is before:
                return {}
            if not after:
                return {self._key: None}
            return {self._key: Entry(after, entry.deadline if entry else _inherited(stored, self._kin))}

        self._backend.transform(list(dict.fromkeys([self._key, *self._kin])), step)
        return results[0]


class SimpleMapping(_Handle[dict[str, bytes]], MappingStore):
    """A mapping as a ``dict``. Cost: O(1) to read a field, O(n) to write one."""

    def get(self, field: str) -> bytes | None:
        return self._read().get(field)

    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        return list(map(self._read().get, fields))

    def get_all(self) -> dict[str, bytes]:
        return self._read().copy()

    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        self._change(lambda fields: (_updated(fields, items), None))

    def add(self, field: str, data: bytes) -> bytes | None:
        return self._change(lambda fields: (fields if field in fields else {**fields, field: data}, fields.get(field)))

    def delete(self, field: str) -> bool:
        return self.pop(field) is not None

    def pop(self, field: str) -> bytes | None:
        return self._change(lambda fields: (_updated(fields, {field: None}), fields.get(field)))

    def pop_any(self) -> tuple[str, bytes] | None:
        def last(fields: dict[str, bytes]) -> tuple[dict[str, bytes], tuple[str, bytes] | None]:
            if not fields:
                return fields, None
            fields = fields.copy()
            item = fields.popitem()
            return fields, item

        return self._change(last)

    def contains(self, field: str) -> bool:
        return field in self._read()

    def size(self) -> int:
        return len(self._read())

    def replace(self, items: Mapping[str, bytes]) -> None:
        self._change(lambda _: (dict(items), None))

    def replace_if(self, expected: Mapping[str, bytes], items: Mapping[str, bytes]) -> bool:
        return self._change(lambda fields: (dict(items), True) if fields == expected else (fields, False))

    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        return self._change(
            lambda fields: (_updated(fields, {field: data}), True) if fields.get(field) == expected else (fields, False)
        )

    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        def add(fields: dict[str, bytes]) -> tuple[dict[str, bytes], int | None]:
            digits = fields.get(field, b"%d" % initial)
            total = integers.add(digits, by)
            if total is None:
                return fields, None
            return {**fields, field: b"%d" % total}, total

        return self._change(add)

    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        names = list(self._read())
        for start in range(0, len(names), PAGE_SIZE):
            fields = self._read()
            yield [(name, fields[name]) for name in names[start : start + PAGE_SIZE] if name in fields]


class SimpleSequence(_Handle[list[bytes]], SequenceStore):
    """A sequence as a ``list``. Cost: O(1) to read an item, O(n) to write one."""

    def size(self) -> int:
        return len(self._read())

    def get(self, index: int) -> bytes | None:
        with suppress(IndexError):
            return self._read()[index]
        return None

    def get_slice(self, where: slice) -> list[bytes]:
        return self._read()[where]

    def set(self, index: int, data: bytes) -> bool:
        return self._edit(lambda items: items.__setitem__(index, data))

    def compare_and_set(self, index: int, expected: bytes, data: bytes) -> bool:
        def swap(items: list[bytes]) -> None:
            if items[index] != expected:
                raise IndexError
            items[index] = data

        return self._edit(swap)

    def push_right(self, items: Sequence[bytes]) -> None:
        self._change(lambda old: ([*old, *items], None) if items else (old, None))

    def push_left(self, items: Sequence[bytes]) -> None:
        self._change(lambda old: ([*items, *old], None) if items else (old, None))

    def pop(self, index: int) -> bytes | None:
        popped: list[bytes] = []

        def take(items: list[bytes]) -> None:
            popped[:] = [items.pop(index)]

        return popped[0] if self._edit(take) else None

    def delete(self, index: int, expected: bytes | None = None) -> bool:
        def take(items: list[bytes]) -> None:
            if items.pop(index) != expected and expected is not None:
                raise IndexError

        return self._edit(take)

    def insert(self, index: int, data: bytes) -> None:
        self._edit(lambda items: items.insert(index, data))

    def splice(self, start: int | None, stop: int | None, items: Sequence[bytes]) -> None:
        self._edit(lambda old: old.__setitem__(slice(start, stop), items))

    def set_stride(self, where: slice, items: Sequence[bytes]) -> int:
        def fill(old: list[bytes]) -> tuple[list[bytes], int]:
            size = len(old[where])
            if size != len(items) or not items:
                return old, size
            old = old.copy()
            old[where] = items
            return old, size

        return self._change(fill)

    def delete_stride(self, where: slice) -> None:
        self._edit(lambda items: items.__delitem__(where))

    def find(self, data: bytes, start: int | None = None, stop: int | None = None) -> int | None:
        items = self._read()
        with suppress(ValueError):
            return items.index(data, *slice(start, stop).indices(len(items))[:2])
        return None

    def count(self, data: bytes) -> int:
        return self._read().count(data)

    def remove(self, data: bytes) -> bool:
        return self._edit(lambda items: items.remove(data))

    def repeat(self, times: int) -> None:
        self._change(lambda items: (items * times, None))

    def reverse(self) -> None:
        self._change(lambda items: (items[::-1], None))

    def replace(self, items: Sequence[bytes]) -> None:
        self._change(lambda _: (list(items), None))

    def replace_if(self, expected: Sequence[bytes], items: Sequence[bytes]) -> bool:
        return self._change(lambda old: (list(items), True) if old == list(expected) else (old, False))

    def _edit(self, function: Callable[[list[bytes]], object]) -> bool:
        """Let ``function`` change a copy of the items; write nothing and return False where it finds no item."""

        def edited(items: list[bytes]) -> tuple[list[bytes], bool]:
            copy = items.copy()
            try:
                function(copy)
            except (IndexError, OverflowError, ValueError):
                return items, False
            return copy, True

        return self._change(edited)


class SimpleMembers(_Handle[set[str]], MemberStore):
    """A set as a ``set``. Cost: O(1) to look for a member, O(n) to write one."""

    def contains(self, member: str) -> bool:
        return member in self._read()

    def size(self) -> int:
        return len(self._read())

    def get_all(self) -> set[str]:
        return self._read().copy()

    def add(self, members: AbstractSet[str]) -> int:
        return self._change(lambda old: (old | members, len(members - old)) if members - old else (old, 0))

    def remove(self, members: AbstractSet[str]) -> int:
        return self._change(lambda old: (old - members, len(old & members)) if old & members else (old, 0))

    def retain(self, members: AbstractSet[str]) -> None:
        self._change(lambda old: (old & members, None))

    def toggle(self, members: AbstractSet[str]) -> None:
        self._change(lambda old: (old ^ members, None))

    def pop_any(self) -> str | None:
        def some(old: set[str]) -> tuple[set[str], str | None]:
            member = next(iter(old), None)
            return (old, None) if member is None else (old - {member}, member)

        return self._change(some)

    def replace(self, members: AbstractSet[str]) -> None:
        self._change(lambda _: (set(members), None))

    def combine(self, operation: SetOperation, others: Sequence[Key]) -> set[str]:
        keys = list(dict.fromkeys([self._key, *others]))
        entries = dict(zip(keys, map(_live, self._backend.read_many(keys)), strict=True))
        first, *rest = (self._backend.content_as(key, entries[key], set) for key in [self._key, *others])
        return set(getattr(first, operation)(*rest))

    def pages(self) -> Iterator[list[str]]:
        members = list(self._read())
        for start in range(0, len(members), PAGE_SIZE):
            there = self._read()
            yield [member for member in members[start : start + PAGE_SIZE] if member in there]


def _live(entry: Entry | None) -> Entry | None:
    """Return ``entry`` unless its deadline has passed."""
    return None if entry is None or (entry.deadline is not None and entry.deadline <= time.time()) else entry


def _deadline(entries: Iterable[Entry | None]) -> float | None:
    """Return the deadline of the first entry that is there and alive."""
    return next((entry.deadline for entry in map(_live, entries) if entry), None)


def _left_s(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - time.time(), 0.0)


def _inherited(stored: Mapping[Key, Entry | None], kin: Iterable[Key]) -> float | None:
    """Return the deadline of the first of ``kin`` that is there, and ask for no others."""
    return _deadline(stored[key] for key in kin)


def _updated(fields: dict[str, bytes], items: Mapping[str, bytes | None]) -> dict[str, bytes]:
    """Return ``fields`` with ``items`` set, or deleted where None; ``fields`` itself where nothing changes."""
    if all(fields.get(field) == data for field, data in items.items()):
        return fields
    fields = fields.copy()
    for field, data in items.items():
        if data is None:
            fields.pop(field, None)
        else:
            fields[field] = data
    return fields

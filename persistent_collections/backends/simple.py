"""The easy way to a new store: read a content, transform contents, list keys, close.

A content is a plain ``dict`` of bytes, ``list`` of bytes or ``set`` of texts, and every method of the handles is
Python's own on top of it. Contents are immutable values, so a reader needs no copy and a
transformation that fails halfway has done nothing.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, Final, Generic, TypeAlias, TypeGuard, TypeVar, cast

from persistent_collections.backends import integers
from persistent_collections.backends.base import PAGE_SIZE, Backend, Found
from persistent_collections.backends.changes import (
    Change,
    Condition,
    ContentIs,
    Delete,
    Exists,
    HeldBy,
    Make,
    SetDeadline,
    SetEntries,
    SizeIs,
    keys_of,
)
from persistent_collections.backends.contents import agrees, changed, marked, shape_for, updated
from persistent_collections.backends.handles import MappingStore, MemberStore, SequenceStore, SetOperation
from persistent_collections.backends.indexes import Indexing, Support, not_unique
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content, Entry, Key
from persistent_collections.backends.media import is_alike, reshaped
from persistent_collections.backends.popped import last_part
from persistent_collections.backends.shapes import (
    MAPPING,
    MEMBERS,
    SEQUENCE,
    Shape,
    child_is_field,
    shape_of,
    wrong_shape,
)
from persistent_collections.errors import CorruptDataError, ObjectNotFound

C = TypeVar("C", bound=Content)
R = TypeVar("R")

Step: TypeAlias = Callable[[Mapping[Key, Entry | None]], Mapping[Key, Entry | None]]
"""The step of ``transform``: it receives the entries of keys, and returns the entries to change."""


class SimpleBackend(Backend):
    """A store made of ``read``, ``transform``, ``stored_keys``, ``close`` and ``url``.

    ::

        class DictBackend(SimpleBackend):
            url = "dict:"

            def __init__(self):
                self.entries = {}

            def read(self, key):
                return self.entries.get(key)

            def transform(self, keys, step):  # in a real store, under a lock
                changed = step({key: self.entries.get(key) for key in keys})
                entries = {**self.entries, **changed}
                self.entries = {key: entry for key, entry in entries.items() if entry is not None}

            def stored_keys(self, prefix):
                yield from [key for key in self.entries if key.root.startswith(prefix)]

            def close(self):
                self.entries = {}

        with DictBackend() as store:
            names = PersistentList("names", ["Luke"], backend=store)
            names.append("Han")
            assert names == ["Luke", "Han"]

    Set ``several_roots = False`` in the class if ``transform`` is one step only for keys of the same root.
    """

    @abstractmethod
    def read(self, key: Key) -> Entry | None:
        """Return the entry of ``key``, whether or not its deadline has passed."""

    @abstractmethod
    def transform(self, keys: Sequence[Key], step: Step) -> None:
        """Replace the entries of ``keys`` by those that ``step`` returns, as one atomic step.

        Args:
            keys: No duplicates.
            step: Receives an entry or None for every key, and returns the entries of the keys to change. It may read
                only some, so a store may read each on demand. It is pure and may be called again; if it
                raises, nothing is written. An entry returned unchanged needs no write.
        """

    @abstractmethod
    def stored_keys(self, prefix: str) -> Iterator[Key]:
        """Yield every key whose root starts with ``prefix``, whether or not its deadline has passed."""

    def transform_among(self, keys: Sequence[Key], step: Step, prefixes: Collection[str]) -> None:
        """Like :meth:`transform`, but also pass ``step`` every key whose root starts with one of ``prefixes``.

        ``step`` iterates over the keys that it receives. The default lists the keys before the step and within it, and
        starts again if one was created meanwhile. Override it if the store can list keys as a part of the step.
        """
        listed = self._starting_with(prefixes)
        tried: list[bool] = []

        def checked(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            tried[:] = [self._starting_with(prefixes) <= listed]
            return step(stored) if tried[0] else {}

        self.transform(list({*keys, *listed}), checked)
        if not tried[0]:
            self.transform_among(keys, step, prefixes)

    def read_many(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return the entry of each of ``keys``, all at one moment, whether or not a deadline has passed.

        Override it if the store can read several keys at one moment without the lock of ``transform``.
        """
        entries: list[Entry | None] = []

        def look(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            entries[:] = [stored[key] for key in keys]
            return {}

        self.transform(keys, look)
        return entries

    def children_of(self, root: str) -> Sequence[Key]:
        """Return the keys of every child under ``root``, whether or not its deadline has passed.

        Override it if the store finds them without listing other keys.
        """
        return [key for key in self.stored_keys(root) if key.root == root and key.child is not None]

    @property
    def indexing(self) -> Support:
        return "unique" if self.several_roots else "none"

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        return HANDLES[shape](self, key, is_record=is_record)

    def look(self, keys: Sequence[Key], *, sizes: bool = False) -> list[Found | None]:
        del sizes  # sizes cost nothing here
        return [self._found(key, self.read) for key in keys]

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        now = time.time()
        return [_live(entry, now) for entry in self.read_many(keys)]

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        """Return the bytes of fields of some mappings. Cost: one call of :meth:`read_many`."""
        keys = list(dict.fromkeys([key for key, _ in wanted]))
        entries = dict(zip(keys, self.snapshot(keys), strict=True))
        return [
            list(map(self.content_as(key, entries[key], MAPPING, is_record=True).get, fields)) for key, fields in wanted
        ]

    def keys(self, prefix: str, shape: Shape | None = None) -> Iterator[Key]:
        for key in self.stored_keys(prefix):
            entry = _live(self.read(key), time.time())
            if entry and (shape is None or is_alike(shape_of(entry.content), shape, self.medium)):
                yield key

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        return self.commit_together([(conditions, changes)]) == [True]

    def commit_together(self, steps: Sequence[tuple[Sequence[Condition], Sequence[Change]]]) -> list[bool]:
        """Make several steps, at least one, like :meth:`commit_each`, but as one step of the store.

        It can be the ``commit_each`` of a store whose ``transform`` costs less for many keys than for each.
        """
        conditions, changes = _parts(steps)
        families = {
            change.key.root: self.children_of(change.key.root)
            for change in changes
            if isinstance(change, Make | Delete) and change.children is not None
        }
        outcome = _Outcome()

        def together(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            outcome.families = {root: self.children_of(root) for root in families}
            if outcome.families != families:  # a child was created or deleted meanwhile
                return {}
            content = _Step(self, stored, families)
            outcome.held = content.try_each(steps)
            return content.changed

        keys = keys_of(conditions, changes)
        keys = list(dict.fromkeys([*keys, *(child for children in families.values() for child in children)]))
        if prefixes := {each.indexing.prefix for each in (*conditions, *changes) if _compares(each)}:
            self.transform_among(keys, together, prefixes)
        else:
            self.transform(keys, together)
        return outcome.held if outcome.families == families else self.commit_together(steps)

    def content_as(self, key: Key, entry: Entry | None, shape: Shape, *, is_record: bool = False) -> Any:
        """Return the content of ``entry`` as ``shape``, empty if None.

        Raises:
            WrongShapeError: It has another shape.
            CorruptDataError: It is an array with a repeated item, requested as a set.
        """
        if entry is None:
            return shape.content()
        try:
            content: Content | None = entry.content
            if type(content) is not shape.content:
                content = reshaped(entry.content, shape, self.medium)
        except ValueError as error:
            raise CorruptDataError(f"{str(key)!r} in {self.file(key) or self.url}: {error}") from None
        if content is None:
            raise wrong_shape(key, shape_of(entry.content), shape)
        return content if is_record or self.medium != "json" else _unmarked(content)

    def _starting_with(self, prefixes: Collection[str]) -> AbstractSet[Key]:
        return {key for prefix in prefixes for key in self.stored_keys(prefix)}

    def _found(self, key: Key, read: Callable[[Key], Entry | None]) -> Found | None:
        now = time.time()
        try:
            entry = _live(read(key), now)
        except CorruptDataError:
            return Found(None)
        return entry and Found(shape_of(entry.content), _left_s(entry, now), len(entry.content))


class _Outcome:
    """The result of one call of a step of ``commit``.

    Attributes:
        held: Whether all conditions held, for each step that was tried.
        families: The children of the roots whose children the step deletes, as they were listed within it.
    """

    held: list[bool]
    families: Mapping[str, Sequence[Key]] = {}


class _Step:
    """The entries of a step of ``commit``, as its changes leave them.

    Attributes:
        changed: The entries to write.
    """

    def __init__(
        self, backend: SimpleBackend, stored: Mapping[Key, Entry | None], families: Mapping[str, Sequence[Key]]
    ) -> None:
        self.changed: dict[Key, Entry | None] = {}
        self._backend = backend
        self._stored = stored
        self._families = families
        self._now = time.time()
        self._made: set[Key] = set()

    def try_each(self, steps: Sequence[tuple[Sequence[Condition], Sequence[Change]]]) -> list[bool]:
        """Make the changes of steps, up to the first whose conditions don't hold; return for each whether they do."""
        held: list[bool] = []
        for conditions, changes in steps:
            held.append(all(map(self.holds, conditions)))
            if not held[-1]:
                break
            for change in changes:
                self.make(change)
            self.require_unique(changes)
        return held

    def holds(self, condition: Condition) -> bool:
        """Return whether ``condition`` holds."""
        entry = self._entry(condition.key)
        match condition:
            case Exists(expected=expected):
                return (entry is not None) is expected
            case SizeIs(size=size):
                return size == (len(entry.content) if entry else 0)
            case ContentIs(content=content) if not content:
                return entry is None
            case HeldBy(indexing=indexing, data=data, holder=holder):
                names = indexing.index(condition.index).fields[: len(data)]
                return self._holders(indexing, names, data) == ({holder} if holder else set())
        shape = cast("Shape", shape_for(condition))
        return agrees(self._backend.content_as(condition.key, entry, shape, is_record=True), condition)

    def require_unique(self, changes: Sequence[Change]) -> None:
        """Raise ``NotUnique`` if a record whose entries are set has the same unique values as another one."""
        for change in changes:
            if not isinstance(change, SetEntries):
                continue
            entry = self._entry(change.key)
            claimed = change.when_made if change.key in self._made else change.entries
            for name in [name for name, entry_key in claimed.items() if entry_key.claims] if entry else ():
                index = change.indexing.index(name)
                data = _fields_in(entry, index.fields)
                for other in self._holders(change.indexing, index.fields, data) - {change.key}:
                    raise not_unique(change.key, index, other)

    def make(self, change: Change) -> None:
        """Make ``change``."""
        entry = self._entry(change.key)
        match change:
            case Delete(children=children):
                self._delete(change.key, children)
            case SetDeadline(ttl_s=ttl_s):
                if entry:
                    deadline = None if ttl_s is None else self._now + ttl_s
                    self.changed[change.key] = _live(Entry(entry.content, deadline), self._now)
            case Make(fields=fields, children=children):
                if entry is None:
                    self._delete(change.key, children)
                    self._put(change.key, None, dict(fields))
                    self._made.add(change.key)
            case SetEntries():
                pass  # require_unique() checks the claims at the end
            case _:
                shape = cast("Shape", shape_for(change))
                before = self._backend.content_as(change.key, entry, shape, is_record=True)
                self._put(change.key, entry, changed(before, change))

    def _holders(self, indexing: Indexing, fields: Sequence[str], data: Sequence[bytes | None]) -> AbstractSet[Key]:
        """Return the records of a class that hold ``data`` in ``fields``."""
        of_class = [key for key in self._stored if key.child is None and key.root.startswith(indexing.prefix)]
        return {key for key in of_class if _fields_in(self._entry(key), fields) == data}

    def _entry(self, key: Key) -> Entry | None:
        return self.changed[key] if key in self.changed else _live(self._stored[key], self._now)

    def _put(self, key: Key, entry: Entry | None, content: Content) -> None:
        if entry and content is entry.content:
            return
        deadline = entry.deadline if entry else self._inherited(key)
        self.changed[key] = Entry(content, deadline) if content else None

    def _inherited(self, key: Key) -> float | None:
        owner = None if key.child is None else self._entry(key.owner)
        return owner and owner.deadline

    def _delete(self, key: Key, children: Sequence[Key] | None) -> None:
        others = () if children is None else (*children, *self._families[key.root])
        self.changed.update(dict.fromkeys((key, *others)))


def _parts(
    steps: Sequence[tuple[Sequence[Condition], Sequence[Change]]],
) -> tuple[Sequence[Condition], Sequence[Change]]:
    """Return the conditions and the changes of all steps."""
    if len(steps) == 1:
        return steps[0]
    return [condition for conditions, _ in steps for condition in conditions], [
        change for _, changes in steps for change in changes
    ]


def _compares(part: Condition | Change) -> TypeGuard[HeldBy | SetEntries]:
    """Return whether a part of a step depends on other records of a class."""
    if isinstance(part, SetEntries):
        return any(entry.claims for entry in (*part.entries.values(), *part.when_made.values()))
    return isinstance(part, HeldBy)


def _fields_in(entry: Entry | None, fields: Sequence[str]) -> tuple[bytes | None, ...]:
    """Return the bytes of some fields of a mapping."""
    content = entry.content if entry and isinstance(entry.content, dict) else {}
    return tuple(map(content.get, fields))


class _Handle(Generic[C]):
    """One key of a simple store, read and changed as a content of one shape."""

    shape: Shape

    def __init__(self, backend: SimpleBackend, key: Key, *, is_record: bool = False) -> None:
        self._backend = backend
        self._key = key
        self._is_record = is_record
        self._kept_as = self.shape.content if is_record or backend.medium != "json" else None
        self._guard = key.owner if is_record or key.child is not None else None
        self._keys = [key] if self._guard in (None, key) else [key, key.owner]

    def _read(self) -> C:
        entry = self._backend.read(self._key)
        if entry is not None:
            content, deadline = entry
            if deadline is None and type(content) is self._kept_as:
                return content  # type: ignore[return-value]  # of this shape; like below, with two calls less
            entry = _live(entry, time.time())
        found: C = self._backend.content_as(self._key, entry, self.shape, is_record=self._is_record)
        return found

    def _change(self, function: Callable[[C], tuple[C, R]], *, pops: bool = False) -> R:
        """Put the first of ``function(content)`` in place of the content and return the second.

        Args:
            function: Changes nothing in place, and returns the same object to write nothing.
            pops: Whether it removes a part and returns it.
        """
        results: list[R] = []

        def step(stored: Mapping[Key, Entry | None]) -> Mapping[Key, Entry | None]:
            now = time.time()
            owner = _live(stored[self._guard], now) if self._guard else None
            if self._guard and owner is None:
                raise ObjectNotFound(f"{str(self._guard)!r} does not exist in {self._backend.url}")
            entry = _live(stored[self._key], now)
            if entry is None and owner and self._key.child in owner.content:
                raise child_is_field(self._key)
            before: C = self._backend.content_as(self._key, entry, self.shape, is_record=self._is_record)
            after, result = function(before)
            results[:] = [result]
            if after is before:
                return {}
            content: Content = after or marked(is_record=self._is_record)
            deadline = entry.deadline if entry else owner and owner.deadline
            if pops and deadline is not None and not (content or owner):
                results[:] = [last_part(result, deadline - now)]
            return {self._key: Entry(content, deadline) if content else None}

        self._backend.transform(self._keys, step)
        return results[0]


class SimpleMapping(_Handle[dict[str, bytes]], MappingStore):
    """A mapping as a ``dict``. Cost: O(1) to read a field, O(n) to write one."""

    shape = MAPPING

    def get(self, field: str) -> bytes | None:
        return self._read().get(field)

    def contains(self, field: str) -> bool:
        return field in self._read()

    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        return list(map(self._read().get, fields))

    def get_all(self) -> dict[str, bytes]:
        return self._read().copy()

    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        self._change(lambda fields: (updated(fields, items), None))

    def add(self, field: str, data: bytes) -> bytes | None:
        return self._change(lambda fields: (fields if field in fields else {**fields, field: data}, fields.get(field)))

    def pop(self, field: str) -> bytes | None:
        return self._change(lambda fields: (updated(fields, {field: None}), fields.get(field)), pops=True)

    def pop_any(self) -> tuple[str, bytes] | None:
        def take(fields: dict[str, bytes]) -> tuple[dict[str, bytes], tuple[str, bytes] | None]:
            if not fields:
                return fields, None
            fields = fields.copy()
            item = fields.popitem()
            return fields, item

        return self._change(take, pops=True)

    def size(self) -> int:
        return len(self._read())

    def replace(self, items: Mapping[str, bytes], expected: Mapping[str, bytes] | None = None) -> bool:
        return self._change(
            lambda fields: (dict(items), True) if expected is None or fields == expected else (fields, False)
        )

    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        return self._change(
            lambda fields: (updated(fields, {field: data}), True) if fields.get(field) == expected else (fields, False)
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

    shape = SEQUENCE

    def size(self) -> int:
        return len(self._read())

    def get(self, index: int) -> bytes | None:
        with suppress(IndexError):
            return self._read()[index]
        return None

    def get_slice(self, where: slice) -> list[bytes]:
        return self._read()[where]

    def compare_and_set(self, index: int, expected: bytes, data: bytes) -> bool:
        def swap(items: list[bytes]) -> None:
            if items[index] != expected:
                raise IndexError
            items[index] = data

        return self._edit(swap)

    def pop(self, index: int, expected: bytes | None = None) -> bytes | None:
        def take(items: list[bytes]) -> tuple[list[bytes], bytes | None]:
            if not -len(items) <= index < len(items) or expected not in (None, items[index]):
                return items, None
            rest = items.copy()
            return rest, rest.pop(index)

        return self._change(take, pops=True)

    def push_right(self, items: Sequence[bytes]) -> None:
        self._change(lambda old: (old + list(items) if items else old, None))

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

    def remove(self, data: bytes) -> bool:
        return self._edit(lambda items: items.remove(data))

    def repeat(self, times: int) -> None:
        self._change(lambda items: (items * times, None))

    def reverse(self) -> None:
        self._change(lambda items: (items[::-1], None))

    def replace(self, items: Sequence[bytes], expected: Sequence[bytes] | None = None) -> bool:
        return self._change(
            lambda old: (list(items), True) if expected is None or old == list(expected) else (old, False)
        )

    def _edit(self, function: Callable[[list[bytes]], object]) -> bool:
        """Apply ``function`` to a copy of the items; write nothing and return False if it finds no item."""

        def edited(items: list[bytes]) -> tuple[list[bytes], bool]:
            copy = items.copy()
            try:
                function(copy)
            except (IndexError, OverflowError, ValueError):
                return items, False
            return items if copy == items else copy, True

        return self._change(edited)


class SimpleMembers(_Handle[set[str]], MemberStore):
    """A set as a ``set``. Cost: O(1) to look for a member, O(n) to write one."""

    shape = MEMBERS

    def size(self) -> int:
        return len(self._read())

    def contains(self, member: str) -> bool:
        return member in self._read()

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

        return self._change(some, pops=True)

    def replace(self, members: AbstractSet[str]) -> None:
        self._change(lambda _: (set(members), None))

    def combine(self, operation: SetOperation, others: Sequence[Key]) -> set[str]:
        keys = list(dict.fromkeys([self._key, *others]))
        entries = dict(zip(keys, self._backend.snapshot(keys), strict=True))
        first, *rest = (self._backend.content_as(key, entries[key], MEMBERS) for key in [self._key, *others])
        return set(getattr(first, operation)(*rest))

    def pages(self) -> Iterator[list[str]]:
        members = list(self._read())
        for start in range(0, len(members), PAGE_SIZE):
            there = self._read()
            yield [member for member in members[start : start + PAGE_SIZE] if member in there]


HANDLES: Final[Mapping[Shape, type[_Handle[Any]]]] = {
    MAPPING: SimpleMapping,
    SEQUENCE: SimpleSequence,
    MEMBERS: SimpleMembers,
}
"""The handle of each shape."""


def _live(entry: Entry | None, now: float) -> Entry | None:
    """Return ``entry`` unless its deadline has passed at ``now``."""
    return None if entry is None or (entry.deadline is not None and entry.deadline <= now) else entry


def _left_s(entry: Entry, now: float) -> float | None:
    return None if entry.deadline is None else entry.deadline - now


def _unmarked(content: Content) -> Content:
    """Return ``content`` without the marker, which codecs of a JSON store never write."""
    if isinstance(content, dict) and content.get(MARKER) == MARKER_DATA:
        return {field: data for field, data in content.items() if field != MARKER}
    return content

"""The handles of a store within a transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any, Final

from persistent_collections.backends import integers, simple
from persistent_collections.backends.changes import ChangeMembers, Push, Replace, SetFields, Trim
from persistent_collections.backends.contents import marked
from persistent_collections.backends.handles import SetOperation
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape


class Whole:
    """One key, read and changed as a whole content, by the methods of a handle of a simple store.

    Attributes:
        shape: The shape of its content.
    """

    shape: Shape

    def __init__(self, overlay: Any, key: Key, *, is_record: bool = False) -> None:
        self._overlay = overlay
        self._key = key
        self._is_record = is_record

    def size(self) -> int:
        size: int = self._overlay.size(self._key, self.shape)
        return size

    def _require(self) -> None:
        """Raise unless the record that the key belongs to exists."""
        if self._key.child is not None:
            self._overlay.require_child(self._key)
        elif self._is_record:
            self._overlay.require(self._key)

    def _read(self) -> Any:
        return self._overlay.whole(self._key, self.shape, is_record=self._is_record)

    def _change(self, function: Callable[[Any], tuple[Any, Any]], *, pops: bool = False) -> Any:
        del pops
        self._require()
        before = self._read()
        after, result = function(before)
        if after is not before:
            self._overlay.put(self._key, after or marked(is_record=self._is_record))
        return result


@cache
def generic(shape: Shape) -> Any:
    """Return the class of handles of a shape whose parts are not read separately."""
    handle: Any = simple.HANDLES[shape]
    return type(f"Whole{handle.__name__}", (Whole, handle), {"shape": shape})


class TransactedMapping(Whole, simple.SimpleMapping):
    """A mapping whose fields are read and set one by one."""

    shape = MAPPING

    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        found: list[list[bytes | None]] = self._overlay.fields([(self._key, fields)])
        return found[0]

    def get(self, field: str) -> bytes | None:
        return self.get_many([field])[0]

    def contains(self, field: str) -> bool:
        return self.get(field) is not None

    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        self._require()
        self._set(items)

    def add(self, field: str, data: bytes) -> bytes | None:
        self._require()
        found = self.get(field)
        if found is None:
            self._set({field: data})
        return found

    def pop(self, field: str) -> bytes | None:
        self._require()
        found = self.get(field)
        if found is not None:
            self._set({field: None})
        return found

    def replace(self, items: Mapping[str, bytes], expected: Mapping[str, bytes] | None = None) -> bool:
        if expected is not None:
            return super().replace(items, expected)
        self._require()
        self._overlay.change(Replace(self._key, dict(items) or marked(is_record=self._is_record)))
        return True

    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        self._require()
        if self.get(field) != expected:
            return False
        self._set({field: data})
        return True

    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        self._require()
        found = self.get(field)
        total = integers.add(b"%d" % initial if found is None else found, by)
        if total is not None:
            self._set({field: b"%d" % total})
        return total

    def _set(self, items: Mapping[str, bytes | None]) -> None:
        self._overlay.change(SetFields(self._key, dict(items), self._is_record))


class TransactedSequence(Whole, simple.SimpleSequence):
    """A sequence with reads of single items, and pushes and pops at both ends."""

    shape = SEQUENCE

    def get(self, index: int) -> bytes | None:
        found: bytes | None = self._overlay.item(self._key, index)
        return found

    def push_right(self, items: Sequence[bytes]) -> None:
        self._require()
        self._overlay.change(Push(self._key, list(items)))

    def push_left(self, items: Sequence[bytes]) -> None:
        self._require()
        self._overlay.change(Push(self._key, list(items), left=True))

    def pop(self, index: int, expected: bytes | None = None) -> bytes | None:
        if index not in (0, -1):
            return super().pop(index, expected)
        self._require()
        found = self.get(index)
        if found is None or expected not in (None, found):
            return None
        self._overlay.change(Trim(self._key, left=int(index == 0), right=int(index == -1)))
        return found

    def replace(self, items: Sequence[bytes], expected: Sequence[bytes] | None = None) -> bool:
        if expected is not None:
            return super().replace(items, expected)
        self._require()
        self._overlay.change(Replace(self._key, list(items)))
        return True


class TransactedMembers(Whole, simple.SimpleMembers):
    """A set whose members are looked for, added and removed one by one."""

    shape = MEMBERS

    def contains(self, member: str) -> bool:
        return member in self._overlay.members_of(self._key, [member])

    def add(self, members: AbstractSet[str]) -> int:
        self._require()
        new = members - self._overlay.members_of(self._key, members)
        if new:
            self._overlay.change(ChangeMembers(self._key, new))
        return len(new)

    def remove(self, members: AbstractSet[str]) -> int:
        self._require()
        gone: set[str] = self._overlay.members_of(self._key, members)
        if gone:
            self._overlay.change(ChangeMembers(self._key, set(), gone))
        return len(gone)

    def replace(self, members: AbstractSet[str]) -> None:
        self._require()
        self._overlay.change(Replace(self._key, set(members)))

    def combine(self, operation: SetOperation, others: Sequence[Key]) -> set[str]:
        first, *rest = [self._overlay.whole(key, MEMBERS) for key in (self._key, *others)]
        return set(getattr(first, operation)(*rest))


HANDLES: Final[Mapping[Shape, Any]] = {
    MAPPING: TransactedMapping,
    SEQUENCE: TransactedSequence,
    MEMBERS: TransactedMembers,
}
"""The handles of the shapes whose parts are read separately."""

"""The handles of the shapes: a store's operations on one mapping, one sequence or one set of bytes.

Every method is one atomic step. Methods with a body here build on the others; a store overrides them if it has a
faster way. Absence is ``None`` or ``False``.

A handle of a record's own mapping or of a child writes only while the record exists (see ``Backend.open``): otherwise
every writing method raises ``ObjectNotFound`` and does nothing, also where it would change nothing.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal, TypeAlias

from persistent_collections.backends.effects import reads, writes, writes_if_unchanged
from persistent_collections.backends.keys import Key

SetOperation: TypeAlias = Literal["union", "intersection", "difference"]


class MappingStore(ABC):
    """One mapping of ``str`` fields to bytes.

    ::

        fields = connect("memory:").mapping(Key("PersistentDict:d"))
        fields.set_many({"a": b"1", "b": b"2"})
        assert fields.pop("b") == b"2"
        assert fields.get_all() == {"a": b"1"}
    """

    @abstractmethod
    @reads
    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        """Return the bytes under each of ``fields``, in their order."""

    @reads
    def get(self, field: str) -> bytes | None:
        """Return the bytes under ``field``."""
        return self.get_many([field])[0]

    @reads
    def contains(self, field: str) -> bool:
        """Return whether ``field`` is set."""
        return self.get(field) is not None

    @abstractmethod
    @reads
    def get_all(self) -> dict[str, bytes]:
        """Return every field, in the store's order."""

    @abstractmethod
    @reads
    def size(self) -> int:
        """Return the number of fields."""

    @abstractmethod
    @reads
    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        """Yield every field that exists from start to end exactly once, about ``PAGE_SIZE`` at a time."""

    @abstractmethod
    @writes
    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        """Set each field; delete fields whose value is None. An existing field keeps its place in the order."""

    @abstractmethod
    @writes
    def add(self, field: str, data: bytes) -> bytes | None:
        """Set ``field`` if it is absent and return None; otherwise return its bytes."""

    @abstractmethod
    @writes
    def pop(self, field: str) -> bytes | None:
        """Delete ``field`` and return its bytes."""

    @writes
    def delete(self, field: str) -> bool:
        """Delete ``field`` and return whether it existed."""
        return self.pop(field) is not None

    @abstractmethod
    @writes
    def pop_any(self) -> tuple[str, bytes] | None:
        """Delete a field, the last one if the store has an order, and return it with its bytes."""

    @abstractmethod
    @writes_if_unchanged
    def replace(self, items: Mapping[str, bytes], expected: Mapping[str, bytes] | None = None) -> bool:
        """Replace all fields by ``items``, only if they equal ``expected`` if passed; return whether it did."""

    @abstractmethod
    @writes_if_unchanged
    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        """Set ``field`` to ``data`` if it still holds ``expected``, and return whether it did; None is absence."""

    @abstractmethod
    @writes
    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        """Add ``by`` to the decimal integer in ``field`` and return the sum.

        Args:
            field: Holds the integer as ASCII decimal digits.
            by: Added; may be negative.
            initial: The value of an absent field.

        Returns:
            The sum, or None with nothing done if the field holds anything except the digits of a signed 64-bit integer,
            or if ``by`` or the sum is not one.
        """


class SequenceStore(ABC):
    """One sequence of bytes. Indexes count from the end if negative, as Python's do.

    ::

        items = connect("memory:").sequence(Key("PersistentList:l"))
        items.push_right([b"1", b"2"])
        assert items.pop(-1) == b"2"
        assert items.get_slice(slice(None)) == [b"1"]
    """

    @abstractmethod
    @reads
    def size(self) -> int:
        """Return the number of items."""

    @abstractmethod
    @reads
    def get_slice(self, where: slice) -> list[bytes]:
        """Return the items that a Python slice of a list selects, in its order."""

    @reads
    def get(self, index: int) -> bytes | None:
        """Return the item at ``index``, None if out of range."""
        return next(iter(self.get_slice(_slice_of(index))), None)

    @reads
    def find(self, data: bytes, start: int | None = None, stop: int | None = None) -> int | None:
        """Return the first index of ``data`` within the slice ``[start:stop]``."""
        items = self.get_slice(slice(None))
        found = (at for at in range(*slice(start, stop).indices(len(items))) if items[at] == data)
        return next(found, None)

    @reads
    def count(self, data: bytes) -> int:
        """Return the number of items that are ``data``."""
        return self.get_slice(slice(None)).count(data)

    @writes
    def set(self, index: int, data: bytes) -> bool:
        """Set the item at ``index`` and return whether it was in range."""
        return self.set_stride(_slice_of(index), [data]) == 1

    @abstractmethod
    @writes_if_unchanged
    def compare_and_set(self, index: int, expected: bytes, data: bytes) -> bool:
        """Set the item at ``index`` if it still is ``expected``, and return whether it was."""

    @writes
    def push_right(self, items: Sequence[bytes]) -> None:
        """Append ``items`` in their order."""
        self.splice(sys.maxsize, None, items)

    @writes
    def push_left(self, items: Sequence[bytes]) -> None:
        """Put ``items`` before the first, in their order: ``items[0]`` becomes the first item."""
        self.splice(0, 0, items)

    @writes
    def insert(self, index: int, data: bytes) -> None:
        """Insert before ``index``, clamped as ``list.insert`` does."""
        self.splice(index, index, [data])

    @abstractmethod
    @writes_if_unchanged
    def pop(self, index: int, expected: bytes | None = None) -> bytes | None:
        """Delete the item at ``index``, only if it equals ``expected`` if passed, and return it; None if it did not."""

    @abstractmethod
    @writes
    def splice(self, start: int | None, stop: int | None, items: Sequence[bytes]) -> None:
        """Put ``items`` in place of the slice ``[start:stop]``, as ``list`` does."""

    @abstractmethod
    @writes
    def set_stride(self, where: slice, items: Sequence[bytes]) -> int:
        """Set the items that a slice selects, if their number equals the number of new items.

        Returns:
            The number of selected items; if it differs from ``len(items)``, nothing was done.
        """

    @abstractmethod
    @writes
    def delete_stride(self, where: slice) -> None:
        """Delete the items that an extended slice selects."""

    @abstractmethod
    @writes
    def remove(self, data: bytes) -> bool:
        """Delete the first item equal to ``data`` and return whether one existed."""

    @abstractmethod
    @writes
    def repeat(self, times: int) -> None:
        """Repeat the items ``times`` times; delete them if ``times`` is not positive."""

    @abstractmethod
    @writes
    def reverse(self) -> None:
        """Reverse the order of the items."""

    @abstractmethod
    @writes_if_unchanged
    def replace(self, items: Sequence[bytes], expected: Sequence[bytes] | None = None) -> bool:
        """Replace all items by ``items``, only if they equal ``expected`` if passed; return whether it did."""


class MemberStore(ABC):
    """One set of texts.

    ::

        members = connect("memory:").members(Key("PersistentSet:s"))
        assert members.add({"a", "b"}) == 2
        assert members.remove({"b", "c"}) == 1
        assert members.get_all() == {"a"}
    """

    @abstractmethod
    @reads
    def get_all(self) -> set[str]:
        """Return every member."""

    @reads
    def contains(self, member: str) -> bool:
        """Return whether ``member`` is in the set."""
        return member in self.get_all()

    @abstractmethod
    @reads
    def size(self) -> int:
        """Return the number of members."""

    @abstractmethod
    @reads
    def combine(self, operation: SetOperation, others: Sequence[Key]) -> set[str]:
        """Return the union, intersection or difference of this set and the sets stored under ``others``."""

    @abstractmethod
    @reads
    def pages(self) -> Iterator[list[str]]:
        """Yield every member that exists from start to end exactly once, about ``PAGE_SIZE`` at a time."""

    @abstractmethod
    @writes
    def add(self, members: AbstractSet[str]) -> int:
        """Add ``members`` and return how many were absent."""

    @abstractmethod
    @writes
    def remove(self, members: AbstractSet[str]) -> int:
        """Remove ``members`` and return how many existed."""

    @abstractmethod
    @writes
    def retain(self, members: AbstractSet[str]) -> None:
        """Remove every member that is not in ``members``."""

    @abstractmethod
    @writes
    def toggle(self, members: AbstractSet[str]) -> None:
        """Remove those of ``members`` that exist and add the others."""

    @abstractmethod
    @writes
    def pop_any(self) -> str | None:
        """Remove some member and return it."""

    @abstractmethod
    @writes
    def replace(self, members: AbstractSet[str]) -> None:
        """Put ``members`` in place of all members."""


def _slice_of(index: int) -> slice:
    """Return the slice that selects the item at ``index`` only."""
    return slice(index, index + 1 if index != -1 else None)

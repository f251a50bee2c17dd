"""A transaction's knowledge of a key of which only parts were read, and its changes to it, one class per shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from persistent_collections.backends.changes import (
    Change,
    ChangeMembers,
    Condition,
    FieldsAre,
    ItemsAre,
    MembersAre,
    Push,
    Replace,
    SetFields,
    Trim,
)
from persistent_collections.backends.contents import changed
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape


class Part(ABC):
    """The known parts of a key whose whole content was not read.

    Attributes:
        shape: Its shape.
        key: The key.
    """

    shape: ClassVar[Shape]

    def __init__(self, key: Key) -> None:
        self.key = key

    def conditions(self) -> Iterator[Condition]:
        """Yield the conditions of the commit: everything that was read."""
        return iter(())

    def changes(self) -> list[Change]:
        """Return the changes that the transaction makes to the key."""
        return []

    @abstractmethod
    def take(self, change: Any) -> None:
        """Add a change of this shape."""

    def existed(self) -> bool:
        """Return whether the reads show that the key exists in the store."""
        return False

    def exists(self, existed: bool | None) -> bool | None:
        """Return whether the key exists after the changes, None if only its content shows that.

        Args:
            existed: Whether it exists in the store, None if unknown.
        """
        return existed

    def after(self, content: Content) -> Content:
        """Return a content of the store as the changes leave it."""
        for change in self.changes():
            content = changed(content, change)
        return content


class Fields(Part):
    """The known fields of a mapping."""

    shape = MAPPING

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.read: dict[str, bytes | None] = {}
        self._own: list[dict[str, bytes | None]] = []
        self._is_record = False

    def unread(self, fields: Iterable[str]) -> list[str]:
        """Return the subset of ``fields`` that the store must be asked for."""
        return [field for field in fields if field not in self.read and not any(field in own for own in self._own)]

    def get(self, field: str) -> bytes | None:
        """Return the content of a field that was read or set."""
        return next((own[field] for own in reversed(self._own) if field in own), self.read.get(field))

    def take(self, change: Any) -> None:
        self._is_record = self._is_record or change.is_record
        if not self._own or any(self._own[-1].get(field, b"") is None for field in change.items):
            self._own.append({})  # a field deleted and set again comes last in the order
        self._own[-1].update(change.items)

    def conditions(self) -> Iterator[Condition]:
        if self.read:
            yield FieldsAre(self.key, self.read)

    def changes(self) -> list[Change]:
        return [SetFields(self.key, own, is_record=self._is_record) for own in self._own]

    def existed(self) -> bool:
        return any(data is not None for data in self.read.values())

    def exists(self, existed: bool | None) -> bool | None:
        if any(data is not None for own in self._own[-1:] for data in own.values()):
            return True
        return existed if self._is_record or not self._own or existed is False else None


class Items(Part):
    """The known items of a sequence, and the items pushed and popped at its ends."""

    shape = SEQUENCE

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.read: dict[int, bytes | None] = {}
        self._left: list[bytes] = []
        self._right: list[bytes] = []
        self._trimmed_left = self._trimmed_right = 0

    def own(self, index: int) -> bytes | None:
        """Return the pushed item at an index, None if the index is beyond the pushed items."""
        if index >= 0:
            return self._left[index] if index < len(self._left) else None
        return self._right[index] if -index <= len(self._right) else None

    def place(self, index: int) -> int | None:
        """Return the index in the store of the item at ``index``, which was not pushed; None if unknown."""
        if index >= 0:
            return None if self._trimmed_right else index - len(self._left) + self._trimmed_left
        return None if self._trimmed_left else index + len(self._right) - self._trimmed_right

    def is_end(self, index: int) -> bool:
        """Return whether ``index``, at which the store had no item, is the end of the sequence."""
        return not (self._right if index >= 0 else self._left)

    def take(self, change: Any) -> None:
        if isinstance(change, Trim):
            from_left, from_right = min(change.left, len(self._left)), min(change.right, len(self._right))
            del self._left[:from_left]
            del self._right[len(self._right) - from_right :]
            self._trimmed_left += change.left - from_left
            self._trimmed_right += change.right - from_right
            return
        if change.left:
            self._left[:0] = change.items
        else:
            self._right += change.items

    def conditions(self) -> Iterator[Condition]:
        if self.read:
            yield ItemsAre(self.key, self.read)

    def changes(self) -> list[Change]:
        changes: list[Change] = []
        if self._trimmed_left or self._trimmed_right:
            changes.append(Trim(self.key, self._trimmed_left, self._trimmed_right))
        if self._left:
            changes.append(Push(self.key, self._left, left=True))
        if self._right:
            changes.append(Push(self.key, self._right))
        return changes

    def existed(self) -> bool:
        return any(data is not None for data in self.read.values())

    def exists(self, existed: bool | None) -> bool | None:
        if self._left or self._right:
            return True
        return None if existed is not False and (self._trimmed_left or self._trimmed_right) else existed


class Members(Part):
    """The known members of a set."""

    shape = MEMBERS

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.read: dict[str, bool] = {}
        self._own: dict[str, bool] = {}

    def contains(self, member: str) -> bool | None:
        """Return whether a text is a member, None if the store has to be asked."""
        return self._own.get(member, self.read.get(member))

    def take(self, change: Any) -> None:
        self._own.update(dict.fromkeys(change.add, True))
        self._own.update(dict.fromkeys(change.remove, False))

    def conditions(self) -> Iterator[Condition]:
        if self.read:
            yield MembersAre(self.key, self.read)

    def changes(self) -> list[Change]:
        add = {member for member, is_member in self._own.items() if is_member}
        remove = self._own.keys() - add
        return [ChangeMembers(self.key, add, remove)] if self._own else []

    def existed(self) -> bool:
        return any(self.read.values())

    def exists(self, existed: bool | None) -> bool | None:
        if any(self._own.values()):
            return True
        return None if self._own and existed is not False else existed


PARTS: Final[Mapping[Shape, type[Part]]] = {part.shape: part for part in (Fields, Items, Members)}
"""The classes for parts of shapes that are read in parts; other shapes are read as a whole."""


def difference(key: Key, before: Content, after: Content) -> Sequence[Change]:
    """Return the changes that make ``before`` become ``after``, neither of them empty."""
    match before, after:
        case dict(), dict():
            gone = dict.fromkeys(before.keys() - after.keys())
            items = {**gone, **{field: data for field, data in after.items() if before.get(field) != data}}
            found: Any = SetFields(key, items)
        case set(), set():
            found = ChangeMembers(key, after - before, before - after)
        case list(), list() if after[: len(before)] == before:
            found = Push(key, after[len(before) :])
        case _:
            return [Replace(key, after)]
    result: Any = changed(before, found)
    if isinstance(result, dict) and list(result) != list(after):  # the order of fields differs
        return [Replace(key, after)]
    return [found] if after != before else []

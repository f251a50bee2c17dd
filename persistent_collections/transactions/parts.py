"""A transaction's knowledge of a key of which only parts were read, and its changes to it, one class per shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
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
        may_empty: Whether the changes may leave the key empty at a moment, which ends its deadline.
    """

    shape: ClassVar[Shape]

    def __init__(self, key: Key) -> None:
        self.key = key
        self.may_empty = False

    def conditions(self) -> Iterator[Condition]:
        """Yield the conditions of the commit: everything that was read."""
        return iter(())

    def changes(self) -> list[Change]:
        """Return the changes that the transaction makes to the key."""
        return []

    def take(self, change: Any) -> None:
        """Add a change of this shape."""
        self.may_empty = self.may_empty or may_empty(change)
        self._add(change)

    @abstractmethod
    def _add(self, change: Any) -> None:
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

    def after(self, content: Content) -> Iterator[Content]:
        """Yield a content of the store, and what each change in turn makes of it."""
        return accumulate(self.changes(), changed, initial=content)


class Named(Part):
    """The known parts of a key that have names.

    A part that is added after one was removed is a step of its own. If the key is empty in between, its deadline ends,
    as outside of a transaction. And a field that is deleted and set again comes last in the order.
    """

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.read: dict[str, Any] = {}
        self._own: dict[str, Any] = {}
        self._steps: list[dict[str, Any]] = []
        self._last_removes = False

    def get(self, name: str) -> Any:
        """Return what was written or read under a name, None if nothing was."""
        return self._own.get(name, self.read.get(name))

    def _write(self, items: Mapping[str, Any], *, adds: bool, removes: bool) -> None:
        if not self._steps or (adds and self._last_removes):
            self._steps.append({})
            self._last_removes = False
        self._own.update(items)
        self._steps[-1].update(items)
        self._last_removes = self._last_removes or removes


class Fields(Named):
    """The known fields of a mapping."""

    shape = MAPPING

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self._is_record = False

    def unread(self, fields: Iterable[str]) -> list[str]:
        """Return the subset of ``fields`` that the store must be asked for."""
        return [field for field in fields if field not in self.read and field not in self._own]

    def _add(self, change: Any) -> None:
        self._is_record = self._is_record or change.is_record
        data = change.items.values()
        self._write(change.items, adds=any(each is not None for each in data), removes=None in data)

    def conditions(self) -> Iterator[Condition]:
        if self.read:
            yield FieldsAre(self.key, self.read)

    def changes(self) -> list[Change]:
        return [SetFields(self.key, step, is_record=self._is_record) for step in self._steps]

    def existed(self) -> bool:
        return any(data is not None for data in self.read.values())

    def exists(self, existed: bool | None) -> bool | None:
        if any(data is not None for data in self._own.values()):
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
        self._grown = self._least_grown = 0

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

    def _add(self, change: Any) -> None:
        self._grown += -change.left - change.right if isinstance(change, Trim) else len(change.items)
        self._least_grown = min(self._grown, self._least_grown)
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
        trim = Trim(self.key, self._trimmed_left, self._trimmed_right)
        early = self._least_grown + trim.left + trim.right  # pushed before the trim: the key is not empty meanwhile
        left = max(len(self._left) - early, 0) if trim.right and not trim.left else len(self._left)
        right = early if trim.left and not trim.right else 0
        changes = _pushes(self.key, self._left[left:], self._right[:right])
        if trim.left or trim.right:
            changes.append(trim)
        return changes + _pushes(self.key, self._left[:left], self._right[right:])

    def existed(self) -> bool:
        return any(data is not None for data in self.read.values())

    def exists(self, existed: bool | None) -> bool | None:
        if self._left or self._right:
            return True
        return None if existed is not False and (self._trimmed_left or self._trimmed_right) else existed


class Members(Named):
    """The known members of a set."""

    shape = MEMBERS

    def _add(self, change: Any) -> None:
        items = {**dict.fromkeys(change.add, True), **dict.fromkeys(change.remove, False)}
        self._write(items, adds=bool(change.add), removes=bool(change.remove))

    def conditions(self) -> Iterator[Condition]:
        if self.read:
            yield MembersAre(self.key, self.read)

    def changes(self) -> list[Change]:
        adds = [{member for member, is_member in step.items() if is_member} for step in self._steps]
        return [ChangeMembers(self.key, add, step.keys() - add) for add, step in zip(adds, self._steps, strict=True)]

    def existed(self) -> bool:
        return any(self.read.values())

    def exists(self, existed: bool | None) -> bool | None:
        if any(self._own.values()):
            return True
        return None if self._own and existed is not False else existed


PARTS: Final[Mapping[Shape, type[Part]]] = {part.shape: part for part in (Fields, Items, Members)}
"""The classes for parts of shapes that are read in parts; other shapes are read as a whole."""


def may_empty(change: Change) -> bool:
    """Return whether a change may leave a key empty, so that the key does not exist."""
    match change:
        case SetFields(items=items, is_record=is_record):
            return not is_record and None in items.values()
        case ChangeMembers(remove=remove):
            return bool(remove)
    return isinstance(change, Trim)


def _pushes(key: Key, left: list[bytes], right: list[bytes]) -> list[Change]:
    """Return the changes that push these items, if any, at the ends."""
    return [push for push in (Push(key, left, left=True), Push(key, right)) if push.items]


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

"""A transaction's knowledge of one key, and its changes to it; no I/O."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from msgspec.structs import replace

from persistent_collections.backends.changes import (
    Change,
    Condition,
    ContentIs,
    Delete,
    Exists,
    Make,
    Replace,
    SetDeadline,
    SetEntries,
    SizeIs,
)
from persistent_collections.backends.contents import agrees, changed, shape_for
from persistent_collections.backends.indexes import EntryKey
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.shapes import Shape, shape_of, wrong_shape
from persistent_collections.errors import ConflictError
from persistent_collections.transactions.parts import PARTS, Part, difference, may_empty

_UNSET: Final = object()


class Cell:
    """One key.

    Attributes:
        key: The key.
        content: Its content after the transaction's changes, empty if it does not exist; None if only parts of it
            are known.
        existed: Whether it exists in the store, if known.
        size: The size in the store, if known.
        part: The known parts while ``content`` is None, from the first operation of a shape on.
        stands_alone: Whether the content of the store does not affect the writes.
    """

    def __init__(self, key: Key) -> None:
        self.key = key
        self.content: Content | None = None
        self.existed: bool | None = None
        self.size: int | None = None
        self.part: Part | None = None
        self._base: Content | None = None
        self.stands_alone = False
        self._first: list[Change] = []
        self._made: Make | None = None
        self._deadline: Any = _UNSET
        self._entries: SetEntries | None = None

    @property
    def shape(self) -> Shape | None:
        """Its shape by content or use, None if unknown."""
        if self.content:
            return shape_of(self.content)
        return self.part.shape if self.part else None

    def must_be_known_for(self, change: Change) -> bool:
        """Return whether only the whole content shows if a change of a part ends the deadline that was set before."""
        return self._deadline is not _UNSET and self.content is None and self.key.child is None and may_empty(change)

    def ttl_s(self, otherwise: float | None) -> float | None:
        """Return the seconds until it vanishes, ``otherwise`` if the transaction does not change that."""
        if self._deadline is not _UNSET:
            return None if self._deadline is None else self._deadline - time.time()
        return None if self._first else otherwise

    def part_of(self, shape: Shape) -> Any:
        """Return the known parts.

        Raises:
            WrongShapeError: It has been used as another shape.
        """
        if self.part is None:
            self.part = PARTS[shape](self.key)
        if self.part.shape is not shape:
            raise wrong_shape(self.key, self.part.shape, shape)
        return self.part

    def exists(self) -> bool | None:
        """Return whether it exists, None if the store has to be asked."""
        if self.content is not None:
            return bool(self.content)
        if self.part is None:
            return self.existed
        return self.part.exists(True if self.part.existed() or self.size else self.existed)

    def read(self, base: Content) -> None:
        """Store the whole content read from the store; empty if nothing.

        Raises:
            ConflictError: A part of it that was read before has changed.
            WrongShapeError: A change has another shape.
        """
        for condition in self.conditions():
            if not _holds(base, condition):
                raise ConflictError(f"{str(self.key)!r} changed while the transaction was reading it")
        content = base if self.part is None else self._changed(base, self.part)
        if not content:
            self._deadline = _UNSET
        self._base, self.content, self.part = base, content, None

    def _changed(self, base: Content, part: Part) -> Content:
        """Return what the changes of parts make of the whole content."""
        if base and part.changes() and shape_of(base) is not part.shape:
            raise wrong_shape(self.key, shape_of(base), part.shape)
        content = base
        for content in part.after(base or part.shape.content()):
            if base and not content:  # empty at a moment, which ended its deadline
                self.stands_alone = True
                self._first = [Delete(self.key)]
        return content

    def put(self, content: Content) -> None:
        """Replace the content in memory; empty content deletes."""
        if self.content and not content:
            self._stand_alone([] if self._made else [Delete(self.key)])
        self.content = content

    def change(self, change: Change) -> None:
        """Make a change of a shape."""
        if isinstance(change, Replace) and self.content is None:
            self._stand_alone([] if change.content else [change])
            self.content = change.content.copy()
        elif self.content is None:
            self.part_of(cast("Shape", shape_for(change))).take(change)
        else:
            self.put(changed(self.content or cast("Shape", shape_for(change)).content(), change))

    def delete(self, change: Delete) -> None:
        """Delete it."""
        self._stand_alone([change])
        self.content, self._entries = {}, None

    def make(self, change: Make) -> None:
        """Make a record of it, which does not exist."""
        self._stand_alone(self._first)
        self.content, self._made = dict(change.fields), change

    def vanish(self) -> None:
        """Note that its owner is created or deleted, so all of its content is gone."""
        self._stand_alone([])
        self.content, self._deadline = {}, _UNSET

    @property
    def entries(self) -> Mapping[str, EntryKey]:
        """Its index entries from now on, as far as the transaction changes them."""
        return self._entries.entries if self._entries else {}

    def set_entries(self, change: SetEntries, *, is_new: bool) -> None:
        """Let a record have other entries in indexes; ``is_new`` if the same step made it."""
        entries = {**self.entries, **(change.when_made if is_new else change.entries)}
        self._entries = replace(change, entries=entries, when_made=entries)

    def set_deadline(self, deadline: float | None, now: float) -> None:
        """Set its deadline, never if None."""
        if self.content is not None and not self.content:
            return
        if deadline is not None and deadline <= now:
            self.delete(Delete(self.key, self._made.children if self._made else None))
        else:
            self._deadline = deadline

    def conditions(self) -> list[Condition]:
        """Return the conditions of the commit: everything that was read."""
        if self._base is not None:
            return [ContentIs(self.key, self._base)]
        found = list(self.part.conditions()) if self.part else []
        if self.size is not None:
            found.append(SizeIs(self.key, self.size))
        is_implied = self.existed and ((self.part and self.part.existed()) or self.size)
        if self.existed is not None and not is_implied:
            found.append(Exists(self.key, self.existed))
        return found

    def changes(self, now: float) -> list[Change]:
        """Return the changes that the transaction makes to it."""
        found = [*self._first, *self._content_changes()]
        if self._deadline is not _UNSET:
            found.append(SetDeadline(self.key, None if self._deadline is None else self._deadline - now))
        if self.entries:
            found.append(cast("SetEntries", self._entries))
        return found

    def _content_changes(self) -> Sequence[Change]:
        if self._made is not None:
            return [replace(self._made, fields=cast("dict[str, bytes]", self.content))]
        if self.content is None:
            return self.part.changes() if self.part else []
        if self.stands_alone or not self._base:
            return [Replace(self.key, self.content)] if self.content else []
        return difference(self.key, self._base, self.content) if self.content else [Delete(self.key)]

    def _stand_alone(self, first: Sequence[Change]) -> None:
        """Start again with ``first``: from now on, the content of the store does not affect the writes."""
        self.stands_alone, self._first, self._made = True, [*first], None
        if first:
            self._deadline = _UNSET


def _holds(content: Content, condition: Condition) -> bool:
    if isinstance(condition, Exists):
        return bool(content) is condition.expected
    if isinstance(condition, SizeIs):
        return len(content) == condition.size
    shape = cast("Shape", shape_for(condition))
    return agrees(content, condition) if content and shape_of(content) is shape else agrees(shape.content(), condition)

"""Handles whose first write makes the record: ``User(id)`` without values, and its children."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, cast

import msgspec

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Change, Condition, Exists, Make, Replace
from persistent_collections.backends.effects import operations_of
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Key
from persistent_collections.backends.scratch import ScratchBackend
from persistent_collections.backends.shapes import Shape
from persistent_collections.errors import ObjectNotFound


class Bare(msgspec.Struct, frozen=True):
    """A record that its first write makes.

    Attributes:
        backend: The store.
        key: The record's own.
        children: The keys of the children that its class declares.
        initial: Returns the initial content of a new record.
        commit: Makes changes if conditions hold, and the index entries of a new record.
    """

    backend: Backend
    key: Key
    children: tuple[Key, ...]
    initial: Callable[[], dict[str, bytes]]
    commit: Callable[[Sequence[Condition], Sequence[Change], Mapping[str, bytes]], bool]

    def open(self, shape: Shape, key: Key, handle: Any) -> Any:
        """Return the handle of ``key``, the record's own or a child's; ``handle`` writes only while it exists."""
        return _handles_of(shape)(self, key, handle)

    def try_to_make(self, shape: Shape, key: Key, write: Callable[[Any], Any]) -> tuple[Any] | None:
        """Create the record with the result of ``write``, and return its result; None if others created it meanwhile.

        The write is first applied to a record in memory. If it changes neither a record with all defaults nor one
        without any, no record is created.

        Args:
            shape: The shape of the handle that ``write`` receives.
            key: The key of that handle.
            write: Calls a method of the handle.

        Cost: 1 round trip.
        """
        initial = self.initial()
        result, changed, own, other = self._try(initial, shape, key, write)
        if not changed and not (key == self.key and self._try({}, shape, key, write)[1]):
            return (result,)
        fields = {field: data for field, data in own.items() if field != MARKER}
        held = fields or {MARKER: MARKER_DATA}
        changes: list[Change] = [Make(self.key, held, self.children)]
        if key != self.key:
            changes.append(Replace(key, other))
        return (result,) if self.commit([Exists(self.key, expected=False)], changes, held) else None

    def _try(
        self, initial: dict[str, bytes], shape: Shape, key: Key, write: Callable[[Any], Any]
    ) -> tuple[Any, bool, dict[str, bytes], Any]:
        """Apply ``write`` in memory; return its result, whether it changed anything, and what both keys hold then."""
        scratch = ScratchBackend(self.backend.url, self.backend.medium)
        scratch.commit([], [Make(self.key, initial or {MARKER: MARKER_DATA})])
        before = scratch.snapshot([self.key, key])
        result = write(scratch.open(shape, key, is_record=key == self.key))
        after = scratch.snapshot([self.key, key])
        own, other = (entry.content if entry else {} for entry in after)
        return result, after != before, cast("dict[str, bytes]", own), other


@cache
def _handles_of(shape: Shape) -> Callable[[Bare, Key, Any], Any]:
    """Return a class of handles of ``shape`` whose writes make the record if it does not exist."""

    def init(self: Any, bare: Bare, key: Key, handle: Any) -> None:
        self.bare, self.key, self.handle = bare, key, handle

    def read(name: str) -> Callable[..., Any]:
        return lambda self, *args, **kwargs: getattr(self.handle, name)(*args, **kwargs)

    def write(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            call = partial(_call, name, args, kwargs)
            while True:
                try:
                    return call(self.handle)
                except ObjectNotFound:
                    made: tuple[Any] | None = self.bare.try_to_make(shape, self.key, call)
                if made is not None:
                    return made[0]

        return method

    operations = operations_of(shape.interface).items()
    methods = {name: read(name) if effect == "reads" else write(name) for name, effect in operations}
    made: Any = type(f"Bare{shape.interface.__name__}", (shape.interface,), {"__init__": init, **methods})
    return made  # type: ignore[no-any-return]  # a class like this one is made at run time


def _call(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], handle: Any) -> Any:
    return getattr(handle, name)(*args, **kwargs)

"""A value in a store: an item of a dict or a list, or the field of a record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from persistent_collections import Backend, PersistentDict, PersistentList, Record


class Box(Record):
    value: Any
    tags: list[str]


class Held(NamedTuple):
    """A value in a store, and how it is reached.

    Attributes:
        owner: What holds it.
        where: Its key, index or field.
        other: Another handle of the owner.
    """

    owner: Any
    where: Any
    other: Any

    def read(self) -> Any:
        return self.owner[self.where]

    def stored(self) -> Any:
        """Return what is stored, as plain as copies are."""
        held = self.other
        return held.to_dict()[self.where] if isinstance(held, Record) else held.copy()[self.where]


def held_in_a_dict(backend: Backend, value: Any) -> Held:
    owner = PersistentDict("held", {"k": value}, backend=backend)
    return Held(owner, "k", PersistentDict("held", backend=backend))


def held_in_a_list(backend: Backend, value: Any) -> Held:
    owner = PersistentList("held", [0, value, 0], backend=backend)
    return Held(owner, 1, PersistentList("held", backend=backend))


def held_in_a_record(backend: Backend, value: Any) -> Held:
    owner = Box("held", value=value, tags=["a"], backend=backend)
    return Held(owner, "value", Box.ref("held", backend=backend))


Hold = Callable[[Backend, Any], Held]
HOLDS: Final = [held_in_a_dict, held_in_a_list, held_in_a_record]

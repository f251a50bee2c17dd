"""Stand-ins for persistent objects, and the references of a store that holds them."""

from __future__ import annotations

from typing import Any

from persistent_collections.codecs.base import References
from persistent_collections.errors import DecodeError, EncodeError


class Thing:
    """What every persistent object is an instance of."""

    def __init__(self, id: str, *, elsewhere: bool = False) -> None:
        self.id = id
        self.elsewhere = elsewhere

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.id == getattr(other, "id", None)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"

    def __hash__(self) -> int:
        return hash(self.id)


class Person(Thing):
    pass


class Hero(Person):
    pass


class Place(Thing):
    pass


KINDS = {kind.__name__: kind for kind in (Person, Hero, Place)}


def to_key(thing: Any) -> str:
    if thing.elsewhere:
        raise EncodeError("it is in another store")
    return f"{type(thing).__name__}:{thing.id}"


def from_key(key: str) -> Any:
    kind, _, name = key.partition(":")
    if kind not in KINDS:
        raise DecodeError("no class of that name")
    return KINDS[kind](name)


REFERENCES = References(Thing, to_key, from_key)

"""The records the tests of this folder store."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self

from persistent_collections import (
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    codec,
    make_record,
    stored_as,
)


class Person(Record):
    name: str
    email: str
    age: int
    password: Password
    nickname: str | None
    tags: list[str]
    best: Person | None
    twin: Self | None
    friends: PersistentList[Person] = child()
    scores: PersistentDict[str, int] = child()
    teams: PersistentSet[str] = child()


class Guest(Record):
    name: str
    nickname: str | None
    friends: PersistentList[Guest] = child()
    scores: PersistentDict[str, int] = child()
    teams: PersistentSet[str] = child()


class Employee(Person):
    salary: int = 1000
    boss: Employee
    reports: PersistentList[Self] = child()


class Zeros(Record):
    """A field of every type that has a zero, and of some that have none."""

    text: str
    whole: int
    real: float
    truth: bool
    data: bytes
    items_: Annotated[list[int], stored_as("items")]
    bare_list: list  # type: ignore[type-arg] # a bare list is what this field is about
    mapping: dict[str, int]
    unique: set[int]
    frozen: frozenset[int]
    pair: tuple[int, ...]
    maybe_text: str | None
    maybe_whole: int | None
    day: date
    anything: Any
    other: Person


class Defaults(Record):
    text: str = "none yet"
    whole: int = 7
    truth: bool = True
    tags: list[str] = ["new"]  # noqa: RUF012 - a default is made anew for each object
    maybe: int | None = None
    maybe_whole: int | None = 3
    day: date = date(2024, 2, 29)


Clashing = make_record(
    "Clashing",
    {
        "items": list[int],
        "keys": str,
        "values": str,
        "get": str,
        "update": str,
        "delete": str,
        "count": int,
        "register": str,
        "name": str,
    },
)
"""Fields whose names are those of methods and properties, of a class's own and of its metaclass's."""


class Coded(Record):
    plain: list[int]
    packed: Annotated[list[int], codec("msgpack")]
    both: Annotated[list[int], codec("msgpack"), stored_as("old_both")]
    text: str
    json_text: Annotated[str, codec("json")]
    notes: PersistentList[str] = child()
    packed_notes: Annotated[PersistentList[str], codec("msgpack")] = child()


class PackedCoded(Record, codec="msgpack"):
    whole: int
    text: str
    json_text: Annotated[str, codec("json")]
    password: Password
    other: Person | None
    notes: PersistentList[str] = child()

"""Every change of a class, in every place and codec: the right value or an error that names the place.

What is stored is never read as an empty value in silence. Two things are no contradiction that a store could see: a
field that is renamed without a mark, which is one that is removed and one that is added, and a change of type under one
name whose old bytes are values of the new type (docs/change-your-classes.md lists them).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, make_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypeAlias
from uuid import UUID

import pytest

from persistent_collections import (
    Backend,
    DecodeError,
    PersistentCollectionsError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    SchemaChangedError,
    formerly,
    make_record,
    migrate,
    stored_as,
)
from persistent_collections.checking import check
from persistent_collections.codecs.json import JSONCodec


class Colour(StrEnum):
    RED = "red"


class Level(Enum):
    HIGH = 1


Name = NewType("Name", str)
Alias: TypeAlias = str


class Change(NamedTuple):
    """A change of a type under one name.

    Attributes:
        before: The type before.
        after: The type after.
        value: What is stored.
        reads: What it may read as; besides an error, if ``is_refused``.
        is_refused: Whether it may be an error.
    """

    before: Any
    after: Any
    value: Any
    reads: tuple[Any, ...] = ()
    is_refused: bool = True


def kept(before: Any, after: Any, value: Any) -> Change:
    return Change(before, after, value, (value,), is_refused=False)


NOON = datetime(2001, 2, 3, 12, tzinfo=UTC)
CHANGES = [
    *(
        kept(str, kind, text)
        for kind in (str | None, Name, Alias, Annotated[str, "mark"])
        for text in ("red", "42", "")
    ),
    *(kept(str, kind, "red") for kind in (Literal["red", "blue"], Colour)),
    kept(Colour, str, Colour.RED),
    kept(str | None, str, "red"),
    kept(int, int | None, 7),
    kept(int, float, 7),
    kept(list[int], list[int | None], [7]),
    kept(list[str], list[Name], ["42"]),
    kept(dict[str, int], dict[str, float], {"a": 7}),
    Change(str, int, "red"),
    Change(str, int, "42", (42,)),
    Change(str, date, "2001-02-03"),
    Change(str, bool, "true", (True,)),
    Change(str, bytes, "red"),
    Change(str, UUID, str(UUID(int=7))),
    Change(str, list[str], "red"),
    Change(str, Level, "HIGH"),
    Change(str, Literal["blue"], "red"),
    Change(int, str, 42, ("42",)),
    Change(int, bool, 1),
    Change(int, date, 7),
    Change(bool, int, True, (True,)),
    Change(float, int, 1.5),
    Change(float, int, 2.0, (2,)),
    Change(float, Decimal, 1.5),
    Change(date, datetime, date(2001, 2, 3)),
    Change(datetime, date, NOON),
    Change(datetime, str, NOON),
    Change(list[str], set[str], ["a"]),
    Change(list[str], tuple[str, ...], ["a"]),
    Change(list[str], list[int], ["a"]),
    Change(list[str], dict[str, str], ["a"]),
    Change(set[int], list[int], {7}),
    Change(dict[str, int], list[str], {"a": 7}),
    Change(dict[str, int], dict[int, int], {"a": 7}),
    Change(bytes, str, b"red"),
]
CODECS: list[str | None] = [None, "json", "msgpack"]
"""By which the class says that its values are written; None is what their types choose."""

Place: TypeAlias = Callable[[Any, Any, Any, str | None], Callable[[], Any]]
"""Stores a value as a type, and returns what reads it as another one."""


def in_field(before: Any, after: Any, value: Any, codec: str | None) -> Callable[[], Any]:
    make_record("Matrix", {"f": before}, codec=codec).create("x", f=value)
    newer = make_record("Matrix", {"f": after}, codec=codec)
    return lambda: newer.load("x")["f"]


def in_child(before: Any, after: Any, value: Any, codec: str | None) -> Callable[[], Any]:
    make_record("Matrix", {"f": PersistentList[before]}, codec=codec).create("x", f=[value])
    newer = make_record("Matrix", {"f": PersistentList[after]}, codec=codec)
    return lambda: newer.load("x")["f"][0]


def in_dict(before: Any, after: Any, value: Any, codec: str | None) -> Callable[[], Any]:
    PersistentDict[str, before]("x", {"f": value}, codec=codec)
    newer = PersistentDict[str, after]("x", codec=codec)
    return lambda: newer["f"]


def in_dataclass(before: Any, after: Any, value: Any, codec: str | None) -> Callable[[], Any]:
    old, new = (make_dataclass("Value", [("f", kind)], frozen=True) for kind in (before, after))
    make_record("Matrix", {"v": old}, codec=codec).create("x", v=old(f=value))
    newer = make_record("Matrix", {"v": new}, codec=codec)
    return lambda: newer.load("x")["v"].f


PLACES: dict[str, Place] = {"field": in_field, "child": in_child, "dict": in_dict, "dataclass": in_dataclass}


def found(place: str, change: Change, codec: str | None) -> Any:
    """Return what a value reads as after a change, or the error that the class or the reading raises."""
    try:
        return PLACES[place](change.before, change.after, change.value, codec)()
    except (TypeError, PersistentCollectionsError) as error:
        return error


def is_right(change: Change, read: Any) -> bool:
    if isinstance(read, DecodeError):
        return change.is_refused and any(key in str(read) for key in ("'Matrix:x", "'PersistentDict:x'"))
    if isinstance(read, TypeError):  # when the class is made
        return "name the codec" in str(read)
    if change.after is str and read not in change.reads:
        return bool(read == JSONCodec().encode(change.value).decode())  # any bytes are a text
    return any(read == right and (type(read) is type(right) or not change.is_refused) for right in change.reads)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("place", PLACES)
def test_a_change_of_type_reads_right_or_is_an_error(store: Backend, place: str, codec: str | None) -> None:
    for change in CHANGES:
        read = found(place, change, codec)
        assert is_right(change, read), (change, read)
        make_record("Matrix", {"f": str, "v": str}).ref("x").delete()
        PersistentDict("x").clear()


Fields: TypeAlias = dict[str, Any]


class Renaming(NamedTuple):
    """A change of the names of fields.

    Attributes:
        before: The fields before.
        after: The fields after.
        values: What is stored.
        reads: What each field reads as afterwards.
        in_values: Whether a dataclass can change so.
    """

    before: Fields
    after: Fields
    values: Fields
    reads: Fields
    in_values: bool = True


TEXT: Fields = {"a": str, "n": int}
RENAMINGS = {
    "renamed": Renaming(TEXT, {"b": Annotated[str, formerly("a")], "n": int}, {"a": "42", "n": 7}, {"b": "42", "n": 7}),
    "renamed in code": Renaming(
        TEXT, {"b": Annotated[str, stored_as("a")], "n": int}, {"a": "42", "n": 7}, {"b": "42", "n": 7}, in_values=False
    ),
    "retyped": Renaming(
        TEXT,
        {"b": Annotated[date, formerly("a", str, date.fromisoformat)]},
        {"a": "2001-02-03"},
        {"b": date(2001, 2, 3)},
    ),
    "of another meaning": Renaming(
        {"m": float}, {"cm": Annotated[int, formerly("m", float, lambda m: round(m * 100))]}, {"m": 1.75}, {"cm": 175}
    ),
    "widened": Renaming({"a": str}, {"b": Annotated[Any, formerly("a", str, str)]}, {"a": "42"}, {"b": "42"}),
    "added": Renaming({"n": int}, {"n": int, "a": (str, "red")}, {"n": 7}, {"n": 7, "a": "red"}),
    "removed": Renaming(TEXT, {"n": int}, {"a": "42", "n": 7}, {"n": 7}),
    "of a list": Renaming({"a": list[str]}, {"b": Annotated[list[str], formerly("a")]}, {"a": ["42"]}, {"b": ["42"]}),
    "of None": Renaming({"a": str | None}, {"b": Annotated[str | None, formerly("a")]}, {"a": "42"}, {"b": "42"}),
}


def as_record(fields: Fields, codec: str | None) -> Any:
    defaults = {name: given[1] for name, given in fields.items() if isinstance(given, tuple)}
    declared = {name: given[0] if isinstance(given, tuple) else given for name, given in fields.items()}
    return make_record("Renamed", declared, defaults=defaults, codec=codec)


def as_dataclass(fields: Fields) -> Any:
    made = [
        (name, *((given[0], field(default=given[1])) if isinstance(given, tuple) else (given,)))
        for name, given in fields.items()
    ]
    return make_dataclass("Value", made, frozen=True)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", RENAMINGS)
def test_a_field_of_a_record_that_is_renamed_reads_right(store: Backend, name: str, codec: str | None) -> None:
    change = RENAMINGS[name]
    as_record(change.before, codec)("x", **change.values)
    newer = as_record(change.after, codec)
    assert newer.load("x").to_dict() == change.reads
    assert list(newer.all().fetch(*change.reads)) == [change.reads]
    migrate(newer)
    assert newer.load("x").to_dict() == change.reads
    assert {found.kind for found in check(store)} <= ({"stray_field"} if name == "removed" else set())


def holding(kind: Any, codec: str | None) -> Any:
    """Return a record class that holds values of a type in every place."""
    places = {"v": kind, "many": list[kind], "c": PersistentList[kind], "d": PersistentDict[str, kind]}
    return make_record("Holding", places, codec=codec)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", [name for name, change in RENAMINGS.items() if change.in_values])
def test_a_field_of_a_stored_class_that_is_renamed_reads_right(store: Backend, name: str, codec: str | None) -> None:
    change = RENAMINGS[name]
    old, new = as_dataclass({**change.before, "last": int}), as_dataclass({"last": int, **change.after})
    older, newer = (holding(kind, codec) for kind in (old, new))
    value = old(**{name: change.values.get(name, 7) for name in change.before}, last=1)
    older.create("x", v=value, many=[value], c=[value], d={"k": value})
    expected = new(**change.reads, last=1)

    def read() -> list[Any]:
        record: Any = newer.load("x")
        return [record["v"], *record["many"], *record["c"], *record["d"].values()]

    assert read() == [expected] * 4
    migrate(newer)
    assert read() == [expected] * 4
    assert [found.kind for found in check(store)] == []


CHILDREN: dict[str, tuple[Any, Any, Any]] = {
    "list": (list[str], PersistentList[str], ["42", "true"]),
    "numbers": (list[int], PersistentList[int], [1, 2]),
    "dict": (dict[str, int], PersistentDict[str, int], {"a": 1}),
    "set": (set[str], PersistentSet[str], {"42"}),
    "values": (list[list[str]], PersistentList[list[str]], [["42"]]),
}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", CHILDREN)
def test_a_field_that_becomes_a_child_is_an_error_until_it_is_migrated(
    store: Backend, name: str, codec: str | None
) -> None:
    declared, kind, value = CHILDREN[name]
    as_field = make_record("Moving", {"f": declared, "n": int}, codec=codec)
    as_child = make_record("Moving", {"f": kind, "n": int}, codec=codec)
    as_field.create("x", f=value, n=7)
    for newer in (as_child, as_field):
        for read in (len, list):
            with pytest.raises(SchemaChangedError, match=r"'f' is declared as a .*'Moving:x'.*migrate\(Moving\)"):
                read(newer.load("x")["f"])
        assert migrate(newer).left == 0
        after: Any = newer.load("x")
        assert type(value)(after["f"].items() if isinstance(value, dict) else after["f"]) == value
        assert after["n"] == 7
        assert list(check(store, classes=[newer])) == []

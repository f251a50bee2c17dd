"""Corners of types that a codec has to keep exactly, or refuse."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import annotated_types
import pydantic
import pytest
from typing_extensions import TypeAliasType, TypedDict

from persistent_collections import Backend, EncodeError, PersistentDict, PersistentList, PersistentSet, get_codec
from persistent_collections.codecs.types.registry import register_type
from tests.codecs.exact import exact

T = TypeVar("T")


def same(one: Any, other: Any) -> bool:
    return bool(exact(one) == exact(other))


class Word(str, enum.Enum):  # noqa: UP042 - the mixed-in str's own __getitem__ is the point
    YES = "y"
    NO = "n"


class Shade(enum.Enum):
    DARK = 1

    @property
    def value(self) -> str:  # type: ignore[override]  # the point
        return "dark"


class Odd(enum.Enum):
    ONE = 1

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.ONE


class Pair(NamedTuple, Generic[T]):
    one: T
    other: list[T]


class Row(TypedDict, Generic[T]):
    cell: T


class Root(pydantic.RootModel[list[int]], frozen=True):
    pass


Many = TypeAliasType("Many", list[T], type_params=(T,))


@pytest.fixture(params=["json", "msgpack"])
def codec(request: pytest.FixtureRequest) -> Any:
    return get_codec(request.param)


def bound(codec: Any, declared: Any) -> Any:
    return codec.bind(declared, None)


@pytest.mark.parametrize("offset", [timedelta(microseconds=1), -timedelta(milliseconds=999)])
def test_an_offset_that_python_would_read_as_none_is_refused(codec: Any, offset: timedelta) -> None:
    for value in (datetime(2024, 1, 1, tzinfo=timezone(offset)), time(1, tzinfo=timezone(offset))):
        with pytest.raises(EncodeError, match="an unnamed offset of whole seconds"):
            codec.encode(value)
    kept = datetime(2024, 1, 1, tzinfo=timezone(timedelta(seconds=1)))
    assert same(codec.decode(codec.encode(kept)), kept)


def test_an_enum_that_is_a_str_goes_by_the_names_of_its_members(codec: Any) -> None:
    register_type(Word, "corner_word")
    for word in Word:
        assert codec.decode(codec.encode([word])) == [word]
    assert bound(codec, Word).decode(bound(codec, Word).encode(Word.NO)) is Word.NO


def test_an_enum_with_a_value_of_its_own_making_is_stored_by_the_one_it_is_found_by(codec: Any) -> None:
    declared = bound(codec, Shade)
    assert declared.decode(declared.encode(Shade.DARK)) is Shade.DARK
    assert declared.encode(Shade.DARK) == codec.encode(1)


def test_generic_classes_give_their_fields_the_types_they_were_given(codec: Any) -> None:
    pair = bound(codec, Pair[int])
    assert same(pair.decode(pair.encode(Pair(1, [2]))), Pair(1, [2]))
    wrong: Any = Pair("a", ["b"])
    with pytest.raises(EncodeError, match="expected int, not str"):
        pair.encode(wrong)
    row = bound(codec, Row[bool])
    assert same(row.decode(row.encode({"cell": True})), {"cell": True})
    with pytest.raises(EncodeError, match="expected bool, not int"):
        row.encode({"cell": 1})
    many = bound(codec, Many[int])
    assert many.decode(many.encode([1])) == [1]
    with pytest.raises(EncodeError, match="expected int, not str"):
        many.encode(["a"])


def test_a_root_model_is_stored_as_its_root(codec: Any) -> None:
    declared = bound(codec, Root)
    assert declared.encode(Root([1, 2])) == codec.encode([1, 2])
    assert declared.decode(declared.encode(Root([1, 2]))) == Root([1, 2])


@pytest.mark.parametrize(
    ("constraint", "kept", "refused"),
    [
        (annotated_types.Gt(3), 4, 3),
        (annotated_types.Le(3), 3, 4),
        (annotated_types.Interval(ge=1, lt=3), 2, 3),
        (annotated_types.MultipleOf(2), 4, 3),
        (annotated_types.Predicate(lambda value: value != 5), 4, 5),
        (pydantic.Field(ge=3), 3, 2),
    ],
)
def test_the_constraints_of_annotated_types_are_checked(codec: Any, constraint: Any, kept: int, refused: int) -> None:
    declared = bound(codec, Annotated[int, constraint])
    assert declared.decode(declared.encode(kept)) == kept
    with pytest.raises(EncodeError, match="does not meet"):
        declared.encode(refused)


@pytest.mark.parametrize(
    ("constraint", "declared", "kept", "refused"),
    [
        (annotated_types.Len(1, 2), str, "ab", "abc"),
        (annotated_types.MinLen(1), list[int], [1], []),
        (annotated_types.Timezone(None), datetime, datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
        (annotated_types.Timezone(...), datetime, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1)),
    ],
)
def test_constraints_of_lengths_and_zones_are_checked(
    codec: Any, constraint: Any, declared: Any, kept: Any, refused: Any
) -> None:
    narrowed = bound(codec, Annotated[declared, constraint])
    assert same(narrowed.decode(narrowed.encode(kept)), kept)
    with pytest.raises(EncodeError, match="does not meet"):
        narrowed.encode(refused)


def test_a_union_keeps_a_value_as_the_member_that_it_is(codec: Any) -> None:
    for declared in (float | int, int | float, list[float] | list[int]):
        value: Any = [3] if "list" in str(declared) else 3
        narrowed = bound(codec, declared)
        assert same(narrowed.decode(narrowed.encode(value)), value), declared


def keys(kind: Any, *items: Any) -> Callable[[Backend], bool]:
    def hold(store: Backend) -> bool:
        members = kind("corner", list(items), backend=store)
        return same(sorted(members, key=repr), sorted(items, key=repr))

    return hold


@pytest.mark.parametrize(
    "held",
    [
        keys(PersistentSet[tuple[float, str]], (1.0, "a"), (2.5, "b")),
        keys(PersistentSet[tuple[bool, ...]], (True, False), ()),
        keys(PersistentSet[frozenset[int]], frozenset({1, 2})),
        keys(PersistentSet[float | str], 1.0, "1.0"),
        keys(PersistentSet[tuple[Decimal, int]], (Decimal(1), 1)),
    ],
)
def test_numbers_within_declared_members_come_back_as_declared(
    backend: Backend, held: Callable[[Backend], bool]
) -> None:
    assert held(backend)


def test_keys_that_no_number_is_equal_to_are_no_members(backend: Backend) -> None:
    numbers = PersistentSet[int]("n", [1], backend=backend)
    for odd in (Decimal("sNaN"), Decimal("NaN"), Decimal("Infinity")):
        with pytest.raises(TypeError):  # what a set raises for the first, and an EncodeError
            numbers.add(odd)  # type: ignore[arg-type]  # the point
    assert numbers == {1}
    lists = PersistentList[Any]("l", backend=backend)
    lists.append(Decimal("sNaN"))
    assert str(lists[0]) == "sNaN"
    words = PersistentDict[str, Annotated[str, annotated_types.Len(1, 3)]]("w", backend=backend)
    with pytest.raises(EncodeError, match=r"'PersistentDict:w': .* does not meet"):
        words["a"] = "long"

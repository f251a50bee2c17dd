"""Dict keys and set members as texts."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest

from persistent_collections import DecodeError, EncodeError, register_type
from persistent_collections.codecs.keys.codec import key_codec
from tests.codecs.exact import exact
from tests.codecs.people import REFERENCES, Hero, Person, Place
from tests.codecs.refusals import Text

PARIS = ZoneInfo("Europe/Paris")


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Role(enum.StrEnum):
    ADMIN = "admin"


class Mixed(enum.Enum):
    A = 1
    B = "b"


class Known(enum.Enum):
    X = 1


class Ranked(enum.IntEnum):
    FIRST = 1


@dataclass(frozen=True)
class Spot:
    x: float
    y: Any = None


@dataclass(frozen=True)
class Unregistered:
    x: int


class Pair(NamedTuple):
    a: int
    b: int


register_type(Known, "test.key.known")
register_type(Ranked, "test.key.ranked")
register_type(Spot, "test.key.spot")
register_type(Pair, "test.key.pair")

GOLDEN: list[tuple[Any, Any, str]] = [
    (str, "a:b", "a:b"),
    (str, "", ""),
    (int, 42, "42"),
    (int, -(10**30), "-" + "1" + "0" * 30),
    (bool, True, "1"),
    (float, 1.0, "1"),
    (float, 1.5, "1.5"),
    (float, 1e300, str(int(1e300))),
    (float, float("-inf"), '"-inf"'),
    (Decimal, Decimal("1.50"), "1.5"),
    (Decimal, Decimal("0.1"), "0.1"),
    (Decimal, Decimal(100), "100"),
    (Decimal, Decimal("1E-9999999"), "1E-9999999"),
    (Decimal, Decimal("Infinity"), "Infinity"),
    (UUID, UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (date, date(2024, 1, 2), "2024-01-02"),
    (datetime, datetime(2024, 1, 2, 3), "2024-01-02T03:00:00"),
    (datetime, datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02T03:00:00+00:00"),
    (time, time(3, 4), "03:04:00"),
    (bytes, b"\xff", "/w=="),
    (Path, Path("a/b"), "a/b"),
    (Colour, Colour.RED, "red"),
    (Level, Level.LOW, "1"),
    (Mixed, Mixed.B, '"b"'),
    (Known, Known.X, "X"),
    (Ranked, Ranked.FIRST, "FIRST"),
    (Literal["a", "b"], "a", "a"),
    (Literal[1, 2], 1, "1"),
    (Annotated[str, msgspec.Meta(min_length=1)], "a", "a"),
    (Annotated[int, msgspec.Meta(gt=0)], 1, "1"),
    (tuple[int, str], (1, "a"), '[1,"a"]'),
    (tuple[UUID, ...], (UUID(int=1),), '["00000000-0000-0000-0000-000000000001"]'),
    (tuple[tuple[Colour, Decimal], Any], ((Colour.RED, Decimal("0.1")), "1"), '[["red","0.1"],"1"]'),
    (int | str, 1, "1"),
    (int | str, "1", '"1"'),
    (str | None, None, "null"),
    (timedelta, timedelta(1), '{"$timedelta":[1,0,0]}'),
    (frozenset[int], frozenset({2, 1}), '{"$frozenset":[1,2]}'),
    (Spot, Spot(1.5), '{"$test.key.spot":{"x":1.5,"y":null}}'),
    (Any, 1, "1"),
    (Any, "1", '"1"'),
    (Any, None, "null"),
    (Any, (1, "a"), '{"$tuple":[1,"a"]}'),
    (Any, b"a", '{"$bytes":"YQ=="}'),
    (Any, frozenset({"b", 1, ()}), '{"$frozenset":["b",1,{"$tuple":[]}]}'),
    (Any, 1 + 2j, '{"$complex":[1,2]}'),
    (Any, Known.X, '{"$test.key.known":"X"}'),
]


@pytest.mark.parametrize(("declared", "key", "text"), GOLDEN)
def test_the_texts_of_keys_are_pinned_and_read_back(declared: Any, key: Any, text: str) -> None:
    codec = key_codec(declared)
    assert codec.encode(key) == text
    assert codec.decode(text) == key


@pytest.mark.parametrize(("declared", "key", "text"), [case for case in GOLDEN if case[0] is not Any])
def test_a_key_comes_back_as_the_declared_type(declared: Any, key: Any, text: str) -> None:
    back = key_codec(declared).decode(text)
    assert type(back) is type(key)
    if not isinstance(key, tuple | frozenset | Spot | Decimal):
        assert exact(back) == exact(key)


@pytest.mark.parametrize(
    ("declared", "keys"),
    [
        (int, [1, True, 1.0, Decimal(1), Decimal("1.00"), 1 + 0j, Level.LOW, Ranked.FIRST]),
        (float, [1, True, 1.0, Decimal("1E0")]),
        (float, [0, 0.0, -0.0, False, Decimal("-0")]),
        (float, [float("inf"), Decimal("Infinity")]),
        (bool, [True, 1, 1.0]),
        (Decimal, [Decimal("0.5"), 0.5, Decimal("0.500"), Decimal("5E-1")]),
        (Decimal, [Decimal("0.1"), Decimal("0.10")]),
        (Any, [1, True, 1.0, Decimal(1), 1 + 0j, Level.LOW, Ranked.FIRST]),
        (Any, [0.5, Decimal("0.50"), 0.5 + 0j]),
        (Any, [Decimal("0.1"), Decimal("0.100")]),
        (Any, [Decimal("1E2"), 100, 1e2]),
        (Any, [Decimal("10E-9999999"), Decimal("1E-9999998")]),
        (Any, ["admin", Role.ADMIN]),
        (Any, [(1, (True,)), (1.0, (Decimal(1),))]),
        (Any, [frozenset({1, 2.5}), frozenset({True, Decimal("2.5")})]),
        (Any, [Spot(1), Spot(1.0), Spot(True)]),
        (Any, [Spot(1, (0.0,)), Spot(1.0, (-0.0,))]),
        (Any, [datetime(2024, 7, 1, 12, tzinfo=UTC), datetime(2024, 7, 1, 14, tzinfo=PARIS)]),
        (
            datetime,
            [datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))],
        ),
        (datetime, [datetime(2024, 1, 1), datetime(2024, 1, 1, fold=1)]),
        (Any, [time(1), time(1, fold=1), time(1, tzinfo=PARIS)]),
        (Any, [1 + 0.0j, complex(1, -0.0), 1]),
        (Any, [complex(0.0, 1), complex(-0.0, 1)]),
        (Level, [Level.LOW, 1, 1.0, True]),
        (Role, [Role.ADMIN, "admin"]),
        (Ranked, [Ranked.FIRST, 1]),
        (tuple[int, str], [(1, "a"), (True, "a"), (1.0, "a")]),
        (tuple[int, int], [(1, 2), Pair(1, 2)]),
        (tuple[float, ...], [(1, 2.5), (1.0, Decimal("2.5"))]),
    ],
)
def test_equal_keys_have_one_text(declared: Any, keys: list[Any]) -> None:
    assert len(set(keys)) == 1, "they are one key of a dict"
    assert len({key_codec(declared).encode(key) for key in keys}) == 1


def test_unlike_keys_have_unlike_texts() -> None:
    keys: list[Any] = [1, "1", 1.5, "1.5", None, "null", True, "true", (1,), "[1]", b"1", frozenset({1}), (), ("1",)]
    keys += [Decimal("0.1"), 0.1, Decimal("0.11"), Known.X, "X", date(2024, 1, 1), datetime(2024, 1, 1), "2024-01-01"]
    assert len({key_codec(Any).encode(key) for key in keys}) == len(set(keys))


@pytest.mark.parametrize(
    ("declared", "key", "message"),
    [
        (
            str,
            1,
            r"a key of type int where keys are str; give a str, or declare PersistentDict\[int, V\]",
        ),
        (str, None, r"give a str, or declare PersistentDict\[None, V\]"),
        (str, Text("a"), r"give a str, such as str\(key\)$"),
        (str, object(), r"give a str, such as str\(key\)$"),
        (str, Colour.RED, r"give a str, or declare PersistentDict\[Colour, V\]"),
        (str, "\ud800", "lone surrogate"),
        (int, "1", "a key of type str is refused: value: expected int, not str"),
        (int, 1.5, "expected int, not float"),
        (int, None, "expected int, not None"),
        (bool, 2, "expected bool, not int"),
        (float, Decimal("0.1"), "expected float, not Decimal"),
        (float, float("nan"), "nan cannot be a key"),
        (Decimal, Decimal("NaN"), "nan cannot be a key"),
        (Decimal, "1", "expected Decimal, not str"),
        (UUID, "00000000-0000-0000-0000-000000000001", "expected UUID, not str"),
        (date, datetime(2024, 1, 1), "expected date, not datetime"),
        (Colour, "red", "expected Colour, not str"),
        (Literal["a"], "b", "expected one of 'a', not another str"),
        (Annotated[int, msgspec.Meta(gt=0)], 0, "value: does not meet its constraint"),
        (tuple[int, str], (1, 2), "expected str, not int"),
        (tuple[int, str], (1,), "expected a tuple of 2, not of 1"),
        (tuple[int, str], "ab", "expected tuple, not str"),
        (int | str, 1.5, "expected int or str, not float"),
        (Any, float("nan"), "nan cannot be a key"),
        (Any, (1, float("nan")), r"value\[1\]: nan cannot be a key"),
        (Any, complex(1, float("nan")), "nan cannot be a key"),
        (Any, Decimal("1E+999999999"), "more than 4300 digits"),
        (Any, Text("a"), "Text cannot be a key"),
        (Any, Pair(1, 2), "Pair cannot be a key"),
        (Any, PurePosixPath("a"), "PurePosixPath cannot be a key"),
        (Any, PureWindowsPath("a"), "PureWindowsPath cannot be a key"),
        (Any, Unregistered(1), "Unregistered is not registered"),
        (Any, Colour.RED, "Colour is not registered"),
        (Any, datetime(2024, 10, 27, 2, 30, tzinfo=PARIS), "skips or repeats"),
        (Any, datetime(2024, 3, 31, 2, 30, tzinfo=PARIS), "skips or repeats"),
        (Any, datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "out of range in UTC"),
        (Any, time(1, tzinfo=UTC), "a time with an offset cannot be a key"),
        (Any, object(), "object is not held"),
    ],
)
def test_a_key_that_would_not_come_back_or_be_found_is_refused(declared: Any, key: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        key_codec(declared).encode(key)


class Ten(bytes, enum.Enum):
    X = b"x"


class Start(date, enum.Enum):
    EPOCH = 1970, 1, 1


@pytest.mark.parametrize(
    ("declared", "member", "value"),
    [
        (str, Role.ADMIN, "admin"),
        (Literal["admin"], Role.ADMIN, "admin"),
        (Any, Role.ADMIN, "admin"),
        (str | int, Role.ADMIN, "admin"),
        (tuple[str, int], (Role.ADMIN, Level.LOW), ("admin", 1)),
        (int, Level.LOW, 1),
        (Decimal, Level.LOW, Decimal(1)),
        (bytes, Ten.X, b"x"),
        (Any, Ten.X, b"x"),
        (date, Start.EPOCH, date(1970, 1, 1)),
    ],
)
def test_a_member_of_an_enum_that_is_equal_to_a_key_is_that_key(declared: Any, member: Any, value: Any) -> None:
    codec = key_codec(declared)
    assert {member: 1} == {value: 1}, "as in a dict"
    assert codec.encode(member) == codec.encode(value)
    assert exact(codec.decode(codec.encode(member))) == exact(value)
    assert list(codec.encode_all([member])) == list(codec.encode_all([value]))


@pytest.mark.parametrize("key", [Text("x"), object(), 1, None, b"a", Colour.RED, Unregistered(1), date(1, 1, 1)])
def test_the_remedy_for_a_key_that_is_no_str_is_possible(key: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        key_codec(str).encode(key)
    assert key_codec(str).encode(str(key)) == str(key)
    if "declare" in str(caught.value):
        assert exact(key_codec(type(key)).decode(key_codec(type(key)).encode(key))) == exact(key)


@pytest.mark.parametrize("zone", [UTC, timezone.utc, timezone(timedelta(hours=1)), ZoneInfo("UTC")])  # noqa: UP017
def test_datetimes_that_differ_in_fold_are_one_key(zone: Any) -> None:
    one = datetime(2024, 10, 27, 1, 30, tzinfo=zone)
    other = one.replace(fold=1)
    assert len({one, other}) == 1
    for declared in (datetime, Any, datetime | None, tuple[datetime, int]):
        wrap: Any = (lambda moment: (moment, 1)) if declared == tuple[datetime, int] else (lambda moment: moment)
        codec = key_codec(declared)
        assert codec.encode(wrap(one)) == codec.encode(wrap(other))
        assert codec.decode(codec.encode(wrap(other))) == wrap(one)


@pytest.mark.parametrize("declared", [int, Decimal, Any])
def test_a_number_longer_than_python_reads_is_refused(declared: Any) -> None:
    codec = key_codec(declared)
    assert codec.decode(codec.encode(10**4299)) == 10**4299
    with pytest.raises(EncodeError, match="more than 4300 digits"):
        codec.encode(-(10**4300))


@pytest.mark.parametrize("declared", [str, int, Any, tuple[int, str], Colour])
@pytest.mark.parametrize("key", [[], {}, set(), ([],), bytearray()])
def test_what_is_not_hashable_is_the_type_error_of_a_dict(declared: Any, key: Any) -> None:
    with pytest.raises(TypeError) as ours:
        key_codec(declared).encode(key)
    with pytest.raises(TypeError) as theirs:
        hash(key)
    assert type(ours.value) is TypeError
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize(
    "declared", [list[int], dict, set[int], tuple[list[int], int], Unregistered, tuple[Unregistered]]
)
def test_a_type_whose_values_are_no_keys_is_a_type_error(declared: Any) -> None:
    with pytest.raises(TypeError):
        key_codec(declared)


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        (int, "1_0"),
        (int, " 1"),
        (int, "01"),
        (int, "1.0"),
        (int, "1.5"),
        (int, '"1"'),
        (int, "true"),
        (int, ""),
        (int, "1" * 5000),
        (bool, "2"),
        (bool, "true"),
        (float, "1.0"),
        (float, "NaN"),
        (float, '"nan"'),
        (float, "1e0"),
        (Decimal, "1.50"),
        (Decimal, "NaN"),
        (Decimal, "1E+9999999"),
        (UUID, "{00000000-0000-0000-0000-000000000001}"),
        (date, "20240102"),
        (datetime, "2024-01-02T03:00:00+01:00"),
        (bytes, "YR=="),
        (Colour, "green"),
        (Known, "Y"),
        (Literal["a"], "b"),
        (tuple[int, str], "[1]"),
        (tuple[int, str], '[1, "a"]'),
        (tuple[int, str], '{"a":1}'),
        (tuple[int, str], '"ab"'),
        (Any, "plain"),
        (Any, "[1]"),
        (Any, '{"$frozenset":[2,1]}'),
        (Any, '{"$unknown":1}'),
        (Any, '{"$decimal":"1"}'),
        (Any, "[" * 100_000),
    ],
)
def test_a_text_this_codec_does_not_write_is_a_decode_error(declared: Any, text: str) -> None:
    with pytest.raises(DecodeError):
        key_codec(declared).decode(text)


def test_persistent_objects_are_their_keys() -> None:
    codec = key_codec(Person, REFERENCES)
    assert [codec.encode(Person("a")), codec.encode(Hero("b"))] == ["Person:a", "Hero:b"]
    assert codec.decode("Hero:b") == Hero("b")
    with pytest.raises(EncodeError, match="expected Person, not Place"):
        codec.encode(Place("a"))
    for text in ("Place:a", "Nobody:a"):
        with pytest.raises(DecodeError):
            codec.decode(text)
    nested = key_codec(tuple[Person, int], REFERENCES)
    assert nested.encode((Person("a"), 1)) == '["Person:a",1]'
    assert nested.decode('["Person:a",1]') == (Person("a"), 1)
    anything = key_codec(Any, REFERENCES)
    assert anything.encode(Person("a")) == '{"$ref":"Person:a"}'
    assert anything.decode('{"$ref":"Person:a"}') == Person("a")

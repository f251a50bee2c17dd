"""Order keys against Python's own order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistent_collections import EncodeError, PersistentObject, Record
from persistent_collections.codecs.base import References
from persistent_collections.codecs.order import NONE_KEY, order_of, text_key, text_start

INTEGERS = st.integers() | st.integers(-(2**1200), 2**1200) | st.sampled_from([0, 1, -1, 255, 256, -255, -256, 2**64])
INSTANTS = st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=14))))

TYPES: dict[str, Any] = {
    "decimal": Decimal,
    "naive": datetime,
    "aware": datetime,
    "uuid": UUID,
    **{kind.__name__: kind for kind in (int, bool, float, date, timedelta, str, bytes)},
}

REFERENCES = References(PersistentObject, str, str)


def order_key(kind: str, value: Any) -> bytes:
    order = order_of(TYPES[kind], REFERENCES)
    assert order is not None
    return order.key(value)


KINDS: dict[str, st.SearchStrategy[Any]] = {
    "int": INTEGERS,
    "bool": st.booleans(),
    "float": st.floats(allow_nan=False)
    | INTEGERS
    | st.integers(2**53 - 3, 2**53 + 3)
    | st.sampled_from([0.0, -0.0, 5e-324, -5e-324]),
    "decimal": st.decimals(allow_nan=False)
    | st.sampled_from([Decimal(text) for text in ["1.0", "1.00", "0", "-0.0", "10", "1E+1"]]),
    "date": st.dates(),
    "naive": st.datetimes(),
    "aware": INSTANTS,
    "timedelta": st.timedeltas(),
    "str": st.text() | st.text("\0\x01a\u00ff\U0010ffff"),
    "bytes": st.binary() | st.binary().map(lambda data: data.replace(b"a", b"\0")),
    "uuid": st.uuids(),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_order_keys_sort_as_values_do_and_equal_ones_are_equal(kind: str, data: st.DataObject) -> None:
    one, other = data.draw(KINDS[kind]), data.draw(KINDS[kind])
    first, second = order_key(kind, one), order_key(kind, other)
    assert (first < second, first == second) == (one < other, one == other)
    assert first == second or not (first.startswith(second) or second.startswith(first)), "each ends where it ends"
    assert NONE_KEY < first < b"\xff"


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_order_keys_one_after_the_other_sort_as_tuples_do(kind: str, data: st.DataObject) -> None:
    pair = st.tuples(KINDS["str"], KINDS[kind])
    one, other = data.draw(pair), data.draw(pair)
    first, second = (order_key("str", text) + order_key(kind, value) for text, value in (one, other))
    assert (first < second, first == second) == (one < other, one == other)


@given(start=st.text(max_size=3), text=st.text("\0\x01ab\U0010ffff"))
def test_the_start_of_texts_is_the_start_of_their_order_keys(start: str, text: str) -> None:
    low = text_start(start.encode())
    assert (low <= order_key("str", text) < low + b"\xff") == text.startswith(start)
    assert text_key(text.encode()) == order_key("str", text)


def test_naive_moments_come_before_aware_ones() -> None:
    assert order_key("naive", datetime.max) < order_key("aware", datetime(1, 1, 1, tzinfo=UTC))


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Plain(Enum):
    DAY = date(2026, 11, 30)


def test_a_member_of_an_enum_has_the_place_of_its_value() -> None:
    for kind, member in (("str", Colour.RED), ("int", Level.HIGH), ("date", Plain.DAY)):
        order = order_of(type(member), REFERENCES)
        assert order
        assert order.key(member) == order_key(kind, member.value)


def test_what_has_no_place_in_an_order_is_refused() -> None:
    for kind, value in (("float", float("nan")), ("decimal", Decimal("NaN")), ("decimal", Decimal("sNaN"))):
        with pytest.raises(EncodeError, match="cannot be ordered"):
            order_key(kind, value)


class Shop(Record):
    name: str


Name = NewType("Name", str)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (str, "text"),
        (Name, "text"),
        (Literal["a", "b"], "text"),
        (Colour, "text"),
        (str | None, "text"),
        (Level, "int"),
        (bool, "int"),
        (int | None, "int"),
        (Annotated[float, "in metres"], "float"),
        (bytes, "bytes"),
        (Decimal, "decimal"),
        (date, "date"),
        (datetime, "datetime"),
        (timedelta, "timedelta"),
        (UUID, "uuid"),
        (Shop, "reference"),
        (Shop | None, "reference"),
        (list[str], None),
        (int | str, None),
        (Any, None),
        (complex, None),
        (dict[str, int] | None, None),
    ],
)
def test_the_order_of_a_declared_type(declared: Any, expected: str | None) -> None:
    order = order_of(declared, REFERENCES)
    assert (order and order.name) == expected

"""The conditions that ``find`` accepts in place of a value: ranges, several values, and the start of a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from persistent_collections.backends.indexes import LAST
from persistent_collections.codecs.order import text_start
from persistent_collections.codecs.registry import get_codec
from persistent_collections.records.indexing import OrderedField


@dataclass(frozen=True, slots=True, init=False)
class one_of:  # noqa: N801 - it is used like a function
    """One of several values, in ``find``.

    ::

        class Lamp(Record, indexes=["state"]):
            state: str

        Lamp.create(state="on")
        assert Lamp.find(state=one_of("on", "dimmed")).count() == 1
    """

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        object.__setattr__(self, "values", values)


class between(msgspec.Struct, frozen=True):  # noqa: N801 - as above
    """At least one value and less than another, in ``find``.

    ::

        class Frame(Record, indexes=["width"]):
            width: int

        Frame.create(width=30)
        assert Frame.find(width=between(20, 31)).count() == 1
    """

    low: Any
    high: Any


class at_least(msgspec.Struct, frozen=True):  # noqa: N801 - as above
    """A value or more, in ``find``.

    ::

        class Tower(Record, indexes=["height"]):
            height: int

        Tower.create(height=30)
        assert Tower.find(height=at_least(30)).count() == 1
    """

    low: Any


class less_than(msgspec.Struct, frozen=True):  # noqa: N801 - as above
    """Less than a value, and not None, in ``find``.

    ::

        class Stone(Record, indexes=["weight"]):
            weight: int

        Stone.create(weight=3)
        assert Stone.find(weight=less_than(3)).count() == 0
    """

    high: Any


class starts_with(msgspec.Struct, frozen=True):  # noqa: N801 - as above
    """A text that starts with another, in ``find``.

    ::

        class Contact(Record, indexes=["email"]):
            email: str

        Contact.create(email="luke@example.com")
        assert Contact.find(email=starts_with("lu")).count() == 1
    """

    text: str


_CONDITIONS = (one_of, between, at_least, less_than, starts_with)


class Range(NamedTuple):
    """Order keys from ``low`` up to, but not including, ``high``."""

    low: bytes
    high: bytes


class Wanted(msgspec.Struct, frozen=True):
    """The condition of a query on one field.

    Attributes:
        field: The field.
        ranges: The ranges of its order key, sorted and disjoint.
        exact: The one order key that it may have, if there is only one.
        data: The bytes of that value.
    """

    field: OrderedField
    ranges: Sequence[Range]
    exact: bytes | None = None
    data: bytes | None = None

    def holds(self, data: bytes | None) -> bool:
        """Return whether stored bytes match."""
        key = self.field.key(data)
        return any(low <= key < high for low, high in self.ranges)


def wanted(field: OrderedField, condition: Any, encode: Callable[[Any], bytes | None]) -> Wanted:
    """Return the form of a condition for a field.

    Args:
        field: The field.
        condition: A value, or one of the classes of this module.
        encode: Turns a value of the field into bytes.

    Raises:
        EncodeError: A value is not of the declared type.
        TypeError: The field doesn't hold text, and the condition is the start of one; or a bound is None, or cannot be
            compared with the other.
    """
    if not isinstance(condition, _CONDITIONS):
        data = encode(condition)
        exact = field.key(data)
        return Wanted(field, (Range(exact, exact + LAST),), exact, data)

    def key(value: Any) -> bytes:
        if value is None:
            raise TypeError(f"field {field.name!r}: None is in no range; find({field.name}=None) finds it")
        return field.key(encode(value))

    if isinstance(condition, starts_with):
        return _starting(field, condition.text)
    match condition:
        case between(low=low, high=high):
            return Wanted(field, [_between(field, key(low), key(high))])
        case at_least(low=low):
            return Wanted(field, [Range(least := key(low), _above_kind(least))])
        case less_than(high=high):
            return Wanted(field, [Range((most := key(high))[:1], most)])  # from the lowest of its kind
    keys = {field.key(data): data for data in map(encode, condition.values)}
    ranges = [Range(each, each + LAST) for each in sorted(keys)]
    return Wanted(field, ranges, *next(iter(keys.items()))) if len(keys) == 1 else Wanted(field, ranges)


def _above_kind(key: bytes) -> bytes:
    """Return a bound above the order keys of all values that can be compared with one; naive and aware times cannot."""
    return bytes([key[0] + 1])


def _between(field: OrderedField, low: bytes, high: bytes) -> Range:
    if low[0] != high[0]:
        raise TypeError(
            f"field {field.name!r}: between() takes two values that can be compared, and one of these times has a UTC "
            "offset; give both one, or neither"
        )
    return Range(low, high)


def _starting(field: OrderedField, text: Any) -> Wanted:
    if field.order.name != "text" or not isinstance(text, str):
        raise TypeError(
            f"field {field.name!r}: starts_with() takes a str, and only fields of texts have such a condition"
        )
    start = text_start(get_codec("str").encode(text))
    return Wanted(field, [Range(start, start + LAST)])

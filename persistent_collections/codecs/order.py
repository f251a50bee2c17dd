"""Order keys: bytes that sort as values do.

No order key is the beginning of another. So a concatenation of order keys sorts as a tuple of the values does. Equal
values have equal order keys, whatever bytes their codec writes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from math import isnan
from sys import float_info
from typing import Any, Final
from uuid import UUID

import msgspec

from persistent_collections.codecs.base import References
from persistent_collections.codecs.declared.reading import check_of
from persistent_collections.errors import EncodeError

NONE_KEY: Final = b"\x01"
"""The order key of None, the lowest of all."""

_INT, _FLOAT, _DECIMAL, _DATE, _NAIVE, _AWARE, _DELTA, _TEXT, _BYTES, _UUID = (bytes([tag]) for tag in range(2, 12))

_SHORT: Final = 0x7D
"""The maximum length in bytes of an integer whose length fits the first byte of its order key."""

_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = datetime(1, 1, 1)
_FIRST_AWARE: Final = _FIRST.replace(tzinfo=UTC)
_OFFSET: Final = 2**62
_INVERTED: Final = bytes(range(255, -1, -1))


class Order(msgspec.Struct, frozen=True):
    """How values of one declared type are ordered.

    Attributes:
        name: The name in an index.
        of_value: Returns the order key of a value, except None and members of an Enum.
    """

    name: str
    of_value: Callable[[Any], bytes]

    def key(self, value: Any) -> bytes:
        """Return the order key of a value; a member of an Enum has that of its value.

        Raises:
            EncodeError: The value can't be ordered: it is nan.
        """
        if isinstance(value, Enum):
            value = value.value
        return NONE_KEY if value is None else self.of_value(value)


def order_of(declared: Any, references: References) -> Order | None:
    """Return the order of values of a declared type, or None.

    The order of references accepts keys of objects.
    """
    stored = check_of(declared, references).stored - {type(None)}
    if stored == {int, float}:
        stored = frozenset({float})
    if len(stored) != 1:
        return None
    [kind] = stored
    return _REFERENCES if issubclass(kind, references.kind) else _ORDERS.get(kind)


def text_key(data: bytes) -> bytes:
    """Return the order key of a text in UTF-8."""
    return _TEXT + _ended(data)


def text_start(data: bytes) -> bytes:
    """Return the common start of the order keys of all texts that start with this one, in UTF-8."""
    return _TEXT + data.replace(b"\0", b"\0\xff")


def _ended(data: bytes) -> bytes:
    return data.replace(b"\0", b"\0\xff") + b"\0\x01"


def _integer(value: int) -> bytes:
    """Return the bytes of an integer: its length, above 0x80 if it is positive, then itself, inverted if negative."""
    size = (abs(value).bit_length() + 7) // 8
    head = bytes([0x80 + size]) if size <= _SHORT else b"\xfe" + size.to_bytes(4, "big")
    data = head + abs(value).to_bytes(size, "big")
    return data if value >= 0 else data.translate(_INVERTED)


def _int(value: int) -> bytes:
    return _INT + _integer(value)


def _float(value: float) -> bytes:
    """Return the bytes of the nearest ``float``, then the difference: a ``float`` field accepts ``int``."""
    try:
        nearest = float(value)
    except OverflowError:  # of an int
        nearest = float_info.max if value > 0 else -float_info.max
    if isnan(nearest):
        raise EncodeError("value: nan cannot be ordered; store None instead")
    data = struct.pack(">d", nearest or 0.0)  # minus zero is zero
    data = data.translate(_INVERTED) if data[0] & 0x80 else bytes([data[0] | 0x80]) + data[1:]
    return _FLOAT + data + (_integer(value - int(nearest)) if type(value) is int else _integer(0))


def _decimal(value: Decimal) -> bytes:
    if value.is_nan():
        raise EncodeError("value: NaN cannot be ordered; store None instead")
    sign, digits, _ = value.as_tuple()
    if value.is_infinite():
        data = b"\xff"
    elif not value:
        return _DECIMAL + b"\x80"
    else:
        text = "".join(map(str, digits)).lstrip("0")
        data = b"\x81" + _integer(value.adjusted()) + text.rstrip("0").encode() + b"\0"
    return _DECIMAL + (data.translate(_INVERTED) if sign else data)


def _date(value: date) -> bytes:
    return _DATE + value.toordinal().to_bytes(4, "big")


def _datetime(value: datetime) -> bytes:
    tag, first = (_NAIVE, _FIRST) if value.utcoffset() is None else (_AWARE, _FIRST_AWARE)
    return tag + ((value - first) // _MICROSECOND + _OFFSET).to_bytes(8, "big")


def _timedelta(value: timedelta) -> bytes:
    return _DELTA + _integer(value // _MICROSECOND)


def _text(value: str) -> bytes:
    return text_key(value.encode())


def _bytes(value: bytes) -> bytes:
    return _BYTES + _ended(value)


def _uuid(value: UUID) -> bytes:
    return _UUID + value.bytes


_ORDERS: Final[dict[type, Order]] = {
    bool: Order("int", _int),
    int: Order("int", _int),
    float: Order("float", _float),
    Decimal: Order("decimal", _decimal),
    date: Order("date", _date),
    datetime: Order("datetime", _datetime),
    timedelta: Order("timedelta", _timedelta),
    str: Order("text", _text),
    bytes: Order("bytes", _bytes),
    UUID: Order("uuid", _uuid),
}

_REFERENCES: Final = Order("reference", _text)

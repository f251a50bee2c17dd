"""One representative of all keys that are equal in Python: ``True``, ``1.0`` and ``Decimal(1)`` are the key ``1``."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime, time
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from enum import Enum
from numbers import Number
from pathlib import PosixPath, PurePath
from typing import Any, Final

from persistent_collections.codecs.types import lowering
from persistent_collections.codecs.types.lowering import MAX_DIGITS, JSONLowering, show
from persistent_collections.errors import EncodeError

_EXACT: Final = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX)
_TOO_LONG: Final = 10**MAX_DIGITS
_ONE_OF_EQUAL_TYPES: Final = (str, bytes, tuple, frozenset)


def fold_number(number: Any) -> Any:
    """Return the number that represents all numbers equal to this one.

    It is the equal int if one exists, else the equal float, else the number itself. The caller folds the parts of a
    complex number.

    Raises:
        EncodeError: It is nan, which equals nothing, or has more digits than Python reads back.
    """
    if number != number:  # noqa: PLR0124 - only nan is not equal to itself
        raise EncodeError("nan cannot be a key, since it is equal to nothing")
    if isinstance(number, complex) and number.imag:
        return number
    number = number.real
    if isinstance(number, Decimal) and number.is_finite():
        if number.adjusted() >= MAX_DIGITS:
            raise _too_long()
        number = number.normalize(_EXACT)
    if is_equal_to_a(int, number):
        if abs(number) >= _TOO_LONG:
            raise _too_long()
        return int(number)
    return float(number) if is_equal_to_a(float, number) else number


def _too_long() -> EncodeError:
    return EncodeError(f"a number of more than {MAX_DIGITS} digits cannot be a key")


def is_equal_to_a(kind: type[int | float], value: Any) -> bool:
    """Return whether some number of this type is equal to ``value``."""
    try:
        return bool(kind(value) == value)
    except (ArithmeticError, ValueError, TypeError):
        return False


def fold_datetime(moment: datetime) -> datetime:
    """Return the moment in UTC, the same one for all equal values; return a naive ``datetime`` unchanged.

    Raises:
        EncodeError: It is in an hour that a change of clocks skips or repeats; equality doesn't compare these by UTC.
    """
    if moment.utcoffset() is None:
        return moment.replace(tzinfo=None, fold=0)
    if moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset():
        raise EncodeError("a datetime that a change of clocks skips or repeats cannot be a key; convert it to UTC")
    try:
        return moment.astimezone(UTC).replace(fold=0)
    except OverflowError:
        raise EncodeError("a datetime that is out of range in UTC cannot be a key") from None


class KeyLowering(JSONLowering):
    """Converts keys to JSON values, equal keys to the same one."""

    def lower(self, value: Any, path: lowering.Path = ()) -> Any:
        try:
            folded = _folded(value)
        except EncodeError as error:
            raise EncodeError(f"{show(path)}: {error}") from None
        return super().lower(folded, path)


def fold_member(value: Any) -> Any:
    """Return the value of a member of an Enum, such as an ``IntEnum``, that equals its value; others unchanged."""
    if isinstance(value, Enum) and value == value.value and hash(value) == hash(value.value):
        return fold_member(value.value)
    return value


def _folded(value: Hashable) -> Any:
    value = fold_member(value)
    if isinstance(value, Number):
        return fold_number(value)
    if type(value) is datetime:
        return fold_datetime(value)
    if type(value) is time:
        return fold_time(value)
    if isinstance(value, PurePath) and type(value) is not PosixPath:
        raise EncodeError(
            f"a {type(value).__name__} cannot be a key, since paths of two types may be equal; use its str"
        )
    if isinstance(value, _ONE_OF_EQUAL_TYPES) and type(value) not in _ONE_OF_EQUAL_TYPES:
        raise EncodeError(
            f"a {type(value).__name__} cannot be a key, since plain values may be equal to it; convert it to one"
        )
    return value


def fold_time(clock: time) -> time:
    """Return the time of a day without the parts that equality ignores.

    Raises:
        EncodeError: It has an offset; times with different offsets may be equal.
    """
    if clock.utcoffset() is not None:
        raise EncodeError("a time with an offset cannot be a key, since other times are equal to it; use one without")
    return clock.replace(tzinfo=None, fold=0)

"""How the types of the standard library are written, each as plainer values under a tag.

The forms: text where the type has an exact one, else the list of its parts. A clock time with a named zone is
``2024-10-27T02:30:00[Europe/Paris]``: the clock and the zone are the value, an offset follows from them (RFC 9557's
suffixes); ``[_fold=1]`` marks the second pass of a repeated hour.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from persistent_collections.errors import EncodeError

_Clock = TypeVar("_Clock", datetime, time)

_SECOND: Final = timedelta(seconds=1)
_PARSERS: Final = ("pydantic_core", "dateutil", "pytz")
"""The packages whose parsers return offsets of their own class; it comes back as ``datetime.timezone``."""

_FINER: Final = re.compile(r"[.,]\d{6}0*[1-9]")
_NO_NUMBERS: Final = ("nan", "inf", "-inf")
_ZONE_NAME: Final = r"[A-Za-z][\w+/-]*"
_ZONED: Final = re.compile(rf"([^\[]*)(?:\[({_ZONE_NAME})\])?(\[_fold=1\])?", re.ASCII)


class Form(msgspec.Struct, frozen=True):
    """How one type is written.

    Attributes:
        kind: The exact type.
        tag: The tag of its stored form.
        encode: Returns a plainer value.
        decode: Returns the value; raises any error if it can't.
        plainer: The type that ``encode`` returns, or ``object`` if that varies.
    """

    kind: type[Any]
    tag: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    plainer: type[Any] = object


def to_base64(data: bytes) -> str:
    """Return ``data`` as base64 text (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Return the bytes of :func:`to_base64`.

    Raises:
        ValueError: ``text`` is not exactly the output of that function.
    """
    data = base64.b64decode(text, validate=True)
    if to_base64(data) != text:
        raise ValueError("not the base64 of these bytes")
    return data


MAX_COLLISIONS: Final = 1000
"""The maximum number of keys of a dict, or items of a set, with one hash: to find one of n takes n steps."""


def require_spread(keys: Collection[Hashable]) -> None:
    """Raise if keys may have been chosen to make a dict or set slow: integers with one hash are easy to find.

    Raises:
        EncodeError: Too many have one hash.
    """
    if len(keys) > MAX_COLLISIONS and max(Counter(map(hash, keys)).values()) > MAX_COLLISIONS:
        raise EncodeError(f"over {MAX_COLLISIONS} keys or items have one hash, as if chosen to make reading slow")


def _distinct(kind: Callable[[list[Any]], Any], items: list[Any]) -> Any:
    require_spread(items)
    value = kind(items)
    if len(value) != len(items):
        raise ValueError("an item twice")
    return value


def _items(value: Collection[Any]) -> list[Any]:
    require_spread(value)
    return list(value)


def _pairs(value: dict[Any, Any]) -> list[list[Any]]:
    return [[key, item] for key, item in value.items()]


def _from_pairs(pairs: list[Any]) -> dict[Any, Any]:
    if not all(type(pair) is list for pair in pairs):
        raise ValueError("not a list of pairs")
    require_spread([key for key, _ in pairs])
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a duplicate key")
    return value


def _from_no_number(text: str) -> float:
    if text not in _NO_NUMBERS:
        raise ValueError("not the text of nan or an infinity")
    return float(text)


def _complex(parts: list[Any]) -> complex:
    real, imag = map(_exact_float, parts)
    return complex(real, imag)


def _exact_float(number: int | float) -> float:
    if type(number) is float:
        return number
    if type(number) is not int or int(float(number)) != number:
        raise ValueError("not a number, or a number that no float equals")
    return float(number)


def _timedelta(parts: list[Any]) -> timedelta:
    days, seconds, microseconds = parts
    if not all(type(part) is int for part in parts):
        raise ValueError("a part of a timedelta that would be rounded")
    return timedelta(days, seconds, microseconds)


def _from_hex(text: str) -> int:
    value = int(text, 16)
    if hex(value) != text:
        raise ValueError("not the hexadecimal digits of an integer")
    return value


def _zoned(value: datetime | time) -> str:
    zone = value.tzinfo
    fold = "[_fold=1]" if value.fold else ""
    if zone is None or _is_plain_offset(zone):
        return value.isoformat() + fold
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - it takes long, and few need it

    if type(zone) is ZoneInfo and re.fullmatch(_ZONE_NAME, zone.key or "", re.ASCII):
        return f"{value.replace(tzinfo=None).isoformat()}[{zone.key}]{fold}"
    raise EncodeError(
        "its time zone would not come back; give it a zoneinfo.ZoneInfo or an unnamed offset of whole seconds"
    )


def _is_plain_offset(zone: tzinfo) -> bool:
    """Return whether a zone is only an offset that ``fromisoformat`` can return.

    Python 3.11 to 3.13 treat an offset under a second as none.
    """
    if type(zone) is not timezone and type(zone).__module__.partition(".")[0] not in _PARSERS:
        return False
    offset = zone.utcoffset(None)
    if offset is None:
        return False
    plain = timezone(offset).tzname(None)
    names = {plain} if type(zone) is timezone else {None, plain, plain.removeprefix("UTC")}
    return zone.tzname(None) in names and (not offset or abs(offset) >= _SECOND)


def _from_zoned(kind: type[_Clock], text: str) -> _Clock:
    match = _ZONED.fullmatch(text)
    if match is None or _FINER.search(text):
        raise ValueError("not a time, or one finer than a microsecond")
    clock, zone, fold = match.groups()
    value = kind.fromisoformat(clock)
    if zone:
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - it takes long, and few need it

        value = value.replace(tzinfo=ZoneInfo(zone))
    return value.replace(fold=1) if fold else value


STANDARD_FORMS: Final = (
    Form(tuple, "tuple", list, tuple, list),
    Form(set, "set", _items, partial(_distinct, set), list),
    Form(frozenset, "frozenset", _items, partial(_distinct, frozenset), list),
    Form(dict, "dict", _pairs, _from_pairs, list),
    Form(bytes, "bytes", to_base64, from_base64, str),
    Form(int, "int", hex, _from_hex, str),
    Form(float, "float", repr, _from_no_number, str),
    Form(complex, "complex", lambda value: [value.real, value.imag], _complex, list),
    Form(Decimal, "decimal", str, Decimal, str),
    Form(UUID, "uuid", str, UUID, str),
    Form(datetime, "datetime", _zoned, partial(_from_zoned, datetime), str),
    Form(date, "date", date.isoformat, date.fromisoformat, str),
    Form(time, "time", _zoned, partial(_from_zoned, time), str),
    Form(timedelta, "timedelta", lambda value: [value.days, value.seconds, value.microseconds], _timedelta, list),
    Form(type(Path()), "path", PurePath.as_posix, Path, str),
    Form(PurePosixPath, "pure_posix_path", PurePath.as_posix, PurePosixPath, str),
    Form(PureWindowsPath, "pure_windows_path", PurePath.as_posix, PureWindowsPath, str),
)
"""Every built-in type besides JSON's own; the tags and forms are pinned by golden tests."""

"""Values that no codec may take for something plainer."""

from __future__ import annotations

import enum
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from fractions import Fraction
from typing import Any, NamedTuple

import msgpack  # type: ignore[import-untyped] # it ships no types


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    A = "a"


class Colour(enum.Enum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: int


class Text(str):
    __slots__ = ()


class Number(float):
    __slots__ = ()


class Items(list[int]):
    pass


class Zone(tzinfo):
    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, dt: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, dt: datetime | None) -> str:
        return "ours"


class BrokenZone(Zone):
    def utcoffset(self, dt: datetime | None) -> timedelta:
        raise RuntimeError("a time zone of the application")


@dataclass
class Point:
    x: int


REFUSED: list[Any] = [
    Level.LOW,
    Word.A,
    Colour.RED,
    Pair(1, 2),
    Text("a"),
    Number(1.5),
    Items([1]),
    Point(1),
    OrderedDict(a=1),
    defaultdict(int, a=1),
    Counter("a"),
    deque([1]),
    Fraction(1, 2),
    array("i", [1]),
    bytearray(b"a"),
    memoryview(b"a"),
    range(3),
    object(),
    len,
    int,
    msgpack.ExtType(1, b"\x92\xa3set\x90"),
    msgpack.Timestamp(1),
    "\ud800",
    datetime(2024, 1, 1, tzinfo=Zone()),
    datetime(2024, 1, 1, tzinfo=BrokenZone()),
    time(1, tzinfo=timezone(timedelta(hours=1), "named")),
]

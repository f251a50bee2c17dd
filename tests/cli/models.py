"""The application of these tests, given to ``--models``."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from persistent_collections import (
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    codec,
    register_type,
    stored_as,
)


class Sailor(Record):
    name: str
    age: int
    born: date | None
    email: Annotated[str, stored_as("mail")]
    password: Password
    captain: Sailor | None
    crew: PersistentList[Sailor] = child()
    ports: PersistentSet[str] = child()
    log: PersistentDict[int, str] = child()


class Flag(Enum):
    JOLLY = "jolly"
    WHITE = "white"
    NUMBERED = 3


class Sea(Enum):
    NORTH = "n"
    SOUTH = "s"


register_type(Sea, "sea")


class Rank(Enum):
    """An Enum that no tag is registered for: only a declared type reads it."""

    MATE = "mate"
    CAPTAIN = "captain"


class Berth(Record):
    ship: str
    rank: Rank = Rank.MATE
    paid: bool = False
    pay: Decimal = Decimal("1.50")
    secret: Password
    nickname: str | None = None
    chores: PersistentList[str] = child()


class Voyage(Record):
    left: date
    back: date | None
    noted: datetime
    bell: time
    price: Decimal
    number: UUID
    flag: Flag
    flags: list[Flag]
    sea: Sea | None
    chart: Path
    lasted: timedelta
    share: float
    ship: Annotated[str | int, codec("json")]
    loot: set[str]
    met: date | datetime | None
    mate: Sailor | int | None
    weather: Literal["fair", "foul"]
    sealed: bytes


class Landfalls(PersistentDict[int, date]): ...

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
    ship: str | int
    loot: set[str]
    met: date | datetime | None
    mate: Sailor | int | None
    weather: Literal["fair", "foul"]
    sealed: bytes


logbook = PersistentDict[int, date]("logbook")

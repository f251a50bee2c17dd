"""The application of these tests, given to ``--models``."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from persistent_collections import Password, PersistentDict, PersistentList, PersistentSet, Record, child, stored_as


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

"""What the tests of this folder move: a record with fields of every format, and every kind of child."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from persistent_collections import (
    Backend,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    codec,
    stored_as,
)


class Traveller(Record):
    name: str
    password: Password
    age: int
    luggage: Annotated[dict[str, Any], codec("msgpack"), stored_as("bags")]
    guide: Traveller | None
    friends: PersistentList[Traveller] = child()
    visits: PersistentDict[int, bytes] = child()
    tickets: Annotated[PersistentList[bytes], codec("msgpack")] = child()
    stamps: PersistentSet[int] = child()


class Log(PersistentList[dict[str, Any]], codec="msgpack"):
    pass


class Notes(PersistentDict[str, str]):
    pass


NAMED = {"Notes:*": "json", "PersistentDict:settings": "msgpack", "PersistentList:*": "str"}
"""How the collections are written of which no class says it."""


def pack(backend: Backend) -> None:
    """Fill a store with something of each kind."""
    luke = Traveller("luke@example.com: {1}%", backend=backend, name="Luke ☆", age=19, password="TheForce")
    han = Traveller("han", backend=backend, luggage={"raw": b"\x00\xff", "n": [1.5, None]}, guide=luke)
    luke.update(friends=[han, luke], visits={4: b"\xff", 1: b""}, tickets=[b"\x80", b"text"], stamps={3, 1, 2})
    Log("1", [{"at": b"\xfe"}], backend=backend)
    Notes("daily", {"today": "”quoted“ \\ \n", "": ""}, backend=backend)
    PersistentDict("settings", {"b": b"\x01", "a": 1}, backend=backend, codec="msgpack")
    PersistentList("lines", ["one", "two"], backend=backend, codec="str")
    PersistentSet[Any]("any", {1, "1", (2, None)}, backend=backend)


def unpack(backend: Backend) -> dict[str, Any]:
    """Return what front-ends read from a store that was filled."""
    luke, han = (Traveller.load(name, backend=backend) for name in ("luke@example.com: {1}%", "han"))
    assert luke.password.verify("TheForce")
    return {
        "luke": luke.to_dict() | {"password": None},
        "friends": [friend.id for friend in luke.friends],
        "visits": luke.visits.copy(),
        "tickets": luke.tickets[:],
        "stamps": luke.stamps.copy(),
        "han": han.to_dict() | {"password": None, "guide": han.guide and han.guide.id},
        "log": Log("1", backend=backend)[:],
        "notes": Notes("daily", backend=backend).copy(),
        "settings": PersistentDict("settings", backend=backend, codec="msgpack").copy(),
        "lines": PersistentList("lines", backend=backend, codec="str")[:],
        "any": PersistentSet[Any]("any", backend=backend).copy(),
        "keys": sorted(map(str, backend.keys(""))),
    }


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in the files of a JSON store."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.json"))}

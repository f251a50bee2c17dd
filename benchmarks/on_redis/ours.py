"""This library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.on_redis import work
from persistent_collections import PersistentDict, PersistentList, PersistentSet, Record, child, connect


class Person(Record):
    """A record of four fields."""

    name: str
    email: str
    city: str
    age: str


class User(Record):
    """The same with children."""

    name: str
    email: str
    city: str
    age: str
    friends: PersistentList[User] = child()
    notes: PersistentDict[str, str] = child()


class Contender:
    """Dicts and lists of values of any type; a set of ``str``."""

    def __init__(self, port: int, database: int, size: int) -> None:
        backend = connect(f"redis://127.0.0.1:{port}/{database}")
        self.fields = PersistentDict[str, Any]("d", {"count": 0}, backend=backend)
        self.items = PersistentList[Any]("l", backend=backend)
        self.members = PersistentSet[str]("s", backend=backend)
        work.fill(size, self.fields.update, self.items.extend, self.members.update)
        fields, items, members = (
            kind("new", backend=backend) for kind in (PersistentDict[str, Any], PersistentList[Any], PersistentSet[str])
        )
        person, user = Person("r", backend=backend, **work.FIELDS), User("r", backend=backend, **work.FIELDS)
        user.friends.extend(
            User(str(number), backend=backend, **{**work.FIELDS, "name": f"friend {number}"})
            for number in range(work.FRIENDS)
        )
        self.calls = {
            **work.dict_calls(self.fields),
            **work.list_calls(self.items, size),
            **work.set_calls(self.members),
            **work.bulk_calls(fields, items, members, size),
            "d.increment(k)": lambda _: self.fields.increment("count"),
            "d.copy()": lambda _: self.fields.copy(),
            "l[:]": lambda _: self.items[:],
            "r[f]": lambda _: person["name"],
            "r[f] = v": lambda i: person.__setitem__("name", work.value(i)),
            "save 4 fields": lambda _: person.update(**work.FIELDS),
            "save 4 fields, children declared": lambda _: user.update(**work.FIELDS),
            "load 4 fields": lambda _: person.to_dict(),
            "names of 100 friends": lambda _: [row["name"] for row in user.friends.fetch("name")],
        }
        self.before: dict[str, Callable[[], object]] = {
            "d.update(n)": fields.delete,
            "l.extend(n)": items.delete,
            "s.update(n)": members.delete,
        }

    def contents(self) -> tuple[dict[str, Any], list[Any], set[Any]]:
        return self.fields.copy(), self.items.copy(), self.members.copy()

"""Accounts with friends, for the tests of records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from persistent_collections import Password, PersistentList, Record, child


class Account(Record):
    name: str
    email: str
    password: Password
    age: int
    vip: bool
    seen: datetime
    notes: str | None
    tags: list[str]
    boss: Account | None
    friends: PersistentList[Account] = child()

    def __init__(self, id: str | int | None = None, email: str | None = None, **values: Any) -> None:
        super().__init__(email or id, **({"email": email} if email else {}), **values)

    def __str__(self) -> str:
        return f"Account {self.id}"


class Premium(Account):
    pass


class Ship(Record):
    name: str

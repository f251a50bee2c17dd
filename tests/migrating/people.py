"""Two versions of a class, and a process that migrates from one to the other, to be killed."""

from __future__ import annotations

import sys
from typing import Annotated

from persistent_collections import Backend, PersistentList, Record, child, connect, formerly, migrate


class OldResident(Record, name="Resident"):
    fullname: str
    born: str
    tags: list[str] = []  # noqa: RUF012 - a default is made anew for each object


class Resident(Record):
    name: Annotated[str, formerly("fullname")]
    year: Annotated[int, formerly("born", str, lambda text: int(text[:4]))]
    tags: PersistentList[str] = child()


def fill(store: Backend, count: int) -> None:
    for number in range(count):
        OldResident.create(
            number, fullname=f"n{number}", born=f"{1900 + number % 100}-01-01", tags=["a"], backend=store
        )


def wrong(store: Backend, count: int) -> list[str]:
    """Return the ids of records that are not as they should be."""
    rows = {row["id"]: row for row in Resident.all(backend=store).fetch("id", "name", "year")}
    return [
        str(number)
        for number in range(count)
        if rows.get(str(number)) != {"id": str(number), "name": f"n{number}", "year": 1900 + number % 100}
        or Resident.ref(str(number), backend=store).tags[:] != ["a"]
    ]


def tell(done: int, key: str) -> None:
    if done % 20 == 0:
        print(done, key, flush=True)  # noqa: T201 - read by the test


if __name__ == "__main__":
    with connect(sys.argv[1]) as store:
        migrate(Resident, backend=store, progress=tell)

"""The jobs of the workers in tests of indexes; it needs no pytest, so that processes start fast."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from multiprocessing.connection import Connection
from operator import itemgetter
from random import Random
from typing import Annotated, Any, Final, TypeAlias

from persistent_collections.backends.base import Backend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ConflictError, NotUnique, ObjectExists, ObjectNotFound
from persistent_collections.marks import indexed, unique
from persistent_collections.records.conditions import at_least, between
from persistent_collections.records.finding import Query
from persistent_collections.records.record import Record

NAMES: Final = "nopq"
KINDS: Final = "ab"
SIZES: Final = 4
IDS: Final = 8
LIFE_S: Final = 0.05

Row: TypeAlias = dict[str, Any]


class Holding(Record, name="ContentionHolding", indexes=[("kind", "size")]):
    """A record that is found by its fields."""

    name: Annotated[str | None, unique] = None
    kind: str = "a"
    size: Annotated[int, indexed] = 0


def claim(backend: Backend, _worker: int, times: int) -> list[int]:
    """Create a record for each of some names, and return the names of those that succeeded."""
    made = []
    for number in range(times):
        with suppress(NotUnique):
            Holding.create(name=str(number), backend=backend)
            made.append(number)
    return made


def write_at_random(backend: Backend, _worker: int, times: int) -> None:
    """Write at random to few records, so that workers meet."""
    random = Random()  # noqa: S311 - no secret
    for _ in range(times):
        holding = Holding.ref(random.randrange(IDS), backend=backend)
        values = {"name": random.choice([None, *NAMES]), "kind": random.choice(KINDS), "size": random.randrange(SIZES)}
        with suppress(NotUnique, ObjectExists, ObjectNotFound, ConflictError):
            random.choice(_WRITES)(holding, values, backend)


def write_until_killed(kind: type[Backend], url: str, _: str, sender: Connection) -> None:
    """Write at random, and report the number of writes after every few."""
    with kind.from_url(StoreURL.parse(url)) as backend:
        for number in count():
            write_at_random(backend, 0, 3)
            sender.send(number)


def wrong_queries(backend: Backend) -> list[str]:
    """Return the queries whose results differ, also in order, from those of a search through all records."""
    rows = list(Holding.all(backend=backend).fetch("id", "name", "kind", "size"))
    names = [row["name"] for row in rows if row["name"] is not None]
    wrong = [f"{name} has several records" for name in NAMES if names.count(name) > 1]
    for what, query, wanted in _queries(backend, rows):
        found = [holding.id for holding in query]
        if found != wanted or query.count() != len(wanted):
            wrong.append(f"{what} found {found}, not {wanted}")
    return wrong


def wrong_refusals(backend: Backend) -> list[str]:
    """Return the names that were refused although no record has them, or accepted although one has them."""
    held = {row["name"] for row in Holding.all(backend=backend).fetch("name")}
    wrong = []
    for name in NAMES:
        try:
            Holding.create("probe", name=name, backend=backend)
        except NotUnique:
            wrong += [] if name in held else [name]
        else:
            Holding.ref("probe", backend=backend).delete()
            wrong += [name] if name in held else []
    return wrong


def _queries(backend: Backend, rows: Sequence[Row]) -> Iterator[tuple[str, Query[Holding], list[str]]]:
    """Yield queries, and the ids of the records that each must find."""
    by_id = sorted(rows, key=itemgetter("id"))
    by_size = sorted(rows, key=itemgetter("size", "id"))
    for name in (None, *NAMES):
        yield f"name={name}", Holding.find(name=name, backend=backend), _ids(by_id, name=[name])
    for kind in KINDS:
        found = Holding.find(kind=kind, backend=backend).order_by("size")
        yield f"kind={kind}", found, _ids(by_size, kind=[kind])
        few = Holding.find(kind=kind, size=between(1, 3), backend=backend)
        yield f"kind={kind} and a size in 1, 2", few, _ids(by_size, kind=[kind], size=[1, 2])
    large = Holding.find(size=at_least(1), backend=backend)
    yield "size of at least 1", large, [row["id"] for row in by_size if row["size"] >= 1]
    every = Holding.find(backend=backend).order_by("-size")
    yield "all from the largest size", every, [row["id"] for row in reversed(by_size)]


def _ids(rows: Sequence[Row], **wanted: Sequence[Any]) -> list[str]:
    return [row["id"] for row in rows if all(row[name] in values for name, values in wanted.items())]


def _swap_name(holding: Holding, values: dict[str, Any], _: Backend) -> None:
    holding.name = values["name"]


_WRITES: Final[list[Callable[[Holding, dict[str, Any], Backend], object]]] = [
    lambda holding, values, backend: Holding.create(holding.id, **values, backend=backend),
    lambda holding, values, backend: Holding.create(holding.id, **values, expire=LIFE_S, backend=backend),
    lambda holding, values, backend: Holding.upsert(holding.id, **values, backend=backend),
    lambda holding, values, backend: Holding(holding.id, size=values["size"], backend=backend),
    _swap_name,
    lambda holding, values, _: holding.update(**values),
    lambda holding, values, _: holding.update(kind=values["kind"]),
    lambda holding, values, _: holding.update_if({"kind": values["kind"]}, size=values["size"]),
    lambda holding, _values, _: holding.increment("size"),
    lambda holding, _values, _: holding.change("size", lambda size: (size + 1) % SIZES),
    lambda holding, _values, _: holding.__delitem__("kind"),
    lambda holding, _values, _: holding.delete(),
    lambda holding, values, _: holding.delete_if({"kind": values["kind"]}),
]

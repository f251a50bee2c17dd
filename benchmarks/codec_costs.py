"""What the codecs add to the libraries beside them, for plain values and for declared types."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypedDict

import msgpack  # type: ignore[import-untyped] # it ships no types

from benchmarks.timing import Figures, Row, race
from persistent_collections import connect
from persistent_collections.collections.binding import bindings, bound_codec

SCALARS: Final = 1000
"""Calls in a batch; of long values a hundredth."""

PERSON: Final = {"name": "Luke Skywalker", "age": 23, "score": 1.5, "active": True, "email": "luke@example.com"}


@dataclass(frozen=True)
class Person:
    """Five fields."""

    name: str
    age: int
    score: float
    active: bool
    email: str


class PersonDict(TypedDict):
    """The same five."""

    name: str
    age: int
    score: float
    active: bool
    email: str


PLAIN: Final[dict[str, Any]] = {
    "int": 42,
    "str": "hello",
    "float": 1.5,
    "None": None,
    "dict of 5": PERSON,
    "list of 1,000 int": list(range(1000)),
    "list of 1,000 str": [f"item {number}" for number in range(1000)],
    "list of 1,000, mixed": [(n, n * 1.5, f"x{n}", None, True)[n % 5] for n in range(1000)],
    "list of 200 dicts of 5": [dict(PERSON) for _ in range(200)],
}
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
DECLARED: Final[dict[str, tuple[Any, Any, Any]]] = {
    "int, declared": (int, 42, 42),
    "str, declared": (str, "hello", "hello"),
    "datetime, declared": (datetime, NOW, NOW.isoformat()),
    "Decimal, declared": (Decimal, Decimal("12.50"), "12.50"),
    "dataclass of 5": (Person, Person(**PERSON), asdict(Person(**PERSON))),
    "TypedDict of 5": (PersonDict, PersonDict(**PERSON), PERSON),
    "list[int] of 1,000": (list[int], PLAIN["list of 1,000 int"], PLAIN["list of 1,000 int"]),
    "list[str] of 1,000": (list[str], PLAIN["list of 1,000 str"], PLAIN["list of 1,000 str"]),
    "list of 200 dataclasses": (list[Person], [Person(**PERSON)] * 200, [PERSON] * 200),
}
"""Declared type, value, and what stands for it in plain values."""

LIBRARIES: Final[dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]]] = {
    "json": (lambda value: json.dumps(value).encode(), json.loads),
    "msgpack": (msgpack.packb, msgpack.unpackb),
}


def measured(rounds: int, batch: int = SCALARS) -> dict[str, Figures]:
    """Return figures by codec; each row is the time of writing or reading, the library the yardstick."""
    values = {title: (Any, value, value) for title, value in PLAIN.items()} | DECLARED
    return {name: race([*_rows(name, values, batch)], rounds, 1, time.process_time) for name in LIBRARIES}


def _rows(name: str, values: dict[str, tuple[Any, Any, Any]], batch: int) -> list[Row]:
    write, read = LIBRARIES[name]
    made = []
    with connect("memory:") as backend:
        for title, (declared, value, counterpart) in values.items():
            codec = bound_codec(bindings(backend), declared, [name], in_schema=False)
            calls = max(1, batch // 100) if isinstance(value, list) else batch
            pairs = {
                "encode": (partial(write, counterpart), partial(codec.encode, value)),
                "decode": (partial(read, write(counterpart)), partial(codec.decode, codec.encode(value))),
            }
            for direction, (theirs, ours) in pairs.items():
                by_name = {name: lambda _, call=theirs: call(), "ours": lambda _, call=ours: call()}
                made.append(Row(f"{title}, {direction}", by_name, calls))
    return made

"""What a reader wants to know first: five rows for each store, beside the plain client and the best other library."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks import stores
from benchmarks.pages import table
from benchmarks.stores import Opener, Pace, Store
from benchmarks.timing import Clock
from persistent_collections import PersistentDict, PersistentList, connect

PLAIN: Final = "plain"
MANY: Final = 100
"""From so many microseconds on, tenths are not shown."""
TABLES: Final = """
CREATE TABLE fields (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE items (place INTEGER PRIMARY KEY, value TEXT NOT NULL);
"""


class Chosen(NamedTuple):
    """What of a store is shown.

    Attributes:
        title: The name of the store.
        client: What the plain client is.
        rows: The rows.
    """

    title: str
    client: str
    rows: tuple[str, ...]


CHOSEN: Final = {
    "redis": Chosen("Redis", "redis-py", ("d[k]", "d[k] = v", "l.append(v)", "save 4 fields", "names of 100 friends")),
    "sqlite": Chosen("SQLite", "sqlite3", ("d[k]", "d[k] = v", "d[new] = v", "l.append(v)", "l.pop(0)")),
    "json": Chosen(
        "JSON files", "the whole file, written anew", ("d[k] = v", "d[new] = v", "del d[k]", "l.append(v)", "l.pop()")
    ),
    "memory": Chosen("memory", "a dict of JSON texts", ("d[k]", "d[k] = v", "d[new] = v", "l[i]", "l.append(v)")),
}


class JSONTexts:
    """A dict or a list whose values are kept as JSON texts.

    Args:
        texts: An empty one.
    """

    def __init__(self, texts: Any) -> None:
        self._texts = texts

    def __getitem__(self, place: Any) -> Any:
        return json.loads(self._texts[place])

    def __setitem__(self, place: Any, value: Any) -> None:
        self._texts[place] = json.dumps(value)

    def update(self, fields: dict[str, Any]) -> None:
        self._texts.update({field: json.dumps(value) for field, value in fields.items()})

    def extend(self, items: list[Any]) -> None:
        self._texts += map(json.dumps, items)

    def append(self, item: Any) -> None:
        self._texts.append(json.dumps(item))


class Rows:
    """A dict and a list in two tables, each write a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._do, self._many = connection.execute, connection.executemany

    def __getitem__(self, field: str) -> Any:
        return json.loads(self._do("SELECT value FROM fields WHERE name = ?", (field,)).fetchone()[0])

    def __setitem__(self, field: str, value: Any) -> None:
        self._do("INSERT OR REPLACE INTO fields VALUES (?, ?)", (field, json.dumps(value)))

    def update(self, fields: dict[str, Any]) -> None:
        self._do("BEGIN")
        self._many("INSERT INTO fields VALUES (?, ?)", ((name, json.dumps(value)) for name, value in fields.items()))
        self._do("COMMIT")

    def extend(self, items: list[Any]) -> None:
        self._do("BEGIN")
        self._many("INSERT INTO items (value) VALUES (?)", ((json.dumps(item),) for item in items))
        self._do("COMMIT")

    def append(self, item: Any) -> None:
        self._do("INSERT INTO items (value) VALUES (?)", (json.dumps(item),))

    def popleft(self) -> Any:
        first = "DELETE FROM items WHERE place = (SELECT min(place) FROM items) RETURNING value"
        return json.loads(self._do(first).fetchone()[0])


@contextmanager
def plain_memory(_: Path) -> Iterator[Store]:
    """Two objects of Python, with JSON in them."""
    fields: Any = JSONTexts({})
    yield Store(fields, JSONTexts([]))


@contextmanager
def our_memory(_: Path) -> Iterator[Store]:
    """The store in memory."""
    with connect("memory:") as backend:
        yield Store(PersistentDict("fields", backend=backend), PersistentList("items", backend=backend))


@contextmanager
def plain_sqlite(folder: Path) -> Iterator[Store]:
    """Two tables, with a write-ahead log and ``synchronous=NORMAL``."""
    with closing(sqlite3.connect(folder / "plain.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(TABLES)
        rows: Any = Rows(connection)
        yield Store(rows, rows)


def measured(rounds: int, size: int) -> dict[str, Any]:
    """Return figures of the stores on this machine, by store.

    Args:
        rounds: Of each race.
        size: How many items each contender has.
    """
    sqlite = {PLAIN: plain_sqlite, **{name: stores.SQLITE[name] for name in ("ours", "diskcache", "sqlitedict")}}
    files = {PLAIN: stores.JSON["whole file, fsync"], **{name: stores.JSON[name] for name in ("ours", "tinydb")}}
    memory = {PLAIN: plain_memory, "ours": our_memory}

    def raced(name: str, openers: dict[str, Opener], clock: Clock = time.process_time) -> Any:
        return stores.measured(openers, [size], Pace(rounds, clock=clock, warm=True), CHOSEN[name].rows)[str(size)]

    return {
        "sqlite": raced("sqlite", sqlite),
        "json": raced("json", files, time.perf_counter),
        "memory": raced("memory", memory),
    }


def shown(found: Mapping[str, Any]) -> str:
    """Return the table.

    Args:
        found: Figures by store, and under ``faults`` the rows of a library on Redis that are wrong.
    """
    body = []
    for name, chosen in CHOSEN.items():
        for title in chosen.rows:
            cells = dict(found[name][title])
            (plain_s, _), (_, ours) = cells.pop(PLAIN), cells.pop("ours")
            right = [(cell[1], peer) for peer, cell in cells.items() if title not in found["faults"].get(peer, {})]
            best = "{1} {0:.2f}".format(*min(right)) if right else "-"
            body.append([chosen.title, f"`{title}`", f"{chosen.client}, {_micros(plain_s)}", f"{ours:.2f}", best])
    return table(["store", "", "the plain client", "this library", "the best other library"], body)


def _micros(seconds: float) -> str:
    micros = seconds * 1e6
    return f"{micros:,.0f} µs" if micros >= MANY else f"{micros:.1f} µs"

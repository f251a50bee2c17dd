"""Indexes in SQLite: what they cost, and that nothing is left in them of records that expired."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from persistent_collections.backends.changes import Change, Condition, Delete, Exists, SetDeadline
from persistent_collections.backends.indexes import FIRST, LAST, Place
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.testing.backends.indexes import INDEXES, INDEXING, NAME, SIZE, entry, key, saving
from tests.backends.test_sqlite_growth import connection, count_steps, plans

pytestmark = pytest.mark.store("sqlite")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        backend.index(INDEXING).mark([index.name for index in INDEXES], whole=True)
        yield backend


def fill(backend: SQLiteBackend, numbers: range) -> None:
    none: list[Condition] = []
    assert all(backend.commit_each([(none, saving(f"{n}", name=f"{n:05}", size=f"{n % 7}")) for n in numbers]))


def test_a_page_costs_hardly_more_where_there_is_ten_times_as_much(backend: SQLiteBackend, path: Path) -> None:
    index = backend.index(INDEXING)
    low, high = entry(NAME, "00050"), entry(NAME, "00050") + LAST
    looks: list[Callable[[], object]] = [
        lambda: index.find(NAME.name, low, high, 2),
        lambda: index.find(SIZE.name, FIRST, LAST, 20),
        lambda: index.find(SIZE.name, FIRST, LAST, 20, after=Place(entry(SIZE, "3"), "50")),
        lambda: index.find(SIZE.name, FIRST, LAST, 20, after=Place(entry(SIZE, "3"), "50"), backwards=True),
        lambda: index.count(NAME.name, low, high),
        index.states,
        lambda: backend.commit([], saving("50", name="00050", size="3")),
    ]
    steps = []
    for numbers in (range(300), range(300, 3000)):
        fill(backend, numbers)
        steps.append([count_steps(backend, look) for look in looks])
    assert all(many < 1.3 * few for few, many in zip(*steps, strict=True)), steps
    for look in looks:
        found = set(plans(backend, path, look)) - {"SCAN CONSTANT ROW"}
        assert not [step for step in found if step.startswith(("SCAN", "USE TEMP"))]


def test_a_count_looks_at_records_only_after_one_has_expired(backend: SQLiteBackend) -> None:
    fill(backend, range(300))
    index, steps = backend.index(INDEXING), list[int]()
    for expired in (0, 1):
        steps.append(count_steps(backend, partial(index.count, SIZE.name, FIRST, LAST)))
        assert index.count(SIZE.name, FIRST, LAST) == 300 - expired
        with closing(sqlite3.connect(backend._path)) as db, db:
            db.execute("UPDATE objects SET deadline = 1 WHERE root = ?", (b"Indexed:7",))
    assert steps[0] < steps[1] / 2


def test_a_page_is_read_with_its_fields_by_one_statement(backend: SQLiteBackend) -> None:
    fill(backend, range(50))
    executed: list[str] = []
    connection(backend).set_trace_callback(executed.append)
    page = backend.index(INDEXING).find(SIZE.name, FIRST, LAST, 20, fields=["size", "name", "none"])
    connection(backend).set_trace_callback(None)
    assert page is not None
    assert [hit.data[2] for hit in page.hits] == [None] * 20
    assert [*page.hits[1].data[:2]] == [b'"0"', b'"00014"']
    assert sum(statement.startswith("SELECT") for statement in executed) == 2  # the other: is the index whole


def test_entries_of_records_that_expired_do_not_pile_up(backend: SQLiteBackend, path: Path) -> None:
    for number in range(100):
        changes: list[Change] = [*saving(f"{number}", name="a", size="1"), SetDeadline(key(f"{number}"), 0.0001)]
        backend.commit([], [SetDeadline(key("0"), None)])  # time passes
        backend.commit([], changes)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(DISTINCT root) FROM entries WHERE value < x'ff'").fetchone()[0] <= 3


def test_the_last_entries_that_a_step_gives_a_record_are_the_only_ones(backend: SQLiteBackend) -> None:
    for size in "13":
        changes = [*saving("x", name="a", size=size), *saving("x", name="b", size="2")]
        assert backend.commit([], changes)
        for index, value in ((NAME, "b"), (SIZE, "2")):
            assert list(backend.index(INDEXING).entries(index.name)) == [Place(entry(index, value), "x")]


def test_the_entries_of_a_new_record_take_two_statements_more(backend: SQLiteBackend) -> None:
    numbers = []
    [make, _, entries] = saving("a", name="a", size="1")
    for changes in ([make], [make, entries]):
        backend.commit([], [Delete(key("a"), (), INDEXING)])
        executed: list[str] = []
        connection(backend).set_trace_callback(executed.append)
        assert backend.commit([Exists(key("a"), expected=False)], changes)
        connection(backend).set_trace_callback(None)
        numbers.append(len([statement for statement in executed if "INSERT INTO entries" not in statement]))
        inserted = len(executed) - numbers[-1]
    assert inserted == len(INDEXES)  # by one statement, which is traced for each row
    assert numbers[1] == numbers[0] + 1

"""What a method costs grows with the logarithm of what a key holds, counted in instructions of SQLite's machine."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, SetDeadline
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.backends.sqlite.procedures import create_procedures
from persistent_collections.testing.backends.base import KEY, put
from persistent_collections.testing.backends.calls import EMPTYINGS, NAME, ON_ABSENT, SINGLES, STARTS, WRITES, Call

pytestmark = pytest.mark.store("sqlite")

SMALL, LARGE = 1_000, 100_000

Operation: TypeAlias = Callable[[Backend, Key], object]

OPERATIONS: dict[str, Operation] = {
    "mapping.get": lambda backend, key: backend.mapping(key).get("field 500"),
    "mapping.get_many": lambda backend, key: backend.mapping(key).get_many(["field 1", "field 500"]),
    "mapping.set_many": lambda backend, key: backend.mapping(key).set_many(
        {"field 5": b"1", "new": b"2", "field 7": None}
    ),
    "mapping.set": lambda backend, key: backend.mapping(key).set_many({"field 8": b"1"}),
    "mapping.set(new)": lambda backend, key: backend.mapping(key).set_many({"newest": b"1"}),
    "mapping.add": lambda backend, key: backend.mapping(key).add("newer", b"1"),
    "mapping.delete": lambda backend, key: backend.mapping(key).delete("field 400"),
    "mapping.pop_any": lambda backend, key: backend.mapping(key).pop_any(),
    "mapping.contains": lambda backend, key: backend.mapping(key).contains("field 500"),
    "mapping.size": lambda backend, key: backend.mapping(key).size(),
    "mapping.compare_and_set": lambda backend, key: backend.mapping(key).compare_and_set("field 6", b"6", b"7"),
    "mapping.increment": lambda backend, key: backend.mapping(key).increment("field 500", 1),
    "mapping.pages": lambda backend, key: next(backend.mapping(key).pages()),
    "mapping.look": lambda backend, key: backend.look([key], sizes=True),
    "mapping.apply": lambda backend, key: backend.commit([], [SetDeadline(key, 1000)]),
    "sequence.get": lambda backend, key: backend.sequence(key).get(500),
    "sequence.get_slice": lambda backend, key: backend.sequence(key).get_slice(slice(300, 400)),
    "sequence.set": lambda backend, key: backend.sequence(key).set(-400, b"x"),
    "sequence.compare_and_set": lambda backend, key: backend.sequence(key).compare_and_set(700, b"700", b"x"),
    "sequence.push_right": lambda backend, key: backend.sequence(key).push_right([b"x"]),
    "sequence.push_left": lambda backend, key: backend.sequence(key).push_left([b"x"]),
    "sequence.pop(-1)": lambda backend, key: backend.sequence(key).pop(-1),
    "sequence.pop(0)": lambda backend, key: backend.sequence(key).pop(0),
    "sequence.pop(600)": lambda backend, key: backend.sequence(key).pop(600),
    "sequence.pop(expected)": lambda backend, key: backend.sequence(key).pop(-300, b"x"),
    "sequence.insert": lambda backend, key: backend.sequence(key).insert(500, b"x"),
    "sequence.splice": lambda backend, key: backend.sequence(key).splice(500, 510, [b"x"] * 5),
    "sequence.set_stride": lambda backend, key: backend.sequence(key).set_stride(slice(500, 504, 2), [b"x"] * 2),
    "sequence.delete_stride": lambda backend, key: backend.sequence(key).delete_stride(slice(500, 520, 2)),
    "sequence.find": lambda backend, key: backend.sequence(key).find(b"400"),
    "sequence.remove": lambda backend, key: backend.sequence(key).remove(b"401"),
    "members.contains": lambda backend, key: backend.members(key).contains("member 500"),
    "members.add": lambda backend, key: backend.members(key).add({"new"}),
    "members.remove": lambda backend, key: backend.members(key).remove({"member 400"}),
    "members.toggle": lambda backend, key: backend.members(key).toggle({"member 500", "new"}),
    "members.pop_any": lambda backend, key: backend.members(key).pop_any(),
    "members.combine": lambda backend, key: backend.members(Key("Few:x")).combine("difference", [key]),
    "members.pages": lambda backend, key: next(backend.members(key).pages()),
}
"""What takes no longer the more there is: every method but those about all that a key holds."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(tmp_path_factory.mktemp("filled") / "store.db", synchronous="OFF") as backend:
        for size in (SMALL, LARGE):
            backend.mapping(Key(f"mapping:{size}")).replace({f"field {n}": b"%d" % n for n in range(size)})
            backend.sequence(Key(f"sequence:{size}")).replace([b"%d" % n for n in range(size)])
            backend.members(Key(f"members:{size}")).replace({f"member {n}" for n in range(size)})
        backend.members(Key("Few:x")).replace({"member 1", "other"})
        yield backend


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        yield backend


def connection(backend: SQLiteBackend) -> sqlite3.Connection:
    """Return the connection that the next operation is going to use."""
    return backend._database.write(lambda db: db)


def count_steps(backend: SQLiteBackend, call: Callable[[], object]) -> int:
    """Return how many instructions SQLite's machine executes in a call."""
    steps: list[None] = []
    db = connection(backend)
    db.set_progress_handler(lambda: steps.append(None), 1)
    call()
    db.set_progress_handler(None, 1)
    return len(steps)


def plans(backend: SQLiteBackend, path: Path, call: Callable[[], object]) -> Iterator[str]:
    """Yield the steps of the query plan of every statement that a call executes."""
    executed: list[str] = []
    db = connection(backend)
    db.set_trace_callback(executed.append)
    call()
    db.set_trace_callback(None)
    assert executed
    with closing(sqlite3.connect(path)) as other:
        create_procedures(other, [].append)
        for statement in executed:
            if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE")):
                yield from (detail for *_, detail in other.execute(f"EXPLAIN QUERY PLAN {statement}"))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_method_costs_hardly_more_where_there_is_a_hundred_times_as_much(filled: SQLiteBackend, name: str) -> None:
    shape, operation = name.partition(".")[0], OPERATIONS[name]
    few, many = (count_steps(filled, partial(operation, filled, Key(f"{shape}:{size}"))) for size in (SMALL, LARGE))
    assert 0 < many < 1.5 * few


@pytest.mark.parametrize("call", [*ON_ABSENT, *WRITES, *EMPTYINGS], ids=NAME)
def test_no_method_reads_a_table_from_end_to_end(backend: SQLiteBackend, path: Path, call: Call) -> None:
    for content in (None, STARTS.get(call.shape), SINGLES.get(call.shape)):
        backend.commit([], [Delete(KEY)])
        if content:
            put(backend, KEY, content)
        found = list(plans(backend, path, lambda: call.run(backend, KEY)))
        scanned = {step.removeprefix("SCAN ") for step in found if step.startswith("SCAN") and "json_each" not in step}
        assert not scanned


def test_keys_are_listed_from_an_index_and_no_further_than_the_prefix(backend: SQLiteBackend, path: Path) -> None:
    def listing() -> list[Key]:
        return list(backend.keys("Thing:"))

    backend.mapping(Key("Thing:x")).set_many({"f": b"1"})
    steps = []
    for numbers in (range(1), range(1, 100)):
        for number in numbers:
            backend.mapping(Key(f"Other:{number}")).set_many({"f": b"1"})
            backend.mapping(Key(f"Thinner:{number}")).set_many({"f": b"1"})
        steps.append(count_steps(backend, listing))
    assert steps[0] == steps[1]
    assert list(plans(backend, path, listing)) == [
        "SEARCH objects USING COVERING INDEX sqlite_autoindex_objects_1",  # for the newest id
        "SEARCH objects USING PRIMARY KEY ((root,child)>(?,?) AND root<?)",
        "SEARCH objects USING PRIMARY KEY (root<?)",  # names that are damaged
        "SEARCH objects USING PRIMARY KEY (root>?)",
    ]


def test_a_page_of_keys_is_described_in_one_transaction_and_by_one_row_each(backend: SQLiteBackend, path: Path) -> None:
    keys = [Key(f"Thing:{number}") for number in range(50)]
    for key in keys:
        backend.sequence(key).replace([b"x"] * 100)
    executed: list[str] = []
    connection(backend).set_trace_callback(executed.append)
    assert [found and found.size for found in backend.look(keys)] == [100] * len(keys)
    connection(backend).set_trace_callback(None)
    assert executed.count("BEGIN") == 1
    assert sum(statement.startswith("SELECT") for statement in executed) == len(keys)
    assert not [step for step in plans(backend, path, lambda: backend.look(keys)) if step.startswith("SCAN")]


def test_a_million_items_are_deleted_by_a_statement_a_table(backend: SQLiteBackend) -> None:
    backend.sequence(KEY).replace([b"x"] * 10_000)
    executed: list[str] = []
    connection(backend).set_trace_callback(executed.append)
    backend.commit([], [Delete(KEY)])
    assert [statement.partition(" WHERE")[0] for statement in executed if statement.startswith("DELETE")] == [
        "DELETE FROM items",
        "DELETE FROM nodes",
        "DELETE FROM objects",
    ]


def test_items_that_move_are_not_rewritten(backend: SQLiteBackend) -> None:
    sequence = backend.sequence(KEY)
    sequence.replace([b"%d" % number for number in range(1000)])
    executed: list[str] = []
    connection(backend).set_trace_callback(executed.append)
    sequence.reverse()
    sequence.pop(500)
    sequence.insert(300, b"new")
    sequence.delete_stride(slice(10, 30, 3))
    rewritten = [statement for statement in executed if re.match("UPDATE items|INSERT INTO items", statement)]
    assert [statement.endswith("x'6e6577')") for statement in rewritten] == [True]

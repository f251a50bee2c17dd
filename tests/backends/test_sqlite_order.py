"""The order of a sequence is what a list's would be, with nodes so small that the tree grows high."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend, order, sequence
from persistent_collections.backends.sqlite.objects import Cell, find
from persistent_collections.backends.sqlite.order import Order, Run
from persistent_collections.backends.sqlite.schema import PLACES
from persistent_collections.errors import CorruptDataError

pytestmark = pytest.mark.store("sqlite")

T = TypeVar("T")

KEY = Key("List:x")
FANOUT = 4


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLiteBackend]:
    monkeypatch.setattr(order, "FANOUT", FANOUT)
    with SQLiteBackend(tmp_path / "store.db", synchronous="OFF") as backend:
        yield backend


def look(backend: SQLiteBackend, function: Callable[[Cell], T]) -> T:
    """Return what ``function`` finds in the cell of the sequence."""
    return backend._database.read(lambda db: function(find(db, KEY, time.time())))


def nodes_of(backend: SQLiteBackend) -> dict[int, tuple[int, list[Run]]]:
    """Return every node that is stored, by place: its level, and its entries."""

    def read(cell: Cell) -> dict[int, tuple[int, list[Run]]]:
        sizes = dict(sizes_of(cell, Run(cell.tree, cell.size))) if cell.tree is not None else {}
        places = [place - cell.base for (place,) in cell.db.execute("SELECT place FROM nodes")]
        assert set(places) == set(sizes), "every node is reached"
        return {place: Order(cell)._load(Run(place, sizes[place]), order.HIGHEST) for place in places}

    def sizes_of(cell: Cell, node: Run) -> Iterator[Run]:
        yield node
        level, below = Order(cell)._load(node, order.HIGHEST)
        if level:
            for child in below:
                yield from sizes_of(cell, child)

    return look(backend, read)


def assert_whole(backend: SQLiteBackend) -> None:
    """Check that every node is reached once, is no fuller than it may be, and counts what lies under it."""
    nodes = nodes_of(backend)
    (tree, size, first, after), items = look(
        backend,
        lambda cell: (
            (cell.tree, cell.size, cell.first, cell.next),
            {place - cell.base for (place,) in cell.db.execute("SELECT place FROM items")},
        ),
    )

    def walk(place: int) -> list[int]:
        level, entries = nodes.pop(place)
        assert 0 < len(entries) <= FANOUT
        if level == 0:
            return [place for run in entries for place in range(run.start, run.start + run.size)]
        assert all(nodes[child.start][0] == level - 1 for child in entries), "all leaves are at one level"
        below = [walk(child.start) for child in entries]
        assert [child.size for child in entries] == list(map(len, below))
        return [place for part in below for place in part]

    reached = list(range(first, after)) if tree is None else walk(tree)
    assert not nodes, "no node is left over"
    assert len(reached) == len(set(reached)) == size
    assert set(reached) == items, "no item is left over"
    assert all(place < after for place in reached)


bounds = st.one_of(st.none(), st.integers(-40, 40))
splices = st.lists(st.tuples(bounds, bounds, st.integers(0, 30)), max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(splices)
def test_any_splices_leave_what_they_leave_of_a_list_and_a_whole_order(
    backend: SQLiteBackend, steps: list[tuple[int | None, int | None, int]]
) -> None:
    stored, model = backend.sequence(KEY), list[bytes]()
    stored.replace(model)
    for number, (start, stop, count) in enumerate(steps):
        items = [b"%d %d" % (number, item) for item in range(count)]
        stored.splice(start, stop, items)
        model[start:stop] = items
        assert stored.get_slice(slice(None)) == model
        assert stored.find(b"%d 0" % number) == (model.index(b"%d 0" % number) if count else None)
        assert_whole(backend)


@pytest.mark.parametrize("ends", [["push_right", 0], ["push_left", -1]], ids=["first in, first out", "the other way"])
def test_what_grows_and_shrinks_at_its_ends_needs_no_tree(backend: SQLiteBackend, ends: tuple[str, int]) -> None:
    push, end = ends
    stored = backend.sequence(KEY)
    for number in range(300):
        getattr(stored, push)([b"%d" % number])
        if number >= 20:
            assert stored.pop(end) == b"%d" % (number - 20)
    stored.splice(-2, None, [b"x", b"y", b"z"])
    stored.repeat(3)
    assert nodes_of(backend) == {}
    assert_whole(backend)
    assert stored.size() == 63


def test_a_tree_ends_with_what_it_orders(backend: SQLiteBackend) -> None:
    stored = backend.sequence(KEY)
    stored.push_right([b"%d" % number for number in range(100)])
    for number in range(30):
        stored.insert(3 * number + 1, b"new")
    assert_whole(backend)
    assert max(level for level, _ in nodes_of(backend).values()) >= 2
    for number in range(130):
        assert stored.pop(number % 3 - 1 if number < 128 else 0) is not None
    assert look(backend, lambda cell: cell.id) == 0
    stored.push_right([b"1"])
    stored.push_left([b"0"])
    assert nodes_of(backend) == {}
    assert stored.get_slice(slice(None)) == [b"0", b"1"]


@pytest.mark.parametrize("end", [0, -1])
def test_a_queue_does_not_grow_a_tree_however_long_it_runs(backend: SQLiteBackend, end: int) -> None:
    stored = backend.sequence(KEY)
    stored.push_right([b"x"] * 20)
    stored.insert(10, b"y")
    for number in range(500):
        push = stored.push_right if end == 0 else stored.push_left
        push([b"%d" % number])
        stored.pop(end)
    assert stored.get_slice(slice(None)) == [b"%d" % number for number in range(479, 500)][:: 1 if end == 0 else -1]
    assert_whole(backend)
    assert len(nodes_of(backend)) < 40


def test_pushing_to_a_tree_adds_to_its_last_run(backend: SQLiteBackend) -> None:
    stored = backend.sequence(KEY)
    stored.push_right([b"x"] * 20)
    stored.insert(10, b"y")
    before = nodes_of(backend)
    for _ in range(300):
        stored.push_right([b"z"])
    assert len(nodes_of(backend)) == len(before)
    assert_whole(backend)


def test_a_full_node_fits_a_page(tmp_path: Path) -> None:
    with SQLiteBackend(tmp_path / "store.db", synchronous="OFF") as backend:
        backend.sequence(KEY).push_right([b"x"] * 62_500)
        backend.sequence(KEY).reverse()
        assert max(len(entries) for _, entries in nodes_of(backend).values()) == 250

        def sizes(db: sqlite3.Connection) -> tuple[int, int]:
            (longest,) = db.execute("SELECT max(length(entries)) FROM nodes").fetchone()
            (page,) = db.execute("PRAGMA page_size").fetchone()
            return longest, page

        longest, page = backend._database.read(sizes)
        assert longest == 250 * 16 < page - 50, "a row that does not fit its page would be read from two"


@pytest.mark.parametrize("planted", [False, True], ids=["in one run", "in a tree"])
def test_items_move_together_before_their_places_run_out(
    backend: SQLiteBackend, planted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, model = backend.sequence(KEY), [b"%d" % number for number in range(10)]
    stored.push_right(model)
    if planted:
        stored.insert(5, b"new")
        model.insert(5, b"new")
    free = PLACES - look(backend, lambda cell: cell.next)
    monkeypatch.setattr(sequence, "PLACES", PLACES - free + 3)
    for number in range(30):
        stored.push_right([b"more %d" % number])
        model.append(b"more %d" % number)
        if number % 7 == 0:
            monkeypatch.setattr(sequence, "PLACES", look(backend, lambda cell: cell.next) + 2)
    assert stored.get_slice(slice(None)) == model
    assert_whole(backend)


@pytest.mark.parametrize("damage", ["DELETE FROM nodes WHERE level = 0", "DELETE FROM items", "DELETE FROM nodes"])
def test_an_order_that_refers_to_rows_that_are_gone_is_corrupt_and_names_its_key(
    backend: SQLiteBackend, damage: str
) -> None:
    stored = backend.sequence(KEY)
    stored.push_right([b"secret"] * 30)
    stored.reverse()
    backend._database.write(lambda db: db.execute(damage))
    for read in (lambda: stored.get(3), lambda: stored.get_slice(slice(None)), lambda: stored.pop(-1)):
        with pytest.raises(CorruptDataError, match=r"'List:x' has rows .* left as it is") as caught:
            read()
        assert "secret" not in str(caught.value)

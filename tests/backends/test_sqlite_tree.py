"""The tree of ids does what a list does, with nodes so small that it grows high."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persistent_collections.backends.base import Key
from persistent_collections.backends.sqlite import SQLiteBackend, tree
from persistent_collections.backends.sqlite.cell import Cell
from persistent_collections.backends.sqlite.objects import find
from persistent_collections.backends.sqlite.tree import Tree
from persistent_collections.errors import CorruptDataError

KEY = Key("List:x")
FANOUT = 4


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLiteBackend]:
    monkeypatch.setattr(tree, "FANOUT", FANOUT)
    with SQLiteBackend(tmp_path / "store.db", synchronous="OFF") as backend:
        yield backend


def nodes_of(backend: SQLiteBackend) -> dict[int, tuple[int, list[int], list[int]]]:
    """Return every node that is stored: its level, what lies below it and how much under each."""
    with backend._database.reading() as db:
        cell = Cell(db, KEY, find(db, KEY), "sequence")
        return {node: Tree(cell)._load(node) for (node,) in db.execute("SELECT id FROM nodes")}


def assert_whole(backend: SQLiteBackend) -> None:
    """Check that every node is reached once, is as full as it may be, and counts what lies under it."""
    nodes = nodes_of(backend)
    with backend._database.reading() as db:
        row = find(db, KEY)
        items = {item for (item,) in db.execute("SELECT id FROM items")}

    def walk(node: int) -> list[int]:
        level, ids, sizes = nodes.pop(node)
        assert 0 < len(ids) <= FANOUT
        if level == 0:
            return ids
        assert all(nodes[child][0] == level - 1 for child in ids), "all leaves are at one level"
        below = [walk(child) for child in ids]
        assert sizes == list(map(len, below))
        return [item for part in below for item in part]

    reached = [] if row.tree is None else walk(row.tree)
    assert not nodes, "no node is left over"
    assert len(reached) == len(set(reached)) == row.size
    assert set(reached) == items, "no item is left over"


bounds = st.one_of(st.none(), st.integers(-40, 40))
splices = st.lists(st.tuples(bounds, bounds, st.integers(0, 30)), max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(splices)
def test_any_splices_leave_what_they_leave_of_a_list_and_a_whole_tree(
    backend: SQLiteBackend, steps: list[tuple[int | None, int | None, int]]
) -> None:
    sequence, model = backend.sequence(KEY), list[bytes]()
    sequence.replace(model)
    for number, (start, stop, count) in enumerate(steps):
        items = [b"%d %d" % (number, item) for item in range(count)]
        sequence.splice(start, stop, items)
        model[start:stop] = items
        assert sequence.get_slice(slice(None)) == model
        assert_whole(backend)


@pytest.mark.parametrize("end", [0, -1])
def test_a_queue_does_not_grow_a_tree_however_long_it_runs(backend: SQLiteBackend, end: int) -> None:
    sequence = backend.sequence(KEY)
    sequence.push_right([b"x"] * 20)
    for number in range(500):
        push = sequence.push_right if end == 0 else sequence.push_left
        push([b"%d" % number])
        sequence.pop(end)
    assert sequence.get_slice(slice(None)) == [b"%d" % number for number in range(480, 500)][:: 1 if end == 0 else -1]
    assert_whole(backend)
    assert len(nodes_of(backend)) < 40


@pytest.mark.parametrize("push", ["push_right", "push_left"])
def test_pushing_one_by_one_leaves_nodes_at_least_half_full(backend: SQLiteBackend, push: str) -> None:
    for number in range(300):
        getattr(backend.sequence(KEY), push)([b"%d" % number])
    assert_whole(backend)
    leaves = [ids for level, ids, _ in nodes_of(backend).values() if level == 0]
    assert min(map(len, leaves)) >= FANOUT // 2


def test_an_emptied_sequence_leaves_no_node(backend: SQLiteBackend) -> None:
    sequence = backend.sequence(KEY)
    sequence.push_right([b"%d" % number for number in range(100)])
    for number in range(100):
        assert sequence.pop(number % 3 - 1 if number < 98 else 0) is not None
    assert nodes_of(backend) == {}


def test_a_full_node_fits_a_page(tmp_path: Path) -> None:
    with SQLiteBackend(tmp_path / "store.db", synchronous="OFF") as backend:
        backend.sequence(KEY).push_right([b"x"] * 62_500)
        assert max(len(ids) for _, ids, _ in nodes_of(backend).values()) == 250
        with backend._database.reading() as db:
            (longest,) = db.execute("SELECT max(length(entries)) FROM nodes").fetchone()
            (page,) = db.execute("PRAGMA page_size").fetchone()
        assert longest == 250 * 16 < page - 50, "a row that does not fit its page would be read from two"


@pytest.mark.parametrize("damage", ["DELETE FROM nodes WHERE level = 0", "DELETE FROM items"])
def test_an_order_that_refers_to_what_is_not_there_is_corrupt_and_names_its_key(
    backend: SQLiteBackend, damage: str
) -> None:
    sequence = backend.sequence(KEY)
    sequence.push_right([b"secret"] * 10)
    with backend._database.writing() as db:
        db.execute(damage)
    for read in (lambda: sequence.get(3), lambda: sequence.get_slice(slice(None)), lambda: sequence.pop(-1)):
        with pytest.raises(CorruptDataError, match="'List:x' refers to rows that are not in its file") as caught:
            read()
        assert "secret" not in str(caught.value)

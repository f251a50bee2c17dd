"""The order of a sequence's items: runs of places, in a B+-tree that counts the items under each node.

A sequence that has grown and shrunk only at its ends is one run, and needs no tree: its row has the start and end of
the run. An insertion or deletion in the middle splits a run in two, and touches no other item. An index is found by
the counts. A node that loses its last entry is deleted, and nodes are never merged ("free at empty", as in
PostgreSQL's indexes), so the tree keeps its greatest height until the sequence is emptied. A tree of one leaf with one
run is dropped.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from persistent_collections.backends.sqlite.objects import Cell
from persistent_collections.backends.sqlite.schema import PLACES

FANOUT: Final = 250
"""The most entries of a node: 16 bytes each, so that they fit a page of the database."""

HIGHEST: Final = 20
"""The maximum number of levels of a tree. Only damaged nodes could exceed it."""


class Run(NamedTuple):
    """Items in the order of their places; above the leaves of a tree, a node and its content.

    Attributes:
        start: The first place; or the place of the node.
        size: The number of items.
    """

    start: int
    size: int


class Order:
    """The order of one sequence, in its cell or in a tree.

    Shape: a node is a row of ``nodes``, its entries packed 64-bit integers, little-endian: the starts of runs (in a
    leaf, which is at level 0) or the places of the nodes below, and after them their sizes.

    Cost: O(log n) to find an item; a change rewrites one node per level.
    """

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    def runs(self, start: int, stop: int) -> Iterator[Run]:
        """Yield the runs of the items from ``start`` to ``stop``, which are in range."""
        if start >= stop:
            return
        if self._cell.tree is None:
            yield Run(self._cell.first + start, stop - start)
        else:
            yield from self._walk(Run(self._cell.tree, self._cell.size), start, stop, HIGHEST)

    def splice(self, start: int, stop: int, new: Sequence[Run]) -> None:
        """Put ``new`` in place of the items from ``start`` to ``stop``, which are in range, and count."""
        cell = self._cell
        count = sum(run.size for run in new)
        size = cell.size - (stop - start) + count
        if cell.tree is None:
            self._splice_run(start, stop, new)
        else:
            self._plant(self._spliced(Run(cell.tree, cell.size), start, stop, new, HIGHEST))
        cell.size = size

    def _splice_run(self, start: int, stop: int, new: Sequence[Run]) -> None:
        cell = self._cell
        runs = _merged([Run(cell.first, start), *new, Run(cell.first + stop, cell.size - stop)])
        if len(runs) > 1:
            cell.first = 0  # unused with a tree
            self._plant(self._save(None, 0, runs))
        else:
            cell.first, cell.next = (runs[0].start, runs[0].start + runs[0].size) if runs else (cell.next, cell.next)

    def _plant(self, nodes: list[Run]) -> None:
        """Make the nodes, all of one level, the tree."""
        while len(nodes) > 1:
            level, _ = self._load(nodes[0], HIGHEST)
            nodes = self._save(None, level + 1, nodes)
        self._cell.tree = nodes[0].start if nodes else None
        if nodes:
            self._fell(nodes[0])

    def _fell(self, root: Run) -> None:
        """Drop the tree if it is one leaf with one run."""
        level, below = self._load(root, HIGHEST)
        if level == 0 and len(below) == 1:
            cell = self._cell
            self._save(root.start, 0, ())
            cell.tree, cell.first, cell.next = None, below[0].start, below[0].start + below[0].size

    def _walk(self, node: Run, start: int, stop: int, height: int) -> Iterator[Run]:
        level, below = self._load(node, height)
        if level == 0:
            yield from _cut(below, start, stop)
        else:
            for child, within in _reached(below, start, stop):
                yield from self._walk(below[child], within.start, within.stop, level)

    def _spliced(self, node: Run, start: int, stop: int, new: Sequence[Run], height: int) -> list[Run]:
        """Return the nodes, of the same level, that replace ``node``."""
        level, below = self._load(node, height)
        if level == 0:
            return self._save(node.start, 0, _merged([*_cut(below, 0, start), *new, *_cut(below, stop, node.size)]))
        reached = list(_reached(below, start, stop))
        nodes: list[Run] = []
        for child, within in reached:
            nodes += self._spliced(below[child], within.start, within.stop, new, level)
            new = ()
        below[reached[0][0] : reached[-1][0] + 1] = nodes
        return self._save(node.start, level, below)

    def _load(self, node: Run, height: int) -> tuple[int, list[Run]]:
        """Return the level of a node, which is below ``height``, and its entries, which have the size of the node."""
        cell = self._cell
        row = cell.db.execute("SELECT level, entries FROM nodes WHERE place = ?", (cell.base + node.start,)).fetchone()
        if row is None or type(row[0]) is not int or not 0 <= row[0] < height or type(row[1]) is not bytes:
            raise cell.damaged()
        level, packed = row
        numbers = struct.unpack(f"<{len(packed) // 16 * 2}q", packed[: len(packed) // 16 * 16])
        entries = list(map(Run, numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]))
        if sum(entry.size for entry in entries) != node.size or not all(map(_is_sound, entries)):
            raise cell.damaged()
        return level, entries

    def _save(self, node: int | None, level: int, entries: Sequence[Run]) -> list[Run]:
        """Store entries in ``node`` and as many new ones as they need, evenly; without entries it is deleted."""
        if not entries:
            self._cell.db.execute("DELETE FROM nodes WHERE place = ?", (self._cell.base + (node or 0),))
            return []
        count = -(-len(entries) // FANOUT)
        nodes = []
        for part in range(count):
            own = entries[len(entries) * part // count : len(entries) * (part + 1) // count]
            nodes.append(Run(self._put(node, level, own), sum(run.size for run in own)))
            node = None
        return nodes

    def _put(self, node: int | None, level: int, entries: Sequence[Run]) -> int:
        cell = self._cell
        packed = struct.pack(f"<{2 * len(entries)}q", *[run.start for run in entries], *[run.size for run in entries])
        if node is not None:
            cell.db.execute("UPDATE nodes SET entries = ? WHERE place = ?", (packed, cell.base + node))
            return node
        query = "SELECT ifnull(max(place) + 1, ?1) FROM nodes WHERE place BETWEEN ?1 AND ?2"
        (place,) = cell.db.execute(query, (cell.base, cell.base + PLACES - 1)).fetchone()
        cell.db.execute("INSERT INTO nodes (place, level, entries) VALUES (?, ?, ?)", (place, level, packed))
        return int(place) - cell.base


def _is_sound(run: Run) -> bool:
    return run.size > 0 and 0 <= run.start < PLACES


def _merged(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that have items; adjacent runs are joined."""
    merged: list[Run] = []
    for run in runs:
        if merged and merged[-1].start + merged[-1].size == run.start and run.size:
            merged[-1] = Run(merged[-1].start, merged[-1].size + run.size)
        elif run.size:
            merged.append(run)
    return merged


def _cut(runs: Sequence[Run], start: int, stop: int) -> Iterator[Run]:
    """Yield the parts of ``runs`` that hold the items from ``start`` to ``stop``."""
    if start < stop:
        for number, within in _reached(runs, start, stop):
            yield Run(runs[number].start + within.start, len(within))


def _reached(entries: Sequence[Run], start: int, stop: int) -> Iterator[tuple[int, range]]:
    """Yield the entries with the items from ``start`` to ``stop``, each with its part of the range.

    If the range is empty, it is the entry in which an item would be inserted.
    """
    ends = list(accumulate(entry.size for entry in entries))
    first = (bisect_left if start == stop else bisect_right)(ends, start)
    for child in range(first, max(first, bisect_left(ends, stop)) + 1):
        begin = ends[child] - entries[child].size
        yield child, range(max(start - begin, 0), min(stop - begin, entries[child].size))

"""The order of a sequence's items: a B+-tree of their ids that counts how many lie under each node.

An index is found by the counts, and items come and go in the middle without another one being touched. A node that
loses its last entry is deleted, and none is merged with its neighbour ("free at empty", as in PostgreSQL's indexes), so
that the tree stays as high as it once had to be until the sequence is emptied.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from persistent_collections.backends.sqlite.cell import Cell

FANOUT: Final = 250
"""The most entries of a node: 16 bytes each, so that they fit a page of the database."""


class Node(NamedTuple):
    """A node as the one above it sees it.

    Attributes:
        id: Its row.
        size: How many items lie under it.
    """

    id: int
    size: int


class Tree:
    """The tree of one sequence.

    Shape: a node is a row of ``nodes``, its entries packed 64-bit integers, little-endian: in a leaf, which is at level
    0, the ids of items in their order; above, the ids of the nodes below, and after them their sizes.

    Cost: O(log n) to find an item; a change rewrites one node a level.

    Attributes:
        top: The topmost node, None in an empty tree.
    """

    def __init__(self, cell: Cell) -> None:
        self.top = cell.tree
        self._cell = cell

    def ids(self, start: int, stop: int) -> Iterator[int]:
        """Yield the ids of the items from ``start`` to ``stop``, which are in range."""
        if start < stop and self.top is not None:
            yield from self._walk(self.top, start, stop)

    def splice(self, start: int, stop: int, ids: Sequence[int]) -> None:
        """Put ``ids`` in place of those from ``start`` to ``stop``, which are in range."""
        nodes = self._save(None, 0, ids, ()) if self.top is None else self._spliced(self.top, start, stop, ids)
        while len(nodes) > 1:
            level, _, _ = self._load(nodes[0].id)
            nodes = self._save(None, level + 1, [node.id for node in nodes], [node.size for node in nodes])
        self.top = nodes[0].id if nodes else None

    def _walk(self, node: int, start: int, stop: int) -> Iterator[int]:
        level, ids, sizes = self._load(node)
        if level == 0:
            yield from ids[start:stop]
        else:
            for child, within in _reached(sizes, start, stop):
                yield from self._walk(ids[child], within.start, within.stop)

    def _spliced(self, node: int, start: int, stop: int, new: Sequence[int]) -> list[Node]:
        """Return the nodes, of the same level, that take the place of ``node``."""
        level, ids, sizes = self._load(node)
        if level == 0:
            ids[start:stop] = new
        else:
            reached = list(_reached(sizes, start, stop))
            nodes: list[Node] = []
            for child, within in reached:
                nodes += self._spliced(ids[child], within.start, within.stop, new)
                new = ()
            replaced = slice(reached[0][0], reached[-1][0] + 1)
            ids[replaced] = [node.id for node in nodes]
            sizes[replaced] = [node.size for node in nodes]
        return self._save(node, level, ids, sizes)

    def _load(self, node: int) -> tuple[int, list[int], list[int]]:
        """Return a node's level, the ids below it and, above the leaves, how many items lie under each."""
        row = self._cell.db.execute("SELECT level, entries FROM nodes WHERE id = ?", (node,)).fetchone()
        if row is None:
            raise self._cell.damaged()
        level, entries = row
        numbers = list(struct.unpack(f"<{len(entries) // 8}q", entries))
        count = len(numbers) // 2 if level else len(numbers)
        return level, numbers[:count], numbers[count:]

    def _save(self, node: int | None, level: int, ids: Sequence[int], sizes: Sequence[int]) -> list[Node]:
        """Store entries in ``node`` and as many new ones as they need, evenly; without entries it is deleted."""
        if not ids:
            self._cell.db.execute("DELETE FROM nodes WHERE id = ?", (node,))
            return []
        count = -(-len(ids) // FANOUT)
        nodes = []
        for part in range(count):
            bounds = slice(len(ids) * part // count, len(ids) * (part + 1) // count)
            below, counts = ids[bounds], sizes[bounds]
            nodes.append(Node(self._put(node, level, [*below, *counts]), sum(counts) if level else len(below)))
            node = None
        return nodes

    def _put(self, node: int | None, level: int, numbers: Sequence[int]) -> int:
        entries = struct.pack(f"<{len(numbers)}q", *numbers)
        if node is not None:
            self._cell.db.execute("UPDATE nodes SET entries = ? WHERE id = ?", (entries, node))
            return node
        statement = "INSERT INTO nodes (object, level, entries) VALUES (?, ?, ?)"
        return self._cell.db.execute(statement, (self._cell.id, level, entries)).lastrowid or 0


def _reached(sizes: Sequence[int], start: int, stop: int) -> Iterator[tuple[int, range]]:
    """Yield the children in which the items from ``start`` to ``stop`` lie, each with the part of its own.

    Where there are none between the two, it is the child in which one would be inserted.
    """
    ends = list(accumulate(sizes))
    first = (bisect_left if start == stop else bisect_right)(ends, start)
    for child in range(first, max(first, bisect_left(ends, stop)) + 1):
        begin = ends[child] - sizes[child]
        yield child, range(max(start - begin, 0), min(stop - begin, sizes[child]))

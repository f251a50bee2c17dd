"""A sequence as rows of ``items``, whose order a tree of their ids keeps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import ClassVar, NamedTuple

from persistent_collections.backends.base import PAGE_SIZE, SequenceStore, Shape
from persistent_collections.backends.sqlite.cell import Cell
from persistent_collections.backends.sqlite.handle import Handle
from persistent_collections.backends.sqlite.texts import as_array
from persistent_collections.backends.sqlite.tree import Tree


class _Item(NamedTuple):
    position: int
    id: int
    data: bytes


class SQLiteSequence(Handle, SequenceStore):
    """A row an item. Cost: O(log n) an item, wherever it is; an item that moves is not rewritten."""

    shape: ClassVar[Shape] = "sequence"

    def get(self, index: int) -> bytes | None:
        with self._reading() as cell:
            item = _get(cell, index)
            return item and item.data

    def get_slice(self, where: slice) -> list[bytes]:
        with self._reading() as cell:
            return get_range(cell, range(cell.size)[where])

    def set(self, index: int, data: bytes) -> bool:
        with self._writing() as cell:
            return _set(cell, _get(cell, index), data)

    def compare_and_set(self, index: int, expected: bytes, data: bytes) -> bool:
        with self._writing() as cell:
            item = _get(cell, index)
            return _set(cell, item if item and item.data == expected else None, data)

    def push_right(self, items: Sequence[bytes]) -> None:
        with self._writing() as cell:
            _splice(cell, cell.size, cell.size, items)

    def push_left(self, items: Sequence[bytes]) -> None:
        with self._writing() as cell:
            _splice(cell, 0, 0, items)

    def pop(self, index: int) -> bytes | None:
        with self._writing() as cell:
            item = _get(cell, index)
            if item:
                _splice(cell, item.position, item.position + 1, ())
            return item and item.data

    def delete(self, index: int, expected: bytes | None = None) -> bool:
        with self._writing() as cell:
            item = _get(cell, index)
            if item is None or expected not in (None, item.data):
                return False
            _splice(cell, item.position, item.position + 1, ())
            return True

    def insert(self, index: int, data: bytes) -> None:
        with self._writing() as cell:
            position, _, _ = slice(index, None).indices(cell.size)
            _splice(cell, position, position, [data])

    def splice(self, start: int | None, stop: int | None, items: Sequence[bytes]) -> None:
        with self._writing() as cell:
            first, last, _ = slice(start, stop).indices(cell.size)
            _splice(cell, first, max(first, last), items)

    def set_stride(self, where: slice, items: Sequence[bytes]) -> int:
        with self._writing() as cell:
            positions = range(cell.size)[where]
            if len(positions) == len(items):
                rows = zip(items, _ids(cell, positions), strict=True)
                cell.db.executemany("UPDATE items SET data = ? WHERE id = ?", rows)
            return len(positions)

    def delete_stride(self, where: slice) -> None:
        with self._writing() as cell:
            positions = range(cell.size)[where]
            if not positions:
                return
            start, stop = _span(positions)
            ids = list(Tree(cell).ids(start, stop))
            _delete(cell, ids[:: positions.step])
            del ids[:: positions.step]
            _reorder(cell, start, stop, ids, cell.size - len(positions))

    def find(self, data: bytes, start: int | None = None, stop: int | None = None) -> int | None:
        with self._reading() as cell:
            return _find(cell, data, range(cell.size)[start:stop])

    def count(self, data: bytes) -> int:
        with self._reading() as cell:
            query = "SELECT count(*) FROM items WHERE object = ? AND data = ?"
            count: int = cell.db.execute(query, (cell.id, data)).fetchone()[0]
            return count

    def remove(self, data: bytes) -> bool:
        with self._writing() as cell:
            position = _find(cell, data, range(cell.size))
            if position is not None:
                _splice(cell, position, position + 1, ())
            return position is not None

    def repeat(self, times: int) -> None:
        with self._writing() as cell:
            if times <= 0:
                cell.note(0)
            elif cell.size and times > 1:
                _reorder(cell, cell.size, cell.size, _copy_all(cell, times - 1), cell.size * times)

    def reverse(self) -> None:
        with self._writing() as cell:
            if cell.size:
                _reorder(cell, 0, cell.size, _ids(cell, range(cell.size)[::-1]), cell.size)

    def replace(self, items: Sequence[bytes]) -> None:
        with self._writing() as cell:
            replace_items(cell, items)

    def replace_if(self, expected: Sequence[bytes], items: Sequence[bytes]) -> bool:
        with self._writing() as cell:
            if cell.size != len(expected) or get_range(cell, range(cell.size)) != list(expected):
                return False
            replace_items(cell, items)
            return True


def get_range(cell: Cell, positions: range) -> list[bytes]:
    """Return the items at ``positions``, in their order."""
    ids = _ids(cell, positions)
    query = "SELECT items.id, data FROM json_each(?) JOIN items ON items.id = value"
    found = dict(cell.db.execute(query, (as_array(ids),)))
    if len(found) != len(ids):
        raise cell.damaged()
    return [found[item] for item in ids]


def replace_items(cell: Cell, items: Sequence[bytes]) -> None:
    """Put items in place of all."""
    cell.clear()
    _splice(cell, 0, 0, items)


def _get(cell: Cell, index: int) -> _Item | None:
    position = index + cell.size if index < 0 else index
    if not 0 <= position < cell.size:
        return None
    for item in Tree(cell).ids(position, position + 1):
        row = cell.db.execute("SELECT data FROM items WHERE id = ?", (item,)).fetchone()
        if row:
            return _Item(position, item, row[0])
    raise cell.damaged()


def _ids(cell: Cell, positions: range) -> list[int]:
    """Return the ids of the items at ``positions``, in their order."""
    return list(Tree(cell).ids(*_span(positions)))[:: positions.step] if positions else []


def _span(positions: range) -> tuple[int, int]:
    """Return the least of ``positions``, of which there are some, and the one after the greatest."""
    least, greatest = sorted((positions[0], positions[-1]))
    return least, greatest + 1


def _find(cell: Cell, data: bytes, positions: range) -> int | None:
    """Return the first position of ``data``. Cost: O(n) up to there."""
    query = "SELECT min(key) FROM json_each(?) JOIN items ON items.id = value WHERE data = ?"
    ids = Tree(cell).ids(positions.start, positions.stop)
    for start in positions[::PAGE_SIZE]:
        (found,) = cell.db.execute(query, (as_array(islice(ids, PAGE_SIZE)), data)).fetchone()
        if found is not None:
            return start + int(found)
    return None


def _set(cell: Cell, item: _Item | None, data: bytes) -> bool:
    """Set an item, if there is one, and say whether there is."""
    if item:
        cell.db.execute("UPDATE items SET data = ? WHERE id = ?", (data, item.id))
    return item is not None


def _splice(cell: Cell, start: int, stop: int, items: Sequence[bytes]) -> None:
    """Put ``items`` in place of those from ``start`` to ``stop``, which are in range."""
    gone = list(Tree(cell).ids(start, stop))
    _delete(cell, gone)
    _reorder(cell, start, stop, _add(cell, items), cell.size - len(gone) + len(items))


def _reorder(cell: Cell, start: int, stop: int, ids: Sequence[int], size: int) -> None:
    """Put ``ids`` in place of those from ``start`` to ``stop``, after which there are ``size`` items in all."""
    tree = Tree(cell)
    tree.splice(start, stop, ids)
    cell.note(size, tree.top)


def _add(cell: Cell, items: Sequence[bytes]) -> Sequence[int]:
    """Store items that have no position yet, and return their ids."""
    if items:
        cell.make()
    ids = _new_ids(cell, len(items))
    rows = ((item, cell.id, data) for item, data in zip(ids, items, strict=True))
    cell.db.executemany("INSERT INTO items (id, object, data) VALUES (?, ?, ?)", rows)
    return ids


def _copy_all(cell: Cell, times: int) -> Sequence[int]:
    """Store every item ``times`` times more, without a position yet, and return the ids of the copies in order."""
    ids = as_array(_ids(cell, range(cell.size)))
    new = _new_ids(cell, cell.size * times)
    copy = (
        "INSERT INTO items (id, object, data) "
        "SELECT ? + key, items.object, data FROM json_each(?) JOIN items ON items.id = value"
    )
    cell.db.executemany(copy, ((first, ids) for first in new[:: cell.size]))
    return new


def _new_ids(cell: Cell, count: int) -> range:
    first: int = cell.db.execute("SELECT ifnull(max(id), 0) + 1 FROM items").fetchone()[0]
    return range(first, first + count)


def _delete(cell: Cell, ids: Sequence[int]) -> None:
    cell.db.executemany("DELETE FROM items WHERE id = ?", ((item,) for item in ids))

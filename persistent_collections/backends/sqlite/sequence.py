"""A sequence as rows of ``items``, ordered by their places until it is changed in the middle."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, ClassVar, Final, NamedTuple

from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.handles import SequenceStore
from persistent_collections.backends.shapes import SEQUENCE, Shape
from persistent_collections.backends.sqlite.handle import GUARD, Handle
from persistent_collections.backends.sqlite.names import as_array
from persistent_collections.backends.sqlite.objects import ALIVE, Cell, change_all
from persistent_collections.backends.sqlite.order import Order, Run
from persistent_collections.backends.sqlite.schema import MIDDLE, PLACES

_GET: Final = (
    "SELECT shape, size, tree, data FROM objects LEFT JOIN items ON place = (id << 32) + "
    "CASE WHEN ?1 < 0 THEN first + size + ?1 ELSE first + ?1 END "
    f"WHERE root = ?2 AND child = ?3 AND {ALIVE.replace('?', '?4')}"
)
_ALIVE: Final = ALIVE.replace("?", "?3")
_GUARDS: Final = ("", f" AND {GUARD}")
_SET: Final = tuple(
    "UPDATE items SET data = ?5 WHERE place = (SELECT (id << 32) + CASE WHEN ?4 < 0 THEN next ELSE first END + ?4 "
    f"FROM objects WHERE root = ?1 AND child = ?2 AND {_ALIVE} "
    f"AND shape = 'sequence' AND tree IS NULL AND size = next - first AND ?4 BETWEEN -size AND size - 1){guard}"
    for guard in _GUARDS
)
"""Without and with the guard of a child."""

_PUSH_RIGHT: Final = "INSERT INTO push_right VALUES (?, ?, ?, ?)"
_PUSH_LEFT: Final = "INSERT INTO push_left VALUES (?, ?, ?, ?)"
_POP: Final = {0: "INSERT INTO pop_left VALUES (?, ?, ?)", -1: "INSERT INTO pop_right VALUES (?, ?, ?)"}


class _Item(NamedTuple):
    position: int
    place: int
    data: bytes


class SQLiteSequence(Handle, SequenceStore):
    """One row per item. Cost: O(log n) per item, at any index; an item that moves is not rewritten."""

    shape: ClassVar[Shape] = SEQUENCE

    @staticmethod
    def read_all(cell: Cell) -> list[bytes]:
        return get_range(cell, range(cell.size))

    @staticmethod
    def put_instead(cell: Cell, content: Sequence[bytes]) -> None:
        replace_items(cell, content)

    def get(self, index: int) -> bytes | None:
        if not -PLACES < index < PLACES:
            return None
        row = self._database.ask(_GET, (index, self._root, self._child, time.time()))
        if row is None:
            return None
        shape, size, tree, data = row
        if shape == "sequence" and tree is None and type(size) is int and -size <= index < size and type(data) is bytes:
            return data
        return self._read(lambda cell: (item := _get(cell, index)) and item.data)

    def get_slice(self, where: slice) -> list[bytes]:
        return self._read(lambda cell: get_range(cell, range(cell.size)[where]))

    def set(self, index: int, data: bytes) -> bool:
        if not -PLACES < index < PLACES:
            return self._write(lambda cell: _set(cell, None, data))
        changed, _ = self._database.change(_SET[self._is_child], (self._root, self._child, time.time(), index, data))
        return changed or self._write(lambda cell: _set(cell, _get(cell, index), data))

    def compare_and_set(self, index: int, expected: bytes, data: bytes) -> bool:
        def change(cell: Cell) -> bool:
            item = _get(cell, index)
            return _set(cell, item if item and item.data == expected else None, data)

        return self._write(change)

    def push_right(self, items: Sequence[bytes]) -> None:
        self._push(_PUSH_RIGHT, items, lambda cell: splice_items(cell, cell.size, cell.size, items))

    def push_left(self, items: Sequence[bytes]) -> None:
        self._push(_PUSH_LEFT, items, lambda cell: splice_items(cell, 0, 0, items))

    def _push(self, statement: str, items: Sequence[bytes], change: Callable[[Cell], None]) -> None:
        if len(items) == 1:
            changed, _ = self._database.change(statement, (self._root, self._child, time.time(), items[0]))
            if changed:
                return
        self._write(change)

    def pop(self, index: int, expected: bytes | None = None) -> bytes | None:
        def change(cell: Cell) -> bytes | None:
            if cell.tree is None and expected is None:
                return _pop_of_run(cell, index)
            item = _get(cell, index)
            if item is None or expected not in (None, item.data):
                return None
            splice_items(cell, item.position, item.position + 1, ())
            return cell.popped(item.data)

        if index in (0, -1) and expected is None:
            changed, data = self._database.change(_POP[index], (self._root, self._child, time.time()))
            if changed:
                popped: bytes = data
                return popped
        return self._write(change)

    def insert(self, index: int, data: bytes) -> None:
        if index == 0:
            self.push_left([data])
            return

        def change(cell: Cell) -> None:
            position, _, _ = slice(index, None).indices(cell.size)
            splice_items(cell, position, position, [data])

        self._write(change)

    def splice(self, start: int | None, stop: int | None, items: Sequence[bytes]) -> None:
        def change(cell: Cell) -> None:
            first, last, _ = slice(start, stop).indices(cell.size)
            splice_items(cell, first, max(first, last), items)

        self._write(change)

    def set_stride(self, where: slice, items: Sequence[bytes]) -> int:
        def change(cell: Cell) -> int:
            positions = range(cell.size)[where]
            if len(positions) == len(items):
                rows = [(data, cell.base + place) for data, place in zip(items, _places(cell, positions), strict=True)]
                cell.db.executemany("UPDATE items SET data = ? WHERE place = ?", rows)
            return len(positions)

        return self._write(change)

    def delete_stride(self, where: slice) -> None:
        def change(cell: Cell) -> None:
            positions = range(cell.size)[where]
            if not positions:
                return
            start, stop = _span(positions)
            places = _expand(Order(cell).runs(start, stop))
            step = positions.step if positions.step > 0 else -positions.step
            _delete(cell, [Run(place, 1) for place in places[::step]])
            del places[::step]
            Order(cell).splice(start, stop, [Run(place, 1) for place in places])

        self._write(change)

    def find(self, data: bytes, start: int | None = None, stop: int | None = None) -> int | None:
        return self._read(lambda cell: _find(cell, data, range(cell.size)[start:stop]))

    def count(self, data: bytes) -> int:
        def look(cell: Cell) -> int:
            query = "SELECT count(*) FROM items WHERE place BETWEEN ? AND ? AND data = ?"
            count: int = cell.db.execute(query, (cell.base, cell.base + PLACES - 1, data)).fetchone()[0]
            return count

        return self._read(look)

    def remove(self, data: bytes) -> bool:
        def change(cell: Cell) -> bool:
            position = _find(cell, data, range(cell.size))
            if position is not None:
                splice_items(cell, position, position + 1, ())
            return position is not None

        return self._write(change)

    def repeat(self, times: int) -> None:
        def change(cell: Cell) -> None:
            if times <= 0:
                cell.clear()
            elif cell.size and times > 1:
                _repeat(cell, times)

        self._write(change)

    def reverse(self) -> None:
        def change(cell: Cell) -> None:
            places = _places(cell, range(cell.size)[::-1])
            Order(cell).splice(0, cell.size, [Run(place, 1) for place in places])

        self._write(change)

    def replace(self, items: Sequence[bytes], expected: Sequence[bytes] | None = None) -> bool:
        def change(cell: Cell) -> bool:
            there = expected is None or (
                cell.size == len(expected) and get_range(cell, range(cell.size)) == list(expected)
            )
            if there:
                replace_items(cell, items)
            return there

        return self._write(change)


def get_range(cell: Cell, positions: range) -> list[bytes]:
    """Return the items at ``positions``, in their order."""
    if not positions:
        return []
    start, stop = _span(positions)
    runs = list(Order(cell).runs(start, stop))
    if len(runs) == 1 and abs(positions.step) == 1:
        query = "SELECT data FROM items WHERE place BETWEEN ? AND ? ORDER BY place"
        items = [data for (data,) in cell.db.execute(query, _rows(cell, runs[0]))][:: positions.step]
    else:
        places = _places(cell, positions)
        query = "SELECT data FROM json_each(?) CROSS JOIN items ON place = ? + value ORDER BY key"
        items = [data for (data,) in cell.db.execute(query, (as_array(places), cell.base))]
    if len(items) != len(positions) or not set(map(type, items)) <= {bytes}:
        raise cell.damaged()
    return items


def replace_items(cell: Cell, items: Sequence[bytes]) -> None:
    """Replace all items."""
    cell.clear()
    splice_items(cell, 0, 0, items)


def _get(cell: Cell, index: int) -> _Item | None:
    position = index + cell.size if index < 0 else index
    if not 0 <= position < cell.size:
        return None
    for place, _ in Order(cell).runs(position, position + 1):
        row = cell.db.execute("SELECT data FROM items WHERE place = ?", (cell.base + place,)).fetchone()
        if row and type(row[0]) is bytes:
            return _Item(position, place, row[0])
    raise cell.damaged()


def _pop_of_run(cell: Cell, index: int) -> bytes | None:
    position = index + cell.size if index < 0 else index
    if not 0 <= position < cell.size:
        return None
    delete = "DELETE FROM items WHERE place = ? RETURNING data"
    row = cell.db.execute(delete, (cell.base + cell.first + position,)).fetchone()
    if row is None or type(row[0]) is not bytes:
        raise cell.damaged()
    Order(cell).splice(position, position + 1, ())
    data: bytes = cell.popped(row[0])
    return data


def _places(cell: Cell, positions: range) -> list[int]:
    """Return the places of the items at ``positions``, in their order."""
    return _expand(Order(cell).runs(*_span(positions)))[:: positions.step] if positions else []


def _expand(runs: Iterable[Run]) -> list[int]:
    return list(chain.from_iterable(range(run.start, run.start + run.size) for run in runs))


def _span(positions: range) -> tuple[int, int]:
    """Return the least of ``positions``, which are not empty, and the greatest plus one."""
    least, greatest = sorted((positions[0], positions[-1]))
    return least, greatest + 1


def _find(cell: Cell, data: bytes, positions: range) -> int | None:
    """Return the first position of ``data``. Cost: O(n) up to there."""
    position = positions.start
    batch: list[Run] = []
    for run in Order(cell).runs(positions.start, positions.stop):
        if run.size >= PAGE_SIZE:
            found = _find_in(cell, data, batch, position)
            position += sum(each.size for each in batch)
            batch = []
            if found is None:
                found = _find_in_run(cell, data, run, position)
            position += run.size
        else:
            batch.append(run)
            found = None
            if len(batch) == PAGE_SIZE:
                found = _find_in(cell, data, batch, position)
                position += sum(each.size for each in batch)
                batch = []
        if found is not None:
            return found
    return _find_in(cell, data, batch, position)


def _find_in_run(cell: Cell, data: bytes, run: Run, position: int) -> int | None:
    query = "SELECT place FROM items WHERE place BETWEEN ? AND ? AND data = ? ORDER BY place LIMIT 1"
    row: Any = cell.db.execute(query, (*_rows(cell, run), data)).fetchone()
    return row and position + int(row[0]) - cell.base - run.start


def _find_in(cell: Cell, data: bytes, runs: Sequence[Run], position: int) -> int | None:
    query = "SELECT key FROM json_each(?) CROSS JOIN items ON place = ? + value WHERE data = ? ORDER BY key LIMIT 1"
    row: Any = cell.db.execute(query, (as_array(_expand(runs)), cell.base, data)).fetchone() if runs else None
    return row and position + int(row[0])


def _set(cell: Cell, item: _Item | None, data: bytes) -> bool:
    """Set an item, if it exists, and return whether it does."""
    if item:
        cell.db.execute("UPDATE items SET data = ? WHERE place = ?", (data, cell.base + item.place))
    return item is not None


def splice_items(cell: Cell, start: int, stop: int, items: Sequence[bytes]) -> None:
    """Put ``items`` in place of those from ``start`` to ``stop``, which are in range."""
    order = Order(cell)
    if start < stop:
        _delete(cell, list(order.runs(start, stop)))
        if cell.tree is None or not items:
            order.splice(start, stop, ())
            stop = start
    if items:
        order.splice(start, stop, _add(cell, items, before=start == 0 < cell.size))


def _add(cell: Cell, items: Sequence[bytes], *, before: bool) -> list[Run]:
    """Store items at their own places: before all others if possible and ``before``, else after them."""
    cell.make(SEQUENCE)
    _make_room(cell, len(items))
    if before and cell.tree is None and cell.first >= len(items):
        run = Run(cell.first - len(items), len(items))
    else:
        run = Run(cell.next, len(items))
        cell.next += len(items)
    rows = list(enumerate(items, cell.base + run.start))
    change_all(cell.db, "INSERT INTO items (place, data) VALUES (?, ?)", rows)
    return [run]


def _make_room(cell: Cell, count: int) -> None:
    """Make ``count`` places free after all others; all items move together if necessary."""
    if cell.next + count <= PLACES:
        return
    items = get_range(cell, range(cell.size))
    cell.clear()
    rows = list(enumerate(items, cell.base + MIDDLE))
    cell.db.executemany("INSERT INTO items (place, data) VALUES (?, ?)", rows)
    cell.size, cell.next = len(items), MIDDLE + len(items)


def _repeat(cell: Cell, times: int) -> None:
    """Store every item ``times`` times, copies after all others."""
    count = cell.size
    _make_room(cell, count * (times - 1))
    runs = list(Order(cell).runs(0, count))
    start = cell.next
    copy = (
        "INSERT INTO items (place, data) SELECT ? + key, data FROM json_each(?) CROSS JOIN items ON place = ? + value"
    )
    places = as_array(_expand(runs))
    for first in range(start, start + count * (times - 1), count):
        cell.db.execute(copy, (cell.base + first, places, cell.base))
    cell.next = start + count * (times - 1)
    Order(cell).splice(count, count, [Run(start, count * (times - 1))])


def _delete(cell: Cell, runs: Sequence[Run]) -> None:
    change_all(cell.db, "DELETE FROM items WHERE place BETWEEN ? AND ?", [_rows(cell, run) for run in runs])


def _rows(cell: Cell, run: Run) -> tuple[int, int]:
    """Return the first and the last row of a run."""
    return cell.base + run.start, cell.base + run.start + run.size - 1


HANDLE: Final = SQLiteSequence
"""This module's entry in ``shapes``."""

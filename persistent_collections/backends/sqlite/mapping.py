"""A mapping as rows of ``fields``, in the order of their places."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from persistent_collections.backends import integers
from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.handles import MappingStore
from persistent_collections.backends.keys import MARKER, MARKER_DATA
from persistent_collections.backends.shapes import MAPPING, Shape
from persistent_collections.backends.sqlite.handle import GUARD, Handle
from persistent_collections.backends.sqlite.names import decode, encode
from persistent_collections.backends.sqlite.objects import ALIVE, Cell, change_all
from persistent_collections.backends.sqlite.schema import PLACES

_GET: Final = (
    "SELECT shape, data FROM objects LEFT JOIN fields ON object = id AND name = ? "
    f"WHERE root = ? AND child = ? AND {ALIVE}"
)
_FIELD: Final = (
    "name = ?4 AND object = (SELECT id FROM objects WHERE root = ?1 AND child = ?2 AND shape = 'mapping' "
    f"AND {ALIVE.replace('?', '?3')})"
)
_SAFE: Final = 2**62
"""Two integers up to this have a sum that SQLite counts exactly."""

_NUMBER: Final = "CAST(CAST(data AS TEXT) AS INTEGER)"
_CONTAINS: Final = (
    "SELECT shape, EXISTS (SELECT 1 FROM fields WHERE object = id AND name = ?) FROM objects "
    f"WHERE root = ? AND child = ? AND {ALIVE}"
)
_SET: Final = "INSERT INTO set_field VALUES (?, ?, ?, ?, ?)"
_DELETE: Final = "INSERT INTO delete_field VALUES (?, ?, ?, ?)"
_ADD: Final = tuple(
    f"UPDATE fields SET data = CAST(CAST({_NUMBER} + ?5 AS TEXT) AS BLOB) WHERE {_FIELD}{guard} "
    f"AND data = CAST(CAST({_NUMBER} AS TEXT) AS BLOB) AND {_NUMBER} BETWEEN -{_SAFE} AND {_SAFE} "
    f"AND take({_NUMBER}) IS NULL"
    for guard in ("", f" AND {GUARD}")
)
"""Without and with the guard of a child."""


class SQLiteMapping(Handle, MappingStore):
    """A row per field, found by name and by place. Cost: O(log n) per field.

    A field that ``replace`` moves to another place keeps its place of birth. So an iteration goes by
    places, skips the fields born after it began, and never repeats a name.
    """

    shape: ClassVar[Shape] = MAPPING

    @staticmethod
    def read_all(cell: Cell) -> dict[str, bytes]:
        return get_fields(cell)

    @staticmethod
    def put_instead(cell: Cell, content: Mapping[str, bytes]) -> None:
        replace_fields(cell, content)

    def get(self, field: str) -> bytes | None:
        row = self._database.ask(_GET, (encode(field), self._root, self._child, time.time()))
        if row is None or (row[0] == "mapping" and row[1] is None):
            return None
        if row[0] == "mapping" and type(row[1]) is bytes:
            data: bytes = row[1]
            return data
        return self._read(lambda cell: get_field(cell, field))

    def contains(self, field: str) -> bool:
        row = self._database.ask(_CONTAINS, (encode(field), self._root, self._child, time.time()))
        if row is None or row[0] == "mapping":
            return row is not None and row[1] == 1
        return self._read(lambda cell: get_field(cell, field) is not None)

    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        return self._read(lambda cell: [get_field(cell, field) for field in fields])

    def get_all(self) -> dict[str, bytes]:
        return self._read(get_fields)

    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        if len(items) == 1:
            [(field, data)] = items.items()
            if data is not None:
                parameters = (self._root, self._child, time.time(), encode(field), data)
                changed, _ = self._database.change(_SET, parameters)
                if changed:
                    return
        self._write(lambda cell: set_fields(cell, items))

    def add(self, field: str, data: bytes) -> bytes | None:
        def change(cell: Cell) -> bytes | None:
            there = get_field(cell, field)
            if there is None:
                set_fields(cell, {field: data})
            return there

        return self._write(change)

    def pop(self, field: str) -> bytes | None:
        def change(cell: Cell) -> bytes | None:
            data = get_field(cell, field)
            if data is not None:
                set_fields(cell, {field: None})
                data = cell.popped(data)
            return data

        return self._write(change)

    def delete(self, field: str) -> bool:
        parameters = (self._root, self._child, time.time(), encode(field))
        changed, _ = self._database.change(_DELETE, parameters)
        return changed or self._write(lambda cell: _delete(cell, field))

    def pop_any(self) -> tuple[str, bytes] | None:
        def change(cell: Cell) -> tuple[str, bytes] | None:
            query = "SELECT name, data FROM fields WHERE place BETWEEN ? AND ? ORDER BY place DESC LIMIT 1"
            last = cell.db.execute(query, _all_of(cell)).fetchone()
            if last is None:
                return None
            [(field, data)] = _read_rows(cell, [last])
            set_fields(cell, {field: None})
            return cell.popped((field, data))

        return self._write(change)

    def replace(self, items: Mapping[str, bytes], expected: Mapping[str, bytes] | None = None) -> bool:
        def change(cell: Cell) -> bool:
            if expected is not None and (cell.size != len(expected) or get_fields(cell) != expected):
                return False
            replace_fields(cell, items)
            return True

        return self._write(change)

    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        def change(cell: Cell) -> bool:
            if get_field(cell, field) != expected:
                return False
            set_fields(cell, {field: data})
            return True

        return self._write(change)

    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        def change(cell: Cell) -> int | None:
            digits = get_field(cell, field)
            total = integers.add(b"%d" % initial if digits is None else digits, by)
            if total is not None:
                set_fields(cell, {field: b"%d" % total})
            return total

        if abs(by) > _SAFE:
            return self._write(change)
        parameters = (self._root, self._child, time.time(), encode(field), by)
        changed, number = self._database.change(_ADD[self._is_child], parameters)
        return number + by if changed else self._write(change)

    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        place, newest, seen = -1, None, set[str]()
        while True:
            newest, place, rows = self._read(_Page(place, newest).read)
            page = [(field, data) for field, data in rows if field not in seen]
            yield page
            if len(rows) < PAGE_SIZE:
                return
            seen.update(field for field, _ in page)

    def _finish(self, cell: Cell) -> None:
        if self._is_record:
            mark_emptied(cell)


class _Page(NamedTuple):
    """A page of an iteration: the fields after ``place`` that were born before ``newest``."""

    place: int
    newest: int | None

    def read(self, cell: Cell) -> tuple[int, int, list[tuple[str, bytes]]]:
        """Return the value of ``newest``, the place of the last field of the page, and the page."""
        newest = cell.next if self.newest is None else self.newest
        rows = cell.db.execute(
            "SELECT place, name, data FROM fields WHERE place > ? AND place < ? "
            "AND ifnull(born, place & 4294967295) < ? ORDER BY place LIMIT ?",
            (cell.base + self.place, cell.base + PLACES, newest, PAGE_SIZE),
        ).fetchall()
        last = rows[-1][0] - cell.base if rows else self.place
        return newest, last, _read_rows(cell, [row[1:] for row in rows])


def mark_emptied(cell: Cell) -> None:
    """Make a record without content exist."""
    if not cell.size:
        set_fields(cell, {MARKER: MARKER_DATA})


def get_field(cell: Cell, field: str) -> bytes | None:
    """Return the bytes under ``field``."""
    query = "SELECT data FROM fields WHERE object = ? AND name = ?"
    row = cell.db.execute(query, (cell.id, encode(field))).fetchone()
    if row is None:
        return None
    data = row[0]
    if type(data) is not bytes:
        raise cell.damaged()
    return data


def get_fields(cell: Cell) -> dict[str, bytes]:
    """Return every field, in the order of their places."""
    query = "SELECT name, data FROM fields WHERE place BETWEEN ? AND ? ORDER BY place"
    fields = dict(_read_rows(cell, cell.db.execute(query, _all_of(cell)).fetchall()))
    if len(fields) != cell.size:
        raise cell.damaged()
    return fields


def set_fields(cell: Cell, items: Mapping[str, bytes | None]) -> None:
    """Set the fields of a mapping; delete fields whose value is None."""
    kept = {encode(field): data for field, data in items.items() if data is not None}
    if len(kept) < len(items):
        gone = [(cell.id, encode(field)) for field, data in items.items() if data is None]
        cell.size -= change_all(cell.db, "DELETE FROM fields WHERE object = ? AND name = ?", gone)
    if len(kept) == 1:
        _set_one(cell, *kept.popitem())
    elif kept:
        _set_many(cell, kept)


def _delete(cell: Cell, field: str) -> bool:
    size = cell.size
    set_fields(cell, {field: None})
    return cell.size < size


def _set_many(cell: Cell, items: Mapping[bytes, bytes]) -> None:
    update = "UPDATE fields SET data = ? WHERE object = ? AND name = ?"
    rows = [(data, cell.id, name) for name, data in items.items()]
    if not cell.size or change_all(cell.db, update, rows) < len(items):
        _make_room(cell, len(items))
        cell.size += _add_absent(cell, items, cell.next)
        cell.next += len(items)


def _set_one(cell: Cell, name: bytes, data: bytes) -> None:
    _make_room(cell, 1)
    place = cell.base + cell.next
    upsert = (
        "INSERT INTO fields (place, object, name, data) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (object, name) DO UPDATE SET data = excluded.data RETURNING place"
    )
    if cell.db.execute(upsert, (place, cell.id, name, data)).fetchone()[0] == place:
        cell.next += 1
        cell.size += 1


def replace_fields(cell: Cell, items: Mapping[str, bytes]) -> None:
    """Replace all fields; remaining ones keep the rows of their place of birth."""
    if not items:
        cell.clear()
        return
    _make_room(cell, len(items))
    kept = {encode(field): data for field, data in items.items()}
    start = cell.base + cell.next
    if cell.size:
        cell.db.executemany(
            "UPDATE fields SET born = ifnull(born, place & 4294967295), place = ?, data = ? "
            "WHERE object = ? AND name = ?",
            [(place, data, cell.id, name) for place, (name, data) in enumerate(kept.items(), start)],
        )
    _add_absent(cell, kept, cell.next)
    if cell.size:
        cell.db.execute("DELETE FROM fields WHERE place BETWEEN ? AND ?", (cell.base, start - 1))
    cell.next += len(kept)
    cell.size = len(kept)


def _add_absent(cell: Cell, items: Mapping[bytes, bytes], first: int) -> int:
    """Add those of the fields that are not set, at the places from ``first`` on; return how many were added."""
    insert = "INSERT INTO fields (place, object, name, data) VALUES (?, ?, ?, ?) ON CONFLICT (object, name) DO NOTHING"
    rows = [(place, cell.id, name, data) for place, (name, data) in enumerate(items.items(), cell.base + first)]
    return change_all(cell.db, insert, rows)


def _make_room(cell: Cell, count: int) -> None:
    """Give ``count`` fields places after all others, which are moved closer together if necessary."""
    cell.make(MAPPING)
    if cell.next + count > PLACES:
        query = "SELECT place FROM fields WHERE place BETWEEN ? AND ? ORDER BY place"
        places = [place for (place,) in cell.db.execute(query, _all_of(cell))]
        moved = [(to, place) for to, place in enumerate(places, cell.base)]
        cell.db.executemany("UPDATE fields SET place = ?, born = NULL WHERE place = ?", moved)
        cell.next = len(places)


def _all_of(cell: Cell) -> tuple[int, int]:
    return cell.base, cell.base + PLACES - 1


def _read_rows(cell: Cell, rows: Sequence[tuple[Any, Any]]) -> list[tuple[str, bytes]]:
    """Return names and data, as they were read, as texts and bytes."""
    if not {type(value) for row in rows for value in row} <= {bytes}:
        raise cell.damaged()
    return [(decode(name), data) for name, data in rows]


HANDLE: Final = SQLiteMapping
"""This module's entry in ``shapes``."""

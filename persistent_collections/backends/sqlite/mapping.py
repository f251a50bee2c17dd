"""A mapping as rows of ``fields``, in the order of their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from persistent_collections.backends import integers
from persistent_collections.backends.base import PAGE_SIZE, MappingStore, Shape
from persistent_collections.backends.sqlite.cell import Cell
from persistent_collections.backends.sqlite.handle import Handle
from persistent_collections.backends.sqlite.texts import decode, encode


class SQLiteMapping(Handle, MappingStore):
    """A row a field, found by name and by place. Cost: O(log n) a field.

    The id of a row stays that of its field, also when ``replace`` moves the field to another place. So an iteration
    goes by places, leaves out the ids that are newer than itself, and gives no name twice.
    """

    shape: ClassVar[Shape] = "mapping"

    def get(self, field: str) -> bytes | None:
        with self._reading() as cell:
            return _get(cell, field)

    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        with self._reading() as cell:
            return [_get(cell, field) for field in fields]

    def get_all(self) -> dict[str, bytes]:
        with self._reading() as cell:
            return get_fields(cell)

    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        with self._writing() as cell:
            set_fields(cell, items)

    def add(self, field: str, data: bytes) -> bytes | None:
        with self._writing() as cell:
            there = _get(cell, field)
            if there is None:
                set_fields(cell, {field: data})
            return there

    def delete(self, field: str) -> bool:
        return self.pop(field) is not None

    def pop(self, field: str) -> bytes | None:
        with self._writing() as cell:
            data = _get(cell, field)
            set_fields(cell, {field: None})
            return data

    def pop_any(self) -> tuple[str, bytes] | None:
        with self._writing() as cell:
            last = cell.db.execute(
                "SELECT name, data FROM fields WHERE object = ? ORDER BY place DESC LIMIT 1", (cell.id,)
            ).fetchone()
            if last is None:
                return None
            field, data = decode(last[0]), last[1]
            set_fields(cell, {field: None})
            return field, data

    def contains(self, field: str) -> bool:
        with self._reading() as cell:
            query = "SELECT 1 FROM fields WHERE object = ? AND name = ?"
            return cell.db.execute(query, (cell.id, encode(field))).fetchone() is not None

    def replace(self, items: Mapping[str, bytes]) -> None:
        with self._writing() as cell:
            replace_fields(cell, items)

    def replace_if(self, expected: Mapping[str, bytes], items: Mapping[str, bytes]) -> bool:
        with self._writing() as cell:
            if cell.size != len(expected) or get_fields(cell) != expected:
                return False
            replace_fields(cell, items)
            return True

    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        with self._writing() as cell:
            if _get(cell, field) != expected:
                return False
            set_fields(cell, {field: data})
            return True

    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        with self._writing() as cell:
            digits = _get(cell, field)
            total = integers.add(b"%d" % initial if digits is None else digits, by)
            if total is not None:
                set_fields(cell, {field: b"%d" % total})
            return total

    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        place, newest, seen = 0, None, set[str]()
        while True:
            with self._reading() as cell:
                if newest is None:
                    (newest,) = cell.db.execute("SELECT ifnull(max(id), 0) FROM fields").fetchone()
                query = (
                    "SELECT place, name, data FROM fields WHERE object = ? AND place > ? AND id <= ? "
                    "ORDER BY place LIMIT ?"
                )
                rows = cell.db.execute(query, (cell.id, place, newest, PAGE_SIZE)).fetchall()
                page = [(field, data) for _, name, data in rows if (field := decode(name)) not in seen]
            yield page
            if len(rows) < PAGE_SIZE:
                return
            place = rows[-1][0]
            seen.update(field for field, _ in page)


def get_fields(cell: Cell) -> dict[str, bytes]:
    """Return every field, in the order of their places."""
    query = "SELECT name, data FROM fields WHERE object = ? ORDER BY place"
    return {decode(name): data for name, data in cell.db.execute(query, (cell.id,))}


def set_fields(cell: Cell, items: Mapping[str, bytes | None]) -> None:
    """Set the fields of a mapping; one given as None is deleted."""
    kept = {encode(field): data for field, data in items.items() if data is not None}
    gone = [(cell.id, encode(field)) for field, data in items.items() if data is None]
    deleted = cell.db.executemany("DELETE FROM fields WHERE object = ? AND name = ?", gone).rowcount
    updated = cell.db.executemany(
        "UPDATE fields SET data = ? WHERE object = ? AND name = ?",
        [(data, cell.id, name) for name, data in kept.items()],
    ).rowcount
    if updated < len(kept):
        cell.make()
        _add_absent(cell, kept, _next_place(cell))
    cell.note(cell.size - deleted + len(kept) - updated)


def replace_fields(cell: Cell, items: Mapping[str, bytes]) -> None:
    """Put fields in place of all, those that stay on the rows they have."""
    if items:
        cell.make()
        first = _next_place(cell)
        kept = {encode(field): data for field, data in items.items()}
        moved = [(place, data, cell.id, name) for place, (name, data) in enumerate(kept.items(), first)]
        cell.db.executemany("UPDATE fields SET place = ?, data = ? WHERE object = ? AND name = ?", moved)
        _add_absent(cell, kept, first)
        cell.db.execute("DELETE FROM fields WHERE object = ? AND place < ?", (cell.id, first))
    cell.note(len(items))


def _add_absent(cell: Cell, items: Mapping[bytes, bytes], first: int) -> None:
    """Add those of the fields that are not there, at the places from ``first`` on that are theirs among all."""
    cell.db.executemany(
        "INSERT INTO fields (object, place, name, data) VALUES (?, ?, ?, ?) ON CONFLICT (object, name) DO NOTHING",
        [(cell.id, place, name, data) for place, (name, data) in enumerate(items.items(), first)],
    )


def _next_place(cell: Cell) -> int:
    query = "SELECT ifnull(max(place), 0) + 1 FROM fields WHERE object = ?"
    place: int = cell.db.execute(query, (cell.id,)).fetchone()[0]
    return place


def _get(cell: Cell, field: str) -> bytes | None:
    query = "SELECT data FROM fields WHERE object = ? AND name = ?"
    row: tuple[bytes] | None = cell.db.execute(query, (cell.id, encode(field))).fetchone()
    return row and row[0]

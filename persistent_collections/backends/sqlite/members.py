"""A set of texts as rows of ``members``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar, Final

from persistent_collections.backends.base import PAGE_SIZE, Key, MemberStore, SetOperation, Shape
from persistent_collections.backends.sqlite.cell import Cell
from persistent_collections.backends.sqlite.handle import Handle
from persistent_collections.backends.sqlite.objects import find
from persistent_collections.backends.sqlite.texts import as_array, decode, encode

# The ids of all the sets are a JSON array; the first set is also given by itself, and so is how many they are.
_COMBINE: Final[dict[SetOperation, str]] = {
    "union": "SELECT DISTINCT name FROM members WHERE object IN (SELECT value FROM json_each(:ids))",
    "intersection": (
        "SELECT name FROM members WHERE object IN (SELECT value FROM json_each(:ids)) "
        "GROUP BY name HAVING count(*) = :count"
    ),
    "difference": (
        "SELECT name FROM members AS mine WHERE object = :first AND NOT EXISTS ("
        "SELECT 1 FROM json_each(:others) JOIN members AS theirs ON theirs.object = value AND theirs.name = mine.name)"
    ),
}


class SQLiteMembers(Handle, MemberStore):
    """A row a member. Cost: O(log n) a member."""

    shape: ClassVar[Shape] = "members"

    def contains(self, member: str) -> bool:
        with self._reading() as cell:
            return _contains(cell, member)

    def get_all(self) -> set[str]:
        with self._reading() as cell:
            return get_members(cell)

    def add(self, members: AbstractSet[str]) -> int:
        with self._writing() as cell:
            added = _insert(cell, members)
            cell.note(cell.size + added)
            return added

    def remove(self, members: AbstractSet[str]) -> int:
        with self._writing() as cell:
            removed = _delete(cell, members)
            cell.note(cell.size - removed)
            return removed

    def retain(self, members: AbstractSet[str]) -> None:
        with self._writing() as cell:
            cell.note(cell.size - _delete(cell, get_members(cell) - members))

    def toggle(self, members: AbstractSet[str]) -> None:
        with self._writing() as cell:
            there = {member for member in members if _contains(cell, member)}
            cell.note(cell.size - _delete(cell, there) + _insert(cell, members - there))

    def pop_any(self) -> str | None:
        with self._writing() as cell:
            query = "SELECT name FROM members WHERE object = ? LIMIT 1"
            row = cell.db.execute(query, (cell.id,)).fetchone()
            if row is None:
                return None
            member = decode(row[0])
            cell.note(cell.size - _delete(cell, [member]))
            return member

    def replace(self, members: AbstractSet[str]) -> None:
        with self._writing() as cell:
            replace_members(cell, members)

    def combine(self, operation: SetOperation, others: Sequence[Key]) -> set[str]:
        with self._reading() as cell:
            cells = [Cell(cell.db, key, find(cell.db, key), self.shape) for key in others]
            ids = {cell.id, *(other.id for other in cells)}
            parameters = {
                "first": cell.id,
                "ids": as_array(ids),
                "others": as_array(other.id for other in cells),
                "count": len(ids),
            }
            return {decode(name) for (name,) in cell.db.execute(_COMBINE[operation], parameters)}

    def pages(self) -> Iterator[list[str]]:
        start, last = b"", None
        while True:
            with self._reading() as cell:
                if last is None:
                    query = "SELECT ifnull(max(name), x'') FROM members WHERE object = ?"
                    (last,) = cell.db.execute(query, (cell.id,)).fetchone()
                names = [
                    name
                    for (name,) in cell.db.execute(
                        "SELECT name FROM members WHERE object = ? AND name BETWEEN ? AND ? ORDER BY name LIMIT ?",
                        (cell.id, start, last, PAGE_SIZE),
                    )
                ]
                page = [decode(name) for name in names]
            yield page
            if len(page) < PAGE_SIZE:
                return
            start = names[-1] + b"\0"  # the next name there can be


def get_members(cell: Cell) -> set[str]:
    """Return every member."""
    query = "SELECT name FROM members WHERE object = ?"
    return {decode(name) for (name,) in cell.db.execute(query, (cell.id,))}


def replace_members(cell: Cell, members: AbstractSet[str]) -> None:
    """Put members in place of all."""
    cell.clear()
    cell.note(_insert(cell, members))


def _insert(cell: Cell, members: AbstractSet[str]) -> int:
    """Add members, uncounted, and return how many were absent."""
    if members:
        cell.make()
    rows = ((cell.id, encode(member)) for member in members)
    insert = "INSERT INTO members (object, name) VALUES (?, ?) ON CONFLICT DO NOTHING"
    return cell.db.executemany(insert, rows).rowcount


def _delete(cell: Cell, members: Iterable[str]) -> int:
    """Delete members, uncounted, and return how many were there."""
    rows = ((cell.id, encode(member)) for member in members)
    return cell.db.executemany("DELETE FROM members WHERE object = ? AND name = ?", rows).rowcount


def _contains(cell: Cell, member: str) -> bool:
    query = "SELECT 1 FROM members WHERE object = ? AND name = ?"
    return cell.db.execute(query, (cell.id, encode(member))).fetchone() is not None

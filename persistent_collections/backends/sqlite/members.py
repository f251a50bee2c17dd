"""A set of texts as rows of ``members``."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import ClassVar, Final, NamedTuple

from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.handles import MemberStore, SetOperation
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MEMBERS, Shape
from persistent_collections.backends.sqlite.handle import Handle
from persistent_collections.backends.sqlite.names import as_array, decode, encode
from persistent_collections.backends.sqlite.objects import ALIVE, Cell, change_all, find

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
_CONTAINS: Final = (
    "SELECT shape, EXISTS (SELECT 1 FROM members WHERE object = id AND name = ?) FROM objects "
    f"WHERE root = ? AND child = ? AND {ALIVE}"
)


class SQLiteMembers(Handle, MemberStore):
    """A row per member. Cost: O(log n) per member."""

    shape: ClassVar[Shape] = MEMBERS

    @staticmethod
    def read_all(cell: Cell) -> set[str]:
        return get_members(cell)

    @staticmethod
    def put_instead(cell: Cell, content: AbstractSet[str]) -> None:
        replace_members(cell, content)

    def contains(self, member: str) -> bool:
        row = self._database.ask(_CONTAINS, (encode(member), self._root, self._child, time.time()))
        if row is None or row[0] == "members":
            return row is not None and row[1] == 1
        return self._read(lambda cell: has_member(cell, member))

    def get_all(self) -> set[str]:
        return self._read(get_members)

    def add(self, members: AbstractSet[str]) -> int:
        return self._write(lambda cell: add_members(cell, members))

    def remove(self, members: AbstractSet[str]) -> int:
        return self._write(lambda cell: remove_members(cell, members))

    def retain(self, members: AbstractSet[str]) -> None:
        self._write(lambda cell: remove_members(cell, get_members(cell) - members))

    def toggle(self, members: AbstractSet[str]) -> None:
        def change(cell: Cell) -> None:
            there = {member for member in members if has_member(cell, member)}
            remove_members(cell, there)
            add_members(cell, members - there)

        self._write(change)

    def pop_any(self) -> str | None:
        def change(cell: Cell) -> str | None:
            query = "SELECT name FROM members WHERE object = ? LIMIT 1"
            row = cell.db.execute(query, (cell.id,)).fetchone()
            if row is None:
                return None
            [member] = _read_names(cell, [row])
            remove_members(cell, [member])
            return cell.popped(member)

        return self._write(change)

    def replace(self, members: AbstractSet[str]) -> None:
        self._write(lambda cell: replace_members(cell, members))

    def combine(self, operation: SetOperation, others: Sequence[Key]) -> set[str]:
        def step(db: sqlite3.Connection) -> set[str]:
            now = time.time()
            cells = [find(db, key, now) for key in (self._key, *others)]
            for cell in cells:
                cell.require(MEMBERS)
            ids = {cell.id for cell in cells}
            parameters = {
                "first": cells[0].id,
                "ids": as_array(ids),
                "others": as_array(other.id for other in cells[1:]),
                "count": len(ids),
            }
            return set(_read_names(cells[0], db.execute(_COMBINE[operation], parameters).fetchall()))

        return self._database.read(step)

    def pages(self) -> Iterator[list[str]]:
        start, last = b"", None
        while True:
            last, page = self._read(_Page(start, last).read)
            yield page
            if len(page) < PAGE_SIZE:
                return
            start = encode(page[-1]) + b"\0"  # the next name there can be


class _Page(NamedTuple):
    """A page of an iteration: the names from ``start`` to ``last``."""

    start: bytes
    last: bytes | None

    def read(self, cell: Cell) -> tuple[bytes, list[str]]:
        """Return the last name, or the initial one at the first page, and the page."""
        last = self.last
        if last is None:
            query = "SELECT ifnull(max(name), x'') FROM members WHERE object = ?"
            last = cell.db.execute(query, (cell.id,)).fetchone()[0]
        found = cell.db.execute(
            "SELECT name FROM members WHERE object = ? AND name BETWEEN ? AND ? ORDER BY name LIMIT ?",
            (cell.id, self.start, last, PAGE_SIZE),
        )
        return last, _read_names(cell, found.fetchall())


def get_members(cell: Cell) -> set[str]:
    """Return every member."""
    query = "SELECT name FROM members WHERE object = ?"
    members = set(_read_names(cell, cell.db.execute(query, (cell.id,)).fetchall()))
    if len(members) != cell.size:
        raise cell.damaged()
    return members


def replace_members(cell: Cell, members: AbstractSet[str]) -> None:
    """Replace all members."""
    cell.clear()
    add_members(cell, members)


def add_members(cell: Cell, members: AbstractSet[str]) -> int:
    """Add members, and return how many were absent."""
    if not members:
        return 0
    cell.make(MEMBERS)
    rows = [(cell.id, encode(member)) for member in members]
    insert = "INSERT INTO members (object, name) VALUES (?, ?) ON CONFLICT DO NOTHING"
    added = change_all(cell.db, insert, rows)
    cell.size += added
    return added


def remove_members(cell: Cell, members: Iterable[str]) -> int:
    """Delete members, and return how many existed."""
    rows = [(cell.id, encode(member)) for member in members]
    deleted = change_all(cell.db, "DELETE FROM members WHERE object = ? AND name = ?", rows)
    cell.size -= deleted
    return deleted


def has_member(cell: Cell, member: str) -> bool:
    """Return whether a text is a member."""
    query = "SELECT 1 FROM members WHERE object = ? AND name = ?"
    return cell.db.execute(query, (cell.id, encode(member))).fetchone() is not None


def _read_names(cell: Cell, rows: Sequence[tuple[bytes]]) -> list[str]:
    if not {type(name) for (name,) in rows} <= {bytes}:
        raise cell.damaged()
    return [decode(name) for (name,) in rows]


HANDLE: Final = SQLiteMembers
"""This module's entry in ``shapes``."""

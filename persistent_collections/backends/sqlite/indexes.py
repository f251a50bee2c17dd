"""The entries of indexes, which change in the transaction of their record and are deleted with it.

An entry is a row: the class and the name of the index, the entry key, and the root of the record. The row of the record
notes all its entries. One more row, at the end of an index, says whether it is whole or being written.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final

import msgspec

from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.changes import HeldBy, SetEntries
from persistent_collections.backends.indexes import (
    FIRST,
    LAST,
    EntryKey,
    Hit,
    Indexing,
    IndexStore,
    IndexUnbuiltError,
    Page,
    Place,
    not_unique,
)
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite.database import Database, Parameters
from persistent_collections.backends.sqlite.names import decode, encode
from persistent_collections.backends.sqlite.objects import ALIVE, change_all, entries_of
from persistent_collections.errors import CorruptDataError

_WHOLE: Final = b"whole"
_WRITTEN: Final = b"being written"
"""The value in place of a root; both differ from roots since they have no colon."""

_END: Final = LAST
"""The value in place of an entry key, greater than all entry keys."""

_HELD: Final = frozenset({bytes, type(None)})
"""The types of what a record has in a field."""

_LIVE: Final = f"CROSS JOIN objects ON objects.root = entries.root AND child = x'' AND {ALIVE}"
_RANGE: Final = "name = ? AND value >= ? AND value < ?"
_HOLDERS: Final = f"SELECT entries.root FROM entries {_LIVE} WHERE {_RANGE} LIMIT 2"
_CLAIMED: Final = f"SELECT entries.root FROM entries {_LIVE} WHERE name = ? AND value = ? AND entries.root <> ? LIMIT 1"
"""The record that has a value, if it is not the one that claims it."""

_IS_WHOLE: Final = f"EXISTS (SELECT 1 FROM entries WHERE name = ? AND value = x'ff' AND root = x'{_WHOLE.hex()}')"
_COUNT: Final = (
    f"SELECT {_IS_WHOLE}, CASE WHEN EXISTS (SELECT 1 FROM objects INDEXED BY objects_by_deadline "
    "WHERE deadline <= ? AND root > ? AND root < ?) "
    f"THEN (SELECT count(*) FROM entries {_LIVE} WHERE {_RANGE}) "
    f"ELSE (SELECT count(*) FROM entries WHERE {_RANGE}) END"
)
"""Whether an index is whole, and how many records are in a range. They are looked at only if one has expired."""

_BEHIND: Final = (
    "(value, entries.root) > (?, ?) AND value < ? ORDER BY value, entries.root",
    "(value, entries.root) < (?, ?) AND value >= ? ORDER BY value DESC, entries.root DESC",
)
"""Forwards and backwards. No root is empty, so that a bound without one is below all entries of its key."""

_FIELD: Final = ", (SELECT data FROM fields WHERE object = id AND name = ?)"
_NOTED: Final = f"(SELECT ifnull(indexed, x'80') FROM objects WHERE root = ? AND child = x'' AND {ALIVE})"
"""The note in a record's row about its entries, ``80`` for none; NULL if the record does not exist."""

_FORGET_ALL: Final = (
    "UPDATE objects SET indexed = NULL WHERE child = x'' AND root > ? AND root < ? AND indexed IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM entries WHERE name > ? AND name < ?)"
)
"""The notes in the rows of records about entries, after all were deleted."""

_DISCARD: Final = "DELETE FROM entries WHERE name = ? AND value = ? AND root = ?"


class SQLiteIndexes(IndexStore):
    """The indexes of a class. Cost: one transaction; O(log n) per entry."""

    def __init__(self, database: Database, indexing: Indexing) -> None:
        self._database = database
        self._prefix = encode(indexing.prefix)

    def find(
        self,
        index: str,
        low: bytes,
        high: bytes,
        limit: int,
        *,
        after: Place | None = None,
        backwards: bool = False,
        fields: Sequence[str] = (),
    ) -> Page | None:
        name, names = self._name(index), [encode(field) for field in fields]
        begin, end, further = (high, low, min) if backwards else (low, high, max)
        start = begin, b""
        if after is not None:
            start = further(start, (after.key, self._prefix + encode(after.id)))
        statement = _page(len(names), backwards=backwards)
        parameters = (*names, time.time(), name, *start, end, limit + 1)

        def step(db: sqlite3.Connection) -> list[tuple[Any, ...]] | None:
            return db.execute(statement, parameters).fetchall() if _is_whole(db, name) else None

        rows = self._database.read(step)
        if rows is None:
            return None
        hits = list(map(self._hit, rows[:limit]))
        return Page(hits, hits[-1].place if len(rows) > limit else None)

    def count(self, index: str, low: bytes, high: bytes) -> int | None:
        name, now = self._name(index), time.time()
        expired = now, self._prefix, self._prefix + LAST
        row = self._database.ask(_COUNT, (name, *expired, now, name, low, high, name, low, high))
        is_whole, number = row
        return int(number) if is_whole else None

    def states(self) -> Mapping[str, bool]:
        def step(db: sqlite3.Connection) -> dict[str, bool]:
            states: dict[str, bool] = {}
            name = self._prefix
            while name is not None:
                (name,) = db.execute(
                    "SELECT min(name) FROM entries WHERE name > ? AND name < ?", (name, self._prefix + LAST)
                ).fetchone()
                if name is not None:
                    with suppress(UnicodeDecodeError):  # damaged, and so the name of no index
                        states[decode(name.removeprefix(self._prefix))] = _is_whole(db, name)
            return states

        return self._database.read(step)

    def mark(self, names: Sequence[str], *, whole: bool, only_new: bool = False) -> None:
        def step(db: sqlite3.Connection) -> None:
            for name in map(self._name, names):
                if only_new and db.execute("SELECT 1 FROM entries WHERE name = ? LIMIT 1", (name,)).fetchone():
                    continue
                db.execute("DELETE FROM entries WHERE name = ? AND value = ?", (name, _END))
                db.execute("INSERT INTO entries VALUES (?, ?, ?)", (name, _END, _WHOLE if whole else _WRITTEN))

        self._database.write(step)

    def drop(self, names: Sequence[str]) -> None:
        rows = [(self._name(name),) for name in names]

        def step(db: sqlite3.Connection) -> None:
            change_all(db, "DELETE FROM entries WHERE name = ?", rows)
            db.execute(_FORGET_ALL, (self._prefix, self._prefix + LAST) * 2)

        self._database.write(step)

    def discard(self, index: str, place: Place) -> bool:
        name, root = self._name(index), self._prefix + encode(place.id)

        def step(db: sqlite3.Connection) -> bool:
            (indexed,) = db.execute(f"SELECT {_NOTED}", (root, time.time())).fetchone()
            if indexed is not None and entries_of(db, root, indexed).get(name) == place.key:
                return False
            return db.execute(_DISCARD, (name, place.key, root)).rowcount > 0

        return self._database.write(step)

    def entries(self, index: str) -> Iterator[Place]:
        query = (
            "SELECT value, root FROM entries WHERE name = ? AND (value, root) > (?, ?) AND value < ? "
            "ORDER BY value, root LIMIT ?"
        )
        name, start = self._name(index), (FIRST, b"")
        while True:
            page = self._database.read(partial(_select, query, (name, *start, _END, PAGE_SIZE)))
            yield from (self._place(key, root) for key, root in page)
            if len(page) < PAGE_SIZE:
                return
            start = page[-1]

    def _name(self, index: str) -> bytes:
        return self._prefix + encode(index)

    def _hit(self, row: tuple[Any, ...]) -> Hit:
        key, root, *data = row
        if not _HELD.issuperset(map(type, data)):
            raise CorruptDataError("a record has a field that this package did not write; go back to a backup")
        return Hit(self._place(key, root), data)

    def _place(self, key: bytes, root: bytes) -> Place:
        try:
            return Place(key, decode(root.removeprefix(self._prefix)))
        except (AttributeError, TypeError, UnicodeDecodeError):
            raise CorruptDataError(
                f"an index of {decode(self._prefix)[:-1]} has an entry that this package did not write; go back to a "
                "backup, or build it anew: reindex()"
            ) from None


def is_held(db: sqlite3.Connection, condition: HeldBy, now: float) -> bool:
    """Return whether a condition holds.

    Raises:
        IndexUnbuiltError: The index is not whole.
    """
    name = _name_of(condition.indexing.type_name, condition.index)
    if not _is_whole(db, name):
        raise IndexUnbuiltError(condition.indexing, [condition.index])
    rows = db.execute(_HOLDERS, (now, name, condition.entry, condition.entry + LAST)).fetchall()
    return [root for (root,) in rows] == ([encode(condition.holder.root)] if condition.holder else [])


def set_entries(db: sqlite3.Connection, steps: Sequence[SetEntries], made: Collection[Key], now: float) -> None:
    """Store the new entries of records, at the end of a transaction.

    Args:
        db: The connection.
        steps: The steps to run.
        made: The keys that the transaction made.
        now: The time.

    Raises:
        IndexUnbuiltError: An index is not whole.
        NotUnique: Another record has a claimed value.
    """
    new = [_New(step, step.when_made if step.key in made else step.entries) for step in steps]
    if len(new) == 1:
        new[0].put(db, now, new[0].claims)
        return
    kept = [each for each in new if each.put(db, now, [])]
    for each in kept:
        each.require_unique(db, now)


def note_of(step: SetEntries, entries: Mapping[str, EntryKey]) -> bytes:
    """Return the note in the row of a record that has these entries only."""
    names = {_name_of(step.indexing.type_name, index): entry.key for index, entry in entries.items()}
    return msgspec.msgpack.encode(names)


class _New:
    """The new entries of one record.

    Args:
        step: The step of the record.
        entries: The entries, by index.
    """

    def __init__(self, step: SetEntries, entries: Mapping[str, EntryKey]) -> None:
        self.step = step
        self.root = encode(step.key.root)
        self.entries = entries
        self.claims = [index for index, entry in entries.items() if entry.claims]
        self.names = {index: _name_of(step.indexing.type_name, index) for index in entries}

    def put(self, db: sqlite3.Connection, now: float, claims: Sequence[str]) -> bool:
        """Replace the record's entries in the same indexes, and return whether the record exists.

        Args:
            db: The connection.
            now: The time.
            claims: The indexes in which to require a value of its own, if it exists. If no other record changes in
                this transaction, :meth:`require_unique` would take more statements.
        """
        asked = [value for index in claims for value in self._asked(index, now)]
        query = _told(len(self.names), len(claims))
        indexed, *told = db.execute(query, (self.root, now, *self.names.values(), *asked)).fetchone()
        whole, others = told[: len(self.names)], told[len(self.names) :]
        if not (self.step.anyway or all(whole)):
            missing = [index for index, is_whole in zip(self.names, whole, strict=True) if not is_whole]
            raise IndexUnbuiltError(self.step.indexing, missing)
        if indexed is None:
            return False
        for index, other in zip(claims, others, strict=True):
            self._require_none(index, other)
        self._replace(db, indexed)
        return True

    def _asked(self, index: str, now: float) -> Parameters:
        """Return the parameters of ``_CLAIMED``."""
        return now, self.names[index], self.entries[index].key, self.root

    def _replace(self, db: sqlite3.Connection, indexed: Any) -> None:
        new = {self.names[index]: entry.key for index, entry in self.entries.items()}
        if indexed != msgspec.msgpack.encode(new):  # of a record that is made, they are equal
            noted = entries_of(db, self.root, indexed)
            gone = [(name, noted[name], self.root) for name, key in new.items() if noted.get(name, key) != key]
            change_all(db, _DISCARD, gone)
            if (now_noted := {**noted, **new}) != noted:
                row = (msgspec.msgpack.encode(now_noted), self.root)
                db.execute("UPDATE objects SET indexed = ? WHERE root = ? AND child = x''", row)
        added = [(name, key, self.root) for name, key in new.items()]
        change_all(db, "INSERT INTO entries (name, value, root) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", added)

    def require_unique(self, db: sqlite3.Connection, now: float) -> None:
        for index in self.claims:
            row = db.execute(_CLAIMED, self._asked(index, now)).fetchone()
            self._require_none(index, row and row[0])

    def _require_none(self, index: str, other: bytes | None) -> None:
        """Raise ``NotUnique`` if another record has the value that this one claims."""
        if other is not None:
            raise not_unique(self.step.key, self.step.indexing.index(index), Key(decode(other)))


@lru_cache(64)
def _told(names: int, claims: int) -> str:
    """Return the query for the note of a record, whether some indexes are whole, and who has some values."""
    return f"SELECT {_NOTED}{f', {_IS_WHOLE}' * names}{f', ({_CLAIMED})' * claims}"


def _is_whole(db: sqlite3.Connection, name: bytes) -> bool:
    return bool(db.execute(f"SELECT {_IS_WHOLE}", (name,)).fetchone()[0])


def _select(query: str, parameters: Parameters, db: sqlite3.Connection) -> list[Any]:
    return db.execute(query, parameters).fetchall()


@lru_cache(64)
def _page(fields: int, *, backwards: bool) -> str:
    """Return the query for a page of entries, with the data of some fields of each record."""
    columns = f"value, entries.root{_FIELD * fields}"
    return f"SELECT {columns} FROM entries {_LIVE} WHERE name = ? AND {_BEHIND[backwards]} LIMIT ?"


@lru_cache(1024)
def _name_of(type_name: str, index: str) -> bytes:
    return encode(f"{type_name}:{index}")

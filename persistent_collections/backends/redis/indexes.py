"""The indexes of classes on one server, where entries change in the same step as their records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.changes import Change, Condition, Delete, HeldBy, SetEntries
from persistent_collections.backends.indexes import (
    Hit,
    Indexing,
    IndexStore,
    IndexUnbuiltError,
    Page,
    Place,
    not_unique,
)
from persistent_collections.backends.redis.entries import Saving, Sweeps, as_saving, quoted, read, spelt, unquoted
from persistent_collections.backends.redis.executor import Server
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.names import encode
from persistent_collections.backends.redis.scripts import (
    COMMIT_ENTRIES,
    INDEX_DISCARD,
    INDEX_FIND,
    INDEX_STATE,
    SAVE,
    Script,
)
from persistent_collections.backends.redis.tokens import Once
from persistent_collections.backends.shapes import MAPPING
from persistent_collections.errors import PersistentCollectionsError

Commit: TypeAlias = Callable[..., Any]

_COUNTED: Final = 4000


class RedisIndex(IndexStore):
    """The indexes of one class.

    Args:
        server: Executes the commands.
        indexing: The names of the class and its indexes.
    """

    def __init__(self, server: Server, indexing: Indexing) -> None:
        self._server = server
        self._type_name = indexing.type_name
        self._subject = Subject(indexing.prefix, is_listing=True)
        self._memo = server.names.memo(indexing.type_name)
        self._spelt: dict[str, tuple[str, bytes]] = {}

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
        """Return a page of entries, as declared. Cost: one round trip."""
        least, most = bounds(low, high, after, backwards=backwards)
        reply = self.look(INDEX_FIND, index, least, most, limit, "", *map(encode, fields), backwards=backwards)
        if reply is None:
            return None
        last, *found = reply
        if fields:
            hits = [Hit(read(entry), data) for entry, data in zip(found[::2], found[1::2], strict=True)]
        else:
            hits = [Hit(read(entry)) for entry in found]
        return Page(hits, read(last) if last else None)

    def count(self, index: str, low: bytes, high: bytes) -> int | None:
        """Return how many records :meth:`find` would find. Cost: one round trip per 4,000 entries."""
        total = 0
        least, most = bounds(low, high, None, backwards=False)
        while True:
            reply = self.look(INDEX_FIND, index, least, most, _COUNTED, "count")
            if reply is None:
                return None
            last, count = reply
            total += int(count)
            if not last:
                return total
            least = b"(" + last

    def states(self) -> Mapping[str, bool]:
        return self._note("read", (), only_new=False)

    def mark(self, names: Sequence[str], *, whole: bool, only_new: bool = False) -> None:
        self._note("whole" if whole else "partial", names, only_new=only_new)

    def drop(self, names: Sequence[str]) -> None:
        self._note("drop", names, only_new=False)

    def discard(self, index: str, place: Place) -> bool:
        keys = [self._memo, self._name(index)]
        return bool(self._server.run(self._subject, INDEX_DISCARD, keys, [quoted(index), spelt(place)]))

    def entries(self, index: str) -> Iterator[Place]:
        least = b"("
        while True:
            command = ("ZRANGEBYLEX", self._name(index), least, "+", "LIMIT", 0, PAGE_SIZE)
            page: list[bytes] = self._server.ask(self._subject, command, repeatable=True)
            yield from map(self.place_of, page)
            if len(page) < PAGE_SIZE:
                return
            least = b"(" + page[-1]

    def look(
        self,
        script: Script,
        index: str,
        least: bytes,
        most: bytes,
        limit: int,
        *rest: bytes | str,
        backwards: bool = False,
    ) -> Any:
        """Return the reply of a script that reads entries, which is safe to repeat."""
        name, key = self._names(index)
        ends, command = ((most, least), "ZREVRANGEBYLEX") if backwards else ((least, most), "ZRANGEBYLEX")
        return self._server.run(
            self._subject, script, (self._memo, key), (name, *ends, limit + 1, command, *rest), repeatable=True
        )

    def place_of(self, entry: bytes) -> Place:
        """Return the place of an entry."""
        return read(entry)

    def _note(self, what: str, names: Sequence[str], *, only_new: bool) -> dict[str, bool]:
        """Change the marks of indexes; return for each whether it is whole."""
        keys = [self._memo, *map(self._name, names)]
        arguments: list[bytes | str | int] = [what, int(only_new), *map(quoted, names)]
        told = self._server.run(self._subject, INDEX_STATE, keys, arguments, repeatable=True)
        return {unquoted(name): is_whole == 1 for name, is_whole in zip(told[::2], told[1::2], strict=True)}

    def _name(self, index: str) -> bytes:
        return self._names(index)[1]

    def _names(self, index: str) -> tuple[str, bytes]:
        """Return the quoted name of an index, and the name of its key."""
        try:
            return self._spelt[index]
        except KeyError:
            name = quoted(index)
            return self._spelt.setdefault(index, (name, self._server.names.index(self._type_name, name)))


def bounds(low: bytes, high: bytes, after: Place | None, *, backwards: bool, more: bytes = b"") -> tuple[bytes, bytes]:
    """Return the least and the greatest entry in the form of ``ZRANGEBYLEX``, without the empty one.

    ``more`` is a bound of all that an entry has behind its place.
    """
    least, most = b"[" + low if low else b"(", b"(" + high
    if after is None:
        return least, most
    here = spelt(after)
    if backwards:
        return least, b"(" + min(here, high)
    return (b"(" + here + more if here >= low else least), most


class Entering:
    """Makes steps with entries.

    Args:
        server: Executes the commands.
        commit: Runs a script that makes changes if conditions hold, and returns its reply.
    """

    def __init__(self, server: Server, commit: Commit) -> None:
        self._server = server
        self._commit = commit
        self._sweeps = Sweeps()
        self._indexes: dict[str, RedisIndex] = {}

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change], once: Once | None = None) -> bool:
        """Make changes like ``Backend.commit``, or like ``commit_once``. Cost: one round trip."""
        saving = None if once else as_saving(conditions, changes, self._sweeps)
        reply = self._save(saving) if saving else self._commit(COMMIT_ENTRIES, conditions, changes, once=once)
        if isinstance(reply, list):
            parts = {self._server.names.spell(part.key): part for part in (*conditions, *changes) if indexing_of(part)}
            raise refused(reply, parts)
        return bool(reply)

    def index(self, indexing: Indexing) -> IndexStore:
        """Return the indexes of a class."""
        known = self._indexes.get(indexing.type_name)
        return known or self._indexes.setdefault(indexing.type_name, RedisIndex(self._server, indexing))

    def _save(self, saving: Saving) -> Any:
        names = [self._server.names.spell(key) for key in saving.keys]
        reply = self._server.run(Subject(str(saving.keys[0]), MAPPING), SAVE, names, saving.arguments)
        if saving.swept:
            self._sweeps.note(saving.type_name, reply)
        return reply


INDEXING: Final = frozenset({Delete, HeldBy, SetEntries})
"""The types of conditions and changes that may work on indexes."""


def indexing_of(part: Condition | Change) -> Indexing | None:
    """Return the indexes that a condition or change uses, None if it uses none."""
    return getattr(part, "indexing", None)


def refused(reply: Sequence[bytes], parts: Mapping[bytes, Condition | Change]) -> PersistentCollectionsError:
    """Return the error for a script's reply that refuses entries, with nothing done.

    Args:
        reply: The result of ``refusal`` in ``entering.lua``.
        parts: The conditions and changes about entries, by the name of the record.
    """
    reason, name, *told = reply
    part = parts[name]
    indexing: Any = indexing_of(part)
    names = [unquoted(each) for each in told[: 1 if reason == b"taken" else None]]
    if reason == b"unbuilt":
        return IndexUnbuiltError(indexing, sorted(names))
    return not_unique(part.key, indexing.index(names[0]), indexing.record(told[1].decode()))

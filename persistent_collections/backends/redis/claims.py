"""The indexes of classes on a cluster, where an index and its records are in different slots.

A write first claims its entries in the slot of the class. Then it writes the record if the claim is still valid. If
another id has an entry under a unique key, the write takes it only if two things hold: the record of that id does not
have the value, and no earlier claim can give it the value any more. So no two records get one value, whichever process
stalls, dies or is late, and no record lacks an entry. An entry may have a value that its record no longer has, so a
reader who finds the entry reads the record too.

``tests/backends/claim_model.py`` explores the protocol. If you change a step, change the model first.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import random
from typing import Any, ClassVar, Final, NamedTuple

from persistent_collections import flows
from persistent_collections.backends.base import PAGE_SIZE, Examined, Wanted
from persistent_collections.backends.changes import Change, Condition, Exists, Make, SetEntries
from persistent_collections.backends.indexes import (
    EntryKey,
    Hit,
    Index,
    Indexing,
    IndexStore,
    IndexUnbuiltError,
    Page,
    Place,
    not_unique,
)
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis.cluster import Cluster
from persistent_collections.backends.redis.entries import Claim, id_in, quoted, read, spelt, unquoted
from persistent_collections.backends.redis.executor import Call
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.indexes import RedisIndex, bounds, indexing_of
from persistent_collections.backends.redis.names import encode
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import CLAIM, COMMIT, COMMIT_CLAIMED, FORBID, INDEX_PAGE
from persistent_collections.backends.redis.snapshots import examine
from persistent_collections.backends.shapes import MAPPING
from persistent_collections.errors import (
    BackendError,
    BackendUnavailable,
    DecodeError,
    NotUnique,
    WrongShapeError,
)

WINDOW_US: Final = 60_000_000
"""How long a claim lives, by the clock of the record's node."""

MARGIN_US: Final = 540_000_000
"""How far that clock may go back."""

_SWEPT: Final = 4
"""How many old entries a write checks for each entry that it adds: at most about a quarter of all entries are old."""

PATIENCE_S: Final = 30.0
_YOUNG_US: Final = 1_000_000
_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.2
_FIRST: Final = 2
"""The number of the first index among the keys of ``claim.lua``."""

_STAMP: Final = 8
"""Bytes at the end of an entry; the last seven are the stamp."""


class Stamped(NamedTuple):
    """An entry that a write found.

    Attributes:
        of: Its index.
        place: Its bytes without the stamp.
        stamp: The stamp.
        data: The bytes of the index's fields in its record, as they were read; None if they were not read, or if the
            record does not exist.
    """

    of: Index
    place: bytes
    stamp: int
    data: Sequence[bytes | None] | None = None


class Claims:
    """Makes steps with entries, each of one record.

    Args:
        server: Executes the commands.
        url: The URL of the store, for messages.
        commit: Makes changes if conditions hold and returns the reply of the script.
    """

    def __init__(self, server: Cluster, url: str, commit: Callable[..., Any]) -> None:
        self._server = server
        self._names = server.names
        self._url = url
        self._commit = commit
        self._old: defaultdict[str, deque[Stamped]] = defaultdict(lambda: deque(maxlen=100))
        self._gone: defaultdict[str, deque[Stamped]] = defaultdict(lambda: deque(maxlen=100))

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        """Make changes like ``Backend.commit``. Cost: two round trips, one if no entries are set.

        If another record has claimed the value, it costs two or three more; if another record has the value, one more.
        """
        self._check(conditions, changes)
        entries = [change for change in changes if isinstance(change, SetEntries)]
        rest = [change for change in changes if not isinstance(change, SetEntries)]
        claimed = _claimed(entries, conditions, changes)
        if not claimed:
            return bool(self._commit(COMMIT, conditions, rest))
        claiming = _Claiming(entries[0].key, entries[0].indexing, claimed, entries[0].anyway)
        try:
            return self._write(claiming, conditions, rest)
        except NotUnique:
            if self._is_refused(conditions, claiming.key):
                return False
            raise

    def index(self, indexing: Indexing) -> IndexStore:
        """Return the indexes of a class."""
        remember = self._old[indexing.type_name].append
        return ClusterIndex(self._server, indexing, remember, partial(self._discard, indexing))

    def _discard(self, indexing: Indexing, old: Stamped) -> bool:
        """Delete an entry that its record does not have, and return whether that was done."""
        claiming = _Claiming(indexing.record(read(old.place).id), indexing, {}, anyway=True)
        try:
            taken = [self._forbid(claiming, old)]
        except NotUnique:
            return False
        self._server.run(claiming.subject, CLAIM, *self._claim_command(claiming, 0, taken), repeatable=True)
        return True

    def _is_refused(self, conditions: Sequence[Condition], key: Key) -> bool:
        """Return whether conditions do not hold; conditions that the record does not exist are not checked."""
        asked = [condition for condition in conditions if condition != Exists(key, expected=False)]
        return bool(asked) and not self._commit(COMMIT, asked, [])

    def _check(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> None:
        """Raise if a cluster cannot make this step.

        Raises:
            BackendError: It cannot.
        """
        roots = list(dict.fromkeys(part.key.root for part in (*conditions, *changes)))
        if len(roots) > 1 or any(map(indexing_of, conditions)):
            raise BackendError(
                f"{', '.join(map(repr, roots))}: the cluster at {self._url} changes the indexes of one record in a "
                "step, and has no conditions on them; nothing was done; change each record by itself"
            )

    def _write(self, claiming: _Claiming, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        floor, pause_s, taken = 0, _FIRST_PAUSE_S, list[Stamped]()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            state, told, *found = self._claim(claiming, floor, taken)
            if state == b"unbuilt":
                raise IndexUnbuiltError(claiming.indexing, sorted(map(unquoted, [told, *found])))
            met = list(map(claiming.met, found[::2], found[1::2]))
            if state == b"contested":
                if any(int(told) - each.stamp < _YOUNG_US for each in met):  # or two competitors would never end
                    flows.sleep(random() * pause_s)  # noqa: S311 - spreads load, not a secret
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                taken = [self._forbid(claiming, each) for each in met]
                continue
            self._old[claiming.indexing.type_name].extend(met)
            claim = Claim(claiming.key, int(told), WINDOW_US)
            reply = self._commit(COMMIT_CLAIMED, conditions, changes, claim)
            if not isinstance(reply, list):
                return bool(reply)
            floor, taken = int(reply[0]), []
        raise BackendUnavailable(
            f"{str(claiming.key)!r}: others claimed the same values for {PATIENCE_S:.0f} s; nothing was done; "
            "try again later"
        )

    def _claim(self, claiming: _Claiming, floor: int, taken: Sequence[Stamped]) -> list[Any]:
        """Return the reply of ``claim.lua``, which also checks whether old entries may be deleted."""
        type_name = claiming.indexing.type_name
        old, gone = self._old[type_name], self._gone[type_name]
        keys, arguments = self._claim_command(claiming, floor, [*taken, *_some(gone, claiming.swept)])
        asked = _some(old, claiming.swept)
        if asked:
            asking = ((FORBID, self._aged(claiming, each)) for each in asked)
            with suppress(BackendError):
                reply, *answers = self._server.run_all([(CLAIM, Call(claiming.subject, keys, arguments)), *asking])
                for each, (state, *data) in zip(asked, answers, strict=True):
                    if state == b"gone":
                        gone.append(each)
                    elif state == b"there" and not _holds(claiming.indexing, each, data[0]):
                        old.append(each._replace(data=data[0]))
                return list(reply)
        return list(self._server.run(claiming.subject, CLAIM, keys, arguments, repeatable=True))

    def _claim_command(self, claiming: _Claiming, floor: int, taken: Sequence[Stamped]) -> tuple[list[bytes], Command]:
        """Return the keys and arguments of ``claim.lua``."""
        type_name, names = claiming.indexing.type_name, [quoted(index.name) for index in claiming.indexing.indexes]
        keys = [self._names.memo(type_name), *(self._names.index(type_name, name) for name in names)]
        tail = spelt(Place(b"", id_in(claiming.key, claiming.indexing).decode()))
        dead = WINDOW_US + MARGIN_US
        arguments: list[bytes | str | int] = [
            tail,
            floor,
            int(claiming.anyway),
            dead,
            claiming.swept,
            len(claiming.new),
        ]
        for (name, key), claims in claiming.new.items():
            number = claiming.number(name)
            arguments += (number, names[number - _FIRST], int(claims), key)
        for each in taken:
            arguments += (claiming.number(each.of.name), each.place, each.stamp)
        return keys, arguments

    def _forbid(self, claiming: _Claiming, rival: Stamped) -> Stamped:
        """Return ``rival`` once its claims are dead and its record does not have the value.

        Raises:
            NotUnique: The record has the value.
            BackendUnavailable: The record keeps changing.
        """
        other = claiming.indexing.record(read(rival.place).id)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            keys, arguments = self._forbid_command(other, rival, aged_only=False)
            state, *data = self._server.run(Subject(str(other), MAPPING), FORBID, keys, arguments, repeatable=True)
            if state == b"gone":
                return rival
            if _holds(claiming.indexing, rival, data[0]):
                raise not_unique(claiming.key, rival.of, other)
            rival = rival._replace(data=data[0])
        raise BackendUnavailable(
            f"{str(other)!r} kept changing; {str(claiming.key)!r} was not written; try again later"
        )

    def _aged(self, claiming: _Claiming, old: Stamped) -> Call:
        other = claiming.indexing.record(read(old.place).id)
        return Call(Subject(str(other), MAPPING), *self._forbid_command(other, old, aged_only=True))

    def _forbid_command(
        self, other: Key, rival: Stamped, *, aged_only: bool
    ) -> tuple[list[bytes], list[bytes | str | int]]:
        """Return the keys and arguments of ``forbid.lua``."""
        fields = list(map(encode, rival.of.fields))
        arguments: list[bytes | str | int] = [rival.stamp, WINDOW_US + MARGIN_US, int(aged_only), len(fields), *fields]
        for data in rival.data or ():
            arguments += (int(data is not None), data or b"")
        return [self._names.spell(other), self._names.fence(other)], arguments


class _Claiming(NamedTuple):
    """The claims of one write.

    Attributes:
        key: The record's.
        indexing: The indexes of its class.
        new: Whether each entry is claimed, by the name of its index and its key.
        anyway: As for ``SetEntries``.
    """

    key: Key
    indexing: Indexing
    new: Mapping[tuple[str, bytes], bool]
    anyway: bool

    @property
    def swept(self) -> int:
        """The number of old entries to check."""
        return _SWEPT * max(1, len(self.new))

    @property
    def subject(self) -> Subject:
        """The subject of the commands."""
        return Subject(str(self.key), MAPPING)

    def number(self, name: str) -> int:
        """Return the number of an index among the keys of ``claim.lua``."""
        return _FIRST + [index.name for index in self.indexing.indexes].index(name)

    def met(self, number: bytes, entry: bytes) -> Stamped:
        """Return an entry from a reply of ``claim.lua``."""
        return stamped(self.indexing.indexes[int(number) - _FIRST], entry)


def _claimed(
    entries: Sequence[SetEntries], conditions: Sequence[Condition], changes: Sequence[Change]
) -> dict[tuple[str, bytes], bool]:
    """Return the entries that the record may get, by index and entry key, and whether each is claimed."""
    makes = any(isinstance(change, Make) for change in changes)
    claimed: dict[tuple[str, bytes], bool] = {}
    for change in entries:
        for given in _given(change, conditions, makes=makes):
            for name, entry in given.items():
                claimed[name, entry.key] = claimed.get((name, entry.key), False) or entry.claims
    return claimed


def _given(change: SetEntries, conditions: Sequence[Condition], *, makes: bool) -> list[Mapping[str, EntryKey]]:
    """Return the entries that a record may get, even if its creation is uncertain: an extra entry does no harm."""
    if not makes or Exists(change.key) in conditions:
        return [change.entries]
    if Exists(change.key, expected=False) in conditions:
        return [change.when_made]
    return [change.entries, change.when_made]


def _holds(indexing: Indexing, met: Stamped, data: Sequence[bytes | None]) -> bool:
    """Return whether a record has an entry by the bytes of its fields."""
    with suppress(DecodeError):
        return indexing.key_of(met.of, data).key == read(met.place).key
    return False


def _some(waiting: deque[Stamped], number: int) -> list[Stamped]:
    """Take some of the waiting entries."""
    taken: list[Stamped] = []
    with suppress(IndexError):  # another thread may take the last
        while len(taken) < number:
            taken.append(waiting.popleft())
    return taken


def stamped(index: Index, entry: bytes) -> Stamped:
    """Return an entry from its bytes."""
    return Stamped(index, entry[:-_STAMP], int.from_bytes(entry[1 - _STAMP :], "big"))


class ClusterIndex(RedisIndex):
    """The indexes of one class on a cluster.

    Args:
        server: As for ``RedisIndex``.
        indexing: As for ``RedisIndex``.
        remember: Notes an entry that its record no longer has.
        discard: Deletes an entry that its record does not have.
    """

    exact: ClassVar[bool] = False

    def __init__(
        self,
        server: Cluster,
        indexing: Indexing,
        remember: Callable[[Stamped], None],
        discard: Callable[[Stamped], bool],
    ) -> None:
        super().__init__(server, indexing)
        self._indexing = indexing
        self._remember = remember
        self._discard = discard

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
        """Return a page of entries, as declared. Cost: two round trips; the second is to all nodes at once."""
        least, most = bounds(low, high, after, backwards=backwards, more=b"\xff")
        reply = self.look(INDEX_PAGE, index, least, most, limit, backwards=backwards)
        if reply is None:
            return None
        last, *entries = reply
        met = [stamped(self._indexing.index(index), entry) for entry in entries]
        return Page(list(self._hits(met, fields)), read(last[:-_STAMP]) if last else None)

    def count(self, index: str, low: bytes, high: bytes) -> int | None:
        """Return how many records :meth:`find` would find. Cost: two round trips per 1,000 entries."""
        total, after = 0, None
        while page := self.find(index, low, high, PAGE_SIZE, after=after):
            total += len(page.hits)
            after = page.last
            if after is None:
                return total
        return None

    def discard(self, index: str, place: Place) -> bool:
        least, most = b"[" + spelt(place), b"(" + spelt(place) + b"\xff"
        reply = self.look(INDEX_PAGE, index, least, most, 1)
        return bool(reply and reply[1:]) and self._discard(stamped(self._indexing.index(index), reply[1]))

    def _hits(self, met: Sequence[Stamped], fields: Sequence[str]) -> Iterator[Hit]:
        """Yield the entries that their records still have; note others, for deletion by a later write.

        An entry is noted if it may be deleted by the clock of this process; the node of its record decides that later.
        """
        dead_us = time.time() * 1_000_000 - WINDOW_US - MARGIN_US
        places = [read(each.place) for each in met]
        wanted = [
            Wanted(self._indexing.record(place.id), [*each.of.fields, *fields])
            for place, each in zip(places, met, strict=True)
        ]
        for each, place, examined in zip(met, places, self._examined(wanted), strict=True):
            count = len(each.of.fields)
            if examined and _holds(self._indexing, each, examined.data[:count]):
                yield Hit(place, examined.data[count:])
            elif each.stamp < dead_us:
                self._remember(each)

    def _examined(self, wanted: Sequence[Wanted]) -> list[Examined | None]:
        """Return parts of each of some records, None for one replaced by another program's data.

        An error doesn't identify its record, so each half is requested separately.
        """
        try:
            return examine(self._server, wanted)
        except WrongShapeError:
            middle = len(wanted) // 2
            return [*self._examined(wanted[:middle]), *self._examined(wanted[middle:])] if middle else [None]

    def place_of(self, entry: bytes) -> Place:
        return read(entry[:-_STAMP])

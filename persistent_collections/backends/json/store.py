"""An open store: its lock, reading without it, and changing under it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

import msgspec

from persistent_collections.backends.base import Entry, Key
from persistent_collections.backends.json.errors import corrupt
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.json.journal import Changes, Journal
from persistent_collections.backends.json.layout import STORE, Facts, Layout, Place
from persistent_collections.backends.json.listing import Listing
from persistent_collections.backends.json.reader import Reader
from persistent_collections.backends.json.text import parse_deadline, render, render_deadline
from persistent_collections.backends.simple import Step
from persistent_collections.errors import BackendUnavailable, PersistentCollectionsError

COLLECTIONS: Final = 20
"""How often a reader collects several files before it takes the lock to read them in peace."""

LONG_WAIT_S: Final = 1.0
"""How long a writer waits for its turn before that is worth a line in the log."""

SWEPT: Final = 3
"""How many keys with a deadline are looked at each time one is set, so that what has expired goes by and by."""

_LOG: Final = logging.getLogger(__name__)
_FACTS: Final = msgspec.json.Decoder(Facts)


class Stored(NamedTuple):
    """The bytes of the files of one key."""

    data: bytes | None
    deadline: bytes | None


class Collected(NamedTuple):
    """What the files of some keys held, each at a moment of its own, and the write that was pending before."""

    pending: Changes
    stored: tuple[Stored, ...]


class _Looked(NamedTuple):
    """One key under the lock: where its files lie, what is in them, and what that means."""

    place: Place
    stored: Stored
    entry: Entry | None


class _Held(Mapping[Key, Entry | None]):
    """What keys hold, each read once it is asked for; under the lock, so all at one moment.

    Args:
        keys: The keys.
        look: Reads one.
    """

    def __init__(self, keys: Sequence[Key], look: Callable[[Key], _Looked]) -> None:
        self._keys = set(keys)
        self.look = cache(look)

    def __getitem__(self, key: Key) -> Entry | None:
        if key not in self._keys:
            raise KeyError(key)
        return self.look(key).entry

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class Store:
    """The files of one directory, as one process sees them.

    Args:
        files: The file system.
        root: The directory.
        fsync: See :class:`~persistent_collections.backends.json.journal.Journal`.
        lock_timeout_s: How long a writer waits for its turn.
    """

    def __init__(self, files: Files, root: Path, *, fsync: bool, lock_timeout_s: float) -> None:
        self.reader = Reader(files, root)
        self.journal = Journal(files, self.reader, root, fsync=fsync)
        self._files = files
        self._root = root
        self._lock_timeout_s = lock_timeout_s
        self._facts = root / STORE / "facts.json"
        self._queue = Lock()
        self._layout: Layout | None = None
        self._timed: Iterator[Path] = iter(())

    @property
    def layout(self) -> Layout:
        """Where things lie; before the first write as if the file system told case apart."""
        if self._layout:
            return self._layout
        data = self.reader.read(self._facts)
        if data is None:
            return Layout(self._root, folds_case=False)
        try:
            facts = _FACTS.decode(data)
        except msgspec.DecodeError as error:
            raise corrupt(self._facts, " is not of a format this version knows") from error
        self._layout = Layout(self._root, folds_case=facts.folds_case)
        return self._layout

    def read(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return what ``keys`` hold, all at one moment, without the lock if that can be.

        Two collections that agree held at the same moment, between them. One alone does for a single key without a
        deadline while no write is pending: its data were there when read, and were alive, since an expired key's data
        go before its deadline does and the deadline is read first.
        """
        places = [self.layout.place(key) for key in keys]
        collected = self._collect(places)
        if not collected.pending and len(keys) == 1 and collected.stored[0].deadline is None:
            return self._entries(places, collected)
        for _ in range(COLLECTIONS):
            before, collected = collected, self._collect(places)
            if collected == before:
                return self._entries(places, collected)
        with self._locked():
            return self._entries(places, self._collect(places))

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        """Put what ``step`` gives in place of what ``keys`` hold, as one atomic step.

        Cost: only the files are read of which ``step`` asks.
        """
        if self._files.signature(self._root / STORE) is None:
            # A lock would have to make the store, which a step that changes nothing does not.
            entries = dict(zip(keys, self.read(keys), strict=True))
            if all(new is entries[key] for key, new in step(entries).items()):
                return
        with self._locked():
            held = _Held(keys, self._look)
            changed = step(held)
            changes = _changes(held, changed)
            self._write([self.layout.place(key) for key in changed], changes)
            if any(data and path.is_relative_to(self.layout.deadlines) for path, data in changes.items()):
                self._sweep()

    def _write(self, places: Sequence[Place], changes: Changes) -> None:
        if not changes:
            return
        for name in (name for place in places if changes.get(place.data) for name in place.long_names):
            if self._files.signature(name.path) is None:
                self.journal.write({name.path: name.text})
        self.journal.write(changes)
        with suppress(OSError):  # the write is made; a record without an owner does no harm
            for name in (name for place in places if place.data in changes for name in reversed(place.long_names)):
                if not any(map(self._files.signature, name.owners)):
                    self.journal.write({name.path: None})

    def _sweep(self) -> None:
        """Delete what has expired among the next few keys that have a deadline, round and round; with the lock held."""
        paths = list(islice(self._timed, SWEPT))
        if len(paths) < SWEPT:
            self._timed = self._find_timed()
        listing = Listing(self._files, self.reader, self.layout, {})
        for path in paths:
            with suppress(OSError, PersistentCollectionsError):  # the caller's write is made; others meet what is left
                data = self.reader.read(path)
                key = listing.key_of(self._root / path.relative_to(self.layout.deadlines))
                if data and key and parse_deadline(data, path) <= time.time():
                    place = self.layout.place(key)
                    self._write([place], {place.data: None, place.deadline: None})

    def _find_timed(self) -> Iterator[Path]:
        """Yield the files that hold deadlines, listing each directory once it is got to."""
        directories = [self.layout.deadlines]
        while directories:
            directory = directories.pop()
            for item in self._files.scan(directory):
                if item.is_directory:
                    directories.append(directory / item.name)
                else:
                    yield directory / item.name

    def _collect(self, places: Sequence[Place]) -> Collected:
        pending = self.journal.pending()

        def look(path: Path) -> bytes | None:
            return pending[path] if path in pending else self.reader.read(path)

        deadlines = [look(place.deadline) for place in places]
        stored = (Stored(look(place.data), deadline) for place, deadline in zip(places, deadlines, strict=True))
        return Collected(pending, tuple(stored))

    def _entries(self, places: Sequence[Place], collected: Collected) -> list[Entry | None]:
        return [self._entry(place, stored) for place, stored in zip(places, collected.stored, strict=True)]

    def _entry(self, place: Place, stored: Stored) -> Entry | None:
        content = None if stored.data is None else self.reader.content(place.data, stored.data)
        if not content:
            return None
        return Entry(content, None if stored.deadline is None else parse_deadline(stored.deadline, place.deadline))

    def _look(self, key: Key) -> _Looked:
        """Return what the files of ``key`` hold; call it with the lock held."""
        place = self.layout.place(key)
        stored = Stored(self.reader.read(place.data), self.reader.read(place.deadline))
        return _Looked(place, stored, self._entry(place, stored))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the store, which is made if need be, with no write left unfinished."""
        path = self._root / STORE / "lock"
        self.journal.make_directory(path.parent)
        with ExitStack() as held:
            try:
                self._take_turn(path, held)
            except TimeoutError as error:
                raise BackendUnavailable(
                    f"{path} was held by other writers for {self._lock_timeout_s} s, and nothing was done; "
                    "try again, or wait longer with the option lock_timeout_s"
                ) from error
            self.journal.recover()
            self._find_facts()
            yield

    def _take_turn(self, path: Path, held: ExitStack) -> None:
        """Queue with the threads of this process first: among processes one competes by polling, as luck has it."""
        begun_s = time.monotonic()
        give_up = begun_s + self._lock_timeout_s
        if not self._queue.acquire(timeout=self._lock_timeout_s):
            raise TimeoutError
        held.callback(self._queue.release)
        held.enter_context(self._files.lock(path, max(give_up - time.monotonic(), 0.0)))
        waited_s = time.monotonic() - begun_s
        if waited_s > LONG_WAIT_S:
            _LOG.warning("waited %.1f s for the writers before in %s", waited_s, self._root)

    def _find_facts(self) -> None:
        if self._files.signature(self._facts) is None:
            # Two names that are found but not both listed are one; their inodes tell nothing where FUSE makes them up.
            listed = {item.name for item in self._files.scan(self._root)}
            folds_case = self._files.signature(self._root / STORE.upper()) is not None and STORE.upper() not in listed
            facts = Facts(1, folds_case=folds_case)
            self.journal.write({self._facts: msgspec.json.encode(facts) + b"\n"})
            self._layout = None


def _changes(held: _Held, changed: Mapping[Key, Entry | None]) -> Changes:
    """Return the files to change, data before deadlines: see :meth:`Store.read`."""
    data: dict[Path, bytes | None] = {}
    deadlines: dict[Path, bytes | None] = {}
    for key, new in changed.items():
        place, was, old = held.look(key)
        if new is old:
            continue
        becomes = _stored(place, was, old, new)
        if becomes.data != was.data:
            data[place.data] = becomes.data
        if becomes.deadline != was.deadline:
            deadlines[place.deadline] = becomes.deadline
    return data | deadlines


def _stored(place: Place, was: Stored, old: Entry | None, new: Entry | None) -> Stored:
    if new is None:
        return Stored(None, None)
    data = was.data if old and new.content is old.content else render(new.content, place.data)
    return Stored(data, None if new.deadline is None else render_deadline(new.deadline))

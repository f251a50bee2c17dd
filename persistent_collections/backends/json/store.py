"""An open store: its lock, reading without it, and changing under it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from itertools import islice
from operator import attrgetter
from pathlib import Path
from threading import Lock, get_ident
from typing import Final, NamedTuple, TypeVar

import msgspec

from persistent_collections.backends.holding import Held, holding, take
from persistent_collections.backends.json.failures import corrupt
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.json.journal import Changes, Journal
from persistent_collections.backends.json.layout import STORE, Facts, KeyFiles, Layout
from persistent_collections.backends.json.listing import Listing
from persistent_collections.backends.json.reader import Reader, Text
from persistent_collections.backends.json.text import Parsed, parse_deadline, parses_as, render, render_deadline
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.simple import Step
from persistent_collections.errors import BackendError, BackendUnavailable, PersistentCollectionsError

T = TypeVar("T")

COLLECTIONS: Final = 20
"""The number of attempts to read several files before a reader takes the lock."""

LONG_WAIT_S: Final = 1.0
"""The time a writer waits for its turn before a log line."""

SWEPT: Final = 3
"""The number of keys with a deadline checked each time one is set, so that expired keys are gradually deleted."""

_LOG: Final = logging.getLogger(__name__)
_FACTS: Final = msgspec.json.Decoder(Facts)


class Stored(NamedTuple):
    """The bytes of the files of one key."""

    data: bytes | None
    deadline: bytes | None


class Collected(NamedTuple):
    """The content of the files of some keys, each at its own moment, and the write pending before."""

    pending: Changes
    stored: tuple[Stored, ...]


class _Looked(NamedTuple):
    """One key under the lock: the location of its files, their content, and its meaning."""

    files: KeyFiles
    stored: Stored
    entry: Entry | None


class _Held(Mapping[Key, Entry | None]):
    """The entries of keys, each read on demand; under the lock, so all at one moment.

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
        self._own = root / STORE
        self._facts = self._own / "facts.json"
        self._lock = self._own / "lock"
        self._queue = Lock()
        self._writing: set[int] = set()
        self._layout: Layout | None = None
        self._timed: Iterator[Path] = iter(())

    @property
    def layout(self) -> Layout:
        """The locations of files; before the first write, the file system is assumed to be case-sensitive."""
        if self._layout:
            return self._layout
        data = self.reader.read(self._facts)
        if data is None:
            self._files.require_no_file(self._root)  # nothing is found below a file, so it would read as empty
            return Layout(self._root, folds_case=False)
        try:
            facts = _FACTS.decode(data)
        except (msgspec.DecodeError, ValueError) as error:
            raise corrupt(self._facts, " has a format that this version does not know") from error
        self._layout = Layout(self._root, folds_case=facts.folds_case)
        return self._layout

    def read_one(self, key: Key) -> Entry | None:
        """Return the entry of ``key``, like :meth:`read`.

        One look is enough for a key without a deadline while no write is pending. Its data existed when they were read,
        and had not expired: the deadline is read first, and an expired key loses its data before its deadline.
        """
        files = (self._layout or self.layout).files_of(key)
        if self.journal.pending() or self.reader.look(files.deadline):
            return self.read([key])[0]
        text = self.reader.look(files.data)
        return Entry(text.content) if text and text.content else None

    def read(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return the entries of ``keys``, all at one moment, without the lock if possible.

        If two reads in a row agree, the content was the same at one moment between them.
        """
        all_files = [self.layout.files_of(key) for key in keys]
        collected = self._collect(all_files)
        for _ in range(COLLECTIONS):
            before, collected = collected, self._collect(all_files)
            if collected == before:
                return self._entries(all_files, collected)
        return self._alone(lambda: self._entries(all_files, self._collect(all_files)))

    def transform(self, keys: Sequence[Key], step: Step, prefixes: Collection[str] = ()) -> None:
        """Replace the entries of ``keys`` by the result of ``step``, as one atomic step.

        It also receives every key whose root starts with one of ``prefixes``.

        Cost: only the files that ``step`` asks for are read.
        """
        if self._files.signature(self._own) is None:
            # Locking would create the store, which a step without changes must not do.
            entries = dict(zip(keys, self.read(keys), strict=True))
            if all(new is entries[key] for key, new in step(entries).items()):
                return
        self._alone(partial(self._change, keys, step, prefixes))

    def _change(self, keys: Sequence[Key], step: Step, prefixes: Collection[str]) -> None:
        if prefixes:
            listing = Listing(self._files, self.reader, self.layout, {})
            keys = [*keys, *(listed.key for prefix in prefixes for listed in listing.keys(prefix))]
        held = _Held(keys, self._look)
        changed = step(held)
        changes = _changes(held, changed)
        if changes:
            self._write(map(attrgetter("files"), map(held.look, changed)), changes)
            self._wrote(held, changed, changes)

    def _wrote(self, held: _Held, changed: Mapping[Key, Entry | None], changes: Changes) -> None:
        """Note what was written, which saves parsing it, and delete some expired keys if a deadline was set."""
        is_timed = False
        for key, new in changed.items():
            files, _, old = held.look(key)
            data = changes.get(files.data)
            is_timed = is_timed or bool(changes.get(files.deadline))
            if data and new and parses_as(new.content, old and old.content):
                self.reader.keep(Text(files.data, data, None, new.content))
        if is_timed:
            self._sweep()

    def _write(self, all_files: Iterable[KeyFiles], changes: Changes) -> None:
        long_names = [(files, name) for files in all_files for name in files.long_names if files.data in changes]
        for files, name in long_names:
            if changes[files.data] and self.reader.read(name.path) != name.text:
                self.journal.write({name.path: name.text})
        self.journal.write(changes)
        with suppress(OSError):  # the write is done; a record without an owner does no harm
            for _, name in reversed(long_names):
                if not any(map(self._files.signature, name.owners)):
                    self.journal.write({name.path: None})

    def _sweep(self) -> None:
        """Check the next few keys with a deadline, in rotation, and delete expired ones; call it with the lock held."""
        paths = list(islice(self._timed, SWEPT))
        if len(paths) < SWEPT:
            self._timed = self._find_timed()
        listing = Listing(self._files, self.reader, self.layout, {})
        for path in paths:
            with suppress(OSError, PersistentCollectionsError):  # the caller's write is done; others clean up
                data = self.reader.read(path)
                key = listing.key_of(self._root / path.relative_to(self.layout.deadlines))
                if data and key and parse_deadline(data, path) <= time.time():
                    files = self.layout.files_of(key)
                    self._write([files], {files.data: None, files.deadline: None})

    def _find_timed(self) -> Iterator[Path]:
        """Yield the files that hold deadlines; list each directory only when reached."""
        directories = [self.layout.deadlines]
        while directories:
            directory = directories.pop()
            for item in self._files.scan(directory):
                if item.is_directory:
                    directories.append(directory / item.name)
                else:
                    yield directory / item.name

    def _collect(self, all_files: Sequence[KeyFiles]) -> Collected:
        pending = self.journal.pending()

        def look(path: Path) -> bytes | None:
            return pending[path] if path in pending else self.reader.read(path)

        deadlines = [look(files.deadline) for files in all_files]
        stored = (Stored(look(files.data), deadline) for files, deadline in zip(all_files, deadlines, strict=True))
        return Collected(pending, tuple(stored))

    def _entries(self, all_files: Sequence[KeyFiles], collected: Collected) -> list[Entry | None]:
        return [self._entry(files, stored) for files, stored in zip(all_files, collected.stored, strict=True)]

    def _entry(self, files: KeyFiles, stored: Stored) -> Entry | None:
        return _entry(files, stored, None if stored.data is None else self.reader.content(files.data, stored.data))

    def _look(self, key: Key) -> _Looked:
        """Return the content of the files of ``key``; call it with the lock held."""
        files = (self._layout or self.layout).files_of(key)
        text, deadline = self.reader.look(files.data), self.reader.look(files.deadline)
        stored = Stored(text.data if text else None, deadline.data if deadline else None)
        return _Looked(files, stored, _entry(files, stored, text.content if text else None))

    def _alone(self, work: Callable[[], T]) -> T:
        """Return ``work()``, run with the lock of the store held and all writes finished.

        The lock file is created if it does not exist.
        """
        this_thread = get_ident()
        if this_thread in self._writing:
            raise BackendError(
                f"{self._root}: nothing was done, since a signal handler or finalizer has interrupted another write of "
                "this thread to this store; let it set a flag, and write after that or in another thread"
            )

        def locked(held: Held) -> T:
            held.append(partial(self._writing.discard, this_thread))
            self._writing.add(this_thread)
            self._take_turn(held)
            self.journal.recover()
            self._find_facts()
            return work()

        return holding(locked)

    def _take_turn(self, held: Held) -> None:
        """Queue with the threads of this process first; then compete with other processes, by polling."""
        path = self._lock
        self.journal.make_directories(path)
        begun_s = time.monotonic()
        give_up = begun_s + self._lock_timeout_s
        if not (
            take(held, partial(self._queue.acquire, timeout=self._lock_timeout_s), self._queue.release)
            and self._files.lock(path, max(give_up - time.monotonic(), 0.0), held)
        ):
            raise BackendUnavailable(
                f"{path} was held by other writers for {self._lock_timeout_s} s, and nothing was done; "
                "try again, or wait longer with the option lock_timeout_s"
            )
        waited_s = time.monotonic() - begun_s
        if waited_s > LONG_WAIT_S:
            _LOG.warning("waited %.1f s for other writers in %s", waited_s, self._root)

    def _find_facts(self) -> None:
        if self._files.signature(self._facts) is None:
            # Two names that exist but are not both listed are one; inodes are unreliable where FUSE invents them.
            listed = {item.name for item in self._files.scan(self._root)}
            folds_case = self._files.signature(self._root / STORE.upper()) is not None and STORE.upper() not in listed
            facts = Facts(1, folds_case=folds_case)
            self.journal.write({self._facts: msgspec.json.encode(facts) + b"\n"})
            self._layout = None


def _entry(files: KeyFiles, stored: Stored, content: Parsed | None) -> Entry | None:
    """Return the meaning of the files of one key."""
    if not content:
        return None
    return Entry(content, None if stored.deadline is None else parse_deadline(stored.deadline, files.deadline))


def _changes(held: _Held, changed: Mapping[Key, Entry | None]) -> Changes:
    """Return the files to change, data before deadlines: see :meth:`Store.read`."""
    data: dict[Path, bytes | None] = {}
    deadlines: dict[Path, bytes | None] = {}
    for key, new in changed.items():
        files, was, old = held.look(key)
        if new is old:
            continue
        becomes = _stored(files, was, old, new)
        if becomes.data != was.data:
            data[files.data] = becomes.data
        if becomes.deadline != was.deadline:
            deadlines[files.deadline] = becomes.deadline
    return data | deadlines


def _stored(files: KeyFiles, was: Stored, old: Entry | None, new: Entry | None) -> Stored:
    if new is None:
        return Stored(None, None)
    data = was.data if old and new.content is old.content else render(new.content, files.data)
    if old and new.deadline == old.deadline:
        return Stored(data, was.deadline)
    return Stored(data, None if new.deadline is None else render_deadline(new.deadline))

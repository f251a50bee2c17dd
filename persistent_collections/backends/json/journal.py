"""Writes files such that a step makes all of its changes or none.

One file changes by an atomic replace. Several change through a commit file: once it is in place the write is done,
readers use its content instead of the files, and if its writer dies before the end, the next writer finishes. All
of it happens under the store's lock, so there is one writer and at most one commit file.

Each part is on the disk before the next depends on it:

1. A new file is on the disk before it gets its name.
2. The commit file is on the disk before the files it names change, and these before it is deleted.
3. Its deletion is on the disk before the lock is released: if it reappeared after a power cut, it would undo later
   writes.

A failed sync is never retried; its file is written again from the commit file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path, PurePath
from typing import Final, TypeAlias

import msgspec

from persistent_collections.backends.json.failures import corrupt, past_return
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.json.layout import STORE
from persistent_collections.backends.json.reader import Reader
from persistent_collections.backends.json.text import seal, unsealed

Changes: TypeAlias = Mapping[Path, bytes | None]
"""New bytes of files, None for deletion, in the order in which they take effect."""

_LOG: Final = logging.getLogger(__name__)
_TEMPORARY: Final = "temporary-"
_COMMIT: Final = msgspec.json.Decoder(dict[str, str | None])


class Journal:
    """The writing side of one store.

    Args:
        files: The file system.
        reader: Reads the commit file.
        root: The directory of the store.
        fsync: Whether a write waits until it is on the disk. Without it, a write outlives the process, but perhaps not
            a power cut.
    """

    def __init__(self, files: Files, reader: Reader, root: Path, *, fsync: bool) -> None:
        self._files = files
        self._reader = reader
        self._root = root
        self._store = root / STORE
        self._commit = self._store / "commit.json"
        self._fsync = fsync
        self._swept = False
        self._directories_of = reader.directories_of

    def pending(self) -> Changes:
        """Return the write that is committed but perhaps not finished."""
        text = self._reader.look(self._commit)
        if text is None:
            return {}
        data = text.data
        if not data.endswith(b"}"):  # as version 0.1 wrote it, without a checksum
            data = unsealed(data, self._commit)
        try:
            texts = _COMMIT.decode(data)
            return {self._inside(name): None if text is None else text.encode() for name, text in texts.items()}
        except (msgspec.DecodeError, ValueError) as error:
            raise corrupt(self._commit, " is no commit file") from error

    def recover(self) -> None:
        """Finish a committed write whose writer died before it was done."""
        pending = self.pending()
        if pending:
            with self._staging() as stage:
                self._finish(self._stage_all(pending, stage))
            self._prune(pending)
            _LOG.warning("finished a write of %d file(s) in %s that was cut off", len(pending), self._root)

    def write(self, changes: Changes) -> None:
        """Make ``changes``, all of them or none.

        Raises:
            OSError: None was made.
            OutcomeUnknown: They were made, but the disk failed to confirm it.
        """
        if not self._swept:
            self._sweep()
        self._swept = False  # until this write has deleted its temporary files
        with self._staging() as stage:
            staged = self._stage_all(changes, stage)
            if len(staged) == 1:
                [path] = staged
                self._put_in_place(staged)
                with past_return(self._root):
                    self._sync([path.parent])
            else:
                self._files.replace(stage(self._commit_text(changes)), self._commit)
                with past_return(self._root):
                    self._finish(staged)
        self._swept = True
        self._prune(changes)

    def make_directories(self, path: Path) -> None:
        """Create the directories that a file of the store lies in; below the root no link is followed."""
        try:
            self._make_each(self._directories_of(path))
        except (FileNotFoundError, NotADirectoryError):
            outside = takewhile(lambda each: not self._files.is_directory(each), (self._root, *self._root.parents))
            self._make_each((*reversed(list(outside)), *self._directories_of(path)))

    def _make_each(self, directories: Iterable[Path]) -> None:
        for directory in directories:
            if self._files.make_directory(directory):
                self._sync([directory.parent])

    @contextmanager
    def _staging(self) -> Iterator[Callable[[bytes], Path]]:
        """Yield a function that writes a temporary file; remaining ones are deleted if the block fails."""
        temporaries: list[Path] = []

        def stage(data: bytes) -> Path:
            path = self._store / f"{_TEMPORARY}{os.urandom(8).hex()}"
            temporaries.append(path)
            self._files.create(path, data, sync=self._fsync)
            return path

        try:
            yield stage
        except BaseException:  # otherwise each is in its place
            for path in temporaries:
                with suppress(OSError):
                    self._files.unlink(path)
            raise

    def _stage_all(self, changes: Changes, stage: Callable[[bytes], Path]) -> Mapping[Path, Path | None]:
        """Write the new files of ``changes``, and create their directories."""
        staged: dict[Path, Path | None] = {}
        for path, data in changes.items():
            self.make_directories(path)
            staged[path] = None if data is None else stage(data)
        return staged

    def _put_in_place(self, staged: Mapping[Path, Path | None]) -> None:
        for path, temporary in staged.items():
            if temporary is None:
                self._files.unlink(path)
            else:
                self._files.replace(temporary, path)

    def _finish(self, staged: Mapping[Path, Path | None]) -> None:
        self._sync([self._store])
        self._put_in_place(staged)
        self._sync({path.parent for path in staged})
        self._files.unlink(self._commit)
        self._sync([self._store])

    def _sync(self, directories: Iterable[Path]) -> None:
        if self._fsync:
            for directory in directories:
                self._files.sync_directory(directory)

    def _prune(self, changes: Changes) -> None:
        """Remove the directories that deleted files have left empty."""
        for path, data in changes.items():
            for directory in path.parents if data is None else ():
                if directory in (self._root, self._store) or not self._files.remove_directory(directory):
                    break

    def _sweep(self) -> None:
        """Delete the files left behind by killed writers: under the lock, no one else is writing."""
        for item in self._files.scan(self._store):
            if item.name.startswith(_TEMPORARY):
                self._files.unlink(self._store / item.name)

    def _commit_text(self, changes: Changes) -> bytes:
        names = {path.relative_to(self._root).as_posix(): data for path, data in changes.items()}
        texts = {name: None if data is None else data.decode() for name, data in names.items()}
        return seal(msgspec.json.encode(texts) + b"\n")

    def _inside(self, name: str) -> Path:
        path = PurePath(name)
        if path.anchor or ".." in path.parts:
            raise ValueError(name)
        return self._root / path

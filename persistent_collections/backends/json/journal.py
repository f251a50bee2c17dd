"""Writes files so that all of a step's change or none.

One file changes by an atomic replace. Several change through a commit file: once it is in place the write is made,
readers take what it holds for what the files hold, and if its writer does not live to finish, the next one does. All
of it happens under the store's lock, so there is one writer and at most one commit file.

Each thing is on the disk before the next makes use of it: a new file before it takes its name, the commit file before
the files it names change, these before it goes, and its going before the lock is given back, since a commit file that
came back after a power cut would undo later writes. A sync that failed is never tried again; what it was for is
written anew from the commit file.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Final, TypeAlias

import msgspec

from persistent_collections.backends.json.errors import corrupt, past_return
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.json.layout import STORE
from persistent_collections.backends.json.reader import Reader

Changes: TypeAlias = Mapping[Path, bytes | None]
"""New bytes of files, None where one is deleted, in the order in which they take effect."""

_LOG: Final = logging.getLogger(__name__)
_TEMPORARY: Final = "temporary-"
_COMMIT: Final = msgspec.json.Decoder(dict[str, str | None])


class Journal:
    """The writing side of one store.

    Args:
        files: The file system.
        reader: Reads the commit file.
        root: The directory of the store.
        fsync: Whether to wait until the disk has what was written. Without it a write outlives the process, but
            perhaps not a power cut.
    """

    def __init__(self, files: Files, reader: Reader, root: Path, *, fsync: bool) -> None:
        self._files = files
        self._reader = reader
        self._root = root
        self._store = root / STORE
        self._commit = self._store / "commit.json"
        self._fsync = fsync
        self._swept = False

    def pending(self) -> Changes:
        """Return the write that is made but perhaps not finished."""
        data = self._reader.read(self._commit)
        if data is None:
            return {}
        try:
            texts = _COMMIT.decode(data)
            return {self._inside(name): None if text is None else text.encode() for name, text in texts.items()}
        except (msgspec.DecodeError, ValueError) as error:
            raise corrupt(self._commit, " is no commit file") from error

    def recover(self) -> None:
        """Finish the write that its writer did not live to finish."""
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
        with self._staging() as stage:
            staged = self._stage_all(changes, stage)
            if len(staged) == 1:
                self._put_in_place(staged)
                with past_return(self._root):
                    self._sync(path.parent for path in staged)
            else:
                self._files.replace(stage(self._commit_text(changes)), self._commit)
                with past_return(self._root):
                    self._finish(staged)
        self._prune(changes)

    def make_directory(self, path: Path) -> None:
        """Make a directory of the store, or its root, and those it lies in; below the root no link is followed."""
        if self._root not in path.parents and self._files.is_directory(path):
            return
        self.make_directory(path.parent)
        if self._files.make_directory(path):
            self._sync([path.parent])

    @contextmanager
    def _staging(self) -> Iterator[Callable[[bytes], Path]]:
        """Give a function that writes a temporary file; those left over go when the context ends."""
        temporaries: list[Path] = []

        def stage(data: bytes) -> Path:
            path = self._store / f"{_TEMPORARY}{secrets.token_hex(8)}"
            temporaries.append(path)
            self._files.create(path, data, sync=self._fsync)
            return path

        try:
            yield stage
        finally:
            for path in temporaries:
                with suppress(OSError):
                    self._files.unlink(path)

    def _stage_all(self, changes: Changes, stage: Callable[[bytes], Path]) -> Mapping[Path, Path | None]:
        """Write the files that are to take the places in ``changes``, and make the directories of these."""
        for path in changes:
            self.make_directory(path.parent)
        return {path: None if data is None else stage(data) for path, data in changes.items()}

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
        for path in (path for path, data in changes.items() if data is None):
            for directory in path.parents:
                if directory in (self._root, self._store) or not self._files.remove_directory(directory):
                    break

    def _sweep(self) -> None:
        """Delete what writers that were killed have left over: under the lock, no one else is writing."""
        for item in self._files.scan(self._store):
            if item.name.startswith(_TEMPORARY):
                self._files.unlink(self._store / item.name)
        self._swept = True

    def _commit_text(self, changes: Changes) -> bytes:
        names = {path.relative_to(self._root).as_posix(): data for path, data in changes.items()}
        return msgspec.json.encode({name: None if data is None else data.decode() for name, data in names.items()})

    def _inside(self, name: str) -> Path:
        path = PurePath(name)
        if path.anchor or ".." in path.parts:
            raise ValueError(name)
        return self._root / path

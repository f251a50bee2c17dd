"""Lists the keys of a store from the names of its files, without opening them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from persistent_collections.backends.json.failures import corrupt
from persistent_collections.backends.json.files import Files, Item
from persistent_collections.backends.json.journal import Changes
from persistent_collections.backends.json.layout import STORE, SUFFIX, Layout
from persistent_collections.backends.json.names import from_file_name, is_shortened
from persistent_collections.backends.json.reader import Reader
from persistent_collections.backends.keys import Key
from persistent_collections.errors import CorruptDataError

MAYBE_EMPTY_BYTES: Final = 7
"""A file no longer than this may be a hand-written ``{}``; the shortest written file with content has a byte more."""

_DEPTHS: Final = (2, 3)  # of an object's file, and of a child's
_LEVELS: Final = ({True}, {True, False}, {False})
"""Whether the types, their objects and the children of these are directories."""

_MISNAMED: Final = "a file or directory whose name is not one of an object, or whose full name is lost"
_NOT_FOLLOWED: Final = (
    "a symbolic link, or something else that is no file; the store does not follow it, so listings lack what is there"
)
_COPIED: Final = (
    "an object that is named like a copy made by a program that synchronizes folders; compare it with the original"
)
_CONFLICTING: Final = re.compile(r"\(.*conflicted copy.*\)|\.sync-conflict-\d{8}-\d{6}", re.IGNORECASE)
"""The names that Dropbox, Nextcloud and ownCloud, and Syncthing give to conflicting versions of a file."""

_NAME: Final = msgspec.json.Decoder(str)


class Listed(NamedTuple):
    """A key with a file; unless ``certain``, only reading shows whether it still has content."""

    key: Key
    certain: bool


class _Named(NamedTuple):
    """A file or directory named by the library's rules; its file name is the original one."""

    name: str
    file_name: str
    is_directory: bool
    certain: bool


class Listing:
    """One walk through a store. Files with other names are skipped.

    Args:
        files: The file system.
        reader: Reads the records of long names.
        layout: The locations of files.
        pending: A committed but unfinished write: the content of its files is out of date.
    """

    def __init__(self, files: Files, reader: Reader, layout: Layout, pending: Changes) -> None:
        self._files = files
        self._reader = reader
        self._layout = layout
        self._pending = pending
        self._damaged: list[CorruptDataError] = []

    def keys(self, prefix: str) -> Iterator[Listed]:
        """Yield each key whose root starts with ``prefix`` once.

        Raises:
            CorruptDataError: After all others, if a name that is too long for a file name has been lost.
        """
        pending = {self.key_of(path): data for path, data in self._pending.items()}
        for key, data in pending.items():
            if key and data is not None and key.root.startswith(prefix):
                yield Listed(key, certain=False)
        for listed in self._walk(prefix):
            if listed.key not in pending:
                yield listed
        if self._damaged:
            raise self._damaged[0]

    def children(self, root: str) -> list[Key]:
        """Return the key of every child under ``root``.

        Raises:
            CorruptDataError: A name that is too long for a file name has been lost.
        """
        type_name, _, object_id = root.partition(":")
        directory = self._layout.root / self._layout.file_name(type_name) / self._layout.file_name(object_id)
        named = {Key(root, found.name) for found in self._level(directory) if not found.is_directory}
        if self._damaged:
            raise self._damaged[0]
        pending = {self.key_of(path): data for path, data in self._pending.items()}
        made = {key for key, data in pending.items() if key and key.root == root and key.child and data is not None}
        return sorted(named | made)

    def strangers(self) -> Iterator[tuple[Path, str]]:
        """Yield each file and directory with a wrong or suspicious name, and the reason, but nothing within it.

        A symbolic link is wrong under any name.
        """
        return self._strangers(self._layout.root, 0)

    def _strangers(self, directory: Path, depth: int) -> Iterator[tuple[Path, str]]:
        items = self._files.scan(directory)
        level = self._level(directory, items)
        ours = {found.file_name if found.is_directory else f"{found.file_name}{SUFFIX}" for found in level}
        for name in self._files.others(directory):
            yield directory / name, _NOT_FOLLOWED
        for item in items:
            name = self._layout.as_made(item.name)
            if (depth, name) == (0, STORE):
                continue
            if name not in ours or item.is_directory not in _LEVELS[depth]:
                yield directory / item.name, _MISNAMED
            elif item.is_directory:
                yield from self._strangers(directory / name, depth + 1)
            elif _CONFLICTING.search(name):
                yield directory / item.name, _COPIED

    def _walk(self, prefix: str) -> Iterator[Listed]:
        type_prefix, colon, _ = prefix.partition(":")
        for found in self._level(self._layout.root):
            if found.is_directory and (found.name == type_prefix if colon else found.name.startswith(type_prefix)):
                yield from self._walk_type(found, prefix)

    def _walk_type(self, type_found: _Named, prefix: str) -> Iterator[Listed]:
        directory = self._layout.root / type_found.file_name
        for found in self._level(directory):
            root = f"{type_found.name}:{found.name}"
            if not root.startswith(prefix):
                continue
            if found.is_directory:
                for child in self._level(directory / found.file_name):
                    if not child.is_directory:
                        yield Listed(Key(root, child.name), child.certain)
            else:
                yield Listed(Key(root), found.certain)

    def _level(self, directory: Path, items: Sequence[Item] | None = None) -> list[_Named]:
        """Return the library's files in a directory, each once even if a file replaced meanwhile is listed twice.

        Args:
            directory: The directory.
            items: All that is in it, if that is known.
        """
        within = directory.relative_to(self._layout.root)
        timed = self._timed(within)
        found = {}
        for item in self._files.scan(directory) if items is None else items:
            suffix = "" if item.is_directory else SUFFIX
            given = item.name.removesuffix(suffix)
            if not item.name.endswith(suffix):
                continue
            file_name = self._layout.as_made(given)
            name = self._name(within, file_name)
            if name and (file_name == given or self._files.signature(directory / f"{file_name}{suffix}")):
                certain = not self._pending and item.size > MAYBE_EMPTY_BYTES and f"{file_name}{suffix}" not in timed
                found[name, item.is_directory] = _Named(name, file_name, item.is_directory, certain)
        return list(found.values())

    def _timed(self, within: Path) -> set[str]:
        """Return the names of the files with a deadline in a directory."""
        return {self._layout.as_made(item.name) for item in self._files.scan(self._layout.deadlines / within)}

    def key_of(self, path: Path) -> Key | None:
        """Return the key of a file with data, None for any other file."""
        parts = path.with_suffix("").relative_to(self._layout.root).parts
        if path.suffix != SUFFIX or parts[0] == STORE or len(parts) not in _DEPTHS:
            return None
        names = [self._name(Path(*parts[:depth]), part) for depth, part in enumerate(parts)]
        return Key(f"{names[0]}:{names[1]}", *names[2:]) if all(names) else None

    def _name(self, within: Path, file_name: str) -> str | None:
        """Return the name of a file name in the directory ``within``, None if the library didn't create it."""
        if is_shortened(file_name):
            return self._recorded(within, file_name)
        name = from_file_name(file_name)
        return name if name and self._layout.file_name(name) == file_name else None

    def _recorded(self, within: Path, file_name: str) -> str | None:
        """Return the recorded name of a shortened one, None if its owner was deleted meanwhile."""
        path = self._layout.names / within / f"{file_name}{SUFFIX}"
        data = self._reader.read(path)
        try:
            name = None if data is None else _NAME.decode(data)
        except (msgspec.DecodeError, ValueError):
            name = None
        if name and self._layout.file_name(name) == file_name:
            return name
        owner = self._layout.root / within / file_name
        if self._files.signature(owner.with_name(f"{file_name}{SUFFIX}")) or self._has_files(owner):
            message = f" does not hold the full name of {owner}, so listings lack it"
            self._damaged.append(corrupt(path, message))
        return None

    def _has_files(self, directory: Path) -> bool:
        """Return whether there is a file in a directory, which a write that was cut off may have left empty."""
        return any(
            not item.is_directory or self._has_files(directory / item.name) for item in self._files.scan(directory)
        )

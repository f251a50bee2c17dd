"""Lists the keys of a store from the names of its files, without opening them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from persistent_collections.backends.base import Key
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.json.journal import Changes
from persistent_collections.backends.json.layout import STORE, SUFFIX, Layout
from persistent_collections.backends.json.names import from_file_name, is_shortened
from persistent_collections.backends.json.reader import Reader

MAYBE_EMPTY_BYTES: Final = 7
"""A file no longer than this may be a hand-written ``{}``; the shortest of ours that holds anything has a byte more."""

_DEPTHS: Final = (2, 3)  # of an object's file, and of a child's
_LEVELS: Final = ({True}, {True, False}, {False})
"""Whether the types, their objects and the children of these are directories."""

_NAME: Final = msgspec.json.Decoder(str)


class Listed(NamedTuple):
    """A key whose file is there; unless ``certain``, only reading tells whether it holds anything still."""

    key: Key
    certain: bool


class _Named(NamedTuple):
    """A file or directory named as we name them; its file name is as it was made."""

    name: str
    file_name: str
    is_directory: bool
    certain: bool


class Listing:
    """One walk through a store. What is not named as we name files is passed over.

    Args:
        files: The file system.
        reader: Reads the records of long names.
        layout: Where things lie.
        pending: A write that is made but not finished: what the files it names say is out of date.
    """

    def __init__(self, files: Files, reader: Reader, layout: Layout, pending: Changes) -> None:
        self._files = files
        self._reader = reader
        self._layout = layout
        self._pending = pending

    def keys(self, prefix: str) -> Iterator[Listed]:
        """Yield each key whose root starts with ``prefix`` once."""
        pending = {self.key_of(path): data for path, data in self._pending.items()}
        for key, data in pending.items():
            if key and data is not None and key.root.startswith(prefix):
                yield Listed(key, certain=False)
        for listed in self._walk(prefix):
            if listed.key not in pending:
                yield listed

    def strangers(self) -> Iterator[Path]:
        """Yield each file and directory that is named as none of ours, nothing of what is in it."""
        return self._strangers(self._layout.root, 0)

    def _strangers(self, directory: Path, depth: int) -> Iterator[Path]:
        level = self._level(directory)
        ours = {found.file_name if found.is_directory else f"{found.file_name}{SUFFIX}" for found in level}
        for item in self._files.scan(directory):
            name = self._layout.as_made(item.name)
            if (depth, name) == (0, STORE):
                continue
            if name not in ours or item.is_directory not in _LEVELS[depth]:
                yield directory / item.name
            elif item.is_directory:
                yield from self._strangers(directory / name, depth + 1)

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

    def _level(self, directory: Path) -> list[_Named]:
        """Return what is ours in a directory, once even where a file replaced meanwhile is listed twice."""
        within = directory.relative_to(self._layout.root)
        timed = {self._layout.as_made(item.name) for item in self._files.scan(self._layout.deadlines / within)}
        found = {}
        for item in self._files.scan(directory):
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

    def key_of(self, path: Path) -> Key | None:
        """Return the key of a file with data, None for any other."""
        parts = path.with_suffix("").relative_to(self._layout.root).parts
        if path.suffix != SUFFIX or parts[0] == STORE or len(parts) not in _DEPTHS:
            return None
        names = [self._name(Path(*parts[:depth]), part) for depth, part in enumerate(parts)]
        return Key(f"{names[0]}:{names[1]}", *names[2:]) if all(names) else None

    def _name(self, within: Path, file_name: str) -> str | None:
        """Return the name a file name in the directory ``within`` stands for, None if it is none of ours."""
        name = self._recorded(within, file_name) if is_shortened(file_name) else from_file_name(file_name)
        return name if name and self._layout.file_name(name) == file_name else None

    def _recorded(self, within: Path, file_name: str) -> str | None:
        data = self._reader.read(self._layout.names / within / f"{file_name}{SUFFIX}")
        try:
            return None if data is None else _NAME.decode(data)
        except msgspec.DecodeError:
            return None

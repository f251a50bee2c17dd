"""The locations of a store's files.

::

    <root>/User/luke@example.com.json                   the object
    <root>/User/luke@example.com/friends.json           its child collection
    <root>/.store/lock
    <root>/.store/facts.json                            what was found out about the file system
    <root>/.store/commit.json                           a write of several files that is made but not finished
    <root>/.store/temporary-…                           a file that is being written
    <root>/.store/deadlines/User/luke@example.com.json
    <root>/.store/names/User/….json                     a name that is too long for a file name
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, NamedTuple
from unicodedata import normalize

import msgspec

from persistent_collections.backends.json.failures import not_named
from persistent_collections.backends.json.names import is_shortened, to_file_name
from persistent_collections.backends.keys import Key

SUFFIX: Final = ".json"

STORE: Final = ".store"
"""The directory of the library's own files."""

_ESCAPE: Final = re.compile("%[0-9a-f]{2}", re.IGNORECASE)


class Facts(msgspec.Struct, forbid_unknown_fields=True):
    """The properties of the file system that a store's first writer found, valid for every later one.

    Attributes:
        format: The version of this layout.
        folds_case: Whether the file system treats names that differ only in case as equal.
    """

    format: Literal[1]
    folds_case: bool


class LongName(NamedTuple):
    """The record of a name that is too long for a file name.

    Attributes:
        path: The file that holds the name as a JSON string.
        text: Its content.
        owners: The files and directories named by it.
    """

    path: Path
    text: bytes
    owners: tuple[Path, ...]


class KeyFiles(NamedTuple):
    """The files of one key."""

    data: Path
    deadline: Path
    long_names: tuple[LongName, ...]


class Layout:
    """Turns keys into the paths of their files.

    Args:
        root: The directory of the store.
        folds_case: See :class:`Facts`.
    """

    def __init__(self, root: Path, *, folds_case: bool) -> None:
        self.root = root
        self.store = root / STORE
        self.deadlines = self.store / "deadlines"
        self.names = self.store / "names"
        self._folds_case = folds_case
        self.files_of = lru_cache(4096)(self._files_of)

    def file_name(self, name: str) -> str:
        """Return the file name, without a suffix, for a type, an id or a child."""
        return to_file_name(name, folds_case=self._folds_case)

    def as_made(self, listed: str) -> str:
        """Return the original file name, if a file system lists it decomposed or in lower case."""
        if not listed.isascii() and sys.getfilesystemencoding() != "utf-8":
            raise not_named(listed, self.root)
        name = normalize("NFC", listed)
        return _ESCAPE.sub(lambda escape: escape[0].upper(), name) if self._folds_case else name

    def _files_of(self, key: Key) -> KeyFiles:
        type_name, _, object_id = key.root.partition(":")
        names = [type_name, object_id] if key.child is None else [type_name, object_id, key.child]
        parts = [self.file_name(name) for name in names]
        path = "/".join(parts) + SUFFIX
        long_names = tuple(
            self._long_name(parts[: depth + 1], name) for depth, name in enumerate(names) if is_shortened(parts[depth])
        )
        return KeyFiles(self.root / path, self.deadlines / path, long_names)

    def _long_name(self, parts: list[str], name: str) -> LongName:
        path = "/".join(parts)
        owners = (self.root / path, self.root / f"{path}{SUFFIX}")
        return LongName(self.names / f"{path}{SUFFIX}", msgspec.json.encode(name) + b"\n", owners)

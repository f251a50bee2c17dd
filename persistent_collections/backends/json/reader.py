"""Reads files, and parses only changed ones again."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Final

from persistent_collections.backends.json.files import Files, Signature
from persistent_collections.backends.json.text import Parsed, parse

CAPACITY_BYTES: Final = 16 * 2**20
"""The limit of cached text of files; the parsed form needs a few times as much."""

SETTLED_NS: Final = 2_000_000_000
"""A file older than this gets a different signature when it changes: every file system's clock is finer."""


class Text:
    """The content of one file.

    Attributes:
        path: The file.
        data: Its bytes.
        signature: Its signature, None if a later change might have the same one.
        parsed: Its content, None as long as nobody has asked for that.
    """

    __slots__ = ("data", "parsed", "path", "signature")

    def __init__(self, path: Path, data: bytes, signature: Signature | None, parsed: Parsed | None = None) -> None:
        self.path = path
        self.data = data
        self.signature = signature
        self.parsed = parsed

    @property
    def content(self) -> Parsed:
        """The content of the file."""
        if self.parsed is None:
            self.parsed = parse(self.data, self.path)
        return self.parsed


class Reader:
    """Reads the files of one store.

    Two reads return the same object while a file has not changed, so comparing them costs nothing.

    It has no lock, so a signal handler may read while its thread reads. Every step leaves a valid cache.

    Args:
        files: The file system.
        root: Symbolic links below it are not followed.
    """

    def __init__(self, files: Files, root: Path) -> None:
        self._files = files
        self._root = root
        self.directories_of = lru_cache(4096)(self._directories_of)
        self._kept: dict[Path, Text] = {}
        self._size_bytes = 0

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of a file, None if it is missing; the cost is that of :meth:`look`."""
        text = self.look(path)
        return None if text is None else text.data

    def content(self, path: Path, data: bytes) -> Parsed:
        """Return the content of a file for ``data``, just returned by :meth:`read`."""
        kept = self._kept.get(path)
        return kept.content if kept is not None and kept.data is data else parse(data, path)

    def look(self, path: Path) -> Text | None:
        """Return the text of a file, None if it is missing.

        Cost: one ``stat`` if it is known and unchanged.
        """
        signature = self._files.signature(path)
        if signature is None:
            return None
        kept = self._kept.get(path)
        if kept is not None and kept.signature == signature:
            return kept
        return self._read_anew(path, kept)

    def _read_anew(self, path: Path, kept: Text | None) -> Text | None:
        self._files.refuse_links(self.directories_of(path))
        now_ns = time.time_ns()
        found = self._files.read(path)
        if found is None:
            return None
        data, signature = found
        settled = now_ns - max(signature.mtime_ns, signature.ctime_ns) > SETTLED_NS
        parsed = None
        if kept is not None and kept.data == data:
            data, parsed = kept.data, kept.parsed
        text = Text(path, data, signature if settled else None, parsed)
        self.keep(text)
        return text

    def _directories_of(self, path: Path) -> tuple[Path, ...]:
        """Return the directories below the root that the file ``path`` lies in, the outermost first."""
        parents = path.parents
        inside = parents[: parents.index(self._root)] if self._root in parents else parents
        return tuple(reversed(inside))

    def keep(self, text: Text) -> None:
        """Keep the text of a file, so that its bytes need not be parsed when they are read next."""
        self._kept[text.path] = text
        self._size_bytes += len(text.data)  # more than the cache holds, if a file was read again
        if self._size_bytes > CAPACITY_BYTES:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        size_bytes, kept = 0, list[Text]()
        for text in reversed(list(self._kept.values())):
            size_bytes += len(text.data)
            if size_bytes > CAPACITY_BYTES // 2:
                break
            kept.append(text)
        self._kept = {text.path: text for text in reversed(kept)}
        self._size_bytes = sum(len(text.data) for text in kept)

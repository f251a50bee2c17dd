"""Reads files, and parses again only what has changed."""

from __future__ import annotations

import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Final

from persistent_collections.backends.json.files import Files, Signature
from persistent_collections.backends.json.text import Parsed, parse

CAPACITY_BYTES: Final = 16 * 2**20
"""Text of files kept with what was parsed from it, which takes a few times as much."""

SETTLED_NS: Final = 2_000_000_000
"""A file older than this differs in a signature once it changes: no file system's clock is coarser."""


class _Kept:
    """What was read from one file; the signature is None where a later change might have the same one."""

    __slots__ = ("content", "data", "signature")

    def __init__(self, data: bytes, signature: Signature | None, content: Parsed | None) -> None:
        self.data = data
        self.signature = signature
        self.content = content


class Reader:
    """Reads the files of one store.

    Two reads give the very same object while a file has not changed, so comparing what was read costs nothing.

    Args:
        files: The file system.
        root: No symbolic link below it is followed.
    """

    def __init__(self, files: Files, root: Path) -> None:
        self._files = files
        self._root = root
        self._kept: OrderedDict[Path, _Kept] = OrderedDict()
        self._size_bytes = 0
        self._lock = Lock()

    def read(self, path: Path) -> bytes | None:
        """Return the bytes of a file, None if it is missing.

        Cost: one ``stat`` if it is known and unchanged.
        """
        signature = self._files.signature(path)
        if signature is None:
            return None
        kept = self._get(path)
        if kept and kept.signature == signature:
            return kept.data
        for part in (path, *path.parents):
            if part == self._root:
                break
            self._files.refuse_link(part)
        now_ns = time.time_ns()
        found = self._files.read(path)
        if found is None:
            return None
        data, signature = found
        settled = now_ns - max(signature.mtime_ns, signature.ctime_ns) > SETTLED_NS
        same = kept if kept and kept.data == data else _Kept(data, None, None)
        self._put(path, _Kept(same.data, signature if settled else None, same.content))
        return same.data

    def content(self, path: Path, data: bytes) -> Parsed:
        """Return the content of a file of which :meth:`read` has just given ``data``."""
        kept = self._get(path)
        if kept is None or kept.data is not data:
            return parse(data, path)
        if kept.content is None:
            kept.content = parse(data, path)
        return kept.content

    def _get(self, path: Path) -> _Kept | None:
        with self._lock:
            if path in self._kept:
                self._kept.move_to_end(path)
            return self._kept.get(path)

    def _put(self, path: Path, kept: _Kept) -> None:
        with self._lock:
            old = self._kept.pop(path, None)
            self._size_bytes -= len(old.data) if old else 0
            if len(kept.data) > CAPACITY_BYTES:
                return
            self._kept[path] = kept
            self._size_bytes += len(kept.data)
            while self._size_bytes > CAPACITY_BYTES:
                self._size_bytes -= len(self._kept.popitem(last=False)[1].data)

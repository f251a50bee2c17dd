"""Every operation on the file system, so that a simulated file system can replace it."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, TypeVar
from weakref import WeakSet

from persistent_collections.backends.forks import lock_across_forks
from persistent_collections.backends.holding import Held
from persistent_collections.backends.polling import pause_s

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(file: io.FileIO) -> None:
        """Do nothing: closing the file ends the lock."""
        del file
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: io.FileIO) -> None:
        """Release the lock of a file that is about to be closed.

        ``close`` forgets the descriptor before the system closes it, and lets other threads run meanwhile. If one of
        them forks then, the child has an unknown copy, which would keep the lock.
        """
        with suppress(ValueError):  # this process is a fork, which has closed it
            fcntl.flock(file, fcntl.LOCK_UN)


if sys.platform == "darwin":

    def _flush(descriptor: int) -> None:
        """Make the drive write its cache too: on this system, fsync doesn't."""
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:  # a volume, of a network mostly, that knows only fsync
            os.fsync(descriptor)
else:
    _flush = os.fsync

T = TypeVar("T")

# A flag that a system lacks is 0. O_NONBLOCK: opening a named pipe must not wait for its writer.
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_READ: Final = os.O_RDONLY | _NO_LINK | _BINARY | getattr(os, "O_NONBLOCK", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
_LOCK: Final = os.O_RDWR | os.O_CREAT | _NO_LINK | _BINARY | getattr(os, "O_NONBLOCK", 0)

_locks: Final[WeakSet[io.FileIO]] = WeakSet()
"""Files whose lock this process may hold.

The child of a fork closes its copies. Otherwise they would keep the lock until the child ends: a lock belongs to the
opened file, which both processes share.
"""

_opening: Final = lock_across_forks()
"""Held until an opened file is in ``_locks``, so that a fork never has an unknown copy."""


def _close_locks() -> None:
    for file in list(_locks):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_locks)


class Signature(NamedTuple):
    """A value that differs once a file has changed, if its times are not too recent."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


_signed: Final[Callable[[os.stat_result], tuple[int, int, int, int]]] = attrgetter(
    "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"
)
"""Return the parts of a file's signature."""


class Item(NamedTuple):
    """A file or directory in a directory."""

    name: str
    is_directory: bool
    size: int


class Files:
    """The real file system. A missing file is None or no item; every failure raises its ``OSError``.

    Attributes:
        patience_s: How long to retry if the system refuses because another process has the file open, as on Windows.
    """

    patience_s: ClassVar[float] = 1.0 if sys.platform == "win32" else 0.0

    def signature(self, path: Path) -> Signature | None:
        """Return the signature of a file, directory or symbolic link."""
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Signature(*_signed(status))

    def refuse_links(self, paths: Iterable[Path]) -> None:
        """Raise ``OSError`` if one of ``paths`` is a symbolic link."""
        for path in paths:
            if path.is_symlink():
                raise _is_link(path)

    def read(self, path: Path) -> tuple[bytes, Signature] | None:
        """Return the bytes of a file, no symbolic link, and the signature it had before they were read."""
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                raise _is_link(path)
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, "Not a file", str(path))
            file = self._patiently(partial(_open, path, _READ, "r"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        with file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, "Not a file", str(path))
            data = file.read(status.st_size + 1)  # which saves asking for the size again, and for the end
            if len(data) != status.st_size:  # another program writes it now
                data += file.read()
            return data, Signature(*_signed(status))

    def create(self, path: Path, data: bytes, *, sync: bool) -> None:
        """Make a new file that holds ``data``, on the disk when this returns if ``sync``."""
        with _open(path, _CREATE, "w") as file:
            written = 0
            while written < len(data):
                written += file.write(memoryview(data)[written:])
            if sync:
                _flush(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Put ``source`` in the place of ``target`` atomically (``os.replace``)."""
        self._patiently(partial(os.replace, source, target))

    def unlink(self, path: Path) -> None:
        """Delete a file that may be missing."""
        with suppress(FileNotFoundError):
            self._patiently(path.unlink)

    def is_directory(self, path: Path) -> bool:
        """Return whether ``path`` is a directory or a symbolic link to one."""
        return path.is_dir()

    def require_no_file(self, path: Path) -> None:
        """Raise ``OSError`` if ``path`` or a part of it exists and is not a directory."""
        with suppress(FileNotFoundError):
            if not stat.S_ISDIR(path.stat().st_mode):  # one look: another process may make the directory meanwhile
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))

    def make_directory(self, path: Path) -> bool:
        """Create a directory unless it exists, and return whether that was done.

        Raises:
            OSError: Another kind of file is in its place, or its parent is missing.
        """
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            path.mkdir(mode=0o700, exist_ok=True)
            return True
        if not stat.S_ISDIR(mode):
            self.refuse_links([path])
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        return False

    def remove_directory(self, path: Path) -> bool:
        """Remove a directory if it is empty, and return whether that was done."""
        try:
            path.rmdir()
        except OSError:
            return False
        return True

    def sync_directory(self, path: Path) -> None:
        """Return once the names in a directory are on the disk; do nothing for a deleted one, and on Windows."""
        if sys.platform == "win32":
            return
        descriptors: list[int] = []
        try:
            descriptors.extend(map(os.open, [path], [os.O_RDONLY]))
            _flush(descriptors[0])
        except FileNotFoundError:
            return
        finally:
            list(map(os.close, descriptors))

    def scan(self, path: Path) -> list[Item]:
        """Return the files and directories in a directory, except symbolic links and special files."""
        try:
            with os.scandir(path) as entries:
                return list(_items(entries))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def others(self, path: Path) -> list[str]:
        """Return the names of the symbolic links and special files in a directory."""
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
            return [entry.name for entry in entries if not _is_plain(entry)]
        return []

    def lock(self, path: Path, timeout_s: float, held: Held) -> bool:
        """Take the lock of ``path`` and note it in ``held``; return False if others hold it all the time.

        It excludes other processes and other callers in this one. The system releases it if the process is killed.

        Source: ``flock``, on Windows ``LockFile``.
        """
        begun_s = time.monotonic()
        while True:
            file = self._patiently(partial(_open_lock, path))
            held.extend((file.close, partial(_unlock, file)))  # the last one first
            while not _try_lock(file.fileno()):
                waited_s = time.monotonic() - begun_s
                if waited_s >= timeout_s:
                    return False
                time.sleep(pause_s(waited_s))
            if os.fstat(file.fileno()).st_nlink:  # otherwise the store was deleted meanwhile
                return True
            file.close()

    def _patiently(self, operation: Callable[[], T]) -> T:
        give_up = time.monotonic() + self.patience_s
        while True:
            try:
                return operation()
            except PermissionError:
                if time.monotonic() >= give_up:
                    raise
            time.sleep(0.01)


def _is_link(path: Path) -> OSError:
    return OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def _open(path: Path, flags: int, mode: str) -> io.FileIO:
    """Return an open file in one call of C functions, so that an exception leaks no descriptor.

    The built-in ``open`` does not exist any more while the interpreter exits.
    """
    return next(map(io.FileIO, map(os.open, [path], [flags], [0o600]), [mode]))


def _open_lock(path: Path) -> io.FileIO:
    """Return the open file of a lock, which a fork of this process closes in its child."""
    with _opening:
        file = _open(path, _LOCK, "r+")
        _locks.add(file)
        return file


def _items(entries: Iterator[os.DirEntry[str]]) -> Iterator[Item]:
    for entry in entries:
        with suppress(FileNotFoundError):
            if _is_plain(entry):
                is_directory = entry.is_dir(follow_symlinks=False)
                yield Item(entry.name, is_directory, entry.stat(follow_symlinks=False).st_size)


def _is_plain(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)

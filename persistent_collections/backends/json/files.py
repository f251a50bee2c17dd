"""Every operation on the file system, so that a simulated one can take its place."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, TypeVar

import filelock

if sys.platform == "darwin":
    import fcntl

    def _flush(descriptor: int) -> None:
        """Let the drive write its cache too, which fsync leaves out on this system."""
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:  # a volume, of a network mostly, that knows only fsync
            os.fsync(descriptor)
else:
    _flush = os.fsync

T = TypeVar("T")

LOCK_POLL_S: Final = 0.005

# What a system lacks is 0 there. O_NONBLOCK: opening a named pipe must not wait for its writer.
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_READ: Final = os.O_RDONLY | _NO_LINK | _BINARY | getattr(os, "O_NONBLOCK", 0)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY


class Signature(NamedTuple):
    """What differs once a file has changed, if its times are not too recent to tell."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        """Return the signature in ``status``."""
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Item(NamedTuple):
    """A file or directory in a directory."""

    name: str
    is_directory: bool
    size: int


class Files:
    """The real file system. What is missing is None or no item; every failure is the ``OSError`` it is.

    Attributes:
        patience_s: How long to try again where the system refuses because someone has the file open, as Windows does.
    """

    patience_s: ClassVar[float] = 1.0 if sys.platform == "win32" else 0.0

    def signature(self, path: Path) -> Signature | None:
        """Return the signature of a file, directory or symbolic link."""
        try:
            return Signature.of(path.lstat())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def refuse_link(self, path: Path) -> None:
        """Raise ``OSError`` if ``path`` is a symbolic link."""
        if path.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))

    def read(self, path: Path) -> tuple[bytes, Signature] | None:
        """Return the bytes of a file and the signature it had before they were read."""
        try:
            descriptor = self._patiently(lambda: os.open(path, _READ))
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, "Not a file", str(path))
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(), Signature.of(status)
        finally:
            os.close(descriptor)

    def create(self, path: Path, data: bytes, *, sync: bool) -> None:
        """Make a new file that holds ``data``, on the disk when this returns if ``sync``."""
        descriptor = os.open(path, _CREATE, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                _flush(file.fileno())

    def replace(self, source: Path, target: Path) -> None:
        """Put ``source`` in the place of ``target`` atomically (``os.replace``)."""
        self._patiently(lambda: source.replace(target))

    def unlink(self, path: Path) -> None:
        """Delete a file that may be missing."""
        with suppress(FileNotFoundError):
            self._patiently(path.unlink)

    def is_directory(self, path: Path) -> bool:
        """Say whether ``path`` is a directory or a symbolic link to one."""
        return path.is_dir()

    def make_directory(self, path: Path) -> bool:
        """Make a directory unless it is there, and say whether that was done.

        Raises:
            OSError: Something else is in its place, or what it lies in is missing.
        """
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            path.mkdir(mode=0o700, exist_ok=True)
            return True
        if not stat.S_ISDIR(mode):
            self.refuse_link(path)
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        return False

    def remove_directory(self, path: Path) -> bool:
        """Remove a directory if it is empty, and say whether that was done."""
        try:
            path.rmdir()
        except OSError:
            return False
        return True

    def sync_directory(self, path: Path) -> None:
        """Return when the names in a directory are on the disk; one that is gone has none, Windows offers no way."""
        if sys.platform == "win32":
            return
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            _flush(descriptor)
        finally:
            os.close(descriptor)

    def scan(self, path: Path) -> list[Item]:
        """Return the files and directories in a directory, symbolic links and all else left out."""
        try:
            with os.scandir(path) as entries:
                return list(_items(entries))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def lock(self, path: Path, timeout_s: float) -> AbstractContextManager[None]:
        """Return a context that holds the lock of ``path`` against everyone else, threads included.

        Source: ``filelock``, a lock object each time: one taken along through ``fork`` refuses to work.

        Raises:
            TimeoutError: On entering, someone else held it all the time.
        """
        return _locked(path, timeout_s)

    def _patiently(self, operation: Callable[[], T]) -> T:
        give_up = time.monotonic() + self.patience_s
        while True:
            try:
                return operation()
            except PermissionError:
                if time.monotonic() >= give_up:
                    raise
            time.sleep(0.01)


def _items(entries: Iterator[os.DirEntry[str]]) -> Iterator[Item]:
    for entry in entries:
        with suppress(FileNotFoundError):
            is_directory = entry.is_dir(follow_symlinks=False)
            if is_directory or entry.is_file(follow_symlinks=False):
                yield Item(entry.name, is_directory, entry.stat(follow_symlinks=False).st_size)


@contextmanager
def _locked(path: Path, timeout_s: float) -> Iterator[None]:
    # A lock that is only a file left lying is none (fallback_to_soft): it goes stale when its owner is killed.
    lock = filelock.FileLock(path, timeout_s, 0o600, poll_interval=LOCK_POLL_S, fallback_to_soft=False)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()

"""Turns the operating system's errors into this package's."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from persistent_collections.backends.system import REMEDIES
from persistent_collections.errors import BackendError, CorruptDataError, OutcomeUnknown, PersistentCollectionsError

_DENIED: Final = "let this user read and write there, directories included"
_IN_THE_WAY: Final = "something else has the name of a file or directory of the store; move it away"
_NO_LOCKS: Final = (
    "this file system has no locks; some network file systems (NFS, SMB, sshfs) and shared folders have none: "
    "keep the store on a local disk, or mount it with locks"
)
_REMEDIES: Final = REMEDIES | {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOSYS: _NO_LOCKS,
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOTSUP: _NO_LOCKS,
    errno.EOPNOTSUPP: _NO_LOCKS,
}


@contextmanager
def translated(root: Path) -> Iterator[None]:
    """Turn an ``OSError`` into this package's error, which names its file or else ``root``.

    A name that the locale cannot encode counts as such an error.
    """
    try:
        yield
    except PersistentCollectionsError:  # BackendUnavailable and OutcomeUnknown are OSErrors as well
        raise
    except OSError as error:
        path = error.filename or root
        if error.errno == errno.ELOOP:
            raise CorruptDataError(
                f"{path} is a symbolic link, which the store does not follow; put the file or directory itself there"
            ) from error
        remedy = _REMEDIES.get(error.errno or 0)
        raise BackendError(f"{path}: {error.strerror or error}{f'; {remedy}' if remedy else ''}") from error
    except UnicodeEncodeError as error:
        raise not_named(error.object[error.start : error.end], root) from error


def not_named(text: str, root: Path) -> BackendError:
    """Return the error for a name that this process can't use for a file."""
    return BackendError(
        f"{root}: the locale's encoding, {sys.getfilesystemencoding()}, cannot encode {text!a} in the name of a file; "
        "set the environment variable PYTHONUTF8=1, or a UTF-8 locale"
    )


@contextmanager
def past_return(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` after the step that makes a write visible into ``OutcomeUnknown``."""
    try:
        yield
    except OSError as error:
        raise OutcomeUnknown(
            f"{error.filename or path}: {error.strerror or error}; the write was made, but the disk did not confirm "
            "all of it: check the disk, and read again what was written"
        ) from error


def corrupt(path: Path, message: str) -> CorruptDataError:
    """Return the error for a file with the wrong type."""
    return CorruptDataError(f"{path}{message}; the file was left as it is: correct it or move it away")

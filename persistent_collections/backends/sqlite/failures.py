"""Turns the errors of SQLite and of the operating system into this package's."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path
from typing import Final, NamedTuple

from persistent_collections.backends.system import REMEDIES
from persistent_collections.errors import (
    BackendError,
    BackendUnavailable,
    CorruptDataError,
    OutcomeUnknown,
    PersistentCollectionsError,
)


class _Failure(NamedTuple):
    kind: type[PersistentCollectionsError]
    remedy: str


_BUSY: Final = _Failure(
    BackendUnavailable, "nothing was done; another process kept it locked: try again, or raise 'busy_timeout_s'"
)
_DAMAGED: Final = _Failure(CorruptDataError, "try 'sqlite3 FILE .recover', or go back to a copy")
_DENIED: Final = _Failure(
    BackendError, "let this user read and write it and make files beside it, as SQLite does while it works"
)
_DENIED_OR_FULL: Final = _Failure(
    BackendError, f"{_DENIED.remedy}; if too many files are open at a time, allow more (ulimit -n)"
)
_FAILURES: Final = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_PROTOCOL: _BUSY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _Failure(
        CorruptDataError, "it was left as it is: choose another path for the store, or put a copy of it in its place"
    ),
    sqlite3.SQLITE_ERROR: _DAMAGED,  # a table or a column is missing
    sqlite3.SQLITE_CONSTRAINT: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _DENIED_OR_FULL,
    sqlite3.SQLITE_READONLY: _DENIED_OR_FULL,
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_FULL: _Failure(
        BackendError, "nothing was written; free some space on the disk: a deletion needs some too, for the log"
    ),
    sqlite3.SQLITE_IOERR: _Failure(BackendError, "nothing was written; check the disk and the space on it"),
    sqlite3.SQLITE_TOOBIG: _Failure(BackendError, "nothing was written; keep values as large as this in a file"),
}
_OTHER: Final = _Failure(BackendError, "nothing was done")


FOREIGN: Final = (sqlite3.Error, OSError, OverflowError, UnicodeDecodeError, struct.error)
"""Errors of other packages that an operation on a database may raise."""


def translated(error: Exception, path: Path) -> PersistentCollectionsError:
    """Return this package's error for one of ``FOREIGN``, raised by an operation on the database at ``path``."""
    if isinstance(error, sqlite3.Error):
        failure = _FAILURES.get(_code(error), _OTHER)
        return failure.kind(f"{path}: {error}; {failure.remedy}")
    if isinstance(error, OSError):
        remedy = REMEDIES.get(error.errno or 0, _DENIED.remedy)
        return BackendError(f"{error.filename or path}: {error.strerror or error}; {remedy}")
    if isinstance(error, OverflowError):  # raised by the sqlite3 module, before SQLite is called
        return BackendError(f"{path}: {error}; nothing was written; keep values as large as this in a file")
    return CorruptDataError(
        f"{path} holds names or an order of items that this package did not write; {_DAMAGED.remedy}"
    )


def outcome_of(error: Exception, path: Path) -> Exception:
    """Return the error for a failed commit; after a failure of the disk, the write may still be found after a crash."""
    if _code(error) != sqlite3.SQLITE_IOERR:
        return error
    return OutcomeUnknown(
        f"{path}: {error}; the write may or may not have been made: read it again, and check the disk"
    )


def is_busy(error: Exception) -> bool:
    """Return whether another process or thread had the database locked."""
    return isinstance(error, sqlite3.Error) and _FAILURES.get(_code(error)) is _BUSY


def is_full(error: Exception) -> bool:
    """Return whether the disk had no room for a write."""
    return _code(error) == sqlite3.SQLITE_FULL


def _code(error: Exception) -> int:
    """Return the primary result code, 0 where the ``sqlite3`` module itself raised ``error``."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF

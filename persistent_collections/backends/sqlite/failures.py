"""The border at which the errors of SQLite and of the operating system become this package's."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

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
_DAMAGED: Final = _Failure(CorruptDataError, "see what 'sqlite3 FILE .recover' gets out of it, or go back to a copy")
_DENIED: Final = _Failure(
    BackendError, "let this user read and write it and make files beside it, as SQLite does while it works"
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
    sqlite3.SQLITE_CANTOPEN: _DENIED,
    sqlite3.SQLITE_READONLY: _DENIED,
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_FULL: _Failure(BackendError, "nothing was written; free some space"),
    sqlite3.SQLITE_IOERR: _Failure(BackendError, "nothing was written; check the disk and the space on it"),
    sqlite3.SQLITE_TOOBIG: _Failure(BackendError, "nothing was written; keep what is as large as this in a file"),
}
_OTHER: Final = _Failure(BackendError, "nothing was done")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the database at ``path`` into this package's errors."""
    try:
        yield
    except PersistentCollectionsError:  # BackendUnavailable and OutcomeUnknown are OSErrors as well
        raise
    except sqlite3.Error as error:
        failure = _FAILURES.get(_code(error), _OTHER)
        raise failure.kind(f"{path}: {error}; {failure.remedy}") from error
    except OSError as error:
        raise BackendError(f"{error.filename or path}: {error.strerror or error}; {_DENIED.remedy}") from error
    except OverflowError as error:  # of the sqlite3 module, before SQLite itself is asked
        raise BackendError(f"{path}: {error}; nothing was written; keep what is as large as this in a file") from error
    except (UnicodeDecodeError, struct.error) as error:
        raise CorruptDataError(
            f"{path} holds names or an order of items that this package did not write; {_DAMAGED.remedy}"
        ) from error


@contextmanager
def past_return(path: Path) -> Iterator[None]:
    """Turn a failure of the disk, where what was written may be found after a crash, into ``OutcomeUnknown``."""
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) != sqlite3.SQLITE_IOERR:
            raise
        raise OutcomeUnknown(
            f"{path}: {error}; the write may or may not have been made: read it again, and check the disk"
        ) from error


def is_busy(error: sqlite3.Error) -> bool:
    """Say whether someone else had the database locked."""
    return _code(error) == sqlite3.SQLITE_BUSY


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code, 0 where the ``sqlite3`` module itself raised ``error``."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF

"""Remedies of the operating system's errors, for stores on a disk."""

from __future__ import annotations

import errno
from typing import Final

_FULL: Final = "nothing was written; free some space: a deletion mostly needs some too"
_TOO_MANY: Final = "raise the number of files that may be open at a time (ulimit -n)"

REMEDIES: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "nothing was written; raise the size that a file may have (ulimit -f)",
    errno.EMFILE: _TOO_MANY,
    errno.ENFILE: _TOO_MANY,
    errno.EROFS: "the file system is read-only; copy the store to one that can be written",
    errno.ENAMETOOLONG: "choose a shorter path for the store",
}
"""What to do about an error, by its number."""

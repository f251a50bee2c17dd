"""The user's line that led to a warning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_NOT_THE_USER: Final = (str(Path(__file__).parent), "<frozen ")
"""The starts of the names of files that hold no line of the user."""


def stacklevel() -> int:
    """Return the ``stacklevel``, for the caller's warning, of the line outside this package that led here."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_USER):
        level, frame = level + 1, frame.f_back
    return level

"""Integers as stores count with them: decimal digits of signed 64-bit numbers."""

from __future__ import annotations

import re
from typing import Final

_DIGITS: Final = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_INT64: Final = range(-(2**63), 2**63)


def add(digits: bytes, by: int) -> int | None:
    """Return the sum; None if ``digits`` or the sum are not a signed 64-bit integer."""
    if not _DIGITS.fullmatch(digits) or int(digits) not in _INT64:
        return None
    total = int(digits) + by
    return total if total in _INT64 else None

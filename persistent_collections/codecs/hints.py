"""What bytes that a codec cannot read look like, so that the error can say which codec may have written them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec


def _is_json(data: bytes) -> bool:
    return _reads(msgspec.json.decode, data)


def _is_msgpack(data: bytes) -> bool:
    return _reads(msgspec.msgpack.decode, data)


def _is_text(data: bytes) -> bool:
    return _reads(bytes.decode, data)


def _reads(decode: Callable[[bytes], object], data: bytes) -> bool:
    try:
        decode(data)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return False
    return True


BCRYPT_FORM: Final = r"(?:bcrypt_sha256\$)?\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}"
"""The pattern of what the codec ``bcrypt`` writes, for those who do without the package of that name."""

_LOOKS: Final[tuple[tuple[str, Callable[[bytes], object]], ...]] = (
    ("bcrypt", re.compile(rb"(bcrypt_sha256\$)?\$2[abxy]\$").match),
    ("encrypted", re.compile(rb"gAAAAA").match),
    ("compressed", re.compile(rb"\x78[\x01\x5e\x9c\xda]").match),
    ("json", _is_json),
    ("str", _is_text),
    ("msgpack", _is_msgpack),
)


def reason(error: Exception) -> str:
    """Return what a parser found wrong, never what it found: msgspec's own texts alone name but types and positions."""
    return str(error) if isinstance(error, msgspec.DecodeError) else type(error).__name__


def looks_like(data: bytes, codec: str) -> str:
    """Return the end of an error's sentence: which other codec than ``codec`` may have written ``data``, if any."""
    name = next((name for name, matches in _LOOKS if matches(data)), None) if data else None
    return f"; it looks like data of the codec {name!r}" if name not in (None, codec) else ""

"""The appearance of bytes that a codec can't read, so that the error can name the codec that may have written them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from persistent_collections.codecs.hashes import HASH_START


def _is_json(data: bytes) -> bool:
    return _reads(msgspec.json.decode, data)


def _is_msgpack(data: bytes) -> bool:
    return _reads(msgspec.msgpack.decode, data)


def _is_text(data: bytes) -> bool:
    return _reads(bytes.decode, data)


def _reads(decode: Callable[[bytes], object], data: bytes) -> bool:
    try:
        decode(data)
    except (ValueError, TypeError, msgspec.MsgspecError, RecursionError):
        return False
    return True


_LOOKS: Final[tuple[tuple[str, Callable[[bytes], object]], ...]] = (
    ("bcrypt", re.compile(HASH_START.encode()).match),
    ("encrypted", re.compile(rb"gAAAAA").match),
    ("compressed", re.compile(rb"\x78[\x01\x5e\x9c\xda]").match),
    ("json", _is_json),
    ("str", _is_text),
    ("msgpack", _is_msgpack),
)

_WORDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (RecursionError, "nested too deeply"),
    (UnicodeEncodeError, "half a surrogate pair"),
)


def reason(error: Exception, data: bytes) -> str:
    """Return the kind of fault that a parser of text found in ``data``, never the content.

    Only msgspec's texts are passed on: they name types and positions, never values.
    """
    if not _is_text(data):
        return "not UTF-8"
    if isinstance(error, msgspec.DecodeError):
        return str(error)
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "malformed")


def looks_like(data: bytes, codec: str) -> str:
    """Return the end of an error's sentence: which other codec than ``codec`` may have written ``data``, if any."""
    name = next((name for name, matches in _LOOKS if matches(data)), None) if data else None
    return f"; it looks like data of the codec {name!r}" if name not in (None, codec) else ""

"""Stored values as text for a terminal, without secrets and control characters."""

from __future__ import annotations

import json
import re
import unicodedata
from base64 import b64decode
from typing import Any, Final

from persistent_collections.codecs.hashes import HASH_FORM

REDACTED: Final = "[redacted]"
_HASH: Final = re.compile(HASH_FORM)
_URL_PASSWORD: Final = re.compile(r"(://(?!user:password@)[^\s/@:]*:)[^\s/]*(@)|(?<=password=)[^\s&'\"]+")
_HASH_SIZE: Final = 60


def clean(text: str) -> str:
    """Return ``text`` for the terminal.

    Hashes of passwords and passwords in URLs are redacted. Every invisible character is escaped as Python does it.
    """
    shown = _URL_PASSWORD.sub(rf"\1{REDACTED}\2", _HASH.sub(REDACTED, text))
    return "".join(c if _is_seen(c) else c.encode("unicode_escape").decode() for c in shown)


def as_json(value: Any) -> str:
    """Return the JSON of a plain value, in one line, cleaned by :func:`clean`."""
    text = json.dumps(redacted(value), ensure_ascii=False)
    return "".join(c if _is_seen(c) else json.dumps(c)[1:-1] for c in text)


def cell(value: Any) -> str:
    """Return a plain value for a table: a text unchanged, None as empty, else JSON."""
    return "" if value is None else clean(redacted(value)) if isinstance(value, str) else as_json(value)


def redacted(value: Any) -> Any:
    """Return a plain JSON value with every hash of a password in it redacted, in base64 too."""
    match value:
        case str():
            return REDACTED if _hides_hash(value) else _HASH.sub(REDACTED, value)
        case list():
            return [redacted(item) for item in value]
        case dict():
            return {_HASH.sub(REDACTED, key): redacted(item) for key, item in value.items()}
    return value


def _hides_hash(text: str) -> bool:
    if len(text) < _HASH_SIZE:
        return False
    try:
        return _HASH.search(b64decode(text, validate=True).decode("latin-1")) is not None
    except ValueError:
        return False


def _is_seen(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"

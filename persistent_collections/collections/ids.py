"""The ids of objects and how they are quoted in keys."""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64encode
from typing import Final
from uuid import UUID

_RESERVED: Final = {"%": "%25", ":": "%3A", "{": "%7B", "}": "%7D"}
_QUOTE: Final = str.maketrans(_RESERVED)
_has_signs: Final = re.compile("[%:{}]").search
"""Few ids have any of the signs, and looking takes a tenth of quoting."""


def id_or_random(id: object) -> str:
    """Return ``id`` as it is kept; a random one for None."""
    return _random() if id is None else check_id(id)


def _random() -> str:
    """Return 12 random characters. The first is a letter or a digit, so that no shell reads it as an option."""
    while (drawn := urlsafe_b64encode(os.urandom(9)).decode())[0] in "-_":
        pass
    return drawn


def check_id(id: object) -> str:
    """Return ``id`` as it is kept.

    Raises:
        TypeError: It is neither a ``str`` nor an ``int``.
        ValueError: It is empty or holds a lone surrogate.
    """
    if isinstance(id, int) and not isinstance(id, bool):
        return str(int(id))
    if isinstance(id, UUID):
        raise TypeError("an id is a str or an int, not UUID; give its text, such as str(uuid4())")
    if not isinstance(id, str):
        raise TypeError(
            f"an id is a str or an int, not {type(id).__name__}; content goes after it: (id, items), "
            "and fields by name: (id, name=…)"
        )
    if not id:
        raise ValueError("an id cannot be empty; leave it out for a random one")
    try:
        id.encode()
    except UnicodeEncodeError:
        raise ValueError("an id cannot contain lone surrogates, which UTF-8 cannot hold; replace them") from None
    return str.__str__(id)


def check_name(kind: str, name: str) -> str:
    """Return ``name`` if it can be part of a key.

    Raises:
        TypeError: It is empty or holds a character that keys need.
    """
    if not name or _RESERVED.keys() & set(name):
        raise TypeError(f"the {kind} name {name!r} holds one of ':', '%', '{{', '}}', which keys need; choose another")
    return name


def quote_id(id: str) -> str:
    """Return ``id`` as it is written in a key."""
    return id.translate(_QUOTE) if _has_signs(id) else id


def unquote_id(quoted: str) -> str | None:
    """Return the id that is quoted so, None if none is."""
    if not _has_signs(quoted):
        return quoted
    text = quoted
    for character, code in reversed(_RESERVED.items()):
        text = text.replace(code, character)
    return text if text.translate(_QUOTE) == quoted else None

"""Names, fields and members as the bytes they are in SQLite, whose order is theirs; many numbers as one parameter."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


def encode(text: str) -> bytes:
    """Return ``text`` as UTF-8, half a surrogate pair as the three bytes it would have."""
    return text.encode("utf-8", "surrogatepass")


def decode(name: bytes) -> str:
    """Return the text that ``name`` was encoded from."""
    return name.decode("utf-8", "surrogatepass")


def as_array(numbers: Iterable[int]) -> str:
    """Return ``numbers`` as SQLite's ``json_each`` takes them."""
    return msgspec.json.encode(list(numbers)).decode()

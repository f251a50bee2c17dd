"""The last part popped from an object, which then no longer exists, with the object's remaining time."""

from __future__ import annotations

from typing import Any, TypeVar

P = TypeVar("P")


class LastData(bytes):
    """The bytes of the last part of an object that had a deadline.

    Attributes:
        ttl_s: How long the object had left, in seconds.
    """

    ttl_s: float


class LastText(str):
    """The last member of a set that had a deadline.

    Attributes:
        ttl_s: How long the object had left, in seconds.
    """

    __slots__ = ("ttl_s",)

    ttl_s: float


def last_part(part: P, ttl_s: float) -> P | Any:
    """Return a popped part with the remaining time of its object; a store's ``pop`` returns it for the last part.

    ::

        part = last_part(b"1", 60.0)
        assert (part, part.ttl_s) == (b"1", 60.0)

    Args:
        part: Bytes, a text, or a pair of a field and bytes.
        ttl_s: The time in seconds.
    """
    if isinstance(part, tuple):
        field, data = part
        return field, last_part(data, ttl_s)
    marked: Any = LastData(part) if isinstance(part, bytes) else LastText(part)
    marked.ttl_s = ttl_s
    return marked


def ttl_of(part: bytes | str) -> float | None:
    """Return the remaining time of a popped part's object, None if it still exists or had no deadline."""
    return part.ttl_s if isinstance(part, LastData | LastText) else None

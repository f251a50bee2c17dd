"""Deadlines as callers give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def seconds_ahead(expire: float | timedelta | datetime | None) -> float | None:
    """Return the seconds until the deadline that a write sets, None if it sets none.

    Raises:
        TypeError: As for :func:`seconds_until`.
        ValueError: As for :func:`seconds_until`, or the deadline has passed.
    """
    if expire is None:
        return None
    seconds = seconds_until(expire)
    if seconds <= 0:
        raise ValueError("expire= is not in the future, so nothing was written; to remove an object, delete() it")
    return seconds


def seconds_until(when: float | timedelta | datetime) -> float:
    """Return the seconds until a deadline.

    Raises:
        TypeError: It is not a number, a ``timedelta`` or a ``datetime``.
        ValueError: A ``datetime`` is naive, or a number is not finite or too large for a ``timedelta``.
    """
    if isinstance(when, datetime):
        if when.utcoffset() is None:
            raise ValueError("a deadline is an aware datetime; give it a tzinfo")
        return (when - datetime.now(UTC)).total_seconds()
    if isinstance(when, timedelta):
        return when.total_seconds()
    if isinstance(when, bool) or not isinstance(when, int | float):
        raise TypeError(f"a deadline is seconds, a timedelta or an aware datetime, not {type(when).__name__}")
    try:
        return timedelta(seconds=when).total_seconds()
    except (OverflowError, ValueError):
        raise ValueError("a deadline must fit into a timedelta; persist() removes one") from None

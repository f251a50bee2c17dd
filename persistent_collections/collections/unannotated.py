"""FastAPI's treatment of values without an annotation: it makes a ``dict`` of each, or shows its attributes."""

from __future__ import annotations

import sys


def is_asked_by_fastapi() -> bool:
    """Return whether the caller's caller is FastAPI, which makes a ``dict`` of a value without an annotation."""
    return sys._getframe(2).f_globals.get("__name__") == "fastapi.encoders"


def refuse_unannotated(what: str) -> None:
    """Refuse conversion to a ``dict`` by FastAPI; the caller's class has no ``__dict__``, which it would show instead.

    Args:
        what: The value to show, in words.

    Raises:
        TypeError: FastAPI is the caller's caller.
    """
    if sys._getframe(2).f_globals.get("__name__") == "fastapi.encoders":
        raise unannotated(what)


def unannotated(what: str) -> TypeError:
    """Return the error that FastAPI can't show ``what`` because it has no annotation."""
    return TypeError(
        f"FastAPI cannot know how to show {what}; annotate what the endpoint returns, such as '-> list[User]', or "
        "return list(…) of it"
    )

"""Steps that may be sent again, since the server keeps a token of each step that it has made."""

from __future__ import annotations

from typing import Final, NamedTuple

from persistent_collections.backends.redis.executor import Server
from persistent_collections.backends.redis.failures import Subject

_KEPT_S: Final = 60.0
_KEEPS: Final = (b"maxmemory:0", b"maxmemory_policy:noeviction")


class Once(NamedTuple):
    """How a step is made only once, however often it is sent.

    Attributes:
        token: The name of its token.
        repeatable: Whether it may be sent again after a reply was lost.
    """

    token: bytes
    repeatable: bool


def kept_ms(retry_for_s: float) -> int:
    """Return for how many milliseconds a token is kept: twice as long as attempts may take."""
    return round(1000 * max(2 * retry_for_s, _KEPT_S))


def keeps_all(server: Server) -> bool:
    """Return whether a server evicts nothing, so that a missing token was never set."""
    told = server.ask(Subject("INFO"), ("INFO", "memory"), repeatable=True)
    lines = (told if isinstance(told, bytes) else str(told).encode()).split()
    return any(line in lines for line in _KEEPS)

"""What processes do that compete for unique values; in a module of its own, which they import."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from persistent_collections import Backend, NotUnique, Record, connect, unique


class Claim(Record):
    value: Annotated[str, unique]
    worker: int = 0


def claim(backend: Backend, worker: int, values: int) -> int:
    """Make a record of each of some values, and return for how many this was the first."""
    won = 0
    for number in range(values):
        with suppress(NotUnique):
            Claim.create(f"{worker}-{number}", value=str(number), worker=worker, backend=backend)
            won += 1
    return won


def claim_at(url: str, worker: int, values: int) -> int:
    """Do as :func:`claim` does, in the store of a URL."""
    with connect(url) as backend:
        return claim(backend, worker, values)

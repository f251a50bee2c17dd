"""Take locks such that an exception at any moment leaves none locked.

A signal handler may raise between any two instructions of Python, so nothing may happen between taking a lock and
noting how to release it, nor between releasing it and forgetting it. Each pair is one call of a C function, which no
signal handler interrupts.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable
from itertools import compress, repeat
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Held: TypeAlias = list[Callable[[], object]]
"""Functions that release resources, in the order of acquisition."""


def holding(work: Callable[[Held], T]) -> T:
    """Return ``work(held)``, and release the resources noted in ``held``, the last first, whatever happens."""
    held: Held = []
    try:
        try:
            return work(held)
        finally:
            _release(held)
    finally:  # if an exception arrived within the first
        _release(held)


def take(held: Held, acquire: Callable[[], object], release: Callable[[], object]) -> bool:
    """Note ``release`` if ``acquire`` returns something true, and return whether it did; both must be C functions."""
    before = len(held)
    held.extend(compress([release], map(operator.call, [acquire])))
    return len(held) > before


def _release(held: Held) -> None:
    deque(map(operator.call, map(held.pop, repeat(-1, len(held)))), 0)

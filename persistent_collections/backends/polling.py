"""The time between two attempts to take a lock that has no queue."""

from __future__ import annotations

from math import exp2
from typing import Final

_FIRST_S: Final = 0.0015
_HALVING_S: Final = 0.010
_LEAST_S: Final = 0.0002


def pause_s(waited_s: float) -> float:
    """Return how long a process that has waited for ``waited_s`` waits until its next attempt.

    A busy writer takes its lock again within microseconds, so most attempts fail. The longer a process has waited, the
    more often it tries, so that no other one takes the lock again and again.

    ::

        assert pause_s(0) > pause_s(0.02) > pause_s(1) == pause_s(2)
    """
    return max(_FIRST_S * exp2(-waited_s / _HALVING_S), _LEAST_S)

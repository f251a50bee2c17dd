"""The time between two attempts to take a lock."""

from __future__ import annotations

from itertools import pairwise

from persistent_collections.backends.polling import pause_s


def test_who_waits_longer_tries_more_often_and_never_without_a_pause() -> None:
    pauses = [pause_s(waited_s) for waited_s in (0, 0.005, 0.01, 0.02)]
    assert all(later < earlier for earlier, later in pairwise(pauses))
    assert pauses[-1] > pause_s(1) == pause_s(1e9) > 0

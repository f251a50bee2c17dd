"""An operation asks the clock once, so that what vanishes at one moment is there or gone as a whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Exists, Replace, SetDeadline
from persistent_collections.backends.keys import Key

RECORD = Key("User:luke")
FAMILY = [RECORD, *(Key(RECORD.root, f"child {number}") for number in range(3))]
GONE: list[Callable[[Backend], object]] = [
    lambda store: [entry is not None for entry in store.snapshot(FAMILY)],
    lambda store: [store.commit([Exists(FAMILY[0]), Exists(key, expected=False)], []) for key in FAMILY[1:]],
    lambda store: [store.commit([Exists(FAMILY[0], expected=False), Exists(key)], []) for key in FAMILY[1:]],
]


@pytest.mark.parametrize("store_kind", ["memory", "json", "sqlite"])
@pytest.mark.parametrize("look", GONE, ids=["snapshot", "owner without child", "child without owner"])
def test_what_vanishes_at_one_moment_is_seen_as_a_whole(
    backend: Backend, look: Callable[[Backend], list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.commit([], [Replace(RECORD, {"f": b"1"}), *(Replace(key, [b"1"]) for key in FAMILY[1:])])
    now, ticks = time.time(), count(1)
    monkeypatch.setattr(time, "time", lambda: now + next(ticks) / 1000)  # each look at the clock takes a millisecond
    seen = set()
    for ttl_s in (0.0015, 0.0025, 0.0035, 0.0045, 0.0055, 0.0105, 1000):
        backend.commit([], [SetDeadline(key, None) for key in FAMILY])
        backend.commit([], [SetDeadline(key, ttl_s) for key in FAMILY])
        found = look(backend)
        assert len(set(found)) == 1
        seen.update(found)
        if not backend.snapshot([RECORD])[0]:
            backend.commit([], [Replace(RECORD, {"f": b"1"}), *(Replace(key, [b"1"]) for key in FAMILY[1:])])
    assert seen == ({True, False} if look is GONE[0] else {False})

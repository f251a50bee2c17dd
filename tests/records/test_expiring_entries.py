"""Sessions that expire leave no more than as many entries in indexes as there are sessions."""

from __future__ import annotations

import time
from random import Random
from typing import Annotated

import pytest

from persistent_collections import Backend, Record, indexed, unique
from persistent_collections.backends.redis import claims
from persistent_collections.records.reindexing import indexed_of

pytestmark = pytest.mark.parametrize("store_kind", ["sqlite", "server", "fakeredis", "cluster"])

LIFE_S = 1.0
EACH_SECOND = 150


class ShortVisit(Record, indexes=[("page", "token")]):
    token: Annotated[str, unique]
    page: Annotated[int, indexed] = 0
    user: Annotated[str, indexed] = "x"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.proof)])
def test_sessions_leave_at_most_twice_as_many_entries(
    backend: Backend, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "WINDOW_US", 50_000)  # on a cluster entries stay for ten minutes
    monkeypatch.setattr(claims, "MARGIN_US", 0)
    indexing = indexed_of(ShortVisit.__pc__, backend).indexing
    index, random = backend.index(indexing), Random(1)
    number, alive, entries = 0, list[int](), list[int]()
    while number < seconds * EACH_SECOND:
        for _ in range(EACH_SECOND // 10):
            number += 1
            ShortVisit.create(token=str(number), page=random.randrange(20), expire=LIFE_S, backend=backend)
        alive.append(ShortVisit.count(backend=backend))
        entries.append(max(len(list(index.entries(each.name))) for each in indexing.indexes))
        time.sleep(0.1)
    assert number > 4 * max(alive), "most have expired"
    assert sum(entries) <= 2 * sum(alive), (number, alive, entries)

"""A unique value has one record, however many processes want it."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from persistent_collections import Backend
from tests.records.claiming import Claim, claim, claim_at


def require_one_each(backend: Backend, values: int) -> None:
    found = [row["value"] for row in Claim.all(backend=backend).fetch("value")]
    assert sorted(found, key=int) == [str(number) for number in range(values)], "one record for each value"
    for number in range(values):
        assert Claim.find(value=str(number), backend=backend).one()


def test_threads_of_one_process(backend: Backend) -> None:
    with ThreadPoolExecutor(3) as pool:
        won = pool.map(lambda worker: claim(backend, worker, 10), range(3))
    assert sum(won) == 10
    require_one_each(backend, 10)


@pytest.mark.slow
def test_six_processes_and_150_values(backend: Backend) -> None:
    if backend.in_process:
        pytest.skip("no other process reaches it")
    with ProcessPoolExecutor(6, mp_context=get_context("spawn")) as pool:
        won = pool.map(claim_at, [backend.url] * 6, range(6), [150] * 6)
        assert sum(won) == 150
    require_one_each(backend, 150)

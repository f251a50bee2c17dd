"""Histories of six workers, checked for anything that no order of their transactions explains.

``--log-cli-level=INFO`` shows how many transactions there were, and what became of them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from persistent_collections import Backend, use_backend
from persistent_collections.backends import Change, Condition, MemoryBackend, WrappedBackend
from tests.proxy import LosingProxy, running
from tests.servers import RunningServer
from tests.transactions.gang import run, run_threads
from tests.transactions.histories import Transaction, anomalies
from tests.transactions.workload import append_and_read, history

LOG: Final = logging.getLogger(__name__)
IN_PROCESS: Final = ["memory", "fakeredis"]
OTHERS: Final = ["json", "sqlite", "server", "sentinel"]

long: Final = pytest.param(2500, 30, marks=pytest.mark.proof, id="long")
"""With the seven cases below that have it, 105,000 transactions."""


def check(transactions: Sequence[Transaction], least: int) -> Counter[str]:
    """Check a history, and return how many of its transactions had which outcome."""
    outcomes = Counter(str(each.outcome) for each in transactions)
    LOG.info("%d transactions: %s", len(transactions), dict(outcomes))
    assert outcomes["committed"] >= least
    assert anomalies(transactions) == []
    return outcomes


@pytest.mark.parametrize(("times", "kills"), [pytest.param(50, 0, id="short"), long])
@pytest.mark.parametrize("store_kind", IN_PROCESS)
def test_threads_work_as_if_one_after_the_other(store: Backend, tmp_path: Path, times: int, kills: int) -> None:
    run_threads(store, tmp_path, append_and_read, times)
    outcomes = check(history(tmp_path), 6 * times)
    assert outcomes["failed"], "they did not meet"


@pytest.mark.slow
@pytest.mark.parametrize(("times", "kills"), [pytest.param(30, 3, id="short"), long])
@pytest.mark.parametrize("store_kind", OTHERS)
def test_processes_that_stall_and_are_killed_work_as_if_one_after_the_other(
    store: Backend, store_kind: str, request: pytest.FixtureRequest, tmp_path: Path, *, times: int, kills: int
) -> None:
    stall = request.getfixturevalue("server").stalled if store_kind == "server" else None
    (tmp_path / "logs").mkdir()
    run(store, tmp_path / "logs", append_and_read, times, kills=kills, stall=stall)
    check(history(tmp_path / "logs"), 6 * times)


@pytest.mark.slow
@pytest.mark.store("server")
@pytest.mark.parametrize(("times", "kills"), [pytest.param(30, 3, id="short"), long])
@pytest.mark.parametrize("store_kind", ["server"])
def test_processes_that_lose_replies_work_as_if_one_after_the_other(
    store: Backend, server: RunningServer, tmp_path: Path, times: int, kills: int
) -> None:
    with ExitStack() as stack:
        proxies = [stack.enter_context(running(LosingProxy(server.port))) for _ in range(6)]
        urls = [f"redis://127.0.0.1:{proxy.port}/0" for proxy in proxies]
        run(store, tmp_path, append_and_read, times, kills=kills, urls=urls)
        assert all(proxy.lost for proxy in proxies)
    check(history(tmp_path), 6 * times)


class ForgettingBackend(WrappedBackend):
    """Leaves conditions out of commits.

    Args:
        backend: The store.
        forget: Returns those that are left of some.
    """

    def __init__(self, backend: Backend, forget: Callable[[Sequence[Condition]], Sequence[Condition]]) -> None:
        super().__init__(backend)
        self._forget = forget

    def commit_once(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        return self.wrapped.commit_once(self._forget(conditions), changes)


@pytest.mark.parametrize(
    "forget",
    [lambda _: [], lambda conditions: conditions[1:], lambda conditions: conditions[:-1]],
    ids=["all", "the first", "the last"],
)
def test_a_commit_that_forgets_conditions_is_found(
    tmp_path: Path, forget: Callable[[Sequence[Condition]], Sequence[Condition]]
) -> None:
    backend: Any = ForgettingBackend(MemoryBackend(), forget)
    with use_backend(backend):
        run_threads(backend, tmp_path, append_and_read, 100)
        found = anomalies(history(tmp_path))
    LOG.info("%s", Counter(each.kind for each in found))
    assert {each.kind for each in found} & {"lost", "incompatible order", "G-single", "G2"}

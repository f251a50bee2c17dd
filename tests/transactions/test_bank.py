"""Six workers at one bank: no amount is lost or made, and nobody waits for ever.

``--log-cli-level=INFO`` shows how long the transactions took, beside operations outside of any.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from persistent_collections import (
    Backend,
)
from tests.transactions.bank import START, Account, Doctor, go_or_come, work_in_bank, work_in_hospital
from tests.transactions.gang import WORKERS, events, run

LOG: Final = logging.getLogger(__name__)
STORES: Final = [
    "memory",
    "fakeredis",
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("json", "sqlite", "server", "sentinel")),
]

pytestmark = pytest.mark.parametrize("store_kind", STORES)


def written(folder: Path) -> dict[str, list[Any]]:
    """Return what all workers wrote down, by what it is."""
    found: dict[str, list[Any]] = {}
    for worker in range(WORKERS):
        for name, about in events(folder, worker):
            found.setdefault(name, []).append(about)
    return found


def show_times(name: str, times: list[float]) -> None:
    """Log the 50th, 99th and 100th percentile."""
    times.sort()
    at = [times[min(len(times) - 1, len(times) * percent // 100)] * 1000 for percent in (50, 99, 100)]
    LOG.info("%s: %.1f, %.1f and %.1f ms at the 50th, 99th and 100th percentile of %d", name, *at, len(times))


@pytest.mark.parametrize(
    ("times", "kills"), [pytest.param(15, 5, id="short"), pytest.param(300, 200, id="long", marks=pytest.mark.proof)]
)
@pytest.mark.parametrize("accounts", [2, 10])
def test_sums_and_logs_are_right_and_nobody_runs_out_of_attempts(
    store: Backend, tmp_path: Path, *, accounts: int, times: int, kills: int
) -> None:
    made = [Account.create(str(number)) for number in range(accounts)]
    folder = tmp_path / "logs"
    folder.mkdir()
    run(store, folder, work_in_bank, times, kills=kills)
    found = written(folder)
    assert "out of attempts" not in found
    assert {amount for amount, _ in found["sum"]} == {START * accounts}, "a reader saw a wrong sum"
    assert sum(account.balance for account in made) == START * accounts
    check_logs(made, {name for name, is_done, _ in found["transfer"] if is_done})
    show_times("transfers", [took for *_, took in found["transfer"]])
    show_times("sums", [took for _, took in found["sum"]])
    show_times("plain increments", found["plain"])


def check_logs(accounts: list[Account], acknowledged: set[str]) -> None:
    """Check that each balance is what its log says, and that each transfer is noted at two accounts, or at none."""
    notes: dict[str, list[int]] = {}
    for account in accounts:
        lines = [line.split() for line in account.log]
        assert account.balance == START + sum(int(amount) for amount, _ in lines)
        for amount, name in lines:
            notes.setdefault(name, []).append(int(amount))
    assert all(len(amounts) == 2 and sum(amounts) == 0 for amounts in notes.values())
    assert acknowledged <= notes.keys(), "an acknowledged transfer is lost"


@pytest.mark.parametrize("times", [30, pytest.param(1000, marks=pytest.mark.proof)])
def test_one_doctor_stays_on_call(store: Backend, tmp_path: Path, times: int) -> None:
    for name in ("a", "b"):
        Doctor.create(name)
    folder = tmp_path / "logs"
    folder.mkdir()
    run(store, folder, work_in_hospital, times)
    seen = Counter(written(folder)["on call"])
    assert seen.keys() == {1, 2}, f"so often so many were on call: {dict(seen)}"
    assert go_or_come("a", "b") in seen

"""The suites that use processes catch what they are there to catch."""

from __future__ import annotations

import pytest

from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite
from persistent_collections.testing.crashes import CrashSuite

pytest_plugins = ["pytester"]

SUITES = (BackendSuite, ContentionSuite, CrashSuite)
INCREMENTS = "test_no_increment_is_lost_and_no_sum_given_twice"
KILLS = "test_acknowledged_writes_outlive_a_kill_and_none_is_torn"
MODULE = """
import pytest
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite
from persistent_collections.testing.crashes import CrashSuite
from tests.testing.shelves import {kind}

class TestShelf(BackendSuite, ContentionSuite, CrashSuite):
    @pytest.fixture
    def backend(self, tmp_path):
        with {kind}(tmp_path / "shelf") as backend:
            yield backend
"""


def run_suites(pytester: pytest.Pytester, kind: str, tests: str) -> tuple[int, list[str]]:
    """Run some tests of the suites on a shelf; return how many passed, and the names of those that failed."""
    path = pytester.makepyfile(MODULE.format(kind=kind))
    markers = ("-o", "markers=slow: takes more than a few seconds")
    run = pytester.inline_run(path, "-k", tests, "-m", "not slow", *markers, "-p", "no:hypothesispytest", "-q")
    passed, skipped, failed = run.listoutcomes()
    assert not skipped
    return len(passed), [report.nodeid.rpartition("::")[2].partition("[")[0] for report in failed]


@pytest.mark.slow
def test_a_sound_store_of_several_processes_passes(pytester: pytest.Pytester) -> None:
    passed, failed = run_suites(pytester, "Shelf", f"{INCREMENTS} or {KILLS} or half or fork")
    assert not failed
    assert passed >= 10


@pytest.mark.slow
def test_a_store_without_a_lock_between_processes_is_caught(pytester: pytest.Pytester) -> None:
    assert run_suites(pytester, "UnlockedShelf", INCREMENTS) == (0, [INCREMENTS])


@pytest.mark.slow
def test_a_store_that_a_kill_tears_is_caught(pytester: pytest.Pytester) -> None:
    assert run_suites(pytester, "TornShelf", KILLS) == (0, [KILLS])


@pytest.mark.slow
def test_a_store_that_acknowledges_too_early_is_caught(pytester: pytest.Pytester) -> None:
    assert run_suites(pytester, "LateShelf", KILLS) == (0, [KILLS])


def test_no_suite_hides_a_test_of_another() -> None:
    parts = [part for suite in SUITES for part in (*suite.__bases__, suite)]
    names = [name for part in parts for name in vars(part) if name.startswith("test_")]
    assert sorted(names) == sorted(set(names))

"""The suites of stores and of transactions, each test on an event loop by the bridge."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from persistent_collections import Backend, connect
from persistent_collections.testing.backends.mappings import MappingTests
from persistent_collections.testing.transactions import TransactionSuite
from tests.backends import test_redis
from tests.conftest import SERVERS, Start

pytestmark = pytest.mark.any_store(*SERVERS)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.store(name)) for name in SERVERS])
def backend(request: pytest.FixtureRequest, start: Start) -> Iterator[Backend]:
    with connect(start(request.param).url) as backend:
        yield backend


@pytest.mark.bridged
class TestMappings(MappingTests):
    """The short form of the suite below."""

    @pytest.fixture
    def backend(self, start: Start) -> Iterator[Backend]:
        with connect(start("server").url) as backend:
            yield backend


@pytest.mark.bridged
@pytest.mark.slow
class TestRedisBackend(test_redis.TestRedisBackend):
    """On the real servers."""


@pytest.mark.bridged
@pytest.mark.slow
class TestTransactions(TransactionSuite):
    """On the real servers."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "names",
    [
        ["failures", "sentinel"],
        pytest.param(["claims", "cluster", "indexes", "objects", "outages", "owners"], marks=pytest.mark.proof),
    ],
    ids=["short", "long"],
)
def test_what_is_proved_of_the_blocking_store_holds_on_the_loop(names: list[str]) -> None:
    modules = [Path(test_redis.__file__).with_name(f"test_redis_{name}.py") for name in names]
    options = ["-q", "-p", "no:cacheprovider", "--bridge", "--stores=all", "-m", "not slow and not proof"]
    leaving_out = ["-k", "not interrupt"]  # of the thread of the event loop, which ends that
    command = [sys.executable, "-m", "pytest", *options, *leaving_out, *map(str, modules)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]

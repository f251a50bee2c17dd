"""Commits whose reply is lost, or whose server is: none is made twice, and none that was acknowledged is lost.

``--log-cli-level=INFO`` shows how many replies were lost.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Final, Self

import pytest

from persistent_collections import (
    Backend,
    BackendUnavailable,
    OutcomeUnknown,
    PersistentDict,
    PersistentList,
    connect,
    transactional,
    use_backend,
)
from tests.proxy import LosingProxy, running
from tests.servers import RunningServer, run_service, wait_until

LOG: Final = logging.getLogger(__name__)


@transactional
def note(number: int) -> None:
    """Count and note a number, in two objects."""
    PersistentDict[str, int]("counts").increment("all", 1)
    PersistentList[int]("notes").append(number)


class Notes:
    """What became of numbers that were noted.

    Attributes:
        acknowledged: Those that were said to be noted.
        unknown: Those of which it is not known.
    """

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.unknown: set[int] = set()

    def take(self, number: int) -> None:
        """Note one more."""
        try:
            note(number)
            self.acknowledged.append(number)
        except OutcomeUnknown:
            self.unknown.add(number)

    def check(self, backend: Backend) -> list[int]:
        """Check that each was noted and counted once or not at all, and return those that were."""
        noted = PersistentList[int]("notes", backend=backend)[:]
        assert PersistentDict[str, int]("counts", backend=backend)["all"] == len(noted)
        assert len(set(noted)) == len(noted), "a commit was made twice"
        assert {*noted} <= {*self.acknowledged} | self.unknown
        return noted


@pytest.mark.store("server")
@pytest.mark.parametrize("commits", [60, pytest.param(1000, marks=pytest.mark.proof)])
def test_no_commit_is_made_twice_or_lost_if_replies_are(server: RunningServer, commits: int) -> None:
    notes = Notes()
    with running(LosingProxy(server.port)) as proxy:
        with connect(f"redis://127.0.0.1:{proxy.port}/0") as backend, use_backend(backend):
            for number in range(commits):
                notes.take(number)
        LOG.info("%d replies lost; %d commits in doubt", proxy.lost, len(notes.unknown))
        assert proxy.lost >= commits // 4
    assert not notes.unknown, "the token of a commit says what became of it"
    with connect(server.url) as backend:
        assert {*notes.acknowledged} <= {*notes.check(backend)}, "a commit is lost"


class Noting(Notes):
    """A thread that notes numbers from its making to the end of the block."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self._backend = backend
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def wait(self, more: int) -> None:
        """Return when so many more were acknowledged."""
        enough = len(self.acknowledged) + more
        while (begun := len(self.acknowledged)) < enough:
            wait_until(partial(self._has_more_than, begun), "nothing was noted")

    def _has_more_than(self, number: int) -> bool:
        return len(self.acknowledged) > number

    def _run(self) -> None:
        with use_backend(self._backend):
            for number in count():
                if self._stop.is_set():
                    return
                with suppress(BackendUnavailable):
                    self.take(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.slow
@pytest.mark.store("sentinel")
@pytest.mark.parametrize("commits", [50, pytest.param(500, marks=pytest.mark.proof)])
def test_no_commit_is_made_twice_or_lost_by_a_failover(commits: int) -> None:
    with run_service() as service, connect(f"{service.url}?retry_for_s=30") as backend:
        with Noting(backend) as notes:
            notes.wait(commits)
            before = len(notes.acknowledged)
            with service.servers[0].client() as client:
                client.set("last", "1")
                assert client.wait(1, 5000) == 1
            service.servers[0].stop()
            PersistentList("other", backend=backend).append("the new master serves")
            after = len(notes.acknowledged)
            notes.wait(commits)
        noted = {*notes.check(backend)}
        LOG.info("%d commits acknowledged, %d in doubt", len(notes.acknowledged), len(notes.unknown))
        assert {*notes.acknowledged[:before]} <= noted, "the replica had it"
        assert {*notes.acknowledged[after:]} <= noted, "the new master acknowledged it"

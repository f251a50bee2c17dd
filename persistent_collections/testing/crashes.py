"""The suite that kills processes while they write."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import ClassVar, NamedTuple

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.testing import index_jobs
from persistent_collections.testing.backends.base import ttl
from persistent_collections.testing.jobs import KEY, WIDTH, fork_and_increment, write_until_killed

__all__ = ["CrashSuite"]


class CrashSuite:
    """Tests that acknowledged writes outlive their process, and others are stored as a whole or not at all.

    Use it for a store that outlives its process and whose backends also work in a fork: subclass it with the fixtures
    of :class:`~persistent_collections.testing.contention.ContentionSuite`. If the store is a server, the client is
    killed.

    ::

        class TestShelfCrashes(CrashSuite):
            @pytest.fixture
            def backend(self, tmp_path):
                with ShelfBackend(tmp_path / "shelf") as backend:
                    yield backend

    Attributes:
        kills: How many writers are killed.
        slow_kills: How many are killed in the test that is marked ``slow``.
    """

    kills: ClassVar[int] = 3
    slow_kills: ClassVar[int] = 12

    @pytest.fixture
    def backend_url(self, backend: Backend) -> str:
        """Return the URL by which another process reaches the store."""
        return backend.url

    def test_acknowledged_writes_outlive_a_kill_and_none_is_torn(self, backend: Backend, backend_url: str) -> None:
        for number in range(self.kills):
            self.kill_one(backend, backend_url, number)

    @pytest.mark.slow
    def test_acknowledged_writes_outlive_many_kills_and_none_is_torn(self, backend: Backend, backend_url: str) -> None:
        for number in range(self.kills, self.kills + self.slow_kills):
            self.kill_one(backend, backend_url, number)

    @pytest.mark.parametrize("kills", [2, pytest.param(8, marks=pytest.mark.slow)])
    def test_a_record_and_its_entries_outlive_a_kill_together(
        self, backend: Backend, backend_url: str, kills: int
    ) -> None:
        if backend.indexing == "none":
            pytest.skip("this store promises nothing about indexes")
        for number in range(kills):
            kill_writer(type(backend), backend_url, str(number), Plan.of(number), index_jobs.write_until_killed)
            time.sleep(index_jobs.LIFE_S)
            assert index_jobs.wrong_queries(backend) == []
            assert index_jobs.wrong_refusals(backend) == []

    @pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork")
    def test_a_backend_that_a_fork_inherits_goes_on_on_both_sides(self, backend: Backend, backend_url: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        process = spawn.Process(target=fork_and_increment, args=(type(backend), backend_url, 50))
        process.start()
        process.join()
        assert process.exitcode == 0, "the traceback is above"
        assert backend.mapping(KEY).get("n") == b"101", "neither side loses an update or takes the other's answer"

    def kill_one(self, backend: Backend, backend_url: str, seed: int) -> None:
        """Kill one writer somewhere in its work, and check the result."""
        root = f"Crashed:{seed}"
        last = kill_writer(type(backend), backend_url, root, Plan.of(seed))
        assert_whole(backend, root, last)


class Plan(NamedTuple):
    """The moment at which a writer is killed.

    Attributes:
        rounds: The number of rounds of its work before.
        delay_s: The delay after these, in seconds.
    """

    rounds: int
    delay_s: float

    @classmethod
    def of(cls, seed: int) -> Plan:
        """Return a plan at random, the same each time."""
        random = Random(seed)  # noqa: S311 - a moment to be hit again, not a secret
        return cls(random.randint(0, 15), random.uniform(0, 0.02))


def kill_writer(
    kind: type[Backend], url: str, what: str, plan: Plan, job: Callable[..., None] = write_until_killed
) -> int:
    """Kill a process that writes ``what``, and return the last round that was acknowledged."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    writer = spawn.Process(target=job, args=(kind, url, what, sender), daemon=True)
    writer.start()
    sender.close()
    last = -1
    with receiver, suppress(EOFError):
        while last < plan.rounds:
            last = receiver.recv()
        time.sleep(plan.delay_s)
        writer.kill()
        while True:
            last = receiver.recv()
    writer.join()
    assert last >= plan.rounds, "the writer ended by itself; its traceback is above"
    return last


def assert_whole(backend: Backend, root: str, last: int) -> None:
    """Check that all rounds up to ``last`` are stored, each write of the next wholly or not at all, and no others."""
    log, window, child = (_numbers(backend, Key(root, name)) for name in ("log", "window", "child"))
    fields, large = (backend.mapping(Key(root, name)).get_all() for name in ("fields", "large"))
    owner = backend.mapping(Key(root)).get_all()
    assert log == list(range(len(log))), "an acknowledged push is lost or repeated"
    assert window == [window[0]] * WIDTH, "a splice is torn"
    assert list(fields.values()) == [fields["0"]] * WIDTH, "a write of several fields is torn"
    assert large["large"] == b'"%s"' % (b"%08d" % int(large["n"]) * 40_000), "a large replacement is torn"
    assert child == [int(owner["n"])] * 3, "a step over several keys is torn"
    reached = {"push": len(log) - 1, "splice": window[0], "write of several fields": int(fields["0"])}
    reached |= {"replacement": int(large["n"]), "step over several keys": int(owner["n"])}
    for name, end in reached.items():
        assert end in (last, last + 1), f"round {last} of {name} was acknowledged, and {end} is the last that is there"
    assert_goes_on(backend, root, len(log))


def _numbers(backend: Backend, key: Key) -> list[int]:
    return list(map(int, backend.sequence(key).get_slice(slice(None))))


def assert_goes_on(backend: Backend, root: str, size: int) -> None:
    """Check that the deadlines exist, and that the store accepts another write after the ``size`` ones in its log."""
    deadlines = [ttl(backend, Key(root, name)) for name in (None, "child")]
    assert None not in deadlines, "an acknowledged deadline is lost"
    backend.sequence(Key(root, "log")).push_right([b"0"])
    assert backend.sequence(Key(root, "log")).size() == size + 1, "the store goes on taking writes"

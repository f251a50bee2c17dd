"""The suite that kills processes while they write."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import suppress
from random import Random
from typing import ClassVar

import pytest

from persistent_collections.backends.base import Backend, Key
from persistent_collections.testing.jobs import KEY, WIDTH, fork_and_increment, write_until_killed


class CrashSuite:
    """What was acknowledged outlives the process that wrote it, and what was not is there wholly or not at all.

    For a store that outlives its process, whose backends also go on in a fork: subclass it with the fixtures of
    :class:`~persistent_collections.testing.contention.ContentionSuite`. Of a server it is the client that is killed.

    Attributes:
        kills: How many writers are killed.
        slow_kills: How many in the test that is marked ``slow``.
    """

    kills: ClassVar[int] = 3
    slow_kills: ClassVar[int] = 25

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

    @pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork")
    def test_a_backend_that_a_fork_inherits_goes_on_on_both_sides(self, backend: Backend, backend_url: str) -> None:
        spawn = multiprocessing.get_context("spawn")
        process = spawn.Process(target=fork_and_increment, args=(type(backend), backend_url, 50))
        process.start()
        process.join()
        assert process.exitcode == 0, "the traceback is above"
        assert backend.mapping(KEY).get("n") == b"101", "neither side loses an update or takes the other's answer"

    def kill_one(self, backend: Backend, backend_url: str, seed: int) -> None:
        """Kill one writer somewhere in its work, and check what it leaves."""
        random = Random(seed)  # noqa: S311 - a moment to be hit again, not a secret
        root = f"Crashed:{seed}"
        last = kill_writer(type(backend), backend_url, root, random.randint(0, 15), random.uniform(0, 0.02))
        assert_whole(backend, root, last)


def kill_writer(kind: type[Backend], url: str, root: str, rounds: int, delay_s: float) -> int:
    """Kill a writer ``delay_s`` after a number of rounds, and return the last one that was acknowledged."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe(duplex=False)
    writer = spawn.Process(target=write_until_killed, args=(kind, url, root, sender), daemon=True)
    writer.start()
    sender.close()
    last = -1
    with receiver, suppress(EOFError):
        while last < rounds:
            last = receiver.recv()
        time.sleep(delay_s)
        writer.kill()
        while True:
            last = receiver.recv()
    writer.join()
    assert last >= rounds, "the writer ended by itself; its traceback is above"
    return last


def assert_whole(backend: Backend, root: str, last: int) -> None:
    """Check that all up to round ``last`` is there, of the next one each write wholly or not at all, and no more."""
    log, window, child = (
        [int(item) for item in backend.sequence(Key(root, name)).get_slice(slice(None))]
        for name in ("log", "window", "child")
    )
    fields, large = (backend.mapping(Key(root, name)).get_all() for name in ("fields", "large"))
    owner = backend.mapping(Key(root)).get_all()
    reached = (last, last + 1)
    assert log == list(range(len(log))), "an acknowledged push is lost or repeated"
    assert len(log) - 1 in reached, f"round {last} was acknowledged, the log ends at {len(log) - 1}"
    assert window == [window[0]] * WIDTH, "a splice is torn"
    assert window[0] in reached, "an acknowledged splice is lost"
    assert len(fields) == WIDTH, "a write of several fields is torn"
    assert len(set(fields.values())) == 1, "a write of several fields is torn"
    assert int(fields["0"]) in reached, "an acknowledged write of several fields is lost"
    assert large["large"] == b'"%s"' % (b"%08d" % int(large["n"]) * 40_000), "a large replacement is torn"
    assert int(large["n"]) in reached, "an acknowledged replacement is lost"
    assert child == [int(owner["n"])] * 3, "a step over several keys is torn"
    assert int(owner["n"]) in reached, "an acknowledged step over several keys is lost"
    deadlines = [backend.ttl([Key(root, name)]) for name in (None, "child")]
    assert None not in deadlines, "an acknowledged deadline is lost"
    backend.sequence(Key(root, "log")).push_right([b"0"])
    assert backend.sequence(Key(root, "log")).size() == len(log) + 1, "the store goes on taking writes"

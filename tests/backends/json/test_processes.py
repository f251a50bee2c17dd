"""Threads and processes, forked ones included, that share a store; the suites of contention and of kills cover more."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from persistent_collections.backends.changes import Delete, Replace
from persistent_collections.backends.holding import holding
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.keys import Key

pytestmark = pytest.mark.store("json")

KEY = Key("Count:er")
TIMES = 40


def count_up(backend: JSONBackend, times: int = TIMES) -> None:
    for _ in range(times):
        assert backend.mapping(KEY).increment("n", 1)


@pytest.mark.parametrize("fsync", [True, False])
def test_threads_with_one_backend_and_with_one_each_lose_no_update(tmp_path: Path, fsync: bool) -> None:
    shared = JSONBackend(tmp_path, fsync=fsync)
    backends = [shared, shared, JSONBackend(tmp_path, fsync=fsync)]
    threads = [threading.Thread(target=count_up, args=(backend,)) for backend in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared.mapping(KEY).get("n") == b"%d" % (3 * TIMES)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_writer_that_finds_the_lock_free_one_time_in_twenty_is_not_passed_over_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy writer has 4,000 turns a second, and between two of them the lock is free for a moment."""
    module = "persistent_collections.backends.json.files"
    clock, luck = Clock(), Random(1)
    monkeypatch.setattr(f"{module}.time", clock)
    monkeypatch.setattr(f"{module}._try_lock", lambda _: luck.random() < 0.05)
    passed_over = []
    for _ in range(300):
        begun_s = clock.now_s
        assert holding(partial(Files().lock, tmp_path / "lock", 30.0))
        passed_over.append((clock.now_s - begun_s) * 4000)
    assert max(passed_over) < 200  # with an attempt every 2 ms, 888
    assert sum(passed_over) / len(passed_over) > 40  # so it costs the busy writer few changes of turn


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_backend_taken_along_through_fork_works_whatever_threads_were_doing(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    backend = JSONBackend(tmp_path, fsync=False, lock_timeout_s=60)
    stop = threading.Event()

    def write_on() -> None:
        while not stop.is_set():
            backend.mapping(Key("Busy:x")).increment("n", 1)

    busy = [threading.Thread(target=write_on) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        for _ in range(5):
            children = [fork.Process(target=count_up, args=(backend, 10)) for _ in range(3)]
            for child in children:
                child.start()
            for child in children:
                child.join(60)
            assert [child.exitcode for child in children] == [0] * 3
    finally:
        stop.set()
        for thread in busy:
            thread.join()
    assert backend.mapping(KEY).get("n") == b"150"


def write_large_then_die(root: Path, started: int) -> None:
    backend = JSONBackend(root, fsync=False)
    threading.Timer(0.005 * started, os._exit, (1,)).start()
    while True:
        backend.mapping(KEY).increment("n", 1)


@pytest.mark.slow
def test_a_process_that_exits_in_the_midst_of_writes_leaves_a_store_that_goes_on(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    backend = JSONBackend(tmp_path)
    for moment in range(1, 4):
        child = spawn.Process(target=write_large_then_die, args=(tmp_path, moment))
        child.start()
        child.join(60)
        assert child.exitcode == 1
        before = int(backend.mapping(KEY).get("n") or 0)
        assert backend.mapping(KEY).increment("n", 1) == before + 1


class NeverSyncing(Files):
    """A file system where waiting for the disk is a mistake."""

    def create(self, path: Path, data: bytes, *, sync: bool) -> None:
        assert not sync
        super().create(path, data, sync=sync)

    def sync_directory(self, path: Path) -> None:
        raise AssertionError(path)


def test_without_fsync_nothing_waits_for_the_disk(tmp_path: Path) -> None:
    backend = JSONBackend(tmp_path, fsync=False, files=NeverSyncing())
    child = Key(KEY.root, "child")
    backend.commit([], [Replace(KEY, {"f": b"1"}), Replace(child, [b"1"])])
    backend.commit([], [Delete(KEY), Delete(child)])
    with pytest.raises(AssertionError):
        JSONBackend(tmp_path, files=NeverSyncing()).mapping(KEY).set_many({"f": b"1"})


def hold_the_lock_and_fork(root: Path, forked: Any, done: Any) -> None:
    """Be killed while a child, forked by another thread, lives on."""

    def step(entries: Any) -> Any:
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGKILL)
        return entries

    def fork() -> None:
        if os.fork() == 0:
            forked.set()
            done.wait(60)
            os._exit(0)
        forked.wait(60)

    JSONBackend(root).transform([KEY], step)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_between_opening_the_lock_and_taking_it_does_not_keep_it(tmp_path: Path) -> None:
    children: list[int] = []

    def fork() -> None:
        child = os.fork()
        if not child:
            signal.pause()
        children.append(child)

    class Forking(Files):
        """Forks in another thread, which knows nothing of what this one does, once the lock's file is open."""

        def _patiently(self, operation: Callable[[], Any]) -> Any:
            file = super()._patiently(operation)
            if not children and isinstance(file, io.FileIO) and file.writable():
                forking = threading.Thread(target=fork)
                forking.start()
                forking.join()
            return file

    try:
        JSONBackend(tmp_path, files=Forking()).mapping(KEY).increment("n", 1)
        assert JSONBackend(tmp_path, lock_timeout_s=5).mapping(KEY).increment("n", 1) == 2
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    assert children


@pytest.mark.skipif(os.name != "posix", reason="a copy of a descriptor has a lock of its own")
def test_a_copy_of_the_open_lock_that_nobody_knows_does_not_keep_it(tmp_path: Path) -> None:
    copies: list[int] = []

    class Copying(Files):
        """Copies the lock's descriptor, as a fork does while another thread closes it."""

        def _patiently(self, operation: Callable[[], Any]) -> Any:
            file = super()._patiently(operation)
            if isinstance(file, io.FileIO) and file.writable():
                copies.append(os.dup(file.fileno()))
            return file

    JSONBackend(tmp_path, files=Copying()).mapping(KEY).increment("n", 1)
    try:
        assert JSONBackend(tmp_path, lock_timeout_s=5).mapping(KEY).increment("n", 1) == 2
    finally:
        for copy in copies:
            os.close(copy)
    assert copies


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_fork_does_not_keep_the_lock_of_a_process_that_was_killed(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    forked, done = spawn.Event(), spawn.Event()
    JSONBackend(tmp_path).mapping(KEY).increment("n", 1)
    holder = spawn.Process(target=hold_the_lock_and_fork, args=(tmp_path, forked, done))
    holder.start()
    assert forked.wait(60)
    give_up = time.monotonic() + 60
    while holder.exitcode is None and time.monotonic() < give_up:  # join() would wait for the child too
        time.sleep(0.01)
    try:
        assert JSONBackend(tmp_path, lock_timeout_s=5).mapping(KEY).increment("n", 1) == 2
    finally:
        done.set()

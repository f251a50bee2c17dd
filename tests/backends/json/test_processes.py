"""Threads and processes, forked ones included, that share a store; the suites of contention and of kills cover more."""

from __future__ import annotations

import multiprocessing
import os
import threading
from pathlib import Path

import pytest

from persistent_collections.backends.base import Delete, Key, Replace
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.files import Files

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
    backend.apply([Replace(KEY, {"f": b"1"}), Replace(child, [b"1"])])
    backend.apply([Delete(KEY), Delete(child)])
    with pytest.raises(AssertionError):
        JSONBackend(tmp_path, files=NeverSyncing()).mapping(KEY).set_many({"f": b"1"})

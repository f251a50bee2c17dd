"""Threads and processes, forked ones included, that share a file; the suites of contention and of kills cover more."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from persistent_collections.backends.base import Key
from persistent_collections.backends.sqlite import SQLiteBackend

KEY = Key("Count:er")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
may_fork_threads = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

COUNT_UP = """
import sys
from persistent_collections.backends.base import Key
from persistent_collections.backends.sqlite import SQLiteBackend

with SQLiteBackend(sys.argv[1], synchronous="OFF") as backend:
    for _ in range(int(sys.argv[2])):
        print(backend.mapping(Key("Count:er")).increment("n", 1), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        yield backend


def count_up(backend: SQLiteBackend, times: int) -> None:
    for _ in range(times):
        assert backend.mapping(KEY).increment("n", 1)


def elsewhere(path: Path, times: int) -> list[int]:
    """Count up in a process that opens and closes the file, and return the sums."""
    command = [sys.executable, "-c", COUNT_UP, str(path), str(times)]
    return [int(line) for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


def in_fork(work: Callable[[], object]) -> multiprocessing.process.BaseProcess:
    """Start ``work`` in a fork of this process."""
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    return child


def ended_well(child: multiprocessing.process.BaseProcess) -> bool:
    child.join()
    return child.exitcode == 0


def test_processes_see_each_others_writes_at_once(backend: SQLiteBackend, path: Path) -> None:
    assert backend.mapping(KEY).increment("n", 1) == 1
    assert elsewhere(path, 2) == [2, 3]
    assert backend.mapping(KEY).increment("n", 1) == 4
    assert elsewhere(path, 1) == [5]
    assert backend.mapping(KEY).get("n") == b"5"


def test_processes_that_make_the_file_at_once_make_one(path: Path) -> None:
    for attempt in range(3):
        file = path.with_name(f"{attempt}.db")
        command = [sys.executable, "-c", COUNT_UP, str(file), "5"]
        makers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
        assert [maker.wait() for maker in makers] == [0] * 4
        with SQLiteBackend(file) as backend:
            assert backend.mapping(KEY).get("n") == b"20"


@needs_fork
def test_parent_and_child_of_a_fork_both_write_on(backend: SQLiteBackend) -> None:
    count_up(backend, 1)
    child = in_fork(lambda: count_up(backend, 50))
    count_up(backend, 50)
    assert ended_well(child)
    assert backend.mapping(KEY).get("n") == b"101"


@needs_fork
def test_what_a_fork_writes_stays_when_its_parent_and_another_process_have_closed_the_file(
    backend: SQLiteBackend, path: Path
) -> None:
    ready, go_on = os.pipe(), os.pipe()

    def write_before_and_after() -> None:
        count_up(backend, 1)
        os.write(ready[1], b"1")
        os.read(go_on[0], 1)
        count_up(backend, 1)

    count_up(backend, 1)
    child = in_fork(write_before_and_after)
    os.read(ready[0], 1)
    backend.close()
    assert elsewhere(path, 1) == [3], "the other process takes itself for the last one, and clears the log away"
    os.write(go_on[1], b"1")
    assert ended_well(child)
    assert backend.mapping(KEY).get("n") == b"4"


@needs_fork
@may_fork_threads
def test_a_fork_waits_until_other_threads_are_between_two_operations(backend: SQLiteBackend, path: Path) -> None:
    stop = threading.Event()

    def write_on() -> None:
        while not stop.is_set():
            backend.sequence(Key("Busy:x")).push_right([b"x" * 1000] * 50)
            backend.sequence(Key("Busy:x")).replace([])

    busy = [threading.Thread(target=write_on) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        for _ in range(5):
            children = [in_fork(lambda: count_up(backend, 10)) for _ in range(3)]
            assert all(map(ended_well, children))
    finally:
        stop.set()
        for thread in busy:
            thread.join()
    assert backend.mapping(KEY).get("n") == b"150"


FORK_IN_C = """
import ctypes, os, sys
from persistent_collections.backends.base import Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.errors import BackendError

backend = SQLiteBackend(sys.argv[1], synchronous="OFF")
backend.mapping(Key("Count:er")).increment("n", 1)
child = ctypes.PyDLL(None).fork()
if child == 0:
    try:
        backend.mapping(Key("Count:er")).increment("n", 1)
    except BackendError as error:
        os.write(1, str(error).encode())
    os._exit(0)
os.waitpid(child, 0)
backend.mapping(Key("Count:er")).increment("n", 1)
backend.close()
"""


@needs_fork
def test_a_process_forked_without_python_knowing_refuses_to_go_on_with_an_open_file(
    backend: SQLiteBackend, path: Path
) -> None:
    run = subprocess.run([sys.executable, "-c", FORK_IN_C, str(path)], check=True, capture_output=True, text=True)
    assert run.stdout.startswith(f"{path} was open when this process was forked")
    assert "close the backend before forking" in run.stdout
    assert backend.mapping(KEY).get("n") == b"2", "the parent goes on"


def test_threads_with_one_backend_and_with_one_each_lose_no_update(backend: SQLiteBackend, path: Path) -> None:
    backends = [backend, backend, backend, SQLiteBackend(path, synchronous="OFF")]
    threads = [threading.Thread(target=count_up, args=(one, 40)) for one in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    backends[-1].close()
    assert backend.mapping(KEY).get("n") == b"160"


def test_a_backend_closed_while_threads_work_loses_nothing_and_leaves_nothing_open(
    backend: SQLiteBackend, path: Path
) -> None:
    threads = [threading.Thread(target=count_up, args=(backend, 100)) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        backend.close()
    backend.close()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"], "the log goes with the last connection"
    assert backend.mapping(KEY).get("n") == b"300"


def test_threads_that_end_leave_no_connection_behind(backend: SQLiteBackend) -> None:
    for _ in range(20):
        thread = threading.Thread(target=count_up, args=(backend, 1))
        thread.start()
        thread.join()
    assert len(backend._database._connections._idle) == 1


def test_a_backend_that_nobody_holds_any_more_closes_its_file(path: Path) -> None:
    count_up(SQLiteBackend(path, synchronous="OFF"), 1)
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


def test_a_reader_waits_for_no_writer_and_sees_nothing_unfinished(backend: SQLiteBackend) -> None:
    count_up(backend, 1)
    with backend._database.writing() as db:
        db.execute("UPDATE fields SET data = x'39'")
        assert backend.mapping(KEY).get("n") == b"1"
    assert backend.mapping(KEY).get("n") == b"9"


def test_a_writer_waits_for_the_one_before(backend: SQLiteBackend) -> None:
    count_up(backend, 1)
    waiting = threading.Thread(target=count_up, args=(backend, 1))
    with backend._database.writing():
        waiting.start()
        time.sleep(0.05)
        assert waiting.is_alive()
    waiting.join()
    assert backend.mapping(KEY).get("n") == b"2"

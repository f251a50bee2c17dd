"""Threads and processes, forked ones included, that share a file; the suites of contention and of kills cover more."""

from __future__ import annotations

import math
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from persistent_collections.backends import forks
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.errors import BackendError, BackendUnavailable, OutcomeUnknown

pytestmark = pytest.mark.store("sqlite")

KEY = Key("Count:er")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
may_fork_threads = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")

COUNT_UP = """
import sys
from persistent_collections.backends.keys import Key
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


@pytest.mark.slow
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
@pytest.mark.slow
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
from persistent_collections.backends.keys import Key
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
    assert len(backend._database._idle) == 1


def test_a_backend_that_nobody_holds_any_more_closes_its_file(path: Path) -> None:
    count_up(SQLiteBackend(path, synchronous="OFF"), 1)
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]


def test_a_reader_waits_for_no_writer_and_sees_nothing_unfinished(backend: SQLiteBackend) -> None:
    def write(db: sqlite3.Connection) -> None:
        db.execute("UPDATE fields SET data = x'39'")
        assert backend.mapping(KEY).get("n") == b"1"

    count_up(backend, 1)
    backend._database.write(write)
    assert backend.mapping(KEY).get("n") == b"9"


def test_a_writer_waits_for_the_one_before(backend: SQLiteBackend) -> None:
    def write(db: sqlite3.Connection) -> None:
        waiting.start()
        time.sleep(0.05)
        assert waiting.is_alive()

    count_up(backend, 1)
    waiting = threading.Thread(target=count_up, args=(backend, 1))
    backend._database.write(write)
    waiting.join()
    assert backend.mapping(KEY).get("n") == b"2"


CLOSE_AS_THE_LAST = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT count(*) FROM objects").fetchall()
db.close()
"""


@pytest.mark.skipif(os.name == "nt", reason="only POSIX drops locks when a descriptor is closed")
def test_a_program_that_reads_the_bytes_of_its_own_store_loses_no_write(backend: SQLiteBackend, path: Path) -> None:
    for number in range(1, 4):
        assert backend.mapping(KEY).increment("n", 1) == 2 * number - 1
        path.read_bytes()  # and with it go this process's locks
        subprocess.run([sys.executable, "-c", CLOSE_AS_THE_LAST, str(path)], check=True)
        assert not Path(f"{path}-wal").exists(), "the other program took itself for the last one"
        assert elsewhere(path, 1) == [2 * number]
        time.sleep(0.02)
        assert backend.mapping(KEY).get("n") == b"%d" % (2 * number)
    assert elsewhere(path, 1) == [7]


def test_a_write_whose_log_was_deleted_meanwhile_is_not_acknowledged(backend: SQLiteBackend, path: Path) -> None:
    count_up(backend, 1)

    def deleted(db: sqlite3.Connection) -> None:
        db.execute("UPDATE objects SET deadline = NULL")
        Path(f"{path}-wal").unlink()

    with pytest.raises(OutcomeUnknown, match="its log was deleted during this write"):
        backend._database.write(deleted)
    count_up(backend, 1)


def test_a_write_whose_log_cannot_be_seen_any_more_is_not_acknowledged(
    backend: SQLiteBackend, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_up(backend, 1)
    look = os.stat

    def blind(name: Any, **options: Any) -> os.stat_result:
        if str(name).endswith("-wal"):
            raise PermissionError(13, "Permission denied", name)
        return look(name, **options)

    writes: list[Callable[[], object]] = [
        lambda: backend.mapping(KEY).increment("n", 1),
        lambda: backend.mapping(KEY).replace({"n": b"3"}),
    ]
    for write in writes:
        [connection] = backend._database._idle
        connection.fresh_until = math.inf
        monkeypatch.setattr(os, "stat", blind)
        with pytest.raises(OutcomeUnknown):
            write()
        monkeypatch.undo()
    assert backend.mapping(KEY).get("n") == b"3"


@needs_fork
@may_fork_threads
@pytest.mark.slow
def test_a_fork_beside_busy_threads_takes_about_as_long_as_what_they_are_at(backend: SQLiteBackend) -> None:
    stop = threading.Event()
    backend.mapping(KEY).set_many({str(number): b"x" for number in range(8)})

    def read_on(number: int) -> None:
        while not stop.is_set():
            backend.mapping(KEY).get(str(number))

    busy = [threading.Thread(target=read_on, args=(number,)) for number in range(8)]
    for thread in busy:
        thread.start()
    took = []
    try:
        for _ in range(10):
            begun = time.monotonic()
            child = in_fork(lambda: None)
            took.append(time.monotonic() - begun)
            assert ended_well(child)
    finally:
        stop.set()
        for thread in busy:
            thread.join()
    assert max(took) < 3


@needs_fork
@may_fork_threads
@pytest.mark.parametrize("made", [True, False], ids=["a store", "a file in the making"])
def test_a_fork_does_not_wait_for_a_thread_that_waits_for_another_process(
    backend: SQLiteBackend, path: Path, made: bool
) -> None:
    if made:
        count_up(backend, 1)
    else:
        path.touch()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        waiting = threading.Thread(target=count_up, args=(backend, 1))
        waiting.start()
        time.sleep(0.2)
        begun = time.monotonic()
        assert ended_well(in_fork(lambda: None))
        assert time.monotonic() - begun < 10
        assert waiting.is_alive(), "it waits on"
        other.execute("ROLLBACK")
    waiting.join()
    assert backend.mapping(KEY).get("n") == (b"2" if made else b"1")


def test_a_write_in_a_signal_handler_during_a_write_of_the_same_thread_is_refused_at_once(
    backend: SQLiteBackend, path: Path
) -> None:
    count_up(backend, 1)
    again = SQLiteBackend(path, synchronous="OFF")

    def interrupted(db: sqlite3.Connection) -> int:
        begun = time.monotonic()
        for store in (backend, again):
            with pytest.raises(BackendError, match=r"in the middle of another write .* nothing was done") as caught:
                store.mapping(KEY).increment("n", 1)
            assert not isinstance(caught.value, BackendUnavailable), "trying again would be for ever"
            assert store.mapping(KEY).get("n") == b"1", "it can be read"
        assert time.monotonic() - begun < 5
        return 7

    assert backend._database.write(interrupted) == 7
    again.close()
    assert backend.mapping(KEY).increment("n", 1) == 2


def test_a_write_in_a_signal_handler_during_a_read_or_a_write_to_another_store_is_made(
    backend: SQLiteBackend, tmp_path: Path
) -> None:
    count_up(backend, 1)
    backend._database.read(lambda db: count_up(backend, 1))
    with SQLiteBackend(tmp_path / "other.db", synchronous="OFF") as other:
        count_up(other, 1)
        other._database.write(lambda db: count_up(backend, 1))
    assert backend.mapping(KEY).get("n") == b"3"


@needs_fork
def test_a_fork_in_the_middle_of_an_operation_leaves_it_to_the_parent(backend: SQLiteBackend, path: Path) -> None:
    count_up(backend, 1)
    refused: list[bool] = []

    def use() -> None:
        with pytest.raises(BackendError, match="was open when this process was forked"):
            backend.mapping(KEY).get("n")

    def fork(db: sqlite3.Connection) -> None:
        db.execute("UPDATE fields SET data = x'39'")
        refused.append(ended_well(in_fork(use)))

    backend._database.write(fork)
    assert refused == [True]
    assert backend.mapping(KEY).get("n") == b"9"
    assert elsewhere(path, 1) == [10]


def test_stores_that_are_dropped_leave_no_descriptor_and_no_lock_behind(path: Path) -> None:
    count_up(SQLiteBackend(path, synchronous="OFF"), 1)
    before, places = open_descriptors(), len(forks.seats())
    for number in range(300):
        store = SQLiteBackend(path, synchronous="OFF")
        if number % 2:
            count_up(store, 1)
        else:
            store.mapping(KEY).get("n")
    del store
    assert open_descriptors() == before
    assert len(forks.seats()) == places


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0

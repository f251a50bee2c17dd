"""Workers that may be killed at any moment, and what they write down; it needs no pytest, so that they start fast."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from random import Random
from typing import Any, Final

from persistent_collections import Backend, connect

WORKERS: Final = 6
PATIENCE_S: Final = 60.0
END: Final = "end"

_METHODS: Final = multiprocessing.get_all_start_methods()
PROCESSES: Final[Any] = multiprocessing.get_context("forkserver" if "forkserver" in _METHODS else "spawn")
PROCESSES.set_forkserver_preload(["__main__", "tests.transactions.preloaded"])


class Log:
    """What one worker writes down, line by line, so that nothing of it is lost when the worker is killed.

    Attributes:
        worker: The number of the worker.
        before: What it had written down before it was started, which is more in each of its lives.
    """

    def __init__(self, folder: Path, worker: int) -> None:
        self.worker = worker
        self.before = events(folder, worker)
        self._end = folder / END
        self._descriptor = os.open(folder / str(worker), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._descriptor, b"\n")  # the last line may be cut off
        self.write("start")

    def write(self, name: str, about: Any = None) -> None:
        """Write one line."""
        os.write(self._descriptor, json.dumps([name, about]).encode() + b"\n")

    @property
    def is_over(self) -> bool:
        """Whether the worker may go home when its work is done."""
        return self._end.exists()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


Job = Callable[[Backend, Log, int], None]
"""Works until something was done so many times and the log says that it is over; at the top level of its module."""


def events(folder: Path, worker: int) -> list[tuple[str, Any]]:
    """Return what a worker has written down."""
    with suppress(FileNotFoundError):
        return list(_events((folder / str(worker)).read_bytes()))
    return []


def _events(data: bytes) -> Iterator[tuple[str, Any]]:
    for line in filter(None, data.split(b"\n")):
        with suppress(ValueError):  # a line that was cut off
            name, about = json.loads(line)
            yield name, about


def _work(job: Job, url: str, folder: Path, worker: int, times: int) -> None:
    with connect(url) as backend:
        job(backend, Log(folder, worker), times)


class Gang:
    """Six processes at one store.

    Args:
        folder: Where they write down what they do.
        urls: The URL of the store for each, or one for all.
        job: What each does.
        times: How often.
    """

    def __init__(self, folder: Path, urls: Sequence[str], job: Job, times: int) -> None:
        self._folder, self._job, self._times = folder, job, times
        self._urls = [urls[worker % len(urls)] for worker in range(WORKERS)]
        self._random = Random(1)
        self._workers = [self._start(worker) for worker in range(WORKERS)]

    def run(self, kills: int, stall: Callable[[], AbstractContextManager[object]] | None = None) -> None:
        """Kill so many of them, each while it works, and stall as many and what serves the store; wait for all.

        Raises:
            RuntimeError: One failed, or made no progress.
        """
        try:
            for _ in range(kills):
                self._stall()
                self._kill()
                if stall:
                    with stall():
                        time.sleep(self._random.uniform(0, 0.05))
            (self._folder / END).touch()
            for worker, process in enumerate(self._workers):
                process.join()
                self._require(process.exitcode == 0, worker)
        finally:
            for process in self._workers:
                process.kill()
                process.join()

    def _start(self, worker: int) -> Any:
        args = (self._job, self._urls[worker], self._folder, worker, self._times)
        process = PROCESSES.Process(target=_work, args=args)
        process.start()
        return process

    def _stall(self) -> None:
        process = self._random.choice(self._workers)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(self._random.uniform(0, 0.02))
        os.kill(process.pid, signal.SIGCONT)

    def _kill(self) -> None:
        worker = self._random.randrange(WORKERS)
        file = self._folder / str(worker)
        size, give_up = _size(file), time.monotonic() + PATIENCE_S
        while _size(file) < size + 200:  # it has begun to work
            self._require(time.monotonic() < give_up and self._workers[worker].is_alive(), worker)
            time.sleep(0.002)
        time.sleep(self._random.uniform(0, 0.02))
        self._workers[worker].kill()
        self._workers[worker].join()
        self._workers[worker] = self._start(worker)

    def _require(self, is_well: bool, worker: int) -> None:
        if not is_well:
            raise RuntimeError(f"worker {worker} failed or makes no progress; its traceback is above")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def run_threads(backend: Backend, folder: Path, job: Job, times: int) -> None:
    """Let six threads do a job, which take turns at any moment."""
    (folder / END).touch()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    start = threading.Barrier(WORKERS)

    def work(worker: int) -> None:
        start.wait(PATIENCE_S)
        log = Log(folder, worker)
        job(backend, log, times)
        log.close()

    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(work, range(WORKERS)))
    finally:
        sys.setswitchinterval(interval)


def run(
    backend: Backend,
    folder: Path,
    job: Job,
    times: int,
    *,
    kills: int = 0,
    urls: Sequence[str] = (),
    stall: Callable[[], AbstractContextManager[object]] | None = None,
) -> None:
    """Let six processes do a job, threads if the store is in the process; see :class:`Gang`."""
    if backend.in_process:
        run_threads(backend, folder, job, times)
    else:
        Gang(folder, urls or [backend.url], job, times).run(kills, stall)

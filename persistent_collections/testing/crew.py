"""Several threads or processes that start one job at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias, TypeVar

from persistent_collections.backends.base import Backend
from persistent_collections.backends.urls import StoreURL

R = TypeVar("R")
Job: TypeAlias = Callable[[Backend, int, int], R]
"""A function of a backend, the number of the worker and the number of repetitions, at the top level of its module."""

START_TIMEOUT_S = 60

_place = threading.local()


class Start(Protocol):
    """A barrier of threads or of processes."""

    def wait(self, timeout: float | None = None) -> int: ...


class Crew:
    """Workers on one store.

    Args:
        executor: Has ``size`` workers, each made by ``take_place`` with a barrier for ``size``.
        reach: Opens the store in a worker.
        size: The number of workers.
        times: The repetitions of the work of each, by default.
    """

    def __init__(
        self, executor: Executor, reach: Callable[[], AbstractContextManager[Backend]], size: int, times: int
    ) -> None:
        self.size = size
        self.times = times
        self._executor = executor
        self._reach = reach

    def run(self, job: Job[R], times: int | None = None) -> list[R]:
        """Let every worker do ``job`` and return their results in the workers' order."""
        times = self.times if times is None else times
        futures = [self._executor.submit(_work, self._reach, job, worker, times) for worker in range(self.size)]
        return [future.result() for future in futures]


def take_place(start: Start) -> None:
    """Make the calling thread or process a worker that starts its jobs together with the others."""
    _place.start = start


def connect(kind: type[Backend], url: str) -> Backend:
    """Return the store at ``url``."""
    return kind.from_url(StoreURL.parse(url))


def _work(reach: Callable[[], AbstractContextManager[Backend]], job: Job[R], worker: int, times: int) -> R:
    with reach() as backend:
        _place.start.wait(START_TIMEOUT_S)
        return job(backend, worker, times)

"""A fork at any moment leaves its child no lock that another thread held."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from persistent_collections import config, connect
from persistent_collections.backends import memory
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.backends.sqlite.database import Database

KEY = Key("Counter:x")
PATIENCE_S = 20

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


@contextmanager
def at_work(work: Callable[[threading.Event], object]) -> Iterator[None]:
    """Run ``work`` in another thread, from the moment on when it says so."""
    ready = threading.Event()
    thread = threading.Thread(target=work, args=(ready,))
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield
    finally:
        thread.join()


def fork_ends(work: Callable[[], object]) -> bool:
    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(PATIENCE_S)
    if child.is_alive():
        child.kill()
    child.join()
    return child.exitcode == 0


def test_a_store_opens_in_a_fork_made_while_another_thread_opened_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    name = "persistent_collections.backends.sqlite.backend.Database"

    def open_slowly(ready: threading.Event) -> None:
        def made(path: Path, synchronous: str, busy_timeout_s: float) -> Database:
            ready.set()
            go_on.wait()
            return Database(path, synchronous, busy_timeout_s)

        monkeypatch.setattr(name, made)
        SQLiteBackend(tmp_path / "one.db").mapping(KEY)

    with at_work(open_slowly), SQLiteBackend(tmp_path / "other.db") as other:
        monkeypatch.setattr(name, Database)
        try:
            assert fork_ends(lambda: other.mapping(KEY).increment("n", 1))
        finally:
            go_on.set()


@pytest.mark.parametrize("lock", [config._lock, memory._lock], ids=["connecting", "writing to memory"])
def test_a_fork_waits_for_whoever_holds(lock: threading.Lock) -> None:
    def hold(ready: threading.Event) -> None:
        with lock:
            ready.set()
            time.sleep(0.2)

    def use() -> None:
        with connect("json:."), connect("memory:") as store:
            store.mapping(KEY).set_many({"n": b"1"})

    with at_work(hold):
        assert fork_ends(use)

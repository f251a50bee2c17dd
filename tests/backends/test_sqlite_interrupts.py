"""An exception at any moment of any operation leaves a step done or not done, and nothing locked."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from persistent_collections.backends import forks
from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Make, SetDeadline
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.testing.backends.base import put, read_content
from tests.backends.sqlite_tables import VERSION_1
from tests.injecting import ends_in_a_fork, ends_in_a_thread, interruptions

pytestmark = [
    pytest.mark.store("sqlite"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]

FIELDS, ITEMS, NAMES = Key("Dict:x"), Key("List:x"), Key("Set:x")
BEFORE: dict[Key, Content] = {FIELDS: {"n": b"1", "f": b"2"}, ITEMS: [b"1", b"2", b"3"], NAMES: {"a", "b"}}

OPERATIONS: dict[str, Callable[[Backend], object]] = {
    "mapping.get": lambda store: store.mapping(FIELDS).get("f"),
    "mapping.get_all": lambda store: store.mapping(FIELDS).get_all(),
    "mapping.set": lambda store: store.mapping(FIELDS).set_many({"f": b"3"}),
    "mapping.set(new)": lambda store: store.mapping(FIELDS).set_many({"new": b"3"}),
    "mapping.delete": lambda store: store.mapping(FIELDS).delete("f"),
    "mapping.set_many": lambda store: store.mapping(FIELDS).set_many({"new": b"3", "f": None}),
    "mapping.increment": lambda store: store.mapping(FIELDS).increment("n", 1),
    "sequence.get": lambda store: store.sequence(ITEMS).get(1),
    "sequence.push_right": lambda store: store.sequence(ITEMS).push_right([b"4"]),
    "sequence.insert": lambda store: store.sequence(ITEMS).insert(1, b"5"),
    "sequence.pop": lambda store: store.sequence(ITEMS).pop(1),
    "sequence.pop(-1)": lambda store: store.sequence(ITEMS).pop(-1),
    "members.contains": lambda store: store.members(NAMES).contains("a"),
    "members.toggle": lambda store: store.members(NAMES).toggle({"a", "c"}),
    "commit": lambda store: store.commit(
        [], [Make(Key("User:x"), {"f": b"1"}), Delete(FIELDS), SetDeadline(ITEMS, 1000)]
    ),
    "keys": lambda store: list(store.keys("")),
    "the first of a connection": lambda store: (store.close(), store.mapping(FIELDS).increment("n", 1)),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(path, synchronous="OFF", busy_timeout_s=5) as backend:
        yield backend


def state(store: Backend) -> object:
    return {key: read_content(store, key) for key in (*BEFORE, Key("User:x"))}


def prepare(store: Backend) -> None:
    for key, content in BEFORE.items():
        put(store, key, content)
    store.commit([], [Delete(Key("User:x"))])


def after(store: Backend, operation: Callable[[Backend], object]) -> object:
    prepare(store)
    operation(store)
    return state(store)


@pytest.mark.parametrize("stride", [1, 7], ids=["each moment", "some moments"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_interrupt_leaves_a_step_done_or_not_done_and_everybody_goes_on(
    backend: SQLiteBackend, path: Path, name: str, stride: int
) -> None:
    operation = OPERATIONS[name]
    done = after(backend, operation)
    prepare(backend)
    undone = state(backend)
    for moment in interruptions(lambda: operation(backend), stride=stride):
        begun = time.monotonic()
        assert not forks.is_at_work(), "no seat keeps its thread"
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # nobody holds the lock
        assert state(backend) in (done, undone)
        prepare(backend)
        if moment % (stride * 30) == 0:
            assert ends_in_a_thread(lambda: prepare(backend))
            assert ends_in_a_fork(lambda: prepare(backend))
        assert time.monotonic() - begun < 5
    assert ends_in_a_fork(lambda: prepare(backend))


@pytest.mark.parametrize("old", [False, True], ids=["an empty folder", "a store of format 1"])
def test_an_interrupt_while_a_file_is_made_or_migrated_leaves_a_store(tmp_path: Path, old: bool) -> None:
    places = (tmp_path / str(number) for number in count())
    last: list[Path] = []

    def write(path: Path) -> None:
        with SQLiteBackend(path, synchronous="OFF", busy_timeout_s=5) as store:
            assert store.mapping(FIELDS).increment("n", 1) in (1, 2, 3)

    def make() -> None:
        last[:] = [next(places) / "store.db"]
        last[0].parent.mkdir()
        if old:
            with closing(sqlite3.connect(last[0])) as db, db:
                db.executescript(VERSION_1)

    make()
    for moment in interruptions(lambda: write(last[0]), stride=3):
        write(last[0])
        assert moment % 90 or ends_in_a_fork(lambda: write(last[0]))
        make()


# An interrupt within the hook of Python's logging makes that release a lock that it has not taken.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <function _releaseLock:pytest.PytestUnraisableExceptionWarning"
)
def test_an_interrupt_while_a_process_forks_lets_it_fork(backend: SQLiteBackend) -> None:
    prepare(backend)

    parent = os.getpid()

    def fork() -> None:
        try:
            if os.fork():
                os.wait()
        finally:
            if os.getpid() != parent:
                os._exit(0)

    for _ in interruptions(fork, stride=5):
        assert not forks.pending
        prepare(backend)
    assert ends_in_a_thread(lambda: prepare(backend))
    assert ends_in_a_fork(lambda: prepare(backend))

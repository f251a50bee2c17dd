"""What a program makes by the thousand and drops leaves memory and descriptors where they were."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import make_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple
from weakref import ref

import pytest

from persistent_collections import (
    Backend,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    classes,
    connect,
    make_record,
)
from persistent_collections.backends import MemoryBackend
from tests.conftest import STORES
from tests.servers import RunningServer, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list descriptors")

CACHED_BYTES = 500_000
"""What the interpreter keeps at most until it collects all generations, such as references of its abstract classes."""


INTERNED_BYTES = 10_000_000
"""The interpreter's table of interned texts. Parts of paths go through it, and it counts whole when it is made anew."""


class Growth(NamedTuple):
    """By how much the process grew. Blocks are of 512 bytes or fewer, as most objects are and no table is."""

    size_bytes: int
    blocks: int
    descriptors: int


def grown_by(make: Callable[[int], object], rounds: int) -> Growth:
    """Return by how much the process grows when ``make`` is called ``rounds`` times."""
    for number in range(-20, 0):
        make(number)
    gc.collect()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    tracemalloc.start()
    try:
        size_bytes, blocks = tracemalloc.get_traced_memory()[0], sys.getallocatedblocks()
        for number in range(rounds):
            make(number)
        gc.collect()
        return Growth(
            tracemalloc.get_traced_memory()[0] - size_bytes,
            sys.getallocatedblocks() - blocks,
            len(list(Path("/proc/self/fd").iterdir())) - descriptors,
        )
    finally:
        tracemalloc.stop()


def record(number: int, store: Backend) -> None:
    class Row(Record):
        title: str
        tags: PersistentList[str] = child()
        above: Row | None = None

    row = Row("x", title="a", tags=["b"], backend=store)
    row.above = row
    assert row.above.title == "a"
    row.delete()


def record_of_a_name_of_its_own(number: int, store: Backend) -> None:
    made: Any = make_record(f"Row{number}", {"title": str, "n": int})
    assert made("x", title="a", n=1, backend=store).delete()


def record_of_dataclasses(number: int, store: Backend) -> None:
    point = make_dataclass("Point", [("x", int)], frozen=True)
    made: Any = make_record(f"Place{number}", {"point": point})
    row = made("x", point=point(number), backend=store)
    assert row.point == point(number)
    row.delete()


def collection(number: int, store: Backend) -> None:
    class Notes(PersistentDict[str, int], name=f"Notes{number}"):
        pass

    notes = Notes("x", {"a": 1}, backend=store)
    assert notes.pop("a") == 1


def parametrised(number: int, store: Backend) -> None:
    letter = Enum("letter", {"a": number})
    assert PersistentList[letter]("x", backend=store) == []


def handle(number: int, store: Backend) -> None:
    assert "a" not in PersistentDict[str, int](str(number), backend=store)
    assert PersistentSet[int](str(number), backend=store) == set()


@pytest.mark.parametrize(
    ("make", "rounds"),
    [
        *[(make, 200) for make in (record, record_of_a_name_of_its_own, record_of_dataclasses, collection)],
        *[(make, 1_000) for make in (parametrised, handle)],
        *[
            pytest.param(make, rounds, marks=pytest.mark.proof)
            for make, rounds in [
                (record, 10_000),
                (record_of_a_name_of_its_own, 30_000),
                (record_of_dataclasses, 5_000),
                (collection, 50_000),
                (parametrised, 100_000),
                (handle, 100_000),
            ]
        ],
    ],
)
@pytest.mark.slow
def test_classes_and_handles_made_and_dropped_leave_nothing(make: Callable[[int, Backend], None], rounds: int) -> None:
    store = MemoryBackend()
    known = classes.every().keys()
    grown = grown_by(lambda number: make(number, store), rounds)
    assert grown.size_bytes < CACHED_BYTES + 10 * rounds
    assert len(classes.every().keys() - known) <= 1
    assert list(store.keys("")) == []


@pytest.mark.parametrize("rounds", [300, pytest.param(100_000, marks=pytest.mark.proof)])
@pytest.mark.parametrize("scheme", ["json", "sqlite"])
@pytest.mark.slow
def test_stores_made_by_url_and_dropped_leave_nothing(scheme: str, rounds: int, tmp_path: Path) -> None:
    def make(number: int) -> None:
        store = connect(f"{scheme}:{tmp_path}/{number}?codec=json")
        assert PersistentDict("notes", backend=store).get("a") is None

    grown = grown_by(make, rounds)
    assert grown.descriptors <= 0
    assert grown.blocks < 250 + rounds / 10
    assert grown.size_bytes < INTERNED_BYTES


@pytest.mark.parametrize("store_kind", [*STORES])
def test_a_store_that_is_dropped_is_let_go_at_once(url: str) -> None:
    one_of_its_own = f"{url}?prefix=dropped:" if url.startswith("redis") else url  # connect() gives a store in use
    gc.disable()  # it would find a cycle later, with connections in it
    try:
        store = connect(one_of_its_own)
        PersistentDict("notes", backend=store)["a"] = 1
        dropped = ref(store)
        del store
        assert dropped() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("rounds", [300, pytest.param(20_000, marks=pytest.mark.proof)])
@pytest.mark.slow
def test_stores_on_a_server_made_by_url_and_dropped_leave_nothing(server: RunningServer, rounds: int) -> None:
    def make(number: int) -> None:
        store = connect(f"{server.url}?prefix=app{number}:")
        assert PersistentDict("notes", backend=store).get("a") is None

    grown = grown_by(make, rounds)
    assert grown.descriptors <= 0
    assert grown.size_bytes < CACHED_BYTES + 30 * rounds
    with server.client() as client:
        wait_until(lambda: len(client.client_list()) == 1, "connections are not closed")

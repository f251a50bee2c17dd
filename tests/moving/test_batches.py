"""Many objects are read in one round trip and put in one step of the store, and each is still whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import Backend, CorruptDataError, PersistentDict, connect
from persistent_collections.backends.base import BATCH_BYTES, ForeignDataError, Whole
from persistent_collections.backends.changes import Replace, SetDeadline
from persistent_collections.backends.keys import Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.redis.connection import Exchange
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.moving import Exported, Moved, copy, export, import_
from tests.moving.models import Traveller
from tests.servers import RunningServer

MANY = 300


def fill(backend: Backend) -> None:
    """Make ``MANY`` records, every second one with children."""
    for number in range(MANY):
        more: dict[str, Any] = {"stamps": {1}, "visits": {1: b"x"}} if number % 2 else {}
        Traveller(number, backend=backend, age=number, **more)


def contents(backend: Backend) -> dict[str, Any]:
    """Return what is stored under each key."""
    keys = list(backend.keys(""))
    return {str(key): entry and entry.content for key in keys for entry in backend.snapshot([key])}


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch, cls: type, *names: str) -> Iterator[list[str]]:
    """Yield the calls of some methods in the block."""
    calls: list[str] = []

    def counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def method(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return original(*args, **kwargs)

        return method

    with monkeypatch.context() as patch:
        for name in names:
            patch.setattr(cls, name, counted(name, getattr(cls, name)))
        yield calls


@pytest.fixture
def file(tmp_path: Path) -> Backend:
    """Give a SQLite store."""
    return connect(f"sqlite:{tmp_path}/one.db?synchronous=OFF")


def test_a_sqlite_store_is_read_in_a_transaction_for_many_objects(
    file: Backend, memory: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(file)
    with counting(monkeypatch, Database, "read", "ask") as calls:
        assert copy(file, memory) == Moved(copied=MANY)
    assert len(calls) <= 8
    with counting(monkeypatch, Database, "read", "ask") as calls:
        assert export(file, BytesIO(), secrets="omit") == Exported(MANY)
    assert len(calls) <= 8
    assert contents(memory) == contents(file)


def test_what_was_put_into_a_sqlite_store_is_read_back_in_a_transaction_for_many(
    file: Backend, memory: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(memory)
    with counting(monkeypatch, Database, "read", "ask", "write", "change") as calls:
        assert copy(memory, file) == Moved(copied=MANY)
    assert len(calls) <= 8
    with counting(monkeypatch, Database, "read", "ask", "write", "change") as calls:
        assert copy(memory, file) == Moved(equal=MANY)
    assert len(calls) <= 8
    assert contents(memory) == contents(file)


@pytest.mark.store("server")
def test_a_server_is_asked_for_many_objects_in_a_round_trip(
    server: RunningServer, memory: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(server.url) as source:
        fill(source)
        with counting(monkeypatch, Exchange, "send") as calls:
            assert copy(source, memory) == Moved(copied=MANY)
        assert len(calls) <= 6
        out = BytesIO()
        with counting(monkeypatch, Exchange, "send") as calls:
            assert export(source, out, secrets="omit") == Exported(MANY)
        assert len(calls) <= 6
        with counting(monkeypatch, Exchange, "send") as calls:
            assert import_(BytesIO(out.getvalue()), source) == Moved(equal=MANY)
        assert len(calls) <= MANY + 8
        assert contents(memory) == contents(source)


@pytest.mark.store("server")
def test_large_objects_are_read_from_a_server_by_themselves(
    server: RunningServer, memory: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(server.url) as source:
        for number in range(5):
            source.commit([], [Replace(Key(f"Large:{number}"), [b"x" * BATCH_BYTES])])
            source.commit([], [Replace(Key(f"Many:{number}"), dict.fromkeys(map(str, range(1000)), b"x"))])
            source.commit([], [Replace(Key(f"Small:{number}"), {"x"})])
        with counting(monkeypatch, Exchange, "send") as calls:
            assert copy(source, memory) == Moved(copied=15)
        assert len(calls) <= 4 + 5 + 10 * 2
        assert contents(memory) == contents(source)


class Damaged(MemoryBackend):
    """A store that reads several objects at once, one of which is damaged."""

    def snapshots(self, objects: Sequence[Sequence[Key]]) -> list[Whole]:
        return [self._whole(keys) for keys in objects[:100]]

    def _whole(self, keys: Sequence[Key]) -> Whole:
        damaged = Key("Traveller:a")
        return CorruptDataError(f"{damaged} is damaged") if damaged in keys else self.snapshot(keys)


def test_what_comes_before_a_damaged_object_that_is_read_with_it_is_put(other: Backend) -> None:
    source = Damaged()
    fill(source)
    Traveller("a", backend=source, age=1)
    with pytest.raises(CorruptDataError, match="Traveller:a is damaged"):
        copy(source, other)
    assert contents(other) == {key: content for key, content in contents(source).items() if key != "Traveller:a"}


class Mixed(MemoryBackend):
    """A store that reads several objects at once, some with a key that another program wrote."""

    def snapshots(self, objects: Sequence[Sequence[Key]]) -> list[Whole]:
        return [self._whole(keys) for keys in objects[:100]]

    def _whole(self, keys: Sequence[Key]) -> Whole:
        foreign = [key for key in keys if key.child == "visits"]
        return (
            ForeignDataError(foreign[0], "zset") if foreign and int(foreign[0].root[10:]) % 2 else self.snapshot(keys)
        )


def test_keys_of_other_programs_are_left_out_of_objects_that_are_read_together(other: Backend) -> None:
    source = Mixed()
    fill(source)
    assert copy(source, other) == Moved(copied=MANY, foreign=MANY // 2)
    assert contents(other) == {key: data for key, data in contents(source).items() if not key.endswith("visits")}


@pytest.mark.parametrize("target", ["memory", "sqlite"])
def test_deadlines_and_progress_are_those_of_each_object(memory: Backend, file: Backend, target: str) -> None:
    there = connect("memory:") if target == "memory" else file
    for number in range(5):
        PersistentDict(str(number), {"n": number}, backend=memory)
        memory.commit([], [SetDeadline(Key(f"PersistentDict:{number}"), 1000.0 * (number + 1) if number else None)])
    told: list[tuple[int, str]] = []
    assert copy(memory, there, progress=lambda done, key: told.append((done, key))) == Moved(copied=5)
    assert told == [(number + 1, f"PersistentDict:{number}") for number in range(5)]
    ttls = [found and found.ttl_s for found in there.look([Key(f"PersistentDict:{number}") for number in range(5)])]
    assert ttls == [None, *(pytest.approx(1000 * (number + 1), abs=30) for number in range(1, 5))]

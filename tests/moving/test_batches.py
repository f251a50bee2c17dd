"""Many objects are read in one round trip and put in one step of the store, and each is still whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    BackendError,
    CorruptDataError,
    ObjectExists,
    OutcomeUnknown,
    PersistentDict,
    connect,
)
from persistent_collections.backends.base import BATCH_BYTES, ForeignDataError, Whole
from persistent_collections.backends.changes import Replace, SetDeadline
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.keys import Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.redis.connection import Exchange
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.moving import Exported, Moved, OnConflict, copy, export, import_
from tests.moving.models import Traveller
from tests.proxy import Direction, counted
from tests.servers import MASTERS, RunningServer

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


@pytest.mark.store("json")
def test_twenty_objects_are_written_to_files_under_one_lock_and_with_one_commit_file(
    tmp_path: Path, memory: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is written per key, and one per batch; each batch makes ten directories for children."""
    fill(memory)
    monkeypatch.setattr("persistent_collections.backends.json.files._flush", lambda _: None)
    PersistentDict("first", {"k": 1}, backend=(target := connect(f"json:{tmp_path}/store")))
    keys, batches = 2 * MANY, MANY // 20
    with counting(monkeypatch, Files, "lock", "create", "sync_directory") as calls:
        assert copy(memory, target) == Moved(copied=MANY)
    assert calls.count("lock") == batches
    assert calls.count("create") == keys + batches
    assert calls.count("sync_directory") <= batches * (10 + 10 + 1 + 2) + 3
    assert contents(memory).keys() <= contents(target).keys()


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
        assert len(calls) <= 9
        assert contents(memory) == contents(source)


@pytest.mark.store("server")
@pytest.mark.parametrize("serving", ["server", "cluster"])
def test_a_server_is_given_many_objects_in_a_round_trip(
    serving: str, start: Any, memory: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(memory)
    nodes = 1 if serving == "server" else MASTERS
    with connect(start(serving).url) as target:
        with counting(monkeypatch, Exchange, "send") as calls:
            assert copy(memory, target) == Moved(copied=MANY)
        assert len(calls) <= nodes * (2 * MANY / 100 + 1) + 10
        assert contents(target) == contents(memory)
        for number in range(MANY):
            memory.mapping(Key(f"Traveller:{number}")).set_many({"age": b"1000"})
        with counting(monkeypatch, Exchange, "send") as calls:
            assert copy(memory, target, on_conflict="replace") == Moved(replaced=MANY)
        assert len(calls) <= nodes * (3 * MANY / 100 + 1) + 10
        assert contents(target) == contents(memory)


def between(monkeypatch: pytest.MonkeyPatch, cls: type, happens: Callable[[], object]) -> None:
    """Let something happen once, right before several steps are made."""
    original = cls.commit_each  # type: ignore[attr-defined] # of a store

    def commit_each(self: Any, steps: Any) -> list[bool]:
        monkeypatch.setattr(cls, "commit_each", original)
        happens()
        result: list[bool] = original(self, steps)
        return result

    monkeypatch.setattr(cls, "commit_each", commit_each)


@pytest.mark.parametrize("store_kind", ["sqlite", "server", "cluster", "json"])
@pytest.mark.parametrize("on_conflict", ["error", "skip", "replace"])
def test_objects_that_others_make_meanwhile_are_conflicts_or_the_same(
    backend: Backend, memory: Backend, on_conflict: OnConflict, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcde":
        Traveller(name, backend=memory, age=1)

    def happens() -> None:
        Traveller("b", backend=backend, age=1)  # the same, and yet made by another
        Traveller("d", backend=backend, age=2)

    between(monkeypatch, type(backend), happens)
    told: list[str] = []
    if on_conflict == "error":
        with pytest.raises(ObjectExists, match="'Traveller:d'"):
            copy(memory, backend, on_conflict="error", progress=lambda _, key: told.append(key))
        assert told == [f"Traveller:{name}" for name in "abc"]
    else:
        moved = copy(memory, backend, on_conflict=on_conflict)
        assert moved == Moved(copied=3, equal=1, **{"skip": {"skipped": 1}, "replace": {"replaced": 1}}[on_conflict])
    ages = {name: Traveller.ref(name, backend=backend).get("age") for name in "abd"}
    assert ages == {"a": 1, "b": 1, "d": 1 if on_conflict == "replace" else 2}


@pytest.mark.slow
@pytest.mark.store("server")
@pytest.mark.parametrize("passed_bytes", [1, 2000, 9000, 12_000, 20_000, 40_000])
@pytest.mark.parametrize("direction", ["request", "reply"])
def test_a_copy_whose_connection_is_cut_says_so_and_is_run_again(
    server: RunningServer, memory: Backend, passed_bytes: int, direction: Direction
) -> None:
    fill(memory)
    with counted(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}/0") as target:
        target.look([Key("Traveller:0")])
        proxy.cut_after(direction, passed_bytes)
        told: list[str] = []
        with suppress(OutcomeUnknown):
            copy(memory, target, progress=lambda _, key: told.append(key))
        for key in told:
            assert target.snapshot([Key(key)]) == memory.snapshot([Key(key)]), "what was reported is there"
        found = contents(target)
        assert found == {key: content for key, content in contents(memory).items() if key in found}
        moved = copy(memory, target)
        assert moved.copied + moved.equal == MANY
        assert contents(target) == contents(memory)


@pytest.mark.store("server")
def test_a_large_value_among_small_ones_is_sent_to_a_server_by_itself(server: RunningServer, memory: Backend) -> None:
    with server.client() as client:
        client.config_set("proto-max-bulk-len", 2**20)
    try:
        memory.commit([], [Replace(Key("Large:b"), [b"x" * (2**21)])])
        for name in "ac":
            memory.commit([], [Replace(Key(f"Large:{name}"), [b"x"])])
        with connect(server.url) as target:
            with pytest.raises(BackendError, match="proto-max-bulk-len"):
                copy(memory, target)
            assert {key.root for key in target.keys("")} <= {"Large:a", "Large:c"}
    finally:
        with server.client() as client:
            client.config_set("proto-max-bulk-len", 2**29)


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

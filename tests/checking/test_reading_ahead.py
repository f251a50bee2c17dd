"""Objects are read many together, and what is wrong is looked at again by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import Backend, Record, connect
from persistent_collections.backends.base import Whole
from persistent_collections.backends.changes import Replace
from persistent_collections.backends.keys import Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.redis.connection import Exchange
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.checking import check
from persistent_collections.errors import CorruptDataError
from tests.checking.test_checking import short
from tests.moving.test_batches import MANY, counting, fill
from tests.servers import MASTERS


class Quartermaster(Record):
    mate: Quartermaster | None


def test_a_sqlite_store_is_read_in_a_transaction_for_many_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(f"sqlite:{tmp_path}/one.db?synchronous=OFF") as file:
        fill(file)
        with counting(monkeypatch, Database, "read", "ask") as calls:
            assert list(check(file)) == []
    assert len(calls) <= 12


@pytest.mark.store("server")
@pytest.mark.parametrize("serving", ["server", "cluster"])
def test_a_server_is_asked_for_many_objects_in_a_round_trip(
    serving: str, start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = 1 if serving == "server" else MASTERS
    with connect(start(serving).url) as backend:
        fill(backend)
        for number in range(MANY):
            Quartermaster(number, mate=Quartermaster.ref(number, backend=backend), backend=backend)
        with counting(monkeypatch, Exchange, "send") as calls:
            assert list(check(backend)) == []
        assert len(calls) <= nodes * (2 * MANY / 100 + 5) + 10


def test_a_fault_that_is_mended_before_its_turn_is_not_reported(backend: Backend) -> None:
    for name in "abc":
        backend.commit([], [Replace(Key(f"Quartermaster:{name}"), {"rank": b"1"})])
    findings = check(backend)
    assert next(findings).key == "Quartermaster:a"
    backend.mapping(Key("Quartermaster:b"), is_record=True).set_many({"rank": None})
    assert [finding.key for finding in findings] == ["Quartermaster:c"]


def test_a_reference_to_a_record_that_a_repair_has_deleted_is_found(backend: Backend) -> None:
    backend.commit([], [Replace(Key("Quartermaster:a"), [b"1"])])
    Quartermaster("b", mate=Quartermaster.ref("a", backend=backend), backend=backend)
    assert short(check(backend, repair=["wrong_shape"])) == [
        ("wrong_shape", "Quartermaster:a", None, True),
        ("dangling", "Quartermaster:b", "mate", False),
    ]


class Torn(MemoryBackend):
    """A store that cannot read several objects, since it is damaged somewhere."""

    def snapshots(self, objects: Sequence[Sequence[Key]]) -> list[Whole]:
        raise CorruptDataError("some page is damaged")


def test_a_store_that_cannot_be_read_together_is_read_one_by_one() -> None:
    store = Torn()
    for name in "abc":
        Quartermaster.create(name, mate=None, backend=store)
    store.mapping(Key("Quartermaster:b"), is_record=True).set_many({"rank": b"1"})
    assert short(check(store)) == [("stray_field", "Quartermaster:b", "rank", False)]

"""Records that are copied are found in their new store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from persistent_collections import (
    Backend,
    NotUnique,
    Record,
    SchemaChangedError,
    SlowHabitWarning,
    connect,
    indexed,
    unique,
)
from persistent_collections.checking import check
from persistent_collections.moving import copy, export, import_
from tests.testing.indexed import IndexedMemory


class Coin(Record):
    serial: Annotated[str, unique]
    year: Annotated[int, indexed] = 1999


@pytest.fixture
def source() -> Backend:
    made = connect("memory:")
    for number in range(3):
        Coin.create(f"c{number}", serial=str(number), year=2000 + number, backend=made)
    return made


@pytest.fixture(params=["chosen", "entries"])
def target(request: pytest.FixtureRequest, store_kind: str, backend: Backend) -> Backend:
    """Give a store that is in use."""
    if request.param == "entries" and store_kind != "json":
        pytest.skip("once is enough")
    made = backend if request.param == "chosen" else IndexedMemory()
    Coin.create("old", serial="old", backend=made)
    return made


def moves(source: Backend, folder: Path) -> list[Callable[[Backend], Any]]:
    file = folder / "coins.jsonl"
    export(source, file)
    return [lambda target: copy(source, target), lambda target: import_(file, target)]


@pytest.mark.parametrize("way", [0, 1])
def test_what_is_copied_into_a_live_store_is_found_there(
    source: Backend, target: Backend, tmp_path: Path, way: int
) -> None:
    moves(source, tmp_path)[way](target)
    assert [coin.id for coin in Coin.find(year=2001, backend=target)] == ["c1"]
    assert Coin.find(serial="old", backend=target).one().id == "old"
    with pytest.raises(NotUnique):
        Coin.create(serial="2", backend=target)
    assert list(check(target, prefix="Coin:")) == []


def test_what_is_replaced_is_found_by_its_new_values_alone(source: Backend, target: Backend) -> None:
    Coin.create("c1", serial="before", year=1900, backend=target)
    copy(source, target, on_conflict="replace")
    assert not Coin.find(year=1900, backend=target)
    assert Coin.find(serial="1", backend=target).one().id == "c1"
    Coin.create("new", serial="before", backend=target)


def test_a_copy_that_is_interrupted_leaves_an_index_that_is_not_trusted(source: Backend, target: Backend) -> None:
    if target.indexing != "indexes":
        pytest.skip("this store keeps no entries")

    def stop(done: int, key: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, target, progress=stop)
    with pytest.warns(SlowHabitWarning, match="not built"):
        assert Coin.find(year=1999, backend=target).one().id == "old"
    with pytest.raises(SchemaChangedError, match=r"Coin.reindex\(\)"):
        Coin.create(serial="new", backend=target)
    Coin.reindex(backend=target)
    Coin.create(serial="new", backend=target)


def test_a_value_that_two_records_have_after_a_copy_is_named(source: Backend, target: Backend) -> None:
    Coin.ref("old", backend=target).serial = "1"
    with pytest.raises(NotUnique, match=r"'Coin:(old|c1)': its serial is that of 'Coin:(old|c1)'"):
        copy(source, target)
    assert Coin.count(backend=target) == 4

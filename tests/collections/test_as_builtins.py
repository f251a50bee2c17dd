"""Collections do what the built-in ones do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from persistent_collections import Backend, PersistentDict, PersistentList


def test_lists_are_equal_by_what_they_hold(store: Backend) -> None:
    assert PersistentList("a", [1, 2]) == PersistentList("b", [1, 2]) == [1, 2]
    assert PersistentList("a") != [2, 1]


@pytest.mark.parametrize("marker", ["__DELETED__", "", "0", "null", "\0"])
def test_no_value_is_taken_for_a_mark_of_deletion(store: Backend, marker: str) -> None:
    items = PersistentList("items", [marker, "a", "b", marker, "c"])
    del items[2]
    assert items[:] == [marker, "a", marker, "c"]
    del items[0]
    items[1:2] = ["x", marker]
    assert items[:] == ["a", "x", marker, "c"]


def test_a_deletion_is_one_step_no_reader_sees_half_of(store: Backend) -> None:
    items = PersistentList[int]("items", range(200))
    seen: set[Any] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.update(items[:])

    def delete(_: int) -> int:
        removed = 0
        for _ in range(30):
            items.lpush(-1)
            del items[10]
            removed += 1
        return removed

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(3) as pool:
        removed = sum(pool.map(delete, range(3)))
    done.set()
    reader.join()
    assert removed == 90
    assert len(items) == 200
    assert seen <= {-1, *range(200)}


def test_slices_are_those_of_a_list(store: Backend) -> None:
    plain = list(range(10))
    items = PersistentList("items", plain)
    cuts = [None, 0, 1, 3, 9, 10, 20, -1, -3, -20]
    for start in cuts:
        for stop in cuts:
            for step in (None, 1, 2, -1, -3):
                assert items[start:stop:step] == plain[start:stop:step]
    with pytest.raises(ValueError, match="slice step cannot be zero"):
        items[::0]


def test_what_is_out_of_range_is_an_index_error(store: Backend) -> None:
    items, empty = PersistentList("items", [1]), PersistentList("empty")
    with pytest.raises(IndexError):
        items[1]
    with pytest.raises(IndexError):
        items[1] = 2
    with pytest.raises(IndexError):
        del items[-2]
    for pop in (empty.pop, empty.lpop, empty.rpop):
        with pytest.raises(IndexError):
            pop()
    empty.append("")
    assert empty.lpop() == ""


def test_a_list_has_all_of_a_lists_methods(store: Backend) -> None:
    items = PersistentList("items", [3, 1])
    items.insert(1, 2)
    items.extend([5, 4])
    assert (items.pop(0), items.index(5), items.count(2), 4 in items) == (3, 2, 1, True)
    assert items + items == [2, 1, 5, 4] * 2
    items.remove(5)
    items.sort()
    items.reverse()
    assert items == [4, 2, 1]
    missing = {name for name in dir(list) if not hasattr(PersistentList, name)}
    assert not missing


def test_a_dict_is_a_dict(store: Backend) -> None:
    d = PersistentDict("d", {"a": 1, "b": 2})
    assert "a" in d
    assert sorted(d) == ["a", "b"]
    assert (d.get("c"), len(d), sorted(d.items()), dict(d)) == (None, 2, [("a", 1), ("b", 2)], {"a": 1, "b": 2})
    d.update(c=3)
    del d["a"]
    assert d == {"b": 2, "c": 3}
    missing = {name for name in dir(dict) if not hasattr(PersistentDict, name)}
    assert not missing


@pytest.mark.parametrize(
    "value",
    [
        False,
        True,
        None,
        "None",
        "False",
        0,
        1.5,
        [1, 2],
        (1, 2),
        {"a": [None]},
        {1: "x"},
        {1, 2},
        b"\x00\xff",
        float("inf"),
    ],
)
def test_a_value_comes_back_as_it_was_type_included(store: Backend, value: Any) -> None:
    d, items = PersistentDict("d", {"x": value}), PersistentList("l", [value])
    for found in (d["x"], d.copy()["x"], items[0], items[:][0]):
        assert found == value
        assert isinstance(found, type(value))

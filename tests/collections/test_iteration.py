"""Iteration: a page at a time, and over a collection that changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from threading import Thread
from typing import Any

import pytest

from persistent_collections import Backend, PersistentDict, PersistentList, PersistentSet
from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.handles import SequenceStore

MANY = 2500
"""More than two pages."""


@pytest.fixture
def mapping(backend: Backend) -> PersistentDict[int, int]:
    return PersistentDict[int, int]("d", ((number, -number) for number in range(MANY)), backend=backend)


@pytest.fixture
def items(backend: Backend) -> PersistentList[int]:
    return PersistentList[int]("l", range(MANY), backend=backend)


@pytest.fixture
def members(backend: Backend) -> PersistentSet[int]:
    return PersistentSet[int]("s", range(MANY), backend=backend)


def test_each_key_value_and_item_comes_once(mapping: PersistentDict[int, int], backend: Backend) -> None:
    assert sorted(mapping) == list(range(MANY))
    assert sorted(mapping.keys()) == list(range(MANY))
    assert sorted(mapping.values()) == list(range(1 - MANY, 1))
    assert sorted(mapping.items()) == [(number, -number) for number in range(MANY)]
    if backend.ordered:
        assert list(mapping) == list(range(MANY))
        assert list(reversed(mapping)) == list(reversed(range(MANY)))


def test_each_item_comes_in_its_place(items: PersistentList[int]) -> None:
    assert list(items) == list(range(MANY))
    assert list(reversed(items)) == list(reversed(range(MANY)))
    first, second = iter(items), iter(items)
    assert list(islice(first, 1500)) == list(range(1500))
    assert list(islice(second, 10)) == list(range(10))
    assert list(first) == list(range(1500, MANY))


def test_each_member_comes_once(members: PersistentSet[int]) -> None:
    assert sorted(members) == list(range(MANY))


def test_keys_that_stay_come_once_while_others_come_and_go(mapping: PersistentDict[int, int]) -> None:
    seen = []
    for number in mapping:
        seen.append(number)
        if number % 20 == 0:
            mapping[number + MANY] = mapping.pop(number)
    assert sorted(number for number in seen if number % 20) == [number for number in range(MANY) if number % 20]
    assert len(set(seen)) == len(seen)


def test_members_that_stay_come_once_while_others_come_and_go(members: PersistentSet[int]) -> None:
    seen = []
    for number in members:
        seen.append(number)
        if number % 20 == 0:
            members.symmetric_difference_update([number, number + MANY])
    assert sorted(number for number in seen if number % 20) == [number for number in range(MANY) if number % 20]
    assert len(set(seen)) == len(seen)


def test_a_loop_that_adds_to_its_own_dict_or_set_ends(backend: Backend) -> None:
    mapping = PersistentDict("d", {str(number): 0 for number in range(600)}, backend=backend)
    members = PersistentSet("s", mapping, backend=backend)
    for collection, add in ((mapping, lambda key: mapping.update({key: 0})), (members, members.add)):
        seen = []
        for key in collection:
            seen.append(key)
            if key.startswith("1"):
                add(f"{key}+")
        assert {key for key in seen if "+" not in key} == set(map(str, range(600)))
        assert len(set(seen)) == len(seen)


def test_a_collection_emptied_while_iterating_over_it_raises_nothing(
    mapping: PersistentDict[int, int], items: PersistentList[int], members: PersistentSet[int]
) -> None:
    for collection in (mapping, items, members):
        iterator: Iterator[Any] = iter(collection)
        next(iterator)
        collection.delete()
        rest = list(iterator)
        assert next(iterator, None) is None, "what has ended stays ended"
        assert rest == [] or collection is not items


LOOPS = {
    "append": "for v in it: len(it) > 2700 or v % 20 or it.append(v)",
    "append while reversed": "for v in reversed(it): len(it) > 2600 or it.append(v)",
    "remove": "for v in it: v % 100 or it.remove(v)",
    "remove while reversed": "for v in reversed(it): v % 100 or it.remove(v)",
    "pop": "for v in it: v % 100 or it.pop()",
    "pop while reversed": "for v in reversed(it): v % 100 or it.pop()",
    "pop the first": "for v in it: v % 100 or it.pop(0)",
    "pop the first while reversed": "for v in reversed(it): v % 100 or len(it) < 2480 or it.pop(0)",
    "insert": "for v in it: v % 100 or len(it) > 2600 or it.insert(0, -1)",
    "insert while reversed": "for v in reversed(it): v % 100 or len(it) > 2600 or it.insert(0, -1)",
    "set ahead": "for v in it: v % 100 or it.__setitem__(slice(v + 1, v + 2), [-5])",
    "cut": "for v in it: it.__delitem__(slice(v + 10, v + 500)) if v % 100 == 0 else None",
    "clear": "for v in it: v == 1200 and it.clear()",
    "clear while reversed": "for v in reversed(it): v == 1200 and it.clear()",
    "reverse": "for v in it: v == 100 and it.reverse()",
}


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_that_changes_its_own_list_goes_as_one_over_a_list(items: PersistentList[int], loop: str) -> None:
    model = list(range(MANY))
    for it in (items, model):
        seen: list[int] = []
        exec(LOOPS[loop].replace(": ", ": seen.append(v); ", 1), {"it": it, "seen": seen})
        if it is items:
            walked = seen
    assert walked == seen
    assert items == model


def test_a_page_in_hand_is_as_it_was_read_whatever_another_handle_does(items: PersistentList[int]) -> None:
    other = PersistentList[int].ref("l", backend=items.__pc__.now().backend)
    walked = iter(items)
    assert next(walked) == 0
    other[5] = -5
    other[PAGE_SIZE + 5] = -5
    seen = list(walked)
    assert seen[4] == 5
    assert seen[PAGE_SIZE + 4] == -5


def test_a_change_of_a_nested_item_is_seen_further_on(backend: Backend) -> None:
    items = PersistentList[list[int]]("l", ([number] for number in range(20)), backend=backend)
    for number, item in enumerate(items):
        item.append(number)
        items[-1].append(number)
    assert items[0] == [0, 0]
    assert items[-1] == [19, *range(20), 19]


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch, store: SequenceStore) -> Iterator[list[int]]:
    """Give how many items each read of a slice got."""
    sizes: list[int] = []
    read = type(store).get_slice

    def get_slice(self: SequenceStore, where: slice) -> list[bytes]:
        page = read(self, where)
        sizes.append(len(page))
        return page

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "get_slice", get_slice)
        yield sizes


def test_a_loop_over_a_list_reads_pages_and_one_that_changes_it_does_not_read_them_again(
    items: PersistentList[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted(monkeypatch, items.__pc__.now().store) as sizes:
        assert sum(items) == sum(range(MANY))
        assert sizes == [PAGE_SIZE + 1, PAGE_SIZE + 1, MANY - 2 * PAGE_SIZE - 2], (
            "a page each, and none to find the end"
        )
    with counted(monkeypatch, items.__pc__.now().store) as sizes:
        for number in items:
            if number < 200:
                items[number] = number
        assert sum(sizes) < 3 * MANY, "items are not read by the page for each one changed"


def test_a_loop_over_a_list_of_a_whole_page_takes_one_read(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    items = PersistentList[int]("whole", range(PAGE_SIZE), backend=backend)
    with counted(monkeypatch, items.__pc__.now().store) as sizes:
        assert sum(items) == sum(range(PAGE_SIZE))
    assert sizes == [PAGE_SIZE]


def test_a_loop_sees_its_own_changes_while_others_write_through_the_same_handle(items: PersistentList[int]) -> None:
    seen = []
    for number in items:
        seen.append(number)
        if number == 5:
            items[6], items[7] = -6, -7
            other = Thread(target=items.__setitem__, args=(9, -9))
            other.start()
            other.join()
        if number == -6:
            items[8] = -8
    assert seen[:10] == [0, 1, 2, 3, 4, 5, -6, -7, -8, -9]

"""What CPython's tests and the models do not ask of a set."""

from __future__ import annotations

import copy
from collections.abc import MutableSet
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    DecodeError,
    EncodeError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    connect,
)


def stored_as(items: Any, backend: Backend, kind: Any = PersistentSet[Any]) -> PersistentSet[Any]:
    stored: PersistentSet[Any] = kind(None, items, backend=backend)
    return stored


def test_items_fill_an_object_that_does_not_exist_yet_and_no_other(backend: Backend) -> None:
    first = PersistentSet("s", "ab", backend=backend)
    assert PersistentSet("s", "xyz", backend=backend) == first == {"a", "b"}
    first.clear()
    assert PersistentSet("s", ["x"], backend=backend) == {"x"}
    assert PersistentSet("t", first, backend=backend) == {"x"}
    assert not PersistentSet("u", (), backend=backend)


def test_members_that_are_equal_in_python_are_one_member(backend: Backend) -> None:
    ours = stored_as([1, True, 1.0, Decimal(1), "1", (1, 2), (True, 2.0)], backend)
    assert ours == {1, "1", (1, 2)}
    assert len(ours) == 3
    for member in (True, 1.0, Decimal(1), 1 + 0j, (1.0, 2)):
        assert member in ours
    ours.remove(1.0)
    ours.discard((True, 2))
    assert ours == {"1"}


def test_members_are_str_unless_declared(backend: Backend) -> None:
    ours: Any = stored_as("ab", backend, PersistentSet)
    for statement in (
        *("it.add(1)", "it.update(['c', 1])", "it.symmetric_difference_update(['a', 1])", "it.__ior__({1})"),
    ):
        with pytest.raises(EncodeError, match=rf"{ours.key}.*declare"):
            eval(statement, {"it": ours})
    assert ours == {"a", "b"}
    assert ours & {1, "a"} == {"a"}
    assert ours | {1} == {"a", "b", 1}


@pytest.mark.parametrize(
    "statement",
    [
        *(
            "it.remove('z')",
            "it.add([])",
            "[] in it",
            "it.discard([])",
            "it.remove([])",
            "it.remove({1})",
            "it.update(5)",
        ),
        *("it | [1]", "[1] | it", "it & 'a'", "it - ['a']", "it ^ 5", "it < [1]", "it >= 'a'"),
        *("it.intersection_update(5)", "it.difference_update(5)", "it.symmetric_difference_update([[]])", "it + it"),
        *("it.union(5)", "it.union([[]])", "it.isdisjoint(5)", "it.issubset(5)", "hash(it)", "it.pop(1)", "it[0]"),
        *("it.symmetric_difference()", "it.update([1], 5)"),
    ],
)
def test_a_mistake_raises_what_a_set_raises(backend: Backend, statement: str) -> None:
    model = {"a", "b"}
    ours = stored_as(model, backend)
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever the set raises
        eval(statement, {"it": model.copy()})
    with pytest.raises(expected.type):
        eval(statement, {"it": ours})
    assert ours == {"a", "b"}


def test_a_set_among_members_stands_for_the_frozenset_it_equals(backend: Backend) -> None:
    ours = stored_as([frozenset("ab"), frozenset()], backend)
    assert {"a", "b"} in ours
    assert stored_as("ba", backend) in ours
    assert {"a"} not in ours
    ours.discard(set())
    ours.remove(stored_as("ab", backend))
    assert not ours
    missing = {1}
    with pytest.raises(KeyError) as raised:
        ours.remove(missing)
    assert raised.value.args[0] is missing


@pytest.mark.parametrize("method", ["union", "intersection", "difference"])
def test_sets_of_one_store_are_combined_in_it_and_others_as_well(backend: Backend, method: str) -> None:
    contents = [{1, 2, 3}, {2, 3, 4}, {3, 5}]
    expected = getattr(contents[0], method)(*contents[1:])
    ours, *siblings = (stored_as(content, backend, PersistentSet[int]) for content in contents)
    ways: list[list[Any]] = [
        siblings,
        [stored_as(content, connect("memory:"), PersistentSet[int]) for content in contents[1:]],
        [stored_as(content, backend) for content in contents[1:]],
        [siblings[0], contents[2]],
        [iter(contents[1]), stored_as(contents[2], backend, PersistentList[int])],
        [dict.fromkeys(contents[1]), stored_as(dict.fromkeys(contents[2]), backend, PersistentDict[int, Any])],
    ]
    for others in ways:
        assert getattr(ours, method)(*others) == expected
    assert type(getattr(ours, method)(*siblings)) is set
    assert getattr(ours, method)(ours) == getattr(contents[0], method)(contents[0])
    assert getattr(ours, method)(ours, *siblings) == getattr(contents[0], method)(contents[0], *contents[1:])
    assert ours == contents[0]


def test_sets_of_two_declared_types_are_not_taken_for_one(backend: Backend) -> None:
    texts, numbers = stored_as(["1"], backend, PersistentSet[str]), stored_as([1], backend, PersistentSet[int])
    assert texts | numbers == {"1", 1}
    assert not texts & numbers
    assert texts - numbers == {"1"}
    assert texts.isdisjoint(numbers)
    assert texts != numbers


def test_every_change_in_place_by_another_stored_set_is_as_a_sets(backend: Backend) -> None:
    for statement in (
        *("it |= other", "it &= other", "it -= other", "it ^= other", "it |= it", "it &= it", "it -= it", "it ^= it"),
        *("it.update(other, it)", "it.intersection_update([1, 2], [2, 3])", "it.difference_update(other, it)"),
        *("it.symmetric_difference_update(it)", "it.intersection_update()", "it.difference_update()", "it.update()"),
        *(
            "it |= other.copy()",
            "it &= {2: 0}.keys()",
            "it -= keyed.keys()",
            "it ^= keyed.keys()",
            "it |= keyed.keys()",
        ),
    ):
        names = {"keyed": stored_as({2: "a", 9: "b"}, backend, PersistentDict[int, str])}
        model, ours = {"it": {1, 2, 3}, "other": {3, 4}, "keyed": {2: "a", 9: "b"}}, stored_as([1, 2, 3], backend)
        exec(statement, model)
        names |= {"it": ours, "other": stored_as([3, 4], backend)}
        exec(statement, names)
        assert names["it"] is ours, statement
        assert ours.copy() == model["it"], statement


def test_a_set_is_equal_to_any_set_of_the_same_members_and_to_nothing_else(backend: Backend) -> None:
    ours = stored_as([1, "a"], backend)
    others: list[Any] = [{1, "a"}, frozenset([True, "a"]), {1: 0, "a": 0}.keys(), stored_as(["a", 1.0], backend)]
    others.append(stored_as(["a", 1], connect("memory:")))
    for other in others:
        assert ours == other
        assert other == ours
        assert ours <= other
        assert not ours < other
    different: list[Any] = [{1}, [1, "a"], (1, "a"), {1: 0, "a": 0}, None, stored_as([], backend)]
    for other in different:
        assert ours != other
    assert isinstance(ours, MutableSet)
    assert isinstance(ours, AbstractSet)


def test_copies_and_results_are_plain_sets(backend: Backend) -> None:
    ours = stored_as([1, 2], backend)
    for made in (ours.copy(), copy.copy(ours), copy.deepcopy(ours), ours | set(), ours & ours, ours.union()):
        assert type(made) is set
        made.clear()
    assert type(frozenset([3]) | ours) is frozenset
    assert type(ours | frozenset([3])) is set
    assert ours == {1, 2}


def test_what_cannot_be_decoded_is_not_lost_by_popping_it(backend: Backend) -> None:
    ours = stored_as(["text"], backend, PersistentSet)
    numbers: Any = PersistentSet[int].ref(ours.id, backend=backend)
    for vanishes in (False, True):
        if vanishes:
            ours.expire(100)
        with pytest.raises(DecodeError, match=ours.key):
            numbers.pop()
        assert ours == {"text"}
        assert (ours.ttl() is not None) is vanishes

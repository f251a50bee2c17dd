"""What CPython's tests and the models do not ask of a dict."""

from __future__ import annotations

import copy
from collections import ChainMap, OrderedDict, UserDict
from collections.abc import ItemsView, KeysView, Mapping, MutableMapping, ValuesView
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    ConflictError,
    DecodeError,
    EncodeError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    connect,
)


def stored_as(items: Any, backend: Backend, kind: Any = PersistentDict[Any, Any]) -> PersistentDict[Any, Any]:
    stored: PersistentDict[Any, Any] = kind(None, items, backend=backend)
    return stored


def test_items_fill_an_object_that_does_not_exist_yet_and_no_other(backend: Backend) -> None:
    first = PersistentDict("d", [("a", 1)], backend=backend)
    assert PersistentDict("d", {"a": 2, "b": 3}, backend=backend) == first == {"a": 1}
    first.clear()
    assert PersistentDict("d", {"b": 3}, backend=backend) == {"b": 3}
    assert PersistentDict("e", first, backend=backend) == {"b": 3}
    assert not PersistentDict("f", {}, backend=backend)


def test_fromkeys_makes_a_new_object(backend: Backend) -> None:
    made = PersistentDict.fromkeys("ab", [1], id="m", backend=backend)
    assert made == {"a": [1], "b": [1]}
    made["a"].append(2)
    assert made == {"a": [1, 2], "b": [1]}, "what is stored is no one object"
    named = PersistentDict[int, Any].fromkeys([1], id="n", backend=backend)
    assert PersistentDict[int, Any].fromkeys([2], id="n", backend=backend) == named == {1: None}
    assert type(named) is PersistentDict[int, Any]


def test_update_takes_every_form_that_a_dicts_does(backend: Backend) -> None:
    ours, model = stored_as({"z": 0}, backend), {"z": 0}
    other = PersistentDict("o", {"o": 1}, backend=backend)
    pairs = PersistentList("p", [["p", 1], ("q", 2)], backend=backend)
    for statement in (
        *("it.update()", "it.update({'a': 1})", "it.update([('b', 2)])", "it.update(('cd', ['e', 1]))"),
        *("it.update(f=1, g=2)", "it.update({'h': 1}, h=2, i=3)", "it.update(self=1, other=2, args=3)"),
        *("it.update(x for x in [('j', 1)])", "it.update(other)", "it.update(pairs)", "it.update(other.items())"),
        *("it.update(MappingProxyType({'k': 1}))", "it.update(it)", "it.update(zip('lm', [1, 2]))"),
        *("it.__ior__({'n': 1})", "it.__ior__([('o', 1)])", "it.__ior__(other)", "it.__ior__(it)"),
    ):
        for it in (ours, model):
            eval(statement, {"it": it, "other": other, "pairs": pairs, "MappingProxyType": MappingProxyType})
        assert ours == model, statement
    assert not backend.ordered or list(ours) == list(model)


@pytest.mark.parametrize(
    "statement",
    [
        *("it.update(1)", "it.update(1, 2)", "it.update([1])", "it.update([('a', 1, 2)])", "it.update(None)"),
        *("it.update([('a', 1), 5])", "it | 5", "it | [('a', 1)]", "5 | it", "it.__ior__(5)", "it['z']"),
        *("it.pop('z')", "it.__delitem__('z')", "it[[]]", "[] in it", "it.get([])", "it.pop([])", "it.setdefault([])"),
        *("it < it", "it + it", "hash(it)", "hash(it.keys())", "it.keys() | 5", "it.keys() < [1]", "it.items() - 5"),
        *("it.update(None, a=1)", "it.update([('a', 1)], [('b', 1)])", "it.popitem(5)"),
    ],
)
def test_a_mistake_raises_what_a_dict_raises(backend: Backend, statement: str) -> None:
    model = {"a": 0}
    ours = stored_as(model, backend)
    with pytest.raises(Exception) as expected:  # noqa: PT011 - whatever the dict raises
        eval(statement, {"it": model})
    with pytest.raises(expected.type):
        eval(statement, {"it": ours})
    assert ours == {"a": 0}


def test_keys_that_are_equal_in_python_are_one_key(backend: Backend) -> None:
    ours = stored_as({1: "a"}, backend)
    for key in (True, 1.0, Decimal(1), Fraction(1), 1 + 0j):
        assert key in ours
        assert ours[key] == "a"
        ours[key] = "a"
        assert ours.setdefault(key, "b") == "a"
    assert list(ours.items()) == [(1, "a")]
    assert "1" not in ours
    ours["1"] = "text"
    ours[(1.0, True)] = "pair"
    assert ours == {1: "a", "1": "text", (1, 1): "pair"}
    assert ours.pop((True, 1)) == "pair"
    del ours[True]
    assert ours == {"1": "text"}


def test_a_dict_of_int_takes_what_is_equal_to_one_and_nothing_else(backend: Backend) -> None:
    ours = stored_as({1: "a", -(2**70): "b"}, backend, PersistentDict[int, str])
    assert ours[True] == "a"
    assert ours[1.0] == "a"
    assert sorted(ours) == [-(2**70), 1]
    for key in ("1", 1.5, None, (1,)):
        with pytest.raises(EncodeError):
            ours[key] = "x"
        with pytest.raises(EncodeError):
            assert ours[key]
    assert len(ours) == 2


def test_a_dict_is_equal_to_any_mapping_of_the_same_items_and_to_nothing_else(backend: Backend) -> None:
    ours = stored_as({"a": [1], "b": {"c": 2, "d": 3}}, backend)
    same = {"b": {"d": 3.0, "c": 2}, "a": [True]}
    others: list[Any] = [same, UserDict(same), OrderedDict(same), ChainMap(same), MappingProxyType(same)]
    for other in others:
        assert ours == other
        assert other == ours
    assert ours == PersistentDict("else", same, backend=connect("memory:"))
    assert ours != {**same, "z": 1}
    assert ours != {"a": [1]}
    others = [list(same.items()), None, "a", PersistentList(backend=backend), PersistentSet(backend=backend)]
    for other in others:
        assert ours != other


def test_or_gives_a_plain_dict_and_changes_neither(backend: Backend) -> None:
    ours, other = stored_as({"a": 1, "b": 2}, backend), stored_as({"b": 3, "c": [4]}, backend)
    assert ours | other == {"a": 1, "b": 3, "c": [4]}
    assert type(ours | other) is dict
    assert other | ours == {"b": 2, "c": [4], "a": 1}
    assert {"b": 5} | ours == {"b": 2, "a": 1}
    assert ours | {"b": 5} == {"a": 1, "b": 5}
    assert isinstance(ours | UserDict(z=1), UserDict)
    assert ours == {"a": 1, "b": 2}
    it = ours
    it |= other
    assert it is ours
    assert ours == {"a": 1, "b": 3, "c": [4]}


def test_copies_are_plain_dicts(backend: Backend) -> None:
    ours = stored_as({"a": [1]}, backend)
    for made in (ours.copy(), copy.copy(ours), copy.deepcopy(ours), ours | {}, dict(ours)):
        assert type(made) is dict
        assert made == {"a": [1]}
    ours.copy()["a"].append(2)
    assert ours == {"a": [1]}


def test_views_show_what_is_there_at_every_moment(backend: Backend) -> None:
    ours = stored_as({"a": 1}, backend)
    keys, values, items = ours.keys(), ours.values(), ours.items()
    ours["b"] = 2
    del ours["a"]
    assert (list(keys), list(values), list(items)) == (["b"], [2], [("b", 2)])
    assert (len(keys), len(values), len(items)) == (1, 1, 1)
    assert "a" not in keys
    assert 2 in values
    assert ("b", 2.0) in items
    assert ("a", 1) not in items
    assert isinstance(keys, KeysView)
    assert isinstance(values, ValuesView)
    assert isinstance(items, ItemsView)
    assert keys.mapping["b"] == 2
    with pytest.raises(TypeError, match="item assignment"):
        keys.mapping["b"] = 3  # type: ignore[index] # that is the mistake


def test_views_are_sets(backend: Backend) -> None:
    ours, other = stored_as({"a": 1, "b": 2}, backend), stored_as({"b": 2, "c": 3}, backend)
    members = PersistentSet("s", ["b", "c"], backend=backend)
    for right in (other, other.keys(), {"b", "c"}, frozenset("bc"), ["b", "c"], {"b": 0, "c": 0}.keys(), members):
        assert ours.keys() & right == {"b"}
        assert ours.keys() | right == {"a", "b", "c"}
        assert ours.keys() - right == {"a"}
        assert ours.keys() ^ right == {"a", "c"}
        assert not ours.keys().isdisjoint(right)
    for left in ({"b", "c"}, {"b": 0, "c": 0}.keys(), members, other.keys()):
        assert left & ours.keys() == {"b"}
        assert left - ours.keys() == {"c"}
        assert left | ours.keys() == {"a", "b", "c"}
        assert left ^ ours.keys() == {"a", "c"}
        assert left != ours.keys()
    assert ours.keys() == {"a", "b"} == ours.keys()
    assert ours.keys() == stored_as({"b": 0, "a": 0}, backend).keys()
    assert members == other.keys()
    assert other.keys() == members
    assert {"a"} < ours.keys() <= {"a", "b"}
    assert ours.keys() < {"a", "b", "c"}
    assert ours.keys() >= stored_as({"a": 0}, backend).keys()
    assert ours.items() & other.items() == {("b", 2)}
    assert ours.items() == {"b": 2, "a": 1}.items()
    assert ours.items() == stored_as({"a": 1, "b": 2}, backend).items()
    assert type(ours.keys() | other.keys()) is set


def test_items_of_what_is_not_hashable_compare_as_a_dicts_do(backend: Backend) -> None:
    ours = stored_as({"a": [1]}, backend)
    assert ours.items() == {"a": [1]}.items()
    assert ours.items() != {"a": [2]}.items()
    assert ("a", [1]) in ours.items()
    assert ("a", [2]) not in ours.items()
    with pytest.raises(TypeError, match="unhashable"):
        assert ours.items() | set()


def test_order_is_that_of_first_insertion_where_the_store_has_one(backend: Backend) -> None:
    ours = stored_as({"b": 1, "a": 2}, backend)
    ours["c"] = 3
    ours["b"] = 4
    ours.update(a=5, d=6)
    ours["e"] = ours.pop("c")
    if backend.ordered:
        assert list(ours) == ["b", "a", "d", "e"] == list(ours.copy())
        assert list(reversed(ours)) == list(reversed(ours.keys())) == ["e", "d", "a", "b"]
        assert list(reversed(ours.values())) == [3, 6, 5, 4]
        assert ours.popitem() == ("e", 3)
    else:
        assert sorted(ours) == ["a", "b", "d", "e"]


def test_reversing_a_dict_that_has_no_order_says_so(backend: Backend) -> None:
    ours = stored_as({"a": 1}, backend)
    for view in (ours, ours.keys(), ours.values(), ours.items()):
        if backend.ordered:
            assert len(list(reversed(view))) == 1
        else:
            with pytest.raises(TypeError, match="no order"):
                reversed(view)


def test_a_dict_matches_the_pattern_of_a_mapping(backend: Backend) -> None:
    match stored_as({"kind": "user", "tags": ["a", "b"], "n": 1}, backend):
        case {"kind": "user", "tags": [first, *_], **rest}:
            assert (first, rest) == ("a", {"n": 1})
        case _:
            pytest.fail("it is a mapping")
    assert isinstance(stored_as({}, backend), MutableMapping)


def test_missing_is_asked_by_brackets_alone(backend: Backend) -> None:
    class Defaulting(PersistentDict[str, Any]):
        def __missing__(self, key: str) -> str:
            return f"no {key}"

    ours = Defaulting("d", {"a": 1}, backend=backend)
    assert ours["b"] == "no b"
    assert ours.get("b") is None
    assert "b" not in ours
    assert ("b", "no b") not in ours.items()
    assert ours == {"a": 1}


def test_the_default_of_pop_and_get_is_given_as_it_is(backend: Backend) -> None:
    ours, default = stored_as({"a": [1]}, backend), [2]
    assert ours.pop("b", default) is default
    assert ours.get("b", default) is default
    assert stored_as({"a": {"x": 1}}, backend)["a"].pop("b", default) is default


def test_what_cannot_be_decoded_is_not_lost_by_popping_it(backend: Backend) -> None:
    ours = stored_as({"a": "text"}, backend, PersistentDict)
    numbers: Any = PersistentDict[str, int].ref(ours.id, backend=backend)
    for vanishes in (False, True):
        if vanishes:
            ours.expire(100)
        for pop in (numbers.popitem, lambda: numbers.pop("a"), lambda: numbers.pop("a", None)):
            with pytest.raises(DecodeError, match=ours.key):
                pop()
        assert ours == {"a": "text"}
        assert (ours.ttl() is not None) is vanishes
    keyed: Any = PersistentDict[int, str].ref(ours.id, backend=backend)
    with pytest.raises(DecodeError, match=ours.key):
        keyed.popitem()
    assert ours == {"a": "text"}


def test_increment_adds_numbers_of_any_type_and_keeps_it(backend: Backend) -> None:
    ours = stored_as({}, backend)
    assert ours.increment("n") == 1
    assert ours.increment("n", 41) == 42
    assert ours.increment("n", -2) == 40
    pairs: list[tuple[Any, Any]] = [
        *((2**63 - 1, 1), (-(2**63), -1), (2**64, 1), (1, 2**64), (2**63 - 2, 1), (-1, 2**63)),
        *((1.5, 1), (1, 0.5), (0.1, 0.2), (1, True), (True, 1), (Decimal("0.1"), Decimal("0.2")), (1, 2j)),
    ]
    for start, by in pairs:
        ours["x"] = start
        total = ours.increment("x", by)
        assert (total, type(total)) == (start + by, type(start + by))
        assert (ours["x"], type(ours["x"])) == (total, type(total))
    assert ours.increment("new", 0.5) == 0.5


def test_increment_of_what_is_no_number_changes_nothing(backend: Backend) -> None:
    ours = stored_as({"text": "1", "list": [1], "none": None, "n": 1}, backend)
    before = ours.copy()
    for key in ("text", "list", "none"):
        with pytest.raises(TypeError, match="cannot be incremented"):
            ours.increment(key)
    for by in ("1", None, [1]):
        with pytest.raises(TypeError, match="by a number"):
            ours.increment("n", by)
    assert ours == before


def test_increment_keeps_to_the_declared_type(backend: Backend) -> None:
    ints = stored_as({"n": 1}, backend, PersistentDict[str, int])
    with pytest.raises(EncodeError):
        ints.increment("n", 0.5)
    assert ints.increment("n") == 2
    floats = stored_as({}, backend, PersistentDict[str, float])
    total = floats.increment("n", 1)
    assert (total, type(total)) == (1.0, float)


def test_increment_goes_by_the_codec(backend: Backend) -> None:
    ours = PersistentDict("d", {"n": 1}, backend=backend, codec="msgpack")
    assert ours.increment("n", 2) == 3
    assert ours == {"n": 3}


def test_increment_of_what_keeps_changing_is_a_conflict(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counter(float):
        """A number that changes what it is added to."""

        def __radd__(self, other: float) -> float:
            PersistentDict[str, Any].ref(ours.id, backend=backend)["n"] = other + 1
            return 0.5

    monkeypatch.setattr("persistent_collections.collections.retrying.RETRY_DEADLINE_S", 0.05)
    ours = stored_as({"n": 0.5}, backend, PersistentDict)
    with pytest.raises(ConflictError, match="nothing was written"):
        ours.increment("n", Counter(1))
    assert ours["n"] % 1 == 0.5
    assert ours["n"] > 1


def test_a_mapping_is_read_by_its_own_protocol(backend: Backend) -> None:
    class Letters(Mapping[str, int]):
        def __getitem__(self, key: str) -> int:
            return ord(key)

        def __iter__(self) -> Any:
            return iter("ab")

        def __len__(self) -> int:
            return 2

    assert stored_as(Letters(), backend) == {"a": 97, "b": 98} == Letters()

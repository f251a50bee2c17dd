"""Lists, dicts and sets inside a stored value."""

from __future__ import annotations

import copy
import gc
import heapq
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pytest

from persistent_collections import (
    Backend,
    ConflictError,
    EncodeError,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentObject,
    connect,
    register_type,
)
from tests.collections.comparing import compiled, shown, unaliased
from tests.collections.holding import HOLDS, Box, Held, Hold, held_in_a_dict, held_in_a_record


@dataclass
class Point:
    x: int


register_type(Point, "point")


class Depth(NamedTuple):
    """A container around another, and the way to what is inside."""

    around: Callable[[Any], Any]
    inside: Callable[[Any], Any]


DEPTHS: Final = {
    1: Depth(lambda it: it, lambda root: root),
    2: Depth(lambda it: [0, it], lambda root: root[1]),
    3: Depth(lambda it: {"a": (it, 0)}, lambda root: root["a"][0]),
    4: Depth(lambda it: {"a": [{1: it}]}, lambda root: root["a"][0][1]),
}

CHANGING: Final = {
    "[3, 1, 2, [4]]": """
it.append([5])
it.extend([5, [6]])
it.extend(it)
it.insert(0, 5)
it.insert(-1, {})
it.pop()
it.pop(0)
it.remove(1)
it.clear()
it.reverse()
it.sort(key=str)
it[0] = 9
it[1:2] = [7, 8]
it[::2] = [0, 0]
it[:] = it[::-1]
del it[0]
del it[1:]
it += [5]
it += "ab"
it *= 2
it *= 0
it[3].append(5)
it[3] += [5]
it.__init__([1])
""",
    "{'a': 1, 'b': [2], 'c': {'d': 3}}": """
it["a"] = 2
it["z"] = {}
it[2] = 1
del it["a"]
it.pop("a")
it.popitem()
it.clear()
it.update(a=3)
it.update(self=3)
it.update({"b": 1}, z=[])
it |= {"y": 2}
it.setdefault("z", 5)
it.setdefault("z", []).append(1)
it.setdefault("b", []).append(1)
it["b"].append(1)
it["b"] += [3]
it["c"]["e"] = [1]
it["c"] |= {"e": 1}
it.get("b").append(7)
[v.clear() for v in it.values() if v != 1]
for k, v in it.items(): v == 1 or v.clear()
it.__init__(z=1)
""",
    "{1, 2, 3}": """
it.add(4)
it.discard(1)
it.remove(2)
it.pop()
it.clear()
it.update([5], {6})
it.difference_update([1], [2])
it.intersection_update([1])
it.symmetric_difference_update([1, 9])
it |= {7}
it &= {1}
it -= {1}
it ^= {1, 8}
it.__init__([9])
""",
}
"""What changes a container, by what the container is."""

CHANGES: Final = [(content, line) for content, lines in CHANGING.items() for line in lines.strip().splitlines()]
READING: Final = {
    *("__class_getitem__", "__contains__", "__getitem__", "__iter__", "__len__", "__reversed__"),
    *("__add__", "__mul__", "__rmul__", "copy", "count", "index"),
    *("__or__", "__ror__", "fromkeys", "get", "items", "keys", "values"),
    *("__and__", "__rand__", "__sub__", "__rsub__", "__xor__", "__rxor__", "isdisjoint", "issubset", "issuperset"),
    *("union", "intersection", "difference", "symmetric_difference"),
}
"""The methods of the three that change nothing."""


def test_every_method_that_changes_a_container_is_tried() -> None:
    spelt = {"__setitem__": "] = ", "__delitem__": "del it[", "__iadd__": "it += ", "__imul__": "it *= "}
    spelt |= {"__ior__": "it |= ", "__iand__": "it &= ", "__isub__": "it -= ", "__ixor__": "it ^= "}
    for content, lines in CHANGING.items():
        for name in set(dir(type(eval(content)))) - set(dir(object)) - READING:
            assert spelt.get(name, f"it.{name}(") in lines, f"{name} of {content}"


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_change_is_written_back_at_any_depth_whatever_holds_the_value(
    backend: Backend, hold: Hold, depth: int
) -> None:
    around, inside = DEPTHS[depth]
    for content, line in CHANGES:
        if depth == 4 and content.startswith("{1"):
            continue
        statement, model = compiled(line), around(eval(content))
        held = hold(backend, model)
        held.owner[held.where] = model
        root = held.read()
        eval(statement, {"it": inside(root)})
        eval(statement, {"it": inside(model)})
        assert shown(root) == shown(model), f"{line}: the value in hand"
        assert shown(held.stored()) == shown(unaliased(model)), f"{line}: what is stored"
        assert shown(held.read()) == shown(unaliased(model)), f"{line}: what is read anew"


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_a_change_of_what_changed_meanwhile_is_a_conflict_and_leaves_both_as_they_were(
    backend: Backend, hold: Hold, depth: int
) -> None:
    around, inside = DEPTHS[depth]
    for content, line in CHANGES:
        held = hold(backend, around(eval(content)))
        held.owner[held.where] = around(eval(content))
        root = held.read()
        held.other[held.where] = ["another"]
        with pytest.raises(ConflictError, match="read it again"):
            eval(compiled(line), {"it": inside(root)})
        assert shown(root) == shown(around(eval(content))), line
        assert held.stored() == ["another"], line


@pytest.mark.parametrize("hold", HOLDS)
def test_a_change_to_what_cannot_be_stored_leaves_both_as_they_were(backend: Backend, hold: Hold) -> None:
    held = hold(backend, {"a": [1], "s": {2}})
    root = held.read()
    for line in ["append(object())", "extend([2, object()])", "insert(0, ...)", "__setitem__(0, it)"]:
        with pytest.raises(EncodeError):
            eval(f"it['a'].{line}", {"it": root})
    for line in ["it['x'] = object()", "it.update(x=1, y=...)", "it['s'].add(object())", "it |= {'s': {...}}"]:
        with pytest.raises(EncodeError):
            eval(compiled(line), {"it": root})
    assert root == {"a": [1], "s": {2}} == held.stored()
    root["a"].append(2)
    assert held.stored() == {"a": [1, 2], "s": {2}}, "it still writes back"


@pytest.mark.parametrize("hold", HOLDS)
def test_a_method_that_raises_by_itself_changes_nothing(backend: Backend, hold: Hold) -> None:
    held = hold(backend, [3, "a", 1])
    root = held.read()
    with pytest.raises(TypeError):
        root.sort()
    with pytest.raises(ZeroDivisionError):
        root.extend(1 // n for n in [1, 0])
    assert root == [3, "a", 1] == held.stored()


@pytest.mark.parametrize("hold", HOLDS)
def test_what_another_wrote_stays_when_a_value_is_assigned_back(backend: Backend, hold: Hold) -> None:
    held = hold(backend, [1])
    root = held.read()
    root.append(2)
    held.other[held.where] = ["another"]
    held.owner[held.where] = root
    assert held.stored() == ["another"], "assigning back writes nothing"


@pytest.mark.parametrize("hold", HOLDS)
def test_an_operator_on_an_item_writes_what_it_changed_by_compare_and_set(backend: Backend, hold: Hold) -> None:
    held = hold(backend, [1])
    held.owner[held.where] += [2]
    assert held.stored() == [1, 2]

    def meanwhile() -> list[int]:
        held.other[held.where] = ["another"]
        return [3]

    with pytest.raises(ConflictError):
        held.owner[held.where] += meanwhile()
    assert held.stored() == ["another"]


@pytest.mark.parametrize("hold", HOLDS)
def test_a_value_that_was_replaced_through_its_own_handle_can_be_put_back(backend: Backend, hold: Hold) -> None:
    held = hold(backend, [1])
    before = held.read()
    held.owner[held.where] = 5
    held.owner[held.where] = before
    assert held.stored() == [1]
    before.append(2)
    assert held.stored() == [1, 2], "it is what is stored, and writes back again"


def test_a_value_that_was_deleted_through_its_own_handle_can_be_put_back(backend: Backend) -> None:
    mapping, record = PersistentDict("d", {"k": [1]}, backend=backend), Box("b", value=[1], tags=[], backend=backend)
    value = mapping["k"]
    del mapping["k"]
    mapping["k"] = value
    field = record.value
    del record["value"]
    record.value = field
    assert mapping == {"k": [1]}
    assert record.value == [1]
    mapping.clear()
    mapping["k"] = value
    assert mapping == {"k": [1]}


def test_assigning_a_value_to_another_place_copies_it(backend: Backend) -> None:
    mapping = PersistentDict("d", {"a": [[1]]}, backend=backend)
    mapping["b"] = mapping["a"]
    mapping["a"][0].append(2)
    assert mapping == {"a": [[1, 2]], "b": [[1]]}
    value = mapping["a"]
    mapping["b"].append(value[0])
    mapping["b"][1].append(3)
    assert mapping == {"a": [[1, 2]], "b": [[1], [1, 2, 3]]}
    items = PersistentList("l", [[1], [2]], backend=backend)
    items[0], items[1] = items[1], items[0]
    assert items == [[2], [1]]


@pytest.mark.parametrize("hold", HOLDS)
def test_a_change_after_the_owner_was_deleted_is_refused(backend: Backend, hold: Hold) -> None:
    held = hold(backend, {"a": [1]})
    root = held.read()
    held.other.delete()
    refused = ObjectNotFound if isinstance(held.owner, Box) else ConflictError
    for line in ["it['a'].append(2)", "it['b'] = 1", "it.clear()"]:
        with pytest.raises(refused):
            eval(compiled(line), {"it": root})
    assert root == {"a": [1]}
    assert not held.owner


def test_a_change_of_an_unset_fields_value_after_the_record_was_deleted_is_refused(backend: Backend) -> None:
    box = Box("b", value=1, backend=backend)
    tags = box.tags
    box.delete()
    with pytest.raises(ObjectNotFound):
        tags.append("x")
    assert tags == []
    assert not box


def test_an_unset_fields_value_is_stored_once_it_is_changed(backend: Backend) -> None:
    box = Box("b", value=1, backend=backend)
    box.tags.append("x")
    box.tags += ["y"]
    assert Box.ref("b", backend=backend).tags == ["x", "y"]
    first, second = box.tags, Box.ref("b", backend=backend).tags
    first.append("z")
    with pytest.raises(ConflictError):
        second.append("w")


WAYS: Final = {
    "dict": ["it['k']", "it.get('k')", "it.setdefault('k', 0)", "[*it.values()][0]", "[*it.items()][0][1]"],
    "ordered dict": ["[*reversed(it.values())][0]", "[*reversed(it.items())][0][1]"],
    "list": ["it[0]", "it[-1]", "[*it][0]", "[*reversed(it)][0]"],
    "record": ["it['value']", "it.value", "it.get('value')", "it.values()[0]", "dict(it.items())['value']"],
}


def test_whatever_way_a_value_is_read_it_writes_back(backend: Backend) -> None:
    def append_by(ways: str, hold: Hold) -> None:
        for way in WAYS[ways]:
            held = hold(backend, [1])
            held.owner[held.where] = [1]
            eval(way, {"it": held.owner}).append(2)
            assert held.stored() == [1, 2], way

    append_by("dict", held_in_a_dict)
    if backend.ordered:
        append_by("ordered dict", held_in_a_dict)
    append_by("record", held_in_a_record)
    append_by("list", lambda backend, value: Held(it := PersistentList("one", [value], backend=backend), 0, it))


def test_setdefault_gives_what_it_stored_ready_to_be_changed(backend: Backend) -> None:
    mapping = PersistentDict("d", backend=backend)
    default: list[int] = []
    mapping.setdefault("k", default).append(1)
    mapping.setdefault("k", default).append(2)
    assert mapping == {"k": [1, 2]}
    assert default == [], "the default is not what is stored"


def is_plain(value: Any) -> bool:
    """Say whether there are built-ins all the way down and nothing else."""
    if type(value) is dict:
        return all(map(is_plain, value.values()))
    return type(value) in (int, str, set) or (type(value) in (list, tuple) and all(map(is_plain, value)))


PLAIN: Final = {
    "[[1], {'a': [2]}, ([3],), {4}]": """
it.copy()
it[:]
it[::-1]
it[1:2]
it + [5]
it + it
[5] + it
[[0]] + it[:1]
it * 2
2 * it
it[0] + it[0]
it.pop(0)
it.pop()
it.pop(2)
copy.copy(it)
copy.deepcopy(it)
copy.copy(it[1])
copy.deepcopy(it[2])
pickle.loads(pickle.dumps(it, 0))
pickle.loads(pickle.dumps(it))
type(it)([1, 2])
type(it)()
""",
    "{'a': [1], 'b': {'c': [2]}, 'd': ([3],), 'e': {4}}": """
it.copy()
it | {"x": [1]}
{"x": [1]} | it
it | it
it.pop("a")
it.pop("b")
it.popitem()
it.pop("z", 1)
copy.copy(it)
copy.deepcopy(it)
pickle.loads(pickle.dumps(it))
type(it)(a=1)
it.fromkeys("ab", 1)
it["b"] | it["b"]
""",
    "{1, 2}": """
it.copy()
it | {3}
{3} | it
it & {1}
{1} & it
it - {1}
{1} - it
it ^ {1}
{1} ^ it
it.union([3])
it.intersection([1])
it.difference([1])
it.symmetric_difference([1])
copy.copy(it)
copy.deepcopy(it)
pickle.loads(pickle.dumps(it))
it.pop()
type(it)([1])
""",
}
"""What gives plain values, by what they are given by."""


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("content", PLAIN)
def test_slices_copies_sums_and_what_is_popped_are_plain_all_the_way_down(
    backend: Backend, hold: Hold, content: str
) -> None:
    for line in PLAIN[content].strip().splitlines():
        model = eval(content)
        held = hold(backend, model)
        held.owner[held.where] = model
        names = {"copy": copy, "pickle": pickle}
        result, expected = eval(line, {"it": held.read(), **names}), eval(line, {"it": model, **names})
        assert shown(result) == shown(expected), line
        assert is_plain(result), line
        assert shown(held.stored()) == shown(model), line


def test_a_deep_copy_shares_nothing_with_the_value(backend: Backend) -> None:
    value = PersistentDict("d", {"k": [Point(1)]}, backend=backend)["k"]
    copy.deepcopy(value)[0].x = 2
    assert value == [Point(1)]
    assert copy.copy(value)[0] is value[0]


def test_what_was_popped_or_sliced_writes_nothing(backend: Backend) -> None:
    mapping = PersistentDict("d", {"k": [[1], [2], [3]]}, backend=backend)
    root = mapping["k"]
    root[:1][0].append(9)
    root.__add__([[0]])[0].append(9)
    root.pop().append(9)
    mapping.pop("k")[0].append(9)
    assert mapping == {}
    items = PersistentList("l", [[1], [2]], backend=backend)
    items[:][0].append(9)
    items.copy()[0].append(9)
    items.__add__([[0]])[0].append(9)
    items.pop().append(9)
    assert items == [[1]]


@pytest.mark.parametrize("hold", HOLDS)
def test_a_value_looks_and_compares_as_the_built_in(backend: Backend, hold: Hold) -> None:
    plain = {"a": [1, [2.5, None]], "b": {"c": "é"}, "s": {1}}
    root = hold(backend, plain).read()
    assert isinstance(root, dict)
    assert isinstance(root["a"], list)
    assert isinstance(root["a"][1], list)
    assert isinstance(root["s"], set)
    assert root == plain
    assert plain == root
    assert root["a"] < [2]
    assert root["s"] <= {1, 2}
    assert repr(root) == repr(plain)
    assert str(root["a"]) == str(plain["a"])
    assert f"{root['s']}" == "{1}"
    assert json.dumps({**root, "s": 0}) == json.dumps({**plain, "s": 0})
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert shown(pickle.loads(pickle.dumps(root, protocol))) == shown(plain)
        assert type(pickle.loads(pickle.dumps(root, protocol))["a"][1]) is list
    with pytest.raises(TypeError, match="unhashable"):
        hash(root["a"])


def test_a_sum_with_another_sequence_is_that_ones_to_define(backend: Backend) -> None:
    items, mapping = PersistentList("l", [1], backend=backend), PersistentDict("d", {"k": [2]}, backend=backend)
    assert mapping["k"] + items == [2, 1]
    assert items + mapping["k"] == [1, 2]
    assert mapping["k"] == PersistentList(None, [2], backend=backend)
    for statement in ("it + (1,)", "(1,) + it", "it + 5", "it * 'a'", "it | []"):
        with pytest.raises(TypeError):
            eval(statement, {"it": mapping["k"]})


def test_a_value_stored_elsewhere_is_stored_as_the_built_in(backend: Backend) -> None:
    mapping = PersistentDict("d", {"k": {"a": [1, {2}]}}, backend=backend)
    raw = backend.mapping(mapping.__pc__.key)
    data = raw.get("k")
    mapping["copy"] = mapping["k"]
    mapping.update(another=mapping["k"])
    PersistentList("l", backend=backend).append(mapping["k"])
    assert raw.get_many(["copy", "another"]) == [data, data]
    assert PersistentList("l", backend=backend)[:] == [{"a": [1, {2}]}]


@pytest.mark.parametrize("hold", HOLDS)
def test_edit_gives_the_plain_value_and_stores_it_at_the_end(backend: Backend, hold: Hold) -> None:
    held = hold(backend, {"a": [3, 1]})
    with held.owner.edit(held.where) as value:
        assert is_plain(value)
        heapq.heapify(value["a"])
        heapq.heappush(value["a"], 0)
        value["b"] = 2
        assert held.stored() == {"a": [3, 1]}, "nothing is written before the end"
    assert held.stored() == {"a": [0, 3, 1], "b": 2}


@pytest.mark.parametrize("hold", HOLDS)
def test_edit_of_what_changed_meanwhile_is_a_conflict(backend: Backend, hold: Hold) -> None:
    held = hold(backend, [1])
    with pytest.raises(ConflictError), held.owner.edit(held.where) as value:
        value[:] = [held.other.__setitem__(held.where, ["another"])]
    assert held.stored() == ["another"]


@pytest.mark.parametrize("hold", HOLDS)
def test_edit_writes_nothing_where_nothing_changed_or_the_block_was_left_by_an_exception(
    backend: Backend, hold: Hold
) -> None:
    held = hold(backend, [1])
    with held.owner.edit(held.where) as value:
        held.other[held.where] = ["another"]
    assert held.stored() == ["another"]
    with pytest.raises(ZeroDivisionError), held.owner.edit(held.where) as value:
        value[0] = value.append(2) or 1 // 0
    with pytest.raises(EncodeError), held.owner.edit(held.where) as value:
        value.append(object())
    assert held.stored() == ["another"]


@pytest.mark.parametrize("hold", HOLDS)
@pytest.mark.parametrize("value", [1, 2.5, True, "text", b"bytes", None, (1, "a"), frozenset({1})])
def test_edit_of_what_cannot_change_names_what_to_do_instead(backend: Backend, hold: Hold, value: Any) -> None:
    held = hold(backend, value)
    with pytest.raises(TypeError, match=r"assign a new value.*increment"), held.owner.edit(held.where):
        pytest.fail("there is nothing to edit")
    assert held.stored() == value


def test_edit_of_what_is_not_there_raises_what_reading_it_does(backend: Backend) -> None:
    mapping, items = PersistentDict("d", backend=backend), PersistentList("l", backend=backend)
    with pytest.raises(KeyError), mapping.edit("k"):
        pytest.fail("there is nothing to edit")
    with pytest.raises(IndexError, match="list index out of range"), items.edit(0):
        pytest.fail("there is nothing to edit")


@pytest.mark.parametrize("hold", HOLDS)
def test_edit_changes_what_is_inside_a_tuple_or_of_another_class(backend: Backend, hold: Hold) -> None:
    held = hold(backend, ([1], 2))
    with held.owner.edit(held.where) as value:
        value[0].append(2)
    assert held.stored() == ([1, 2], 2)
    held.owner[held.where] = Point(1)
    with held.owner.edit(held.where) as value:
        value.x = 5
    assert held.stored() == Point(5)


@pytest.mark.parametrize("hold", HOLDS)
def test_what_is_inside_a_tuple_writes_back(backend: Backend, hold: Hold) -> None:
    held = hold(backend, (1, [2], ({"a": 3},)))
    root = held.read()
    assert type(root) is tuple
    root[1].append(4)
    root[2][0]["b"] = 5
    assert held.stored() == (1, [2, 4], ({"a": 3, "b": 5},))


@pytest.mark.parametrize("hold", HOLDS)
def test_several_changes_in_a_row_are_written_one_after_the_other(backend: Backend, hold: Hold) -> None:
    held = hold(backend, {})
    root = held.read()
    for number in range(5):
        root[f"k{number}"] = []
        root[f"k{number}"].append(number)
        assert held.stored() == {f"k{each}": [each] for each in range(number + 1)}


@pytest.mark.parametrize("hold", HOLDS)
def test_what_was_taken_out_of_a_value_changes_it_no_more(backend: Backend, hold: Hold) -> None:
    held = hold(backend, {"a": [1], "b": [2]})
    root = held.read()
    taken = root["a"]
    root["a"] = 5
    taken.append(9)
    assert held.stored() == {"a": 5, "b": [2]}


def test_negative_index_writes_back_to_the_item_counted_from_the_end(backend: Backend) -> None:
    items = PersistentList("l", [[1], [2]], backend=backend)
    last = items[-1]
    items.append([3])
    with pytest.raises(ConflictError):
        last.append(9)
    assert items == [[1], [2], [3]]


def test_an_object_that_is_stored_as_a_reference_is_a_handle_inside_a_value_too(backend: Backend) -> None:
    box = Box("b", value=[1], tags=[], backend=backend)
    mapping = PersistentDict("d", {"k": [box]}, backend=backend)
    found = mapping["k"][0]
    assert isinstance(found, PersistentObject)
    found["value"].append(2)
    mapping["k"].append(found)
    assert box.value == [1, 2]
    assert mapping["k"] == [box, box]


def test_a_value_without_containers_in_it_is_freed_as_soon_as_nothing_holds_it() -> None:
    d = PersistentDict("d", {"flat": {"freed": "at once"}, "list": ["freed", "at once"]}, backend=connect("memory:"))
    gc.disable()
    try:
        for key in ("flat", "list"):
            kind = type(d[key])
            assert not [it for it in gc.get_objects() if type(it) is kind and it == d.copy()[key]]
    finally:
        gc.enable()


def test_a_value_writes_back_as_a_whole_after_it_has_taken_in_its_first_container(backend: Backend) -> None:
    d = PersistentDict[str, Any]("d", {"it": {"a": 1}}, backend=backend)
    value = d["it"]
    value["b"] = [1]
    inside = value["b"]
    inside.append(2)
    value["c"] = 3
    assert d["it"] == value == {"a": 1, "b": [1, 2], "c": 3}
    del value["b"]
    inside.append(4)
    assert d["it"] == value == {"a": 1, "c": 3}

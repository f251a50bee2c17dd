"""What CPython's tests and the models do not ask of a list."""

from __future__ import annotations

import copy
import sys
from collections import UserList
from itertools import product
from typing import Any

import pytest

from persistent_collections import Backend, ConflictError, DecodeError, PersistentDict, PersistentList, connect
from persistent_collections.codecs.text import TextCodec

BOUNDS = [None, -sys.maxsize, -4, -3, -1, 0, 1, 2, 3, 5, 2**80]
STEPS = [None, 1, -1, 2, -2, 2**80]


def stored_as(items: Any, backend: Backend, kind: Any = PersistentList) -> PersistentList[Any]:
    stored: PersistentList[Any] = kind(None, items, backend=backend)
    return stored


def test_items_fill_an_object_that_does_not_exist_yet_and_no_other(backend: Backend) -> None:
    first = PersistentList[int]("l", (number for number in range(3)), backend=backend)
    assert PersistentList[int]("l", [9], backend=backend) == first == [0, 1, 2]
    first.clear()
    assert PersistentList[int]("l", [9], backend=backend) == [9]
    assert PersistentList("m", first, backend=backend) == [9]
    assert not PersistentList("n", [], backend=backend)


def test_content_in_the_place_of_the_id_is_an_error_that_says_where_it_goes() -> None:
    with pytest.raises(TypeError, match=r"content goes after it: \(id, items\)"):
        PersistentList([1, 2])  # type: ignore[call-overload] # that is the mistake


def test_every_slice_is_read_as_a_list_reads_it(backend: Backend) -> None:
    model = [0, 1, 2, 3]
    ours = stored_as(model, backend)
    for start, stop, step in product(BOUNDS, BOUNDS, STEPS):
        assert ours[start:stop:step] == model[start:stop:step], (start, stop, step)


def test_every_slice_is_deleted_as_a_list_deletes_it(backend: Backend) -> None:
    for start, stop, step in product([None, -3, 0, 1, 2, 9], [None, -1, 0, 3, 9], STEPS):
        model = [0, 1, 2, 3]
        ours = stored_as(model, backend)
        del model[start:stop:step], ours[start:stop:step]
        assert ours == model, (start, stop, step)


def test_every_slice_is_assigned_as_a_list_assigns_it(backend: Backend) -> None:
    for start, stop, step, size in product([None, -3, 1, 9], [None, -1, 2, 0], STEPS, range(4)):
        model: list[Any] = [0, 1, 2, 3]
        ours, new = stored_as(model, backend), ["a", "b", "c"][:size]
        error = None
        try:
            model[start:stop:step] = new
        except ValueError as raised:
            error = str(raised)
        if error is None:
            ours[start:stop:step] = new
        else:
            with pytest.raises(ValueError, match=error):
                ours[start:stop:step] = new
        assert ours == model, (start, stop, step, size)


@pytest.mark.parametrize("kind", [PersistentList, PersistentList[int]])
def test_index_takes_bounds_as_a_list_does(backend: Backend, kind: type[PersistentList[int]]) -> None:
    model = [1, 2, 1, 2]
    ours = kind(None, model, backend=backend)
    bounds = [-sys.maxsize, -5, -4, -2, -1, 0, 1, 3, 4, 9, 2**80]
    for value, start, stop in product([1, 2, 3], bounds, bounds):
        if value in model[slice(start, stop)]:
            assert ours.index(value, start, stop) == model.index(value, start, stop), (value, start, stop)
        else:
            with pytest.raises(ValueError, match="not in list"):
                ours.index(value, start, stop)


def test_numbers_that_no_list_takes_raise_what_a_list_raises(backend: Backend) -> None:
    for statement in (
        *("it[2**63]", "it[-2**63 - 1]", "it[-2**63]", "it.pop(2**63)", "it.pop(-2**63)", "it.insert(2**63, 0)"),
        *("it.insert(-2**63, 0)", "it.insert(2**63 - 1, 0)", "it.__setitem__(2**63, 0)"),
        *("it.__delitem__(2**63)", "it.index(1, None)", "it.insert(None, 0)", "it.pop('a')", "it.insert(1.0, 0)"),
        *("it[1.0]", "it['a']", "it[1.0:]", "it.__setitem__('a', 0)", "it.__delitem__('a')", "it.pop(1.0)"),
        *("it + (1,)", "(1,) + it", "it * 'a'", "it * 1.0", "it < (1,)", "it.extend(1)", "it.__iadd__(1)"),
        *("it[::0]", "it.__setitem__(slice(None, None, 0), [])", "it.remove(9)", "it.index(9)", "it.pop(9)"),
        *("it.__setitem__(slice(0, 2), 5)", "it.__setitem__(slice(0, 2, 2), 5)", "it[9]", "it.__setitem__(9, 0)"),
    ):
        expected = raised_by(statement, [1, 2, 3])
        raised = raised_by(statement, stored_as([1, 2, 3], backend))
        assert type(raised) is type(expected), statement
        assert str(raised).replace("PersistentList", "list") == str(expected), statement


def raised_by(statement: str, it: Any) -> Exception | None:
    try:
        eval(statement, {"it": it})
    except Exception as error:  # noqa: BLE001 - what it raises is what is compared
        return error
    return None


def test_pushing_and_popping_at_either_end_keeps_the_order(backend: Backend) -> None:
    queue = PersistentList[int]("q", backend=backend)
    queue.lpush(2)
    queue.lpush(1)
    queue.rpush(3)
    assert queue == [1, 2, 3]
    assert (queue.lpop(), queue.rpop(), queue.lpop()) == (1, 3, 2)
    for pop in (queue.lpop, queue.rpop, queue.pop):
        with pytest.raises(IndexError, match="pop from empty list"):
            pop()


def test_values_are_equal_as_python_has_it_and_not_as_their_bytes_are(backend: Backend) -> None:
    ours = stored_as([{"a": 1, "b": 2}, 1, "x", (1, 2), {3, 4}], backend)
    assert {"b": 2.0, "a": True} in ours
    assert ours.index(True) == 1
    assert ours.count(1.0) == 1
    assert ours.index((1.0, 2)) == 3
    ours.remove({4.0, 3})
    ours.remove(1.0)
    assert ours[:] == [{"a": 1, "b": 2}, "x", (1, 2)]


def test_a_declared_type_changes_nothing_about_equality(backend: Backend) -> None:
    numbers, texts = (
        PersistentList[int]("n", [3, 1, 3], backend=backend),
        PersistentList[str]("t", ["1"], backend=backend),
    )
    assert 1.0 in numbers
    assert True in numbers
    assert numbers.index(3.0) == 0
    assert numbers.count(3.0) == 2
    assert numbers.index(3.0, 1) == 2
    numbers.remove(True)
    assert numbers[:] == [3, 3]
    for value in ("1", None, object()):
        assert value not in numbers
    assert texts.count(1) == 0
    with pytest.raises(ValueError, match="not in list"):
        texts.remove(1)


def test_a_list_matches_the_pattern_of_a_sequence(backend: Backend) -> None:
    match stored_as([1, [2, 3], 4, 5], backend):
        case [first, [*inner], *rest]:
            assert (first, inner, rest) == (1, [2, 3], [4, 5])
        case _:
            pytest.fail("it is a sequence")


def test_sorting_is_stable_and_by_any_key(backend: Backend) -> None:
    ours = stored_as([(2, "a"), (1, "b"), (2, "c"), (1, "d")], backend)
    ours.sort(key=lambda pair: pair[0])
    assert [name for _, name in ours] == ["b", "d", "a", "c"]
    ours.sort(key=lambda pair: pair[0], reverse=True)
    assert [name for _, name in ours] == ["a", "c", "b", "d"]


def test_a_sort_that_fails_leaves_the_list_as_it_was(backend: Backend) -> None:
    ours = stored_as([3, "a", 1], backend)
    with pytest.raises(TypeError, match="not supported between"):
        ours.sort()
    with pytest.raises(ZeroDivisionError):
        ours.sort(key=lambda value: 1 // 0)
    assert ours == [3, "a", 1]


def test_a_sort_whose_key_changes_the_list_is_an_error_as_it_is_for_a_list(backend: Backend) -> None:
    ours = stored_as([3, 2, 1], backend)

    def key(value: int) -> int:
        ours.append(value)
        return value

    with pytest.raises(ValueError, match="list modified during sort"):
        ours.sort(key=key)


def test_a_sort_is_of_what_another_handle_changed_meanwhile(backend: Backend) -> None:
    ours = stored_as([3, 2], backend)
    other = PersistentList[Any].ref(ours.id, backend=backend)

    def key(value: int) -> int:
        if 1 not in other:
            other.append(1)
        return value

    ours.sort(key=key)
    assert ours == [1, 2, 3]


def test_a_sort_of_a_list_that_keeps_changing_is_a_conflict(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistent_collections.collections.retrying.RETRY_DEADLINE_S", 0.05)
    ours = stored_as([2, 1], backend)
    other = PersistentList[Any].ref(ours.id, backend=backend)

    def key(value: int) -> int:
        other.append(0)
        return value

    with pytest.raises(ConflictError, match="nothing was written"):
        ours.sort(key=key)
    assert ours[:2] == [2, 1]


def test_loops_that_feed_a_list_to_itself_end(backend: Backend) -> None:
    ours, model = stored_as([1, 2], backend), [1, 2]
    for statement in (
        *("it.extend(it)", "it += it", "it[1:1] = it", "it[:] = it", "it[::-1] = it", "it[2:4] = it", "it *= 2"),
        *("it[::2] = it[1::2]", "it.extend(reversed(it))", "it.extend(it[:2])"),
    ):
        for it in (ours, model):
            exec(statement, {"it": it})
        assert ours == model, statement


def test_a_list_is_compared_with_lists_in_any_store_and_with_what_compares_with_lists(backend: Backend) -> None:
    ours = stored_as([1, 2], backend)
    elsewhere = PersistentList(None, [1, 2], backend=connect("memory:"))
    assert ours == elsewhere
    assert ours <= elsewhere
    assert ours == UserList([1, 2])
    assert ours != (1, 2)
    assert ours != PersistentDict(backend=backend)
    assert ours < [1, 3]
    with pytest.raises(TypeError):
        assert ours < (1, 3)


def test_copies_are_plain_lists(backend: Backend) -> None:
    ours, more = stored_as([[1], 2], backend), [3]
    for made in (ours.copy(), ours[:], ours + more, more + ours, ours * 1, copy.copy(ours), copy.deepcopy(ours)):
        assert type(made) is list
        assert list in map(type, made)
        made[-1] = made[0] = 9
    assert ours == [[1], 2]


def test_an_operator_in_place_gives_the_object_itself(backend: Backend) -> None:
    ours = it = stored_as([1], backend)
    it += [2]
    it *= 2
    it += ours
    assert it is ours
    assert ours == [1, 2] * 4
    it *= -1
    assert not ours


def test_a_list_is_not_repeated_more_often_than_there_is_memory_for(backend: Backend) -> None:
    ours, empty = stored_as([1], backend), stored_as([], backend)
    with pytest.raises(MemoryError):
        ours *= 2**40
    assert ours == [1]
    empty *= 2**40
    assert not empty


def test_what_cannot_be_decoded_is_not_lost_by_popping_it(backend: Backend) -> None:
    ours = stored_as([1, "a", "b", "c", 2], backend)
    numbers = PersistentList[int].ref(ours.id, backend=backend)
    for index in (1, 2, -2, -4):
        with pytest.raises(DecodeError, match=ours.key):
            numbers.pop(index)
    assert ours == [1, "a", "b", "c", 2]
    assert (numbers.lpop(), numbers.rpop()) == (1, 2)
    for pop in (numbers.lpop, numbers.rpop):
        with pytest.raises(DecodeError):
            pop()
    assert ours == ["a", "b", "c"]
    del ours[1:]
    ours.expire(100)
    for pop in (numbers.lpop, numbers.rpop, numbers.pop):
        with pytest.raises(DecodeError):
            pop()
        assert ours == ["a"]
        assert ours.ttl() is not None, "the list is not made anew without its deadline"


def test_items_in_bare_text_are_found_by_their_bytes(backend: Backend) -> None:
    ours: Any = PersistentList[str]("t", ["a", "é", "a"], backend=backend, codec=TextCodec())
    assert ours.count("a") == 2
    assert ours.index("é") == 1
    assert "e\u0301" not in ours, "another Unicode form is another text"
    assert 5 not in ours
    ours.remove("a")
    assert ours == ["é", "a"]

"""A deadline lasts until the key is emptied or deleted, and keys of one record share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Exists, Make, Replace, SetDeadline, SetFields
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.popped import ttl_of
from persistent_collections.testing.backends.base import KEY, OTHER, StoreTests, exists, put, shape_at, ttl
from persistent_collections.testing.backends.calls import EMPTYINGS, NAME, ON_ABSENT, SINGLES, STARTS, WRITES, Call
from persistent_collections.testing.backends.data import A, B

LONG_S = 10_000.0
CHILD, SIBLING = Key(KEY.root, "child"), Key(KEY.root, "sibling")
MAKING = [call for call in ON_ABSENT if call.leaves]


def _second(item: tuple[str, bytes] | None) -> bytes | None:
    return item and item[1]


def about(ttl_s: float) -> object:
    """Return an object that equals the remaining time of ``ttl_s``, up to a minute later."""
    return pytest.approx(ttl_s - 30, abs=31)


POPS: Mapping[type, Sequence[Callable[[Backend], Any]]] = {
    list: [lambda backend: backend.sequence(KEY).pop(0), lambda backend: backend.sequence(KEY).pop(-1)],
    dict: [lambda backend: backend.mapping(KEY).pop("f"), lambda backend: _second(backend.mapping(KEY).pop_any())],
    set: [lambda backend: backend.members(KEY).pop_any()],
}


class DeadlineTests(StoreTests):
    """``ttl``, ``SetDeadline``, and the operations that inherit, keep and lose a deadline."""

    def test_a_deadline_is_set_moved_and_taken_away(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"f": A})
        assert ttl(backend, KEY) is None
        for ttl_s in (LONG_S, 3 * LONG_S, LONG_S / 2, 1e11):
            assert backend.commit([], [SetDeadline(KEY, ttl_s)])
            assert ttl(backend, KEY) == about(ttl_s)
        assert backend.commit([], [SetDeadline(KEY, None)])
        assert ttl(backend, KEY) is None
        assert backend.commit([], [SetDeadline(KEY, None)])
        self.assert_stored(backend, KEY, {"f": A})

    def test_a_deadline_belongs_to_its_key_alone(self, backend: Backend) -> None:
        for key in (KEY, CHILD, OTHER):
            put(backend, key, {"f": A})
        backend.commit([], [SetDeadline(CHILD, LONG_S)])
        assert [ttl(backend, key) for key in (KEY, CHILD, OTHER)] == [None, about(LONG_S), None]

    def test_what_does_not_exist_takes_no_deadline(self, backend: Backend) -> None:
        assert backend.commit([], [SetDeadline(KEY, LONG_S), SetDeadline(CHILD, None)])
        assert ttl(backend, KEY) is None
        backend.mapping(KEY).set_many({"f": A})
        assert ttl(backend, KEY) is None

    @pytest.mark.parametrize("content", [[A], {"f": A}, {"m"}], ids=["sequence", "mapping", "members"])
    def test_the_last_part_that_is_popped_knows_how_long_its_object_had_left(
        self, backend: Backend, content: Content
    ) -> None:
        for pop in POPS[type(content)]:
            for ttl_s in (None, LONG_S):
                put(backend, KEY, content)
                backend.commit([], [SetDeadline(KEY, ttl_s)])
                part = pop(backend)
                assert not exists(backend, KEY)
                assert part == next(iter(content.values() if isinstance(content, dict) else content))
                assert ttl_of(part) == (None if ttl_s is None else about(ttl_s))

    @pytest.mark.parametrize("call", WRITES, ids=NAME)
    def test_every_later_write_keeps_the_deadline(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, STARTS[call.shape])
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        call.run(backend, KEY)
        assert exists(backend, KEY)
        assert ttl(backend, KEY) == about(LONG_S)

    @pytest.mark.parametrize("call", WRITES, ids=NAME)
    def test_a_write_gives_no_deadline_to_a_child_that_has_none(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, {"f": A})
        put(backend, CHILD, STARTS[call.shape])
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        call.run(backend, CHILD)
        assert ttl(backend, CHILD) is None, "only a child that is made takes the deadline of its owner"

    @pytest.mark.parametrize("shape", STARTS)
    def test_changes_keep_the_deadline(self, backend: Backend, shape: str) -> None:
        put(backend, KEY, STARTS[shape])
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        backend.commit([], [Replace(KEY, SINGLES[shape])])
        assert ttl(backend, KEY) == about(LONG_S)

    def test_setting_fields_in_a_change_keeps_the_deadline(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"f": A})
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        backend.commit([], [SetFields(KEY, {"f": None, "g": B})])
        assert ttl(backend, KEY) == about(LONG_S)

    @pytest.mark.parametrize("call", EMPTYINGS, ids=NAME)
    def test_what_was_emptied_comes_back_without_its_deadline(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, SINGLES[call.shape])
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        call.run(backend, KEY)
        assert ttl(backend, KEY) is None
        put(backend, KEY, SINGLES[call.shape])
        assert ttl(backend, KEY) is None

    def test_deleted_and_made_again_in_one_step_it_has_no_deadline(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"f": A})
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        backend.commit([], [Delete(KEY), SetFields(KEY, {"f": B})])
        assert ttl(backend, KEY) is None, "Delete deletes the deadline too"

    def test_a_deadline_is_set_on_what_the_same_step_makes(self, backend: Backend) -> None:
        backend.commit(
            [], [SetFields(KEY, {"f": A}), Replace(CHILD, [A]), SetDeadline(KEY, LONG_S), SetDeadline(CHILD, LONG_S)]
        )
        assert ttl(backend, KEY) == about(LONG_S)
        assert ttl(backend, CHILD) == about(LONG_S)

    def test_a_deadline_that_is_not_in_the_future_deletes_at_once(self, backend: Backend) -> None:
        for ttl_s in (0, 0.0, -1, -1e11):
            for content in STARTS.values():
                put(backend, KEY, content)
                assert backend.commit([], [SetDeadline(KEY, ttl_s)])
                assert shape_at(backend, KEY) is None
                assert not exists(backend, KEY)
                put(backend, KEY, content)
                assert ttl(backend, KEY) is None
                backend.commit([], [Delete(KEY)])

    @pytest.mark.parametrize("call", MAKING, ids=NAME)
    def test_a_child_that_is_made_takes_the_deadline_of_its_owner(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, {"f": A})
        put(backend, SIBLING, [A])
        backend.commit([], [SetDeadline(KEY, LONG_S), SetDeadline(SIBLING, LONG_S / 10)])
        call.run(backend, CHILD)
        assert ttl(backend, CHILD) == about(LONG_S)
        assert ttl(backend, KEY) == about(LONG_S)

    @pytest.mark.parametrize("call", MAKING, ids=NAME)
    def test_a_child_that_is_refilled_takes_the_deadline_of_its_owner(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, {"f": A})
        backend.commit([], [SetDeadline(KEY, LONG_S)])
        put(backend, CHILD, {"f": A})
        backend.mapping(CHILD).pop("f")
        call.run(backend, CHILD)
        assert ttl(backend, CHILD) == about(LONG_S)

    @pytest.mark.parametrize("call", MAKING, ids=NAME)
    def test_a_child_of_an_owner_without_a_deadline_has_none(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, {"f": A})
        put(backend, SIBLING, [A])
        backend.commit([], [SetDeadline(SIBLING, LONG_S)])
        call.run(backend, CHILD)
        assert ttl(backend, CHILD) is None

    def test_every_child_a_step_makes_takes_the_deadline_its_owner_has_then(self, backend: Backend) -> None:
        third = Key(KEY.root, "third")
        backend.commit([], [SetFields(KEY, {"f": A}), SetDeadline(KEY, LONG_S)])
        backend.commit([], [Replace(CHILD, [A]), SetFields(SIBLING, {"f": A}), Replace(third, {"a"})])
        assert [ttl(backend, key) for key in (CHILD, SIBLING, third)] == [about(LONG_S)] * 3
        backend.commit([], [Delete(CHILD), SetDeadline(KEY, LONG_S / 2), Replace(CHILD, [A])])
        assert ttl(backend, CHILD) == about(LONG_S / 2), "the deadline that the same step has set"
        backend.commit([], [Delete(KEY, [CHILD, SIBLING, third]), Make(KEY, {"f": A}), Replace(CHILD, [A])])
        assert ttl(backend, CHILD) is None, "a record made again has no deadline"

    def test_the_deadlines_of_one_step_are_one_moment(self, backend: Backend) -> None:
        keys = [KEY, *(Key(KEY.root, f"child {number}") for number in range(300))]
        for ttl_s in (LONG_S, LONG_S / 3):
            backend.commit([], [*(Replace(key, {"f": A}) for key in keys), *(SetDeadline(key, ttl_s) for key in keys)])
            readings = (backend.snapshot(keys) for _ in range(100))  # a server's clock may go on within one
            assert any(len({entry and entry.deadline for entry in entries}) == 1 for entries in readings)

    def test_deadlines_keep_their_fractions_of_a_second(self, backend: Backend) -> None:
        backend.commit([], [Replace(KEY, [A]), Replace(CHILD, [A])])
        backend.commit([], [SetDeadline(KEY, LONG_S), SetDeadline(CHILD, LONG_S + 0.5)])
        first, second = (entry and entry.deadline for entry in backend.snapshot([KEY, CHILD]))
        assert first is not None
        assert second is not None
        assert second - first == pytest.approx(0.5, abs=0.4), "a deadline is not rounded to whole seconds"

    def test_a_deadline_that_passes_takes_its_key_and_no_other(self, backend: Backend) -> None:
        for key in (KEY, CHILD, OTHER):
            put(backend, key, [A, B])
        backend.commit([], [SetDeadline(KEY, 0.01)])
        backend.commit([], [SetDeadline(OTHER, LONG_S)])
        time.sleep(0.05)
        assert set(backend.keys("")) == {CHILD, OTHER}
        assert not exists(backend, KEY)
        assert not backend.commit([Exists(KEY)], [Delete(KEY)]), "an expired key does not exist"
        self.assert_stored(backend, OTHER, [A, B])

    def test_an_expired_key_does_not_exist_to_a_condition(self, backend: Backend) -> None:
        put(backend, KEY, [A, B])
        backend.commit([], [SetDeadline(KEY, 0.01)])
        time.sleep(0.05)
        assert backend.commit([Exists(KEY, expected=False)], [SetFields(KEY, {"f": A})])
        self.assert_stored(backend, KEY, {"f": A})
        assert ttl(backend, KEY) is None

    def test_an_expired_set_combines_as_an_empty_one(self, backend: Backend) -> None:
        backend.members(KEY).add({"a"})
        backend.members(OTHER).add({"b"})
        backend.commit([], [SetDeadline(OTHER, 0.01)])
        time.sleep(0.05)
        assert backend.members(KEY).combine("union", [OTHER]) == {"a"}
        assert backend.members(OTHER).combine("union", [KEY]) == {"a"}

    def test_a_collection_that_expires_while_paging_ends_it(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({f"field {number}": A for number in range(2500)})
        pages = backend.mapping(KEY).pages()
        assert next(pages)
        backend.commit([], [SetDeadline(KEY, 0.01)])
        time.sleep(0.05)
        assert [item for page in pages for item in page] == []

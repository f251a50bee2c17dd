"""A deadline lasts until the key is emptied or deleted, and keys of one record share it."""

from __future__ import annotations

import time

import pytest

from persistent_collections.backends.base import Backend, Delete, Key, Replace, SetDeadline, SetFields
from persistent_collections.testing.backends.base import KEY, OTHER, StoreTests
from persistent_collections.testing.backends.calls import EMPTYINGS, NAME, ON_ABSENT, SINGLES, STARTS, WRITES, Call, put
from persistent_collections.testing.backends.data import A, B

LONG_S = 10_000.0
CHILD, SIBLING = Key(KEY.root, "child"), Key(KEY.root, "sibling")
MAKING = [call for call in ON_ABSENT if call.leaves]


def about(ttl_s: float) -> object:
    """Return what equals the time that is left of ``ttl_s`` a minute later at most."""
    return pytest.approx(ttl_s - 30, abs=31)


class DeadlineTests(StoreTests):
    """``ttl``, ``SetDeadline``, and what takes, keeps and loses a deadline."""

    def test_a_deadline_is_set_moved_and_taken_away(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"f": A})
        assert backend.ttl([KEY]) is None
        for ttl_s in (LONG_S, 3 * LONG_S, LONG_S / 2, 1e11):
            assert backend.apply([SetDeadline(KEY, ttl_s)]) == [True]
            assert backend.ttl([KEY]) == about(ttl_s)
        assert backend.apply([SetDeadline(KEY, None)]) == [True]
        assert backend.ttl([KEY]) is None
        assert backend.apply([SetDeadline(KEY, None)]) == [True]
        self.assert_stored(backend, KEY, {"f": A})

    def test_a_deadline_belongs_to_its_key_alone(self, backend: Backend) -> None:
        for key in (KEY, CHILD, OTHER):
            backend.mapping(key).set_many({"f": A})
        backend.apply([SetDeadline(CHILD, LONG_S)])
        assert [backend.ttl([key]) for key in (KEY, CHILD, OTHER)] == [None, about(LONG_S), None]

    def test_what_does_not_exist_takes_no_deadline(self, backend: Backend) -> None:
        assert backend.apply([SetDeadline(KEY, LONG_S), SetDeadline(CHILD, None)]) == [False, False]
        assert backend.ttl([KEY]) is None
        backend.mapping(KEY).set_many({"f": A})
        assert backend.ttl([KEY]) is None

    def test_ttl_is_that_of_the_first_key_that_is_there(self, backend: Backend) -> None:
        assert backend.ttl([KEY, CHILD]) is None
        backend.sequence(SIBLING).push_right([A])
        backend.sequence(CHILD).push_right([A])
        backend.apply([SetDeadline(CHILD, LONG_S)])
        assert backend.ttl([KEY, CHILD, SIBLING]) == about(LONG_S)
        assert backend.ttl([KEY, SIBLING, CHILD]) is None, "the first that is there has none"

    @pytest.mark.parametrize("call", WRITES, ids=NAME)
    def test_every_later_write_keeps_the_deadline(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, STARTS[call.shape])
        backend.apply([SetDeadline(KEY, LONG_S)])
        call.run(backend, KEY, ())
        assert backend.exists([KEY])
        assert backend.ttl([KEY]) == about(LONG_S)

    @pytest.mark.parametrize("call", WRITES, ids=NAME)
    def test_a_write_gives_no_deadline_to_what_is_there_without_one(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, STARTS[call.shape])
        backend.sequence(CHILD).push_right([A])
        backend.apply([SetDeadline(CHILD, LONG_S)])
        call.run(backend, KEY, [CHILD])
        assert backend.ttl([KEY]) is None, "only a key that is made takes the deadline of its kin"

    @pytest.mark.parametrize("shape", STARTS)
    def test_changes_keep_the_deadline(self, backend: Backend, shape: str) -> None:
        put(backend, KEY, STARTS[shape])
        backend.apply([SetDeadline(KEY, LONG_S)])
        backend.apply([Replace(KEY, SINGLES[shape])])
        assert backend.ttl([KEY]) == about(LONG_S)

    def test_setting_fields_in_a_change_keeps_the_deadline(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"f": A})
        backend.apply([SetDeadline(KEY, LONG_S)])
        backend.apply([SetFields(KEY, {"f": None, "g": B})])
        assert backend.ttl([KEY]) == about(LONG_S)

    @pytest.mark.parametrize("call", EMPTYINGS, ids=NAME)
    def test_what_was_emptied_comes_back_without_its_deadline(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, SINGLES[call.shape])
        backend.apply([SetDeadline(KEY, LONG_S)])
        call.run(backend, KEY, ())
        assert backend.ttl([KEY]) is None
        put(backend, KEY, SINGLES[call.shape])
        assert backend.ttl([KEY]) is None

    def test_deleted_and_made_again_in_one_step_it_has_no_deadline(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"f": A})
        backend.apply([SetDeadline(KEY, LONG_S)])
        backend.apply([Delete(KEY), SetFields(KEY, {"f": B})])
        assert backend.ttl([KEY]) is None, "Delete deletes the deadline too"

    def test_a_deadline_is_set_on_what_the_same_step_makes(self, backend: Backend) -> None:
        backend.apply(
            [SetFields(KEY, {"f": A}), Replace(CHILD, [A]), SetDeadline(KEY, LONG_S), SetDeadline(CHILD, LONG_S)]
        )
        assert backend.ttl([KEY]) == about(LONG_S)
        assert backend.ttl([CHILD]) == about(LONG_S)

    def test_a_deadline_that_is_not_in_the_future_deletes_at_once(self, backend: Backend) -> None:
        for ttl_s in (0, 0.0, -1, -1e11):
            for content in STARTS.values():
                put(backend, KEY, content)
                assert backend.apply([SetDeadline(KEY, ttl_s)]) == [True]
                assert backend.shape(KEY) is None
                assert not backend.exists([KEY])
                put(backend, KEY, content)
                assert backend.ttl([KEY]) is None
                backend.apply([Delete(KEY)])

    @pytest.mark.parametrize("call", MAKING, ids=NAME)
    def test_a_key_that_is_made_takes_the_deadline_of_its_kin(self, backend: Backend, call: Call) -> None:
        backend.mapping(KEY).set_many({"f": A})
        backend.apply([SetDeadline(KEY, LONG_S)])
        call.run(backend, CHILD, [KEY, SIBLING])
        assert backend.ttl([CHILD]) == about(LONG_S)
        assert backend.ttl([KEY]) == about(LONG_S)

    @pytest.mark.parametrize("call", MAKING, ids=NAME)
    def test_a_key_that_is_refilled_takes_the_deadline_of_its_kin(self, backend: Backend, call: Call) -> None:
        backend.sequence(SIBLING).push_right([A])
        backend.apply([SetDeadline(SIBLING, LONG_S)])
        put(backend, KEY, {"f": A})
        backend.mapping(KEY).pop("f")
        call.run(backend, KEY, [CHILD, SIBLING])
        assert backend.ttl([KEY]) == about(LONG_S)

    @pytest.mark.parametrize("call", MAKING, ids=NAME)
    def test_the_first_kin_that_is_there_gives_its_deadline_or_its_having_none(
        self, backend: Backend, call: Call
    ) -> None:
        backend.mapping(KEY).set_many({"f": A})
        backend.sequence(SIBLING).push_right([A])
        backend.apply([SetDeadline(SIBLING, LONG_S)])
        call.run(backend, CHILD, [KEY, SIBLING])
        assert backend.ttl([CHILD]) is None, "the first kin that is there has no deadline"

    @pytest.mark.parametrize("call", MAKING, ids=NAME)
    def test_an_expired_kin_gives_nothing(self, backend: Backend, call: Call) -> None:
        backend.mapping(KEY).set_many({"f": A})
        backend.apply([SetDeadline(KEY, 0.005)])
        time.sleep(0.02)
        call.run(backend, CHILD, [KEY])
        assert backend.ttl([CHILD]) is None
        assert not backend.exists([KEY])

    def test_every_key_an_apply_makes_takes_the_deadline_of_its_kin(self, backend: Backend) -> None:
        backend.sequence(CHILD).push_right([A])
        backend.apply([SetDeadline(CHILD, LONG_S)])
        family, third = [KEY, CHILD, SIBLING], Key(KEY.root, "third")
        backend.apply([SetFields(KEY, {"f": A}), Replace(SIBLING, [A]), Replace(third, {"a"})], [*family, third])
        assert [backend.ttl([key]) for key in (*family, third)] == [about(LONG_S)] * 4

    def test_a_deadline_that_passes_takes_its_key_and_no_other(self, backend: Backend) -> None:
        for key in (KEY, CHILD, OTHER):
            put(backend, key, [A, B])
        backend.apply([SetDeadline(KEY, 0.01)])
        backend.apply([SetDeadline(OTHER, LONG_S)])
        time.sleep(0.05)
        assert set(backend.keys("")) == {CHILD, OTHER}
        assert backend.exists([KEY, CHILD])
        assert not backend.exists([KEY])
        assert backend.apply([Delete(KEY), Delete(CHILD)]) == [False, True], "an expired key is not there"
        self.assert_stored(backend, OTHER, [A, B])

    def test_an_expired_key_is_absent_to_what_must_be_absent(self, backend: Backend) -> None:
        put(backend, KEY, [A, B])
        backend.apply([SetDeadline(KEY, 0.01)])
        time.sleep(0.05)
        assert backend.apply([SetFields(KEY, {"f": A}, must_be_absent=True)]) == [False]
        self.assert_stored(backend, KEY, {"f": A})
        assert backend.ttl([KEY]) is None

    def test_an_expired_set_combines_as_an_empty_one(self, backend: Backend) -> None:
        backend.members(KEY).add({"a"})
        backend.members(OTHER).add({"b"})
        backend.apply([SetDeadline(OTHER, 0.01)])
        time.sleep(0.05)
        assert backend.members(KEY).combine("union", [OTHER]) == {"a"}
        assert backend.members(OTHER).combine("union", [KEY]) == {"a"}

    def test_a_collection_that_expires_while_paging_ends_it(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({f"field {number}": A for number in range(2500)})
        pages = backend.mapping(KEY).pages()
        assert next(pages)
        backend.apply([SetDeadline(KEY, 0.01)])
        time.sleep(0.05)
        assert [item for page in pages for item in page] == []

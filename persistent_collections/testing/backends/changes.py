"""Several changes in one step: all of them or none."""

from __future__ import annotations

import pytest

from persistent_collections.backends.base import Backend, Change, Content, Delete, Key, Replace, SetDeadline, SetFields
from persistent_collections.errors import WrongShapeError
from persistent_collections.testing.backends.base import KEY, StoreTests
from persistent_collections.testing.backends.calls import STARTS, put
from persistent_collections.testing.backends.data import A, B, C, D

LIST, SET, DICT = (Key(KEY.root, child) for child in ("list", "set", "dict"))
FAMILY: dict[Key, Content] = {KEY: {"f": A, "g": B}, LIST: [A, B, C], SET: {"f", "g"}, DICT: {"f": C}}

# Each changes something of FAMILY or adds to it.
CHANGES: tuple[Change, ...] = (
    SetFields(KEY, {"f": D}),
    SetFields(KEY, {"f": None, "g": None}),
    SetFields(Key(KEY.root, "new"), {"f": D}),
    Replace(KEY, {"h": D}),
    Replace(LIST, [D]),
    Replace(LIST, []),
    Replace(SET, {"h"}),
    Replace(Key(KEY.root, "new"), [D]),
    Delete(DICT),
    Delete(LIST),
    SetDeadline(KEY, 1000),
    SetDeadline(LIST, 0),
)


def kind(change: Change) -> str:
    """Return a short name of ``change``."""
    return f"{type(change).__name__} {change.key}"


class ChangeTests(StoreTests):
    """``apply``."""

    @pytest.fixture
    def family(self, backend: Backend) -> None:
        for key, content in FAMILY.items():
            put(backend, key, content)

    def assert_unchanged(self, backend: Backend) -> None:
        for key, content in FAMILY.items():
            self.assert_stored(backend, key, content)
            assert backend.ttl([key]) is None, "where apply did nothing it set no deadline"
        assert set(backend.keys("")) == set(FAMILY), "where apply did nothing it made no key"

    @pytest.mark.usefixtures("family")
    def test_changes_of_every_kind_are_made_together(self, backend: Backend) -> None:
        new = Key(KEY.root, "new")
        changes: list[Change] = [SetFields(KEY, {"f": None, "h": D}), Replace(LIST, [D]), Replace(SET, {"h"})]
        assert backend.apply([*changes, Delete(DICT), SetFields(new, {"f": A})]) == [True, True, True, True, False]
        expected = {KEY: {"g": B, "h": D}, LIST: [D], SET: {"h"}, DICT: None, new: {"f": A}}
        for key, content in expected.items():
            self.assert_stored(backend, key, content)

    @pytest.mark.usefixtures("family")
    def test_no_changes_do_nothing(self, backend: Backend) -> None:
        assert backend.apply([]) == []
        assert backend.apply([], list(FAMILY)) == []
        self.assert_unchanged(backend)

    def test_set_fields_does_what_set_many_does(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"a": A, "b": B, "c": C})
        assert backend.apply([SetFields(KEY, {"d": D, "b": None, "x": None, "a": B})]) == [True]
        self.assert_stored(backend, KEY, {"a": B, "c": C, "d": D})
        assert backend.apply([SetFields(KEY, {})]) == [True]
        self.assert_stored(backend, KEY, {"a": B, "c": C, "d": D})

    def test_changes_of_one_key_are_made_in_their_order(self, backend: Backend) -> None:
        assert backend.apply([SetFields(KEY, {"a": A}), SetFields(KEY, {"b": B, "a": None})]) == [False, False]
        self.assert_stored(backend, KEY, {"b": B})
        assert backend.apply([Delete(KEY), SetFields(KEY, {"c": C})]) == [True, True]
        self.assert_stored(backend, KEY, {"c": C})
        assert backend.apply([SetFields(KEY, {"d": D}), Delete(KEY)]) == [True, True]
        self.assert_stored(backend, KEY, None)

    def test_a_deleted_key_may_take_another_shape_in_the_same_step(self, backend: Backend) -> None:
        for before in STARTS.values():
            for after in STARTS.values():
                put(backend, KEY, before)
                assert backend.apply([Delete(KEY), Replace(KEY, after)]) == [True, True]
                self.assert_stored(backend, KEY, after)
                backend.apply([Delete(KEY)])

    def test_the_answers_say_what_was_there_before_the_first_change(self, backend: Backend) -> None:
        changes: list[Change] = [SetFields(KEY, {"a": A}), Replace(LIST, [A]), Delete(KEY), SetDeadline(LIST, None)]
        assert backend.apply(changes) == [False, False, False, False]
        assert backend.apply(changes) == [False, True, False, True]

    @pytest.mark.usefixtures("family")
    @pytest.mark.parametrize("first", CHANGES, ids=kind)
    def test_a_change_of_another_shape_undoes_those_before_it(self, backend: Backend, first: Change) -> None:
        lasts: list[Change] = [SetFields(SET, {"f": A}), Replace(DICT, [A])]
        for last in lasts:
            with pytest.raises(WrongShapeError):
                backend.apply([first, last] if first.key != last.key else [last])
            self.assert_unchanged(backend)

    @pytest.mark.usefixtures("family")
    @pytest.mark.parametrize("first", CHANGES, ids=kind)
    def test_a_key_that_must_be_absent_and_is_there_lets_nothing_happen(self, backend: Backend, first: Change) -> None:
        there = first.key in FAMILY
        lasts: list[Change] = [SetFields(SET, {}, must_be_absent=True), Replace(KEY, {"h": D}, must_be_absent=True)]
        for last in [*lasts, Delete(SET, must_be_absent=True), SetDeadline(SET, 9, must_be_absent=True)]:
            assert backend.apply([first, last]) == [there, True]
            assert backend.apply([last, first]) == [True, there]
            self.assert_unchanged(backend)

    def test_keys_that_must_be_absent_and_are_let_everything_happen(self, backend: Backend) -> None:
        absent = Replace(LIST, [A], must_be_absent=True)
        changes: list[Change] = [
            SetFields(KEY, {"f": A}, must_be_absent=True),
            absent,
            Delete(SET, must_be_absent=True),
        ]
        assert backend.apply(changes) == [False, False, False]
        self.assert_stored(backend, KEY, {"f": A})
        self.assert_stored(backend, LIST, [A])
        assert backend.apply([Replace(DICT, {"f": B}, must_be_absent=True), absent]) == [False, True]
        self.assert_stored(backend, LIST, [A])
        self.assert_stored(backend, DICT, None)

    def test_a_key_made_by_an_earlier_change_was_still_absent(self, backend: Backend) -> None:
        changes = [SetFields(KEY, {"f": A}), SetFields(KEY, {"g": B}, must_be_absent=True)]
        assert backend.apply(changes) == [False, False]
        self.assert_stored(backend, KEY, {"f": A, "g": B})

    def test_many_things_go_in_one_step(self, backend: Backend, many: int) -> None:
        fields: dict[str, bytes | None] = {f"field {number}": b"%d" % number for number in range(many)}
        items, members = [b"%d" % number for number in range(many)], {f"member {number}" for number in range(many)}
        children = [Key(KEY.root, f"child {number}") for number in range(200)]
        changes: list[Change] = [SetFields(KEY, fields), Replace(LIST, items), Replace(SET, members)]
        changes += [Replace(child, [A]) for child in children]
        assert not any(backend.apply(changes))
        assert backend.mapping(KEY).get_all() == fields
        assert backend.sequence(LIST).get_slice(slice(None)) == items
        assert backend.members(SET).get_all() == members
        assert all(backend.apply([Delete(key) for key in (KEY, LIST, SET, *children)]))
        assert list(backend.keys("")) == []

    def test_contents_given_are_the_callers(self, backend: Backend) -> None:
        fields, items, members = {"f": A}, [A], {"f"}
        backend.apply([Replace(KEY, fields), Replace(LIST, items), Replace(SET, members)])
        fields.clear()
        items.clear()
        members.clear()
        assert backend.mapping(KEY).get_all() == {"f": A}, "later changes to arguments do not reach the store"
        assert backend.sequence(LIST).get_slice(slice(None)) == [A]
        assert backend.members(SET).get_all() == {"f"}

"""Several changes in one step: all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import (
    Change,
    ChangeMembers,
    Condition,
    ContentIs,
    Delete,
    Exists,
    FieldsAre,
    ItemsAre,
    Make,
    MembersAre,
    Push,
    Replace,
    SetDeadline,
    SetFields,
    SizeIs,
    Trim,
)
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content, Key
from persistent_collections.errors import WrongShapeError
from persistent_collections.testing.backends.base import KEY, OTHER, StoreTests, exists, put, read_content, ttl
from persistent_collections.testing.backends.calls import STARTS
from persistent_collections.testing.backends.data import A, B, C, D

T = TypeVar("T", Change, Condition)

LIST, SET, DICT = (Key(KEY.root, child) for child in ("list", "set", "dict"))
FAMILY: dict[Key, Content] = {KEY: {"f": A, "g": B}, LIST: [A, B, C], SET: {"f", "g"}, DICT: {"f": C}}
CHILDREN = (LIST, SET, DICT)

# Each changes something of FAMILY or adds to it.
CHANGES: tuple[Change, ...] = (
    SetFields(KEY, {"f": D}),
    SetFields(KEY, {"f": None, "g": None}),
    SetFields(KEY, {"f": None, "g": None}, is_record=True),
    SetFields(Key(KEY.root, "new"), {"f": D}),
    Replace(KEY, {"h": D}),
    Replace(LIST, [D]),
    Replace(LIST, []),
    Replace(SET, {"h"}),
    Replace(Key(KEY.root, "new"), [D]),
    Push(LIST, [D]),
    Push(LIST, [D], left=True),
    Push(Key(KEY.root, "new"), [D]),
    Trim(LIST, left=1),
    Trim(LIST, right=3),
    ChangeMembers(SET, {"h"}),
    ChangeMembers(SET, set(), {"f", "g"}),
    ChangeMembers(Key(KEY.root, "new"), {"h"}),
    Make(OTHER, {"f": A}, [Key(OTHER.root, "list")]),
    Delete(DICT),
    Delete(LIST),
    Delete(KEY, CHILDREN),
    SetDeadline(KEY, 1000),
    SetDeadline(LIST, 0),
)

# None holds where FAMILY is stored.
REFUSALS: tuple[Condition, ...] = (
    Exists(KEY, expected=False),
    Exists(SET, expected=False),
    Exists(OTHER),
    Exists(Key(KEY.root, "new")),
    FieldsAre(KEY, {"f": B}),
    FieldsAre(KEY, {"f": None}),
    FieldsAre(KEY, {"f": A, "g": A}),
    FieldsAre(KEY, {"f": A, "h": D}),
    FieldsAre(OTHER, {"f": A}),
    ItemsAre(LIST, {0: B}),
    ItemsAre(LIST, {0: A, -1: B}),
    ItemsAre(LIST, {2: None}),
    ItemsAre(LIST, {3: D}),
    ItemsAre(OTHER, {0: A}),
    MembersAre(SET, {"f": True, "h": True}),
    MembersAre(SET, {"g": False}),
    MembersAre(OTHER, {"f": True}),
    SizeIs(LIST, 2),
    SizeIs(KEY, 0),
    SizeIs(OTHER, 1),
    ContentIs(KEY, {"f": A}),
    ContentIs(KEY, {"f": A, "g": B, "h": C}),
    ContentIs(KEY, {"f": A, "g": C}),
    ContentIs(LIST, [A, B]),
    ContentIs(LIST, [A, B, C, D]),
    ContentIs(LIST, [A, C, B]),
    ContentIs(SET, {"f"}),
    ContentIs(SET, {"f", "h"}),
    ContentIs(DICT, {}),
    ContentIs(LIST, {}),
    ContentIs(OTHER, [A]),
)

# Each holds where FAMILY is stored.
CONDITIONS: tuple[Condition, ...] = (
    Exists(KEY),
    Exists(LIST),
    Exists(OTHER, expected=False),
    FieldsAre(KEY, {}),
    FieldsAre(KEY, {"f": A}),
    FieldsAre(KEY, {"g": B, "f": A, "h": None}),
    FieldsAre(OTHER, {"f": None}),
    ItemsAre(LIST, {}),
    ItemsAre(LIST, {0: A, 2: C, -1: C, -3: A, 3: None, -4: None}),
    ItemsAre(OTHER, {0: None, -1: None}),
    MembersAre(SET, {}),
    MembersAre(SET, {"f": True, "h": False, "g": True}),
    MembersAre(OTHER, {"f": False}),
    SizeIs(KEY, 2),
    SizeIs(LIST, 3),
    SizeIs(SET, 2),
    SizeIs(OTHER, 0),
    ContentIs(KEY, {"g": B, "f": A}),
    ContentIs(LIST, [A, B, C]),
    ContentIs(SET, {"g", "f"}),
    ContentIs(OTHER, []),
)


def kept(backend: Backend, steps: Sequence[T]) -> list[T]:
    """Return the subset of ``steps`` that ``backend`` accepts together with one on ``KEY``."""
    return [step for step in steps if backend.several_roots or step.key.root == KEY.root]


def kind(step: Change | Condition) -> str:
    """Return a short name of ``step``."""
    return f"{type(step).__name__} {step.key}"


class ChangeTests(StoreTests):
    """``commit``."""

    @pytest.fixture
    def family(self, backend: Backend) -> None:
        for key, content in FAMILY.items():
            put(backend, key, content)

    def assert_unchanged(self, backend: Backend) -> None:
        for key, content in FAMILY.items():
            self.assert_stored(backend, key, content)
            assert ttl(backend, key) is None, "a step that was refused set no deadline"
        assert set(backend.keys("")) == set(FAMILY), "a step that was refused made no key"

    @pytest.mark.usefixtures("family")
    def test_changes_of_every_kind_are_made_together(self, backend: Backend) -> None:
        new = Key(KEY.root, "new")
        changes: list[Change] = [SetFields(KEY, {"f": None, "h": D}), Replace(LIST, [D]), Replace(SET, {"h"})]
        assert backend.commit(kept(backend, CONDITIONS), [*changes, Delete(DICT), SetFields(new, {"f": A})])
        expected = {KEY: {"g": B, "h": D}, LIST: [D], SET: {"h"}, DICT: None, new: {"f": A}}
        for key, content in expected.items():
            self.assert_stored(backend, key, content)

    @pytest.mark.usefixtures("family")
    def test_no_changes_do_nothing(self, backend: Backend) -> None:
        assert backend.commit([], [])
        assert backend.commit(kept(backend, CONDITIONS), [])
        for condition in REFUSALS:
            assert not backend.commit([condition], []), condition
        assert backend.commit_each([]) == []
        self.assert_unchanged(backend)

    def test_steps_are_made_one_after_the_other(self, backend: Backend) -> None:
        roots = [Key(f"Grouped:{number}") for number in range(3)]
        steps: list[tuple[list[Condition], list[Change]]] = [
            ([Exists(root, expected=False)], [Delete(root), Replace(root, {"f": A})]) for root in roots
        ]
        assert backend.commit_each(steps) == [True] * 3
        assert [backend.mapping(root).get("f") for root in roots] == [A] * 3

    def test_a_refused_step_does_nothing_and_the_steps_before_it_are_made(self, backend: Backend) -> None:
        first, taken, last = keys = [Key(f"Grouped:{name}") for name in "abc"]
        backend.commit([], [Replace(taken, {"f": B}), SetDeadline(taken, 1000)])
        steps = [([Exists(key, expected=False)], [Replace(key, {"f": A})]) for key in keys]
        tried = backend.commit_each(steps)
        assert tried in ([True, False], [True, False, True])
        assert [backend.mapping(key).get("f") for key in (first, taken)] == [A, B]
        assert backend.mapping(last).get("f") == (A if tried[2:] else None), "the result says whether it was made"
        assert ttl(backend, taken) is not None
        assert backend.commit_each([([], [Replace(taken, {"f": C})]), ([], [Replace(last, {"f": C})])]) == [True] * 2
        assert [backend.mapping(key).get("f") for key in (taken, last)] == [C, C]

    def test_set_fields_does_what_set_many_does(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"a": A, "b": B, "c": C})
        assert backend.commit([], [SetFields(KEY, {"d": D, "b": None, "x": None, "a": B})])
        self.assert_stored(backend, KEY, {"a": B, "c": C, "d": D})
        assert backend.commit([], [SetFields(KEY, {})])
        self.assert_stored(backend, KEY, {"a": B, "c": C, "d": D})

    def test_items_are_pushed_and_trimmed_at_both_ends(self, backend: Backend) -> None:
        assert backend.commit([], [Push(KEY, [B, C]), Push(KEY, [D, A], left=True), Push(KEY, [])])
        self.assert_stored(backend, KEY, [D, A, B, C])
        assert backend.commit([ItemsAre(KEY, {0: D})], [Trim(KEY, left=1, right=2), Trim(KEY)])
        self.assert_stored(backend, KEY, [A])
        for change in (Trim(KEY, left=1), Trim(KEY, right=1), Trim(KEY, left=5, right=7)):
            put(backend, KEY, [A])
            assert backend.commit([], [change])
            self.assert_stored(backend, KEY, None)
            assert backend.commit([], [change])
            assert not exists(backend, KEY)

    def test_members_are_added_and_removed(self, backend: Backend) -> None:
        assert backend.commit([], [ChangeMembers(KEY, {"a", "b"}), ChangeMembers(KEY, {"c"}, {"b", "x"})])
        self.assert_stored(backend, KEY, {"a", "c"})
        assert backend.commit([], [ChangeMembers(KEY, set()), ChangeMembers(KEY, set(), {"a", "c", "d"})])
        self.assert_stored(backend, KEY, None)
        assert not exists(backend, KEY)

    @pytest.mark.parametrize("change", [Push(LIST, [A]), Push(LIST, [A], left=True), ChangeMembers(LIST, {"a"})])
    def test_a_child_that_is_made_takes_its_owners_deadline(self, backend: Backend, change: Change) -> None:
        put(backend, KEY, {"f": A})
        assert backend.commit([], [SetDeadline(KEY, 1000), change])
        assert ttl(backend, LIST) == pytest.approx(1000, abs=60)
        backend.commit([], [SetDeadline(KEY, None), change])
        assert ttl(backend, LIST) is not None, "a key that exists keeps its own deadline"

    def test_contents_of_another_shape_are_refused(self, backend: Backend) -> None:
        put(backend, KEY, {"f": A})
        conditions: list[Condition] = [ItemsAre(KEY, {0: A}), MembersAre(KEY, {"a": False}), ContentIs(KEY, [A])]
        for condition in conditions:
            with pytest.raises(WrongShapeError):
                backend.commit([condition], [SetFields(KEY, {"f": B})])
        changes: list[Change] = [Push(KEY, []), Trim(KEY), ChangeMembers(KEY, set())]
        for change in changes:
            with pytest.raises(WrongShapeError):
                backend.commit([], [SetFields(KEY, {"f": B}), change])
        self.assert_stored(backend, KEY, {"f": A})

    @pytest.fixture
    def roots(self, backend: Backend) -> tuple[Key, Key]:
        """Return the keys of two objects.

        A store that cannot change them together sets ``several_roots = False``; then this is one object and its child.
        """
        return Key("A:1"), Key("B:2" if backend.several_roots else "A:1", None if backend.several_roots else "f")

    def test_objects_of_several_roots_change_together(self, backend: Backend, roots: tuple[Key, Key]) -> None:
        first, second = roots
        assert backend.takes_together(roots)
        backend.commit([], [SetFields(first, {"f": A}), SetDeadline(first, 1000), Replace(second, [A])])
        child = Key(first.root, "list")
        changes: list[Change] = [Push(child, [B]), Delete(second)]
        assert not backend.commit([FieldsAre(first, {"f": A}), ContentIs(second, [B])], changes)
        assert set(backend.keys("")) == {first, second}
        assert backend.commit([FieldsAre(first, {"f": A}), ContentIs(second, [A])], changes)
        assert set(backend.keys("")) == {first, child}
        assert ttl(backend, child) is not None

    def test_no_object_of_several_changes_if_one_has_another_shape(
        self, backend: Backend, roots: tuple[Key, Key]
    ) -> None:
        first, second = roots
        put(backend, second, [A])
        with pytest.raises(WrongShapeError):
            backend.commit([], [SetFields(first, {"f": C}), Push(second, [C]), SetFields(second, {"f": C})])
        assert set(backend.keys("")) == {second}
        self.assert_stored(backend, second, [A])

    def test_changes_of_one_key_are_made_in_their_order(self, backend: Backend) -> None:
        backend.commit([], [SetFields(KEY, {"a": A}), SetFields(KEY, {"b": B, "a": None})])
        self.assert_stored(backend, KEY, {"b": B})
        backend.commit([], [Delete(KEY), SetFields(KEY, {"c": C})])
        self.assert_stored(backend, KEY, {"c": C})
        backend.commit([], [SetFields(KEY, {"d": D}), Delete(KEY)])
        self.assert_stored(backend, KEY, None)

    def test_a_deleted_key_may_take_another_shape_in_the_same_step(self, backend: Backend) -> None:
        for before in STARTS.values():
            for after in STARTS.values():
                put(backend, KEY, before)
                assert backend.commit([], [Delete(KEY), Replace(KEY, after)])
                self.assert_stored(backend, KEY, after)
                backend.commit([], [Delete(KEY)])

    @pytest.mark.usefixtures("family")
    @pytest.mark.parametrize("first", CHANGES, ids=kind)
    def test_a_change_of_another_shape_undoes_those_before_it(self, backend: Backend, first: Change) -> None:
        if isinstance(first, Delete) and first.children:
            return  # after it, every key may take any shape
        lasts: list[Change] = [SetFields(SET, {"f": A}), Replace(DICT, [A])]
        for last in lasts:
            with pytest.raises(WrongShapeError):
                backend.commit([], [*kept(backend, [first]), last] if first.key != last.key else [last])
            self.assert_unchanged(backend)

    @pytest.mark.usefixtures("family")
    @pytest.mark.parametrize("change", CHANGES, ids=kind)
    def test_a_condition_that_fails_lets_nothing_happen(self, backend: Backend, change: Change) -> None:
        for condition in kept(backend, REFUSALS):
            for conditions in ([condition], [*kept(backend, CONDITIONS), condition]):
                assert not backend.commit(conditions, kept(backend, [change])), condition
        self.assert_unchanged(backend)

    def test_conditions_are_asked_before_the_first_change(self, backend: Backend) -> None:
        changes: list[Change] = [SetFields(KEY, {"f": A}), Replace(LIST, [A])]
        absent: list[Condition] = [
            Exists(KEY, expected=False),
            Exists(LIST, expected=False),
            FieldsAre(KEY, {"f": None}),
        ]
        assert backend.commit(absent, changes)
        assert not backend.commit(absent, changes)
        assert backend.commit([Exists(KEY), FieldsAre(KEY, {"f": A})], [Delete(KEY), SetFields(KEY, {"g": B})])
        self.assert_stored(backend, KEY, {"g": B})

    def test_fields_are_compared_byte_by_byte_empty_ones_too(self, backend: Backend) -> None:
        empty = b'""' if backend.medium == "json" else b""
        put(backend, KEY, {"f": empty})
        assert backend.commit([FieldsAre(KEY, {"f": empty})], [])
        assert not backend.commit([FieldsAre(KEY, {"f": None})], [])
        assert not backend.commit([FieldsAre(KEY, {"f": A})], [])

    def test_fields_of_another_shape_are_no_fields(self, backend: Backend) -> None:
        put(backend, KEY, [A])
        with pytest.raises(WrongShapeError):
            backend.commit([FieldsAre(KEY, {"f": A})], [Delete(KEY)])
        self.assert_stored(backend, KEY, [A])

    def test_a_record_is_made_only_where_it_is_absent(self, backend: Backend) -> None:
        make = Make(KEY, {"f": A, "g": B}, CHILDREN)
        assert backend.commit([], [make, SetFields(KEY, {"f": C})])
        self.assert_stored(backend, KEY, {"f": C, "g": B})
        put(backend, LIST, [A])
        assert backend.commit([], [make, SetFields(KEY, {"h": D})])
        self.assert_stored(backend, KEY, {"f": C, "g": B, "h": D})
        self.assert_stored(backend, LIST, [A])

    def test_a_record_that_is_made_inherits_nothing_of_an_earlier_one(self, backend: Backend) -> None:
        for key in CHILDREN:
            put(backend, key, FAMILY[key])
        backend.commit([], [SetDeadline(LIST, 1000)])
        assert backend.commit([], [Make(KEY, {"f": A}, CHILDREN), Replace(SET, {"new"})])
        for key, content in {KEY: {"f": A}, LIST: None, SET: {"new"}, DICT: None}.items():
            self.assert_stored(backend, key, content)
        assert ttl(backend, KEY) is None

    def test_a_record_without_anything_else_holds_the_marker(self, backend: Backend) -> None:
        marker = {MARKER: MARKER_DATA}
        backend.commit([], [Make(KEY, marker)])
        assert exists(backend, KEY)
        assert read_content(backend, KEY) == marker
        assert backend.snapshot([KEY]) == [(marker, None)]
        backend.commit([], [SetFields(KEY, {"f": A, "g": B}, is_record=True)])
        backend.commit([], [SetFields(KEY, {"f": None}, is_record=True)])
        backend.commit([], [SetFields(KEY, {"g": None, MARKER: None}, is_record=True)])
        assert read_content(backend, KEY) == marker
        backend.commit([], [SetFields(KEY, {MARKER: None})])
        assert not exists(backend, KEY)

    @pytest.mark.usefixtures("family")
    def test_a_record_is_deleted_with_its_children(self, backend: Backend) -> None:
        put(backend, OTHER, {"f": A})
        assert backend.commit([Exists(KEY)], [Delete(KEY, CHILDREN)])
        assert list(backend.keys("")) == [OTHER]
        assert not backend.commit([Exists(KEY)], [Delete(KEY, CHILDREN)])

    @pytest.mark.usefixtures("family")
    def test_a_key_is_deleted_without_its_children(self, backend: Backend) -> None:
        assert backend.commit([], [Delete(KEY)])
        assert set(backend.keys("")) == set(CHILDREN)

    def test_many_things_go_in_one_step(self, backend: Backend, many: int) -> None:
        items = [b"%d" % number for number in range(many)]
        members = {f"member {number}" for number in range(many)}
        fields: dict[str, bytes | None] = dict(zip(sorted(members), items, strict=True))
        children = [Key(KEY.root, f"child {number}") for number in range(200)]
        changes: list[Change] = [SetFields(KEY, fields), Replace(LIST, items), Replace(SET, members)]
        changes += [Replace(child, [A]) for child in children]
        assert backend.commit([Exists(KEY, expected=False), FieldsAre(KEY, dict.fromkeys(fields))], changes)
        found = backend.mapping(KEY).get_all(), backend.sequence(LIST).get_slice(slice(None))
        assert (*found, backend.members(SET).get_all()) == (fields, items, members)
        assert backend.commit([FieldsAre(KEY, fields)], [Delete(KEY, [LIST, SET, *children])])
        assert list(backend.keys("")) == []

    def test_much_is_compared_and_changed_in_one_step(self, backend: Backend, many: int) -> None:
        items = [b"%d" % number for number in range(many)]
        members = {f"member {number}" for number in range(many)}
        fields = dict(zip(sorted(members), items, strict=True))
        backend.commit([], [Replace(KEY, fields), Replace(LIST, items), Replace(SET, members)])
        conditions: list[Condition] = [ContentIs(KEY, fields), ContentIs(LIST, items), ContentIs(SET, members)]
        conditions.append(MembersAre(SET, dict.fromkeys(members, True)))
        assert not backend.commit([*conditions, ContentIs(LIST, items[::-1])], [Delete(KEY)])
        assert backend.commit(conditions, [Push(LIST, items, left=True), ChangeMembers(SET, {"one more"}, members)])
        self.assert_stored(backend, LIST, items * 2)
        self.assert_stored(backend, SET, {"one more"})

    def test_contents_given_are_the_callers(self, backend: Backend) -> None:
        fields, items, members = {"f": A}, [A], {"f"}
        backend.commit([], [Replace(KEY, fields), Replace(LIST, items), Replace(SET, members)])
        fields.clear()
        items.clear()
        members.clear()
        assert backend.mapping(KEY).get_all() == {"f": A}, "later changes to arguments do not reach the store"
        assert backend.sequence(LIST).get_slice(slice(None)) == [A]
        assert backend.members(SET).get_all() == {"f"}

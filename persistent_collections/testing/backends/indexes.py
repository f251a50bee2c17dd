"""Indexes: entries change with their record, and are found in order; a unique value has one record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import (
    Change,
    Delete,
    Exists,
    FieldsAre,
    HeldBy,
    Make,
    SetDeadline,
    SetEntries,
    SetFields,
)
from persistent_collections.backends.indexes import (
    FIRST,
    LAST,
    EntryKey,
    Index,
    Indexing,
    IndexStore,
    IndexUnbuiltError,
    Place,
)
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Key
from persistent_collections.errors import BackendError, NotUnique
from persistent_collections.testing.backends.base import StoreTests, exists

NAME: Final = Index("name.text!", ("name",), True, ("name",))
SIZE: Final = Index("size.text", ("size",), False, ("size",))
BOTH: Final = Index("size.text+name.text!", ("size", "name"), True, ("size", "name"))
INDEXES: Final = (NAME, SIZE, BOTH)
IDS: Final = ("x", "x0", "xx", "\u00e9", "\U0010ffff", "%3A", "a b", "-", "0", "\x01")


def key_of(index: Index, data: Sequence[bytes | None]) -> EntryKey:
    """Return the entry key of bytes without NUL; None is the lowest."""
    parts = [b"\x01" if each is None else b"\x02" + each + b"\0" for each in data]
    return EntryKey(b"".join(parts), index.unique and None not in data)


INDEXING: Final = Indexing("Indexed", INDEXES, key_of)


def text(value: str) -> bytes:
    """Return the bytes of a text that every store accepts."""
    return b'"%s"' % value.encode()


def key(ident: str) -> Key:
    """Return the key of a record of the indexed class."""
    return INDEXING.record(ident)


def entry(index: Index, *values: str | None) -> bytes:
    """Return the entry key of values, or the beginning of some."""
    return key_of(index, [None if each is None else text(each) for each in values]).key


def entries_of(fields: Mapping[str, bytes | None], changed: Mapping[str, object]) -> dict[str, EntryKey]:
    """Return the entries of a record with ``fields`` in the indexes with a ``changed`` field."""
    return {
        index.name: key_of(index, [fields.get(field) for field in index.fields])
        for index in INDEXES
        if not changed.keys().isdisjoint(index.fields)
    }


def saving(ident: str, *, anyway: bool = False, **values: str | None) -> list[Change]:
    """Return the changes that make a record of values, or set all of its fields."""
    fields = {name: None if value is None else text(value) for name, value in values.items()}
    given = {name: data for name, data in fields.items() if data is not None} or {MARKER: MARKER_DATA}
    all_fields = {"name": None, "size": None, **fields}
    entries = entries_of(all_fields, all_fields)
    set_entries = SetEntries(key(ident), INDEXING, entries, entries, anyway)
    return [Make(key(ident), given), SetFields(key(ident), all_fields, is_record=True), set_entries]


class IndexTests(StoreTests):
    """``SetEntries``, ``HeldBy`` and the handles of indexes, in stores that have them."""

    @pytest.fixture
    def unique(self, backend: Backend) -> Backend:
        """Return a store that supports unique values."""
        if backend.indexing == "none":
            pytest.skip("this store promises nothing about indexes")
        if backend.indexing == "indexes":
            backend.index(INDEXING).mark([index.name for index in INDEXES], whole=True)
        return backend

    @pytest.fixture
    def index(self, unique: Backend) -> IndexStore:
        """Return the indexes of a class, all whole, in a store that keeps entries."""
        if unique.indexing != "indexes":
            pytest.skip("this store keeps no entries")
        return unique.index(INDEXING)

    def ids(self, index: IndexStore, of: Index, low: bytes = FIRST, high: bytes = LAST) -> list[str]:
        """Return the ids that a search finds."""
        page = index.find(of.name, low, high, 100)
        assert page is not None
        assert page.last is None
        return [hit.place.id for hit in page.hits]

    def assert_all(self, index: IndexStore, expected: Mapping[str, Mapping[str, str | None]]) -> None:
        """Check that every index has exactly the entries of the expected records."""
        for each in INDEXES:
            places = {Place(entry(each, *map(values.get, each.fields)), ident) for ident, values in expected.items()}
            page = index.find(each.name, FIRST, LAST, 1000)
            assert page is not None
            found = [hit.place for hit in page.hits]
            assert found == sorted(places, key=lambda place: (place.key, place.id.encode())), each.name
            assert index.count(each.name, FIRST, LAST) == len(found)

    def assert_no_more(self, index: IndexStore, expected: Sequence[str]) -> None:
        """Check that no entries of other records are left, if the store deletes stale entries at once."""
        if not index.exact:
            return
        for each in INDEXES:
            assert sorted(place.id for place in index.entries(each.name)) == sorted(expected), each.name

    def test_a_unique_value_has_one_record(self, unique: Backend) -> None:
        assert unique.commit([], saving("x", name="a", size="1"))
        with pytest.raises(NotUnique, match="'Indexed:y': its name is that of 'Indexed:x'; nothing was written") as one:
            unique.commit([], saving("y", name="a", size="2"))
        assert (one.value.field, one.value.other) == ("name", "Indexed:x")
        assert not exists(unique, key("y"))
        assert unique.commit([], saving("x", name="a", size="2")), "its own value is no other's"
        assert unique.commit([], saving("y", name="b", size="2"))
        with pytest.raises(NotUnique):
            unique.commit([], saving("y", name="a", size="3"))
        assert unique.mapping(key("y")).get_all() == {"name": text("b"), "size": text("2")}

    def test_several_fields_are_unique_together(self, unique: Backend) -> None:
        unique.commit([], saving("x", name="a", size="1"))
        fields: dict[str, bytes | None] = {"name": text("a"), "size": text("1")}
        changes: list[Change] = [
            Make(key("y"), {"name": text("a"), "size": text("1")}),
            SetEntries(key("y"), INDEXING, {}, {BOTH.name: key_of(BOTH, list(reversed(fields.values())))}),
        ]
        with pytest.raises(NotUnique, match="'Indexed:y': its size and name are those of 'Indexed:x'") as caught:
            unique.commit([], changes)
        assert caught.value.field == "size, name"
        assert not exists(unique, key("y"))

    def test_what_is_not_set_is_no_value(self, unique: Backend) -> None:
        for ident in "xyz":
            assert unique.commit([], saving(ident, size="1"))
            assert unique.commit([], saving(ident))
        assert unique.commit([], saving("x", name="", size="1"))
        with pytest.raises(NotUnique):
            unique.commit([], saving("y", name="", size="1"))

    def test_a_value_is_free_once_its_record_has_another_or_is_gone(self, unique: Backend) -> None:
        unique.commit([], saving("x", name="a"))
        unique.commit([], saving("x", name="b"))
        unique.commit([], saving("y", name="a"))
        unique.commit([Exists(key("y"))], [Delete(key("y"), [], INDEXING)])
        unique.commit([], saving("z", name="a"))
        unique.commit([], [SetDeadline(key("z"), 0)])
        unique.commit([], saving("y", name="a"))
        unique.mapping(key("y")).replace({})
        unique.commit([], [Delete(key("y"))])
        assert unique.commit([], saving("v", name="a"))

    def test_values_may_be_swapped_in_one_step(self, unique: Backend) -> None:
        if not unique.several_roots:
            return
        unique.commit([], saving("x", name="a", size="1"))
        unique.commit([], saving("y", name="b", size="1"))
        assert unique.commit([], [*saving("x", name="b", size="1"), *saving("y", name="a", size="1")])
        assert unique.mapping(key("x")).get("name") == text("b")
        with pytest.raises(NotUnique):
            unique.commit([], [*saving("z", name="c"), *saving("v", name="c")])
        assert not exists(unique, key("z"))
        assert unique.commit([], [Delete(key("x"), [], INDEXING), *saving("z", name="b", size="1")])

    def test_a_condition_that_fails_refuses_before_what_is_unique(self, unique: Backend) -> None:
        unique.commit([], saving("x", name="a"))
        assert not unique.commit([Exists(key("y"))], saving("y", name="a"))
        assert not exists(unique, key("y"))

    def test_a_value_is_held_by_one_record_or_none(self, unique: Backend) -> None:
        if not unique.several_roots:
            return

        def held(by: str, name: str, *, in_index: Index = NAME) -> bool:
            values = ["1", name] if in_index is BOTH else [name]
            data = tuple(map(text, values))
            return unique.commit([HeldBy(key(by), INDEXING, in_index.name, entry(in_index, *values), data)], [])

        assert held("", "a")
        unique.commit([], saving("x", name="a", size="1"))
        assert (held("", "a"), held("x", "a"), held("y", "a"), held("x", "b")) == (False, True, False, False)
        assert held("x", "a", in_index=BOTH)
        assert (held("", "1", in_index=SIZE), held("x", "1", in_index=SIZE)) == (False, True)
        unique.commit([], saving("y", name="b", size="1"))
        assert [held(by, "1", in_index=SIZE) for by in ("", "x", "y")] == [False] * 3, "it does not have to be unique"
        unique.commit([], [SetDeadline(key("x"), 0)])
        assert held("", "a")
        assert not held("x", "a")
        assert held("y", "1", in_index=SIZE)

    def test_entries_are_found_in_their_order_then_by_id(self, unique: Backend, index: IndexStore) -> None:
        expected = {}
        for number, ident in enumerate(IDS):
            expected[ident] = {"name": f"n{number}", "size": str(number % 3)}
            unique.commit([], saving(ident, name=f"n{number}", size=str(number % 3)))
        self.assert_all(index, expected)
        places = sorted((entry(SIZE, values["size"]), ident.encode()) for ident, values in expected.items())
        assert [ident.encode() for ident in self.ids(index, SIZE)] == [ident for _, ident in places]
        backwards = index.find(SIZE.name, FIRST, LAST, 100, backwards=True)
        assert backwards is not None
        assert [hit.place.id.encode() for hit in backwards.hits] == [ident for _, ident in reversed(places)]

    def test_bounds_are_of_entry_keys(self, unique: Backend, index: IndexStore) -> None:
        for ident, (name, size) in {"x": ("a", "1"), "y": ("b", "1"), "z": ("c", "2"), "v": (None, "3")}.items():
            unique.commit([], saving(ident, name=name, size=size))
        low, high = entry(NAME, "a"), entry(NAME, "c")
        assert self.ids(index, NAME, low, high) == ["x", "y"]
        assert self.ids(index, NAME, low + b"\xff", high + b"\xff") == ["y", "z"]
        assert self.ids(index, NAME, entry(NAME, None), entry(NAME, None) + LAST) == ["v"]
        assert self.ids(index, NAME, high, low) == []
        assert self.ids(index, BOTH, entry(SIZE, "1"), entry(SIZE, "1") + LAST) == ["x", "y"]
        assert self.ids(index, BOTH, entry(BOTH, "1", "b"), entry(BOTH, "1", "b") + LAST) == ["y"]
        assert index.count(BOTH.name, entry(SIZE, "1"), LAST) == 4
        assert index.count(NAME.name, low, high) == 2

    @pytest.mark.parametrize("backwards", [False, True])
    def test_a_page_stays_within_its_bounds(self, unique: Backend, index: IndexStore, backwards: bool) -> None:
        for number in range(5):
            unique.commit([], saving(f"x{number}", name=f"n{number}", size=str(number)))
        low, high = entry(SIZE, "1"), entry(SIZE, "3")
        found = {}
        for number in range(5):
            after = Place(entry(SIZE, str(number)), f"x{number}")
            page = index.find(SIZE.name, low, high, 9, after=after, backwards=backwards)
            assert page is not None
            found[number] = [hit.place.id for hit in page.hits]
        if backwards:
            assert found == {0: [], 1: [], 2: ["x1"], 3: ["x2", "x1"], 4: ["x2", "x1"]}
        else:
            assert found == {0: ["x1", "x2"], 1: ["x2"], 2: [], 3: [], 4: []}

    @pytest.mark.parametrize("backwards", [False, True])
    def test_pages_go_on_where_the_last_one_ended(self, unique: Backend, index: IndexStore, backwards: bool) -> None:
        for number in range(20):
            unique.commit([], saving(f"x{number:02}", name=f"{number:02}", size="1"))
        found: list[str] = []
        after = None
        for page_number in range(30):
            page = index.find(SIZE.name, FIRST, LAST, 3, after=after, backwards=backwards)
            assert page is not None
            found += [hit.place.id for hit in page.hits]
            after = page.last
            if after is None:
                break
            unique.commit([], [Delete(key(after.id), [], INDEXING)])  # a place lasts longer than its record
            unique.commit([], saving(f"w{page_number:02}", name=f"w{page_number:02}", size="0"))
        assert [ident for ident in found if ident[0] == "x"] == sorted(
            [f"x{each:02}" for each in range(20)], reverse=backwards
        )
        assert len(set(found)) == len(found)

    def test_fields_are_read_along(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("x", name="a", size="1"))
        unique.commit([], saving("y", size="2"))
        page = index.find(SIZE.name, FIRST, LAST, 10, fields=["name", "missing", "size"])
        assert page is not None
        assert [list(hit.data) for hit in page.hits] == [[text("a"), None, text("1")], [None, None, text("2")]]

    def test_what_is_no_record_is_not_found(self, unique: Backend, index: IndexStore) -> None:
        for ident in "wxyz":
            unique.commit([], saving(ident, name=ident, size="1"))
        unique.commit([], [Delete(key("x"))])
        unique.sequence(key("x")).push_right([text("a")])
        for fields in (["size"], ["size", "name"]):
            page = index.find(SIZE.name, FIRST, LAST, 10, fields=fields)
            assert page is not None
            assert [hit.place.id for hit in page.hits] == ["w", "y", "z"]

    def test_an_entry_is_discarded_unless_its_record_has_it(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("x", name="a", size="1"))
        unique.commit([], saving("y", name="b", size="1"))
        place = Place(entry(NAME, "a"), "x")
        assert not index.discard(NAME.name, place)
        assert not index.discard(NAME.name, Place(entry(NAME, "b"), "x")), "there is none"
        self.assert_all(index, {"x": {"name": "a", "size": "1"}, "y": {"name": "b", "size": "1"}})
        unique.commit([], [SetDeadline(key("x"), 0)])
        was_there = place in index.entries(NAME.name)
        assert index.discard(NAME.name, place) == was_there
        assert not index.discard(NAME.name, place)
        assert [each.id for each in index.entries(NAME.name)] == ["y"]
        self.assert_all(index, {"y": {"name": "b", "size": "1"}})

    def test_entries_change_with_their_record(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("x", name="a", size="1"))
        unique.commit([], saving("y", name="b", size="1"))
        fields = {"name": text("c"), "size": text("1")}
        changes: list[Change] = [
            SetFields(key("x"), {"name": text("c")}, is_record=True),
            SetEntries(key("x"), INDEXING, entries_of(fields, {"name": 1}), {}),
        ]
        assert unique.commit([FieldsAre(key("x"), {"size": text("1")})], changes)
        self.assert_all(index, {"x": {"name": "c", "size": "1"}, "y": {"name": "b", "size": "1"}})
        assert not unique.commit([FieldsAre(key("x"), {"size": text("2")})], changes)
        unique.commit([], [Delete(key("y"), [], INDEXING)])
        self.assert_all(index, {"x": {"name": "c", "size": "1"}})
        self.assert_no_more(index, ["x"])
        unique.commit([], saving("x", name="c", size="1"))
        self.assert_no_more(index, ["x"])

    def test_a_record_that_does_not_exist_gets_no_entries(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("x", name="a", size="1")[2:])
        unique.commit([], [*saving("x", name="a", size="1"), Delete(key("x"), [], INDEXING)])
        self.assert_no_more(index, [])

    def test_a_record_that_is_made_anew_has_none_of_the_old_entries(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("x", name="a", size="1"))
        unique.commit([], [SetDeadline(key("x"), 0)])
        self.assert_all(index, {})
        only_size = {SIZE.name: EntryKey(entry(SIZE, "2"))}
        made = SetEntries(key("x"), INDEXING, {SIZE.name: EntryKey(entry(SIZE, "9"))}, only_size)
        unique.commit([], [Make(key("x"), {"size": text("2")}), made])
        assert (self.ids(index, SIZE), self.ids(index, NAME), self.ids(index, BOTH)) == (["x"], [], [])
        assert not index.exact or [place.key for place in index.entries(SIZE.name)] == [entry(SIZE, "2")]
        unique.commit([], [Make(key("x"), {"size": text("3")}), made])
        page = index.find(SIZE.name, FIRST, LAST, 10)
        assert page is not None
        there = entry(SIZE, "9" if index.exact else "2")  # what is not exact reads the record
        assert [hit.place for hit in page.hits] == [Place(there, "x")], "it was not made"

    def test_a_record_that_expires_is_found_no_more(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("x", name="a", size="1"))
        unique.commit([], saving("y", name="b", size="1"))
        unique.commit([], [SetDeadline(key("x"), 0)])
        self.assert_all(index, {"y": {"name": "b", "size": "1"}})
        unique.commit([], saving("z", name="a", size="1"))
        self.assert_all(index, {"y": {"name": "b", "size": "1"}, "z": {"name": "a", "size": "1"}})

    def test_a_record_whose_deadline_has_passed_is_found_no_more(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("y", name="b", size="1"))
        unique.commit([], [*saving("x", name="a", size="1"), SetDeadline(key("x"), 0.02)])
        time.sleep(0.05)
        self.assert_all(index, {"y": {"name": "b", "size": "1"}})

    def test_the_value_of_a_record_whose_deadline_has_passed_is_free(self, unique: Backend) -> None:
        unique.commit([], [*saving("x", name="a", size="1"), SetDeadline(key("x"), 0.02)])
        time.sleep(0.05)
        if unique.several_roots:
            assert unique.commit([HeldBy(key(""), INDEXING, NAME.name, entry(NAME, "a"), (text("a"),))], [])
        assert unique.commit([], saving("y", name="a", size="1"))

    def test_a_step_needs_indexes_that_are_whole(self, unique: Backend, index: IndexStore) -> None:
        index.mark([NAME.name], whole=False)
        with pytest.raises(IndexUnbuiltError, match=r"name\.text!") as caught:
            unique.commit([], saving("x", name="a", size="1"))
        assert caught.value.names == (NAME.name,)
        assert not exists(unique, key("x"))
        self.assert_no_more(index, [])
        assert index.find(NAME.name, FIRST, LAST, 10) is None
        assert index.count(NAME.name, FIRST, LAST) is None
        with pytest.raises(IndexUnbuiltError if unique.several_roots else BackendError):
            unique.commit([HeldBy(key(""), INDEXING, NAME.name, entry(NAME, "a"), (text("a"),))], [])
        assert unique.commit([], saving("x", anyway=True, name="a", size="1"))
        with pytest.raises(NotUnique):
            unique.commit([], saving("y", anyway=True, name="a", size="1"))
        assert index.find(NAME.name, FIRST, LAST, 10) is None
        index.mark([NAME.name], whole=True)
        self.assert_all(index, {"x": {"name": "a", "size": "1"}})

    def test_only_an_index_that_is_new_is_marked_as_one(self, unique: Backend, index: IndexStore) -> None:
        names = [each.name for each in INDEXES]
        index.mark([SIZE.name], whole=False)
        index.mark(names, whole=True, only_new=True)
        assert index.states() == {NAME.name: True, SIZE.name: False, BOTH.name: True}
        index.drop(names)
        assert index.states() == {}
        unique.commit([], saving("x", anyway=True, name="a"))
        index.mark(names, whole=True, only_new=True)
        assert not any(index.states().values()), "an index with entries is not new"
        index.drop([NAME.name])
        index.mark(names, whole=True, only_new=True)
        assert index.states()[NAME.name]

    def test_a_dropped_index_is_empty_and_others_stay(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("x", name="a", size="1"))
        index.drop([NAME.name])
        assert list(index.entries(NAME.name)) == []
        assert index.find(NAME.name, FIRST, LAST, 10) is None
        assert self.ids(index, SIZE) == ["x"]
        unique.commit([], saving("x", anyway=True, name="b", size="2"))
        index.mark([NAME.name], whole=True)
        self.assert_all(index, {"x": {"name": "b", "size": "2"}})

    def test_classes_have_indexes_of_their_own(self, unique: Backend, index: IndexStore) -> None:
        other = Indexing("IndexedToo", (NAME,), key_of)
        unique.index(other).mark([NAME.name], whole=True)
        unique.commit([], saving("x", name="a", size="1"))
        claimed = {NAME.name: key_of(NAME, [text("a")])}
        there = other.record("x")
        assert unique.commit([], [Make(there, {"name": text("a")}), SetEntries(there, other, claimed, claimed)])
        self.assert_all(index, {"x": {"name": "a", "size": "1"}})
        unique.commit([], [Delete(there, [], other)])
        self.assert_all(index, {"x": {"name": "a", "size": "1"}})

    def test_indexes_are_no_keys(self, unique: Backend, index: IndexStore) -> None:
        unique.commit([], saving("x", name="a", size="1"))
        assert list(unique.keys("")) == [key("x")]
        assert list(unique.strangers(["Indexed"])) == []
        unique.commit([], [Delete(key("x"), [], INDEXING)])
        assert list(unique.keys("")) == []
        assert index.states()[NAME.name], "an index is whole also when it is empty"

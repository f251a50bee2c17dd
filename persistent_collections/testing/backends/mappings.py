"""The promises of a mapping."""

from __future__ import annotations

from itertools import chain

import pytest

from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.keys import Key
from persistent_collections.errors import WrongShapeError
from persistent_collections.testing.backends.base import KEY, OTHER, StoreTests, exists, in_order
from persistent_collections.testing.backends.data import A, B, C, D, not_integers, samples

LOWEST, HIGHEST = -(2**63), 2**63 - 1


class MappingTests(StoreTests):
    """Fields to bytes, as a ``dict`` of them."""

    def test_a_mapping_lies_in_the_medium_as_it_was_set(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"b": A, "a": B})
        self.assert_stored(backend, KEY, {"b": A, "a": B})

    def test_a_mapping_put_into_the_medium_is_read(self, backend: Backend) -> None:
        self.store(backend, KEY, {"b": A, "a": B})
        mapping = backend.mapping(KEY)
        assert in_order(backend, mapping.get_all()) == in_order(backend, {"b": A, "a": B})
        assert (mapping.get("a"), mapping.size(), mapping.contains("b")) == (B, 2, True)

    def test_any_data_of_the_medium_come_back_byte_for_byte(self, backend: Backend) -> None:
        mapping, data = backend.mapping(KEY), samples(backend.medium)
        fields = {str(number): datum for number, datum in enumerate(data)}
        mapping.set_many(fields)
        self.assert_stored(backend, KEY, fields)
        assert mapping.get_all() == fields
        assert mapping.get_many(list(fields)) == data
        assert dict(chain.from_iterable(mapping.pages())) == fields

    def test_whatever_a_field_holds_it_is_there(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        for datum in samples(backend.medium):
            assert mapping.add("f", datum) is None, "an absent field is added, whatever the data"
            assert mapping.get("f") == datum
            assert mapping.contains("f"), "a field is absent only where nothing was set"
            assert mapping.size() == 1
            assert mapping.add("f", A) == datum, "add returns what is there"
            assert not mapping.compare_and_set("f", None, A), "None is absence and equals no data"
            assert mapping.compare_and_set("f", datum, datum)
            assert mapping.pop("f") == datum

    def test_data_of_ten_mebibytes_come_back(self, backend: Backend) -> None:
        datum = b'"%s"' % (b"0123456789abcdef" * (10 * 2**16))
        backend.mapping(KEY).set_many({"large": datum, "small": A})
        assert backend.mapping(KEY).get("large") == datum
        assert backend.mapping(KEY).get_all() == {"large": datum, "small": A}

    def test_get_many_keeps_the_order_asked_for_and_answers_twice_where_asked_twice(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"a": A, "b": B})
        assert mapping.get_many(["b", "x", "a", "b"]) == [B, None, A, B]
        assert mapping.get_many([]) == []

    def test_fields_of_many_mappings_are_read_at_once(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"a": A, "b": B})
        absent, wanted = Key("Thing:z"), ["b", "x"]
        assert backend.get_many([(KEY, wanted), (absent, ["a"]), (OTHER, wanted), (KEY, ["a"])]) == [
            [B, None],
            [None],
            [None, None],
            [A],
        ]
        assert backend.get_many([]) == []
        backend.sequence(OTHER).push_right([A])
        with pytest.raises(WrongShapeError, match="'Thing:y'"):
            backend.get_many([(KEY, ["a"]), (OTHER, ["a"])])

    def test_set_many_sets_and_deletes_in_one_call(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"a": A, "b": B})
        mapping.set_many({"a": None, "x": None, "b": C, "c": D})
        self.assert_stored(backend, KEY, {"b": C, "c": D})

    def test_set_many_of_nothing_does_nothing(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({})
        assert not exists(backend, KEY), "an empty collection does not exist"
        mapping.set_many({"a": A})
        mapping.set_many({})
        self.assert_stored(backend, KEY, {"a": A})

    def test_fields_keep_the_order_in_which_they_were_set_first_where_the_store_has_one(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"c": A, "a": A, "b": A})
        mapping.set_many({"d": B, "c": B})
        mapping.compare_and_set("a", A, B)
        mapping.add("b", B)
        self.assert_stored(backend, KEY, {"c": B, "a": B, "b": A, "d": B})
        mapping.delete("c")
        mapping.set_many({"c": C})
        self.assert_stored(backend, KEY, {"a": B, "b": A, "d": B, "c": C})
        found = dict(chain.from_iterable(mapping.pages()))
        assert in_order(backend, found) == in_order(backend, {"a": B, "b": A, "d": B, "c": C})

    def test_incrementing_keeps_the_place_of_a_field(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"n": b"1", "a": A})
        mapping.increment("n", 1)
        self.assert_stored(backend, KEY, {"n": b"2", "a": A})

    def test_delete_and_pop_take_one_field_and_leave_the_others(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"a": A, "b": B, "c": C})
        assert mapping.delete("a")
        assert not mapping.delete("a")
        assert mapping.pop("b") == B
        assert mapping.pop("b") is None
        self.assert_stored(backend, KEY, {"c": C})

    def test_pop_any_takes_each_field_once_the_last_one_first_where_the_store_has_an_order(
        self, backend: Backend
    ) -> None:
        mapping, fields = backend.mapping(KEY), {"c": A, "a": B, "b": C}
        mapping.set_many(fields)
        mapping.set_many({"c": D})
        popped = [mapping.pop_any() for _ in range(4)]
        assert popped.pop() is None, "an empty mapping has no field to pop"
        taken = dict(item for item in reversed(popped) if item)
        assert in_order(backend, taken) == in_order(backend, {**fields, "c": D})
        assert not exists(backend, KEY)

    def test_replace_puts_fields_in_place_of_all_in_their_order(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"a": A, "b": B, "x": C})
        mapping.replace({"c": D, "b": C, "a": A})
        self.assert_stored(backend, KEY, {"c": D, "b": C, "a": A})

    def test_replace_replaces_only_fields_that_are_as_expected(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"a": A, "b": B})
        for other in ({}, {"a": A}, {"a": A, "b": A}, {"a": A, "b": B, "c": C}, {"a": B, "b": A}, {"a": A, "c": B}):
            assert not mapping.replace({"x": A}, other), "what is there is not what was expected"
        self.assert_stored(backend, KEY, {"a": A, "b": B})
        assert mapping.replace({"b": C, "a": B}, {"b": B, "a": A}), "mappings are equal in any order"
        self.assert_stored(backend, KEY, {"b": C, "a": B})

    def test_compare_and_set_writes_only_a_field_that_is_as_expected(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"a": A, "b": B})
        for field, expected in (("a", B), ("a", None), ("x", A)):
            assert not mapping.compare_and_set(field, expected, C)
            assert not mapping.compare_and_set(field, expected, None)
        self.assert_stored(backend, KEY, {"a": A, "b": B})
        assert mapping.compare_and_set("a", A, C)
        assert mapping.compare_and_set("c", None, D)
        assert mapping.compare_and_set("b", B, None)
        assert mapping.compare_and_set("x", None, None)
        self.assert_stored(backend, KEY, {"a": C, "c": D})

    def test_increment_adds_to_the_decimal_integer_of_a_field(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        sums = [mapping.increment("n", by) for by in (5, -7, 0, 2, 10**18)]
        assert sums == [5, -2, -2, 0, 10**18]
        self.assert_stored(backend, KEY, {"n": b"1000000000000000000"})

    def test_increment_counts_an_absent_field_as_the_initial_value_and_no_other(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        assert mapping.increment("n", 2, initial=40) == 42
        assert mapping.increment("n", 2, initial=40) == 44
        assert mapping.increment("zero", 0) == 0
        self.assert_stored(backend, KEY, {"n": b"44", "zero": b"0"})

    @pytest.mark.parametrize(
        ("held", "by", "total"),
        [
            (HIGHEST - 1, 1, HIGHEST),
            (LOWEST + 1, -1, LOWEST),
            (HIGHEST, LOWEST, -1),
            (LOWEST, HIGHEST, -1),
            (2**53, 1, 2**53 + 1),
            (HIGHEST, 1, None),
            (LOWEST, -1, None),
            (HIGHEST, HIGHEST, None),
            (LOWEST, LOWEST, None),
            (0, HIGHEST + 1, None),
            (0, LOWEST - 1, None),
            (0, 2**200, None),
        ],
    )
    def test_increment_is_exact_to_64_bits_and_refuses_beyond(
        self, backend: Backend, held: int, by: int, total: int | None
    ) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({"n": b"%d" % held})
        assert mapping.increment("n", by) == total
        assert mapping.increment("absent", by, initial=held) == total
        kept = held if total is None else total
        self.assert_stored(backend, KEY, {"n": b"%d" % kept} | ({} if total is None else {"absent": b"%d" % kept}))

    def test_increment_leaves_what_is_no_integer(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        for datum in not_integers(backend.medium):
            mapping.set_many({"n": datum})
            assert mapping.increment("n", 1, initial=5) is None, f"{datum!r} is not the digits of a 64-bit integer"
            assert mapping.get("n") == datum, "where increment returns None, nothing was done"

    def test_many_fields_go_in_one_call(self, backend: Backend, many: int) -> None:
        mapping, fields = backend.mapping(KEY), {f"field {number}": b"%d" % number for number in range(many)}
        mapping.set_many(fields)
        assert in_order(backend, mapping.get_all()) == in_order(backend, fields)
        assert mapping.get_many([*fields, "x"]) == [*fields.values(), None]
        shorter = dict.fromkeys(list(fields)[1:], A)
        assert mapping.replace(shorter, fields)
        assert in_order(backend, mapping.get_all()) == in_order(backend, shorter)
        mapping.set_many(dict.fromkeys(shorter))
        assert not exists(backend, KEY)

    def test_paging_gives_every_field_exactly_once_and_never_all_at_once(self, backend: Backend) -> None:
        fields = {f"field {number}": b"%d" % number for number in range(2500)}
        backend.mapping(KEY).set_many(fields)
        pages = list(backend.mapping(KEY).pages())
        found = list(chain.from_iterable(pages))
        assert len(found) == len(fields), "each field exactly once"
        assert in_order(backend, dict(found)) == in_order(backend, fields)
        assert max(map(len, pages)) <= 2 * PAGE_SIZE, "a page holds about PAGE_SIZE fields"

    def test_paging_gives_fields_that_stay_exactly_once_while_others_come_and_go(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        fields = {f"field {number}": b"%d" % number for number in range(2500)}
        mapping.set_many(fields)
        gone = {field for field in fields if field.endswith("7")}
        pages = mapping.pages()
        found = next(pages)
        mapping.set_many({f"new {number}": A for number in range(5000)})
        found += next(pages, [])
        mapping.set_many(dict.fromkeys(gone))
        found += chain.from_iterable(pages)
        assert len(dict(found)) == len(found), "no field twice"
        stayed = {field: datum for field, datum in fields.items() if field not in gone}
        assert stayed.items() <= dict(found).items(), "every field that was there from start to end"

    def test_fields_emptied_while_paging_end_it(self, backend: Backend) -> None:
        mapping = backend.mapping(KEY)
        mapping.set_many({f"field {number}": A for number in range(2500)})
        pages = mapping.pages()
        found = next(pages)
        mapping.replace({})
        found += chain.from_iterable(pages)
        assert len(dict(found)) == len(found)

    def test_fields_given_and_got_are_the_callers(self, backend: Backend) -> None:
        mapping, fields = backend.mapping(KEY), {"a": A}
        mapping.replace(fields)
        fields["a"] = B
        mapping.get_all()["a"] = C
        for page in mapping.pages():
            page.clear()
        assert mapping.get_all() == {"a": A}, "later changes to arguments and results do not reach the store"
        fields = {"b": B}
        assert mapping.replace(fields, {"a": A})
        fields.clear()
        assert mapping.get_all() == {"b": B}

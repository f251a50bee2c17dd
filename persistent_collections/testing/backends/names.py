"""Any name is valid, no two collide, and keys are listed by their exact start."""

from __future__ import annotations

from itertools import chain

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Exists
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import SHAPES
from persistent_collections.testing.backends.base import KEY, StoreTests, exists, in_order, put
from persistent_collections.testing.backends.calls import STARTS
from persistent_collections.testing.backends.data import CHILDREN, FIELDS, IDS, A, B

# Each could be the spelling of another.
LOOKALIKES = [
    *(Key("Thing:x"), Key("Thing:x", "y"), Key("Thing:x/y"), Key("Thing:x\\y"), Key("Thing:x.y"), Key("Thing:x%3Ay")),
    *(Key("Thing:x", "x"), Key("Thing:x.json"), Key("Thing:x", "json"), Key("Thing:x", ".json"), Key("Thing:x/y.json")),
    *(Key("Thing:x", "y/z"), Key("Thing:x/y", "z"), Key("Thing:x%3Ay", "z"), Key("Thing:x", "y.z"), Key("Thing:x/")),
    *(Key("thing:x"), Key("Thing/x:y"), Key("Thing:Thing%3Ax"), Key("Thing:%7BThing%3Ax%7D"), Key("Thing:deadline")),
    *(Key("Thing:x", "deadline"), Key("Thing:x", "ttl"), Key("Thing:x%3Adeadline"), Key("Thing:Thing"), Key("x:Thing")),
]
FAMILIES = {
    "ids": [Key(f"Thing:{name}") for name in IDS],
    "types": [Key(f"{type_name}:x") for type_name in CHILDREN],
    "children": [KEY, *(Key(KEY.root, child) for child in CHILDREN)],
    "ids with children": [Key(f"Thing:{name}", child) for name in IDS for child in (None, "child")],
    "lookalikes": LOOKALIKES,
}


class NameTests(StoreTests):
    """Names of any kind, and ``keys``."""

    @pytest.mark.parametrize("family", FAMILIES)
    def test_any_name_goes_and_no_two_collide(self, backend: Backend, family: str) -> None:
        keys = FAMILIES[family]
        for number, key in enumerate(keys):
            put(backend, key, {"f": b"%d" % number})
        assert sorted(backend.keys(""), key=str) == sorted(keys, key=str), "every key is listed exactly once, as made"
        for number, key in enumerate(keys):
            assert backend.mapping(key).get_all() == {"f": b"%d" % number}, f"{str(key)[:40]!r} holds its own"
        for key in keys[::2]:
            assert backend.commit([Exists(key)], [Delete(key)]), f"{str(key)[:40]!r} exists and is deleted"
        for number, key in enumerate(keys):
            assert exists(backend, key) is bool(number % 2), f"{str(key)[:40]!r} lives and dies by itself"

    def test_any_name_goes_for_every_shape(self, backend: Backend) -> None:
        for shape, content in (("sequence", [A, B]), ("members", {"a", "b"})):
            for name in IDS:
                put(backend, Key(f"{shape}:{name}"), content)
        for name in IDS:
            assert backend.sequence(Key(f"sequence:{name}")).get_slice(slice(None)) == [A, B]
            assert backend.members(Key(f"members:{name}")).get_all() == {"a", "b"}

    def test_any_text_is_a_field_and_no_two_are_taken_for_one(self, backend: Backend) -> None:
        mapping, fields = backend.mapping(KEY), {field: b"%d" % number for number, field in enumerate(FIELDS)}
        mapping.set_many(fields)
        self.assert_stored(backend, KEY, fields)
        assert in_order(backend, mapping.get_all()) == in_order(backend, fields)
        assert dict(chain.from_iterable(mapping.pages())) == fields
        assert mapping.get_many(list(fields)) == list(fields.values())
        for left, (field, datum) in enumerate(fields.items(), start=1):
            found = [mapping.get(field), mapping.contains(field), mapping.add(field, A)]
            assert found == [datum, True, datum], f"{field[:20]!r} holds its own"
            assert mapping.compare_and_set(field, datum, B)
            assert [mapping.increment(field, 1), mapping.pop(field)] == [3, b"3"]
            assert mapping.size() == len(fields) - left, f"only {field[:20]!r} was popped"

    def test_keys_lists_the_keys_that_start_with_the_very_prefix(self, backend: Backend) -> None:
        names = [
            "a",
            "ab",
            "a_",
            "aXb",
            "a*",
            "a?",
            "[a]",
            "[a",
            "a]",
            "\\a",
            "\\*",
            "*",
            "A",
            "a.b",
            "^a",
            "é",
            "e\u0301",
        ]
        keys = [Key(f"{type_name}:{name}") for type_name in ("T", "TT", "t", "T_", "T*") for name in names]
        keys += [Key("T:a", "child"), Key("T:b", "child")]
        for key in keys:
            put(backend, key, {"f": A})
        prefixes = ["", "T", "T:", "t:", "T_:", "T*:", "T?:", "[T]:", "%", "X", "T:zz"]
        for prefix in [*prefixes, *(f"T:{name}" for name in names)]:
            expected = [key for key in keys if key.root.startswith(prefix)]
            assert sorted(backend.keys(prefix), key=str) == sorted(expected, key=str), f"keys({prefix!r})"

    def test_keys_of_a_shape_are_all_among_those_listed(self, backend: Backend) -> None:
        keys = {shape: Key(f"Thing:{name}") for name, shape in SHAPES.items()}
        for shape, key in keys.items():
            put(backend, key, STARTS[shape.name])
        for shape, key in keys.items():
            assert key in set(backend.keys("Thing:", shape)) <= set(keys.values())

    def test_keys_are_listed_exactly_once_while_others_come_and_go(self, backend: Backend) -> None:
        stay = {Key(f"Thing:stay {number}") for number in range(150)}
        go = [Key(f"Thing:go {number}") for number in range(50)]
        for key in (*stay, *go):
            backend.mapping(key).set_many({"f": A})
        listing = backend.keys("Thing:")
        found = [next(listing)]
        for number, key in enumerate(go):
            backend.commit([], [Delete(key)])
            backend.mapping(Key(f"Thing:new {number}")).set_many({"f": A})
        found += listing
        assert len(set(found)) == len(found), "no key twice"
        assert stay <= set(found), "every key that was there from start to end"

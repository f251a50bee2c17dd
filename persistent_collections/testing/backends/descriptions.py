"""What many keys hold, without their contents."""

from __future__ import annotations

import time

from persistent_collections.backends.base import PAGE_SIZE, Backend, Delete, Description, Key, SetDeadline, SetFields
from persistent_collections.testing.backends.base import KEY, OTHER, StoreTests
from persistent_collections.testing.backends.calls import STARTS, put
from persistent_collections.testing.backends.data import IDS, A
from persistent_collections.testing.backends.deadlines import LONG_S, about
from persistent_collections.testing.backends.shapes import shape_names


class DescriptionTests(StoreTests):
    """``describe``."""

    def test_each_key_is_described_in_its_turn_whatever_its_root(self, backend: Backend) -> None:
        keys = {shape: Key(f"Thing:{shape}", child) for shape in STARTS for child in (None, "child")}
        for shape, key in keys.items():
            put(backend, key, STARTS[shape])
        described = backend.describe([KEY, *keys.values(), OTHER, *reversed(keys.values())])
        assert described[0] is None, "nothing is described as None"
        found = dict(zip(keys, described[1:], strict=False))
        for shape, description in found.items():
            assert isinstance(description, Description)
            assert description.shape in shape_names(backend, shape)
            assert description[1:] == (len(STARTS[shape]), None)
        assert described[len(keys) + 1 :] == [None, *reversed(list(found.values()))]
        assert backend.describe([]) == []

    def test_a_description_tells_the_seconds_left_and_nothing_of_what_has_expired(self, backend: Backend) -> None:
        child = Key(KEY.root, "child")
        for key in (KEY, child, OTHER):
            backend.mapping(key).set_many({"f": A})
        backend.apply([SetDeadline(KEY, LONG_S), SetDeadline(child, 0.01)])
        time.sleep(0.05)
        assert backend.describe([KEY, child, OTHER]) == [
            ("mapping", 1, about(LONG_S)),
            None,
            ("mapping", 1, None),
        ]

    def test_a_description_follows_every_change(self, backend: Backend) -> None:
        for content in STARTS.values():
            put(backend, KEY, content)
            [description] = backend.describe([KEY])
            assert description is not None
            assert description.size == len(content)
            backend.apply([Delete(KEY)])
            assert backend.describe([KEY]) == [None]
        backend.apply([SetFields(KEY, {"f": A, "g": A})])
        backend.mapping(KEY).delete("f")
        assert backend.describe([KEY]) == [("mapping", 1, None)]
        backend.mapping(KEY).delete("g")
        assert backend.describe([KEY]) == [None]

    def test_any_name_is_described_and_more_than_a_page_of_them(self, backend: Backend) -> None:
        odd = [Key(f"Thing:{name}") for name in IDS]
        for key in odd:
            backend.members(key).add({"a", "b"})
        absent = [Key(f"Absent:{number}") for number in range(PAGE_SIZE)]
        described = backend.describe([*absent, *odd, *absent])
        assert described[: len(absent)] == described[-len(absent) :] == [None] * len(absent)
        assert [found and found.size for found in described[len(absent) : -len(absent)]] == [2] * len(odd)

"""Tests of ``look`` and ``examine``: properties of many keys, without their contents."""

from __future__ import annotations

import time

from persistent_collections.backends.base import PAGE_SIZE, Backend, Found
from persistent_collections.backends.changes import Delete, SetDeadline, SetFields
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING
from persistent_collections.testing.backends.base import KEY, OTHER, StoreTests, put
from persistent_collections.testing.backends.calls import STARTS
from persistent_collections.testing.backends.data import IDS, A
from persistent_collections.testing.backends.deadlines import LONG_S, about
from persistent_collections.testing.backends.shapes import shape_names


class LookTests(StoreTests):
    """``look``."""

    def test_each_key_is_looked_at_in_its_turn_whatever_its_root(self, backend: Backend) -> None:
        keys = {shape: Key(f"Thing:{shape}", child) for shape in STARTS for child in (None, "child")}
        for shape, key in keys.items():
            put(backend, key, STARTS[shape])
        first, *others = backend.look([KEY, *keys.values(), OTHER, *reversed(keys.values())])
        assert first is None, "a key that holds nothing is None"
        for shape, found in zip(keys, others, strict=False):
            assert isinstance(found, Found)
            assert getattr(found.shape, "name", None) in shape_names(backend, shape)
            assert found.ttl_s is None
        assert others[len(keys) :] == [None, *reversed(others[: len(keys)])]

    def test_sizes_are_counted_for_all_keys_of_one_look(self, backend: Backend) -> None:
        keys = [Key(f"Thing:{shape}") for shape in STARTS]
        for key, content in zip(keys, STARTS.values(), strict=True):
            put(backend, key, content)
        found = backend.look([*keys, OTHER], sizes=True)
        assert [each and each.size for each in found] == [*map(len, STARTS.values()), None]
        assert backend.look([]) == backend.look([], sizes=True) == []

    def test_a_look_tells_the_seconds_left_and_nothing_of_what_has_expired(self, backend: Backend) -> None:
        child = Key(KEY.root, "child")
        for key in (KEY, child, OTHER):
            put(backend, key, {"f": A})
        backend.commit([], [SetDeadline(KEY, LONG_S), SetDeadline(child, 0.01)])
        time.sleep(0.05)
        found = backend.look([KEY, child, OTHER], sizes=True)
        assert found == [(MAPPING, about(LONG_S), 1), None, (MAPPING, None, 1)]

    def test_a_look_follows_every_change(self, backend: Backend) -> None:
        for content in STARTS.values():
            put(backend, KEY, content)
            [found] = backend.look([KEY], sizes=True)
            assert found is not None
            assert found.size == len(content)
            backend.commit([], [Delete(KEY)])
            assert backend.look([KEY], sizes=True) == [None]
        backend.commit([], [SetFields(KEY, {"f": A, "g": A})])
        backend.mapping(KEY).delete("f")
        assert backend.look([KEY], sizes=True) == [(MAPPING, None, 1)]
        backend.mapping(KEY).delete("g")
        assert backend.look([KEY], sizes=True) == [None]

    def test_any_name_is_looked_at_and_more_than_a_page_of_them(self, backend: Backend) -> None:
        odd = [Key(f"Thing:{name}") for name in IDS]
        for key in odd:
            backend.members(key).add({"a", "b"})
        absent = [Key(f"Absent:{number}") for number in range(PAGE_SIZE)]
        found = backend.look([*absent, *odd, *absent], sizes=True)
        assert found[: len(absent)] == found[-len(absent) :] == [None] * len(absent)
        assert [each and each.size for each in found[len(absent) : -len(absent)]] == [2] * len(odd)

"""One shape per key; an emptied key no longer exists, and an absent one reads as empty."""

from __future__ import annotations

import time

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Replace, SetDeadline, SetFields
from persistent_collections.backends.keys import Content, Key
from persistent_collections.errors import WrongShapeError
from persistent_collections.testing.backends.base import (
    KEY,
    StoreTests,
    assert_same,
    exists,
    put,
    read_content,
    shape_at,
    ttl,
)
from persistent_collections.testing.backends.calls import EMPTYINGS, NAME, ON_ABSENT, SINGLES, STARTS, Call
from persistent_collections.testing.backends.data import A, B

SHAPED = [call for call in ON_ABSENT if call.shape != "commit"]
SHAPED_CHANGES = [SetFields(KEY, {"f": A}), SetFields(KEY, {"f": None}), Replace(KEY, {"f": A})]
SHAPED_CHANGES += [Replace(KEY, [A]), Replace(KEY, {"f"})]


def shape_names(backend: Backend, shape: str) -> set[str]:
    """Return the shapes that a store may report for a key of this shape: a JSON array is both a sequence and a set."""
    return {"sequence", "members"} if backend.medium == "json" and shape != "mapping" else {shape}


def wrong_shapes(backend: Backend, shape: str) -> list[Content]:
    """Return a content of each shape that differs in this medium."""
    return [content for other, content in STARTS.items() if other not in shape_names(backend, shape)]


class ShapeTests(StoreTests):
    """Absence, emptiness and keys with another shape."""

    @pytest.mark.parametrize("call", ON_ABSENT, ids=NAME)
    def test_what_does_not_exist_reads_as_empty(self, backend: Backend, call: Call) -> None:
        assert call.run(backend, KEY) == call.result
        self.assert_stored(backend, KEY, call.leaves)
        assert exists(backend, KEY) is (call.leaves is not None), "a collection exists if it holds anything"
        assert ttl(backend, KEY) is None

    @pytest.mark.parametrize("call", EMPTYINGS, ids=NAME)
    def test_an_emptied_collection_does_not_exist(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, SINGLES[call.shape])
        assert call.run(backend, KEY) == call.result
        self.assert_stored(backend, KEY, None)
        assert not exists(backend, KEY)
        assert shape_at(backend, KEY) is None
        assert list(backend.keys("")) == []

    @pytest.mark.parametrize("way", ["emptied", "deleted", "expired"])
    def test_what_is_gone_reads_as_if_it_had_never_been(self, backend: Backend, way: str) -> None:
        calls = {Key(f"Thing:{number}"): call for number, call in enumerate(ON_ABSENT)}
        for key in calls:
            put(backend, key, {"f": A, "x": B})
            if way == "emptied":
                backend.mapping(key).set_many({"f": None, "x": None})
            else:
                backend.commit([], [Delete(key) if way == "deleted" else SetDeadline(key, 0.01)])
        time.sleep(0.05)
        assert list(backend.keys("")) == []
        assert backend.look([*calls]) == [None] * len(calls)
        for key, call in calls.items():
            assert call.run(backend, key) == call.result, f"{call.name} on a key that was {way}"
            assert_same(backend, read_content(backend, key), call.leaves, f"{call.name} on a key that was {way}")
            assert ttl(backend, key) is None, f"{call.name} on a key that was {way} starts without a deadline"

    def test_a_gone_key_may_take_any_shape(self, backend: Backend) -> None:
        for before in STARTS.values():
            for after in STARTS.values():
                put(backend, KEY, before)
                backend.commit([], [Delete(KEY)])
                put(backend, KEY, after)
                self.assert_stored(backend, KEY, after)
                backend.commit([], [Delete(KEY)])

    @pytest.mark.parametrize("call", SHAPED, ids=NAME)
    def test_a_method_of_another_shape_raises_and_changes_nothing(self, backend: Backend, call: Call) -> None:
        for content in wrong_shapes(backend, call.shape):
            put(backend, KEY, content)
            with pytest.raises(WrongShapeError):
                call.run(backend, KEY)
            self.assert_stored(backend, KEY, content)
            backend.commit([], [Delete(KEY)])

    @pytest.mark.parametrize("change", SHAPED_CHANGES, ids=str)
    def test_a_change_of_another_shape_raises_and_changes_nothing(
        self, backend: Backend, change: SetFields | Replace
    ) -> None:
        given = change.content if isinstance(change, Replace) else {}
        shape = next(shape for shape, content in STARTS.items() if type(content) is type(given))
        for content in wrong_shapes(backend, shape):
            put(backend, KEY, content)
            with pytest.raises(WrongShapeError):
                backend.commit([], [change])
            self.assert_stored(backend, KEY, content)
            backend.commit([], [Delete(KEY)])

    def test_combine_with_what_is_no_set_raises(self, backend: Backend) -> None:
        backend.members(KEY).add({"f"})
        backend.mapping(Key("Thing:other")).set_many({"f": A})
        with pytest.raises(WrongShapeError):
            backend.members(KEY).combine("union", [Key("Thing:other")])

    def test_a_wrong_shape_is_named_and_what_is_stored_is_not(self, backend: Backend) -> None:
        backend.mapping(KEY).set_many({"sesame-field": b'"sesame-value"'})
        with pytest.raises(WrongShapeError) as caught:
            backend.sequence(KEY).push_right([b'"sesame-item"'])
        assert str(KEY) in str(caught.value), "an error names the object"
        assert "sesame" not in str(caught.value), "an error shows no stored value"

    def test_look_delete_and_deadlines_take_any_shape(self, backend: Backend) -> None:
        for shape, content in STARTS.items():
            put(backend, KEY, content)
            found = shape_at(backend, KEY)
            assert found is not None
            assert found.name in shape_names(backend, shape)
            assert backend.commit([], [SetDeadline(KEY, 1000)])
            assert ttl(backend, KEY) is not None
            assert backend.commit([], [Delete(KEY)])
            assert shape_at(backend, KEY) is None

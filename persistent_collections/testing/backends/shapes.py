"""One shape a key; what is emptied is gone, and what is gone reads as empty."""

from __future__ import annotations

import time

import pytest

from persistent_collections.backends.base import Backend, Content, Delete, Key, Replace, SetDeadline, SetFields
from persistent_collections.errors import WrongShapeError
from persistent_collections.testing.backends.base import KEY, StoreTests, assert_same, read_content
from persistent_collections.testing.backends.calls import EMPTYINGS, NAME, ON_ABSENT, SINGLES, STARTS, Call, put
from persistent_collections.testing.backends.data import A, B

SHAPED = [call for call in ON_ABSENT if call.shape != "apply"]
SHAPED_CHANGES = [SetFields(KEY, {"f": A}), SetFields(KEY, {"f": None}), Replace(KEY, {"f": A})]
SHAPED_CHANGES += [Replace(KEY, [A]), Replace(KEY, {"f"})]


def shape_names(backend: Backend, shape: str) -> set[str]:
    """Return the shapes a key of this shape may say it has: a JSON array is both a sequence and a set."""
    return {"sequence", "members"} if backend.medium == "json" and shape != "mapping" else {shape}


def wrong_shapes(backend: Backend, shape: str) -> list[Content]:
    """Return a content of each shape that is another one in this medium."""
    return [content for other, content in STARTS.items() if other not in shape_names(backend, shape)]


class ShapeTests(StoreTests):
    """Absence, emptiness and keys that hold something else."""

    @pytest.mark.parametrize("call", ON_ABSENT, ids=NAME)
    def test_what_does_not_exist_reads_as_empty(self, backend: Backend, call: Call) -> None:
        assert call.run(backend, KEY, ()) == call.result
        self.assert_stored(backend, KEY, call.leaves)
        assert backend.exists([KEY]) is (call.leaves is not None), "a collection exists if it holds anything"
        assert backend.ttl([KEY]) is None

    @pytest.mark.parametrize("call", EMPTYINGS, ids=NAME)
    def test_an_emptied_collection_does_not_exist(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, SINGLES[call.shape])
        assert call.run(backend, KEY, ()) == call.result
        self.assert_stored(backend, KEY, None)
        assert not backend.exists([KEY])
        assert backend.shape(KEY) is None
        assert list(backend.keys("")) == []

    @pytest.mark.parametrize("way", ["emptied", "deleted", "expired"])
    def test_what_is_gone_reads_as_if_it_had_never_been(self, backend: Backend, way: str) -> None:
        calls = {Key(f"Thing:{number}"): call for number, call in enumerate(ON_ABSENT)}
        for key in calls:
            put(backend, key, {"f": A, "x": B})
            if way == "emptied":
                backend.mapping(key).set_many({"f": None, "x": None})
            else:
                backend.apply([Delete(key) if way == "deleted" else SetDeadline(key, 0.01)])
        time.sleep(0.05)
        assert list(backend.keys("")) == []
        assert not backend.exists(list(calls)[:1])
        for key, call in calls.items():
            assert backend.shape(key) is None
            assert call.run(backend, key, ()) == call.result, f"{call.name} on a key that was {way}"
            assert_same(backend, read_content(backend, key), call.leaves, f"{call.name} on a key that was {way}")
            assert backend.ttl([key]) is None, f"{call.name} on a key that was {way} starts without a deadline"

    def test_a_gone_key_may_take_any_shape(self, backend: Backend) -> None:
        for before in STARTS.values():
            for after in STARTS.values():
                put(backend, KEY, before)
                backend.apply([Delete(KEY)])
                put(backend, KEY, after)
                self.assert_stored(backend, KEY, after)
                backend.apply([Delete(KEY)])

    @pytest.mark.parametrize("call", SHAPED, ids=NAME)
    def test_a_method_of_another_shape_raises_and_changes_nothing(self, backend: Backend, call: Call) -> None:
        for content in wrong_shapes(backend, call.shape):
            put(backend, KEY, content)
            with pytest.raises(WrongShapeError):
                call.run(backend, KEY, ())
            self.assert_stored(backend, KEY, content)
            backend.apply([Delete(KEY)])

    @pytest.mark.parametrize("change", SHAPED_CHANGES, ids=str)
    def test_a_change_of_another_shape_raises_and_changes_nothing(
        self, backend: Backend, change: SetFields | Replace
    ) -> None:
        given = change.content if isinstance(change, Replace) else {}
        shape = next(shape for shape, content in STARTS.items() if type(content) is type(given))
        for content in wrong_shapes(backend, shape):
            put(backend, KEY, content)
            with pytest.raises(WrongShapeError):
                backend.apply([change])
            self.assert_stored(backend, KEY, content)
            backend.apply([Delete(KEY)])

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

    def test_shape_exists_delete_and_deadlines_take_any_shape(self, backend: Backend) -> None:
        for shape, content in STARTS.items():
            put(backend, KEY, content)
            assert backend.shape(KEY) in shape_names(backend, shape)
            assert backend.exists([KEY])
            assert backend.apply([SetDeadline(KEY, 1000)]) == [True]
            assert backend.ttl([KEY]) is not None
            assert backend.apply([Delete(KEY)]) == [True]
            assert backend.shape(KEY) is None

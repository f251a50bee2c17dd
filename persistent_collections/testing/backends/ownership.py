"""A child lives under its owner, and a record's own mapping is written only while it exists."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from persistent_collections.backends.base import Backend, Examined, Wanted
from persistent_collections.backends.changes import Delete, SetDeadline
from persistent_collections.backends.effects import effect_of, operations_of
from persistent_collections.backends.handles import MappingStore
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Key
from persistent_collections.backends.shapes import SHAPES
from persistent_collections.errors import ObjectNotFound, SchemaChangedError, WrongShapeError
from persistent_collections.testing.backends.base import KEY, OTHER, StoreTests, exists, put, read_content, ttl
from persistent_collections.testing.backends.calls import NAME, ON_ABSENT, SINGLES, STARTS, WRITES, Call
from persistent_collections.testing.backends.data import A, B

CHILD = Key(KEY.root, "child")
LONG_S = 10_000.0
ABSENCES = ("never made", "deleted", "expired")


def _writes(call: Call) -> bool:
    """Return whether ``call`` is one of a handle's writing methods."""
    method = call.name.partition(".")[2].partition("(")[0]
    return call.shape in SHAPES and operations_of(SHAPES[call.shape].interface)[method] != "reads"


GUARDED = [call for call in (*ON_ABSENT, *WRITES) if _writes(call)]
OF_RECORDS = [call for call in GUARDED if call.shape == "mapping"]
READS = [call for call in ON_ABSENT if call.shape in SHAPES and not _writes(call)]


def _lose(backend: Backend, key: Key, way: str) -> None:
    """Make ``key`` absent in one of the ``ABSENCES``, but not its former content."""
    if way != "never made":
        put(backend, key, {"f": A})
        backend.commit([], [Delete(key) if way == "deleted" else SetDeadline(key, 0.002)])
    if way == "expired":
        time.sleep(0.006)


class OwnershipTests(StoreTests):
    """Promise 6, ``is_record`` and ``examine``."""

    def test_every_method_says_whether_it_reads_or_writes(self) -> None:
        interfaces: list[Any] = [*(shape.interface for shape in SHAPES.values()), Backend]
        for interface in interfaces:
            abstract = {name for name in interface.__abstractmethods__ if name not in ("close", "open", "url")}
            assert abstract <= operations_of(interface).keys()
        assert effect_of(MappingStore.compare_and_set) == "writes if unchanged"

    @pytest.mark.parametrize("way", ABSENCES)
    @pytest.mark.parametrize("call", GUARDED, ids=NAME)
    def test_a_child_is_not_written_without_its_owner(self, backend: Backend, call: Call, way: str) -> None:
        put(backend, CHILD, STARTS[call.shape])
        _lose(backend, KEY, way)
        with pytest.raises(ObjectNotFound, match=f"'{KEY}'"):
            call.run(backend, CHILD)
        self.assert_stored(backend, CHILD, STARTS[call.shape])
        assert not exists(backend, KEY)
        assert ttl(backend, CHILD) is None

    @pytest.mark.parametrize("call", GUARDED, ids=NAME)
    def test_a_child_is_not_made_without_its_owner(self, backend: Backend, call: Call) -> None:
        put(backend, OTHER, {"f": A})
        with pytest.raises(ObjectNotFound):
            call.run(backend, CHILD)
        assert list(backend.keys("")) == [OTHER]

    @pytest.mark.parametrize("call", READS, ids=NAME)
    def test_a_child_reads_as_empty_without_its_owner(self, backend: Backend, call: Call) -> None:
        assert call.run(backend, CHILD) == call.result

    @pytest.mark.parametrize("call", [call for call in ON_ABSENT if call.shape in SHAPES], ids=NAME)
    def test_a_child_of_an_owner_is_as_any_other_key(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, {"f": A})
        assert call.run(backend, CHILD) == call.result
        self.assert_stored(backend, CHILD, call.leaves)
        self.assert_stored(backend, KEY, {"f": A})

    @pytest.mark.parametrize("call", GUARDED, ids=NAME)
    def test_a_child_is_not_made_while_its_owner_holds_a_field_of_its_name(self, backend: Backend, call: Call) -> None:
        put(backend, KEY, {"child": A, "f": B})
        with pytest.raises(SchemaChangedError, match=f"'child' .* '{KEY}' stores it as a field"):
            call.run(backend, CHILD)
        assert list(backend.keys("")) == [KEY]
        self.assert_stored(backend, KEY, {"child": A, "f": B})
        put(backend, CHILD, STARTS[call.shape])
        call.run(backend, CHILD)
        self.assert_stored(backend, KEY, {"child": A, "f": B})

    @pytest.mark.parametrize("shape", STARTS)
    def test_an_emptied_child_is_gone_and_its_owner_is_not(self, backend: Backend, shape: str) -> None:
        put(backend, KEY, {"f": A})
        put(backend, CHILD, SINGLES[shape])
        backend.open(SHAPES[shape], CHILD).replace(type(STARTS[shape])())
        assert set(backend.keys("")) == {KEY}

    @pytest.mark.parametrize("way", ABSENCES)
    @pytest.mark.parametrize("call", OF_RECORDS, ids=NAME)
    def test_a_record_is_not_written_where_it_is_absent(self, backend: Backend, call: Call, way: str) -> None:
        put(backend, CHILD, [A])
        _lose(backend, KEY, way)
        with pytest.raises(ObjectNotFound, match=f"'{KEY}'"):
            call.run_as_record(backend, KEY)
        assert list(backend.keys("")) == [CHILD]

    @pytest.mark.parametrize("call", [call for call in WRITES if call.shape == "mapping"], ids=NAME)
    def test_a_record_that_exists_is_written_as_any_mapping(self, backend: Backend, call: Call) -> None:
        for key in (KEY, OTHER):
            put(backend, key, STARTS["mapping"])
            backend.commit([], [SetDeadline(key, LONG_S)])
        results = call.run_as_record(backend, KEY), call.run(backend, OTHER)
        assert call.name == "mapping.pop_any" or results[0] == results[1]
        mine, others = read_content(backend, KEY), read_content(backend, OTHER)
        assert len(mine or ()) == len(others or ())
        assert call.name == "mapping.pop_any" or mine == others
        assert ttl(backend, KEY) == pytest.approx(LONG_S - 30, abs=31)

    def test_a_record_that_is_emptied_keeps_the_marker_and_its_deadline(self, backend: Backend) -> None:
        record = backend.mapping(KEY, is_record=True)
        emptyings: list[Callable[[], object]] = [
            lambda: record.set_many({"f": None, "x": None}),
            lambda: record.pop("f"),
            lambda: record.delete("f"),
            lambda: record.compare_and_set("f", A, None),
            lambda: record.replace({}),
            lambda: record.replace({}, {"f": A}),
        ]
        for empty in emptyings:
            put(backend, KEY, {"f": A})
            backend.commit([], [SetDeadline(KEY, LONG_S)])
            empty()
            assert record.get_all() == {MARKER: MARKER_DATA}
            assert ttl(backend, KEY) == pytest.approx(LONG_S - 30, abs=31)
            record.set_many({"f": B})
            assert record.get("f") == B

    def test_a_mapping_that_is_no_record_leaves_no_marker(self, backend: Backend) -> None:
        for key in (KEY, CHILD):
            put(backend, key, {"f": A})
        backend.mapping(CHILD).pop("f")
        backend.mapping(KEY).pop("f")
        assert list(backend.keys("")) == []

    def test_parts_of_records_are_examined_at_once(self, backend: Backend) -> None:
        put(backend, KEY, {"f": A, "g": B})
        put(backend, CHILD, [A])
        put(backend, Key(OTHER.root, "child"), [A])
        absent = Key(KEY.root, "absent")
        wanted = [
            Wanted(KEY, ["g", "x"], [CHILD, absent]),
            Wanted(OTHER, ["f"], [Key(OTHER.root, "child")]),
            Wanted(KEY, [], [absent]),
            Wanted(KEY, ["f"]),
        ]
        assert backend.examine(wanted) == [
            Examined([B, None], [True, False]),
            None,
            Examined([], [False]),
            Examined([A], []),
        ]
        assert backend.examine([]) == []

    def test_a_key_of_another_shape_is_no_record(self, backend: Backend) -> None:
        put(backend, KEY, [A])
        with pytest.raises(WrongShapeError, match=f"'{KEY}'"):
            backend.examine([Wanted(KEY, ["f"])])
        with pytest.raises(WrongShapeError):
            backend.mapping(KEY, is_record=True).set_many({"f": A})
        self.assert_stored(backend, KEY, [A])

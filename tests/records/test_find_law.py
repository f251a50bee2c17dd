"""The law of ``find``: exactly the records of ``all()`` for which the condition is true, in the stated order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from persistent_collections import (
    Backend,
    NoIndexError,
    NotUnique,
    ObjectExists,
    ObjectNotFound,
    Record,
    at_least,
    between,
    connect,
    indexed,
    less_than,
    one_of,
    starts_with,
    transaction,
    unique,
)
from persistent_collections.checking import check
from persistent_collections.moving import copy
from tests.testing.indexed import IndexedMemory


class Curio(Record, indexes=[("kind", "size")]):
    name: Annotated[str | None, unique]
    kind: str = "a"
    size: Annotated[int | None, indexed] = 1


IDS = st.sampled_from(["x", "y", "z", "x:1", "\u00e9"])
NAMES = st.none() | st.sampled_from(["", "n", "nn", "m\0"])
KINDS = st.sampled_from(["a", "b", "ab"])
SIZES = st.none() | st.integers(-2, 2)


class AbortError(Exception):
    """Ends a transaction without a commit."""


class Law(RuleBasedStateMachine):
    backend: Backend

    def __init__(self) -> None:
        super().__init__()
        for thing in list(Curio.all(backend=self.backend)):
            thing.delete()

    def _write(self, write: Callable[[], object], name: str | None, id: str) -> None:
        taken = {row["id"] for row in Curio.all(backend=self.backend).fetch("id", "name") if row["name"] == name} - {id}
        try:
            write()
        except NotUnique:
            assert name is not None
            assert taken, "a value that no other record has is never refused"
        except ObjectNotFound:
            assert not Curio.ref(id, backend=self.backend)
        else:
            assert name is None or not taken, "a value that another record has is always refused"

    @rule(id=IDS, name=NAMES, kind=KINDS, size=SIZES)
    def upsert(self, id: str, name: str | None, kind: str, size: int | None) -> None:
        self._write(lambda: Curio(id, name=name, kind=kind, size=size, backend=self.backend), name, id)

    @rule(id=IDS, name=NAMES, kind=KINDS)
    def create(self, id: str, name: str | None, kind: str) -> None:
        with suppress(ObjectExists):
            self._write(lambda: Curio.create(id, name=name, kind=kind, backend=self.backend), name, id)

    @rule(id=IDS, name=NAMES)
    def make_by_a_bare_handle(self, id: str, name: str | None) -> None:
        self._write(lambda: setattr(Curio(id, backend=self.backend), "name", name), name, id)

    @rule(id=IDS, name=NAMES)
    def rename(self, id: str, name: str | None) -> None:
        self._write(lambda: setattr(Curio.ref(id, backend=self.backend), "name", name), name, id)

    @rule(id=IDS, kind=KINDS)
    def set_a_part_of_an_index(self, id: str, kind: str) -> None:
        self._write(lambda: setattr(Curio.ref(id, backend=self.backend), "kind", kind), None, id)

    @rule(id=IDS, name=NAMES, size=SIZES)
    def update_several_fields(self, id: str, name: str | None, size: int | None) -> None:
        self._write(lambda: Curio.ref(id, backend=self.backend).update(name=name, size=size), name, id)

    @rule(id=IDS, size=SIZES)
    def update_on_a_condition(self, id: str, size: int | None) -> None:
        self._write(lambda: Curio.ref(id, backend=self.backend).update_if({"kind": "a"}, size=size), None, id)

    @rule(id=IDS)
    def change_by_a_function(self, id: str) -> None:
        thing = Curio.ref(id, backend=self.backend)
        self._write(lambda: thing.change("size", lambda size: None if size is None else -size), None, id)

    @rule(one=IDS, other=IDS, aborts=st.booleans())
    def swap_names_in_a_transaction(self, one: str, other: str, aborts: bool) -> None:
        a, b = Curio.ref(one, backend=self.backend), Curio.ref(other, backend=self.backend)
        if not (self.backend.several_roots and a and b):
            return
        names = (a.name, b.name)
        with suppress(AbortError), transaction():
            a.name, b.name = b.name, a.name
            if a.name is not None:
                assert Curio.find(name=a.name, backend=self.backend).one() == a
            if aborts:
                raise AbortError
        assert (a.name, b.name) == (names if aborts else names[::-1])

    @rule(id=IDS, other=IDS, name=NAMES)
    def replace_a_record_in_a_transaction(self, id: str, other: str, name: str | None) -> None:
        if not self.backend.several_roots or id == other:
            return
        gone = Curio.ref(other, backend=self.backend)
        taken = {row["id"] for row in Curio.all(backend=self.backend).fetch("id", "name") if row["name"] == name}
        with suppress(NotUnique, ObjectExists):
            with transaction():
                gone.delete()
                Curio.create(id, name=name, backend=self.backend)
            assert name is None or taken <= {other}
            assert not gone

    @rule(source=st.dictionaries(IDS, SIZES, max_size=2))
    def copy_from_another_store(self, source: dict[str, int | None]) -> None:
        other = connect("memory:")
        for ident, size in source.items():
            Curio.create(ident, size=size, backend=other)
        copy(other, self.backend, on_conflict="replace")

    @rule()
    def build_the_indexes_anew(self) -> None:
        assert Curio.reindex(backend=self.backend) == Curio.count(backend=self.backend)

    @rule(id=IDS, field=st.sampled_from(["name", "kind", "size"]))
    def unset(self, id: str, field: str) -> None:
        self._write(lambda: Curio.ref(id, backend=self.backend).__delitem__(field), None, id)

    @rule(id=IDS)
    def delete(self, id: str) -> None:
        Curio.ref(id, backend=self.backend).delete()

    @rule(id=IDS)
    def let_expire(self, id: str) -> None:
        self._write(lambda: Curio.ref(id, backend=self.backend).expire(0), None, id)

    @invariant()
    def finds_exactly_what_a_look_at_all_finds(self) -> None:
        rows = list(Curio.all(backend=self.backend).fetch("id", "name", "kind", "size"))
        for condition, holds in CONDITIONS:
            expected = sorted(row["id"] for row in rows if holds(row))
            query = Curio.find(backend=self.backend, **condition)
            assert sorted(thing.id for thing in query) == expected, condition
            assert query.count() == len(expected), condition
            for ordered in (query, *(query.order_by(f"{sign}{name}") for name in condition for sign in ("", "-"))):
                with suppress(NoIndexError):
                    assert in_pages(ordered) == [thing.id for thing in ordered], condition
        by_size = sorted(rows, key=lambda row: (row["size"] is not None, row["size"] or 0, Curio.ref(row["id"]).key))
        found = Curio.find(backend=self.backend).order_by("size")
        assert [thing.id for thing in found] == [row["id"] for row in by_size]
        found = Curio.find(backend=self.backend).order_by("-size")
        assert [thing.id for thing in found] == [row["id"] for row in reversed(by_size)]

    def teardown(self) -> None:
        assert list(check(self.backend, prefix="Curio:")) == []


def in_pages(query: Any) -> list[str]:
    """Return the ids of the records of a query, read in pages of two."""
    found: list[str] = []
    token = None
    while True:
        page = query.limit(2).after(token)
        found += [thing.id for thing in page]
        token = page.token
        if token is None:
            return found


def _at_least_zero(row: dict[str, Any]) -> bool:
    return row["size"] is not None and row["size"] >= 0


CONDITIONS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"name": "n"}, lambda row: row["name"] == "n"),
    ({"name": None}, lambda row: row["name"] is None),
    ({"name": starts_with("n")}, lambda row: (row["name"] or "").startswith("n")),
    ({"size": 1}, lambda row: row["size"] == 1),
    ({"size": None}, lambda row: row["size"] is None),
    ({"size": at_least(0)}, _at_least_zero),
    ({"size": less_than(0)}, lambda row: row["size"] is not None and row["size"] < 0),
    ({"size": one_of(-1, 2, None)}, lambda row: row["size"] in (-1, 2, None)),
    ({"kind": "a"}, lambda row: row["kind"] == "a"),
    ({"kind": one_of("a", "b")}, lambda row: row["kind"] in ("a", "b")),
    ({"kind": "a", "size": between(-1, 2)}, lambda row: row["kind"] == "a" and row["size"] in (-1, 0, 1)),
    ({"kind": at_least("ab")}, lambda row: row["kind"] >= "ab"),
    ({"size": 1, "name": "n"}, lambda row: row["size"] == 1 and row["name"] == "n"),
]


@pytest.fixture(params=["entries", "reads all", "chosen"])
def store(request: pytest.FixtureRequest, store_kind: str, backend: Backend) -> Backend:
    if request.param != "chosen" and store_kind != "json":
        pytest.skip("once is enough")
    return {"entries": IndexedMemory(), "reads all": connect("memory:"), "chosen": backend}[request.param]


def hold_the_law(store: Backend, examples: int) -> None:
    machine = type("LawHere", (Law,), {"backend": store})
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
    how = settings(max_examples=examples, stateful_step_count=12, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(machine, settings=how)


def test_the_law_of_find(store: Backend) -> None:
    hold_the_law(store, 3)


@pytest.mark.slow
def test_the_law_of_find_at_length(store: Backend) -> None:
    hold_the_law(store, 20)


@pytest.mark.proof
def test_the_law_of_find_at_great_length(store: Backend) -> None:
    hold_the_law(store, 300)

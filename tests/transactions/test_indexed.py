"""Indexed and unique fields in transactions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import pytest

from persistent_collections import (
    Backend,
    ConflictError,
    NotUnique,
    ObjectExists,
    Record,
    TransactionError,
    current_backend,
    indexed,
    on_commit,
    on_delete,
    transaction,
    transactional,
    unique,
)
from persistent_collections.backends import building
from persistent_collections.backends.indexes import Indexing
from persistent_collections.collections import ids
from persistent_collections.testing.transactions import elsewhere
from persistent_collections.transactions.current import current

pytestmark = pytest.mark.parametrize("store_kind", ["json", "sqlite", "fakeredis", "server"])


class Fellow(Record):
    email: Annotated[str, unique]
    team: Annotated[str, indexed] = "x"
    visits: int = 0


@pytest.fixture
def a(store: Backend) -> Fellow:
    return Fellow.create("a", email="a@")


@pytest.fixture
def b(store: Backend) -> Fellow:
    return Fellow.create("b", email="b@")


def found(email: str) -> list[str]:
    return [member.id for member in Fellow.find(email=email)]


def test_what_a_transaction_writes_is_found_after_it(a: Fellow) -> None:
    with transaction():
        a.team = "y"
        a.team = "z"
        a.visits += 1
        Fellow.create("c", email="c@")
    assert [member.id for member in Fellow.find(team="z")] == ["a"]
    assert Fellow.find(team="y").count() == 0
    assert found("c@") == ["c"]


class Wanderer(Record):
    city: Annotated[str, indexed]


@pytest.mark.usefixtures("store")
def test_a_record_whose_id_is_drawn_is_made_without_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Wanderer.create(city="x")
    with transaction():
        made = Wanderer.create(city="y")
        assert current_moments() == 0
        assert made.city == "y"
        with pytest.raises(ObjectExists):
            Wanderer.create(taken.id, city="z")
    assert [visitor.id for visitor in Wanderer.find(city="y")] == [made.id]
    monkeypatch.setattr(ids, "_random", lambda: taken.id)
    with pytest.raises(ConflictError), transaction():
        Wanderer.create(city="z")
    assert taken.city == "x"


class Harpooner(Record):
    email: Annotated[str, unique]


class Whaler(Record):
    port: Annotated[str, indexed]
    captain: Annotated[Harpooner | None, on_delete("restrict")]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("vessels", ["none", "found", "not in an index"])
def test_the_first_records_of_several_classes_are_made_together(vessels: str) -> None:
    if vessels != "none":
        Whaler.create("old", port="x")
    if vessels == "not in an index":
        indexed = Whaler.__pc__.bound_fields(current_backend()).indexed
        assert indexed is not None
        if current_backend().indexing == "indexes":
            current_backend().index(indexed.indexing).drop([index.name for index in indexed.indexing.indexes])
    with transaction():
        Whaler.create("new", port="x")
        Harpooner.create("a", email="a@")
        Harpooner.create("b", email="b@")
    assert Harpooner.find(email="b@").one().id == "b"
    Whaler.reindex()
    assert sorted(each.id for each in Whaler.find(port="x")) == (["new"] if vessels == "none" else ["new", "old"])


@pytest.mark.usefixtures("store")
def test_an_index_that_another_process_marked_meanwhile_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def mark(store: Backend, indexing: Indexing, names: Collection[str]) -> bool:
        assert mark_new(store, indexing, names)
        Harpooner.create("other", email="other@")
        return mark_new(store, indexing, names)

    mark_new = building.mark_new
    with monkeypatch.context() as patch:
        patch.setattr(building, "mark_new", mark)
        Harpooner.create("a", email="a@")
    assert {each.id for each in Harpooner.all()} >= {"a"}
    assert Harpooner.find(email="a@").one().id == "a"


@pytest.mark.usefixtures("store")
def test_a_record_that_others_may_refer_to_is_not_deleted_in_a_transaction() -> None:
    sailor = Harpooner.create("a", email="a@")
    for delete in (sailor.delete, lambda: sailor.delete_if({"email": "a@"})):
        with (
            pytest.raises(TransactionError, match=r"deleted in a transaction, since Whaler\.captain may refer"),
            transaction(),
        ):
            delete()
    with transaction():
        on_commit(sailor.delete)
    assert not sailor


def current_moments() -> int:
    """Return how often the transaction has asked the store."""
    transaction = current()
    assert transaction is not None
    assert transaction._store is not None
    return transaction._store.moments


def test_an_aborted_transaction_leaves_no_entry(a: Fellow) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        Fellow.create("c", email="c@")
        a.email = "other@"
        raise ZeroDivisionError
    assert (found("c@"), found("other@"), found("a@")) == ([], [], ["a"])


def test_a_taken_value_is_refused_at_its_line(a: Fellow, b: Fellow) -> None:
    with transaction():
        with pytest.raises(NotUnique):
            Fellow.create("c", email="a@")
        Fellow.create("d", email="d@")
        with pytest.raises(NotUnique):
            Fellow.create("e", email="d@")
        with pytest.raises(NotUnique):
            a.email = "b@"
    assert sorted(Fellow.ids()) == ["a", "b", "d"]
    assert (a.email, b.email) == ("a@", "b@")


def test_values_are_swapped_and_passed_on(a: Fellow, b: Fellow) -> None:
    with transaction():
        a.email, b.email = b.email, a.email
    assert (a.email, b.email, found("a@"), found("b@")) == ("b@", "a@", ["b"], ["a"])
    with transaction():
        a.delete()
        Fellow.create("c", email="b@")
    assert found("b@") == ["c"]


def test_a_value_that_stays_taken_is_refused_at_the_end(a: Fellow, b: Fellow) -> None:
    attempts = []

    @transactional
    def take() -> None:
        attempts.append(b.email)
        a.email = attempts[-1]

    with pytest.raises(NotUnique):
        take()
    assert len(attempts) == 2, "the second time was no lost race"
    assert (a.email, b.email) == ("a@", "b@")


def test_a_value_that_is_taken_before_the_commit_is_a_conflict(store: Backend) -> None:
    with pytest.raises(NotUnique), transaction():
        Fellow.create("c", email="c@")
        elsewhere(lambda: Fellow.create("d", email="c@"))
    attempts = []

    @transactional
    def sign_up() -> str:
        attempts.append(1)
        try:
            Fellow.create("e", email="e@")
        except NotUnique:
            return "taken"
        elsewhere(lambda: Fellow.create("f", email="e@"))
        return "made"

    assert sign_up() == "taken"
    assert len(attempts) == 2
    assert sorted(Fellow.ids()) == ["d", "f"]


def test_a_value_that_is_taken_after_it_was_not_found_is_a_conflict(store: Backend) -> None:
    attempts = []

    @transactional
    def sign_up() -> bool:
        attempts.append(1)
        if Fellow.find(email="e@").first():
            return False
        if len(attempts) == 1:
            elsewhere(lambda: Fellow.create("f", email="e@"))
        Fellow.create(email="e@")  # its id is drawn, so nothing else is read
        return True

    assert not sign_up()
    assert len(attempts) == 2
    assert list(Fellow.ids()) == ["f"]


def test_a_unique_value_is_found_as_the_transaction_sees_it(a: Fellow, b: Fellow) -> None:
    with transaction():
        assert Fellow.find(email="a@").one() == a
        assert Fellow.find(email="none@").first() is None
        assert list(Fellow.find(email="b@").fetch("id", "visits")) == [{"id": "b", "visits": 0}]
        a.email = "other@"
        b.delete()
        Fellow.create("c", email="none@")
        assert [found(email) for email in ("a@", "other@", "b@", "none@")] == [[], ["a"], [], ["c"]]
        assert (Fellow.find(email="other@").count(), Fellow.find(email="a@").count()) == (1, 0)
        assert Fellow.find(email="other@", visits=1).first() is None
    assert [found(email) for email in ("a@", "other@", "b@", "none@")] == [[], ["a"], [], ["c"]]


@pytest.mark.parametrize("email", ["a@", "none@"])
def test_a_unique_value_that_was_found_or_not_is_a_condition(email: str, a: Fellow, b: Fellow) -> None:
    def change() -> None:
        a.email = "changed@"
        b.email = email

    with pytest.raises(ConflictError), transaction():
        Fellow.find(email=email).first()
        b.visits = 1
        elsewhere(change)
    assert (found(email), b.visits) == (["b"], 0)


def test_two_classes_may_claim_one_value_in_one_transaction(a: Fellow) -> None:
    class Guest(Record):
        email: Annotated[str, unique]

    with transaction():
        Guest.create("g", email="same@")
        Fellow.create("m", email="same@")
    assert (found("same@"), [guest.id for guest in Guest.find(email="same@")]) == (["m"], ["g"])


def test_searches_are_refused(a: Fellow) -> None:
    with transaction():
        for search in (lambda: list(Fellow.find(team="x")), lambda: Fellow.find(team="x").count()):
            with pytest.raises(TransactionError, match="before the transaction begins"):
                search()
        assert Fellow.load("a").team == "x"

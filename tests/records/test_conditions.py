"""Writes that are made only if a record or an entry is as expected."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    ConflictError,
    EncodeError,
    ObjectNotFound,
    Password,
    PersistentDict,
    PersistentList,
    Record,
    UnknownFieldError,
    child,
    field,
)
from persistent_collections.backends import Key


class Piece(Record):
    name: str
    left: int = 3
    price: float = 1.0
    facts: dict[str, int] = {}  # noqa: RUF012 - a default is made anew for each object
    owner: str | None = None
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    log: PersistentList[str] = child()


def test_update_if_writes_while_the_fields_are_as_expected(store: Backend) -> None:
    piece = Piece.create("p", name="Lamp")
    assert piece.update_if({"left": 3, "owner": None}, left=2, owner="Luke", log=["sold"])
    assert (piece.left, piece.owner, list(piece.log)) == (2, "Luke", ["sold"])
    for expected in ({"left": 3}, {"owner": None}, {"left": 2, "owner": "Han"}, {"name": "Lamp", "price": 2.0}):
        before = store.snapshot(sorted(store.keys(""), key=str))
        assert not piece.update_if(expected, left=0, log=["never"], expire=1)
        assert store.snapshot(sorted(store.keys(""), key=str)) == before
    assert piece.update_if({}, left=1), "it exists"
    assert piece.left == 1


def test_a_condition_on_a_record_that_is_gone_does_nothing(store: Backend) -> None:
    piece = Piece.create("p", name="Lamp")
    piece.delete()
    assert not piece.update_if({}, left=1)
    assert not piece.update_if({"left": 3}, left=1)
    assert not piece.update_if({"owner": None}, left=1)
    assert not piece.delete_if({})
    assert not Piece("p").update_if({"owner": None}, left=1), "a bare handle too"
    assert list(store.keys("")) == []


def test_what_is_equal_is_as_expected_in_whatever_form_it_is_stored(store: Backend) -> None:
    wrap: Callable[[bytes], bytes] = lambda data: data  # noqa: E731 - the fields hold JSON on every store
    piece = Piece.create("p", name="Lamp", facts={"a": 1, "b": 2})
    own = store.mapping(Key("Piece:p"), is_record=True)
    assert piece.update_if({"facts": {"b": 2, "a": 1}}, left=2)
    own.set_many({"price": wrap(b"1.00")})
    assert piece.update_if({"price": 1.0}, left=1)
    own.set_many({"left": None})
    assert piece.update_if({"left": 3}, left=7), "an unset field reads as its default"
    assert not piece.update_if({"left": 3}, left=8)


def test_delete_if_deletes_while_the_fields_are_as_expected(store: Backend) -> None:
    piece = Piece.create("p", name="Lamp", owner="Luke", log=["x"])
    assert not piece.delete_if({"owner": "Han"})
    assert piece
    assert piece.delete_if({"owner": "Luke", "left": 3})
    assert list(store.keys("")) == []


def test_what_is_expected_is_checked_as_a_value(store: Backend) -> None:
    piece = Piece.create("p", name="Lamp")
    with pytest.raises(UnknownFieldError, match="did you mean 'left'"):
        piece.update_if({"lft": 3}, left=1)
    with pytest.raises(EncodeError, match="field 'left' of 'Piece:p'"):
        piece.update_if({"left": "3"}, left=1)
    with pytest.raises(TypeError, match="'log' of 'Piece:p' is a child collection"):
        piece.update_if({"log": []}, left=1)
    assert piece.left == 3


class Vault(Record):
    password: Password


def test_a_password_is_compared_as_the_hash_that_was_read(store: Backend) -> None:
    account = Vault.create("a", password="TheForce")
    was = account.password
    assert account.update_if({"password": was}, password="LetTheWookieWin")
    assert not account.update_if({"password": was}, password="TheForce")
    assert account.password.verify("LetTheWookieWin")
    with pytest.raises(TypeError, match="verify"):
        account.update_if({"password": "LetTheWookieWin"}, password="x")


def test_change_stores_what_the_function_returns(store: Backend) -> None:
    piece = Piece.create("p", name="Lamp", facts={"a": 1})
    assert piece.change("facts", lambda facts: {**facts, "b": 2}) == {"a": 1, "b": 2}
    assert piece.change("left", lambda left: left - 1) == 2
    assert piece.change("owner", lambda owner: owner or "Luke") == "Luke"
    assert piece.change("owner", lambda _: None) is None
    assert piece.to_dict() | {"made": None} == {
        "name": "Lamp",
        "left": 2,
        "price": 1.0,
        "facts": {"a": 1, "b": 2},
        "owner": None,
        "made": None,
    }
    with pytest.raises(EncodeError, match="field 'left' of 'Piece:p'"):
        piece.change("left", str)
    with pytest.raises(TypeError, match="child collection"):
        piece.change("log", list)
    piece.delete()
    with pytest.raises(ObjectNotFound):
        piece.change("left", lambda left: left - 1)
    counts: PersistentDict[str, list[int]] = PersistentDict("d", {"a": [1]})
    assert counts.change("a", lambda items: [*items, 2]) == [1, 2]
    assert type(counts.change("a", lambda items: items)) is list
    with pytest.raises(KeyError):
        counts.change("b", lambda items: items)


def test_no_change_of_several_threads_is_lost(store: Backend) -> None:
    piece = Piece.create("p", name="Lamp", left=0)
    counts: PersistentDict[str, list[int]] = PersistentDict("d", {"a": []})

    def work(number: int) -> None:
        for _ in range(10):
            piece.change("left", lambda left: left + 1)
            counts.change("a", lambda items: [*items, number])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert piece.left == 40
    assert sorted(counts["a"]) == sorted([*range(4)] * 10)


def test_change_gives_up_in_the_end(store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("persistent_collections.collections.retrying.RETRY_DEADLINE_S", 0.05)
    piece = Piece.create("p", name="Lamp")

    def disturbed(left: int) -> int:
        Piece.ref("p").increment("left")
        return left

    with pytest.raises(ConflictError, match="'left' of Piece:p kept changing"):
        piece.change("left", disturbed)


def test_compare_and_set_of_a_dict(store: Backend) -> None:
    locks: PersistentDict[str, Any] = PersistentDict("locks", {"report": "free", "facts": {"a": 1, "b": 2}})
    assert locks.compare_and_set("report", "free", "Luke")
    assert not locks.compare_and_set("report", "free", "Han")
    assert not locks.compare_and_set("nothing", "free", "Han")
    assert locks.compare_and_set("facts", {"b": 2, "a": 1}, {"c": 3})
    assert locks == {"report": "Luke", "facts": {"c": 3}}
    assert "nothing" not in locks


def test_sixty_pieces_are_sold_sixty_times(store: Backend) -> None:
    piece = Piece.create("p", name="Lamp", left=60)

    def sell(_: int) -> int:
        sold = 0
        mine = Piece.load("p")
        while (left := mine.left) > 0:
            sold += mine.update_if({"left": left}, left=left - 1)
        return sold

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(sell, range(6))) == 60
    assert piece.left == 0

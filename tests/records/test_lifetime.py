"""From creation to deletion."""

from __future__ import annotations

import pytest

from persistent_collections import Backend, ObjectExists, ObjectNotFound, PersistentList
from tests.records.accounts import Account


def test_to_create_and_to_load_are_told_apart(luke: Account) -> None:
    with pytest.raises(ObjectExists):
        Account.create("luke@example.com", **{field: getattr(luke, field) for field in luke} | {"name": "Impostor"})
    with pytest.raises(ObjectNotFound):
        Account.load("tpyo")
    assert luke.name == "Luke Skywalker"
    items = PersistentList("items", [1])
    assert PersistentList("items", [2]) == items == [1]


def test_delete_takes_the_children(luke: Account, han: Account, store: Backend) -> None:
    luke["friends"].append(han)
    luke.delete()
    assert [str(key) for key in store.keys("Account:luke")] == []
    again = Account(email="luke@example.com", name="Luke")
    assert again["friends"] == []


def test_a_dangling_reference_is_seen_to_be_one(luke: Account, han: Account) -> None:
    luke["friends"].append(han)
    han.delete()
    assert not luke["friends"][0]
    with pytest.raises(ObjectNotFound):
        luke["friends"][0]["name"]


def test_objects_are_listed_counted_and_given_deadlines(luke: Account, han: Account) -> None:
    assert sorted(Account.ids()) == ["han@example.com", "luke@example.com"]
    assert Account.count() == 2
    luke.expire(60)
    ttl = luke.ttl()
    assert ttl is not None
    assert 0 < ttl.total_seconds() <= 60

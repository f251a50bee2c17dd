"""Which object a handle is: by its id, in its store, under its key."""

from __future__ import annotations

import pickle

import pytest

from persistent_collections import (
    Backend,
    EncodeError,
    PersistentDict,
    Record,
    UnknownFieldError,
    WrongShapeError,
    connect,
)
from tests.records.accounts import Account, Premium, Ship


def test_an_object_is_found_again_by_its_id(luke: Account) -> None:
    assert Account("luke@example.com")["name"] == "Luke Skywalker"
    assert Account(email="luke@example.com")["name"] == "Luke Skywalker"


def test_a_friend_read_back_is_that_friend(luke: Account, han: Account) -> None:
    luke["friends"].append(han)
    assert Account("luke@example.com")["friends"][0]["name"] == "Han Solo"
    assert luke["friends"][0] == han


def test_an_object_is_truthy_while_it_exists_and_a_list_while_it_holds_something(luke: Account, han: Account) -> None:
    assert bool(luke) is True
    assert bool(Account("nobody")) is False
    assert bool(luke["friends"]) is False
    luke["friends"].append(han)
    assert bool(luke["friends"]) is True


def test_objects_are_compared_with_anything_and_hashed(luke: Account, han: Account) -> None:
    assert (luke == None, luke == "x", luke == 3, luke == han) == (False, False, False, False)  # noqa: E711
    assert luke["friends"] == []
    assert luke["friends"] != None  # noqa: E711 - comparing is what this test is about
    assert {luke: 1}[Account("luke@example.com")] == 1


def test_the_same_id_in_two_stores_is_two_objects(luke: Account) -> None:
    assert luke != Account("luke@example.com", backend=connect("memory:"))


def test_a_handle_has_a_repr_and_is_pickled(luke: Account) -> None:
    assert repr(luke) == "Account('luke@example.com')"
    assert pickle.loads(pickle.dumps(luke)).name == "Luke Skywalker"


def test_the_id_is_read_whole_and_never_written(store: Backend) -> None:
    account = Account("a:b:c", name="x")
    assert account["id"] == account.id == "a:b:c"
    with pytest.raises(UnknownFieldError):
        account["id"] = "other"
    assert PersistentDict("d", {"id": 5})["id"] == 5


def test_a_reference_does_not_depend_on_str(luke: Account, han: Account, store: Backend) -> None:
    luke["friends"].append(han)
    luke.boss = han
    assert str(han) == "Account han@example.com"
    assert luke["friends"][0].name == luke["boss"]["name"] == "Han Solo"
    [data] = store.sequence(luke.friends.__pc__.key).get_slice(slice(None))
    assert data.strip(b'"') == b"Account:han@example.com"


def test_a_subclass_comes_back_as_itself_and_another_class_is_refused(luke: Account) -> None:
    premium = Premium("p", name="Premium")
    luke["friends"].append(premium)
    assert type(luke["friends"][0]) is Premium
    with pytest.raises(EncodeError):
        luke["friends"].append(Ship("falcon", name="Falcon"))
    assert not Ship("Account:luke@example.com")


def test_a_key_of_another_shape_is_a_type_error_of_ours(luke: Account, store: Backend) -> None:
    with pytest.raises(WrongShapeError):
        store.sequence(luke.__pc__.key).push_right([b"1"])
    assert luke.name == "Luke Skywalker"


@pytest.mark.parametrize("id", ["http://a", "12:30", "Account:luke@example.com", "Ship:falcon", "a%3Ab", ":friends"])
def test_no_id_reaches_the_key_of_another_object(luke: Account, id: str) -> None:
    Ship("falcon", name="Falcon")
    account = Account(id, name="intruder")
    assert account.key.startswith("Account:")
    assert account.key.count(":") == 1
    assert (luke.name, Ship("falcon").name) == ("Luke Skywalker", "Falcon")
    assert Account.load(id).name == "intruder"
    assert id in set(Account.ids())


def test_an_int_is_an_id_and_an_empty_text_is_none(store: Backend) -> None:
    Account(0, name="zero")
    assert (Account(0).name, Account(0).id) == ("zero", "0")
    with pytest.raises(ValueError, match="an id cannot be empty"):
        Account("")


def test_a_class_chooses_the_name_its_keys_start_with(store: Backend) -> None:
    class Moved(Record, name="vessel"):
        name: str

    Moved("x", name="y")
    assert Moved("x").key == "vessel:x"


def test_a_changed_field_does_not_move_the_object(luke: Account) -> None:
    luke["email"] = "luke@rebels.example"
    assert Account("luke@example.com").email == "luke@rebels.example"


def test_a_child_and_an_object_never_share_a_key(luke: Account, han: Account) -> None:
    luke["friends"].append(han)
    other = Account("luke@example.com:friends", name="other")
    assert luke["friends"][:] == [han]
    assert other.name == "other"
    assert other.key != luke["friends"].key

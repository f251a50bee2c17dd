"""Fields of many records at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from persistent_collections import (
    Backend,
    DecodeError,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    UnknownFieldError,
    WrongShapeError,
    child,
    connect,
    fetch,
)
from persistent_collections.backends.base import Key
from tests.servers import RunningServer


class Friend(Record):
    name: str
    email: str
    password: Password
    tags: list[str] = ["new"]  # noqa: RUF012 - a field's default, evaluated for each object
    best: Friend | None
    friends: PersistentList[Friend] = child()


class FlyingFriend(Friend):
    ship: str


@pytest.fixture
def luke(store: Backend) -> Friend:
    luke = Friend("luke", name="Luke", email="luke@example.com", tags=["jedi"])
    han = FlyingFriend("han", name="Han", ship="Falcon", best=luke)
    leia = Friend("leia", friends=[luke])
    luke.update(friends=[han, leia, Friend.ref("nobody"), han], best=han)
    return luke


def test_fields_of_every_reference_come_in_their_order_without_those_that_dangle(luke: Friend) -> None:
    assert luke.friends.fetch("name", "id") == [
        {"name": "Han", "id": "han"},
        {"name": "", "id": "leia"},
        {"name": "Han", "id": "han"},
    ]
    assert list(luke.friends.fetch("name")[0]) == ["name"]


def test_fetched_fields_are_what_reading_each_gives_but_plain(luke: Friend) -> None:
    names = ["name", "email", "tags", "best"]
    rows = luke["friends"].fetch(*names)
    assert rows == [{name: friend[name] for name in names} for friend in luke.friends if friend]
    assert {type(row["tags"]) for row in rows} == {list}
    rows[0]["tags"].append("changed in hand alone")
    assert luke.friends[0].tags == ["new"]
    assert rows[0]["best"] == luke
    assert rows[0]["best"].friends[0].name == "Han"


def test_records_of_every_kind_and_from_anywhere_are_read(luke: Friend) -> None:
    PersistentSet[Friend]("party", [luke, luke.friends[0]])
    assert list(fetch(luke.friends[1:], "id")) == [{"id": "leia"}, {"id": "han"}]
    assert list(fetch([], "name")) == []
    assert sorted(row["id"] for row in fetch(PersistentSet[Friend]("party"), "id")) == ["han", "luke"]
    assert sorted(row["id"] for row in PersistentSet[Friend]("party").fetch("id")) == ["han", "luke"]
    assert sorted(row["name"] for row in Friend.all().fetch("name")) == ["", "Luke"]
    assert [row["ship"] for row in FlyingFriend.all().fetch("ship")] == ["Falcon"]
    assert sorted(person.id for person in Friend.all()) == ["leia", "luke"]


def test_records_of_several_stores_are_read_from_their_own(luke: Friend) -> None:
    elsewhere = connect("memory:")
    ben = Friend("ben", name="Ben", backend=elsewhere)
    assert [row["name"] for row in fetch([ben, luke, ben, luke], "name")] == ["Ben", "Luke", "Ben", "Luke"]


def test_an_unset_password_and_a_hash_come_redacted(luke: Friend) -> None:
    luke.password = "TheForce"
    [row] = fetch([luke], "password")
    assert row["password"].verify("TheForce")
    assert "$2" not in repr(row)


@pytest.mark.parametrize(("name", "error"), [("nmae", UnknownFieldError), ("friends", TypeError)])
def test_what_is_no_field_that_holds_a_value_is_refused(luke: Friend, name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        luke.friends.fetch("name", name)
    with pytest.raises(error, match=name):
        list(Friend.all().fetch(name))


def test_what_is_no_record_is_refused(store: Backend) -> None:
    things: Any = PersistentList("things", [PersistentDict("x", {"a": 1})])
    with pytest.raises(TypeError, match=r"'PersistentDict:x' is no record"):
        things.fetch("a")


def test_one_record_is_no_collection_of_them(luke: Friend) -> None:
    one: Any = luke
    with pytest.raises(TypeError, match="fetch reads records, not a str; give it a list of them"):
        list(fetch(one, "name"))


def test_what_cannot_be_read_is_named(luke: Friend, store: Backend) -> None:
    store.mapping(Key("Friend:leia")).set_many({"tags": b"5"})
    with pytest.raises(DecodeError, match="field 'tags' of 'Friend:leia'"):
        luke.friends.fetch("tags")
    Friend.ref("leia").delete()
    store.sequence(Key("Friend:leia")).push_right([b"1"])
    with pytest.raises(WrongShapeError, match=r"'Friend:leia' .* a mapping"):
        luke.friends.fetch("name")


def test_a_page_of_a_thousand_friends_takes_three_round_trips(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    send: Callable[..., Any] = redis.Connection.send_packed_command

    def counted(*given: Any, **options: Any) -> None:
        sent.append(given)
        send(*given, **options)

    monkeypatch.setattr(redis.Connection, "send_packed_command", counted)
    with connect(server.url) as backend:
        friends = [Friend(f"friend {number}", name=f"{number}", backend=backend) for number in range(1000)]
        luke = Friend("luke", friends=friends, backend=backend)
        sent.clear()
        assert [row["name"] for row in luke.friends.fetch("name", "email")] == [f"{number}" for number in range(1000)]
        assert len(sent) == 2
        for friend in friends[::2]:
            friend.update(name="", email="x")
            del friend["name"]
        friends[1].delete()
        sent.clear()
        assert len(luke.friends.fetch("name")) == 999
        assert len(sent) == 3
        sent.clear()
        assert sum(1 for _ in Friend.all(backend=backend).fetch("email")) == 1000
        assert len(sent) <= 5


def test_fetch_of_no_field_is_refused(store: Backend) -> None:
    Friend("luke", name="Luke")
    with pytest.raises(TypeError, match="fetch takes the names of the fields"):
        list(Friend.all().fetch())

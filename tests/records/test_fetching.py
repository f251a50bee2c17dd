"""Fields of many records at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import redis

from persistent_collections import (
    Backend,
    BackendUnavailable,
    CorruptDataError,
    DecodeError,
    Password,
    PersistentCollectionsError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    UnknownFieldError,
    WrongShapeError,
    child,
    connect,
    fetch,
    use_backend,
)
from persistent_collections.backends.changes import Replace
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.memory import MemoryBackend
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


class WalkingFriend(Friend):
    shoes: str = "boots"
    luggage: PersistentList[str] = child()


def test_a_field_that_only_some_subclasses_declare_is_none_for_the_others(luke: Friend) -> None:
    luke.friends.append(WalkingFriend("chewie", best=luke))
    expected = [("han", "Falcon", None), ("leia", None, None), ("han", "Falcon", None), ("chewie", None, "boots")]
    rows = luke.friends.fetch("id", "ship", "shoes", "best.ship")
    assert [(row["id"], row["ship"], row["shoes"]) for row in rows] == expected
    assert {row["best.ship"] for row in rows} == {None}
    with pytest.raises(UnknownFieldError, match="shops"):
        luke.friends.fetch("shops")
    with pytest.raises(TypeError, match="luggage"):
        fetch([WalkingFriend.ref("chewie")], "luggage").__next__()


@pytest.mark.parametrize(("name", "error"), [("nmae", UnknownFieldError), ("friends", TypeError)])
def test_what_is_no_field_that_holds_a_value_is_refused(luke: Friend, name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=name):
        luke.friends.fetch("name", name)
    with pytest.raises(error, match=name):
        list(Friend.all().fetch(name))


@pytest.mark.parametrize(("name", "holds"), [("name", "str"), ("tags", "list")])
def test_what_a_field_refers_to_is_read_only_if_it_refers(luke: Friend, name: str, holds: str) -> None:
    told = f"'{name}' holds no reference but a {holds}, so it has no field 'size'"
    with pytest.raises(TypeError, match=told):
        luke.friends.fetch(f"{name}.size")
    with pytest.raises(TypeError, match=told):
        list(Friend.all().fetch("id", f"{name}.size"))


class Crew(Record):
    name: str


class Stray(Record):
    best: Friend | None
    any_one: Record | None
    anything: Any
    maybe: int | None
    either: Friend | Crew | None


LISTINGS: dict[str, Callable[..., Iterator[Any]]] = {
    "fetch": lambda *names: fetch([Stray.ref("a")], *names),
    "all": lambda *names: Stray.all().fetch(*names),
    "find": lambda *names: Stray.find().scan().fetch(*names),
    "list": lambda *names: iter(PersistentList[Stray]("strays").fetch(*names)),
    "set": lambda *names: iter(PersistentSet[Stray]("strays").fetch(*names)),
}


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tpyo", "no field 'tpyo' in Stray"),
        ("best.", "no field '' in Friend"),
        ("best.shop", r"no field 'shop' in Friend"),
        ("best.best.nmae", "no field 'nmae' in Friend; did you mean 'name'?"),
        ("best.friends", "'friends' of Friend is a child collection"),
        ("best.name.size", "'name' holds no reference but a str, so it has no field 'size'"),
        ("best.tags.size", "'tags' holds no reference but a list, so it has no field 'size'"),
        ("best.id.size", "'id' holds no reference but a str, so it has no field 'size'"),
        ("maybe.size", "'maybe' holds no reference but a int, so it has no field 'size'"),
    ],
)
def test_a_path_that_no_declared_class_has_is_refused_without_a_look_at_the_store(
    listing: str, name: str, told: str
) -> None:
    with (
        use_backend("redis://127.0.0.1:1/0?retry_for_s=0"),
        pytest.raises((UnknownFieldError, TypeError), match=re.escape(told)),
    ):
        next(LISTINGS[listing]("id", name))


def test_a_list_of_what_is_no_record_has_no_fields_to_fetch() -> None:
    things = PersistentList[PersistentDict[str, int]]("things", backend="redis://127.0.0.1:1/0?retry_for_s=0")
    with pytest.raises(TypeError, match="a PersistentDict is not a record, so it has no fields to fetch"):
        things.fetch("a")


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_path_that_some_record_may_have_is_none_where_none_is_referred_to(store: Backend, listing: str) -> None:
    stray = Stray.create("a")
    PersistentList[Stray]("strays", [stray])
    PersistentSet[Stray]("strays", {stray})
    names = ["best.ship", "best.best.ship", "any_one.whatever", "anything.whatever", "either.name", "best.id"]
    assert list(LISTINGS[listing](*names)) == [dict.fromkeys(names)]


def test_what_is_no_record_is_refused(store: Backend) -> None:
    things: Any = PersistentList("things", [PersistentDict("x", {"a": 1})])
    with pytest.raises(TypeError, match=r"'PersistentDict:x' is not a record"):
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
    with pytest.raises(WrongShapeError, match=r"'Friend:leia' .* a dict"):
        luke.friends.fetch("name")


@pytest.fixture
def damaged(store: Backend) -> list[Friend]:
    """Give friends 0 to 7, of which 1 holds a tag that is none, 4 and 5 lists, and 6 does not exist."""
    friends = [Friend.create(f"{number}", **FIELDS, name=f"{number}") for number in range(8)]
    store.mapping(Key("Friend:1")).set_many({"tags": b"5"})
    for friend in friends[4:7]:
        friend.delete()
    for name in ("Friend:4", "Friend:5"):
        store.commit([], [Replace(Key(name), [b"1"])])
    return friends


FIELDS: dict[str, Any] = {"email": "", "password": "x"}
READABLE = ["0", "2", "3", "7"]


def problems(errors: list[PersistentCollectionsError]) -> list[tuple[type[Exception], str]]:
    """Return the kind of each error, and the key that it names."""
    keys = [re.search(r"Friend:\d|PersistentList:l|PersistentSet:s", str(error)) for error in errors]
    return [(type(error), key[0] if key else "") for error, key in zip(errors, keys, strict=True)]


def advanced(rows: Iterator[Any]) -> tuple[list[Any], list[PersistentCollectionsError]]:
    """Return what an iterator yields if it goes on after each error, and the errors."""
    given: list[Any] = []
    errors: list[PersistentCollectionsError] = []
    while True:
        try:
            given.append(next(rows))
        except StopIteration:
            return given, errors
        except PersistentCollectionsError as error:
            errors.append(error)


BAD: list[tuple[type[Exception], str]] = [
    (DecodeError, "Friend:1"),
    (WrongShapeError, "Friend:4"),
    (WrongShapeError, "Friend:5"),
]


def test_records_that_cannot_be_read_are_skipped_and_reported(store: Backend, damaged: list[Friend]) -> None:
    errors: list[PersistentCollectionsError] = []
    found = list(fetch(damaged, "name", "tags", on_error=errors.append))
    assert [row["name"] for row in found] == READABLE
    assert problems(errors) == BAD
    errors.clear()
    assert [row["name"] for row in fetch(damaged, "name", on_error=errors.append)] == ["0", "1", "2", "3", "7"]
    assert problems(errors) == BAD[1:], "only what is asked for is decoded"


def test_an_iterator_goes_on_after_a_record_that_cannot_be_read(store: Backend, damaged: list[Friend]) -> None:
    found, errors = advanced(fetch(damaged, "name", "tags"))
    assert [row["name"] for row in found] == READABLE
    assert problems(errors) == BAD


def test_a_listing_survives_records_that_cannot_be_read(store: Backend, damaged: list[Friend]) -> None:
    errors: list[PersistentCollectionsError] = []
    found = Friend.all(on_error=errors.append).fetch("name", "tags")
    assert sorted(row["name"] for row in found) == READABLE
    assert set(problems(errors)) >= {BAD[0]}, "a store that lists by shape leaves out what is no record"
    went_on, raised = advanced(Friend.all().fetch("name", "tags"))
    assert sorted(row["name"] for row in went_on) == READABLE
    assert sorted(map(str, raised)) == sorted(map(str, errors))
    assert {friend.id for friend in Friend.all()} >= {*READABLE, "1"}, "a handle reads nothing"


def test_an_item_that_cannot_be_read_is_skipped_and_reported(store: Backend) -> None:
    for name in "abc":
        Friend.create(name, **FIELDS, name=name)
    friends, members = PersistentList[Friend]("l", [Friend.ref("a")]), PersistentSet[Friend]("s", [Friend.ref("a")])
    store.sequence(Key("PersistentList:l")).push_right([b'{"$ref":"Nowhere:x"}', b'{"$ref":"Friend:b"}'])
    store.members(Key("PersistentSet:s")).add({"Nowhere:x", "Friend:b"})
    for stored, key in ((friends, "PersistentList:l"), (members, "PersistentSet:s")):
        with pytest.raises(DecodeError, match=key):
            stored.fetch("name")
        errors: list[PersistentCollectionsError] = []
        assert sorted(row["name"] for row in stored.fetch("name", on_error=errors.append)) == ["a", "b"]
        assert problems(errors) == [(DecodeError, key)]
        found, raised = advanced(fetch(stored, "name"))
        assert sorted(row["name"] for row in found) == ["a", "b"]
        assert problems(raised) == [(DecodeError, key)]


def test_keys_of_a_dict_that_are_records_are_read(store: Backend) -> None:
    Friend.create("a", **FIELDS, name="a")
    ages = PersistentDict[Friend, int]("d", {Friend.ref("a"): 5})
    assert list(fetch(ages, "name")) == [{"name": "a"}]


def test_an_error_of_the_store_is_raised_and_not_reported(store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BackendUnavailable("out of reach")

    friends = [Friend.create(f"{number}", **FIELDS, name=f"{number}") for number in range(3)]
    monkeypatch.setattr(store, "get_many", refuse)
    errors: list[PersistentCollectionsError] = []
    with pytest.raises(BackendUnavailable):
        list(fetch(friends, "name", on_error=errors.append))
    assert errors == []


@pytest.mark.store("json")
@pytest.mark.parametrize("store_kind", ["json"])
def test_a_listing_survives_a_damaged_file(store: Backend) -> None:
    names = ["a", "b", "c" * 300, "d" * 300]
    for name in names:
        Friend.create(name, **FIELDS, name=name)
    for name, text in (("b", "{"), ("c" * 300, "")):
        file = store.file(Key(f"Friend:{name}"))
        assert file is not None
        file.write_text(text)
    errors: list[PersistentCollectionsError] = []
    assert sorted(row["name"] for row in Friend.all(on_error=errors.append).fetch("name")) == ["a", "d" * 300]
    assert {type(error) for error in errors} == {CorruptDataError}
    found, raised = advanced(Friend.all().fetch("name"))
    assert sorted(row["name"] for row in found) == ["a", "d" * 300]
    assert sorted(map(str, raised)) == sorted(map(str, errors))
    errors.clear()
    assert {friend.id for friend in Friend.all(on_error=errors.append)} >= {"a", "b", "d" * 300}


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
        assert [row["name"] for row in luke.friends.fetch("name")] == [f"{number}" for number in range(1000)]
        assert len(sent) == 2
        sent.clear()
        assert [row["name"] for row in luke.friends.fetch("name", "email")] == [f"{number}" for number in range(1000)]
        assert len(sent) == 3, "no e-mail is set: one trip more to see whether it is a child"
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


def test_a_simple_store_is_asked_once_for_all_records() -> None:
    asked: list[int] = []

    class Asked(MemoryBackend):
        def read(self, key: Key) -> Entry | None:
            asked.append(1)
            return super().read(key)

        def read_many(self, keys: Sequence[Key]) -> list[Entry | None]:
            asked.append(len(keys))
            return super().read_many(keys)

    store = Asked()
    friends = [
        Friend.create(f"f{number}", name=f"n{number}", email="", password="x", backend=store) for number in range(100)
    ]
    asked.clear()
    names = [row["name"] for row in fetch([*friends, friends[0]], "name")]
    assert names == [*(f"n{number}" for number in range(100)), "n0"]
    assert asked == [100]

"""What a pair of classes over Redis, as many programs start with, gets wrong, and what ours do in its place."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import pytest

from persistent_collections import (
    Backend,
    DecodeError,
    EncodeError,
    ObjectExists,
    ObjectNotFound,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    UnknownFieldError,
    WrongShapeError,
    child,
    codec,
    connect,
    get_codec,
    register_codec,
    stored_as,
)
from persistent_collections.codecs.bcrypt import BcryptCodec
from tests.servers import RunningServer


class Account(Record):
    name: str
    email: str
    password: Password
    age: int
    vip: bool
    seen: datetime
    notes: str | None
    tags: list[str]
    boss: Account | None
    friends: PersistentList[Account] = child()

    def __init__(self, id: str | int | None = None, email: str | None = None, **values: Any) -> None:
        super().__init__(email or id, **({"email": email} if email else {}), **values)

    def __str__(self) -> str:
        return f"Account {self.id}"


class Premium(Account):
    pass


class Ship(Record):
    name: str


@pytest.fixture(autouse=True)
def quick_passwords() -> Iterator[None]:
    usual = get_codec("bcrypt")
    register_codec(BcryptCodec(rounds=4), replace=True)
    yield
    register_codec(usual, replace=True)


@pytest.fixture
def luke(store: Backend) -> Account:
    return Account(email="luke@example.com", name="Luke Skywalker", password="TheForce")


@pytest.fixture
def han(store: Backend) -> Account:
    return Account(email="han@example.com", name="Han Solo", password="LetTheWookieWin")


def test_an_object_is_found_again_by_its_id(luke: Account) -> None:
    """The published example."""
    assert Account("luke@example.com")["name"] == "Luke Skywalker"
    assert Account(email="luke@example.com")["name"] == "Luke Skywalker"


def test_a_friend_read_back_is_that_friend(luke: Account, han: Account) -> None:
    """The published example."""
    luke["friends"].append(han)
    assert Account("luke@example.com")["friends"][0]["name"] == "Han Solo"
    assert luke["friends"][0] == han


def test_an_object_is_truthy_while_it_exists_and_a_list_while_it_holds_something(luke: Account, han: Account) -> None:
    """Truth."""
    assert bool(luke) is True
    assert bool(Account("nobody")) is False
    assert bool(luke["friends"]) is False
    luke["friends"].append(han)
    assert bool(luke["friends"]) is True


def test_objects_are_compared_with_anything_and_hashed(luke: Account, han: Account) -> None:
    """Equality."""
    assert (luke == None, luke == "x", luke == 3, luke == han) == (False, False, False, False)  # noqa: E711
    assert luke["friends"] == []
    assert luke["friends"] != None  # noqa: E711 - comparing is what this test is about
    assert {luke: 1}[Account("luke@example.com")] == 1


def test_the_same_id_in_two_stores_is_two_objects(luke: Account) -> None:
    """Identity."""
    assert luke != Account("luke@example.com", backend=connect("memory:"))


def test_lists_are_equal_by_what_they_hold(store: Backend) -> None:
    """Equality."""
    assert PersistentList("a", [1, 2]) == PersistentList("b", [1, 2]) == [1, 2]
    assert PersistentList("a") != [2, 1]


def test_a_handle_has_a_repr_and_is_pickled(luke: Account) -> None:
    """Repr and pickling."""
    assert repr(luke) == "Account('luke@example.com')"
    assert pickle.loads(pickle.dumps(luke)).name == "Luke Skywalker"


@pytest.mark.parametrize("marker", ["__DELETED__", "", "0", "null", "\0"])
def test_no_value_is_taken_for_a_mark_of_deletion(store: Backend, marker: str) -> None:
    """The deletion sentinel."""
    items = PersistentList("items", [marker, "a", "b", marker, "c"])
    del items[2]
    assert items[:] == [marker, "a", marker, "c"]
    del items[0]
    items[1:2] = ["x", marker]
    assert items[:] == ["a", "x", marker, "c"]


def test_a_deletion_is_one_step_no_reader_sees_half_of(store: Backend) -> None:
    """The deletion sentinel."""
    items = PersistentList[int]("items", range(200))
    seen: set[Any] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.update(items[:])

    def delete(_: int) -> int:
        removed = 0
        for _ in range(30):
            items.lpush(-1)
            del items[10]
            removed += 1
        return removed

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(3) as pool:
        removed = sum(pool.map(delete, range(3)))
    done.set()
    reader.join()
    assert removed == 90
    assert len(items) == 200
    assert seen <= {-1, *range(200)}


def test_slices_are_those_of_a_list(store: Backend) -> None:
    """Slices."""
    plain = list(range(10))
    items = PersistentList("items", plain)
    cuts = [None, 0, 1, 3, 9, 10, 20, -1, -3, -20]
    for start in cuts:
        for stop in cuts:
            for step in (None, 1, 2, -1, -3):
                assert items[start:stop:step] == plain[start:stop:step]
    with pytest.raises(ValueError, match="slice step cannot be zero"):
        items[::0]


def test_what_is_out_of_range_is_an_index_error(store: Backend) -> None:
    """Indexes."""
    items, empty = PersistentList("items", [1]), PersistentList("empty")
    with pytest.raises(IndexError):
        items[1]
    with pytest.raises(IndexError):
        items[1] = 2
    with pytest.raises(IndexError):
        del items[-2]
    for pop in (empty.pop, empty.lpop, empty.rpop):
        with pytest.raises(IndexError):
            pop()
    empty.append("")
    assert empty.lpop() == ""


def test_a_list_has_all_of_a_lists_methods(store: Backend) -> None:
    """Indexes and methods of lists."""
    items = PersistentList("items", [3, 1])
    items.insert(1, 2)
    items.extend([5, 4])
    assert (items.pop(0), items.index(5), items.count(2), 4 in items) == (3, 2, 1, True)
    assert items + items == [2, 1, 5, 4] * 2
    items.remove(5)
    items.sort()
    items.reverse()
    assert items == [4, 2, 1]
    missing = {name for name in dir(list) if not hasattr(PersistentList, name)}
    assert not missing


def test_an_object_that_a_codec_does_not_hold_is_refused(store: Backend, luke: Account) -> None:
    """Storing whatever str() gives."""
    friends: Any = luke["friends"]
    for wrong in ({"name": "x"}, "han@example.com", 3, None, Ship("x")):
        with pytest.raises(EncodeError):
            friends.append(wrong)
    with pytest.raises(EncodeError, match=r"register_type|is not held"):
        PersistentList("items").append(object())
    assert luke["friends"] == []


def test_a_dict_is_a_dict(store: Backend) -> None:
    """Dict semantics."""
    d = PersistentDict("d", {"a": 1, "b": 2})
    assert "a" in d
    assert sorted(d) == ["a", "b"]
    assert (d.get("c"), len(d), sorted(d.items()), dict(d)) == (None, 2, [("a", 1), ("b", 2)], {"a": 1, "b": 2})
    d.update(c=3)
    del d["a"]
    assert d == {"b": 2, "c": 3}
    missing = {name for name in dir(dict) if not hasattr(PersistentDict, name)}
    assert not missing


def test_a_record_iterates_over_its_fields(luke: Account) -> None:
    """Dict semantics."""
    assert "name" in luke
    assert list(luke)[:2] == luke.keys()[:2] == ["name", "email"]
    assert dict(luke.items())["name"] == "Luke Skywalker"


def test_an_unset_field_is_told_from_a_missing_object_and_has_a_zero_of_any_type(luke: Account) -> None:
    """Missing values."""
    assert luke.age == 0
    assert [luke.notes, luke.seen, luke.boss] == [None] * 3
    luke.notes = ""
    assert luke.notes == ""
    with pytest.raises(ObjectNotFound):
        Account("tpyo")["name"]


def test_the_id_is_read_whole_and_never_written(store: Backend) -> None:
    """A field called id."""
    account = Account("a:b:c", name="x")
    assert account["id"] == account.id == "a:b:c"
    with pytest.raises(UnknownFieldError):
        account["id"] = "other"
    assert PersistentDict("d", {"id": 5})["id"] == 5


def test_assigning_to_a_child_list_replaces_it(luke: Account, han: Account) -> None:
    """Children."""
    luke["friends"] = [han]
    luke["friends"] = [han, luke]
    assert luke["friends"][:] == [han, luke]


def test_a_counter_loses_nothing(store: Backend) -> None:
    """Read, change, write."""
    counts = PersistentDict[str, int]("counts")
    account = Account("x", name="x")

    def count(_: int) -> None:
        for _ in range(25):
            counts.increment("n")
            account.increment("age")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert (counts["n"], account.age) == (100, 100)


@pytest.mark.parametrize(
    "value",
    [
        False,
        True,
        None,
        "None",
        "False",
        0,
        1.5,
        [1, 2],
        (1, 2),
        {"a": [None]},
        {1: "x"},
        {1, 2},
        b"\x00\xff",
        float("inf"),
    ],
)
def test_a_value_comes_back_as_it_was_type_included(store: Backend, value: Any) -> None:
    """Encoding."""
    d, items = PersistentDict("d", {"x": value}), PersistentList("l", [value])
    for found in (d["x"], d.copy()["x"], items[0], items[:][0]):
        assert found == value
        assert isinstance(found, type(value))


def test_a_value_of_another_type_than_declared_is_refused(luke: Account) -> None:
    """Encoding."""
    wrong: dict[str, Any] = {"age": True, "vip": "False", "name": 3, "tags": "abc", "notes": b"x"}
    for field, value in wrong.items():
        with pytest.raises(EncodeError):
            luke[field] = value
    luke.vip = False
    assert luke.vip is False


def test_a_nested_change_is_stored(luke: Account) -> None:
    """Nested values."""
    luke["tags"].append("x")
    d = PersistentDict("d", {"tags": {"deep": [1]}})
    d["tags"]["deep"].append(2)
    assert luke.tags == ["x"]
    assert d == {"tags": {"deep": [1, 2]}}


def test_binary_data_goes_into_any_field(store: Backend) -> None:
    """Binary values."""

    class Packed(Record):
        name: str
        samples: Annotated[list[int], codec("msgpack")]
        photo: bytes

    packed = Packed("p", name="x", samples=[300], photo=b"\x80\xff")
    assert (packed.name, packed.samples, packed.photo) == ("x", [300], b"\x80\xff")


def test_a_reference_does_not_depend_on_str(luke: Account, han: Account, store: Backend) -> None:
    """References."""
    luke["friends"].append(han)
    luke.boss = han
    assert str(han) == "Account han@example.com"
    assert luke["friends"][0].name == luke["boss"]["name"] == "Han Solo"
    [data] = store.sequence(luke.friends._key).get_slice(slice(None))
    assert data.strip(b'"') == b"Account:han@example.com"


def test_a_subclass_comes_back_as_itself_and_another_class_is_refused(luke: Account) -> None:
    """References."""
    premium = Premium("p", name="Premium")
    luke["friends"].append(premium)
    assert type(luke["friends"][0]) is Premium
    with pytest.raises(EncodeError):
        luke["friends"].append(Ship("falcon", name="Falcon"))
    assert not Ship("Account:luke@example.com")


def test_a_key_of_another_shape_is_a_type_error_of_ours(luke: Account, store: Backend) -> None:
    """References."""
    with pytest.raises(WrongShapeError):
        store.sequence(luke._key).push_right([b"1"])
    assert luke.name == "Luke Skywalker"


def test_one_field_that_cannot_be_read_leaves_the_others_readable(luke: Account, store: Backend) -> None:
    """Undecodable fields."""
    luke.age = 3
    store.mapping(luke._key).set_many({"age": b"12.5"})
    assert luke.name == "Luke Skywalker"
    with pytest.raises(DecodeError, match=r"field 'age' of 'Account:luke@example\.com'"):
        luke["age"]
    luke.age = 12
    assert luke.age == 12


def test_a_field_is_renamed_without_a_rewrite(store: Backend) -> None:
    """Schema changes."""

    class Before(Record, name="Renamed2"):
        surname: str

    class After(Record, name="Renamed2"):
        family_name: Annotated[str, stored_as("surname")]
        level: int = 1

    Before("x", surname="Solo")
    after = After("x")
    assert (after.family_name, after.level) == ("Solo", 1)


@pytest.mark.parametrize("id", ["http://a", "12:30", "Account:luke@example.com", "Ship:falcon", "a%3Ab", ":friends"])
def test_no_id_reaches_the_key_of_another_object(luke: Account, id: str) -> None:
    """Ids."""
    Ship("falcon", name="Falcon")
    account = Account(id, name="intruder")
    assert account.key.startswith("Account:")
    assert account.key.count(":") == 1
    assert (luke.name, Ship("falcon").name) == ("Luke Skywalker", "Falcon")
    assert Account.load(id).name == "intruder"
    assert id in set(Account.ids())


def test_an_int_is_an_id_and_an_empty_text_is_none(store: Backend) -> None:
    """Ids."""
    Account(0, name="zero")
    assert (Account(0).name, Account(0).id) == ("zero", "0")
    with pytest.raises(ValueError, match="an id is not empty"):
        Account("")


def test_a_class_chooses_the_name_its_keys_start_with(store: Backend) -> None:
    """Class names as namespaces."""

    class Moved(Record, name="vessel"):
        name: str

    Moved("x", name="y")
    assert Moved("x").key == "vessel:x"


def test_a_changed_field_does_not_move_the_object(luke: Account) -> None:
    """Natural keys."""
    luke["email"] = "luke@rebels.example"
    assert Account("luke@example.com").email == "luke@rebels.example"


def test_a_child_and_an_object_never_share_a_key(luke: Account, han: Account) -> None:
    """Keys of children."""
    luke["friends"].append(han)
    other = Account("luke@example.com:friends", name="other")
    assert luke["friends"][:] == [han]
    assert other.name == "other"
    assert other.key != luke["friends"].key


def test_a_store_takes_a_prefix_of_the_application(server: RunningServer) -> None:
    """Namespaces."""
    with connect(f"{server.url}?prefix=one:") as one, connect(f"{server.url}?prefix=two:") as two:
        Ship("x", name="one", backend=one)
        Ship("x", name="two", backend=two)
        assert (Ship("x", backend=one).name, Ship.count(backend=one)) == ("one", 1)


def test_a_default_is_read_and_never_written(store: Backend) -> None:
    """Defaults."""

    class Setting(Record):
        name: str
        level: int = 5

    Setting("x", level=7)
    assert Setting("x", name="again").level == 7
    assert Setting("y", name="y").level == 5


def test_to_create_and_to_load_are_told_apart(luke: Account) -> None:
    """Create only, load only."""
    with pytest.raises(ObjectExists):
        Account.create("luke@example.com", name="Impostor")
    with pytest.raises(ObjectNotFound):
        Account.load("tpyo")
    assert luke.name == "Luke Skywalker"
    items = PersistentList("items", [1])
    assert PersistentList("items", [2]) == items == [1]


def test_a_wrong_keyword_leaves_nothing_written(store: Backend) -> None:
    """Partial construction."""
    with pytest.raises(UnknownFieldError):
        Account("new", name="New", nmae="New")
    with pytest.raises(EncodeError):
        Account("new", name="New", age="old")
    assert not Account("new")


def test_classes_and_objects_share_no_mutable_state(store: Backend) -> None:
    """Mutable defaults."""

    class Bag(Record):
        things: list[str] = []  # noqa: RUF012 - a default is made anew for each object
        size: int

    one, other = Bag("one", size=1), Bag("other", size=1)
    one.things.append("x")
    assert (one.things, other.things) == (["x"], [])


def test_delete_takes_the_children(luke: Account, han: Account, store: Backend) -> None:
    """Deletion."""
    luke["friends"].append(han)
    luke.delete()
    assert [str(key) for key in store.keys("Account:luke")] == []
    again = Account(email="luke@example.com", name="Luke")
    assert again["friends"] == []


def test_a_dangling_reference_is_seen_to_be_one(luke: Account, han: Account) -> None:
    """Deletion."""
    luke["friends"].append(han)
    han.delete()
    assert not luke["friends"][0]
    with pytest.raises(ObjectNotFound):
        luke["friends"][0]["name"]


def test_objects_are_listed_counted_and_given_deadlines(luke: Account, han: Account) -> None:
    """Listing and deadlines."""
    assert sorted(Account.ids()) == ["han@example.com", "luke@example.com"]
    assert Account.count() == 2
    luke.expire(60)
    ttl = luke.ttl()
    assert ttl is not None
    assert 0 < ttl.total_seconds() <= 60


def test_all_objects_of_a_store_share_its_connections(server: RunningServer) -> None:
    """A client for each object."""
    with connect(server.url) as backend, server.client() as client:
        before = client.info("stats")["total_connections_received"]
        ship = Account("x", name="x", friends=[Account.ref("x", backend=backend)], backend=backend)
        for _ in range(50):
            assert ship["friends"][0]["name"] == "x"
        assert client.info("stats")["total_connections_received"] - before <= 1


def test_a_list_is_read_in_pages_and_several_fields_at_once(server: RunningServer) -> None:
    """Round trips."""
    with connect(server.url) as backend, server.client() as client:
        items = PersistentList[int]("items", range(2500), backend=backend)
        account = Account("x", name="x", age=3, backend=backend)
        before = client.info("stats")["total_commands_processed"]
        assert sum(items) == sum(range(2500))
        assert account.to_dict()["age"] == 3
        assert client.info("stats")["total_commands_processed"] - before <= 8


def test_a_record_and_its_children_change_in_one_step(store: Backend, luke: Account, han: Account) -> None:
    """Transactions."""
    luke.update(age=19, friends=[han] * 19)
    with pytest.raises(EncodeError):
        luke.update(age=99, friends=["nobody"])
    assert (luke.age, len(luke["friends"])) == (19, 19)


def test_a_hash_is_not_hashed_again_when_a_record_is_copied(luke: Account) -> None:
    """Passwords."""
    copied = Account("copy", **{name: value for name, value in luke.to_dict().items() if value and name != "email"})
    assert copied.password.verify("TheForce")


def test_a_password_is_never_silently_cut(luke: Account) -> None:
    """Passwords."""
    with pytest.raises(EncodeError, match="72 bytes"):
        luke.password = "ä" * 37
    assert luke.password.verify("TheForce")


def test_without_a_password_nothing_verifies(store: Backend) -> None:
    """Passwords."""
    guest = Account("guest", name="Guest")
    assert guest.password.verify("x") is False
    assert guest.password.verify("") is False


def test_a_hash_is_not_shown(luke: Account) -> None:
    """Passwords."""
    assert "$2b$" not in f"{luke!r} {luke.to_dict()} {luke.password} {luke.items()}"


def test_sets_namespaces_and_exports_are_there(luke: Account, tmp_path: Path) -> None:
    """What adopters had to add."""
    colours = PersistentSet("colours", {"red"})
    colours.add("blue")
    assert colours == {"red", "blue"}
    assert luke.name == luke["name"]
    with connect(f"json:{tmp_path}/data") as backend:
        Ship("falcon", name="Falcon", backend=backend)
    assert json.loads((tmp_path / "data/Ship/falcon.json").read_text("utf-8")) == {"name": "Falcon"}

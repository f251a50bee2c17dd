"""Fields: read, written, defaulted and refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Final, NewType

import pytest
from typing_extensions import TypeAliasType

from persistent_collections import (
    Backend,
    DecodeError,
    EncodeError,
    NotUnique,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    UnknownFieldError,
    codec,
    connect,
    formerly,
    indexed,
    make_record,
    on_delete,
    stored_as,
    unique,
)
from persistent_collections.backends import Key
from tests.records.accounts import Account, Ship


def test_a_record_iterates_over_its_fields(luke: Account) -> None:
    assert "name" in luke
    assert list(luke)[:2] == luke.keys()[:2] == ["name", "email"]
    assert dict(luke.items())["name"] == "Luke Skywalker"


def test_an_unset_field_is_told_from_a_missing_object_and_has_a_zero_of_any_type(luke: Account) -> None:
    assert luke.age == 0
    assert [luke.notes, luke.seen, luke.boss] == [None] * 3
    luke.notes = ""
    assert luke.notes == ""
    with pytest.raises(ObjectNotFound):
        Account("tpyo")["name"]


def test_assigning_to_a_child_list_replaces_it(luke: Account, han: Account) -> None:
    luke["friends"] = [han]
    luke["friends"] = [han, luke]
    assert luke["friends"][:] == [han, luke]


def test_a_counter_loses_nothing(store: Backend) -> None:
    counts = PersistentDict[str, int]("counts")
    account = Account("x", name="x")

    def count(_: int) -> None:
        for _ in range(25):
            counts.increment("n")
            account.increment("age")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert (counts["n"], account.age) == (100, 100)


def test_a_value_of_another_type_than_declared_is_refused(luke: Account) -> None:
    wrong: dict[str, Any] = {"age": True, "vip": "False", "name": 3, "tags": "abc", "notes": b"x"}
    for field, value in wrong.items():
        with pytest.raises(EncodeError):
            luke[field] = value
    luke.vip = False
    assert luke.vip is False


def test_a_nested_change_is_stored(luke: Account) -> None:
    luke["tags"].append("x")
    d = PersistentDict("d", {"tags": {"deep": [1]}})
    d["tags"]["deep"].append(2)
    assert luke.tags == ["x"]
    assert d == {"tags": {"deep": [1, 2]}}


def test_binary_data_goes_into_any_field(store: Backend) -> None:
    class Packed(Record):
        name: str
        samples: Annotated[list[int], codec("msgpack")]
        photo: bytes

    packed = Packed("p", name="x", samples=[300], photo=b"\x80\xff")
    assert (packed.name, packed.samples, packed.photo) == ("x", [300], b"\x80\xff")


def test_one_field_that_cannot_be_read_leaves_the_others_readable(luke: Account, store: Backend) -> None:
    luke.age = 3
    store.mapping(luke.__pc__.key).set_many({"age": b"12.5"})
    assert luke.name == "Luke Skywalker"
    with pytest.raises(DecodeError, match=r"field 'age' of 'Account:luke@example\.com'"):
        luke["age"]
    luke.age = 12
    assert luke.age == 12


def test_a_field_is_renamed_without_a_rewrite(store: Backend) -> None:
    class Before(Record, name="Renamed2"):
        surname: str

    class After(Record, name="Renamed2"):
        family_name: Annotated[str, stored_as("surname")]
        level: int = 1

    Before("x", surname="Solo")
    after = After("x")
    assert (after.family_name, after.level) == ("Solo", 1)


Mail = TypeAliasType("Mail", Annotated[str, unique, stored_as("e_mail")])
MailText = NewType("MailText", Annotated[str, unique, stored_as("e_mail")])


@pytest.mark.parametrize(
    "kind", [Mail, MailText, Annotated[Mail, "mail"], Final[Annotated[str, unique, stored_as("e_mail")]]]
)
def test_the_marks_of_an_alias_are_those_of_its_field(store: Backend, kind: Any) -> None:
    made: Any = make_record("Mailed", {"mail": kind})
    luke = made.create("luke", mail="luke@example.com")
    assert store.mapping(Key("Mailed:luke")).get("e_mail") is not None
    with pytest.raises(NotUnique):
        made.create("han", mail="luke@example.com")
    assert made.find(mail="luke@example.com").one() == luke


@pytest.mark.parametrize("mark", [unique, indexed, stored_as("b"), codec("json"), on_delete("restrict"), formerly("b")])
def test_a_mark_of_a_part_of_an_annotation_is_refused(mark: Any) -> None:
    marked = Annotated[Ship, mark]
    named = TypeAliasType("named", marked)
    for kind in (marked | None, list[marked], PersistentList[marked], dict[str, tuple[named, ...]], named | None):
        with pytest.raises(TypeError, match=r"field 'a' of Refused: .* marks a part of an annotation"):
            make_record("Refused", {"a": kind})


def test_a_default_is_read_and_never_written(store: Backend) -> None:
    class Setting(Record):
        name: str
        level: int = 5

    Setting("x", level=7)
    assert Setting("x", name="again").level == 7
    assert Setting("y", name="y").level == 5


def test_a_wrong_keyword_leaves_nothing_written(store: Backend) -> None:
    with pytest.raises(UnknownFieldError):
        Account("new", name="New", nmae="New")
    with pytest.raises(EncodeError):
        Account("new", name="New", age="old")
    assert not Account("new")


def test_classes_and_objects_share_no_mutable_state(store: Backend) -> None:
    class Bag(Record):
        things: list[str] = []  # noqa: RUF012 - a default is made anew for each object
        size: int

    one, other = Bag("one", size=1), Bag("other", size=1)
    one.things.append("x")
    assert (one.things, other.things) == (["x"], [])


def test_a_record_and_its_children_change_in_one_step(store: Backend, luke: Account, han: Account) -> None:
    luke.update(age=19, friends=[han] * 19)
    with pytest.raises(EncodeError):
        luke.update(age=99, friends=["nobody"])
    assert (luke.age, len(luke["friends"])) == (19, 19)


def test_sets_namespaces_and_exports_are_there(luke: Account, tmp_path: Path) -> None:
    colours = PersistentSet("colours", {"red"})
    colours.add("blue")
    assert colours == {"red", "blue"}
    assert luke.name == luke["name"]
    with connect(f"json:{tmp_path}/data") as backend:
        Ship("falcon", name="Falcon", backend=backend)
    assert json.loads((tmp_path / "data/Ship/falcon.json").read_text("utf-8")) == {"name": "Falcon"}


def test_an_object_that_a_codec_does_not_hold_is_refused(store: Backend, luke: Account) -> None:
    friends: Any = luke["friends"]
    for wrong in ({"name": "x"}, "han@example.com", 3, None, Ship("x")):
        with pytest.raises(EncodeError):
            friends.append(wrong)
    with pytest.raises(EncodeError, match=r"register_type|is not held"):
        PersistentList("items").append(object())
    assert luke["friends"] == []

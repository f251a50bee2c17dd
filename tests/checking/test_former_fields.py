"""``check`` finds what older versions of a class have stored, and its repair stores it as it is declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from persistent_collections import (
    Backend,
    DecodeError,
    Password,
    PersistentDict,
    PersistentList,
    Record,
    child,
    formerly,
    make_record,
    migrate,
)
from persistent_collections.backends.changes import SetFields
from persistent_collections.backends.keys import Key
from persistent_collections.checking import check


@dataclass(frozen=True)
class OldBox:
    width: int


@dataclass(frozen=True)
class Box:
    size: Annotated[int, formerly("width")]


class OldParcel(Record, name="Parcel8"):
    sender: str = ""
    weight: str = "0"
    box: OldBox | None = None
    tags: list[str] = []  # noqa: RUF012 - a default is made anew for each object
    others: PersistentList[OldBox] = child()
    named: PersistentDict[str, OldBox] = child()
    notes: PersistentList[str] = child()


class Parcel8(Record):
    origin: Annotated[str, formerly("sender")] = ""
    grams: Annotated[int, formerly("weight", str, int)] = 0
    box: Box | None = None
    tags: PersistentList[str] = child()
    others: PersistentList[Box] = child()
    named: PersistentDict[str, Box] = child()
    notes: list[str] = []  # noqa: RUF012 - as above


def make() -> None:
    parcel = OldParcel.create("a", sender="x", weight="7", box=OldBox(1), tags=["t"])
    parcel.others.extend([OldBox(1), OldBox(2)])
    parcel.named["k"] = OldBox(3)
    parcel.notes.append("n")


PLACES = {
    ("Parcel8:a", "sender"),
    ("Parcel8:a", "weight"),
    ("Parcel8:a", "box"),
    ("Parcel8:a", "tags"),
    ("Parcel8:a:others", 0),
    ("Parcel8:a:others", 1),
    ("Parcel8:a:named", "k"),
    ("Parcel8:a:notes", None),
}


def test_everything_that_is_stored_as_before_is_found(store: Backend) -> None:
    make()
    found = list(check(store))
    assert {(each.kind, each.key, each.place) for each in found} == {("former_field", *place) for place in PLACES}
    assert all("the repair stores it as it is declared" in each.message for each in found)


def test_its_repair_stores_it_as_it_is_declared(store: Backend) -> None:
    make()
    found = list(check(store, repair=["former_field"]))
    assert all(each.repaired for each in found)
    assert list(check(store)) == []
    parcel = Parcel8.load("a")
    assert parcel.to_dict() == {"origin": "x", "grams": 7, "box": Box(1), "notes": ["n"]}
    assert (parcel.tags[:], parcel.others[:], parcel.named.copy()) == (["t"], [Box(1), Box(2)], {"k": Box(3)})


def test_other_repairs_leave_it(store: Backend) -> None:
    make()
    assert not any(each.repaired for each in check(store, repair=["stray_field", "stray_child", "undecodable"]))
    assert len(list(check(store))) == len(PLACES)


def test_a_value_that_cannot_be_converted_is_undecodable(store: Backend) -> None:
    OldParcel.create("a", weight="sesame")
    found = {each.place: each for each in check(store, repair=["former_field"])}
    assert found["weight"].kind == "undecodable"
    assert "field 'grams', stored under its former name 'weight'" in found["weight"].message
    assert "sesame" not in found["weight"].message
    assert {place for place, each in found.items() if each.repaired} == set()
    assert OldParcel.load("a").weight == "sesame"


@pytest.mark.parametrize(
    ("stored", "declared", "reason"),
    [
        (list[str], PersistentList[int], "value[0]: expected int, not str"),
        (str, PersistentList[str], "field 'items' of 'Drawer7:a'"),
        (PersistentList[str], str, "'items' is declared as a field that holds no list, dict or set"),
    ],
)
def test_what_cannot_be_moved_is_found_with_the_reason(store: Backend, stored: Any, declared: Any, reason: str) -> None:
    make_record("Drawer7", {"items": stored}).create("a", items="x" if stored is str else ["x"])
    after = make_record("Drawer7", {"items": declared})
    [found] = check(store, repair=["former_field"])
    assert (found.kind, found.repaired) == ("former_field", False)
    assert ", and cannot be moved: " in found.message
    assert reason in found.message
    assert migrate(after, dry_run=True, on_error=lambda _: None).unread == 1


@pytest.mark.parametrize("declared", [list[str], PersistentList[str]])
def test_a_field_and_a_child_of_one_name_are_found_with_the_remedy(store: Backend, declared: Any) -> None:
    make_record("Drawer7", {"items": PersistentList[str]}).create("a", items=["x"])
    store.commit([], [SetFields(Key("Drawer7:a"), {"items": b'["y"]'}, is_record=True)])  # which no class does
    make_record("Drawer7", {"items": declared})
    [found] = check(store, repair=["former_field"])
    assert (found.kind, found.repaired) == ("former_field", False)
    assert "both as a field and as a child collection; delete the one that is out of date" in found.message


@pytest.mark.parametrize("store_kind", ["server", "fakeredis"])
def test_a_child_that_became_a_field_and_lost_its_record_is_an_orphan(store: Backend) -> None:
    make_record("Lost", {"name": str, "notes": PersistentList[str]}).create("a", name="x", notes=["n"])
    after: Any = make_record("Lost", {"name": str, "notes": list[str]})
    after.load("a").delete()
    assert [each.kind for each in check(store)] == ["orphan"]


def test_a_field_whose_type_has_changed_shows_the_line_to_write(store: Backend) -> None:
    make_record("Typed", {"n": str}).create("a", n="seven")
    after: Any = make_record("Typed", {"n": int})
    with pytest.raises(DecodeError, match=r"new_n: Annotated\[…, formerly\('n', old_type, convert\)\]") as caught:
        _ = after.load("a").n
    assert "seven" not in str(caught.value)
    [found] = check(store)
    assert found.kind == "undecodable"
    assert "a field of another name convert it: Annotated[…, formerly('n', old_type, convert)]" in found.message


def test_no_conversion_is_advised_for_a_password(store: Backend) -> None:
    make_record("Strongbox7", {"code": str}).create("a", code="sesame")
    make_record("Strongbox7", {"code": Password})
    [found] = check(store)
    assert found.kind == "undecodable"
    assert "declare the type that it was written with" in found.message
    assert "formerly" not in found.message


def test_a_class_that_was_renamed_is_told_to_keep_its_name(store: Backend) -> None:
    store.mapping(Key("OldBarn:a")).set_many({"name": b'"x"'})
    [found] = check(store)
    assert (
        "if you renamed the class, let it keep its name in the store: class New(Record, name='OldBarn')"
        in found.message
    )

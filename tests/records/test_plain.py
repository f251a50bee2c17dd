"""Records as plain JSON values, and values from the text of forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from cryptography.fernet import Fernet

from persistent_collections import (
    Backend,
    Codec,
    EncodeError,
    FormError,
    ObjectNotFound,
    Password,
    PersistentList,
    Record,
    child,
    codec,
    current_backend,
    make_record,
)
from persistent_collections.backends import Operation, WrappedBackend
from persistent_collections.codecs import Encrypted


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Address:
    street: str
    since: date


class Clipper(Record):
    name: str


class Deckhand(Record):
    name: str
    password: Password
    born: date | None
    joined: datetime = datetime(2020, 1, 2, tzinfo=UTC)
    leave: timedelta = timedelta(hours=1)
    pay: Decimal = Decimal("1.50")
    colour: Colour = Colour.RED
    rank: Literal["mate", "captain"] = "mate"
    number: UUID = UUID(int=1)
    photo: bytes = b"ab"
    scores: dict[int, float] = {}  # noqa: RUF012 - a default is made anew for each object
    tags: set[str] = set()  # noqa: RUF012 - as above
    address: Address | None
    ship: Clipper | None
    mate: Deckhand | None
    active: bool = False
    knots: int = 0
    friends: PersistentList[Deckhand] = child()


class FractionCodec(Codec):
    """Stores a Fraction as people write it, and takes what is none for one."""

    name, format = "fraction", "text"

    def encode(self, value: Any) -> bytes:
        return str(value).encode()

    def decode(self, data: bytes) -> Any:
        return Fraction(data.decode())


class ShipsCook(Deckhand):
    watch: time
    draught: float = 0.0
    berth: Literal[1, 2] = 1
    share: Annotated[Fraction, codec(FractionCodec())] = Fraction(1)
    debt: Annotated[Fraction | None, codec(FractionCodec())]
    sealed: Annotated[Fraction | None, codec(Encrypted(FractionCodec(), [Fernet.generate_key()]))]


class CountingBackend(WrappedBackend):
    """Counts the operations that it passes on."""

    count = 0

    def around(self, operation: Operation, call: Callable[[], Any]) -> Any:
        self.count += 1
        return call()


@pytest.fixture
def sailor(store: Backend) -> Deckhand:
    ship = Clipper.create("queen", name="Queen")
    made = Deckhand.create("luke", name="Luke", password="TheForce", ship=ship, scores={1: float("nan")}, tags={"x"})
    made.update(mate=made, address=Address("Main", date(2000, 1, 1)), friends=[made])
    return made


def test_a_record_as_plain_json(sailor: Deckhand) -> None:
    shown = sailor.to_dict(plain=True)
    assert (
        shown
        == json.loads(json.dumps(shown, allow_nan=False))
        == {
            "id": "luke",
            "name": "Luke",
            "born": None,
            "joined": "2020-01-02T00:00:00Z",
            "leave": "PT3600S",
            "pay": "1.50",
            "colour": "red",
            "rank": "mate",
            "number": "00000000-0000-0000-0000-000000000001",
            "photo": "YWI=",
            "scores": {"1": None},
            "tags": ["x"],
            "address": {"street": "Main", "since": "2000-01-01"},
            "ship": "queen",
            "mate": "luke",
            "active": False,
            "knots": 0,
        }
    )


def test_it_is_read_in_one_step(sailor: Deckhand) -> None:
    counting = CountingBackend(current_backend())
    luke = Deckhand.ref("luke", backend=counting)
    luke.to_dict(plain=True)
    counting.count = 0  # the first read asked too whether an unset field is a child by now
    luke.to_dict(plain=True)
    assert counting.count == 1


def test_a_record_that_does_not_exist_is_not_shown(store: Backend) -> None:
    with pytest.raises(ObjectNotFound):
        Deckhand.ref("nobody").to_dict(plain=True)


def test_what_json_cannot_hold_is_named(store: Backend) -> None:
    class Chart(Record):
        depths: dict[tuple[int, int], int]

    chart = Chart.create("x", depths={(1, 2): 3})
    with pytest.raises(EncodeError, match="'depths' of 'Chart:x'"):
        chart.to_dict(plain=True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", '"quoted"', '"quoted"'),
        ("name", "3", "3"),
        ("name", "", ""),
        ("password", "3", "3"),
        ("born", "2001-12-31", date(2001, 12, 31)),
        ("born", "", None),
        ("pay", "12.50", Decimal("12.50")),
        ("colour", "BLUE", Colour.BLUE),
        ("colour", "blue", Colour.BLUE),
        ("rank", "captain", "captain"),
        ("active", "yes", True),
        ("active", "on", True),
        ("active", "false", False),
        ("knots", "12", 12),
        ("tags", '{"$set":["a"]}', {"a"}),
        ("scores", "{}", {}),
    ],
)
def test_texts_of_a_form(name: str, text: str, value: Any, store: Backend) -> None:
    found = Deckhand.from_text({name: text})
    assert found == {name: value}
    assert type(found[name]) is type(value)
    Deckhand.upsert("x", **found)


@pytest.mark.parametrize("text", ["NaN", "sNaN", "-Infinity"])
def test_a_word_for_no_number_is_not_a_number(text: str, store: Backend) -> None:
    with pytest.raises(FormError) as caught:
        Deckhand.from_text({"pay": text})
    assert caught.value.errors == {"pay": "Enter a number, such as 12.50."}


@pytest.mark.parametrize("text", ["queen", "Clipper:queen"])
def test_a_reference_by_id_or_key(text: str, sailor: Deckhand) -> None:
    assert Deckhand.from_text({"ship": text}) == {"ship": Clipper.ref("queen")}
    assert Deckhand.from_text({"ship": ""}) == {"ship": None}


def test_an_id_with_any_character_is_a_reference(sailor: Deckhand) -> None:
    ship = Clipper.create("1:b%c", name="x")
    assert Deckhand.from_text({"ship": "1:b%c"}) == {"ship": ship}


def test_a_key_of_a_subclass_is_a_reference_to_that(store: Backend) -> None:
    assert Deckhand.from_text({"mate": "ShipsCook:han"}) == {"mate": ShipsCook.ref("han")}
    with pytest.raises(FormError) as caught:
        Deckhand.from_text({"mate": "Clipper:queen"})
    assert caught.value.errors == {"mate": "This is not a valid value."}


def test_each_wrong_field_has_a_message_that_does_not_show_the_text(store: Backend) -> None:
    form = {"nmae": "s3cret", "born": "s3cret", "colour": "s3cret", "knots": "s3cret", "friends": "s3cret", "name": "x"}
    with pytest.raises(FormError) as caught:
        Deckhand.from_text(form)
    errors = caught.value.errors
    assert errors.keys() == form.keys() - {"name"}
    told = str(caught.value)
    assert "s3cret" not in told
    assert "did you mean 'name'" in told
    assert "2001-12-31" in told
    assert "RED, BLUE" in told
    assert "child collection" in told
    assert "expected int, not str, as declared" in told
    assert all(name in told for name in errors)


LONG = "a password of over 72 bytes has to be refused before bcrypt would cut it off at its end"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("knots", "a few", "Enter a whole number."),
        ("knots", "", "Fill in this field."),
        ("draught", "deep", "Enter a number, such as 12.50."),
        ("pay", "much", "Enter a number, such as 12.50."),
        ("born", "yesterday", "Enter a date, such as 2026-11-30."),
        ("joined", "now", "Enter a date and a time, such as 2026-11-30T09:30."),
        ("watch", "noon", "Enter a time, such as 09:30."),
        ("number", "1", "Enter a UUID, such as 12345678-1234-5678-1234-567812345678."),
        ("active", "perhaps", "Choose yes or no."),
        ("colour", "green", "Choose one of: red, blue."),
        ("rank", "cook", "Choose one of: mate, captain."),
        ("berth", "0", "Choose one of: 1, 2."),
        ("share", "half", "This is not a valid value."),
        ("share", "1/0", "This is not a valid value."),
        ("password", "", "A password has at least one character."),
        ("password", LONG, "A password has at most 72 bytes."),
        ("password", "\ud800", "This cannot be a password."),
        ("rations", "3", "There is no such field."),
        ("friends", "han", "This field does not accept this value."),
    ],
)
def test_people_are_told_beside_a_field(name: str, text: str, told: str, store: Backend) -> None:
    with pytest.raises(FormError) as caught:
        ShipsCook.from_text({name: text})
    assert caught.value.errors == {name: told}


def test_a_complete_form_has_every_field_that_create_needs(store: Backend) -> None:
    with pytest.raises(FormError) as caught:
        ShipsCook.from_text({"name": "", "knots": "x", "watch": ""}, complete=True)
    assert caught.value.errors == {
        **dict.fromkeys(["name", "password", "watch"], "Fill in this field."),
        "knots": "Enter a whole number.",
    }
    assert "field 'password' of ShipsCook: is required" in str(caught.value)
    values = ShipsCook.from_text({"name": "Luke", "password": "TheForce", "watch": "12:00"}, complete=True)
    assert ShipsCook.create("luke", **values).watch == time(12)
    assert ShipsCook.from_text({"name": ""}) == {"name": ""}, "as an update may want it"


@pytest.mark.parametrize("kind", [Colour | None, Literal["red", "blue"] | None, Literal["red", None]])
def test_an_empty_text_that_the_field_cannot_hold_is_none(store: Backend, kind: Any) -> None:
    assert make_record("Painted", {"colour": kind}).from_text({"colour": ""}) == {"colour": None}
    with pytest.raises(FormError, match="field 'colour' of Painted"):
        make_record("Painted", {"colour": Colour}).from_text({"colour": ""})


def test_a_type_that_only_its_codec_knows_is_shown_and_read_as_the_codec_writes_it(store: Backend) -> None:
    values = ShipsCook.from_text({"share": "1/2", "debt": ""})
    assert values == {"share": Fraction(1, 2), "debt": None}
    bosun = ShipsCook.create("han", name="Han", password="Falcon", watch=time(0), **values)
    shown = bosun.to_dict(plain=True)
    assert (shown["share"], shown["debt"], shown["name"]) == ("1/2", None, "Han")
    bosun.sealed = Fraction(1, 3)
    with pytest.raises(EncodeError, match="'sealed' of 'ShipsCook:han'"):
        bosun.to_dict(plain=True)


def test_what_is_no_text_is_named(store: Backend) -> None:
    upload: Any = object()
    with pytest.raises(FormError) as caught:
        Deckhand.from_text({"name": upload})
    assert caught.value.errors == {"name": "This field does not accept this value."}
    assert "is of type object, not a text" in str(caught.value)


def test_nothing_is_read_or_written(store: Backend) -> None:
    counting = CountingBackend(store)
    Deckhand.from_text({"name": "x", "ship": "queen", "knots": "3"}, backend=counting)
    assert counting.count == 0

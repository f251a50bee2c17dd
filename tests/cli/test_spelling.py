"""Plain words stand for values of the declared type wherever it is clear for which."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from persistent_collections import Backend, PersistentList, Record, child, connect
from persistent_collections.cli.app import app
from tests.cli.conftest import MODELS, Run
from tests.cli.models import Berth, Flag, Landfalls, Sailor, Sea, Voyage

URL = "memory:spelling"
SET = ("--url", URL, *MODELS, "set")
NUMBER = UUID("12345678-1234-5678-1234-567812345678")


@pytest.fixture
def voyage() -> Voyage:
    Sailor("ann", backend=URL, name="Ann")
    made = Voyage("v", backend=URL)
    made.delete()
    return Voyage("v", backend=URL, ship="Royal Fortune")


@dataclass(frozen=True)
class Provision:
    name: str
    amount: Decimal


class SpiceRack(Record):
    best: Provision | None
    prices: dict[str, Decimal]
    stock: PersistentList[Provision] = child()


@pytest.mark.parametrize(
    ("place", "given", "told"),
    [
        (
            ("stock", "0"),
            '{"name": "x", "amount": "2"}',
            'value["amount"]: expected Decimal, not str; it is written as in {"$decimal":"12.50"}',
        ),
        (
            ("best",),
            '{"name": "x", "amount": 2}',
            'value["amount"]: expected Decimal, not int; it is written as in {"$decimal":"12.50"}',
        ),
        (("stock", "0"), '{"name": "x"}', "the field 'amount' of Provision is not stored here"),
        (("prices",), '{"x": "2"}', 'value["x"]: expected Decimal, not str; it is written as in {"$decimal":"12.50"}'),
        (("best",), "[1]", "field 'best' of 'SpiceRack:a': value: expected Provision or None, not list"),
    ],
)
def test_a_part_of_a_value_that_does_not_fit_is_named_with_its_form(
    place: tuple[str, ...], given: str, told: str, run: Run
) -> None:
    SpiceRack("a", stock=[Provision("salt", Decimal(1))], backend="memory:spices")
    command = ("--url", "memory:spices", "--models", __name__, "set", "SpiceRack:a", *place)
    assert told in run(*command, given, status=2)


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("left", "2001-01-01", date(2001, 1, 1)),
        ("left", '"2001-01-01"', date(2001, 1, 1)),
        ("left", '{"$date": "2001-01-01"}', date(2001, 1, 1)),
        ("left", "null", None),
        ("back", "2001-01-01", date(2001, 1, 1)),
        ("back", "null", None),
        ("noted", "2001-01-01T10:00", datetime(2001, 1, 1, 10)),
        ("noted", "2001-01-01T10:00+00:00", datetime.fromisoformat("2001-01-01T10:00+00:00")),
        ("noted", "2001-01-01T10:00[Europe/Paris]", datetime(2001, 1, 1, 10, tzinfo=ZoneInfo("Europe/Paris"))),
        ("bell", "23:59", time(23, 59)),
        ("price", "12.50", Decimal("12.50")),
        ("price", "12", Decimal(12)),
        ("price", "1e400", Decimal("1e400")),
        ("price", '{"$decimal": "Infinity"}', Decimal("Infinity")),
        ("number", str(NUMBER), NUMBER),
        ("flag", "jolly", Flag.JOLLY),
        ("flag", "WHITE", Flag.WHITE),
        ("flag", '"white"', Flag.WHITE),
        ("flag", "3", Flag.NUMBERED),
        ("flag", "NUMBERED", Flag.NUMBERED),
        ("sea", "NORTH", Sea.NORTH),
        ("sea", "s", Sea.SOUTH),
        ("sea", '{"$sea": "NORTH"}', Sea.NORTH),
        ("chart", "charts/a b.png", Path("charts/a b.png")),
        ("chart", "5", Path("5")),
        ("chart", '"quoted"', Path("quoted")),
        ("lasted", '{"$timedelta": [1, 0, 0]}', timedelta(days=1)),
        ("share", "2", 2.0),
        ("ship", "Fancy", "Fancy"),
        ("ship", "5", 5),
        ("loot", '{"$set": ["gold"]}', {"gold"}),
        ("met", "2001-01-01T10:00", datetime(2001, 1, 1, 10)),
        ("met", '{"$date": "2001-01-01"}', date(2001, 1, 1)),
        ("mate", "Sailor:ann", Sailor.ref("ann", backend=URL)),
        ("mate", "7", 7),
        ("weather", "foul", "foul"),
    ],
)
def test_a_plain_word_is_taken_for_the_value_it_stands_for(
    field: str, given: str, value: object, voyage: Voyage, run: Run
) -> None:
    run(*SET, "Voyage:v", field, given)
    assert voyage[field] == value
    assert isinstance(voyage[field], type(value))


@pytest.mark.parametrize(
    ("field", "given", "told"),
    [
        ("left", "yesterday", "expected date, not str, as declared; it is written as in 2001-12-31"),
        ("left", "5", "expected date, not int, as declared; it is written as in 2001-12-31"),
        ("noted", "noon", "; it is written as in 2001-12-31T23:59:00"),
        ("bell", "late", "; it is written as in 23:59:00"),
        ("price", "dear", "; it is written as in 12.50"),
        ("price", "Infinity", "; it is written as in 12.50"),
        ("number", "1", "; it is written as in 12345678-1234-5678-1234-567812345678"),
        ("flag", "lost", "; it is one of JOLLY, WHITE, NUMBERED"),
        ("sea", "east", "; it is one of NORTH, SOUTH"),
        ("lasted", "1", '; it is written as in {"$timedelta":[1,0,0]}'),
        ("loot", '["gold"]', '; it is written as in {"$set":["text"]}'),
        ("sealed", "text", '; it is written as in {"$bytes":"dGV4dA=="}'),
        ("flags", "jolly", "expected list, not str, as declared"),
        ("weather", "calm", "field 'weather' of 'Voyage:v'"),
        ("share", "half", "expected float, not str, as declared"),
        ("met", "2001-01-01", "VALUE may be a date or datetime; write it as JSON, with its tag"),
    ],
)
def test_what_stands_for_no_value_or_for_several_is_refused_with_what_works(
    field: str, given: str, told: str, voyage: Voyage, run: Run
) -> None:
    failed = run(*SET, "Voyage:v", field, given, status=2)
    assert told in failed
    assert "--text" not in failed
    assert failed.count("\n") == 1
    assert connect(URL).mapping(voyage.__pc__.key).get(field) is None or field == "ship"


def test_what_a_hint_shows_is_taken(voyage: Voyage, run: Run) -> None:
    for field in ("left", "noted", "bell", "price", "number", "flag", "sea", "lasted", "loot", "sealed"):
        shown = run(*SET, "Voyage:v", field, "true", status=2).rpartition(" it is ")[2].strip()
        given = shown.partition("one of ")[2].partition(",")[0] or shown.removeprefix("written as in ")
        run(*SET, "Voyage:v", field, given)
        assert voyage[field]


@pytest.mark.parametrize(
    ("word", "value"), [("yes", True), ("No", False), ("ON", True), ("off", False), ("True", True)]
)
def test_a_bool_may_be_a_word(word: str, value: bool, run: Run) -> None:
    berth = Berth("b", backend="memory:spelling", ship="Revenge", paid=not value)
    run("--url", "memory:spelling", *MODELS, "set", "Berth:b", "paid", word)
    assert berth.paid is value
    run("--url", "memory:spelling", *MODELS, "set", "Berth:b", "ship", word)
    assert berth.ship == word, "a text stays what was typed"


def test_a_collection_with_a_class_takes_plain_words_too(url: str, run: Run) -> None:
    kept = Landfalls("landfalls", {1: date(2000, 1, 1)}, backend=url)
    run("--url", url, *MODELS, "set", "Landfalls:landfalls", "2", "2001-01-01")
    assert kept == {1: date(2000, 1, 1), 2: date(2001, 1, 1)}
    assert "written as in" in run("--url", url, *MODELS, "set", "Landfalls:landfalls", "2", "x", status=2)
    run("--url", url, *MODELS, "set", "Landfalls:landfalls", "two", "2001-01-01", status=2)


@pytest.mark.parametrize(("key", "warned"), [("Sailor:ann", False), ("Sailor:nobody", True)])
def test_a_reference_to_no_record_is_written_and_warned_of(url: str, key: str, warned: bool) -> None:
    store: Backend = connect(url)
    ann = Sailor("ann", backend=store, name="Ann", crew=[])
    ann.crew.append(ann)
    for place in (("Sailor:ann", "captain"), ("Sailor:ann:crew", "0")):
        arguments: list[Any] = ["--url", url, *MODELS, "set", *place, key]
        done = CliRunner().invoke(app, arguments)
        assert (done.exit_code, done.stdout) == (0, "")
        told = f"persistent-collections: the value now refers to '{key}', which does not exist in {store.url}\n"
        assert done.stderr == (told if warned else "")
    assert ann.captain is not None
    assert (ann.captain.key, ann.crew[0].key) == (key, key)

"""``migrate``, and what other commands show of fields under former names."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from persistent_collections import Record, classes, connect, formerly, make_record
from persistent_collections.backends.keys import Key
from tests.cli.conftest import Objects, Run


class Coxswain(Record):
    name: Annotated[str, formerly("fullname")] = ""
    age: Annotated[int, formerly("years", str, int)] = 0


@pytest.fixture
def older(url: str) -> Any:
    return make_record("Coxswain", {"fullname": str, "years": str}, backend=url)


def test_values_are_stored_as_they_are_declared(older: Any, url: str, run: Run, objects: Objects) -> None:
    for number in range(3):
        older.create(number, fullname=f"n{number}", years="7")
    register(Coxswain)
    row = {"type": "Coxswain", "examined": 3, "unread": 0, "left": 0}
    assert objects("--url", url, "migrate", "Coxswain", "--dry-run") == [row | {"changed": 3}]
    with connect(url) as store:
        assert {*store.mapping(Key("Coxswain:1")).get_all()} == {"fullname", "years"}
    assert row | {"changed": 3} in objects("--url", url, "migrate")
    assert objects("--url", url, "migrate", "Coxswain") == [row | {"changed": 0}]
    assert run("--url", url, "migrate", "Coxswain").splitlines()[1].split() == ["Coxswain", "3", "0", "0", "0"]
    with connect(url) as store:
        assert {*store.mapping(Key("Coxswain:1")).get_all()} == {"name", "age"}


def test_what_cannot_be_converted_is_told(older: Any, url: str, run: Run) -> None:
    older.create("a", fullname="x", years="sesame")
    older.create("b", fullname="y", years="7")
    register(Coxswain)
    shown = run("--url", url, "migrate", "Coxswain", status=1)
    assert "'age', stored under its former name 'years', of 'Coxswain:a'" in shown
    assert "sesame" not in shown
    assert shown.splitlines()[-1].split() == ["Coxswain", "2", "1", "1", "0"]


def test_types_that_are_not_known_are_refused(url: str, run: Run) -> None:
    shown = run("--url", url, "migrate", "Skiper", status=2)
    assert "no class of type 'Skiper' is known; --models" in shown


def test_former_fields_are_shown_under_their_names(older: Any, url: str, run: Run, objects: Objects) -> None:
    older.create("a", fullname="Ahab", years="58")
    register(Coxswain)
    assert run("--url", url, "get", "Coxswain:a", "age").strip() == "58"
    assert run("--url", url, "get", "Coxswain:a", "name").strip() == "Ahab"
    assert objects("--url", url, "show", "Coxswain:a") == [
        {"field": "name", "value": "Ahab"},
        {"field": "age", "value": 58},
    ]
    assert objects("--url", url, "get", "Coxswain:a") == [{"name": "Ahab", "age": 58}]
    run("--url", url, "set", "Coxswain:a", "age", "60")
    assert older.load("a", backend=url).to_dict() == {"fullname": "Ahab", "years": ""}


def register(cls: Any) -> None:
    """Give a class the type name that a class made by a test has taken."""
    classes.register(cls, cls.__pc__.type_name, is_record=True)

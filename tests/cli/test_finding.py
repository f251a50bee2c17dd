"""``find`` and ``reindex`` on the command line."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any

import pytest
from typer.testing import CliRunner

from persistent_collections import Backend, Password, PersistentList, Record, child, connect, indexed, unique
from persistent_collections.backends.keys import Key
from persistent_collections.cli.app import app
from tests.cli.conftest import Objects, Run

RUNNER = CliRunner()


class Cargo(StrEnum):
    RUM = "rum"
    SPICE = "spice"


class Merchant(Record):
    email: Annotated[str, unique]
    name: str
    secret: Password


class Crate(Record, indexes=[("owner", "loaded")]):
    owner: Merchant
    loaded: date
    cargo: Annotated[Cargo, indexed] = Cargo.RUM
    number: Annotated[int | None, unique] = None
    marks: PersistentList[str] = child()


@pytest.fixture
def store(url: str) -> Backend:
    store = connect(url)
    ann = Merchant.create("ann", email="ann@x.org", name="Ann", secret="Ahoy", backend=store)
    Merchant.create("bob", email="bob@x.org", name="Bob", secret="Ahoy", backend=store)
    for day in range(1, 6):
        cargo = Cargo.SPICE if day % 2 else Cargo.RUM
        Crate.create(f"c{day}", owner=ann, loaded=date(2026, 1, day), cargo=cargo, backend=store)
    return store


FOUND: list[tuple[list[str], list[str]]] = [
    (["Merchant", "email=ann@x.org"], ["Merchant:ann"]),
    (["Merchant", "email^=a"], ["Merchant:ann"]),
    (["Merchant", "email=nobody"], []),
    (["Merchant", "name=Bob", "--scan"], ["Merchant:bob"]),
    (["Crate", "owner=Merchant:ann", "loaded>=2026-01-04"], ["Crate:c4", "Crate:c5"]),
    (["Crate", "owner=Merchant:ann", "loaded<2026-01-02"], ["Crate:c1"]),
    (["Crate", "owner=ann", "loaded<2026-01-02"], ["Crate:c1"]),
    (["Crate", "owner=Merchant:ann", "loaded<2026-01-03", "loaded>=2026-01-02"], ["Crate:c2"]),
    (["Crate", "owner=Merchant:ann", "loaded>=2026-01-02", "loaded<2026-01-03"], ["Crate:c2"]),
    (["Crate", "owner=Merchant:ann", "--order-by=-loaded", "--limit=2"], ["Crate:c5", "Crate:c4"]),
    (["Crate", "cargo=RUM"], ["Crate:c2", "Crate:c4"]),
    (["Crate", "cargo=rum", "cargo=spice", "loaded<2026-01-03"], ["Crate:c2", "Crate:c1"]),
    (["Crate", "number=null", "--order-by=number", "--limit=1"], ["Crate:c1"]),
]


@pytest.mark.slow
def test_find_prints_the_keys_in_the_order_of_find(url: str, store: Backend, objects: Objects, run: Run) -> None:
    for words, found in FOUND:
        assert [row["key"] for row in objects("--url", url, "find", *words)] == found, words
        if "--limit" not in "".join(words):
            assert run("--url", url, "find", *words, "--count") == f"{len(found)}\n"


def test_find_shows_the_fields_that_are_named_as_show_does(url: str, store: Backend, objects: Objects) -> None:
    rows = objects("--url", url, "find", "Crate", "cargo=RUM", "loaded", "owner", "number")
    assert rows[0] == {"key": "Crate:c2", "loaded": {"$date": "2026-01-02"}, "owner": "Merchant:ann", "number": None}
    rows = objects("--url", url, "find", "Crate", "cargo=RUM", "owner.name", "owner.secret", "--limit=1")
    assert rows == [{"key": "Crate:c2", "owner.name": "Ann", "owner.secret": "[redacted]"}]
    rows = objects("--url", url, "find", "Merchant", "email=ann@x.org", "secret", "name")
    assert rows == [{"key": "Merchant:ann", "secret": "[redacted]", "name": "Ann"}]


def test_find_shows_a_secret_that_is_not_set_as_null(url: str, store: Backend, objects: Objects) -> None:
    Merchant("cid", email="cid@x.org", name="Cid", backend=store)
    Crate.create(
        "c9", owner=Merchant.ref("cid", backend=store), loaded=date(2026, 1, 9), cargo=Cargo.RUM, backend=store
    )
    [row] = objects("--url", url, "find", "Merchant", "email=cid@x.org", "secret")
    assert row == {"key": "Merchant:cid", "secret": None}
    [row] = objects("--url", url, "find", "Crate", "owner=cid", "owner.secret")
    assert row == {"key": "Crate:c9", "owner.secret": None}


def test_the_end_of_a_page_says_how_to_go_on(url: str, store: Backend, run: Run) -> None:
    def page(*after: str) -> tuple[list[str], str]:
        given = ("--url", url, "find", "Crate", "owner=Merchant:ann", "--order-by", "loaded", "--limit", "2", *after)
        done = RUNNER.invoke(app, given)
        assert done.exit_code == 0
        return done.stdout.splitlines()[1:], done.stderr.rpartition(" ")[2].strip()

    seen, token = page()
    while token:
        found, token = page("--after", token)
        seen += found
    assert seen == [f"Crate:c{day}" for day in range(1, 6)]
    told = run("--url", url, "find", "Crate", "owner=Merchant:bob", "--order-by=loaded", "--after", page()[1], status=2)
    assert "token of a page of another query" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["Merchant", "name=Bob"], "no index of Merchant answers find(name=…); declare name: Annotated[str, indexed]"),
        (["Merchant", "name=Bob"], "or read all of them: --scan"),
        (["Merchant", "mail=x"], "no field 'mail' in Merchant; did you mean 'email'?"),
        (["Merchant", "email=x", "mane"], "no field 'mane' in Merchant; known: 'email', 'name'"),
        (["Crate", "marks=x", "--scan"], "'marks' of Crate is a child"),
        (["Merchant", "email!=x"], "email !=: a condition is FIELD=VALUE, FIELD>=VALUE"),
        (["Merchant", "email=x", "email<y"], "email = and <: a condition is"),
        (["Crate", "cargo=gold"], "expected Cargo, not str, as declared; it is one of RUM, SPICE"),
        (["Crate", "loaded=monday", "--scan"], "it is written as in 2001-12-31"),
        (["Crate", "owner=:ann"], "':ann' is not a key"),
        (["Crate", "owner=Crate:c1"], "expected Merchant"),
        (["Crate", "owner.name=Ann"], "conditions are on fields of Crate itself, such as owner=ID"),
        (["Crate", "cargo=RUM", "owner.mane"], "no field 'mane' in Merchant; known: 'email', 'name'"),
        (["Crate", "cargo=RUM", "cargo.name"], "'cargo' of Crate does not refer to records of one class"),
        (["Crate", "number^=1"], "field 'number': starts_with() takes a str"),
        (["Crate", "number=1", "--after", "x"], "after() takes the token of a page"),
        (["Crate", "--order-by=cargo", "--order-by=-loaded", "--scan"], "all ascend or all descend"),
        (["Crates", "number=1"], "no class of type 'Crates' is known; --models myapp.models imports"),
        (["Crates", "number=1"], "did you mean 'Crate'?"),
        (["PersistentDict", "a=1"], "'PersistentDict' is not a type of records"),
    ],
)
def test_a_mistake_in_a_query_is_told(words: list[str], told: str, run: Run) -> None:
    assert told in run("--url", "memory:queries", "find", *words, status=2)


def test_find_explains_itself_without_reading(url: str, store: Backend, run: Run) -> None:
    assert "index owner.reference+loaded.date" in run("--url", url, "find", "Crate", "owner=Merchant:ann", "--explain")


def test_a_record_that_cannot_be_read_ends_neither_the_list_nor_goes_unsaid(url: str, store: Backend, run: Run) -> None:
    store.mapping(Key("Merchant:ann"), is_record=True).set_many({"name": b"\xff" if store.medium == "bytes" else b"1"})
    told = run("--url", url, "find", "Merchant", "--order-by", "email", "name", status=1)
    assert "Merchant:bob  Bob" in told
    assert "1 of the records cannot be read; run check for details" in told


def test_nothing_that_is_found_is_said(url: str, store: Backend) -> None:
    done = RUNNER.invoke(app, ("--url", url, "find", "Merchant", "email=x"))
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no Merchant that matches is stored in" in done.stderr


def wipe(store: Backend) -> None:
    """Let the indexes of a class be as before it had any."""
    if store.indexing == "indexes":
        index = store.index(Merchant.__pc__.bound_fields(store)[2].indexing)  # type: ignore[union-attr]
        index.drop([*index.states()])


def test_reindex_builds_what_is_not_built(url: str, store: Backend, objects: Objects) -> None:
    wipe(store)
    if store.indexing == "indexes":
        told = RUNNER.invoke(app, ("--url", url, "find", "Merchant", "email=ann@x.org"))
        assert told.stdout == "KEY\nMerchant:ann\n"
        assert "find() reads all records of Merchant" in told.stderr
        assert "run Merchant.reindex()" in told.stderr
    assert objects("--url", url, "reindex", "Merchant", "Crate") == [
        {"type": "Merchant", "records": 2},
        {"type": "Crate", "records": 5},
    ]
    assert objects("--url", url, "reindex", "Merchant", "--dry-run") == [{"type": "Merchant", "records": 2}]
    told = RUNNER.invoke(app, ("--url", url, "find", "Merchant", "email=ann@x.org"))
    assert told.stderr == ""


def test_reindex_names_values_that_two_records_have_and_goes_on(url: str, store: Backend, objects: Objects) -> None:
    same: Any = store.mapping(Key("Merchant:ann")).get("email")
    store.mapping(Key("Merchant:bob"), is_record=True).set_many({"email": same})
    for options in (["--dry-run"], []):
        first, second = objects("--url", url, "reindex", "Merchant", "Crate", *options, status=1)
        assert "its email is that of 'Merchant:" in first["problem"]
        assert second == {"type": "Crate", "records": 5}


def test_reindex_of_what_has_no_index_is_a_mistake(url: str, store: Backend, run: Run) -> None:
    class Barrel(Record):
        size: int = 0

    assert "Barrel declares no index" in run("--url", url, "reindex", "Barrel", status=2)


def test_check_puts_indexes_right(url: str, store: Backend, run: Run) -> None:
    wipe(store)
    if store.indexing != "indexes":
        return
    check = ("--url", url, "check", "--prefix", "Merchant:")
    told = run(*check, status=1)
    assert re.search(r"unindexed +Merchant: +email +the index email.text! is not built", told)
    asked = RUNNER.invoke(app, (*check, "--repair", "unindexed"), input="y\n")
    assert "Put right 1 unindexed in" in asked.output
    assert re.search(r"unindexed +Merchant: +email +put right", asked.output)
    assert run(*check) == ""

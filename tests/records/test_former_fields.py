"""Fields that were stored under other names: old code and new code use the same records at the same time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import pytest

from persistent_collections import (
    Backend,
    ConflictError,
    DecodeError,
    NotUnique,
    ObjectExists,
    ObjectNotFound,
    Password,
    PersistentList,
    Record,
    SchemaChangedError,
    SlowHabitWarning,
    at_least,
    child,
    connect,
    fetch,
    formerly,
    indexed,
    make_record,
    on_delete,
    stored_as,
    transaction,
    unique,
    use_backend,
)
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis import scripts
from persistent_collections.backends.redis.scripts import Script, Write
from persistent_collections.moving import copy
from tests.proxy import counted
from tests.servers import RunningServer


@pytest.fixture
def server(server: RunningServer) -> RunningServer:
    """Give a server that has all scripts, so that none costs a second round trip."""
    made = [script["record"] if isinstance(script, Write) else script for script in vars(scripts).values()]
    with server.client() as client:
        for script in made:
            if isinstance(script, Script):
                client.script_load(script.source)
    return server


class OldCitizen(Record, name="Citizen"):
    fullname: str = ""
    born: str = ""
    height_m: float = 0.0
    visits: int = 0
    tags: list[str] = []  # noqa: RUF012 - a default is made anew for each object
    note: str = "-"


class Citizen(Record):
    name: Annotated[str, formerly("fullname")] = "nobody"
    born_on: Annotated[date | None, formerly("born", str, lambda text: date.fromisoformat(text) if text else None)]
    height_cm: Annotated[int, formerly("height_m", float, lambda metres: round(metres * 100))] = 0
    seen: Annotated[int, formerly("visits")] = 0
    labels: Annotated[list[str], formerly("tags")] = []  # noqa: RUF012 - as above
    note: str = "-"


BORN = date(1951, 9, 25)
NOW = {"name": "Luke", "born_on": BORN, "height_cm": 175, "seen": 3, "labels": ["x"], "note": "-"}


@pytest.fixture
def luke(store: Backend) -> Citizen:
    OldCitizen.create("luke", fullname="Luke", born="1951-09-25", height_m=1.75, visits=3, tags=["x"])
    return Citizen.load("luke")


def fields(store: Backend, key: str = "Citizen:luke") -> set[str]:
    return {*store.mapping(Key(key)).get_all()}


FORMER = {"fullname", "born", "height_m", "visits", "tags", "note"}


def test_former_fields_are_read_and_stay(luke: Citizen, store: Backend) -> None:
    assert (luke.name, luke.born_on, luke.height_cm, luke.seen, luke.labels) == ("Luke", BORN, 175, 3, ["x"])
    assert luke.to_dict() == dict(luke.items()) == NOW
    assert list(luke.values()) == list(NOW.values())
    assert luke.to_dict(plain=True)["born_on"] == "1951-09-25"
    names = list(NOW)
    assert list(Citizen.all().fetch(*names)) == list(fetch([luke], *names)) == [NOW]
    assert fields(store) == FORMER


WRITES: dict[str, tuple[Callable[[Any], object], dict[str, Any], set[str]]] = {
    "attribute": (lambda luke: setattr(luke, "name", "L"), {"name": "L"}, {"fullname"}),
    "item": (lambda luke: luke.__setitem__("height_cm", 180), {"height_cm": 180}, {"height_m"}),
    "None": (lambda luke: setattr(luke, "born_on", None), {"born_on": None}, {"born"}),
    "del": (lambda luke: luke.__delitem__("name"), {"name": "nobody"}, {"fullname"}),
    "update": (lambda luke: luke.update(name="L", seen=4), {"name": "L", "seen": 4}, {"fullname", "visits"}),
    "upsert": (lambda luke: Citizen.upsert("luke", name="L"), {"name": "L"}, {"fullname"}),
    "constructor": (lambda luke: Citizen("luke", seen=1), {"seen": 1}, {"visits"}),
    "bare": (lambda luke: setattr(Citizen("luke"), "seen", 1), {"seen": 1}, {"visits"}),
    "increment": (lambda luke: luke.increment("seen", 2), {"seen": 5}, {"visits"}),
    "change": (lambda luke: luke.change("height_cm", lambda cm: cm + 1), {"height_cm": 176}, {"height_m"}),
    "nested": (lambda luke: luke.labels.append("y"), {"labels": ["x", "y"]}, {"tags"}),
    "in place": (lambda luke: luke.__setitem__("labels", [*luke.labels, "y"]), {"labels": ["x", "y"]}, {"tags"}),
    "update_if": (
        lambda luke: luke.update_if({"name": "Luke", "height_cm": 175}, seen=9),
        {"seen": 9},
        {"fullname", "height_m", "visits"},
    ),
    "update with a deadline": (lambda luke: luke.update(expire=60, name="L"), {"name": "L"}, {"fullname"}),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_stores_the_new_field_and_deletes_the_former(luke: Citizen, store: Backend, write: str) -> None:
    make, changed, gone = WRITES[write]
    make(luke)
    assert luke.to_dict() == NOW | changed
    assert not fields(store) & gone
    assert fields(store) >= FORMER - gone
    make_old = OldCitizen.load("luke")
    make_old.fullname = "Leia"
    assert luke.name == "Leia", "old code wrote later"


def test_edit_stores_what_was_converted(store: Backend) -> None:
    before = make_record("Log", {"rows": list[list[int]]})
    before.create("a", rows=[[1], [2]])
    after = make_record("Log", {"lines": Annotated[list[list[int]], formerly("rows")]})
    with after.load("a").edit("lines") as lines:
        lines[0].append(7)
    assert after.load("a")["lines"] == [[1, 7], [2]]
    assert fields(store, "Log:a") == {"lines"}


def test_conditions_compare_what_is_converted(luke: Citizen, store: Backend) -> None:
    assert not luke.update_if({"name": "Leia"}, note="?")
    assert not luke.update_if({"born_on": None}, note="?")
    assert not luke.delete_if({"height_cm": 176})
    assert fields(store) == FORMER
    assert luke.update_if({"born_on": BORN}, note="!")
    assert luke.to_dict() == NOW | {"note": "!"}
    assert fields(store) == FORMER - {"born"} | {"born_on"}
    assert luke.delete_if({"height_cm": 175, "seen": 3})
    assert not luke
    assert not luke.update_if({"name": "Luke"}, note="?")


def test_a_condition_is_not_fulfilled_by_what_the_new_name_holds_if_old_code_wrote_later(luke: Citizen) -> None:
    luke.name = "L"
    OldCitizen.load("luke").fullname = "Leia"
    assert not luke.update_if({"name": "L"}, note="?")
    assert luke.update_if({"name": "Leia"}, note="!")
    assert (luke.name, luke.note) == ("Leia", "!")


def test_what_was_read_is_not_written_over_what_old_code_wrote_since(luke: Citizen) -> None:
    labels = luke.labels
    OldCitizen.load("luke").tags = ["z"]
    with pytest.raises(ConflictError):
        labels.append("y")
    edit = luke.edit("labels")
    edit.__enter__().append("v")
    OldCitizen.load("luke").tags = ["u"]
    with pytest.raises(ConflictError):
        edit.__exit__(None, None, None)
    assert luke.labels == ["u"]


def test_records_are_made_and_deleted_as_ever(luke: Citizen, store: Backend) -> None:
    with pytest.raises(ObjectExists):
        Citizen.create("luke")
    leia = Citizen.create("leia", name="Leia")
    assert leia.to_dict() == {**NOW, "name": "Leia", "born_on": None, "height_cm": 0, "seen": 0, "labels": []}
    assert fields(store, "Citizen:leia") == {"name", "height_cm", "seen", "labels", "note"}
    luke.delete()
    assert list(store.keys("Citizen:")) == [Key("Citizen:leia")]
    for write in (lambda: luke.increment("seen"), lambda: luke.__setitem__("name", "x")):
        with pytest.raises(ObjectNotFound):
            write()
    with pytest.raises(ObjectNotFound):
        _ = luke.name


def test_a_field_of_several_former_names_is_read_by_the_one_that_was_written_last(store: Backend) -> None:
    first = make_record("Post", {"mail": str})
    second = make_record("Post", {"e_mail": Annotated[str, formerly("mail")]})
    third = make_record("Post", {"email": Annotated[str, formerly("e_mail"), formerly("mail", str.lower)]})
    third.create("a", email="third")
    post = third.load("a")
    second.load("a")["e_mail"] = "second"
    assert post["email"] == "second"
    first.load("a")["mail"] = "FIRST"
    assert post["email"] == "first"
    second.load("a")["e_mail"] = "second"
    assert post["email"] == "second"
    post["email"] = "third"
    assert fields(store, "Post:a") == {"email"}


def test_a_stored_name_can_be_former_too(store: Backend) -> None:
    make_record("Named", {"a": Annotated[str, stored_as("x")]}).create("1", a="text")
    after = make_record("Named", {"b": Annotated[str, stored_as("y"), formerly("x", str.upper)]})
    assert after.load("1")["b"] == "TEXT"
    after.load("1")["b"] = "new"
    assert fields(store, "Named:1") == {"y"}


def test_a_conversion_that_fails_names_the_place_and_no_value(luke: Citizen) -> None:
    old = OldCitizen.load("luke")
    old.born = "sesame"
    message = r"field 'born_on', stored under its former name 'born', of 'Citizen:luke'.*: its conversion raises Value"
    for read in (lambda: luke.born_on, luke.to_dict, lambda: luke.update_if({"born_on": BORN}, note="?")):
        with pytest.raises(DecodeError, match=message) as caught:
            read()
        assert "sesame" not in str(caught.value)
        assert caught.value.__cause__ is not None
        assert "sesame" not in repr(caught.value.__cause__)
    assert luke.name == "Luke"
    OldCitizen.create("han", fullname="Han", born="1942-07-13")
    errors: list[Exception] = []
    assert list(Citizen.all(on_error=errors.append).fetch("name", "born_on")) == [
        {"name": "Han", "born_on": date(1942, 7, 13)}
    ]
    assert len(errors) == 1
    luke.born_on = BORN
    assert luke.born_on == BORN


def test_a_conversion_has_to_give_the_declared_type(store: Backend) -> None:
    make_record("Aged", {"years": int}).create("a", years=3)
    after = make_record("Aged", {"age": Annotated[int, formerly("years", int, str)]})
    with pytest.raises(DecodeError, match=r"field 'age'.*its conversion returns a value that cannot be stored: .*int"):
        _ = after.load("a")["age"]


def test_a_former_value_of_another_type_is_no_value(store: Backend) -> None:
    make_record("Aged", {"years": str}).create("a", years="three")
    after = make_record("Aged", {"age": Annotated[int, formerly("years")]})
    with pytest.raises(DecodeError, match="'Aged:a'") as caught:
        _ = after.load("a")["age"]
    assert "three" not in str(caught.value)


def test_a_field_that_was_a_child_under_its_former_name_does_not_read_as_unset(store: Backend) -> None:
    before = make_record("Shelf", {"books": PersistentList[str], "room": str})
    shelf = before.create("a", room="hall")
    shelf["books"].append("Dune")
    after = make_record("Shelf", {"titles": Annotated[list[str], formerly("books")], "room": str})
    for read in (lambda: after.load("a")["titles"], after.load("a").to_dict, lambda: list(after.all().fetch("titles"))):
        with pytest.raises(SchemaChangedError, match="'titles' is declared as a field, and 'Shelf:a' stores it as a"):
            read()


def test_a_password_may_be_renamed(store: Backend) -> None:
    make_record("Login", {"pw": Password}).create("a", pw="TheForce")
    after: Any = make_record("Login", {"password": Annotated[Password, formerly("pw")]})
    assert after.load("a").password.verify("TheForce")
    after.load("a").password = "other"
    assert fields(store, "Login:a") == {"password"}


def test_a_reference_may_be_renamed_and_converted(store: Backend, luke: Citizen) -> None:
    make_record("Letter", {"to": OldCitizen, "about": str}).create("a", to=OldCitizen.ref("luke"), about="luke")
    after: Any = make_record(
        "Letter",
        {
            "receiver": Annotated[Citizen, formerly("to")],
            "subject": Annotated[Citizen, formerly("about", str, Citizen.ref)],
        },
    )
    assert after.load("a").receiver == after.load("a").subject == luke
    assert next(after.all().fetch("receiver.name", "subject.height_cm")) == {
        "receiver.name": "Luke",
        "subject.height_cm": 175,
    }


class TestRefused:
    @pytest.mark.parametrize(
        "declared",
        [
            {"a": Annotated[str, formerly("b")], "b": str},
            {"a": Annotated[str, formerly("a")]},
            {"a": Annotated[str, formerly("x")], "b": Annotated[str, formerly("x")]},
            {"a": Annotated[str, formerly("x"), formerly("x")]},
            {"a": Annotated[str, formerly("x")], "b": Annotated[str, stored_as("x")]},
            {"a": Annotated[str, formerly("x")], "x": PersistentList[str]},
        ],
    )
    def test_a_former_name_is_no_field_and_of_one_field(self, declared: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match=r"Refused: formerly.* names a field, or another field's former"):
            make_record("Refused", declared)

    def test_children_are_no_fields(self) -> None:
        for kind in (
            Annotated[PersistentList[str], formerly("x")],
            Annotated[list[str], formerly("x", PersistentList[str], list)],
        ):
            with pytest.raises(TypeError, match=r"field 'a' of Refused: .*stored_as\('x'\)"):
                make_record("Refused", {"a": kind})

    def test_a_password_is_not_converted(self) -> None:
        for mark in (formerly("x", str, str), formerly("x", str.lower)):
            with pytest.raises(TypeError, match=r"a password can be renamed but not converted; write formerly\('x'\)"):
                make_record("Refused", {"a": Annotated[Password, mark]})
        with pytest.raises(TypeError, match="a password can be renamed"):
            make_record("Refused", {"a": Annotated[str, formerly("x", Password, str)]})

    def test_a_mark_of_a_part_of_an_annotation_is_not_passed_over(self) -> None:
        for kind in (Annotated[str, formerly("x")] | None, list[Annotated[str, formerly("x")]]):
            with pytest.raises(TypeError, match=r"field 'a' of Refused: formerly\('x'\) marks a part of an annotation"):
                make_record("Refused", {"a": kind})

    def test_a_former_type_has_to_be_one_that_can_be_stored(self) -> None:
        with pytest.raises(TypeError, match="field 'x' of Refused"):
            make_record("Refused", {"a": Annotated[str, formerly("x", object(), str)]})


class TestFinding:
    @pytest.fixture
    def store(self, either_store: Backend) -> Backend:
        return either_store

    def declare(self) -> tuple[Any, Any]:
        before = make_record("Pupil", {"mail": Annotated[str, unique], "years": Annotated[str, indexed], "room": int})
        before.create("a", mail="A@X", years="7", room=1)
        before.create("b", mail="B@X", years="9", room=2)
        after = make_record(
            "Pupil",
            {
                "email": Annotated[str, unique, formerly("mail", str.lower)],
                "age": Annotated[int, indexed, formerly("years", str, int)],
                "room": int,
            },
            indexes=[("room", "age")],
        )
        return before, after

    def build(self, cls: Any, store: Backend) -> None:
        if store.indexing == "indexes":
            with pytest.raises(SchemaChangedError, match="reindex"):
                cls.create("c", email="c@x", age=1, room=1)
        assert cls.reindex() == 2

    def test_records_are_found_by_the_converted_value(self, store: Backend) -> None:
        _, after = self.declare()
        if store.indexing == "indexes":
            with pytest.warns(SlowHabitWarning, match="is not built"):
                assert after.find(email="a@x").one().id == "a"
        self.build(after, store)
        assert after.find(email="a@x").one().id == "a"
        assert after.find(email="A@X").first() is None
        assert [pupil.id for pupil in after.find(age=at_least(8))] == ["b"]
        assert list(after.find(room=1).order_by("age").fetch("email", "age")) == [{"email": "a@x", "age": 7}]
        assert after.find(age=at_least(0)).count() == 2
        assert after.find(room=2).scan().order_by("age").one().id == "b"

    def test_unique_values_are_the_converted_ones(self, store: Backend) -> None:
        _, after = self.declare()
        if store.indexing == "indexes":
            self.build(after, store)
        writes: list[Callable[[], object]] = [
            lambda: after.create("c", email="b@x", age=1, room=1),
            lambda: after.load("a").update(email="b@x"),
            lambda: after.load("a").update_if({"room": 1}, email="b@x"),
            lambda: after.upsert("d", email="b@x"),
        ]
        for write in writes:
            with pytest.raises(NotUnique, match=r"its email is that of 'Pupil:b'"):
                write()
        assert not after.load("a").update_if({"room": 7}, email="b@x"), "the condition comes first"
        first = "exists already" if store.several_roots else "its email"  # on a cluster, the claim comes first
        with pytest.raises(ObjectExists, match=f"'Pupil:a'.* {first}"):
            after.create("a", email="b@x", age=1, room=1)
        after.load("b").email = "free@x"
        after.load("a").update(email="b@x", age=8)
        assert after.find(email="b@x").one().id == "a"
        assert after.find(email="a@x").first() is None

    def test_writes_keep_the_entries(self, store: Backend) -> None:
        _, after = self.declare()
        self.build(after, store)
        pupil = after.load("a")
        pupil.room = 2
        assert pupil.increment("age") == 8
        assert [row["age"] for row in after.find(room=2).order_by("age").fetch("age")] == [8, 9]
        pupil.delete()
        assert [pupil.id for pupil in after.find(room=2)] == ["b"]

    def test_what_old_code_has_written_since_is_not_found_by_the_value_before(self, store: Backend) -> None:
        _, after = self.declare()
        self.build(after, store)
        after.load("a").age = 12
        before = make_record("Pupil", {"mail": str, "years": str, "room": int})
        before.load("a")["years"] = "99"
        assert after.load("a")["age"] == 99
        assert list(after.find(age=12)) == []
        assert after.find(age=12).count() == 0

    def test_a_transaction_finds_former_unique_values(self, store: Backend) -> None:
        if not store.several_roots:
            pytest.skip("no transaction finds records there")
        _, after = self.declare()
        if store.indexing == "indexes":
            self.build(after, store)
        with transaction():
            pupil = after.find(email="a@x").one()
            assert after.find(email="c@x").first() is None
            pupil.room = 5
        assert after.load("a")["room"] == 5
        with transaction():  # what counts is the state at the commit
            one, other = after.load("a"), after.load("b")
            one.email = "z@x"
            other.email = "a@x"
            assert after.find(email="a@x").one() == other
        assert [pupil["email"] for pupil in map(after.load, "ab")] == ["z@x", "a@x"]
        with pytest.raises(NotUnique), transaction():
            after.create("c", email="z@x", age=1, room=1)

    def test_references_that_were_renamed_keep_a_record(self, store: Backend) -> None:
        owner = make_record("Owner", {"name": str})
        before = make_record("Dog", {"master": Annotated[owner, indexed]})
        before.create("rex", master=owner.create("o", name="x"))
        after = make_record("Dog", {"owner": Annotated[owner, on_delete("cascade"), formerly("master")]})
        after.reindex()
        assert owner.load("o").delete()
        assert list(after.all()) == []


def test_transactions_read_and_write_former_fields(luke: Citizen, store: Backend) -> None:
    with transaction():
        assert luke.to_dict() == NOW
        luke.seen += 1
        luke.name = "L"
        assert (luke.seen, luke.name, luke.height_cm) == (4, "L", 175)
    assert luke.to_dict() == NOW | {"seen": 4, "name": "L"}
    assert fields(store) & FORMER == {"born", "height_m", "tags", "note"}

    def copy_name() -> None:
        with transaction():
            luke.note = luke.name
            store.mapping(Key("Citizen:luke")).set_many({"fullname": store_form(store, "Leia")})

    with pytest.raises(ConflictError):
        copy_name()
    assert (luke.name, luke.note) == ("Leia", "-")


def store_form(store: Backend, text: str) -> bytes:
    return b'"%s"' % text.encode() if store.medium == "json" else text.encode()


def test_a_copy_to_a_store_of_another_medium_keeps_them(luke: Citizen, store: Backend, tmp_path: Any) -> None:
    with connect("memory:") as target, connect(f"json:{tmp_path}/copy?fsync=off") as back:
        assert copy(store, target).copied == 1
        assert Citizen.load("luke", backend=target).to_dict() == NOW
        assert copy(target, back).copied == 1
        assert Citizen.load("luke", backend=back).to_dict() == NOW
        assert OldCitizen.load("luke", backend=back).fullname == "Luke"


def test_inherited_fields_are_former_too(store: Backend) -> None:
    class OldBase(Record, abstract=True):
        a: str = ""

    class OldThing(OldBase, name="Thing7"):
        pass

    OldThing.create("x", a="text")

    class Base(Record, abstract=True):
        b: Annotated[str, formerly("a")] = ""

    class Thing7(Base):
        tags: PersistentList[str] = child()

    assert Thing7.load("x").b == "text"
    Thing7.load("x").tags.append("t")
    assert Thing7.load("x").tags == ["t"]


class Plain(Record, name="Trip"):
    a: str = ""
    n: int = 0


class Former(Record, name="Trip"):
    b: Annotated[str, formerly("a")] = ""
    n: int = 0


TRIPS: dict[str, tuple[Callable[[Any], object], int, int]] = {
    "read": (lambda trip: trip.b, 1, 1),
    "to_dict": (lambda trip: trip.to_dict(), 1, 1),
    "fetch": (lambda trip: list(fetch([trip], "b", "n")), 1, 1),
    "write": (lambda trip: setattr(trip, "b", "y"), 1, 1),
    "update": (lambda trip: trip.update(b="y", n=2), 1, 1),
    "upsert": (lambda trip: Former.upsert("x", b="y", backend=trip.__pc__.choice), 1, 1),
    "update_if": (lambda trip: trip.update_if({"b": "x"}, n=2), 1, 3),
    "delete_if": (lambda trip: trip.delete_if({"b": "x"}), 1, 3),
    "change": (lambda trip: trip.change("b", str.upper), 2, 4),
}


def test_round_trips_of_an_indexed_field(server: RunningServer) -> None:
    with counted(server.port) as proxy, use_backend(f"redis://127.0.0.1:{proxy.port}/0"):
        before = make_record("Trips", {"mail": str, "n": int})
        after = make_record("Trips", {"email": Annotated[str, indexed, formerly("mail")], "n": int})
        before.create("x", mail="a", n=1)
        after.reindex()
        before.load("x")["mail"] = "b"
        trip = after.load("x")
        for expected in (5, 1):
            proxy.reset()
            assert trip.update_if({"email": "b"}, n=2)
            assert proxy.trips == expected
        assert after.find(email="b").one() == trip


@pytest.mark.parametrize("name", TRIPS)
def test_round_trips(server: RunningServer, name: str) -> None:
    make, stored, former = TRIPS[name]
    with counted(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}/0") as backend:
        Plain.create("x", a="x", n=1, backend=backend)
        for expected in (former, stored):
            trip = Former.load("x", backend=backend)
            proxy.reset()
            make(trip)
            assert proxy.trips == expected
            if name == "delete_if":
                Former.create("x", b="x", backend=backend)
            elif expected == former:
                trip.update(b="x")

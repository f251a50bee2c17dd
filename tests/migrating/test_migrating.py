"""``migrate``: values stored as their classes declare them now."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, TypeVar, cast

import pytest

from persistent_collections import (
    Backend,
    DecodeError,
    Migrated,
    NotUnique,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    SchemaChangedError,
    TransactionError,
    child,
    codec,
    configure,
    connect,
    formerly,
    indexed,
    make_record,
    migrate,
    transaction,
    unique,
)
from persistent_collections import field as declared
from persistent_collections.backends import MEMBERS, Operation, Shape, WrappedBackend
from persistent_collections.backends.keys import Key
from persistent_collections.migrating import moves
from tests.proxy import counted
from tests.servers import RunningServer

R = TypeVar("R")


@dataclass(frozen=True)
class OldLine:
    what: str
    price: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Line:
    title: Annotated[str, formerly("what")]
    cents: Annotated[int, formerly("price", float, lambda price: round(price * 100))] = 0


class OldBill(Record, name="Docket"):
    customer: str = ""
    placed: str = ""
    first: OldLine | None = None
    others: list[OldLine] = []  # noqa: RUF012 - a default is made anew for each object
    by_name: dict[str, OldLine] = {}  # noqa: RUF012 - as above
    lines: PersistentList[OldLine] = child()
    index: PersistentDict[str, OldLine] = child()
    seen: PersistentSet[str] = child()
    plain: PersistentList[str] = child()


class Docket(Record):
    buyer: Annotated[str, formerly("customer")] = ""
    placed_on: Annotated[date | None, formerly("placed", str, lambda text: date.fromisoformat(text) if text else None)]
    first: Line | None = None
    others: list[Line] = []  # noqa: RUF012 - as above
    by_name: dict[str, Line] = {}  # noqa: RUF012 - as above
    lines: PersistentList[Line] = child()
    index: PersistentDict[str, Line] = child()
    seen: PersistentSet[str] = child()
    plain: PersistentList[str] = child()
    token: str = declared(default_factory=lambda: "made")


OLD, NEW = OldLine("a", 1.5, "kept"), Line("a", 150)


def fill_in(number: int) -> None:
    bill = OldBill.create(
        number, customer=f"c{number}", placed="2001-02-03", first=OLD, others=[OLD, OldLine("b")], by_name={"k": OLD}
    )
    bill.lines.extend([OLD, OldLine("b"), OLD])
    bill.index.update(k=OLD, m=OldLine("b"))
    bill.seen.add("s")
    bill.plain.append("x")


def content(store: Backend) -> dict[str, Any]:
    keys = sorted(store.keys("Docket:"), key=str)
    return {str(key): entry.content for key in keys for entry in store.snapshot([key]) if entry}


def test_everything_is_stored_as_it_is_declared(store: Backend) -> None:
    for number in range(3):
        fill_in(number)
    Docket.create("new", first=NEW)
    before = content(store)
    seen: list[tuple[int, str]] = []
    assert migrate(Docket, dry_run=True) == Migrated(examined=10, changed=9)
    assert content(store) == before
    assert migrate(Docket, progress=lambda done, key: seen.append((done, key))) == Migrated(examined=10, changed=9)
    assert [done for done, _ in seen] == [*range(1, 11)]
    assert {key for _, key in seen} == {key for key in before if not key.endswith(("plain", "seen"))}
    stored = store.mapping(Key("Docket:1")).get_all()
    assert {*stored} == {"buyer", "placed_on", "first", "others", "by_name"}
    for name in ("what", "price", "note"):
        assert not any(f'"{name}"' in str(value) for value in content(store).values())
    bill = Docket.load("1")
    assert (bill.buyer, bill.placed_on, bill.first) == ("c1", date(2001, 2, 3), NEW)
    assert (bill.others, bill.by_name) == ([NEW, Line("b")], {"k": NEW})
    assert (bill.lines[:], bill.index.copy()) == ([NEW, Line("b"), NEW], {"k": NEW, "m": Line("b")})
    assert (bill.plain[:], bill.seen.copy()) == (["x"], {"s"})
    assert bill.token == ""
    after = content(store)
    assert migrate(Docket) == Migrated(examined=10)
    assert content(store) == after


def test_a_removed_field_stays_in_a_value_that_needs_no_change(store: Backend) -> None:
    before = make_record("Kept", {"line": OldLine, "n": int})
    before.create("a", line=OldLine("x", note="precious"), n=1)
    reduced = make_dataclass_without_note()
    after = make_record("Kept", {"line": reduced, "m": Annotated[int, formerly("n")]})
    assert migrate(after).changed == 1
    assert before.load("a")["line"].note == "precious"


def make_dataclass_without_note() -> Any:
    @dataclass(frozen=True)
    class Reduced:
        what: str
        price: float = 0.0

    return Reduced


def test_defaults_are_filled_in_if_asked(store: Backend) -> None:
    OldBill.create("a")
    assert migrate(Docket, fill=True).changed == 1
    assert Docket.load("a").token == "made"
    store.mapping(Key("Docket:a")).set_many({"token": None})
    assert migrate(Docket).changed == 0
    assert Docket.load("a").token == ""


def test_collections_are_given_as_they_are(store: Backend) -> None:
    olds, news = PersistentDict[str, OldLine]("lines"), PersistentDict[str, Line]("lines")
    others = PersistentDict[str, OldLine]("others")
    olds["a"] = others["a"] = OLD
    assert migrate(news) == Migrated(examined=1, changed=1)
    assert news.copy() == {"a": NEW}
    assert others["a"] == OLD
    assert migrate(PersistentList[str]("names")) == Migrated()
    with pytest.raises(TypeError, match="cannot know which objects of PersistentDict hold values of one type"):
        migrate(PersistentDict[str, Line])
    with pytest.raises(TypeError, match="takes classes, and dicts, lists and sets, not a str"):
        migrate("Docket")  # type: ignore[arg-type]


def test_all_objects_of_a_class_of_collections_are_migrated(store: Backend) -> None:
    class OldLines(PersistentList[OldLine], name="Lines"):
        pass

    class Lines(PersistentList[Line]):
        pass

    for name in "ab":
        OldLines(name, [OLD])
    assert migrate(Lines) == Migrated(examined=2, changed=2)
    assert [Lines(name)[:] for name in "ab"] == [[NEW], [NEW]]


def test_what_cannot_be_converted_is_reported_and_stays(store: Backend) -> None:
    OldBill.create("good", placed="2001-02-03")
    OldBill.create("bad", placed="sesame").lines.append(OLD)
    before = store.mapping(Key("Docket:bad")).get_all()
    message = (
        "field 'placed_on', stored under its former name 'placed', of 'Docket:bad'.*: its conversion raises ValueEr"
    )
    with pytest.raises(DecodeError, match=message):
        migrate(Docket)
    errors: list[Exception] = []
    result = migrate(Docket, on_error=errors.append)
    assert (result.examined, result.unread, result.left) == (3, 1, 0)
    assert [type(error) for error in errors] == [DecodeError]
    assert "sesame" not in str(errors[0])
    assert store.mapping(Key("Docket:bad")).get_all() == before
    assert Docket.load("good").placed_on == date(2001, 2, 3)
    Docket.load("bad").placed_on = None
    assert migrate(Docket).changed == 1


def test_an_item_that_cannot_be_read_is_named(store: Backend) -> None:
    PersistentList[Any]("lines", [{"what": "a"}, {"what": 7}])
    with pytest.raises(DecodeError, match=r"item 1 of 'PersistentList:lines'"):
        migrate(PersistentList[Line]("lines"))
    PersistentDict[str, Any]("lines", {"k": {"what": 7}})
    with pytest.raises(DecodeError, match=r"key 'k' of 'PersistentDict:lines'"):
        migrate(PersistentDict[str, Line]("lines"))


class TestMoves:
    def older(self) -> Any:
        return make_record(
            "Shelf",
            {"name": str, "tags": list[str], "prices": dict[str, int], "owners": set[int], "rows": tuple[int, ...]},
            defaults={"prices": {}, "owners": set(), "rows": ()},
        )

    def newer(self) -> Any:
        kinds = {"tags": PersistentList[str], "prices": PersistentDict[str, int], "owners": PersistentSet[int]}
        return make_record("Shelf", {"name": str, **kinds, "rows": PersistentList[int]})

    def values(self, shelf: Any) -> list[Any]:
        return [
            shelf["tags"][:],
            dict(shelf["prices"].items()),
            set(shelf["owners"]),
            tuple(shelf["rows"]),
        ]

    def test_fields_become_children_and_children_fields(self, store: Backend) -> None:
        values: dict[str, Any] = {"tags": ["a", "b"], "prices": {"x": 1}, "owners": {1, 2}, "rows": (3, 4)}
        older, newer = self.older(), self.newer()
        older.create("a", name="hall", **values).expire(600)
        with pytest.raises(SchemaChangedError, match=r"or move its data by migrate\(Shelf\)"):
            newer.load("a")["tags"][:]
        assert migrate(newer) == Migrated(examined=1, changed=1)
        assert self.values(newer.load("a")) == [*values.values()]
        assert {*store.mapping(Key("Shelf:a")).get_all()} == {"name"}
        assert {found.ttl_s is not None for found in store.look([*store.keys("Shelf:")]) if found} == {True}
        newer.load("a")["tags"].append("c")
        with pytest.raises(SchemaChangedError, match=r"or move its data by migrate\(Shelf\)"):
            older.load("a")["tags"]
        assert migrate(older) == Migrated(examined=5, changed=4)
        assert self.values(older.load("a")) == [["a", "b", "c"], *[*values.values()][1:]]
        assert [*store.keys("Shelf:")] == [Key("Shelf:a")]

    def test_empty_values_leave_no_child(self, store: Backend) -> None:
        self.older().create("a", name="hall", tags=[])
        assert migrate(self.newer()).changed == 1
        assert self.newer().load("a")["tags"] == []
        assert [*store.keys("Shelf:")] == [Key("Shelf:a")]

    @pytest.mark.parametrize("declared", [list[str] | None, Annotated[list[str] | None, "a mark"]])
    def test_a_child_moves_into_a_field_that_may_be_none(self, store: Backend, declared: Any) -> None:
        make_record("Shelf", {"tags": PersistentList[str]}).create("a", tags=["x"])
        later = make_record("Shelf", {"tags": declared})
        assert migrate(later).changed == 1
        assert later.load("a")["tags"] == ["x"]

    def test_codecs_of_the_class_are_used(self, store: Backend) -> None:
        older = make_record("Shelf", {"tags": Annotated[list[str], codec("msgpack")]})
        newer = make_record("Shelf", {"tags": Annotated[PersistentList[str], codec("msgpack")]})
        older.create("a", tags=["x"])
        assert migrate(newer).changed == 1
        assert newer.load("a")["tags"] == ["x"]
        assert migrate(older).changed == 1
        assert older.load("a")["tags"] == ["x"]

    def test_references_move_along(self, store: Backend) -> None:
        friend = make_record("Friend", {"name": str})
        older = make_record("Shelf", {"friends": list[friend]})  # type: ignore[valid-type]
        newer = make_record("Shelf", {"friends": PersistentList[friend]})  # type: ignore[valid-type]
        older.create("a", friends=[friend.create("f", name="x")])
        assert migrate(newer).changed == 1
        assert newer.load("a")["friends"] == [friend.ref("f")]
        assert migrate(older).changed == 1
        assert older.load("a")["friends"] == [friend.ref("f")]

    def test_a_value_that_no_child_can_hold_is_named(self, store: Backend) -> None:
        make_record("Shelf", {"tags": str}).create("a", tags="x,y")
        with pytest.raises(DecodeError, match="field 'tags' of 'Shelf:a'"):
            migrate(make_record("Shelf", {"tags": PersistentList[str]}))

    def test_a_field_that_holds_no_collection_is_named(self, store: Backend) -> None:
        newer = make_record("Shelf", {"name": str, "tags": PersistentList[str]})
        newer.create("a", name="x", tags=["y"])
        with pytest.raises(SchemaChangedError, match="'tags' is declared as a field that holds no list, dict or set"):
            migrate(make_record("Shelf", {"name": str, "tags": str}))
        with pytest.raises(SchemaChangedError, match="holds a list, and the field that it has become holds a dict"):
            migrate(make_record("Shelf", {"name": str, "tags": dict[str, str]}))

    def test_both_are_never_merged(self, store: Backend) -> None:
        older = make_record("Shelf", {"name": str, "tags": list[str]})
        newer = make_record("Shelf", {"name": str, "tags": PersistentList[str]})
        newer.create("a", name="x", tags=["y"])
        older.load("a")["tags"] = ["z"]
        for cls in (newer, older):
            with pytest.raises(
                SchemaChangedError, match="stores 'tags' both as a field and as a child collection; del"
            ):
                migrate(cls)
            with pytest.raises(SchemaChangedError, match="stores 'tags' both"):
                migrate(cls, dry_run=True)
        assert newer.load("a")["tags"] == ["y"]

    @pytest.mark.parametrize("kept", ["field", "child"])
    def test_of_both_the_one_that_is_out_of_date_is_deleted_as_the_error_says(self, store: Backend, kept: str) -> None:
        older = make_record("Shelf", {"name": str, "tags": list[str]})
        newer = make_record("Shelf", {"name": str, "tags": PersistentList[str]})
        for cls in (newer, older):
            newer.create("a", name="x", tags=["y"])
            older.load("a")["tags"] = ["z"]
            with pytest.raises(SchemaChangedError, match=r"record\['tags'\]\.delete\(\) .*, or del record\['tags'\] "):
                migrate(cls)
            if kept == "field":
                newer.load("a")["tags"].delete()
            else:
                del older.load("a")["tags"]
            migrate(cls)
            assert list(cls.load("a")["tags"]) == (["z"] if kept == "field" else ["y"])
            assert cls.load("a").delete()

    @pytest.mark.parametrize("name", ["books", "titles"])
    def test_no_default_hides_a_child_that_becomes_a_field(self, store: Backend, name: str) -> None:
        older = make_record("Shelf", {"name": str, "books": PersistentList[str]})
        older.create("a", name="x", books=["y"])
        older.create("b", name="x")
        fields = {"name": str, name: list[str] if name == "books" else Annotated[list[str], formerly("books")]}
        newer = make_record("Shelf", {**fields, "free": bool}, defaults={name: ["none"], "free": True})
        assert migrate(newer, fill=True, dry_run=True) == Migrated(examined=3, changed=3)
        assert migrate(newer, fill=True) == Migrated(examined=3, changed=3)
        assert newer.load("a").to_dict() == {"name": "x", name: ["y"], "free": True}
        assert newer.load("b").to_dict() == {"name": "x", name: ["none"], "free": True}

    def test_no_default_hides_a_child_that_no_field_can_hold(self, store: Backend) -> None:
        make_record("Shelf", {"name": str, "books": PersistentList[str]}).create("a", name="x", books=["y"])
        newer = make_record("Shelf", {"name": str, "books": str, "free": bool}, defaults={"books": "?", "free": True})
        errors: list[Exception] = []
        assert migrate(newer, fill=True, on_error=errors.append) == Migrated(examined=2, changed=1, unread=1)
        assert "declared as a field that holds no list, dict or set" in str(errors[0])
        with pytest.raises(SchemaChangedError, match="'books' is declared as a field"):
            newer.load("a")["books"]

    def test_no_default_hides_a_child_that_is_made_meanwhile(
        self, store: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        older = make_record("Shelf", {"name": str, "books": PersistentList[str]})
        newer = make_record("Shelf", {"name": str, "books": list[str]}, defaults={"books": ["none"]})
        older.create("a", name="x")
        commit = type(store).commit

        def late(self: Backend, *step: Any) -> bool:
            older.load("a")["books"].append("y")
            monkeypatch.undo()
            return commit(self, *step)

        monkeypatch.setattr(type(store), "commit", late)
        migrate(newer, fill=True)
        migrate(newer, fill=True)
        assert newer.load("a")["books"] == ["y"]

    def test_the_error_names_the_class_as_code_does(self, store: Backend) -> None:
        class OldHall(Record, name="Atrium"):
            guests: list[str] = []  # noqa: RUF012 - a default is made anew for each object

        class Hall(Record, name="Atrium"):
            guests: PersistentList[str] = child()

        OldHall.create("a", guests=["x"])
        with pytest.raises(SchemaChangedError, match=r"by migrate\(Hall\)$"):
            Hall.load("a").guests.append("y")
        with pytest.raises(SchemaChangedError, match=r"by migrate\(Hall\)$"):
            Hall.load("a").update(guests=["y"])

    def test_a_child_becomes_a_field_of_another_name(self, store: Backend) -> None:
        make_record("Shelf", {"name": str, "books": PersistentList[str]}).create("a", name="x", books=["y"])
        titles = Annotated[list[str], formerly("books")]
        after = make_record("Shelf", {"name": str, "titles": titles})
        assert migrate(after).changed == 1
        assert after.load("a")["titles"] == ["y"]
        make_record("Shelf", {"name": str, "books": PersistentList[str]}).create("b", name="x", books=["y"])
        counted = make_record("Shelf", {"name": str, "number": Annotated[int, formerly("books", list[str], len)]})
        assert migrate(counted).changed == 1
        assert counted.load("b")["number"] == 1


class TestIndexes:
    @pytest.fixture
    def store(self, store: Backend) -> Backend:
        return store

    def declare(self) -> tuple[Any, Any]:
        before = make_record("Pupil", {"mail": str, "years": str, "room": int})
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

    def test_entries_are_of_what_is_stored(self, store: Backend) -> None:
        before, after = self.declare()
        before.create("a", mail="A@X", years="7", room=1)
        before.create("b", mail="B@X", years="9", room=1)
        assert migrate(after) == Migrated(examined=2, changed=2)
        after.reindex()
        before.load("a")["years"] = "30"
        before.load("b")["mail"] = "C@X"
        assert migrate(after) == Migrated(examined=2, changed=2)
        assert [pupil.id for pupil in after.find(age=30)] == ["a"]
        assert [pupil.id for pupil in after.find(room=1).order_by("-age")] == ["a", "b"]
        assert after.find(email="c@x").one().id == "b"
        assert after.find(age=7).first() is None

    @pytest.mark.parametrize("store_kind", ["sqlite", "server", "cluster"])
    def test_a_value_that_another_record_has_is_reported(self, store: Backend) -> None:
        before, after = self.declare()
        for name, mail in (("a", "A@X"), ("b", "b@x"), ("c", "c@x")):
            before.create(name, mail=mail, years="7", room=1)
        migrate(after)
        after.reindex()
        before.load("c")["mail"] = "B@X"
        before.load("a")["mail"] = "D@X"
        errors: list[Exception] = []
        result = migrate(after, on_error=errors.append)
        assert (result.changed, result.unread) == (1, 1)
        assert isinstance(errors[0], NotUnique)
        assert after.find(email="d@x").one().id == "a"


WRITES: dict[str, Callable[[], object]] = {
    "write": lambda: setattr(OldBill.load("1"), "customer", "later"),
    "delete": lambda: OldBill.load("1").delete(),
    "new code": lambda: setattr(Docket.load("1"), "buyer", "later"),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_is_written_meanwhile_is_not_lost(store: Backend, write: str, monkeypatch: pytest.MonkeyPatch) -> None:
    OldBill.create("1", customer="first")
    commit, written = type(store).commit, list[str]()

    def late(self: Any, conditions: Any, changes: Any) -> bool:
        if not written:
            written.append(write)
            WRITES[write]()
        return bool(commit(self, conditions, changes))

    monkeypatch.setattr(type(store), "commit", late)
    result = migrate(Docket)
    assert result.left == 0
    if write == "delete":
        assert not Docket.ref("1")
        assert [*store.keys("Docket:")] == []
    else:
        assert Docket.load("1").buyer == "later"
        assert "customer" not in store.mapping(Key("Docket:1")).get_all()


@pytest.mark.parametrize("store_kind", ["server", "fakeredis", "cluster"])
def test_a_child_that_is_left_over_is_no_reason_to_run_again(store: Backend) -> None:
    fill_in(1)
    make_record("Docket", {"customer": str}).load("1").delete()
    assert migrate(Docket) == Migrated(examined=2)


def test_what_old_code_writes_behind_it_is_left(store: Backend) -> None:
    OldBill.create("1", customer="first")

    def write(done: int, key: str) -> None:
        OldBill.load("1").customer = "later"

    assert migrate(Docket, progress=write) == Migrated(examined=1, changed=1, left=1)
    assert migrate(Docket) == Migrated(examined=1, changed=1)
    assert Docket.load("1").buyer == "later"


def test_no_transaction_can_list_what_is_to_be_migrated(store: Backend) -> None:
    OldBill.create("1", customer="first")
    with pytest.raises(TransactionError, match="a transaction cannot list the objects of 'Docket'"), transaction():
        migrate(Docket)
    assert OldBill.load("1").customer == "first"


def test_all_classes_of_users_are_the_default(store: Backend) -> None:
    class Incomplete(Record):
        other: Missing  # type: ignore[name-defined]  # noqa: F821

    configure({"backends": {"default": store, "sessions": store}})  # which a class of another module of tests names
    gc.collect()  # classes of tests that have ended, and whose stores are gone
    fill_in(1)
    assert migrate().changed == 3
    assert Docket.load("1").buyer == "c1"


@pytest.mark.slow
def test_many_records_take_many_pages(store: Backend) -> None:
    for number in range(1005):
        OldBill.create(number, customer=f"c{number}")
    assert migrate(Docket) == Migrated(examined=1005, changed=1005)
    assert [Docket.load(n).buyer for n in (0, 999, 1004)] == ["c0", "c999", "c1004"]


def test_round_trips(server: RunningServer) -> None:
    with counted(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}/0") as backend:
        for number in range(10):
            OldBill.create(number, customer="x", backend=backend)
        listing_and_reading = 2
        for records, expected in ((10, 2 * listing_and_reading + 2), (0, listing_and_reading)):
            proxy.reset()
            assert migrate(Docket, backend=backend).changed == records
            assert proxy.trips <= expected, "of a batch, a part may be sent after the first replies"


class Listening(WrappedBackend):
    """Notes the name of each operation of the store."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.names = list[str]()

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        self.names.append(operation.name)
        return call()


def test_children_are_looked_for_only_where_they_matter(store: Backend) -> None:
    older = make_record("Basket", {"name": str, "contents": list[int]})
    newer = make_record("Basket", {"name": str, "contents": PersistentList[int]})
    newer.create("a", name="a", contents=[1], backend=store)
    listening = Listening(store)
    assert migrate(newer, backend=listening).changed == 0
    assert listening.names.count("get_many") == 1
    assert not {"look", "examine"} & {*listening.names}
    older.create("b", name="b", contents=[2], backend=store)
    assert migrate(newer, backend=listening).changed == 1
    assert "look" in listening.names
    assert list(newer.load("b", backend=store)["contents"]) == [2]


class Board(Record):
    scores: PersistentSet[str] = child()


def test_a_field_of_a_shape_that_no_field_holds_is_refused(store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(cast("dict[Shape, Any]", moves._PLAIN), MEMBERS)
    store.mapping(Key("Board:b")).set_many({"scores": b'["a"]'})
    with pytest.raises(SchemaChangedError, match="'scores' is declared as a set, and 'Board:b' stores it as a field"):
        migrate(Board)
    assert store.mapping(Key("Board:b")).get("scores") == b'["a"]'

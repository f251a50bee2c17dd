"""``find``: records by what is in their fields, in order, a page at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

import pytest
from cryptography.fernet import Fernet

from persistent_collections import (
    Backend,
    DecodeError,
    EncodeError,
    NoIndexError,
    NotUnique,
    ObjectNotFound,
    PageTokenError,
    Password,
    PersistentList,
    Record,
    UnknownFieldError,
    at_least,
    between,
    child,
    codec,
    configure,
    connect,
    fetch,
    get_codec,
    indexed,
    less_than,
    make_record,
    on_delete,
    one_of,
    starts_with,
    stored_as,
    unique,
)
from persistent_collections.backends.keys import Key
from persistent_collections.codecs import Encrypted
from tests.testing.indexed import IndexedMemory


class Status(StrEnum):
    OPEN = "open"
    PAID = "paid"


class Buyer(Record):
    email: Annotated[str, unique, stored_as("mail")]
    name: str = ""
    nick: Annotated[str | None, unique]
    joined: Annotated[datetime | None, indexed]


class Purchase(Record, indexes=[("buyer", "placed")], unique=[("buyer", "number")]):
    buyer: Buyer
    placed: int = 0
    number: int = 0
    status: Annotated[Status, indexed] = Status.OPEN
    price: Annotated[Decimal, indexed] = Decimal(0)
    note: str = ""
    lines: PersistentList[str] = child()


KINDS = {"entries": IndexedMemory, "reads all": lambda: connect("memory:")}


@pytest.fixture(params=[*KINDS, "chosen"])
def store(request: pytest.FixtureRequest, store_kind: str, backend: Backend) -> Iterator[Backend]:
    """Give a store that keeps entries, one that reads all, and those that were chosen."""
    if request.param != "chosen" and store_kind != "json":
        pytest.skip("once is enough")
    made = backend if request.param == "chosen" else KINDS[request.param]()
    configure({"backends": {"default": made}})
    yield made
    configure({})


def ids(found: Any) -> list[str]:
    return [each.id for each in found]


@pytest.fixture
def purchases(store: Backend) -> None:
    luke = Buyer.create("luke", email="luke@example.com")
    leia = Buyer.create("leia", email="leia@example.com")
    for number, (buyer, placed, status) in enumerate(
        [(luke, 3, Status.OPEN), (luke, 1, Status.PAID), (leia, 2, Status.OPEN), (luke, 2, Status.OPEN)]
    ):
        price = Decimal("1.5") if number % 2 else Decimal("1.50")
        Purchase.create(f"p{number}", buyer=buyer, placed=placed, number=number, status=status, price=price)


@pytest.mark.usefixtures("purchases")
def test_records_are_found_by_their_values() -> None:
    luke = Buyer.ref("luke")
    assert Buyer.find(email="luke@example.com").one() == luke
    assert ids(Purchase.find(status=Status.PAID)) == ["p1"]
    assert ids(Purchase.find(buyer=luke)) == ["p0", "p1", "p3"], "in the order of the index that answers: buyer, number"
    assert ids(Purchase.find(buyer=luke, placed=at_least(2))) == ["p3", "p0"]
    assert ids(Purchase.find(buyer=luke, placed=less_than(3))) == ["p1", "p3"]
    assert ids(Purchase.find(buyer=luke, placed=between(1, 3))) == ["p1", "p3"]
    assert ids(Purchase.find(buyer=luke, placed=one_of(3, 1, 7))) == ["p1", "p0"]
    assert ids(Purchase.find(price=Decimal("1.500"))) == ["p0", "p1", "p2", "p3"], "equal Decimals have several forms"
    assert ids(Buyer.find(email=starts_with("le"))) == ["leia"]
    assert ids(Buyer.find(email=starts_with(""))) == ["leia", "luke"]
    assert ids(Purchase.find(buyer=luke, status=Status.OPEN)) == ["p0", "p3"], "filtered by the status"
    assert ids(Purchase.find(status=one_of())) == []


@pytest.mark.usefixtures("purchases")
def test_what_is_found_is_in_order() -> None:
    luke = Buyer.ref("luke")
    newest = Purchase.find(buyer=luke).order_by("-placed")
    assert ids(newest) == ["p0", "p3", "p1"]
    assert ids(newest.limit(2)) == ["p0", "p3"]
    assert ids(Purchase.find(buyer=luke).order_by("placed")) == ["p1", "p3", "p0"]
    assert ids(Purchase.find().order_by("-price")) == ["p3", "p2", "p1", "p0"], "all of the order is reversed"
    assert ids(Purchase.find().order_by("buyer", "placed")) == ["p2", "p1", "p3", "p0"]
    assert ids(Purchase.find(note="").order_by("-note", "-placed").scan()) == ["p0", "p3", "p2", "p1"]


@pytest.mark.usefixtures("purchases")
@pytest.mark.parametrize("order", ["placed", "-placed"])
def test_a_page_goes_on_where_another_ended(order: str) -> None:
    query = Purchase.find(buyer=Buyer.ref("luke")).order_by(order).limit(2)
    page = query.after(None)
    first = ids(page)
    assert page.token is not None
    Purchase.ref(first[-1]).delete()
    rest = query.after(page.token)
    found = ids(rest)
    assert first + found == (["p1", "p3", "p0"] if order == "placed" else ["p0", "p3", "p1"])
    assert rest.token is None
    assert query.after(page.token).token is None, "it reads the page"
    for wrong in ("x", "", "MQ", "AAAA"):
        with pytest.raises(PageTokenError, match="token of a page"):
            query.after(wrong)


@pytest.mark.usefixtures("purchases")
@pytest.mark.parametrize("order", [[], ["placed"], ["-placed"]])
@pytest.mark.parametrize("size", [1, 2])
def test_pages_of_one_of_several_values_have_no_others(order: list[str], size: int) -> None:
    query = Purchase.find(buyer=Buyer.ref("luke"), placed=one_of(1, 3)).order_by(*order)
    found, token = list[str](), None
    while True:
        page = query.limit(size).after(token)
        found += ids(page)
        token = page.token
        if token is None:
            break
    assert found == ids(query) == (["p0", "p1"] if order == ["-placed"] else ["p1", "p0"])
    first = query.limit(1)
    assert query.after(first.token).count() == 1


@pytest.mark.usefixtures("purchases")
@pytest.mark.parametrize(
    "other",
    [
        lambda: Purchase.find(buyer=Buyer.ref("luke")).order_by("-placed"),
        lambda: Purchase.find(buyer=Buyer.ref("luke")),
        lambda: Purchase.find(buyer=Buyer.ref("leia")).order_by("placed"),
        lambda: Purchase.find(buyer=Buyer.ref("luke"), placed=at_least(0)).order_by("placed"),
        lambda: Purchase.find(buyer=Buyer.ref("luke"), note="").order_by("placed"),
        lambda: Purchase.find().order_by("placed").scan(),
        lambda: Buyer.find(email="luke@example.com"),
    ],
)
def test_the_token_of_another_query_is_refused(other: Callable[[], Any]) -> None:
    query = Purchase.find(buyer=Buyer.ref("luke")).order_by("placed")
    page = query.limit(2)
    assert page.token
    assert ids(query.limit(5).after(page.token)) == ["p0"], "the limit may be another one"
    assert ids(Purchase.find(buyer=Buyer.ref("luke")).after(page.token).order_by("placed")) == ["p0"]
    for read in (ids, lambda found: list(found.fetch("id")), lambda found: found.count(), lambda found: found.token):
        with pytest.raises(PageTokenError, match="of another query"):
            read(other().after(page.token))


@pytest.mark.parametrize("is_secret", [True, False])
def test_no_guess_at_an_encrypted_value_can_be_checked_by_a_token(is_secret: bool) -> None:
    json = get_codec("json")
    kept = Encrypted(json, [Fernet.generate_key()]) if is_secret else json
    Sealed = make_record("Sealed", {"pin": Annotated[int, codec(kept)]}, backend="memory:sealed")  # noqa: N806
    tokens = set()
    for pin in (1, 2):
        for name in ("a", "b"):
            Sealed.upsert(name, pin=pin)
        tokens.add(Sealed.find(pin=pin).scan().limit(1).token)
    assert len(tokens) == (1 if is_secret else 2)


@pytest.mark.usefixtures("purchases")
def test_ends_of_a_query() -> None:
    luke = Buyer.ref("luke")
    found = Purchase.find(buyer=luke)
    assert (found.count(), found.limit(1).count(), found.limit(9).count(), found.limit(0).count()) == (3, 1, 3, 0)
    opened = Purchase.find(status=Status.OPEN, buyer=luke)
    assert (opened.count(), opened.limit(1).count()) == (2, 1)
    first = found.first()
    assert first is not None
    assert (first.id, bool(found), bool(Purchase.find(placed=9, buyer=luke))) == ("p0", True, False)
    assert Purchase.find(placed=9, buyer=luke).first() is None
    with pytest.raises(ValueError, match=r"at least 2 records match buyer=…; first\(\) returns any of them"):
        found.one()
    with pytest.raises(ObjectNotFound, match=r"no Buyer in .* matches email=…"):
        Buyer.find(email="han@example.com").one()
    with pytest.raises(TypeError, match=r"takes the first 20"):
        found[0]
    rows: Any = found.fetch("id")
    with pytest.raises(TypeError, match=r"list\(itertools.islice\(…, 20\)\) the first 20"):
        rows[:1]
    assert ids(deepcopy(found)) == ids(found)
    with pytest.raises(ValueError, match="limit"):
        found.limit(-1)
    assert ids(found.limit(0)) == []
    assert (found.limit(0).first(), bool(found.limit(0)), found.limit(1).one().id) == (None, False, "p0")


@pytest.mark.usefixtures("purchases")
def test_fields_are_fetched_and_references_are_followed() -> None:
    rows = list(Purchase.find(status=Status.OPEN).fetch("id", "placed", "buyer.email", "buyer.name"))
    luke = {"buyer.email": "luke@example.com", "buyer.name": ""}
    assert rows == [
        {"id": "p0", "placed": 3, **luke},
        {"id": "p2", "placed": 2, "buyer.email": "leia@example.com", "buyer.name": ""},
        {"id": "p3", "placed": 2, **luke},
    ]
    Buyer.ref("leia").delete()
    assert list(fetch([Purchase.ref("p2")], "buyer.name", "placed")) == [{"buyer.name": None, "placed": 2}]
    with pytest.raises(TypeError, match="fetch takes the names"):
        Purchase.find(status=Status.OPEN).fetch()


def test_none_and_unset_fields(store: Backend) -> None:
    day = datetime(2026, 11, 30, tzinfo=UTC)
    for number, joined in enumerate([day, None, day - timedelta(days=1)]):
        Buyer.create(f"b{number}", email=f"{number}", joined=joined)
    Buyer("b3", name="no e-mail")
    assert ids(Buyer.find(joined=None)) == ["b1", "b3"]
    assert ids(Buyer.find(joined=less_than(day))) == ["b2"], "None meets no range"
    assert ids(Buyer.find().order_by("joined")) == ["b1", "b3", "b2", "b0"], "and comes first"
    assert ids(Buyer.find(nick=None)) == ["b0", "b1", "b2", "b3"], "None is no value that is unique"
    assert ids(Buyer.find(email="")) == ["b3"], "an unset text reads as an empty one"
    Buyer("b4", email="")
    assert ids(Buyer.find(email="")) == ["b3", "b4"]
    with pytest.raises(NotUnique):
        Buyer("b5", email="")


def test_a_range_holds_only_what_its_bounds_can_be_compared_with(store: Backend) -> None:
    aware = datetime(2026, 1, 1, tzinfo=UTC)
    Buyer.create("aware", email="a@", joined=aware)
    Buyer.create("naive", email="n@", joined=aware.replace(tzinfo=None))
    Buyer.create("none", email="-@")
    later, sooner = aware + timedelta(days=1), aware - timedelta(days=1)
    for zone, expected in ((UTC, ["aware"]), (None, ["naive"])):
        low, high = sooner.replace(tzinfo=zone), later.replace(tzinfo=zone)
        assert ids(Buyer.find(joined=at_least(low))) == expected
        assert ids(Buyer.find(joined=less_than(high))) == expected
        assert ids(Buyer.find(joined=between(low, high))) == expected
        assert ids(Buyer.find(joined=at_least(high))) == ids(Buyer.find(joined=less_than(low))) == []
    with pytest.raises(TypeError, match="has a UTC offset"):
        Buyer.find(joined=between(sooner, later.replace(tzinfo=None)))
    assert ids(Buyer.find().order_by("joined")) == ["none", "naive", "aware"]


def test_a_unique_value_is_refused_on_every_way_to_write_it(store: Backend) -> None:
    Buyer.create("a", email="a", nick="A")
    other = Buyer.create("b", email="b", nick="B", name="Ben")
    writes: list[Any] = [
        lambda: Buyer.create("c", email="a"),
        lambda: Buyer("c", email="a"),
        lambda: Buyer("b", email="a", name="C"),
        lambda: Buyer.upsert("b", email="a"),
        lambda: other.update(email="a", name="C"),
        lambda: other.update(email="a", expire=100),
        lambda: other.update_if({"name": "Ben"}, email="a"),
        lambda: setattr(other, "email", "a"),
        lambda: other.__setitem__("email", "a"),
        lambda: other.change("email", lambda _: "a"),
        lambda: setattr(Buyer("d"), "email", "a"),
        lambda: Buyer("d").change("email", lambda _: "a"),
        lambda: setattr(other, "nick", "A"),
    ]
    for number, write in enumerate(writes):
        with pytest.raises(NotUnique) as caught:
            write()
        assert caught.value.other == "Buyer:a", number
        assert caught.value.field == ("nick" if number == len(writes) - 1 else "email")
        assert other.to_dict() == {"email": "b", "nick": "B", "name": "Ben", "joined": None}
    assert Buyer.count() == 2
    assert not other.update_if({"name": "Han"}, email="a"), "a condition that fails comes first"


class Chamber(Record, unique=[("house", "floor"), ("house", "wing")]):
    house: str
    floor: int | None = 1
    wing: Annotated[str | None, codec("json")] = "east"


def test_none_besides_another_default_does_not_count_among_several_unique_fields(store: Backend) -> None:
    first = Chamber.create("a", house="h")
    assert (first.floor, first.wing) == (1, "east")
    for taken in ({"floor": 2}, {"wing": "west"}, {"floor": None}, {"wing": None}, {}):
        with pytest.raises(NotUnique):
            Chamber.create("b", house="h", **taken)
    for name in ("b", "c"):
        Chamber.create(name, house="h", floor=None, wing=None)
    second = Chamber.load("b")
    with pytest.raises(NotUnique):
        second.floor = 1
    with pytest.raises(NotUnique):
        del second.wing  # which stores the default
    second.update(floor=2, wing="west")
    assert [room.id for room in Chamber.find(house="h", floor=1)] == ["a"]
    assert [room.id for room in Chamber.find(house="h", floor=2)] == ["b"]
    assert [room.id for room in Chamber.find(house="h", wing=None)] == ["c"]
    assert (second.floor, second.wing, Chamber.load("c").floor, Chamber.load("c").wing) == (2, "west", None, None)
    first.floor = None
    second.floor = 1
    assert [room.id for room in Chamber.find(house="h", floor=1)] == ["b"]


def test_a_unique_value_is_free_when_its_record_has_it_no_more(store: Backend) -> None:
    def is_free(value: str) -> bool:
        try:
            Buyer.create(email=value).delete()
        except NotUnique:
            return False
        return True

    one = Buyer.create("one", email="a", nick="A")
    assert not is_free("a")
    one.email = "b"
    assert (is_free("a"), is_free("b")) == (True, False)
    one.expire(0)
    assert is_free("b")
    one = Buyer.create("one", email="c")
    assert one.delete_if({"email": "c"})
    assert is_free("c")
    one = Buyer.create("one", email="d")
    del one.email
    assert is_free("d")
    two = Purchase.create("two", buyer=one, number=1)
    with pytest.raises(NotUnique) as caught:
        Purchase.create("three", buyer=one, number=1)
    assert caught.value.field == "buyer, number"
    three = Purchase.create("three", buyer=one, number=2)
    with pytest.raises(NotUnique):
        three.increment("number", -1)
    with pytest.raises(NotUnique):
        three.number = 1
    two.number = 3
    three.increment("number", -1)
    assert [each.id for each in Purchase.find(buyer=one, number=1)] == ["three"]


def test_every_way_to_write_a_field_is_found(store: Backend) -> None:
    buyer = Buyer.create("b", email="b")
    made = Purchase("p")
    made.buyer = buyer
    assert ids(Purchase.find(buyer=buyer)) == ["p"]
    assert ids(Purchase.find(status=Status.OPEN)) == ["p"], "its default is stored with it"
    made.increment("placed", 3)
    made.status = Status.PAID
    assert ids(Purchase.find(buyer=buyer, placed=3)) == ["p"]
    assert Purchase.find(status=Status.OPEN).count() == 0
    del made.status
    assert ids(Purchase.find(status=Status.OPEN)) == ["p"]
    made.change("price", lambda price: price + 1)
    assert ids(Purchase.find(price=Decimal(1))) == ["p"]
    made.update(price=Decimal(2), lines=["x"])
    assert ids(Purchase.find(price=Decimal(2))) == ["p"]
    assert made.update_if({"price": Decimal("2.0")}, placed=4)
    assert ids(Purchase.find(buyer=buyer, placed=4)) == ["p"]
    made.increment("price", Decimal("0.5"))
    assert ids(Purchase.find(price=Decimal("2.5"))) == ["p"]
    made.delete()
    assert not Purchase.find(price=at_least(0 * Decimal(1)))
    Purchase("q").lines.append("x")
    assert ids(Purchase.find(status=Status.OPEN)) == ["q"], "a child makes the record, with its defaults"
    gone = Purchase.ref("p")
    with pytest.raises(ObjectNotFound):
        gone.status = Status.PAID
    with pytest.raises(ObjectNotFound):
        gone.increment("placed")
    with pytest.raises(ObjectNotFound):
        gone.change("placed", lambda placed: placed)
    with pytest.raises(ObjectNotFound):
        del gone.status
    with pytest.raises(ObjectNotFound):
        gone.update(placed=3, lines=[])


def test_a_query_without_an_index_says_what_to_declare(store: Backend) -> None:
    for query, line in {
        Buyer.find(name="x"): r"find\(name=…\); declare name: Annotated\[str, indexed\]; or read .*\.scan\(\)",
        Purchase.find(note="x", number=1): r"declare class Purchase\(Record, indexes=\[\('note', 'number'\)\]\)",
        Purchase.find(status=Status.OPEN).order_by("price"): r"indexes=\[\('status', 'price'\)\]",
        Purchase.find(placed=1): "declare placed",
        Purchase.find(note=at_least("x"), number=1).order_by("price"): r"indexes=\[\('number', 'price'\)\]",
        Purchase.find(note=at_least("x"), number=1): r"indexes=\[\('number', 'note'\)\]",
        Purchase.find(status=one_of(Status.OPEN, Status.PAID)).order_by("placed"): (
            r"order_by\('placed'\), and none can order by placed after several values or a range of status; sort the "
            r"list; or read all of them: .*\.scan\(\)"
        ),
    }.items():
        uses: list[Callable[[Any], object]] = [list, lambda query: query.count(), lambda query: query.explain()]
        for use in uses:
            with pytest.raises(NoIndexError, match=line):
                use(query)
    Buyer.create("b", email="b", name="x")
    assert ids(Buyer.find(name="x").scan()) == ["b"]
    assert Buyer.find(name=at_least("y")).scan().count() == 0


class Consignment(Record):
    buyer: Buyer | None
    note: str | None
    weight: int | None
    sent: datetime | None = None


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("buyer", "Buyer | None"),
        ("note", "str | None"),
        ("weight", "int | None"),
        ("sent", "datetime | None"),
    ],
)
def test_the_declaration_to_add_keeps_what_the_field_may_hold(store: Backend, name: str, declared: str) -> None:
    with pytest.raises(NoIndexError, match=rf"declare {name}: Annotated\[{re.escape(declared)}, indexed\];"):
        Consignment.find(**{name: None}).first()


def test_what_is_wrong_is_refused_when_the_query_is_made(store: Backend) -> None:
    with pytest.raises(UnknownFieldError, match="email"):
        Buyer.find(emial="x")
    with pytest.raises(EncodeError, match=r"find\(email=…\) of Buyer"):
        Buyer.find(email=3)
    with pytest.raises(EncodeError):
        Purchase.find(placed=between("a", 2))
    for bounds in (at_least(None), less_than(None), between(None, datetime(2026, 1, 1, tzinfo=UTC))):
        with pytest.raises(TypeError, match=r"field 'joined': None is in no range; find\(joined=None\) finds it"):
            Buyer.find(joined=bounds)
    with pytest.raises(TypeError, match="starts_with"):
        Purchase.find(placed=starts_with("1"))
    for text in ("\ud800", starts_with("\ud800")):
        with pytest.raises(EncodeError, match=r"find\(email=…\) of Buyer: .*surrogate"):
            Buyer.find(email=text)
    with pytest.raises(TypeError, match="child collection"):
        Purchase.find(lines=["x"])
    with pytest.raises(TypeError, match="all ascend or all descend"):
        Purchase.find().order_by("buyer", "-placed")
    with pytest.raises(UnknownFieldError):
        Purchase.find().order_by("when")


def test_explain(store: Backend) -> None:
    said = Purchase.find(buyer=Buyer.ref("b"), status=Status.OPEN).order_by("placed").explain()
    assert said.startswith("Purchase: ")
    assert "buyer.reference+placed.int" in said
    assert said.endswith("; filters by status")
    assert Purchase.find(note="x").scan().explain() == "Purchase: reads all; filters by note"
    assert "email" not in Buyer.find(email="x", joined=None).explain().split(";")[1]


def test_a_record_that_cannot_be_read_is_reported_or_raised(store: Backend) -> None:
    Buyer.create("a", email="a", joined=datetime(2026, 1, 1, tzinfo=UTC))
    Buyer.create("b", email="b")
    store.mapping(Key("Buyer:a")).set_many({"joined": b'"nonsense"'})
    errors: list[Exception] = []
    rows = Buyer.find(email=starts_with("")).on_error(errors.append).fetch("email", "joined")
    assert [row["email"] for row in rows] == ["b"]
    assert len(errors) == 1
    with pytest.raises(DecodeError, match="joined"):
        list(Buyer.find(email=starts_with("")).fetch("joined"))


def declare(annotation: Any, **options: Any) -> type[Record]:
    defaults = {"f": options.pop("default")} if "default" in options else {}
    return make_record("Refused", {"f": annotation}, defaults=defaults, **options)


T = TypeVar("T")


@pytest.mark.parametrize(
    ("annotation", "options", "message"),
    [
        (Annotated[list[str], indexed], {}, r"field 'f' of Refused: an index orders str, .*, not list\[str\]"),
        (Annotated[int | str, codec("json"), indexed], {}, r"not int \| str; drop the mark"),
        (Annotated[Any, indexed], {}, "an index orders"),
        (Annotated[Decimal, unique], {}, "unique compares stored bytes, and equal values of Decimal may have several"),
        (Annotated[datetime, unique], {}, "unique compares stored bytes"),
        (Annotated[PersistentList[str], indexed], {}, "cannot order by a child collection"),
        (Annotated[Password, unique], {}, "cannot order by a password"),
        (Annotated[str, unique], {"default": "x"}, "only one record could have its default"),
        (str, {"indexes": [("f", "g")]}, "an index of Refused names 'g', which is not a field"),
        (str, {"unique": "f"}, "takes a list of tuples"),
        (str, {"indexes": [()]}, "takes a list of tuples"),
        (str, {"indexes": [("f", "f")]}, "takes a list of tuples"),
        (list[str], {"indexes": ["f"]}, "an index orders"),
        (Decimal, {"unique": ["f"]}, "unique compares stored bytes"),
        (Annotated[int, on_delete("restrict")], {}, "on_delete"),
    ],
)
def test_what_an_index_cannot_order_is_refused_when_the_class_is_made(
    annotation: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        declare(annotation, **options)


def test_a_type_variable_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot order by a type variable"):

        class Boxed(Record, Generic[T]):
            f: Annotated[T, indexed]


def test_marks_change_no_bytes() -> None:
    plain, marked = (
        make_record("Marked", {"a": a, "b": b, "c": c})
        for a, b, c in [
            (str | None, int, Status),
            (Annotated[str | None, unique], Annotated[int, unique], Annotated[Status, indexed]),
        ]
    )
    stored = []
    for cls in (plain, marked):
        backend = connect("memory:")
        cls.create("x", a="t", b=3, c=Status.PAID, backend=backend)
        stored.append(backend.mapping(Key("Marked:x")).get_all())
    assert stored[0] == stored[1]


def test_a_subclass_has_the_indexes_and_values_of_its_own(store: Backend) -> None:
    class VIP(Buyer):
        level: Annotated[int, indexed] = 1

    Buyer.create("a", email="a")
    VIP.create("b", email="a")
    with pytest.raises(NotUnique):
        VIP.create("c", email="a")
    assert (ids(VIP.find(email="a")), ids(Buyer.find(email="a"))) == (["b"], ["a"])
    assert ids(VIP.find(level=1)) == ["b"]


def test_a_class_may_name_itself_and_a_class_that_comes_later(store: Backend) -> None:
    class Node(Record, indexes=[("parent", "place")]):
        parent: Node | None
        place: int = 0
        later: Annotated[Later | None, indexed]

    class Later(Record):
        pass

    globals().update(Node=Node, Later=Later)
    try:
        root = Node.create("root")
        Node.create("leaf", parent=root, later=Later.ref("x"))
        assert ids(Node.find(parent=root)) == ["leaf"]
        assert ids(Node.find(parent=None)) == ["root"]
        assert ids(Node.find(later=Later.ref("x"))) == ["leaf"]
    finally:
        del globals()["Node"], globals()["Later"]


def test_nan_has_no_place_in_an_index(store: Backend) -> None:
    cls = make_record("Measured", {"metres": Annotated[float, indexed]})
    made: Any = cls.create("x", metres=1)
    with pytest.raises(EncodeError, match="nan"):
        made.metres = float("nan")
    made.metres = 1.5
    assert ids(cls.find(metres=at_least(1))) == ["x"]
    for make in (cls, cls.create, cls.upsert):
        with pytest.raises(EncodeError, match="nan"):
            make("y", metres=float("nan"))
    with pytest.raises(EncodeError, match="nan"):
        setattr(cls("y"), "metres", float("nan"))  # noqa: B010 - type checkers know no field of a class made so
    assert list(cls.ids()) == ["x"]


@pytest.mark.filterwarnings("ignore::persistent_collections.SlowHabitWarning")  # its index is not built yet
def test_a_record_that_cannot_be_put_in_order_is_named(store: Backend) -> None:
    cls = make_record("Weighed", {"grams": float})
    cls.create("x", grams=float("nan"))
    cls.create("y", grams=1)
    cls = make_record("Weighed", {"grams": Annotated[float, indexed], "name": Annotated[str, indexed]})
    message = "'Weighed:x' cannot be read: field 'grams': value: nan cannot be ordered"
    for read in (cls.find(grams=1).one, lambda: list(cls.find(name="", grams=1)), cls.reindex):
        with pytest.raises(DecodeError, match=message):
            read()
    errors: list[Exception] = []
    assert ids(cls.find(grams=1).on_error(errors.append)) == ["y"]
    assert [str(error).startswith(message) for error in errors] == [True]


def test_a_field_orders_once(store: Backend) -> None:
    for number in (2, 1):
        Buyer.create(f"b{number}", email=f"{number}")
    assert ids(Buyer.find().order_by("-email", "-email")) == ["b2", "b1"]

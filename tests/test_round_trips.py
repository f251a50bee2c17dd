"""How often each method asks the server, counted between client and server; what asks more than once stands here."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import methodcaller
from typing import Any, NamedTuple

import pytest
import redis
from IPython.core.formatters import DisplayFormatter
from pydantic import TypeAdapter

from persistent_collections import (
    Backend,
    ObjectExists,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentObject,
    PersistentSet,
    Record,
    child,
    configure,
    connect,
)
from tests.proxy import Proxy, counted
from tests.servers import RunningServer, run_server

pytestmark = pytest.mark.store("server")


class Node(Record):
    name: str
    size: int = 0
    weight: float = 0.0
    tags: list[str] = []  # noqa: RUF012 - a default is made anew for each object
    other: Node | None
    items_: PersistentList[Any] = child()
    numbers: PersistentList[int] = child()
    fields: PersistentDict[str, Any] = child()
    members: PersistentSet[str] = child()


class Flat(Record):
    name: str
    size: int = 0
    weight: float = 0.0
    tags: list[str] = []  # noqa: RUF012 - a default is made anew for each object
    other: str | None


class Case(NamedTuple):
    """One way to call a method.

    Attributes:
        call: Calls it on the object.
        trips: The round trips that takes.
    """

    call: Callable[[Any], object]
    trips: int = 1


def edit(edited: Any, change: Callable[[Any], object]) -> None:
    with edited as value:
        change(value)


def fetch(items: Any) -> None:
    with pytest.raises((TypeError, AttributeError)):  # these are no records: see tests/records/test_fetching.py
        items.fetch("name")


def load(target: Any) -> None:
    with suppress(ObjectNotFound):  # a child has the id of its record
        target.load(target.id)


def create_again(record: Any) -> None:
    with pytest.raises(ObjectExists):
        record.create(record.id, name="x")


OTHER: dict[Any, Any] = {kind: kind.ref("other") for kind in (PersistentDict, PersistentList, PersistentSet)}

OBJECT = {
    "__bool__": [Case(bool)],
    "__str__": [Case(str, 0)],
    "__repr__": [Case(repr, 0)],
    "_repr_mimebundle_": [Case(DisplayFormatter().format)],
    "__reduce__": [Case(pickle.dumps, 0)],
    "__init__": [Case(lambda o: type(o)("x"), 0)],
    "id": [Case(lambda o: o.id, 0)],
    "key": [Case(lambda o: o.key, 0)],
    "ref": [Case(lambda o: o.ref("x"), 0)],
    "load": [Case(load)],
    "ids": [Case(lambda o: list(o.ids()))],
    "all": [Case(lambda o: list(o.all()))],
    "delete": [Case(lambda o: o.delete())],
    "expire": [Case(lambda o: o.expire(100))],
    "persist": [Case(lambda o: o.persist())],
    "ttl": [Case(lambda o: o.ttl())],
}

DICT = {
    **OBJECT,
    "create": [Case(lambda d: PersistentDict.create("new", {"a": 1}, expire=60))],
    "__init__": [
        Case(lambda d: PersistentDict("x"), 0),
        Case(lambda d: PersistentDict("new", {"a": 1})),
        Case(lambda d: PersistentDict("x", d), 2),
    ],
    "count": [Case(lambda d: d.count())],
    "__getitem__": [Case(lambda d: d["a"]), Case(lambda d: d["nested"].append(1), 2)],
    "__setitem__": [Case(lambda d: d.__setitem__("a", 5)), Case(lambda d: d.__setitem__("n", d["nested"]), 2)],
    "__delitem__": [Case(lambda d: d.__delitem__("a"))],
    "__contains__": [Case(lambda d: "a" in d)],
    "__len__": [Case(len)],
    "__iter__": [Case(lambda d: [*iter(d)]), Case(list, 2)],  # list() asks for the size first
    "__reversed__": [],
    "__eq__": [Case(lambda d: d == {"a": 1}), Case(lambda d: d == OTHER[PersistentDict], 2), Case(lambda d: d == 3, 0)],
    "__ne__": [Case(lambda d: d != {"a": 1})],
    "__or__": [Case(lambda d: d | {"a": 1}), Case(lambda d: d | OTHER[PersistentDict], 2)],
    "__ror__": [Case(lambda d: {"a": 1} | d)],
    "__ior__": [Case(lambda d: d.__ior__({"a": 1})), Case(lambda d: d.__ior__(OTHER[PersistentDict]), 2)],
    "__copy__": [Case(copy.copy)],
    "__deepcopy__": [Case(copy.deepcopy)],
    "get": [Case(lambda d: d.get("a")), Case(lambda d: d.get("missing", 1))],
    "setdefault": [Case(lambda d: d.setdefault("a", 1)), Case(lambda d: d.setdefault("missing", 1))],
    "pop": [Case(lambda d: d.pop("a")), Case(lambda d: d.pop("missing", 1))],
    "popitem": [Case(lambda d: d.popitem())],
    "update": [
        Case(lambda d: d.update({"a": 1, "b": 2}, c=3)),
        Case(lambda d: d.update(OTHER[PersistentDict]), 2),
    ],
    "clear": [Case(lambda d: d.clear())],
    "copy": [Case(lambda d: d.copy())],
    "fromkeys": [Case(lambda d: d.fromkeys("abc", 1), 0), Case(lambda d: d.fromkeys("abc", 1, id="made"))],
    "compare_and_set": [
        Case(lambda d: d.compare_and_set("a", 1, 2)),
        Case(lambda d: d.compare_and_set("a", "other", 2), 2),
    ],
    "change": [Case(lambda d: d.change("a", lambda value: value + 1), 2)],
    "increment": [Case(lambda d: d.increment("a")), Case(lambda d: d.increment("w", 0.5), 2)],
    "edit": [Case(lambda d: edit(d.edit("nested"), lambda value: value.append(1)), 2)],
    "keys": [
        Case(lambda d: d.keys(), 0),
        Case(lambda d: list(d.keys()), 2),
        Case(lambda d: len(d.keys())),
        Case(lambda d: "a" in d.keys()),  # noqa: SIM118 - the view is what is asked
        Case(lambda d: d.keys() & {"a"}),
    ],
    "values": [Case(lambda d: d.values(), 0), Case(lambda d: list(d.values()), 2), Case(lambda d: 1 in d.values())],
    "items": [Case(lambda d: d.items(), 0), Case(lambda d: list(d.items()), 2), Case(lambda d: ("a", 1) in d.items())],
}

LIST = {
    **OBJECT,
    "create": [Case(lambda items: PersistentList.create("new", [1], expire=60))],
    "__init__": [
        Case(lambda items: PersistentList("x"), 0),
        Case(lambda items: PersistentList("new", [1, 2])),
        Case(lambda items: PersistentList("x", items), 2),
    ],
    "__getitem__": [
        Case(lambda items: items[1]),
        Case(lambda items: items[-1]),
        Case(lambda items: items[1:3]),
        Case(lambda items: items[::-2]),
        Case(lambda items: items[4].append(1), 2),
    ],
    "__setitem__": [
        Case(lambda items: items.__setitem__(1, 5)),
        Case(lambda items: items.__setitem__(slice(1, 3), [5])),
        Case(lambda items: items.__setitem__(slice(None, None, 2), [5, 6, 7])),
        Case(lambda items: items.__setitem__(slice(1, 3), OTHER[PersistentList]), 2),
    ],
    "__delitem__": [
        Case(lambda items: items.__delitem__(1)),
        Case(lambda items: items.__delitem__(slice(1, 3))),
        Case(lambda items: items.__delitem__(slice(None, None, -2))),
    ],
    "__contains__": [Case(lambda items: 3 in items)],
    "__len__": [Case(len)],
    "__iter__": [Case(lambda items: [*iter(items)]), Case(list, 2)],
    "__reversed__": [Case(lambda items: list(reversed(items)), 2)],  # it starts from the size
    "__eq__": [Case(lambda items: items == [1]), Case(lambda items: items == OTHER[PersistentList], 2)],
    "__ne__": [Case(lambda items: items != [1])],
    "__lt__": [Case(lambda items: items < [1])],
    "__le__": [Case(lambda items: items <= [1])],
    "__gt__": [Case(lambda items: items > [1])],
    "__ge__": [Case(lambda items: items >= [1])],
    "__add__": [Case(lambda items: items + [1]), Case(lambda items: items + OTHER[PersistentList], 2)],  # noqa: RUF005 - + is what is asked
    "__radd__": [Case(lambda items: [1] + items)],  # noqa: RUF005 - + is what is asked
    "__iadd__": [Case(lambda items: items.__iadd__([1])), Case(lambda items: items.__iadd__(items))],
    "__mul__": [Case(lambda items: items * 2)],
    "__rmul__": [Case(lambda items: 2 * items)],
    "__imul__": [Case(lambda items: items.__imul__(2))],
    "__copy__": [Case(copy.copy)],
    "__deepcopy__": [Case(copy.deepcopy)],
    "append": [Case(lambda items: items.append(1))],
    "rpush": [Case(lambda items: items.rpush(1))],
    "lpush": [Case(lambda items: items.lpush(1))],
    "insert": [Case(lambda items: items.insert(2, 1)), Case(lambda items: items.insert(-1, 1))],
    "extend": [
        Case(lambda items: items.extend([1, 2])),
        Case(lambda items: items.extend(items)),
        Case(lambda items: items.extend(OTHER[PersistentList]), 2),
    ],
    "pop": [Case(lambda items: items.pop()), Case(lambda items: items.pop(0)), Case(lambda items: items.pop(2))],
    "lpop": [Case(lambda items: items.lpop())],
    "rpop": [Case(lambda items: items.rpop())],
    "remove": [Case(lambda items: items.remove(3), 2)],
    "index": [Case(lambda items: items.index(3))],
    "count": [Case(lambda items: items.count(3))],
    "fetch": [Case(fetch)],
    "reverse": [Case(lambda items: items.reverse())],
    "sort": [Case(lambda items: items.sort(key=str), 2)],
    "clear": [Case(lambda items: items.clear())],
    "copy": [Case(lambda items: items.copy())],
    "edit": [Case(lambda items: edit(items.edit(4), lambda value: value.append(1)), 2)],
}

CANONICAL_LIST = {
    "__contains__": [Case(lambda items: 3 in items), Case(lambda items: "x" in items)],
    "index": [Case(lambda items: items.index(3, 1, -1))],
    "count": [Case(lambda items: items.count(3))],
    "remove": [Case(lambda items: items.remove(3))],
}

SET = {
    **OBJECT,
    "create": [Case(lambda s: PersistentSet.create("new", {"a"}, expire=60))],
    "__init__": [
        Case(lambda s: PersistentSet("x"), 0),
        Case(lambda s: PersistentSet("new", {"a"})),
        Case(lambda s: PersistentSet("x", s), 2),
    ],
    "count": [Case(lambda s: s.count())],
    "fetch": [Case(fetch)],
    "__contains__": [Case(lambda s: "a" in s)],
    "__len__": [Case(len)],
    "__iter__": [Case(lambda s: [*iter(s)]), Case(list, 2)],
    "add": [Case(lambda s: s.add("z"))],
    "discard": [Case(lambda s: s.discard("a"))],
    "remove": [Case(lambda s: s.remove("a"))],
    "pop": [Case(lambda s: s.pop())],
    "clear": [Case(lambda s: s.clear())],
    "copy": [Case(lambda s: s.copy())],
    "__copy__": [Case(copy.copy)],
    "__deepcopy__": [Case(copy.deepcopy)],
    "update": [Case(lambda s: s.update({"x"}, {"y"})), Case(lambda s: s.update(OTHER[PersistentSet]), 2)],
    **{
        name: [Case(methodcaller(name, {"a", "q"}))]
        for name in (
            "difference_update",
            "intersection_update",
            "symmetric_difference_update",
            "symmetric_difference",
            "issubset",
            "issuperset",
            "isdisjoint",
            *("__xor__", "__ror__", "__rand__", "__rsub__", "__rxor__"),
            *("__ior__", "__iand__", "__isub__", "__ixor__"),
            *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"),
        )
    },
    **{
        name: [
            Case(methodcaller(name, {"a", "q"})),
            Case(methodcaller(name, OTHER[PersistentSet])),
        ]
        for name in ("union", "intersection", "difference", "__or__", "__and__", "__sub__")
    },
}

RECORD = {
    **OBJECT,
    "__init__": [
        Case(lambda r: type(r)("x"), 0),
        Case(lambda r: type(r)("x", name="x")),
        Case(lambda r: type(r)("x", name="x", size=2)),
    ],
    "count": [Case(lambda r: r.count())],
    "find": [Case(lambda r: list(type(r).find(name="x").scan()), 2)],  # those of indexes: test_redis_round_trips.py
    "reindex": [],  # of a class with indexes; as many as records
    "from_text": [Case(lambda r: type(r).from_text({"name": "x"}), 0)],
    "__get_pydantic_core_schema__": [Case(lambda r: TypeAdapter(type(r)), 0)],
    "__eq__": [Case(lambda r: r == type(r)("y"), 0)],
    "__hash__": [Case(hash, 0)],
    "__copy__": [Case(copy.copy, 0)],
    "__deepcopy__": [Case(copy.deepcopy, 0)],
    "__getitem__": [
        Case(lambda r: r["name"]),
        Case(lambda r: r["id"], 0),
        Case(lambda r: type(r)("x")["other"], 2),
        Case(lambda r: r["tags"].append("x"), 2),
    ],
    "__setitem__": [Case(lambda r: r.__setitem__("name", "y"))],
    "__delitem__": [Case(lambda r: r.__delitem__("name"))],
    "__getattr__": [Case(lambda r: r.name), Case(lambda r: getattr(r, "nmae", None), 0)],
    "__setattr__": [Case(lambda r: setattr(r, "name", "y"))],
    "__contains__": [Case(lambda r: "name" in r, 0)],
    "__iter__": [Case(list, 0)],
    "__len__": [Case(len, 0)],
    "keys": [Case(lambda r: r.keys(), 0)],
    "items": [Case(lambda r: r.items())],
    "values": [Case(lambda r: r.values())],
    "to_dict": [Case(lambda r: r.to_dict())],
    "get": [Case(lambda r: r.get("name"))],
    "update": [Case(lambda r: r.update(name="y", size=3, weight=0.5))],
    "increment": [Case(lambda r: r.increment("size")), Case(lambda r: r.increment("weight", 0.5), 2)],
    "edit": [Case(lambda r: edit(r.edit("tags"), lambda value: value.append("x")), 2)],
    "create": [Case(lambda r: r.create("new", name="x", expire=60)), Case(create_again)],
    "upsert": [Case(lambda r: r.upsert("new", name="x", expire=60)), Case(lambda r: r.upsert(r.id, name="x"))],
    "update_if": [
        Case(lambda r: r.update_if({"name": "x"}, name="y")),
        Case(lambda r: r.update_if({"name": "other"}, name="y"), 2),
    ],
    "delete_if": [
        Case(lambda r: r.delete_if({"name": "other"}), 2),
        Case(lambda r: r.delete_if({"name": r["name"]}), 2),
    ],
    "change": [Case(lambda r: r.change("size", lambda size: size + 1), 2)],
}

FAMILY = {
    "__init__": [Case(lambda r: Node("x", items_=[1], fields={"a": 1}, members={"a"}, name="x"))],
    "__getitem__": [Case(lambda r: r["items_"], 0), Case(lambda r: r["items_"][0])],
    "__setitem__": [
        Case(lambda r: r.__setitem__("items_", [1, 2])),
        Case(lambda r: r.__setitem__("items_", r.items_), 0),
        Case(lambda r: r.__setitem__("items_", OTHER[PersistentList]), 2),
    ],
    "__delitem__": [Case(lambda r: r.__delitem__("items_"))],
    "update": [Case(lambda r: r.update(name="y", items_=[1], members=["a"]))],
    "create": [Case(lambda r: r.create("new", name="x", items_=[1]))],
}


@pytest.fixture(scope="module")
def real() -> Iterator[RunningServer]:
    with run_server() as server:
        yield server


@pytest.fixture
def proxy(real: RunningServer) -> Iterator[Proxy]:
    with real.client() as client:
        client.flushall()
    with counted(real.port) as proxy:
        yield proxy


@pytest.fixture
def backend(proxy: Proxy) -> Iterator[Backend]:
    with connect(f"redis://127.0.0.1:{proxy.port}/0") as backend:
        configure({"backends": {"default": backend}})
        yield backend
        configure({})


FIELDS = {"a": 1, "b": 2, "nested": [1], "w": 0.5}
ITEMS = [1, 2, 3, "x", [1]]
MEMBERS = {"a", "b", "c"}
VALUES: dict[str, Any] = {"name": "x", "size": 1, "tags": ["a"]}


def fill(target: Any) -> None:
    """Give an object, and the others a case may name, the content the cases start from."""
    for name in ("new", "other"):
        for kind in (Node, Flat, PersistentDict, PersistentList, PersistentSet):
            kind.ref(name).delete()
    OTHER[PersistentDict].update(FIELDS)
    OTHER[PersistentList].extend(ITEMS)
    OTHER[PersistentSet].update(MEMBERS)
    target.delete()
    if isinstance(target, Node):
        target.update(**VALUES, items_=ITEMS)
    elif isinstance(target, Record):
        target.update(**VALUES)
    elif isinstance(target, PersistentDict):
        target.update(FIELDS)
    elif isinstance(target, PersistentList):
        target.extend([1, 2, 3, 4, 5] if target.__pc__.declared(0) is int else ITEMS)
    else:
        target.update(MEMBERS)


def named(table: dict[str, list[Case]]) -> list[Any]:
    return [
        pytest.param(case, id=f"{name}-{number}") for name, cases in table.items() for number, case in enumerate(cases)
    ]


def check(proxy: Proxy, target: Any, case: Case) -> None:
    for _ in range(2):  # the first time opens the connection and lets the server learn the scripts
        fill(target)
        proxy.reset()
        case.call(target)
    assert proxy.trips == case.trips


@pytest.mark.parametrize("case", named(DICT))
@pytest.mark.parametrize("make", [lambda: PersistentDict("x"), lambda: Node("x").fields], ids=["alone", "child"])
def test_a_method_of_a_dict(backend: Backend, proxy: Proxy, make: Callable[[], Any], case: Case) -> None:
    check(proxy, make(), case)


@pytest.mark.parametrize("case", named(LIST))
@pytest.mark.parametrize("make", [lambda: PersistentList("x"), lambda: Node("x").items_], ids=["alone", "child"])
def test_a_method_of_a_list(backend: Backend, proxy: Proxy, make: Callable[[], Any], case: Case) -> None:
    check(proxy, make(), case)


@pytest.mark.parametrize("case", named(CANONICAL_LIST))
@pytest.mark.parametrize("make", [lambda: PersistentList[int]("x"), lambda: Node("x").numbers], ids=["alone", "child"])
def test_a_search_in_a_list_whose_codec_is_canonical(
    backend: Backend, proxy: Proxy, make: Callable[[], Any], case: Case
) -> None:
    check(proxy, make(), case)


@pytest.mark.parametrize("case", named(SET))
@pytest.mark.parametrize("make", [lambda: PersistentSet("x"), lambda: Node("x").members], ids=["alone", "child"])
def test_a_method_of_a_set(backend: Backend, proxy: Proxy, make: Callable[[], Any], case: Case) -> None:
    check(proxy, make(), case)


@pytest.mark.parametrize("case", named(RECORD))
@pytest.mark.parametrize("kind", [Flat, Node], ids=["alone", "with children"])
def test_a_method_of_a_record(backend: Backend, proxy: Proxy, kind: type[Record], case: Case) -> None:
    check(proxy, kind("x"), case)


@pytest.mark.parametrize("case", named(FAMILY))
def test_a_method_of_a_record_that_concerns_its_children(backend: Backend, proxy: Proxy, case: Case) -> None:
    check(proxy, Node("x"), case)


def test_the_counter_counts_round_trips_and_bytes(backend: Backend, proxy: Proxy) -> None:
    items = PersistentList("x")
    assert proxy.trips == 0
    items.append("a" * 10_000)
    proxy.reset()
    for _ in range(5):
        assert items[0]
    assert proxy.trips == 5
    assert 50_000 < proxy.passed_bytes["reply"] < 51_000


PLUMBING = {
    *("__abstractmethods__", "__annotations__", "__class_getitem__", "__dict__", "__doc__", "__init_subclass__"),
    *(
        "__module__",
        "__orig_bases__",
        "__parameters__",
        "__slots__",
        "__subclasshook__",
        "__weakref__",
        "__dataclass_transform__",
        "__pc__",
        "__setattr__",
    ),
    *("type_name", "mapping", "__subclass__"),
}


def public(kind: type) -> set[str]:
    """Return the methods and properties a class of ours has, operators included, beside those of ``object``."""
    names = {name for base in kind.__mro__ if base is not object for name in vars(base)}
    return {name for name in names - PLUMBING if name.startswith("__") or not name.startswith("_")}


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (PersistentDict, DICT),
        (PersistentList, LIST),
        (PersistentSet, SET),
        (Record, RECORD),
        (PersistentObject, {**OBJECT, "count": [], "__eq__": [], "__hash__": [], "__copy__": [], "__deepcopy__": []}),
    ],
)
def test_the_tables_name_every_method(kind: type, table: dict[str, list[Case]]) -> None:
    assert {name for name in public(kind) if getattr(kind, name, None) is not None} <= table.keys()


SIZE = 100_000
MIDDLE = SIZE // 2
ONE_OF_MANY: dict[type[Any], list[Callable[[Any], object]]] = {
    PersistentList[str]: [
        lambda items: items.append("new"),
        lambda items: items.lpush("new"),
        lambda items: items.insert(MIDDLE, "new"),
        lambda items: items.insert(-10, "new"),
        lambda items: items.__setitem__(MIDDLE, "new"),
        lambda items: items.__setitem__(slice(MIDDLE, MIDDLE + 1), ["new", "newer"]),
        lambda items: items.__delitem__(MIDDLE),
        lambda items: items.__delitem__(slice(MIDDLE, MIDDLE + 2)),
        lambda items: items.pop(),
        lambda items: items.pop(0),
        lambda items: items.pop(MIDDLE),
        lambda items: items[MIDDLE],
        lambda items: items[MIDDLE : MIDDLE + 3],
        len,
        bool,
        lambda items: items.remove("60000"),
        lambda items: items.index("70000"),
        lambda items: items.count("70000"),
        lambda items: "70000" in items,
        lambda items: items.reverse(),
        lambda items: items.expire(100),
        lambda items: items.delete(),
    ],
    PersistentList[list[int]]: [
        lambda items: items[MIDDLE].append(1),
        lambda items: edit(items.edit(MIDDLE), lambda value: value.append(2)),
    ],
    PersistentDict[str, Any]: [
        lambda d: d["70000"],
        lambda d: d.__setitem__("70000", "new"),
        lambda d: d.__setitem__("new", "new"),
        lambda d: d.__delitem__("1"),
        lambda d: d.setdefault("2", 3),
        lambda d: d.update({"3": 4}),
        lambda d: d.pop("4"),
        lambda d: d.popitem(),
        lambda d: d.increment("5"),
        lambda d: "6" in d,
        len,
        bool,
        lambda d: d.delete(),
    ],
    PersistentSet[str]: [
        lambda s: "70000" in s,
        lambda s: s.add("new"),
        lambda s: s.discard("1"),
        lambda s: s.remove("2"),
        lambda s: s.pop(),
        lambda s: s.__ior__({"newer"}),
        lambda s: s.__isub__({"3", "4"}),
        lambda s: s.__ixor__({"5"}),
        len,
        bool,
        lambda s: s.delete(),
    ],
}


def fill_big(kind: type[Any], client: redis.Redis) -> None:
    key = kind.ref("big").key
    numbers = [str(number) for number in range(SIZE)]
    if issubclass(kind, PersistentSet):
        client.sadd(key, *numbers)
    elif issubclass(kind, PersistentDict):
        client.hset(key, mapping=dict(zip(numbers, numbers, strict=True)))
    else:
        form = "[%s]" if kind is PersistentList[list[int]] else '"%s"'
        client.rpush(key, *(form % number for number in numbers))


@pytest.mark.parametrize("kind", ONE_OF_MANY)
def test_to_change_one_item_of_many_no_others_are_read(
    backend: Backend, proxy: Proxy, real: RunningServer, kind: type[Any]
) -> None:
    with real.client() as client:
        fill_big(kind, client)
    target = kind("big")
    assert len(target) == SIZE
    for call in ONE_OF_MANY[kind]:
        proxy.reset()
        call(target)
        assert proxy.passed_bytes["reply"] < 500
    assert len(target) == (SIZE if kind is PersistentList[list[int]] else 0)

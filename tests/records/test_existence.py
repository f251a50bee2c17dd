"""A record exists while its own key does, and only some writes make one."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from persistent_collections import (
    Backend,
    ObjectExists,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    fetch,
    indexed,
    use_backend,
)
from persistent_collections.backends import Delete, Key, Replace, SetDeadline

Write = Callable[["Visitor"], object]


class Visitor(Record):
    name: str
    visits: int = 0
    score: float = 0.5
    tags: list[str] = []  # noqa: RUF012 - a default is made anew for each object
    nickname: str | None = None
    log: PersistentList[str] = child()
    scores: PersistentDict[str, int] = child()
    groups: PersistentSet[str] = child()
    friends: PersistentList[Visitor] = child()


class Sighting(Record):
    day: Annotated[int, indexed] = 0


def set_name(member: Visitor) -> None:
    member.name = "Late"


def set_item(member: Visitor) -> None:
    member["name"] = "Late"


def delete_item(member: Visitor) -> None:
    del member["name"]


def delete_child(member: Visitor) -> None:
    del member["log"]


def set_child(member: Visitor) -> None:
    member.log = ["late"]


def edit(member: Visitor) -> None:
    with member.edit("tags") as tags:
        tags.append("late")


def set_entry(member: Visitor) -> None:
    member.scores["late"] = 1


def set_slice(member: Visitor) -> None:
    member.log[0:0] = ["late"]


# Each may be called on a record that exists; none changes one that does not.
WRITES: dict[str, Write] = {
    "attribute": set_name,
    "item": set_item,
    "del": delete_item,
    "del child": delete_child,
    "assign child": set_child,
    "update": lambda m: m.update(name="Late"),
    "update with child": lambda m: m.update(name="Late", log=["late"]),
    "update with expire": lambda m: m.update(name="Late", expire=100),
    "increment": lambda m: m.increment("visits"),
    "increment float": lambda m: m.increment("score", 0.25),
    "change": lambda m: m.change("tags", lambda tags: [*tags, "late"]),
    "edit": edit,
    "nested": lambda m: m.tags.append("late"),
    "expire": lambda m: m.expire(100),
    "persist": lambda m: m.persist(),
    "append": lambda m: m.log.append("late"),
    "lpush": lambda m: m.log.lpush("late"),
    "extend": lambda m: m.log.extend(["late"]),
    "extend by nothing": lambda m: m.log.extend([]),
    "insert": lambda m: m.log.insert(1, "late"),
    "slice": set_slice,
    "clear": lambda m: m.log.clear(),
    "reverse": lambda m: m.log.reverse(),
    "entry": set_entry,
    "entries": lambda m: m.scores.update(late=1),
    "setdefault": lambda m: m.scores.setdefault("late", 1),
    "increment entry": lambda m: m.scores.increment("late"),
    "increment entry with expire": lambda m: m.scores.increment("late", expire=100),
    "clear entries": lambda m: m.scores.clear(),
    "add": lambda m: m.groups.add("late"),
    "discard": lambda m: m.groups.discard("late"),
    "discard what cannot be a member": lambda m: m.groups.discard(1),  # type: ignore[arg-type]  # it looks for what no member can be
    "intersection with nothing": lambda m: m.groups.intersection_update(),
    "toggle": lambda m: m.groups.__ixor__({"late"}),
    "clear members": lambda m: m.groups.clear(),
}

# How a handle is got by which no record is made.
HANDLES: dict[str, Callable[[Visitor], Visitor]] = {
    "load": lambda m: Visitor.load(m.id),
    "create": lambda m: m,
    "constructor with values": lambda m: Visitor(m.id, name="Luke"),
    "upsert": lambda m: Visitor.upsert(m.id, name="Luke"),
    "ref": lambda m: Visitor.ref(m.id),
    "all": lambda m: next(each for each in Visitor.all() if each == m),
    "reference": lambda m: PersistentList[Visitor]("members", [m])[0],
    "pickle": lambda m: pickle.loads(pickle.dumps(m)),
    "pickle of a bare one": lambda m: pickle.loads(pickle.dumps(Visitor(m.id))),
}


def expire(member: Visitor) -> None:
    member.expire(0.005)
    time.sleep(0.02)


GONE: dict[str, Callable[[Visitor], object]] = {
    "deleted": lambda m: m.delete(),
    "expired": expire,
}


def keys_of(store: Backend) -> list[str]:
    return sorted(str(key) for key in store.keys("Visitor:"))


def contents_of(store: Backend) -> list[object]:
    entries = store.snapshot(sorted(store.keys("Visitor:"), key=str))
    return [entry and entry.content for entry in entries]


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("write", WRITES)
def test_a_late_write_raises_and_writes_nothing(store: Backend, write: str, gone: str) -> None:
    luke = Visitor.create("luke", name="Luke", tags=["a"], log=["x", "y"], scores={"a": 1}, groups={"g"})
    tags = luke.tags
    GONE[gone](luke)
    with pytest.raises(ObjectNotFound, match="'Visitor:luke' does not exist"):
        WRITES[write](luke) if write != "nested" else tags.append("late")
    assert keys_of(store) == []
    assert not luke


class Drawer(Record):
    things: PersistentList[Any] = child()
    sizes: PersistentDict[str, list[int]] = child()


@pytest.mark.parametrize(
    "write",
    [
        lambda drawer: drawer.things.remove(1.5),
        lambda drawer: drawer.things.edit(0).__enter__(),
        lambda drawer: drawer.sizes.change("x", len),
        lambda drawer: drawer.sizes.edit("x").__enter__(),
    ],
)
def test_a_late_write_of_what_was_never_there_misses_the_record(store: Backend, write: Callable[[Drawer], Any]) -> None:
    drawer = Drawer.create("d")
    for exists_or_bare in (drawer, Drawer("bare")):
        with pytest.raises((ValueError, IndexError, KeyError)) as caught:
            write(exists_or_bare)
        assert not isinstance(caught.value, ObjectNotFound)
    drawer.delete()
    with pytest.raises(ObjectNotFound, match="'Drawer:d' does not exist"):
        write(drawer)
    assert list(store.keys("Drawer:")) == []


@pytest.mark.parametrize(
    "write",
    [
        lambda: PersistentList[Any]("things").remove(1.5),
        lambda: PersistentList[Any]("things").edit(0).__enter__(),
        lambda: PersistentDict[str, int]("sizes").change("x", abs),
        lambda: PersistentDict[str, list[int]]("sizes").edit("x").__enter__(),
    ],
)
def test_a_write_that_finds_nothing_in_a_collection_of_its_own_only_reads(
    write: Callable[[], Any], tmp_path: Path
) -> None:
    with use_backend(f"sqlite:{tmp_path / 'data.db'}"), pytest.raises((ValueError, IndexError, KeyError)):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", HANDLES)
def test_only_a_bare_handle_makes_a_record(store: Backend, how: str) -> None:
    if how.startswith("pickle") and store.in_process:
        pytest.skip("no other process finds a store that ends with this one")
    luke = Visitor.create("luke", name="Luke", log=["x"])
    handle = HANDLES[how](luke)
    luke.delete()
    for write in (set_name, WRITES["append"], WRITES["add"], WRITES["increment"], WRITES["update"]):
        with pytest.raises(ObjectNotFound):
            write(handle)
    assert keys_of(store) == []


@pytest.mark.parametrize("write", [name for name in WRITES if name not in ("expire", "persist", "nested", "edit")])
def test_a_bare_handle_makes_a_record_by_what_stores_something(store: Backend, write: str) -> None:
    reads = ("change",)
    member = Visitor("luke")
    assert keys_of(store) == []
    nothing = [
        *("del", "del child", "extend by nothing", "clear", "reverse", "clear entries", "discard", "clear members"),
        *("discard what cannot be a member", "intersection with nothing"),
    ]
    if write == "del child":
        with pytest.raises(ObjectNotFound):
            WRITES[write](member)
        return
    WRITES[write](member)
    if write in nothing:
        assert keys_of(store) == [], "what stores nothing makes nothing"
        return
    assert member
    assert member.score in (0.5, 0.75), "the defaults are stored when a record is made"
    assert store.mapping(Key("Visitor:luke")).get("score") is not None
    assert member.ttl() is None or write == "update with expire"
    assert (member.scores.ttl() is None) == (write != "increment entry with expire")
    assert write not in reads or member.tags == ["late"]
    before = contents_of(store)
    Visitor("luke").groups.discard("nobody")
    assert contents_of(store) == before


@pytest.mark.parametrize(("name", "value"), [("name", ""), ("visits", 0), ("score", 0.5), ("tags", [])])
def test_a_bare_handle_makes_a_record_by_a_value_that_is_the_default(store: Backend, name: str, value: Any) -> None:
    setattr(Visitor("luke"), name, value)
    assert Visitor.load("luke").to_dict() == {"name": "", "visits": 0, "score": 0.5, "tags": [], "nickname": None}
    assert store.mapping(Key("Visitor:luke")).get("visits") is not None, "the other defaults are stored with it"


def test_a_bare_handle_makes_a_record_by_an_indexed_value_that_is_the_default(store: Backend) -> None:
    Sighting("today").day = 0
    assert Sighting.find(day=0).one().id == "today"


def test_what_a_bare_handle_makes_inherits_nothing(store: Backend) -> None:
    Visitor.create("luke", name="Luke", visits=9, log=["old"], expire=1000).delete()
    store.commit([], [Replace(Key("Visitor:luke", "log"), [b'"left"' if store.medium == "json" else b"left"])])
    Visitor("luke").groups.add("new")
    luke = Visitor.load("luke")
    assert (luke.name, luke.visits, list(luke.log), luke.groups.copy()) == ("", 0, [], {"new"})
    assert luke.ttl() is None


def test_a_record_exists_while_its_own_key_does(store: Backend) -> None:
    luke = Visitor.create("luke", name="Luke", log=["x"])
    store.commit([], [Delete(Key("Visitor:luke"))])
    assert not luke
    assert list(Visitor.ids()) == []
    assert Visitor.count() == 0
    assert list(fetch([luke], "name")) == []
    with pytest.raises(ObjectNotFound):
        Visitor.load("luke")
    with pytest.raises(ObjectNotFound):
        _ = luke.name
    with pytest.raises(ObjectNotFound):
        luke.to_dict()
    with pytest.raises(ObjectNotFound):
        luke.log.append("y")
    assert Visitor.create("luke", name="Luke II").log == []


def test_a_record_of_which_every_field_is_deleted_exists(store: Backend) -> None:
    luke = Visitor.create("luke", name="Luke", log=["x"])
    for name in ("name", "visits", "score", "tags"):
        del luke[name]
    assert luke
    assert list(Visitor.ids()) == ["luke"]
    assert luke.to_dict() == {"name": "", "visits": 0, "score": 0.5, "tags": [], "nickname": None}
    assert list(luke.keys()) == [*luke.to_dict(), "log", "scores", "groups", "friends"]
    assert list(luke.log) == ["x"]
    luke.name = "Luke"
    assert Visitor.load("luke").name == "Luke"
    with pytest.raises(ObjectExists):
        Visitor.create("luke", name="Luke II")


class Blank(Record):
    note: str | None = None
    log: PersistentList[str] = child()


def test_a_record_can_exist_with_nothing_set(store: Backend) -> None:
    blank = Blank.create("b")
    assert blank
    assert blank.to_dict() == {"note": None}
    assert list(fetch([blank], "id", "note")) == [{"id": "b", "note": None}]
    blank.log.append("x")
    assert Blank.upsert("c", note=None)
    assert sorted(Blank.ids()) == ["b", "c"]
    assert blank.delete()
    assert not list(store.keys("Blank:b"))
    assert not blank.delete()


def test_a_record_and_its_children_vanish_together(store: Backend) -> None:
    luke = Visitor.create("luke", name="Luke", log=["x"], groups={"g"}, expire=1000)
    luke.scores["a"] = 1
    luke.expire(500)
    luke.update(friends=[luke])
    entries = store.snapshot(sorted(store.keys("Visitor:"), key=str))
    deadlines = {entry and entry.deadline for entry in entries}
    assert len(entries) == 5
    assert max(deadlines) - min(deadlines) < 0.002, "a millisecond is the least that a Redis server knows"  # type: ignore[type-var,operator] # each has one
    luke.persist()
    assert all(entry and entry.deadline is None for entry in store.snapshot(sorted(store.keys("Visitor:"), key=str)))


def test_a_deadline_is_set_in_the_same_step_as_any_write(store: Backend) -> None:
    def seconds(member: Visitor) -> float:
        left = member.ttl()
        assert left is not None
        return left.total_seconds()

    assert seconds(Visitor.create("a", name="A", expire=100)) > 90
    assert seconds(Visitor("b", name="B", expire=100)) > 90
    assert seconds(Visitor("c", expire=100)) > 90
    d = Visitor.upsert("d", name="D", log=["x"], expire=100)
    assert seconds(d) > 90
    d.update(expire=1000)
    assert seconds(d) > 900
    d.update(name="E", expire=2000)
    assert seconds(d) > 1900
    assert d.update_if({"name": "E"}, name="F", expire=3000)
    assert seconds(d) > 2900
    e = Visitor("e")
    assert e.increment("visits", expire=100) == 1
    assert seconds(e) > 90
    assert e.increment("visits", expire=1000) == 2
    assert seconds(e) < 101, "the deadline is set if the increment makes the record"
    assert [entry and entry.deadline is not None for entry in store.snapshot(list(store.keys("Visitor:d")))] == [
        True
    ] * 2


def test_a_dict_counts_within_a_time(store: Backend) -> None:
    counts: PersistentDict[str, int] = PersistentDict("counts")
    assert counts.increment("a", expire=100) == 1
    assert counts.increment("a", 2, expire=1000) == 3
    left = counts.ttl()
    assert left is not None
    assert left.total_seconds() < 101
    assert store.mapping(Key("PersistentDict:counts")).get("a") == b"3"


def test_an_object_is_created_once(store: Backend) -> None:
    assert PersistentDict.create("d", {"a": 1}) == {"a": 1}
    assert PersistentList.create("l", [1], expire=100).ttl() is not None
    assert PersistentSet.create("s", {"a"}) == {"a"}
    for kind, items in ((PersistentDict, {"b": 2}), (PersistentList, [2]), (PersistentSet, {"b"})):
        name = kind.__name__[10].lower()
        before = kind(name).copy()
        with pytest.raises(ObjectExists, match=f"{kind.__name__}:{name}"):
            kind.create(name, items)
        assert kind(name).copy() == before
        with pytest.raises(ValueError, match="cannot be created empty"):
            kind.create("empty", type(before)())
    assert len(list(store.keys("Persistent"))) == 3


def test_fromkeys_gives_a_plain_dict_unless_it_is_told_an_id(store: Backend) -> None:
    plain = PersistentDict.fromkeys("ab", 1)
    assert type(plain) is dict
    assert plain == {"a": 1, "b": 1}
    assert list(store.keys("")) == []
    stored: Any = PersistentDict.fromkeys("ab", 1, id="x")
    assert type(stored) is PersistentDict
    assert stored == plain


def test_keys_of_other_programs_are_no_records(store: Backend) -> None:
    if store.medium == "json":
        pytest.skip("no other program writes there, and a file is read before its shape is known")
    Visitor.create("luke", name="Luke")
    for key in (Key("Visitor:ranking"), Key("Visitor:orphan", "log")):
        store.commit([], [Replace(key, [b"1"])])
    assert list(Visitor.ids()) == ["luke"]
    assert Visitor.count() == 1
    assert list(Visitor.all().fetch("name")) == [{"name": "Luke"}]
    assert not Visitor.ref("ranking")
    with pytest.raises(ObjectNotFound):
        Visitor.load("ranking")


def test_the_deadline_of_a_child_is_that_of_its_owner_while_others_are_set(store: Backend) -> None:
    luke = Visitor.create("luke", name="Luke", expire=1000)
    store.commit([], [SetDeadline(Key("Visitor:luke"), 50)])
    luke.log.append("x")
    [found] = store.look([Key("Visitor:luke", "log")])
    assert found is not None
    assert found.ttl_s == pytest.approx(45, abs=6)

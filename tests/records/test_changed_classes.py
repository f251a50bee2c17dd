"""A class that declares as a child what an older version stored as a field, and the other way round."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    SchemaChangedError,
    WrongShapeError,
    child,
    connect,
    fetch,
    make_record,
)
from persistent_collections.backends.keys import Key
from persistent_collections.checking import check
from tests.proxy import counted
from tests.servers import RunningServer


class Older(Record, name="Book"):
    title: str = ""
    tags: list[str] = []  # noqa: RUF012 - a default is made anew for each object
    prices: dict[str, int] = {}  # noqa: RUF012 - a default is made anew for each object
    owners: set[str] = set()  # noqa: RUF012 - a default is made anew for each object


class Newer(Record, name="Book"):
    title: str = ""
    tags: PersistentList[str] = child()
    prices: PersistentDict[str, int] = child()
    owners: PersistentSet[str] = child()


READS: dict[str, Callable[[Any], object]] = {
    "bool": lambda book: bool(book.tags),
    "len": lambda book: len(book.tags),
    "slice": lambda book: book.tags[:],
    "item": lambda book: book.tags[0],
    "iteration": lambda book: list(book.tags),
    "in": lambda book: "novel" in book.tags,
    "copy": lambda book: book.tags.copy(),
    "bool of a dict": lambda book: bool(book.prices),
    "len of a dict": lambda book: len(book.prices),
    "key": lambda book: book.prices["a"],
    "get": lambda book: book.prices.get("a"),
    "iteration of a dict": lambda book: list(book.prices.items()),
    "copy of a dict": lambda book: book.prices.copy(),
    "in a dict": lambda book: "a" in book.prices,
    "bool of a set": lambda book: bool(book.owners),
    "len of a set": lambda book: len(book.owners),
    "in a set": lambda book: "a" in book.owners,
    "iteration of a set": lambda book: list(book.owners),
    "copy of a set": lambda book: book.owners.copy(),
    "union of sets": lambda book: book.owners | PersistentSet[str]("others", {"x"}),
}

HANDLES: dict[str, Callable[[], Newer]] = {
    "load": lambda: Newer.load("b"),
    "ref": lambda: Newer.ref("b"),
    "bare": lambda: Newer("b"),
}


@pytest.mark.parametrize("handle", HANDLES)
@pytest.mark.parametrize("read", READS)
def test_a_child_that_was_a_field_does_not_read_as_empty(store: Backend, read: str, handle: str) -> None:
    Older.create("b", tags=["novel"], prices={"a": 1}, owners={"x"})
    book = HANDLES[handle]()
    child_name = "prices" if "dict" in read or read in ("key", "get") else "owners" if "set" in read else "tags"
    for _ in range(2):
        with pytest.raises(SchemaChangedError, match=f"'{child_name}' is declared as a child .* 'Book:b' stores"):
            READS[read](book)
    assert Older.load("b").to_dict() == {"title": "", "tags": ["novel"], "prices": {"a": 1}, "owners": {"x"}}


@pytest.mark.parametrize("handle", HANDLES)
def test_a_child_that_was_no_field_reads_as_empty(store: Backend, handle: str) -> None:
    Newer.create("b", title="Dune")
    book = HANDLES[handle]()
    assert (book.tags[:], book.prices.copy(), book.owners.copy()) == ([], {}, set())
    assert not any((book.tags, book.prices, book.owners))
    book.tags.append("novel")
    assert book.tags == ["novel"]
    book.delete()
    assert book.tags[:] == []
    assert Newer("nobody").tags[:] == []


def test_a_field_that_was_a_child_does_not_read_as_unset(store: Backend) -> None:
    Newer.create("b", tags=["novel"])
    with pytest.raises(SchemaChangedError, match="'tags' is declared as a field, and 'Book:b' stores it as a child"):
        _ = Older.load("b").tags
    assert Newer.load("b").tags == ["novel"]


WRITES: dict[str, Callable[[Any], object]] = {
    "append": lambda book: book.tags.append("crime"),
    "extend by nothing": lambda book: book.tags.extend([]),
    "insert": lambda book: book.tags.insert(0, "crime"),
    "slice": lambda book: book.tags.__setitem__(slice(None), ["crime"]),
    "pop": lambda book: book.tags.pop(),
    "clear": lambda book: book.tags.clear(),
    "reverse": lambda book: book.tags.reverse(),
    "key": lambda book: book.prices.__setitem__("b", 2),
    "update": lambda book: book.prices.update(b=2, c=3),
    "setdefault": lambda book: book.prices.setdefault("b", 2),
    "increment": lambda book: book.prices.increment("b"),
    "change": lambda book: book.prices.change("b", lambda price: 2),
    "pop a key": lambda book: book.prices.pop("b", None),
    "add": lambda book: book.owners.add("y"),
    "discard": lambda book: book.owners.discard("y"),
    "symmetric difference": lambda book: book.owners.symmetric_difference_update({"y"}),
    "assignment": lambda book: setattr(book, "tags", ["crime"]),
    "update of the record": lambda book: book.update(title="Emma", owners={"y"}),
    "update_if": lambda book: book.update_if({"title": ""}, owners={"y"}),
    "upsert": lambda book: Newer.upsert(book.id, title="Emma", prices={"b": 2}),
    "constructor": lambda book: Newer(book.id, tags=["crime"]),
    "del": lambda book: book.__delitem__("tags"),
}


@pytest.mark.parametrize("handle", HANDLES)
@pytest.mark.parametrize("write", WRITES)
def test_a_child_that_was_a_field_is_not_written(store: Backend, write: str, handle: str) -> None:
    Older.create("b", tags=["novel"], prices={"a": 1}, owners={"x"})
    book = HANDLES[handle]()
    for _ in range(2):
        with pytest.raises(SchemaChangedError, match="is declared as a child collection, and 'Book:b' stores it"):
            WRITES[write](book)
    assert Older.load("b").to_dict() == {"title": "", "tags": ["novel"], "prices": {"a": 1}, "owners": {"x"}}
    Older.load("b").delete()
    assert list(store.keys("Book:")) == []


def test_a_child_is_written_once_the_field_is_gone(store: Backend) -> None:
    older = Older.create("b", tags=["novel"])
    book = Newer.load("b")
    with pytest.raises(SchemaChangedError):
        book.tags.append("crime")
    del older.tags
    book.tags.append("crime")
    assert book.tags == ["crime"]
    book.update(title="Emma", tags=["novel"])
    assert book.title == "Emma"
    assert book.tags == ["novel"]


def test_a_field_that_was_a_child_is_in_no_copy_of_the_record(store: Backend) -> None:
    Newer.create("b", title="Dune", tags=["novel"])
    for read in (Older.to_dict, Older.items, Older.values, lambda book: next(fetch([book], "title", "tags"))):
        for _ in range(2):
            with pytest.raises(SchemaChangedError, match="'tags' is declared as a field, and 'Book:b' stores it as a"):
                read(Older.load("b"))


def test_fetch_goes_on_after_a_record_whose_field_was_a_child(store: Backend) -> None:
    Newer.create("b", title="Dune", tags=["novel"])
    Older.create("c", title="Emma")
    Newer.create("d", title="Ulysses")
    books = [Older.ref(name) for name in ("b", "nobody", "c", "d")]
    found: list[Exception] = []
    rows = list(fetch(books, "title", "tags", on_error=found.append))
    assert rows == [{"title": "Emma", "tags": []}, {"title": "Ulysses", "tags": []}]
    assert [type(error) for error in found] == [SchemaChangedError]


def test_only_the_first_copy_of_a_record_with_an_unset_field_asks_twice(server: RunningServer) -> None:
    with counted(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}/0") as backend:
        Newer.create("b", title="Dune", backend=backend)
        book = Older.load("b", backend=backend)
        for expected in (2, 1, 1):
            proxy.reset()
            assert book.to_dict() == {"title": "Dune", "tags": [], "prices": {}, "owners": set()}
            assert proxy.trips == expected
        Older.create("c", backend=backend)
        whole = Older.load("c", backend=backend)
        proxy.reset()
        assert whole.to_dict() == {"title": "", "tags": [], "prices": {}, "owners": set()}
        assert proxy.trips == 1


def test_only_the_first_read_of_an_empty_child_asks_twice(server: RunningServer) -> None:
    with counted(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}/0") as backend:
        Newer.create("b", title="Dune", prices={"a": 1}, backend=backend)
        Newer.create("c", tags=["novel"], backend=backend)
        empty, full = Newer.ref("b", backend=backend), Newer.ref("c", backend=backend)
        for book, first, later in ((empty, 2, 1), (full, 1, 1)):
            for expected in (first, later, later):
                proxy.reset()
                _ = book.tags[:]
                assert proxy.trips == expected
        proxy.reset()
        assert "b" not in empty.prices
        assert "b" not in empty.prices
        assert proxy.trips == 3
        full.tags.append("classic")  # the server knows the script from now on
        proxy.reset()
        assert "a" in Newer.ref("b", backend=backend).prices
        empty.tags.append("novel")
        assert proxy.trips == 2


@pytest.mark.parametrize("store_kind", ["json", "sqlite", "memory", "server", "cluster"])
def test_a_child_that_an_older_class_let_outlive_its_record_is_garbage(store: Backend) -> None:
    Newer.create("b", title="Dune", tags=["novel"])
    Older.load("b").expire(0.05)
    time.sleep(0.2)
    assert not Newer.ref("b")
    assert list(store.keys("Book:")) == [Key("Book:b", "tags")]
    assert list(Newer.all()) == []
    with pytest.raises(ObjectNotFound):
        Newer.ref("b").tags.append("crime")
    assert [finding.kind for finding in check(store)] == ["orphan"]
    [finding] = check(store, repair=["orphan"])
    assert (finding.kind, finding.key, finding.repaired) == ("orphan", "Book:b:tags", True)
    assert list(store.keys("Book:")) == []


@pytest.mark.parametrize("store_kind", ["json", "sqlite", "memory", "server", "cluster"])
def test_a_record_that_is_made_anew_does_not_inherit_such_a_child(store: Backend) -> None:
    Newer.create("b", title="Dune", tags=["novel"])
    Older.load("b").expire(0.05)
    time.sleep(0.2)
    assert not Newer.ref("b")
    book = Newer.create("b", title="Emma")
    assert book.tags == []
    assert list(store.keys("Book:")) == [Key("Book:b")]


def test_a_child_that_has_become_one_of_another_shape_names_both_and_the_remedy(store: Backend) -> None:
    make_record("Chest", {"tools": PersistentList[str]}).create("a", tools=["x"])
    after = make_record("Chest", {"tools": PersistentDict[str, str]})
    held = "does not hold a dict" if "redis" in store.url else "holds a list, not a dict"
    with pytest.raises(
        WrongShapeError, match=f"'Chest:a:tools' {held}; open it, or declare it, as the type that is stored"
    ):
        after.load("a")["tools"].copy()

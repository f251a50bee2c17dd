from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import re
import threading
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    PersistentObject,
    PersistentSet,
    Record,
    child,
    configure,
    connect,
    use_backend,
)
from tests.servers import RunningServer


class Thing(Record):
    name: str
    other: Thing | None
    parts: PersistentList[int] = child()


class Chronicle(PersistentList[int]):
    pass


ODD_IDS = [
    "luke@example.com",
    ":",
    "a:b",
    "a:parts",
    "parts",
    "%",
    "%3A",
    "%253A",
    "{}",
    "{a}b",
    "a}b{",
    "/",
    "/etc/passwd",
    "a/b",
    "a/parts",
    "\\",
    ".",
    "..",
    "../x",
    ".store",
    "a.json",
    "CON",
    "con",
    "nul.txt",
    "*",
    "[a]",
    "?",
    "A",
    "a",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
    "e\N{COMBINING ACUTE ACCENT}",
    "\n",
    "a\nb",
    "\0",
    "a\0b",
    " ",
    "a ",
    "a.",
    "🦄",
    "0",
    "None",
    "x" * 1000,
    "🦄" * 1000,
    "~",
    "-",
    "\x7f",
    "\ufeff",
    "\ud7ff\ue000",
]


def keys(backend: Backend) -> list[str]:
    return sorted(map(str, backend.keys("")))


@pytest.mark.parametrize("kind", [Thing, PersistentDict, PersistentList, PersistentSet, Chronicle])
def test_an_id_is_random_where_none_is_given(store: Backend, kind: type[PersistentObject]) -> None:
    ids = {kind.ref(kind().id).id for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"[\w-]{12}", each, re.ASCII) for each in ids)
    assert keys(store) == []


def test_a_random_id_begins_with_a_letter_or_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [f"{first}{'-_' * 5}x" for first in "-__-a"]
    monkeypatch.setattr(os, "urandom", lambda size: urlsafe_b64decode(drawn.pop(0)))
    assert Thing.ref(Thing().id).id == f"a{'-_' * 5}x"
    assert drawn == []


@pytest.mark.parametrize(("given", "kept"), [(0, "0"), (7, "7"), (-1, "-1"), (2**70, str(2**70)), ("0", "0")])
def test_an_int_is_kept_as_its_digits(store: Backend, given: int | str, kept: str) -> None:
    assert PersistentDict(given).id == Thing.ref(given).id == kept
    assert Thing(given) == Thing(kept)
    Thing(given, name="x")
    assert Thing.load(given).name == "x"


def test_an_empty_id_is_refused() -> None:
    for make in (Thing, PersistentDict, Thing.ref, Thing.load, Thing.create):
        with pytest.raises(ValueError, match="an id cannot be empty"):
            make("")


@pytest.mark.parametrize("wrong", [1.5, True, False, b"x", ("a",), ["a"], {"a": 1}, object()])
def test_an_id_of_another_type_is_refused(wrong: Any) -> None:
    for make in (Thing, PersistentDict, PersistentList, Thing.ref, Thing.load, Thing.create):
        with pytest.raises(TypeError, match="an id is a str or an int, not"):
            make(wrong)


def test_finding_an_object_takes_an_id_and_makes_none_up(store: Backend) -> None:
    for find in (PersistentDict.ref, PersistentDict.load):
        with pytest.raises(TypeError, match="an id is a str or an int, not NoneType"):
            find(None)  # type: ignore[arg-type]  # what the test is about


def test_an_id_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot contain lone surrogates"):
        Thing("\ud800")


def test_an_id_of_a_subclass_of_str_is_kept_as_plain_text(store: Backend) -> None:
    class Shouting(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "LOUD"

    thing = Thing(Shouting("quiet"), name="x")
    assert (thing.id, type(thing.id), thing.key) == ("quiet", str, "Thing:quiet")


@pytest.mark.parametrize(
    ("given", "quoted"), [("a:b", "a%3Ab"), ("100%", "100%25"), ("{a}", "%7Ba%7D"), ("a/b", "a/b")]
)
def test_a_key_is_type_and_id_with_reserved_characters_quoted(given: str, quoted: str) -> None:
    thing = Thing.ref(given)
    assert thing.key == str(thing) == f"Thing:{quoted}"
    assert thing.id == given
    assert thing.parts.key == f"Thing:{quoted}:parts"


def test_odd_ids_do_not_collide_and_come_back(store: Backend) -> None:
    for number, odd in enumerate(ODD_IDS):
        Thing(odd, name=f"thing {number}", parts=[number])
        PersistentDict(odd, {"n": number})
    assert sorted(Thing.ids()) == sorted(ODD_IDS)
    assert Thing.count() == len(ODD_IDS)
    assert {thing.id: thing.name for thing in Thing.all()} == {odd: f"thing {n}" for n, odd in enumerate(ODD_IDS)}
    for number, odd in enumerate(ODD_IDS):
        assert Thing.load(odd).parts[:] == [number]
        assert PersistentDict(odd) == {"n": number}
        Thing("holder", other=Thing.ref(odd))
        assert Thing("holder").other == Thing.ref(odd)
    assert Thing("a:b").delete()
    assert sorted(Thing.ids()) == sorted({*ODD_IDS, "holder"} - {"a:b"})


def test_a_handle_is_truthy_while_the_object_exists(store: Backend) -> None:
    d, items = PersistentDict("d"), PersistentList("l")
    assert not d
    assert not items
    d["a"] = 1
    items.append(0)
    assert d
    assert items
    d.clear()
    assert not d


def test_delete_says_whether_anything_was_there(store: Backend) -> None:
    d = PersistentDict("d", {"a": 1})
    assert d.delete() is True
    assert d.delete() is False
    assert d == {}


def test_all_ids_and_count_are_of_that_class_alone(store: Backend) -> None:
    class Gadget(Thing):
        pass

    Thing("a", name="a", parts=[1])
    Thing("only parts", parts=[1])
    Gadget("g", name="g")
    PersistentDict("a", {"x": 1})
    assert sorted(Thing.ids()) == ["a", "only parts"]
    assert sorted(thing.id for thing in Thing.all()) == ["a", "only parts"]
    assert all(type(thing) is Thing for thing in Thing.all())
    assert (Thing.count(), Gadget.count(), PersistentDict.count()) == (2, 1, 1)


def test_a_class_whose_name_another_one_starts_with_lists_its_own(store: Backend) -> None:
    class Thingamajig(Record):
        name: str

    Thingamajig("x", name="x")
    assert list(Thing.ids()) == []


def test_listing_is_lazy(store: Backend) -> None:
    Thing("a", name="a")
    ids, everything = Thing.ids(), Thing.all()
    Thing("b", name="b")
    assert sorted(ids) == ["a", "b"]
    assert sorted(thing.id for thing in everything) == ["a", "b"]


def test_objects_can_be_deleted_while_they_are_listed(store: Backend) -> None:
    for number in range(50):
        Thing(str(number), name="x", parts=[1])
    for thing in Thing.all():
        assert thing.delete()
    assert keys(store) == []


def test_load_gives_a_handle_of_what_exists(store: Backend) -> None:
    Thing("a", parts=[1])
    assert Thing.load("a") == Thing.ref("a")
    with pytest.raises(ObjectNotFound, match="'Thing:b' does not exist"):
        Thing.load("b")
    with pytest.raises(ObjectNotFound):
        PersistentDict.load("d")


def test_ref_makes_a_handle_with_no_io(server: RunningServer) -> None:
    with connect(server.url) as backend, server.client() as client:
        client.config_resetstat()
        Thing.ref("a", backend=backend)
        PersistentList.ref("l", backend=backend)
        Thing("a", backend=backend).parts  # noqa: B018 - making the handle of a child is what is tested
        assert client.info("commandstats").keys() <= {
            "cmdstat_config|resetstat",
            "cmdstat_info",
            "cmdstat_client|setinfo",
        }


def test_every_way_of_finding_takes_a_backend(store: Backend) -> None:
    other = connect("memory:")
    Thing("a", name="there", backend=other)
    assert Thing.load("a", backend=other).name == "there"
    assert Thing.ref("a", backend=other).name == "there"
    assert list(Thing.ids(backend=other)) == ["a"]
    assert [thing.name for thing in Thing.all(backend=other)] == ["there"]
    assert Thing.count(backend=other) == 1
    assert Thing.create("b", backend=other, name="b")
    assert Thing.count() == 0


def test_handles_from_all_are_bound_to_the_store_they_are_in(store: Backend) -> None:
    Thing("a", name="here")
    [thing] = Thing.all()
    with use_backend("memory:"):
        assert thing.name == "here"


def test_collections_are_unhashable_and_records_are_not() -> None:
    hash(Thing.ref("a"))
    for unhashable in (PersistentDict.ref("a"), PersistentList.ref("a"), PersistentSet.ref("a")):
        with pytest.raises(TypeError, match="unhashable"):
            hash(unhashable)


def test_a_repr_shows_class_and_id_and_reads_nothing() -> None:
    with use_backend("redis://127.0.0.1:1"):
        assert repr(Thing.ref("a:b")) == "Thing('a:b')"
        assert repr(PersistentDict[str, int].ref("a")) == "PersistentDict('a')"
        assert repr(Thing.ref("a").parts) == "Thing('a')['parts']"


def test_a_copy_of_a_record_is_the_same_handle(store: Backend) -> None:
    thing = Thing("a", name="x", backend=store)
    assert copy.copy(thing) is thing
    assert copy.deepcopy([{"thing": thing}]) == [{"thing": thing}]


def again(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def test_an_unbound_handle_is_pickled_with_no_store(store: Backend) -> None:
    thing = Thing("a", name="here", parts=[1])
    data = pickle.dumps([thing, thing.parts, PersistentList[int]("l", [1])])
    elsewhere = connect("memory:")
    Thing("a", name="there", backend=elsewhere)
    configure({"backends": {"default": elsewhere}})
    found, parts, numbers = pickle.loads(data)
    assert (found.name, parts[:], numbers[:]) == ("there", [], [])
    with pytest.raises(TypeError):
        numbers.append("x")
    with use_backend("memory:"):
        assert not pickle.loads(data)[0]


def test_a_handle_unpickled_inside_use_backend_stays_unbound(store: Backend) -> None:
    data = pickle.dumps(Thing("a", name="here"))
    with use_backend("memory:"):
        found = pickle.loads(data)
        assert not found
    assert found.name == "here"


def test_a_handle_of_a_named_backend_is_pickled_by_the_name(store: Backend) -> None:
    configure({"backends": {"default": "memory:", "users": store}})
    by_name, by_object = Thing("a", name="here", backend="users"), Thing.ref("a", backend=store)
    assert again(by_name).name == again(by_object).name == "here"
    data = pickle.dumps([by_name, by_object])
    configure({"backends": {"users": "memory:"}})
    assert not any(pickle.loads(data))


def test_a_handle_of_a_url_is_pickled_by_it(server: RunningServer) -> None:
    with connect(server.url) as backend:
        thing = Thing("a", name="here", parts=[1], backend=server.url)
        assert again(thing) == thing
        assert again(thing).__pc__.choice is backend
        assert again(thing.parts)[:] == [1]
        assert again(PersistentList[int]("l", [1], backend=backend, codec="msgpack"))[:] == [1]


@pytest.mark.parametrize(
    "url", ["memory:", "fakeredis://", "redis://user:swordfish@127.0.0.1:1", "redis://:swordfish@127.0.0.1:1"]
)
def test_a_handle_no_other_process_could_find_is_not_pickled(url: str) -> None:
    thing = Thing.ref("a", backend=url)
    with pytest.raises(ConfigurationError, match="give it a name with configure") as caught:
        pickle.dumps(thing)
    assert "swordfish" not in str(caught.value)


def test_a_password_is_never_pickled() -> None:
    url = "redis://user:swordfish@127.0.0.1:1"
    configure({"backends": {"users": url}})
    try:
        for thing in (
            Thing.ref("a", backend="users"),
            Thing.ref("a", backend=url),
            Thing.ref("a", backend=connect(url)),
        ):
            assert b"swordfish" not in pickle.dumps(thing)
            assert again(thing).key == "Thing:a"
    finally:
        configure({})


def test_a_record_is_pickled_by_its_class_and_id_whatever_its_init_takes(store: Backend) -> None:
    found = again(Peculiar("a", "b"))
    assert (type(found), found.id, found.name) == (Peculiar, "a", "b")


class Peculiar(Record):
    name: str

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one, name=two)


def test_a_handle_is_shared_between_threads(store: Backend) -> None:
    thing = Thing("a", name="x")
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        for _ in range(10):
            thing.parts.append(number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(thing.parts) == sorted(list(range(4)) * 10)


def _append_after_fork(thing: Thing, times: int) -> None:
    for number in range(times):
        thing.parts.append(number)
    thing.name = "child"


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("medium", ["json", "sqlite", "server"])
def test_a_handle_is_used_in_another_process(medium: str, method: str, server: RunningServer, tmp_path: Path) -> None:
    url = server.url if medium == "server" else f"{medium}:{tmp_path}/data"
    with connect(url) as backend:
        thing = Thing("a", name="parent", parts=[-1], backend=backend)
        assert thing.name == "parent"
        context: Any = multiprocessing.get_context(method)
        workers = [context.Process(target=_append_after_fork, args=(thing, 5)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for number in range(5):
            thing.parts.append(number)
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
        assert sorted(thing.parts) == sorted([-1, *list(range(5)) * 3])
        assert thing.name == "child"


def test_a_forked_process_reads_and_writes_on_connections_of_its_own(server: RunningServer) -> None:
    with connect(server.url) as backend:
        thing = Thing("a", name="x", backend=backend)
        pid = os.fork()
        if pid == 0:
            ok = all(thing.name == "x" for _ in range(200))
            os._exit(0 if ok else 1)
        assert all(thing.name == "x" for _ in range(200))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_an_object_dropped_leaves_what_is_stored(store: Backend) -> None:
    Thing("a", name="x")
    thing = Thing("a")
    del thing
    assert Thing("a").name == "x"
    assert not any("__del__" in vars(kind) for kind in (*PersistentDict.__mro__, *Thing.__mro__))


def test_a_base_class_of_nothing_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        PersistentObject("x")

"""How often a store on Redis asks its server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

import pytest
from redis.connection import AbstractConnection

from persistent_collections.backends.base import Backend, Wanted
from persistent_collections.backends.changes import (
    Change,
    Delete,
    Exists,
    FieldsAre,
    Make,
    Replace,
    SetDeadline,
    SetFields,
)
from persistent_collections.backends.fakeredis import FakeRedisBackend
from persistent_collections.backends.indexes import FIRST, LAST
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import NotUnique, ObjectNotFound
from persistent_collections.testing.backends.base import put
from persistent_collections.testing.backends.calls import EMPTYINGS, NAME, ON_ABSENT, SINGLES, STARTS, WRITES, Call
from persistent_collections.testing.backends.indexes import INDEXES, INDEXING, SIZE, key, saving
from tests.conftest import SERVERS, Start

pytestmark = pytest.mark.store("server")

KEY = Key("Thing:x")
CHILD = Key("Thing:x", "child")


@pytest.fixture(params=["real", "fake", "RESP2", "cluster", "sentinel"])
def backend(request: pytest.FixtureRequest, start: Start) -> Iterator[RedisBackend]:
    if request.param == "fake":
        yield FakeRedisBackend()
        return
    served = start(request.param if request.param in SERVERS else "server")
    protocol = 2 if request.param == "RESP2" else 3
    with RedisBackend.from_url(StoreURL.parse(f"{served.url}?protocol={protocol}")) as backend:
        yield backend


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Give what counts how often a call sends something."""
    sends: list[object] = []
    send = AbstractConnection.send_packed_command

    def counted(connection: AbstractConnection, command: Any, *args: Any, **kwargs: Any) -> None:
        sends.append(connection)
        send(connection, command, *args, **kwargs)  # type: ignore[no-untyped-call]  # redis-py's own has no types

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)

    def count(call: Callable[[], object]) -> int:
        sends.clear()
        call()
        return len(sends)

    return count


@pytest.mark.parametrize("key", [KEY, CHILD], ids=["own", "child"])
@pytest.mark.parametrize("call", ON_ABSENT, ids=NAME)
def test_a_call_on_an_absent_key_is_one_round_trip(
    backend: Backend, asked: Callable[..., int], call: Call, key: Key
) -> None:
    put(backend, KEY, {"f": b"1"})
    for _ in range(2):  # the first opens the connection and lets the server learn the script
        backend.commit([], [Delete(key)])
        trips = asked(lambda: call.run(backend, key))
    assert trips == 1


@pytest.mark.parametrize("key", [KEY, CHILD], ids=["own", "child"])
@pytest.mark.parametrize("call", WRITES, ids=NAME)
def test_a_write_is_one_round_trip(backend: Backend, asked: Callable[..., int], call: Call, key: Key) -> None:
    put(backend, KEY, {"f": b"1"})
    for _ in range(2):
        put(backend, key, STARTS[call.shape])
        trips = asked(lambda: call.run(backend, key))
    assert trips == 1


@pytest.mark.parametrize("call", [call for call in WRITES if call.shape == "mapping"], ids=NAME)
def test_a_write_to_a_record_is_one_round_trip(backend: Backend, asked: Callable[..., int], call: Call) -> None:
    for _ in range(2):
        put(backend, KEY, STARTS[call.shape])
        trips = asked(lambda: call.run_as_record(backend, KEY))
    assert trips == 1


@pytest.mark.parametrize("call", [call for call in (*ON_ABSENT, *WRITES) if call.shape == "mapping"], ids=NAME)
def test_a_call_on_a_record_that_does_not_exist_is_one_round_trip(
    backend: Backend, asked: Callable[..., int], call: Call
) -> None:
    def run() -> None:
        with suppress(ObjectNotFound):
            call.run_as_record(backend, KEY)

    run()
    assert asked(run) == 1


@pytest.mark.parametrize("call", EMPTYINGS, ids=NAME)
def test_a_write_that_empties_is_one_round_trip(backend: Backend, asked: Callable[..., int], call: Call) -> None:
    for _ in range(2):
        put(backend, KEY, SINGLES[call.shape])
        trips = asked(lambda: call.run(backend, KEY))
    assert trips == 1


def test_what_concerns_several_keys_of_a_root_is_one_round_trip(backend: Backend, asked: Callable[..., int]) -> None:
    changes: list[Change] = [SetFields(KEY, {"f": b"1", "g": None}), Replace(CHILD, [b"a"]), SetDeadline(KEY, 100)]
    calls: list[Callable[[], object]] = [
        lambda: backend.commit([Exists(CHILD, expected=False), FieldsAre(KEY, {"f": b"1"})], changes),
        lambda: backend.commit([], [Make(KEY, {"f": b"1"}, [CHILD]), *changes]),
        lambda: backend.commit([], [Delete(KEY, [CHILD]), Replace(KEY, {"f": b"1"})]),
        lambda: backend.look([KEY, CHILD]),
        lambda: backend.examine([Wanted(KEY, [], [CHILD])]),
        lambda: backend.members(Key("Thing:m", "a")).combine("union", [Key("Thing:m", "b"), Key("Thing:m")]),
    ]
    for call in calls:
        call()
        assert asked(call) == 1


def test_what_concerns_several_roots_is_one_round_trip_a_node(backend: Backend, asked: Callable[..., int]) -> None:
    keys = [Key(f"Thing:{number}") for number in range(100)]
    calls: list[Callable[[], object]] = [
        lambda: backend.look(keys),
        lambda: backend.examine([Wanted(key, ["f"], [Key(key.root, "child")]) for key in keys]),
        lambda: backend.get_many([(key, ["f"]) for key in keys]),
        lambda: backend.members(KEY).combine("union", keys),
    ]
    for call in calls:
        call()
        assert asked(call) == (3 if backend.url.startswith("redis+cluster:") else 1)


def test_a_look_at_a_page_of_keys_and_their_sizes_is_two_round_trips_a_node(
    backend: Backend, asked: Callable[..., int]
) -> None:
    keys = [Key(f"Thing:{number}", child) for number in range(100) for child in (None, "list", "set", "absent")]
    for root, *_ in keys[::4]:
        put(backend, Key(root), {"f": b"1"})
        put(backend, Key(root, "list"), [b"1"])
        put(backend, Key(root, "set"), {"a"})
    assert [found and found.size for found in backend.look(keys, sizes=True)] == [1, 1, 1, None] * 100
    assert asked(lambda: backend.look(keys, sizes=True)) == (6 if backend.url.startswith("redis+cluster:") else 2)
    assert asked(lambda: backend.look([], sizes=True)) == 0


def test_listing_keys_is_one_round_trip_a_page_and_on_a_cluster_two_more_a_node(
    backend: Backend, asked: Callable[..., int]
) -> None:
    backend.mapping(KEY).set_many({"f": b"1"})
    assert list(backend.keys("Thing:")) == [KEY]
    assert asked(lambda: list(backend.keys("Thing:"))) == (9 if backend.url.startswith("redis+cluster:") else 1)


def test_iteration_is_one_round_trip_a_page_and_small_collections_are_one_page(
    backend: Backend, asked: Callable[..., int]
) -> None:
    mapping, members = backend.mapping(KEY), backend.members(CHILD)
    for size, most in ((100, 1), (5000, 6)):
        mapping.replace({f"{number:04}": b"x" * 100 for number in range(size)})
        members.replace({f"{number:04}" for number in range(size)})
        assert asked(lambda: list(chain.from_iterable(mapping.pages()))) <= most
        assert asked(lambda: list(chain.from_iterable(members.pages()))) <= most


def test_a_write_of_entries_is_one_round_trip_and_on_a_cluster_two(backend: Backend, asked: Callable[..., int]) -> None:
    on_cluster = backend.url.startswith("redis+cluster:")
    index = backend.index(INDEXING)
    index.mark([each.name for each in INDEXES], whole=True)

    def take() -> None:
        with pytest.raises(NotUnique):
            backend.commit([], saving("y", name="a", size="1"))

    trips: dict[str, tuple[Callable[[], object], int]] = {
        "make": (lambda: backend.commit([], saving("x", name="a", size="1")), 1 + on_cluster),
        "find": (lambda: index.find(SIZE.name, FIRST, LAST, 10, fields=["size"]), 1 + on_cluster),
        "count": (lambda: index.count(SIZE.name, FIRST, LAST), 1 + on_cluster),
        "change": (lambda: backend.commit([Exists(key("x"))], saving("x", name="b", size="2")), 1 + on_cluster),
        "change back": (lambda: backend.commit([], saving("x", name="a", size="2")), 1 + on_cluster),
        "what is taken": (take, 1 + on_cluster),
        "another field": (lambda: backend.commit([], [SetFields(key("x"), {"other": b"1"})]), 1),
        "states": (index.states, 1),
        "delete": (lambda: backend.commit([], [Delete(key("x"), [], INDEXING)]), 1),
    }
    for call, _ in trips.values():  # connections are opened, and the server learns the scripts
        call()
    index.drop([each.name for each in INDEXES])  # a find that meets what is left of them lets the next write ask for it
    index.mark([each.name for each in INDEXES], whole=True)
    assert {name: asked(call) for name, (call, _) in trips.items()} == {name: most for name, (_, most) in trips.items()}


def test_finding_on_a_cluster_asks_all_nodes_at_once(backend: Backend, asked: Callable[..., int]) -> None:
    on_cluster = backend.url.startswith("redis+cluster:")
    index = backend.index(INDEXING)
    index.mark([each.name for each in INDEXES], whole=True)
    for number in range(60):
        backend.commit([], saving(f"x{number}", name=f"a{number}", size="1"))
    index.find(SIZE.name, FIRST, LAST, 100)
    assert asked(lambda: index.find(SIZE.name, FIRST, LAST, 100)) == (4 if on_cluster else 1)


@pytest.mark.parametrize("name", SERVERS)
def test_making_a_backend_and_its_handles_asks_nothing(name: str, start: Start, asked: Callable[..., int]) -> None:
    url = start(name).url

    def make() -> None:
        with RedisBackend.from_url(StoreURL.parse(url)) as backend:
            for shape in (backend.mapping, backend.sequence, backend.members):
                shape(KEY)
                shape(CHILD)

    assert asked(make) == 0

"""How often a store on Redis asks its server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
from redis.connection import AbstractConnection

from persistent_collections.backends.base import Backend, Change, Delete, Key, Replace, SetDeadline, SetFields
from persistent_collections.backends.fakeredis import FakeRedisBackend
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.testing.backends.calls import EMPTYINGS, NAME, ON_ABSENT, SINGLES, STARTS, WRITES, Call, put
from tests.servers import RunningServer, binaries, run_server

KEY = Key("Thing:x")
CHILD = Key("Thing:x", "child")
KIN = {"alone": (), "with kin": (KEY, CHILD)}


@pytest.fixture(scope="module")
def real() -> Iterator[RunningServer]:
    with run_server(binaries()[0]) as server:
        yield server


@pytest.fixture(params=["real", "fake", "RESP2"])
def backend(request: pytest.FixtureRequest, real: RunningServer) -> Iterator[RedisBackend]:
    if request.param == "fake":
        yield FakeRedisBackend()
        return
    protocol = 2 if request.param == "RESP2" else 3
    with RedisBackend.from_url(StoreURL.parse(f"{real.url}?protocol={protocol}")) as backend, real.client() as client:
        client.flushall()
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


@pytest.mark.parametrize("kin", KIN.values(), ids=KIN)
@pytest.mark.parametrize("call", ON_ABSENT, ids=NAME)
def test_a_call_on_an_absent_key_is_one_round_trip(
    backend: Backend, asked: Callable[..., int], call: Call, kin: tuple[Key, ...]
) -> None:
    call.run(backend, KEY, kin)  # opens the connection and lets the server learn the script
    backend.apply([Delete(KEY)])
    assert asked(lambda: call.run(backend, KEY, kin)) == 1


@pytest.mark.parametrize("kin", KIN.values(), ids=KIN)
@pytest.mark.parametrize("call", WRITES, ids=NAME)
def test_a_write_is_one_round_trip(
    backend: Backend, asked: Callable[..., int], call: Call, kin: tuple[Key, ...]
) -> None:
    for _ in range(2):
        put(backend, KEY, STARTS[call.shape])
        trips = asked(lambda: call.run(backend, KEY, kin))
    assert trips == 1


@pytest.mark.parametrize("call", EMPTYINGS, ids=NAME)
def test_a_write_that_empties_is_one_round_trip(backend: Backend, asked: Callable[..., int], call: Call) -> None:
    for _ in range(2):
        put(backend, KEY, SINGLES[call.shape])
        trips = asked(lambda: call.run(backend, KEY, ()))
    assert trips == 1


def test_what_concerns_several_keys_is_one_round_trip(backend: Backend, asked: Callable[..., int]) -> None:
    changes: list[Change] = [SetFields(KEY, {"f": b"1", "g": None}), Replace(CHILD, [b"a"]), SetDeadline(KEY, 100)]
    calls: list[Callable[[], object]] = [
        lambda: backend.apply(changes, [KEY, CHILD]),
        lambda: backend.exists([KEY, CHILD]),
        lambda: backend.shape(KEY),
        lambda: backend.ttl([KEY, CHILD]),
        lambda: list(backend.keys("Thing:")),
        lambda: backend.members(Key("Thing:m")).combine("union", [Key("Thing:n"), Key("Thing:o")]),
    ]
    for call in calls:
        call()
        assert asked(call) == 1


def test_iteration_is_one_round_trip_a_page_and_small_collections_are_one_page(
    backend: Backend, asked: Callable[..., int]
) -> None:
    mapping, members = backend.mapping(KEY), backend.members(CHILD)
    for size, most in ((100, 1), (5000, 6)):
        mapping.replace({f"{number:04}": b"x" * 100 for number in range(size)})
        members.replace({f"{number:04}" for number in range(size)})
        assert asked(lambda: list(chain.from_iterable(mapping.pages()))) <= most
        assert asked(lambda: list(chain.from_iterable(members.pages()))) <= most


def test_making_a_backend_and_its_handles_asks_nothing(real: RunningServer, asked: Callable[..., int]) -> None:
    def make() -> None:
        with RedisBackend.from_url(StoreURL.parse(real.url)) as backend:
            for shape in (backend.mapping, backend.sequence, backend.members):
                shape(KEY, [CHILD])

    assert asked(make) == 0

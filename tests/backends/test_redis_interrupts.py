"""An exception that a signal handler raises at any moment costs a store on Redis only the operation it strikes."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import pytest
import redis
from redis.utils import HIREDIS_AVAILABLE

from persistent_collections import (
    BackendUnavailable,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    WrongShapeError,
)
from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.redis.pool import Link
from persistent_collections.backends.urls import StoreURL
from tests.conftest import SERVERS, Start
from tests.injecting import ends_in_a_fork, ends_in_a_thread, interruptions
from tests.servers import RunningServer

# redis-py leaves a socket to be closed with the last reference to it.
without_hiredis = pytest.mark.skipif(HIREDIS_AVAILABLE, reason="hiredis crashes; the last test runs this without it")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Visit(Record):
    place: str
    visits: int = 0


def new_list(backend: Backend) -> PersistentList[str]:
    items = PersistentList[str]("items", backend=backend)
    items[:] = ["x", "y", "z"]
    return items


OPERATIONS: Final[dict[str, Callable[[Backend], object]]] = {
    "dict get": lambda backend: PersistentDict("d", backend=backend)["a"],
    "dict set": lambda backend: PersistentDict("d", backend=backend).update(a="x"),
    "list append": lambda backend: PersistentList("l", backend=backend).append("x"),
    "list pop": lambda backend: new_list(backend).pop(),
    "list delete": lambda backend: new_list(backend).pop(1),
    "set add": lambda backend: PersistentSet("s", backend=backend).add("x"),
    "record update": lambda backend: Visit.ref("v", backend=backend).update(place="Ely", visits=2),
    "iteration": lambda backend: list(PersistentDict("d", backend=backend)),
    "listing": lambda backend: list(backend.keys("PersistentDict:")),
}


@pytest.fixture(params=["server", "RESP2", "sentinel", "cluster"])
def backend(request: pytest.FixtureRequest, start: Start) -> Iterator[RedisBackend]:
    """Give a store that has too few connections to lose any: one may be kept by the exception that is being handled."""
    served = start(request.param if request.param in SERVERS else "server")
    protocol = 2 if request.param == "RESP2" else 3
    url = f"{served.url}?protocol={protocol}&max_connections=2&retry_for_s=0.5"
    with RedisBackend.from_url(StoreURL.parse(url)) as backend:
        yield backend


def fill(backend: Backend) -> None:
    PersistentDict("d", backend=backend).update(a="x", b="other")
    Visit("v", place="Rye", backend=backend)
    Visit("w", place="Rye", visits=7, backend=backend)


def check(backend: Backend) -> None:
    """See that answers are those to the questions asked."""
    for _ in range(2):
        assert PersistentDict("d", backend=backend)["b"] == "other"
        assert backend.mapping(Key("Visit:w")).contains("place")
        assert Visit.ref("w", backend=backend).visits == 7
        assert PersistentSet[str]("absent", backend=backend) == set()


@without_hiredis
@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.proof), 23])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_the_next_operation_is_answered_as_if_nothing_had_been(
    backend: RedisBackend, operation: Callable[[Backend], object], stride: int
) -> None:
    fill(backend)
    operation(backend)  # now all is read and compiled that is once
    for _ in interruptions(lambda: operation(backend), stride=stride):
        check(backend)
    assert ends_in_a_thread(lambda: check(backend))
    assert ends_in_a_fork(lambda: check(backend))


@without_hiredis
@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.proof), 31])
def test_so_it_is_while_a_connection_is_made(backend: RedisBackend, stride: int) -> None:
    def read_anew() -> None:
        backend.close()
        assert PersistentDict("d", backend=backend)["a"] == "x"

    fill(backend)
    read_anew()
    for _ in interruptions(read_anew, stride=stride):
        check(backend)
    assert ends_in_a_thread(lambda: check(backend))
    assert ends_in_a_fork(lambda: check(backend))


@without_hiredis
@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.proof), 23])
def test_so_it_is_with_a_client_that_was_passed_in(server: RunningServer, stride: int) -> None:
    with redis.Redis(port=server.port) as client, server.client() as other:
        backend = RedisBackend(client)

        def read() -> None:
            assert PersistentDict("d", backend=backend)["a"] == "x"

        fill(backend)
        read()
        for moment in interruptions(read, stride=stride):
            check(backend)
            assert client.hget("PersistentDict:d", "b") == b'"other"'
            if moment % 2:  # the next moments are of a connection that is made anew
                other.client_kill_filter(_type="normal", skipme=True)
        assert ends_in_a_thread(lambda: check(backend))


def test_no_error_keeps_a_connection_once_it_was_dealt_with(server: RunningServer) -> None:
    """Otherwise one that an interrupt lost would take a place in the pool until the garbage is collected."""

    def links() -> set[int]:
        return {id(each) for each in gc.get_objects() if isinstance(each, Link)}

    gc.collect()
    gc.disable()
    before = links()
    try:
        url = f"{server.url}?socket_timeout=0.2&retry_for_s=0"
        with server.client() as other, RedisBackend.from_url(StoreURL.parse(url)) as backend:
            fill(backend)
            assert links() - before
            other.script_flush()
            assert new_list(backend).pop(1) == "y"  # NOSCRIPT
            with suppress(WrongShapeError):
                backend.sequence(Key("PersistentDict:d")).pop(0)
            with server.stalled(), suppress(BackendUnavailable):
                backend.mapping(Key("PersistentDict:d")).get("a")
        assert links() <= before
    finally:
        gc.enable()


def test_a_fork_beside_busy_threads_takes_no_longer_than_one_alone(server: RunningServer) -> None:
    with RedisBackend.from_url(StoreURL.parse(server.url)) as backend:
        fill(backend)
        ended = threading.Event()

        def work() -> None:
            while not ended.is_set():
                backend.mapping(Key("PersistentDict:d")).get("a")

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                begun = time.monotonic()
                assert ends_in_a_fork(lambda: check(backend))
                assert time.monotonic() - begun < 2
        finally:
            ended.set()
            for thread in threads:
                thread.join()


@pytest.mark.skipif(not HIREDIS_AVAILABLE, reason="the tests above ran without hiredis")
@pytest.mark.parametrize("chosen", ["not proof", pytest.param("proof", marks=pytest.mark.proof)])
def test_the_same_without_hiredis(chosen: str) -> None:
    program = "import sys; sys.modules['hiredis'] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "-q", "-p", "no:cacheprovider", "-m", chosen, __file__]
    for _ in range(3):  # CPython 3.11.7 that is traced may crash or mistake objects; our own faults come back
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            break
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert " passed" in ran.stdout

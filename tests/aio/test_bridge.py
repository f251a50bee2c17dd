"""Functions that run on the event loop itself, over connections that they share."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

import bcrypt
import fakeredis
import pytest
import redis

import persistent_collections
from persistent_collections import (
    BackendUnavailable,
    ConfigurationError,
    ConflictError,
    OutcomeUnknown,
    Password,
    PersistentDict,
    PersistentList,
    Record,
    TransactionError,
    child,
    connect,
    transaction,
    transactional,
    use_backend,
)
from persistent_collections import configure as configure_stores
from persistent_collections.aio import configure, run, stream
from persistent_collections.backends import Backend, MemoryBackend, RedisBackend
from persistent_collections.backends.redis import shared
from tests.certificates import Authority, Signed
from tests.conftest import Start
from tests.proxy import counted
from tests.servers import RunningServer, run_server, wait_until

pytestmark = pytest.mark.store("server")

T = TypeVar("T")

NAME: Final = "bridged"
"""The name by which connections made here are known among the server's."""


class Lodger(Record):
    name: str = ""
    secret: Password
    rooms: PersistentList[int] = child()


@pytest.fixture(autouse=True)
def bridge() -> Iterator[None]:
    configure(bridge=True)
    yield
    configure()
    configure_stores({})


@pytest.fixture
def store(server: RunningServer) -> Iterator[Backend]:
    """Give an empty store on a real server, as the default."""
    with at(server) as backend:
        yield backend


@contextmanager
def at(server: RunningServer, **options: Any) -> Iterator[Backend]:
    with connect(server.url, client_name=NAME, **options) as backend:
        configure_stores({"backends": {"default": backend}})
        yield backend


def connections(server: RunningServer) -> list[dict[str, str]]:
    """Return what the server says of the connections made here."""
    with server.client() as client:
        return [one for one in client.client_list() if one["name"] == NAME]


def in_use(client: redis.Redis) -> int:
    """Return how many connections of a client are in use."""
    return sum(n for n, labels in client.connection_pool.get_connection_count() if "used" in labels.values())


def on_the_loop() -> bool:
    return threading.current_thread() is threading.main_thread()


def noting(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[bool]:
    """Return what will hold of each call of a function whether it was on the loop."""
    where: list[bool] = []
    function = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        where.append(on_the_loop())
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)
    return where


def read(number: int) -> int:
    numbers = PersistentDict[int, int]("numbers")
    return numbers[number % 100] + number - number % 100


def fill() -> None:
    PersistentDict[int, int]("numbers", {number: number for number in range(100)})


async def until(true: Callable[[], object]) -> None:
    """Let the loop go on until something is true."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


def test_functions_run_on_the_loop_over_one_connection(store: Backend, server: RunningServer) -> None:
    def use(number: int) -> tuple[int, bool]:
        return read(number), on_the_loop()

    async def main() -> tuple[list[tuple[int, bool]], int]:
        await run(fill)
        return await asyncio.gather(*(run(use, number) for number in range(500))), len(connections(server))

    results, used = asyncio.run(main())
    assert results == [(number, True) for number in range(500)]
    assert used == 1


def test_operations_of_many_functions_go_in_one_round_trip(server: RunningServer) -> None:
    with counted(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}") as backend:
        configure_stores({"backends": {"default": backend}})

        async def main() -> int:
            await run(fill)
            proxy.reset()
            await asyncio.gather(*(run(read, number) for number in range(100)))
            return proxy.trips

        assert asyncio.run(main()) <= 5


def test_another_function_that_writes_by_the_same_handle_hides_no_conflict(
    store: Backend, server: RunningServer
) -> None:
    shared = PersistentDict[str, Any]("shared", {"t": ["a"]})
    has_read, go_on = threading.Event(), threading.Event()

    def assign_back() -> None:
        held = shared["t"]
        has_read.set()
        while not go_on.is_set():
            PersistentDict("other").get("x")
        list.append(held, "mine")  # which writes nothing
        shared["t"] = held

    def set_by_another_process() -> None:
        with server.client() as client:
            client.hset("PersistentDict:shared", "t", b'["b"]')

    async def main() -> None:
        assigning = asyncio.create_task(run(assign_back))
        await until(has_read.is_set)
        await run(shared.__setitem__, "u", 1)
        set_by_another_process()
        go_on.set()
        with pytest.raises(ConflictError):
            await assigning

    asyncio.run(main())
    assert (shared["t"], shared["u"]) == (["b"], 1)


def test_notes_of_writes_do_not_grow_with_the_functions(store: Backend) -> None:
    shared = PersistentDict[str, int]("shared", {"n": 0})

    async def main() -> None:
        for _ in range(20):
            await asyncio.gather(*(run(shared.increment, "n") for _ in range(5)))

    asyncio.run(main())
    assert shared["n"] == 100
    assert len(shared.__pc__.writes) <= 6


@pytest.mark.parametrize("most", [200, pytest.param(2000, marks=pytest.mark.slow)])
def test_half_of_the_requests_are_cancelled_and_the_others_get_their_own_reply(
    store: Backend, server: RunningServer, most: int
) -> None:
    fill()

    async def main() -> tuple[list[int], int]:
        await run(read, 0)
        tasks = [asyncio.create_task(run(read, number)) for number in range(most)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # now all are sent, and none is answered
        for task in tasks[::2]:
            task.cancel()
        cancelled = await asyncio.gather(*tasks[::2], return_exceptions=True)
        assert {type(each) for each in cancelled} == {asyncio.CancelledError}
        return await asyncio.gather(*tasks[1::2]), await run(read, 7) + len(connections(server)) - 1

    assert asyncio.run(main()) == (list(range(1, most, 2)), 7)


@pytest.mark.parametrize("store_kind", ["server", "cluster", "sentinel"])
def test_it_is_so_behind_sentinels_and_on_a_cluster(backend: Backend, store_kind: str) -> None:
    def use(number: int) -> list[int]:
        items = PersistentList[int](f"list {number}")
        items.append(number)
        return [*items, read(number)]

    async def main() -> None:
        await run(fill)
        await run(lambda: sorted(PersistentDict[int, int]("numbers").items()))
        tasks = [asyncio.create_task(run(use, number)) for number in range(200)]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks[::2], return_exceptions=True)
        assert await asyncio.gather(*tasks[1::2]) == [[number, number] for number in range(1, 200, 2)]

    with use_backend(backend):
        asyncio.run(main())


def test_large_values_travel_by_a_connection_of_their_own(store: Backend, server: RunningServer) -> None:
    fill()
    store.close()

    async def main() -> int:
        def write() -> int:
            PersistentDict("large")["x"] = "x" * 3_000_000
            return len(PersistentDict[str, str]("large")["x"])

        results = await asyncio.gather(*(run(read, number) for number in range(50)), run(write))
        assert results == [*range(50), 3_000_000]
        return len(connections(server))

    assert asyncio.run(main()) == 2


def test_a_large_write_that_is_cancelled_gives_its_connection_back(server: RunningServer) -> None:
    with redis.Redis(port=server.port) as client, use_backend(RedisBackend(client)):

        async def main() -> None:
            await run(fill)
            for turns in range(12):
                task = asyncio.create_task(run(PersistentDict("large").__setitem__, "x", "x" * 3_000_000))
                for _ in range(turns):
                    await asyncio.sleep(0.001)
                task.cancel()
                await asyncio.wait([task])
                assert await run(read, turns) == turns
            await until(lambda: in_use(client) == 1)

        asyncio.run(main())
        assert in_use(client) == 0


@contextmanager
def speaking_tls(server: RunningServer, signed: Signed) -> Iterator[int]:
    """Give a port at which ``server`` is spoken to by TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    begun: Future[tuple[int, Callable[[], object]]] = Future()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, inner[1]), pump(inner[0], writer), return_exceptions=True)

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context) as listening:
            begun.set_result((listening.sockets[0].getsockname()[1], lambda: loop.call_soon_threadsafe(ended.set)))
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    port, end = begun.result(20)
    try:
        yield port
    finally:
        end()
        thread.join()


@pytest.mark.parametrize("protocol", [2, 3])
def test_tls_and_passwords(tmp_path: Path, protocol: int) -> None:
    authority = Authority(tmp_path, "authority")
    with (
        run_server(None, "--requirepass", "sesame") as server,
        speaking_tls(server, authority.sign("localhost")) as port,
        connect(
            f"rediss://localhost:{port}", password="sesame", protocol=protocol, ssl_ca_certs=str(authority.certificate)
        ) as backend,
        use_backend(backend),
    ):

        async def main() -> None:
            await run(fill)
            await run(PersistentDict[str, str]("large").__setitem__, "x", "x" * 200_000)
            tasks = [run(lambda: len(PersistentDict[str, str]("large")["x"])) for _ in range(20)]
            assert await asyncio.gather(*tasks) == [200_000] * 20
            assert await asyncio.gather(*(run(read, number) for number in range(100))) == list(range(100))

        asyncio.run(main())


@pytest.mark.parametrize("turns", range(12))
def test_a_cancelled_function_leaves_the_next_reply_to_the_next(store: Backend, turns: int) -> None:
    fill()
    ended = []

    def read_often() -> None:
        try:
            for number in range(100):
                read(number)
        finally:
            ended.append(read(50))

    async def main() -> None:
        task, other = asyncio.create_task(run(read_often)), asyncio.create_task(run(read, 3))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await other == 3
        assert [await run(read, number) for number in range(5)] == list(range(5))

    asyncio.run(main())
    assert ended in ([], [50])


class TestServersThatFail:
    def test_a_server_that_stalls_is_given_up_and_the_loop_goes_on(self, start: Start) -> None:
        with run_server() as server, run_server() as other, at(server, socket_timeout=0.3, retry_for_s=0):
            fill()
            numbers = PersistentDict[int, int]("numbers")
            elsewhere = connect(other.url)

            async def main() -> None:
                await run(read, 0)
                with server.stalled():
                    writing = [asyncio.create_task(run(numbers.__setitem__, number, -1)) for number in range(3)]
                    reading = asyncio.create_task(run(read, 1))
                    await asyncio.sleep(0)
                    for number in range(20):
                        await run(PersistentDict("d", backend=elsewhere).__setitem__, "x", number)
                    outcomes = await asyncio.gather(*writing, reading, return_exceptions=True)
                assert [type(each) for each in outcomes] == [OutcomeUnknown] * 3 + [BackendUnavailable]
                assert await run(read, 5) == 5

            asyncio.run(main())
            elsewhere.close()

    def test_connections_that_the_server_closes_are_made_anew(self, store: Backend, server: RunningServer) -> None:
        fill()

        async def main() -> None:
            for number in range(5):
                assert await run(read, number) == number
                with server.client() as client:
                    client.client_kill_filter(_type="normal", skipme=True)

        asyncio.run(main())

    def test_a_connection_that_was_idle_for_long_is_made_anew(
        self, server: RunningServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now_s, ahead_s = asyncio.BaseEventLoop.time, [0.0]
        monkeypatch.setattr(asyncio.BaseEventLoop, "time", lambda loop: now_s(loop) + ahead_s[0])

        async def main() -> list[str]:
            used = []
            for ahead_s[0] in (0, 0, 60, 60):
                assert await run(read, 3) == 3
                used.append(connections(server)[-1]["id"])
            return used

        with at(server, health_check_interval=30):
            fill()
            first, second, third, fourth = asyncio.run(main())
        assert (first == second, second == third, third == fourth) == (True, False, True)

    @pytest.mark.parametrize("passed", range(0, 400, 40))
    def test_no_write_is_made_twice_if_the_connection_is_cut(self, server: RunningServer, passed: int) -> None:
        with counted(server.port) as proxy, connect(f"redis://127.0.0.1:{proxy.port}", prefix="cut:") as backend:
            numbers = PersistentList[int]("n", backend=backend)

            def append(number: int) -> bool:
                try:
                    numbers.append(number)
                except OutcomeUnknown:
                    return False
                return True

            async def main() -> list[bool]:
                await run(numbers.clear)
                proxy.cut_after("request", passed)
                return await asyncio.gather(*(run(append, number) for number in range(10)))

            surely = asyncio.run(main())
            stored = list(numbers)
            assert len(set(stored)) == len(stored)
            assert {number for number, is_sure in enumerate(surely) if is_sure} <= set(stored)

    def test_a_server_that_is_not_there_is_told(self, start: Start) -> None:
        with connect("redis://127.0.0.1:1", retry_for_s=0) as backend:

            async def main() -> None:
                got = await asyncio.gather(
                    *(run(PersistentDict("d", backend=backend).get, "x") for _ in range(3)), return_exceptions=True
                )
                assert {type(each) for each in got} == {BackendUnavailable}

            asyncio.run(main())

    def test_a_value_that_is_too_large_is_refused_for_that(self, start: Start) -> None:
        with run_server(None, "--proto-max-bulk-len", "1mb") as server, at(server):
            fill()

            async def main() -> None:
                large = asyncio.create_task(run(PersistentDict("d").__setitem__, "x", "x" * 2**22))
                others = await asyncio.gather(*(run(read, number) for number in range(50)))
                assert others == list(range(50))
                with pytest.raises(Exception, match="proto-max-bulk-len"):
                    await large

            asyncio.run(main())


class Interrupted(Exception):  # noqa: N818 - what a signal handler raises
    pass


def raising_once(function: Callable[..., Any], moment: int, raised: list[int]) -> Callable[..., Any]:
    """Return ``function``, which raises in the ``moment``-th line of its module that it comes to, once."""
    left = [moment]

    def step(frame: FrameType, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != shared.__file__:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == -1:
                raised.append(frame.f_lineno)
                raise Interrupted
        return step

    def call(*args: Any, **kwargs: Any) -> Any:
        before = sys.gettrace()
        sys.settrace(step)
        try:
            return function(*args, **kwargs)
        finally:
            sys.settrace(before)

    return call


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["send", "_send", "_receive", "_expire", "leave"])
def test_an_exception_at_any_line_gives_no_reply_to_a_stranger(
    server: RunningServer, name: str, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, begin, lines = getattr(shared.Line, name), shared.Line.__init__, []

    def noted(self: Any, *args: Any) -> None:
        lines.append(self)
        begin(self, *args)

    monkeypatch.setattr(shared.Line, "__init__", noted)

    async def main(moment: int) -> list[int]:
        return await asyncio.wait_for(tried(moment), 20)

    async def tried(moment: int) -> list[int]:
        raised: list[int] = []
        lines.clear()
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        monkeypatch.setattr(shared.Line, name, raising_once(function, moment, raised))
        tasks = [asyncio.create_task(run(read, number)) for number in range(6)]
        while not lines:
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        tasks[2].cancel()
        if name == "_expire":
            await asyncio.sleep(0.15)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        monkeypatch.setattr(shared.Line, name, function)
        failures = BackendUnavailable, OutcomeUnknown, Interrupted, asyncio.CancelledError
        assert all(result == number or isinstance(result, failures) for number, result in enumerate(results))
        assert await asyncio.gather(*(run(read, number) for number in range(20))) == list(range(20))
        return raised

    with at(server, socket_timeout=0.1, retry_for_s=5):
        fill()
        moment = 0
        while asyncio.run(main(moment)):
            moment += stride
        assert moment > 0


class TestLoops:
    def test_two_loops_after_one_another(self, store: Backend, server: RunningServer) -> None:
        fill()
        store.close()

        async def main() -> int:
            assert await run(read, 7) == 7
            return len(connections(server))

        assert [(asyncio.run(main()), len(connections(server))) for _ in range(3)] == [(1, 0)] * 3

    def test_loops_at_the_same_time(self, store: Backend) -> None:
        fill()
        ok = []

        async def main() -> None:
            ok.append(await asyncio.gather(*(run(read, number) for number in range(100))) == list(range(100)))

        threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ok == [True] * 4

    def test_a_loop_that_is_just_closed_leaves_no_connection_for_long(
        self, store: Backend, server: RunningServer
    ) -> None:
        fill()
        store.close()
        for _ in range(2):
            loop = asyncio.new_event_loop()
            assert loop.run_until_complete(run(read, 3)) == 3
            loop.close()
        wait_until(lambda: len(connections(server)) == 1, "the connection of the first loop is open")
        store.close()
        wait_until(lambda: not connections(server), "the connection of the second loop is open")

    def test_a_loop_that_is_closed_while_functions_wait_does_no_harm_to_the_next(self, start: Start) -> None:
        with run_server() as server, at(server):
            fill()
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(lambda *_: None)
            loop.run_until_complete(run(read, 0))
            with server.stalled():
                waiting = loop.create_task(run(read, 1))
                loop.run_until_complete(asyncio.sleep(0.01))
                loop.close()
            assert asyncio.run(asyncio.wait_for(run(read, 2), 20)) == 2
            assert len(connections(server)) <= 2
            waiting._log_destroy_pending = False  # type: ignore[attr-defined]
            del waiting, loop
            gc.collect()

    def test_a_store_that_nobody_uses_any_more_is_freed(self, server: RunningServer) -> None:
        async def main() -> None:
            for _ in range(3):
                with use_backend(connect(server.url, client_name=NAME)):
                    await run(fill)
            gc.collect()
            await until(lambda: len(connections(server)) <= 1)

        asyncio.run(main())

    def test_a_store_is_closed_from_anywhere(self, store: Backend, server: RunningServer) -> None:
        fill()

        async def main() -> None:
            for close in (run, asyncio.to_thread):
                assert await run(read, 1) == 1
                await close(store.close)
                await until(lambda: not connections(server))
                assert await run(read, 2) == 2

        asyncio.run(main())

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_child_process_has_connections_of_its_own(self, store: Backend) -> None:
        fill()

        def fork() -> int:
            read(0)
            child = os.fork()
            if not child:
                status = 1
                with suppress(BaseException):
                    status = int([read(number) for number in range(10)] != list(range(10)))
                    configure(bridge=True)
                    thread = threading.Thread(target=lambda: asyncio.run(run(read, 1)))
                    thread.start()
                    thread.join()
                os._exit(status)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        async def main() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
                assert await run(fork) == 0
            assert await asyncio.gather(*(run(read, number) for number in range(20))) == list(range(20))

        asyncio.run(main())


class TestWhatRuns:
    def test_transactions(self, store: Backend) -> None:
        PersistentDict[str, int]("account", {"a": 100, "b": 0})

        @transactional
        def move(amount: int) -> None:
            account = PersistentDict[str, int]("account")
            account["a"] -= amount
            account["b"] += amount

        async def main() -> None:
            await asyncio.gather(*(run(move, 1) for _ in range(20)))

        asyncio.run(main())
        assert PersistentDict("account").copy() == {"a": 80, "b": 20}

    def test_a_transaction_of_the_task_is_not_that_of_its_functions(self, store: Backend) -> None:
        async def main() -> None:
            with pytest.raises(TransactionError, match="another task"), transaction():
                await run(PersistentDict("d").get, "x")

        asyncio.run(main())

    def test_records_and_streams(self, store: Backend) -> None:
        def move_in(id: str) -> int:
            lodger = Lodger.upsert(id)
            lodger.name += "!"
            lodger.rooms.append(3)
            return len(lodger.rooms)

        async def main() -> None:
            assert await asyncio.gather(*(run(move_in, str(number)) for number in range(30))) == [1] * 30
            assert {lodger.id async for lodger in stream(Lodger.all)} == {str(number) for number in range(30)}

        asyncio.run(main())

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
    def test_an_eager_task_may_begin_within_a_function(self, store: Backend) -> None:
        fill()

        def begin() -> list[asyncio.Task[int]]:
            tasks = [asyncio.create_task(run(read, number)) for number in range(20)]
            assert read(50) == 50
            return tasks

        async def main() -> None:
            loop: Any = asyncio.get_running_loop()
            loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - new in 3.12
            assert await asyncio.gather(*await run(begin)) == list(range(20))

        asyncio.run(main())

    def test_errors_and_stop_iteration(self, store: Backend) -> None:
        async def main() -> None:
            with pytest.raises(KeyError):
                await run(PersistentDict("d").__getitem__, "x")
            with pytest.raises(RuntimeError, match="StopIteration"):
                await run(lambda: next(iter([])))

        asyncio.run(main())

    def test_no_warning_of_a_call_that_blocks(self, server: RunningServer) -> None:
        with connect(server.url, warnings="on") as watched, use_backend(watched):

            async def main() -> None:
                await asyncio.gather(*(run(PersistentList("l").append, number) for number in range(50)))

            asyncio.run(main())

    @pytest.mark.parametrize(
        ("url", "owner", "method"),
        [
            ("memory:", MemoryBackend, "transform"),
            ("fakeredis://", fakeredis.FakeRedisConnection, "send_packed_command"),
        ],
    )
    def test_other_stores_are_used_in_threads(
        self, store: Backend, url: str, owner: type, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = connect(url)
        where = noting(monkeypatch, owner, method)

        def both() -> list[int]:
            assert on_the_loop()
            lodger = Lodger.upsert("x", backend=other, name="X")
            lodger.rooms.extend(range(5))
            PersistentDict("d")["x"] = 1
            with transaction(backend=other):
                lodger.rooms.append(5)
            assert [each.id for each in Lodger.all(backend=other)] == ["x"]
            return list(lodger.rooms)

        async def main() -> None:
            assert await run(both) == list(range(6))

        asyncio.run(main())
        assert set(where) == {False}
        assert list(Lodger("x", backend=other).rooms) == list(range(6))

    def test_passwords_are_hashed_in_threads(self, store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
        hashed, checked = (noting(monkeypatch, bcrypt, name) for name in ("hashpw", "checkpw"))

        def log_in() -> bool:
            lodger = Lodger.upsert("x", secret="sesame")
            return lodger.secret.verify("sesame")

        async def main() -> None:
            assert await run(log_in)

        asyncio.run(main())
        assert (hashed, checked) == ([False], [False])

    def test_functions_whose_default_store_is_another_run_in_threads(self, store: Backend) -> None:
        async def main() -> None:
            with use_backend("memory:"):
                assert not await run(on_the_loop)
            assert await run(on_the_loop)

        asyncio.run(main())


def test_the_connections_of_a_client_go_back_to_it(server: RunningServer) -> None:
    with redis.Redis(port=server.port) as client:
        with use_backend(RedisBackend(client)):

            async def main() -> None:
                await run(fill)
                assert await asyncio.gather(*(run(read, number) for number in range(50))) == list(range(50))

            asyncio.run(main())
        assert in_use(client) == 0


@pytest.mark.parametrize("missing", ["greenlet", "hiredis"])
def test_what_the_bridge_needs_is_told(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "persistent_collections.bridge", raising=False)
    monkeypatch.delattr(persistent_collections, "bridge", raising=False)
    with pytest.raises(ConfigurationError, match=r"persistent-collections\[async\]"):
        configure(bridge=True)

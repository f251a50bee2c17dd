"""What a store on Redis does when its server, the connection or its rights fail."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Annotated, Any, NoReturn

import pytest
import redis

from persistent_collections import PersistentSet, Record, child, transaction, unique, use_backend
from persistent_collections.backends.base import Backend, Examined, Found, Wanted
from persistent_collections.backends.changes import Delete, Exists, Replace, SetFields
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.redis.executor import Server
from persistent_collections.backends.shapes import SEQUENCE
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import (
    BackendError,
    BackendUnavailable,
    CorruptDataError,
    EncodeError,
    OutcomeUnknown,
    WrongShapeError,
)
from persistent_collections.testing.backends.base import put
from persistent_collections.testing.backends.calls import NAME, STARTS, WRITES, Call
from tests.backends.conftest import OTHERS
from tests.servers import RunningServer, run_server

pytestmark = pytest.mark.store("server")

KEY = Key("Thing:x")
CHILD = Key("Thing:x", "child")
OTHER = Key("Thing:other")


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningServer]:
    with run_server() as server:
        yield server


@pytest.fixture
def server(shared: RunningServer) -> RunningServer:
    """Give an empty server that stays whole."""
    with shared.client() as client:
        client.flushall()
    return shared


@pytest.fixture
def frail() -> Iterator[RunningServer]:
    """Give a server of the test's own."""
    with run_server() as server:
        yield server


def connect(server: RunningServer, options: str = "") -> RedisBackend:
    return RedisBackend.from_url(StoreURL.parse(f"{server.url}?{options}"))


@contextmanager
def soon(action: Callable[[], object], seconds: float = 0.3) -> Iterator[None]:
    """Do ``action`` in a while, and wait for it at the end of the block."""
    timer = threading.Timer(seconds, action)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def wait_until_busy(client: redis.Redis) -> None:
    def ask() -> None:
        while client.ping():
            pass

    with pytest.raises(redis.ResponseError):
        ask()


def items(backend: Backend, key: Key = KEY) -> list[bytes]:
    return backend.sequence(key).get_slice(slice(None))


class TestNoWriteHappensTwice:
    @pytest.mark.parametrize("options", ["", "protocol=2"])
    def test_a_push_whose_reply_is_late_is_done_once_and_its_outcome_unknown(
        self, server: RunningServer, options: str
    ) -> None:
        with connect(server, f"socket_timeout=0.1&{options}") as backend:
            backend.sequence(KEY).push_right([b"a"])
            with server.stalled(), pytest.raises(OutcomeUnknown, match=r"'Thing:x'.*may or may not"):
                backend.sequence(KEY).push_right([b"b"])
            assert items(backend) == [b"a", b"b"]

    @pytest.mark.parametrize("call", WRITES, ids=NAME)
    def test_a_write_whose_reply_is_late_is_done_once(self, server: RunningServer, call: Call) -> None:
        reference = Key("Thing:reference")
        with connect(server, "socket_timeout=0.05") as backend:
            for key in (reference, KEY):
                put(backend, key, STARTS[call.shape])
            call.run(backend, reference)
            with server.stalled(), pytest.raises(OutcomeUnknown):
                call.run(backend, KEY)
            handles = [getattr(backend, call.shape)(key) for key in (reference, KEY)]
            sizes = [handle.size() for handle in handles]
            assert sizes[0] == sizes[1]
            if not call.name.endswith("pop_any"):
                contents = [
                    handle.get_slice(slice(None)) if call.shape == "sequence" else handle.get_all()
                    for handle in handles
                ]
                assert contents[0] == contents[1]

    def test_the_retries_of_a_given_client_are_not_used(self, server: RunningServer) -> None:
        with redis.Redis(port=server.port, socket_timeout=0.1) as client:
            assert client.get_retry().get_retries() > 0
            backend = RedisBackend(client)
            backend.sequence(KEY).push_right([b"a"])
            with server.stalled(), pytest.raises(OutcomeUnknown):
                backend.sequence(KEY).push_right([b"b"])
            assert items(backend) == [b"a", b"b"]

    def test_a_read_whose_reply_is_late_is_asked_again(self, server: RunningServer) -> None:
        with connect(server, "socket_timeout=0.1") as backend:
            backend.sequence(KEY).push_right([b"a"])
            server.process.send_signal(signal.SIGSTOP)
            with soon(lambda: server.process.send_signal(signal.SIGCONT), 0.4):
                assert items(backend) == [b"a"]

    def test_a_write_that_never_left_waits_for_a_server_that_comes_back(self, server: RunningServer) -> None:
        with connect(server, "socket_timeout=0.1") as backend:
            server.process.send_signal(signal.SIGSTOP)
            with soon(lambda: server.process.send_signal(signal.SIGCONT), 0.4):
                backend.sequence(KEY).push_right([b"a"])  # no connection is open yet
            assert items(backend) == [b"a"]

    def test_a_write_that_left_in_part_is_sent_again_and_done_once(self, server: RunningServer) -> None:
        item = b"x" * (32 * 2**20)  # more than the sockets hold
        with connect(server, "socket_timeout=0.2&retry_for_s=30") as backend:
            backend.sequence(KEY).push_right([b"a"])
            server.process.send_signal(signal.SIGSTOP)
            with soon(lambda: server.process.send_signal(signal.SIGCONT), 0.5):
                backend.sequence(KEY).push_right([item])
            assert items(backend) == [b"a", item]

    def test_what_an_interrupted_call_left_unread_is_no_later_calls_reply(self, server: RunningServer) -> None:
        def interrupt(*_: object) -> NoReturn:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            with connect(server) as backend:
                backend.commit([], [SetFields(KEY, {"a": b"1", "b": b"2"})])
                with server.stalled():
                    signal.setitimer(signal.ITIMER_REAL, 0.1)
                    with pytest.raises(KeyboardInterrupt):
                        backend.mapping(KEY).get("a")
                assert backend.mapping(KEY).get("b") == b"2"
        finally:
            signal.signal(signal.SIGALRM, before)


class TestLostConnections:
    def test_connections_the_server_closed_meanwhile_cost_no_write(self, server: RunningServer) -> None:
        with connect(server, "retry_for_s=0") as backend, server.client() as client:
            for number in range(5):
                backend.sequence(KEY).push_right([b"%d" % number])
                backend.sequence(KEY).insert(0, b"first")
                backend.sequence(KEY).remove(b"first")
                client.client_kill_filter(_type="normal", skipme=True)
            assert items(backend) == [b"0", b"1", b"2", b"3", b"4"]

    def test_a_stopped_server_is_unavailable_and_one_started_again_is_used(self, frail: RunningServer) -> None:
        with connect(frail, "retry_for_s=0.2") as backend:
            backend.sequence(KEY).push_right([b"a"])
            frail.stop()
            with pytest.raises(
                BackendUnavailable, match=f"'Thing:x'.*127.0.0.1:{frail.port}.*nothing was done"
            ) as info:
                backend.sequence(KEY).push_right([b"b"])
            assert isinstance(info.value.__cause__, redis.RedisError)
            assert isinstance(info.value, ConnectionError)
            frail.start()
            backend.sequence(KEY).push_right([b"c"])
            assert items(backend) == [b"c"]

    def test_a_server_that_restarts_in_between_is_not_noticed(self, frail: RunningServer) -> None:
        with connect(frail, "retry_for_s=0") as backend:
            backend.mapping(KEY).add("f", b"1")
            frail.stop()
            frail.start()
            assert backend.mapping(KEY).add("f", b"2") is None, "its memory and its scripts are gone"
            assert backend.mapping(KEY).get_all() == {"f": b"2"}

    def test_an_iteration_misses_nothing_though_the_server_restarts_meanwhile(self) -> None:
        with run_server(None, "--appendonly", "yes", "--appendfsync", "always") as server, connect(server) as backend:
            fields = {f"{number:05}": b"x" for number in range(5000)}
            backend.mapping(KEY).set_many(fields)
            put(backend, CHILD, set(fields))
            walks: list[Iterator[list[Any]]] = [backend.mapping(KEY).pages(), backend.members(CHILD).pages()]
            seen = [next(walk) for walk in walks]
            server.stop()
            server.start()
            for found, walk in zip(seen, walks, strict=True):
                found.extend(chain.from_iterable(walk))
            assert sorted(seen[0]) == sorted(fields.items())
            assert sorted(seen[1]) == sorted(fields)

    def test_more_threads_than_connections_take_turns(self, server: RunningServer) -> None:
        with connect(server, "max_connections=2&retry_for_s=30") as backend, ThreadPoolExecutor(8) as threads:
            sequence = backend.sequence(KEY)
            list(threads.map(lambda number: sequence.push_right([b"%d" % number]), range(200)))
            assert sorted(items(backend), key=int) == [b"%d" % number for number in range(200)]

    def test_a_forked_child_shares_no_connection_with_its_parent(self, server: RunningServer) -> None:
        with connect(server) as backend:
            mapping = backend.mapping(KEY)
            mapping.set_many({"parent": b"0", "child": b"0"})
            child = os.fork()
            mine = "parent" if child else "child"
            failed = any(mapping.increment(mine, 1) != number for number in range(1, 200))
            if not child:
                os._exit(failed)
            assert os.waitpid(child, 0)[1] == 0
            assert not failed
            assert mapping.get_all() == {"parent": b"199", "child": b"199"}


class TestForgottenScripts:
    @pytest.mark.parametrize("call", WRITES, ids=NAME)
    def test_a_script_the_server_has_not_got_is_sent(self, server: RunningServer, call: Call) -> None:
        with connect(server) as backend, server.client() as client:
            for _ in range(2):
                put(backend, KEY, STARTS[call.shape])
                client.script_flush()
                call.run(backend, KEY)
                client.script_flush()
                assert backend.commit([Exists(KEY)], [Delete(KEY)])

    @pytest.mark.parametrize("call", WRITES, ids=NAME)
    def test_a_script_around_a_write_is_sent_too(self, server: RunningServer, call: Call) -> None:
        with connect(server) as backend, server.client() as client:
            put(backend, KEY, STARTS["mapping"])
            put(backend, CHILD, STARTS[call.shape])
            client.script_flush()
            call.run(backend, CHILD)
            assert backend.look([CHILD]) != [None]
            if call.shape == "mapping":
                client.script_flush()
                call.run_as_record(backend, KEY)
                client.script_flush()
                assert backend.examine([Wanted(KEY, [], [CHILD])]) == [Examined([], [True])]


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "remedy"),
        [("", "option 'password'"), ("username=nobody&password=hunter3", "correct the user or the password")],
    )
    def test_a_wrong_or_missing_password_is_told_at_once_and_not_shown(self, options: str, remedy: str) -> None:
        with (
            run_server(None, "--requirepass", "hunter2") as server,
            connect(server, f"retry_for_s=60&{options}") as store,
        ):
            with pytest.raises(BackendError, match=f"'Thing:x'.*refused.*{remedy}") as info:
                store.sequence(KEY).push_right([b"a"])
            assert "hunter" not in str(info.value)
            assert type(info.value) is BackendError

    def test_the_right_password_opens_and_is_in_no_url(self) -> None:
        with run_server(None, "--requirepass", "p@ss/w:rd%#?") as server:
            front = f"redis://:p%40ss%2Fw%3Ard%25%23%3F@127.0.0.1:{server.port}"
            for url in (front, f"{server.url}?password=p%40ss%2Fw%3Ard%25%23%3F&username=default"):
                with RedisBackend.from_url(StoreURL.parse(url)) as backend:
                    backend.sequence(KEY).push_right([b"a"])
                    assert "ss" not in backend.url
                    assert "ss" not in repr(backend)

    def test_a_replica_is_told_and_a_write_waits_until_it_is_master(self, frail: RunningServer) -> None:
        with connect(frail, "retry_for_s=0.2") as backend, frail.client() as client:
            backend.sequence(KEY).push_right([b"a"])
            client.replicaof("127.0.0.1", 1)
            for write in (
                lambda: backend.sequence(KEY).push_right([b"b"]),
                lambda: backend.sequence(KEY).insert(1, b"b"),
                lambda: backend.commit([], [Delete(KEY)]),
            ):
                with pytest.raises(BackendError, match="it is a replica"):
                    write()
            assert items(backend) == [b"a"]
            with connect(frail) as patient, soon(lambda: client.replicaof("NO", "ONE")):
                patient.sequence(KEY).insert(1, b"c")
            assert items(backend) == [b"a", b"c"]

    def test_a_server_out_of_memory_refuses_and_changes_nothing(self, frail: RunningServer) -> None:
        with connect(frail) as backend, frail.client() as client:
            backend.commit([], [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"a", b"b", b"c"])])
            client.config_set("maxmemory", "1")
            for write in (
                lambda: backend.mapping(KEY).set_many({"g": b"2"}),
                lambda: backend.mapping(KEY).set_many({"f": None, "g": b"2"}),
                lambda: backend.sequence(CHILD).push_right([b"d"]),
                lambda: backend.sequence(CHILD).compare_and_set(0, b"a", b"d"),
                lambda: backend.commit([], [SetFields(KEY, {"g": b"2"}), Replace(CHILD, [b"d"])]),
                lambda: backend.commit([], [Replace(KEY, {"g": b"2"}), Replace(CHILD, [b"d"])]),
                lambda: backend.mapping(KEY).replace({"g": b"2"}),
                lambda: backend.sequence(CHILD).replace([b"d"]),
            ):
                with pytest.raises(BackendError, match="maxmemory"):
                    write()
            assert backend.mapping(KEY).get_all() == {"f": b"1"}
            assert items(backend, CHILD) == [b"a", b"b", b"c"]

    def test_a_server_out_of_memory_deletes_all_but_the_last_field_of_a_record(self, frail: RunningServer) -> None:
        with connect(frail) as backend, frail.client() as client:
            put(backend, KEY, {"f": b"1", "g": b"2", "h": b"3", "i": b"4", "j": b"5", "k": b"6"})
            put(backend, CHILD, {"f", "g", "h"})
            record, child = backend.mapping(KEY, is_record=True), backend.members(CHILD)
            client.config_set("maxmemory", "1")
            assert record.pop("f") == b"1"
            assert record.delete("g")
            assert record.compare_and_set("h", b"3", None)
            record.set_many({"i": None, "x": None, "y": None})
            assert backend.commit([], [SetFields(KEY, {"j": None, "x": None}, is_record=True)])
            emptyings: list[Callable[[], object]] = [
                lambda: record.pop("k"),
                lambda: record.delete("k"),
                record.pop_any,
                lambda: record.compare_and_set("k", b"6", None),
                lambda: record.set_many({"k": None, "x": None}),
                lambda: backend.commit([], [SetFields(KEY, {"k": None}, is_record=True)]),
            ]
            for empty in emptyings:
                with pytest.raises(BackendError, match="maxmemory"):
                    empty()
            assert record.get_all() == {"k": b"6"}
            assert child.remove({"f"}) == 1
            assert child.pop_any() in {"g", "h"}
            assert backend.commit([], [Delete(KEY, [CHILD])])
            assert list(backend.keys("")) == []

    def test_a_server_out_of_memory_makes_no_record(self, frail: RunningServer) -> None:
        with connect(frail) as backend, frail.client() as client, use_backend(backend):

            class Plank(Record):
                name: str
                marks: PersistentSet[str] = child()

            class Beam(Plank):
                number: Annotated[int, unique]

            def make_both() -> None:
                with transaction():
                    Plank.create("y", name="a")
                    Plank.create("z", name="a")

            makings: list[Callable[[], object]] = [
                lambda: Plank.create("x", name="a"),
                lambda: Plank("x", name="a"),
                lambda: Plank.create("x", name="a", marks={"b"}),
                lambda: Beam.create("x", name="a", number=1),
                lambda: Beam("x", name="a", number=1),
                make_both,
            ]
            assert Beam.create("before", name="a", number=0)
            client.config_set("maxmemory", "1")
            for make in makings:
                with pytest.raises(BackendError, match="maxmemory"):
                    make()
            assert list(backend.keys("")) == [Key("Beam:before")]
            client.config_set("maxmemory", "0")
            make_both()
            assert set(backend.keys("")) == {Key("Beam:before"), Key("Plank:y"), Key("Plank:z")}

    def test_a_server_out_of_memory_finishes_what_begins_by_deleting(self, frail: RunningServer) -> None:
        with connect(frail) as backend, frail.client() as client:
            backend.commit([], [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"a", b"b", b"c"])])
            client.config_set("maxmemory", "1")
            backend.commit([], [Delete(KEY), Replace(CHILD, [b"d"])])
            assert backend.look([KEY]) == [None]
            assert items(backend, CHILD) == [b"d"]

    @pytest.mark.parametrize("size", [5, 5000])
    def test_a_server_out_of_memory_deletes(self, frail: RunningServer, size: int) -> None:
        numbers = [b"%d" % number for number in range(size)]
        deletions: dict[str, Callable[[RedisBackend], object]] = {
            "pop": lambda store: store.sequence(CHILD).pop(size // 2),
            "delete": lambda store: store.sequence(CHILD).pop(size // 2, numbers[size // 2]),
            "remove": lambda store: store.sequence(CHILD).remove(numbers[1]),
            "slice": lambda store: store.sequence(CHILD).splice(size // 2, size // 2 + 2, []),
            "large slice": lambda store: store.sequence(CHILD).splice(1, size - 1, []),
            "stride": lambda store: store.sequence(CHILD).delete_stride(slice(None, None, 2)),
            "few of a stride": lambda store: store.sequence(CHILD).delete_stride(slice(None, None, max(2, size // 3))),
            "clear a list": lambda store: store.sequence(CHILD).replace([]),
            "*= 0": lambda store: store.sequence(CHILD).repeat(0),
            "delete a field": lambda store: store.mapping(KEY).delete("0"),
            "delete fields": lambda store: store.mapping(KEY).set_many({"0": None, "1": None}),
            "pop a field": lambda store: store.mapping(KEY).pop("0"),
            "popitem": lambda store: store.mapping(KEY).pop_any(),
            "unset": lambda store: store.mapping(KEY).compare_and_set("0", b"x", None),
            "clear a dict": lambda store: store.mapping(KEY).replace({}),
            "discard": lambda store: store.members(OTHER).remove({"0"}),
            "-=": lambda store: store.members(OTHER).remove(set(map(str, range(size)))),
            "&=": lambda store: store.members(OTHER).retain({"0"}),
            "^=": lambda store: store.members(OTHER).toggle({"0", "1"}),
            "pop a member": lambda store: store.members(OTHER).pop_any(),
            "delete fields of a record": lambda store: store.commit([], [SetFields(KEY, {"0": None})]),
            "delete a record": lambda store: store.commit([], [Delete(KEY), Delete(CHILD)]),
        }
        with connect(frail) as backend, frail.client() as client:
            for name, delete in deletions.items():
                client.config_set("maxmemory", "0")
                fields = dict.fromkeys(map(str, range(size)), b"x")
                backend.commit([], [Replace(KEY, fields), Replace(CHILD, numbers), Replace(OTHER, set(fields))])
                client.config_set("maxmemory", "1")
                before = [client.hlen("Thing:x"), client.llen("Thing:x:child"), client.scard("Thing:other")]
                assert backend.mapping(KEY).add("2", b"other") == b"x"
                delete(backend)
                after = [client.hlen("Thing:x"), client.llen("Thing:x:child"), client.scard("Thing:other")]
                assert sum(after) < sum(before), name

    def test_a_server_that_wants_more_replicas_is_waited_for(self) -> None:
        with (
            run_server(None, "--min-replicas-to-write", "1") as lonely,
            connect(lonely, "retry_for_s=0.2") as backend,
            lonely.client() as client,
        ):
            for write in (
                lambda: backend.sequence(KEY).push_right([b"a"]),
                lambda: backend.sequence(KEY).insert(1, b"a"),
                lambda: backend.commit([], [Replace(KEY, [b"a"])]),
            ):
                with pytest.raises(BackendUnavailable, match="see its option min-replicas-to-write"):
                    write()
            assert backend.look([KEY]) == [None]
            with connect(lonely) as patient, soon(lambda: client.config_set("min-replicas-to-write", 0)):
                patient.sequence(KEY).push_right([b"b"])
            assert items(backend) == [b"b"]

    def test_a_user_without_the_right_is_told(self, server: RunningServer) -> None:
        with server.client() as client:
            client.acl_setuser("guest", enabled=True, passwords=["+guest"], categories=["+@all"], keys=["User:*"])
        with (
            connect(server, "username=guest&password=guest") as backend,
            pytest.raises(BackendError, match=r"'Thing:x'.*ACL SETUSER"),
        ):
            backend.sequence(KEY).push_right([b"a"])

    def test_an_unknown_command_is_told_without_its_arguments(self) -> None:
        with run_server(None, "--rename-command", "LPOS", "") as server, connect(server) as backend:
            backend.sequence(KEY).push_right([b"secret"])
            with pytest.raises(BackendError, match=r"must be Redis 6\.2 or newer") as info:
                backend.sequence(KEY).find(b"secret")
            assert "secret" not in str(info.value)
            assert info.value.__cause__ is None
            assert info.value.__context__ is None

    @pytest.mark.parametrize("binary", [None, *OTHERS])
    def test_a_script_that_stops_in_its_middle_says_that_a_write_may_be_half_done(self, binary: str | None) -> None:
        renamed, rights = (
            ("--rename-command", "RPUSH", ""),
            ("--user", "default", "on", "nopass", "~*", "+@all", "-rpush"),
        )
        for options, remedy in ((renamed, "under their own names"), (rights, "ACL SETUSER")):
            with run_server(binary, *options) as server, connect(server) as backend, server.client() as client:
                client.lpush("Thing:x", *map(str, range(9, -1, -1)))
                with pytest.raises(BackendError, match=rf"'Thing:x'.*{remedy}; .* half done: then read"):
                    backend.sequence(KEY).insert(9, b"new")
                with pytest.raises(BackendError, match=remedy) as caught:  # one command does nothing by halves
                    backend.sequence(KEY).push_right([b"new"])
                assert "half" not in str(caught.value)

    def test_a_write_waits_while_a_script_of_another_client_keeps_the_server(self, frail: RunningServer) -> None:
        with connect(frail) as backend, frail.client() as client, frail.client() as other:
            backend.sequence(KEY).push_right([b"a"])
            client.config_set("lua-time-limit", 10)
            with ThreadPoolExecutor(1) as thread:
                endless = thread.submit(other.eval, "while true do end", 0)
                wait_until_busy(client)
                with soon(client.script_kill, 0.5):
                    backend.sequence(KEY).push_right([b"b"])
                assert isinstance(endless.exception(), redis.RedisError)
            assert items(backend) == [b"a", b"b"]

    def test_a_server_kept_by_a_script_for_too_long_is_unavailable(self, frail: RunningServer) -> None:
        with connect(frail, "retry_for_s=0.1") as backend, frail.client() as client, frail.client() as other:
            backend.sequence(KEY).push_right([b"a"])
            client.config_set("lua-time-limit", 10)
            with ThreadPoolExecutor(1) as thread:
                thread.submit(other.eval, "while true do end", 0)
                wait_until_busy(client)
                with pytest.raises(BackendUnavailable, match="SCRIPT KILL"):
                    backend.sequence(KEY).push_right([b"b"])
                client.script_kill()
            assert items(backend) == [b"a"]

    def test_a_database_that_does_not_exist_is_told(self, server: RunningServer) -> None:
        with connect(server, "") as backend:
            url = backend.url.replace("/0", "/99")
        with RedisBackend.from_url(StoreURL.parse(url)) as backend, pytest.raises(BackendError, match="another 'db'"):
            backend.look([KEY])


class TestWhatOthersPutThere:
    def test_another_type_is_corrupt_as_a_shape_and_wrong_as_any(self, server: RunningServer) -> None:
        with connect(server) as backend, server.client() as client:
            client.zadd("Thing:x", {"member": 1})
            with pytest.raises(CorruptDataError, match="'Thing:x' holds a zset"):
                backend.snapshot([KEY])
            with pytest.raises(WrongShapeError, match="'Thing:x' does not hold a dict"):
                backend.mapping(KEY).get("f")
            assert backend.commit([Exists(KEY)], [Delete(KEY)]), "what is there may be deleted, whatever it is"

    def test_another_type_is_found_as_none_of_ours_and_hides_no_key(self, server: RunningServer) -> None:
        with connect(server) as backend, server.client() as client:
            client.zadd("Thing:x", {"member": 1})
            client.set("Thing:y", "text", ex=100)
            put(backend, CHILD, [b"1", b"2"])
            theirs, timed, ours = backend.look([KEY, Key("Thing:y"), CHILD], sizes=True)
            assert (theirs, ours) == (Found(None), Found(SEQUENCE, size=2))
            assert timed is not None
            assert timed._replace(ttl_s=None) == Found(None)
            assert timed.ttl_s == pytest.approx(100, abs=30)

    def test_what_becomes_another_shape_while_it_is_looked_at_is_found_as_that(
        self, server: RunningServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with connect(server) as backend, server.client() as client:
            put(backend, KEY, {"f": b"1"})
            ask_all = Server.ask_all
            asked: list[object] = []

            def ask_and_change(server: Server, questions: Any) -> list[Any]:
                asked.append(questions)
                if len(asked) == 2:
                    client.delete("Thing:x")
                    client.rpush("Thing:x", "1", "2")
                return ask_all(server, questions)

            monkeypatch.setattr(Server, "ask_all", ask_and_change)
            assert backend.look([KEY], sizes=True) == [Found(SEQUENCE, size=2)]

    def test_a_set_combined_with_what_is_none_names_both(self, server: RunningServer) -> None:
        with connect(server) as backend:
            backend.mapping(KEY).set_many({"f": b"1"})
            with pytest.raises(WrongShapeError, match="'Thing:x:child or Thing:x' does not hold a set"):
                backend.members(CHILD).combine("union", [KEY])

    def test_fields_and_members_that_are_no_text_are_told_and_left(self, server: RunningServer) -> None:
        with connect(server) as backend, server.client() as client:
            client.hset("Thing:x", b"\xff", b"1")
            client.sadd("Thing:x:child", b"\xff")
            mapping, members = backend.mapping(KEY), backend.members(CHILD)
            reads: list[Callable[[], object]] = [mapping.get_all, mapping.pop_any, lambda: list(mapping.pages())]
            for read in reads:
                with pytest.raises(CorruptDataError, match="'Thing:x' has a field"):
                    read()
            reads = [members.get_all, members.pop_any, lambda: list(members.pages())]
            for read in reads:
                with pytest.raises(CorruptDataError, match="'Thing:x:child' has a field or member"):
                    read()
            assert client.hgetall("Thing:x") == {b"\xff": b"1"}
            assert client.smembers("Thing:x:child") == {b"\xff"}

    def test_the_last_part_that_is_no_text_is_restored_with_its_deadline_in_one_step(
        self, server: RunningServer
    ) -> None:
        with connect(server) as backend, server.client() as client:
            client.hset("Thing:x", b"\xff", b"1")
            client.sadd("Other:x", b"\xff")
            for name, pop in (
                ("Thing:x", backend.mapping(KEY).pop_any),
                ("Other:x", backend.members(Key("Other:x")).pop_any),
            ):
                client.expire(name, 100)
                client.config_resetstat()
                with pytest.raises(CorruptDataError):
                    pop()
                assert 90 < client.ttl(name) <= 100
                assert client.info("commandstats")["cmdstat_exec"]["calls"] == 1

    def test_names_that_are_no_key_of_ours_are_not_listed(self, server: RunningServer) -> None:
        with connect(server) as backend, server.client() as client:
            foreign = [
                b"x",
                b"a:b:c:d",
                b"a:",
                b":a",
                b"a::b",
                b"a:b:",
                b"a:{b}",
                b"a:b%20",
                b"a:b%",
                b"{a}:b",
                b"a%3Ab:c",
                b"a:\xff",
            ]
            for name in foreign:
                client.set(name, "x")
            put(backend, Key("a:b%3A%25%7B%7D", "c"), {"f": b"1"})
            assert list(backend.keys("")) == [Key("a:b%3A%25%7B%7D", "c")]
            assert client.dbsize() == len(foreign) + 1

    def test_a_text_that_utf8_cannot_hold_is_refused_before_anything_is_sent(self, server: RunningServer) -> None:
        with connect(server) as backend:
            for write in (
                lambda: backend.mapping(KEY).set_many({"a": b"1", "b\ud800": b"2"}),
                lambda: backend.members(KEY).add({"\ud800"}),
                lambda: backend.mapping(Key("Thing:\ud800")).get("a"),
            ):
                with pytest.raises(EncodeError, match="lone surrogate"):
                    write()
            assert backend.look([KEY]) == [None]

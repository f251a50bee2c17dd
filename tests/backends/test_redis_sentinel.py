"""What a store reached through Redis Sentinel does beyond what every store does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import redis
from redis.sentinel import Sentinel

from persistent_collections import NotUnique, Record, configure, current_backend, unique
from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.checking import check
from persistent_collections.errors import BackendError, BackendUnavailable, ConfigurationError, OutcomeUnknown
from tests.backends.writer import Writer
from tests.servers import SERVICE, RunningServer, RunningService, cut_off, run_server, run_service

pytestmark = pytest.mark.store("sentinel")


class Burgee(Record):
    name: Annotated[str, unique]


KEY = Key("Thing:x")
BIG = Key("Thing:big")


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningService]:
    with run_service() as service:
        yield service


@pytest.fixture
def service(shared: RunningService) -> RunningService:
    """Give an empty service whose first server stays the master."""
    shared.flush()
    return shared


@pytest.fixture
def frail() -> Iterator[RunningService]:
    """Give a service of the test's own."""
    with run_service() as service:
        yield service


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningServer]:
    """Give a sentinel that wants a password, also of ``watcher``, of a master that wants another."""
    with run_server(None, "--requirepass", "hunter1") as master:
        config = (
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} 1\nsentinel auth-pass {SERVICE} hunter1\n"
            "user watcher on >hunter2 +@all allchannels\n"
        )
        with run_server(None, "--sentinel", "--requirepass", "hunter2", config=config) as watcher:
            yield watcher


def connect(service: RunningService, options: str = "") -> RedisBackend:
    return RedisBackend.from_url(StoreURL.parse(f"{service.url}?{options}"))


def sentinel(service: RunningService, **options: Any) -> Any:
    made: Any = Sentinel
    return made([("127.0.0.1", one.port) for one in service.sentinels], **options)


def items(backend: Backend, key: Key = KEY) -> list[bytes]:
    return backend.sequence(key).get_slice(slice(None))


class TestFailover:
    @pytest.mark.slow
    def test_the_replica_of_a_killed_master_is_used_and_nothing_is_written_twice(self, frail: RunningService) -> None:
        with connect(frail, "retry_for_s=30") as backend:
            fields = {f"{number:05}": b"x" for number in range(5000)}
            backend.mapping(BIG).set_many(fields)
            pages = backend.mapping(BIG).pages()
            seen = dict(next(pages))
            with Writer(backend, KEY) as writer:
                writer.wait()
                before = len(writer.acknowledged)
                with frail.servers[0].client() as client:
                    client.hset("Thing:big", "00000", "x")
                    assert client.wait(1, 5000) == 1
                frail.servers[0].stop()
                backend.sequence(Key("Thing:y")).push_right([b"after"])
                after = len(writer.acknowledged)
                writer.wait()
            for page in pages:
                assert not seen.keys() & dict(page).keys()
                seen.update(page)
            assert seen == fields
            stored = items(backend)
            writer.check(stored)
            assert set(writer.acknowledged[:before]) <= set(stored), "the replica had it"
            assert set(writer.acknowledged[after:]) <= set(stored), "the new master acknowledged it"
            assert items(backend, Key("Thing:y")) == [b"after"]

    @pytest.mark.slow
    def test_a_unique_value_has_one_record_after_the_writes_of_others_were_lost(self, frail: RunningService) -> None:
        def owner(name: str) -> list[str]:
            return [burgee.id for burgee in Burgee.find(name=name, backend=backend)]

        with connect(frail, "retry_for_s=30") as backend:
            kept = Burgee.create("kept", name="a", backend=backend)
            cut_off(*frail.servers)
            kept.name = "b"
            Burgee.create("lost", name="c", backend=backend)
            Burgee.create("late", name="a", backend=backend)
            frail.servers[0].stop()
            assert [burgee.id for burgee in Burgee.all(backend=backend)] == ["kept"]
            assert (kept.name, owner("a"), owner("b"), owner("c")) == ("a", ["kept"], [], [])
            with pytest.raises(NotUnique):
                Burgee.create("late", name="a", backend=backend)
            for name in "bc":
                Burgee.create(name, name=name, backend=backend)
            assert (owner("b"), owner("c"), list(check(backend))) == (["b"], ["c"], [])

    def test_a_master_turned_replica_refuses_and_nothing_is_left_in_doubt(self, frail: RunningService) -> None:
        with connect(frail, "retry_for_s=0") as backend:
            writes: list[Callable[[], None]] = [
                lambda: backend.sequence(KEY).push_right([b"b"]),
                lambda: backend.sequence(KEY).insert(1, b"b"),
            ]
            for write in writes:
                with frail.servers[0].client() as client:
                    client.replicaof("NO", "ONE")
                    backend.look([KEY])  # leaves a connection open
                    client.replicaof("127.0.0.1", 1)
                with pytest.raises(BackendError, match="it is a replica"):
                    write()


class TestSentinels:
    def test_one_that_answers_is_enough(self, service: RunningService) -> None:
        port = service.sentinels[2].port
        for hosts in (f"127.0.0.1:1,127.0.0.1:{port}", f"127.0.0.1:{port},127.0.0.1:1"):
            url = f"redis+sentinel://{hosts}/{SERVICE}/3?retry_for_s=0"
            with RedisBackend.from_url(StoreURL.parse(url)) as backend:
                backend.sequence(KEY).push_right([b"a"])
        with service.servers[0].client() as client:
            client.select(3)
            assert client.lrange("Thing:x", 0, -1) == [b"a", b"a"]

    @pytest.mark.parametrize("path", ["other", f"{SERVICE}/0?min_other_sentinels=3"])
    def test_what_none_of_them_knows_is_unavailable(self, service: RunningService, path: str) -> None:
        ask = "&" if "?" in path else "?"
        url = service.url.replace(f"{SERVICE}/0", f"{path}{ask}retry_for_s=0.1")
        with (
            RedisBackend.from_url(StoreURL.parse(url)) as backend,
            pytest.raises(BackendUnavailable, match=f"127.0.0.1:{service.sentinels[0].port}.*nothing was done"),
        ):
            backend.look([KEY])

    def test_a_server_taken_for_a_sentinel_or_the_reverse_is_named_so(self, service: RunningService) -> None:
        sentinel, server = service.sentinels[0].port, service.servers[0].port
        for url, remedy in (
            (f"redis+sentinel://127.0.0.1:{server}/{SERVICE}", "it is not a sentinel: begin the URL with 'redis:'"),
            (f"redis://127.0.0.1:{sentinel}", "if it is a sentinel, begin the URL with 'redis\\+sentinel:'"),
        ):
            with (
                RedisBackend.from_url(StoreURL.parse(url)) as backend,
                pytest.raises(BackendError, match=remedy),
            ):
                backend.mapping(KEY).set_many({"f": b"1"})

    def test_one_password_for_all_is_no_password_of_theirs(self, guarded: RunningServer) -> None:
        place = f"127.0.0.1:{guarded.port}/{SERVICE}"
        for wrong, remedy in (("", "'sentinel_password'"), ("?sentinel_password=hunter3", "correct the user")):
            with RedisBackend.from_url(StoreURL.parse(f"redis+sentinel://:hunter1@{place}{wrong}")) as backend:
                with pytest.raises(BackendError, match=remedy) as info:
                    backend.look([KEY])
                assert "hunter" not in str(info.value)

    @pytest.mark.parametrize("way", ["", "_env", "_file"])
    @pytest.mark.parametrize("user", ["", "watcher"])
    def test_their_password_is_their_own_wherever_it_stands_and_is_not_shown(
        self, guarded: RunningServer, user: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OWN_PASSWORD", "hunter1")
        monkeypatch.setenv("THEIR_PASSWORD", "hunter2")
        (tmp_path / "own").write_text("hunter1\n")
        (tmp_path / "theirs").write_text("hunter2\n")
        own, theirs = {
            "": ("hunter1", "hunter2"),
            "_env": ("OWN_PASSWORD", "THEIR_PASSWORD"),
            "_file": (str(tmp_path / "own"), str(tmp_path / "theirs")),
        }[way]
        table = {f"password{way}": own, f"sentinel_password{way}": theirs}
        if user:
            table["sentinel_username"] = user
        lines = [f"{name} = {value!r}" for name, value in table.items()]
        url = f"redis+sentinel://127.0.0.1:{guarded.port}/{SERVICE}"
        (tmp_path / "stores.toml").write_text("\n".join(["[backends.default]", f"url = '{url}'", *lines]), "utf-8")
        configure(tmp_path / "stores.toml")
        try:
            with current_backend() as backend:
                backend.sequence(KEY).push_right([b"a"])
                assert backend.sequence(KEY).pop(0) == b"a"
                assert "hunter" not in f"{backend.url} {backend!r}"
        finally:
            configure({})


class TestGivenClients:
    def test_a_client_is_used_and_never_closed(self, service: RunningService) -> None:
        client: redis.Redis = sentinel(service).master_for(SERVICE, db=2)
        with RedisBackend(client, prefix="a:") as backend:
            backend.mapping(KEY).set_many({"f": b"1"})
            assert client.hget("a:Thing:x", "f") == b"1"
            opened = client.connection_pool._available_connections
            assert len(opened) == 1
        assert opened[0].is_connected
        assert backend == RedisBackend.from_url(
            StoreURL.parse(service.url.replace(f"{SERVICE}/0", f"{SERVICE}/2?prefix=a:"))
        )
        client.close()

    def test_its_retries_are_not_used(self, service: RunningService) -> None:
        client: redis.Redis = sentinel(service).master_for(SERVICE, socket_timeout=0.1)
        backend = RedisBackend(client)
        backend.sequence(KEY).push_right([b"a"])
        with service.servers[0].stalled(), pytest.raises(OutcomeUnknown):
            backend.sequence(KEY).push_right([b"b"])
        assert items(backend) == [b"a", b"b"]
        client.close()

    def test_one_that_reads_from_replicas_is_refused(self, service: RunningService) -> None:
        with pytest.raises(ConfigurationError, match="master_for"):
            RedisBackend(sentinel(service).slave_for(SERVICE))

    def test_one_that_decodes_is_refused_with_what_to_change(self, service: RunningService) -> None:
        with pytest.raises(ConfigurationError, match="decode_responses=False"):
            RedisBackend(sentinel(service).master_for(SERVICE, decode_responses=True))

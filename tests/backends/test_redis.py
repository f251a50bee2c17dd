from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from persistent_collections.backends.base import Backend, Content, Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite
from persistent_collections.testing.crashes import CrashSuite
from tests.servers import RunningServer, binaries, run_server


@pytest.fixture(scope="module", params=binaries())
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    with run_server(request.param) as server:
        yield server


@pytest.fixture
def backend(server: RunningServer) -> Iterator[RedisBackend]:
    with server.client() as client, RedisBackend.from_url(StoreURL.parse(server.url)) as backend:
        client.flushall()
        yield backend


class TestRedisBackend(BackendSuite):
    def stored(self, backend: Backend, key: Key) -> Content | None:
        with redis.Redis.from_url(backend.url) as client:
            match client.type(str(key)):
                case b"hash":
                    return {field.decode(): data for field, data in client.hgetall(str(key)).items()}
                case b"list":
                    return list(client.lrange(str(key), 0, -1))
                case b"set":
                    return {member.decode() for member in client.smembers(str(key))}
        return None

    def store(self, backend: Backend, key: Key, content: Content) -> None:
        with redis.Redis.from_url(backend.url) as client:
            client.delete(str(key))
            match content:
                case dict():
                    client.hset(str(key), mapping=content)
                case list():
                    client.rpush(str(key), *content)
                case _:
                    client.sadd(str(key), *content)

    def reopen(self, backend: Backend) -> Backend:
        return RedisBackend.from_url(StoreURL.parse(backend.url))


class TestRedisBackendUnderContention(ContentionSuite):
    pass


class TestRedisBackendCrashes(CrashSuite):
    pass

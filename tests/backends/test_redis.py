from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from typing import Any

import pytest
import redis
from redis.sentinel import Sentinel

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite
from persistent_collections.testing.crashes import CrashSuite
from tests.backends.conftest import OTHERS
from tests.conftest import SERVERS, Start
from tests.servers import SERVICE

pytestmark = pytest.mark.any_store(*SERVERS)


@pytest.fixture(params=[*(pytest.param(name, marks=pytest.mark.store(name)) for name in SERVERS), *OTHERS])
def backend(request: pytest.FixtureRequest, start: Start) -> Iterator[RedisBackend]:
    with RedisBackend.from_url(StoreURL.parse(start(request.param).url)) as backend:
        yield backend


def client(backend: Backend) -> AbstractContextManager[Any]:
    """Give a client of redis-py to where ``backend`` stores."""
    url = StoreURL.parse(backend.url)
    host, _, port = url.netloc.partition(",")[0].partition(":")
    match url.scheme:
        case "redis+cluster":
            return closing(redis.RedisCluster(host=host, port=int(port)))
        case "redis+sentinel":
            sentinel: Any = Sentinel
            return closing(sentinel([(host, int(port))]).master_for(SERVICE))
    return redis.Redis.from_url(backend.url)


def spelt(backend: Backend, key: Key) -> str:
    on_cluster = backend.url.startswith("redis+cluster:")
    return f"{{{key.root}}}:{key.child}" if on_cluster and key.child else str(key)


class TestRedisBackend(BackendSuite):
    @pytest.fixture(autouse=True)
    def clients(self) -> Iterator[None]:
        """Keep the clients that a test looks through, since one for a cluster takes long to make."""
        with ExitStack() as self._stack:
            self._clients: dict[str, Any] = {}
            yield

    def _client(self, backend: Backend) -> Any:
        if backend.url not in self._clients:
            self._clients[backend.url] = self._stack.enter_context(client(backend))
        return self._clients[backend.url]

    def stored(self, backend: Backend, key: Key) -> Content | None:
        name, redis_py = spelt(backend, key), self._client(backend)
        match redis_py.type(name):
            case b"hash":
                return {field.decode(): data for field, data in redis_py.hgetall(name).items()}
            case b"list":
                return list(redis_py.lrange(name, 0, -1))
            case b"set":
                return {member.decode() for member in redis_py.smembers(name)}
        return None

    def store(self, backend: Backend, key: Key, content: Content) -> None:
        name, redis_py = spelt(backend, key), self._client(backend)
        redis_py.delete(name)
        match content:
            case dict():
                redis_py.hset(name, mapping=content)
            case list():
                redis_py.rpush(name, *content)
            case _:
                redis_py.sadd(name, *content)

    def reopen(self, backend: Backend) -> Backend:
        return RedisBackend.from_url(StoreURL.parse(backend.url))


class TestRedisBackendUnderContention(ContentionSuite):
    pass


class TestRedisBackendCrashes(CrashSuite):
    pass

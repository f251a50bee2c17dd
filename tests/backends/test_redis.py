from __future__ import annotations

from collections.abc import Iterator

import pytest

from persistent_collections.backends.base import Backend
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
    def reopen(self, backend: Backend) -> Backend:
        return RedisBackend.from_url(StoreURL.parse(backend.url))


class TestRedisBackendUnderContention(ContentionSuite):
    pass


class TestRedisBackendCrashes(CrashSuite):
    pass

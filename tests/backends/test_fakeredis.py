from __future__ import annotations

from collections.abc import Iterator

import pytest

from persistent_collections.backends.fakeredis import FakeRedisBackend
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite


@pytest.fixture(params=["redis", "valkey"])
def backend(request: pytest.FixtureRequest) -> Iterator[FakeRedisBackend]:
    with FakeRedisBackend(server_type=request.param) as backend:
        yield backend


class TestFakeRedisBackend(BackendSuite):
    pass


class TestFakeRedisBackendUnderContention(ContentionSuite):
    pass

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite
from persistent_collections.testing.crashes import CrashSuite

pytestmark = pytest.mark.store("json")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[JSONBackend]:
    with JSONBackend(tmp_path / "store", fsync=False) as backend:
        yield backend


class TestJSONBackend(BackendSuite):
    def reopen(self, backend: Backend) -> Backend:
        return JSONBackend.from_url(StoreURL.parse(backend.url))


class TestJSONBackendUnderContention(ContentionSuite):
    pass


class TestJSONBackendCrashes(CrashSuite):
    pass

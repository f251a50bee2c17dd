"""A store that keeps indexes in the plainest way passes the suite, so the suite asks for nothing else."""

from __future__ import annotations

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.testing.backends import BackendSuite
from tests.testing.indexed import IndexedMemory

pytestmark = [pytest.mark.store("memory"), pytest.mark.slow]


@pytest.fixture
def backend() -> Backend:
    return IndexedMemory()


class TestIndexedMemory(BackendSuite):
    def reopen(self, backend: Backend) -> Backend:
        return backend

import pytest

from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite


class TestMemoryBackend(BackendSuite):
    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()


class TestMemoryBackendUnderContention(ContentionSuite):
    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()

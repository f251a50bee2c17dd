import pytest

from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.testing.backends import BackendSuite


class TestMemoryBackend(BackendSuite):
    @pytest.fixture
    def backend(self) -> MemoryBackend:
        return MemoryBackend()

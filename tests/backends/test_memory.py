from __future__ import annotations

import pytest

from persistent_collections.backends.base import Backend, Found
from persistent_collections.backends.keys import Content, Entry, Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.registry import find_backend
from persistent_collections.backends.shapes import MAPPING
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ConfigurationError, CorruptDataError
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite

pytestmark = pytest.mark.store("memory")

KEY = Key("Thing:x")


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend()


class TestMemoryBackend(BackendSuite):
    def stored(self, backend: Backend, key: Key) -> Content | None:
        assert isinstance(backend, MemoryBackend)
        entry = backend.read(key)
        return entry and entry.content

    def store(self, backend: Backend, key: Key, content: Content) -> None:
        assert isinstance(backend, MemoryBackend)
        backend.transform([key], lambda _: {key: Entry(content)})


def test_what_cannot_be_read_hides_no_other_key() -> None:
    class Damaged(MemoryBackend):
        def read(self, key: Key) -> Entry | None:
            if key.root == "Thing:corrupt":
                raise CorruptDataError(f"{key} is corrupt")
            return super().read(key)

    backend = Damaged()
    backend.mapping(KEY).set_many({"f": b"1"})
    assert backend.look([Key("Thing:corrupt"), KEY]) == [Found(None), Found(MAPPING, None, 1)]


class TestMemoryBackendUnderContention(ContentionSuite):
    pass


def test_a_memory_backend_is_found_by_its_scheme() -> None:
    backend = find_backend("memory").from_url(StoreURL.parse("memory:sessions?codec=msgpack"))
    assert isinstance(backend, MemoryBackend)
    assert backend.codec == "msgpack"
    assert MemoryBackend.from_url(StoreURL.parse("memory:sessions")).codec is None


def test_the_url_names_the_backend() -> None:
    assert MemoryBackend("sessions").url == "memory:sessions"
    assert MemoryBackend().url == "memory:"


def test_an_unknown_option_is_refused_and_the_known_one_named() -> None:
    with pytest.raises(ConfigurationError, match="codec"):
        MemoryBackend.from_url(StoreURL.parse("memory:?kodec=json"))


def test_two_backends_are_two_stores_whatever_their_name() -> None:
    one, other = MemoryBackend("same"), MemoryBackend("same")
    one.mapping(KEY).set_many({"f": b"1"})
    assert one != other
    assert other.look([KEY]) == [None]


def test_a_memory_backend_ends_with_its_process() -> None:
    assert MemoryBackend.in_process

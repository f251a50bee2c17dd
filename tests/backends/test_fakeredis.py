from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from persistent_collections.backends.fakeredis import FakeRedisBackend
from persistent_collections.backends.keys import Key
from persistent_collections.errors import BackendError
from persistent_collections.testing.backends import BackendSuite
from persistent_collections.testing.contention import ContentionSuite
from tests.injecting import ends_in_a_thread, handled_within

pytestmark = pytest.mark.store("fakeredis")


@pytest.fixture(params=["redis", pytest.param("valkey", marks=pytest.mark.slow)])
def backend(request: pytest.FixtureRequest) -> Iterator[FakeRedisBackend]:
    with FakeRedisBackend(server_type=request.param) as backend:
        yield backend


class TestFakeRedisBackend(BackendSuite):
    @pytest.fixture
    def many(self) -> int:
        """Return less than on a real server: this one is written in Python, and takes a minute for 40,000."""
        return 10_000


class TestFakeRedisBackendUnderContention(ContentionSuite):
    pass


def test_a_write_of_a_signal_handler_within_a_write_is_made_or_refused_at_once(backend: FakeRedisBackend) -> None:
    mapping, errors = backend.mapping(Key("Counter:x")), list[BackendError]()

    def write() -> None:
        try:
            mapping.increment("n", 1)
        except BackendError as error:
            errors.append(error)

    refused = made = 0
    for moment in count(step=17):
        mapping.set_many({"n": b"1"})
        errors.clear()
        if not handled_within(lambda: mapping.increment("n", 1), write, moment):
            break
        assert mapping.get("n") == (b"2" if errors else b"3")
        assert all("has interrupted another operation of this thread" in str(error) for error in errors)
        refused, made = refused + len(errors), made + 1 - len(errors)
    assert refused
    assert made
    assert ends_in_a_thread(lambda: mapping.increment("n", 1))

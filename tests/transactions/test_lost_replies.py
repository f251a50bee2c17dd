"""Commits whose reply is lost are made once, on one server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from persistent_collections import (
    Backend,
    OutcomeUnknown,
    PersistentDict,
    PersistentList,
    connect,
    transactional,
    use_backend,
)
from tests.proxy import LosingProxy, Proxy, running
from tests.servers import RunningServer

pytestmark = pytest.mark.store("server")


@pytest.fixture
def proxy(server: RunningServer) -> Iterator[LosingProxy]:
    with running(LosingProxy(server.port)) as proxy:
        yield proxy


@pytest.fixture
def losing(proxy: LosingProxy) -> Iterator[Backend]:
    with connect(f"redis://127.0.0.1:{proxy.port}/0") as backend, use_backend(backend):
        yield backend


@transactional
def count(number: int) -> None:
    PersistentDict("count").increment("n")
    PersistentList("log").append(number)


def test_no_commit_is_lost_or_made_twice(losing: Backend, proxy: LosingProxy, server: RunningServer) -> None:
    for number in range(60):
        count(number)
    assert proxy.lost >= 20
    with connect(server.url) as whole, use_backend(whole):
        assert PersistentDict("count")["n"] == 60
        assert PersistentList("log")[:] == list(range(60))
        assert {str(key) for key in whole.keys("")} == {"PersistentDict:count", "PersistentList:log"}
        assert list(whole.strangers(["PersistentDict", "PersistentList"])) == []


def test_a_transaction_that_only_reads_is_asked_again(losing: Backend, proxy: LosingProxy) -> None:
    counts, log = PersistentDict("count", {"n": 1}), PersistentList("log", [1])

    @transactional
    def look() -> tuple[int, int]:
        return counts["n"], log[0]

    lost = proxy.lost
    assert [look() for _ in range(30)] == [(1, 1)] * 30
    assert proxy.lost >= lost + 10


def test_a_transaction_costs_its_reads_and_one_commit(server: RunningServer) -> None:
    with (
        running(Proxy(server.port)) as proxy,
        connect(f"redis://127.0.0.1:{proxy.port}/0") as store,
        use_backend(store),
    ):
        names, log = PersistentDict("names", {"a": 1, "b": 2}), PersistentList("log")

        @transactional
        def work() -> None:
            names["a"] = names["b"]
            log.append(names["a"])
            names["c"] = 3

        work()  # which sends the script
        proxy.reset()
        work()
        assert proxy.trips == 2


def test_where_tokens_may_be_evicted_the_outcome_is_unknown(
    losing: Backend, proxy: LosingProxy, server: RunningServer
) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "1gb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(OutcomeUnknown):
                for number in range(3):
                    count(number)
            client.config_set("maxmemory-policy", "noeviction")
            for number in range(6):
                count(number)
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")

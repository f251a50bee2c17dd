"""Limits, addresses and options that stop a store on Redis are named with what to do, and not taken for an outage."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from persistent_collections import Backend, BackendError, BackendUnavailable, PersistentDict, connect
from persistent_collections.backends.redis import cluster as redis_cluster
from tests.servers import SERVICE, RunningCluster, RunningServer, free_port, run_service, wait_until

pytestmark = pytest.mark.store("server")

AT_ONCE_S = 1.5
"""Much less than the time for which a server that cannot be reached is tried again."""


def test_a_pool_of_which_every_connection_is_in_use_is_no_outage(server: RunningServer) -> None:
    url = f"{server.url}?max_connections=1&retry_for_s=0.2"
    with connect(url) as backend, server.client() as other, ExitStack() as stack:
        words = PersistentDict[str, str]("words", {"a": "b"}, backend=backend)
        other.client_pause(60_000, all=False)  # only what may write waits
        stack.callback(other.client_unpause)
        busy = threading.Thread(target=words.update, args=[{"c": "d"}])
        busy.start()
        stack.callback(busy.join)
        stack.callback(other.client_unpause)
        wait_until(lambda: any("b" in client["flags"] for client in other.client_list()), "nothing waits")
        with pytest.raises(BackendUnavailable, match=r"no connection .* is free .*nothing was done; .*max_connections"):
            words.get("a")
    with connect(server.url) as backend:
        assert PersistentDict("words", backend=backend) == {"a": "b", "c": "d"}


def test_a_value_over_the_limit_of_the_server_is_refused_at_once(server: RunningServer) -> None:
    with connect(server.url) as backend, server.client() as other, ExitStack() as stack:
        other.config_set("proto-max-bulk-len", 2**20)
        stack.callback(other.config_set, "proto-max-bulk-len", 512 * 2**20)
        words = PersistentDict[str, str]("words", {"a": "b"}, backend=backend)
        begun = time.monotonic()
        with pytest.raises(BackendError, match=r"larger than its option proto-max-bulk-len allows: raise") as caught:
            words["big"] = "x" * 4 * 2**20
        assert time.monotonic() - begun < AT_ONCE_S
        assert not isinstance(caught.value, BackendUnavailable)
        assert "xxx" not in str(caught.value)
        assert words == {"a": "b"}


def test_a_port_that_speaks_no_tls_is_named_so_at_once(server: RunningServer) -> None:
    begun = time.monotonic()
    with (
        connect(f"rediss://127.0.0.1:{server.port}") as backend,
        pytest.raises(BackendUnavailable, match="begin the URL with 'redis:'"),
    ):
        PersistentDict("words", backend=backend).get("a")
    assert time.monotonic() - begun < AT_ONCE_S


def test_an_address_that_a_cluster_announces_and_nobody_reaches_is_named_as_that(cluster: RunningCluster) -> None:
    wrong, right = free_port(), cluster.nodes[0].port
    with ExitStack() as stack:
        clients = [stack.enter_context(node.client()) for node in cluster.nodes]
        stack.callback(wait_until, lambda: all(tells(client, right) for client in clients), "it is not announced again")
        clients[0].config_set("cluster-announce-port", wrong)
        stack.callback(clients[0].config_set, "cluster-announce-port", right)
        wait_until(lambda: all(tells(client, wrong) for client in clients), "it is not announced")
        backend = stack.enter_context(connect(f"{cluster.url}?retry_for_s=0.2"))
        with pytest.raises(BackendUnavailable, match=r"announces this address: .*cluster-announce-ip"):
            fetch_all(backend)


def test_a_slot_that_no_node_of_a_cluster_serves_is_named(
    cluster: RunningCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nodes answer as if none had the slot: a cluster that loses one takes long until it is whole again."""
    read = redis_cluster._read_view

    def without_one(view: Any, host: str) -> Any:
        owned, leaving = read(view, host)
        return set(owned) - {7}, leaving

    monkeypatch.setattr(redis_cluster, "_read_view", without_one)
    with (
        connect(f"{cluster.url}?retry_for_s=0.1") as backend,
        pytest.raises(BackendUnavailable, match=r"no node serves 1 of .*nothing was done; see CLUSTER INFO"),
    ):
        list(backend.keys(""))


def tells(client: redis.Redis, port: int) -> bool:
    return str(port) in str(client.execute_command("CLUSTER", "SLOTS"))  # type: ignore[no-untyped-call]  # redis-py's


def fetch_all(backend: Backend) -> None:
    """Read from every node."""
    for number in range(100):
        PersistentDict(str(number), backend=backend).get("a")


@pytest.mark.store("sentinel")
@pytest.mark.slow
def test_an_address_that_sentinels_know_and_nobody_reaches_is_named_as_that() -> None:
    with run_service() as service:
        for sentinel in service.sentinels:
            with sentinel.client() as client:
                client.sentinel_remove(SERVICE)
                client.sentinel_monitor(SERVICE, "127.0.0.1", free_port(), 2)
        with (
            connect(f"{service.url}?retry_for_s=0.2") as backend,
            pytest.raises(BackendUnavailable, match="announce-ip"),
        ):
            PersistentDict("words", backend=backend).get("a")


def test_a_server_that_deletes_keys_to_make_room_is_warned_of_once(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with server.client() as other, ExitStack() as stack:
        stack.callback(other.config_set, "maxmemory-policy", "noeviction")
        for policy, warnings in (("noeviction", 0), ("allkeys-lru", 1)):
            other.config_set("maxmemory-policy", policy)
            caplog.clear()
            with connect(f"{server.url}?prefix={policy}:") as backend, caplog.at_level(logging.WARNING):
                for number in range(3):
                    PersistentDict(str(number), {"a": number}, backend=backend)
                    assert len(list(backend.keys(""))) == number + 1
                    backend.close()
            told = [record.getMessage() for record in caplog.records if "set it to noeviction" in record.getMessage()]
            assert len(told) == warnings
            assert all(f"maxmemory-policy {policy}" in message for message in told)

"""Objects on a Redis store: its prefix, its connections and its round trips."""

from __future__ import annotations

from persistent_collections import PersistentList, connect
from tests.records.accounts import Account, Ship
from tests.servers import RunningServer


def test_a_store_takes_a_prefix_of_the_application(server: RunningServer) -> None:
    with connect(f"{server.url}?prefix=one:") as one, connect(f"{server.url}?prefix=two:") as two:
        Ship("x", name="one", backend=one)
        Ship("x", name="two", backend=two)
        assert (Ship("x", backend=one).name, Ship.count(backend=one)) == ("one", 1)


def test_all_objects_of_a_store_share_its_connections(server: RunningServer) -> None:
    with connect(server.url) as backend, server.client() as client:
        before = client.info("stats")["total_connections_received"]
        ship = Account("x", name="x", friends=[Account.ref("x", backend=backend)], backend=backend)
        for _ in range(50):
            assert ship["friends"][0]["name"] == "x"
        assert client.info("stats")["total_connections_received"] - before <= 1


def test_a_list_is_read_in_pages_and_several_fields_at_once(server: RunningServer) -> None:
    with connect(server.url) as backend, server.client() as client:
        items = PersistentList[int]("items", range(2500), backend=backend)
        account = Account("x", name="x", age=3, backend=backend)
        before = client.info("stats")["total_commands_processed"]
        assert sum(items) == sum(range(2500))
        assert account.to_dict()["age"] == 3
        # Of the nine, four are the look at fields that are unset: a script and its commands.
        assert client.info("stats")["total_commands_processed"] - before <= 9

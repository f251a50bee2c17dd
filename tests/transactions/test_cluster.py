"""On a cluster a transaction is about one object, and a second one is refused before anything is sent."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from persistent_collections import Record, TransactionError, connect, transaction, use_backend
from tests.servers import MASTERS, RunningCluster

pytestmark = pytest.mark.store("cluster")


class Purse(Record):
    coins: int = 0
    notes: list[str] = []  # noqa: RUF012 - a default is made anew for each object


def test_a_second_slot_is_refused_before_anything_is_sent(cluster: RunningCluster) -> None:
    with connect(cluster.url) as backend, use_backend(backend), ExitStack() as stack:
        first, second = Purse.create("first", coins=3), Purse.create("second", coins=4)
        clients = [stack.enter_context(node.client()) for node in cluster.nodes[:MASTERS]]

        def commands() -> int:
            return sum(client.info("stats")["total_commands_processed"] for client in clients)

        commands()  # which connects
        own = commands() - commands()
        with pytest.raises(TransactionError, match="cannot be in one transaction") as caught, transaction():
            first.coins -= 1
            before = commands()
            try:
                second.coins += 1
            finally:
                assert before - commands() == own, "something was sent to the cluster"
        assert "Keep what changes together in one record" in str(caught.value)
        assert (first.coins, second.coins) == (3, 4)

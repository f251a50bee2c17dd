"""What unique values are after a failover that loses acknowledged writes of a cluster, and how they are put right.

The node of the class and those of its records lose different writes, so a record may lack its entry. Then a value may
have two records. ``check`` finds each such record, and repairs it once one of the two has another value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import count
from typing import Annotated

import pytest
from redis.crc import key_slot

from persistent_collections import BackendUnavailable, NotUnique, Record, SchemaChangedError, unique
from persistent_collections.backends.base import Backend
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.redis.scripts import COMMIT_CLAIMED, Script
from persistent_collections.backends.urls import StoreURL
from persistent_collections.checking import check
from tests.backends.test_redis_claims import disturbed
from tests.servers import MASTERS, SLOTS, RunningCluster, run_cluster

pytestmark = [pytest.mark.store("cluster"), pytest.mark.slow]

Lose = Callable[[], AbstractContextManager[None]]
"""Opens a block of which the node in question loses the writes that it acknowledges."""


class Pennant(Record):
    name: Annotated[str, unique]


@pytest.fixture(scope="module")
def replicated() -> Iterator[RunningCluster]:
    """Give a cluster whose first master has a replica, which takes its place only when a test says so."""
    with run_cluster(None, "--cluster-node-timeout", "60000", replicas=1) as cluster:
        yield cluster


def prefixes() -> Iterator[str]:
    return (f"p{number}:" for number in count())


FRESH = prefixes()


class Fleet:
    """The pennants of a store, one node of which loses what it acknowledges.

    Attributes:
        prefix: The prefix of the store.
        url: The store's.
        ids: Of two pennants, the first on the node in question unless that is the node of the class.
        lose: Opens the block.
    """

    def __init__(self, cluster: RunningCluster, *, of_class: bool) -> None:
        prefix = next(each for each in FRESH if is_replicated(f"{each}Pennant::") == of_class)
        self.prefix = prefix
        self.url = f"{cluster.url}?prefix={prefix}"
        others = (ident for ident in map(str, count()) if not is_replicated(f"{prefix}Pennant:{ident}"))
        own = (ident for ident in map(str, count()) if is_replicated(f"{prefix}Pennant:{ident}"))
        self.ids = next(others if of_class else own), next(others)
        name = f"{prefix}Pennant::" if of_class else f"{prefix}Pennant:{self.ids[0]}"
        self.lose: Lose = partial(cluster.losing, key_slot(name.encode()))


def is_replicated(name: str) -> bool:
    return key_slot(name.encode()) < SLOTS // MASTERS


def opened(fleet: Fleet, retry_for_s: float = 15) -> RedisBackend:
    return RedisBackend.from_url(StoreURL.parse(f"{fleet.url}&retry_for_s={retry_for_s}"))


def names(store: Backend, ids: tuple[str, str]) -> list[str | None]:
    """Return which names two pennants have."""
    return [pennant.name if (pennant := Pennant.ref(ident, backend=store)) else None for ident in ids]


def found(store: Backend, name: str) -> list[str]:
    return [pennant.id for pennant in Pennant.find(name=name, backend=store)]


def faults(store: Backend) -> set[tuple[str, str]]:
    return {(fault.kind, fault.key) for fault in check(store)}


def put_right(store: Backend, ids: tuple[str, str], name: str) -> None:
    """Check that two pennants of one name are found to be so, and give the name to the first."""
    first, second = ids
    assert names(store, ids) == [name, name]
    assert found(store, name) == [second]
    assert ("unindexed", f"Pennant:{first}") in faults(store)
    assert {kind for kind, _ in faults(store)} == {"unindexed", "duplicate"}
    assert not any(fault.repaired for fault in check(store, repair=["unindexed", "stale_entry"]))
    Pennant.load(second, backend=store).name = "another"
    assert all(fault.repaired for fault in check(store, repair=["unindexed"]))
    assert (faults(store), found(store, name), found(store, "another")) == (set(), [first], [second])
    with pytest.raises(NotUnique):
        Pennant.load(second, backend=store).name = name


@pytest.mark.parametrize("between", [True, False])
@pytest.mark.parametrize("taken", [True, False])
def test_a_claim_that_was_lost_leaves_a_record_without_its_entry(
    replicated: RunningCluster, between: bool, taken: bool
) -> None:
    fleet = Fleet(replicated, of_class=True)
    first, second = fleet.ids
    with ExitStack() as stack:
        losing = ExitStack()

        def lose(script: Script) -> None:
            if between and script is COMMIT_CLAIMED:
                losing.close()

        store, writer = stack.enter_context(opened(fleet)), stack.enter_context(opened(fleet))
        Pennant.create("z", name="z", backend=store)
        with losing:
            losing.enter_context(fleet.lose())
            Pennant.create(first, name="a", backend=disturbed(writer, lose))
        if taken:
            Pennant.create(second, name="a", backend=store)
            put_right(store, fleet.ids, "a")
        else:
            assert found(store, "a") == []
            assert faults(store) == {("unindexed", f"Pennant:{first}")}
            assert all(fault.repaired for fault in check(store, repair=["unindexed"]))
            assert (faults(store), found(store, "a")) == (set(), [first])
            with pytest.raises(NotUnique):
                Pennant.create(second, name="a", backend=store)


def test_a_write_that_was_lost_leaves_its_value_free(replicated: RunningCluster) -> None:
    fleet = Fleet(replicated, of_class=False)
    with opened(fleet) as store:
        with fleet.lose():
            Pennant.create(fleet.ids[0], name="a", backend=store)
        assert (found(store, "a"), faults(store)) == ([], set())
        Pennant.create(fleet.ids[1], name="a", backend=store)
        assert names(store, fleet.ids) == [None, "a"]
        assert (found(store, "a"), faults(store)) == ([fleet.ids[1]], set())


def test_a_change_that_was_lost_gives_a_record_a_value_that_another_took(replicated: RunningCluster) -> None:
    fleet = Fleet(replicated, of_class=False)
    with opened(fleet) as store:
        first = Pennant.create(fleet.ids[0], name="a", backend=store)
        with fleet.lose():
            first.name = "b"
            Pennant.create(fleet.ids[1], name="a", backend=store)
        put_right(store, fleet.ids, "a")


def test_a_fence_that_was_lost_lets_a_writer_that_stalled_write(replicated: RunningCluster) -> None:
    fleet = Fleet(replicated, of_class=False)
    with opened(fleet) as store, opened(fleet) as writer:
        Pennant.create("z", name="z", backend=store)

        def take(script: Script) -> None:
            if script is COMMIT_CLAIMED:
                with fleet.lose():
                    Pennant.create(fleet.ids[1], name="a", backend=store)

        Pennant.create(fleet.ids[0], name="a", backend=disturbed(writer, take))
        put_right(store, fleet.ids, "a")


def test_an_index_whose_making_was_lost_is_not_taken_for_whole(replicated: RunningCluster) -> None:
    fleet = Fleet(replicated, of_class=True)
    with opened(fleet) as store:
        with fleet.lose():
            Pennant.create(fleet.ids[0], name="a", backend=store)
        for name in "ab":
            with pytest.raises(SchemaChangedError, match=r"Pennant.reindex\(\)"):
                Pennant.create(fleet.ids[1], name=name, backend=store)
        assert faults(store) == {("unindexed", "Pennant:")}
        assert all(fault.repaired for fault in check(store, repair=["unindexed"]))
        assert (faults(store), found(store, "a")) == (set(), [fleet.ids[0]])


@pytest.mark.parametrize("of_class", [True, False])
def test_a_node_that_must_have_a_replica_acknowledges_nothing_without_it(
    replicated: RunningCluster, of_class: bool
) -> None:
    fleet = Fleet(replicated, of_class=of_class)
    with opened(fleet) as store, opened(fleet, retry_for_s=0) as hasty:
        Pennant.create("z", name="z", backend=store)
        with fleet.lose(), replicated.nodes[0].client() as one, replicated.nodes[-1].client() as other:
            for client in (one, other):
                client.config_set("min-replicas-to-write", 1)
            try:
                with pytest.raises(BackendUnavailable, match="min-replicas-to-write"):
                    Pennant.create(fleet.ids[0], name="a", backend=hasty)
            finally:
                for client in (one, other):
                    client.config_set("min-replicas-to-write", 0)
        Pennant.create(fleet.ids[1], name="a", backend=store)
        assert (names(store, fleet.ids), faults(store)) == ([None, "a"], set())

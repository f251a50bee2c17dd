"""Unique values on a cluster whose nodes have clocks of their own, one of which is set while a record is written."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from redis.crc import key_slot

from persistent_collections import NotUnique
from persistent_collections.backends.redis.claims import MARGIN_US, WINDOW_US
from persistent_collections.backends.redis.scripts import CLAIM, COMMIT_CLAIMED, Script
from tests.backends.test_redis_claims import disturbed
from tests.backends.test_redis_losses import Fleet, Pennant, faults, found, names, opened, put_right
from tests.servers import RunningCluster, run_cluster, settable_clock

pytestmark = pytest.mark.store("cluster")

WINDOW_S = WINDOW_US // 10**6
MARGIN_S = MARGIN_US // 10**6
HOUR_S = 3600


@pytest.fixture(scope="module")
def unsteady() -> Iterator[RunningCluster]:
    """Give a cluster in which no node thinks that another failed since its own clock was set."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("libfaketime, which sets the clock of a node, has a wheel for Linux on x86-64 only")
    library = settable_clock()
    assert library is not None, "install the group dev, of which libfaketime is a part"
    with run_cluster(None, "--cluster-node-timeout", str(100 * HOUR_S * 1000), library=library) as cluster:
        yield cluster


class Trial:
    """Pennants on three nodes: the class, the first pennant and the second.

    Attributes:
        of_class: The node of the class.
        of_first: The node of the first pennant.
        first, second: The ids.
        store: Writes undisturbed.
    """

    def __init__(self, cluster: RunningCluster, stack: ExitStack) -> None:
        self.fleet = Fleet(cluster, of_class=False)
        self.first, self.second = self.fleet.ids
        self.of_first, self.of_class = (
            cluster.owner(key_slot(f"{self.fleet.prefix}Pennant:{end}".encode())) for end in (self.first, ":")
        )
        self.store = stack.enter_context(opened(self.fleet))
        self.writer = stack.enter_context(opened(self.fleet))
        Pennant.create("z", name="z", backend=self.store)

    def create_first(self, meanwhile: Callable[[], None]) -> None:
        """Create the first pennant; ``meanwhile`` is called when it has claimed the name ``a`` and not written it."""
        calls = [meanwhile]

        def between(script: Script) -> None:
            if script is COMMIT_CLAIMED and calls:
                calls.pop()()

        Pennant.create(self.first, name="a", backend=disturbed(self.writer, between))

    def create_second(self) -> None:
        Pennant.create(self.second, name="a", backend=self.store)

    def has_fence(self) -> bool:
        with self.of_first.client() as client:
            return client.exists(f"{{{self.fleet.prefix}Pennant:{self.first}}}::fence") == 1


@pytest.fixture
def trial(unsteady: RunningCluster) -> Iterator[Trial]:
    with ExitStack() as stack:
        for node in unsteady.nodes:
            stack.callback(node.set_clock, 0)
        yield Trial(unsteady, stack)


def second_has_it(trial: Trial) -> None:
    assert names(trial.store, trial.fleet.ids) == [None, "a"]
    assert (found(trial.store, "a"), faults(trial.store)) == ([trial.second], set())


@pytest.mark.parametrize("back_s", [MARGIN_S - 10, MARGIN_S + WINDOW_S])
@pytest.mark.parametrize("by_age", [True, False])
def test_a_dead_claim_stays_dead_when_the_clock_goes_back_by_less_than_the_margin(
    trial: Trial, by_age: bool, back_s: int
) -> None:
    def meanwhile() -> None:
        if not by_age:
            trial.create_second()
            assert trial.has_fence()
        ahead_s = WINDOW_S + MARGIN_S + 1
        trial.of_first.set_clock(ahead_s)
        if by_age:
            trial.create_second()
        assert not trial.has_fence(), "none is needed, or it has expired"
        trial.of_first.set_clock(ahead_s - back_s)

    if back_s < MARGIN_S:
        with pytest.raises(NotUnique):
            trial.create_first(meanwhile)
        second_has_it(trial)
    else:
        trial.create_first(meanwhile)
        put_right(trial.store, trial.fleet.ids, "a")


def test_a_claim_is_forbidden_on_a_node_whose_clock_was_set_back(trial: Trial) -> None:
    def meanwhile() -> None:
        trial.of_first.set_clock(10 - MARGIN_S)
        trial.create_second()
        assert trial.has_fence()

    with pytest.raises(NotUnique):
        trial.create_first(meanwhile)
    second_has_it(trial)


def test_a_claim_is_written_on_a_node_whose_clock_was_set_back(trial: Trial) -> None:
    trial.create_first(lambda: trial.of_first.set_clock(10 - MARGIN_S))
    with pytest.raises(NotUnique):
        trial.create_second()
    assert (found(trial.store, "a"), faults(trial.store)) == ([trial.first], set())


def test_a_claim_is_taken_when_the_clock_of_the_class_was_set_back(trial: Trial) -> None:
    def meanwhile() -> None:
        trial.of_class.set_clock(-HOUR_S)
        trial.create_second()

    with pytest.raises(NotUnique):
        trial.create_first(meanwhile)
    second_has_it(trial)


def test_values_go_from_record_to_record_after_the_clock_of_the_class_was_set_back(trial: Trial) -> None:
    sent: list[Script] = []
    trial.create_first(lambda: trial.of_class.set_clock(-HOUR_S))
    with pytest.raises(NotUnique):
        trial.create_second()
    first = Pennant.load(trial.first, backend=trial.store)
    with opened(trial.fleet) as store:
        Pennant.load(trial.first, backend=disturbed(store, sent.append)).name = "b"
    assert sent == [CLAIM, COMMIT_CLAIMED] * 2, "the first claim is too old for the node of the record"
    trial.create_second()
    with pytest.raises(NotUnique):
        first.name = "a"
    assert [found(trial.store, name) for name in "ab"] == [[trial.second], [trial.first]]
    assert faults(trial.store) == set()

"""What clusters of many sizes do, by the simulation."""

from __future__ import annotations

from math import inf
from random import Random
from statistics import median
from typing import Final, NamedTuple

from benchmarks.scale.simulation import Cluster, Outcome, Setting, Simulation, percentile

NODES: Final = (3, 6, 12, 25, 50, 100)
SHARDS: Final = (1, 4, 16)
TRIP_S: Final = 0.0005
"""The round trip of a message in the network, which is assumed."""
NEAR: Final = 0.8
"""The part of the most that a cluster can do at which its latencies are looked at."""
QUIET: Final = 0.3
"""The part of what equally busy nodes could do at which those of all clusters are compared."""


class Point(NamedTuple):
    """A cluster of so many nodes with so many shards, the median of several ways in which slots lie on nodes.

    Attributes:
        nodes: The nodes.
        shards: Into how many slots the indexes of each class are split.
        most_per_s: The operations per second that keep its busiest node busy all the time.
        hottest: How much of all work that node has, as a multiple of an equal part.
        p50_s: The latency that half of the operations on indexes do not exceed, when it does ``NEAR`` of the most.
        p99_s: That 99 of 100 of them do not.
        quiet_per_s: The operations per second at ``QUIET``.
        quiet_p50_s: The same latencies at that rate, infinite if the cluster does not keep up.
        quiet_p99_s: See above.
    """

    nodes: int
    shards: int
    most_per_s: float
    hottest: float
    p50_s: float
    p99_s: float
    quiet_per_s: float
    quiet_p50_s: float
    quiet_p99_s: float


def point(setting: Setting, operations: int, seeds: int) -> Point:
    """Return what a cluster does.

    Args:
        setting: The cluster.
        operations: How many to simulate for each rate.
        seeds: How many ways in which slots lie on nodes.
    """
    even = setting.nodes * Cluster(setting._replace(nodes=1, shards=1)).most_per_s()
    quiet = QUIET * even
    most, near, same = [], [], []
    for seed in range(seeds):
        here = setting._replace(seed=seed)
        most.append(Cluster(here).most_per_s())
        near.append(latencies(here, NEAR * most[-1], operations))
        same.append(latencies(here, quiet, operations) if quiet < most[-1] else (inf, inf))
    p50s, p99s = zip(*near, strict=True)
    quiet_p50s, quiet_p99s = zip(*same, strict=True)
    busy = (median(most), even / median(most), median(p50s), median(p99s))
    return Point(setting.nodes, setting.shards, *busy, quiet, median(quiet_p50s), median(quiet_p99s))


def run(setting: Setting, per_s: float, operations: int) -> Outcome:
    """Return what happens when about so many operations begin, ``per_s`` per second."""
    random = Random(setting.seed)  # noqa: S311 - the same in each run
    simulation = Simulation(setting.nodes, TRIP_S, Cluster(setting).operation)
    return simulation.offered(per_s, operations / per_s, random)


def latencies(setting: Setting, per_s: float, operations: int) -> tuple[float, float]:
    """Return the latencies that half of the operations that use an index and that 99 of 100 do not exceed."""
    found = run(setting, per_s, operations).indexed
    return percentile(found, 0.5), percentile(found, 0.99)

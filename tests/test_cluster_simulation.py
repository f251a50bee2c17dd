"""The simulated cluster loses nothing, obeys the laws of queues, and does the same in each run."""

from __future__ import annotations

from itertools import repeat
from random import Random

import pytest

from benchmarks.scale.outlook import point, run
from benchmarks.scale.simulation import Cluster, Costs, Mix, Operation, Setting, Simulation

COSTS = Costs(*(micros / 1e6 for micros in (10, 15, 45, 40, 25, 15, 30, 25, 6)))
SERVICE_S = 0.001


def one_request() -> Operation:
    return repeat([(0, SERVICE_S)], 1)


@pytest.mark.parametrize("part", [0.5, 0.95, 3.0])
def test_whatever_begins_completes_or_is_in_flight(part: float) -> None:
    setting = Setting(6, 4, COSTS)
    outcome = run(setting, part * Cluster(setting).most_per_s(), 5_000)
    assert outcome.begun == outcome.completed + outcome.in_flight
    assert (outcome.in_flight > 1_000) == (part > 1)
    assert 4_500 < outcome.begun < 5_500


def test_a_node_does_what_its_service_time_allows_and_no_more() -> None:
    for clients, expected in [(1, 0.5), (2, 1.0), (50, 1.0)]:
        outcome = Simulation(1, SERVICE_S, one_request).closed(clients, 10)
        assert outcome.per_s == pytest.approx(expected / SERVICE_S, rel=0.01)
    outcome = Simulation(1, SERVICE_S, one_request).offered(2 / SERVICE_S, 10, Random(1))
    assert outcome.per_s == pytest.approx(1 / SERVICE_S, rel=0.01)


@pytest.mark.parametrize(("busy", "seconds"), [(0.3, 50), (0.7, 50), pytest.param(0.9, 300, marks=pytest.mark.slow)])
def test_the_mean_latency_is_that_of_an_m_d_1_queue(busy: float, seconds: float) -> None:
    trip_s = 0.002
    outcome = Simulation(1, trip_s, one_request).offered(busy / SERVICE_S, seconds, Random(7))
    waits_s = busy * SERVICE_S / (2 * (1 - busy))
    mean_s = sum(outcome.latencies) / len(outcome.latencies)
    assert mean_s == pytest.approx(trip_s + SERVICE_S + waits_s, rel=0.05)


def test_a_run_with_the_same_seed_is_the_same() -> None:
    first, second, other = (run(Setting(12, 4, COSTS, seed), 100_000, 3_000) for seed in (1, 1, 2))
    assert first == second
    assert first.latencies != other.latencies


@pytest.mark.parametrize(("nodes", "shards"), [(1, 1), (3, 1), (12, 4)])
def test_the_most_that_a_cluster_can_do_keeps_its_busiest_node_busy(nodes: int, shards: int) -> None:
    here = Cluster(Setting(nodes, shards, COSTS))
    count, busy = 20_000, [0.0] * nodes
    for _ in range(count):
        for requests in here.operation():
            for node, seconds in requests:
                busy[node] += seconds
    assert count / max(busy) == pytest.approx(here.most_per_s(), rel=0.05)


def test_each_operation_takes_the_round_trips_that_the_protocol_takes() -> None:
    for trips, mix in [
        (1, Mix(1, 0, 0, 0, 0)),
        (1, Mix(0, 1, 0, 0, 0)),
        (2, Mix(0, 0, 1, 0, 0, contested=0)),
        (4, Mix(0, 0, 1, 0, 0, contested=1)),
        (2, Mix(0, 0, 0, 1, 0)),
        (2, Mix(0, 0, 0, 0, 1)),
    ]:
        here = Cluster(Setting(5, 4, COSTS, mix=mix))
        assert {sum(1 for _ in here.operation()) for _ in range(20)} == {trips}


def test_the_index_of_a_hot_class_ends_growth_and_shards_move_that_end() -> None:
    whole, larger, split = (
        point(Setting(nodes, shards, COSTS), 2_000, 1) for nodes, shards in [(50, 1), (100, 1), (100, 4)]
    )
    assert larger.most_per_s < 1.3 * whole.most_per_s
    assert split.most_per_s > 1.5 * larger.most_per_s

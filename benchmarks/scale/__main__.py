"""``python -m benchmarks.scale``: measure how far each store goes, simulate clusters, and write docs/scale.md.

``python -m benchmarks.scale sizes speeds`` does these parts only; ``--results FILE`` keeps what was found, and gives
what this run does not find out. ``--quick`` finds nothing that could be relied on, in a minute.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.pages import replaced
from benchmarks.scale import outlook, pages, services, sizes, speeds
from benchmarks.scale.simulation import Costs, Setting, Simulation, percentile

ROOT: Final = Path(__file__).parent.parent.parent


class Effort(NamedTuple):
    """How much is done.

    Attributes:
        kept: Records whose bytes are counted, by store.
        there: Records that exist when operations are timed, by store.
        served: Records that exist when requests to nodes are timed.
        rounds: How often they are timed, by store.
        noted: Requests of each kind that are sent again.
        window_s: How long they are sent, each time.
        operations: Simulated for each point.
        seeds: How many times each point is simulated.
    """

    kept: Mapping[str, int]
    there: Mapping[str, int]
    served: int
    rounds: Mapping[str, int]
    noted: int
    window_s: float
    operations: int
    seeds: int


FULL: Final = Effort(
    {"memory": 250, "JSON": 250, "SQLite": 5000, "Redis": 10_000, "Cluster": 16_384},
    {"memory": 1000, "JSON": 1000, "SQLite": 10_000, "Redis": 10_000, "Cluster": 10_000},
    3000,
    {"memory": 4, "JSON": 2, "SQLite": 20, "Redis": 20, "Cluster": 20},
    500,
    0.05,
    100_000,
    3,
)
QUICK: Final = Effort(
    dict.fromkeys(sizes.STORES, 20),
    dict.fromkeys(sizes.STORES, 100),
    100,
    dict.fromkeys(sizes.STORES, 1),
    50,
    0.01,
    10_000,
    1,
)


def _services(effort: Effort, results: dict[str, Any]) -> None:
    seconds, measured = services.measured(effort.served, effort.noted, effort.window_s)
    costs = services.costs(seconds)
    results["costs"] = costs._asdict()
    alone = measured[min(measured)]
    results["checked"] = []
    for clients, load in measured.items():
        one_kind = Simulation(1, alone.p50_s - costs.claim, lambda: repeat([(0, costs.claim)], 1))
        found = one_kind.closed(clients, 1)
        simulated = [found.per_s, percentile(found.latencies, 0.5), percentile(found.latencies, 0.99)]
        results["checked"].append({"clients": clients, "measured": load[:3], "simulated": simulated})


def _outlook(effort: Effort, results: dict[str, Any]) -> None:
    costs = Costs(**results["costs"])
    settings = [Setting(nodes, shards, costs) for nodes in outlook.NODES for shards in outlook.SHARDS]
    results["outlook"] = [outlook.point(setting, effort.operations, effort.seeds) for setting in settings]


def _sizes(effort: Effort, results: dict[str, Any]) -> None:
    results["sizes"] = sizes.measured(effort.kept)


def _speeds(effort: Effort, results: dict[str, Any]) -> None:
    results["speeds"] = speeds.measured(effort.there, effort.rounds)


PARTS: Final[dict[str, Callable[[Effort, dict[str, Any]], None]]] = {
    "sizes": _sizes,
    "speeds": _speeds,
    "services": _services,
    "outlook": _outlook,
}


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to do; all of it unless given")
    parser.add_argument("--quick", action="store_true", help="a trial run with figures that mean nothing")
    parser.add_argument("--results", type=Path, help="where what was found is kept")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where scale.md is")
    given = parser.parse_args()
    results = json.loads(given.results.read_text("utf-8")) if given.results and given.results.exists() else {}
    for part in given.parts or PARTS:
        print(part, file=sys.stderr, flush=True)
        PARTS[part](QUICK if given.quick else FULL, results)
        if given.results:
            given.results.write_text(json.dumps(results), "utf-8")
    page = given.docs / "scale.md"
    page.write_text(replaced(page.read_text("utf-8"), pages.tables(results)), "utf-8")
    if points := results.get("outlook"):
        pages.draw([outlook.Point(*each) for each in points], given.docs / "scale.svg")


if __name__ == "__main__":
    main()

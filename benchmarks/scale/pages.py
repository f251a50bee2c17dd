"""The tables and the plot of docs/scale.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.pages import table
from benchmarks.plots import STYLE, keep
from benchmarks.scale.outlook import SHARDS, Point
from benchmarks.scale.sizes import TITLES

COLOURS: Final = dict(zip(SHARDS, ("#d81b60", "#1e88e5", "#00897b"), strict=True))
_CLIFF_MS: Final = 3.0
"""Where the plot shows that a cluster does not keep up."""
SERVED: Final = ("Redis", "Cluster")
REQUESTS: Final = {
    "read": "read a field",
    "write": "write a field that no index has",
    "claim": "claim an entry, on the node of the class",
    "commit": "write the record whose entry is claimed",
    "forbid": "ask whether a record holds a value",
    "one": "read the entry of a unique value",
    "page": "read a page of 20 entries",
    "examine": "read a found record",
    "more": "read one more in the same request",
}


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """Return every table there are results for, by name."""
    made = {}
    if sizes := results.get("sizes"):
        body = [[name, *(f"{max(found[title], 0):,.0f}" for title in TITLES)] for name, found in sizes.items()]
        made["scale-sizes"] = table(["", *TITLES], body)
    if speeds := results.get("speeds"):
        made["scale-speeds"] = _speeds(speeds)
    if costs := results.get("costs"):
        body = [[title, f"{costs[name] * 1e6:.1f} µs"] for name, title in REQUESTS.items()]
        made["scale-costs"] = table(["request", "a node is busy for"], body)
    if checked := results.get("checked"):
        made["scale-checked"] = _checked(checked)
    if points := results.get("outlook"):
        made["scale-outlook"] = _outlook([Point(*each) for each in points])
    return made


def _speeds(speeds: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    head = [part for name in speeds for part in ([name, f"{name}, servers"] if name in SERVED else [name])]

    def cells(title: str) -> list[str]:
        times = [each for name, of in speeds.items() for each in of[title][: 2 if name in SERVED else 1]]
        return [_rounded(1 / seconds) for seconds in times]

    return table(["", *head], [[title, *cells(title)] for title in next(iter(speeds.values()))])


def _rounded(figure: float) -> str:
    """Return a figure with as many digits as two runs have in common."""
    return f"{float(f'{figure:.2g}'):,.0f}"


def _checked(checked: Sequence[Mapping[str, Any]]) -> str:
    body = []
    for row in checked:
        pairs = [(row["measured"][at], row["simulated"][at]) for at in range(3)]
        cells = [f"{figure:,.0f}" for figure in pairs[0]]
        cells += [f"{figure * 1e6:,.0f} µs" for pair in pairs[1:] for figure in pair]
        body.append([str(row["clients"]), *cells])
    names = ["per second", "simulated", "median", "simulated", "99 of 100", "simulated"]
    return table(["connections", *names], body)


def _outlook(points: Sequence[Point]) -> str:
    def millis(seconds: float) -> str:
        return "-" if isinf(seconds) else f"{seconds * 1e3:.2f} ms"

    body = []
    for each in points:
        most = [_rounded(each.most_per_s), f"{each.hottest:.1f}", millis(each.p50_s), millis(each.p99_s)]
        quiet = [_rounded(each.quiet_per_s), millis(each.quiet_p50_s), millis(each.quiet_p99_s)]
        body.append([str(each.nodes), str(each.shards), *most, *quiet])
    head = ["nodes", "shards", "most per second", "busiest node", "median", "99 of 100"]
    return table([*head, "30 %, per second", "median", "99 of 100"], body)


def draw(points: Sequence[Point], path: Path) -> None:
    """Draw throughput and latency by nodes, a line for each number of shards."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        most, tail = figure.subplots(1, 2)
        nodes = sorted({each.nodes for each in points})
        even = {each.nodes: each.most_per_s * each.hottest for each in points}
        most.plot(nodes, [even[count] for count in nodes], ":", color="#757575", label="all nodes equally busy")
        for shards in SHARDS:
            line = [each for each in points if each.shards == shards]
            look: Any = {"color": COLOURS[shards], "markersize": 4}
            name = f"index in {shards} slot{'s' if shards > 1 else ''}"
            most.plot([each.nodes for each in line], [each.most_per_s for each in line], "o-", label=name, **look)
            kept = [(each.nodes, each.quiet_p99_s * 1e3) for each in line if not isinf(each.quiet_p99_s)]
            tail.plot(*zip(*kept, strict=True), "o-", label=name, **look)
            if len(kept) < len(line):
                end = line[len(kept)].nodes
                tail.plot([kept[-1][0], end], [kept[-1][1], _CLIFF_MS], ":", **look)
                tail.plot([end], [_CLIFF_MS], "x", **look)
        most.set(title="operations per second, at most", xscale="log", yscale="log", xlabel="nodes")
        tail.set(title="99 of 100 operations on indexes take at most, ms", xscale="log", xlabel="nodes")
        for axis in (most, tail):
            axis.set_xticks(nodes, map(str, nodes))
            axis.minorticks_off()
        most.legend(frameon=False)
        keep(figure, path)

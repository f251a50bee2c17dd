"""The plot of docs/benchmarks.md: what each library takes beside bare redis-py as collections grow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.pages import LIBRARIES

PANELS: Final = ("d[k]", "len(d)", "l[i]", "for k, v in d.items()", "for v in l", "l.insert(middle, v)")
COLOURS: Final = dict(zip(LIBRARIES, ("#00897b", "#d81b60", "#1e88e5", "#ffa000", "#757575"), strict=True))


def draw(times: Mapping[str, Any], path: Path) -> None:
    """Draw one panel a row of the table into an SVG file.

    Args:
        times: Seconds and ratio by size, row and contender.
        path: The file.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fixed", "font.size": 8}):
        figure = Figure(figsize=(9, 4.8), layout="constrained")
        axes = figure.subplots(2, 3, sharex=True, sharey=True)
        for axis, title in zip(axes.flat, PANELS, strict=True):
            for name in LIBRARIES:
                points = [
                    (int(size), rows[title][name][1]) for size, rows in times.items() if name in rows.get(title, {})
                ]
                axis.plot(
                    *zip(*points, strict=True), "o-", label=name, color=COLOURS[name], markersize=3
                ) if points else None
            axis.axhline(1, color="black", linewidth=0.5)
            axis.set(title=title, xscale="log", yscale="log")
            axis.minorticks_off()
        axes[0, 0].legend(frameon=False)
        figure.supxlabel("items in the collection")
        figure.supylabel("times bare redis-py")
        figure.savefig(path, metadata={"Date": None, "Creator": None})

"""The plots of docs/benchmarks.md, and how plots are kept: readable on light pages and on dark ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.pages import LIBRARIES

PANELS: Final = ("d[k]", "len(d)", "l[i]", "for k, v in d.items()", "for v in l", "l.insert(middle, v)")
COLOURS: Final = dict(zip(LIBRARIES, ("#00897b", "#d81b60", "#1e88e5", "#ffa000", "#757575"), strict=True))
STYLE: Final[dict[Any, Any]] = {"svg.fonttype": "none", "svg.hashsalt": "fixed", "font.size": 8}
_DARK: Final = """
@media (prefers-color-scheme: dark) {
  text { fill: #eceff1 }
  [style*="stroke: #000000"] { stroke: #b0bec5 !important }
}
"""


def keep(figure: Figure, path: Path) -> None:
    """Write a figure into an SVG file, which looks the same each time."""
    figure.savefig(path, metadata={"Date": None, "Creator": None}, transparent=True)
    drawn = path.read_text("utf-8")
    path.write_text(drawn.replace("</style>", f"{_DARK}</style>", 1), "utf-8")


def draw(times: Mapping[str, Any], path: Path) -> None:
    """Draw one panel a row of the table into an SVG file.

    Args:
        times: Seconds and ratio by size, row and contender.
        path: The file.
    """
    with mpl.rc_context(STYLE):
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
        keep(figure, path)

"""The plot of the shop: what each use takes in each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.plots import STYLE, keep
from benchmarks.timing import Cell

PANELS: Final = {"redis": "on Redis", "sqlite": "over SQLite"}
COLOURS: Final = {"redis-py": "#1e88e5", "sqlite3": "#1e88e5", "SQLAlchemy": "#ffa000", "ours": "#00897b"}


def draw(found: Mapping[str, Mapping[str, Mapping[str, Cell]]], path: Path) -> None:
    """Draw a panel for each kind of store, a group of bars for each use.

    Args:
        found: Figures by store, use and shop.
        path: The file.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4), layout="constrained")
        for axis, (kind, title) in zip(figure.subplots(1, 2, sharey=True, sharex=True), PANELS.items(), strict=True):
            uses = list(found[kind])[::-1]
            names = [name for name in COLOURS if name in found[kind][uses[0]]]
            height = 0.8 / len(names)
            for number, name in enumerate(names):
                places = [place - number * height for place in range(len(uses))]
                times = [found[kind][use][name].seconds * 1e6 for use in uses]
                axis.barh(places, times, height, label=name, color=COLOURS[name])
            axis.set(title=title, xscale="log", xlabel="µs")
            axis.set_yticks([place - 0.4 + height / 2 for place in range(len(uses))], uses)
            axis.minorticks_off()
            axis.legend(frameon=False, ncols=len(names), loc="lower left", bbox_to_anchor=(0, 1.06))
        keep(figure, path)

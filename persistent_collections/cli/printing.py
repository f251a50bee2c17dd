"""The output of commands: rows, as a table or as one JSON object per line, printed as they are found."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from persistent_collections.cli.progress import bar
from persistent_collections.cli.texts import as_json, cell

ROWS: Final = 100
"""Rows of a table that are laid out together."""


def write(line: str) -> None:
    """Write one line."""
    sys.stdout.write(f"{line}\n")


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *, json: bool) -> None:
    """Print rows as they come.

    Args:
        rows: By name; a name that isn't a column is printed only as JSON.
        columns: The heading of each column, by name.
        json: Whether to print one JSON object per line.
    """
    if json:
        for row in rows:
            write(as_json(row))
        return
    found, heading, widths = iter(rows), list(columns.values()), [0] * len(columns)
    while page := [[cell(row.get(name)) for name in columns] for row in islice(found, ROWS)]:
        widths = [max(width, *map(cell_len, column)) for width, *column in zip(widths, heading, *page, strict=True)]
        put = _print_table if sys.stdout.isatty() else _print_lines
        put(heading, page, widths)
        sys.stdout.flush()
        heading = [""] * len(columns)


def print_found(what: str, rows: Iterator[Mapping[str, Any]], columns: Mapping[str, str], *, json: bool) -> bool:
    """Print rows as they come, with a progress bar until the first; return whether there are any.

    Args:
        what: The activity that the bar shows.
        rows: As for :func:`print_rows`.
        columns: As for :func:`print_rows`.
        json: As for :func:`print_rows`.
    """
    with bar(what):
        first = next(rows, None)
    if first is None:
        return False
    print_rows(chain([first], rows), columns, json=json)
    return True


def _print_lines(heading: Sequence[str], page: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    """Print to a pipe or a file, without folding and colours."""
    for line in [heading, *page] if any(heading) else page:
        padded = (text + " " * (width - cell_len(text)) for text, width in zip(line, widths, strict=True))
        write("  ".join(padded).rstrip())


def _print_table(heading: Sequence[str], page: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    """Print to a terminal, long cells folded within their column."""
    console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto", highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(heading), header_style="bold")
    for text, width in zip(heading, widths, strict=True):
        table.add_column(text, min_width=min(width, console.width // len(widths)), overflow="fold")
    for line in page:
        table.add_row(*map(Text, line))
    console.print(table)

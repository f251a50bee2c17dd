"""Tables in docs/benchmarks.md: each stands between two comments that name it, and is written anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.on_redis import work

EQUAL: Final = 1.15
"""Less than this apart is the same: two runs differ by as much."""

LIBRARIES: Final = ("ours", "pottery", "redis-collections", "redis-dict", "walrus")
STRICT: Final = "redis-py, our codec"
SIZE: Final = "1000"
MARKS: Final = {"gives bytes": "ᵇ", "keeps text alone": "ᵇ"}
WRONG: Final = "✗"

Cells = Mapping[str, Sequence[float]]
"""Seconds and ratio by contender."""


def replaced(page: str, tables: Mapping[str, str]) -> str:
    """Return ``page`` with the tables put in the place of what stood under their names.

    Raises:
        ValueError: The page has no place for one.
    """
    for name, table in tables.items():
        place = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        if not place.search(page):
            raise ValueError(
                f"the page has no place for the table {name!r}: <!-- begin {name} --> … <!-- end {name} -->"
            )
        page = place.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", page)
    return page


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """Return every table there are results for, by name."""
    made = {}
    if redis := results.get("redis"):
        made |= _redis(redis)
    if found := results.get("imports"):
        names = list(found)
        made["imports"] = table(["", *names], [["`import`", *(f"{found[name][1]:.2f}" for name in names)]])
    for name in ("sqlite", "json"):
        if sizes := results.get(name):
            made[name] = _beside(sizes)
    if sizes := results.get("sqlite"):
        made["sqlite-growth"] = _growth(sizes)
    if codecs := results.get("codecs"):
        made["codecs"] = _codecs(codecs)
    return made


def _redis(found: Mapping[str, Any]) -> dict[str, str]:
    times, faults = found["times"], found["faults"]
    small = min(times, key=int)
    singles = {title: times[SIZE if SIZE in times else small].get(title, {}) for title in work.SINGLES}
    records = {title: times[small].get(title, {}) for title in work.RECORDS}
    whole = {
        f"{title}, n = {int(size):,}": times[size].get(title, {})
        for title in work.BULK + work.WALKS
        for size in times
        if size in {SIZE, "100000"} or len(times) == 1
    }
    rows = singles | records | whole
    return {
        "redis-singles": _compared(singles, faults),
        "redis-records": _compared(records, faults),
        "redis-whole": _compared(whole, faults),
        "redis-traffic": _traffic(found["traffic"]),
        "redis-growth": _growth({size: times[size] for size in times}),
        "redis-faults": "\n".join(_faults(faults)),
        "redis-behind": "\n".join(_behind(rows, faults)) or "None.",
        "redis-versions": ", ".join(
            f"{name} {version}" for name, version in found["versions"].items() if name in LIBRARIES[1:]
        )
        + f"; redis-py {found['versions']['redis-py']}",
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _compared(rows: Mapping[str, Cells], faults: Mapping[str, Mapping[str, str]]) -> str:
    def cell(title: str, cells: Cells, name: str) -> str:
        if name not in cells:
            return "-"
        fault = faults.get(name, {}).get(title.partition(", n =")[0])
        return f"{cells[name][1]:.2f}{MARKS.get(fault, WRONG) if fault else ''}"

    def strict(cells: Cells) -> str:
        return f"{cells['ours'][1] / cells[STRICT][1]:.2f}" if "ours" in cells and STRICT in cells else "-"

    body = [
        [f"`{title}`", *(cell(title, cells, name) for name in LIBRARIES), strict(cells)]
        for title, cells in rows.items()
    ]
    return table(["", *LIBRARIES, "ours beside redis-py with our codec"], body)


def _traffic(traffic: Mapping[str, Mapping[str, Mapping[str, Sequence[int]]]]) -> str:
    def cell(counts: Mapping[str, Sequence[int]]) -> str:
        parts = [
            f"{trips:,}" if trips == commands else f"{trips:,} ({commands:,})" for trips, commands in counts.values()
        ]
        return " → ".join(dict.fromkeys(parts)) or "-"

    names = ("redis-py", *LIBRARIES)
    body = [
        [f"`{title}`", *(cell(traffic[title].get(name, {})) for name in names)]
        for title in work.ORDER
        if title in traffic
    ]
    return table(["", *names], body)


def _growth(sizes: Mapping[str, Mapping[str, Cells]]) -> str:
    """Return what ours takes as a multiple of what it takes at the smallest size."""
    first = min(sizes, key=int)
    body = []
    for title, cells in sizes[first].items():
        if "ours" in cells and all("ours" in sizes[size].get(title, {}) for size in sizes):
            body.append([f"`{title}`", *(f"{sizes[size][title]['ours'][0] / cells['ours'][0]:,.1f}" for size in sizes)])
    return table(["", *(f"{int(size):,}" for size in sizes)], body)


def _beside(sizes: Mapping[str, Mapping[str, Cells]]) -> str:
    """Return a table of what others take as multiples of what ours takes."""
    names = list(dict.fromkeys(name for cells in sizes.values() for row in cells.values() for name in row))
    names.remove("ours")
    body = [
        [f"`{title}`", f"{int(size):,}", *(f"{row[name][1]:,.2f}" if name in row else "-" for name in names)]
        for title in next(iter(sizes.values()))
        for size, cells in sizes.items()
        if (row := cells.get(title, {})).keys() & {*names}
    ]
    return table(["", "n", *names], body)


def _codecs(codecs: Mapping[str, Mapping[str, Cells]]) -> str:
    titles = next(iter(codecs.values()))
    head = ["", *(f"{name}{what}" for name in codecs for what in ("", ", more µs"))]
    body = []
    for title in titles:
        cells = [codecs[name][title] for name in codecs]
        pairs = [(row["ours"], row[name]) for row, name in zip(cells, codecs, strict=True)]
        body.append(
            [
                title,
                *(part for ours, theirs in pairs for part in (f"{ours[1]:.2f}", f"{(ours[0] - theirs[0]) * 1e6:.1f}")),
            ]
        )
    return table(head, body)


def _faults(faults: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield a line for each fault, rows with the same one together."""
    for name, found in faults.items():
        for fault in dict.fromkeys(found.values()):
            titles = [f"`{title}`" for title, its in found.items() if its == fault]
            yield f"- {name} {MARKS.get(fault, WRONG)}, {fault}: {', '.join(titles)}."


def _behind(rows: Mapping[str, Cells], faults: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yield a line for each row in which a library with the right answer is ahead of ours."""
    for title, cells in rows.items():
        if "ours" not in cells:
            continue
        ahead = {
            name: cells[name][1]
            for name in LIBRARIES[1:]
            if name in cells
            and cells["ours"][1] > EQUAL * cells[name][1]
            and title.partition(", n =")[0] not in faults.get(name, {})
        }
        if ahead:
            who = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ahead.items())
            yield f"- `{title}`: ours {cells['ours'][1]:.2f}, {who}."

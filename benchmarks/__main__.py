"""``python -m benchmarks``: measure everything and write the tables and the plot of docs/benchmarks.md.

``python -m benchmarks redis codecs`` measures these parts only; ``--results FILE`` keeps what was measured, and gives
what this run does not measure. ``--quick`` measures nothing that could be relied on, in seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from benchmarks import codec_costs, first, import_time, pages, plots, stores
from benchmarks.on_redis import work
from benchmarks.stores import Pace
from benchmarks.timing import pin
from tests.servers import RunningServer, run_server

ROOT: Final = Path(__file__).parent.parent
OLDER: Final = ("redis-collections",)
"""What wants an older redis-py than this library, and so an environment of its own."""
OLDER_PACKAGES: Final = ("redis-collections", "redis[hiredis]<6")


class Effort(NamedTuple):
    """How much is measured.

    Attributes:
        rounds: Of each race.
        on_redis: Sizes of collections on a server.
        in_sqlite: Sizes of collections in a file.
        in_json: The same in files that are written whole.
        batch: Calls of a codec timed together.
    """

    rounds: int
    on_redis: list[int]
    in_sqlite: list[int]
    in_json: list[int]
    batch: int


FULL: Final = Effort(30, [10, 1000, 100_000, 1_000_000], [1000, 10_000, 100_000, 1_000_000], [10, 1000, 100_000], 1000)
QUICK: Final = Effort(1, [10, 30], [30], [10], 10)


def _redis(effort: Effort, python: Path) -> dict[str, Any]:
    results: dict[str, Any]
    with run_server() as server:
        newer = [name for name in work.MODULES if name not in OLDER]
        results = _worker(server, effort, sys.executable, newer)
        older = _worker(server, effort, str(python), ["redis-py", *OLDER])
    results["versions"][OLDER[0]] = f"{older['versions'][OLDER[0]]} (on redis-py {older['versions']['redis-py']})"
    results["faults"] |= older["faults"]
    for size, rows in older["times"].items():
        for title, cells in rows.items():
            results["times"][size].setdefault(title, {}).update({name: cells[name] for name in OLDER if name in cells})
    for title, traffic in older["traffic"].items():
        results["traffic"].setdefault(title, {}).update({name: traffic[name] for name in OLDER if name in traffic})
    return results


def _worker(server: RunningServer, effort: Effort, python: str, names: list[str]) -> Any:
    command = [python, "-m", "benchmarks.on_redis.worker", *names, "--port", str(server.port)]
    command += ["--server", str(server.pid), "--rounds", str(effort.rounds), "--sizes", *map(str, effort.on_redis)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - our own module
    return json.loads(done.stdout)


def _imports(effort: Effort, python: Path) -> dict[str, Any]:
    found = import_time.measured(import_time.OURS, effort.rounds)
    older = import_time.measured(import_time.OLDER, effort.rounds, str(python))
    return {**found, **{name: older[name] for name in OLDER}}


def _first(effort: Effort, python: Path) -> dict[str, Any]:
    size = effort.in_sqlite[0]
    on_redis = _redis(effort._replace(on_redis=[size]), python)
    raced = on_redis["times"][str(size)]
    rows = {title: raced[title] for title in first.CHOSEN["redis"].rows}
    for cells in rows.values():
        cells[first.PLAIN] = cells.pop("redis-py")
        cells.pop(pages.STRICT)
    return {"redis": rows, "faults": on_redis["faults"], **first.measured(effort.rounds, size)}


PARTS: Final[dict[str, Callable[[Effort, Path], Any]]] = {
    "first": _first,
    "redis": _redis,
    "imports": _imports,
    "codecs": lambda effort, _: codec_costs.measured(effort.rounds, effort.batch),
    "sqlite": lambda effort, _: stores.measured(
        stores.SQLITE, effort.in_sqlite, Pace(effort.rounds, limit_s=0.2, clock=time.process_time, warm=True)
    ),
    "json": lambda effort, _: stores.measured(
        stores.JSON, effort.in_json, Pace(effort.rounds // 3 or 1, batch=2, warm=True)
    ),
}


def _older_python(folder: str) -> Path:
    """Return the interpreter of a new environment for the libraries that want an older redis-py."""
    venv.create(folder, with_pip=True)
    python = Path(folder, "bin", "python")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *OLDER_PACKAGES]
    subprocess.run(install, check=True, stdout=sys.stderr)  # noqa: S603 - our own list
    return python


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure; all of it unless given")
    parser.add_argument("--quick", action="store_true", help="a trial run with figures that mean nothing")
    parser.add_argument("--results", type=Path, help="where what was measured is kept")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where benchmarks.md is")
    given = parser.parse_args()
    results = json.loads(given.results.read_text("utf-8")) if given.results and given.results.exists() else {}
    pin()
    with TemporaryDirectory() as folder:
        parts = given.parts or list(PARTS)
        python = _older_python(folder) if {"first", "redis", "imports"} & {*parts} else Path(sys.executable)
        for part in parts:
            print(part, file=sys.stderr, flush=True)
            results[part] = json.loads(json.dumps(PARTS[part](QUICK if given.quick else FULL, python)))
            if given.results:
                given.results.write_text(json.dumps(results), "utf-8")
    page = given.docs / "benchmarks.md"
    tables = pages.tables(results)
    if found := results.get("first"):
        tables["first"] = first.shown(found)
    page.write_text(pages.replaced(page.read_text("utf-8"), tables), "utf-8")
    if "redis" in results:
        plots.draw(results["redis"]["times"], given.docs / "benchmarks.svg")


if __name__ == "__main__":
    main()

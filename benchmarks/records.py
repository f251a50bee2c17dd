"""Records on a server beside the same commands by redis-py: ``python -m benchmarks.records``.

Each row is timed in one run, our process and the server's together, the contenders in turn.
"""

from __future__ import annotations

import argparse
import json
from itertools import count
from typing import Any, Final

import redis

from benchmarks.timing import Clock, Figures, Row, busy_s, pin, race
from persistent_collections import PersistentList, Record, child, connect
from tests.servers import run_server

BATCH: Final = 20
ROUNDS: Final = 200
FRIENDS: Final = ["han", "leia", "chewie"]


class Plain(Record, name="RacedPlain"):
    """A record without children."""

    name: str = ""
    email: str = ""
    age: int = 0


class User(Record, name="RacedUser"):
    """A record with a child."""

    name: str = ""
    email: str = ""
    age: int = 0
    friends: PersistentList[str] = child()


def rows(port: int) -> list[Row]:
    """Return what is raced on a server: redis-py first."""
    client, backend = redis.Redis(port=port), connect(f"redis://127.0.0.1:{port}/0")
    items = [json.dumps(friend) for friend in FRIENDS]
    plain = Plain("p", name="Luke", backend=backend)
    user = User("u", name="Luke", friends=FRIENDS, backend=backend)
    new = count()

    def save(key: str, number: int) -> None:
        fields: dict[Any, Any] = {"name": "Luke", "email": "luke@example.com", "age": number}
        pipeline = client.pipeline()
        pipeline.delete(f"{key}:friends")
        pipeline.hset(key, mapping=fields)
        pipeline.rpush(f"{key}:friends", *items)
        pipeline.execute()

    def values(number: int) -> dict[str, object]:
        return {"name": "Luke", "email": "luke@example.com", "age": number, "friends": FRIENDS}

    def write(number: int) -> None:
        user.name = f"Luke {number}"

    def write_plain(number: int) -> None:
        plain.name = f"Luke {number}"

    def hset(number: int) -> object:
        return client.hset("h", "name", f"Luke {number}")

    return [
        Row("r.f = v, no children (HSET)", {"redis-py": hset, "ours": write_plain}, BATCH),
        Row("r.f = v, a child declared (HSET)", {"redis-py": hset, "ours": write}, BATCH),
        Row(
            "create with a child (MULTI)",
            {
                "redis-py": lambda number: save(f"new:{next(new)}", number),
                "ours": lambda number: User.create(None, backend=backend, **values(number)),  # type: ignore[arg-type] # the values of any field
            },
            BATCH,
        ),
        Row(
            "upsert with a child (MULTI)",
            {
                "redis-py": lambda number: save("saved", number),
                "ours": lambda number: User.upsert("u", backend=backend, **values(number)),
            },
            BATCH,
        ),
        Row(
            "update with a child (MULTI)",
            {
                "redis-py": lambda number: save("saved", number),
                "ours": lambda number: user.update(**values(number)),
            },
            BATCH,
        ),
    ]


def measured(port: int, clock: Clock, rounds: int) -> Figures:
    """Return what each row took."""
    return race(rows(port), rounds, 1000, clock)


def main() -> None:
    """Print each row with its time and its ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each race")
    rounds = parser.parse_args().rounds
    pin()
    with run_server() as server:
        for title, cells in measured(server.port, busy_s(server.pid), rounds).items():
            times = ", ".join(f"{name} {cell.seconds * 1e6:.1f} µs" for name, cell in cells.items())
            print(f"{title}: {cells['ours'].ratio:.2f} ({times})")


if __name__ == "__main__":
    main()

"""redis-dict: a key of the server for each field; no list and no set."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import redis
import redis_dict

from benchmarks.on_redis import work


class Contender:
    """A dict a record; the friends are a list in a field."""

    def __init__(self, port: int, database: int, size: int) -> None:
        def opened(namespace: str) -> Any:
            return redis_dict.RedisDict(namespace, redis=client, raise_key_error_delete=True)

        client = redis.Redis(port=port, db=database)
        self.fields = opened("d")
        self.fields["count"] = 0
        work.fill(size, self.fields.update)
        fields, record = opened("new"), opened("record")
        record.update({**work.FIELDS})
        listed = opened("friends of r")
        listed["friends"] = [f"r:{number}" for number in range(work.FRIENDS)]
        for number in range(work.FRIENDS):
            opened(f"r:{number}").update({**work.FIELDS, "name": f"friend {number}"})
        self.calls = {
            **work.dict_calls(self.fields),
            **work.bulk_calls(fields, None, None, size),
            "d.copy()": lambda _: self.fields.to_dict(),
            "r[f]": lambda _: record["name"],
            "r[f] = v": lambda i: record.__setitem__("name", work.value(i)),
            "save 4 fields": lambda _: record.update(work.FIELDS),
            "load 4 fields": lambda _: record.to_dict(),
            "names of 100 friends": lambda _: [opened(key)["name"] for key in listed["friends"]],
        }
        self.before: dict[str, Callable[[], object]] = {"d.update(n)": lambda: _unlink(client, "new:*")}

    def contents(self) -> tuple[dict[str, Any], list[Any], set[Any]]:
        return self.fields.to_dict(), [], set()


def _unlink(client: redis.Redis, pattern: str) -> None:
    """Do what ``clear`` does; itself asks for a few keys at a time and takes minutes."""
    keys = client.scan_iter(pattern, count=10_000)
    while page := [*islice(keys, 10_000)]:
        client.unlink(*page)

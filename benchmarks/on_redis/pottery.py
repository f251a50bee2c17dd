"""pottery: values are JSON, keys too."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pottery
import redis

from benchmarks.on_redis import work

warnings.simplefilter("ignore", pottery.InefficientAccessWarning)


class Contender:
    """A dict a record, a list of the friends' keys."""

    def __init__(self, port: int, database: int, size: int) -> None:
        client = redis.Redis(port=port, db=database)
        self.fields = pottery.RedisDict({"count": 0}, redis=client, key="d")
        self.items = pottery.RedisList(redis=client, key="l")
        self.members = pottery.RedisSet(redis=client, key="s")
        work.fill(size, self.fields.update, self.items.extend, self.members.update)
        fields, items, members = (
            kind(redis=client, key=f"new {kind.__name__}")
            for kind in (pottery.RedisDict, pottery.RedisList, pottery.RedisSet)
        )
        record = pottery.RedisDict(work.FIELDS, redis=client, key="r")
        friends = pottery.RedisList([f"r:{number}" for number in range(work.FRIENDS)], redis=client, key="r:friends")
        for number in range(work.FRIENDS):
            pottery.RedisDict({**work.FIELDS, "name": f"friend {number}"}, redis=client, key=f"r:{number}")
        self.calls = {
            **work.dict_calls(self.fields),
            **work.list_calls(self.items, size),
            **work.set_calls(self.members),
            **work.bulk_calls(fields, items, members, size),
            "d.copy()": lambda _: self.fields.to_dict(),
            "l[:]": lambda _: self.items[:],
            "r[f]": lambda _: record["name"],
            "r[f] = v": lambda i: record.__setitem__("name", work.value(i)),
            "save 4 fields": lambda _: record.update(work.FIELDS),
            "load 4 fields": lambda _: record.to_dict(),
            "names of 100 friends": lambda _: [
                pottery.RedisDict(redis=client, key=key)["name"] for key in friends.to_list()
            ],
        }
        self.before: dict[str, Callable[[], object]] = {
            "d.update(n)": fields.clear,
            "l.extend(n)": lambda: client.delete(items.key),
            "s.update(n)": lambda: client.delete(members.key),
        }

    def contents(self) -> tuple[dict[str, Any], list[Any], set[Any]]:
        return self.fields.to_dict(), self.items.to_list(), self.members.to_set()

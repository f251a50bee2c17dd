"""redis-collections: values are pickled, keys too; it wants redis-py before 6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
import redis_collections

from benchmarks.on_redis import work


class Contender:
    """A dict a record, a list of the friends' keys."""

    def __init__(self, port: int, database: int, size: int) -> None:
        client = redis.Redis(port=port, db=database)
        self.fields = redis_collections.Dict({"count": 0}, redis=client, key="d")
        self.items = redis_collections.List(redis=client, key="l")
        self.members = redis_collections.Set(redis=client, key="s")
        work.fill(size, self.fields.update, self.items.extend, self.members.update)
        fields = redis_collections.Dict(redis=client, key="new d")
        items = redis_collections.List(redis=client, key="new l")
        members = redis_collections.Set(redis=client, key="new s")
        record = redis_collections.Dict(work.FIELDS, redis=client, key="r")
        friends = redis_collections.List((f"r:{n}" for n in range(work.FRIENDS)), redis=client, key="r:friends")
        for number in range(work.FRIENDS):
            redis_collections.Dict({**work.FIELDS, "name": f"friend {number}"}, redis=client, key=f"r:{number}")
        self.calls = {
            **work.dict_calls(self.fields),
            **work.list_calls(self.items, size),
            **work.set_calls(self.members),
            **work.bulk_calls(fields, items, members, size),
            "d.copy()": lambda _: dict(self.fields.items()),
            "l[:]": lambda _: [*self.items],
            "r[f]": lambda _: record["name"],
            "r[f] = v": lambda i: record.__setitem__("name", work.value(i)),
            "save 4 fields": lambda _: record.update(work.FIELDS),
            "load 4 fields": lambda _: dict(record.items()),
            "names of 100 friends": lambda _: [
                redis_collections.Dict(redis=client, key=key)["name"] for key in friends
            ],
        }
        self.before: dict[str, Callable[[], object]] = {
            "d.update(n)": fields.clear,
            "l.extend(n)": items.clear,
            "s.update(n)": members.clear,
        }

    def contents(self) -> tuple[dict[str, Any], list[Any], set[Any]]:
        return dict(self.fields.items()), [*self.items], {*self.members}

"""redis-py itself, as a careful programmer would call it: the yardstick, with the same values in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import redis

from benchmarks.on_redis import work
from benchmarks.timing import Call

PAGE: Final = 1000
_INSERT: Final = """
local there = redis.call('LINDEX', KEYS[1], ARGV[1])
redis.call('LSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('LINSERT', KEYS[1], 'BEFORE', ARGV[3], ARGV[2])
redis.call('LSET', KEYS[1], ARGV[1] + 1, there)
"""
_MARK: Final = b"\x00 a value that JSON never is"


class Contender:
    """Commands, pipelines and, where Redis has no command for it, a script."""

    encode = staticmethod(json.dumps)
    decode = staticmethod(json.loads)

    def __init__(self, port: int, database: int, size: int) -> None:
        self.client = redis.Redis(port=port, db=database)
        work.fill(
            size,
            lambda fields: self.client.hset(
                "d", mapping={field: self.encode(value) for field, value in fields.items()}
            ),
            lambda items: self.client.rpush("l", *map(self.encode, items)),
            lambda members: self.client.sadd("s", *members),
        )
        self.client.hset("d", "count", 0)
        self.client.hset("r", mapping=work.FIELDS)
        self.client.rpush("r:friends", *(f"r:{number}" for number in range(work.FRIENDS)))
        for number in range(work.FRIENDS):
            self.client.hset(f"r:{number}", mapping={**work.FIELDS, "name": f"friend {number}"})
        self.calls = {**self._dict(), **self._list(size), **self._set(), **self._record(), **self._bulk(size)}
        self.before: dict[str, Callable[[], object]] = {
            title: lambda: self.client.delete("new") for title in ("d.update(n)", "l.extend(n)", "s.update(n)")
        }

    def contents(self) -> tuple[dict[str, Any], list[Any], set[Any]]:
        return dict(self._items()), [*self._pages()], {member.decode() for member in self.client.smembers("s")}

    def _dict(self) -> dict[str, Call]:
        client, field, value = self.client, work.field, work.value
        new, popped, default, deleted = (work.numbered() for _ in range(4))

        def get(number: int) -> Any:
            return self.decode(client.hget("d", field(number)))

        def pop(_: int) -> Any:
            name = field(popped())
            data, _there = client.pipeline().hget("d", name).hdel("d", name).execute()
            return self.decode(data)

        def setdefault(number: int) -> Any:
            name = field(default())
            _added, data = client.pipeline().hsetnx("d", name, self.encode(value(number))).hget("d", name).execute()
            return self.decode(data)

        def delete(_: int) -> None:
            if not client.hdel("d", field(deleted())):
                raise KeyError

        return {
            "d[k]": get,
            "k in d": lambda i: client.hexists("d", field(i)),
            "len(d)": lambda _: client.hlen("d"),
            "d[k] = v": lambda i: client.hset("d", field(i), self.encode(value(i))),
            "d.increment(k)": lambda _: client.hincrby("d", "count", 1),
            "d[new] = v": lambda i: client.hset("d", field(new()), self.encode(value(i))),
            "d.pop(k)": pop,
            "d.setdefault(new, v)": setdefault,
            "del d[k]": delete,
            "for k, v in d.items()": lambda _: [*self._items()],
            "d.copy()": lambda _: {k.decode(): self.decode(v) for k, v in client.hgetall("d").items()},
        }

    def _list(self, size: int) -> dict[str, Call]:
        client, value, middle = self.client, work.value, size // 2
        insert = client.register_script(_INSERT)

        def delete(_: int) -> None:
            client.pipeline().lset("l", middle, _MARK).lrem("l", 1, _MARK).execute()

        return {
            "l[i]": lambda i: self.decode(client.lindex("l", i)),
            "l[i] = v": lambda i: client.lset("l", i, self.encode(value(i))),
            "l.append(v)": lambda i: client.rpush("l", self.encode(value(i))),
            "l.pop()": lambda _: self.decode(client.rpop("l")),
            "l.insert(middle, v)": lambda i: insert(["l"], [middle, self.encode(value(i)), _MARK]),
            "del l[middle]": delete,
            "for v in l": lambda _: [*self._pages()],
            "l[:]": lambda _: [self.decode(data) for data in client.lrange("l", 0, -1)],
        }

    def _set(self) -> dict[str, Call]:
        client, field = self.client, work.field
        added, discarded = work.numbered(), work.numbered()
        return {
            "v in s": lambda i: client.sismember("s", field(i)),
            "s.add(v)": lambda _: client.sadd("s", field(added())),
            "s.discard(v)": lambda _: client.srem("s", field(discarded())),
            "for v in s": lambda _: {member.decode() for member in client.sscan_iter("s", count=PAGE)},
        }

    def _record(self) -> dict[str, Call]:
        client = self.client

        def names(_: int) -> list[str]:
            pipeline = client.pipeline(transaction=False)
            for key in client.lrange("r:friends", 0, -1):
                pipeline.hget(key, "name")
            return [name.decode() for name in pipeline.execute()]

        def save(_: int) -> None:
            client.hset("r", mapping=work.FIELDS)

        return {
            "r[f]": lambda _: client.hget("r", "name").decode(),
            "r[f] = v": lambda i: client.hset("r", "name", work.value(i)),
            "save 4 fields": save,
            "save 4 fields, children declared": save,
            "load 4 fields": lambda _: {k.decode(): v.decode() for k, v in client.hgetall("r").items()},
            "names of 100 friends": names,
        }

    def _bulk(self, size: int) -> dict[str, Call]:
        client = self.client
        many, more, most = work.fields(size), [*work.fields(size).values()], {*work.fields(size)}
        return {
            "d.update(n)": lambda _: client.hset("new", mapping={k: self.encode(v) for k, v in many.items()}),
            "l.extend(n)": lambda _: client.rpush("new", *map(self.encode, more)),
            "s.update(n)": lambda _: client.sadd("new", *most),
        }

    def _items(self) -> Iterator[tuple[str, Any]]:
        return ((k.decode(), self.decode(v)) for k, v in self.client.hscan_iter("d", count=PAGE))

    def _pages(self) -> Iterator[Any]:
        start, page = 0, [b""]
        while page:
            page = self.client.lrange("l", start, start + PAGE - 1)
            yield from map(self.decode, page)
            start += PAGE

"""walrus: thin wrappers of commands; what was text comes back as bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import walrus

from benchmarks.on_redis import work


class Contender:
    """A hash a record, a list of the friends' keys."""

    def __init__(self, port: int, database: int, size: int) -> None:
        client = walrus.Database(port=port, db=database)
        self.fields, self.items, self.members = client.Hash("d"), client.List("l"), client.Set("s")
        self.fields["count"] = 0
        work.fill(size, self.fields.update, self.items.extend, lambda members: self.members.add(*members))
        fields, items, members = client.Hash("new d"), client.List("new l"), client.Set("new s")
        record, friends = client.Hash("r"), client.List("r:friends")
        record.update(work.FIELDS)
        friends.extend(f"r:{number}" for number in range(work.FRIENDS))
        for number in range(work.FRIENDS):
            client.Hash(f"r:{number}").update({**work.FIELDS, "name": f"friend {number}"})
        middle = size // 2
        added, discarded = work.numbered(), work.numbered()
        self.calls = {
            **work.dict_calls(self.fields),
            **work.list_calls(self.items, size),
            **work.bulk_calls(fields, items, None, size),
            "d.increment(k)": lambda _: self.fields.incr("count"),
            "d.copy()": lambda _: self.fields.as_dict(),
            "l.insert(middle, v)": lambda i: self.items.insert_before(work.value(i), self.items[middle]),
            "l[:]": lambda _: self.items[:],
            "v in s": lambda i: work.field(i) in self.members,
            "s.add(v)": lambda _: self.members.add(work.field(added())),
            "s.discard(v)": lambda _: self.members.remove(work.field(discarded())),
            "s.update(n)": lambda _: members.add(*work.members(size)),
            "for v in s": lambda _: {*self.members},
            "r[f]": lambda _: record["name"],
            "r[f] = v": lambda i: record.__setitem__("name", work.value(i)),
            "save 4 fields": lambda _: record.update(work.FIELDS),
            "load 4 fields": lambda _: record.as_dict(),
            "names of 100 friends": lambda _: [client.Hash(key)["name"] for key in friends],
        }
        for lacking in ("d.pop(k)", "d.setdefault(new, v)"):
            del self.calls[lacking]
        self.before: dict[str, Callable[[], object]] = {
            "d.update(n)": fields.clear,
            "l.extend(n)": items.clear,
            "s.update(n)": members.clear,
        }

    def contents(self) -> tuple[dict[str, Any], list[Any], set[Any]]:
        plain = {field.decode(): value.decode() for field, value in self.fields.as_dict().items()}
        return plain, [item.decode() for item in self.items], {member.decode() for member in self.members}

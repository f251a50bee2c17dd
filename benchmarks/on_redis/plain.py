"""Python's own dict, list and set: the right answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.on_redis import work


class Contender:
    """No server at all."""

    def __init__(self, size: int) -> None:
        self.fields: dict[str, Any] = {**work.fields(size), "count": 0}
        self.items, self.members = work.items(size), work.members(size)
        self.record: dict[str, str] = {}
        self.calls = {
            **work.dict_calls(self.fields),
            **work.list_calls(self.items, size),
            **work.set_calls(self.members),
            **work.bulk_calls({}, [], set(), size),
            "d.increment(k)": self._increment,
            "d.copy()": lambda _: self.fields.copy(),
            "l[:]": lambda _: self.items[:],
            "r[f]": lambda _: work.FIELDS["name"],
            "r[f] = v": lambda i: self.record.__setitem__("name", work.value(i)),
            "save 4 fields": lambda _: self.record.update(work.FIELDS),
            "save 4 fields, children declared": lambda _: self.record.update(work.FIELDS),
            "load 4 fields": lambda _: {**work.FIELDS},
            "names of 100 friends": lambda _: [f"friend {number}" for number in range(work.FRIENDS)],
        }
        self.before: dict[str, Callable[[], object]] = {}

    def _increment(self, _: int) -> Any:
        self.fields["count"] += 1
        return self.fields["count"]

    def contents(self) -> tuple[dict[str, Any], list[Any], set[Any]]:
        return self.fields, self.items, self.members

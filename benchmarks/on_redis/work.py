"""The work: one expression a row, the same for every contender whose objects are like Python's own.

A plain dict, list and set do it too; they say what the right answer is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from itertools import count, islice
from typing import Any, Final, Protocol

from benchmarks.timing import Call, Row

PIECE: Final = 100_000
FRIENDS: Final = 100
FIELDS: Final = {"name": "Luke Skywalker", "email": "luke@example.com", "city": "Mos Eisley", "age": "23"}

SINGLES: Final = (
    "d[k]",
    "k in d",
    "len(d)",
    "d[k] = v",
    "d.increment(k)",
    "d[new] = v",
    "del d[k]",
    "d.setdefault(new, v)",
    "d.pop(k)",
    "l[i]",
    "l[i] = v",
    "l.append(v)",
    "l.pop()",
    "l.insert(middle, v)",
    "del l[middle]",
    "v in s",
    "s.add(v)",
    "s.discard(v)",
)
"""Rows of one item."""

RECORDS: Final = (
    "r[f]",
    "r[f] = v",
    "save 4 fields",
    "save 4 fields, children declared",
    "load 4 fields",
    "names of 100 friends",
)
"""Rows of records, which have no size."""

BULK: Final = ("d.update(n)", "l.extend(n)", "s.update(n)")
WALKS: Final = ("for k, v in d.items()", "d.copy()", "for v in l", "l[:]", "for v in s")
"""Rows of all items."""

VALUES: Final = (
    "d[k] = v",
    "d[new] = v",
    "l[i] = v",
    "l.append(v)",
    "r[f] = v",
    "save 4 fields",
    "d.update(n)",
    "l.extend(n)",
)
"""Rows that put values in, which a library that gives bytes back has not kept."""

ORDER: Final = (*SINGLES, *RECORDS, *BULK, *WALKS)

CYCLES: Final = {
    "d[new] = v": "field",
    "del d[k]": "field",
    "d.setdefault(new, v)": "default",
    "d.pop(k)": "default",
    "l.append(v)": "end",
    "l.pop()": "end",
    "l.insert(middle, v)": "middle",
    "del l[middle]": "middle",
    "s.add(v)": "member",
    "s.discard(v)": "member",
}
"""Rows that undo one another."""

MODULES: Final = {
    "redis-py": "bare",
    "redis-py, our codec": "same_codec",
    "ours": "ours",
    "pottery": "pottery",
    "redis-collections": "redis_collections",
    "redis-dict": "redis_dict",
    "walrus": "walrus",
}


class Contender(Protocol):
    """One library, with a dict, a list and a set of so many items in a database of its own.

    Attributes:
        calls: What does each row it has something for.
        before: What it does before each batch of a row, outside the time.
    """

    calls: Mapping[str, Call]
    before: Mapping[str, Callable[[], object]]

    def __init__(self, port: int, database: int, size: int) -> None: ...

    def contents(self) -> tuple[dict[str, Any], list[Any], set[Any]]:
        """Return what is stored, as plain values."""


def contender(name: str) -> type[Contender]:
    """Return the class of a contender, importing its library."""
    found: type[Contender] = importlib.import_module(f"benchmarks.on_redis.{MODULES[name]}").Contender
    return found


def field(number: int) -> str:
    """Return the name of a field."""
    return f"field {number}"


def value(number: int) -> str:
    """Return a value; some are the same, as they are in any list."""
    return f"value {number % 1000}"


def fields(size: int) -> dict[str, str]:
    """Return what a dict of ``size`` holds."""
    return {field(number): value(number) for number in range(size)}


def items(size: int) -> list[str]:
    """Return what a list of ``size`` holds."""
    return [value(number % (max(size // 2, 1))) for number in range(size)]


def members(size: int) -> set[str]:
    """Return what a set of ``size`` holds."""
    return set(fields(size))


def fill(size: int, *puts: Callable[[Any], object]) -> None:
    """Put what they hold into a dict, a list and a set of ``size``, as many at once as one command takes."""
    for put, content in zip(puts, (fields(size).items(), items(size), members(size)), strict=False):
        rest = iter(content)
        while piece := [*islice(rest, PIECE)]:
            put(dict(piece) if put is puts[0] else piece)


def numbered() -> Callable[[], int]:
    """Return what gives each new field of a batch a number, and the same again to what takes it away."""
    return count(1_000_000_000).__next__


def dict_calls(d: Any) -> dict[str, Call]:
    """Return the rows of a dict."""
    new, deleted, default, popped = (numbered() for _ in range(4))
    return {
        "d[k]": lambda i: d[field(i)],
        "k in d": lambda i: field(i) in d,
        "len(d)": lambda _: len(d),
        "d[k] = v": lambda i: d.__setitem__(field(i), value(i)),
        "d[new] = v": lambda i: d.__setitem__(field(new()), value(i)),
        "d.pop(k)": lambda _: d.pop(field(popped())),
        "d.setdefault(new, v)": lambda i: d.setdefault(field(default()), value(i)),
        "del d[k]": lambda _: d.__delitem__(field(deleted())),
        "for k, v in d.items()": lambda _: [*iter(d.items())],
    }


def list_calls(items: Any, size: int) -> dict[str, Call]:
    """Return the rows of a list."""
    middle = size // 2
    return {
        "l[i]": lambda i: items[i],
        "l[i] = v": lambda i: items.__setitem__(i, value(i)),
        "l.append(v)": lambda i: items.append(value(i)),
        "l.pop()": lambda _: items.pop(),
        "l.insert(middle, v)": lambda i: items.insert(middle, value(i)),
        "del l[middle]": lambda _: items.__delitem__(middle),
        "for v in l": lambda _: [*iter(items)],
    }


def set_calls(members: Any) -> dict[str, Call]:
    """Return the rows of a set."""
    added, discarded = numbered(), numbered()
    return {
        "v in s": lambda i: field(i) in members,
        "s.add(v)": lambda _: members.add(field(added())),
        "s.discard(v)": lambda _: members.discard(field(discarded())),
        "for v in s": lambda _: {*iter(members)},
    }


def bulk_calls(d: Any, items: Any, members: Any, size: int) -> dict[str, Call]:
    """Return the rows that put in many at once, the objects being empty before."""
    many, more, most = fields(size), [*fields(size).values()], {*fields(size)}
    calls = {
        "d.update(n)": lambda _: d.update(many),
        "l.extend(n)": lambda _: items.extend(more),
        "s.update(n)": lambda _: members.update(most),
    }
    return {
        title: call for (title, call), one in zip(calls.items(), (d, items, members), strict=True) if one is not None
    }


def rows(contenders: Mapping[str, Contender], batch: int) -> list[Row]:
    """Return what each of the contenders has something for, in the order it is to be done."""
    titles = dict.fromkeys(title for contender in contenders.values() for title in contender.calls)
    made = []
    for title in sorted(titles, key=ORDER.index):
        able = {name: contender for name, contender in contenders.items() if title in contender.calls}
        made.append(
            Row(
                title,
                {name: contender.calls[title] for name, contender in able.items()},
                1 if title in BULK + WALKS else 5 if title == RECORDS[-1] else batch,
                {name: contender.before[title] for name, contender in able.items() if title in contender.before},
                CYCLES.get(title, ""),
            )
        )
    return made

"""``watch``: show the content of a key, and each change of it."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, takewhile, zip_longest
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import typer

from persistent_collections.backends.base import Found
from persistent_collections.backends.keys import Content, Entry, Key
from persistent_collections.backends.shapes import MEMBERS, Shape, shape_of
from persistent_collections.cli.failing import UsageError, tell
from persistent_collections.cli.looking import (
    ChildArgument,
    JSONOption,
    KeyArgument,
    deadline_facts,
    key_or_child,
    place_row,
    print_object,
    tell_of_children,
)
from persistent_collections.cli.printing import write
from persistent_collections.cli.reading import Reading
from persistent_collections.cli.session import Session
from persistent_collections.cli.texts import as_json, cell
from persistent_collections.errors import BackendError, CorruptDataError
from persistent_collections.moving.objects import is_close, left_s

Seen: TypeAlias = Mapping[Key, Entry | None]
"""The content of each key at one moment."""

_LONGEST_S: Final = 86400
_WIDTH: Final = len("deadline")


class _Difference(NamedTuple):
    """A place where two contents differ.

    Attributes:
        place: A field, an index or a member.
        was: Its old value, None if absent; a member has no value.
        becomes: Its new value.
    """

    place: str | int
    was: bytes | None
    becomes: bytes | None

    @property
    def change(self) -> str:
        return "added" if self.was is None else "removed" if self.becomes is None else "changed"


def watch(
    context: typer.Context,
    key: KeyArgument,
    child: ChildArgument = None,
    *,
    interval: Annotated[float, typer.Option(help="Seconds between two looks.")] = 1.0,
    json: JSONOption = False,
) -> None:
    """Show the content of a key, and then each change, until Ctrl-C.

    Changes of a record's children are shown too. Each look reads the whole object at one moment.
    """
    session: Session = context.obj
    place = key_or_child(session, key, child)
    if not 0 < interval <= _LONGEST_S:
        raise UsageError(f"--interval takes seconds, more than 0 and up to {_LONGEST_S}, not {interval}")
    reading = Reading(session.store, session.known)
    keys = [place] if place.child is not None else session.known.family(place.root)
    tell_of_children(session, place)
    seen: Seen = reading.snapshot(keys)
    if any(seen.values()):
        _print_all(reading, seen, json=json)
    else:
        tell(f"nothing is stored under {str(place)!r} in {session.store.url} yet")
    sys.stdout.flush()
    for found in _looks(reading, keys, interval):
        for row in changes(reading, seen, found):
            write(as_json(row) if json else _line(row))
        sys.stdout.flush()
        seen = {key: _as_shown(seen[key], entry) for key, entry in found.items()}


def _looks(reading: Reading, keys: Sequence[Key], interval_s: float) -> Iterator[Seen]:
    """Yield the content of ``keys`` repeatedly; report once that it can't be read, and once that it can again."""
    is_lost = False
    while True:
        _wait(interval_s)
        try:
            found = reading.snapshot(keys)
        except (BackendError, CorruptDataError) as error:
            if not is_lost:
                tell(f"{error}; still watching")
            is_lost = True
            continue
        if is_lost:
            tell(f"{str(keys[0])!r} can be read again")
        is_lost = False
        yield found


def changes(reading: Reading, before: Seen, after: Seen) -> Iterator[dict[str, Any]]:
    """Yield the changes between two moments, key by key and place by place."""
    for key, new in after.items():
        old = before[key]
        if old and not _is_alike(old, new):
            yield {"change": "deleted", "key": str(key)}
            old = None
        if new is None:
            continue
        if old is None:
            yield {"change": "created", "key": str(key)}
        for difference in _differences(old.content if old else type(new.content)(), new.content):
            change = {"change": difference.change, "key": str(key)}
            yield change | _place(reading, key, shape_of(new.content), difference)
        if not is_close(old and old.deadline, new.deadline):
            yield {"change": "deadline", "key": str(key), **_time_left(new)}


def _is_alike(old: Entry, new: Entry | None) -> bool:
    """Return whether a key still has the same shape of content, perhaps changed."""
    return new is not None and type(new.content) is type(old.content)


def _time_left(entry: Entry) -> dict[str, Any]:
    ttl_s = left_s(entry)
    return {"deadline": None, "ttl_s": None} if ttl_s is None else deadline_facts(max(ttl_s, 0.0))


def _place(reading: Reading, key: Key, shape: Shape, difference: _Difference) -> dict[str, Any]:
    """Return a place with its value, old or new, or both for a change."""
    place, was, becomes = difference
    if shape is MEMBERS:
        return place_row(shape, None, place)
    name = reading.named(key, place) if isinstance(place, str) else place
    values = [reading.value(key, place, data) for data in (was, becomes) if data is not None]
    row = place_row(shape, name, values[-1])
    return row if len(values) == 1 else row | {"old": values[0]}


def _differences(old: Content, new: Content) -> Iterator[_Difference]:
    """Return the places where two contents of one shape differ.

    Two lists are compared index by index, except for their common start and end. That takes linear time, and shows a
    single operation as what it was.
    """
    match old, new:
        case list(), list():
            return _between_lists(old, new)
        case set(), set():
            removed = (_Difference(member, b"", None) for member in sorted(old - new))
            return chain(removed, (_Difference(member, None, b"") for member in sorted(new - old)))
    was, becomes = (dict(shape_of(content).places(content)) for content in (old, new))
    changed = (name for name in {**was, **becomes} if name is not None and was.get(name) != becomes.get(name))
    return (_Difference(name, was.get(name), becomes.get(name)) for name in changed)


def _between_lists(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[_Difference]:
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    pairs = zip_longest(old[start : len(old) - end], new[start : len(new) - end])
    return (_Difference(index, *pair) for index, pair in enumerate(pairs, start) if pair[0] != pair[1])


def _common(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """Return the number of items in the common start of two lists."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _as_shown(old: Entry | None, new: Entry | None) -> Entry | None:
    """Return ``new``; if its deadline is close to the shown one, with the shown one, so that small steps add up."""
    return new._replace(deadline=old.deadline) if old and new and is_close(old.deadline, new.deadline) else new


def _print_all(reading: Reading, seen: Seen, *, json: bool) -> None:
    (key, own), *others = seen.items()
    children = {child: entry and Found(shape_of(entry.content), size=len(entry.content)) for child, entry in others}
    shape, places = (shape_of(own.content), reading.places(key, own.content)) if own else (None, ())
    print_object(reading, key, shape, places, children, json=json)


def _line(row: Mapping[str, Any]) -> str:
    """Return a change as a line of text."""
    cells = [
        row["change"].ljust(_WIDTH),
        *(cell(row[name]) for name in ("key", "field", "index", "member") if name in row),
    ]
    if "value" in row:
        cells.append(" -> ".join(as_json(row[name]) for name in ("old", "value") if name in row))
    if "deadline" in row:
        cells.append(row["deadline"] or "none")
    return "  ".join(cells)


def _wait(seconds: float) -> None:
    """Wait, unless the reader of the output is gone, which only a poll of the pipe detects.

    Raises:
        BrokenPipeError: The reader is gone.

    Source: Linux ``poll(2)``, ``POLLERR``.
    """
    if not hasattr(select, "poll"):  # on Windows
        time.sleep(seconds)
        return
    waiting = select.poll()
    waiting.register(sys.stdout, 0)
    if waiting.poll(seconds * 1000):
        raise BrokenPipeError

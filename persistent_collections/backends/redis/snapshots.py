"""The entries of several keys at one moment, and the properties of many keys without their contents."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import chain, islice
from typing import Any, Final

from persistent_collections.backends.base import BATCH_BYTES, Examined, ForeignDataError, Found, Wanted, Whole
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.redis.executor import Server
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.names import encode
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import EXAMINE, SNAPSHOT
from persistent_collections.backends.redis.shapes import HANDLES, SHAPES
from persistent_collections.backends.shapes import MAPPING, Shape
from persistent_collections.errors import CorruptDataError, WrongShapeError

_NOTHING: Final = b"none"
_AT_ONCE: Final = 100
_MOST_PARTS: Final = 500


def read_entries(server: Server, keys: Sequence[Key]) -> list[Entry | None]:
    """Return the entry of each of ``keys``, None if it does not exist, all at one moment.

    Each shape has its own command, so a first transaction asks for the shapes, and a second one for shapes and
    contents. The second is repeated if a shape changed in between. (A script would need one step, but a second copy of
    the data in the server.)

    Raises:
        ForeignDataError: One holds a type that this package does not write.
    """
    names = [server.names.spell(key) for key in keys]
    expected: list[Shape | None] = [None] * len(keys)
    while True:
        reading = list(map(_reading, names, expected))
        try:
            replies = server.transact(Subject(str(keys[0])), list(chain.from_iterable(reading)), repeatable=True)
        except WrongShapeError:
            expected = [None] * len(keys)
            continue
        rest = iter(replies)
        parts = [list(islice(rest, len(commands))) for commands in reading]
        shapes = [_shape_named(type_name, key) for key, (type_name, *_) in zip(keys, parts, strict=True)]
        if shapes == expected:
            return _entries(keys, parts, time.time())
        expected = shapes


def read_objects(server: Server, objects: Sequence[Sequence[Key]]) -> list[Whole]:
    """Return the entries of keys of the first of some objects, each object's at one moment.

    Cost: One round trip for all that are small, on a cluster one per node; two more for each large one.
    """
    objects = objects[:_AT_ONCE]
    questions = [(Subject(str(keys[0])), _asking_whole(server, keys)) for keys in objects]
    wholes: list[Whole] = []
    large_bytes = 0
    replies, now = server.ask_all(questions), time.time()
    for keys, reply in zip(objects, replies, strict=True):
        try:
            entries = _entries(keys, reply, now) if reply else read_entries(server, keys)
        except ForeignDataError as error:
            wholes.append(error)
            continue
        wholes.append(entries)
        large_bytes += 0 if reply else sum(entry.size_bytes for entry in entries if entry)
        if large_bytes >= BATCH_BYTES:
            break
    return wholes


def look_at(server: Server, keys: Sequence[Key], *, sizes: bool) -> list[Found | None]:
    """Return the properties of each of ``keys``, without content, None if it does not exist.

    The commands that count differ by shape, so a first round trip asks for the shapes. If a shape changed in between,
    both are repeated.
    """
    named = [(Subject(str(key)), server.names.spell(key)) for key in keys]
    while True:
        asking = [(subject, (command, name)) for subject, name in named for command in ("TYPE", "PTTL")]
        replies = server.ask_all(asking)
        found = list(map(_found, replies[::2], replies[1::2]))
        if not sizes:
            return found
        try:
            return _counted(server, named, found)
        except WrongShapeError:
            continue


def examine(server: Server, wanted: Sequence[Wanted]) -> list[Examined | None]:
    """Return parts of each of some records, None for one that does not exist; each record at one moment.

    The source of the script is sent each time, since it is short and a missing script would cost a second trip.
    """
    questions = [
        (Subject(str(each.key), MAPPING), _examining(server, [each.key, *each.children], each.fields))
        for each in wanted
    ]
    replies = server.ask_all(questions)
    return [reply and Examined(reply[0], list(map(bool, reply[1]))) for reply in replies]


def _asking_whole(server: Server, keys: Sequence[Key]) -> Command:
    names = map(server.names.spell, keys)
    return ("EVAL", SNAPSHOT.source, len(keys), *names, _MOST_PARTS, BATCH_BYTES // _AT_ONCE)


def _examining(server: Server, keys: Sequence[Key], fields: Sequence[str]) -> Command:
    return ("EVAL", EXAMINE.source, len(keys), *map(server.names.spell, keys), *map(encode, fields))


def _found(type_name: bytes, left_ms: int) -> Found | None:
    """Return the properties of a key by its type and remaining time; -2 means that it does not exist."""
    if type_name == _NOTHING or left_ms == -2:  # noqa: PLR2004 - Redis PTTL
        return None
    return Found(SHAPES.get(type_name), None if left_ms < 0 else left_ms / 1000)


def _counted(
    server: Server, named: Sequence[tuple[Subject, bytes]], found: Sequence[Found | None]
) -> list[Found | None]:
    """Return ``found`` with sizes, and None for keys that have vanished since."""
    counted = list(found)
    ours = [(at, each, each.shape) for at, each in enumerate(found) if each and each.shape]
    questions = [(named[at][0], (HANDLES[shape].size_command, named[at][1])) for at, _, shape in ours]
    for (at, each, _), size in zip(ours, server.ask_all(questions), strict=True):
        counted[at] = each._replace(size=size) if size else None
    return counted


def _shape_named(type_name: bytes, key: Key) -> Shape | None:
    if type_name != _NOTHING and type_name not in SHAPES:
        raise ForeignDataError(key, type_name.decode())
    return SHAPES.get(type_name)


def _reading(name: bytes, shape: Shape | None) -> list[Command]:
    """Return the command to send for a key that is expected to hold ``shape``."""
    about: list[Command] = [("TYPE", name), ("PTTL", name)]
    if shape is None:
        return about
    command, after = HANDLES[shape].read_command
    return [*about, (command, name, *after)]


def _entries(keys: Sequence[Key], parts: Sequence[Sequence[Any]], now: float) -> list[Entry | None]:
    """Return the entries in the replies about some keys: the type, the time that is left, and the content."""
    return [_entry(key, part, now) for key, part in zip(keys, parts, strict=True)]


def _entry(key: Key, replies: Sequence[Any], now: float) -> Entry | None:
    shape = _shape_named(replies[0], key)
    if shape is None:
        return None
    _, left_ms, reply = replies
    try:
        content = HANDLES[shape].content_of(reply, str(key))
    except CorruptDataError as error:
        raise ForeignDataError(key, "field or member that is not UTF-8") from error
    # Before version 7 a server may let a key vanish in the midst of a transaction.
    return Entry(content, None if left_ms < 0 else now + left_ms / 1000) if content else None

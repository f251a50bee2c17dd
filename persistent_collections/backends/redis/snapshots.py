"""All that several keys hold, at one moment, and what many hold, without their contents."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from persistent_collections.backends.base import Content, Description, Entry, ForeignDataError, Key, Shape
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.mapping import RedisMapping
from persistent_collections.backends.redis.members import RedisMembers
from persistent_collections.backends.redis.node import Command
from persistent_collections.backends.redis.sequence import RedisSequence
from persistent_collections.backends.redis.server import Server
from persistent_collections.backends.redis.texts import decode_all, fields_of
from persistent_collections.errors import WrongShapeError

_SHAPES: Final[dict[bytes, Shape | None]] = {
    b"hash": "mapping",
    b"list": "sequence",
    b"set": "members",
    b"none": None,
}
_COUNT: Final = {
    b"hash": RedisMapping.size_command,
    b"list": RedisSequence.size_command,
    b"set": RedisMembers.size_command,
}


def shape_named(type_name: bytes, key: Key) -> Shape | None:
    """Return the shape that ``TYPE`` tells of ``key``, None if it is not there.

    Raises:
        ForeignDataError: It holds a type that this package does not write.
    """
    if type_name not in _SHAPES:
        raise ForeignDataError(key, type_name.decode())
    return _SHAPES[type_name]


def read_entries(server: Server, keys: Sequence[Key]) -> list[Entry | None]:
    """Return what each of ``keys`` holds, None if nothing, all at one moment.

    A transaction has to name the command for each shape, so one asks for the shapes, and the next for the contents too,
    again if a shape has changed in between. (A script would know, but hold all of it once more in the server.)
    """
    names = [server.names.spell(key) for key in keys]
    subject = Subject(str(keys[0]))
    expected: list[Shape | None] = [None] * len(keys)
    while True:
        about = [command for name in names for command in (("TYPE", name), ("PTTL", name))]
        reading = [_read_all(name, shape) for name, shape in zip(names, expected, strict=True) if shape]
        try:
            replies = iter(server.transact(subject, [*about, *reading], repeatable=True))
        except WrongShapeError:
            expected = [None] * len(keys)
            continue
        told: list[tuple[Shape | None, int]] = [(shape_named(next(replies), key), next(replies)) for key in keys]
        shapes: list[Shape | None] = [shape for shape, _ in told]
        if shapes == expected:
            return [_entry(key, shape, left_ms, replies) for key, (shape, left_ms) in zip(keys, told, strict=True)]
        expected = shapes


def read_descriptions(server: Server, keys: Sequence[Key]) -> list[Description | None]:
    """Return what each of ``keys`` holds, without its content, None if nothing.

    The commands that count differ by shape, so the first round trip asks for the shapes; both are made again if one has
    changed in between.
    """
    named = [(Subject(str(key)), server.names.spell(key)) for key in keys]
    while True:
        told = server.ask_all([(subject, (command, name)) for subject, name in named for command in ("TYPE", "PTTL")])
        counted = zip(named, told[::2], strict=True)
        counting = [
            (subject, (_COUNT[type_name], name)) for (subject, name), type_name in counted if type_name in _COUNT
        ]
        try:
            sizes = iter(server.ask_all(counting))
        except WrongShapeError:
            continue
        return [_description(type_name, left, sizes) for type_name, left in zip(told[::2], told[1::2], strict=True)]


def _description(type_name: bytes, left_ms: int, sizes: Iterator[int]) -> Description | None:
    ttl_s = None if left_ms < 0 else left_ms / 1000
    if type_name not in _SHAPES:
        return Description(None, ttl_s=ttl_s)
    size = next(sizes) if type_name in _COUNT else 0
    return Description(_SHAPES[type_name], size, ttl_s) if size else None


def _read_all(name: bytes, shape: Shape) -> Command:
    match shape:
        case "mapping":
            return "HGETALL", name
        case "sequence":
            return "LRANGE", name, 0, -1
        case "members":
            return "SMEMBERS", name


def _entry(key: Key, shape: Shape | None, left_ms: int, replies: Any) -> Entry | None:
    content: Content
    match shape:
        case None:
            return None
        case "mapping":
            content = fields_of(next(replies), str(key))
        case "sequence":
            content = next(replies)
        case "members":
            content = set(decode_all(next(replies), str(key)))
    # Before version 7 a server may let a key vanish in the midst of a transaction.
    return Entry(content, None if left_ms < 0 else time.time() + left_ms / 1000) if content else None

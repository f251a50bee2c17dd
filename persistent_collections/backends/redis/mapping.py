"""A mapping as a Redis hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Final, TypeGuard

from persistent_collections.backends.handles import MappingStore
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content, Key
from persistent_collections.backends.popped import last_part
from persistent_collections.backends.redis.executor import MAX_ITEMS
from persistent_collections.backends.redis.failures import Subject
from persistent_collections.backends.redis.handle import Handle
from persistent_collections.backends.redis.names import Names, decode_all, encode, fields_of, first_seen
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import (
    MAPPING_ADD,
    MAPPING_COMPARE_AND_SET,
    MAPPING_DELETE,
    MAPPING_INCREMENT,
    MAPPING_POP,
    MAPPING_POP_ANY,
    MAPPING_REPLACE_IF,
    MAPPING_SET,
)
from persistent_collections.backends.shapes import MAPPING, Shape
from persistent_collections.errors import CorruptDataError

_INT64: Final = range(-(2**63), 2**63)
_NO_SUM: Final = ("not an integer", "would overflow")


class RedisMapping(Handle, MappingStore):
    """A hash; its fields are UTF-8. Cost: one round trip per method, O(1) per field."""

    shape: ClassVar[Shape] = MAPPING
    type_name: ClassVar[str] = "hash"
    size_command: ClassVar[str] = "HLEN"
    put_command: ClassVar[str] = "HSET"
    same_step: ClassVar[str] = "has"
    read_command: ClassVar[tuple[str, Command]] = "HGETALL", ()

    @staticmethod
    def content_of(reply: Any, name: str) -> Content:
        return fields_of(reply, name)

    @staticmethod
    def items_of(content: Mapping[str, bytes]) -> Command:
        return flat(content)

    def get(self, field: str) -> bytes | None:
        data: bytes | None = self._read("HGET", encode(field))
        return data

    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        names = [encode(field) for field in fields]
        if not names:
            self.size()  # another shape is refused all the same
            return []
        pieces = [names[start : start + MAX_ITEMS] for start in range(0, len(names), MAX_ITEMS)]
        return list(chain.from_iterable(self._read_at_once([("HMGET", self._name, *piece) for piece in pieces])))

    def get_all(self) -> dict[str, bytes]:
        return fields_of(self._read("HGETALL"), self._subject.name)

    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        if is_whole(items):
            self._feed("HSET", flat(items))
            return
        gone, kept = sorted_out(items)
        if kept or self._role == "record":
            self._run_with(MAPPING_SET, [*gone, *kept], len(gone))
        else:
            self._feed("HDEL", gone)

    def add(self, field: str, data: bytes) -> bytes | None:
        there: bytes | None = self._run(MAPPING_ADD, encode(field), data)
        return there

    def delete(self, field: str) -> bool:
        name = encode(field)
        return bool(self._run(MAPPING_DELETE, name) if self._role == "record" else self._write("HDEL", name))

    def pop(self, field: str) -> bytes | None:
        data: bytes | None = self._popped(self._run(MAPPING_POP, encode(field)))
        return data

    def pop_any(self) -> tuple[str, bytes] | None:
        item = self._run(MAPPING_POP_ANY)
        if item is None:
            return None
        parts, ttl_s = item[:2], item[2] / 1000 if len(item) > len(("field", "data")) else None
        try:
            pair = decode_all(parts[:1], self._subject.name)[0], parts[1]
        except CorruptDataError:
            self._put_back("HSET", *parts, ttl_s=ttl_s)
            raise
        return pair if ttl_s is None else last_part(pair, ttl_s)

    def contains(self, field: str) -> bool:
        return bool(self._read("HEXISTS", encode(field)))

    def replace(self, items: Mapping[str, bytes], expected: Mapping[str, bytes] | None = None) -> bool:
        new = flat(items or ({MARKER: MARKER_DATA} if self._role == "record" else {}))
        if expected is None:
            self._put_instead(new)
            return True
        return bool(self._run_with(MAPPING_REPLACE_IF, [*flat(expected), *new], 2 * len(expected)))

    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        arguments = (int(expected is not None), expected or b"", int(data is not None), data or b"")
        return bool(self._run(MAPPING_COMPARE_AND_SET, encode(field), *arguments))

    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        if initial == 0 and self._role == "plain":
            total = self._write("HINCRBY", encode(field), by, none_if=_NO_SUM)
        else:
            absent = b"%d" % (initial + by) if initial in _INT64 and initial + by in _INT64 else b""
            total = self._run(MAPPING_INCREMENT, encode(field), by, absent, none_if=_NO_SUM)
        return None if total is None else int(total)

    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        seen: set[str] = set()
        for page in self._server.scan(self._subject, ("HSCAN", self._name)):
            names, data = decode_all(page[::2], self._subject.name), page[1::2]
            new = first_seen(names, seen)
            if new is not names:
                found = dict(zip(names, data, strict=True))
                names, data = new, [found[name] for name in new]
            yield list(zip(names, data, strict=True))


def reading(names: Names, key: Key, fields: Sequence[str]) -> tuple[Subject, Command]:
    """Return the command that reads the bytes of ``fields`` of a mapping, at least one."""
    return Subject(str(key), MAPPING), ("HMGET", names.spell(key), *map(encode, fields))


def flat(items: Mapping[str, bytes]) -> list[bytes | str]:
    """Return fields and their bytes in turn."""
    if "".join(items).isascii():  # which the client encodes, faster than Python can
        return list(chain.from_iterable(items.items()))
    return list(chain.from_iterable(zip(map(encode, items), items.values(), strict=True)))


def is_whole(items: Mapping[str, bytes | None]) -> TypeGuard[Mapping[str, bytes]]:
    """Return whether no field is deleted."""
    return None not in items.values()


def sorted_out(items: Mapping[str, bytes | None]) -> tuple[list[bytes], list[bytes | str]]:
    """Return the deleted fields, and the others with their bytes, in turn."""
    if is_whole(items):
        return [], flat(items)
    gone = [encode(field) for field, data in items.items() if data is None]
    return gone, flat({field: data for field, data in items.items() if data is not None})


HANDLE: Final = RedisMapping
"""This module's entry in ``shapes``."""

"""A sequence as a Redis list."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_bytes
from typing import ClassVar, Final

from persistent_collections.backends.base import SequenceStore, Shape
from persistent_collections.backends.redis.handle import Handle
from persistent_collections.backends.redis.scripts import (
    SEQUENCE_COMPARE_AND_SET,
    SEQUENCE_DELETE_STRIDE,
    SEQUENCE_FIND,
    SEQUENCE_INSERT,
    SEQUENCE_REPEAT,
    SEQUENCE_REPLACE_IF,
    SEQUENCE_REVERSE,
    SEQUENCE_SET_STRIDE,
    SEQUENCE_SPLICE,
    SEQUENCE_TAKE,
)

_FARTHEST: Final = 2**31 - 1  # no list is longer, and LSET of Valkey 9.1 takes greater indexes modulo 2**32
_TOKEN_SIZE: Final = 16
_NOT_THERE: Final = ("index out of range", "no such key")


class RedisSequence(Handle, SequenceStore):
    """A list. Cost: one round trip a method, O(1) at either end, O(n) within the server in the middle."""

    shape: ClassVar[Shape] = "sequence"
    size_command: ClassVar[str] = "LLEN"
    put_command: ClassVar[str] = "RPUSH"

    def get(self, index: int) -> bytes | None:
        data: bytes | None = self._read("LINDEX", _within(index))
        return data

    def get_slice(self, where: slice) -> list[bytes]:
        where.indices(0)  # refuses a step of zero as list does
        start, stop = (None if bound is None else _within(bound) for bound in (where.start, where.stop))
        if where.step is None or where.step > 0:
            first, last, none = start or 0, -1 if stop is None else stop - 1, stop == 0
        else:
            first, last, none = 0 if stop is None else stop + 1, -1 if start is None else start, stop == -1
        items = self._read("LRANGE", *((1, 0) if none else (first, last)))  # 0, -1 would be all of them
        return list(items[:: where.step])

    def set(self, index: int, data: bytes) -> bool:
        return self._write("LSET", _within(index), data, none_if=_NOT_THERE) is not None

    def compare_and_set(self, index: int, expected: bytes, data: bytes) -> bool:
        return bool(self._run(SEQUENCE_COMPARE_AND_SET, _within(index), expected, data))

    def push_right(self, items: Sequence[bytes]) -> None:
        self._feed("RPUSH", items, makes_key=True)

    def push_left(self, items: Sequence[bytes]) -> None:
        self._feed("LPUSH", items[::-1], makes_key=True)

    def pop(self, index: int) -> bytes | None:
        data: bytes | None
        if index == 0:
            data = self._write("LPOP")
        elif index == -1:
            data = self._write("RPOP")
        else:
            data = self._run(SEQUENCE_TAKE, _within(index), token_bytes(_TOKEN_SIZE))
        return data

    def delete(self, index: int, expected: bytes | None = None) -> bool:
        if expected is None:
            return self.pop(index) is not None
        return self._run(SEQUENCE_TAKE, _within(index), token_bytes(_TOKEN_SIZE), expected) is not None

    def insert(self, index: int, data: bytes) -> None:
        if index == 0:
            self.push_left([data])
        else:
            self._run(SEQUENCE_INSERT, _within(index), token_bytes(_TOKEN_SIZE), data)

    def splice(self, start: int | None, stop: int | None, items: Sequence[bytes]) -> None:
        self._run_with(SEQUENCE_SPLICE, items, _bound(start), _bound(stop))

    def set_stride(self, where: slice, items: Sequence[bytes]) -> int:
        return int(self._run_with(SEQUENCE_SET_STRIDE, items, *_bounds(where)))

    def delete_stride(self, where: slice) -> None:
        self._run(SEQUENCE_DELETE_STRIDE, *_bounds(where))

    def find(self, data: bytes, start: int | None = None, stop: int | None = None) -> int | None:
        found: int | None
        if start is None and stop is None:
            found = self._read("LPOS", data)
        else:
            found = self._run(SEQUENCE_FIND, data, _bound(start), _bound(stop), repeatable=True)
        return found

    def count(self, data: bytes) -> int:
        return len(self._read("LPOS", data, "COUNT", 0) or ())  # None where there is no list

    def remove(self, data: bytes) -> bool:
        return bool(self._write("LREM", 1, data))

    def repeat(self, times: int) -> None:
        self._run(SEQUENCE_REPEAT, times)

    def reverse(self) -> None:
        self._run(SEQUENCE_REVERSE)

    def replace(self, items: Sequence[bytes]) -> None:
        self._put_instead(items)

    def replace_if(self, expected: Sequence[bytes], items: Sequence[bytes]) -> bool:
        return bool(self._run_with(SEQUENCE_REPLACE_IF, [*expected, *items], len(expected)))


def _within(index: int) -> int:
    return max(-_FARTHEST, min(index, _FARTHEST))


def _bound(index: int | None) -> bytes:
    """Return one bound of a slice as the scripts take it."""
    return b"" if index is None else b"%d" % _within(index)


def _bounds(where: slice) -> tuple[bytes, bytes, bytes]:
    """Return a slice as the scripts take it.

    Raises:
        ValueError: Its step is zero.
    """
    where.indices(0)
    return _bound(where.start), _bound(where.stop), _bound(1 if where.step is None else where.step)

"""A sequence as a Redis list."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_bytes
from typing import Any, ClassVar, Final

from persistent_collections.backends.handles import SequenceStore
from persistent_collections.backends.keys import Content
from persistent_collections.backends.redis.handle import Handle
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import (
    POP,
    SEQUENCE_COMPARE_AND_SET,
    SEQUENCE_DELETE_STRIDE,
    SEQUENCE_FIND,
    SEQUENCE_INSERT,
    SEQUENCE_REPEAT,
    SEQUENCE_REPLACE_IF,
    SEQUENCE_REVERSE,
    SEQUENCE_SET_STRIDE,
    SEQUENCE_SPLICE,
    SEQUENCE_STAGE,
    SEQUENCE_SWAP,
    SEQUENCE_TAKE,
)
from persistent_collections.backends.shapes import SEQUENCE, Shape
from persistent_collections.errors import BackendUnavailable

_FARTHEST: Final = 2**31 - 1  # no list is longer, and LSET of Valkey 9.1 takes greater indexes modulo 2**32
_TOKEN_SIZE: Final = 16
_ENDS: Final = {0: "LPOP", -1: "RPOP"}
STEP: Final = 5000
"""The number of items per step when a list is filled, which occupies the server for some milliseconds."""

_STAGED_FOR_MS: Final = 60_000
_STAGINGS: Final = 3
_NOT_THERE: Final = ("index out of range", "no such key")


class RedisSequence(Handle, SequenceStore):
    """A list. Cost: O(1) at either end, O(n) within the server in the middle.

    A method is one round trip, except when more than ``STEP`` items replace all: one per ``STEP`` items.
    """

    shape: ClassVar[Shape] = SEQUENCE
    type_name: ClassVar[str] = "list"
    size_command: ClassVar[str] = "LLEN"
    put_command: ClassVar[str] = "RPUSH"
    same_step: ClassVar[str] = "all"
    read_command: ClassVar[tuple[str, Command]] = "LRANGE", (0, -1)

    @staticmethod
    def content_of(reply: Any, name: str) -> Content:
        del name
        return list(reply)

    @staticmethod
    def items_of(content: Sequence[bytes]) -> Command:
        return content

    def get(self, index: int) -> bytes | None:
        data: bytes | None = self._read("LINDEX", _within(index))
        return data

    def get_slice(self, where: slice) -> list[bytes]:
        where.indices(0)  # refuses a step of zero like list
        start, stop = (None if bound is None else _within(bound) for bound in (where.start, where.stop))
        if where.step is None or where.step > 0:
            first, last, none = start or 0, -1 if stop is None else stop - 1, stop == 0
        else:
            first, last, none = 0 if stop is None else stop + 1, -1 if start is None else start, stop == -1
        items = self._read("LRANGE", *((1, 0) if none else (first, last)))  # 0, -1 would be all items
        return list(items[:: where.step])

    def set(self, index: int, data: bytes) -> bool:
        return self._write("LSET", _within(index), data, none_if=_NOT_THERE) is not None

    def compare_and_set(self, index: int, expected: bytes, data: bytes) -> bool:
        return bool(self._run(SEQUENCE_COMPARE_AND_SET, _within(index), expected, data))

    def push_right(self, items: Sequence[bytes]) -> None:
        self._feed("RPUSH", items)

    def push_left(self, items: Sequence[bytes]) -> None:
        self._feed("LPUSH", items[::-1])

    def pop(self, index: int, expected: bytes | None = None) -> bytes | None:
        data: bytes | None
        if expected is not None:
            data = self._run(SEQUENCE_TAKE, _within(index), _token(), expected)
        elif index in _ENDS:
            data = self._popped(self._run(POP, self.size_command, _ENDS[index]))
        else:
            data = self._run(SEQUENCE_TAKE, _within(index), _token())
        return data

    def insert(self, index: int, data: bytes) -> None:
        if index == 0:
            self.push_left([data])
        else:
            self._run(SEQUENCE_INSERT, _within(index), _token(), data)

    def splice(self, start: int | None, stop: int | None, items: Sequence[bytes]) -> None:
        if start in (None, 0) and stop is None and len(items) > STEP:
            self._swap_in(items)
            return
        self._run_with(SEQUENCE_SPLICE, items, _bound(start), _bound(stop), _token())

    def set_stride(self, where: slice, items: Sequence[bytes]) -> int:
        return int(self._run_with(SEQUENCE_SET_STRIDE, items, *_bounds(where), _token()))

    def delete_stride(self, where: slice) -> None:
        self._run(SEQUENCE_DELETE_STRIDE, *_bounds(where), _token())

    def find(self, data: bytes, start: int | None = None, stop: int | None = None) -> int | None:
        found: int | None
        if start is None and stop is None:
            found = self._read("LPOS", data)
        else:
            arguments = (data, _bound(start), _bound(stop))
            found = self._server.run(self._subject, SEQUENCE_FIND, [self._name], arguments, repeatable=True)
        return found

    def count(self, data: bytes) -> int:
        return len(self._read("LPOS", data, "COUNT", 0) or ())  # None without a list

    def remove(self, data: bytes) -> bool:
        return bool(self._write("LREM", 1, data))

    def repeat(self, times: int) -> None:
        self._run(SEQUENCE_REPEAT, times)

    def reverse(self) -> None:
        self._run(SEQUENCE_REVERSE)

    def replace(self, items: Sequence[bytes], expected: Sequence[bytes] | None = None) -> bool:
        if expected is None:
            if len(items) > STEP:
                self._swap_in(items)
            else:
                self._put_instead(items)
            return True
        return bool(self._run_with(SEQUENCE_REPLACE_IF, [*expected, *items], len(expected)))

    def _swap_in(self, items: Sequence[bytes]) -> None:
        """Replace all items by many, through a temporary list filled in parts, so that no step takes long.

        If that is interrupted, the temporary list expires.

        Raises:
            BackendUnavailable: Steps took so long that the temporary list expired.
        """
        self._write(self.size_command)  # another shape, or an owner that is gone, is refused before anything is sent
        for _ in range(_STAGINGS):
            stage = self._server.names.beside(self._name)
            if not all(self._stage(stage, start, items[start : start + STEP]) for start in range(0, len(items), STEP)):
                continue
            swap = SEQUENCE_SWAP[self._role]
            if self._existing(self._server.run(self._subject, swap, [*self._names, stage], (len(items),))):
                return
        raise BackendUnavailable(
            f"{self._subject}: the server lost some of {len(items)} items before all were sent; nothing was done; "
            "send fewer at a time"
        )

    def _stage(self, stage: bytes, start: int, items: Sequence[bytes]) -> bool:
        """Append items to a list that starts with ``start`` others, and return whether these still exist."""
        arguments: Command = (start, _STAGED_FOR_MS, *items)
        return bool(self._server.run(self._subject, SEQUENCE_STAGE, [stage], arguments, repeatable=True))


def _token() -> bytes:
    """Return a text that no list holds: a collision has a chance of 2**-128, and its script keeps it secret."""
    return token_bytes(_TOKEN_SIZE)


def _within(index: int) -> int:
    return max(-_FARTHEST, min(index, _FARTHEST))


def _bound(index: int | None) -> bytes:
    """Return one bound of a slice in the form of the scripts."""
    return b"" if index is None else b"%d" % _within(index)


def _bounds(where: slice) -> tuple[bytes, bytes, bytes]:
    """Return a slice in the form of the scripts.

    Raises:
        ValueError: Its step is zero.
    """
    where.indices(0)
    return _bound(where.start), _bound(where.stop), _bound(1 if where.step is None else where.step)


HANDLE: Final = RedisSequence
"""This module's entry in ``shapes``."""

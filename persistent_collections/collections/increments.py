"""Add to a stored number such that concurrent additions don't overwrite each other."""

from __future__ import annotations

from numbers import Number
from typing import Annotated, Any, get_args, get_origin

import msgspec

from persistent_collections.backends import integers
from persistent_collections.backends.handles import MappingStore
from persistent_collections.codecs.base import Codec
from persistent_collections.collections.core import Core
from persistent_collections.collections.retrying import attempts
from persistent_collections.errors import DecodeError, EncodeError


class Counter(msgspec.Struct, frozen=True):
    """A number in a store.

    Attributes:
        key: The part of ``owner`` that holds the number.
        owner: Of a dict or a record.
        declared: The declared type, if any.
        zero: The value while nothing is stored; 0 means the zero of the declared type.
    """

    key: object
    owner: Core
    store: MappingStore
    field: str
    codec: Codec
    declared: Any = Any
    zero: Any = 0

    @property
    def name(self) -> str:
        """The name of the number in errors."""
        return f"{self.key!r} of {self.owner}"


def increment(counter: Counter, by: Any) -> Any:
    """Add ``by`` to a stored number and return the sum.

    Cost: 1 round trip if both are 64-bit ``int``; else a read, and a write if nothing changed meanwhile.

    Raises:
        TypeError: One of the two is not a number.
        ConflictError: Others kept changing it.
    """
    store, field, codec = counter.store, counter.field, counter.codec
    counts = counter.declared in (Any, int) and type(counter.zero) is int
    try:
        if counts and type(by) is int and codec.encode(by) == b"%d" % by:
            total = store.increment(field, by, counter.zero)
            if total is not None:
                return total
        _require_number(by, f"{counter.name} is incremented by a number, not by {type(by).__name__}")
        return _added(counter, by)
    except (EncodeError, DecodeError) as error:
        raise counter.owner.located(counter.key, error) from error.__cause__


def add_unless_changed(store: Any, what: str, field: str, by: int, initial: int) -> int | None:
    """Add to the integer in a field, as ``MappingStore.increment`` does, by a read and a write.

    Args:
        store: A handle with ``get`` and ``compare_and_set``.
        what: The name of the number in errors.
        field: As of ``increment``.
        by: As of ``increment``.
        initial: As of ``increment``.
    """
    for _ in attempts(what):
        data = store.get(field)
        total = integers.add(b"%d" % initial if data is None else data, by)
        if total is None or store.compare_and_set(field, data, b"%d" % total):
            return total
    raise AssertionError("attempts() ends by raising")


def _added(counter: Counter, by: Any) -> Any:
    """Add ``by`` to a number; retry until nothing changed between read and write."""
    zero = counter.zero or _zero(counter.declared)
    for _ in attempts(counter.name):
        data = counter.store.get(counter.field)
        value = zero if data is None else counter.codec.decode(data)
        _require_number(value, f"{counter.name} holds a {type(value).__name__}, which cannot be incremented")
        total = counter.codec.encode(value + by)
        if counter.store.compare_and_set(counter.field, data, total):
            return counter.codec.decode(total)
    raise AssertionError("attempts() ends by raising")


def _zero(declared: Any) -> Any:
    """Return the value of a number while nothing is stored: the zero of its declared type, else 0."""
    kind = get_args(declared)[0] if get_origin(declared) is Annotated else declared
    return kind() if isinstance(kind, type) and issubclass(kind, Number) else 0


def _require_number(value: object, complaint: str) -> None:
    if not isinstance(value, Number):
        raise TypeError(complaint)

"""Adding to a stored number so that no two additions lose each other."""

from __future__ import annotations

from numbers import Number
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from persistent_collections.backends.base import MappingStore
from persistent_collections.codecs.base import Codec
from persistent_collections.errors import DecodeError, EncodeError
from persistent_collections.objects import PersistentObject, attempts


class Counter(NamedTuple):
    """A number in a store.

    Attributes:
        key: What it is stored under in ``owner``.
        owner: A dict or a record.
        declared: The type it is declared as, if any.
        zero: What it counts as while nothing is stored; 0 stands for the zero of the declared type.
    """

    key: object
    owner: PersistentObject
    store: MappingStore
    field: str
    codec: Codec
    declared: Any = Any
    zero: Any = 0

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"{self.key!r} of {self.owner}"


def increment(counter: Counter, by: Any) -> Any:
    """Add ``by`` to a stored number and return the sum.

    Cost: 1 round trip where both are 64-bit ``int``; else a read, and a write if nothing changed meanwhile.

    Raises:
        TypeError: One of the two is no number.
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
        zero = counter.zero or _zero(counter.declared)
        for _ in attempts(counter.name):
            data = store.get(field)
            value = zero if data is None else codec.decode(data)
            _require_number(value, f"{counter.name} holds a {type(value).__name__}, which cannot be incremented")
            total_data = codec.encode(value + by)
            if store.compare_and_set(field, data, total_data):
                return codec.decode(total_data)
    except (EncodeError, DecodeError) as error:
        raise counter.owner._located(counter.key, error) from error.__cause__
    raise AssertionError("attempts() ends by raising")


def _zero(declared: Any) -> Any:
    """Return what a number declared so counts as while nothing is stored: that of its type, else 0."""
    kind = get_args(declared)[0] if get_origin(declared) is Annotated else declared
    return kind() if isinstance(kind, type) and issubclass(kind, Number) else 0


def _require_number(value: object, complaint: str) -> None:
    if not isinstance(value, Number):
        raise TypeError(complaint)

"""The limits of reads and writes in one transaction: its commit is one step, which blocks all other clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Change, Condition
from persistent_collections.errors import TransactionError

MAX_PARTS: Final = 10_000
MAX_BYTES: Final = 64 * 2**20
LONG_S: Final = 30.0
"""The time between the first use of the store and the commit from which a transaction counts as long."""


def require_small(conditions: Sequence[Condition], changes: Sequence[Change]) -> None:
    """Raise if a commit is too large.

    Raises:
        TransactionError: It exceeds a limit; nothing was written.
    """
    values = [getattr(part, name) for part in (*conditions, *changes) for name in type(part).__struct_fields__]
    held = [value for value in values if isinstance(value, Mapping | AbstractSet | list)]
    number = sum(map(len, held))
    if number > MAX_PARTS:
        raise TransactionError(
            f"the transaction read and wrote {number} fields, items and members, and {MAX_PARTS} are the most that are "
            "compared and written in one step; nothing was written. Read less of large objects, or split the work"
        )
    size = sum(map(_bytes_of, held))
    if size > MAX_BYTES:
        raise TransactionError(
            f"the transaction read and wrote {size // 2**20} MiB, and {MAX_BYTES // 2**20} MiB are the most that are "
            "compared and written in one step; nothing was written. Split the work"
        )


def advise_if_long(store: Backend, took_s: float) -> None:
    """Warn of a transaction that took long, where the store watches for slow habits."""
    if took_s > LONG_S:
        store.advise(
            f"a transaction committed {took_s:.0f} s after its first use of the store, and the longer it takes, the "
            "more likely something that it read has changed; do slow work, such as calls of other services, before it "
            "or by on_commit()"
        )


def _bytes_of(held: Iterable[Any]) -> int:
    parts = (*held, *held.values()) if isinstance(held, Mapping) else held
    return sum(len(part) for part in parts if isinstance(part, bytes | str))

"""Commits that need indexes which may not be whole yet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import msgspec
from msgspec.structs import replace

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Change, Condition, HeldBy, SetEntries
from persistent_collections.backends.indexes import EntryKey, Indexing, IndexUnbuiltError


class Made(msgspec.Struct, frozen=True):
    """The result of a commit.

    Attributes:
        is_done: Whether its conditions held.
        is_whole: Whether all indexes in which it set entries are whole.
    """

    is_done: bool
    is_whole: bool


def commit_with_indexes(
    store: Backend,
    commit: Callable[[Sequence[Condition], Sequence[Change]], bool],
    conditions: Sequence[Condition],
    changes: Sequence[Change],
) -> Made:
    """Commit; a new index of a class without records is whole from now on.

    Args:
        store: The store, which lists the records of a class.
        commit: Commits in it.
        conditions: As for ``Backend.commit``.
        changes: As for ``Backend.commit``.

    Raises:
        IndexUnbuiltError: An index that has to be unique, or that a condition is about, is not whole.
    """
    asked = set[tuple[str, ...]]()
    given = changes
    while True:
        try:
            return Made(commit(conditions, given), is_whole=given is changes)
        except IndexUnbuiltError as error:  # it names the indexes of one class
            if error.names not in asked:
                asked.add(error.names)
                _mark_new_ones(store, (*conditions, *changes), error.names)
                continue  # they are whole now, by this process or by another
            eased = [change if claims_of(change) else anyway(change) for change in changes]
            if eased == [*given]:
                raise
            given = eased


def _mark_new_ones(store: Backend, parts: Sequence[Condition | Change], names: Collection[str]) -> None:
    for indexing in {part.indexing for part in parts if isinstance(part, HeldBy | SetEntries)}:
        mark_new(store, indexing, names)


def mark_new(store: Backend, indexing: Indexing, names: Collection[str]) -> bool:
    """Mark indexes of a class as whole if it has no records; return whether any of ``names`` became whole."""
    unbuilt = [index.name for index in indexing.indexes if index.name in names]
    if not unbuilt or any(key.child is None for key in store.keys(indexing.prefix)):
        return False
    store.index(indexing).mark(unbuilt, whole=True, only_new=True)
    return True


def claims_of(change: Change) -> dict[str, EntryKey]:
    """Return the claims of a change in unique indexes, by the names of the indexes."""
    if not isinstance(change, SetEntries):
        return {}
    return {name: entry for name, entry in {**change.entries, **change.when_made}.items() if entry.claims}


def anyway(change: Change) -> Change:
    """Return a change that sets its entries even if an index is not whole."""
    return replace(change, anyway=True) if isinstance(change, SetEntries) else change

"""Finds the records that have unique values, within a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from persistent_collections.backends.base import Backend
from persistent_collections.backends.indexes import LAST, EntryKey, Index, Indexing
from persistent_collections.backends.keys import Key


def holders(
    store: Backend, indexing: Indexing, claims: Mapping[str, EntryKey], fields: Mapping[str, bytes | None]
) -> Iterator[tuple[Key, Index]]:
    """Yield each record of a store that has a claimed entry in a unique index, and the index.

    Args:
        store: The store.
        indexing: The indexes of the class.
        claims: The claimed entries, by the names of indexes.
        fields: The bytes of the fields of the indexes.

    Cost: 1 round trip for each unique index; a store without indexes reads all records of the class.
    """
    for name, entry in claims.items():
        index = indexing.index(name)
        if store.indexing == "indexes":
            page = store.index(indexing).find(name, entry.key, entry.key + LAST, 2)
            hits = page.hits if page else ()
            yield from ((indexing.record(hit.place.id), index) for hit in hits if hit.place.key == entry.key)
        else:
            wanted = [fields.get(field) for field in index.fields]
            yield from ((key, index) for key in _holding(store, indexing.prefix, index.fields, wanted))


def _holding(store: Backend, prefix: str, names: Sequence[str], wanted: Sequence[bytes | None]) -> list[Key]:
    """Return the records that hold some bytes in some fields."""
    keys = [key for key in store.keys(prefix) if key.child is None]
    found = store.get_many([(key, names) for key in keys]) if keys else []
    return [key for key, data in zip(keys, found, strict=True) if data == wanted]

"""Rebuild indexes for existing records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TypeAlias

from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.changes import Change, Exists, FieldsAre, SetEntries, SetFields
from persistent_collections.backends.indexes import not_unique
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING
from persistent_collections.collections.fetching import read_stored
from persistent_collections.collections.retrying import attempts
from persistent_collections.errors import NotUnique, PersistentCollectionsError
from persistent_collections.records.core import RecordInfo
from persistent_collections.records.indexing import Indexed, indexed_in, unreadable

Stored: TypeAlias = Mapping[str, bytes | None]
"""The bytes of the fields of a record that indexes order by, by their names in the store."""


def reindex(
    info: RecordInfo,
    backend: Backend,
    *,
    dry_run: bool = False,
    progress: Callable[[int, str], object] = lambda *_: None,
) -> int:
    """Build the indexes of a class in a store, and return the number of its records.

    An index is whole at the end only if all records are in it. If a record does not store a field that indexes order
    by, the default of the field is stored. Indexes that the class no longer declares are deleted.

    Args:
        info: The class.
        backend: The store.
        dry_run: Only check whether several records share a value that must be unique.
        progress: Called after each record with the number of records done and the key.

    Raises:
        NotUnique: Several records share one; the message names two of them. The indexes are not whole, and the records
            are unchanged.
        DecodeError: A record cannot be read.
        TypeError: The class declares no index, and the store has no earlier index of it.
    """
    indexed = indexed_of(info, backend)
    names = [index.name for index in indexed.indexing.indexes]
    former = kept_of(info.type_name, backend) - {*names}
    if not names and not former:
        raise TypeError(f"{info.cls.__name__} declares no index; mark a field, as in name: Annotated[str, indexed]")
    backend = info.declared(backend)
    first = _first_twice(indexed, backend)
    if first is not None:
        raise first
    if dry_run:
        return sum(1 for _ in _readable(indexed, backend))
    number = 0
    with _built_anew(indexed, backend, names, sorted(former)):
        for number, (key, data) in enumerate(_readable(indexed, backend), 1):
            _build(indexed, backend, key, data)
            progress(number, key.root)
    return number


def kept_of(type_name: str, backend: Backend) -> set[str]:
    """Return the names of the indexes that a store maintains for a class, declared or not."""
    if backend.indexing != "indexes":
        return set()
    return {*backend.index(indexed_in(backend, type_name, (), ()).indexing).states()}


@contextmanager
def _built_anew(indexed: Indexed, backend: Backend, names: Sequence[str], former: Sequence[str]) -> Iterator[None]:
    """Empty the indexes ``names`` and delete the ``former`` ones; mark ``names`` as whole at the end of the block."""
    if backend.indexing != "indexes":
        yield
        return
    store = backend.index(indexed.indexing)
    store.mark([*names, *former], whole=False)
    store.drop([*names, *former])
    store.mark(names, whole=False)
    yield
    store.mark(names, whole=True)


def indexed_of(info: RecordInfo, backend: Backend) -> Indexed:
    """Return the indexes of a class in a store; an empty result for a class that declares none."""
    found = info.bound_fields(backend).indexed
    return indexed_in(backend, info.type_name, (), ()) if found is None else found


def _build(indexed: Indexed, backend: Backend, key: Key, data: Stored) -> None:
    """Store the index entries of a record that was read as ``data``, while the record exists."""
    if not _put(indexed, backend, key, data):
        put_right(indexed, backend, key)


def put_right(indexed: Indexed, backend: Backend, key: Key) -> bool:
    """Set the entries of the record to match its fields, and return whether it exists and can be read.

    Raises:
        NotUnique: Another record has a value that must be unique; nothing was done.
    """
    for _ in attempts(str(key)):
        [data] = _read(indexed, backend, [key])
        if data is None or isinstance(data, PersistentCollectionsError):
            return False
        if _put(indexed, backend, key, data):
            return True
    raise AssertionError("attempts() ends by raising")


def _put(indexed: Indexed, backend: Backend, key: Key, data: Stored) -> bool:
    changes = _changes(indexed, backend, key, data)
    return not changes or backend.commit([Exists(key), FieldsAre(key, data)], changes)


def _changes(indexed: Indexed, backend: Backend, key: Key, data: Stored) -> list[Change]:
    """Return the changes that store the defaults of a record's unset fields, and its entries."""
    unset = {name: field.default for name, field in indexed.fields.items() if data[name] is None and field.default}
    changes: list[Change] = [SetFields(key, unset, is_record=True)] if unset else []
    if backend.indexing == "indexes" and indexed.kept:
        entries = indexed.entries_of(key, indexed.kept, {**data, **unset})
        changes.append(SetEntries(key, indexed.indexing, entries, {}, anyway=True))
    return changes


def _first_twice(indexed: Indexed, backend: Backend) -> NotUnique | None:
    """Return the error for the first record with the same unique values as another one, or None."""
    owners: dict[tuple[str, bytes], Key] = {}
    for key, data in _readable(indexed, backend):
        entries = indexed.entries_of(key, indexed.indexing.indexes, data)
        for index in indexed.indexing.indexes:
            entry = entries[index.name]
            if entry.claims:
                other = owners.setdefault((index.name, entry.key), key)
                if other != key:
                    return not_unique(key, index, other)
    return None


def _readable(indexed: Indexed, backend: Backend) -> Iterator[tuple[Key, Stored]]:
    """Yield each record as :func:`stored_of` does.

    Raises:
        DecodeError: One cannot be read.
    """
    for key, data in stored_of(indexed, backend):
        if isinstance(data, PersistentCollectionsError):
            raise unreadable(key, data) from data
        yield key, data


def stored_of(indexed: Indexed, backend: Backend) -> Iterator[tuple[Key, Stored | PersistentCollectionsError]]:
    """Yield each record of the class with the bytes of the fields that indexes order by, or with its error."""
    keys = (key for key in backend.keys(indexed.indexing.prefix, MAPPING) if key.child is None)
    while page := list(islice(keys, PAGE_SIZE)):
        for key, data in zip(page, _read(indexed, backend, page), strict=True):
            if data is not None:
                yield key, data


def _read(
    indexed: Indexed, backend: Backend, keys: Sequence[Key]
) -> Iterator[Stored | PersistentCollectionsError | None]:
    names = list(indexed.fields)
    for data in read_stored(backend, [(key, names) for key in keys]):
        if data is None or isinstance(data, PersistentCollectionsError):
            yield data
        else:
            yield dict(zip(names, data, strict=True))

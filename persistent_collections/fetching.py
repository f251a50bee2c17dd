"""Fields of many records at once, without a round trip for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any, NamedTuple, Protocol

from persistent_collections.backends.base import PAGE_SIZE, Backend, Key
from persistent_collections.config import Choice, resolve


class Reader(NamedTuple):
    """How some fields of the records of one class are read.

    Attributes:
        stored: Their names in the store.
        row: Makes the values of one record, by field, of what is stored under these names.
    """

    stored: Sequence[str]
    row: Callable[[Any, Sequence[bytes | None]], dict[str, Any]]


class Fetched(Protocol):
    """What is needed of a record's handle."""

    _key: Key
    _choice: Choice

    def _family(self) -> Sequence[Key]: ...
    def _reader(self, backend: Backend, names: Sequence[str]) -> Reader: ...


def rows(records: Iterable[Fetched], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the fields of each of ``records``, in their order, those left out that do not exist.

    Cost: 1 round trip a store and ``PAGE_SIZE`` records, 1 more where some have none of the fields.
    """
    if not names:
        raise TypeError("fetch takes the names of the fields to read, such as fetch('id', 'name')")
    stores = ((resolve(_record(record)._choice), record) for record in records)
    for _, group in groupby(stores, key=lambda pair: id(pair[0])):
        while page := list(islice(group, PAGE_SIZE)):
            yield from _page(page[0][0], [record for _, record in page], names)


def _record(value: Any) -> Fetched:
    if not hasattr(value, "_reader"):
        raise TypeError(f"fetch reads records, not a {type(value).__name__}; give it a list of them")
    record: Fetched = value
    return record


def _page(backend: Backend, records: Sequence[Fetched], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    examples = {type(record): record for record in records}
    readers = {kind: record._reader(backend, names) for kind, record in examples.items()}
    wanted = [(record._key, readers[type(record)].stored) for record in records]
    found = backend.get_many(wanted) if wanted[0][1] else [[] for _ in wanted]
    blank = {record._key: record for record, data in zip(records, found, strict=True) if not _any_of(data)}
    families = [record._family() for record in blank.values()]
    exists = dict(zip(blank, backend.exist(families), strict=True)) if families else {}
    for record, data in zip(records, found, strict=True):
        if exists.get(record._key, True):
            yield readers[type(record)].row(record, data)


def _any_of(data: Sequence[bytes | None]) -> bool:
    return any(part is not None for part in data)

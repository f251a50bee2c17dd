"""Fields of many records in a few round trips, instead of one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final, NoReturn, TypeAlias

import msgspec

from persistent_collections.backends.base import PAGE_SIZE, Backend, Examined, Wanted
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import field_is_child
from persistent_collections.collections.core import Core, Reader, core_of, info_of
from persistent_collections.collections.formers import as_declared
from persistent_collections.collections.unannotated import refuse_unannotated
from persistent_collections.errors import (
    CorruptDataError,
    DecodeError,
    PersistentCollectionsError,
    SchemaChangedError,
    WrongShapeError,
)
from persistent_collections.transactions.current import active

OnError: TypeAlias = Callable[[PersistentCollectionsError], object]
"""The type of ``on_error=``: called with the error of each skipped object."""

UNREADABLE: Final = (DecodeError, CorruptDataError, WrongShapeError)
"""The errors that concern one object, while others can be read."""

Row: TypeAlias = dict[str, Any] | PersistentCollectionsError
"""The fields of a record, or its error."""
Read: TypeAlias = Sequence[bytes | None] | PersistentCollectionsError | None
"""The stored content of a record, or its error; None if it does not exist."""


class Resilient(Iterator[Any]):
    """Items; unreadable ones are skipped and reported, or raise without ending the iteration.

    Args:
        items: Yields each item, or the error of an unreadable one.
        on_error: Called with the error of each skipped item; without it, the error is raised.
    """

    __slots__ = ("__weakref__", "_items", "_on_error")

    def __init__(self, items: Iterator[Any], on_error: OnError | None) -> None:
        self._items = items
        self._on_error = on_error

    def __iter__(self) -> Iterator[Any]:
        refuse_unannotated("an iterator")
        return self

    def __next__(self) -> Any:
        for item in self._items:
            if not isinstance(item, PersistentCollectionsError):
                return item
            if self._on_error is None:
                raise item
            self._on_error(item)
        raise StopIteration

    def __getitem__(self, index: Any) -> NoReturn:
        raise TypeError(
            "an iterator has no indexes; list(…) takes all items, list(itertools.islice(…, 20)) the first 20"
        )


def with_errors(items: Iterable[Any]) -> Iterator[Any]:
    """Yield each of ``items``, and an error in place of each unreadable item."""
    iterator = iter(items)
    while True:
        try:
            item = next(iterator)
        except StopIteration:
            return
        except UNREADABLE as error:
            item = error
        yield item


def require_fields(declared: Any, names: Sequence[str]) -> None:
    """Raise if objects of a declared type can't have the fields ``names``, as ``fetch`` takes them; no I/O."""
    info = info_of(declared)
    if info:
        info.require_fields(names)


def rows(records: Iterable[Any], names: Sequence[str], on_error: OnError | None = None) -> Iterator[dict[str, Any]]:
    """Yield the fields of each of ``records``, in their order; skip records that do not exist.

    Args:
        records: The records.
        names: The fields to read; ``customer.name`` is the name of the record that ``customer`` refers to, or None.
            A field of another class that is built from the same record class is None too.
        on_error: Called with the error of each record that is skipped as unreadable. Without it, the error is
            raised, and the iterator goes on with the next record.

    Cost: 1 round trip per store and ``PAGE_SIZE`` records, 1 more for each field that refers to others, 1 more if a
    field is unset, and a few more if some can't be read.
    """
    if not names:
        raise TypeError("fetch takes the names of the fields to read, such as fetch('id', 'name')")
    return Resilient(_rows(with_errors(records), names), on_error)


class _Asked(msgspec.Struct, frozen=True):
    """A record and its store; or the error of an unreadable record, and None."""

    backend: Backend | None
    item: Any


def _rows(records: Iterator[Any], names: Sequence[str]) -> Iterator[Row]:
    while page := list(islice(records, PAGE_SIZE)):
        for _, group in groupby(_asked(page), key=lambda asked: id(asked.backend)):
            asked = list(group)
            backend, items = asked[0].backend, [each.item for each in asked]
            yield from items if backend is None else _page(backend, items, names)


def _asked(values: Iterable[Any]) -> Iterator[_Asked]:
    """Yield each of ``values`` with its current store, which is looked for once for all that chose the same."""
    stores: dict[int, Backend] = {}
    for value in values:
        core = core_of(value)
        if core is not None:
            store = stores.get(id(core.choice))
            if store is None:
                store = stores[id(core.choice)] = active(core.choice)
            yield _Asked(store, core)
        elif isinstance(value, UNREADABLE):
            yield _Asked(None, value)
        else:
            raise TypeError(f"fetch reads records, not a {type(value).__name__}; give it a list of them")


def _page(backend: Backend, cores: Sequence[Core], names: Sequence[str]) -> Iterator[Row]:
    return (row for row in fetched(backend, cores, names) if row is not None)


def fetched(backend: Backend, cores: Sequence[Core], names: Sequence[str]) -> list[Row | None]:
    """Return the fields of each of some records of one store, None for a record that does not exist."""
    readers = {info: core.reader(backend, names) for info, core in {core.info: core for core in cores}.items()}
    store = as_declared(backend, {info.type_name: reader.formers for info, reader in readers.items()})
    found = read_stored(store, [(core.key, readers[core.info].stored) for core in cores])
    rows: list[Row | None] = [
        data if data is None or isinstance(data, PersistentCollectionsError) else row_of(readers[core.info], core, data)
        for core, data in zip(cores, found, strict=True)
    ]
    return with_referred(rows, names)


def no_reference(name: str, kind: type, field: str) -> TypeError:
    """Return the error for a path such as ``name.field`` if ``name`` holds values of another ``kind``."""
    return TypeError(f"{name!r} holds no reference but a {kind.__name__}, so it has no field {field!r}")


def own_names(names: Sequence[str]) -> Sequence[str]:
    """Return the fields to read from the records themselves: ``customer`` for ``customer.name``."""
    return list(dict.fromkeys(name.partition(".")[0] for name in names))


def with_referred(rows: list[Row | None], names: Sequence[str]) -> list[Row | None]:
    """Return rows of the fields from :func:`own_names`, extended by the fields of referenced records.

    Cost: 1 round trip for each field that refers to others.
    """
    followed: dict[str, list[str]] = {}
    for name in names:
        head, dot, rest = name.partition(".")
        if dot:
            followed.setdefault(head, []).append(rest)
    if not followed:
        return rows
    found = {
        head: _referred(head, [row[head] for row in rows if isinstance(row, dict)], rest)
        for head, rest in followed.items()
    }
    return [_completed(row, names, found) if isinstance(row, dict) else row for row in rows]


def _referred(head: str, values: Sequence[Any], names: Sequence[str]) -> Mapping[Any, Row | None]:
    """Return the fields of each object among ``values``, which the field ``head`` of several records holds."""
    there = [value for value in values if value is not None]
    for other in (value for value in there if core_of(value) is None):
        raise no_reference(head, type(other), names[0])
    stores: dict[int, list[tuple[Any, _Asked]]] = {}
    handles = list(dict.fromkeys(there))
    for handle, asked in zip(handles, _asked(handles), strict=True):
        stores.setdefault(id(asked.backend), []).append((handle, asked))
    found: dict[Any, Row | None] = {}
    for items in stores.values():
        backend: Any = items[0][1].backend
        cores = [asked.item for _, asked in items]
        found |= zip((handle for handle, _ in items), fetched(backend, cores, names), strict=True)
    return found


def _completed(row: Mapping[str, Any], names: Sequence[str], found: Mapping[str, Mapping[Any, Row | None]]) -> Row:
    completed: dict[str, Any] = {}
    for name in names:
        head, _, rest = name.partition(".")
        referred = found[head].get(row[head]) if rest else None
        if isinstance(referred, PersistentCollectionsError):
            return referred
        completed[name] = row[head] if not rest else referred and referred[rest]
    return completed


def row_of(reader: Reader, core: Core, data: Sequence[bytes | None]) -> Row:
    """Return the fields of a record, or the error of a field that can't be decoded."""
    try:
        return reader.row(core, data)
    except UNREADABLE as error:
        return error


def read_stored(backend: Backend, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[Read]:
    """Return the stored content of each record: None if it does not exist, or its error.

    An error doesn't identify its record, so each half is read separately.
    """
    try:
        return _read_together(backend, wanted)
    except UNREADABLE as error:
        if len(wanted) == 1:
            return [error]
        middle = len(wanted) // 2
        return [*read_stored(backend, wanted[:middle]), *read_stored(backend, wanted[middle:])]


def _read_together(backend: Backend, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[Read]:
    data = backend.get_many(wanted) if wanted[0][1] else [[] for _ in wanted]
    doubtful = {
        number: _doubt(*asked, parts)
        for number, (asked, parts) in enumerate(zip(wanted, data, strict=True))
        if None in parts or not parts
    }
    examined = backend.examine(list(doubtful.values())) if doubtful else []
    found: list[Read] = [*data]
    for (number, asked), parts in zip(doubtful.items(), examined, strict=True):
        found[number] = parts and (mistaken(asked, parts) or parts.data)
    return found


def _doubt(key: Key, names: Sequence[str], parts: Sequence[bytes | None]) -> Wanted:
    """Return the request that checks whether children exist with the names of the unset fields of a record."""
    return Wanted(key, names, [Key(key.root, name) for name, part in zip(names, parts, strict=True) if part is None])


def mistaken(wanted: Wanted, parts: Examined) -> SchemaChangedError | None:
    """Return the error for an empty field whose name belongs to an existing child, or None."""
    stored = dict(zip(wanted.fields, parts.data, strict=True))
    for child, exists in zip(wanted.children, parts.children, strict=True):
        if exists and stored[str(child.child)] is None:
            return field_is_child(child)
    return None

"""The changes that store the values of one dict or list as they are declared now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.changes import Exists, FieldsAre, SetFields
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING, SEQUENCE
from persistent_collections.collections.base import CollectionCore
from persistent_collections.collections.binding import bindings
from persistent_collections.errors import ObjectNotFound
from persistent_collections.migrating.values import may_hold_former, naming, renewed

P = TypeVar("P")


class Items:
    """The values in the dicts or lists of one class, or of one child of a class, in one store.

    Keys of dicts and members of sets are not migrated: their texts are compared as they are, so a changed class can't
    read them.

    Args:
        example: The core of one of them.
        backend: The store.
    """

    def __init__(self, example: CollectionCore, backend: Backend) -> None:
        self._backend = backend
        self._shape = example.shape
        self._part = example.part
        self.may_change = example.shape in (MAPPING, SEQUENCE) and may_hold_former(example.declared(-1))
        self._codec: Any = example.value_codec(bindings(backend)) if self.may_change else None

    def renew(self, key: Key, *, dry_run: bool) -> bool:
        """Store the values of a collection that hold fields under former names; return whether any did.

        Raises:
            DecodeError: A value cannot be read.
        """
        return (self._renew_dict if self._shape is MAPPING else self._renew_list)(key, dry_run=dry_run)

    def _renew_dict(self, key: Key, *, dry_run: bool) -> bool:
        found = False
        for page in self._backend.mapping(key).pages():
            items = self._changed(key, page)
            found = found or bool(items)
            if items and not dry_run and not self._set(key, dict(page), items):
                for field, data in items.items():
                    self._set(key, dict(page), {field: data})
        return found

    def _set(self, key: Key, known: Mapping[str, bytes], items: Mapping[str, bytes]) -> bool:
        """Set entries of a dict if they equal ``known``, and return whether they did."""
        expected = FieldsAre(key, {field: known[field] for field in items})
        return self._backend.commit([Exists(key.owner), expected], [SetFields(key, items)])

    def _renew_list(self, key: Key, *, dry_run: bool) -> bool:
        found, start, store = False, 0, self._backend.sequence(key)
        while page := store.get_slice(slice(start, start + PAGE_SIZE)):
            items = self._changed(key, enumerate(page, start))
            found = found or bool(items)
            with suppress(ObjectNotFound):  # of the record of a child
                for index, data in items.items() if not dry_run else ():
                    store.compare_and_set(index, page[index - start], data)
            start += len(page)
        return found

    def _changed(self, key: Key, stored: Iterable[tuple[P, bytes]]) -> dict[P, bytes]:
        """Return the values that change, by their places."""
        found: dict[P, bytes] = {}
        for place, data in stored:
            with naming(f"{self._part} {place!r} of ", key, self._backend):
                becomes: bytes = renewed(self._codec, data)
            if becomes != data:
                found[place] = becomes
        return found

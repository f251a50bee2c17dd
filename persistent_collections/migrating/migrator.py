"""Stores the content of the keys of one class as the class declares it now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, Final, TypeAlias

from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.keys import Key
from persistent_collections.collections.base import CollectionCore
from persistent_collections.collections.fetching import UNREADABLE
from persistent_collections.collections.retrying import attempts
from persistent_collections.errors import EncodeError, NotUnique, PersistentCollectionsError, SchemaChangedError
from persistent_collections.migrating.collections import Items
from persistent_collections.migrating.moves import both
from persistent_collections.migrating.records import Plan, Step, Stored
from persistent_collections.records.record import Record

Outcome: TypeAlias = bool | PersistentCollectionsError
"""The result for a key: whether it was changed, or why it could not be read."""

_OF_ONE: Final = (*UNREADABLE, EncodeError, NotUnique, SchemaChangedError)
"""The errors that concern one object, while others can be changed."""


class RecordMigrator:
    """The records of one class in one store, and their children.

    Args:
        cls: The class.
        backend: The store.
        fill: Whether to store the defaults of fields that are not set.
    """

    def __init__(self, cls: type[Record], backend: Backend, *, fill: bool = False) -> None:
        self._backend = backend
        self._prefix = f"{cls.__pc__.type_name}:"
        self._plan = Plan(cls, backend, fill=fill)
        example: Any = cls.ref("any", backend=backend)
        fields = [field for field in cls.__pc__.schema().fields.values() if field.child]
        self._items = {field.stored: Items(example[field.name].__pc__, backend) for field in fields}

    def each(self, *, dry_run: bool) -> Iterator[tuple[Key, Outcome]]:
        """Yield every key of the class that may need a change, and its result."""
        keys = self._backend.keys(self._prefix)
        while page := list(islice(keys, PAGE_SIZE)):
            yield from self._records([key for key in page if key.child is None], dry_run=dry_run)
            for key in page:
                if key.child is not None and (key.child in self._plan.moved or self._has_items(key)):
                    yield key, self.one(key, dry_run=dry_run)

    def one(self, key: Key, *, dry_run: bool = False) -> Outcome:
        """Return the result for one key: a record's own, or a child's."""
        try:
            if key.child is None:
                step = self._step(key, *self._read([key]))
                return step is not None and (dry_run or self._make(key, step))
            if key.child in self._plan.moved:
                return self._move(key, dry_run=dry_run)
            found = self._has_items(key) and self._items[str(key.child)].renew(key, dry_run=dry_run)
            return found and self._backend.look([key.owner]) != [None]  # an orphan is not written
        except _OF_ONE as error:
            return error

    def _has_items(self, key: Key) -> bool:
        return key.child in self._items and self._items[key.child].may_change

    def _records(self, keys: Sequence[Key], *, dry_run: bool) -> Iterator[tuple[Key, Outcome]]:
        """Yield the result for each of some records, read together, and changed together if the store supports it."""
        steps: list[tuple[Key, Step]] = []
        for key, stored in self._read_all(keys):
            try:
                step = None if stored is None else self._step(key, stored)
            except _OF_ONE as error:
                yield key, error
                continue
            if stored is None:
                yield key, self.one(key, dry_run=dry_run)
            elif step is None or dry_run:
                yield key, step is not None
            else:
                steps.append((key, step))
        size = self._backend.steps_at_once
        for start in range(0, len(steps), size):
            yield from self._make_all(steps[start : start + size])

    def _read_all(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Stored | None]]:
        """Yield the stored content of each record; None for all of them if one can't be read."""
        try:
            yield from zip(keys, self._read(keys), strict=True)
        except UNREADABLE:
            yield from ((key, None) for key in keys)

    def _read(self, keys: Sequence[Key]) -> list[Stored]:
        names = self._plan.names
        if not (names and keys):
            return [Stored({}) for _ in keys]
        read = self._backend.get_many([(key, names) for key in keys])
        fields = [dict(zip(names, data, strict=True)) for data in read]
        pairs = list(zip(keys, fields, strict=True))
        met = self._met([Key(key.root, name) for key, each in pairs for name in self._plan.asked(each)])
        return [Stored(each, met.get(key.root, ())) for key, each in pairs]

    def _met(self, children: Sequence[Key]) -> Mapping[str, list[str]]:
        """Return the names of those children that exist, by their record."""
        met = dict[str, list[str]]()
        for child, found in zip(children, self._backend.look(children) if children else (), strict=True):
            if found is not None:
                met.setdefault(child.root, []).append(str(child.child))
        return met

    def _step(self, key: Key, stored: Stored) -> Step | None:
        return self._plan.step(key, stored) if stored.fields else None

    def _make_all(self, steps: Sequence[tuple[Key, Step]]) -> Iterator[tuple[Key, Outcome]]:
        made: list[bool] = []
        try:
            if len(steps) > 1:
                made = self._backend.commit_each([step for _, step in steps])
        except _OF_ONE:
            pass  # one by one, so that the others are changed
        for (key, step), is_made in zip(steps, [*made, *repeat(False, len(steps) - len(made))], strict=True):
            try:
                yield key, is_made or self._make(key, step)
            except _OF_ONE as error:
                yield key, error

    def _make(self, key: Key, step: Step) -> bool:
        """Make a step; if the content has changed meanwhile, make the step for the current content."""
        for _ in attempts(str(key)):
            if self._backend.commit(*step):
                return True
            again = self._step(key, *self._read([key]))
            if again is None or self._backend.look([key]) == [None]:
                return True
            step = again
        raise AssertionError("attempts() ends by raising")

    def _move(self, key: Key, *, dry_run: bool) -> bool:
        """Turn a child into the field that now replaces it."""
        for _ in attempts(str(key)):
            [entry, owner] = self._backend.snapshot([key, key.owner])
            if entry is None or owner is None:
                return False
            if any(name in owner.content for name in self._plan.names_of(self._plan.moved[str(key.child)])):
                raise both(key, str(key.child))
            step = self._plan.step_of_child(key, entry.content)
            if dry_run or self._backend.commit(*step):
                return True
        raise AssertionError("attempts() ends by raising")


class CollectionMigrator:
    """Some dicts, lists or sets of one declared type.

    Args:
        example: The core of one of them.
        keys: Yields their keys.
        backend: The store.
    """

    def __init__(self, example: CollectionCore, keys: Iterator[Key], backend: Backend) -> None:
        self._keys = keys
        self._items = Items(example, backend)

    def each(self, *, dry_run: bool) -> Iterator[tuple[Key, Outcome]]:
        """Yield every key, and its result."""
        for key in self._keys if self._items.may_change else ():
            try:
                yield key, self._items.renew(key, dry_run=dry_run)
            except _OF_ONE as error:
                yield key, error

"""The changes that store one record as its class declares it now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import (
    Change,
    Condition,
    ContentIs,
    Delete,
    Exists,
    FieldsAre,
    Replace,
    SetEntries,
    SetFields,
)
from persistent_collections.backends.keys import Content, Key
from persistent_collections.collections.formers import DeclaredStore
from persistent_collections.collections.ids import unquote_id
from persistent_collections.migrating.moves import both, child_content, field_value
from persistent_collections.migrating.values import converted, may_hold_former, naming, renewed
from persistent_collections.records.core import BoundField, BoundFields, RecordCore
from persistent_collections.records.record import Record

Fields: TypeAlias = Mapping[str, bytes | None]


class Stored(NamedTuple):
    """What was read of a record.

    Attributes:
        fields: The content under the names of a plan.
        children: The names of the children that exist, of those that :meth:`Plan.asked` returns.
    """

    fields: Fields
    children: Collection[str] = ()


class Step(NamedTuple):
    """Something to be done as one step, if conditions hold."""

    conditions: Sequence[Condition]
    changes: Sequence[Change]


class Plan:
    """The changes to the records of one class in one store.

    Args:
        cls: The class.
        backend: The store.
        fill: Whether to store the defaults of fields that are not set.

    Attributes:
        names: The fields to read of a record: names in the store.
        moved: The fields that an older class may have stored as children, by their names then.
    """

    def __init__(self, cls: type[Record], backend: Backend, *, fill: bool) -> None:
        info = cls.__pc__
        self._cls = cls
        self._backend = backend
        self._bound: BoundFields = info.bound_fields(backend)
        self._fill = fill
        self._declared = info.declared(backend)
        self._children = {field.stored: field for field in info.schema().fields.values() if field.child}
        self._fields = [each for each in self._bound.fields.values() if self._may_change(each)]
        self.names = list(dict.fromkeys(self._needed()))
        self.moved = {name: each for each in self._bound.fields.values() for name in self.names_of(each)}

    def _may_change(self, bound: BoundField) -> bool:
        field = bound.field
        return bool(field.former) or may_hold_former(field.declared) or self._fills(bound)

    def _fills(self, bound: BoundField) -> bool:
        return self._fill and (bound.default is not None or bound.field.factory is not None)

    def _needed(self) -> Iterator[str]:
        for bound in self._fields:
            yield from self.names_of(bound)
        indexed = self._bound.indexed
        for name in indexed.fields if indexed and self._fields else ():
            yield from self._names_of(name)
        yield from self._children

    def names_of(self, bound: BoundField) -> list[str]:
        """Return the names that a field has and had in the store."""
        return self._names_of(bound.field.stored)

    def _names_of(self, stored: str) -> list[str]:
        return [stored, *(former.name for former in self._bound.formers.get(stored, ()))]

    def step(self, key: Key, stored: Stored) -> Step | None:
        """Return the step for a record, None if it needs no change.

        Args:
            key: The key of the record.
            stored: What was read of it.

        Raises:
            DecodeError: A value cannot be read, or converted.
            SchemaChangedError: A field has become a child, and both are stored.
        """
        items, known, absent = self._in_fields(key, stored)
        changes: list[Change] = list(self._to_children(key, stored))
        children = [change.key for change in changes]
        items |= dict.fromkeys(str(child.child) for child in children)
        known |= {str(child.child): stored.fields[str(child.child)] for child in children}
        for also_known, entries in self._entries(key, stored.fields, items):
            known |= also_known
            changes.append(entries)
        conditions: list[Condition] = [
            Exists(key),
            FieldsAre(key, known),
            *(Exists(child, expected=False) for child in (*children, *absent)),
        ]
        return Step(conditions, [SetFields(key, items, is_record=True), *changes]) if items else None

    def asked(self, fields: Fields) -> list[str]:
        """Return the children whose existence matters to a record with these fields.

        A stored field may become such a child, or the child an unset field, which must get no default then.
        """
        moved = [name for name in self._children if fields[name] is not None]
        filled = [self.names_of(each) for each in self._fields if self._fills(each)]
        unset = [names for names in filled if all(fields[name] is None for name in names)]
        return [*moved, *chain.from_iterable(unset)]

    def _in_fields(
        self, key: Key, stored: Stored
    ) -> tuple[dict[str, bytes | None], dict[str, bytes | None], list[Key]]:
        """Return the fields that change, the content that this depends on, and the children that must not exist."""
        core: RecordCore = self._record(key).__pc__
        items, known, absent = dict[str, bytes | None](), dict[str, bytes | None](), list[Key]()
        for bound in self._fields:
            names = self.names_of(bound)
            before = {name: stored.fields[name] for name in names}
            after = {**dict.fromkeys(names), bound.field.stored: self._becomes(core, bound, before, stored.children)}
            if after != before:
                items |= after
                known |= before
                if not any(data is not None for data in before.values()):
                    absent += [Key(key.root, name) for name in names]
        return items, known, absent

    def step_of_child(self, key: Key, content: Content) -> Step:
        """Return the step for a child that has become a field; see ``moved``.

        Raises:
            SchemaChangedError: The field's type has no values that a child could have held.
            DecodeError: The child's content is not of the type that the field declares.
        """
        bound = self.moved[str(key.child)]
        former = next((each for each in bound.field.former if each.field.stored == key.child), None)
        was = former.field if former else bound.field
        with naming("child ", key, self._backend):
            value = field_value(self._record(key.owner), was, content, self._backend)
            data = bound.encode(converted(former.mark, value) if former else value)
        return Step(
            [Exists(key.owner), FieldsAre(key.owner, dict.fromkeys(self.names_of(bound))), ContentIs(key, content)],
            [SetFields(key.owner, {bound.field.stored: data}, is_record=True), Delete(key)],
        )

    def _becomes(self, core: RecordCore, bound: BoundField, before: Fields, children: Collection[str]) -> bytes | None:
        """Return the new stored form of a field whose content under all its names is ``before``.

        It gets no default if one of ``children`` has its name: that child becomes the field.
        """
        name = bound.field.stored
        data = before[name]
        if isinstance(self._declared, DeclaredStore):
            [data] = self._declared.values(core.key, [name], list(before.values()))
        if data is None:
            return core.made(bound) if self._fill and before.keys().isdisjoint(children) else None
        if not may_hold_former(bound.field.declared):
            return data
        with naming(f"field {bound.field.name!r} of ", core.key, self._backend):
            return renewed(bound.codec, data)

    def _to_children(self, key: Key, stored: Stored) -> Iterator[Replace]:
        """Yield the changes that turn fields into the children that now replace them."""
        for name, field in self._children.items():
            data = stored.fields[name]
            if data is not None:
                if name in stored.children:
                    raise both(key, name)
                child = self._record(key)[field.name].__pc__
                with naming(f"field {name!r} of ", key, self._backend):
                    yield Replace(child.key, child_content(child, field, data, self._backend))

    def _entries(self, key: Key, stored: Fields, items: Fields) -> Iterator[tuple[Fields, SetEntries]]:
        """Yield a record's index entries once it has ``items``, with the stored content that they depend on."""
        indexed = self._bound.indexed
        if indexed is None or self._backend.indexing != "indexes" or not indexed.touches(items):
            return
        indexes = [index for index in indexed.kept if not items.keys().isdisjoint(index.fields)]
        known = {name: stored[name] for index in indexes for field in index.fields for name in self._names_of(field)}
        becoming = {**known, **items}  # fields that had other names are among the items
        yield known, SetEntries(key, indexed.indexing, indexed.entries(indexes, becoming), {}, anyway=True)

    def _record(self, key: Key) -> Any:
        return self._cls.__pc__.make(unquote_id(key.root.partition(":")[2]) or "", self._backend)

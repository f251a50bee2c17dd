"""Writes of several fields and children of a record in one step, and the creation of records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec

from persistent_collections.backends.changes import Change, Condition, Exists, FieldsAre, Make, Replace, SetFields
from persistent_collections.backends.keys import Key
from persistent_collections.collections.base import CollectionCore
from persistent_collections.collections.retrying import attempts
from persistent_collections.errors import EncodeError, NotUnique, ObjectExists, ObjectNotFound
from persistent_collections.records.core import Bound, BoundField, RecordCore, initial
from persistent_collections.records.referring import delete as delete_referred
from persistent_collections.records.referring import referring_to
from persistent_collections.records.schema import Password
from persistent_collections.transactions.current import active
from persistent_collections.transactions.overlay import Overlay

Apply: TypeAlias = Callable[[Sequence[Condition]], bool]


class Encoded(msgspec.Struct, frozen=True):
    """The stored form of the values of a call, all checked and encoded.

    Attributes:
        items: The bytes of fields by their names in the store, None for a field stored as unset.
        children: The changes that replace children.
    """

    items: dict[str, bytes | None]
    children: list[Replace]

    @property
    def replaced(self) -> list[Key]:
        """The keys of the children."""
        return [change.key for change in self.children]


def update(record: Any, values: Mapping[str, Any], ttl_s: float | None = None) -> None:
    """Set fields and children of a record that exists, in one step or not at all.

    A bare handle makes the record, as :func:`upsert` does.

    Raises:
        ObjectNotFound: It does not exist; nothing was written.
    """
    core: RecordCore = record.__pc__
    bound: Bound = core.now()
    encoded = encode(record, bound, values)
    if core.is_bare and (encoded.items or encoded.children or ttl_s is not None):
        _put(core, bound, encoded, ttl_s)
    elif encoded.children or ttl_s is not None:
        core.wrote_family()
        core.commit(bound, _changes(core, encoded, ttl_s), encoded.replaced, encoded.items, exists=True)
    elif encoded.items:
        core.wrote()
        bound.store.set_many(encoded.items)


def update_if(record: Any, expected: Mapping[str, Any], values: Mapping[str, Any], ttl_s: float | None) -> bool:
    """Set fields and children if the record exists and reads as ``expected``; return whether it did."""
    core: RecordCore = record.__pc__
    bound: Bound = core.now()
    encoded = encode(record, bound, values)
    core.wrote_family()
    return commit_if(record, expected, _changes(core, encoded, ttl_s), encoded)


def delete(record: Any) -> bool:
    """Delete the record if it exists, and treat the records that refer to it by the policies of their fields."""
    core: RecordCore = record.__pc__
    referring = referring_to(core.info)
    return delete_referred(core, active(core.choice), referring, [Exists(core.key)]) if referring else core.delete()


def delete_if(record: Any, expected: Mapping[str, Any]) -> bool:
    """Delete the record if it exists and reads as ``expected``; return whether it did."""
    core: RecordCore = record.__pc__
    core.wrote_family()
    referring = referring_to(core.info)
    backend = core.now().backend

    def apply(conditions: Sequence[Condition]) -> bool:
        return delete_referred(core, backend, referring, conditions)

    return commit_if(record, expected, [core.deletion(backend)], Encoded({}, []), apply if referring else None)


def commit_if(
    record: Any,
    expected: Mapping[str, Any],
    changes: Sequence[Change],
    encoded: Encoded,
    apply: Apply | None = None,
) -> bool:
    """Make ``changes`` if the record exists and its fields equal ``expected``; return whether they do.

    The store compares bytes. If they differ, the values may still be equal: an unset field reads as its default, and
    equal values may have several stored forms. Then the fields are read and compared with ``==``, and the step is made
    if they still hold the bytes that were read.

    Args:
        record: The record.
        expected: Values of fields.
        changes: The changes.
        encoded: The values that they store.
        apply: Replaces the plain commit of the changes; returns whether the conditions held.

    Raises:
        SchemaChangedError: The record has a field with the name of a child to write; nothing was written.
        ConflictError: The fields stayed equal but their bytes kept changing.
    """
    core: RecordCore = record.__pc__
    bound: Bound = core.now()
    _refuse_passwords(core, expected)
    condition = encode(record, bound, expected, only_values=True).items
    children, items = encoded.replaced, encoded.items
    no_fields = core.no_fields(children)
    make: Apply = apply or (lambda conditions: core.apply(bound, conditions, changes, items))
    if make([*_conditions(core, condition), *no_fields]):
        return True
    if children:
        core.refuse_fields(bound.backend, children)
    fields = [bound.fields[name] for name in expected]
    wanted = _decoded(core, fields, list(condition.values()))
    for _ in attempts(str(core)):
        data = core.examined(bound, list(condition))
        if data is None or _decoded(core, fields, data) != wanted:
            return False
        if make([*_conditions(core, dict(zip(condition, data, strict=True))), *no_fields]):
            return True
    raise AssertionError("attempts() ends by raising")


def _decoded(core: RecordCore, fields: Sequence[BoundField], data: Sequence[bytes | None]) -> list[Any]:
    return [core.decoded(field, each) for field, each in zip(fields, data, strict=True)]


def _refuse_passwords(core: RecordCore, expected: Mapping[str, Any]) -> None:
    for name, value in expected.items():
        if core.field(name).declared is Password and isinstance(value, str):
            raise TypeError(
                f"{name!r} of {str(core)!r}: a password is not compared with a text; call {name}.verify(text), and "
                "expect the hash that you read"
            )


def _conditions(core: RecordCore, items: Mapping[str, bytes | None]) -> list[Condition]:
    return [Exists(core.key), FieldsAre(core.key, items)] if items else [Exists(core.key)]


def upsert(record: Any, values: Mapping[str, Any], ttl_s: float | None) -> None:
    """Set fields and children in one step; make the record, with its defaults, if it does not exist."""
    core: RecordCore = record.__pc__
    bound = core.unopened()
    _put(core, bound, encode(record, bound, values), ttl_s)


def _put(core: RecordCore, bound: Bound, encoded: Encoded, ttl_s: float | None) -> None:
    core.wrote_family()
    held = initial(core, bound.fields, encoded.items)
    changes = [Make(core.key, held, core.children_keys()), *_changes(core, encoded, ttl_s)]
    core.commit(bound, changes, encoded.replaced, encoded.items, initial=held)


def create(record: Any, values: Mapping[str, Any], ttl_s: float | None, *, drawn: bool) -> None:
    """Store a record that does not exist yet; the store decides that.

    Args:
        record: The record.
        values: Its values.
        ttl_s: Seconds until it vanishes, if it does.
        drawn: Whether its id was drawn at random.

    Raises:
        ObjectExists: It exists already; nothing was written.
        TypeError: A field without a default that is not optional is missing.
    """
    core: RecordCore = record.__pc__
    bound = core.unopened()
    encoded = encode(record, bound, values)
    fields = core.info.schema().fields
    if len(values) < len(fields) and (
        missing := [name for name, field in fields.items() if name not in values and field.required]
    ):
        names = ", ".join(f"{name}=…" for name in missing)
        raise TypeError(
            f"{core.info.cls.__name__}.create() is missing {', '.join(map(repr, missing))}: give {names}, or declare a "
            "default or '| None'"
        )
    if drawn and isinstance(bound.backend, Overlay):
        bound.backend.presume_absent(core.key)
    _make(core, bound, encoded, ttl_s)


def make(record: Any, values: Mapping[str, Any], ttl_s: float | None) -> None:
    """Store a record that does not exist yet, even if it lacks fields that ``create`` needs.

    Raises:
        ObjectExists: It exists already; nothing was written.
    """
    core: RecordCore = record.__pc__
    bound = core.unopened()
    _make(core, bound, encode(record, bound, values), ttl_s)


def _make(core: RecordCore, bound: Bound, encoded: Encoded, ttl_s: float | None) -> None:
    core.wrote_family()
    held = initial(core, bound.fields, encoded.items)
    changes = [Make(core.key, held, core.children_keys()), *_others(core, encoded, ttl_s)]
    if not core.apply(bound, [Exists(core.key, expected=False)], changes, {}, held):
        raise ObjectExists(f"{str(core)!r} exists already; load it, or choose another id")


def change_or_make(
    record: Any, name: str, change: Callable[[Any], Any], function: Callable[[Any], Any], ttl_s: float | None = None
) -> Any:
    """Return the result of ``change`` for an ordinary handle of a record; if the record doesn't exist, create it.

    Args:
        record: A bare handle.
        name: The name of the field to change.
        change: Changes it by a handle that doesn't create records.
        function: Returns the value of the field in a new record, from its default.
        ttl_s: Seconds until a new record vanishes, if it does.

    Raises:
        ConflictError: Others kept creating and deleting the record.
    """
    core: RecordCore = record.__pc__
    ordinary = core.info.make(core.id, core.choice)
    _, bound_field = core.value_field(name)
    for _ in attempts(f"{name!r} of {core}"):
        with suppress(ObjectNotFound):
            return change(ordinary)
        value = function(core.decoded(bound_field, core.made(bound_field)))
        try:
            make(record, {name: value}, ttl_s)
        except NotUnique:
            raise
        except ObjectExists:
            continue
        return value
    raise AssertionError("attempts() ends by raising")


def encode(record: Any, bound: Bound, values: Mapping[str, Any], *, only_values: bool = False) -> Encoded:
    """Return the stored form of ``values``.

    Args:
        record: The record.
        bound: The state the handle is bound to.
        values: The values by field.
        only_values: Whether child collections are refused.

    Raises:
        UnknownFieldError: A field is not declared.
        EncodeError: A value is not of the declared type.
        TypeError: A child is refused.
    """
    core: RecordCore = record.__pc__
    fields = core.info.schema().fields
    encoded = Encoded({}, [])
    if not values.keys() <= fields.keys():
        raise core.unknown(next(name for name in values if name not in fields))
    for name, value in values.items():
        field = fields[name]
        if field.child and not only_values:
            collection = core.child_to_replace(record, field, field.child).__pc__
            if not collection.is_same(value):
                encoded.children.append(_replaced(core, collection, name, bound, value))
            continue
        try:
            bound_field = bound.fields.get(name) or core.value_field(name)[1]  # which refuses a child
            encoded.items[field.stored] = bound_field.encode(value)
        except EncodeError as error:
            raise core.located(name, error) from error
    return encoded


def _replaced(core: RecordCore, child: CollectionCore, name: str, bound: Bound, value: Any) -> Replace:
    try:
        return Replace(child.key, child.whole(bound.backend, value))
    except EncodeError:
        raise  # it names the child
    except TypeError as error:
        raise core.located(name, error) from error


def _changes(core: RecordCore, encoded: Encoded, ttl_s: float | None) -> list[Change]:
    """Return the changes that store the encoded values, and set a deadline if one is passed."""
    fields = [SetFields(core.key, encoded.items, is_record=True)] if encoded.items else []
    return [*fields, *_others(core, encoded, ttl_s)]


def _others(core: RecordCore, encoded: Encoded, ttl_s: float | None) -> list[Change]:
    """Return what :func:`_changes` does, without the fields.

    The deadlines come before the children, which inherit their record's deadline when they are created.
    """
    return [*([] if ttl_s is None else core.deadlines(ttl_s)), *encoded.children]

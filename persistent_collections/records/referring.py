"""The treatment of records that refer to a deleted record."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from persistent_collections import classes
from persistent_collections.annotations import parts
from persistent_collections.backends.base import Backend
from persistent_collections.backends.building import mark_new
from persistent_collections.backends.changes import Condition, HeldBy
from persistent_collections.backends.indexes import IndexUnbuiltError
from persistent_collections.backends.keys import Key
from persistent_collections.collections.core import RESERVED
from persistent_collections.collections.retrying import attempts
from persistent_collections.errors import StillReferenced, TransactionError
from persistent_collections.marks import Policy
from persistent_collections.records.core import RecordCore, RecordInfo
from persistent_collections.records.finding import find
from persistent_collections.records.indexing import Indexed
from persistent_collections.records.schema import Field
from persistent_collections.transactions.overlay import Overlay


class Referring(msgspec.Struct, frozen=True):
    """A field that refers to records of a class and has a policy for their deletion.

    Attributes:
        info: The class that has it.
        field: Its name.
        policy: The deletion policy.
    """

    info: RecordInfo
    field: str
    policy: Policy

    def condition(self, backend: Backend, target: Any) -> tuple[Indexed, HeldBy]:
        """Return the indexes of the class, and the condition that no record of it refers to ``target``."""
        fields, _, indexed, _ = self.info.bound_fields(backend)
        assert indexed is not None, "the field is indexed"  # noqa: S101 - for type checkers
        data = fields[self.field].encode(target)
        assert data is not None, "it is a reference"  # noqa: S101 - for type checkers
        stored = fields[self.field].field.stored
        index = next(index for index in indexed.indexing.indexes if index.fields == (stored,))
        entry = indexed.key_of(index, [data]).key
        return indexed, HeldBy(Key(indexed.indexing.prefix), indexed.indexing, index.name, entry, (data,))

    def found(self, backend: Backend, target: Any) -> Any:
        """Return the query for the records that refer to ``target``."""
        return find(self.info, {self.field: target}, backend)


def referring_to(info: RecordInfo) -> list[Referring]:
    """Return the fields of all known classes that refer to records of a class and have a deletion policy."""
    return [
        Referring(other, field.name, field.policy)
        for other in (getattr(cls, RESERVED, None) for cls in classes.every().values())
        if isinstance(other, RecordInfo)
        for field in _with_policies(other)
        if field.policy and issubclass(info.cls, parts(field.declared)[0])
    ]


def _with_policies(info: RecordInfo) -> list[Field]:
    """Return the fields of a class with a deletion policy; a class without one is examined only once."""
    if info.has_policies is False:
        return []
    with suppress(NameError):  # an incomplete class has no records
        found = [field for field in info.schema().fields.values() if field.policy]
        info.has_policies = bool(found)
        return found
    return []


def delete(core: RecordCore, backend: Backend, fields: Sequence[Referring], conditions: Sequence[Condition]) -> bool:
    """Delete a record to which others may refer, if it exists and ``conditions`` hold; return whether it did.

    Referring records to delete or clear come first, each in its own step.

    Raises:
        StillReferenced: Other records refer to it and prevent the deletion; it was not deleted.
        TransactionError: It is in a transaction, which would not notice a record that refers to it from now on.
    """
    if isinstance(backend, Overlay):
        names = " and ".join(f"{each.info.cls.__name__}.{each.field}" for each in fields)
        raise TransactionError(
            f"{str(core)!r} cannot be deleted in a transaction, since {names} may refer to it, with on_delete; delete "
            "it before the transaction begins, or by on_commit"
        )
    target = core.info.make(core.id, core.choice)
    for _ in attempts(str(core)):
        if not core.info.declared(backend).commit(conditions, []):
            return False
        _require_unreferenced(core, backend, target, [each for each in fields if each.policy == "restrict"])
        for each in fields:
            _release(each, backend, target)
        if _commit(core, backend, target, fields, conditions):
            return True
    raise AssertionError("attempts() ends by raising")


def _commit(
    core: RecordCore, backend: Backend, target: Any, fields: Sequence[Referring], conditions: Sequence[Condition]
) -> bool:
    store: Backend = core.info.declared(backend)
    if backend.indexing == "none" or not backend.several_roots:  # checked before, acts now
        return store.commit(conditions, [core.deletion(backend)])
    unreferenced = [each.condition(backend, target) for each in fields]
    held = [condition for _, condition in unreferenced]
    try:
        return store.commit([*conditions, *held], [core.deletion(backend)])
    except IndexUnbuiltError as error:
        for indexed, condition in unreferenced:
            if condition.index in error.names and not mark_new(backend, indexed.indexing, [condition.index]):
                raise
    return False


def _require_unreferenced(core: RecordCore, backend: Backend, target: Any, fields: Sequence[Referring]) -> None:
    for each in fields:
        other = each.found(backend, target).first()
        if other is not None:
            raise StillReferenced(
                f"{str(core)!r} is the {each.field} of {other.key!r}, and maybe of others; nothing was deleted"
            )


def _release(each: Referring, backend: Backend, target: Any) -> None:
    """Delete the records that refer to ``target``, or clear their field, as the policy says."""
    if each.policy == "restrict":
        return
    for other in each.found(backend, target):
        if each.policy == "cascade":
            other.delete()
        else:
            other.update_if({each.field: target}, **{each.field: None})

"""The treatment of records that refer to a deleted record."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from persistent_collections import classes
from persistent_collections.annotations import parts
from persistent_collections.backends.base import Backend
from persistent_collections.backends.building import mark_new
from persistent_collections.backends.changes import Condition, Exists, HeldBy
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

    def condition(self, backend: Backend, target: Any, holder: Key | None = None) -> tuple[Indexed, HeldBy]:
        """Return the indexes of the class, and the condition that only ``holder``, if any, refers to ``target``."""
        fields, _, indexed, _ = self.info.bound_fields(backend)
        assert indexed is not None, "the field is indexed"  # noqa: S101 - for type checkers
        data = fields[self.field].encode(target)
        assert data is not None, "it is a reference"  # noqa: S101 - for type checkers
        stored = fields[self.field].field.stored
        index = next(index for index in indexed.indexing.indexes if index.fields == (stored,))
        entry = indexed.key_of(index, [data]).key
        return indexed, HeldBy(holder or Key(indexed.indexing.prefix), indexed.indexing, index.name, entry, (data,))

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

    Referring records to delete or clear come first, each in its own step. References may form chains of any length, and
    cycles: those of records whose deletion has begun don't count.

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
    first = _Deletion(core, backend, fields, conditions, {core.key})
    begun = [first]
    while begun:
        last = begun[-1]
        other = next(last.steps, None)
        if other is None:
            begun.pop()
            last.begun.discard(last.core.key)
        elif referring := referring_to(other.__pc__.info):
            last.begun.add(other.__pc__.key)
            begun.append(_Deletion(other.__pc__, backend, referring, [Exists(other.__pc__.key)], last.begun))
        else:
            other.delete()
    return first.is_done


class _Deletion:
    """The deletion of one record to which others may refer.

    Attributes:
        begun: The keys of the records whose deletion has begun and not ended, this one too.
        steps: Makes it, and yields the records to delete before.
        is_done: Whether the record was deleted.
    """

    def __init__(
        self,
        core: RecordCore,
        backend: Backend,
        fields: Sequence[Referring],
        conditions: Sequence[Condition],
        begun: set[Key],
    ) -> None:
        self.core = core
        self.begun = begun
        self.steps = self._steps()
        self.is_done = False
        self._backend = backend
        self._fields = sorted(fields, key=lambda each: each.policy != "restrict")
        self._conditions = conditions
        self._target = core.info.make(core.id, core.choice)

    def _steps(self) -> Iterator[Any]:
        for _ in attempts(str(self.core)):
            if not self._store.commit(self._conditions, []):
                return
            held: list[tuple[Referring, list[Key]]] = []
            for each in self._fields:
                keys = self._restricted(each) if each.policy == "restrict" else (yield from self._release(each))
                held.append((each, keys))
            if self._commit(held):
                self.is_done = True
                return

    @property
    def _store(self) -> Backend:
        store: Backend = self.core.info.declared(self._backend)
        return store

    def _restricted(self, each: Referring) -> list[Key]:
        """Return the key of this record if it refers to itself; raise ``StillReferenced`` if others refer to it."""
        keys = [other.__pc__.key for other in each.found(self._backend, self._target).limit(2)]
        for key in keys:
            if key != self.core.key:
                raise StillReferenced(
                    f"{str(self.core)!r} is the {each.field} of {str(key)!r}, and maybe of others; nothing was deleted"
                )
        return keys

    def _release(self, each: Referring) -> Generator[Any, None, list[Key]]:
        """Clear the field of records that refer to this one, or yield them, as the policy says.

        Returns:
            The keys of records that go on referring to this one, since their deletion has begun.
        """
        held: list[Key] = []
        for other in each.found(self._backend, self._target):
            if other.__pc__.key in self.begun:
                held.append(other.__pc__.key)
            elif each.policy == "cascade":
                yield other
            else:
                other.update_if({each.field: self._target}, **{each.field: None})
        return held

    def _commit(self, held: Sequence[tuple[Referring, Sequence[Key]]]) -> bool:
        """Delete the record if no records refer to it except those that ``held`` names; return whether it did.

        A condition can except one record. So of a field by which several refer to it, it was only checked before.
        """
        backend, changes = self._backend, [self.core.deletion(self._backend)]
        if backend.indexing == "none" or not backend.several_roots:  # checked before, acts now
            return self._store.commit(self._conditions, changes)
        unreferenced = [each.condition(backend, self._target, *keys) for each, keys in held if not keys[1:]]
        conditions = [condition for _, condition in unreferenced]
        try:
            return self._store.commit([*self._conditions, *conditions], changes)
        except IndexUnbuiltError as error:
            for indexed, condition in unreferenced:
                if condition.index in error.names and not mark_new(backend, indexed.indexing, [condition.index]):
                    raise
        return False

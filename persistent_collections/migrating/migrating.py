"""The public function :func:`migrate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from persistent_collections import classes
from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.collections.base import PersistentCollection
from persistent_collections.collections.fetching import OnError
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.config import BackendSource, choose
from persistent_collections.errors import PersistentCollectionsError
from persistent_collections.migrating.migrator import CollectionMigrator, Outcome, RecordMigrator
from persistent_collections.moving.receiving import Progress
from persistent_collections.records.record import Record
from persistent_collections.transactions.current import active

Subject: TypeAlias = type[PersistentObject] | PersistentCollection
"""A class, or a dict, list or set."""
Migrator: TypeAlias = RecordMigrator | CollectionMigrator


@dataclass(frozen=True, slots=True)
class Migrated:
    """The result of a migration; children are counted separately.

    ::

        done = migrate(backend="memory:")
        assert (done.examined, done.changed) == (0, 0)

    Attributes:
        examined: Records and collections that were looked at.
        changed: Objects that were changed, or in a dry run would be.
        unread: Objects left unchanged, since a value can't be read or converted.
        left: Objects that had to be changed again when all were read once more: old code is still writing.
    """

    examined: int = 0
    changed: int = 0
    unread: int = 0
    left: int = 0


def migrate(
    *what: Subject,
    backend: BackendSource | None = None,
    dry_run: bool = False,
    fill: bool = False,
    progress: Progress | None = None,
    on_error: OnError | None = None,
) -> Migrated:
    """Store values as their classes declare them now, so that marks such as ``formerly`` are not needed any more.

    ::

        from typing import Annotated
        from persistent_collections import formerly, migrate

        class Pilot(Record):
            name: Annotated[str, formerly("fullname")]

        assert migrate(Pilot).left == 0

    Fields under former names are converted, in records and in stored dataclasses and the like. If a field is now
    declared as a child, its list, set or dict becomes that child; a child that is now declared as a field becomes that
    field. A value that needs no change is not written: a field that you removed from a stored dataclass stays until
    something else changes the value.

    Old and new code may run meanwhile. Each record and each page of a collection is one step, made only if its bytes
    did not change since they were read. Call it again after an interrupt, or if ``left`` is not 0; it keeps no state.
    If another record has the same value in a unique index, the record stays as it is, and a ``NotUnique`` is reported.

    Cost: everything is read twice, with 1 round trip per 1,000 records, and 1 more if defaults are stored or a field
    has become a child. Each record that changes costs 1 round trip, except that SQLite changes 200 in one transaction,
    and Redis 100 in one round trip if their class has no indexes. Each item of a list that changes costs 1.

    Args:
        what: Classes whose objects to migrate, and single dicts, lists and sets that no class of yours declares. By
            default all classes of yours that have been imported.
        backend: The store: a configured name, a URL or a backend; by default the store of each class.
        dry_run: Change nothing, and count what would change.
        fill: Store defaults, also from a ``default_factory``, in fields that are not set.
        progress: Called after each record or collection with the number of them so far and the key.
        on_error: Called with the error of each object that cannot be read or converted. Without it, the error is
            raised, and earlier changes stay.

    Raises:
        DecodeError: A value cannot be read, or a conversion raises; the message names the place.
        TypeError: You pass something other than classes and collections.
        TransactionError: It is called in a transaction, which cannot list records.
    """
    subjects = [*(what or known())]
    examined = changed = unread = left = 0
    for examined, (key, outcome) in enumerate(_each(subjects, backend, fill=fill, dry_run=dry_run), 1):
        changed += outcome is True
        if isinstance(outcome, PersistentCollectionsError):
            unread += 1
            _report(outcome, on_error)
        if progress:
            progress(examined, str(key))
    if changed and not dry_run:
        left = sum(outcome is True for _, outcome in _each(subjects, backend, fill=fill, dry_run=True))
    return Migrated(examined, changed, unread, left)


def _each(
    subjects: Sequence[Subject], source: BackendSource | None, *, fill: bool, dry_run: bool
) -> Iterator[tuple[Key, Outcome]]:
    for migrator in [_migrator(subject, source, fill=fill) for subject in subjects]:
        yield from migrator.each(dry_run=dry_run)


def _report(error: PersistentCollectionsError, on_error: OnError | None) -> None:
    if on_error is None:
        raise error
    on_error(error)


def known() -> Iterator[type[PersistentObject]]:
    """Yield the classes of users that are complete."""
    for cls in classes.every().values():
        if not _is_ours(cls):
            with suppress(NameError):  # of a class that uses an undefined name
                _ = cls.__pc__.schema() if issubclass(cls, Record) else None
                yield cls


def _is_ours(cls: type[PersistentObject]) -> bool:
    unbound: type[Any] = cls.__pc__.unbound
    return unbound.__module__.startswith("persistent_collections.")


def _migrator(subject: Any, source: BackendSource | None, *, fill: bool) -> Migrator:
    if isinstance(subject, PersistentCollection):
        core = subject.__pc__
        return CollectionMigrator(core, iter([core.key]), active(choose(source) or core.choice))
    if not (isinstance(subject, type) and issubclass(subject, PersistentObject)):
        raise TypeError(f"migrate() takes classes, and dicts, lists and sets, not a {type(subject).__name__}")
    store = active(choose(source) or subject.__pc__.choice)
    if issubclass(subject, Record):
        return RecordMigrator(subject, store, fill=fill)
    if _is_ours(subject):
        raise TypeError(
            f"migrate() cannot know which objects of {subject.__name__} hold values of one type; pass these objects"
        )
    return CollectionMigrator(subject.ref("any", backend=store).__pc__, _keys(subject, store), store)


def _keys(cls: type[PersistentObject], backend: Backend) -> Iterator[Key]:
    return (cls.ref(name).__pc__.key for name in cls.__pc__.ids(backend))

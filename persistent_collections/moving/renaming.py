"""Renames a stored object in one step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import (
    Change,
    Condition,
    ContentIs,
    Delete,
    Exists,
    Make,
    Replace,
    SetDeadline,
)
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.catalogue import Known
from persistent_collections.collections.formers import DeclaredStore
from persistent_collections.collections.ids import unquote_id
from persistent_collections.collections.retrying import attempts
from persistent_collections.errors import (
    ConfigurationError,
    ObjectExists,
    ObjectNotFound,
    StillReferenced,
    TransactionError,
)
from persistent_collections.moving.objects import left_s
from persistent_collections.records.indexing import indexed_in
from persistent_collections.records.record import Record
from persistent_collections.records.referring import referring_to
from persistent_collections.remedies import ImportModule


def rename(backend: Backend, old: Key, new: Key, known: Known) -> None:
    """Move an object to another key of its type, with children, deadlines and index entries, in one step.

    Args:
        backend: The store.
        old: The key of the object.
        new: The other key.
        known: The classes that are known.

    Raises:
        ObjectNotFound: No object is stored under ``old``.
        ObjectExists: Something is stored under ``new``.
        StillReferenced: A record refers to it by a field with ``on_delete``.
        ConfigurationError: Its class has indexes and is not known.
        TransactionError: The store doesn't support a step over two objects.
    """
    if not backend.several_roots:
        raise TransactionError(
            f"{backend.url} changes one object per step, so it cannot rename {str(old)!r} in one; "
            f"store a copy as {str(new)!r}, check it, and delete {str(old)!r}"
        )
    cls = known.class_of(old.root)
    move = _record(cls, backend, old, new) if cls and issubclass(cls, Record) else _other(backend, old)
    for _ in attempts(str(old)):
        held = _held(backend, old, known)
        if not held.get(old):
            raise ObjectNotFound(f"{str(old)!r} does not exist in {backend.url}")
        if any(_held(backend, new, known).values()):
            raise ObjectExists(f"{str(new)!r} exists already; delete it first, or choose another id")
        if move(_conditions(held, new), {_under(new, key): entry for key, entry in held.items() if entry}):
            return


def _conditions(held: Mapping[Key, Entry | None], new: Key) -> list[Condition]:
    """Return the conditions that an object is unchanged since it was read, and that the new key is unused."""
    same = (ContentIs(key, entry.content if entry else {}) for key, entry in held.items())
    return [*same, *(Exists(_under(new, key), expected=False) for key in held)]


def _under(new: Key, key: Key) -> Key:
    """Return the new key of ``key``."""
    return Key(new.root, key.child)


Move = Callable[[Sequence[Condition], Mapping[Key, Entry]], bool]
"""Stores the content under the new keys, and deletes the old ones, if conditions hold; returns whether they did."""


def _held(backend: Backend, key: Key, known: Known) -> dict[Key, Entry | None]:
    """Return the content of each key of an object, all at one moment."""
    stored = (found for found in backend.keys(key.root) if found.root == key.root)
    keys = list(dict.fromkeys([*known.family(key.root), *stored]))
    return dict(zip(keys, backend.snapshot(keys), strict=True))


def _record(cls: type[Record], backend: Backend, old: Key, new: Key) -> Move:
    """Return how a record of a known class moves.

    Raises:
        StillReferenced: Another refers to it by a field with ``on_delete``.
    """
    info = cls.__pc__
    target, becomes = (info.make(unquote_id(key.root.partition(":")[2]) or "", backend) for key in (old, new))
    former, core = target.__pc__, becomes.__pc__
    referring = referring_to(info)
    for each in referring:
        if (other := each.found(backend, target).first()) is not None:
            raise StillReferenced(
                f"{other.key!r} refers to {str(old)!r} in {each.field!r}, so it was not renamed; "
                "let that refer to another first"
            )
    unreferenced = [each.condition(backend, target)[1] for each in referring if backend.indexing != "none"]

    def move(conditions: Sequence[Condition], parts: Mapping[Key, Entry]) -> bool:
        fields = parts[new].content
        assert isinstance(fields, dict), "a record is a mapping"  # noqa: S101 - for type checkers
        children = {key: entry for key, entry in parts.items() if key != new}
        bound = core.now()
        if isinstance(bound.backend, DeclaredStore):
            fields = bound.backend.renamed(new, fields)
        changes = [former.deletion(backend), Make(new, fields, list(children)), *_deadline(new, parts[new])]
        made: bool = core.apply(bound, [*conditions, *unreferenced], [*changes, *_put(children)], {}, fields)
        return made

    return move


def _other(backend: Backend, old: Key) -> Move:
    """Return the mover for an object that is a collection, or of an unknown class.

    Raises:
        ConfigurationError: It may have index entries.
    """
    type_name = old.root.partition(":")[0]
    if backend.indexing == "indexes" and backend.index(indexed_in(backend, type_name, (), ()).indexing).states():
        raise ConfigurationError(f"{type_name} has indexes, whose entries move with {str(old)!r}").with_remedies(
            ImportModule("import the module that defines this class")
        )

    def move(conditions: Sequence[Condition], parts: Mapping[Key, Entry]) -> bool:
        children = [Key(old.root, key.child) for key in parts if key.child is not None]
        return backend.commit(conditions, [Delete(old, children), *_put(parts)])

    return move


def _put(parts: Mapping[Key, Entry]) -> list[Change]:
    return [change for key, entry in parts.items() for change in (Replace(key, entry.content), *_deadline(key, entry))]


def _deadline(key: Key, entry: Entry) -> list[Change]:
    return [] if entry.deadline is None else [SetDeadline(key, left_s(entry))]

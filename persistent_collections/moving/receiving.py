"""Puts whole objects into a store, each in one step, and reads them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from persistent_collections.backends.base import BATCH_BYTES, Backend
from persistent_collections.backends.changes import Change, Condition, Delete, Exists, Replace, SetDeadline
from persistent_collections.backends.indexes import Indexing
from persistent_collections.backends.keys import Key
from persistent_collections.catalogue import Known
from persistent_collections.errors import CorruptDataError, ObjectExists
from persistent_collections.moving.objects import StoredObject, families, is_same, left_s, read, wholes
from persistent_collections.records.indexing import indexed_in
from persistent_collections.records.record import Record
from persistent_collections.records.reindexing import indexed_of, reindex
from persistent_collections.remedies import Argument

OnConflict: TypeAlias = Literal["error", "skip", "replace"]
"""The treatment of an existing object that differs: raise ``ObjectExists``, keep it, or replace it."""

Progress: TypeAlias = Callable[[int, str], object]
"""The type of ``progress=``: called after each object with the number of objects done so far and its key."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The result for the objects of a source.

    ::

        from persistent_collections.moving import copy

        with connect("memory:") as here, connect("memory:") as there:
            PersistentDict("settings", {"theme": "dark"}, backend=here)
            copy(here, there, codec="json")
            assert copy(here, there, codec="json") == Moved(equal=1)

    Attributes:
        copied: How many did not exist in the target.
        replaced: How many existed, differed, and were replaced.
        skipped: How many existed, differed, and were kept.
        equal: How many existed already, with the same content and deadline.
        expired: How many had a deadline that had passed.
        foreign: How many keys, not objects, were skipped, since another program wrote them.
    """

    copied: int = 0
    replaced: int = 0
    skipped: int = 0
    equal: int = 0
    expired: int = 0
    foreign: int = 0


Outcome: TypeAlias = Literal["copied", "replaced", "skipped", "equal", "expired"]


class _Found(NamedTuple):
    """What a store holds of an object.

    Attributes:
        any: Whether it holds anything under the object's keys.
        same: Whether it holds exactly the object.
    """

    any: bool
    same: bool


class Receiver:
    """The store objects are put into.

    Args:
        backend: The store.
        known: Returns the children that an object may have.
        prefix: The start of the roots of all objects to receive.
        on_conflict: See :data:`OnConflict`.
    """

    def __init__(self, backend: Backend, known: Known, prefix: str, on_conflict: OnConflict) -> None:
        if on_conflict not in ("error", "skip", "replace"):
            raise ValueError(f"on_conflict is 'error', 'skip' or 'replace', not {on_conflict!r}")
        self._backend = backend
        self._known = known
        self._there = families(backend, prefix)
        self._on_conflict = on_conflict
        self._received: set[str] = set()

    def receive(self, objects: Iterable[StoredObject], progress: Progress | None) -> Moved:
        """Store every object and return the results.

        Indexes of their classes are not whole meanwhile. At the end, those of known classes are rebuilt.

        Raises:
            NotUnique: Two records have a value that has to be unique; all objects were put, and the index is not whole.
        """
        outcomes: Counter[str] = Counter()
        put = (each for batch in _batches(objects, self._backend.steps_at_once) for each in self._put_all(batch))
        for done, (root, outcome) in enumerate(put, 1):
            outcomes[outcome] += 1
            if progress:
                progress(done, root)
        for type_name in sorted(self._received):
            self._build_indexes(type_name)
        return Moved(**outcomes)

    def _note_types(self, objects: Iterable[StoredObject]) -> None:
        """Note the classes of some objects, in the store too: their indexes are being written."""
        for type_name in {stored.root.partition(":")[0] for stored in objects} - self._received:
            if self._backend.indexing == "indexes":
                self._mark(self._indexing(type_name))
            self._received.add(type_name)

    def _mark(self, indexing: Indexing) -> None:
        store = self._backend.index(indexing)
        names = {*store.states(), *(index.name for index in indexing.indexes)}
        if names:
            store.mark(sorted(names), whole=False)

    def _indexing(self, type_name: str) -> Indexing:
        """Return the indexes of a class; none for an unknown class, whose indexes are found by its name."""
        cls = self._known.class_of(f"{type_name}:")
        if cls and issubclass(cls, Record):
            return indexed_of(cls.__pc__, self._backend).indexing
        return indexed_in(self._backend, type_name, (), ()).indexing

    def _build_indexes(self, type_name: str) -> None:
        cls = self._known.class_of(f"{type_name}:")
        if cls and issubclass(cls, Record) and cls.__pc__.schema().groups and self._backend.indexing != "none":
            reindex(cls.__pc__, self._backend)

    def _put_all(self, batch: Sequence[StoredObject]) -> Iterator[tuple[str, Outcome]]:
        """Yield the result for each object, by root."""
        live: list[StoredObject] = []
        for each in batch:
            if (stored := _live(each)).parts:
                live.append(stored)
            else:
                yield each.root, "expired"
        self._note_types(live)
        listed = [stored for stored in live if stored.root in self._there]
        there = {root: found.same for root, found in self._found(listed) if found.any}
        made = self._put(live, there)
        kept = self._same(made)
        for stored in live:
            yield stored.root, self._outcome(stored, there.get(stored.root), kept.get(stored.root))

    def _same(self, objects: Sequence[StoredObject]) -> dict[str, bool]:
        """Return whether the store holds exactly each object, by root."""
        return {root: found.same for root, found in self._found(objects)}

    def _found(self, objects: Sequence[StoredObject]) -> Iterator[tuple[str, _Found]]:
        """Yield what the store holds of each object, by root."""
        families = list(map(self._family, objects))
        for stored, family, whole in zip(objects, families, wholes(self._backend, families), strict=True):
            entries = read(whole)
            same = is_same(entries, list(map(stored.parts.get, family)), self._backend.medium)
            yield stored.root, _Found(any(entries), same)

    def _family(self, stored: StoredObject) -> list[Key]:
        there = self._there.get(stored.root, ())
        return [*dict.fromkeys([*self._known.family(stored.root), *there, *stored.parts])]

    def _put(self, objects: Sequence[StoredObject], there: dict[str, bool]) -> list[StoredObject]:
        """Store objects as ``on_conflict`` requires, up to the first conflict that is an error; return the stored ones.

        Args:
            objects: The objects.
            there: Whether each existing object is the same, by root. Objects that others have stored meanwhile are
                added.
        """
        made: dict[str, StoredObject] = {}
        while tried := self._tried([stored for stored in objects if stored.root not in made], there):
            made |= {stored.root: stored for stored, was_put in tried if was_put}
            there |= self._same([stored for stored, was_put in tried if not was_put])
        return list(made.values())

    def _tried(self, objects: Sequence[StoredObject], there: Mapping[str, bool]) -> list[tuple[StoredObject, bool]]:
        """Return each object that it tried to store, and whether that succeeded: not if its key is in use by now."""
        wanted = list(self._wanted(objects, there))
        steps = [_step(self._family(stored), stored, is_new=stored.root not in there) for stored in wanted]
        done: list[bool] = []
        while len(done) < len(steps) and (all(done) or self._on_conflict != "error"):
            done += self._backend.commit_each(steps[len(done) :])
        return list(zip(wanted, done, strict=False))

    def _wanted(self, objects: Sequence[StoredObject], there: Mapping[str, bool]) -> Iterator[StoredObject]:
        for stored in objects:
            is_other = there.get(stored.root) is False
            if is_other and self._on_conflict == "error":
                return
            if stored.root not in there or (is_other and self._on_conflict == "replace"):
                yield stored

    def _outcome(self, stored: StoredObject, was_same: bool | None, is_kept: bool | None) -> Outcome:
        """Return the outcome for an object.

        Args:
            stored: The object.
            was_same: Whether an equal object existed before; None if none existed.
            is_kept: Whether it reads back as it was stored; None if it was not stored.

        Raises:
            CorruptDataError: It does not read back so.
            ObjectExists: Another object exists, and ``on_conflict`` is ``"error"``.
        """
        if is_kept is False:
            raise CorruptDataError(
                f"{stored.root!r} does not read back from {self._backend.url} as it was written there; "
                "check whether another program writes it, and copy it again"
            )
        if is_kept:
            return "copied" if was_same is None else "replaced"
        if was_same:
            return "equal"
        if self._on_conflict == "skip":
            return "skipped"
        raise ObjectExists(
            f"{stored.root!r} is in {self._backend.url} already, with other content, and was left as it is"
        ).with_remedies(
            Argument("on_conflict", "skip", "keeps the existing object"),
            Argument("on_conflict", "replace", "replaces it"),
        )


def _live(stored: StoredObject) -> StoredObject:
    """Return the unexpired content of an object."""
    parts = {key: entry for key, entry in stored.parts.items() if (left := left_s(entry)) is None or left > 0}
    return stored._replace(parts=parts)


def _batches(objects: Iterable[StoredObject], longest: int) -> Iterator[list[StoredObject]]:
    """Yield the objects, several at a time; those before one that cannot be read are yielded before its error."""
    batch: list[StoredObject] = []
    size_bytes = 0
    try:
        for stored in objects:
            batch.append(stored)
            size_bytes += sum(entry.size_bytes for entry in stored.parts.values())
            if len(batch) == longest or size_bytes >= BATCH_BYTES:
                yield batch
                batch, size_bytes = [], 0
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _step(family: Sequence[Key], stored: StoredObject, *, is_new: bool) -> tuple[list[Condition], list[Change]]:
    """Return the step that puts an object in place of all that its keys hold, whatever its shape.

    Args:
        family: Its keys.
        stored: The object.
        is_new: Whether to put it only if its keys hold nothing.
    """
    changes: list[Change] = [
        *(Replace(key, entry.content) for key, entry in stored.parts.items()),
        *(SetDeadline(key, left_s(entry)) for key, entry in stored.parts.items() if entry.deadline is not None),
    ]
    if is_new:
        return [Exists(key, expected=False) for key in family], changes
    return [], [*map(Delete, family), *changes]

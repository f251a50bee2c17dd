"""Puts whole objects into a store, each in one step, and reads them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from persistent_collections.backends.base import Backend, Change, Delete, Key, Replace, SetDeadline
from persistent_collections.errors import CorruptDataError, ObjectExists
from persistent_collections.known import Known
from persistent_collections.moving.objects import StoredObject, families, holds, left_s

OnConflict: TypeAlias = Literal["error", "skip", "replace"]
"""What to do about an object that is there already and differs: raise ``ObjectExists``, keep it, or replace it."""

Progress: TypeAlias = Callable[[int, str], object]
"""Called after each object with the number of objects dealt with and the key of this one."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the objects of a source.

    Attributes:
        copied: Were not there.
        replaced: Were there, differed, and were replaced.
        skipped: Were there, differed, and were kept.
        equal: Were there already, with the same content and deadline.
        expired: Had a deadline that had passed.
        foreign: Keys, not objects, that were left out, since another program put there what they hold.
    """

    copied: int = 0
    replaced: int = 0
    skipped: int = 0
    equal: int = 0
    expired: int = 0
    foreign: int = 0


Outcome: TypeAlias = Literal["copied", "replaced", "skipped", "equal", "expired"]


class Receiver:
    """The store objects are put into.

    Args:
        backend: The store.
        known: Says which children an object may have.
        prefix: What the roots of all objects start with that it is going to receive.
        on_conflict: See :data:`OnConflict`.
    """

    def __init__(self, backend: Backend, known: Known, prefix: str, on_conflict: OnConflict) -> None:
        if on_conflict not in ("error", "skip", "replace"):
            raise ValueError(f"on_conflict is 'error', 'skip' or 'replace', not {on_conflict!r}")
        self._backend = backend
        self._known = known
        self._there = families(backend, prefix)
        self._on_conflict = on_conflict

    def receive(self, objects: Iterable[StoredObject], progress: Progress | None) -> Moved:
        """Put every object and say what became of them."""
        outcomes: Counter[str] = Counter()
        for done, stored in enumerate(objects, 1):
            outcomes[self._put(stored)] += 1
            if progress:
                progress(done, stored.root)
        return Moved(**outcomes)

    def _put(self, stored: StoredObject) -> Outcome:
        live = {key: entry for key, entry in stored.parts.items() if (left := left_s(entry)) is None or left > 0}
        if not live:
            return "expired"
        stored = stored._replace(parts=live)
        family = dict.fromkeys([*self._known.family(stored.root), *self._there.get(stored.root, ()), *live])
        outcome: Outcome = "copied"
        if any(self._backend.apply(_changes(family, stored, must_be_absent=True))):
            if self._holds(family, stored):
                return "equal"
            if self._on_conflict == "skip":
                return "skipped"
            if self._on_conflict == "error":
                raise ObjectExists(
                    f"{stored.root!r} is in {self._backend.url} already, with other content, and was left as it is; "
                    "on_conflict='skip' keeps what is there, on_conflict='replace' replaces it"
                )
            self._backend.apply(_changes(family, stored, must_be_absent=False))
            outcome = "replaced"
        if not self._holds(family, stored):
            raise CorruptDataError(
                f"{stored.root!r} does not read back from {self._backend.url} as it was written there; "
                "see whether another program writes it, and copy it again"
            )
        return outcome

    def _holds(self, family: Iterable[Key], stored: StoredObject) -> bool:
        return holds(self._backend, {key: stored.parts.get(key) for key in family})


def _changes(family: Iterable[Key], stored: StoredObject, *, must_be_absent: bool) -> list[Change]:
    """Return the changes that put an object in place of all that its keys hold, whatever its shape."""
    return [
        *(Delete(key, must_be_absent=must_be_absent) for key in family),
        *(Replace(key, entry.content) for key, entry in stored.parts.items()),
        *(SetDeadline(key, left_s(entry)) for key, entry in stored.parts.items() if entry.deadline is not None),
    ]

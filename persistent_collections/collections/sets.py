"""A set that lives in a store."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, MutableSet, Sequence
from collections.abc import Set as AbstractSet
from functools import reduce
from itertools import chain
from operator import and_, eq, ge, gt, le, lt, or_, sub, xor
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, overload

import msgspec
from typing_extensions import TypeVar

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import ChangeMembers
from persistent_collections.backends.handles import MemberStore, SetOperation
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MEMBERS
from persistent_collections.codecs.base import KeyCodec
from persistent_collections.codecs.keys.codec import key_codec
from persistent_collections.collections.base import CollectionCore, PersistentCollection, plain
from persistent_collections.collections.binding import Bindings
from persistent_collections.collections.core import ClassInfo, Reserved
from persistent_collections.collections.fetching import OnError, require_fields, rows
from persistent_collections.collections.unannotated import refuse_unannotated
from persistent_collections.config import BackendSource
from persistent_collections.errors import DecodeError, EncodeError

T = TypeVar("T", default=str)
S = TypeVar("S")


class _Bound(msgspec.Struct, frozen=True):
    backend: Backend
    store: MemberStore
    keys: KeyCodec
    declared: Any


class SetCore(CollectionCore):
    """The state of the handle of a set."""

    __slots__ = ()

    shape = MEMBERS
    part = "member"

    def codecs(self, store: Bindings) -> tuple[KeyCodec, Any]:
        declared = self.declared(0)
        return key_codec(declared, store.references, "member"), declared

    def bound_to(self, backend: Backend, store: Any) -> _Bound:
        keys, declared = self.kept_codecs(backend)
        return _Bound(backend, store, keys, declared)

    def content(self, bound: _Bound, items: Any) -> set[str]:
        texts = self.encode_all(bound.keys, set(plain(items)))
        return texts if isinstance(texts, set) else set(texts)

    def each(self) -> Iterator[Any]:
        bound: _Bound = self.now()
        texts = bound.store.get_all()
        return self.decode_each(bound.keys, texts, itertools.repeat(None))

    def first(self, limit: int) -> Iterable[Sequence[Any]]:
        bound: _Bound = self.now()
        return zip(self.decode_all(bound.keys, next(iter(bound.store.pages()), [])[:limit]))

    def wanted(self, bound: _Bound, member: Any) -> str | None:
        """Return the text of a member to look for, None if none can equal it; a set becomes an equal frozenset."""
        return self.sought(bound.keys, frozenset(plain(member)) if isinstance(member, _SETS) else member)

    def removed(self, bound: _Bound, member: Any) -> bool:
        """Remove a member, and return whether it was there; a child asks its record even if no member can be equal."""
        text = self.wanted(bound, member)
        if text is None and self.origin is None:
            return False
        return bool(self.store(bound).remove(set() if text is None else {text}))

    def wanted_of(self, bound: _Bound, items: Any) -> set[str]:
        """Return the texts of those of ``items`` that can be members."""
        members = set(plain(items))
        try:
            return set(bound.keys.encode_all(members))
        except EncodeError:
            texts = {self.sought(bound.keys, member) for member in members}
            return {text for text in texts if text is not None}

    def pages(self, of: object, bound: _Bound) -> Iterator[Iterable[Any]]:  # noqa: ARG002 - kept alive
        """Yield the members, a page at a time; ``of`` is the set, which stays alive meanwhile."""
        for page in bound.store.pages():
            yield self.decode_keys(bound.keys, page)

    def siblings(self, bound: _Bound, others: Iterable[Any]) -> list[Key]:
        """Return the keys of those of ``others`` whose texts are comparable with these, in one store."""
        cores = [other.__pc__ for other in others if isinstance(other, PersistentSet)]
        bounds = [(core, core.now()) for core in cores]
        return [
            core.key for core, other in bounds if other.declared == bound.declared and bound.backend == other.backend
        ]


class PersistentSet(PersistentCollection, MutableSet[T], Generic[T], __pc__=SetCore):
    """A ``set`` whose every operation is one step in a store.

    ::

        tags = PersistentSet("tags", {"new"})
        tags |= {"red"}
        assert tags & {"red", "blue"} == {"red"}

    Members are ``str`` unless declared, and encoded as the keys of a dict are: ``PersistentSet[int]``,
    ``PersistentSet[Any]``. Results of ``|``, ``&``, ``-`` and ``^`` are plain sets.

    Shape: one set of texts; a Redis set, a JSON array in sorted order.

    Cost: 1 round trip per operation. Exceptions: iteration takes 1 per page of ``PAGE_SIZE``; an argument that is
    itself stored takes its own read. ``union``, ``intersection`` and ``difference`` of sets of one store and one
    declared type are done in the store, in 1 round trip.

    Args:
        id: As for :class:`PersistentObject`.
        items: As for ``set``. They fill an object that does not exist yet; the store decides that.
        backend: As for :class:`PersistentObject`.

    Raises:
        EncodeError: A member cannot be stored exactly as it is; nothing was written.
    """

    if TYPE_CHECKING:
        __pc__: ClassVar[Reserved[SetCore, ClassInfo]]

        @overload
        def __init__(self, id: str | int | None = None, /, *, backend: BackendSource | None = None) -> None: ...
        @overload
        def __init__(
            self, id: str | int | None, items: Iterable[T], /, *, backend: BackendSource | None = None
        ) -> None: ...
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...
        def __get__(self, record: object, kind: type | None = None, /) -> Self: ...
        def __set__(self, record: object, items: Iterable[T], /) -> None: ...
    else:

        def __init__(self, id=None, items=(), /, *, backend=None) -> None:
            super().__init__(id, items, backend=backend)

    def __contains__(self, member: object) -> bool:
        core = self.__pc__
        bound: _Bound = core.now()
        text = core.wanted(bound, member)
        return text is not None and bound.store.contains(text)

    def __len__(self) -> int:
        bound: _Bound = self.__pc__.now()
        return bound.store.size()

    def __iter__(self) -> Iterator[T]:
        refuse_unannotated("a set")
        core = self.__pc__
        return chain.from_iterable(core.pages(self, core.now()))

    def fetch(self, *names: str, on_error: OnError | None = None) -> list[dict[str, Any]]:
        """Return fields of every record in the set, like ``PersistentList.fetch``, in no order.

        ::

            class Singer(Record):
                name: str

            choir = PersistentSet[Singer]("choir", {Singer.create("luke", name="Luke")})
            assert choir.fetch("id", "name") == [{"id": "luke", "name": "Luke"}]

        Cost: 1 round trip for the set, then as ``PersistentList.fetch``.

        Args:
            names: The names of the fields.
            on_error: Called with the error of each record that cannot be read, which is skipped. Without it, the first
                error is raised.

        Raises:
            UnknownFieldError: A field is not declared.
            TypeError: A member is not a record, or a field is a child collection.
        """
        require_fields(self.__pc__.declared(0), names)
        return list(rows(self.__pc__.each(), names, on_error))

    def copy(self) -> set[T]:
        """Return the whole content as a plain ``set``. Cost: 1 round trip, O(n).

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.copy() == {"new", "red"}
        """
        core = self.__pc__
        bound: _Bound = core.now()
        return set(core.decode_all(bound.keys, bound.store.get_all()))

    def add(self, member: T, /) -> None:
        """Add a member, like ``set.add``. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            tags.add("big")
            assert "big" in tags
        """
        core = self.__pc__
        bound: _Bound = core.now()
        core.store(bound).add(core.content(bound, [member]))

    def discard(self, member: T, /) -> None:
        """Remove a member if it is there, like ``set.discard``. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            tags.discard("red")
            tags.discard("blue")
            assert tags == {"new"}
        """
        core = self.__pc__
        bound: _Bound = core.now()
        core.removed(bound, member)

    def remove(self, member: T, /) -> None:
        """Remove a member, like ``set.remove``. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            tags.remove("red")
            assert tags == {"new"}

        Raises:
            KeyError: It is not in the set.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        if not core.removed(bound, member):
            raise KeyError(member)

    def pop(self) -> T:
        """Remove some member and return it, like ``set.pop``. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.pop() in {"new", "red"}
            assert len(tags) == 1

        Raises:
            KeyError: The set is empty.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        text = core.store(bound).pop_any()
        if text is None:
            raise KeyError("pop from an empty set")
        try:
            member: T = core.decode(bound.keys, str(text))
        except DecodeError:
            if not core.put_back(bound, text, ChangeMembers(core.key, {str(text)})):
                bound.store.add({str(text)})
            raise
        return member

    def clear(self) -> None:
        """Remove all members, like ``set.clear``. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            tags.clear()
            assert not tags
        """
        core = self.__pc__
        core.store(core.now()).replace(set())

    def update(self, *others: Iterable[T]) -> None:
        """Add all members of others, like ``set.update``, in one atomic step. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            tags.update({"big"}, ["old"])
            assert tags == {"new", "red", "big", "old"}
        """
        core = self.__pc__
        bound: _Bound = core.now()
        members = set[str]().union(*(core.content(bound, other) for other in others))
        if members or core.origin:
            core.store(bound).add(members)

    def difference_update(self, *others: Iterable[Any]) -> None:
        """Remove all members of others, like ``set.difference_update``, in one atomic step. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            tags.difference_update({"red"}, {"blue"})
            assert tags == {"new"}
        """
        core = self.__pc__
        bound: _Bound = core.now()
        members = set[str]().union(*(core.wanted_of(bound, other) for other in others))
        if members or core.origin:
            core.store(bound).remove(members)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        """Keep only the members that all others have, in one atomic step. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            tags.intersection_update({"red", "blue"})
            assert tags == {"red"}
        """
        core = self.__pc__
        bound: _Bound = core.now()
        if others:
            core.store(bound).retain(reduce(and_, [core.wanted_of(bound, other) for other in others]))
        elif core.origin:
            core.store(bound).remove(set())

    def symmetric_difference_update(self, other: Iterable[T], /) -> None:
        """Remove the members of ``other``, and add those that are missing, in one atomic step. Cost: 1 round trip.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            tags.symmetric_difference_update({"red", "blue"})
            assert tags == {"new", "blue"}
        """
        core = self.__pc__
        bound: _Bound = core.now()
        core.store(bound).toggle(core.content(bound, other))

    def union(self, *others: Iterable[S]) -> set[T | S]:
        """Return the members of this set and of others as a plain set.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.union({"big"}) == {"new", "red", "big"}

        Cost: 1 round trip if all are sets of one store and one type, combined in the store; else a read of each.
        """
        return _combined("union", self, others)

    def intersection(self, *others: Iterable[Any]) -> set[T]:
        """Return the members that this set and all others have as a plain set.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.intersection({"red", "big"}) == {"red"}

        Cost: 1 round trip if all are sets of one store and one type, combined in the store; else a read of each.
        """
        return _combined("intersection", self, others)

    def difference(self, *others: Iterable[Any]) -> set[T]:
        """Return the members that no other has as a plain set.

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.difference({"red", "big"}) == {"new"}

        Cost: 1 round trip if all are sets of one store and one type, combined in the store; else a read of each.
        """
        return _combined("difference", self, others)

    def symmetric_difference(self, other: Iterable[S], /) -> set[T | S]:
        """Return the members that only one of the two has as a plain set. Cost: 1 round trip, O(n).

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.symmetric_difference({"red", "big"}) == {"new", "big"}
        """
        return self.copy().symmetric_difference(plain(other))

    def issubset(self, other: Iterable[Any], /) -> bool:
        """Return whether ``other`` has all members of this set. Cost: 1 round trip, O(n).

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.issubset({"new", "red", "big"})
        """
        return self.copy().issubset(plain(other))

    def issuperset(self, other: Iterable[Any], /) -> bool:
        """Return whether this set has all members of ``other``. Cost: 1 round trip, O(n).

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.issuperset({"red"})
        """
        return self.copy().issuperset(plain(other))

    def isdisjoint(self, other: Iterable[Any], /) -> bool:
        """Return whether the two have no member in common. Cost: 1 round trip, O(n).

        ::

            tags = PersistentSet("tags", {"new", "red"})
            assert tags.isdisjoint({"blue"})
        """
        return self.copy().isdisjoint(plain(other))

    def __or__(self, other: AbstractSet[S]) -> set[T | S]:
        return self.union(other) if isinstance(other, _SETS) else NotImplemented

    def __and__(self, other: AbstractSet[Any]) -> set[T]:
        return self.intersection(other) if isinstance(other, _SETS) else NotImplemented

    def __sub__(self, other: AbstractSet[Any]) -> set[T]:
        return self.difference(other) if isinstance(other, _SETS) else NotImplemented

    def __xor__(self, other: AbstractSet[S]) -> set[T | S]:
        combined: set[T | S] = _operated(xor, self, other)
        return combined

    def __ror__(self, other: Any) -> Any:
        return _operated(lambda mine, its: or_(its, mine), self, other)

    def __rand__(self, other: Any) -> Any:
        return _operated(lambda mine, its: and_(its, mine), self, other)

    def __rsub__(self, other: Any) -> Any:
        return _operated(lambda mine, its: sub(its, mine), self, other)

    def __rxor__(self, other: Any) -> Any:
        return _operated(lambda mine, its: xor(its, mine), self, other)

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]  # the other gives a plain set
        if not isinstance(other, AbstractSet):
            return NotImplemented
        self.update(other)
        return self

    def __iand__(self, other: Any) -> Self:  # type: ignore[misc]  # the other gives a plain set
        if not isinstance(other, AbstractSet):
            return NotImplemented
        self.intersection_update(other)
        return self

    def __isub__(self, other: Any) -> Self:  # type: ignore[misc]  # the other gives a plain set
        if not isinstance(other, AbstractSet):
            return NotImplemented
        self.difference_update(other)
        return self

    def __ixor__(self, other: Any) -> Self:  # type: ignore[misc]  # the other gives a plain set
        if not isinstance(other, AbstractSet):
            return NotImplemented
        self.symmetric_difference_update(other)
        return self

    def __eq__(self, other: object) -> bool:
        return _compared(eq, self, other)

    def __lt__(self, other: object) -> bool:
        return _compared(lt, self, other)

    def __le__(self, other: object) -> bool:
        return _compared(le, self, other)

    def __gt__(self, other: object) -> bool:
        return _compared(gt, self, other)

    def __ge__(self, other: object) -> bool:
        return _compared(ge, self, other)

    __hash__ = None  # type: ignore[assignment] # as a set's


_SETS: Final = (set, frozenset, PersistentSet)


def _combined(operation: SetOperation, members: PersistentSet[Any], others: tuple[Iterable[Any], ...]) -> set[Any]:
    core = members.__pc__
    bound: _Bound = core.now()
    keys = core.siblings(bound, others)
    if keys and len(keys) == len(others):
        return set(core.decode_all(bound.keys, bound.store.combine(operation, keys)))
    combined: set[Any] = getattr(members.copy(), operation)(*map(plain, others))
    return combined


def _operated(operation: Callable[[Any, Any], Any], members: PersistentSet[Any], other: object) -> Any:
    return operation(members.copy(), plain(other)) if isinstance(other, _SETS) else NotImplemented


def _compared(operation: Callable[[Any, Any], bool], members: PersistentSet[Any], other: object) -> bool:
    return operation(members.copy(), plain(other)) if isinstance(other, AbstractSet) else NotImplemented

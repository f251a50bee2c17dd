"""A set that lives in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSet
from collections.abc import Set as AbstractSet
from functools import reduce
from itertools import chain
from operator import and_, eq, ge, gt, le, lt, or_, sub, xor
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Self, overload

from typing_extensions import TypeVar

from persistent_collections.backends.base import Backend, MemberStore, SetOperation
from persistent_collections.codecs.keys import key_codec
from persistent_collections.config import BackendSource
from persistent_collections.containers import NamedCodec, PersistentCollection, plain
from persistent_collections.errors import DecodeError
from persistent_collections.fetching import rows
from persistent_collections.objects import references

T = TypeVar("T", default=str)


class _Bound(NamedTuple):
    backend: Backend
    store: MemberStore
    keys: NamedCodec[str]


class PersistentSet(PersistentCollection, MutableSet[T], Generic[T]):
    """A ``set`` whose every operation is one step in a store.

    Members are ``str`` unless declared, and encoded as the keys of a dict are: ``PersistentSet[int]``,
    ``PersistentSet[Any]``. Results of ``|``, ``&``, ``-`` and ``^`` are plain sets.

    Shape: one set of texts; a Redis set, a JSON array in sorted order.

    Cost: 1 round trip an operation, but for iteration (1 a page of ``PAGE_SIZE``) and an argument that is itself stored
    (its own read). ``union``, ``intersection`` and ``difference`` of sets of one store and one declared type are done
    in the store, in 1 round trip.

    Args:
        id: As for :class:`PersistentObject`.
        items: What ``set`` takes; fills an object that does not exist yet, decided in the store.
        backend: As for :class:`PersistentObject`.

    Raises:
        EncodeError: A member cannot be stored exactly as it is; nothing was written.
    """

    _part = "member"

    if TYPE_CHECKING:

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

    def _bind(self, backend: Backend) -> _Bound:
        keys = key_codec(self._declared(0), references(backend), "member")
        return _Bound(backend, backend.members(self._key, self._kin()), self._named(keys, backend))

    def _content(self, bound: _Bound, items: Any) -> set[str]:
        texts = bound.keys.encode_all(set(plain(items)))
        return texts if isinstance(texts, set) else set(texts)

    def _sought(self, bound: _Bound, member: Any) -> str:
        """Return the text of a member to look for; a set stands for the frozenset it equals."""
        return bound.keys.encode(frozenset(plain(member)) if isinstance(member, set | PersistentSet) else member)

    def __contains__(self, member: object) -> bool:
        bound: _Bound = self._now()
        return bound.store.contains(self._sought(bound, member))

    def __len__(self) -> int:
        bound: _Bound = self._now()
        return bound.store.size()

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._pages(self._now()))

    def _pages(self, bound: _Bound) -> Iterator[Iterable[T]]:
        for page in bound.store.pages():
            yield bound.keys.decode_all(page)

    def fetch(self, *names: str) -> list[dict[str, Any]]:
        """Mean what ``PersistentList.fetch`` does, for every record in the set, in no order."""
        members: set[Any] = self.copy()
        return list(rows(members, names))

    def copy(self) -> set[T]:
        """Return all of it as a plain ``set``. Cost: 1 round trip, O(n)."""
        bound: _Bound = self._now()
        return set(bound.keys.decode_all(bound.store.get_all()))

    def add(self, member: T, /) -> None:
        """Mean what ``set.add`` does."""
        bound: _Bound = self._now()
        self._store(bound).add(self._content(bound, [member]))

    def discard(self, member: T, /) -> None:
        """Mean what ``set.discard`` does."""
        bound: _Bound = self._now()
        self._store(bound).remove({self._sought(bound, member)})

    def remove(self, member: T, /) -> None:
        """Mean what ``set.remove`` does."""
        bound: _Bound = self._now()
        if not self._store(bound).remove({self._sought(bound, member)}):
            raise KeyError(member)

    def pop(self) -> T:
        """Mean what ``set.pop`` does."""
        bound: _Bound = self._now()
        text = self._store(bound).pop_any()
        if text is None:
            raise KeyError("pop from an empty set")
        try:
            member: T = bound.keys.decode(text)
        except DecodeError:
            bound.store.add({text})  # what cannot be given is not for us to delete
            raise
        return member

    def clear(self) -> None:
        """Mean what ``set.clear`` does."""
        self._store(self._now()).replace(set())

    def update(self, *others: Iterable[T]) -> None:
        """Mean what ``set.update`` does, in one step."""
        bound: _Bound = self._now()
        members = self._all_of(bound, others)
        if members:
            self._store(bound).add(members)

    def difference_update(self, *others: Iterable[Any]) -> None:
        """Mean what ``set.difference_update`` does, in one step."""
        bound: _Bound = self._now()
        members = self._all_of(bound, others)
        if members:
            self._store(bound).remove(members)

    def intersection_update(self, *others: Iterable[Any]) -> None:
        """Mean what ``set.intersection_update`` does, in one step."""
        if others:
            bound: _Bound = self._now()
            self._store(bound).retain(reduce(and_, [self._content(bound, other) for other in others]))

    def symmetric_difference_update(self, other: Iterable[T], /) -> None:
        """Mean what ``set.symmetric_difference_update`` does, in one step."""
        bound: _Bound = self._now()
        self._store(bound).toggle(self._content(bound, other))

    def _all_of(self, bound: _Bound, others: Iterable[Iterable[Any]]) -> set[str]:
        """Return the texts of the members of all of ``others``."""
        first, *rest = [self._content(bound, other) for other in others] or [set()]
        return first.union(*rest) if rest else first

    def union(self, *others: Iterable[Any]) -> set[Any]:
        """Mean what ``set.union`` does."""
        return self._combined("union", others)

    def intersection(self, *others: Iterable[Any]) -> set[Any]:
        """Mean what ``set.intersection`` does."""
        return self._combined("intersection", others)

    def difference(self, *others: Iterable[Any]) -> set[Any]:
        """Mean what ``set.difference`` does."""
        return self._combined("difference", others)

    def symmetric_difference(self, other: Iterable[Any], /) -> set[Any]:
        """Mean what ``set.symmetric_difference`` does."""
        return self.copy().symmetric_difference(plain(other))

    def issubset(self, other: Iterable[Any], /) -> bool:
        """Mean what ``set.issubset`` does."""
        return self.copy().issubset(plain(other))

    def issuperset(self, other: Iterable[Any], /) -> bool:
        """Mean what ``set.issuperset`` does."""
        return self.copy().issuperset(plain(other))

    def isdisjoint(self, other: Iterable[Any], /) -> bool:
        """Mean what ``set.isdisjoint`` does."""
        return self.copy().isdisjoint(plain(other))

    def _combined(self, operation: SetOperation, others: tuple[Iterable[Any], ...]) -> set[Any]:
        bound: _Bound = self._now()
        keys = [other._key for other in others if isinstance(other, PersistentSet) and self._is_sibling(bound, other)]
        if keys and len(keys) == len(others):
            return set(bound.keys.decode_all(bound.store.combine(operation, keys)))
        combined: set[Any] = getattr(self.copy(), operation)(*map(plain, others))
        return combined

    def _is_sibling(self, bound: _Bound, other: PersistentSet[Any]) -> bool:
        """Say whether the texts of ``other`` are comparable with these, in one store."""
        return bool(self._declared(0) == other._declared(0) and bound.backend == other._now().backend)

    def _operate(self, operation: Callable[[Any, Any], Any], other: object) -> Any:
        return operation(self.copy(), plain(other)) if isinstance(other, _SETS) else NotImplemented

    def _operate_right(self, operation: Callable[[Any, Any], Any], other: object) -> Any:
        return operation(other, self.copy()) if isinstance(other, _SETS) else NotImplemented

    def _change(self, method: Callable[[Any], None], other: object) -> Any:
        if not isinstance(other, AbstractSet):
            return NotImplemented
        method(other)
        return self

    def __or__(self, other: Any) -> Any:
        return self.union(other) if isinstance(other, _SETS) else NotImplemented

    def __and__(self, other: Any) -> Any:
        return self.intersection(other) if isinstance(other, _SETS) else NotImplemented

    def __sub__(self, other: Any) -> Any:
        return self.difference(other) if isinstance(other, _SETS) else NotImplemented

    def __xor__(self, other: Any) -> Any:
        return self._operate(xor, other)

    def __ror__(self, other: Any) -> Any:
        return self._operate_right(or_, other)

    def __rand__(self, other: Any) -> Any:
        return self._operate_right(and_, other)

    def __rsub__(self, other: Any) -> Any:
        return self._operate_right(sub, other)

    def __rxor__(self, other: Any) -> Any:
        return self._operate_right(xor, other)

    def __ior__(self, other: Any) -> Self:
        changed: Self = self._change(self.update, other)
        return changed

    def __iand__(self, other: Any) -> Self:
        changed: Self = self._change(self.intersection_update, other)
        return changed

    def __isub__(self, other: Any) -> Self:
        changed: Self = self._change(self.difference_update, other)
        return changed

    def __ixor__(self, other: Any) -> Self:
        changed: Self = self._change(self.symmetric_difference_update, other)
        return changed

    def _compare(self, operation: Callable[[Any, Any], bool], other: object) -> bool:
        return operation(self.copy(), plain(other)) if isinstance(other, AbstractSet) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self._compare(eq, other)

    def __lt__(self, other: object) -> bool:
        return self._compare(lt, other)

    def __le__(self, other: object) -> bool:
        return self._compare(le, other)

    def __gt__(self, other: object) -> bool:
        return self._compare(gt, other)

    def __ge__(self, other: object) -> bool:
        return self._compare(ge, other)

    __hash__ = None  # type: ignore[assignment] # as a set's


_SETS: Final = (set, frozenset, PersistentSet)

"""A list that lives in a store."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from functools import partial
from operator import eq, ge, gt, le, lt
from operator import index as as_index
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Self, SupportsIndex, overload

from typing_extensions import TypeVar

from persistent_collections.backends.base import PAGE_SIZE, Backend, SequenceStore
from persistent_collections.config import BackendSource
from persistent_collections.containers import NamedCodec, PersistentCollection, plain
from persistent_collections.errors import DecodeError, EncodeError
from persistent_collections.fetching import rows
from persistent_collections.nested import Place, editing, hold, hold_all, wrote_back
from persistent_collections.objects import CodecSource, attempts

T = TypeVar("T", default=Any)


class _Bound(NamedTuple):
    backend: Backend
    store: SequenceStore
    codec: NamedCodec[bytes]


class PersistentList(PersistentCollection, MutableSequence[T], Generic[T]):
    """A ``list`` whose every operation is one step in a store.

    Reading gives plain values; lists, dicts and sets among them write back what their methods change. Compared with
    lists as a list is.

    Shape: items of one sequence; a Redis list, a JSON array.

    Cost: 1 round trip an operation, but for iteration (1 a page of ``PAGE_SIZE``), ``sort`` (a read, and a write if
    nothing changed), ``in``, ``index``, ``count`` and ``remove`` of values whose codec is not canonical (a read of all;
    ``remove`` a write too), ``edit`` and what a nested value writes back (a read and a write each), and an argument
    that is itself stored (its own read). O(1) at both ends; in the middle O(n) in the store, never over the network.

    Args:
        id: As for :class:`PersistentObject`.
        items: What ``list`` takes; fills an object that does not exist yet, decided in the store.
        backend: As for :class:`PersistentObject`.
        codec: How items become bytes, by name or as a codec.

    Raises:
        EncodeError: An item cannot be stored exactly as it is; nothing was written.
    """

    _part = "item"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self,
            id: str | int | None = None,
            /,
            *,
            backend: BackendSource | None = None,
            codec: CodecSource | None = None,
        ) -> None: ...
        @overload
        def __init__(
            self,
            id: str | int | None,
            items: Iterable[T],
            /,
            *,
            backend: BackendSource | None = None,
            codec: CodecSource | None = None,
        ) -> None: ...
        def __init__(self, *args: Any, **kwargs: Any) -> None: ...
        def __get__(self, record: object, kind: type | None = None, /) -> Self: ...
        def __set__(self, record: object, items: Iterable[T], /) -> None: ...

    def _bind(self, backend: Backend) -> _Bound:
        return _Bound(
            backend, backend.sequence(self._key, self._kin()), self._named(self._value_codec(backend), backend)
        )

    def _content(self, bound: _Bound, items: Any) -> list[bytes]:
        values = list(itertools.chain(plain(items)))  # which has no length hint for list() to believe
        encoded: list[bytes] = bound.codec.encode_all(values, range(len(values)))
        return encoded

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: Any) -> Any:
        bound: _Bound = self._now()
        if isinstance(index, slice):
            where = _clamped(index)
            return list(bound.codec.decode_all(bound.store.get_slice(where), _indices(bound, where)))
        position = _position(index)
        data = bound.store.get(position)
        if data is None:
            raise IndexError("list index out of range")
        return self._held(bound, position, data)

    @overload
    def __setitem__(self, index: SupportsIndex, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        bound: _Bound = self._now()
        if isinstance(index, slice):
            self._set_slice(bound, _clamped(index), value)
            return
        position = _position(index)
        if not wrote_back(value, self, position) and not self._store(bound).set(
            position, bound.codec.encode(value, position)
        ):
            raise IndexError("list assignment index out of range")

    def _set_slice(self, bound: _Bound, where: slice, values: Any) -> None:
        contiguous = where.step in (None, 1)
        try:
            iter(values)
        except TypeError:
            message = "can only assign an iterable" if contiguous else "must assign iterable to extended slice"
            raise TypeError(message) from None
        items = self._content(bound, values)
        if contiguous:
            self._store(bound).splice(where.start, where.stop, items)
            return
        size = self._store(bound).set_stride(where, items)
        if size != len(items):
            raise ValueError(f"attempt to assign sequence of size {len(items)} to extended slice of size {size}")

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        bound: _Bound = self._now()
        if not isinstance(index, slice):
            if not self._store(bound).delete(_position(index)):
                raise IndexError("list assignment index out of range")
            return
        where = _clamped(index)
        if where.step in (None, 1):
            self._store(bound).splice(where.start, where.stop, [])
        else:
            self._store(bound).delete_stride(where)

    def __len__(self) -> int:
        bound: _Bound = self._now()
        return bound.store.size()

    def __iter__(self) -> Iterator[T]:
        return self._walk(self._now(), 0, 1)

    def __reversed__(self) -> Iterator[T]:
        bound: _Bound = self._now()
        return self._walk(bound, bound.store.size() - 1, -1)

    def _walk(self, bound: _Bound, index: int, step: int) -> Iterator[T]:
        """Yield the item at ``index`` and so on, up or down, until there is none."""
        size, writes = PAGE_SIZE, self._writes
        while index >= 0:
            written = self._last_write()
            where = slice(index, index + size) if step > 0 else slice(max(index + 1 - size, 0), index + 1)
            page = bound.store.get_slice(where)
            is_last = len(page) < where.stop - where.start
            if step < 0:
                page = [] if is_last else page[::-1]
            place = partial(self._place_in, bound, page, index, step)
            for value in hold_all(bound.codec.decode_all(page, itertools.count(index, step)), place):
                yield value
                index += step
                if written is not writes.get(get_ident()):
                    size = 1  # for a loop that changes the list at each item
                    break
            else:
                if is_last:
                    return
                size = min(2 * size, PAGE_SIZE)

    def __contains__(self, value: object) -> bool:
        bound: _Bound = self._now()
        data = _comparable(bound.codec, value)
        return value in self.copy() if data is None else bound.store.find(data) is not None

    def index(self, value: Any, start: SupportsIndex = 0, stop: SupportsIndex = sys.maxsize, /) -> int:
        """Mean what ``list.index`` does."""
        bound: _Bound = self._now()
        data = _comparable(bound.codec, value)
        if data is None or start is None or stop is None:
            return self.copy().index(value, start, stop)
        where = _clamped(slice(start, stop))
        found = bound.store.find(data, where.start or None, None if where.stop == sys.maxsize else where.stop)
        if found is None:
            raise ValueError("list.index(x): x not in list")
        return found

    def count(self, value: Any, /) -> int:  # type: ignore[override] # a list's own count keeps the name
        """Mean what ``list.count`` does; lists are counted by ``sum(1 for _ in PersistentList.ids())``."""
        bound: _Bound = self._now()
        data = _comparable(bound.codec, value)
        return self.copy().count(value) if data is None else bound.store.count(data)

    def append(self, value: T, /) -> None:
        """Mean what ``list.append`` does."""
        bound: _Bound = self._now()
        self._store(bound).push_right([bound.codec.encode(value)])

    rpush = append

    def lpush(self, value: T, /) -> None:
        """Put an item before the first."""
        bound: _Bound = self._now()
        self._store(bound).push_left([bound.codec.encode(value)])

    def insert(self, index: SupportsIndex, value: T, /) -> None:
        """Mean what ``list.insert`` does."""
        bound: _Bound = self._now()
        position = _checked(index)
        self._store(bound).insert(position, bound.codec.encode(value))

    def extend(self, values: Iterable[T], /) -> None:
        """Mean what ``list.extend`` does, in one step."""
        bound: _Bound = self._now()
        if self._is_same(values):
            self._store(bound).repeat(2)
        elif items := self._content(bound, values):
            self._store(bound).push_right(items)

    def pop(self, index: SupportsIndex = -1, /) -> T:
        """Mean what ``list.pop`` does; the item is plain."""
        bound: _Bound = self._now()
        position = _checked(index)
        data = self._store(bound).pop(position)
        if data is None:
            raise IndexError("pop from empty list" if position in (0, -1) else "pop index out of range")
        try:
            value: T = bound.codec.decode(data, position)
        except DecodeError:
            self._put_back(bound, position, data)
            raise
        return value

    def _put_back(self, bound: _Bound, position: int, data: bytes) -> None:
        """Insert what was popped from ``position`` but cannot be given, and so is not for us to delete."""
        if position == -1:
            self._store(bound).push_right([data])
        else:
            self._store(bound).insert(position + (position < 0), data)

    def lpop(self) -> T:
        """Remove and return the first item.

        Raises:
            IndexError: The list is empty.
        """
        return self.pop(0)

    def rpop(self) -> T:
        """Remove and return the last item.

        Raises:
            IndexError: The list is empty.
        """
        return self.pop()

    def remove(self, value: Any, /) -> None:
        """Mean what ``list.remove`` does."""
        bound: _Bound = self._now()
        data = _comparable(bound.codec, value)
        if data is None:
            self._remove_equal(bound, value)
        elif not self._store(bound).remove(data):
            raise ValueError("list.remove(x): x not in list")

    def _remove_equal(self, bound: _Bound, value: Any) -> None:
        for _ in attempts(self.key):
            items = bound.store.get_slice(slice(None))
            decoded = bound.codec.decode_all(items, range(len(items)))
            index = next((index for index, item in enumerate(decoded) if item == value), None)
            if index is None:
                raise ValueError("list.remove(x): x not in list")
            if self._store(bound).delete(index, items[index]):
                return

    def clear(self) -> None:
        """Mean what ``list.clear`` does."""
        self._store(self._now()).replace([])

    def copy(self) -> list[T]:
        """Return all of it as a plain ``list``. Cost: 1 round trip, O(n)."""
        return self[:]

    def fetch(self, *names: str) -> list[dict[str, Any]]:
        """Return the fields called ``names`` of every record in the list, without a round trip for each.

        ``luke["friends"].fetch("id", "name")`` gives ``[{"id": "han@example.com", "name": "Han Solo"}]``: a row for
        each reference, in their order, those to records that do not exist left out. Values are plain.
        ``fetch(luke.friends[:20], "name")`` reads those of a slice, or of any records.

        Cost: 1 round trip for the list, then 1 for 1,000 records (a cluster: 1 a node), and 1 more for those of them
        that have none of the fields: do they exist?

        Raises:
            UnknownFieldError: A field is not declared.
            TypeError: An item is no record, or a field is a child collection.
        """
        items: list[Any] = self.copy()
        return list(rows(items, names))

    def reverse(self) -> None:
        """Mean what ``list.reverse`` does."""
        self._store(self._now()).reverse()

    def sort(self, *, key: Callable[[T], Any] | None = None, reverse: bool = False) -> None:
        """Mean what ``list.sort`` does. Cost: a read of all, and a write of all if nothing changed meanwhile.

        Raises:
            ConflictError: Others kept changing the list.
        """
        bound: _Bound = self._now()
        for _ in attempts(self.key):
            written = self._last_write()
            items = bound.store.get_slice(slice(None))
            values = list(bound.codec.decode_all(items, range(len(items))))
            weights = values if key is None else list(map(key, values))
            order = sorted(range(len(items)), key=weights.__getitem__, reverse=reverse)
            if written is not self._last_write():
                raise ValueError("list modified during sort")
            if not items or self._store(bound).replace_if(items, [items[index] for index in order]):
                return

    @contextmanager
    def edit(self, index: SupportsIndex) -> Iterator[T]:
        """Give the plain item at ``index``, to be changed in any way; store it at the end of the block.

        Cost: 1 read, and 1 write if it changed. A block left by an exception writes nothing.

        Raises:
            IndexError: There is no such item.
            TypeError: The item is of a type that cannot change in place.
            ConflictError: Another item is at ``index`` by then; nothing was written.
        """
        bound: _Bound = self._now()
        position = _position(index)
        data = bound.store.get(position)
        if data is None:
            raise IndexError("list index out of range")
        with editing(self._place(bound, position, data), bound.codec.decode(data, position)) as value:
            yield value

    def _place(self, bound: _Bound, position: int, data: bytes) -> Place:
        return Place(self, bound.backend, position, bound.codec.bare, data, compare_and_set=bound.store.compare_and_set)

    def _held(self, bound: _Bound, position: int, data: bytes) -> Any:
        """Return the item of ``data``, its lists, dicts and sets writing back."""
        return hold(bound.codec.decode(data, position), lambda: self._place(bound, position, data))

    def _place_in(self, bound: _Bound, page: Sequence[bytes], first: int, step: int, number: int) -> Place:
        """Return the place of an item of a page whose first is at ``first``."""
        return self._place(bound, first + number * step, page[number])

    def __add__(self, other: Any) -> list[Any]:
        items: list[Any] = self.copy() + plain(other)
        return items

    def __radd__(self, other: Any) -> Any:
        return other + self.copy()

    def __iadd__(self, values: Iterable[T]) -> Self:  # type: ignore[misc] # + gives a plain list, as documented
        self.extend(values)
        return self

    def __mul__(self, times: SupportsIndex) -> list[T]:
        return self.copy() * times

    __rmul__ = __mul__

    def __imul__(self, times: SupportsIndex) -> Self:
        if not hasattr(times, "__index__"):
            return NotImplemented
        bound: _Bound = self._now()
        if _checked(times) > _LONGEST and bound.store.size():
            raise MemoryError
        self._store(bound).repeat(as_index(times))
        return self

    def _compare(self, operation: Callable[[Any, Any], bool], other: object) -> bool:
        return operation(self.copy(), plain(other)) if isinstance(other, _LISTS) else NotImplemented

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

    __hash__ = None  # type: ignore[assignment] # as a list's


_LISTS: Final = (list, PersistentList)
_LONGEST: Final = 2**31 - 1
"""More items than any store holds in one list; a server would try until it has no memory left."""
_SSIZE: Final = range(-sys.maxsize - 1, sys.maxsize + 1)


def _position(index: Any) -> int:
    """Return an index of a list as an ``int``."""
    try:
        position = as_index(index)
    except TypeError:
        raise TypeError(f"list indices must be integers or slices, not {type(index).__name__}") from None
    if position not in _SSIZE:
        raise IndexError("cannot fit 'int' into an index-sized integer")
    return position


def _checked(number: SupportsIndex) -> int:
    """Return an argument of a list's method as an ``int`` that a list can take."""
    if as_index(number) not in _SSIZE:
        raise OverflowError("Python int too large to convert to C ssize_t")
    return as_index(number)


def _clamped(where: slice) -> slice:
    """Return a slice of plain numbers that selects the same of any list there can be."""
    try:
        start, stop, step = (
            None if part is None else max(min(as_index(part), sys.maxsize), -sys.maxsize)
            for part in (where.start, where.stop, where.step)
        )
    except TypeError:
        raise TypeError("slice indices must be integers or None or have an __index__ method") from None
    if step == 0:
        raise ValueError("slice step cannot be zero")
    return slice(start, stop, step)


def _indices(bound: _Bound, where: slice) -> Iterator[int]:
    """Yield the indices a slice selects; the size is asked for with the first of them, and so only for an error."""
    yield from range(bound.store.size())[where]


def _comparable(codec: NamedCodec[bytes], value: object) -> bytes | None:
    """Return bytes that all items equal to ``value`` have and no others, None if there are none such."""
    if not codec.canonical:
        return None
    try:
        data: bytes = codec.bare.encode(value)
    except EncodeError:
        return None
    return data

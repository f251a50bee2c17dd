"""A list that lives in a store."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from functools import partial
from operator import eq, ge, gt, le, lt
from operator import index as as_index
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, SupportsIndex, overload

import msgspec
from typing_extensions import TypeVar

from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.changes import Push
from persistent_collections.backends.handles import SequenceStore
from persistent_collections.backends.shapes import SEQUENCE
from persistent_collections.codecs.base import Codec
from persistent_collections.collections.base import CollectionCore, PersistentCollection, plain
from persistent_collections.collections.binding import Bindings
from persistent_collections.collections.core import ClassInfo, CodecSource, Reserved
from persistent_collections.collections.display import values_of
from persistent_collections.collections.fetching import OnError, require_fields, rows
from persistent_collections.collections.retrying import attempts
from persistent_collections.collections.unannotated import refuse_unannotated
from persistent_collections.collections.write_back import HOLDING, NESTED, StoredAt, editing, hold, hold_all, wrote_back
from persistent_collections.config import BackendSource
from persistent_collections.errors import DecodeError, EncodeError

T = TypeVar("T", default=Any)
S = TypeVar("S")


class _Bound(msgspec.Struct, frozen=True):
    backend: Backend
    store: SequenceStore
    codec: Codec


class ListCore(CollectionCore):
    """The state of the handle of a list."""

    __slots__ = ()

    shape = SEQUENCE
    part = "item"

    def codecs(self, store: Bindings) -> Codec:
        return self.value_codec(store)

    def bound_to(self, backend: Backend, store: Any) -> _Bound:
        return _Bound(backend, store, self.kept_codecs(backend))

    def content(self, bound: _Bound, items: Any) -> list[bytes]:
        values = list(itertools.chain(plain(items)))  # chain has no length hint that could mislead list()
        encoded: list[bytes] = self.encode_all(bound.codec, values, range(len(values)))
        return encoded

    def each(self) -> Iterator[Any]:
        bound: _Bound = self.now()
        return self.decode_each(bound.codec, bound.store.get_slice(slice(None)), itertools.count())

    def first(self, limit: int) -> Iterable[Sequence[Any]]:
        bound: _Bound = self.now()
        data = bound.store.get_slice(slice(0, limit))
        values = values_of(bound.codec, lambda: self.decode_all(bound.codec, data, itertools.count()))
        return zip(range(len(data)), values, strict=False)

    def require_record(self, bound: _Bound) -> None:
        """Raise ``ObjectNotFound`` if this is a child and its record is gone; for a write that finds nothing."""
        if self.key.child is not None:
            self.store(bound).push_right([])

    def place(self, bound: _Bound, position: int, data: bytes) -> StoredAt:
        """Return the location of the item of ``data``."""
        return StoredAt(self, bound.backend, bound.codec, self.last_write(), position, data)

    def held(self, bound: _Bound, position: int, data: bytes) -> Any:
        """Return the item of ``data``, its lists, dicts and sets writing back."""
        try:  # like decode(), with one call less
            value = bound.codec.decode(data)
        except DecodeError as error:
            raise self.located(position, error) from error.__cause__
        return value if type(value) not in HOLDING else hold(value, self.place(bound, position, data))

    def walk(self, of: object, bound: _Bound, index: int, step: int) -> Iterator[Any]:  # noqa: ARG002 - kept alive
        """Yield the items from ``index`` on, up or down; ``of`` is the list, which stays alive meanwhile."""
        size = most = PAGE_SIZE + 1  # so that a list of a whole page takes one round trip
        while index >= 0:
            newest, written = self.newest, self.last_write()
            where = slice(index, index + size) if step > 0 else slice(max(index + 1 - size, 0), index + 1)
            page = bound.store.get_slice(where)
            is_last = len(page) < where.stop - where.start
            if step < 0:
                page = [] if is_last else page[::-1]
            values = self.decoded(bound.codec, page, itertools.count(index, step))
            place = partial(StoredAt, self, bound.backend, bound.codec, written)
            for done, value in enumerate(hold_all(values, place, itertools.count(index, step), page), 1):
                yield value
                if newest is not self.newest and written is not self.last_write():
                    index += done * step
                    size = 1  # for a loop that changes the list at each item
                    break
            else:
                if is_last:
                    return
                index += len(page) * step
                size = min(2 * size, most)

    def set_slice(self, bound: _Bound, where: slice, values: Any) -> None:
        """Put ``values`` in the place of the items a slice selects."""
        contiguous = where.step in (None, 1)
        try:
            iter(values)
        except TypeError:
            list[Any]()[where] = values  # raises the error of a list of this Python
        items = self.content(bound, values)
        if contiguous:
            self.store(bound).splice(where.start, where.stop, items)
            return
        size = self.store(bound).set_stride(where, items)
        if size != len(items):
            raise ValueError(f"attempt to assign sequence of size {len(items)} to extended slice of size {size}")

    def insert_again(self, bound: _Bound, position: int, data: bytes) -> None:
        """Reinsert the item popped from ``position`` that can't be returned, and so must not be deleted."""
        item = bytes(data)
        if self.put_back(bound, data, Push(self.key, [item])):
            return
        if position == -1:
            self.store(bound).push_right([item])
        else:
            self.store(bound).insert(position + (position < 0), item)

    def remove_equal(self, bound: _Bound, value: Any) -> None:
        """Remove the first item equal to ``value``, found by decoding all of them."""
        for _ in attempts(str(self)):
            items = bound.store.get_slice(slice(None))
            decoded = self.decode_all(bound.codec, items, range(len(items)))
            index = next((index for index, item in enumerate(decoded) if item == value), None)
            if index is None:
                self.require_record(bound)
                raise ValueError("list.remove(x): x not in list")
            if self.store(bound).pop(index, items[index]) is not None:
                return


class PersistentList(PersistentCollection, MutableSequence[T], Generic[T], __pc__=ListCore):
    """A ``list`` whose every operation is one step in a store.

    ::

        jobs = PersistentList("jobs", ["resize"])
        jobs += ["send", "log"]
        assert jobs.pop(0) == "resize"
        assert jobs[:] == ["send", "log"]

    Items that you read are plain; lists, dicts and sets among them write back the changes of their methods. A list is
    compared with others by content.

    Shape: items of one sequence; a Redis list, a JSON array.

    Cost: 1 round trip per operation. Exceptions: iteration takes 1 per page of ``PAGE_SIZE``; ``sort`` takes a read,
    and a write if nothing changed; ``in``, ``index``, ``count`` and ``remove`` read all items if their codec is not
    canonical, and ``remove`` writes too; ``edit`` and a change of a nested value take a read and a write; an argument
    that is itself stored takes its own read. Changes are O(1) at both ends, and O(n) in the store in the middle.

    Args:
        id: As for :class:`PersistentObject`.
        items: As for ``list``. They fill an object that does not exist yet; the store decides that.
        backend: As for :class:`PersistentObject`.
        codec: How items become bytes, by name or as a codec.

    Raises:
        EncodeError: An item cannot be stored exactly as it is; nothing was written.
    """

    if TYPE_CHECKING:
        __pc__: ClassVar[Reserved[ListCore, ClassInfo]]

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

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: Any) -> Any:
        core = self.__pc__
        bound: _Bound = core.now()
        if isinstance(index, slice):
            where = _clamped(index)
            return core.decoded(bound.codec, bound.store.get_slice(where), _indices(bound, where))
        position = _position(index)
        data = bound.store.get(position)
        if data is None:
            raise IndexError("list index out of range")
        return core.held(bound, position, data)

    @overload
    def __setitem__(self, index: SupportsIndex, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        core = self.__pc__
        bound: _Bound = core.now()
        if isinstance(index, slice):
            core.set_slice(bound, _clamped(index), value)
            return
        position = _position(index)
        if type(value) in NESTED and wrote_back(value, core, position):
            return
        if not core.store(bound).set(position, core.encode(bound.codec, value, position)):
            raise IndexError("list assignment index out of range")

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        core = self.__pc__
        bound: _Bound = core.now()
        if not isinstance(index, slice):
            if core.store(bound).pop(_position(index)) is None:
                raise IndexError("list assignment index out of range")
            return
        where = _clamped(index)
        if where.step in (None, 1):
            core.store(bound).splice(where.start, where.stop, [])
        else:
            core.store(bound).delete_stride(where)

    def __len__(self) -> int:
        bound: _Bound = self.__pc__.now()
        return bound.store.size()

    def __iter__(self) -> Iterator[T]:
        refuse_unannotated("a list")
        core = self.__pc__
        return core.walk(self, core.now(), 0, 1)

    def __reversed__(self) -> Iterator[T]:
        core = self.__pc__
        bound: _Bound = core.now()
        return core.walk(self, bound, bound.store.size() - 1, -1)

    def __contains__(self, value: object) -> bool:
        bound: _Bound = self.__pc__.now()
        data = _comparable(bound.codec, value)
        return value in self.copy() if data is None else bound.store.find(data) is not None

    def index(self, value: Any, start: SupportsIndex = 0, stop: SupportsIndex = sys.maxsize, /) -> int:
        """Return the first index of ``value``, like ``list.index``.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            assert numbers.index(1) == 1

        Cost: 1 round trip. The store searches if the codec is canonical, else all items are read.

        Raises:
            ValueError: No item is equal to ``value``.
        """
        bound: _Bound = self.__pc__.now()
        data = _comparable(bound.codec, value)
        if data is None or start is None or stop is None:
            return self.copy().index(value, start, stop)
        where = _clamped(slice(start, stop))
        found = bound.store.find(data, where.start or None, None if where.stop == sys.maxsize else where.stop)
        if found is None:
            raise ValueError("list.index(x): x not in list")
        return found

    def count(self, value: Any, /) -> int:  # type: ignore[override] # a list's own count keeps the name
        """Return how many items are equal to ``value``, like ``list.count``.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            assert numbers.count(1) == 1
            assert sum(1 for _ in PersistentList.ids()) == 1    # the number of lists

        Cost: 1 round trip. The store searches if the codec is canonical, else all items are read.
        """
        bound: _Bound = self.__pc__.now()
        data = _comparable(bound.codec, value)
        return self.copy().count(value) if data is None else bound.store.count(data)

    def append(self, value: T, /) -> None:
        """Add an item at the end, like ``list.append``. Cost: 1 round trip, O(1).

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            numbers.append(4)
            assert numbers[-1] == 4
        """
        core = self.__pc__
        bound: _Bound = core.now()
        data = core.encode(bound.codec, value)
        core.wrote()
        bound.store.push_right([data])

    rpush = append

    def lpush(self, value: T, /) -> None:
        """Add an item before the first. Cost: 1 round trip, O(1).

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            numbers.lpush(4)
            assert numbers[0] == 4
        """
        core = self.__pc__
        bound: _Bound = core.now()
        core.store(bound).push_left([core.encode(bound.codec, value)])

    def insert(self, index: SupportsIndex, value: T, /) -> None:
        """Insert an item before ``index``, like ``list.insert``. Cost: 1 round trip, in the middle O(n) in the store.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            numbers.insert(1, 4)
            assert numbers[:] == [3, 4, 1, 2]
        """
        core = self.__pc__
        bound: _Bound = core.now()
        position = _checked(index)
        core.store(bound).insert(position, core.encode(bound.codec, value))

    def extend(self, values: Iterable[T], /) -> None:
        """Add several items at the end, like ``list.extend``, in one atomic step. Cost: 1 round trip.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            numbers.extend([4, 5])
            assert numbers[-2:] == [4, 5]
        """
        core = self.__pc__
        bound: _Bound = core.now()
        if core.is_same(values):
            core.store(bound).repeat(2)
        elif (items := core.content(bound, values)) or core.origin:
            core.store(bound).push_right(items)

    def pop(self, index: SupportsIndex = -1, /) -> T:
        """Delete the item at ``index`` and return it, plain, like ``list.pop``. Cost: 1 round trip, O(1) at both ends.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            assert numbers.pop() == 2
            assert numbers.pop(0) == 3

        Raises:
            IndexError: There is no such item.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        position = _checked(index)
        data = core.store(bound).pop(position)
        if data is None:
            raise IndexError("pop from empty list" if position in (0, -1) else "pop index out of range")
        try:
            value: T = core.decode(bound.codec, bytes(data), position)
        except DecodeError:
            core.insert_again(bound, position, data)
            raise
        return value

    def lpop(self) -> T:
        """Delete the first item and return it. Cost: 1 round trip, O(1).

        ::

            jobs = PersistentList("jobs", ["resize", "send"])
            assert jobs.lpop() == "resize"

        Raises:
            IndexError: The list is empty.
        """
        return self.pop(0)

    def rpop(self) -> T:
        """Delete the last item and return it. Cost: 1 round trip, O(1).

        ::

            jobs = PersistentList("jobs", ["resize", "send"])
            assert jobs.rpop() == "send"

        Raises:
            IndexError: The list is empty.
        """
        return self.pop()

    def remove(self, value: Any, /) -> None:
        """Delete the first item that is equal to ``value``, like ``list.remove``.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            numbers.remove(1)
            assert numbers[:] == [3, 2]

        Cost: 1 round trip. If the codec is not canonical, a read of all, and a deletion if the item is still there.

        Raises:
            ValueError: No item is equal to ``value``.
            ConflictError: Others kept changing the list.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        data = _comparable(bound.codec, value)
        if data is None:
            core.remove_equal(bound, value)
        elif not core.store(bound).remove(data):
            raise ValueError("list.remove(x): x not in list")

    def clear(self) -> None:
        """Delete all items, like ``list.clear``. Cost: 1 round trip.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            numbers.clear()
            assert not numbers
        """
        core = self.__pc__
        core.store(core.now()).replace([])

    def copy(self) -> list[T]:
        """Return the whole content as a plain ``list``. Cost: 1 round trip, O(n).

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            assert numbers.copy() == [3, 1, 2]
        """
        return self[:]

    def fetch(self, *names: str, on_error: OnError | None = None) -> list[dict[str, Any]]:
        """Return fields of every record in the list, without a round trip for each.

        ::

            class Guest(Record):
                name: str

            luke, han = Guest.create("luke", name="Luke"), Guest.create("han", name="Han")
            guests = PersistentList[Guest]("guests", [luke, han])
            assert guests.fetch("id", "name") == [{"id": "luke", "name": "Luke"}, {"id": "han", "name": "Han"}]

        The rows have the order of the list. Values are plain. Records that do not exist are left out. A field that the
        class of a record lacks is None, if another class made from the same record class has it.
        ``fetch(guests[:20], "name")`` and ``Guest.all().fetch("name")`` read other records; they return iterators.

        Cost: 1 round trip for the list, and 1 per 1,000 records (on a cluster, 1 per node). If some of them lack a
        field, 1 more: do they exist, and is the field a child?

        Args:
            names: The names of the fields.
            on_error: Called with the error of each record that cannot be read, which is skipped. Without it, the first
                error is raised.

        Raises:
            UnknownFieldError: A field is not declared.
            TypeError: An item is not a record, or a field is a child collection.
        """
        require_fields(self.__pc__.declared(0), names)
        return list(rows(self.__pc__.each(), names, on_error))

    def reverse(self) -> None:
        """Reverse the order of the items, in one atomic step. Cost: 1 round trip, O(n) in the store.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            numbers.reverse()
            assert numbers[:] == [2, 1, 3]
        """
        core = self.__pc__
        core.store(core.now()).reverse()

    def sort(self, *, key: Callable[[T], Any] | None = None, reverse: bool = False) -> None:
        """Sort the items, like ``list.sort``.

        ::

            numbers = PersistentList("numbers", [3, 1, 2])
            numbers.sort(reverse=True)
            assert numbers[:] == [3, 2, 1]

        Cost: 1 read and 1 write of all items for each attempt; it is repeated if something changed meanwhile.

        Raises:
            ConflictError: Others kept changing the list.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        for _ in attempts(str(core)):
            written = core.last_write()
            items = bound.store.get_slice(slice(None))
            values = core.decoded(bound.codec, items, range(len(items)))
            weights = values if key is None else list(map(key, values))
            order = sorted(range(len(items)), key=weights.__getitem__, reverse=reverse)
            if written is not core.last_write():
                raise ValueError("list modified during sort")
            if not (items or core.origin) or core.store(bound).replace([items[index] for index in order], items):
                return

    @contextmanager
    def edit(self, index: SupportsIndex) -> Iterator[T]:
        """Yield the plain item at ``index`` to be changed in any way, and store it at the end of the block.

        ::

            rows = PersistentList("rows", [{"done": False}])
            with rows.edit(0) as row:
                row["done"] = True
            assert rows[0] == {"done": True}

        Cost: 1 read, and 1 write if it changed. If an exception leaves the block, nothing is written.

        Raises:
            IndexError: There is no such item.
            TypeError: The item is of a type that cannot change in place.
            ConflictError: Another item is at ``index`` by then; nothing was written.
        """
        core = self.__pc__
        bound: _Bound = core.now()
        position = _position(index)
        data = bound.store.get(position)
        if data is None:
            core.require_record(bound)
            raise IndexError("list index out of range")
        with editing(core.place(bound, position, data), core.decode(bound.codec, data, position)) as value:
            yield value

    def __add__(self, other: list[S] | PersistentList[S]) -> list[T | S]:
        items: list[T | S] = self.copy() + plain(other)
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
        core = self.__pc__
        bound: _Bound = core.now()
        if _checked(times) > _LONGEST and bound.store.size():
            raise MemoryError
        core.store(bound).repeat(as_index(times))
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

    __hash__ = None  # type: ignore[assignment] # as a list's


_LISTS: Final = (list, PersistentList)
_LONGEST: Final = 2**31 - 1
"""More items than one list can hold; a server would run out of memory."""
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
    """Return an argument of a list's method as an ``int`` that a list accepts."""
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
    """Yield the indices that a slice selects; the size is read with the first of them, and so only for an error."""
    yield from range(bound.store.size())[where]


def _comparable(codec: Codec, value: object) -> bytes | None:
    """Return bytes that exactly the items equal to ``value`` have, or None."""
    if not codec.canonical:
        return None
    try:
        return codec.encode(value)
    except EncodeError:
        return None


def _compared(operation: Callable[[Any, Any], bool], items: PersistentList[Any], other: object) -> bool:
    return operation(items.copy(), plain(other)) if isinstance(other, _LISTS) else NotImplemented

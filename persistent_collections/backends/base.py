"""What a store promises: bytes under fields and indexes, every method one atomic step.

A backend knows nothing of Python values. It hands out small handles, one class a shape, bound to one key:
:class:`MappingStore` (fields to bytes), :class:`SequenceStore` (indexes to bytes) and :class:`MemberStore` (texts that
are there or not). The promises every method keeps:

1. It is one atomic step, between threads and between processes; a crash leaves all of it or nothing.
2. A key holds one shape; another shape's operation on it raises ``WrongShapeError`` and does nothing.
3. An emptied collection does not exist, and one that does not exist reads as empty.
4. Absence is ``None`` or ``False``, never an exception and never a marker value among the data.
5. Only this package's errors leave it, with the store's own error as ``__cause__``.

A new store is quickest made on :class:`~persistent_collections.backends.simple.SimpleBackend`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

from persistent_collections.backends.forks import late
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError, CorruptDataError, WrongShapeError

Medium: TypeAlias = Literal["bytes", "json"]
Content: TypeAlias = dict[str, bytes] | list[bytes] | set[str]
SetOperation: TypeAlias = Literal["union", "intersection", "difference"]
Shape: TypeAlias = Literal["mapping", "sequence", "members"]

PAGE_SIZE = 1000
"""Fields, items or members read in one step of an iteration."""


class Key(NamedTuple):
    """The name of one stored collection.

    Attributes:
        root: ``<type name>:<id>``, the id percent-encoded where it holds ``:``, ``%``, ``{`` or ``}``.
        child: The field of a record's child collection, or None for the object itself.
    """

    root: str
    child: str | None = None

    def __str__(self) -> str:
        return self.root if self.child is None else f"{self.root}:{self.child}"


class ForeignDataError(CorruptDataError):
    """A key holds what no store of this package writes, so that another program put it there.

    Attributes:
        key: The key.
    """

    def __init__(self, key: Key, what: str) -> None:
        super().__init__(f"{str(key)!r} holds a {what}, which another program put there")
        self.key = key


class Entry(NamedTuple):
    """What one key holds.

    Attributes:
        content: Never empty, never changed in place.
        deadline: Seconds since the epoch at which the key vanishes, or None.
    """

    content: Content
    deadline: float | None = None


class Description(NamedTuple):
    """What one key holds, without its content.

    Attributes:
        shape: None where that is nothing this package writes, or cannot be read.
        size: The number of fields, items or members; 0 where ``shape`` is None.
        ttl_s: Seconds until the key vanishes, or None.
    """

    shape: Shape | None
    size: int = 0
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True)
class Replace:
    """Put ``content`` in place of all that the key holds; empty content deletes. A deadline of the key stays."""

    key: Key
    content: Content
    must_be_absent: bool = False


@dataclass(frozen=True, slots=True)
class SetFields:
    """Set fields of a mapping; a field given as None is deleted."""

    key: Key
    items: Mapping[str, bytes | None]
    must_be_absent: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the key, whatever its shape, and its deadline."""

    key: Key
    must_be_absent: bool = False


@dataclass(frozen=True, slots=True)
class SetDeadline:
    """Let the key vanish ``ttl_s`` seconds from now (at once if not positive), or never if None."""

    key: Key
    ttl_s: float | None
    must_be_absent: bool = False


Change: TypeAlias = Replace | SetFields | Delete | SetDeadline


class MappingStore(ABC):
    """One mapping of ``str`` fields to bytes."""

    @abstractmethod
    def get(self, field: str) -> bytes | None:
        """Return what is stored under ``field``."""

    @abstractmethod
    def get_many(self, fields: Sequence[str]) -> list[bytes | None]:
        """Return what is stored under each of ``fields``, in their order."""

    @abstractmethod
    def get_all(self) -> dict[str, bytes]:
        """Return every field, in the store's order."""

    @abstractmethod
    def set_many(self, items: Mapping[str, bytes | None]) -> None:
        """Set each field; one given as None is deleted. A field that is there keeps its place in the order."""

    @abstractmethod
    def add(self, field: str, data: bytes) -> bytes | None:
        """Set ``field`` if it is absent and return None, else return what is there."""

    @abstractmethod
    def delete(self, field: str) -> bool:
        """Delete ``field`` and say whether it was there."""

    @abstractmethod
    def pop(self, field: str) -> bytes | None:
        """Delete ``field`` and return what it held."""

    @abstractmethod
    def pop_any(self) -> tuple[str, bytes] | None:
        """Delete a field, the last one where the store has an order, and return it with what it held."""

    @abstractmethod
    def contains(self, field: str) -> bool:
        """Say whether ``field`` is there."""

    @abstractmethod
    def size(self) -> int:
        """Return the number of fields."""

    @abstractmethod
    def replace(self, items: Mapping[str, bytes]) -> None:
        """Put ``items`` in place of all fields."""

    @abstractmethod
    def replace_if(self, expected: Mapping[str, bytes], items: Mapping[str, bytes]) -> bool:
        """Put ``items`` in place of all fields if these are still ``expected``, and say whether they were."""

    @abstractmethod
    def compare_and_set(self, field: str, expected: bytes | None, data: bytes | None) -> bool:
        """Set ``field`` to ``data`` if it still holds ``expected``, and say whether it did; None is absence."""

    @abstractmethod
    def increment(self, field: str, by: int, initial: int = 0) -> int | None:
        """Add ``by`` to the decimal integer in ``field`` and return the sum.

        Args:
            field: Holds the integer as ASCII decimal digits.
            by: Added; may be negative.
            initial: What an absent field counts as.

        Returns:
            The sum, or None with nothing done where the field holds anything but the digits of a signed 64-bit
            integer, or where ``by`` or the sum is not one.
        """

    @abstractmethod
    def pages(self) -> Iterator[list[tuple[str, bytes]]]:
        """Yield every field that is there from start to end exactly once, about ``PAGE_SIZE`` at a time."""


class SequenceStore(ABC):
    """One sequence of bytes. Indexes count from the end where negative, as Python's do."""

    @abstractmethod
    def size(self) -> int:
        """Return the number of items."""

    @abstractmethod
    def get(self, index: int) -> bytes | None:
        """Return the item at ``index``, None if out of range."""

    @abstractmethod
    def get_slice(self, where: slice) -> list[bytes]:
        """Return the items a Python slice of a list would select, in its order."""

    @abstractmethod
    def set(self, index: int, data: bytes) -> bool:
        """Set the item at ``index`` and say whether it was in range."""

    @abstractmethod
    def compare_and_set(self, index: int, expected: bytes, data: bytes) -> bool:
        """Set the item at ``index`` if it still is ``expected``, and say whether it was."""

    @abstractmethod
    def push_right(self, items: Sequence[bytes]) -> None:
        """Append ``items`` in their order."""

    @abstractmethod
    def push_left(self, items: Sequence[bytes]) -> None:
        """Put ``items`` before the first, in their order: ``items[0]`` becomes the first item."""

    @abstractmethod
    def pop(self, index: int) -> bytes | None:
        """Delete the item at ``index`` and return it, None if out of range."""

    @abstractmethod
    def delete(self, index: int, expected: bytes | None = None) -> bool:
        """Delete the item at ``index``, if given only while it still is ``expected``, and say whether that was done."""

    @abstractmethod
    def insert(self, index: int, data: bytes) -> None:
        """Insert before ``index``, clamped as ``list.insert`` does."""

    @abstractmethod
    def splice(self, start: int | None, stop: int | None, items: Sequence[bytes]) -> None:
        """Put ``items`` in place of the slice ``[start:stop]``, as ``list`` does."""

    @abstractmethod
    def set_stride(self, where: slice, items: Sequence[bytes]) -> int:
        """Set the items an extended slice selects, if it selects just as many as given.

        Returns:
            How many it selects; where that differs from ``len(items)``, nothing was done.
        """

    @abstractmethod
    def delete_stride(self, where: slice) -> None:
        """Delete the items an extended slice selects."""

    @abstractmethod
    def find(self, data: bytes, start: int | None = None, stop: int | None = None) -> int | None:
        """Return the first index of ``data`` within the slice ``[start:stop]``."""

    @abstractmethod
    def count(self, data: bytes) -> int:
        """Return how many items are ``data``."""

    @abstractmethod
    def remove(self, data: bytes) -> bool:
        """Delete the first item that is ``data`` and say whether there was one."""

    @abstractmethod
    def repeat(self, times: int) -> None:
        """Hold the items ``times`` times over; none where ``times`` is not positive."""

    @abstractmethod
    def reverse(self) -> None:
        """Reverse the order of the items."""

    @abstractmethod
    def replace(self, items: Sequence[bytes]) -> None:
        """Put ``items`` in place of all items."""

    @abstractmethod
    def replace_if(self, expected: Sequence[bytes], items: Sequence[bytes]) -> bool:
        """Put ``items`` in place of all items if these are still ``expected``, and say whether they were."""


class MemberStore(ABC):
    """One set of texts."""

    @abstractmethod
    def contains(self, member: str) -> bool:
        """Say whether ``member`` is there."""

    @abstractmethod
    def size(self) -> int:
        """Return the number of members."""

    @abstractmethod
    def get_all(self) -> set[str]:
        """Return every member."""

    @abstractmethod
    def add(self, members: AbstractSet[str]) -> int:
        """Add ``members`` and return how many were absent."""

    @abstractmethod
    def remove(self, members: AbstractSet[str]) -> int:
        """Remove ``members`` and return how many were there."""

    @abstractmethod
    def retain(self, members: AbstractSet[str]) -> None:
        """Remove every member that is not among ``members``."""

    @abstractmethod
    def toggle(self, members: AbstractSet[str]) -> None:
        """Remove those of ``members`` that are there and add the others."""

    @abstractmethod
    def pop_any(self) -> str | None:
        """Remove some member and return it."""

    @abstractmethod
    def replace(self, members: AbstractSet[str]) -> None:
        """Put ``members`` in place of all members."""

    @abstractmethod
    def combine(self, operation: SetOperation, others: Sequence[Key]) -> set[str]:
        """Return the union, intersection or difference of this set and the sets stored under ``others``."""

    @abstractmethod
    def pages(self) -> Iterator[list[str]]:
        """Yield every member that is there from start to end exactly once, about ``PAGE_SIZE`` at a time."""


class Backend(ABC):
    """One store.

    Attributes:
        medium: ``"bytes"`` if any bytes may be stored, ``"json"`` if each must be one compact JSON text.
        ordered: Whether a mapping keeps the order in which its fields were set first.
        in_process: Whether the store ends with the process, so that a bare URL names a new one each time.
        options: The options its URL takes, by name.
        codec: The name of the codec this store's values are written with where nothing else chooses one.
    """

    medium: ClassVar[Medium] = "bytes"
    ordered: ClassVar[bool] = True
    in_process: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {"codec": Option()}
    codec: str | None = None

    @late
    def memo(self) -> dict[Hashable, Any]:
        """Scratch space for whoever derives something from this backend that is to live as long."""
        return {}

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        """Return the store a URL of a scheme registered for this class names; no I/O.

        Raises:
            ConfigurationError: The URL or one of its options is wrong.
        """
        raise ConfigurationError(f"{cls.__name__} cannot be made from a URL such as {url.scheme}:")

    @classmethod
    def options_in(cls, url: StoreURL) -> Mapping[str, object]:
        """Return what a URL says of the options, in its query or elsewhere, by name; not read as their types."""
        return url.options

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL that reaches this store again, every option but secrets included, without any password."""

    @property
    def identity(self) -> Hashable:
        """What two backends of the same store have in common; by default only the backend itself."""
        return id(self)

    @property
    def path(self) -> Path | None:
        """The file or directory the store lies in, made at its first write; None if it lies in neither."""
        return None

    @abstractmethod
    def mapping(self, key: Key, kin: Sequence[Key] = ()) -> MappingStore:
        """Return the handle of one mapping; no I/O.

        Args:
            key: Where it lies.
            kin: The other keys of the same record, its own before its children's. A key that a write makes takes the
                deadline of the first of its kin that is there, in the same step.
        """

    @abstractmethod
    def sequence(self, key: Key, kin: Sequence[Key] = ()) -> SequenceStore:
        """Return the handle of one sequence; arguments as for :meth:`mapping`."""

    @abstractmethod
    def members(self, key: Key, kin: Sequence[Key] = ()) -> MemberStore:
        """Return the handle of one set; arguments as for :meth:`mapping`."""

    @abstractmethod
    def exists(self, keys: Sequence[Key]) -> bool:
        """Say whether any of ``keys``, all of one root, is there."""

    def exist(self, families: Sequence[Sequence[Key]]) -> list[bool]:
        """Say of each of some roots whether any of its keys is there, each a moment of its own."""
        return [self.exists(keys) for keys in families]

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        """Return what each of some mappings holds under some fields, one at least, each a moment of its own."""
        return [self.mapping(key).get_many(fields) for key, fields in wanted]

    @abstractmethod
    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return what each of ``keys``, all of one root, holds, None if nothing; all at one moment.

        Raises:
            ForeignDataError: One holds what another program put there.
        """

    @abstractmethod
    def shape(self, key: Key) -> Shape | None:
        """Say what ``key`` holds, None if nothing.

        Raises:
            ForeignDataError: Another program put it there.
        """

    def describe(self, keys: Sequence[Key]) -> list[Description | None]:
        """Return what each of some keys, of any roots, holds, None if nothing, each a moment of its own.

        One that cannot be read does not keep the others from being told.
        """
        return list(map(self._describe, keys))

    @abstractmethod
    def keys(self, prefix: str) -> Iterator[Key]:
        """Yield every key whose root starts with ``prefix``, exactly once, children included, in no order."""

    @abstractmethod
    def apply(self, changes: Sequence[Change], kin: Sequence[Key] = ()) -> list[bool]:
        """Make several changes, all of one root, in one step: all of them or none.

        Args:
            changes: Made in their order.
            kin: As for :meth:`mapping`, for every key the changes make; what counts is which of them was there before
                the first change, and its deadline then.

        Returns:
            For each change, whether its key was there before the first of them. Where a key that ``must_be_absent``
            was there, nothing was done.
        """

    @abstractmethod
    def ttl(self, keys: Sequence[Key]) -> float | None:
        """Return the seconds the first of ``keys`` that is there has left, None without a deadline or without any."""

    def file(self, key: Key) -> Path | None:
        """Return the file that holds ``key`` alone and may be edited by hand, for errors to name; None if none does."""
        del key
        return None

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield what lies among this store's data and is no key, each as its name and what is wrong with it.

        Args:
            type_names: What a name starts with that, in a store shared with other programs, was meant to be a key.
        """
        del type_names
        return iter(())

    @abstractmethod
    def close(self) -> None:
        """Free connections and files; the next operation opens them again."""

    def _describe(self, key: Key) -> Description | None:
        opened: dict[Shape, Callable[[Key], MappingStore | SequenceStore | MemberStore]]
        opened = {"mapping": self.mapping, "sequence": self.sequence, "members": self.members}
        try:
            shape = self.shape(key)
            size = opened[shape](key).size() if shape else 0
        except WrongShapeError:  # it has become another one in between
            return self._describe(key)
        except CorruptDataError:
            return Description(None)
        return Description(shape, size, self.ttl([key])) if size else None

    def __eq__(self, other: object) -> bool:
        return self.identity == other.identity if isinstance(other, Backend) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

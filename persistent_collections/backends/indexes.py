"""Indexes: entries that a store maintains so that queries find records by their fields.

The record is authoritative. An index entry is a hint: it may be stale after its record is deleted, but every
existing record has its entry. A store sees only bytes: an *entry key* sorts like the values, and no entry key of an
index is a prefix of another one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from persistent_collections import classes
from persistent_collections.backends.effects import reads, writes
from persistent_collections.backends.keys import Key
from persistent_collections.errors import NotUnique, SchemaChangedError

Support: TypeAlias = Literal["none", "unique", "indexes"]
"""A store's index support: none; comparing the bytes of unique fields; or maintaining entries."""

FIRST = b""
"""A bound below every entry key."""
LAST = b"\xff"
"""A bound above every entry key; after an entry key or part of one, above all entry keys that start with it."""


class Index(NamedTuple):
    """One index of a class.

    ::

        email = Index("email.text!", ("email",), unique=True, declared=("email",))
        orders = Index("customer.reference+placed.datetime", ("customer", "placed"), False, ("customer", "placed"))

    Attributes:
        name: Its fields and their types, so that an index of other types has another name:
            ``customer.reference+placed.datetime``, and ``email.text!`` for a unique one.
        fields: The names in the store of the fields it orders by.
        unique: Whether no two records may have the same values in these fields.
        declared: The names of the fields in the class, for messages.
    """

    name: str
    fields: tuple[str, ...]
    unique: bool
    declared: tuple[str, ...]


class EntryKey(NamedTuple):
    """The entry of one record in one index.

    ::

        luke, nobody = EntryKey(b"luke@example.com", claims=True), EntryKey(b"")
        assert nobody < luke
        assert not nobody.claims

    Attributes:
        key: The order keys of its fields, one after the other.
        claims: Whether no other record may have the same entry key; only in a unique index, and not if a field is None
            or unset.
    """

    key: bytes
    claims: bool = False


@dataclass(frozen=True, slots=True)
class Indexing:
    """The indexes of one class.

    ::

        email = Index("email.text!", ("email",), unique=True, declared=("email",))
        users = Indexing("User", (email,), lambda index, data: EntryKey(data[0] or b"", claims=data[0] is not None))
        assert users.index("email.text!") is email
        assert users.record("luke") == Key("User:luke")
        assert users.key_of(email, [b"luke@example.com"]) == EntryKey(b"luke@example.com", claims=True)

    Attributes:
        type_name: The start of the keys of its records.
        indexes: The indexes.
        key_of: Returns a record's entry in an index, from the bytes of the fields of the index. Raises
            ``DecodeError`` if these cannot be decoded. It runs code of the application: call it outside a step.
    """

    type_name: str
    indexes: tuple[Index, ...]
    key_of: Callable[[Index, Sequence[bytes | None]], EntryKey] = field(compare=False, repr=False)

    def index(self, name: str) -> Index:
        """Return the index of this name."""
        return next(index for index in self.indexes if index.name == name)

    def record(self, id: str) -> Key:
        """Return the key of the record with this quoted id."""
        return Key(f"{self.type_name}:{id}")

    @property
    def prefix(self) -> str:
        """The start of the roots of all its records."""
        return f"{self.type_name}:"


class Place(NamedTuple):
    """The position of an entry in its index.

    ::

        assert Place(b"Han", "2") < Place(b"Luke", "1") < Place(b"Luke", "3")  # the order of an index

    Attributes:
        key: Its entry key.
        id: The id of its record, quoted as in the root.
    """

    key: bytes
    id: str


class Hit(NamedTuple):
    """An entry that was found, of a record that exists.

    ::

        hit = Hit(Place(b"Luke", "1"), [b"Luke", None])  # two fields were requested, and one is not set
        assert hit.place.id == "1"

    Attributes:
        place: Its position.
        data: The bytes of the requested fields.
    """

    place: Place
    data: Sequence[bytes | None] = ()


class Page(NamedTuple):
    """Some entries that were found.

    ::

        page = Page([Hit(Place(b"Han", "2")), Hit(Place(b"Luke", "1"))], last=Place(b"Luke", "1"))
        assert [hit.place.id for hit in page.hits] == ["2", "1"]
        assert page.last is not None  # pass it to IndexStore.find as after=

    Attributes:
        hits: The entries, in their order, except those of deleted records.
        last: The position after which the next page begins, None after the last page.
    """

    hits: Sequence[Hit]
    last: Place | None


class IndexStore(ABC):
    """The indexes of one class in one store.

    ::

        from persistent_collections.backends import Make, SetEntries

        by_name = Index("name.text", ("name",), unique=False, declared=("name",))
        users = Indexing("User", (by_name,), lambda index, data: EntryKey(data[0]))
        store, luke = connect("fakeredis://"), users.record("luke")
        store.index(users).mark(["name.text"], whole=True)
        entries = {"name.text": EntryKey(b"Luke")}
        store.commit([], [Make(luke, {"name": b"Luke"}), SetEntries(luke, users, {}, entries)])
        page = store.index(users).find("name.text", b"L", b"M", 10, fields=["name"])
        assert page == Page([Hit(Place(b"Luke", "luke"), [b"Luke"])], None)

    An index is *whole* if it has an entry for every record of the class. That fact is stored in the index itself, so
    deleting its entries deletes that too. A new index is not whole.

    Attributes:
        exact: Whether an entry is deleted in the same step in which its record gets another entry or is deleted, not
            later.
    """

    exact: ClassVar[bool] = True

    @abstractmethod
    @reads
    def find(
        self,
        index: str,
        low: bytes,
        high: bytes,
        limit: int,
        *,
        after: Place | None = None,
        backwards: bool = False,
        fields: Sequence[str] = (),
    ) -> Page | None:
        """Return the entries whose key is at least ``low`` and less than ``high``; None if the index is not whole.

        They are in the order of their keys, then of the ids as UTF-8. ``backwards`` reverses both.

        Args:
            index: The name of the index.
            low: The lowest entry key, or the beginning of one.
            high: A bound above the highest entry key.
            limit: The maximum number of entries to look at, at least 1.
            after: Only entries after this position, in the requested order.
            backwards: Whether the highest comes first.
            fields: Names of fields to read of each record. A hit and its data are read at one moment.
        """

    @abstractmethod
    @reads
    def count(self, index: str, low: bytes, high: bytes) -> int | None:
        """Return the number of existing records that :meth:`find` would find, None if the index is not whole."""

    @abstractmethod
    @reads
    def states(self) -> Mapping[str, bool]:
        """Return the name of each stored index of the class, declared or not, and whether it is whole."""

    @abstractmethod
    @writes
    def mark(self, names: Sequence[str], *, whole: bool, only_new: bool = False) -> None:
        """Mark some indexes as whole, or as being written.

        Args:
            names: Of the indexes.
            whole: Whether they are whole.
            only_new: Skip an index that already has a mark or any entry.
        """

    @abstractmethod
    @writes
    def drop(self, names: Sequence[str]) -> None:
        """Delete all entries of some indexes, and the marks that they are whole. A store may use several steps."""

    @abstractmethod
    @writes
    def discard(self, index: str, place: Place) -> bool:
        """Delete an entry that its record does not have; return whether the entry existed and is deleted now."""

    @abstractmethod
    @reads
    def entries(self, index: str) -> Iterator[Place]:
        """Yield every entry of an index present from start to end, including entries of deleted records."""


class IndexUnbuiltError(SchemaChangedError):
    """An index that a step needs is not whole; nothing was done.

    Attributes:
        names: The names of these indexes.
    """

    def __init__(self, indexing: Indexing, names: Sequence[str]) -> None:
        name = classes.spelt(indexing.type_name)
        super().__init__(
            f"{name} has records in this store that are not in its index {', '.join(names)}; nothing was done; build "
            f"it: {name}.reindex()"
        )
        self.names = tuple(names)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, self.args, vars(self)


def _unpickled(*args: Any) -> IndexUnbuiltError:
    return IndexUnbuiltError.__new__(IndexUnbuiltError, *args)


def not_unique(key: Key, index: Index, other: Key) -> NotUnique:
    """Return the error for a record ``key`` whose values in a unique index belong to another record."""
    fields = " and ".join(index.declared)
    verb, pronoun = ("is", "that") if len(index.declared) == 1 else ("are", "those")
    message = f"{str(key)!r}: its {fields} {verb} {pronoun} of {str(other)!r}; nothing was written"
    return NotUnique(message, field=", ".join(index.declared), other=str(other))

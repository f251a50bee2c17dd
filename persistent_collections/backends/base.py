"""The interface of a store: bytes under fields and indexes, every method one atomic step.

A backend doesn't know Python values. It returns small handles, one class per shape, bound to one key. Every
method keeps these promises:

1. It is one atomic step, between threads and between processes; a crash leaves all of it or nothing.
2. A key holds one shape; another shape's operation on it raises ``WrongShapeError`` and does nothing.
3. An emptied collection does not exist, and one that does not exist reads as empty.
4. Absence is ``None`` or ``False``, never an exception and never a marker value among the data.
5. Only this package's errors leave it, with the store's own error as ``__cause__``.
6. A child belongs to its owner, the record's own key: it is written only while the owner exists, inherits the owner's
   deadline when created, and is deleted with it. It is not created while the owner has a field of its name.

The easiest way to a new store is :class:`~persistent_collections.backends.simple.SimpleBackend`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, NoReturn, Self, TypeAlias, cast

from persistent_collections.backends.changes import Change, Condition
from persistent_collections.backends.effects import reads, writes
from persistent_collections.backends.handles import MappingStore, MemberStore, SequenceStore
from persistent_collections.backends.indexes import Indexing, IndexStore, Support
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape, shape_of, wrong_shape
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError, CorruptDataError

Medium: TypeAlias = Literal["bytes", "json"]

Whole: TypeAlias = list[Entry | None] | CorruptDataError
"""The entries of some keys of one object, None if one does not exist; or the error if they cannot be read."""

PAGE_SIZE = 1000
"""Fields, items or members read in one step of an iteration."""

BATCH_BYTES = 1_000_000
"""How large the values of objects that are read or written together may be, except for those of a single one."""


class ForeignDataError(CorruptDataError):
    """A key holds data that stores of this package never write, so another program put it there.

    Attributes:
        key: The key.
    """

    def __init__(self, key: Key, what: str) -> None:
        super().__init__(f"{str(key)!r} holds a {what}, which another program put there")
        self.key = key


class Found(NamedTuple):
    """The properties of one key, without its content.

    ::

        store, key = connect("memory:"), Key("PersistentList:l")
        store.sequence(key).push_right([b"1", b"2"])
        [found, none] = store.look([key, Key("PersistentList:m")], sizes=True)
        assert (found.shape.word, found.ttl_s, found.size, none) == ("list", None, 2, None)

    Attributes:
        shape: None for data that this package does not write, or that can't be read.
        ttl_s: Seconds until the key vanishes, or None.
        size: The number of fields, items or members, if requested; 0 if ``shape`` is None.
    """

    shape: Shape | None
    ttl_s: float | None = None
    size: int = 0


class Wanted(NamedTuple):
    """Parts of one record to read at one moment.

    ::

        store, key = connect("memory:"), Key("User:luke")
        store.mapping(key).set_many({"name": b"Luke"})
        [found] = store.examine([Wanted(key, ["name", "age"], [Key("User:luke", "friends")])])
        assert (list(found.data), list(found.children)) == ([b"Luke", None], [False])

    Attributes:
        key: The record's own.
        fields: Names of fields.
        children: Children that may exist.
    """

    key: Key
    fields: Sequence[str]
    children: Sequence[Key] = ()


class Examined(NamedTuple):
    """The requested parts of a record that exists.

    ::

        store, key = connect("memory:"), Key("User:luke")
        store.mapping(key).set_many({"name": b"Luke"})
        found = store.examine([Wanted(key, ["name"]), Wanted(Key("User:han"), ["name"])])
        assert found == [Examined([b"Luke"], []), None]

    Attributes:
        data: The bytes under each field, None for a field that is not set.
        children: Whether each child exists.
    """

    data: Sequence[bytes | None]
    children: Sequence[bool] = ()


class Inspectable:
    """Methods of a store that only tools use; each has a default."""

    @classmethod
    def options_in(cls, url: StoreURL) -> Mapping[str, object]:
        """Return the texts of the options in a URL, by name."""
        return url.options

    def default_of(self, option: str) -> object:
        """Return the default of an option: that of the class's parameter of this name, or None."""
        parameter = signature(type(self)).parameters.get(option)
        return None if parameter is None or parameter.default is Parameter.empty else parameter.default

    @property
    def path(self) -> Path | None:
        """The file or directory of the store, made at its first write; None if it has neither."""
        return None

    def file(self, key: Key) -> Path | None:
        """Return the file that holds only ``key`` and may be edited by hand, for error messages; None without one."""
        del key
        return None

    def advise(self, habit: str) -> None:
        """Warn of a slow habit of the program if this store watches for them, as ``?warnings=on`` does; no I/O."""
        del habit

    @reads
    def back_up(self, file: Path) -> None:
        """Write all that is stored at one moment to ``file``, which exists and is empty, as a separate store.

        Raises:
            ConfigurationError: The store has no single-file form.
        """
        del file
        raise ConfigurationError(
            f"{type(self).__name__} cannot be backed up as one file; export writes any store to a file"
        )

    @reads
    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield the name of everything in this store's data that is not a key, and its fault.

        Args:
            type_names: Types of this program. In a store that is shared with other programs, only names that start
                with one of these were meant to be keys.
        """
        del type_names
        return iter(())


class Backend(Inspectable, ABC):
    """One store.

    ::

        with connect("memory:") as store:
            settings = Key("PersistentDict:settings")
            store.mapping(settings).set_many({"theme": b"dark"})
            [found] = store.look([settings])
            assert found is not None and found.shape is MAPPING
            assert list(store.keys("PersistentDict:")) == [settings]

    Attributes:
        medium: ``"bytes"`` if any bytes may be stored, ``"json"`` if each must be one compact JSON text.
        ordered: Whether a mapping keeps the order in which its fields were first set.
        in_process: Whether the store ends with the process, so that a bare URL names a new one each time.
        several_roots: Whether ``commit`` accepts keys of any roots, as one step.
        steps_at_once: How many steps ``commit_each`` makes best together, and how many objects a simple store reads.
        yields: Whether its operations let their event loop continue, by ``flows.crossing``.
        options: The options that its URL accepts, by name.
        codec: The name of the codec for this store's values, unless something else chooses one.
    """

    medium: ClassVar[Medium] = "bytes"
    ordered: ClassVar[bool] = True
    in_process: ClassVar[bool] = False
    several_roots: bool = True
    steps_at_once: ClassVar[int] = 1
    yields: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {"codec": Option()}
    codec: str | None = None

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        """Return the store that a URL of a scheme registered for this class names; no I/O.

        Raises:
            ConfigurationError: The URL or one of its options is wrong.
        """
        raise ConfigurationError(
            f"{cls.__name__} cannot be made from a URL such as {url.scheme}:; make it by hand, and pass it as backend="
        )

    @property
    def indexing(self) -> Support:
        """The index support of the store; with ``"indexes"``, it implements :meth:`index`."""
        return "none"

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL that reaches this store again, with every option except secrets, without any password."""

    @property
    def identity(self) -> Hashable:
        """The identity shared by two backends of the same store; by default only the backend itself."""
        return id(self)

    @abstractmethod
    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        """Return the handle of ``key`` as ``shape``; no I/O.

        A handle of a child writes only while its owner exists; otherwise its writes raise ``ObjectNotFound``. While the
        child does not exist and its owner holds a field of its name, they raise ``SchemaChangedError``. A child that a
        write makes takes the owner's deadline in the same step.

        Args:
            shape: One of ``backends.shapes``.
            key: The key.
            is_record: Whether the mapping at ``key`` is a record's own: its writes raise ``ObjectNotFound`` if the key
                does not exist, and a write that empties it leaves the marker field.
        """

    def mapping(self, key: Key, *, is_record: bool = False) -> MappingStore:
        """Return the handle of a mapping; as :meth:`open`."""
        return cast("MappingStore", self.open(MAPPING, key, is_record=is_record))

    def sequence(self, key: Key) -> SequenceStore:
        """Return the handle of a sequence; as :meth:`open`."""
        return cast("SequenceStore", self.open(SEQUENCE, key))

    def members(self, key: Key) -> MemberStore:
        """Return the handle of a set; as :meth:`open`."""
        return cast("MemberStore", self.open(MEMBERS, key))

    def index(self, indexing: Indexing) -> IndexStore:
        """Return the handle of the indexes of a class; no I/O. Only if ``indexing`` is ``"indexes"``."""
        raise ConfigurationError(
            f"{self.url} keeps no indexes, so it has none of {indexing.type_name}; see Backend.indexing"
        )

    @abstractmethod
    @reads
    def look(self, keys: Sequence[Key], *, sizes: bool = False) -> list[Found | None]:
        """Return a ``Found`` for each of some keys, of any roots, None if it does not exist; each at its own moment.

        A key that cannot be read does not hide the others.

        Args:
            keys: The keys.
            sizes: Whether to count fields, items and members too.
        """

    @reads
    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        """Return the bytes of some fields, at least one, of each of some mappings; each mapping at its own moment."""
        return [self.mapping(key).get_many(fields) for key, fields in wanted]

    @reads
    def examine(self, wanted: Sequence[Wanted]) -> list[Examined | None]:
        """Return parts of each of some records, None for one that does not exist; each record at one moment."""
        return [self._examined(each) for each in wanted]

    @abstractmethod
    @reads
    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return the entry of each of ``keys``, all of one root, None if it does not exist; all at one moment.

        Raises:
            ForeignDataError: One holds data that another program put there.
        """

    @reads
    def snapshots(self, objects: Sequence[Sequence[Key]]) -> list[Whole]:
        """Return the entries of keys of the first of some objects, each object's at one moment; at least one object's.

        A store that reads several objects in one round trip returns those that have about ``BATCH_BYTES`` together. An
        object that cannot be read does not hide the others.
        """
        try:
            return [self.snapshot(objects[0])]
        except CorruptDataError as error:
            return [error]

    @abstractmethod
    @reads
    def keys(self, prefix: str, shape: Shape | None = None) -> Iterator[Key]:
        """Yield every key whose root starts with ``prefix``, exactly once, children included, in no order.

        Args:
            prefix: The start of the roots.
            shape: Leave out keys of other shapes, if the store can without opening each.
        """

    @abstractmethod
    @writes
    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        """Make ``changes`` in their order in one step if all ``conditions`` hold, and return whether they did.

        Conditions are checked before the first change. A child that a change creates inherits its owner's deadline,
        at that moment of the step.

        Raises:
            WrongShapeError: A change has another shape than the content of its key; nothing was done.
            NotUnique: Another record has an entry key that a change claims; nothing was done.
            IndexUnbuiltError: A required index is not whole; nothing was done.
        """

    @writes
    def commit_once(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        """Like :meth:`commit`, but idempotent if the store supports that, so that a lost reply does no harm.

        It then asks again for an outcome that it did not learn, instead of raising ``OutcomeUnknown`` at once.
        """
        return self.commit(conditions, changes)

    def takes_together(self, keys: Sequence[Key]) -> bool:
        """Return whether one commit accepts all of ``keys``; no I/O."""
        return self.several_roots or len({key.root for key in keys}) <= 1

    @writes
    def commit_each(self, steps: Sequence[tuple[Sequence[Condition], Sequence[Change]]]) -> list[bool]:
        """Make several steps that do not depend on one another, each like :meth:`commit`, up to the first refused one.

        A store may make many of them as one, and may try those after a refused one too.

        Returns:
            The result of each step that was tried.
        """
        tried: list[bool] = []
        for conditions, changes in steps:
            tried.append(self.commit(conditions, changes))
            if not tried[-1]:
                break
        return tried

    @abstractmethod
    def close(self) -> None:
        """Free connections and files; the next operation opens them again."""

    def _examined(self, wanted: Wanted) -> Examined | None:
        own, *children = self.snapshot([wanted.key, *wanted.children])
        if own is None:
            return None
        if not isinstance(own.content, dict):
            raise wrong_shape(wanted.key, shape_of(own.content), MAPPING)
        return Examined([own.content.get(field) for field in wanted.fields], [child is not None for child in children])

    def __eq__(self, other: object) -> bool:
        return self is other or (self.identity == other.identity if isinstance(other, Backend) else NotImplemented)

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled: it holds what only this process has; pass its URL, or a name that both "
            "processes give to configure()"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

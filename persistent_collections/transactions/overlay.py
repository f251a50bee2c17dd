"""The store of a transaction: reads are remembered, writes are kept until the commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from persistent_collections.backends.base import Backend, Examined, Found, Wanted
from persistent_collections.backends.building import claims_of
from persistent_collections.backends.changes import (
    Change,
    Condition,
    ContentIs,
    Delete,
    Exists,
    FieldsAre,
    HeldBy,
    Make,
    SetDeadline,
    SetEntries,
    SetFields,
    SizeIs,
)
from persistent_collections.backends.contents import agrees, shape_for
from persistent_collections.backends.indexes import EntryKey, Index, Indexing, IndexStore, Support, not_unique
from persistent_collections.backends.keys import Content, Entry, Key
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape, child_is_field
from persistent_collections.backends.simple import SimpleBackend, Step
from persistent_collections.backends.wrappers.beside import BesideBackend
from persistent_collections.errors import ObjectNotFound, TransactionError
from persistent_collections.transactions.cells import Cell
from persistent_collections.transactions.handles import HANDLES, generic
from persistent_collections.transactions.holders import holders
from persistent_collections.transactions.parts import PARTS, Fields, Items, Members

T = TypeVar("T")

FEW: Final = 16
"""Up to so many members of a set are looked up one by one; for more, the set is read as a whole."""


class Overlay(SimpleBackend):
    """One store within one transaction.

    Args:
        inner: The store.
        check: Called at each operation; raises if the transaction can't be used.

    Attributes:
        inner: The store.
        moments: The number of moments of the store that were seen: each key of a request may be read at its own.
    """

    def __init__(self, inner: Backend, check: Callable[[], None]) -> None:
        self.inner = inner
        self.moments = 0
        self.codec = inner.codec
        self.several_roots = inner.several_roots
        vars(self).update(medium=inner.medium, ordered=inner.ordered)
        self._check = check
        self._cells: dict[Key, Cell] = {}
        self._bounds: dict[Any, Any] = {}
        self._assumed: list[Key] = []
        self._held: dict[tuple[str, str, bytes], HeldBy] = {}
        self._is_changing = False

    @property
    def url(self) -> str:
        return self.inner.url

    @property
    def identity(self) -> Hashable:
        return self.inner.identity

    @property
    def indexing(self) -> Support:
        return self.inner.indexing

    @property
    def path(self) -> Path | None:
        return self.inner.path

    def file(self, key: Key) -> Path | None:
        return self.inner.file(key)

    def close(self) -> None:
        self.inner.close()

    def remembered(self, core: Any, make: Callable[[Backend], T]) -> T:
        """Return the result of ``make`` for this store, cached by ``core``."""
        found: T | None = self._bounds.get(core)
        return self._bounds.setdefault(core, make(self)) if found is None else found

    def parts(self) -> tuple[list[Condition], list[Change]]:
        """Return the conditions and changes of the commit.

        Raises:
            TransactionError: An operation was interrupted while it changed something.
        """
        if self._is_changing:
            raise TransactionError(
                "an operation in the transaction was interrupted halfway; nothing was written, run it again"
            )
        now = time.time()
        cells = sorted(self._cells.values(), key=lambda cell: cell.key.child is not None)  # a child follows its owner
        conditions = [condition for cell in cells for condition in cell.conditions()]
        return [*conditions, *self._held.values()], [change for cell in cells for change in cell.changes(now)]

    # Methods that the handles use.

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        return HANDLES.get(shape, generic(shape))(self, key, is_record=is_record)

    def require(self, key: Key) -> None:
        """Raise unless ``key`` exists.

        Raises:
            ObjectNotFound: It does not.
        """
        if not self.exists(key):
            raise ObjectNotFound(f"{str(key)!r} does not exist in {self.url}")

    def require_child(self, key: Key) -> None:
        """Raise unless the owner of a child exists, and no field of it has the name of a child that does not exist.

        If the owner is known to exist, the store is not asked for the field: it is assumed to be absent, and if the
        commit fails, :meth:`corrects_assumptions` looks.

        Raises:
            ObjectNotFound: The owner does not exist.
            SchemaChangedError: It has such a field.
        """
        field, owner = str(key.child), self._cell(key.owner)
        self.require(key.owner)
        if owner.shape is not MAPPING:  # whoever made a record of it
            return
        if owner.content is None and owner.part_of(MAPPING).unread([field]):
            owner.part_of(MAPPING).read[field] = None
            self._assumed.append(key)
        elif self._fields(key.owner, [field]) != [None] and not self.exists(key):
            raise child_is_field(key)

    def corrects_assumptions(self) -> bool:
        """Return whether an assumption about the store was wrong, and correct it.

        Raises:
            SchemaChangedError: A record has a field of the name of a child that was to be written.
        """
        wanted = [Wanted(key.owner, [str(key.child)], [key]) for key in self._assumed]
        is_corrected = False
        for each, found in zip(wanted, self.inner.examine(wanted) if wanted else (), strict=True):
            if found is None or found.data[0] is None:
                continue
            if not found.children[0]:
                raise child_is_field(each.children[0])
            self._cells[each.key].part_of(MAPPING).read[each.fields[0]] = found.data[0]
            is_corrected = True
        self._assumed.clear()
        return is_corrected

    def exists(self, key: Key) -> bool:
        """Return whether ``key`` exists."""
        cell = self._cell(key)
        exists = cell.exists()
        if exists is None and cell.existed is None:
            self._ask_whether(cell)
            exists = cell.exists()
        if exists is None:  # it may be empty now
            return bool(self.content(key, cell.shape or MAPPING))
        return exists

    def content(self, key: Key, shape: Shape) -> Content:
        """Return the whole content of ``key``, never to be changed in place; empty content of any shape for nothing."""
        cell = self._cell(key)
        if cell.content is None:
            handle = self.inner.open(shape, key, is_record=shape is MAPPING)
            cell.read(self._asked(lambda: shape.read(handle)))
        return cast("Content", cell.content)

    def fields(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        """Return the bytes that each of some mappings holds under some fields."""
        asked = [(key, unread) for key, fields in wanted if (unread := self._unread(key, fields))]
        if len(asked) == 1:
            [(key, unread)] = asked
            data = [self._asked(lambda: self._read_fields(key, unread))]
        else:
            data = self._asked(lambda: self.inner.get_many(asked), len(asked)) if asked else []
        for (key, unread), found in zip(asked, data, strict=True):
            self._cell(key).part_of(MAPPING).read.update(zip(unread, found, strict=True))
        return [self._fields(key, fields) for key, fields in wanted]

    def item(self, key: Key, index: int) -> bytes | None:
        """Return the item of a sequence at ``index``, None if out of range."""
        cell = self._cell(key)
        if cell.content is None:
            part: Items = cell.part_of(SEQUENCE)
            data = part.own(index)
            place = None if data is not None else part.place(index)
            if place is not None:
                if place not in part.read:
                    part.read[place] = self._asked(lambda: self.inner.sequence(key).get(place))
                data = part.read[place]
            if data is not None or (place is not None and part.is_end(index)):
                return data
        items = cast("list[bytes]", self.whole(key, SEQUENCE))
        return items[index] if -len(items) <= index < len(items) else None

    def members_of(self, key: Key, members: Collection[str]) -> set[str]:
        """Return those of ``members`` that are in a set."""
        cell = self._cell(key)
        if cell.content is None:
            part: Members = cell.part_of(MEMBERS)
            unread = [member for member in members if part.get(member) is None]
            if len(unread) <= FEW:
                handle = self.inner.members(key)
                for member in unread:
                    part.read[member] = self._asked(partial(handle.contains, member))
                return {member for member in members if part.get(member)}
        return {*members} & cast("set[str]", self.whole(key, MEMBERS))

    def size(self, key: Key, shape: Shape) -> int:
        """Return the number of fields, items or members of ``key``."""
        cell = self._cell(key)
        if cell.content is not None or shape not in PARTS or cell.part_of(shape).changes():
            return len(self.whole(key, shape))
        if cell.size is None:
            cell.size = self._asked(lambda: int(self.inner.open(shape, key).size()))
        return cell.size

    def whole(self, key: Key, shape: Shape, *, is_record: bool = False) -> Any:
        """Return the whole content of ``key`` as ``shape``, never to be changed in place.

        Raises:
            WrongShapeError: It has another shape.
        """
        content = self.content(key, shape)
        return self.content_as(key, Entry(content) if content else None, shape, is_record=is_record)

    def put(self, key: Key, content: Content) -> None:
        """Put ``content`` in place of the content of a key that was read as a whole."""
        cell = self._cell(key)
        self._is_changing = True
        cell.put(content)
        self._is_changing = False

    def change(self, change: Change) -> None:
        """Make a change of one shape.

        Raises:
            WrongShapeError: The key is known to hold another one.
        """
        self._refuse_shape(change)
        cell = self._cell(change.key)
        if cell.must_be_known_for(change):
            self.content(change.key, cast("Shape", shape_for(change)))
        self._is_changing = True
        cell.change(change)
        self._is_changing = False

    def presume_absent(self, key: Key) -> None:
        """Take a key whose id was drawn at random for absent, without a look; that is a condition of the commit."""
        cell = self._cell(key)
        if cell.content is None and cell.part is None and cell.existed is None:
            cell.existed = False

    # Methods of a backend.

    def read(self, key: Key) -> Entry | None:
        return self.snapshot([key])[0]

    def transform(self, keys: Sequence[Key], step: Step) -> None:
        for key, entry in step(dict(zip(keys, self.snapshot(keys), strict=True))).items():
            self.put(key, entry.content if entry else {})

    def holder(self, indexing: Indexing, index: Index, entry: EntryKey, data: Mapping[str, bytes]) -> Key | None:
        """Return the record with the claimed entry in a unique index; the result, or its absence, becomes a condition.

        Args:
            indexing: The indexes of the class.
            index: The unique one.
            entry: The claim.
            data: The bytes of the fields of the index.

        Raises:
            TransactionError: The store keeps record and index in different places.
        """
        self._check()
        if not self.inner.several_roots:
            self.index(indexing)
        for cell in self._cells.values():
            if cell.key.root.startswith(indexing.prefix) and cell.entries.get(index.name) == entry:
                return cell.key
        key = self._stored_holder(indexing, index, entry, data)
        known = None if key is None else self._cells.get(key)
        is_changed = known is not None and (known.exists() is False or index.name in known.entries)
        return None if is_changed else key

    def _stored_holder(
        self, indexing: Indexing, index: Index, entry: EntryKey, data: Mapping[str, bytes]
    ) -> Key | None:
        asked = indexing.type_name, index.name, entry.key
        if asked not in self._held:
            found = self._asked(lambda: next(holders(self.inner, indexing, {index.name: entry}, data), None))
            key = Key(indexing.prefix) if found is None else found[0]
            held = tuple(data[field] for field in index.fields)
            self._held[asked] = HeldBy(key, indexing, index.name, entry.key, held)
        return self._held[asked].holder

    def index(self, indexing: Indexing) -> IndexStore:
        raise TransactionError(
            f"a transaction cannot search {indexing.type_name}, since it would not notice records that others add "
            "meanwhile; find them before the transaction begins, and read in it the fields that matter"
        )

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        for key in keys:
            cell = self._cell(key)
            if cell.content is None and cell.shape is not None:
                self.content(key, cell.shape)
            elif cell.content is None:
                [entry] = self._asked(partial(self.inner.snapshot, [key]))
                cell.read(entry.content if entry else {})
        contents = [self._cell(key).content for key in keys]
        return [Entry(content) if content else None for content in contents]

    def look(self, keys: Sequence[Key], *, sizes: bool = False) -> list[Found | None]:
        """Return the content of each of ``keys``. Existence becomes a condition of the commit, but not the deadline."""
        cells = [self._cell(key) for key in keys]
        looked = self._asked(lambda: self.inner.look(keys, sizes=sizes), len(keys))
        return [self._seen(cell, found, sizes=sizes) for cell, found in zip(cells, looked, strict=True)]

    def get_many(self, wanted: Sequence[tuple[Key, Sequence[str]]]) -> list[list[bytes | None]]:
        return self.fields(wanted)

    def examine(self, wanted: Sequence[Wanted]) -> list[Examined | None]:
        asked = [each for each in wanted if not self._is_known(each)]
        examined = self._asked(lambda: self.inner.examine(asked), len(asked)) if asked else ()
        for each, found in zip(asked, examined, strict=True):
            self._learn(each, found)
        return [self._examined(each) for each in wanted]

    def keys(self, prefix: str, shape: Shape | None = None) -> Iterator[Key]:
        del shape
        raise TransactionError(
            f"a transaction cannot list the objects of {prefix.rstrip(':')!r}, since it would not notice "
            "objects that others make meanwhile; list them before the transaction begins, or keep their ids in a "
            "collection"
        )

    def stored_keys(self, prefix: str) -> Iterator[Key]:
        return self.keys(prefix)

    def back_up(self, file: Path) -> None:
        del file
        self.keys("")

    def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
        del type_names
        return iter(map(str, self.keys("")))  # type: ignore[arg-type]  # which raises

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        if not all(map(self._holds, sorted(conditions, key=lambda each: isinstance(each, Exists)))):
            return False
        freed: set[Key] = set()
        for change in changes:
            if isinstance(change, Delete):
                freed.update([change.key, *(change.children or ())])
            elif change.key not in freed:
                self._prepare(change, changes)
        self._make_all(changes)
        return True

    def _make_all(self, changes: Sequence[Change]) -> None:
        now = time.time()
        self._is_changing = True
        made = {change.key for change in changes if self._make(change, now)}
        for change in changes:
            if isinstance(change, SetEntries):
                self._cell(change.key).set_entries(change, is_new=change.key in made)
        self._is_changing = False

    def _require_free(self, change: SetEntries, changes: Sequence[Change]) -> None:
        """Raise if another record has an entry that a record claims in a unique index.

        If the transaction has read that other record, only the commit shows whether it keeps the entry.

        Raises:
            NotUnique: Another record has it.
            TransactionError: The store keeps record and index in different places.
        """
        if not self.inner.several_roots:
            raise TransactionError(
                f"{str(change.key)!r}: {self.url} changes in one step only what belongs to one object, and an index "
                "does not; nothing was written. Write fields that are indexed outside of the transaction"
            )
        claims, together = claims_of(change), {each.key for each in changes}
        for (name, entry), cell in product(claims.items(), self._cells.values()):
            of_class = cell.key.root.startswith(change.indexing.prefix)
            if of_class and cell.key not in together and cell.entries.get(name) == entry:
                raise not_unique(change.key, change.indexing.index(name), cell.key)
        self.moments += bool(claims)
        for key, index in holders(self.inner, change.indexing, claims, self._becoming(change, changes)):
            if key not in together and key not in self._cells:
                raise not_unique(change.key, index, key)

    def _becoming(self, entries: SetEntries, changes: Sequence[Change]) -> dict[str, bytes | None]:
        """Return the content of the indexed fields after ``changes``, for a store that compares bytes."""
        if self.indexing == "indexes" or not claims_of(entries):
            return {}
        names = list(dict.fromkeys(field for index in entries.indexing.indexes for field in index.fields))
        fields = dict(zip(names, self.fields([(entries.key, names)])[0], strict=True))
        for change in changes:
            if change.key == entries.key and isinstance(change, Make | SetFields):
                fields |= change.fields if isinstance(change, Make) else change.items
        return fields

    def _cell(self, key: Key) -> Cell:
        self._check()
        found = self._cells.get(key)
        if found is None:
            self._admit(key)
            found = self._cells[key] = Cell(key)
        return found

    def _admit(self, key: Key) -> None:
        """Raise if one step of the store can't include ``key`` together with the other keys."""
        first = next(iter(self._cells), None)
        if first is not None and not self.inner.takes_together([first, key]):
            raise TransactionError(
                f"{str(first)!r} and {str(key)!r} cannot be in one transaction, since {self.url} changes in one step "
                "only what belongs to one object; nothing was written. Keep what changes together in one record and "
                "its children, or in another store"
            )

    def _asked(self, ask: Callable[[], T], moments: int = 1) -> T:
        self.moments += moments
        return ask()

    def _ask_whether(self, cell: Cell) -> None:
        [found] = self._asked(lambda: self.inner.look([cell.key]))
        self._note(cell, found)

    def _note(self, cell: Cell, found: Found | None) -> None:
        """Note whether the store holds a key, and whether that may be a record."""
        cell.existed = found is not None
        if found is not None and found.shape is MAPPING and cell.part is None:
            cell.part_of(MAPPING)

    def _unread(self, key: Key, fields: Sequence[str]) -> list[str]:
        cell = self._cell(key)
        part: Fields | None = cell.part_of(MAPPING) if cell.content is None else None
        return part.unread(fields) if part else []

    def _read_fields(self, key: Key, fields: list[str]) -> list[bytes | None]:
        handle = self.inner.mapping(key)
        return [handle.get(fields[0])] if len(fields) == 1 else handle.get_many(fields)

    def _fields(self, key: Key, fields: Iterable[str]) -> list[bytes | None]:
        cell = self._cell(key)
        if cell.content is None:
            return list(map(cell.part_of(MAPPING).get, fields))
        return list(map(self.whole(key, MAPPING, is_record=True).get, fields))

    def _seen(self, cell: Cell, found: Found | None, *, sizes: bool) -> Found | None:
        """Return the content of a key for the store's answer ``found``."""
        if cell.content is None and cell.existed is None:
            self._note(cell, found)
        if not self.exists(cell.key):
            return None
        shape = cell.shape or (found and found.shape)
        size = len(self.whole(cell.key, shape)) if sizes and shape else 0
        return Found(shape, self._ttl_s(cell, found), size)

    def _ttl_s(self, cell: Cell, found: Found | None) -> float | None:
        """Return the seconds until a key that exists vanishes, for the store's answer ``found``."""
        ttl_s = found and found.ttl_s
        if ttl_s is not None and cell.content is None and cell.part and cell.part.may_empty:
            self.content(cell.key, cell.part.shape)
        if cell.key.child is not None and (found is None or cell.stands_alone):  # it takes the deadline of its owner
            [owner] = self.look([cell.key.owner])
            return owner and owner.ttl_s
        return cell.ttl_s(ttl_s)

    def _is_known(self, wanted: Wanted) -> bool:
        own = self._cell(wanted.key)
        if own.exists() is False:
            return True
        if own.exists() is None or any(self._cell(child).exists() is None for child in wanted.children):
            return False
        return own.content is not None or not own.part_of(MAPPING).unread(wanted.fields)

    def _learn(self, wanted: Wanted, found: Examined | None) -> None:
        own = self._cell(wanted.key)
        if own.existed is None:
            own.existed = found is not None
        if found is None:
            return
        if own.content is None:
            part: Fields = own.part_of(MAPPING)
            for field, data in zip(wanted.fields, found.data, strict=True):
                part.read.setdefault(field, data)
        for child, existed in zip(wanted.children, found.children, strict=True):
            cell = self._cell(child)
            if cell.existed is None:
                cell.existed = existed

    def _examined(self, wanted: Wanted) -> Examined | None:
        if not self.exists(wanted.key):
            return None
        return Examined(self._fields(wanted.key, wanted.fields), [self.exists(child) for child in wanted.children])

    def _holds(self, condition: Condition) -> bool:
        key = condition.key
        match condition:
            case Exists(expected=expected):
                return self.exists(key) is expected
            case ContentIs(content=content) if not content:
                return not self.exists(key)
            case HeldBy():
                is_held = self._asked(lambda: self.inner.commit([condition], []))
                if is_held:
                    self._held[condition.indexing.type_name, condition.index, condition.entry] = condition
                return is_held
            case FieldsAre(fields=fields):
                return self.fields([(key, list(fields))]) == [list(fields.values())]
            case SizeIs(size=size):
                [found] = self.look([key], sizes=True)
                return size == (found.size if found else 0)
        return agrees(self.whole(key, cast("Shape", shape_for(condition)), is_record=True), condition)

    def _prepare(self, change: Change, changes: Sequence[Change]) -> None:
        """Read the state that one of ``changes`` depends on, and refuse a change of another shape."""
        if isinstance(change, Make):
            self.exists(change.key)
        elif isinstance(change, SetEntries):
            self._require_free(change, changes)
        elif shape_for(change) is not None:
            self._refuse_shape(change)
        else:
            self._cell(change.key)

    def _refuse_shape(self, change: Change) -> None:
        cell, shape = self._cell(change.key), cast("Shape", shape_for(change))
        if cell.content:
            self.whole(change.key, shape, is_record=True)
        elif cell.content is None and shape in PARTS:
            cell.part_of(shape)

    def _make(self, change: Change, now: float) -> bool:
        """Make a change, and return whether it made a record."""
        cell = self._cell(change.key)
        match change:
            case SetDeadline(ttl_s=ttl_s):
                cell.set_deadline(None if ttl_s is None else now + ttl_s, now)
            case Delete(children=children):
                cell.delete(change)
                self._forget(children or ())
            case Make(children=children):
                if cell.exists():
                    return False
                cell.make(change)
                self._forget(children)
            case SetEntries():
                pass  # done last
            case _:
                cell.change(change)
        return isinstance(change, Make)

    def _forget(self, children: Sequence[Key]) -> None:
        for child in children:
            self._cell(child).vanish()


def real(backend: Backend) -> Backend:
    """Return the store itself, for its view in a transaction or its wrapper beside an event loop."""
    if isinstance(backend, Overlay):
        backend = backend.inner
    return backend.wrapped if isinstance(backend, BesideBackend) else backend

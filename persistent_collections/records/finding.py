"""Queries: find records by the values of their fields."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from math import inf
from typing import Any, Generic, NoReturn, Self, TypeVar

import msgspec

from persistent_collections.backends.base import PAGE_SIZE, Backend
from persistent_collections.backends.building import mark_new
from persistent_collections.backends.indexes import EntryKey, Hit, Index, Page, Place
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING
from persistent_collections.callers import stacklevel
from persistent_collections.collections.fetching import (
    OnError,
    Resilient,
    Row,
    read_stored,
    row_of,
    with_referred,
)
from persistent_collections.collections.formers import DeclaredStore
from persistent_collections.collections.ids import unquote_id
from persistent_collections.collections.unannotated import refuse_unannotated
from persistent_collections.config import BackendSource, choose, resolve
from persistent_collections.errors import (
    DecodeError,
    EncodeError,
    NoIndexError,
    ObjectNotFound,
    PageTokenError,
    PersistentCollectionsError,
    SlowHabitWarning,
)
from persistent_collections.records import conditions
from persistent_collections.records.core import BoundFields, RecordCore, RecordInfo, ordered_field
from persistent_collections.records.indexing import UNORDERED, Indexed, OrderedField, unreadable
from persistent_collections.records.planning import Plan, indexable, plan_for
from persistent_collections.records.schema import order_for, shown_type
from persistent_collections.records.tokens import Token, hash_of, token_of
from persistent_collections.remedies import Advice, Scan
from persistent_collections.suggestions import with_hints
from persistent_collections.transactions.current import seen
from persistent_collections.transactions.overlay import Overlay

T_co = TypeVar("T_co", covariant=True)


_Found = Hit | PersistentCollectionsError


_ASKED = ("_after", "_asked", "_backwards", "_limit", "_on_error", "_order", "_scan")
"""The attributes of a query in which those made from it may differ."""


class Claim(msgspec.Struct, frozen=True):
    """Values that one record at most has, looked for within a transaction.

    Attributes:
        store: The store as the transaction sees it.
        by: A unique index.
        entry: The entry key of the values.
        data: Their bytes, by the names of the fields in the store.
    """

    store: Overlay
    by: Index
    entry: EntryKey
    data: Mapping[str, bytes]


@with_hints
class Query(Generic[T_co]):
    """The result of ``find``: records of one class that match conditions, read when you ask for them.

    ::

        class Parcel(Record, indexes=["weight"]):  # or weight: Annotated[int, indexed]
            weight: int

        Parcel.create("p1", weight=3)
        heaviest = Parcel.find(weight=at_least(1)).order_by("-weight").limit(20)
        assert [parcel.id for parcel in heaviest] == ["p1"]

    Iterating yields handles, found a page at a time; each iteration asks the store again. Methods that narrow a query
    return a new one.

    Order: the order of the index that answers, stable from page to page; after :meth:`order_by`, the order of its
    fields. Records with equal values are in the order of the other fields of the index that answers, if it has any,
    then of their keys. A descending order reverses all of that. None comes before every value.

    Cost: if the store keeps indexes, 1 round trip per page of 1,000 and per value of ``one_of``; on a cluster 2.
    Memory, JSON and other simple stores read all records of the class.
    """

    __slots__ = (
        *("__weakref__", "_after", "_asked", "_backend", "_backwards", "_ended", "_fields", "_info", "_last", "_limit"),
        *("_on_error", "_order", "_scan", "_wanted"),
    )

    def __init__(
        self, info: RecordInfo, backend: Backend, fields: BoundFields, wanted: Mapping[str, conditions.Wanted]
    ) -> None:
        self._info = info
        self._backend = backend
        self._fields = fields
        self._wanted = wanted
        self._order: Sequence[str] = ()
        self._backwards = False
        self._limit: int | None = None
        self._after: Place | None = None
        self._asked: bytes | None = None
        self._scan = False
        self._on_error: OnError | None = None
        self._last: Place | None = None
        self._ended: bool | None = None

    def order_by(self, *names: str) -> Self:
        """Return the query in the order of some fields; ``"-weight"`` descends. No I/O.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            assert [parcel.weight for parcel in Parcel.find().order_by("-weight")] == [3, 2, 1]

        An index must have this order, after fields that must equal one value. With :meth:`scan`, any order works.

        Raises:
            UnknownFieldError: A field is not declared.
            TypeError: Some ascend and some descend, or a field has no order.
        """
        fields = list(dict.fromkeys(name.removeprefix("-") for name in names))
        for name in fields:
            _ordered(self._info, self._fields, name)
        if len({name.startswith("-") for name in names}) > 1:
            raise TypeError("order_by() takes fields that all ascend or all descend; sort the list for any other order")
        return self._with(_order=fields, _backwards=bool(names) and names[0].startswith("-"))

    def limit(self, number: int) -> Self:
        """Return the query for at most ``number`` records. No I/O.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            assert [parcel.id for parcel in Parcel.find().order_by("weight").limit(2)] == ["p1", "p2"]
        """
        if type(number) is not int or number < 0:
            raise ValueError("limit() takes the number of records, an int of at least 0")
        return self._with(_limit=number)

    def after(self, token: str | None) -> Self:
        """Return the query for the records after the page with this :attr:`token`; from the start for None. No I/O.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            page = Parcel.find().order_by("weight").limit(2)
            assert [parcel.id for parcel in page.after(page.token)] == ["p3"]

        If others add or delete records meanwhile, no record is skipped or returned twice. The limit may differ from
        page to page.

        Raises:
            PageTokenError: The text is not a token. When you read the query: the token belongs to another query.
        """
        asked, after = (None, None) if token is None else token_of(token)
        return self._with(_after=after, _asked=asked)

    def scan(self) -> Self:
        """Return the query that may read all records of the class if no index answers it. No I/O.

        ::

            class Letter(Record):
                text: str

            letter = Letter.create(text="hello")
            assert Letter.find(text="hello").scan().one() == letter

        Cost: reading all records of the class.
        """
        return self._with(_scan=True)

    def on_error(self, report: OnError) -> Self:
        """Return the query that skips records that cannot be read, and calls ``report`` with each error. No I/O.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            errors = []
            assert Parcel.find(weight=3).on_error(errors.append).first() == Parcel.ref("p3")
            assert errors == []
        """
        return self._with(_on_error=report)

    def __iter__(self) -> Iterator[T_co]:
        refuse_unannotated("what find() returns")

        def handle(match: _Found) -> Any:
            return match if isinstance(match, PersistentCollectionsError) else self._handle(match.place.id)

        return Resilient(map(handle, self._matches([])), self._on_error)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}=…" for name in self._wanted)
        return f"<{self._info.cls.__name__}.find({shown})>"

    def __bool__(self) -> bool:
        return self.first() is not None

    def __getitem__(self, index: Any) -> NoReturn:
        raise TypeError("a query has no indexes; list(….limit(20)) takes the first 20, and after(token) goes on")

    def __deepcopy__(self, memo: object) -> Self:
        return self._with()

    def first(self) -> T_co | None:
        """Return the first record, None if none matches. Cost: 1 round trip if the store keeps indexes.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            assert Parcel.find(weight=4).first() is None
        """
        found = self._few(1)
        return found[0] if found else None

    def one(self) -> T_co:
        """Return the only matching record. Cost: 1 round trip if the store keeps indexes.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            assert Parcel.find(weight=3).one().id == "p3"

        Raises:
            ObjectNotFound: No record matches.
            ValueError: Several records match.
        """
        found = self._few(2)
        if not found:
            raise ObjectNotFound(f"no {self._info.type_name} in {self._backend.url} matches {self._shown()}")
        if len(found) > 1:
            raise ValueError(f"at least 2 records match {self._shown()}; first() returns any of them")
        return found[0]

    def count(self) -> int:
        """Return the number of matching records, at most the limit.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            assert Parcel.find(weight=at_least(2)).count() == 2
            assert Parcel.find().limit(2).count() == 2

        Cost: 1 round trip per range if an index of the store answers all conditions; otherwise as for reading all of
        them.
        """
        counts = self._counts(self._plan())
        if counts and None not in counts:
            number = sum(filter(None, counts))
            return number if self._limit is None else min(number, self._limit)
        return sum(1 for _ in Resilient(self._with()._matches([]), self._on_error))

    def _counts(self, plan: Plan) -> list[int | None]:
        """Return the number that the store counts in each range, if its counts are exact for this query."""
        if plan.by is None or plan.filters or self._backend.indexing != "indexes" or self._after is not None:
            return []
        if self._claim(plan) is not None or self._had_others(plan.by):
            return []
        store = self._store.index(self._indexed.indexing)
        return [store.count(plan.by.name, low, high) for low, high in plan.ranges]

    def fetch(self, *names: str) -> Iterator[dict[str, Any]]:
        """Yield fields of each record, read together with the records.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            assert list(Parcel.find(weight=3).fetch("id", "weight")) == [{"id": "p3", "weight": 3}]

        ``customer.name`` is the name of the record that ``customer`` refers to; it is None without one.

        Cost: as iterating, and 1 more round trip per page for each field that refers to other records.
        """
        if not names:
            raise TypeError("fetch takes the names of the fields to read, such as fetch('id', 'name')")
        self._info.require_fields(names)
        return Resilient(self._rows(names), self._on_error)

    @property
    def token(self) -> str | None:
        """The token of the next page, for :meth:`after`; None after the last record.

        It holds the id of the last record, its values in the fields of the index, and a short hash of the query.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            assert Parcel.find().order_by("weight").limit(2).token is not None
            assert Parcel.find().order_by("weight").limit(3).token is None

        Cost: none after you read the page; otherwise as for reading it.
        """
        if self._ended is None:
            for _ in self:
                pass
        return None if self._ended or self._last is None else Token(self._hash(self._plan()), self._last).text()

    def explain(self) -> str:
        """Return in words which index answers the query, and which conditions are checked on each record; no I/O.

        ::

            class Parcel(Record, indexes=["weight"]):
                weight: int

            for weight in (3, 1, 2):
                Parcel.create(f"p{weight}", weight=weight)

            print(Parcel.find(weight=3).explain())           # such as "Parcel: index weight.int"
        """
        plan = self._plan()
        if plan.by and self._backend.indexing == "indexes":
            how = f"index {plan.by.name}"
        elif plan.by:
            how = f"reads all, since this store keeps no indexes; elsewhere index {plan.by.name}"
        else:
            how = "reads all"
        filters = ", ".join(each.field.name for each in (plan.filters if plan.by else self._wanted.values()))
        return f"{self._info.type_name}: {how}" + (f"; filters by {filters}" if filters else "")

    @property
    def _store(self) -> Backend:
        """The store, or within a transaction its view of the store."""
        return seen(self._backend)

    @property
    def _declared(self) -> Backend:
        """The store by the current names of the fields."""
        return self._fields.declared(self._backend, self._info.type_name)

    @property
    def _renamed(self) -> DeclaredStore | None:
        """What :attr:`_declared` is, None if no field ever had another name."""
        declared = self._declared if self._fields.formers else None
        return declared if isinstance(declared, DeclaredStore) else None

    def _with(self, **changes: Any) -> Self:
        other = type(self)(self._info, self._backend, self._fields, self._wanted)
        for name in _ASKED:
            setattr(other, name, changes[name] if name in changes else getattr(self, name))
        return other

    def _shown(self) -> str:
        return ", ".join(f"{name}=…" for name in self._wanted) or "find()"

    def _key(self, quoted: str) -> Key:
        return Key(f"{self._info.type_name}:{quoted}")

    def _handle(self, quoted: str) -> Any:
        return self._info.make(unquote_id(quoted) or quoted, self._backend)

    @property
    def _indexed(self) -> Indexed:
        found = self._fields.indexed
        assert found is not None, "only a class with indexes has a plan with one"  # noqa: S101 - for type checkers
        return found

    def _plan(self) -> Plan:
        """Return the plan of the query.

        Raises:
            NoIndexError: No index answers it.
        """
        indexed = self._fields.indexed
        by_stored = {wanted.field.stored: wanted for wanted in self._wanted.values()}
        order = tuple([_ordered(self._info, self._fields, name).stored for name in self._order])
        plan = indexed and plan_for(indexed, by_stored, order)
        if plan:
            return plan
        if self._scan:
            return Plan(None, (), list(self._wanted.values()), order)
        raise self._without_index()

    def _without_index(self) -> NoIndexError:
        exact = [name for name, each in self._wanted.items() if each.exact is not None]
        names = indexable(self._wanted, exact, self._order)
        cls = self._info.cls.__name__
        what = f"find({self._shown() if self._wanted else ''})" + (
            f".order_by({', '.join(map(repr, self._order))})" if self._order else ""
        )
        if names is None:
            others = ", ".join(name for name in self._wanted if name not in exact)
            problem = (
                f"answers {what}, and none can order by {self._order[0]} after several values or a range of {others}"
            )
            remedy = "sort the list"
        elif not names:
            problem, remedy = "lists its records", f"iterate over {cls}.all()"
        elif len(names) > 1:
            problem, remedy = f"answers {what}", f"declare class {cls}(Record, indexes=[{tuple(names)!r}])"
        else:
            kind = shown_type(self._info.schema().fields[names[0]])
            problem, remedy = f"answers {what}", f"declare {names[0]}: Annotated[{kind}, indexed]"
        return NoIndexError(f"no index of {cls} {problem}").with_remedies(Advice(remedy), Scan(what))

    def _rows(self, names: Sequence[str]) -> Iterator[Any]:
        core: RecordCore = self._info.make("any", self._backend).__pc__
        reader = core.reader(self._backend, names)
        matches = self._matches(reader.stored)
        while page := list(islice(matches, PAGE_SIZE)):
            rows: list[Row | None] = [
                match
                if isinstance(match, PersistentCollectionsError)
                else row_of(reader, self._handle(match.place.id).__pc__, match.data)
                for match in page
            ]
            yield from with_referred(rows, names)

    def _few(self, number: int) -> list[T_co]:
        """Return the first records, up to a number and the limit."""
        number = number if self._limit is None else min(number, self._limit)
        page = self._page(number + 1)
        if page is None or (len(page.hits) < number and page.last is not None):
            return list(self._with(_limit=number))
        return [self._handle(hit.place.id) for hit in page.hits[:number]]

    def _page(self, size: int) -> Page | None:
        """Return the first page in one range of an index; None if there is more to a query or the index is not whole.

        It saves most queries a third of the time that :meth:`_matches` takes.
        """
        if self._after is not None or self._fields.formers or self._store is not self._backend:
            return None
        plan = self._plan()
        if plan.by is None or plan.filters or len(plan.ranges) != 1 or self._backend.indexing != "indexes":
            return None
        [(low, high)] = plan.ranges
        return self._backend.index(self._indexed.indexing).find(
            plan.by.name, low, high, size, backwards=self._backwards
        )

    def _matches(self, fields: Sequence[str]) -> Iterator[_Found]:
        """Yield the results, with the bytes of some fields, up to the limit; and note the start of the next page."""
        return chain.from_iterable(self._pages(fields))

    def _pages(self, fields: Sequence[str]) -> Iterator[Sequence[_Found]]:
        """Yield what :meth:`_matches` does, by pages."""
        plan = self._plan()
        self._require_own_token(plan)
        filtered = [each.field.stored for each in plan.filters]
        pages = self._read(plan, [*fields, *filtered])
        if filtered:
            pages = (list(self._filtered(page, plan.filters, len(fields))) for page in pages)
        self._last, self._ended = self._after, None
        yield from self._limited(pages)

    def _limited(self, pages: Iterable[Sequence[_Found]]) -> Iterator[Sequence[_Found]]:
        """Yield pages up to the limit, and note the start of the next one."""
        left = inf if self._limit is None else self._limit
        for page in pages:
            part = page if len(page) <= left else _beginning(page, left)
            hits = [found for found in part if isinstance(found, Hit)]
            self._last = hits[-1].place if hits else self._last
            left -= len(hits)
            yield part
            if len(part) < len(page):
                self._ended = False
                return
        self._ended = True

    def _hash(self, plan: Plan) -> bytes:
        """Return a hash of all that the records and their order depend on."""
        by = plan.by.name if plan.by else None
        return hash_of(self._wanted.values(), self._info.type_name, by, tuple(self._order), self._backwards)

    def _require_own_token(self, plan: Plan) -> None:
        """Raise ``PageTokenError`` if the token belongs to another query."""
        if self._asked is not None and self._asked != self._hash(plan):
            raise PageTokenError(
                f"after() was given the token of a page of another query than {self._shown()} of "
                f"{self._info.cls.__name__}: its conditions, its order or its index differ; begin with the first page"
            )

    def _filtered(self, found: Iterable[_Found], filters: Sequence[conditions.Wanted], first: int) -> Iterator[_Found]:
        """Yield the records that match conditions, whose fields follow the ``first`` ones in the data."""
        for match in found:
            if isinstance(match, PersistentCollectionsError):
                yield match
                continue
            try:
                is_wanted = all(each.holds(data) for each, data in zip(filters, match.data[first:], strict=True))
            except UNORDERED as error:
                yield unreadable(self._key(match.place.id), error)
                continue
            if is_wanted:
                yield Hit(match.place, match.data[:first])

    def _claim(self, plan: Plan) -> Claim | None:
        """Return the hits of a query that at most one record can match, in a transaction; None for other queries."""
        index = plan.by
        if index is None or not index.unique or not isinstance(store := self._store, Overlay):
            return None
        wanted = {each.field.stored: each.data for each in self._wanted.values()}
        data = {name: given for name in index.fields if (given := wanted.get(name)) is not None}
        if len(data) < len(index.fields):
            return None
        entry = self._indexed.key_of(index, [data[name] for name in index.fields])
        return Claim(store, index, entry, data) if entry.claims else None

    def _had_others(self, index: Index) -> bool:
        """Return whether old code may write fields of an index under other names, and so past the index."""
        return not self._fields.formers.keys().isdisjoint(index.fields)

    def _read_claim(self, claim: Claim, fields: Sequence[str]) -> Iterator[Sequence[_Found]]:
        """Yield the record that has a claim, as the transaction sees it."""
        indexing, store = self._indexed.indexing, self._info.declared(claim.store)
        key = claim.store.holder(indexing, claim.by, claim.entry, claim.data)
        if key is None and isinstance(store, DeclaredStore) and store.indexing == "unique":
            key = store.holder(indexing, claim.by, claim.entry)
        if key is None:
            return
        place = Place(claim.entry.key, key.root.partition(":")[2])
        if unquote_id(place.id) is not None and self._is_behind(place):
            yield [Hit(place, store.get_many([(key, fields)])[0] if fields else [])]

    def _read(self, plan: Plan, fields: Sequence[str]) -> Iterator[Sequence[_Found]]:
        """Yield the records in the ranges of a plan, in their order, by pages."""
        claim = self._claim(plan)
        if claim is not None:
            return self._read_claim(claim, fields)
        if plan.by is None or self._backend.indexing != "indexes":
            return self._read_all(plan, fields)
        return self._read_index(plan, plan.by, fields)

    def _read_index(self, plan: Plan, index: Index, fields: Sequence[str]) -> Iterator[Sequence[_Found]]:
        if self._had_others(index):
            pages = self._read_pages(plan, index, [*fields, *index.fields])
            return (list(self._current(index, page, len(fields))) for page in pages)
        return self._read_pages(plan, index, fields)

    def _current(self, index: Index, page: Iterable[_Found], first: int) -> Iterator[_Found]:
        """Yield the hits of an index, except records in which old code has since written under a former name.

        The fields of the index follow the ``first`` ones in the data.
        """
        for found in page:
            if not isinstance(found, Hit):
                yield found
                continue
            try:
                entry = self._indexed.key_of(index, found.data[first:])
            except UNORDERED as error:
                yield unreadable(self._key(found.place.id), error)
                continue
            if entry.key == found.place.key:
                yield Hit(found.place, found.data[:first])

    def _read_pages(self, plan: Plan, index: Index, fields: Sequence[str]) -> Iterator[Sequence[_Found]]:
        store = self._store.index(self._indexed.indexing)
        size = PAGE_SIZE if self._limit is None or plan.filters else min(self._limit + 1, PAGE_SIZE)
        declared = self._renamed
        asked = declared.names(self._key("any"), fields) if declared else fields
        for low, high in self._unread(plan):
            after = self._after
            while True:
                page = store.find(index.name, low, high, size, after=after, backwards=self._backwards, fields=asked)
                if page is None:
                    yield from self._read_unbuilt(plan, index, fields)
                    return
                yield self._named(declared, page.hits, fields) if declared else page.hits
                after = page.last
                if after is None:
                    break

    def _unread(self, plan: Plan) -> Iterator[conditions.Range]:
        """Yield the ranges of a plan, in the order of the query, without those that earlier pages have read."""
        after = self._after
        for each in reversed(plan.ranges) if self._backwards else plan.ranges:
            if after is None or (after.key >= each.low if self._backwards else after.key < each.high):
                yield each

    def _named(self, declared: DeclaredStore, hits: Sequence[Hit], fields: Sequence[str]) -> Sequence[_Found]:
        """Return hits with the requested fields, from the values stored under all their names."""
        named: list[_Found] = []
        for place, data in hits:
            try:
                named.append(Hit(place, declared.values(self._key(place.id), fields, data)))
            except DecodeError as error:
                named.append(error)
        return named

    def _read_unbuilt(self, plan: Plan, index: Index, fields: Sequence[str]) -> Iterator[Sequence[_Found]]:
        """Read all, since an index is incomplete; if the class has no records, the index is complete from now on."""
        if mark_new(self._backend, self._indexed.indexing, [index.name]):
            return
        name = self._info.cls.__name__
        if not self._store.index(self._indexed.indexing).states().get(index.name):  # or others just marked it
            warnings.warn(
                f"find() reads all records of {name}, since its index {index.name} is not built in "
                f"{self._backend.url}; run {name}.reindex()",
                SlowHabitWarning,
                stacklevel=stacklevel(),
            )
        yield from self._read_all(plan, fields)

    def _read_all(self, plan: Plan, fields: Sequence[str]) -> Iterator[Sequence[_Found]]:
        """Yield all records in the ranges, in their order."""
        matches: list[Hit] = []
        for found in self._each(plan, fields):
            if isinstance(found, PersistentCollectionsError):
                yield [found]
            elif found is not None:
                matches.append(found)
        matches.sort(key=lambda match: _position(match.place), reverse=self._backwards)
        yield matches

    def _each(self, plan: Plan, fields: Sequence[str]) -> Iterator[_Found | None]:
        keys = (key for key in self._store.keys(f"{self._info.type_name}:", MAPPING) if key.child is None)
        stored = list(dict.fromkeys([*plan.fields, *fields]))
        while page := list(islice(keys, PAGE_SIZE)):
            read = read_stored(self._declared, [(key, stored) for key in page])
            for key, data in zip(page, read, strict=True):
                if data is None or isinstance(data, PersistentCollectionsError):
                    yield data
                else:
                    yield self._match(plan, key, dict(zip(stored, data, strict=True)), fields)

    def _match(self, plan: Plan, key: Key, values: Mapping[str, bytes | None], fields: Sequence[str]) -> _Found | None:
        """Return a record that was read, None if it is outside the ranges of the plan or comes before ``after``."""
        quoted = key.root.partition(":")[2]
        try:
            place = Place(self._sorted_by(plan, values), quoted)
        except UNORDERED as error:
            return unreadable(key, error)
        is_within = plan.by is None or any(low <= place.key < high for low, high in plan.ranges)
        if not is_within or unquote_id(quoted) is None or not self._is_behind(place):
            return None
        return Hit(place, [values[name] for name in fields])

    def _sorted_by(self, plan: Plan, values: Mapping[str, bytes | None]) -> bytes:
        if plan.by:
            return self._indexed.key_of(plan.by, [values[name] for name in plan.by.fields]).key
        ordered = [_ordered(self._info, self._fields, name) for name in self._order]
        return b"".join(field.key(values[field.stored]) for field in ordered)

    def _is_behind(self, place: Place) -> bool:
        if self._after is None:
            return True
        one, other = _position(place), _position(self._after)
        return one < other if self._backwards else one > other


def _beginning(page: Sequence[_Found], number: float) -> Sequence[_Found]:
    """Return a page up to its hit of this number."""
    for end, found in enumerate(page):
        if not number:
            return page[:end]
        number -= isinstance(found, Hit)
    return page


def _position(place: Place) -> tuple[bytes, bytes]:
    return place.key, place.id.encode()


def find(info: RecordInfo, where: Mapping[str, Any], backend: BackendSource | None) -> Query[Any]:
    """Return the query for the records of a class whose fields match ``where``.

    Raises:
        UnknownFieldError: A field is not declared.
        EncodeError: A value is not of the declared type.
        TypeError: A field has no order, so records can't be found by it.
    """
    store = resolve(choose(backend) or info.choice)
    fields = info.bound_fields(store)
    return Query(info, store, fields, {name: _wanted(info, fields, name, wanted) for name, wanted in where.items()})


def _wanted(info: RecordInfo, bound: BoundFields, name: str, condition: Any) -> conditions.Wanted:
    field = _ordered(info, bound, name)
    try:
        return conditions.wanted(field, condition, bound.fields[name].encode)
    except EncodeError as error:
        raise EncodeError(f"find({name}=…) of {info.cls.__name__}: {error}") from error.__cause__


def _ordered(info: RecordInfo, bound: BoundFields, name: str) -> OrderedField:
    """Return a field by which records can be found or sorted, with or without an index.

    Raises:
        UnknownFieldError: It is not declared.
        TypeError: Its values have no order.
    """
    field = info.schema().fields.get(name)
    if field is None:
        raise info.unknown(name)
    if bound.indexed and field.stored in bound.indexed.fields:
        return bound.indexed.fields[field.stored]
    order = order_for(field, info.cls, unique=False, marked=False)
    return ordered_field(bound.fields[name], order)

"""Objects with declared fields, child collections and references that live in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import InitVar
from datetime import datetime, timedelta
from operator import methodcaller
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Self, TypeVar, dataclass_transform

from persistent_collections.backends.changes import Delete
from persistent_collections.backends.keys import Key
from persistent_collections.collections.base import each
from persistent_collections.collections.core import Reserved
from persistent_collections.collections.deadlines import seconds_ahead
from persistent_collections.collections.fetching import OnError, rows
from persistent_collections.collections.ids import id_or_random
from persistent_collections.collections.increments import Counter, increment
from persistent_collections.collections.objects import PersistentObject, require_object
from persistent_collections.collections.retrying import attempts
from persistent_collections.collections.unannotated import is_asked_by_fastapi
from persistent_collections.collections.write_back import NESTED, editing, wrote_back
from persistent_collections.config import BackendSource, choose, resolve, surrounding
from persistent_collections.records.core import Bound, RecordCore, RecordInfo, read_all
from persistent_collections.records.finding import Query, find
from persistent_collections.records.forms import values_of
from persistent_collections.records.plain import plain as plain_values
from persistent_collections.records.reindexing import reindex
from persistent_collections.records.responses import PlainName, core_schema
from persistent_collections.records.schema import CHILD
from persistent_collections.records.writing import change_or_make, create, delete, delete_if, update, update_if, upsert

P = ParamSpec("P")
T = TypeVar("T")


def child() -> Any:
    """Declare a collection as a child of its record, stored under a key of its own; no I/O.

    ::

        class Basket(Record):
            items_: PersistentList[str] = child()

        basket = Basket.create("b1")
        basket.items_.append("apples")
        assert basket.items_.key == "Basket:b1:items_"
    """
    return CHILD


if TYPE_CHECKING:

    class _Create:
        """Accepts the arguments of the constructor; pyright checks them, mypy only sees the type of the record."""

        def __get__(self, record: object, kind: Callable[P, T], /) -> Callable[P, T]: ...

    class _Id:
        def __get__(self, record: object, kind: type | None = None, /) -> str: ...
        def __set__(self, record: object, id: str | int | None, /) -> None: ...

    def _argument(*, default: Any, kw_only: bool = True) -> Any: ...

    @dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(_argument,))
    class _Transformed(PersistentObject): ...

    class _Declared(_Transformed):
        expire: InitVar[Any] = _argument(default=None)  # pyright: ignore[reportIncompatibleMethodOverride]

else:
    _Declared = PersistentObject


class Record(_Declared, abstract=True, __pc__=RecordCore):
    """An object with declared fields.

    ::

        class User(Record):
            name: str
            password: Password
            friends: PersistentList["User"] = child()

    ``user["name"]`` and ``user.name`` read and write the same field. If a field has the name of a method, only
    ``user["name"]`` works. A collection is a child, stored under a key of its own. A field of a record type is a
    reference, stored as the key and loaded lazily. A field that is not set reads as its default, or as the zero of its
    type. If the record does not exist, every read except of a child raises ``ObjectNotFound``. Handles are equal if key
    and store are.

    Shape: a Redis hash or a JSON object, with one entry per field; children have their own shape.

    Cost: 1 round trip per operation. Exceptions: 1 more for a read that finds nothing in the field (does the record
    exist?), and for the first read of a child that finds nothing (is it a field?); ``edit`` and a change of a nested
    value take a read and a write; an argument that is itself stored takes its own read.

    Args:
        id: As for :class:`PersistentObject`.
        backend: As for :class:`PersistentObject`.
        values: Fields to set, child collections too, in one step or not at all, whether or not the record exists. A
            child that you pass is replaced; fields that you don't pass stay.

    Raises:
        UnknownFieldError: A field is not declared; nothing was written.
        EncodeError: A value is not of the declared type; nothing was written.
    """

    if TYPE_CHECKING:
        __pc__: ClassVar[Reserved[RecordCore, RecordInfo]]
        id: _Id = _argument(default=None, kw_only=False)  # pyright: ignore[reportIncompatibleMethodOverride] # given by position, read as text
        backend: InitVar[BackendSource | None] = _argument(default=None)
        create: ClassVar[_Create]

        def expire(self, when: float | timedelta | datetime) -> None: ...  # type: ignore[misc] # mypy takes it for a field
    else:

        def __init__(self, id=None, /, *, backend=None, expire=None, **values) -> None:
            super().__init__(id, backend=backend)
            if values or expire is not None:
                upsert(self, values, seconds_ahead(expire))
            else:
                self.__pc__.is_bare = True

        @classmethod
        def create(
            cls,
            id=None,
            /,
            *,
            backend=None,
            expire=None,
            **values,
        ) -> Self:
            """Store a record that does not exist yet; the store decides that. Cost: 1 round trip.

            The defaults of fields that are not given are stored with it. A record can be made without any value if
            every field has a default or is optional.

            ::

                class Session(Record):
                    user: str
                    seen: int = 0

                session = Session.create(user="luke@example.com", expire=3600)

            Args:
                id: As for :class:`Record`.
                backend: As for :class:`Record`.
                expire: When it vanishes, set in the same step; as for :meth:`expire`.
                values: As for :class:`Record`.

            Raises:
                ObjectExists: It exists already; nothing was written.
                TypeError: A field is missing that has no default and is not optional; nothing was written.
            """
            info = cls.__pc__
            record = info.make(id_or_random(id), choose(backend) or info.choice or surrounding())
            create(record, values, seconds_ahead(expire), drawn=id is None)
            return record

        def __setattr__(self, name, value) -> None:
            if name in type(self).__pc__.attributes:
                object.__setattr__(self, name, value)
                return
            if name.startswith("_") or hasattr(getattr(type(self), name, None), "__set__"):
                super().__setattr__(name, value)
                return
            core = self.__pc__
            if name in core.info.declarations:
                raise AttributeError(f"{name!r} is a method's name too; write the field of {str(core)!r} by [{name!r}]")
            raise core.unknown(name)

        def __getattr__(self, name):
            if hasattr(type(self), name):  # a property of a subclass raised AttributeError: let it say so itself
                return object.__getattribute__(self, name)
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise self.__pc__.unknown(name)

    @classmethod
    def upsert(
        cls,
        id: str | int | None = None,
        /,
        *,
        backend: BackendSource | None = None,
        expire: Any = None,
        **values: Any,
    ) -> Self:
        """Change the given fields of a record, or make it if it does not exist. Cost: 1 round trip.

        ::

            class Visit(Record):
                page: str
                count: int = 0

            Visit.upsert("luke", page="/")
            Visit.upsert("luke", page="/cart")
            assert Visit.load("luke").page == "/cart"

        ``Visit(id, **values)`` does the same; type checkers accept ``upsert`` with some of the fields.

        Args:
            id: As for :class:`Record`.
            backend: As for :class:`Record`.
            expire: When it vanishes, set in the same step; as for :meth:`expire`.
            values: As for :class:`Record`.
        """
        record = cls.ref(id_or_random(id), backend=backend)
        upsert(record, values, seconds_ahead(expire))
        return record

    @classmethod
    def find(cls, *, backend: BackendSource | None = None, **where: Any) -> Query[Self]:
        """Return a query for the records whose fields match the conditions; it reads nothing until you use it.

        ::

            class Customer(Record, unique=["email"]):  # or email: Annotated[str, unique]
                email: str

            luke = Customer.find(email="luke@example.com").first()
            some = list(Customer.find(email=starts_with("l")).limit(20))

        A condition is a value, None, or ``one_of``, ``between``, ``at_least``, ``less_than`` or ``starts_with``. All
        conditions must hold. A field that is not set matches by the value that it reads as. Records of subclasses are
        not included, as in :meth:`all`.

        Cost: none until it is read; then see :class:`Query`.

        Args:
            backend: As for :class:`PersistentObject`.
            where: The conditions, by field.

        Raises:
            UnknownFieldError: A field is not declared.
            EncodeError: A value is not of the declared type.
        """
        return find(cls.__pc__, where, backend)

    @classmethod
    def reindex(cls, *, backend: BackendSource | None = None, dry_run: bool = False) -> int:
        """Build the indexes of this class, such as after you marked a field, and return the number of records.

        ::

            from typing import Annotated

            class Member(Record):
                email: Annotated[str, unique]

            Member.create(email="luke@example.com")
            assert Member.reindex() == 1

        A class without records needs no call. Until all records are in an index, ``find`` reads all of them, with a
        ``SlowHabitWarning``, and a write of a unique field raises ``SchemaChangedError``.

        Cost: reads all records twice, and takes 1 round trip per record.

        Args:
            backend: As for :class:`PersistentObject`.
            dry_run: Only check whether several records share a value that must be unique.

        Raises:
            NotUnique: Several records share one; the message names two of them.
        """
        return reindex(cls.__pc__, resolve(choose(backend) or cls.__pc__.choice), dry_run=dry_run)

    def delete(self) -> bool:
        """Delete the record and its children in one step, and return whether it existed.

        ::

            class Note(Record):
                text: str

            note = Note.create(text="hello")
            assert note.delete()
            assert not note.delete()

        If records of other classes refer to it by a field with ``on_delete``, they prevent the deletion, or are deleted
        or cleared before it, each in its own step. The library knows these classes once they are imported.

        Cost: 1 round trip; with ``on_delete``, 2 more per such field, and those of the records that change.

        Raises:
            StillReferenced: A record refers to it by a field with ``on_delete("restrict")``; nothing was deleted.
        """
        require_object(self, "delete")
        return delete(self)

    def __getitem__(self, name: str) -> Any:
        core = self.__pc__
        if type(name) is PlainName:
            return name.value
        if name == "id":
            return core.id
        field = core.field(name)
        if field.child:
            return core.child(self, field, field.child)
        bound: Bound = core.now()
        data = bound.store.get(field.stored)
        if data is None:
            [data] = core.missed(bound, [field.stored])
        return core.held(bound, bound.fields[name], data)

    def __setitem__(self, name: str, value: Any) -> None:
        core = self.__pc__
        field = core.field(name)
        if field.child:
            update(self, {name: value})
        elif type(value) not in NESTED or not wrote_back(value, core, name):
            bound: Bound = core.now()
            try:
                data = bound.fields[name].encode(value)
            except TypeError as error:
                raise core.located(name, error) from error
            core.wrote()
            bound.store.set_many({field.stored: data})

    def __delitem__(self, name: str) -> None:
        core = self.__pc__
        field = core.field(name)
        bound: Bound = core.now()
        core.wrote()
        if field.child:
            key = Key(core.key.root, field.stored)
            core.commit(bound, [Delete(key)], [key], {}, exists=True)
        else:
            bound.store.delete(field.stored)

    def __contains__(self, name: object) -> bool:
        return name in self.__pc__.info.declarations

    def __iter__(self) -> Iterator[str]:
        return iter(self.__pc__.info.declarations)

    def __len__(self) -> int:
        return len(self.__pc__.info.declarations)

    def _ipython_key_completions_(self) -> list[str]:
        """Return the names that IPython offers after ``user["``; no I/O."""
        return self.keys()

    def keys(self) -> list[str]:
        """Return the names of the declared fields; no I/O.

        ::

            class Shelf(Record):
                room: str
                books: PersistentList[str] = child()

            assert Shelf.ref("s1").keys() == ["room", "books"]

        FastAPI calls ``dict(record)`` if an endpoint has no annotation. It gets the fields as ``to_dict(plain=True)``
        gives them, in 1 round trip: no secrets, and references as ids.
        """
        if is_asked_by_fastapi():
            try:
                return [PlainName(name, value) for name, value in self.to_dict(plain=True).items()]
            except Exception as error:
                self.__pc__.unshown = error
                raise
        return list(self.__pc__.info.declarations)

    def items(self) -> list[tuple[str, Any]]:
        """Return the name and value of every declared field, the handle for a child. Cost: 1 round trip.

        ::

            class Badge(Record):
                name: str

            assert Badge.create(name="Luke").items() == [("name", "Luke")]

        Raises:
            ObjectNotFound: The record does not exist.
        """
        return [(name, value) for name, value in read_all(self)]

    def values(self) -> list[Any]:
        """Return the value of every declared field, the handle for a child. Cost: 1 round trip.

        ::

            class Ticket(Record):
                seat: int

            assert Ticket.create(seat=7).values() == [7]

        Raises:
            ObjectNotFound: The record does not exist.
        """
        return [value for _, value in read_all(self)]

    def to_dict(self, *, plain: bool = False) -> dict[str, Any]:
        """Return every field except the children as plain values, references as handles. Cost: 1 round trip.

        ::

            class Guest(Record):
                name: str
                tags: set[str] = set()

            luke = Guest.create("luke", name="Luke", tags={"early"})
            assert luke.to_dict(plain=True) == {"id": "luke", "name": "Luke", "tags": ["early"]}

        Args:
            plain: Whether to return what JSON can hold, for the answer of a web application: the id too, references as
                ids, dates as ISO 8601, ``Decimal`` as text, sets as lists, bytes in base64, nan and infinities as
                None, a type that JSON does not know as the text of its codec; passwords are left out.

        Raises:
            ObjectNotFound: The record does not exist.
            EncodeError: A value has no JSON form.
        """
        core = self.__pc__
        bound: Bound = core.now()
        values = {name: core.decoded(bound.fields[name], data) for name, data in core.stored(bound).items()}
        return plain_values(core, values) if plain else values

    @classmethod
    def from_text(
        cls, form: Mapping[str, str], /, *, complete: bool = False, backend: BackendSource | None = None
    ) -> dict[str, Any]:
        """Return the values of fields, given their texts from a form or a query; no I/O.

        ::

            class Visitor(Record):
                name: str
                member: bool = False
                age: int | None

            values = Visitor.from_text({"name": "Leia", "member": "yes", "age": ""})
            assert values == {"name": "Leia", "member": True, "age": None}
            Visitor.create(**values)

        The text for a ``str`` field or a password is taken as it is. For other types it is JSON, or a word as people
        write it: ``yes``, ``2001-12-31``, ``12.50``, the name or value of an Enum's member, the id or key of a record;
        or the text of its codec, if JSON does not know the type. An empty text is None for a field that is optional. A
        field that is not in ``form`` is not in the result.

        Args:
            form: Texts by the names of fields.
            complete: Whether ``create`` is to take the result: a required field that is not in ``form``, or whose text
                is empty, is an error too.
            backend: The store of the records that references name; by default the store of this class.

        Raises:
            FormError: Some texts are no values of their fields, or a password is refused; its ``errors`` has one
                message per field, fit to be shown beside it, and its text is for developers.
        """
        return values_of(cls.ref("form", backend=backend).__pc__, form, complete=complete)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return how pydantic shows a record: as ``to_dict(plain=True)`` does, read once when it is validated."""
        del source
        return core_schema(cls.__pc__, handler, _read, _shown)

    if TYPE_CHECKING:

        def get(self, name: str, default: Any = None, /) -> Any:
            """Return ``self[name]``, or ``default`` if that raises ``KeyError``.

            ::

                class Seat(Record):
                    row: int

                assert Seat.ref("nobody").get("row", 0) == 0

            Cost: 1 round trip; 1 more if nothing is stored under the field, to see whether the record exists.
            """

    else:

        def get(self, *arguments) -> Any:
            """Return ``self[name]``, or ``default`` if that raises ``KeyError``.

            ::

                class Seat(Record):
                    row: int

                assert Seat.ref("nobody").get("row", 0) == 0

            Cost: 1 round trip; 1 more if nothing is stored under the field, to see whether the record exists.
            """
            if not isinstance(self, Record):  # Customer.get("x")
                raise TypeError(
                    "get() reads a field of a record; load(id) and ref(id) of a class give the record itself"
                )
            return _get(self, *arguments)

    def update(self, /, *, expire: Any = None, **values: Any) -> None:
        """Set several fields, child collections too, in one step or not at all. Cost: 1 round trip.

        ::

            class Page(Record):
                title: str
                tags: PersistentList[str] = child()

            page = Page.create("home", title="Home")
            page.update(title="Start", tags=["new"], expire=3600)
            assert (page.title, page.tags[:]) == ("Start", ["new"])

        Args:
            expire: When the record vanishes, set in the same step; as for :meth:`expire`.
            values: As for :class:`Record`.

        Raises:
            ObjectNotFound: The record does not exist; nothing was written.
            UnknownFieldError: A field is not declared; nothing was written.
            EncodeError: A value is not of the declared type; nothing was written.
        """
        require_object(self, "update")
        if values or expire is not None:
            update(self, values, seconds_ahead(expire))

    def update_if(self, expected: Mapping[str, Any], /, *, expire: Any = None, **values: Any) -> bool:
        """Set fields and children if the record reads as ``expected``, in one step; return whether it did.

        ::

            class Job(Record):
                status: str = "new"
                worker: str | None = None

            job = Job.create()
            if job.update_if({"status": "new"}, status="taken", worker="7"):
                ...  # nobody else has taken it

        A record that does not exist reads as nothing: the result is False.

        Cost: 1 round trip; if the bytes differ, 1 more to see whether the values are equal.

        Args:
            expected: Values of fields, compared with ``==``.
            expire: When the record vanishes, set in the same step; as for :meth:`expire`.
            values: As for :class:`Record`.
        """
        return update_if(self, expected, values, seconds_ahead(expire))

    def delete_if(self, expected: Mapping[str, Any], /) -> bool:
        """Delete the record and its children if it reads as ``expected``, in one step; return whether it did.

        ::

            class Lease(Record):
                worker: str

            lease = Lease.create(worker="first")
            assert not lease.delete_if({"worker": "second"})
            assert lease.delete_if({"worker": "first"})

        A record that does not exist reads as nothing: the result is False.

        Cost: as :meth:`update_if`.
        """
        return delete_if(self, expected)

    def change(self, name: str, function: Callable[[Any], Any], /) -> Any:
        """Replace the value of a field by ``function(value)``, and return the new value.

        ::

            class Parcel(Record):
                tags: list[str] = []

            Parcel.create("p1").change("tags", lambda tags: [*tags, "urgent"])

        If others change the value meanwhile, ``function`` is called again with the current one, so it should only
        compute. It receives a plain value.

        Cost: 1 read and 1 write for each attempt.

        Raises:
            ObjectNotFound: The record does not exist.
            ConflictError: Others kept changing the field.
        """
        core = self.__pc__
        if core.is_bare:
            return change_or_make(self, name, methodcaller("change", name, function), function)
        bound, bound_field = core.value_field(name)
        stored = bound_field.field.stored
        for _ in attempts(f"{name!r} of {core}"):
            data = bound.store.get(stored)
            if data is None:
                [data] = core.missed(bound, [stored])
            value = function(core.decoded(bound_field, data))
            try:
                becomes = bound_field.encode(value)
            except TypeError as error:
                raise core.located(name, error) from error
            core.wrote()
            if bound.store.compare_and_set(stored, data, becomes):
                return core.decoded(bound_field, becomes)
        raise AssertionError("attempts() ends by raising")

    def increment(self, name: str, by: Any = 1, *, expire: Any = None) -> Any:
        """Add ``by`` to the number in a field, its default or 0 while unset, and return the sum.

        ::

            class Counted(Record):
                visits: int = 0

            counted = Counted.create()
            assert counted.increment("visits") == 1
            assert counted.increment("visits", 10) == 11

        Cost: 1 round trip if both are 64-bit ``int``; else a read, and a write if nothing changed meanwhile.

        Args:
            name: The field.
            by: What to add.
            expire: When the record vanishes, if this makes it (only a handle ``User(id)`` does); as for :meth:`expire`.

        Raises:
            ObjectNotFound: The record does not exist.
            ConflictError: Others kept changing the number.
            ValueError: ``expire`` is not in the future; nothing was written.
        """
        core, ttl_s = self.__pc__, seconds_ahead(expire)
        if core.is_bare:
            change = methodcaller("increment", name, by)
            return change_or_make(self, name, change, lambda value: (value or 0) + by, ttl_s)
        bound, bound_field = core.value_field(name)
        zero = bound_field.unset() or 0
        field = bound_field.field
        counter = Counter(name, core, bound.store, field.stored, bound_field.codec, field.declared, zero)
        return increment(counter, by)

    @contextmanager
    def edit(self, name: str) -> Iterator[Any]:
        """Yield the plain value of a field to be changed in any way, and store it at the end of the block.

        ::

            class Plan(Record):
                steps: list[str] = []

            plan = Plan.create(steps=["send"])
            with plan.edit("steps") as steps:
                steps.insert(0, "resize")
                steps.append("log")
            assert plan.steps == ["resize", "send", "log"]

        Cost: 1 read, and 1 write if it changed. If an exception leaves the block, nothing is written.

        Raises:
            ObjectNotFound: The record does not exist.
            TypeError: The value is of a type that cannot change in place, or the field is a child collection.
            ConflictError: The stored value changed meanwhile; nothing was written.
        """
        core = self.__pc__
        bound, bound_field = core.value_field(name)
        data = bound.store.get(bound_field.field.stored)
        if data is None:
            [data] = core.missed(bound, [bound_field.field.stored])
        with editing(core.place(bound, bound_field, data), core.decoded(bound_field, data)) as value:
            yield value


def _read(record: Record) -> Record:
    """Return a handle of ``record`` that holds its plain values until something is written through it."""
    read: Record = record.__pc__.info.make(record.id, record.__pc__.choice)
    read.__pc__.shown = dict(read.__pc__.writes), record.to_dict(plain=True)
    return read


def _shown(record: Record) -> dict[str, Any]:
    core = record.__pc__
    writes, values = core.shown or (None, {})
    return values if writes == core.writes else record.to_dict(plain=True)


def _get(record: Record, name: str, default: Any = None, /) -> Any:
    try:
        return record[name]
    except KeyError:
        return default


def fetch(records: Iterable[Record], /, *names: str, on_error: OnError | None = None) -> Iterator[dict[str, Any]]:
    """Yield fields of each of ``records``, without a round trip for each, like ``PersistentList.fetch``.

    ::

        class Friend(Record):
            name: str

        luke, han = Friend.create("luke", name="Luke"), Friend.create("han", name="Han")
        assert list(fetch([luke, han], "name")) == [{"name": "Luke"}, {"name": "Han"}]

    ``records`` may be a slice of a list, a set of references, or ``User.all()``.

    Cost: 1 round trip per 1,000 records. If some of them lack a field, 1 more: do they exist, and is the field a child?

    Args:
        records: The records.
        names: The names of the fields.
        on_error: Called with the error of each record that cannot be read, which is skipped. Without it, the error is
            raised, and the iterator goes on with the next record.

    Raises:
        UnknownFieldError: A field is not declared.
        TypeError: An item is not a record, or a field is a child collection.
    """
    return rows(each(records), names, on_error)

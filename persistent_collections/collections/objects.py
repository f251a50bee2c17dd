"""The base of persistent objects: an id, a key, a store, and existence."""

from __future__ import annotations

import sys
from abc import ABC
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, NoReturn, Self, TypeVar

from persistent_collections import classes
from persistent_collections.annotations import tied
from persistent_collections.collections.core import RESERVED, ClassInfo, CodecSource, Core
from persistent_collections.collections.deadlines import seconds_until
from persistent_collections.collections.display import mimebundle
from persistent_collections.collections.fetching import OnError, Resilient, require_fields, rows, with_errors
from persistent_collections.collections.ids import check_id, check_name, id_or_random
from persistent_collections.collections.unannotated import refuse_unannotated
from persistent_collections.config import BackendSource, Choice, LazyBackend, choose, resolve, surrounding
from persistent_collections.suggestions import suggestion, with_hints
from persistent_collections.transactions.current import active, seen

T = TypeVar("T", bound="PersistentObject")


class PersistentObject(ABC):
    """The base of the dicts, lists, sets and records that live in a store.

    Making a handle costs no I/O. Handles may be shared between threads and used after ``fork``. A subclass may define
    any attribute or method beside the documented ones, except ``__pc__``.

    ::

        settings = PersistentDict("settings")
        assert isinstance(settings, PersistentObject)
        assert str(settings) == "PersistentDict:settings"

    Shape: none of its own. A dict is a mapping, a list a sequence, a set a set of texts, and a record a mapping with
    children.

    Cost: 1 round trip for each method, unless it says otherwise.

    Args:
        id: A non-empty ``str``, or an ``int``, kept as its digits; by default 12 random url-safe
            characters, of which the first is a letter or a digit.
        backend: A configured name, a URL or a backend. Without one, and outside ``use_backend``, the object uses the
            default backend of the moment at each operation.

    A class takes arguments too, as in ``class Session(Record, name="s", backend="sessions")``:

    - ``name``: The start of the keys of the class, by default the name of the class.
    - ``backend``: The backend of all its objects.
    - ``codec``: How the values of all its objects become bytes.
    - ``abstract``: Whether it is only a base for other classes. Its name is then free for another class.

    Raises:
        TypeError: The id is of another type, or the class abstract.
        ValueError: The id is empty or holds a lone surrogate.
    """

    type_name: ClassVar[str]
    """The start of the keys of this class; empty if it is abstract."""

    if TYPE_CHECKING:
        __pc__: ClassVar[Any]  # a subclass says of which shape

    @classmethod
    def __subclasshook__(cls, other: type, /) -> bool:
        return cls in other.__mro__  # ``abc`` would ask every subclass, and leave a trace of ``other`` in each

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        backend: BackendSource | None = None,
        codec: CodecSource | None = None,
        abstract: bool = False,
        __pc__: ClassInfo | type[Core] | None = None,
        **kwargs: Any,
    ) -> None:
        given = _own_options(cls, kwargs)
        super().__init_subclass__(**kwargs)
        if RESERVED in vars(cls):
            raise TypeError(f"{cls.__name__}: {_RESERVED_NAME}")
        if isinstance(__pc__, ClassInfo):  # the same class with its type parameters known
            __pc__.cls = cls
            setattr(cls, RESERVED, __pc__)
            return
        info = _inherited(cls, __pc__)
        info.take_options(**given)
        if backend is not None:
            info.choice = _of_class(backend)
        if codec is not None:
            info.codec = codec
        setattr(cls, RESERVED, info)
        info.declare()
        info.type_name = cls.type_name = "" if abstract else check_name("type", name or cls.__name__)
        if not abstract:
            classes.register(cls, info.type_name, is_record=info.is_record)

    def __class_getitem__(cls, parameters: Any) -> type[Self]:
        given = parameters if isinstance(parameters, tuple) else (parameters,)
        names = sys._getframe(1).f_globals  # a text in an alias that refers to itself is a name of that module
        made: type[Self] = cls.__pc__.given(tuple(tied(parameter, names) for parameter in given))
        return made

    def __init__(self, id: str | int | None = None, /, *, backend: BackendSource | None = None) -> None:
        info = type(self).__pc__
        vars(self)[RESERVED] = info.start(id_or_random(id), choose(backend) or info.choice or surrounding())

    if not TYPE_CHECKING:  # type checkers would accept assignments to any name

        def __setattr__(self, name, value) -> None:
            if name == RESERVED:
                raise TypeError(f"{type(self).__name__}: {_RESERVED_NAME}")
            super().__setattr__(name, value)

    @classmethod
    def ref(cls, id: str | int, *, backend: BackendSource | None = None) -> Self:
        """Return the handle of ``id``, whether or not it exists; no I/O.

        ::

            settings = PersistentDict.ref("settings")
            assert not settings                              # this looks into the store
        """
        info = cls.__pc__
        made: Self = info.make(check_id(id), choose(backend) or info.choice or surrounding())
        return made

    @classmethod
    def load(cls, id: str | int, *, backend: BackendSource | None = None) -> Self:
        """Return the handle of an object that exists. Cost: 1 round trip.

        ::

            PersistentDict("settings", {"theme": "dark"})
            assert PersistentDict.load("settings")["theme"] == "dark"

        Raises:
            ObjectNotFound: It does not exist.
        """
        handle = cls.ref(id, backend=backend)
        core = handle.__pc__
        store = active(core.choice)
        if not core.exists(store):
            raise core.not_found(store)
        return handle

    @classmethod
    def ids(cls, *, backend: BackendSource | None = None) -> Iterator[str]:
        """Yield the id of every object of this class, in no order. Subclasses are not included.

        ::

            PersistentDict("settings", {"theme": "dark"})
            assert list(PersistentDict.ids()) == ["settings"]

        Cost: 1 round trip per page of keys. The ids are held in memory until the end, so that each is yielded once.
        """
        info: ClassInfo = cls.__pc__
        return info.ids(active(choose(backend) or info.choice))

    @classmethod
    def all(cls, *, backend: BackendSource | None = None, on_error: OnError | None = None) -> Found[Self]:
        """Yield the handle of every object of this class, in no order, bound to its store.

        ::

            PersistentDict("settings", {"theme": "dark"})
            assert [each["theme"] for each in PersistentDict.all()] == ["dark"]

        ``User.all().fetch("name")`` yields fields of all of them, without a round trip for each.

        Cost: as :meth:`ids`.

        Args:
            backend: As for :class:`PersistentObject`.
            on_error: Called with the error of each object that cannot be read, which is skipped; also by ``fetch``.
                Without it, the error is raised, and the iterator goes on with the next object.
        """
        info = cls.__pc__
        store = resolve(choose(backend) or info.choice)
        return Found(cls, (info.make(name, store) for name in info.ids(seen(store))), on_error)

    @classmethod
    def count(cls, *, backend: BackendSource | None = None) -> int:
        """Return the number of objects of this class. Cost: as :meth:`ids`.

        ::

            PersistentDict("settings", {"theme": "dark"})
            assert PersistentDict.count() == 1
        """
        return sum(1 for _ in cls.ids(backend=backend))

    @property
    def id(self) -> str:
        """The id of this object among those of its class; no I/O.

        ::

            assert PersistentDict.ref("settings").id == "settings"
        """
        core: Core = self.__pc__
        return core.id

    @property
    def key(self) -> str:
        """The key in the store: ``<type name>:<id>``, with ``:``, ``%``, ``{``, ``}`` of the id quoted; no I/O.

        ::

            assert PersistentDict.ref("a:b").key == "PersistentDict:a%3Ab"
        """
        return str(self.__pc__)

    def delete(self) -> bool:
        """Delete the object and its children in one step, and return whether it existed. Cost: 1 round trip.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            assert settings.delete()
            assert not settings.delete()
        """
        require_object(self, "delete")
        deleted: bool = self.__pc__.delete()
        return deleted

    def expire(self, when: float | timedelta | datetime) -> None:
        """Set a deadline after which the object vanishes with its children. Cost: 1 round trip.

        ::

            settings = PersistentDict("settings", {"theme": "dark"})
            settings.expire(3600)

        Later writes keep the deadline. It ends when the object is emptied or deleted. If it is not in the future, the
        object vanishes at once. The ``expire=`` of methods that write must be in the future.

        Args:
            when: Seconds or a ``timedelta`` from now, or an aware ``datetime``.

        Raises:
            ObjectNotFound: The object does not exist.
            ValueError: A ``datetime`` is naive, or a number is not finite or too large for a ``timedelta``.
        """
        require_object(self, "expire")
        self.__pc__.set_deadline(seconds_until(when))

    def persist(self) -> None:
        """Remove the deadline, if the object has one. Cost: 1 round trip.

        ::

            settings = PersistentDict.create("settings", {"theme": "dark"}, expire=3600)
            settings.persist()
            assert settings.ttl() is None

        Raises:
            ObjectNotFound: The object does not exist.
        """
        self.__pc__.set_deadline(None)

    def ttl(self) -> timedelta | None:
        """Return the time left until the deadline, None without a deadline or without the object. Cost: 1 round trip.

        ::

            settings = PersistentDict.create("settings", {"theme": "dark"}, expire=3600)
            assert settings.ttl().total_seconds() > 3500

        Raises:
            CorruptDataError: The object or its deadline cannot be read.
            ForeignDataError: Another program put data under its key.
        """
        core = self.__pc__
        backend = active(core.choice)
        [found] = backend.look([core.key])
        if found is not None and found.shape is None:
            backend.snapshot([core.key])  # raises the error
        return None if found is None or found.ttl_s is None else timedelta(seconds=max(found.ttl_s, 0.0))

    def __bool__(self) -> bool:
        core = self.__pc__
        exists: bool = core.exists(active(core.choice))
        return exists

    def __str__(self) -> str:
        return str(self.__pc__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__pc__.id!r})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return the first parts as text and HTML for IPython, which asks only this. Cost: 1 round trip."""
        del include, exclude
        return mimebundle(repr(self), self.__pc__.first)

    def __eq__(self, other: object) -> bool:
        return self.__pc__.is_same(other) if isinstance(other, PersistentObject) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.__pc__.key)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        core = self.__pc__
        info: ClassInfo = core.info
        return _restore, (info.unbound, info.parameters, core.id, core.portable(), core.state())


def require_object(given: object, method: str) -> None:
    """Make sure that a method is called on an object.

    Raises:
        TypeError: It was called on a class, as in ``User.delete("luke")``.
    """
    if not isinstance(given, PersistentObject):
        raise TypeError(f"{method}() is called on an object, not on its class: User.load(id).{method}()")


setattr(PersistentObject, RESERVED, ClassInfo(PersistentObject, Core, ()))  # type: ignore[type-abstract]  # as it is itself

_OPTIONS: Final = ("abstract", "backend", "codec", "name")
"""The options of each class statement."""

_RESERVED_NAME: Final = f"{RESERVED!r} is the name under which persistent_collections keeps its own; choose another one"


def _inherited(cls: type[PersistentObject], core: type[Core] | None) -> ClassInfo:
    """Return the state that a new class inherits from its bases; ``core`` if its objects have another state class."""
    if Generic in cls.__mro__[: cls.__mro__.index(PersistentObject)]:
        raise TypeError(f"{cls.__name__}: Generic[…] must come after {cls.__bases__[-1].__name__} in the list of bases")
    bases: list[ClassInfo] = [vars(base)[RESERVED] for base in cls.__mro__[1:] if RESERVED in vars(base)]
    core = core or bases[0].core
    return core.info_class(cls, core, bases)


def _of_class(backend: BackendSource) -> Choice:
    return LazyBackend(backend) if isinstance(backend, str) and ":" in backend else choose(backend)


def _own_options(cls: type[PersistentObject], options: dict[str, Any]) -> dict[str, Any]:
    """Split off the options of a class statement that are specific to its kind of class.

    Raises:
        TypeError: One of the rest is unknown, and no base of another kind takes options.
    """
    names = next(vars(base)[RESERVED].options for base in cls.__mro__[1:] if RESERVED in vars(base))
    given = {name: options.pop(name) for name in names if name in options}
    others = {*cls.__mro__[cls.__mro__.index(PersistentObject) + 1 :]} - {Generic, object}
    if options and not any("__init_subclass__" in vars(base) for base in others):
        unknown = next(iter(options))
        raise TypeError(f"class {cls.__name__}: no option {unknown!r}; {suggestion(unknown, (*_OPTIONS, *names))}")
    return given


@with_hints
class Found(Iterator[T]):
    """The handles of the objects of one class, found during iteration."""

    __slots__ = ("__weakref__", "_cls", "_found", "_handles", "_on_error")

    def __init__(self, cls: type[T], handles: Iterator[T], on_error: OnError | None) -> None:
        self._cls = cls
        self._handles = handles
        self._on_error = on_error
        self._found: Iterator[T] = Resilient(with_errors(handles), on_error)

    def __repr__(self) -> str:
        return f"<{self._cls.__name__}.all()>"

    def __iter__(self) -> Iterator[T]:
        refuse_unannotated("what all() returns")
        return self

    def __next__(self) -> T:
        return next(self._found)

    def __getitem__(self, index: Any) -> NoReturn:
        raise TypeError(
            "all() finds objects one after another, in no order, and has no indexes; "
            "itertools.islice(….all(), 20) takes the first 20"
        )

    def fetch(self, *names: str) -> Iterator[dict[str, Any]]:
        """Yield the fields ``names`` of every record, like ``PersistentList.fetch``, found during iteration."""
        require_fields(self._cls, names)
        return rows(self._handles, names, self._on_error)


def _restore(
    cls: type[PersistentObject], parameters: tuple[Any, ...], id: str, backend: str | None, state: Any
) -> PersistentObject:
    """Make the handle a pickle describes."""
    info = cls.__pc__
    if parameters != info.parameters:
        info = info.with_parameters(parameters).__pc__
    handle: PersistentObject = info.make(id, choose(backend))
    if state is not None:
        handle.__pc__.restore(state)
    return handle

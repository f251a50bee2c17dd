"""What every persistent object is: an id, a key, a store it is bound to, and existence."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import uniform
from threading import get_ident
from types import MappingProxyType, new_class
from typing import Any, ClassVar, Final, Generic, Self, TypeAlias, TypeVar

from persistent_collections.annotations import bindings, evaluate, parts, substitute, type_variables
from persistent_collections.backends.base import Backend, Delete, Key, SetDeadline
from persistent_collections.codecs.base import Codec, References
from persistent_collections.config import BackendSource, Choice, LazyBackend, choose, portable, resolve, surrounding
from persistent_collections.errors import ConflictError, DecodeError, EncodeError, ObjectNotFound
from persistent_collections.fetching import Reader, rows

CodecSource: TypeAlias = str | Codec
"""What ``codec=`` takes: a registered name or a codec."""

T = TypeVar("T", bound="PersistentObject")

_LOG: Final = logging.getLogger(__name__)

RETRY_DEADLINE_S: Final = 10.0
"""How long an operation that reads, computes and writes if unchanged tries to win against other writers."""

_RESERVED: Final = {"%": "%25", ":": "%3A", "{": "%7B", "}": "%7D"}
_QUOTE: Final = str.maketrans(_RESERVED)

_classes: Final[dict[str, type[PersistentObject]]] = {}
_generation = 0
classes = MappingProxyType(_classes)
"""Every class whose objects can be read back from a reference, by type name."""


class PersistentObject(ABC):
    """The base of the dicts, lists, sets and records that live in a store.

    Making a handle costs no I/O. Handles may be shared between threads and used after ``fork``.

    Args:
        id: A non-empty ``str``, or an ``int``, kept as its digits; else 12 random url-safe characters.
        backend: A configured name, a URL or a backend; without one, and outside ``use_backend``, the object follows the
            default at each operation.

    Class arguments:
        name: What the keys of the class start with, if not the name of the class.
        backend: The backend of all its objects.
        codec: How the values of all its objects become bytes.
        abstract: Whether it is only a base for other classes, so that its name is free for another.

    Raises:
        TypeError: The id is of another type, or the class abstract.
        ValueError: The id is empty or holds a lone surrogate.
    """

    type_name: ClassVar[str]
    """What the keys of this class start with; empty if it is abstract."""

    _parameters: ClassVar[tuple[Any, ...]] = ()
    _unbound: ClassVar[type[PersistentObject]]
    _module: ClassVar[Mapping[str, Any]] = {}
    _part: ClassVar[str] = ""
    """What errors call a part of the object."""

    _class_choice: ClassVar[Choice] = None
    _class_codec: ClassVar[CodecSource | None] = None

    _id: str
    _key: Key
    _choice: Choice
    _bound: Any
    _writes: dict[int, object]

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        backend: BackendSource | None = None,
        codec: CodecSource | None = None,
        abstract: bool = False,
        parameters: tuple[Any, ...] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if parameters is not None:  # the same class with its type parameters known, made by __class_getitem__
            cls._parameters = parameters
            cls._declare()
            return
        cls._unbound = cls
        if Generic in cls.__mro__[: cls.__mro__.index(PersistentObject)]:
            raise TypeError(f"{cls.__name__}: Generic[…] stands behind {cls.__bases__[-1].__name__} among the bases")
        cls._module = getattr(sys.modules.get(cls.__module__), "__dict__", {})
        cls._parameters = cls._parameters or getattr(cls, "__parameters__", ())
        if backend is not None:
            is_url = isinstance(backend, str) and ":" in backend
            cls._class_choice = LazyBackend(backend) if isinstance(backend, str) and is_url else choose(backend)
        if codec is not None:
            cls._class_codec = codec
        cls._declare()
        cls.type_name = "" if abstract else check_name("type", name or cls.__name__)
        if not abstract:
            _register(cls)

    @classmethod  # noqa: B027 - only records declare something
    def _declare(cls) -> None:
        """Take note of what the body of a new class declares."""

    def __class_getitem__(cls, parameters: Any) -> type[Self]:
        given = parameters if isinstance(parameters, tuple) else (parameters,)
        variables = type_variables(cls._parameters)
        if not 0 < len(given) <= len(variables):
            raise TypeError(f"{cls.__name__} takes {len(variables) or 'no'} type parameter(s), not {len(given)}")
        known = dict(zip(variables, given, strict=False))
        return cls._with_parameters(tuple(substitute(part, known) for part in cls._parameters))

    @classmethod
    def _with_parameters(cls, parameters: tuple[Any, ...]) -> type[Self]:
        """Return this class with all its type parameters known."""
        try:
            hash(parameters)
        except TypeError:  # such as Annotated with a list
            return _parameterised.__wrapped__(cls._unbound, parameters)
        return _parameterised(cls._unbound, parameters)

    @classmethod
    def _evaluated(cls, annotation: Any, owner: type[PersistentObject]) -> Any:
        """Return an annotation in the body of ``owner``, evaluated for objects of this class."""
        if isinstance(annotation, type) and parts(annotation)[0] is annotation:
            return annotation
        names = names_in_module(owner)
        generic = evaluate(annotation, owner, names, cls)
        known = bindings(cls).get(owner)
        return evaluate(substitute(generic, known), owner, names, cls) if known else generic

    def __init__(self, id: str | int | None = None, /, *, backend: BackendSource | None = None) -> None:
        self._settle(id_or_random(id), choose(backend) or self._class_choice or surrounding())

    def _settle(self, id: str, choice: Choice) -> None:
        """Set what every handle has, whatever the ``__init__`` of a subclass asks for."""
        if not self.type_name:
            raise TypeError(f"{type(self).__name__} is abstract; make objects of a class made from it")
        key = Key(f"{self.type_name}:{id.translate(_QUOTE)}")
        vars(self).update(_id=id, _key=key, _choice=choice, _bound=None, _writes={})  # a record's __setattr__ is slower

    @classmethod
    def _handle(cls, id: str, choice: Choice) -> Self:
        """Return a handle without running ``__init__``."""
        handle = cls.__new__(cls)
        handle._settle(id, choice)
        return handle

    @classmethod
    def ref(cls, id: str | int, *, backend: BackendSource | None = None) -> Self:
        """Return the handle of ``id``, whether or not it exists; no I/O."""
        return cls._handle(check_id(id), choose(backend) or cls._class_choice or surrounding())

    @classmethod
    def load(cls, id: str | int, *, backend: BackendSource | None = None) -> Self:
        """Return the handle of an object that exists. Cost: 1 round trip.

        Raises:
            ObjectNotFound: It does not.
        """
        handle = cls.ref(id, backend=backend)
        store = resolve(handle._choice)
        if not store.exists(handle._family()):
            raise handle._not_found(store)
        return handle

    @classmethod
    def ids(cls, *, backend: BackendSource | None = None) -> Iterator[str]:
        """Yield the id of every object of this class, subclasses not included, in no order.

        Cost: 1 round trip a page of keys; the ids are remembered until the end, to yield none twice.
        """
        return cls._ids(resolve(choose(backend) or cls._class_choice))

    @classmethod
    def all(cls, *, backend: BackendSource | None = None) -> Found[Self]:
        """Yield the handle of every object of this class, as :meth:`ids` does, bound to the store they are in.

        ``User.all().fetch("name")`` yields fields of all of them, without a round trip for each.
        """
        store = resolve(choose(backend) or cls._class_choice)
        return Found(cls._handle(name, store) for name in cls._ids(store))

    @classmethod
    def count(cls, *, backend: BackendSource | None = None) -> int:
        """Return the number of objects of this class. Cost: as :meth:`ids`."""
        return sum(1 for _ in cls.ids(backend=backend))

    @classmethod
    def _ids(cls, backend: Backend) -> Iterator[str]:
        seen = set()
        for key in backend.keys(f"{cls.type_name}:"):
            name = unquote_id(key.root.partition(":")[2])
            if name and name not in seen:
                seen.add(name)
                yield name

    @property
    def id(self) -> str:
        """What tells this object from the others of its class."""
        return self._id

    @property
    def key(self) -> str:
        """What the object is stored under: ``<type name>:<id>``, with ``:``, ``%``, ``{``, ``}`` of the id quoted."""
        return str(self._key)

    def delete(self) -> bool:
        """Delete the object and its declared children, in one step, and say whether anything was there.

        Cost: 1 round trip.
        """
        backend = resolve(self._choice)
        self._wrote()
        return any(backend.apply([Delete(key) for key in self._family()]))

    def expire(self, when: float | timedelta | datetime) -> None:
        """Let the object vanish, children and all, after a time or at a moment. Cost: 1 round trip.

        The deadline lasts, through every later write, until the object is emptied or deleted.

        Args:
            when: Seconds or a ``timedelta`` from now, or an aware ``datetime``.

        Raises:
            ObjectNotFound: The object does not exist.
            ValueError: A ``datetime`` is naive, or a number not finite or too large for a ``timedelta``.
        """
        self._set_deadline(seconds_until(when))

    def persist(self) -> None:
        """Take back the deadline, if there is one. Cost: 1 round trip.

        Raises:
            ObjectNotFound: The object does not exist.
        """
        self._set_deadline(None)

    def ttl(self) -> timedelta | None:
        """Return the time left until the deadline, None if there is no deadline or no object. Cost: 1 round trip."""
        seconds = resolve(self._choice).ttl(self._family())
        return None if seconds is None else timedelta(seconds=seconds)

    def _set_deadline(self, ttl_s: float | None) -> None:
        self._wrote()
        backend = resolve(self._choice)
        if not any(backend.apply([SetDeadline(key, ttl_s) for key in self._family()])):
            raise self._not_found(backend)

    @abstractmethod
    def _bind(self, backend: Backend) -> Any:
        """Return what operations on ``backend`` need; it has an attribute ``backend``."""

    def _now(self) -> Any:
        """Return what :meth:`_bind` gives for the backend this moment's operation goes to; asked once an operation."""
        choice, bound = self._choice, self._bound
        return bound if bound is not None and bound.backend is choice else self._on(resolve(choice))

    def _on(self, backend: Backend) -> Any:
        """Return what :meth:`_bind` gives for ``backend``."""
        bound = self._bound
        if bound is None or bound.backend is not backend:
            bound = self._bound = self._bind(backend)
        return bound

    def _family(self) -> Sequence[Key]:
        """Return every key of the object, its own first."""
        return (self._key,)

    def _reader(self, backend: Backend, names: Sequence[str]) -> Reader:
        """Return how the fields called ``names`` of objects of this class are read from ``backend``."""
        del backend, names
        raise TypeError(f"{self.key!r} is no record, and has no fields to fetch")

    def _located(self, where: object, error: TypeError | DecodeError) -> EncodeError | DecodeError:
        """Return what a codec says of the part at ``where`` as an error that names it."""
        return located(error, f"{self._part} {where!r} of ", self._key, self._now().backend)

    @classmethod
    def _remedy(cls) -> str:
        """Return how to give an object of this class where something else was given, as the end of a sentence."""
        return f"; {cls.__name__}.ref(id) gives one"

    def _wrote(self) -> None:
        """Take note that this thread writes through this handle."""
        self._writes[get_ident()] = object()

    def _last_write(self) -> object:
        """Return what stands for the last write of this thread through this handle, None before the first."""
        return self._writes.get(get_ident())

    def _not_found(self, backend: Backend) -> ObjectNotFound:
        return ObjectNotFound(f"{self.key!r} does not exist in {backend.url}")

    def __bool__(self) -> bool:
        return resolve(self._choice).exists(self._family())

    def __str__(self) -> str:
        return self.key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._id!r})"

    def __eq__(self, other: object) -> bool:
        return self._is_same(other) if isinstance(other, PersistentObject) else NotImplemented

    def _is_same(self, other: object) -> bool:
        """Say whether ``other`` is a handle of this very object."""
        if not isinstance(other, PersistentObject):
            return False
        return self._key == other._key and resolve(self._choice) == resolve(other._choice)

    def __hash__(self) -> int:
        return hash(self._key)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._unbound, self._parameters, self._id, self._portable(), self._state())

    def _portable(self) -> str | None:
        """Return the store this handle is bound to, as a name or a URL."""
        choice = self._choice
        return choice if choice is None or isinstance(choice, str) else portable(resolve(choice))

    def _state(self) -> dict[str, Any]:
        """Return what a pickle holds beside class, parameters, id and store."""
        return {}


class Found(Iterator[T]):
    """The handles of the objects of one class, found as they are asked for."""

    def __init__(self, handles: Iterator[T]) -> None:
        self._handles = handles

    def __next__(self) -> T:
        return next(self._handles)

    def fetch(self, *names: str) -> Iterator[dict[str, Any]]:
        """Yield the fields called ``names`` of every record, as ``PersistentList.fetch`` does, found as asked for."""
        return rows(self._handles, names)


def generation() -> int:
    """Return a number that changes when a class takes the place of its namesake, so that what names mean changes."""
    return _generation


def names_in_module(cls: type[PersistentObject]) -> dict[str, Any]:
    """Return what names mean in the module of ``cls``; those it does not define, as classes that are known."""
    return {**{known.__name__: known for known in classes.values()}, **cls._module}


def references(backend: Backend) -> References:
    """Return how the codecs of ``backend`` turn objects into keys and back."""

    def to_key(value: PersistentObject) -> str:
        if value._key.child is not None:
            raise EncodeError(f"{value.key!r} is a child collection and no value; store its owner, or a copy of it")
        store = resolve(value._choice)
        if store != backend:
            raise EncodeError(
                f"{value.key!r} lives in {store.url}, not in {backend.url}; a reference stays in its store"
            )
        return value.key

    def from_key(text: str) -> PersistentObject:
        name, _, quoted = text.partition(":")
        cls, unquoted = _classes.get(name), unquote_id(quoted)
        if not unquoted:
            raise DecodeError("a stored reference is no key of the form '<type name>:<id>'")
        if cls is None:
            raise DecodeError(f"a stored reference is to a {name!r}; import the module that defines this class")
        return cls._handle(unquoted, backend)

    found: References = backend.memo.setdefault(
        "references", References(PersistentObject, to_key, from_key, narrowed, remedy)
    )
    return found


def narrowed(value: Any, kind: type[PersistentObject]) -> Any:
    """Return an object as one of ``kind``, where its key does not tell the type parameters; None if it is none."""
    if isinstance(value, kind):
        return value
    known = value._parameters if isinstance(value, kind._unbound) else None
    unknown = type(value) is kind._unbound
    return kind._handle(value._id, value._choice) if unknown or known == kind._parameters else None


def remedy(kind: type[PersistentObject]) -> str:
    """Return how to give an object of ``kind``, as the end of an error's sentence."""
    return kind._remedy()


def located(error: TypeError | DecodeError, part: str, key: Key, backend: Backend) -> EncodeError | DecodeError:
    """Return what a codec says as an error that names the object, and where it lies if that can be corrected by hand.

    Args:
        error: What the codec raised.
        part: The part of the object it is about, followed by ``of`` or the like; empty for the object itself.
        key: The object's.
        backend: Its store.
    """
    name = f"{part}{str(key)!r}"
    if not isinstance(error, DecodeError):
        return EncodeError(f"{name}: {error}")
    file = backend.file(key)
    by_hand = "; the file may be corrected by hand"
    return DecodeError(f"{name} in {file}: {error}{by_hand}" if file else f"{name}: {error}")


def attempts(what: str) -> Iterator[None]:
    """Yield until the caller stops, then give up: the loop of an operation that writes only if nothing changed.

    Raises:
        ConflictError: Others won for ``RETRY_DEADLINE_S``.
    """
    deadline = time.monotonic() + RETRY_DEADLINE_S
    pause_s = 0.001
    while True:
        yield
        if time.monotonic() > deadline:
            _LOG.warning("%s kept changing for %g s; gave up", what, RETRY_DEADLINE_S)
            raise ConflictError(f"{what} kept changing for {RETRY_DEADLINE_S:g} s; nothing was written, try again")
        _LOG.debug("%s changed meanwhile; it is read again", what)
        time.sleep(uniform(0, pause_s))  # noqa: S311 - jitter, not a secret
        pause_s = min(pause_s * 2, 0.1)


def id_or_random(id: object) -> str:
    """Return ``id`` as it is kept; a random one for None."""
    return secrets.token_urlsafe(9) if id is None else check_id(id)


def check_id(id: object) -> str:
    """Return ``id`` as it is kept."""
    if isinstance(id, int) and not isinstance(id, bool):
        return str(int(id))
    if not isinstance(id, str):
        raise TypeError(f"an id is a str or an int, not {type(id).__name__}; content goes after it: (id, items)")
    if not id:
        raise ValueError("an id is not empty; leave it out for a random one")
    try:
        id.encode()
    except UnicodeEncodeError:
        raise ValueError("an id holds no lone surrogates") from None
    return str.__str__(id)


def check_name(kind: str, name: str) -> str:
    """Return ``name`` if it can stand in a key."""
    if not name or _RESERVED.keys() & set(name):
        raise TypeError(f"the {kind} name {name!r} holds one of ':', '%', '{{', '}}', which keys need; choose another")
    return name


@lru_cache(maxsize=1024, typed=True)
def _parameterised(cls: type[T], parameters: tuple[Any, ...]) -> type[T]:
    """Return ``cls`` with its type parameters known: a subclass that goes by the same names."""

    def names(body: dict[str, Any]) -> None:
        body.update(__module__=cls.__module__, __qualname__=cls.__qualname__, __doc__=cls.__doc__)

    made: type[T] = new_class(cls.__name__, (cls,), {"parameters": parameters}, names)
    return made


def unquote_id(quoted: str) -> str | None:
    """Return the id that is quoted so, None if none is."""
    text = quoted
    for character, code in reversed(_RESERVED.items()):
        text = text.replace(code, character)
    return text if text.translate(_QUOTE) == quoted else None


def _register(cls: type[PersistentObject]) -> None:
    """Let references to objects of ``cls`` be read back."""
    namesake = _classes.get(cls.type_name)
    if (
        namesake is not None
        and namesake.__module__ != cls.__module__
        and "<locals>" not in f"{namesake.__qualname__}{cls.__qualname__}"
    ):
        raise TypeError(
            f"{namesake.__module__}.{namesake.__qualname__} and {cls.__module__}.{cls.__qualname__} both claim the "
            f"type name {cls.type_name!r}; give one of them another name: class {cls.__name__}(…, name=…)"
        )
    _classes[cls.type_name] = cls
    if namesake is not None:
        global _generation  # noqa: PLW0603 - counts what _classes, just as global, has been through
        _generation += 1


def seconds_until(when: float | timedelta | datetime) -> float:
    """Return the seconds until a deadline.

    Raises:
        TypeError: It is of another type.
        ValueError: A ``datetime`` is naive, or a number not finite or too large for a ``timedelta``.
    """
    if isinstance(when, datetime):
        if when.utcoffset() is None:
            raise ValueError("a deadline is an aware datetime; give it a tzinfo")
        return (when - datetime.now(UTC)).total_seconds()
    if isinstance(when, timedelta):
        return when.total_seconds()
    if isinstance(when, bool) or not isinstance(when, int | float):
        raise TypeError(f"a deadline is seconds, a timedelta or an aware datetime, not {type(when).__name__}")
    try:
        return timedelta(seconds=when).total_seconds()
    except (OverflowError, ValueError):
        raise ValueError("a deadline is as many seconds as a timedelta holds; persist() takes one back") from None


def _restore(
    cls: type[PersistentObject], parameters: tuple[Any, ...], id: str, backend: str | None, state: dict[str, Any]
) -> PersistentObject:
    """Make the handle a pickle describes."""
    if parameters != cls._parameters:
        cls = _parameterised(cls, parameters)
    handle = cls._handle(id, choose(backend))
    for name, value in state.items():
        setattr(handle, name, value)
    return handle

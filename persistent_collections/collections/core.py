"""The package's state of each persistent class and object, under one reserved attribute.

A user's class shares its namespace with the package, which owns only ``__pc__`` and the documented names. On a class it
is a :class:`ClassInfo`, on an object a :class:`Core`. No other underscore name is read from a user's class or
object.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import new_class
from typing import Any, ClassVar, Final, Generic, NoReturn, TypeAlias, TypeVar, overload
from weakref import WeakKeyDictionary, WeakValueDictionary

import msgspec

from persistent_collections import classes, flows
from persistent_collections.annotations import bindings, evaluate, parts, substitute, type_variables
from persistent_collections.backends.base import Backend, ForeignDataError
from persistent_collections.backends.changes import Change, Condition, Delete, Exists, SetDeadline
from persistent_collections.backends.keys import Key
from persistent_collections.backends.media import is_alike
from persistent_collections.backends.shapes import Shape
from persistent_collections.codecs.base import Codec
from persistent_collections.collections.ids import quote_id, unquote_id
from persistent_collections.collections.unannotated import unannotated
from persistent_collections.config import Choice, portable, resolve
from persistent_collections.errors import DecodeError, EncodeError, ObjectNotFound
from persistent_collections.remedies import Advice
from persistent_collections.transactions.current import active, entered
from persistent_collections.transactions.overlay import Overlay

CodecSource: TypeAlias = str | Codec
"""The values that ``codec=`` accepts: a registered name or a codec."""

RESERVED: Final = "__pc__"
"""The only attribute of classes and objects that belongs to the package."""


class ClassInfo:
    """The state of one class of persistent objects.

    Attributes:
        cls: The class.
        core: The class of the state of its objects.
        type_name: The first part of the keys of its objects; empty if it is abstract.
        parameters: Its type parameters, either types or variables.
        unbound: The class as declared, which differs from ``cls`` if type parameters were supplied.
        module: The namespace of its module.
        choice: The backend it chooses, if any.
        codec: The codec it chooses, if any.
        kept: The codecs of its objects in each store; see ``binding.kept``.
    """

    is_record: ClassVar[bool] = False
    options: ClassVar[Sequence[str]] = ()
    """The options of a class statement that only this kind of class accepts."""

    def __init__(self, cls: type[Any], core: type[Core], bases: Sequence[ClassInfo]) -> None:
        self.cls = cls
        self.core = core
        self.type_name = ""
        self.unbound = cls
        self.module: Mapping[str, Any] = getattr(sys.modules.get(cls.__module__), "__dict__", {})
        self.parameters: tuple[Any, ...] = next((base.parameters for base in bases), ())
        self.parameters = self.parameters or getattr(cls, "__parameters__", ())
        self.choice: Choice = next((base.choice for base in bases if base.choice is not None), None)
        self.codec: CodecSource | None = next((base.codec for base in bases if base.codec is not None), None)
        self.kept: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._with_parameters: WeakValueDictionary[tuple[Any, ...], type[Any]] = WeakValueDictionary()

    def take_options(self, **options: Any) -> None:
        """Record the options that the class statement passes."""

    def declare(self) -> None:
        """Record the declarations in the body of the class."""

    def make(self, id: str, choice: Choice) -> Any:
        """Return the handle of ``id`` without running ``__init__``; no I/O."""
        cls: Any = self.cls
        made = cls.__new__(cls)
        vars(made)[RESERVED] = self.start(id, choice)
        return made

    def start(self, id: str, choice: Choice) -> Core:
        """Return the state of a new handle of ``id``.

        Raises:
            TypeError: The class is abstract.
        """
        if not self.type_name:
            raise TypeError(f"{self.cls.__name__} is abstract; make objects of a subclass")
        return self.core(self, id, choice)

    def remedy(self) -> str:
        """Return advice on how to pass an object of this class in place of another value, as the end of a sentence."""
        return self.core.remedy(self)

    def require_fields(self, names: Iterable[str]) -> None:
        """Raise if objects of this class don't have the fields ``names``, as ``fetch`` takes them; no I/O.

        Raises:
            UnknownFieldError: No class declares a field.
            TypeError: It is a child or holds no reference, or the objects are not records.
        """
        del names
        if self.type_name:  # an abstract class may be that of records, too
            raise TypeError(f"a {self.cls.__name__} is not a record, so it has no fields to fetch")

    def ids(self, backend: Backend) -> Iterator[str]:
        """Yield the id of each object of this class in ``backend``, once."""
        for key in backend.keys(f"{self.type_name}:", self.core.shape):
            name = unquote_id(key.root.partition(":")[2])
            if name and key.child is None:
                yield name

    def given(self, parameters: Any) -> type[Any]:
        """Return the class with the type parameters of its ``[…]``.

        Raises:
            TypeError: It takes a different number of them.
        """
        given = parameters if isinstance(parameters, tuple) else (parameters,)
        variables = type_variables(self.parameters)
        if not 0 < len(given) <= len(variables):
            name = self.cls.__name__
            raise TypeError(
                f"{name} takes {len(variables) or 'no'} type parameter(s), not {len(given)}; "
                f"{name}.load(id) returns the object that has an id"
            )
        known = dict(zip(variables, given, strict=False))
        return self.with_parameters(tuple(substitute(part, known) for part in self.parameters))

    def with_parameters(self, parameters: tuple[Any, ...]) -> type[Any]:
        """Return the class with all its type parameters resolved: a subclass with the same names."""
        declared: ClassInfo = getattr(self.unbound, RESERVED)
        if declared is not self:
            return declared.with_parameters(parameters)
        try:
            found = self._with_parameters.get(parameters)
        except TypeError:  # such as Annotated with a list
            return self._made_with(parameters)
        return found or self._with_parameters.setdefault(parameters, self._made_with(parameters))

    def _made_with(self, parameters: tuple[Any, ...]) -> type[Any]:
        cls = self.cls
        info = type(self)(cls, self.core, [self])
        info.type_name, info.parameters = self.type_name, parameters
        body = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
        made: type[Any] = new_class(cls.__name__, (cls,), {RESERVED: info}, lambda namespace: namespace.update(body))
        return made

    def evaluated(self, annotation: Any, owner: type[Any]) -> Any:
        """Return an annotation in the body of ``owner``, evaluated for objects of this class."""
        if isinstance(annotation, type) and parts(annotation)[0] is annotation:
            return annotation
        names = names_in_module(owner)
        generic = evaluate(annotation, owner, names, self.cls)
        known = bindings(self.cls).get(owner)
        return evaluate(substitute(generic, known), owner, names, self.cls) if known else generic

    def __getattr__(self, name: str) -> Any:
        """Explain why an object has this in place of its core."""
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        raise AttributeError(f"{self.cls.__name__}: call super().__init__(id) before the object is used")


class Reader(msgspec.Struct, frozen=True):
    """The way to read some fields of the records of one class.

    Attributes:
        stored: The names of the fields in the store.
        row: Builds the values of one record, by field, from the content under these names.
        formers: The former names of the fields; see ``formers.Formers``.
    """

    stored: Sequence[str]
    row: Callable[[Any, Sequence[bytes | None]], dict[str, Any]]
    formers: Mapping[str, Any] | None = None


class Core(ABC):
    """The state of one handle of an object, and its behaviour by shape.

    Attributes:
        info: The state of its class.
        id: Distinguishes the object from others of its class.
        key: The key in the store.
        choice: The backend chosen for it, if any.
        bound: The result of :meth:`bind` for the backend of the last operation.
        writes: An object for the last write of each thread through this handle, or of a function on an event loop.
        newest: The one of the last write of all.
    """

    __slots__ = ("bound", "choice", "id", "info", "key", "newest", "writes")

    info_class: ClassVar[type[ClassInfo]] = ClassInfo
    shape: ClassVar[Shape]
    """The shape of the content of the object's key."""
    part: ClassVar[str] = ""
    """The word for a part of the object in errors."""

    def __init__(self, info: ClassInfo, id: str, choice: Choice) -> None:
        self.info: Any = info
        self.id = id
        self.key = Key(f"{info.type_name}:{quote_id(id)}")
        self.choice = choice
        self.bound: Any = None
        self.writes: dict[int, object] = {}
        self.newest: object = None

    @staticmethod
    def remedy(info: ClassInfo) -> str:
        """Return advice on how to pass an object of this class in place of another value, as the end of a sentence."""
        return f"; {info.cls.__name__}.ref(id) returns one"

    @abstractmethod
    def bind(self, backend: Backend) -> Any:
        """Return the state that operations on ``backend`` need; it has an attribute ``backend``."""

    def now(self) -> Any:
        """Return the result of :meth:`bind` for the backend of the current operation; called once per operation."""
        if entered() is not None:
            return self.on(active(self.choice))
        choice, bound = self.choice, self.bound
        return bound if bound is not None and bound.backend is choice else self.on(resolve(choice))

    def on(self, backend: Backend) -> Any:
        """Return the result of :meth:`bind` for ``backend``."""
        bound = self.bound
        if bound is None or bound.backend is not backend:
            if isinstance(backend, Overlay):
                return backend.remembered(self, self.bind)
            bound = self.bound = self.bind(backend)
        return bound

    @abstractmethod
    def first(self, limit: int) -> Iterable[Sequence[Any]]:
        """Return up to ``limit`` parts to show, each a value, or a label and a value; read in one step."""

    def children_keys(self) -> Sequence[Key]:
        """Return the keys of the children that its class declares."""
        return ()

    def exists(self, backend: Backend) -> bool:
        """Return whether the object exists: its own key exists and has the object's shape."""
        [found] = backend.look([self.key])
        if found is None or found.shape is not None:
            return found is not None and is_alike(found.shape, self.shape, backend.medium)
        try:
            backend.snapshot([self.key])
        except ForeignDataError:
            return False
        return True

    def delete(self, conditions: Sequence[Condition] = ()) -> bool:
        """Delete the object and its children if it exists and ``conditions`` hold; return whether it did."""
        self.wrote_family()
        backend = active(self.choice)
        return backend.commit([Exists(self.key), *conditions], [self.deletion(backend)])

    def deletion(self, backend: Backend) -> Delete:
        """Return the change that deletes the object and all its children."""
        del backend
        return Delete(self.key)

    def set_deadline(self, ttl_s: float | None) -> None:
        """Set the time after which the object and its children vanish, never if None.

        Raises:
            ObjectNotFound: It does not exist.
        """
        self.wrote_family()
        backend = active(self.choice)
        if not backend.commit([Exists(self.key)], self.deadlines(ttl_s)):
            raise self.not_found(backend)

    def deadlines(self, ttl_s: float | None) -> list[Change]:
        """Return the changes that set one deadline for the object and its children."""
        return [SetDeadline(key, ttl_s) for key in (self.key, *self.children_keys())]

    def reader(self, backend: Backend, names: Sequence[str]) -> Reader:
        """Return the way to read the fields ``names`` of objects of this class from ``backend``.

        Of ``customer.name``, the field ``customer`` is read; its class is asked whether it has the other.
        """
        del backend, names
        raise TypeError(f"{str(self)!r} is not a record, so it has no fields to fetch")

    def swap(self, backend: Backend, where: Any, expected: bytes | None, data: bytes) -> bool:
        """Set the part at ``where`` in ``backend`` if it still holds ``expected``, and return whether it did."""
        swapped: bool = self.on(backend).store.compare_and_set(where, expected, data)
        return swapped

    def located(self, where: object, error: TypeError | DecodeError) -> EncodeError | DecodeError:
        """Return a codec's error about the part at ``where`` as an error that names the part."""
        return located(error, f"{self.part} {where!r} of ", self.key, self.now().backend)

    def wrote(self) -> None:
        """Note that this flow, see ``flows.who``, writes through this handle."""
        self.newest = self.writes[flows.who()] = object()

    def wrote_family(self) -> None:
        """Note that this flow writes all keys of the object."""
        self.wrote()

    def last_write(self) -> object:
        """Return the object that identifies the last write of this flow through this handle, None before the first."""
        return self.writes.get(flows.who())

    def not_found(self, backend: Backend) -> ObjectNotFound:
        """Return the error for an object that does not exist."""
        return ObjectNotFound(f"{str(self)!r} does not exist in {backend.url}")

    def is_same(self, other: Any) -> bool:
        """Return whether ``other`` is a handle of the same object."""
        core = core_of(other)
        return core is not None and self.key == core.key and resolve(self.choice) == resolve(core.choice)

    def portable(self) -> str | None:
        """Return the store this handle is bound to, as a name or a URL."""
        choice = self.choice
        return choice if choice is None or isinstance(choice, str) else portable(resolve(choice))

    def state(self) -> Any:
        """Return the state that a pickle holds besides class, parameters, id and store."""
        return None

    def restore(self, state: Any) -> None:
        """Restore the result of :meth:`state`."""
        del state

    def __iter__(self) -> NoReturn:
        """Refuse the inspection by FastAPI of attributes of a list or set that no annotation describes."""
        raise unannotated(f"{str(self)!r}")

    def __str__(self) -> str:
        return str(self.key)


C_co = TypeVar("C_co", bound=Core, covariant=True)
I_co = TypeVar("I_co", bound=ClassInfo, covariant=True)


class Reserved(Generic[C_co, I_co]):
    """The type of the reserved name for type checkers."""

    @overload
    def __get__(self, thing: None, kind: type[Any], /) -> I_co: ...
    @overload
    def __get__(self, thing: object, kind: type[Any] | None = None, /) -> C_co: ...
    def __get__(self, thing: object, kind: type[Any] | None = None, /) -> Any: ...


def info_of(declared: Any) -> ClassInfo | None:
    """Return the state of a class of persistent objects, None for any other type."""
    info = getattr(declared, RESERVED, None) if isinstance(declared, type) else None
    return info if isinstance(info, ClassInfo) else None


def core_of(value: Any) -> Core | None:
    """Return the state of a persistent object, None for any other value."""
    core = getattr(value, RESERVED, None)
    return core if isinstance(core, Core) else None


def names_in_module(cls: type[Any]) -> dict[str, Any]:
    """Return the namespace of the module of ``cls``; undefined names resolve to known classes."""
    info: ClassInfo = getattr(cls, RESERVED)
    return {**{known.__name__: known for known in classes.every().values()}, **info.module}


def located(error: TypeError | DecodeError, part: str, key: Key, backend: Backend) -> EncodeError | DecodeError:
    """Return a codec's error as one that names the object, and its location if it can be corrected by hand.

    Args:
        error: The error that the codec raised.
        part: The part of the object that failed, followed by ``of`` or the like; empty for the object itself.
        key: The object's.
        backend: Its store.
    """
    name = f"{part}{str(key)!r}"
    if not isinstance(error, DecodeError):
        return EncodeError(f"{name}: {error}")
    file = backend.file(key)
    if file is None:
        return DecodeError(f"{name}: {error.problem}").with_remedies(*error.remedies)
    by_hand = Advice("the file may be corrected by hand")
    return DecodeError(f"{name} in {file}: {error.problem}").with_remedies(*error.remedies, by_hand)

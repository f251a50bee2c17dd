"""The marks in ``Annotated`` that records and stored classes share; none of them changes the stored form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, overload

Policy: TypeAlias = Literal["restrict", "cascade", "clear"]
"""The treatment of records that refer to a deleted one."""

SAME_TYPE: Final[Any] = object()
"""The ``declared`` of a mark whose former values are of the type that the field has now."""


@dataclass(frozen=True, slots=True, init=False)
class formerly:  # noqa: N801 - it is written as a function is, inside Annotated
    """Declare the name under which a field was stored before you renamed it, or changed its type or meaning.

    ::

        email: Annotated[str, formerly("mail")]
        born_on: Annotated[date, formerly("born", str, date.fromisoformat)]
        name: Annotated[str, formerly("login", str.lower)]

    If the former field is stored, it is read in place of the new one, and converted. It is never written, and every
    write of the new field deletes it; so if it exists, old code wrote it last. You can use the mark in records,
    dataclasses, attrs classes, Structs, TypedDicts, NamedTuples and pydantic models.

    Cost: none for reads and writes of a record. ``update_if``, ``delete_if``, ``change``, ``edit`` and changes of
    nested values take 2 more round trips, once, to store the converted value; 4 if an index orders by the field.
    ``increment`` takes a read and a write.

    Args:
        name: The former name in the store. The class has no field of this name any more.
        declared: The type of the former values, if it was different.
        convert: Returns the value of the new field from a former value; called each time one is read.

    Attributes:
        name: The former name in the store.
        declared: The type of the former values, or ``SAME_TYPE``.
        convert: As given, or None.
    """

    name: str
    declared: Any
    convert: Callable[[Any], Any] | None

    @overload
    def __init__(self, name: str, /) -> None: ...
    @overload
    def __init__(self, name: str, convert: Callable[[Any], Any], /) -> None: ...
    @overload
    def __init__(self, name: str, declared: Any, convert: Callable[[Any], Any], /) -> None: ...
    def __init__(self, name: str, /, *change: Any) -> None:
        if type(name) is not str or not name:
            raise TypeError("formerly(…) takes the former name of a field, as a str that is not empty")
        *declared, convert = change or (None,)
        if len(declared) > 1 or not (convert is None or callable(convert)):
            raise TypeError(
                f"formerly({name!r}, …) takes a function that converts the former value, and before it the former type "
                f"if that was another: formerly({name!r}, str, int)"
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "declared", declared[0] if declared else SAME_TYPE)
        object.__setattr__(self, "convert", convert)

    def converted(self, value: Any) -> Any:
        """Return the value of the new field for a value of the former one."""
        met = _met.get()
        if met is not None:
            met.append(self)
        return value if self.convert is None else self.convert(value)

    def __repr__(self) -> str:
        return f"formerly({self.name!r}{', …' if self.convert else ''})"


_met: Final[ContextVar[list[formerly] | None]] = ContextVar("persistent_collections_former_fields", default=None)


@contextmanager
def former_fields() -> Iterator[list[formerly]]:
    """Yield a list, to which each former field that is read within the block is added."""
    before, met = _met.get(), list[formerly]()
    try:
        _met.set(met)
        yield met
    finally:
        _met.set(before)


def former_of(marks: Iterable[Any]) -> tuple[formerly, ...]:
    """Return the former names among the marks of one field, the latest first."""
    return tuple(mark for mark in marks if isinstance(mark, formerly))


def require_outermost(inside: Iterable[Any], *kinds: type) -> None:
    """Raise if a mark of one of some kinds is among the metadata inside an annotation.

    Raises:
        TypeError: It is, so it marks a part, such as a member of a union. A mark is for a whole field.
    """
    for mark in inside:
        if isinstance(mark, kinds):
            raise TypeError(
                f"{mark!r} marks a part of an annotation, and is for a whole field; write it outermost, as "
                "unique in Annotated[str | None, unique]"
            )


class IndexMark:
    """A mark of a field that an index orders by: ``indexed`` or ``unique``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


indexed: Final = IndexMark("indexed")
"""Let records be found by a field.

::

    from datetime import datetime
    from typing import Annotated

    class User(Record):
        joined: Annotated[datetime, indexed]

Then ``User.find(joined=at_least(monday))`` finds them.
"""

unique: Final = IndexMark("unique")
"""Let no two records of a class have the same value in a field, and let them be found by it.

::

    from typing import Annotated

    class User(Record):
        email: Annotated[str, unique]

A write of a value that another record has raises ``NotUnique``; the store decides that. None and unset fields don't
count as values: any number of records may have them. A subclass has its own keys, and so its own unique values.
"""


@dataclass(frozen=True, slots=True, init=False)
class on_delete:  # noqa: N801 - it is written as a function is, inside Annotated
    """Choose what happens to records that refer by this field to a record that you delete; the field is indexed.

    ::

        from typing import Annotated

        class Customer(Record):
            name: str

        class Order(Record):
            customer: Annotated[Customer, on_delete("restrict")]

    Args:
        policy: ``"restrict"``: the deletion raises ``StillReferenced``. ``"cascade"``: the referring records are
            deleted first. ``"clear"``: their field is set to None first.

    Attributes:
        policy: As given.
    """

    policy: Policy

    def __init__(self, policy: Policy, /) -> None:
        if policy not in ("restrict", "cascade", "clear"):
            raise TypeError(f"on_delete(…) takes 'restrict', 'cascade' or 'clear', not {policy!r}")
        object.__setattr__(self, "policy", policy)

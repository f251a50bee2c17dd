"""The constraints in ``Annotated``: those of ``msgspec.Meta``, of annotated_types and of pydantic's ``Field``."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from functools import partial
from typing import Annotated, Any, Final, TypeAlias

import msgspec

Constraint: TypeAlias = Callable[[Any], str | None]
"""Returns the fault of a value, without showing the value; None if it is valid."""

_COMPARED: Final[dict[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "Gt": ("gt", operator.gt),
    "Ge": ("ge", operator.ge),
    "Lt": ("lt", operator.lt),
    "Le": ("le", operator.le),
    "MinLen": ("min_length", lambda value, length: len(value) >= length),
    "MaxLen": ("max_length", lambda value, length: len(value) <= length),
    "MultipleOf": ("multiple_of", lambda value, factor: value % factor == 0),
    "Timezone": ("tz", lambda value, zone: _is_in(zone, value.tzinfo)),
    "Predicate": ("func", lambda value, predicate: predicate(value)),
}
"""How the classes of annotated_types check a value: by which attribute, and how."""


def constraints(base: Any, metadata: Iterable[Any]) -> Iterator[Constraint]:
    """Yield the constraints in ``Annotated`` after ``base``; other metadata has no meaning here.

    Raises:
        TypeError: Values of ``base`` cannot meet one.
    """
    for mark in metadata:
        if isinstance(mark, msgspec.Meta):
            annotation: Any = Annotated[base, mark]
            msgspec.inspect.type_info(annotation)
            yield partial(_convert, annotation)
        else:
            yield from _compared(mark)


def _convert(annotation: Any, value: Any) -> str | None:
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        return f"does not meet its constraint ({error})"
    return None


def _compared(mark: Any) -> Iterator[Constraint]:
    """Yield the constraints from annotated_types, which has none unless it has been imported."""
    known, pydantic = sys.modules.get("annotated_types"), sys.modules.get("pydantic.fields")
    if pydantic and isinstance(mark, pydantic.FieldInfo):
        mark = mark.metadata
    elif not known or not isinstance(mark, known.BaseMetadata | known.GroupedMetadata):
        return
    if isinstance(mark, Iterable):
        for part in mark:
            yield from _compared(part)
    elif found := _COMPARED.get(type(mark).__name__):
        attribute, holds = found
        yield partial(_compare, repr(mark), holds, getattr(mark, attribute))


def _compare(shown: str, holds: Callable[[Any, Any], bool], bound: Any, value: Any) -> str | None:
    try:
        kept = value is None or holds(value, bound)
    except Exception:  # noqa: BLE001 - a predicate may raise anything, and what cannot be compared is not within a bound
        kept = False
    return None if kept else f"does not meet {shown}"


def _is_in(wanted: Any, zone: tzinfo | None) -> bool:
    """Return whether a zone matches ``annotated_types.Timezone``: ``...`` means any, None means none."""
    if wanted is None or wanted is ...:
        return (zone is None) is (wanted is None)
    return wanted in (zone, str(zone), getattr(zone, "key", None))

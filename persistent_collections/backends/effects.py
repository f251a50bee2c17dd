"""The effect of each store method, declared on the method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

Effect: TypeAlias = Literal["reads", "writes", "writes if unchanged"]

F = TypeVar("F", bound=Callable[..., Any])

_ATTRIBUTE = "__effect__"


def reads(method: F) -> F:
    """Mark a method that changes nothing."""
    return _marked(method, "reads")


def writes(method: F) -> F:
    """Mark a method that may change the stored content."""
    return _marked(method, "writes")


def writes_if_unchanged(method: F) -> F:
    """Mark a method that writes only if the store holds the expected value; it returns whether it did."""
    return _marked(method, "writes if unchanged")


def _marked(method: F, effect: Effect) -> F:
    setattr(method, _ATTRIBUTE, effect)
    return method


def effect_of(method: object) -> Effect | None:
    """Return the mark of ``method``, None for a method without I/O."""
    return getattr(method, _ATTRIBUTE, None)


def operations_of(interface: type) -> dict[str, Effect]:
    """Return the effect of every method of ``interface`` that goes to the store, by name."""
    members = {name: getattr(interface, name) for name in dir(interface)}
    return {name: effect for name, member in members.items() if (effect := effect_of(member)) is not None}

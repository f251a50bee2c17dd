"""The warning about classes whose instances change in place, which the library can't notice."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any, Final
from weakref import WeakSet

from persistent_collections.callers import stacklevel
from persistent_collections.errors import MutableValueWarning

_warned: Final[WeakSet[type]] = WeakSet()


def warn_if_mutable(kind: type) -> None:
    """Warn, once per class, if instances of a declared class can be changed in place."""
    freeze = None if kind in _warned else _how_to_freeze(kind)
    if freeze is None:
        return
    _warned.add(kind)
    name = kind.__qualname__
    warnings.warn(
        f"{name} is not frozen, and a change in place, such as value.x = 1, is not stored. Freeze it: {freeze}; "
        "or change stored values inside 'with ….edit(…) as value:'; or accept it: "
        f"warnings.filterwarnings('ignore', '{name} is not frozen', MutableValueWarning)",
        MutableValueWarning,
        stacklevel=stacklevel(),
    )


def _how_to_freeze(kind: Any) -> str | None:
    """Return the way to make a class frozen; None if it is, or if its kind is unknown."""
    if dataclasses.is_dataclass(kind):
        parameters: Any = vars(kind).get("__dataclass_params__") or getattr(kind, "__dataclass_params__", None)
        return None if parameters.frozen else "@dataclass(frozen=True)"
    if hasattr(kind, "__attrs_attrs__"):
        return None if kind.__setattr__.__name__ == "_frozen_setattrs" else "@attrs.frozen"
    if hasattr(kind, "__struct_config__"):
        return None if kind.__struct_config__.frozen else f"class {kind.__name__}(Struct, frozen=True)"
    if hasattr(kind, "__pydantic_root_model__"):
        return None if kind.model_config.get("frozen") else "model_config = ConfigDict(frozen=True)"
    return None

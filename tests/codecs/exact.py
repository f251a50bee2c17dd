"""How these tests compare: equal, and of the same types all through."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Set as AbstractSet
from datetime import datetime, time
from typing import Any


def exact(value: Any) -> Any:
    """Return something that is equal for two values only if their types, too, are the same at every depth."""
    kind = type(value)
    if isinstance(value, dict):
        return kind, [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return kind, [exact(item) for item in value]
    if isinstance(value, AbstractSet):
        return kind, sorted((exact(item) for item in value), key=repr)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return kind, exact({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    return kind, *_parts(value)


def _parts(value: Any) -> tuple[Any, ...]:
    """Return what makes two leaves of one type the same."""
    if isinstance(value, float):
        return ("nan",) if math.isnan(value) else (value, math.copysign(1, value))
    if isinstance(value, complex):
        return exact(value.real), exact(value.imag)
    if isinstance(value, datetime | time):
        return value.replace(tzinfo=None), repr(value.tzinfo), value.fold
    return (value if isinstance(value, int) else repr(value),)

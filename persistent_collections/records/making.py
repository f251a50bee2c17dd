"""Record classes made from a mapping of names to types."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import new_class
from typing import Any

from persistent_collections.collections.core import CodecSource
from persistent_collections.config import BackendSource
from persistent_collections.records.record import Record


def make_record(
    name: str,
    fields: Mapping[str, Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    type_name: str | None = None,
    backend: BackendSource | None = None,
    codec: CodecSource | None = None,
    indexes: Sequence[Sequence[str]] = (),
    unique: Sequence[Sequence[str]] = (),
) -> type[Record]:
    """Return a record class made from a mapping of names to types; no I/O.

    ::

        Sensor = make_record("Sensor", {"room": str, "value": float}, defaults={"value": 0.0})
        assert Sensor.create("s1", room="attic").value == 0.0

    Args:
        name: The name of the class.
        fields: Each field's annotation.
        defaults: The default of each field: a new record stores it if you pass no value, and an unset field reads as
            it.
        type_name: The start of the keys of the class, if not ``name``.
        backend: The backend of all its objects.
        codec: How the values of all its objects become bytes.
        indexes: Fields that an index orders by together.
        unique: Fields that are unique together.

    Raises:
        TypeError: A field or a default can't be stored exactly.
    """
    unknown = (defaults or {}).keys() - fields.keys()
    if unknown:
        raise TypeError(
            f"{name}: {min(unknown)!r} has a default, but is not a field; declare its type among the fields"
        )
    caller = sys._getframe(1)
    inside = caller.f_code.co_qualname
    body = {
        "__module__": caller.f_globals.get("__name__", __name__),
        "__qualname__": name if inside == "<module>" else f"{inside}.<locals>.{name}",
        "__annotations__": dict(fields),
        **(defaults or {}),
    }
    options = {"name": type_name, "backend": backend, "codec": codec, "indexes": indexes, "unique": unique}
    made: type[Record] = new_class(name, (Record,), options, lambda namespace: namespace.update(body))
    return made

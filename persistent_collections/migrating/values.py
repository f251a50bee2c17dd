"""Values that contain fields under former names, and the same values in their current form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.codecs.base import Codec
from persistent_collections.collections.core import located
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.errors import DecodeError, EncodeError
from persistent_collections.marks import former_fields, formerly

_LEAVES: Final = (
    *(str, int, float, complex, bytes, NoneType, date, time, timedelta, Decimal, Enum, PurePath, UUID),
    PersistentObject,
)
_CONTAINERS: Final = frozenset({list, set, dict, tuple, frozenset, Union, UnionType})


def may_hold_former(declared: Any) -> bool:
    """Return whether a value of a declared type may hold a field under a former name."""
    origin, arguments = get_origin(declared), get_args(declared)
    if origin is Annotated:
        return may_hold_former(arguments[0])
    if origin in _CONTAINERS:
        return any(may_hold_former(part) for part in arguments if part is not ...)
    if origin is Literal:
        return False
    return not (isinstance(declared, type) and issubclass(declared, _LEAVES))


def renewed(codec: Codec, stored: bytes) -> bytes:
    """Return the current stored form of a value; unchanged if it has no former field.

    Raises:
        DecodeError: It can't be read, or its converted form can't be stored.
    """
    with former_fields() as met:
        value = codec.decode(stored)
    if not met:
        return stored
    try:
        return codec.encode(value)
    except EncodeError as error:
        raise DecodeError(f"its converted value cannot be stored: {error}") from error


def converted(mark: formerly, value: Any) -> Any:
    """Return the value of a field for a value of a former one.

    Raises:
        DecodeError: The conversion function raises an error.
    """
    try:
        return mark.converted(value)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        raise DecodeError(f"its conversion raises {type(error).__name__}") from None


@contextmanager
def naming(part: str, key: Key, backend: Backend) -> Iterator[None]:
    """Make errors in the block name ``key`` and ``part``, a part of it followed by ``of``."""
    try:
        yield
    except (DecodeError, EncodeError) as error:
        raise located(error, part, key, backend) from error

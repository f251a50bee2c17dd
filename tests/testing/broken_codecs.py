"""Codecs that each break one promise, for the suite to catch."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.errors import DecodeError, EncodeError


class LosesTypes(Codec):
    """Takes what the standard library's encoder takes: a tuple, an int key."""

    name = "loses types"
    format = "json"

    def encode(self, value: Any) -> bytes:
        try:
            return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise EncodeError("value: not JSON") from error

    def decode(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DecodeError("not JSON") from error


class PutsSpaces(JSONCodec):
    """Writes readable JSON, not compact JSON."""

    def encode(self, value: Any) -> bytes:
        return super().encode(value).replace(b",", b", ")


class ShowsValues(JSONCodec):
    """Says in its error what it could not store."""

    def encode(self, value: Any) -> bytes:
        try:
            return super().encode(value)
        except EncodeError as error:
            raise EncodeError(f"{value!r} cannot be stored") from error


class ShowsData(JSONCodec):
    """Says in its error what it could not read."""

    def decode(self, data: bytes) -> Any:
        try:
            return super().decode(data)
        except DecodeError as error:
            raise DecodeError(f"cannot read {data!r}") from error


class Counts(JSONCodec):
    """Writes each time something else."""

    _counter = count()

    def encode(self, value: Any) -> bytes:
        return super().encode(value) + b" " * next(self._counter)


class ClaimsToBeCanonical(JSONCodec):
    """Says that its bytes may be compared, though 1 and True differ."""

    def __init__(self) -> None:
        super().__init__()
        self.canonical = True


class LetsErrorsOut(JSONCodec):
    """Lets the errors of another library out."""

    def decode(self, data: bytes) -> Any:
        return json.loads(data)


class RefusesByTypeError(JSONCodec):
    """Refuses with an error that is not this package's."""

    def encode(self, value: Any) -> bytes:
        try:
            return super().encode(value)
        except EncodeError as error:
            raise TypeError("cannot be stored") from error


class SortsInPlace(JSONCodec):
    """Changes what it is given."""

    def encode(self, value: Any) -> bytes:
        if type(value) is list and all(type(item) is int for item in value):
            value.sort()
        return super().encode(value)


class Recurses(JSONCodec):
    """Goes as deep as the value does."""

    def encode(self, value: Any) -> bytes:
        self._walk(value)
        return super().encode(value)

    def _walk(self, value: Any) -> None:
        if type(value) is list and len(value) == 1:
            self._walk(value[0])

"""Codecs fitted to the medium of a store."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from persistent_collections.codecs.base import Codec, Format, References
from persistent_collections.codecs.hints import looks_like, reason
from persistent_collections.codecs.types.lowering import to_json
from persistent_collections.codecs.types.standard import from_base64, to_base64
from persistent_collections.errors import DecodeError

_read_string: Final = msgspec.json.Decoder(str).decode


def fit(codec: Codec, medium: Literal["bytes", "json"]) -> Codec:
    """Return ``codec`` such that its bytes fit a store of this medium; itself, at no cost, if they do.

    A JSON store accepts one JSON text per value: text becomes a JSON string, and binary a string of its base64.
    """
    return codec if medium == "bytes" or codec.format == "json" else _AsJSONString(codec)


def to_json_text(data: bytes, format: Format) -> bytes:
    """Return the JSON text for ``data``, written by a codec of this format, in a JSON store.

    Raises:
        ValueError: A codec of this format does not write such bytes.
    """
    if format == "json":
        return data
    return to_json(data.decode() if format == "text" else to_base64(data)).encode()


def from_json_text(data: bytes, format: Format) -> bytes:
    """Return the bytes for which :func:`to_json_text` returns ``data``.

    Raises:
        ValueError: :func:`to_json_text` returns ``data`` for no bytes.
    """
    if format == "json":
        return data
    text = _read_string(data)
    return text.encode() if format == "text" else from_base64(text)


class _AsJSONString(Codec):
    format = "json"

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.name = codec.name
        self.canonical = codec.canonical
        self.secret = codec.secret

    def bind(self, declared: Any, references: References | None) -> Codec:
        return type(self)(self._codec.bind(declared, references))

    def encode(self, value: Any) -> bytes:
        try:
            data = self._codec.encode(value)
        except BaseException:
            del value  # tracebacks must not show a refused password
            raise
        return to_json_text(data, self._codec.format)

    def require(self, value: Any) -> None:
        try:
            self._codec.require(value)
        except BaseException:
            del value  # tracebacks must not show a refused password
            raise

    def decode(self, data: bytes) -> Any:
        try:
            encoded = from_json_text(data, self._codec.format)
        except (ValueError, msgspec.MsgspecError) as error:
            is_text = self._codec.format == "text"  # other bytes in a JSON store always look like JSON
            kind, hint = ("JSON string", "") if is_text else ("JSON string of base64", looks_like(data, self.name))
            raise DecodeError(f"not the {kind} of the codec {self.name!r} ({reason(error, data)}){hint}") from None
        return self._codec.decode(encoded)

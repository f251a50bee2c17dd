"""Codecs fitted to what a store takes."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from persistent_collections.codecs.base import Codec, Format, References
from persistent_collections.codecs.hints import looks_like, reason
from persistent_collections.codecs.lowering import to_json
from persistent_collections.codecs.standard import from_base64, to_base64
from persistent_collections.errors import DecodeError

_read_string: Final = msgspec.json.Decoder(str).decode


def fit(codec: Codec, medium: Literal["bytes", "json"]) -> Codec:
    """Return ``codec`` so that its bytes are what a store of this medium takes; itself, at no cost, where they are.

    A JSON store takes one JSON text a value: text becomes a JSON string, and binary a string of its base64.
    """
    return codec if medium == "bytes" or codec.format == "json" else _AsJSONString(codec)


def to_json_text(data: bytes, format: Format) -> bytes:
    """Return the JSON text that stands for ``data``, written by a codec of this format, in a JSON store.

    Raises:
        ValueError: A codec of this format does not write such bytes.
    """
    if format == "json":
        return data
    return to_json(data.decode() if format == "text" else to_base64(data)).encode()


def from_json_text(data: bytes, format: Format) -> bytes:
    """Return the bytes for which :func:`to_json_text` gives ``data``.

    Raises:
        ValueError: It does not give ``data`` for any.
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

    def bind(self, declared: Any, references: References | None) -> Codec:
        return type(self)(self._codec.bind(declared, references))

    def encode(self, value: Any) -> bytes:
        return to_json_text(self._codec.encode(value), self._codec.format)

    def decode(self, data: bytes) -> Any:
        try:
            encoded = from_json_text(data, self._codec.format)
        except (ValueError, msgspec.MsgspecError) as error:
            is_text = self._codec.format == "text"  # what else is in a JSON store always looks like JSON
            kind, hint = ("JSON string", "") if is_text else ("JSON string of base64", looks_like(data, self.name))
            raise DecodeError(f"not the {kind} of the codec {self.name!r} ({reason(error)}){hint}") from None
        return self._codec.decode(encoded)

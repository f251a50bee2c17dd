"""A codec for persistent-collections that stores values as CBOR (RFC 8949)."""

from __future__ import annotations

from typing import Any

import cbor2

from persistent_collections import Codec, DecodeError, EncodeError, lift, lower


class CborCodec(Codec):
    """Plain JSON values as CBOR writes them; ``lower`` and ``lift`` add every registered type."""

    name = "cbor"
    format = "binary"

    def __init__(self, references: Any = None) -> None:
        self._references = references

    def bind(self, declared: Any, references: Any) -> Codec:
        return CborCodec(references)

    def encode(self, value: Any) -> bytes:
        return cbor2.dumps(lower(value, self._references))

    def decode(self, data: bytes) -> Any:
        try:
            value = lift(cbor2.loads(data), self._references)
            self.encode(value)  # CBOR has values that no codec here writes, such as "undefined"
        except (cbor2.CBORDecodeError, EncodeError, RecursionError) as error:
            raise DecodeError(f"not CBOR of this codec ({type(error).__name__})") from None
        return value

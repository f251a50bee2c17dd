"""A codec around any other that compresses what it writes."""

from __future__ import annotations

import zlib
from typing import Any

from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.hints import looks_like
from persistent_collections.errors import DecodeError, EncodeError


class Compressed(Codec):
    """Store what another codec writes, compressed by zlib.

    ::

        logs = PersistentList("logs", codec=Compressed(get_codec("json")))
        logs.append({"message": "nothing " * 1_000})
        assert logs[0]["message"].startswith("nothing")

    Args:
        codec: The codec inside.
        name: The name under which this codec is registered; by default ``<codec>+zlib``.
        level: From 1, fast, to 9, small.
        max_size_bytes: The largest uncompressed size that is written and read.
    """

    format = "binary"

    def __init__(self, codec: Codec, name: str = "", *, level: int = 6, max_size_bytes: int = 64 * 1024 * 1024) -> None:
        self.name = name or f"{codec.name}+zlib"
        self.secret = codec.secret
        self._codec, self._level, self._max_size_bytes = codec, level, max_size_bytes

    def bind(self, declared: Any, references: References | None) -> Codec:
        bound = self._codec.bind(declared, references)
        return type(self)(bound, self.name, level=self._level, max_size_bytes=self._max_size_bytes)

    def encode(self, value: Any) -> bytes:
        try:
            data = self._codec.encode(value)
        except BaseException:
            del value  # tracebacks must not show a refused password
            raise
        if len(data) > self._max_size_bytes:
            raise EncodeError(
                f"value: its {len(data)} bytes exceed max_size_bytes={self._max_size_bytes}; split it, or allow more"
            )
        return zlib.compress(data, self._level)

    def decode(self, data: bytes) -> Any:
        unpacker = zlib.decompressobj()
        try:
            unpacked = unpacker.decompress(data, self._max_size_bytes + 1)
        except zlib.error:
            raise DecodeError(f"not what zlib compressed{looks_like(data, 'compressed')}") from None
        if len(unpacked) > self._max_size_bytes:
            raise DecodeError(f"the unpacked value exceeds max_size_bytes={self._max_size_bytes}")
        if not unpacker.eof or unpacker.unused_data:
            raise DecodeError("not one whole stream of zlib")
        return self._codec.decode(unpacked)

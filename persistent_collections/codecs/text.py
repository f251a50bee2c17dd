"""The codec ``str``: text as it is."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.declared import checked, rebuilt, shape_of
from persistent_collections.codecs.hints import looks_like
from persistent_collections.codecs.lowering import checked_text
from persistent_collections.errors import DecodeError, EncodeError

_STORED: Final = frozenset({str, NoneType})


class TextCodec(Codec):
    """Store ``str`` as its UTF-8, so that it reads as itself in the store; nothing else is held."""

    name = "str"
    format = "text"
    canonical = True

    def __init__(self, declared: Any = Any) -> None:
        self._shape = shape_of(declared, None)
        self._is_narrow = declared not in (str, Any)
        if self._is_narrow and (not self._shape.stored or self._shape.stored - _STORED or self._shape.opaque):
            raise TypeError(f"the codec 'str' keeps str alone, not {declared}; choose the codec 'json'")

    def bind(self, declared: Any, references: References | None) -> Codec:
        del references
        return type(self)(declared)

    def encode(self, value: Any) -> bytes:
        if type(value) is not str:
            checked(self._shape, value)
            raise EncodeError(
                f"value: the codec 'str' keeps str alone, not {type(value).__name__}; choose the codec 'json'"
            )
        if self._is_narrow:
            checked(self._shape, value)
        return value.encode() if value.isascii() else checked_text(value, ()).encode()

    def decode(self, data: bytes) -> Any:
        try:
            value = data.decode()
        except UnicodeDecodeError as error:
            raise DecodeError(f"not UTF-8 at byte {error.start}{looks_like(data, self.name)}") from None
        return rebuilt(self._shape, value) if self._is_narrow else value

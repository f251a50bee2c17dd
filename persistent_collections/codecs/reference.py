"""The codec ``reference``: a persistent object as its key."""

from __future__ import annotations

from types import NoneType
from typing import Any

from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.declared.reading import check_of, checked, rebuilt
from persistent_collections.codecs.hints import looks_like
from persistent_collections.errors import DecodeError, EncodeError


class ReferenceCodec(Codec):
    """Store a persistent object as the text of its key; it can't store anything before it is bound to a store."""

    name = "reference"
    format = "text"
    canonical = True

    def __init__(self, declared: Any = Any, references: References | None = None) -> None:
        self._references = references
        self._check = check_of(declared, references)
        kinds = self._check.stored - {NoneType}
        if declared is not Any and not (kinds and references and all(issubclass(k, references.kind) for k in kinds)):
            raise TypeError(f"the codec 'reference' keeps only persistent objects, not {declared}; choose 'json'")

    def bind(self, declared: Any, references: References | None) -> Codec:
        return type(self)(declared, references)

    def encode(self, value: Any) -> bytes:
        if self._references is None:
            raise EncodeError("value: the codec 'reference' works only inside a collection or a record")
        checked(self._check, value)
        if not isinstance(value, self._references.kind):
            raise EncodeError(
                f"value: the codec 'reference' keeps only persistent objects, not {type(value).__name__}; choose 'json'"
            )
        return self._references.to_key(value).encode()

    def decode(self, data: bytes) -> Any:
        if self._references is None:
            raise DecodeError("the codec 'reference' works only inside a collection or a record")
        try:
            key = data.decode()
        except UnicodeDecodeError as error:
            raise DecodeError(f"not UTF-8 at byte {error.start}{looks_like(data, self.name)}") from None
        return rebuilt(self._check, self._references.from_key(key))

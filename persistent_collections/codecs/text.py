"""The codec ``str``: text as it is."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final, Literal

from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.declared.class_checks import EnumCheck
from persistent_collections.codecs.declared.reading import check_of, checked, is_recursive, rebuilt
from persistent_collections.codecs.hints import looks_like
from persistent_collections.codecs.types.lowering import checked_text
from persistent_collections.errors import DecodeError, EncodeError

_STORED: Final = frozenset({str, NoneType})


def text_in(declared: Any, references: References | None) -> Literal["all", "optional", "some", "none"]:
    """Return whether the values of a declared type are texts.

    All are for ``str``, an alias or ``NewType`` of it, a ``Literal`` of texts and an Enum of texts. ``"optional"``
    means text or None. ``"some"`` means a union of text and other types, except an alias that refers to itself, such as
    one for all of JSON.
    """
    try:
        check = check_of(declared, references)
    except TypeError:
        return "none"
    if str not in check.stored:
        return "none"
    if check.stored - _STORED:
        return "none" if isinstance(check, EnumCheck) or is_recursive(declared, references) else "some"
    return "optional" if NoneType in check.stored else "all"


class TextCodec(Codec):
    """Store ``str`` as its UTF-8, so that it reads as itself in the store; an Enum of texts as its values."""

    name = "str"
    format = "text"
    canonical = True

    def __init__(self, declared: Any = Any) -> None:
        self._check = check_of(declared, None)
        self._is_narrow = declared not in (str, Any)
        if self._is_narrow and (not self._check.stored or self._check.stored - _STORED):
            raise TypeError(f"the codec 'str' keeps only str, not {declared}; choose the codec 'json'")

    def bind(self, declared: Any, references: References | None) -> Codec:
        del references
        return type(self)(declared)

    def encode(self, value: Any) -> bytes:
        text = value if type(value) is str and not self._is_narrow else checked(self._check, value)
        if type(text) is not str:
            raise EncodeError(
                f"value: the codec 'str' keeps only str, not {type(value).__name__}; choose the codec 'json'"
            )
        return text.encode() if text.isascii() else checked_text(text, ()).encode()

    def decode(self, data: bytes) -> Any:
        try:
            value = data.decode()
        except UnicodeDecodeError as error:
            raise DecodeError(f"not UTF-8 at byte {error.start}{looks_like(data, self.name)}") from None
        return rebuilt(self._check, value) if self._is_narrow else value

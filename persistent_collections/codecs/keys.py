"""Dict keys and set members as texts: plain to read where the declared type tells what they are, else tagged JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, Literal

from persistent_collections.codecs.base import KeyCodec, References
from persistent_collections.codecs.declared import shape_of
from persistent_collections.codecs.key_forms import KeyForm, form_of
from persistent_collections.codecs.lowering import checked_text, to_json
from persistent_collections.errors import DecodeError, EncodeError


def key_codec(declared: Any, references: References | None = None, what: Literal["key", "member"] = "key") -> KeyCodec:
    """Return the codec of dict keys, or set members, of a declared type.

    Shape: ``str`` as it is; a number, a UUID, a date, an Enum's name and the like as their text; a tuple as a JSON
    array of these; a persistent object as its key; ``Any``, a union and the rest as the JSON of
    :func:`~persistent_collections.codecs.lowering.lower`, which tells ``1`` from ``"1"``.

    Raises:
        TypeError: Keys of that type are not hashable, or cannot be kept.
    """
    if declared is str:
        return _TextKeys(what)
    return _DeclaredKeys(form_of(shape_of(declared, references), references), what)


class _TextKeys(KeyCodec):
    def __init__(self, what: str) -> None:
        self._what = what

    def encode(self, key: Any) -> str:
        if type(key) is not str:
            hash(key)
            kind = type(key).__name__
            declaration = f"PersistentDict[{kind}, V]" if self._what == "key" else f"PersistentSet[{kind}]"
            raise EncodeError(
                f"a {self._what} of type {kind} where {self._what}s are str; give a str, or declare {declaration}"
            )
        return key if key.isascii() else checked_text(key, ())

    def decode(self, text: str) -> Any:
        return text

    def encode_all(self, keys: Iterable[Any]) -> Collection[str]:
        texts = keys if type(keys) is set else list(keys)
        are_str = [*map(type, texts)].count(str) == len(texts)
        return texts if are_str and "".join(texts).isascii() else super().encode_all(texts)

    def decode_all(self, texts: Iterable[str]) -> Iterable[Any]:
        return texts


class _DeclaredKeys(KeyCodec):
    def __init__(self, form: KeyForm, what: str) -> None:
        self._form = form
        self._what = what

    def encode(self, key: Any) -> str:
        hash(key)
        try:
            plain = self._form.plain(key)
            return plain if self._form.is_text else to_json(plain)
        except EncodeError as error:
            raise EncodeError(f"a {self._what} of type {type(key).__name__} is refused: {error}") from None
        except (ValueError, RecursionError) as error:
            raise EncodeError(
                f"this process cannot write a {self._what} of type {type(key).__name__} ({type(error).__name__})"
            ) from None

    def decode(self, text: str) -> Any:
        try:
            key = self._form.key(text if self._form.is_text else json.loads(text))
            if self.encode(key) == text:
                return key
        except Exception as error:  # noqa: BLE001 - a registered function may raise anything
            raise DecodeError(
                f"a {self._what} is stored that this codec does not write ({type(error).__name__})"
            ) from None
        raise DecodeError(f"a {self._what} is stored in another form than this codec writes")

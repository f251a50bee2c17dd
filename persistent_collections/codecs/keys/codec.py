"""Dict keys and set members as texts: readable if the declared type determines them, else tagged JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, Literal

from persistent_collections.annotations import shown
from persistent_collections.codecs.base import KeyCodec, References
from persistent_collections.codecs.declared.reading import check_of
from persistent_collections.codecs.keys.folding import fold_member
from persistent_collections.codecs.keys.forms import KeyForm, form_of
from persistent_collections.codecs.types.lowering import checked_text, to_json
from persistent_collections.errors import DecodeError, EncodeError


def key_codec(declared: Any, references: References | None = None, what: Literal["key", "member"] = "key") -> KeyCodec:
    """Return the codec of dict keys, or set members, of a declared type.

    Check: ``str`` as it is; a number, a UUID, a date, an Enum's name and the like as their text; a tuple as a JSON
    array of these; a persistent object as its key; ``Any``, a union and the rest as the JSON of
    :func:`~persistent_collections.codecs.types.lowering.lower`, which tells ``1`` from ``"1"``.

    Raises:
        TypeError: Keys of that type are not hashable, or cannot be kept.
    """
    if declared is str:
        return _TextKeys(what, references)
    return _DeclaredKeys(form_of(check_of(declared, references), references), what)


def check_keys(declared: Any, kind: type) -> None:
    """Raise ``TypeError`` if dict keys, or set members, of a declared type can't be stored, whatever the store.

    Args:
        declared: As for :func:`key_codec`.
        kind: The class every persistent object is an instance of.
    """
    key_codec(declared, References(kind, str, str))


class _TextKeys(KeyCodec):
    verbatim = True

    def __init__(self, what: str, references: References | None) -> None:
        self._what, self._references = what, references

    def encode(self, key: Any) -> str:
        if type(key) is not str:
            hash(key)
            text = fold_member(key)
            if type(text) is not str:
                raise EncodeError(
                    f"a {self._what} of type {type(key).__name__} where {self._what}s are str; {self._remedy(key)}"
                )
            key = text
        return key if key.isascii() else checked_text(key, ())

    def _remedy(self, key: Any) -> str:
        """Return the remedy for a key that is not a ``str``."""
        kind = "None" if key is None else shown(type(key))
        declaration = f"PersistentDict[{kind}, V]" if self._what == "key" else f"PersistentSet[{kind}]"
        try:
            key_codec(type(key), self._references).encode(key)
        except TypeError:
            return f"give a str, such as str({self._what})"
        return f"give a str, or declare {declaration}"

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

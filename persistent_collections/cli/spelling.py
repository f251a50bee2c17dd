"""What a plain word on the command line stands for where a type is declared, and how values of a type are spelt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import chain
from types import NoneType
from typing import Any, Final, get_args
from uuid import UUID

from persistent_collections.cli.failing import UsageError
from persistent_collections.cli.texts import some
from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.registry import get_codec
from persistent_collections.codecs.standard import STANDARD_FORMS
from persistent_collections.codecs.types import REFERENCE_TAG, tagged, untagged
from persistent_collections.containers import text_codec
from persistent_collections.errors import DecodeError, EncodeError

_TAGS: Final = [form.tag for form in STANDARD_FORMS if form.plainer is str and form.kind not in (bytes, int, float)]
"""The tags of types whose values are stored as a text that a person would write."""

_EXAMPLES: Final = (
    *(date(2001, 12, 31), datetime(2001, 12, 31, 23, 59), time(23, 59)),
    *(Decimal("12.50"), UUID("12345678-1234-5678-1234-567812345678")),
    *(timedelta(days=1), b"text", 1j, (1,), ("text",), {1}, {"text"}, frozenset({1}), frozenset({"text"})),
)


def value_of(text: str, declared: Any, references: References) -> Any:
    """Return the value that is meant by a text: by JSON, or a plain word where it stands for one of the declared type.

    It may be none of that type: whoever is given it says why.

    Raises:
        UsageError: It is no JSON where no type is declared, or a word that may stand for several values.
    """
    json, is_bare = get_codec("json"), text_codec(declared) == "str"
    try:
        value = json.bind(Any, references).decode(text.encode())
    except DecodeError as error:
        if is_bare or declared is not Any:
            return text if is_bare else _of_word(text, declared, references, otherwise=text)
        reason = str(error).partition(";")[0].replace("the JSON of this codec", "JSON")
        raise UsageError(f"VALUE is {reason}; a text is written '\"text\"', or given with --text") from None
    if is_bare:
        return value if isinstance(value, str) else text
    try:
        return json.bind(declared, references).decode(text.encode())
    except (DecodeError, TypeError):
        if isinstance(value, str | int | float):
            return _of_word(value if isinstance(value, str) else text, declared, references, otherwise=value)
        return value


def _of_word(word: str, declared: Any, references: References, *, otherwise: Any) -> Any:
    found = _meant(word, declared, references)
    if len(found) > 1:
        kinds = " or ".join(sorted({type(value).__name__ for value in found}))
        raise UsageError(f"VALUE may be a {kinds}; write it as JSON, with its tag")
    return found[0] if found else otherwise


def _meant(word: str, declared: Any, references: References) -> list[Any]:
    """Return the values of a declared type that a plain word may stand for, more than one where it has room for them.

    They are the word itself, what is stored as such a text, the members of an Enum by name or value, and the object of
    such a key.
    """
    codec = _codec(declared, references)
    members = (member for member in _members(declared) if word in (member.name, str(member.value)))
    found: dict[bytes, Any] = {}
    for value in chain([word], _untagged(word, references), members):
        with suppress(EncodeError):
            found.setdefault(codec.encode(value), value)
    return [*found.values()]


def hint(declared: Any, references: References) -> str:
    """Return the end of a message that a value is none of the declared type: how one is spelt, if that helps."""
    codec, json = _codec(declared, references), get_codec("json")
    if names := [member.name for member in _members(declared) if _holds(codec, member)]:
        return f"; it is one of {some(names)}"
    for example in _EXAMPLES:
        if _holds(codec, example):
            tag, plainer = tagged(example, None)
            return f"; it is written as in {plainer if tag in _TAGS else json.encode(example).decode()}"
    return ""


def _codec(declared: Any, references: References) -> Codec:
    json = get_codec("json")
    try:
        return json.bind(declared, references)
    except TypeError:  # a type that only another codec holds
        return json.bind(NoneType, references)


def _untagged(word: str, references: References) -> Iterator[Any]:
    for tag in (*_TAGS, REFERENCE_TAG):
        with suppress(DecodeError):
            yield untagged(tag, word, references)


def _members(declared: Any) -> Iterator[Enum]:
    """Yield the members of the Enums in an annotation."""
    if isinstance(declared, type) and issubclass(declared, Enum):
        yield from declared
    for part in get_args(declared):
        yield from _members(part)


def _holds(codec: Codec, value: object) -> bool:
    try:
        codec.encode(value)
    except EncodeError:
        return False
    return True

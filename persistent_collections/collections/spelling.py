"""Values of a declared type from the text that a person types, on a command line or in a form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import chain
from types import NoneType
from typing import Any, Final, Literal, get_args, get_origin
from uuid import UUID

from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.registry import get_codec
from persistent_collections.codecs.types.registry import REFERENCE_TAG, tagged, untagged
from persistent_collections.codecs.types.standard import STANDARD_FORMS
from persistent_collections.collections.binding import text_codec
from persistent_collections.collections.ids import quote_id
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.errors import DecodeError, EncodeError
from persistent_collections.suggestions import some

_TAGS: Final = [form.tag for form in STANDARD_FORMS if form.plainer is str and form.kind not in (bytes, int, float)]
"""The tags of types whose values are stored as a text that a person would write."""

_BOOLEANS: Final = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}
"""The words that people type for a ``bool``."""

_EXAMPLES: Final = (
    *(date(2001, 12, 31), datetime(2001, 12, 31, 23, 59), time(23, 59)),
    *(Decimal("12.50"), UUID("12345678-1234-5678-1234-567812345678")),
    *(timedelta(days=1), b"text", 1j, (1,), ("text",), {1}, {"text"}, frozenset({1}), frozenset({"text"})),
)


_ASKED: Final = (
    (True, "Choose yes or no."),
    (1.5, "Enter a number, such as 12.50."),
    (1, "Enter a whole number."),
    (Decimal("12.50"), "Enter a number, such as 12.50."),
    (date(2026, 11, 30), "Enter a date, such as 2026-11-30."),
    (datetime(2026, 11, 30, 9, 30), "Enter a date and a time, such as 2026-11-30T09:30."),
    (datetime(2026, 11, 30, tzinfo=UTC), "Enter a date, a time and its zone, such as 2026-11-30T09:30+01:00."),
    (time(9, 30), "Enter a time, such as 09:30."),
    (UUID(int=1), "Enter a UUID, such as 12345678-1234-5678-1234-567812345678."),
)
"""The prompt of a form: an example of the values that a field accepts."""


class SpellingError(ValueError):
    """A text is ambiguous or not a value.

    Attributes:
        is_text: Whether the text may be the value itself.
        is_json: Whether it is JSON which cannot be read.
    """

    def __init__(self, problem: str, *, is_text: bool = False, is_json: bool = False) -> None:
        super().__init__(problem)
        self.is_text = is_text
        self.is_json = is_json


def value_of(text: str, declared: Any, references: References) -> Any:
    """Return the value of a text: by JSON, or by a plain word if it denotes a value of the declared type.

    The value may have another type; the caller's check reports that.

    Raises:
        SpellingError: It is not JSON and no type is declared, or it is a word with several meanings.
    """
    json, is_bare = get_codec("json"), text_codec(declared) == "str"
    try:
        value = json.bind(Any, references).decode(text.encode())
    except DecodeError as error:
        if is_bare:
            return plain_text(text, declared, references)
        return _of_malformed(text, error, declared, references)
    if is_bare:
        return plain_text(value if isinstance(value, str) else text, declared, references)
    try:
        return json.bind(declared, references).decode(text.encode())
    except (DecodeError, TypeError) as error:
        if isinstance(value, str | int | float):
            return _of_word(value if isinstance(value, str) else text, declared, references, value)
        _require_parts(error, value, declared, references)
        return value


def _of_malformed(text: str, error: DecodeError, declared: Any, references: References) -> Any:
    """Return the value of a text that the codec of JSON refuses: the plain word, or the text itself.

    Raises:
        SpellingError: No type is declared, or the text is JSON, but cannot be read.
    """
    malformed = _malformed(error, is_text=_holds(_codec(declared, references), text))
    if declared is Any:
        raise malformed from None
    value = _of_word(text, declared, references, malformed)
    if value is malformed and malformed.is_json:
        raise malformed from None
    return text if value is malformed else value


def _malformed(error: DecodeError, *, is_text: bool) -> SpellingError:
    """Return the error of a text that is not JSON, or JSON that cannot be read, such as a number of too many digits.

    Args:
        error: The error of the codec.
        is_text: Whether the text may be the value itself.
    """
    reason = str(error).partition(";")[0].replace("the JSON of this codec", "JSON")
    is_json = not reason.startswith("not ")
    problem = f"cannot be read: {reason}" if is_json else f"is {reason}"
    remedy = "; write a text as '\"text\"'" if is_text else ""
    if "digits" in reason:
        remedy = """; write it as '{"$int":"0x…"}', in hexadecimal digits"""
    return SpellingError(f"{problem}{remedy}", is_text=is_text, is_json=is_json)


def _require_parts(error: Exception, value: Any, declared: Any, references: References) -> None:
    """Raise ``SpellingError`` if a part of a dict or list is at fault; the caller's check reports the whole."""
    problem = str(error).partition(", as declared")[0]
    if not isinstance(error, DecodeError) or problem.startswith("value: expected"):
        return
    if not _holds(_codec(declared, references), value):
        of_type = (each for each in _EXAMPLES if re.search(rf"expected {type(each).__name__}\b", problem))
        form = (
            f"; it is written as in {get_codec('json').encode(found).decode()}"
            if (found := next(of_type, None))
            else ""
        )
        raise SpellingError(f"does not fit: {problem}{form}")


def plain_text(text: str, declared: Any, references: References) -> Any:
    """Return the value of ``text`` for a type that is stored as text: the text itself, or a member of an Enum."""
    return text if _holds(_codec(declared, references), text) else _of_word(text, declared, references, text)


def _of_word(word: str, declared: Any, references: References, otherwise: Any) -> Any:
    found = _meant(word, declared, references)
    if len(found) > 1:
        kinds = " or ".join(sorted({type(value).__name__ for value in found}))
        raise SpellingError(f"may be a {kinds}; write it as JSON, with its tag")
    return found[0] if found else otherwise


def _meant(word: str, declared: Any, references: References) -> list[Any]:
    """Return the values of a declared type that a plain word may denote; several if the type is ambiguous.

    These are the word itself, yes or no, a value that is stored as this text, a member of an Enum by name or value, and
    the object with this key.
    """
    codec = _codec(declared, references)
    members = (member for member in _members(declared) if word in (member.name, str(member.value)))
    found: dict[bytes, Any] = {}
    truth = [_BOOLEANS[word.lower()]] if word.lower() in _BOOLEANS else []
    for value in chain([word], truth, _untagged(word, references), members):
        with suppress(EncodeError):
            found.setdefault(codec.encode(value), value)
    return [*found.values()]


def hint(declared: Any, references: References) -> str:
    """Return the end of a message about a value of the wrong type: how to write one, if that helps."""
    codec, json = _codec(declared, references), get_codec("json")
    if names := [member.name for member in _members(declared) if _holds(codec, member)]:
        return f"; it is one of {some(names)}"
    for example in _EXAMPLES:
        if _holds(codec, example):
            tag, plainer = tagged(example, None)
            return f"; it is written as in {plainer if tag in _TAGS else json.encode(example).decode()}"
    return ""


def asked(declared: Any, references: References) -> str:
    """Return a sentence for people, beside a field of a form, that asks for a text of a declared type."""
    if choices := [*_choices(declared)]:
        return f"Choose one of: {some(choices)}."
    codec = _codec(declared, references)
    return next((told for example, told in _ASKED if _holds(codec, example)), "This is not a valid value.")


def _choices(declared: Any) -> Iterator[str]:
    """Yield the texts that denote the members of Enums and the literals in an annotation."""
    for member in _members(declared):
        yield member.value if isinstance(member.value, str) else member.name
    if get_origin(declared) is Literal:
        yield from (str(each) for each in get_args(declared) if each is not None)
    else:
        for part in get_args(declared):
            if get_origin(part) is Literal:
                yield from _choices(part)


def reference_to(declared: type[PersistentObject], text: str, references: References, *, is_key: bool) -> Any:
    """Return the object of a declared class that ``text`` names, by its key or its id; no I/O.

    Raises:
        DecodeError: It doesn't name one.
    """
    key = text if is_key else f"{declared.type_name}:{quote_id(text)}"
    return get_codec("reference").bind(declared, references).decode(key.encode())


def own_text(declared: Any, codec: Codec, references: References) -> Codec | None:
    """Return the codec whose text people write for a type: one that JSON does not know and that is stored as text.

    Args:
        declared: An evaluated annotation.
        codec: The codec of its values, not yet fitted to a store.
        references: The references of the store.
    """
    if codec.format != "text" or codec.secret or text_codec(declared) is not None:
        return None
    try:
        get_codec("json").bind(declared, references)
    except TypeError:
        return codec.bind(declared, references)
    return None


def value_by(codec: Codec, text: str) -> Any:
    """Return the value of ``text`` by a codec from :func:`own_text`.

    Raises:
        SpellingError: The codec refuses it.
    """
    try:
        return codec.decode(text.encode())
    except (ValueError, ArithmeticError) as error:  # as a registered codec may raise what its type does
        problem = str(error) if isinstance(error, DecodeError) else f"it raises {type(error).__name__}"
        raise SpellingError(f"is refused by the codec {codec.name!r}: {problem}") from None


def _codec(declared: Any, references: References) -> Codec:
    json = get_codec("json")
    try:
        return json.bind(declared, references)
    except TypeError:  # a type that only another codec holds
        return json.bind(NoneType, references)


def _untagged(word: str, references: References) -> Iterator[Any]:
    for tag in (*_TAGS, REFERENCE_TAG):
        with suppress(DecodeError):
            value = untagged(tag, word, references)
            if not isinstance(value, Decimal) or value.is_finite():  # as for a float, the word NaN is not a number
                yield value


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

"""Values of a record's fields from the text of a form or a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from persistent_collections import classes
from persistent_collections.backends.base import Backend
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.hashes import MAX_BYTES
from persistent_collections.collections.binding import bindings, chosen_codec, references, text_codec
from persistent_collections.collections.spelling import (
    SpellingError,
    asked,
    hint,
    own_text,
    plain_text,
    reference_to,
    value_by,
    value_of,
)
from persistent_collections.errors import DecodeError, EncodeError, FormError, UnknownFieldError
from persistent_collections.records.core import BoundField, RecordCore
from persistent_collections.records.schema import Field, Password

_MISSING: Final = "Fill in this field."


def values_of(core: RecordCore, form: Mapping[str, str], *, complete: bool) -> dict[str, Any]:
    """Return the declared values of the texts of a form.

    Args:
        core: Of any record of the class; references point to its store.
        form: The texts by field.
        complete: Whether the form must contain each field that ``create`` needs, filled in.

    Raises:
        FormError: Some texts are invalid; it has one message for each.
    """
    values, problems = {}, dict.fromkeys(_missing(core, form) if complete else (), "is required; give it a text")
    told = dict.fromkeys(problems, _MISSING)
    backend = core.now().backend
    for name, text in form.items():
        try:
            values[name] = _value(core, name, text, backend)
        except (SpellingError, DecodeError, EncodeError, TypeError) as error:
            problems[name] = str(error).removeprefix("value: ")
        except UnknownFieldError as error:
            problems[name] = error.args[0]
        else:
            continue
        told[name] = _told(core.info.schema().fields.get(name), text, backend)
    if problems:
        cls = core.info.cls.__name__
        message = "; ".join(f"field {name!r} of {cls}: {problem}" for name, problem in problems.items())
        raise FormError(message, errors=told)
    return values


def _missing(core: RecordCore, form: Mapping[str, str]) -> list[str]:
    """Return the fields that ``create`` needs and that a form lacks, or that are not filled in."""
    return [name for name, field in core.info.schema().fields.items() if field.required and form.get(name, "") == ""]


def _told(field: Field | None, text: Any, backend: Backend) -> str:
    """Return the message that a form shows beside a field whose text is invalid."""
    if field is None:
        return "There is no such field."
    if field.child or not isinstance(text, str):
        return "This field does not accept this value."
    if field.declared is Password:
        return _told_of_password(text)
    if not text:
        return _MISSING
    return asked(field.declared, references(backend))


def _told_of_password(password: str) -> str:
    if not password:
        return "A password has at least one character."
    is_long = len(password.encode(errors="surrogatepass")) > MAX_BYTES
    return f"A password has at most {MAX_BYTES} bytes." if is_long else "This cannot be a password."


def _value(core: RecordCore, name: str, text: str, backend: Backend) -> Any:
    if core.field(name).child:
        raise TypeError("is a child collection, which a form cannot set; change it by its own methods")
    if not isinstance(text, str):
        raise TypeError(f"is of type {type(text).__name__}, not a text")
    _, bound_field = core.value_field(name)
    field = bound_field.field
    if field.declared is Password:
        return _password(bound_field, text)
    if text_codec(field.declared) == "str":
        return _text(bound_field, text, backend)
    if not text and field.optional:
        return None
    if text_codec(field.declared) == "reference":
        is_key = ":" in text and classes.find(text.partition(":")[0]) is not None
        return reference_to(field.declared, text, references(backend), is_key=is_key)
    if own := codec_of_text(field, backend):
        return _checked(bound_field, _meant(partial(value_by, own, text)), backend)
    return _checked(bound_field, _meant(partial(value_of, text, field.declared, references(backend))), backend)


def _text(bound_field: BoundField, text: str, backend: Backend) -> Any:
    """Return a text as it is; an empty one that the field cannot hold is None if the field is optional."""
    field = bound_field.field
    try:
        return _checked(bound_field, plain_text(text, field.declared, references(backend)), backend)
    except EncodeError:
        if text or not field.optional:
            raise
        return None


def codec_of_text(field: Field, backend: Backend) -> Codec | None:
    """Return the codec whose text people read and write for a field, if JSON has no form of its type."""
    store = bindings(backend)
    codec = chosen_codec(field.declared, [field.codec, store.codec], in_schema=field.bare)
    return own_text(field.declared, codec, store.references)


def _password(bound_field: BoundField, password: str) -> str:
    """Return a password if the field can hold it."""
    try:
        bound_field.codec.require(password)
    except EncodeError:
        del password  # tracebacks must not show a refused password
        raise
    return password


def _meant(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except SpellingError as error:
        raise SpellingError(f"the text {error}") from None


def _checked(bound_field: BoundField, value: Any, backend: Backend) -> Any:
    """Return ``value`` if the field can hold it."""
    try:
        bound_field.encode(value)
    except EncodeError as error:
        raise EncodeError(f"{error}{hint(bound_field.field.declared, references(backend))}") from None
    return value

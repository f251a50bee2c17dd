"""What one medium holds, as another holds it: only how values are wrapped differs, so that none is decoded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from persistent_collections.backends.base import Content, Key, Medium
from persistent_collections.backends.json.text import parse, render
from persistent_collections.backends.simple import SHAPES
from persistent_collections.codecs.base import Codec, Format
from persistent_collections.codecs.fit import from_json_text, to_json_text
from persistent_collections.containers import PersistentCollection
from persistent_collections.errors import (
    ConfigurationError,
    CorruptDataError,
    DecodeError,
    PersistentCollectionsError,
    WrongShapeError,
)
from persistent_collections.known import Known
from persistent_collections.moving.objects import StoredObject

_NOWHERE: Final = Path()

Rewrap = Callable[[bytes, Format], bytes]


def translator(source: Medium, target: Medium, known: Known) -> Callable[[StoredObject], StoredObject]:
    """Return what turns an object of one medium into what the other holds of it.

    It raises ``ConfigurationError`` where the codec of a value is not known, ``WrongShapeError`` where a key holds
    another shape than is declared and ``DecodeError`` where a value is not what its codec writes; each names the key.
    """
    if source == target:
        return lambda stored: stored
    return partial(_translated, known, wrap if target == "json" else unwrap)


def wrap(data: bytes, format: Format) -> bytes:
    """Return the JSON text for ``data``.

    Raises:
        ValueError: A codec of this format does not write such bytes, or they would not come back from a JSON store.
    """
    text = to_json_text(data, format)
    if format == "json" and parse(render([text], _NOWHERE), _NOWHERE) != [text]:
        raise ValueError
    return text


def unwrap(data: bytes, format: Format) -> bytes:
    """Return what is wrapped in the JSON text ``data``.

    Raises:
        ValueError: A JSON store's codec of this format does not write such a text.
    """
    unwrapped = from_json_text(data, format)
    if to_json_text(unwrapped, format) != data:
        raise ValueError
    return unwrapped


def _translated(known: Known, rewrap: Rewrap, stored: StoredObject) -> StoredObject:
    parts = {
        key: part._replace(content=_content(known, rewrap, key, part.content)) for key, part in stored.parts.items()
    }
    return stored._replace(parts=parts)


def _content(known: Known, rewrap: Rewrap, key: Key, content: Content) -> Content:
    declared = known.shape(key)
    if isinstance(content, list) and rewrap is unwrap and declared in (None, "members"):
        return _members(known, key, content, is_set=declared is not None)
    if declared not in (None, SHAPES[type(content)]):
        raise WrongShapeError(
            f"{str(key)!r} holds a {SHAPES[type(content)]}, and its class declares a {declared}; "
            "move it away, or delete it"
        )
    format_at = partial(_format, known, key, known.codecs(key))
    match content:
        case dict():
            return {field: _unwrapped(rewrap, key, field, data, format_at(field)) for field, data in content.items()}
        case list():
            return [_unwrapped(rewrap, key, index, data, format_at(index)) for index, data in enumerate(content)]
    return content


def _members(known: Known, key: Key, items: list[bytes], *, is_set: bool) -> set[str]:
    if not is_set:
        raise ConfigurationError(
            f"{str(key)!r} is a JSON array, and no class that is known tells whether of a list or a set; "
            f"{_remedy(known, key)}"
        )
    members = {_unwrapped(unwrap, key, index, data, "text").decode() for index, data in enumerate(items)}
    if len(members) != len(items):
        raise CorruptDataError(f"{str(key)!r} is a JSON array with a repeated item, which is no set")
    return members


def _format(known: Known, key: Key, codecs: Callable[[str | int], Codec | None], place: str | int) -> Format:
    codec = codecs(place)
    if codec is None:
        raise ConfigurationError(
            f"{str(key)!r}: nothing tells how the value at {place!r} is encoded, and the other store holds it in "
            f"another form; {_remedy(known, key)}"
        )
    return codec.format


def _remedy(known: Known, key: Key) -> str:
    """Return what makes known how the values under a key are encoded; of a record's, no name of a codec does."""
    cls = known.class_of(key.root)
    if cls is None:
        return "import the module that defines its class"
    if key.child is None and issubclass(cls, PersistentCollection):
        return f"name its codec: codec={{{key.root!r}: 'json'}}, or import the module that gives it a name"
    stray = "field" if key.child is None else "child"
    return f"{cls.__name__} does not declare it: declare it again, or let check repair what is a stray_{stray}"


def _unwrapped(rewrap: Rewrap, key: Key, place: str | int, data: bytes, format: Format) -> bytes:
    try:
        return rewrap(data, format)
    except (ValueError, PersistentCollectionsError):
        raise DecodeError(
            f"{str(key)!r}: the value at {place!r} is not what a codec of the format {format!r} writes; "
            "repair it, or name the codec it was written with"
        ) from None

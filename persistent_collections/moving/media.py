"""Convert content between media: only the wrapping of values differs, so no value is decoded."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from persistent_collections.backends.base import Medium
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content, Key
from persistent_collections.backends.shapes import Shape, shape_of
from persistent_collections.catalogue import Known
from persistent_collections.codecs.base import Codec, Format
from persistent_collections.codecs.fit import from_json_text, to_json_text
from persistent_collections.collections.base import PersistentCollection
from persistent_collections.errors import (
    ConfigurationError,
    CorruptDataError,
    DecodeError,
    PersistentCollectionsError,
    WrongShapeError,
)
from persistent_collections.moving.objects import StoredObject
from persistent_collections.records.record import Record
from persistent_collections.remedies import Advice, ImportModule, NameCodec, Remedy

Rewrap = Callable[[bytes, Format], bytes]


def translator(source: Medium, target: Medium, known: Known) -> Callable[[StoredObject], StoredObject]:
    """Return the function that converts an object of one medium for the other.

    It raises ``ConfigurationError`` if the codec of a value is unknown, ``WrongShapeError`` if a key has
    another shape than declared and ``DecodeError`` if its codec can't have written a value; each names the key.
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
    if format == "json" and _compact(text) != text:
        raise ValueError
    return text


def unwrap(data: bytes, format: Format) -> bytes:
    """Return the bytes wrapped in the JSON text ``data``.

    Raises:
        ValueError: A JSON store's codec of this format does not write such a text.
    """
    unwrapped = from_json_text(data, format)
    if to_json_text(unwrapped, format) != data:
        raise ValueError
    return unwrapped


def _translated(known: Known, rewrap: Rewrap, stored: StoredObject) -> StoredObject:
    contents = {key: _content(known, rewrap, key, part.content) for key, part in stored.parts.items()}
    parts = {key: stored.parts[key]._replace(content=content) for key, content in contents.items() if content}
    return stored._replace(parts=parts)


def _content(known: Known, rewrap: Rewrap, key: Key, content: Content) -> Content:
    declared, shape = known.shape(key), shape_of(content)
    if rewrap is unwrap and declared and declared.twin is shape:
        return _told_apart(key, content, declared)
    if rewrap is unwrap and declared is None and isinstance(content, list):
        raise ConfigurationError(
            f"{str(key)!r} is a JSON array, and no known class says whether it is a list or a set"
        ).with_remedies(*_remedies(known, key))
    if declared not in (None, shape):
        raise WrongShapeError(
            f"{str(key)!r} holds a {shape.word}, and its class declares a {declared and declared.word}; "
            "move it away, or delete it"
        )
    return _rewrapped(known, rewrap, key, content)


def _rewrapped(known: Known, rewrap: Rewrap, key: Key, content: Content) -> Content:
    """Return a content of the declared shape with all its data rewrapped.

    A record may hold the marker beside its fields, but not in a JSON file. There, ``{}`` reads as the marker, also
    under the key of a dict, which other stores don't keep if it is empty.
    """
    codecs = known.codecs(key)

    def moved(place: str | int, data: bytes) -> bytes:
        return _unwrapped(rewrap, key, place, data, _format(known, key, codecs, place))

    example = known.example(key)
    is_record = isinstance(example, Record)
    may_be_marked = is_record or (example is not None and rewrap is unwrap)
    if not (may_be_marked and isinstance(content, dict) and content.get(MARKER) == MARKER_DATA):
        return _each_moved(content, moved)
    fields = {field: data for field, data in content.items() if field != MARKER}
    return _each_moved(fields, moved) or ({MARKER: MARKER_DATA} if is_record else {})


def _each_moved(content: Content, moved: Callable[[str | int, bytes], bytes]) -> Content:
    """Return a content with all its data converted by ``moved``, which receives the place; texts stay."""
    match content:
        case dict():
            return {field: moved(field, data) for field, data in content.items()}
        case list():
            return [moved(index, data) for index, data in enumerate(content)]
        case _:
            return content


def _compact(text: bytes) -> bytes:
    """Return a JSON text in the form of JSON stores, with numbers unchanged.

    Raises:
        ValueError: It isn't one JSON text, repeats a key, or has a NaN or half a surrogate pair.
    """
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_constant
        )
        return msgspec.json.encode(value)
    except RecursionError:
        raise ValueError from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _number(digits: str) -> msgspec.Raw:
    return msgspec.Raw(digits.encode())


def _constant(name: str) -> Any:
    raise ValueError(name)


def _told_apart(key: Key, content: Content, shape: Shape) -> Content:
    """Return the content of a JSON store as the declared shape, which has the same JSON form."""
    try:
        found = shape.from_twin(content)
    except ValueError as error:
        raise CorruptDataError(f"{str(key)!r}: {error}") from None
    if found is None:
        raise DecodeError(
            f"{str(key)!r} is declared as a {shape.word}, and holds other values; repair it, or move it away"
        )
    return found


def _format(known: Known, key: Key, codecs: Callable[[str | int], Codec | None], place: str | int) -> Format:
    codec = codecs(place)
    if codec is None:
        raise ConfigurationError(
            f"{str(key)!r}: neither a class nor an option names the codec of the value at {place!r}, and the other "
            "store holds it in another form"
        ).with_remedies(*_remedies(known, key, place))
    return codec.format


def _remedies(known: Known, key: Key, place: str | int | None = None) -> list[Remedy]:
    """Return the remedy that declares the encoding of a value; for records, a codec's name isn't enough."""
    cls = known.class_of(key.root)
    if cls is None:
        return [ImportModule("import the module that defines its class")]
    if key.child is None and issubclass(cls, PersistentCollection):
        return [NameCodec(key.root)]
    name = place if key.child is None else key.child
    if issubclass(cls, Record) and name in {**known.fields(cls), **known.former(cls)}:
        other = "child collection" if key.child is None else "field"
        move = f"{cls.__name__} declares it as a {other}: let migrate move it, where it is stored, before you copy it"
        return [Advice(move)]
    stray = "field" if key.child is None else "child"
    return [
        Advice(f"{cls.__name__} does not declare it: declare it again, or let check repair what is a stray_{stray}")
    ]


def _unwrapped(rewrap: Rewrap, key: Key, place: str | int, data: bytes, format: Format) -> bytes:
    try:
        return rewrap(data, format)
    except (ValueError, PersistentCollectionsError):
        raise DecodeError(
            f"{str(key)!r}: the value at {place!r} is not what a codec of the format {format!r} writes; "
            "repair it, or name the codec it was written with"
        ) from None

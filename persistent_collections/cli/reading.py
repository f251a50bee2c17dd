"""Reads the content of a key as plain JSON values, whether or not its class is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from persistent_collections.backends.base import PAGE_SIZE, Backend, Found
from persistent_collections.backends.keys import Content, Entry, Key
from persistent_collections.backends.media import is_alike, reshaped
from persistent_collections.backends.shapes import MAPPING, Shape, shape_of
from persistent_collections.catalogue import Known
from persistent_collections.cli.texts import REDACTED
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.registry import get_codec
from persistent_collections.codecs.types.lowering import lower
from persistent_collections.codecs.types.standard import to_base64
from persistent_collections.collections.base import PersistentCollection
from persistent_collections.collections.binding import references
from persistent_collections.collections.formers import DeclaredStore
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.errors import PersistentCollectionsError
from persistent_collections.records.record import Record
from persistent_collections.records.schema import MISSING, Field, Password

Where = str | int | None
"""A field, an index, or None for a member of a set."""


class Unset(NamedTuple):
    """The value of a field that is not stored.

    Attributes:
        value: Its plain value.
        is_default: Whether its class declares that as its default.
    """

    value: Any
    is_default: bool


class Reading:
    """Reads one store.

    Args:
        store: The store.
        known: The classes and codecs.
    """

    def __init__(self, store: Backend, known: Known) -> None:
        self._store = store
        self._known = known
        self._found: dict[tuple[Key, str | None], list[Callable[[bytes], Any]]] = {}

    def shape(self, key: Key) -> Shape | None:
        """Return the shape of the content of ``key``, None if nothing is stored."""
        [found] = self.look([key])
        return found and found.shape

    def look(self, keys: Sequence[Key]) -> list[Found | None]:
        """Return the properties of each of ``keys``, without content, None if nothing is stored."""
        described = zip(keys, self._store.look(keys, sizes=True), strict=True)
        return [found and found._replace(shape=self._told_apart(key, found.shape)) for key, found in described]

    def snapshot(self, keys: Sequence[Key]) -> dict[Key, Entry | None]:
        """Return the content of each of ``keys``, all of one root, None if nothing is stored; all at one moment."""
        entries = zip(keys, self._store.snapshot(keys), strict=True)
        return {key: entry and entry._replace(content=self._reshaped(key, entry.content)) for key, entry in entries}

    def type(self, key: Key, shape: Shape) -> str:
        """Return the user's word for a key of this shape; ``mapping`` if it may be a record or a dict."""
        if shape is not MAPPING:
            return shape.word
        example = self._known.example(key)
        return "mapping" if example is None else "record" if isinstance(example, Record) else "dict"

    def pages(self, key: Key, shape: Shape) -> Iterator[tuple[Where, Any]]:
        """Yield each place under ``key`` and the value there, read a page at a time; a record's fields as declared."""
        match shape.name:
            case "mapping" if isinstance(self._known.example(key), Record):
                yield from self.places(key, self._store.mapping(key).get_all())
            case "mapping":
                for page in self._store.mapping(key).pages():
                    yield from self.places(key, dict(page))
            case "sequence":
                sequence, start = self._store.sequence(key), 0
                while items := sequence.get_slice(slice(start, start + PAGE_SIZE)):
                    yield from ((index, self.value(key, index, data)) for index, data in enumerate(items, start))
                    start += PAGE_SIZE
            case "members":
                for members in self._store.members(key).pages():
                    yield from ((None, member) for member in members)
            case _:
                yield from self.places(key, shape.read(self._store.open(shape, key)))

    def places(self, key: Key, content: Content) -> Iterator[tuple[Where, Any]]:
        """Yield each place in the content of ``key`` and its value; a record's fields as declared."""
        if isinstance(content, dict):
            content = self._by_name(key, content)
            declared = [name for name in self._fields(key) if name in content]
            content = {name: content[name] for name in dict.fromkeys([*declared, *content])}
        for place, held in shape_of(content).places(content):
            yield self.named(key, place), self.value(key, place, held)

    def named(self, key: Key, place: Where) -> Where:
        """Return a place; for a record, the declared name of the field."""
        field = self._fields(key).get(place) if isinstance(place, str) else None
        return field.name if field else place

    def value(self, key: Key, place: Where, data: Any) -> Any:
        """Return the plain value stored at a place: bytes decoded by their codec, else by their appearance."""
        if place is None or not isinstance(data, bytes):
            return data
        for decode in self._decoders(key, place):
            try:
                return decode(data)
            except (ValueError, PersistentCollectionsError):
                continue
        return {"$bytes": to_base64(data)}

    def shown(self, key: Key, name: str, value: Any) -> Any:
        """Return the plain value of a field, by its declared name, of a record whose class is known."""
        [field] = (field for field in self._fields(key).values() if field.name == name)
        declared, codec = self._declared(key, field.stored)
        if (declared is Password and not value) or (field.unset_is_none and value is None):
            return None
        return REDACTED if declared is Password or codec.secret else self._plain(value)

    def unset_fields(self, key: Key) -> dict[str, Unset]:
        """Return the values of a record's fields that are not stored, by name, without children."""
        fields = (field for field in self._fields(key).values() if not field.child)
        return {field.name: Unset(self.unset(key, field), field.default is not MISSING) for field in fields}

    def unset(self, key: Key, field: Field) -> Any:
        """Return the plain value of a record's field while nothing is stored."""
        value = field.zero() if field.default is MISSING else field.default
        declared, codec = self._declared(key, field.stored)
        if value is None or declared is Password:
            return None
        return self.value(key, field.stored, self._fitted(codec, declared).encode(value))

    def field_names(self, key: Key) -> set[Where] | None:
        """Return the names that the class of a record declares, None if ``key`` is no known record's."""
        is_record = isinstance(self._known.example(key), Record)
        return {field.name for field in self._fields(key).values()} if is_record else None

    def _by_name(self, key: Key, content: dict[str, bytes]) -> dict[str, bytes]:
        """Return a record's content by the current names of its fields."""
        example = self._known.example(key)
        declared = example.__pc__.info.declared(self._store) if isinstance(example, Record) else None
        return declared.renamed(key, content) if isinstance(declared, DeclaredStore) else content

    def _plain(self, value: Any) -> Any:
        if isinstance(value, PersistentObject):
            return value.key
        return lower(value, references(self._store))

    def _fields(self, key: Key) -> Mapping[str, Field]:
        """Return the declared fields of ``key``, by their names in the store; empty if it isn't a record's."""
        example = self._known.example(key)
        return self._known.fields(type(example)) if isinstance(example, Record) else {}

    def _told_apart(self, key: Key, shape: Shape | None) -> Shape | None:
        """Return a shape; in a JSON file sets and lists are arrays, so only a class distinguishes them."""
        declared = self._known.shape(key)
        return declared if declared and shape and is_alike(shape, declared, self._store.medium) else shape

    def _reshaped(self, key: Key, content: Content) -> Content:
        """Return content, with an array as the set that its class declares; unchanged if it isn't one."""
        with suppress(ValueError):
            return reshaped(content, self._known.shape(key) or MAPPING, self._store.medium) or content
        return content

    def _declared(self, key: Key, place: str | int) -> tuple[Any, Codec]:
        """Return the declared type of a value, Any without one, and its codec."""
        example = self._known.example(key)
        codec = self._known.codecs(key)(place) or get_codec("json")
        if isinstance(example, PersistentCollection):
            return example.__pc__.declared(-1), codec
        field = self._fields(key).get(str(place))
        return (Any if field is None or field.child else field.declared), codec

    def _decoders(self, key: Key, place: str | int) -> list[Callable[[bytes], Any]]:
        """Return the readers of a value: its codec, bound to its type and to any, and then a reader without codec."""
        where = key, str(place) if isinstance(self._known.example(key), Record) else None
        if where not in self._found:
            declared, codec = self._declared(key, place)
            found: list[Callable[[bytes], Any]] = []
            for kind in (declared, Any):
                with suppress(TypeError):  # of a codec that can't store the type, or only that type
                    found.append(partial(self._decoded, self._fitted(codec, kind)))
            self._found[where] = [*found, json.loads, partial(str, encoding="utf-8")]
            if declared is Password or codec.secret:
                self._found[where] = [lambda _: REDACTED]
        return self._found[where]

    def _fitted(self, codec: Codec, declared: Any) -> Codec:
        return fit(codec.bind(declared, references(self._store)), self._store.medium)

    def _decoded(self, codec: Codec, data: bytes) -> Any:
        return self._plain(codec.decode(data))

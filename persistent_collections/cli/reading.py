"""Reads what lies under a key as plain JSON values, whether or not its class is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from persistent_collections.backends.base import PAGE_SIZE, Backend, Content, Description, Entry, Key, Shape
from persistent_collections.backends.simple import SimpleBackend
from persistent_collections.cli.texts import REDACTED
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.lowering import lower
from persistent_collections.codecs.registry import get_codec
from persistent_collections.codecs.standard import to_base64
from persistent_collections.containers import PersistentCollection
from persistent_collections.errors import PersistentCollectionsError
from persistent_collections.known import Known
from persistent_collections.objects import PersistentObject, references
from persistent_collections.records import Record
from persistent_collections.schema import Field, Password

Place = str | int | None
"""A field, an index, or None for a member of a set."""

_TYPES: Final[dict[Shape, str]] = {"mapping": "dict", "sequence": "list", "members": "set"}
_ENCRYPTED: Final = "persistent_collections.codecs.encrypted"
"""The module of a codec that hides what it writes, and which is not to be imported: it needs a package."""


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
        """Return the shape of what lies under ``key``, None if nothing does."""
        return self._told_apart(key, self._store.shape(key))

    def describe(self, keys: Sequence[Key]) -> list[Description | None]:
        """Return what each of ``keys`` holds, without its content, None if nothing."""
        described = zip(keys, self._store.describe(keys), strict=True)
        return [found and found._replace(shape=self._told_apart(key, found.shape)) for key, found in described]

    def snapshot(self, keys: Sequence[Key]) -> dict[Key, Entry | None]:
        """Return what each of ``keys``, all of one root, holds, None if nothing; all at one moment."""
        entries = zip(keys, self._store.snapshot(keys), strict=True)
        return {key: entry and entry._replace(content=self._reshaped(key, entry.content)) for key, entry in entries}

    def type(self, key: Key, shape: Shape) -> str:
        """Return what a person calls a key of this shape; ``mapping`` where it may be a record or a dict."""
        if shape != "mapping":
            return _TYPES[shape]
        example = self._known.example(key)
        return "mapping" if example is None else "record" if isinstance(example, Record) else "dict"

    def pages(self, key: Key, shape: Shape) -> Iterator[tuple[Place, Any]]:
        """Yield each place under ``key`` and the value there, read a page at a time; a record's fields as declared."""
        match shape:
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
            case _:
                for members in self._store.members(key).pages():
                    yield from ((None, member) for member in members)

    def places(self, key: Key, content: Content) -> Iterator[tuple[Place, Any]]:
        """Yield each place in what ``key`` holds and the value there; a record's fields as declared."""
        match content:
            case dict():
                declared = [name for name in self._fields(key) if name in content]
                for name in dict.fromkeys([*declared, *content]):
                    yield self.named(key, name), self.value(key, name, content[name])
            case list():
                yield from ((index, self.value(key, index, data)) for index, data in enumerate(content))
            case _:
                yield from ((None, member) for member in sorted(content))

    def named(self, key: Key, place: str) -> str:
        """Return the name of a field, in a record the one that is declared."""
        field = self._fields(key).get(place)
        return field.name if field else place

    def value(self, key: Key, place: str | int, data: bytes) -> Any:
        """Return the plain value of what is stored at a place: by its codec, else as it looks."""
        for decode in self._decoders(key, place):
            try:
                return decode(data)
            except (ValueError, PersistentCollectionsError):
                continue
        return {"$bytes": to_base64(data)}

    def plain(self, value: Any) -> Any:
        """Return a value as a plain JSON value, a reference as its key."""
        if isinstance(value, PersistentObject):
            return value.key
        return lower(value, references(self._store))

    def _fields(self, key: Key) -> Mapping[str, Field]:
        """Return the fields that are declared for ``key``, by their names in the store; none if it is no record's."""
        example = self._known.example(key)
        return self._known.fields(type(example)) if isinstance(example, Record) else {}

    def _told_apart(self, key: Key, shape: Shape | None) -> Shape | None:
        """Return a shape; in a JSON file a set is an array, as a list is, so that only a class tells them apart."""
        is_set = shape == "sequence" and self._store.medium == "json" and self._known.shape(key) == "members"
        return "members" if is_set else shape

    def _reshaped(self, key: Key, content: Content) -> Content:
        if isinstance(self._store, SimpleBackend) and self._known.shape(key) == "members":
            return self._store.reshape(key, content, set) or content
        return content

    def _declared(self, key: Key, place: str | int) -> tuple[Any, Codec]:
        """Return the declared type of a value, Any if none is, and its codec."""
        example = self._known.example(key)
        codec = self._known.codecs(key)(place) or get_codec("json")
        if isinstance(example, PersistentCollection):
            return example._declared(-1), codec
        field = self._fields(key).get(str(place))
        return (Any if field is None or field.child else field.declared), codec

    def _decoders(self, key: Key, place: str | int) -> list[Callable[[bytes], Any]]:
        """Return what reads a value: its codec, bound to its type and to any, and then what needs no codec."""
        where = key, str(place) if isinstance(self._known.example(key), Record) else None
        if where not in self._found:
            declared, codec = self._declared(key, place)
            found: list[Callable[[bytes], Any]] = []
            for kind in (declared, Any):
                with suppress(TypeError):  # of a codec that holds no values of the type, or no other ones
                    fitted = fit(codec.bind(kind, references(self._store)), self._store.medium)
                    found.append(partial(self._decoded, fitted))
            self._found[where] = [*found, json.loads, partial(str, encoding="utf-8")]
            if declared is Password or type(codec).__module__ == _ENCRYPTED:
                self._found[where] = [lambda _: REDACTED]
        return self._found[where]

    def _decoded(self, codec: Codec, data: bytes) -> Any:
        return self.plain(codec.decode(data))

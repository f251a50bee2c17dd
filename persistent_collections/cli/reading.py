"""Reads what lies under a key as plain JSON values, whether or not its class is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

from persistent_collections.backends.base import PAGE_SIZE, Backend, Key, Shape
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
from persistent_collections.schema import Password

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
        found = self._store.shape(key)
        return found and (self._known.shape(key) or found)

    def type(self, key: Key, shape: Shape) -> str:
        """Return what a person calls a key of this shape; ``mapping`` where it may be a record or a dict."""
        if shape != "mapping":
            return _TYPES[shape]
        example = self._known.example(key)
        return "mapping" if example is None else "record" if isinstance(example, Record) else "dict"

    def size(self, key: Key, shape: Shape) -> int:
        """Return the number of fields, items or members."""
        store = self._store
        match shape:
            case "mapping":
                return store.mapping(key).size()
            case "sequence":
                return store.sequence(key).size()
            case _:
                return store.members(key).size()

    def ttl(self, key: Key) -> float | None:
        """Return the seconds left until the deadline, None without one."""
        return self._store.ttl([key])

    def pages(self, key: Key, shape: Shape) -> Iterator[tuple[Place, Any]]:
        """Yield each place under ``key`` and the value there, read a page at a time; a record's fields as declared."""
        match shape:
            case "mapping" if isinstance(example := self._known.example(key), Record):
                stored = self._store.mapping(key).get_all()
                fields = self._known.fields(type(example))
                for name in dict.fromkeys([*(name for name in fields if name in stored), *stored]):
                    yield fields[name].name if name in fields else name, self.value(key, name, stored[name])
            case "mapping":
                for page in self._store.mapping(key).pages():
                    yield from ((field, self.value(key, field, data)) for field, data in page)
            case "sequence":
                yield from self._items(key)
            case _:
                for members in self._store.members(key).pages():
                    yield from ((None, member) for member in members)

    def _items(self, key: Key) -> Iterator[tuple[Place, Any]]:
        sequence, start = self._store.sequence(key), 0
        while page := sequence.get_slice(slice(start, start + PAGE_SIZE)):
            yield from ((index, self.value(key, index, data)) for index, data in enumerate(page, start))
            start += PAGE_SIZE

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

    def _declared(self, key: Key, place: str | int) -> tuple[Any, Codec]:
        """Return the declared type of a value, Any if none is, and its codec."""
        example = self._known.example(key)
        codec = self._known.codecs(key)(place) or get_codec("json")
        if isinstance(example, PersistentCollection):
            return example._declared(-1), codec
        field = self._known.fields(type(example)).get(str(place)) if isinstance(example, Record) else None
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

"""Examines what lies under one key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias

from persistent_collections.backends.base import Backend, Content, Delete, ForeignDataError, Key, Shape
from persistent_collections.checking.findings import Problem
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.keys import key_codec
from persistent_collections.codecs.registry import get_codec
from persistent_collections.containers import PersistentCollection
from persistent_collections.errors import CorruptDataError, DecodeError, WrongShapeError
from persistent_collections.known import Example, Known
from persistent_collections.objects import PersistentObject, references
from persistent_collections.records import Record

_Delete: TypeAlias = Callable[[], object]

_READERS: Final[dict[Shape, Callable[[Backend, Key], Content]]] = {
    "mapping": lambda backend, key: backend.mapping(key).get_all(),
    "sequence": lambda backend, key: backend.sequence(key).get_slice(slice(None)),
    "members": lambda backend, key: backend.members(key).get_all(),
}

REMEMBERED: Final = 2**16
"""References of which it is remembered whether their records exist."""


class Examiner:
    """Says what is wrong in one store.

    Args:
        backend: The store.
        known: The classes.
    """

    def __init__(self, backend: Backend, known: Known) -> None:
        self._backend = backend
        self._known = known
        self._met: list[PersistentObject] = []
        self._decoders: dict[Hashable, Callable[[bytes], Any]] = {}
        self._text_decoders: dict[Hashable, Callable[[str], Any]] = {}
        self._exists = lru_cache(REMEMBERED)(_is_there)
        standard = references(backend)

        def meet(text: str) -> PersistentObject:
            handle: PersistentObject = standard.from_key(text)
            self._met.append(handle)
            return handle

        self._references = replace(standard, from_key=meet)

    def problems(self, key: Key) -> Iterator[Problem]:
        """Yield what is wrong under ``key``, items in their order."""
        try:
            shape = self._known.shape(key) or self._backend.shape(key)
            content = _READERS[shape](self._backend, key) if shape else None
        except ForeignDataError as error:
            yield Problem("foreign", None, str(error))
        except CorruptDataError as error:
            yield Problem("unreadable", None, str(error))
        except WrongShapeError as error:
            yield self._of_wrong_shape(key, str(error))
        else:
            example = self._known.example(key)
            if example is None:
                yield self._undeclared(key)
            elif content:
                yield from self._inside(key, example, content)

    def _of_wrong_shape(self, key: Key, message: str) -> Problem:
        try:
            self._backend.shape(key)
        except ForeignDataError as error:
            return Problem("foreign", None, str(error))
        return Problem("wrong_shape", None, message, partial(self._delete, key))

    def _undeclared(self, key: Key) -> Problem:
        delete = partial(self._delete, key)
        cls = self._known.class_of(key.root)
        if cls is None:
            return Problem(
                "unknown_type", None, "no class of this type is known; import the module that has it", delete
            )
        return Problem("stray_child", None, f"{cls.__name__} declares no child {key.child!r}", delete)

    def _inside(self, key: Key, example: Example, content: Content) -> Iterator[Problem]:
        match content:
            case dict():
                yield from self._fields(key, example, content)
            case list():
                delete = self._backend.sequence(key).delete
                for index, data in enumerate(content):
                    yield from self._value(key, example, index, data, partial(delete, index, data))
            case set():
                remove = self._backend.members(key).remove
                for member in sorted(content):
                    yield from self._text(key, example, None, member, partial(remove, {member}))

    def _fields(self, key: Key, example: Example, content: dict[str, bytes]) -> Iterator[Problem]:
        clear = self._backend.mapping(key).compare_and_set
        for field, data in content.items():
            delete = partial(clear, field, data, None)
            if isinstance(example, Record) and not self._is_declared(example, field):
                message = f"{type(example).__name__} declares no field of this name"
                yield Problem("stray_field", field, message, delete)
            else:
                of_key = list(self._text(key, example, field, field, delete))
                yield from of_key or self._value(key, example, field, data, delete)

    def _is_declared(self, record: Record, stored: str) -> bool:
        field = self._known.fields(type(record)).get(stored)
        return field is not None and not field.child

    def _text(self, key: Key, example: Example, place: str | None, text: str, delete: _Delete) -> Iterator[Problem]:
        """Yield what is wrong with a dict key or a set member; the fields of a record are neither."""
        if isinstance(example, PersistentCollection):
            kind = (type(example), key.child)
            if kind not in self._text_decoders:
                self._text_decoders[kind] = key_codec(example._declared(0), self._references).decode
            what = "a member" if place is None else "the key"
            yield from self._met_in(what, place, partial(self._text_decoders[kind], text), delete)

    def _value(self, key: Key, example: Example, place: str | int, data: bytes, delete: _Delete) -> Iterator[Problem]:
        decode = partial(self._decoder(key, example, place), data)
        return self._met_in("the value", place, decode, delete)

    def _met_in(
        self, what: str, place: str | int | None, decode: Callable[[], Any], delete: _Delete
    ) -> Iterator[Problem]:
        """Yield what is wrong with a text or bytes, and with the references met when these are decoded."""
        self._met.clear()
        try:
            value = decode()
        except DecodeError as error:
            yield Problem("undecodable", place, f"{what} is not read: {error}", delete)
            return
        for target in {handle.key: handle for handle in self._met if isinstance(handle, Record)}.values():
            if not self._exists(target):
                is_all = isinstance(value, PersistentObject)
                message = f"{what} refers to {target.key!r}, which does not exist"
                yield Problem("dangling", place, message, delete if is_all else None)

    def _decoder(self, key: Key, example: Example, place: str | int) -> Callable[[bytes], Any]:
        codec = self._known.codecs(key)(place) or get_codec("json")
        field = str(place) if isinstance(example, Record) else None
        kind = (codec, type(example), key.child, field)
        if kind not in self._decoders:
            declared = self._declared(example, field)
            self._decoders[kind] = fit(codec.bind(declared, self._references), self._backend.medium).decode
        return self._decoders[kind]

    def _declared(self, example: Example, field: str | None) -> Any:
        """Return the type of what a field or, if None, each item holds."""
        if isinstance(example, PersistentCollection):
            return example._declared(-1)
        return self._known.fields(type(example))[str(field)].declared

    def _delete(self, key: Key) -> bool:
        return any(self._backend.apply([Delete(key)]))


def _is_there(record: Record) -> bool:
    """Say whether a record exists; one that cannot be read does, and is found under its own key."""
    try:
        return bool(record)
    except CorruptDataError:
        return True

"""Fields that have become child collections, and children that have become fields."""

from __future__ import annotations

from collections.abc import Mapping
from types import GenericAlias
from typing import Any, Final, get_args, get_origin

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.media import reshaped
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape, shape_of
from persistent_collections.collections.base import CollectionCore, Origin, PersistentCollection, make_child
from persistent_collections.collections.binding import bindings, bound_codec
from persistent_collections.collections.dicts import PersistentDict
from persistent_collections.collections.lists import PersistentList
from persistent_collections.collections.sets import PersistentSet
from persistent_collections.errors import DecodeError, SchemaChangedError
from persistent_collections.records.schema import Field

_PLAIN: Final[Mapping[Shape, Any]] = {SEQUENCE: (list, tuple), MEMBERS: (set, frozenset), MAPPING: (dict,)}
"""The possible former content of a field that has become a child."""
_CHILDREN: Final[Mapping[Any, Any]] = {
    list: PersistentList,
    tuple: PersistentList,
    set: PersistentSet,
    frozenset: PersistentSet,
    dict: PersistentDict,
}


def child_content(child: CollectionCore, field: Field, data: bytes, backend: Backend) -> Content:
    """Return the content of a child that was a field before, from the field's value.

    Args:
        child: The child.
        field: Its declaration.
        data: The bytes of the field.
        backend: The store.

    Raises:
        DecodeError: They are not a list, dict or set of the child's items.
        SchemaChangedError: No field holds what such a child does.
    """
    kinds = _PLAIN.get(child.shape)
    if kinds is None:
        raise SchemaChangedError(
            f"{field.name!r} is declared as a {child.shape.word}, and {child.key.root!r} stores it as a field; declare "
            "it as a field again, and move its data by a function of yours"
        )
    types = [child.declared(position) for position in range(2 if child.shape is MAPPING else 1)]
    sources = [field.codec, child.info.codec, type(child.origin.owner).__pc__.codec if child.origin else None]
    errors: list[DecodeError] = []
    for kind in kinds:
        declared = GenericAlias(kind, (*types, ...) if kind is tuple else tuple(types))
        codec = bound_codec(bindings(backend), declared, sources, in_schema=field.bare)
        try:
            return child.whole(backend, codec.decode(data))
        except DecodeError as error:
            errors.append(error)
    raise errors[0]


def field_value(owner: Any, field: Field, content: Content, backend: Backend) -> Any:
    """Return the value of a field that was a child before, from the child's content.

    Args:
        owner: The record.
        field: The declaration of the field.
        content: The content of the child.
        backend: The store.

    Raises:
        SchemaChangedError: The field's type has no values that a child could have held.
        DecodeError: The child's content is not of the type that the field declares.
    """
    declared = field.collected
    if declared is None:
        raise SchemaChangedError(
            f"{field.name!r} is declared as a field that holds no list, dict or set, and {owner.key!r} stores it as a "
            "child collection; declare it as a child again, and move its data by a function of yours"
        )
    kind = get_origin(declared) or declared
    made, arguments = _CHILDREN[kind], tuple(part for part in get_args(declared) if part is not ...)
    child = _as_child(made[arguments] if arguments else made, owner, field)
    return kind(_items(child.__pc__, content, backend))


def _as_child(kind: type[PersistentCollection], owner: Any, field: Field) -> PersistentCollection:
    return make_child(kind, Origin(owner, field.name, field.codec, field.declarer, field.bare), field.stored)


def _items(child: CollectionCore, content: Content, backend: Backend) -> Any:
    held: Any = reshaped(content, child.shape, backend.medium)
    if held is None:
        raise SchemaChangedError(
            f"{str(child)!r} holds a {shape_of(content).word}, and the field that it has become holds a "
            f"{child.shape.word}; declare the field as a {shape_of(content).word}"
        )
    codecs = child.codecs(bindings(backend))
    if child.shape is MAPPING:
        return zip(codecs[0].decode_all(held), codecs[1].decode_all(held.values()), strict=True)
    codec = codecs[0] if child.shape is MEMBERS else codecs
    return codec.decode_all(held)


def both(key: Key, name: str) -> SchemaChangedError:
    """Return the error for a record that stores both a field and a child of its name."""
    return SchemaChangedError(
        f"{key.root!r} stores {name!r} both as a field and as a child collection; delete the one that is out of date: "
        f"record[{name!r}].delete() with a class that declares a child, or del record[{name!r}] with a class that "
        "declares a field"
    )

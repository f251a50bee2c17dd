"""The declarations of the content of a key, by known classes and a caller."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import NamedTuple, TypeAlias

from persistent_collections import classes
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import Shape
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.registry import codec_of
from persistent_collections.collections.base import PersistentCollection
from persistent_collections.collections.binding import chosen_codec
from persistent_collections.collections.core import CodecSource
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.records.record import Record
from persistent_collections.records.schema import Field

CodecNames: TypeAlias = CodecSource | Mapping[str, CodecSource] | None
"""The codecs of collections whose class chooses none: one codec for all of them, or codecs by the key of an object
(``"PersistentDict:settings"``), by its type (``"PersistentList:*"``) and for the rest (``"*"``).

It does not apply to objects of unknown types. A field of a record, or an item of its child, may be stored as bare text,
which only its class knows."""

Example: TypeAlias = Record | PersistentCollection


class Former(NamedTuple):
    """A field that was stored under another name.

    Attributes:
        field: Its current form.
        was: Its former form.
    """

    field: Field
    was: Field


class Known:
    """The classes by type name, and the codecs a caller names.

    Args:
        given: Classes besides the registered ones; every imported class is registered.
        codec: See :data:`CodecNames`.
        store_codec: The codec that the URL of the store chooses, if any.
    """

    def __init__(self, given: Iterable[type[PersistentObject]], codec: CodecNames, store_codec: str | None) -> None:
        self._classes = {**classes.every(), **{cls.type_name: cls for cls in given}}
        named = codec if isinstance(codec, Mapping) else {"*": codec}
        self._named = {name: codec_of(source) for name, source in named.items() if source is not None}
        self._store_codec = store_codec
        self._examples: dict[tuple[str, str | None], Example | None] = {}
        self._fields: dict[type[Record], Mapping[str, Field]] = {}
        self._former: dict[type[Record], Mapping[str, Former]] = {}

    @property
    def type_names(self) -> Collection[str]:
        """The type names of all classes."""
        return self._classes.keys()

    def class_of(self, root: str) -> type[PersistentObject] | None:
        """Return the class of the object of this name, None if it is not known."""
        return self._classes.get(_type_name(root))

    def family(self, root: str) -> list[Key]:
        """Return the keys that are declared for an object, its own first."""
        cls = self.class_of(root)
        fields = self.fields(cls).values() if cls and issubclass(cls, Record) else ()
        return [Key(root), *(Key(root, field.stored) for field in fields if field.child)]

    def fields(self, cls: type[Record]) -> Mapping[str, Field]:
        """Return the declared fields, children too, by their names in the store."""
        if cls not in self._fields:
            self._fields[cls] = {field.stored: field for field in cls.__pc__.schema().fields.values()}
        return self._fields[cls]

    def former(self, cls: type[Record]) -> Mapping[str, Former]:
        """Return the renamed fields, with their former forms, by their former names in the store."""
        if cls not in self._former:
            fields = self.fields(cls).values()
            self._former[cls] = {was.field.stored: Former(field, was.field) for field in fields for was in field.former}
        return self._former[cls]

    def example(self, key: Key) -> Example | None:
        """Return a handle, with any id, of the class that declares ``key``, None if none is known."""
        kind = (_type_name(key.root), key.child)
        if kind not in self._examples:
            self._examples[kind] = self._example(key)
        return self._examples[kind]

    def shape(self, key: Key) -> Shape | None:
        """Return the declared shape of ``key``, None if none is known."""
        example = self.example(key)
        return None if example is None else example.__pc__.shape

    def codecs(self, key: Key) -> Callable[[str | int], Codec | None]:
        """Return a function for the codec, bound to no type, of the value at a place in the content of ``key``.

        For a record, its schema chooses the codec. For other collections, the first of these that exists: the caller's
        choice by key or type, the class's choice, the store's, the caller's choice for the rest. Without any of them,
        it is None: a collection opened without a choice is written with ``json``, but the store does not record that.
        """
        example = self.example(key)
        if isinstance(example, Record):
            return partial(self._codec_of_field, type(example))
        codec = self._codec_of_items(key, example) if example is not None else None
        return lambda _: codec

    def _codec_of_field(self, cls: type[Record], stored: str | int) -> Codec | None:
        former = self.former(cls).get(str(stored))
        field = former.was if former else self.fields(cls).get(str(stored))
        if field is None or field.child:
            return None
        return chosen_codec(field.declared, [field.codec, self._store_codec], in_schema=field.bare)

    def _codec_of_items(self, key: Key, example: PersistentCollection) -> Codec | None:
        core = example.__pc__
        origin, of_class = core.origin, core.info.codec
        if origin:
            sources = [origin.codec, of_class, self._store_codec]
            return chosen_codec(core.declared(-1), sources, in_schema=origin.bare)
        named = self._named.get(key.root) or self._named.get(f"{_type_name(key.root)}:*")
        found = named or of_class or self._store_codec or self._named.get("*")
        return None if found is None else codec_of(found)

    def _example(self, key: Key) -> Example | None:
        cls = self.class_of(key.root)
        handle = cls.ref("any") if cls else None
        if key.child is not None:
            field = self.fields(type(handle)).get(key.child) if isinstance(handle, Record) else None
            handle = handle[field.name] if isinstance(handle, Record) and field and field.child else None
        return handle if isinstance(handle, Example) else None


def _type_name(root: str) -> str:
    return root.partition(":")[0]

"""What the classes that are known, and a caller, say of what lies under a key."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from types import ModuleType
from typing import Final, TypeAlias

from persistent_collections.backends.base import Key, Shape
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.registry import get_codec
from persistent_collections.containers import PersistentCollection, chosen_codec
from persistent_collections.dicts import PersistentDict
from persistent_collections.lists import PersistentList
from persistent_collections.objects import CodecSource, PersistentObject, classes
from persistent_collections.records import Record
from persistent_collections.schema import Field
from persistent_collections.sets import PersistentSet

CodecNames: TypeAlias = CodecSource | Mapping[str, CodecSource] | None
"""How the values of collections are written of which no class says it: a codec for all of them, or codecs by the key of
an object (``"PersistentDict:settings"``), by its type (``"PersistentList:*"``) and for the rest (``"*"``).

Of a type that no class has which is known it says nothing: a field of a record, or an item of its child, may be stored
as bare text, and its class alone tells."""

Example: TypeAlias = Record | PersistentCollection

_SHAPES: Final[dict[type[PersistentObject], Shape]] = {
    Record: "mapping",
    PersistentDict: "mapping",
    PersistentList: "sequence",
    PersistentSet: "members",
}


class Known:
    """The classes by type name, and the codecs a caller names.

    Args:
        given: Classes beside those that are registered, as every imported one is.
        codec: See :data:`CodecNames`.
        store_codec: The codec that the URL of the store chooses, if any.
    """

    def __init__(self, given: Iterable[type[PersistentObject]], codec: CodecNames, store_codec: str | None) -> None:
        self._classes = {**classes, **{cls.type_name: cls for cls in given}}
        named = codec if isinstance(codec, Mapping) else {"*": codec}
        self._named = {name: _codec(source) for name, source in named.items() if source is not None}
        self._store_codec = store_codec
        self._examples: dict[tuple[str, str | None], Example | None] = {}
        self._fields: dict[type[Record], Mapping[str, Field]] = {}

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
            self._fields[cls] = {field.stored: field for field in cls._fields().values()}
        return self._fields[cls]

    def example(self, key: Key) -> Example | None:
        """Return a handle that tells what ``key`` holds, None if none is known.

        It is the one that a module gives a name, or else one of whatever id of the class that declares the key.
        """
        if key.child is None and key.root in self._named_in_modules:
            return self._named_in_modules[key.root]
        kind = (_type_name(key.root), key.child)
        if kind not in self._examples:
            self._examples[kind] = self._example(key)
        return self._examples[kind]

    def shape(self, key: Key) -> Shape | None:
        """Return the shape that is declared for ``key``, None if none is known."""
        example = self.example(key)
        return next((shape for kind, shape in _SHAPES.items() if isinstance(example, kind)), None)

    def codecs(self, key: Key) -> Callable[[str | int], Codec | None]:
        """Return what gives the codec, bound to no type, of the value at a place in what ``key`` holds.

        A record's schema says it; for other collections what the caller names by key or type, the handle in a module,
        the class, the URL of the store, and last what the caller names for the rest. None where none of these does: a
        collection that is opened without a choice is written with ``json``, but the store does not tell that it was
        opened so.
        """
        example = self.example(key)
        if isinstance(example, Record):
            return partial(self._codec_of_field, type(example))
        codec = self._codec_of_items(key, example) if example is not None else None
        return lambda _: codec

    @cached_property
    def _named_in_modules(self) -> Mapping[str, PersistentCollection]:
        """The collections that modules give names, by key."""
        found = defaultdict(list)
        for handle in _handles_in_modules():
            found[handle.key].append(handle)
        return {key: handles[0] for key, handles in found.items() if _agree(handles)}

    def _codec_of_field(self, cls: type[Record], stored: str | int) -> Codec | None:
        field = self.fields(cls).get(str(stored))
        if field is None or field.child:
            return None
        return chosen_codec(field.declared, [field.codec, self._store_codec], in_schema=field.bare)

    def _codec_of_items(self, key: Key, example: PersistentCollection) -> Codec | None:
        origin, of_class = example._origin, type(example)._class_codec
        if origin:
            sources = [origin.codec, of_class, self._store_codec]
            return chosen_codec(example._declared(-1), sources, in_schema=origin.bare)
        named = self._named.get(key.root) or self._named.get(f"{_type_name(key.root)}:*")
        rest = "json" if key.root in self._named_in_modules else self._named.get("*")
        found = named or example._codec or of_class or self._store_codec or rest
        return None if found is None else _codec(found)

    def _example(self, key: Key) -> Example | None:
        cls = self.class_of(key.root)
        handle = cls.ref("any") if cls else None
        if key.child is not None:
            field = self.fields(type(handle)).get(key.child) if isinstance(handle, Record) else None
            handle = handle[field.name] if isinstance(handle, Record) and field and field.child else None
        return handle if isinstance(handle, Example) else None


def _handles_in_modules() -> Iterator[PersistentCollection]:
    """Yield the collections that imported modules give names.

    One that is bound to a store does not say how another's values are written.
    """
    for module in list(sys.modules.values()):
        if issubclass(type(module), ModuleType):
            names = object.__getattribute__(module, "__dict__")  # asked for as usual, a lazy module is loaded
            for value in list(names.values()):
                if PersistentCollection in type(value).__mro__ and value._choice is None and value._origin is None:
                    yield value


def _agree(handles: Sequence[PersistentCollection]) -> bool:
    """Say whether handles of one object, by which it may have been written, are of one type and codec."""
    return all((type(one), one._codec) == (type(handles[0]), handles[0]._codec) for one in handles)


def _codec(source: CodecSource) -> Codec:
    return get_codec(source) if isinstance(source, str) else source


def _type_name(root: str) -> str:
    return root.partition(":")[0]

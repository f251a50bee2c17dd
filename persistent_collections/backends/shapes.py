"""The shapes of keys: one object holds the package's knowledge of one shape.

To add a shape, write its handle interface in ``handles``, its :class:`Shape` here, and a handle in each store
(docs/architecture.md lists the files).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import methodcaller
from types import MappingProxyType
from typing import Any, Final

import msgspec

from persistent_collections import classes
from persistent_collections.backends.handles import MappingStore, MemberStore, SequenceStore
from persistent_collections.backends.keys import Content, Key
from persistent_collections.errors import SchemaChangedError, WrongShapeError


class Shape(msgspec.Struct, frozen=True, eq=False):
    """One kind of collection: its names, its content and its interface.

    ::

        assert (MAPPING.word, SEQUENCE.word, MEMBERS.word) == ("dict", "list", "set")
        assert SHAPES["mapping"] is MAPPING
        assert [*SEQUENCE.places([b"1", b"2"])] == [(0, b"1"), (1, b"2")]

    Attributes:
        name: The name in stores and errors.
        word: The built-in type that people know it by.
        content: The type of a content of this shape, as in ``Entry.content`` and ``Replace.content``.
        interface: The class of its handles.
        read: Returns the whole content through a handle, in one step.
        columns: The headings of a place and its value in tools.
        places: Yields each place in a content with its value: bytes that a codec reads, or a plain value.
        exported: The type of the result of ``export`` and of JSON files; ``msgspec.Raw`` replaces bytes.
        export: Returns a content as that type, with bytes; ``content`` takes it back.
        members: Returns the texts in a content that are encoded as dict keys are. Only shapes without data of codecs
            have them. The ``remove`` of their handles takes a set of them.
        twin: The shape that a JSON store may read in its place, since both have the same JSON form.
        from_twin: Returns a content of ``twin`` as this shape, or None.
    """

    name: str
    word: str
    content: type
    interface: type
    read: Callable[[Any], Content]
    columns: tuple[str, ...]
    places: Callable[[Any], Iterable[tuple[str | int | None, Any]]]
    exported: Any
    export: Callable[[Any], Any]
    members: Callable[[Any], Iterable[str]] = lambda _: ()
    twin: Shape | None = None
    from_twin: Callable[[Any], Content | None] = lambda _: None

    def __repr__(self) -> str:
        return f"<Shape {self.name}>"

    def __reduce__(self) -> str:
        return self.name.upper()


def _members_of(items: list[bytes]) -> set[str] | None:
    """Return the items of a JSON array as the members of a set, None if some are not texts.

    Raises:
        ValueError: One is repeated.
    """
    try:
        texts = _TEXTS.decode(b"[%b]" % b",".join(items))
    except msgspec.ValidationError:
        return None
    members = set(texts)
    if len(members) != len(texts):
        raise ValueError("an array with a repeated item is not a set")
    return members


_TEXTS: Final = msgspec.json.Decoder(list[str])

MAPPING: Final = Shape(
    name="mapping",
    word="dict",
    content=dict,
    interface=MappingStore,
    read=methodcaller("get_all"),
    columns=("field", "value"),
    places=dict.items,
    exported=dict[str, msgspec.Raw],
    export=dict,
)
"""Fields with data, a dict."""

SEQUENCE: Final = Shape(
    name="sequence",
    word="list",
    content=list,
    interface=SequenceStore,
    read=methodcaller("get_slice", slice(None)),
    columns=("index", "value"),
    places=enumerate,
    exported=list[msgspec.Raw],
    export=list,
)
"""Items in an order, a list."""

MEMBERS: Final = Shape(
    name="members",
    word="set",
    content=set,
    interface=MemberStore,
    read=methodcaller("get_all"),
    columns=("member",),
    places=lambda members: ((None, member) for member in sorted(members)),
    exported=list[str],
    export=sorted,
    members=sorted,
    twin=SEQUENCE,
    from_twin=_members_of,
)
"""Unique texts, a set."""

SHAPES: Final[Mapping[str, Shape]] = MappingProxyType({shape.name: shape for shape in (MAPPING, SEQUENCE, MEMBERS)})
"""Every shape, by name."""

_BY_CONTENT: Final = {shape.content: shape for shape in SHAPES.values()}


def shape_of(content: Content) -> Shape:
    """Return the shape of ``content``."""
    return _BY_CONTENT[type(content)]


def child_is_field(key: Key) -> SchemaChangedError:
    """Return the error for a missing child ``key`` of a record that has a field of the same name."""
    return SchemaChangedError(
        f"{key.child!r} is declared as a child collection, and {key.root!r} stores it as a field; "
        f"declare it as a field again, or move its data by migrate({classes.spelt(key.root.partition(':')[0])})"
    )


def field_is_child(key: Key) -> SchemaChangedError:
    """Return the error for a missing field of a record that has a child of the same name, ``key``."""
    return SchemaChangedError(
        f"{key.child!r} is declared as a field, and {key.root!r} stores it as a child collection; "
        f"declare it as a child again, or move its data by migrate({classes.spelt(key.root.partition(':')[0])})"
    )


WRONG_SHAPE: Final = "open it, or declare it, as the type that is stored, or choose another id"
"""The remedy for a key that holds another shape."""


def wrong_shape(key: Key, held: Shape, wanted: Shape) -> WrongShapeError:
    """Return the error for a key that holds another shape than ``wanted``."""
    return WrongShapeError(f"{str(key)!r} holds a {held.word}, not a {wanted.word}; {WRONG_SHAPE}")

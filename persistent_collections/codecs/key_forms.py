"""The forms of keys: how those of one type are plain JSON values, the same one for all that are equal."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from itertools import repeat
from math import isinf
from numbers import Number
from pathlib import PosixPath
from typing import Any, Final
from uuid import UUID

from persistent_collections.codecs.base import References
from persistent_collections.codecs.class_shapes import EnumShape, InstanceShape
from persistent_collections.codecs.declared import checked, rebuilt
from persistent_collections.codecs.folding import KeyLowering, fold_number, is_equal_to_a
from persistent_collections.codecs.lowering import checked_text, lift
from persistent_collections.codecs.shapes import ExactShape, ItemsShape, Shape, TupleShape, UnionShape
from persistent_collections.codecs.types import find_form, tagged, untagged
from persistent_collections.errors import DecodeError, EncodeError

_TEXTUAL: Final = (UUID, date, datetime, time, bytes, PosixPath)
_NUMBERS: Final = (int, float, bool)
_INFINITIES: Final = ("inf", "-inf")
_UNHASHABLE: Final = frozenset({list, dict, set})


class KeyForm(ABC):
    """How keys of one type are plain JSON values.

    Attributes:
        is_text: Whether these are all texts, which then stand for themselves, unquoted.
    """

    is_text = False

    @abstractmethod
    def plain(self, key: Any) -> Any:
        """Return the same JSON value for all keys that are equal to this one."""

    @abstractmethod
    def key(self, plain: Any) -> Any:
        """Return the key, or raise anything."""


class _TextForm(KeyForm):
    """Text as it is."""

    is_text = True

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def plain(self, key: Any) -> Any:
        return checked_text(checked(self._shape, key), ())

    def key(self, plain: Any) -> Any:
        return rebuilt(self._shape, plain)


class _NumberForm(KeyForm):
    """Numbers, folded as far as JSON has them; they come back as the declared type."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._kinds = [kind for kind in _NUMBERS if kind in (shape.passed or shape.stored)]

    def plain(self, key: Any) -> Any:
        number = fold_number(key) if isinstance(key, Number) else key
        checked(self._shape, _typed(number, self._kinds))
        return str(number) if type(number) is float and isinf(number) else number

    def key(self, plain: Any) -> Any:
        number = float(plain) if plain in _INFINITIES else plain
        return rebuilt(self._shape, _typed(number, self._kinds))


class _DecimalForm(KeyForm):
    """Decimals, as the text of the shortest equal one."""

    is_text = True

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def plain(self, key: Any) -> Any:
        number = fold_number(key) if isinstance(key, Number) else key
        return str(checked(self._shape, Decimal(number) if type(number) in (int, float) else number))

    def key(self, plain: Any) -> Any:
        return rebuilt(self._shape, Decimal(plain))


class _StandardForm(KeyForm):
    """A type of the standard library, as the text it is stored as elsewhere under its tag."""

    is_text = True

    def __init__(self, shape: Shape, tag: str) -> None:
        self._shape, self._tag = shape, tag

    def plain(self, key: Any) -> Any:
        [text] = KeyLowering(None).lower(checked(self._shape, key)).values()
        return text

    def key(self, plain: Any) -> Any:
        return rebuilt(self._shape, untagged(self._tag, plain, None))


class _EnumForm(KeyForm):
    """Members of an Enum, as what is stored for them elsewhere without the tag."""

    def __init__(self, kind: type[Enum]) -> None:
        self._kind = kind
        self._form = find_form(kind)
        self.is_text = all(type(self.plain(member)) is str for member in kind)

    def plain(self, key: Any) -> Any:
        member = self._member(key)
        return KeyLowering(None).lower(tagged(member, None)[1] if self._form else member._value_)

    def key(self, plain: Any) -> Any:
        return untagged(self._form.tag, lift(plain), None) if self._form else self._kind(lift(plain))

    def _member(self, key: Any) -> Enum:
        with suppress(ValueError):
            if (member := self._kind(key)) == key:
                return member
        raise EncodeError(f"expected {self._kind.__name__}, not {type(key).__name__}, as declared")


class _TupleForm(KeyForm):
    """A tuple, as the list of its items' forms."""

    def __init__(self, items: Sequence[KeyForm] | KeyForm) -> None:
        self._items = items

    def plain(self, key: Any) -> Any:
        if not isinstance(key, tuple):
            raise EncodeError(f"expected tuple, not {type(key).__name__}, as declared")
        return [form.plain(item) for form, item in self._pairs(key)]

    def key(self, plain: Any) -> Any:
        return tuple(form.key(item) for form, item in self._pairs(plain))

    def _pairs(self, items: Sequence[Any]) -> list[tuple[KeyForm, Any]]:
        forms = [self._items] * len(items) if isinstance(self._items, KeyForm) else self._items
        if len(forms) != len(items):
            raise EncodeError(f"expected a tuple of {len(forms)}, not of {len(items)}, as declared")
        return list(zip(forms, items, strict=True))


class _ReferenceForm(KeyForm):
    """A persistent object, as its key."""

    is_text = True

    def __init__(self, shape: Shape, references: References) -> None:
        self._shape, self._references = shape, references

    def plain(self, key: Any) -> Any:
        return self._references.to_key(checked(self._shape, key))

    def key(self, plain: Any) -> Any:
        return rebuilt(self._shape, self._references.from_key(plain))


class _TaggedForm(KeyForm):
    """Any key, by its own type."""

    def __init__(self, shape: Shape, references: References | None) -> None:
        self._shape, self._references = shape, references

    def plain(self, key: Any) -> Any:
        return KeyLowering(self._references).lower(checked(self._shape, key))

    def key(self, plain: Any) -> Any:
        return _unfolded(self._shape, lift(plain, self._references))


def _unfolded(shape: Shape, key: Any) -> Any:
    """Return a folded key as what it was declared as, where that has one equal to it."""
    if isinstance(shape, UnionShape):
        for member in shape.members:
            with suppress(DecodeError):
                return _unfolded(member, key)
    if type(key) not in shape.stored:
        key = _typed(key, [kind for kind in shape.stored if issubclass(kind, Number | Enum)])
    elif isinstance(shape, ItemsShape | TupleShape):
        items = repeat(shape.items) if isinstance(shape, ItemsShape) else shape.items
        key = type(key)(map(_unfolded, items, key))
    return rebuilt(shape, key)


def _typed(key: Any, kinds: Iterable[Any]) -> Any:
    """Return a key as the first of ``kinds`` that has one equal to it, or as it is where none has."""
    return next((kind(key) for kind in kinds if is_equal_to_a(kind, key)), key)


def _leaf_form(shape: Shape) -> KeyForm | None:
    if shape.stored == {str}:
        return _TextForm(shape)
    if shape.stored == {Decimal}:
        return _DecimalForm(shape)
    if shape.stored and shape.stored.issubset(_NUMBERS):
        return _NumberForm(shape)
    form = next((find_form(kind) for kind in _TEXTUAL if shape.stored == {kind}), None)
    return _StandardForm(shape, form.tag) if form else None


def form_of(shape: Shape, references: References | None) -> KeyForm:
    """Return how keys of a shape are plain JSON values.

    Raises:
        TypeError: They are not hashable, or would have to be registered.
    """
    if isinstance(shape, TupleShape):
        return _TupleForm([form_of(item, references) for item in shape.items])
    if isinstance(shape, ItemsShape) and shape.stored == {tuple}:
        return _TupleForm(form_of(shape.items, references))
    if isinstance(shape, EnumShape | ExactShape) and issubclass(shape.kind, Enum):
        return _EnumForm(shape.kind)
    if isinstance(shape, InstanceShape) and references is not None:
        return _ReferenceForm(shape, references)
    if shape.opaque or shape.stored & _UNHASHABLE:
        raise TypeError(f"{shape.expected} cannot be the type of a key: it is not hashable, or register_type it first")
    return _leaf_form(shape) or _TaggedForm(shape, references)

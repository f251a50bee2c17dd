"""Dict keys and set members as texts: plain to read where the declared type tells what they are, else tagged JSON."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isinf
from numbers import Number
from operator import attrgetter
from pathlib import PosixPath
from typing import Any, Final
from uuid import UUID

from persistent_collections.codecs.base import KeyCodec, References
from persistent_collections.codecs.class_shapes import EnumShape, InstanceShape
from persistent_collections.codecs.declared import checked, rebuilt, shape_of
from persistent_collections.codecs.folding import KeyLowering, fold_number, is_equal_to_a
from persistent_collections.codecs.lowering import checked_text, lift, to_json
from persistent_collections.codecs.shapes import ExactShape, ItemsShape, Shape, TupleShape
from persistent_collections.codecs.types import find_form, untagged
from persistent_collections.errors import DecodeError, EncodeError

_TEXTUAL: Final = (UUID, date, datetime, time, bytes, PosixPath)
_NUMBERS: Final = (int, float, bool)
_INFINITIES: Final = ("inf", "-inf")
_UNHASHABLE: Final = frozenset({list, dict, set})


def key_codec(declared: Any, references: References | None = None) -> KeyCodec:
    """Return the codec of dict keys, or set members, of a declared type.

    Shape: ``str`` as it is; a number, a UUID, a date, an Enum's name and the like as their text; a tuple as a JSON
    array of these; a persistent object as its key; ``Any``, a union and the rest as the JSON of
    :func:`~persistent_collections.codecs.lowering.lower`, which tells ``1`` from ``"1"``.

    Raises:
        TypeError: Keys of that type are not hashable, or cannot be kept.
    """
    if declared is str:
        return _TextKeys()
    return _DeclaredKeys(_form_of(shape_of(declared, references), references))


class _TextKeys(KeyCodec):
    def encode(self, key: Any) -> str:
        if type(key) is not str:
            hash(key)
            kind = type(key).__name__
            raise EncodeError(
                f"a key of type {kind} where keys are str; declare their type, as in PersistentDict[{kind}, V]"
            )
        return checked_text(key, ())

    def decode(self, text: str) -> Any:
        return text


class _Form(ABC):
    """How keys of one type are plain JSON values."""

    is_text: bool = False

    @abstractmethod
    def plain(self, key: Any) -> Any:
        """Return the same JSON value for all keys that are equal to this one."""

    @abstractmethod
    def key(self, plain: Any) -> Any:
        """Return the key, or raise anything."""


class _DeclaredKeys(KeyCodec):
    def __init__(self, form: _Form) -> None:
        self._form = form

    def encode(self, key: Any) -> str:
        hash(key)
        try:
            plain = self._form.plain(key)
            return plain if self._form.is_text else to_json(plain)
        except EncodeError as error:
            raise EncodeError(f"a key of type {type(key).__name__} is refused: {error}") from None
        except (ValueError, RecursionError) as error:
            raise EncodeError(
                f"this process cannot write a key of type {type(key).__name__} ({type(error).__name__})"
            ) from None

    def decode(self, text: str) -> Any:
        try:
            key = self._form.key(text if self._form.is_text else json.loads(text))
            if self.encode(key) == text:
                return key
        except Exception as error:  # noqa: BLE001 - a registered function may raise anything
            raise DecodeError(f"a key is stored that this codec does not write ({type(error).__name__})") from None
        raise DecodeError("a key is stored in another form than this codec writes")


class _TextForm(_Form):
    """Text as it is."""

    is_text = True

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def plain(self, key: Any) -> Any:
        return KeyLowering(None).lower(checked(self._shape, key))

    def key(self, plain: Any) -> Any:
        return rebuilt(self._shape, plain)


class _NumberForm(_Form):
    """Numbers, folded as far as JSON has them; they come back as the declared type."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._kinds = [kind for kind in _NUMBERS if kind in (shape.passed or shape.stored)]

    def plain(self, key: Any) -> Any:
        number = fold_number(key) if isinstance(key, Number) else key
        checked(self._shape, self._typed(number))
        return str(number) if type(number) is float and isinf(number) else number

    def key(self, plain: Any) -> Any:
        number = float(plain) if plain in _INFINITIES else plain
        return rebuilt(self._shape, self._typed(number))

    def _typed(self, number: Any) -> Any:
        """Return a number as the declared type that has one equal to it, or as it is where none has."""
        return next((kind(number) for kind in self._kinds if is_equal_to_a(kind, number)), number)


class _DecimalForm(_Form):
    """Decimals, as the text of the shortest equal one."""

    is_text = True

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def plain(self, key: Any) -> Any:
        number = fold_number(key) if isinstance(key, Number) else key
        return str(checked(self._shape, Decimal(number) if type(number) in (int, float) else number))

    def key(self, plain: Any) -> Any:
        return rebuilt(self._shape, Decimal(plain))


class _StandardForm(_Form):
    """A type of the standard library, as the text it is stored as elsewhere under its tag."""

    is_text = True

    def __init__(self, shape: Shape, tag: str) -> None:
        self._shape, self._tag = shape, tag

    def plain(self, key: Any) -> Any:
        [text] = KeyLowering(None).lower(checked(self._shape, key)).values()
        return text

    def key(self, plain: Any) -> Any:
        return rebuilt(self._shape, untagged(self._tag, plain, None))


class _EnumForm(_Form):
    """Members of an Enum, as what is stored for them elsewhere without the tag."""

    def __init__(self, kind: type[Enum]) -> None:
        self._kind = kind
        form = find_form(kind)
        self._encode: Callable[[Any], Any] = form.encode if form else attrgetter("value")
        self._decode: Callable[[Any], Any] = form.decode if form else kind
        self.is_text = all(type(self.plain(member)) is str for member in kind)

    def plain(self, key: Any) -> Any:
        return KeyLowering(None).lower(self._encode(self._member(key)))

    def key(self, plain: Any) -> Any:
        return self._decode(lift(plain))

    def _member(self, key: Any) -> Enum:
        with suppress(ValueError):
            if (member := self._kind(key)) == key:
                return member
        raise EncodeError(f"expected {self._kind.__name__}, not {type(key).__name__}, as declared")


class _TupleForm(_Form):
    """A tuple, as the list of its items' forms."""

    def __init__(self, items: Sequence[_Form] | _Form) -> None:
        self._items = items

    def plain(self, key: Any) -> Any:
        if not isinstance(key, tuple):
            raise EncodeError(f"expected tuple, not {type(key).__name__}, as declared")
        return [form.plain(item) for form, item in self._pairs(key)]

    def key(self, plain: Any) -> Any:
        return tuple(form.key(item) for form, item in self._pairs(plain))

    def _pairs(self, items: Sequence[Any]) -> list[tuple[_Form, Any]]:
        forms = [self._items] * len(items) if isinstance(self._items, _Form) else self._items
        if len(forms) != len(items):
            raise EncodeError(f"expected a tuple of {len(forms)}, not of {len(items)}, as declared")
        return list(zip(forms, items, strict=True))


class _ReferenceForm(_Form):
    """A persistent object, as its key."""

    is_text = True

    def __init__(self, shape: Shape, references: References) -> None:
        self._shape, self._references = shape, references

    def plain(self, key: Any) -> Any:
        return self._references.to_key(checked(self._shape, key))

    def key(self, plain: Any) -> Any:
        return rebuilt(self._shape, self._references.from_key(plain))


class _TaggedForm(_Form):
    """Any key, by its own type."""

    def __init__(self, shape: Shape, references: References | None) -> None:
        self._shape, self._references = shape, references

    def plain(self, key: Any) -> Any:
        return KeyLowering(self._references).lower(checked(self._shape, key))

    def key(self, plain: Any) -> Any:
        return lift(plain, self._references)


def _form_of(shape: Shape, references: References | None) -> _Form:
    if isinstance(shape, TupleShape):
        return _TupleForm([_form_of(item, references) for item in shape.items])
    if isinstance(shape, ItemsShape) and shape.stored == {tuple}:
        return _TupleForm(_form_of(shape.items, references))
    if isinstance(shape, EnumShape | ExactShape) and issubclass(shape.kind, Enum):
        return _EnumForm(shape.kind)
    if isinstance(shape, InstanceShape) and references is not None:
        return _ReferenceForm(shape, references)
    if shape.opaque or shape.stored & _UNHASHABLE:
        raise TypeError(f"{shape.expected} cannot be the type of a key: it is not hashable, or register_type it first")
    return _leaf_form(shape) or _TaggedForm(shape, references)


def _leaf_form(shape: Shape) -> _Form | None:
    if shape.stored == {str}:
        return _TextForm(shape)
    if shape.stored == {Decimal}:
        return _DecimalForm(shape)
    if shape.stored and shape.stored.issubset(_NUMBERS):
        return _NumberForm(shape)
    form = next((find_form(kind) for kind in _TEXTUAL if shape.stored == {kind}), None)
    return _StandardForm(shape, form.tag) if form else None

"""The forms of keys: keys of one type as plain JSON values, the same value for all equal keys."""

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
from persistent_collections.codecs.declared.checks import Check, ExactCheck, ItemsCheck, TupleCheck, UnionCheck
from persistent_collections.codecs.declared.class_checks import EnumCheck, ReferenceCheck
from persistent_collections.codecs.declared.reading import checked, rebuilt
from persistent_collections.codecs.keys.folding import KeyLowering, fold_member, fold_number, is_equal_to_a
from persistent_collections.codecs.types.lowering import checked_text, lift
from persistent_collections.codecs.types.registry import find_form, tagged, untagged
from persistent_collections.errors import DecodeError, EncodeError

_TEXTUAL: Final = (UUID, date, datetime, time, bytes, PosixPath)
_NUMBERS: Final = (int, float, bool)
_INFINITIES: Final = ("inf", "-inf")
_UNHASHABLE: Final = frozenset({list, dict, set})


class KeyForm(ABC):
    """The form of keys of one type as plain JSON values.

    Attributes:
        is_text: Whether all these values are texts, which are stored unquoted.
    """

    is_text = False

    def plain(self, key: Any) -> Any:
        """Return the same JSON value for all keys that are equal to this one."""
        return self._plain(fold_member(key))

    @abstractmethod
    def _plain(self, key: Any) -> Any:
        """Return the result of :meth:`plain` for a key whose Enum members are folded."""

    @abstractmethod
    def key(self, plain: Any) -> Any:
        """Return the key, or raise anything."""


class _TextForm(KeyForm):
    """Text, unchanged."""

    is_text = True

    def __init__(self, check: Check) -> None:
        self._check = check

    def _plain(self, key: Any) -> Any:
        return checked_text(checked(self._check, key), ())

    def key(self, plain: Any) -> Any:
        return rebuilt(self._check, plain)


class _NumberForm(KeyForm):
    """Numbers, folded as far as JSON has them; they come back as the declared type."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._kinds = [kind for kind in _NUMBERS if kind in (check.passed or check.stored)]

    def _plain(self, key: Any) -> Any:
        number = fold_number(key) if isinstance(key, Number) else key
        checked(self._check, _typed(number, self._kinds))
        return str(number) if type(number) is float and isinf(number) else number

    def key(self, plain: Any) -> Any:
        number = float(plain) if plain in _INFINITIES else plain
        return rebuilt(self._check, _typed(number, self._kinds))


class _DecimalForm(KeyForm):
    """Decimals, as the text of the shortest equal one."""

    is_text = True

    def __init__(self, check: Check) -> None:
        self._check = check

    def _plain(self, key: Any) -> Any:
        number = fold_number(key) if isinstance(key, Number) else key
        return str(checked(self._check, Decimal(number) if type(number) in (int, float) else number))

    def key(self, plain: Any) -> Any:
        return rebuilt(self._check, Decimal(plain))


class _StandardForm(KeyForm):
    """A type of the standard library, as the text that is stored elsewhere under its tag."""

    is_text = True

    def __init__(self, check: Check, tag: str) -> None:
        self._check, self._tag = check, tag

    def _plain(self, key: Any) -> Any:
        [text] = KeyLowering(None).lower(checked(self._check, key)).values()
        return text

    def key(self, plain: Any) -> Any:
        return rebuilt(self._check, untagged(self._tag, plain, None))


class _EnumForm(KeyForm):
    """Members of an Enum, as their stored form elsewhere, without the tag."""

    def __init__(self, kind: type[Enum]) -> None:
        self._kind = kind
        self._form = find_form(kind)
        self.is_text = all(type(self.plain(member)) is str for member in kind)

    def _plain(self, key: Any) -> Any:
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

    def _plain(self, key: Any) -> Any:
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

    def __init__(self, check: Check, references: References) -> None:
        self._check, self._references = check, references

    def _plain(self, key: Any) -> Any:
        return self._references.to_key(checked(self._check, key))

    def key(self, plain: Any) -> Any:
        return rebuilt(self._check, self._references.from_key(plain))


class _TaggedForm(KeyForm):
    """Any key, by its own type."""

    def __init__(self, check: Check, references: References | None) -> None:
        self._check, self._references = check, references

    def _plain(self, key: Any) -> Any:
        return KeyLowering(self._references).lower(checked(self._check, key))

    def key(self, plain: Any) -> Any:
        return _unfolded(self._check, lift(plain, self._references))


def _unfolded(check: Check, key: Any) -> Any:
    """Return a folded key as its declared type, if that has an equal value."""
    if isinstance(check, UnionCheck):
        for member in check.members:
            with suppress(DecodeError):
                return _unfolded(member, key)
    if type(key) not in check.stored:
        key = _typed(key, [kind for kind in check.stored if issubclass(kind, Number | Enum)])
    elif isinstance(check, ItemsCheck | TupleCheck):
        items = repeat(check.items) if isinstance(check, ItemsCheck) else check.items
        key = type(key)(map(_unfolded, items, key))
    return rebuilt(check, key)


def _typed(key: Any, kinds: Iterable[Any]) -> Any:
    """Return a key as the first of ``kinds`` that has an equal value, or unchanged if none has."""
    return next((kind(key) for kind in kinds if is_equal_to_a(kind, key)), key)


def _leaf_form(check: Check) -> KeyForm | None:
    if check.stored == {str}:
        return _TextForm(check)
    if check.stored == {Decimal}:
        return _DecimalForm(check)
    if check.stored and check.stored.issubset(_NUMBERS):
        return _NumberForm(check)
    form = next((find_form(kind) for kind in _TEXTUAL if check.stored == {kind}), None)
    return _StandardForm(check, form.tag) if form else None


def form_of(check: Check, references: References | None) -> KeyForm:
    """Return the form of the keys that a check allows.

    Raises:
        TypeError: They are not hashable, or would need registration.
    """
    if isinstance(check, TupleCheck):
        return _TupleForm([form_of(item, references) for item in check.items])
    if isinstance(check, ItemsCheck) and check.stored == {tuple}:
        return _TupleForm(form_of(check.items, references))
    return _class_form(check, references) or _leaf_form(check) or _TaggedForm(check, references)


def _class_form(check: Check, references: References | None) -> KeyForm | None:
    if isinstance(check, EnumCheck | ExactCheck) and issubclass(check.kind, Enum):
        return _EnumForm(check.kind)
    if isinstance(check, ReferenceCheck) and references is not None:
        return _ReferenceForm(check, references)
    if check.opaque or check.stored & _UNHASHABLE:
        raise TypeError(f"{check.expected} cannot be the type of a key: it is not hashable, or register_type it first")
    return None

"""The checks of classes: stored under a tag if registered, else in plainer form."""

from __future__ import annotations

from abc import abstractmethod
from enum import Enum
from typing import Any

from typing_extensions import override

from persistent_collections.annotations import parts, shown
from persistent_collections.codecs.base import References
from persistent_collections.codecs.declared.checks import Check, Location, MismatchError, TooDeepError
from persistent_collections.codecs.declared.fields import StoredFields
from persistent_collections.codecs.types.classes import build, take_apart
from persistent_collections.codecs.types.lowering import MAX_DEPTH
from persistent_collections.codecs.types.registry import builtin_type, is_registered
from persistent_collections.errors import EncodeError


class ReferenceCheck(Check):
    """Persistent objects of a class or its subclasses, stored as references."""

    def __init__(self, kind: type, references: References) -> None:
        self.expected = shown(kind)
        self.stored = frozenset({parts(kind)[0]})
        self._kind, self._references = kind, references

    def walk(self, value: Any, at: Location) -> Any:
        found = self._references.narrowed(value, self._kind)
        if found is None:
            raise self.mismatch(value, at)
        return value if at.way == "store" else found

    @override
    def remedy(self, value: Any) -> str:
        return super().remedy(value) or self._references.remedy(self._kind)


class ClassCheck(Check):
    """Instances of exactly one class."""

    opaque = True
    stored = frozenset({dict})

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.expected = kind.__name__

    def walk(self, value: Any, at: Location) -> Any:
        if len(at.path) > MAX_DEPTH:
            raise TooDeepError(at)
        if type(value) is self.kind:
            return value if at.way == "load" or is_registered(self.kind) else self._lower(value, at)
        if at.way == "load" and (type(value) in self.stored or not self.stored):
            return self._lift(value, at)
        raise self.mismatch(value, at)

    @abstractmethod
    def _lower(self, value: Any, at: Location) -> Any:
        """Return the plainer form of an instance."""

    @abstractmethod
    def _lift(self, stored: Any, at: Location) -> Any:
        """Return the instance of a plainer form."""


class EnumCheck(ClassCheck):
    """Members of an Enum, by their values."""

    def __init__(self, kind: type[Enum]) -> None:
        super().__init__(kind)
        self.stored = frozenset(type(member._value_) for member in kind)

    @override
    def _lower(self, value: Any, at: Location) -> Any:
        return value._value_

    def _lift(self, stored: Any, at: Location) -> Any:
        try:
            return self.kind(stored)
        except ValueError:
            raise MismatchError(at, f"not the value of a {self.expected}") from None


class FieldsCheck(ClassCheck):
    """Instances of a class that consists of its fields, as a dict of them."""

    fields: StoredFields

    def _lower(self, value: Any, at: Location) -> dict[str, Any]:
        try:
            return self.fields.lower(take_apart(value), at)
        except EncodeError as error:
            raise MismatchError(at, str(error)) from None

    def _lift(self, stored: dict[Any, Any], at: Location) -> Any:
        fields = self.fields.lift(stored, at)
        try:
            return build(self.kind, fields)
        except Exception as error:  # noqa: BLE001 - a constructor may raise anything
            raise MismatchError(at, f"{self.expected}(...) raises {type(error).__name__}") from None


class TypedDictCheck(Check):
    """A dict with declared keys, stored unchanged."""

    stored = frozenset({dict})
    fields: StoredFields

    def __init__(self, kind: Any) -> None:
        self.expected = kind.__name__
        self.required: frozenset[str] = frozenset()

    def walk(self, value: Any, at: Location) -> Any:
        if builtin_type(type(value)) is not dict:
            raise self.mismatch(value, at)
        if at.way == "load":
            return self.fields.lift(value, at)
        if not self.required <= value.keys() <= set(self.fields):
            raise MismatchError(at, f"expected only keys of {self.expected}, and all that it requires")
        return self.fields.lower(value, at)

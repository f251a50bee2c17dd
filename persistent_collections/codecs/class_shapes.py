"""The shapes of classes: stored under a tag where they are registered, else in plainer form."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import Any

from typing_extensions import override

from persistent_collections.annotations import parts, shown
from persistent_collections.codecs.base import References
from persistent_collections.codecs.classes import build, same, take_apart
from persistent_collections.codecs.lowering import MAX_DEPTH
from persistent_collections.codecs.shapes import MismatchError, Place, Shape
from persistent_collections.codecs.types import builtin_type, is_registered
from persistent_collections.errors import EncodeError


class InstanceShape(Shape):
    """Persistent objects of a class or its subclasses, stored as references."""

    def __init__(self, kind: type, references: References) -> None:
        self.expected = shown(kind)
        self.stored = frozenset({parts(kind)[0]})
        self._kind, self._references = kind, references

    def walk(self, value: Any, at: Place) -> Any:
        found = self._references.narrowed(value, self._kind)
        if found is None:
            raise self.mismatch(value, at)
        return value if at.way == "store" else found

    @override
    def remedy(self, value: Any) -> str:
        return super().remedy(value) or self._references.remedy(self._kind)


class ClassShape(Shape):
    """Instances of exactly one class."""

    opaque = True
    stored = frozenset({dict})

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.expected = kind.__name__

    def walk(self, value: Any, at: Place) -> Any:
        if len(at.path) > MAX_DEPTH:
            raise MismatchError(at._replace(path=at.path[:3]), f"nested more than {MAX_DEPTH} deep, or holding itself")
        if type(value) is self.kind:
            return value if at.way == "load" or is_registered(self.kind) else self._lower(value, at)
        if at.way == "load" and (type(value) in self.stored or not self.stored):
            return self._lift(value, at)
        raise self.mismatch(value, at)

    @abstractmethod
    def _lower(self, value: Any, at: Place) -> Any:
        """Return the plainer form of an instance."""

    @abstractmethod
    def _lift(self, stored: Any, at: Place) -> Any:
        """Return the instance of a plainer form."""


class EnumShape(ClassShape):
    """Members of an Enum, by their values."""

    def __init__(self, kind: type[Enum]) -> None:
        super().__init__(kind)
        self.stored = frozenset(type(member._value_) for member in kind)

    @override
    def _lower(self, value: Any, at: Place) -> Any:
        return value._value_

    def _lift(self, stored: Any, at: Place) -> Any:
        try:
            return self.kind(stored)
        except ValueError:
            raise MismatchError(at, f"not the value of a {self.expected}") from None


class FieldsShape(ClassShape):
    """Instances of a class that is its fields, as the dict of them."""

    def __init__(self, kind: type) -> None:
        super().__init__(kind)
        self.fields: Mapping[str, Shape] = {}

    def _lower(self, value: Any, at: Place) -> dict[str, Any]:
        try:
            return self._walked(take_apart(value), at)
        except EncodeError as error:
            raise MismatchError(at, str(error)) from None

    def _lift(self, stored: dict[Any, Any], at: Place) -> Any:
        if not stored.keys() <= self.fields.keys():
            raise MismatchError(at, f"a field is stored that {self.expected} does not have")
        fields = self._walked(stored, at)
        try:
            return build(self.kind, fields)
        except Exception as error:  # noqa: BLE001 - a constructor may raise anything
            raise MismatchError(at, f"{self.expected}(...) raises {type(error).__name__}") from None

    def _walked(self, fields: Mapping[str, Any], at: Place) -> dict[str, Any]:
        return {name: self.fields[name].walk(value, at.inside(name)) for name, value in fields.items()}


class ModelShape(ClassShape):
    """Instances of a pydantic model, as what ``model_dump`` gives: a dict, for a root model its root."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind)
        self.stored = frozenset() if kind.__pydantic_root_model__ else self.stored

    def _lower(self, value: Any, at: Place) -> Any:
        try:
            stored = value.model_dump(by_alias=True, round_trip=True, warnings=False)
        except ValueError as error:
            raise MismatchError(at, f"{self.expected}.model_dump raises {type(error).__name__}") from None
        if not same(self.walk(stored, at._replace(way="load")), value):
            raise MismatchError(at, f"{self.expected} validated again is another value")
        return stored

    def _lift(self, stored: Any, at: Place) -> Any:
        try:
            return self.kind.model_validate(stored)
        except ValueError as error:
            raise MismatchError(at, f"not a valid {self.expected} ({type(error).__name__})") from None


class TypedDictShape(Shape):
    """A dict with declared keys, stored as it is."""

    stored = frozenset({dict})

    def __init__(self, kind: Any) -> None:
        self.expected = kind.__name__
        self.required: frozenset[str] = frozenset()
        self.fields: Mapping[str, Shape] = {}

    def walk(self, value: Any, at: Place) -> Any:
        if builtin_type(type(value)) is not dict:
            raise self.mismatch(value, at)
        if not self.required <= value.keys() <= self.fields.keys():
            raise MismatchError(at, f"a key that {self.expected} does not have, or lacks one it requires")
        return {key: self.fields[key].walk(item, at.inside(key)) for key, item in value.items()}

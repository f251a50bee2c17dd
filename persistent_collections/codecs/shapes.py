"""Declared types at work: each shape checks values of one annotation on their way into the store and out of it.

On the way in (``"store"``) a shape gives what the codec is to write; on the way out (``"load"``) it takes what the
codec has read, registered types and references already themselves, and gives the value. Most shapes only look; an
*opaque* one changes the value, as it stores a class that is not registered in plainer form.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from typing_extensions import override

from persistent_collections.annotations import shown
from persistent_collections.codecs.classes import same
from persistent_collections.codecs.constraints import Constraint
from persistent_collections.codecs.lowering import KEYS, Path, show
from persistent_collections.codecs.types import builtin_type
from persistent_collections.spelling import listed


class Place(NamedTuple):
    """Where a walk is, and which way it goes."""

    way: Literal["store", "load"]
    path: Path = ()

    def inside(self, step: object) -> Place:
        return Place(self.way, (*self.path, step))


class MismatchError(Exception):
    """A value is not of the declared type; the codec says it as an error of its own."""

    def __init__(self, at: Place, problem: str, remedy: str = "") -> None:
        super().__init__(f"{show(at.path)}: {problem}, as declared{remedy}")
        self.depth = len(at.path)


class Shape(ABC):
    """What one annotation allows.

    Attributes:
        expected: How an error names it.
        stored: The types of what is stored; empty where that can be any.
        passed: The types whose instances, all of them, pass as they are.
        opaque: Whether what is stored is another value than the one given.
    """

    expected: str
    stored: frozenset[type] = frozenset()
    passed: frozenset[type] = frozenset()
    opaque: bool = False

    @abstractmethod
    def walk(self, value: Any, at: Place) -> Any:
        """Return ``value`` on its way into the store or out of it.

        Raises:
            MismatchError: It is not of this shape.
        """

    def passes(self, values: Iterable[Any]) -> bool:
        """Say, at the speed of C, whether all ``values`` surely pass as they are."""
        return self.passed.issuperset(map(type, values))

    def mismatch(self, value: Any, at: Place) -> MismatchError:
        found = "None" if value is None else shown(type(value))
        return MismatchError(at, f"expected {self.expected}, not {found}", self.remedy(value))

    def remedy(self, value: Any) -> str:
        """Return what to do about a value that is not of this shape, as the end of a sentence, if that is known."""
        if value is not None:
            return ""
        return f"; declare it {self.expected if self.expected.isidentifier() else '…'} | None to allow None"


class AnyShape(Shape):
    """Everything the codec holds."""

    expected = "anything"

    @override
    def walk(self, value: Any, at: Place) -> Any:
        return value

    @override
    def passes(self, values: Iterable[Any]) -> bool:
        return True


class ExactShape(Shape):
    """Instances of one type that the codecs hold, not of its subclasses."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.expected = "None" if kind is type(None) else kind.__name__
        self.stored = self.passed = frozenset({kind})

    def walk(self, value: Any, at: Place) -> Any:
        if builtin_type(type(value)) is not self.kind:
            raise self.mismatch(value, at)
        return value


class FloatShape(Shape):
    """Floats; an int becomes one if it is exactly one."""

    expected = "float"
    stored = frozenset({float, int})
    passed = frozenset({float})

    def walk(self, value: Any, at: Place) -> Any:
        if type(value) is float:
            return value
        if type(value) is not int or abs(value) > sys.float_info.max or int(float(value)) != value:
            raise self.mismatch(value, at)
        return float(value)


class LiteralShape(Shape):
    """One of some values, of the same type too."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = {(type(value), value) for value in values}
        self.expected = f"one of {listed(values)}"
        self.stored = frozenset(map(type, values))

    def walk(self, value: Any, at: Place) -> Any:
        if type(value) not in self.stored:
            raise self.mismatch(value, at)
        if (type(value), value) not in self._values:
            raise MismatchError(at, f"expected {self.expected}, not another {type(value).__name__}")
        return value


class ItemsShape(Shape):
    """A list, set, frozenset or tuple of any length."""

    def __init__(self, kind: Callable[[list[Any]], Any], items: Shape) -> None:
        self.items = items
        self._kind = ExactShape(kind)  # type: ignore[arg-type] # a type is what makes one of a list, too
        self._make = kind
        self.expected, self.stored, self.opaque = self._kind.expected, self._kind.stored, items.opaque

    def walk(self, value: Any, at: Place) -> Any:
        self._kind.walk(value, at)
        if self.items.passes(value):
            return value
        return self._make([self.items.walk(item, at.inside(index)) for index, item in enumerate(value)])


class TupleShape(Shape):
    """A tuple with one shape a place."""

    stored = frozenset({tuple})

    def __init__(self, items: Sequence[Shape]) -> None:
        self.items = items
        self.expected = f"tuple of {len(items)}"
        self.opaque = any(item.opaque for item in items)

    def walk(self, value: Any, at: Place) -> Any:
        if type(value) is not tuple or len(value) != len(self.items):
            raise self.mismatch(value, at)
        pairs = zip(self.items, value, strict=True)
        return tuple(shape.walk(item, at.inside(index)) for index, (shape, item) in enumerate(pairs))


class DictShape(Shape):
    """A dict."""

    expected = "dict"
    stored = frozenset({dict})

    def __init__(self, keys: Shape, items: Shape) -> None:
        self._keys, self._items = keys, items
        self.opaque = keys.opaque or items.opaque

    def walk(self, value: Any, at: Place) -> Any:
        if builtin_type(type(value)) is not dict:
            raise self.mismatch(value, at)
        if self._keys.passes(value) and self._items.passes(value.values()):
            return value
        return {
            self._keys.walk(key, at.inside(KEYS)): self._items.walk(item, at.inside(key)) for key, item in value.items()
        }


class UnionShape(Shape):
    """One of several shapes: the first in which the value stays what it is, else the first that fits."""

    def __init__(self, members: Sequence[Shape]) -> None:
        self.members = members
        self.expected = " or ".join(member.expected for member in members)
        self.stored = frozenset[type]().union(*(member.stored for member in members))
        self.passed = frozenset[type]().union(*(member.passed for member in members))
        self.opaque = any(member.opaque for member in members)

    def walk(self, value: Any, at: Place) -> Any:
        if type(value) in self.passed:
            return value
        closest, fitting = self.mismatch(value, at), []
        for member in self.members:
            try:
                walked = member.walk(value, at)
            except MismatchError as error:
                closest = max(closest, error, key=lambda mismatch: mismatch.depth)
                continue
            if same(walked, value):
                return walked
            fitting.append(walked)
        if fitting:
            return fitting[0]
        raise closest

    @override
    def remedy(self, value: Any) -> str:
        return next(filter(None, (member.remedy(value) for member in self.members)), "")


class ConstrainedShape(Shape):
    """Another shape whose values meet a constraint."""

    def __init__(self, shape: Shape, constraint: Constraint) -> None:
        self._shape, self._constraint = shape, constraint
        self.expected, self.stored, self.opaque = shape.expected, shape.stored, shape.opaque

    def walk(self, value: Any, at: Place) -> Any:
        walked = self._shape.walk(value, at)
        problem = self._constraint(value if at.way == "store" else walked)
        if problem is not None:
            raise MismatchError(at, problem)
        return walked

"""Checks of declared types: each check handles values of one annotation when they are stored and loaded.

For ``"store"`` a check returns the value that the codec writes; for ``"load"`` it receives the
value that the codec has read, with registered types and references decoded, and returns the final value. Most checks
only test; an *opaque* one changes the value, as it stores an unregistered class in plainer form.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec
from typing_extensions import override

from persistent_collections.annotations import shown
from persistent_collections.codecs.declared.constraints import Constraint
from persistent_collections.codecs.types.classes import same
from persistent_collections.codecs.types.lowering import KEYS, MAX_DEPTH, Path, show
from persistent_collections.codecs.types.registry import builtin_type
from persistent_collections.suggestions import listed


class Location(msgspec.Struct, frozen=True):
    """The position and direction of a walk."""

    way: Literal["store", "load"]
    path: Path = ()

    def inside(self, step: object) -> Location:
        return Location(self.way, (*self.path, step))


class MismatchError(Exception):
    """A value is not of the declared type; the codec raises its own error for it.

    Attributes:
        at: The position.
        problem: The fault.
        remedy: The remedy, as the end of a sentence; empty if unknown.
        depth: The depth of the position.
    """

    def __init__(self, at: Location, problem: str, remedy: str = "") -> None:
        super().__init__(at, problem, remedy)
        self.at, self.problem, self.remedy = at, problem, remedy
        self.depth = len(at.path)

    def __str__(self) -> str:
        return f"{show(self.at.path)}: {self.problem}, as declared{self.remedy}"


class TooDeepError(MismatchError):
    """A value is nested deeper than the limit, whatever its declared type."""

    def __init__(self, at: Location) -> None:
        super().__init__(Location(at.way, at.path[:3]), f"nested more than {MAX_DEPTH} deep, or holding itself")
        self.depth = sys.maxsize


class Check(ABC):
    """The values that one annotation allows.

    Attributes:
        expected: How an error names it.
        stored: The types of the stored form; empty if any is possible.
        passed: The types whose instances all pass unchanged.
        opaque: Whether the stored value differs from the passed one.
    """

    expected: str
    stored: frozenset[type] = frozenset()
    passed: frozenset[type] = frozenset()
    opaque: bool = False

    @abstractmethod
    def walk(self, value: Any, at: Location) -> Any:
        """Return ``value`` converted for storing or loading.

        Raises:
            MismatchError: It doesn't match this check.
        """

    def passes(self, values: Iterable[Any]) -> bool:
        """Return, at the speed of C, whether all ``values`` surely pass unchanged."""
        return self.passed.issuperset(map(type, values))

    def mismatch(self, value: Any, at: Location) -> MismatchError:
        found = "None" if value is None else shown(type(value))
        if found in self.expected.split(" or "):
            found = f"another class {type(value).__module__}.{found}, such as one that was defined again"
        return MismatchError(at, f"expected {self.expected}, not {found}", self.remedy(value))

    def remedy(self, value: Any) -> str:
        """Return the remedy for a value that doesn't match, as the end of a sentence, if known."""
        if value is not None:
            return ""
        return f"; declare it {self.expected if self.expected.isidentifier() else '…'} | None to allow None"


class AnyCheck(Check):
    """Any value that the codec can encode."""

    expected = "anything"

    @override
    def walk(self, value: Any, at: Location) -> Any:
        return value

    @override
    def passes(self, values: Iterable[Any]) -> bool:
        return True


class LaterCheck(Check):
    """An alias inside itself: a placeholder for the check being built."""

    opaque = True

    def __init__(self, name: str) -> None:
        self.expected = name
        self.target: Check = self

    @override
    def walk(self, value: Any, at: Location) -> Any:
        if len(at.path) > MAX_DEPTH:
            raise TooDeepError(at)
        return self.target.walk(value, at)

    @override
    def passes(self, values: Iterable[Any]) -> bool:
        return self.target.passes(values)


class ExactCheck(Check):
    """Instances of exactly one type that the codecs can encode, not of its subclasses."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.expected = "None" if kind is type(None) else kind.__name__
        self.stored = self.passed = frozenset({kind})

    def walk(self, value: Any, at: Location) -> Any:
        if builtin_type(type(value)) is not self.kind:
            raise self.mismatch(value, at)
        return value


class FloatCheck(Check):
    """Floats; an int becomes a float if it is exactly equal to one."""

    expected = "float"
    stored = frozenset({float, int})
    passed = frozenset({float})

    def walk(self, value: Any, at: Location) -> Any:
        if type(value) is float:
            return value
        if type(value) is not int or abs(value) > sys.float_info.max or int(float(value)) != value:
            raise self.mismatch(value, at)
        return float(value)


class LiteralCheck(Check):
    """One of some values, with the same type as well."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = {(type(value), value) for value in values}
        self.expected = f"one of {listed(values)}"
        self.stored = frozenset(map(type, values))

    def walk(self, value: Any, at: Location) -> Any:
        if type(value) not in self.stored:
            raise self.mismatch(value, at)
        if (type(value), value) not in self._values:
            raise MismatchError(at, f"expected {self.expected}, not another {type(value).__name__}")
        return value


class ItemsCheck(Check):
    """A list, set, frozenset or tuple of any length."""

    def __init__(self, kind: Callable[[list[Any]], Any], items: Check) -> None:
        self.items = items
        self._kind = ExactCheck(kind)  # type: ignore[arg-type] # a type is what makes one of a list, too
        self._make = kind
        self.expected, self.stored, self.opaque = self._kind.expected, self._kind.stored, items.opaque

    def walk(self, value: Any, at: Location) -> Any:
        self._kind.walk(value, at)
        if self.items.passes(value):
            return value
        return self._make([self.items.walk(item, at.inside(index)) for index, item in enumerate(value)])


class TupleCheck(Check):
    """A tuple with one check per item."""

    stored = frozenset({tuple})

    def __init__(self, items: Sequence[Check]) -> None:
        self.items = items
        self.expected = f"tuple of {len(items)}"
        self.opaque = any(item.opaque for item in items)

    def walk(self, value: Any, at: Location) -> Any:
        if type(value) is not tuple or len(value) != len(self.items):
            raise self.mismatch(value, at)
        pairs = zip(self.items, value, strict=True)
        return tuple(check.walk(item, at.inside(index)) for index, (check, item) in enumerate(pairs))


class DictCheck(Check):
    """A dict."""

    expected = "dict"
    stored = frozenset({dict})

    def __init__(self, keys: Check, items: Check) -> None:
        self._keys, self._items = keys, items
        self.opaque = keys.opaque or items.opaque

    def walk(self, value: Any, at: Location) -> Any:
        if builtin_type(type(value)) is not dict:
            raise self.mismatch(value, at)
        if self._keys.passes(value) and self._items.passes(value.values()):
            return value
        return {
            self._keys.walk(key, at.inside(KEYS)): self._items.walk(item, at.inside(key)) for key, item in value.items()
        }


class UnionCheck(Check):
    """One of several checks: the first that leaves the value unchanged, else the first that fits."""

    def __init__(self, members: Sequence[Check]) -> None:
        self.members = members
        self.expected = " or ".join(member.expected for member in members)
        self.stored = frozenset[type]().union(*(member.stored for member in members))
        self.passed = frozenset[type]().union(*(member.passed for member in members))
        self.opaque = any(member.opaque for member in members)

    def walk(self, value: Any, at: Location) -> Any:
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


class ConstrainedCheck(Check):
    """Another check whose values meet a constraint."""

    def __init__(self, check: Check, constraint: Constraint) -> None:
        self._check, self._constraint = check, constraint
        self.expected, self.stored, self.opaque = check.expected, check.stored, check.opaque

    def walk(self, value: Any, at: Location) -> Any:
        walked = self._check.walk(value, at)
        problem = self._constraint(value if at.way == "store" else walked)
        if problem is not None:
            raise MismatchError(at, problem)
        return walked

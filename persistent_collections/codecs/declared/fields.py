"""The fields of a stored class, read as older and newer versions of that class wrote them.

An added field takes its default, a removed one is skipped, and a renamed one is read by its former name. Any other
difference is an error that names the field and shows the line to write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from persistent_collections.annotations import shown
from persistent_collections.codecs.declared.checks import Check, Location, MismatchError
from persistent_collections.marks import formerly


class FormerField(msgspec.Struct, frozen=True):
    """A name that a field was stored under.

    Attributes:
        name: The field's name now.
        check: The check of its former values; None if they are used as the codec has read them.
        mark: The mark that declares it, and its conversion.
    """

    name: str
    check: Check | None
    mark: formerly

    def read(self, stored: Any, at: Location) -> Any:
        value = stored if self.check is None else self.check.walk(stored, at)
        try:
            return self.mark.converted(value)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            raise MismatchError(at, f"its conversion to {self.name!r} raises {type(error).__name__}") from None


class StoredFields:
    """The fields of one class.

    Args:
        owner: The class's name.
        checks: Their checks, by name.
        required: The names of those without a default.
        former: The former names of each field, the latest first.
        optional: The advice on how to make a field optional in the store.
    """

    def __init__(
        self,
        owner: str,
        checks: Mapping[str, Check],
        required: Collection[str] = (),
        former: Mapping[str, FormerField] | None = None,
        optional: str = "give it a default",
    ) -> None:
        self.checks = checks
        self._optional = optional
        self._owner, self._former = owner, former or {}
        self._required = [name for name in checks if name in required]
        self._known = self.checks.keys() | self._former.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.checks)

    def lower(self, fields: Mapping[str, Any], at: Location) -> dict[str, Any]:
        """Return the stored form of the fields of an instance."""
        return {name: self.checks[name].walk(value, at.inside(name)) for name, value in fields.items()}

    def lift(self, stored: Mapping[Any, Any], at: Location) -> dict[str, Any]:
        """Return the fields of an instance from their stored form.

        Raises:
            MismatchError: A field has neither a value that fits nor a default.
        """
        self._require_one(stored, at)
        found = {name: self._lift(name, value, at) for name, value in stored.items() if name in self.checks}
        for former, field in self._former.items():
            if former in stored:
                found[field.name] = self._converted(field, stored[former], at.inside(former))
        if missing := [name for name in self._required if name not in found]:
            problem = f"the field {missing[0]!r} of {self._owner} is not stored here"
            raise MismatchError(at, problem, f"; {self._optional}, or {self._renamed(missing[0])}")
        return found

    def _require_one(self, stored: Mapping[Any, Any], at: Location) -> None:
        if stored and self.checks and not stored.keys() & self._known:
            remedy = self._renamed(next(iter(self.checks)))
            raise MismatchError(at, f"no field of {self._owner} is stored here", f"; {remedy}")

    def _lift(self, name: str, stored: Any, at: Location) -> Any:
        inside = at.inside(name)
        try:
            return self.checks[name].walk(stored, inside)
        except MismatchError as error:
            if error.at.path == inside.path and not error.remedy:
                error.remedy = retyped(name, self.checks[name].expected, stored)
            raise

    def _converted(self, field: FormerField, stored: Any, at: Location) -> Any:
        value = field.read(stored, at)
        if field.mark.convert is not None:
            self.checks[field.name].walk(value, Location("store", at.path))
        return value

    def _renamed(self, name: str) -> str:
        return renamed(name, self.checks[name].expected)


def renamed(name: str, expected: str) -> str:
    """Return the remedy for a field that is stored under an unknown name."""
    return f"if it had another name, write {name}: Annotated[{_written(expected)}, formerly('old_name')]"


def retyped(name: str, expected: str, stored: Any) -> str:
    """Return the remedy for a field that was declared as another type, as the end of a sentence."""
    before = shown(type(stored))
    return (
        f"; if its type has changed, give it a new name: "
        f"new_{name}: Annotated[{_written(expected)}, formerly({name!r}, {before}, convert)]"
    )


def _written(expected: str) -> str:
    return expected if expected.isidentifier() else "…"

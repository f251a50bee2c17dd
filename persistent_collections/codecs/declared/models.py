"""The check of pydantic's models; pydantic is not imported here, but by whoever declares one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from typing_extensions import override

from persistent_collections.codecs.declared.checks import Location, MismatchError
from persistent_collections.codecs.declared.class_checks import ClassCheck
from persistent_collections.codecs.declared.fields import FormerField, renamed, retyped
from persistent_collections.codecs.types.classes import same

UNSET: Final = "$unset"
"""The key, beside the fields of a model, of the fields that were not set but have their defaults, at any depth."""

_ROOT: Final = "$root"
"""The key of a root model's value if unset fields of a model in it are noted beside it."""

_UNIONS: Final = (Union, UnionType)


class ModelCheck(ClassCheck):
    """Instances of a pydantic model, as the result of ``model_dump``: a dict, for a root model its root.

    Attributes:
        former: The former names of fields, by model: of this model and of the models in its fields.
    """

    def __init__(self, kind: Any) -> None:
        super().__init__(kind)
        self.former: Mapping[Any, Mapping[str, FormerField]] = {}
        self.stored = frozenset() if kind.__pydantic_root_model__ else self.stored

    @override
    def _lower(self, value: Any, at: Location) -> Any:
        try:
            stored = value.model_dump(by_alias=True, round_trip=True, warnings=False)
        except ValueError as error:
            raise MismatchError(at, f"{self.expected}.model_dump raises {type(error).__name__}") from None
        if unset := list(_unset(value, ())):
            named = {_ROOT: stored} if self.kind.__pydantic_root_model__ else stored
            if UNSET in named:
                raise MismatchError(at, f"{self.expected} has a field {UNSET!r}, which is a reserved name")
            stored = {**named, UNSET: unset}
        if not same(self.walk(stored, Location("load", at.path)), value):
            raise MismatchError(
                at,
                f"validating {self.expected} again returns another value",
                "; check its validators and private attributes",
            )
        return stored

    def _lift(self, stored: Any, at: Location) -> Any:
        unset: Sequence[Any] = ()
        if type(stored) is dict and type(stored.get(UNSET)) is list:
            unset = stored[UNSET]
            stored = {name: value for name, value in stored.items() if name != UNSET}
            stored = stored.get(_ROOT) if self.kind.__pydantic_root_model__ else stored
        if self.former:
            stored = self._renamed(self.kind, stored, at)
        value = self._validated(stored, at)
        for path in unset:
            _forget(value, path if type(path) is list else [path])
        return value

    def _validated(self, stored: Any, at: Location) -> Any:
        """Return the model of a stored form; removed fields are skipped, even if the model forbids extra fields."""
        try:
            return self.kind.model_validate(stored)
        except ValueError as error:
            problem = error
        errors = _errors(problem)
        others = [found for found in errors if found["type"] != "extra_forbidden"]
        try:
            if others or not errors:
                raise problem
            for surplus in errors:
                stored = _without(stored, surplus["loc"])
            return self.kind.model_validate(stored)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise self._invalid(stored, problem, others, at) from None

    def _invalid(self, stored: Any, problem: ValueError, errors: list[Any], at: Location) -> MismatchError:
        """Return the error about the first field that does not fit; pydantic's own message may show the value."""
        fields = {info.alias or name for name, info in self.kind.model_fields.items()}
        name, *inside = errors[0]["loc"] or (None,) if errors else (None,)
        text = f"not a valid {self.expected} ({type(problem).__name__})"
        if name not in fields or type(name) is not str:
            return MismatchError(at, text)
        if errors[0]["type"] == "missing" and not inside:
            remedy = f"; give it a default, or {renamed(name, '')}"
            return MismatchError(at, f"{text}: its field {name!r} is not stored here", remedy)
        remedy = "" if inside else retyped(name, "", stored[name])
        return MismatchError(at, f"{text}: its field {name!r} ({errors[0]['type']})", remedy)

    def _renamed(self, kind: Any, stored: Any, at: Location) -> Any:
        """Return the stored form of a model with its fields, and those of nested models, under their current names."""
        if type(stored) is not dict:
            return stored
        former = self.former.get(kind, {})
        found = {name: value for name, value in stored.items() if name not in former}
        for name, field in former.items():
            if name in stored:
                found[field.name] = field.read(stored[name], at.inside(name))
        for name, info in kind.model_fields.items():
            key = info.serialization_alias or name
            if key in found:
                found[key] = self._inside(info.annotation, found[key], at.inside(key))
        return found

    def _inside(self, declared: Any, stored: Any, at: Location) -> Any:
        """Return the stored form of a pydantic annotation, with the fields of each nested model renamed."""
        if is_model(declared):
            return self._renamed(declared, stored, at)
        members = [part for part in get_args(declared) if any(models_in(part))]
        if len(members) != 1:
            return stored
        if get_origin(declared) in _UNIONS:
            return self._inside(members[0], stored, at)
        if type(stored) is dict:
            return {key: self._inside(members[0], item, at.inside(key)) for key, item in stored.items()}
        if type(stored) in (list, tuple):
            return type(stored)(self._inside(members[0], item, at.inside(place)) for place, item in enumerate(stored))
        return stored


def is_model(declared: Any) -> bool:
    """Return whether an annotation is a class of pydantic's models."""
    return isinstance(declared, type) and hasattr(declared, "__pydantic_root_model__")


def models_in(declared: Any) -> Iterator[Any]:
    """Yield the models in an annotation, at any depth, without those in their fields."""
    if is_model(declared):
        yield declared
    for part in get_args(declared):
        yield from models_in(part)


def _errors(problem: Any) -> list[Any]:
    """Return pydantic's findings, if pydantic raised the error."""
    if not hasattr(problem, "errors"):
        return []
    errors: list[Any] = problem.errors(include_url=False, include_context=False, include_input=False)
    return errors


def _unset(value: Any, path: tuple[Any, ...]) -> Iterator[Any]:
    """Yield the paths of the fields that were not set; only a name if it is the model's own."""
    if is_model(type(value)):
        for name, info in type(value).model_fields.items():
            key = info.serialization_alias or name
            if name not in value.model_fields_set:
                yield [*path, key] if path else key
            yield from _unset(getattr(value, name), (*path, key))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unset(item, (*path, key))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _unset(item, (*path, place))


def _forget(value: Any, path: Sequence[Any]) -> None:
    """Mark the field at a path as not set; the class may no longer have it."""
    try:
        *way, last = path
        for step in way:
            value = getattr(value, _field_names(value)[step]) if is_model(type(value)) else value[step]
        if is_model(type(value)):
            value.model_fields_set.discard(_field_names(value)[last])
    except (LookupError, TypeError, ValueError):
        pass


def _field_names(model: Any) -> dict[str, str]:
    return {info.serialization_alias or name: name for name, info in type(model).model_fields.items()}


def _without(stored: Any, path: Sequence[Any]) -> Any:
    """Return the stored form without the entry at a path."""
    step, *rest = path
    copy = stored.copy()
    if rest:
        copy[step] = _without(stored[step], rest)
    else:
        del copy[step]
    return copy

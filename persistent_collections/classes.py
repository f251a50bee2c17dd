"""The classes of persistent objects, by the type name that their keys start with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final
from weakref import ref

_known: Final[dict[str, _Place]] = {}
redefinitions = 0
"""The number of classes that replaced another of their name; names in annotations may refer to others since."""


class _Place(ref[type[Any]]):
    """A weak reference to a class: some programs create thousands of classes, for each request or table."""

    __slots__ = ("is_record", "type_name")
    is_record: bool
    type_name: str


def _forget(place: _Place) -> None:
    if _known.get(place.type_name) is place:
        del _known[place.type_name]


def find(type_name: str) -> type[Any] | None:
    """Return the class whose objects have this type name; None if none was imported, or it was dropped since."""
    place = _known.get(type_name)
    return None if place is None else place()


def spelt(type_name: str) -> str:
    """Return the name of the class with this type name, as code spells it; the type name itself if none is known."""
    cls = find(type_name)
    return type_name if cls is None else cls.__name__


def every() -> dict[str, type[Any]]:
    """Return every class whose objects can be read back from a reference, by type name."""
    return {name: cls for name, place in _known.copy().items() if (cls := place()) is not None}


def register(cls: type[Any], type_name: str, *, is_record: bool) -> None:
    """Register ``cls``, so that references to its objects can be read; it replaces a class of the same name.

    A file that is both run and imported is two modules, ``__main__`` and ``app``, with two classes of one definition.
    The later one replaces the earlier one, as when a cell of a notebook is run again.

    Raises:
        TypeError: A class of another module has the type name.
    """
    namesake = find(type_name)
    if (
        namesake is not None
        and namesake.__module__ != cls.__module__
        and "<locals>" not in "".join((*_names(namesake), *_names(cls)))
        and not is_one_definition(namesake, cls)
    ):
        raise TypeError(
            f"{namesake.__module__}.{namesake.__qualname__} and {cls.__module__}.{cls.__qualname__} both claim the "
            f"type name {type_name!r}; give one of them another name: class {cls.__name__}(…, name=…)"
        )
    place = _Place(cls, _forget)
    place.type_name, place.is_record = type_name, is_record
    _known[type_name] = place
    if namesake is not None:
        global redefinitions  # noqa: PLW0603 - counts the changes of _known, which is global too
        redefinitions += 1


def is_one_definition(one: type[Any], other: type[Any]) -> bool:
    """Return whether two classes are defined by the same lines of one file, in one module or two."""
    files = {_file(cls.__module__) for cls in (one, other)}
    is_one_module = one.__module__ == other.__module__ or (len(files) == 1 and None not in files)
    return one.__qualname__ == other.__qualname__ and is_one_module


def _file(module: str) -> Path | None:
    name = getattr(sys.modules.get(module), "__file__", None)
    return None if name is None else Path(name).resolve()


def _names(cls: type[Any]) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def is_record(type_name: str) -> bool:
    """Return whether ``type_name`` is that of a record class."""
    place = _known.get(type_name)
    return place is not None and place.is_record

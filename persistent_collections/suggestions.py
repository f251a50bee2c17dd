"""The hint of an error about an unknown name: the probable one, or the existing ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NoReturn, TypeVar

C = TypeVar("C", bound=type)

_LISTED: Final = 12
_SOME: Final = 10

_ELSEWHERE: Final = {
    "all": "iterate over it",
    "count": "find().count(), or count() of the class",
    "delete": "call delete() of each record",
    "exists": "find(field=value).first() is None if no record matches",
    "filter": "find(field=value) takes all conditions",
    "first": "find().first()",
    "get": "find(field=value).one(), or load(id) of the class",
    "limit": "find().limit(20)",
    "offset": "find().limit(20).after(token) returns the next page",
    "one": "find(field=value).one()",
    "order_by": "find().order_by('field')",
    "update": "call update() of each record",
}
"""Methods that queries of other libraries have, and what to write here."""


class _Elsewhere:
    """An attribute that does not exist; its error names what to write."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}; {_ELSEWHERE[self._name]}")


def with_hints(cls: C) -> C:
    """Let the error of a method that ``cls`` lacks, but that queries of other libraries have, say what to write."""
    for name in _ELSEWHERE.keys() - dir(cls):
        setattr(cls, name, _Elsewhere(name))
    return cls


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of an error's sentence: the known name that differs by a typo, else the nearest ones, sorted."""
    from difflib import get_close_matches  # noqa: PLC0415 - it takes long, and few need it

    names = sorted(known)
    few_letters_off = max(0.75, 1 - 2 / max(len(name), 1))
    near = get_close_matches(name, names, n=1, cutoff=few_letters_off)
    if near:
        return f"did you mean {near[0]!r}?"
    nearest = sorted(get_close_matches(name, names, n=_LISTED, cutoff=0))
    return f"known: {listed(nearest)}{', …' if len(names) > _LISTED else ''}"


def listed(values: Iterable[object]) -> str:
    """Return some values as a list in words, with no more than fit into a message."""
    shown = [repr(value) for value in values]
    return ", ".join([*shown[:_LISTED], *(["…"] if len(shown) > _LISTED else [])])


def some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - _SOME} more" if len(names) > _SOME else ""
    return ", ".join(names[:_SOME]) + more

"""The hint of an error about an unknown name: the probable one, or the existing ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_LISTED: Final = 12
_SOME: Final = 10


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

"""What an error says of a name that is not known: the one that was meant, or those there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_LISTED: Final = 12


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of an error's sentence: the known name that is a slip away, else the known ones, nearest first."""
    names = sorted(known)
    few_letters_off = max(0.75, 1 - 2 / max(len(name), 1))
    near = get_close_matches(name, names, n=1, cutoff=few_letters_off)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {listed(get_close_matches(name, names, n=len(names) or 1, cutoff=0))}"


def listed(values: Iterable[object]) -> str:
    """Return some values one after the other, not more than fit into a message."""
    shown = [repr(value) for value in values]
    return ", ".join([*shown[:_LISTED], *(["…"] if len(shown) > _LISTED else [])])

"""Distinctions that a medium lacks: in JSON, a set and a list are both arrays."""

from __future__ import annotations

from contextlib import suppress

from persistent_collections.backends.keys import Content
from persistent_collections.backends.shapes import Shape, shape_of


def reshaped(content: Content, shape: Shape, medium: str) -> Content | None:
    """Return ``content`` as ``shape``, None if it has another shape.

    Raises:
        ValueError: It is an array with a repeated item, which isn't a set.
    """
    found = shape_of(content)
    if found is shape:
        return content
    return shape.from_twin(content) if is_alike(found, shape, medium) else None


def is_alike(found: Shape | None, shape: Shape, medium: str) -> bool:
    """Return whether a key that the store reports as ``found`` may hold ``shape``."""
    return found is shape or (medium == "json" and found is not None and shape.twin is found)


def same_content(found: Content, expected: Content, medium: str) -> bool:
    """Return whether ``found`` is the stored form of ``expected`` in a store of ``medium``."""
    with suppress(ValueError):
        return reshaped(found, shape_of(expected), medium) == expected
    return False

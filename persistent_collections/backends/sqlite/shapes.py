"""The SQLite form of each shape: the class ``HANDLE`` of the module of its name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from persistent_collections.backends.shapes import SHAPES, Shape
from persistent_collections.backends.sqlite.handle import Handle

HANDLES: Final[Mapping[Shape, type[Handle]]] = {
    shape: import_module(f"persistent_collections.backends.sqlite.{name}").HANDLE for name, shape in SHAPES.items()
}
"""The handle of each shape."""

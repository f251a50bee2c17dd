"""The handle of each shape in Redis: the class ``HANDLE`` of the module of its name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from persistent_collections.backends import shapes
from persistent_collections.backends.redis.handle import Handle
from persistent_collections.backends.shapes import Shape

HANDLES: Final[Mapping[Shape, type[Handle]]] = {
    shape: import_module(f"persistent_collections.backends.redis.{name}").HANDLE
    for name, shape in shapes.SHAPES.items()
}
"""The handle of each shape."""

SHAPES: Final[Mapping[bytes, Shape]] = {handle.type_name.encode(): shape for shape, handle in HANDLES.items()}
"""The shape of each type of Redis that this package writes."""

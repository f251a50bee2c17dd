from __future__ import annotations

from persistent_collections.backends import SHAPES, Backend, SimpleBackend


def abstract(interface: type) -> int:
    return len(getattr(interface, "__abstractmethods__", ()))


def test_a_full_store_implements_about_40_methods_and_a_simple_one_five() -> None:
    assert abstract(Backend) + sum(abstract(shape.interface) for shape in SHAPES.values()) <= 40
    assert abstract(SimpleBackend) == 5

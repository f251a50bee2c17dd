from __future__ import annotations

from persistent_collections.backends import MAPPING, MEMBERS, SHAPES, Backend, SimpleBackend


def abstract(interface: type) -> int:
    return len(getattr(interface, "__abstractmethods__", ()))


def test_a_full_store_implements_about_40_methods_and_a_simple_one_five() -> None:
    assert abstract(Backend) + sum(abstract(shape.interface) for shape in SHAPES.values()) <= 40
    assert abstract(SimpleBackend) == 5


def test_a_shape_holds_data_in_a_dict_or_a_list_or_has_members() -> None:
    no_members = {shape for shape in SHAPES.values() if shape.members is MAPPING.members}
    assert no_members == {shape for shape in SHAPES.values() if shape.content in (dict, list)}
    assert list(MEMBERS.members({"b", "a"})) == ["a", "b"]

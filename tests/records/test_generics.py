"""Records with type parameters."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import pytest

from persistent_collections import Backend, EncodeError, PersistentList, Record, child
from persistent_collections.backends.keys import Key

T = TypeVar("T")
S = TypeVar("S")


class Carton(Record, Generic[T]):
    label: str
    content: T
    history: PersistentList[T] = child()


class HeavyCarton(Carton[int]):
    weight: float


class CartonShelf(Record):
    carton: Carton[int] | None
    boxes: PersistentList[Carton[int]] = child()


class CartonPair(Record, Generic[T, S]):
    one: T
    other: dict[str, S]


def test_the_parameters_of_a_record_are_the_types_of_its_fields(store: Backend) -> None:
    box = Carton[int]("x", label="a", content=1, history=[1, 2])
    assert (box.content, box.history[:]) == (1, [1, 2])
    wrong: Any = "text"
    with pytest.raises(EncodeError, match="field 'content' of 'Carton:x': value: expected int, not str"):
        box.content = wrong
    with pytest.raises(EncodeError, match="expected int, not str"):
        box.history.append(wrong)
    wrong_values: Any = {"a": 1}
    pair = CartonPair[int, bool]("x", one=1, other={"a": True})
    with pytest.raises(EncodeError, match=r"value\[\"a\"\]: expected bool, not int"):
        pair.other = wrong_values
    assert pair.to_dict() == {"one": 1, "other": {"a": True}}


def test_a_record_without_its_parameters_takes_any_value_and_reads_the_same_bytes(store: Backend) -> None:
    anything: Any = Carton
    loose = anything("x", content="text", history=["a", 2])
    assert Carton[str]("x").content == "text"
    assert loose.history[:] == ["a", 2]
    Carton[str]("y", content="text")
    assert store.mapping(Key("Carton:y")).get("content") == b'"text"', "what stands for the parameter changes no bytes"


def test_a_subclass_gives_the_parameters_of_its_base(store: Backend) -> None:
    crate = HeavyCarton("x", content=3, weight=1)
    assert (crate.content, crate.weight) == (3, 1.0)
    wrong: Any = "text"
    with pytest.raises(EncodeError, match="expected int, not str"):
        crate.content = wrong


def test_a_reference_to_a_record_with_parameters_comes_back_as_one(store: Backend) -> None:
    box = Carton[int]("x", content=1)
    shelf = CartonShelf("s", carton=box, boxes=[box])
    found = shelf.carton
    assert found == box
    assert found is not None
    wrong: Any = "text"
    with pytest.raises(EncodeError, match="expected int, not str"):
        found.content = wrong
    with pytest.raises(EncodeError, match="expected int, not str"):
        shelf.boxes[0].content = wrong
    other: Any = Carton[str]("y", content="text")
    with pytest.raises(EncodeError, match=r"expected Carton\[int\], not Carton\[str\]"):
        shelf.boxes.append(other)


def test_generic_comes_after_the_class_of_ours() -> None:
    with pytest.raises(TypeError, match="must come after"):

        class Wrong(Generic[T], Record):
            pass

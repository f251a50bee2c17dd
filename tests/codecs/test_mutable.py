"""A class that is not frozen is warned of once, where it is declared as the type of a value."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, make_dataclass
from enum import Enum
from typing import Any, NamedTuple, TypedDict

import attrs
import msgspec
import numpy
import pydantic
import pytest

from persistent_collections import MutableValueWarning, PersistentDict, PersistentList, Record, register_type
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.codecs.json import JSONCodec


def mutable_ones() -> list[tuple[Any, str]]:
    """Make anew a class of each kind, with the words that say how to freeze it."""

    @dataclass
    class Data:
        x: int = 0

    @attrs.define
    class Attrs:
        x: int = 0

    class Struct(msgspec.Struct):
        x: int = 0

    class Model(pydantic.BaseModel):
        x: int = 0

    return [
        (Data, r"@dataclass\(frozen=True\)"),
        (Attrs, "@attrs.frozen"),
        (Struct, r"class Struct\(Struct, frozen=True\)"),
        (Model, r"model_config = ConfigDict\(frozen=True\)"),
    ]


@dataclass(frozen=True)
class FrozenData:
    x: int = 0


@attrs.frozen
class FrozenAttrs:
    x: int = 0


class FrozenStruct(msgspec.Struct, frozen=True):
    x: int = 0


class FrozenModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    x: int = 0


class Pair(NamedTuple):
    x: int = 0


class Typed(TypedDict):
    x: int


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize("number", range(4))
def test_a_class_that_is_not_frozen_is_warned_of_once(number: int) -> None:
    kind: Any
    kind, freeze = mutable_ones()[number]
    with pytest.warns(MutableValueWarning, match=rf"{kind.__name__} is not frozen, and a change .*{freeze}; or"):
        JSONCodec().bind(list[kind], None)
    with warnings.catch_warnings(record=True) as shown:
        JSONCodec().bind(kind, None)
    assert not shown


@pytest.mark.parametrize(
    "kind", [FrozenData, FrozenAttrs, FrozenStruct, FrozenModel, Pair, Typed, Colour, dict, list[int]]
)
def test_what_does_not_change_in_place_or_writes_back_is_not_warned_of(kind: Any) -> None:
    JSONCodec().bind(kind, None)


def test_the_warning_is_at_the_line_that_declares_it() -> None:
    def values() -> Any:
        return make_dataclass("Values", [("x", int)], namespace={"__module__": __name__})

    kinds: Any = PersistentDict, PersistentList
    backend = MemoryBackend()
    for declare in (
        lambda: type("ValueHolder", (Record,), {"__annotations__": {"value": values()}, "__module__": __name__}),
        lambda: type(
            "ValueKeeper", (Record,), {"__annotations__": {"value": kinds[1][values()]}, "__module__": __name__}
        ),
        lambda: kinds[0][str, values()]("d", backend=backend).get("x"),
        lambda: kinds[1][values()]("l", backend=backend).copy(),
    ):
        with pytest.warns(MutableValueWarning) as shown:
            declare()
        assert [warning.filename for warning in shown] == [__file__]


def test_a_class_inside_another_and_a_registered_one_are_warned_of() -> None:
    (inner, _), (registered, _) = mutable_ones()[:2]
    outer: Any = make_dataclass("Outer", [("inner", inner)], frozen=True)
    register_type(registered, "test.mutable")
    with pytest.warns(MutableValueWarning, match="Data is not frozen"):
        JSONCodec().bind(outer, None)
    with pytest.warns(MutableValueWarning, match="Attrs is not frozen"):
        JSONCodec().bind(registered, None)


def test_the_filter_that_the_warning_shows_accepts_it() -> None:
    kind, _ = mutable_ones()[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", f"{kind.__qualname__} is not frozen", MutableValueWarning)
        JSONCodec().bind(kind, None)


def test_an_array_of_numpy_is_read_only_and_changed_by_edit() -> None:
    register_type(numpy.ndarray, "test.mutable.array", numpy.ndarray.tolist, numpy.array, replace=True)
    arrays = PersistentDict[str, Any]("arrays", backend=MemoryBackend())
    arrays["a"] = numpy.array([1, 2])
    arrays["b"] = {"inner": [numpy.array([3])]}
    for array in (arrays["a"], arrays["b"]["inner"][0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 7
    with arrays.edit("a") as array:
        array[0] = 7
    assert arrays["a"].tolist() == [7, 2]

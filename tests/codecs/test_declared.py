"""A declared type checks and rebuilds; the bytes are those of the value alone."""

from __future__ import annotations

import enum
import sys
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Final,
    ForwardRef,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from persistent_collections import DecodeError, EncodeError, PersistentDict, PersistentList, Record, register_type
from persistent_collections.annotations import tied
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.msgpack import MsgpackCodec
from tests.codecs.exact import exact
from tests.codecs.people import REFERENCES, Hero, Person, Place, Thing

pytestmark = pytest.mark.filterwarnings("ignore::persistent_collections.MutableValueWarning")
"""The classes here change in place on purpose; test_mutable.py is about the warning."""

T = TypeVar("T")
UserId = NewType("UserId", int)
Names = TypeAliasType("Names", list[str])
Positive = Annotated[int, msgspec.Meta(gt=0)]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Role(enum.StrEnum):
    ADMIN = "admin"


class Odd(enum.Enum):
    A = object()


class Bits(enum.Flag):
    A = 1
    B = 2


class Known(enum.Enum):
    X = 1


register_type(Known, "test.known")


@dataclass
class Point:
    x: int
    y: float = 0.0


@dataclass
class Node:
    value: date
    children: list[Node] = field(default_factory=list)
    colour: Colour | None = None


@dataclass
class Pair(Generic[T]):
    first: T
    rest: list[T]


@dataclass
class Derived:
    base: int
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.base


@dataclass
class Clamped:
    n: int

    def __post_init__(self) -> None:
        self.n = min(self.n, 10)


@dataclass
class NeedsMore:
    a: int
    more: InitVar[int]


class Struct(msgspec.Struct):
    a: int
    when: datetime | None = None


@attrs.frozen
class Attrs:
    _hidden: int
    b: tuple[int, ...] = ()


class Move(NamedTuple):
    start: Point
    name: str = ""


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Model(pydantic.BaseModel):
    name: str
    tags: set[str] = set()
    inner: Model | None = None


class Renamed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    user_name: str = pydantic.Field(alias="userName")


class Rising(pydantic.BaseModel):
    n: int

    @pydantic.field_validator("n")
    @classmethod
    def rise(cls, n: int) -> int:
        return n + 1


class Plain:
    pass


@pytest.fixture(params=[JSONCodec, MsgpackCodec])
def codec(request: pytest.FixtureRequest) -> Codec:
    made: Codec = request.param()
    return made


NOW = datetime(2024, 1, 2, tzinfo=UTC)

HELD: list[tuple[Any, Any]] = [
    (Any, object),
    (object, 1),
    (int, 1),
    (bool, True),
    (float, 1.5),
    (str, "a"),
    (bytes, b"a"),
    (None, None),
    (datetime, NOW),
    (Decimal, Decimal("1.50")),
    (UUID, UUID(int=1)),
    (Path, Path("a/b")),
    (list, [1, "a"]),
    (list[int], [1, 2]),
    (list[Any], [1, (2,)]),
    (list[list[int] | None], [[1], None]),
    (dict, {1: 2}),
    (dict[str, int], {"a": 1}),
    (dict[int, list[str]], {1: ["a"]}),
    (dict[Colour, int], {Colour.RED: 1}),
    (set[int], {1}),
    (set[Colour], {Colour.RED, Colour.BLUE}),
    (frozenset[str], frozenset("a")),
    (tuple, (1, "a")),
    (tuple[()], ()),
    (tuple[int, str], (1, "a")),
    (tuple[float, ...], (1.5, 2.5)),
    (int | None, None),
    (Optional[int], 1),  # noqa: UP045 - the old spelling
    (Union[int, str, bytes], b"a"),  # noqa: UP007 - the old spelling
    (int | float, 1),
    (float | int, 1),
    (bool | int, True),
    (float | Literal[1], 1),
    (str | datetime | UUID | Decimal, NOW),
    (list[int] | tuple[int, ...], (1,)),
    (Literal["a", 1, None], 1),
    (Literal["a"] | int, "a"),
    (Positive, 1),
    (Annotated[list[Positive], msgspec.Meta(max_length=1), "doc"], [1]),
    (Annotated[str, msgspec.Meta(min_length=1)] | None, "a"),
    (UserId, 1),
    (Names, ["a"]),
    (Final[int], 1),
    (T, object()),
    (Colour, Colour.RED),
    (Role, Role.ADMIN),
    (Bits, Bits.A | Bits.B),
    (Known, Known.X),
    (Literal[Known.X], Known.X),
    (Point, Point(1, 2.0)),
    (Point | None, None),
    (list[Point], [Point(1), Point(2)]),
    (tuple[Point, int], (Point(1), 2)),
    (dict[str, Point | int], {"a": Point(1), "b": 2}),
    (Node, Node(date(2024, 1, 1), [Node(date(2024, 1, 2), colour=Colour.RED)])),
    (Pair[int], Pair(1, [2])),
    (Pair[list[Point]], Pair([Point(1)], [[]])),
    (Pair, Pair(Known.X, [1])),
    (Derived, Derived(2)),
    (Struct, Struct(1, NOW)),
    (Attrs, Attrs(1, (2,))),
    (Move, Move(Point(1), "a")),
    (Movie, {"title": "a", "year": 1}),
    (Movie | None, {"title": "a"}),
    (Model, Model(name="a", tags={"b"}, inner=Model(name="c"))),
    (list[Model | int], [Model(name="a"), 1]),
    (Renamed, Renamed(userName="a")),
]


@pytest.mark.parametrize(("declared", "value"), HELD)
def test_a_value_of_the_declared_type_comes_back_as_that_type(codec: Codec, declared: Any, value: Any) -> None:
    if type(value) is object or value is object:
        value = (1, "a")
    bound = codec.bind(declared, None)
    assert exact(bound.decode(bound.encode(value))) == exact(value)


REFUSED: list[tuple[Any, Any, str]] = [
    (int, True, "expected int, not bool"),
    (int, 1.0, "expected int, not float"),
    (int, Colour.RED, "expected int, not Colour"),
    (bool, 1, "expected bool, not int"),
    (str, Role.ADMIN, "expected str, not Role"),
    (None, 0, "expected None, not int"),
    (float, True, "expected float, not bool"),
    (float, 2**53 + 1, "expected float, not int"),
    (float, 10**400, "expected float, not int"),
    (float, Decimal(1), "expected float, not Decimal"),
    (date, NOW, "expected date, not datetime"),
    (list[int], (1,), "expected list, not tuple"),
    (list[int], [1, "a"], r"value\[1\]: expected int, not str"),
    (dict[str, list[int]], {"a": [1, None]}, r'value\["a"\]\[1\]: expected int, not None'),
    (dict[str, int], {1: 1}, r"value\.keys\(\): expected str, not int"),
    (tuple[int, str], (1, "a", 2), "expected tuple of 2"),
    (tuple[int, str], (1, 2), r"value\[1\]: expected str, not int"),
    (tuple[()], (1,), "expected tuple of 0"),
    (tuple[int, ...], [1], "expected tuple, not list"),
    (set[int], {1, "a"}, "expected int, not str"),
    (set[int], frozenset(), "expected set, not frozenset"),
    (int | None, "a", "expected int or None, not str"),
    (list[int] | None, [1, "a"], r"value\[1\]: expected int, not str"),
    (bool | float, "a", "expected bool or float"),
    (Literal["a", 1], True, "expected one of 'a', 1, not bool"),
    (Literal["a", 1], [], "expected one of 'a', 1, not list"),
    (Literal["a", 1], "7331", "expected one of 'a', 1, not another str"),
    (Literal[tuple(range(20))], 20, "expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …, not another int"),
    (int, None, r"expected int, not None, as declared; declare it int \| None to allow None"),
    (int | str, None, r"expected int or str, not None, as declared; declare it int \| None to allow None"),
    (tuple[int, str], None, r"expected tuple of 2, not None, as declared; declare it … \| None to allow None"),
    (Positive, 0, "value: does not meet its constraint"),
    (Annotated[str, msgspec.Meta(max_length=1)], "abc", "value: does not meet its constraint"),
    (list[Positive], [1, -7331], r"value\[1\]: does not meet its constraint"),
    (Colour, "red", "expected Colour, not str"),
    (Role, "admin", "expected Role, not str"),
    (Point, {"x": 1, "y": 2.0}, "expected Point, not dict"),
    (Point, Point("a"), r'value\["x"\]: expected int, not str'),  # type: ignore[arg-type] # as a user may
    (list[Point], [Point(1, None)], r'value\[0\]\["y"\]: expected float, not None'),  # type: ignore[arg-type] # as above
    (Point | None, Point("a"), r'value\["x"\]: expected int, not str'),  # type: ignore[arg-type] # as above
    (Movie, {"year": 1}, "and all that it requires"),
    (Movie, {"title": "a", "other": 1}, "expected only keys of Movie"),
    (Movie, {"title": 1}, r'value\["title"\]: expected str, not int'),
    (Model, {"name": "a"}, "expected Model, not dict"),
    (Rising, Rising(n=1), "validating Rising again returns another value"),
    (Model, Model.model_construct(name=7), r"not a valid Model"),
    (Movie, ["title"], "expected Movie, not list"),
    (frozenset[int], set(), "expected frozenset, not set"),
]


@pytest.mark.parametrize(("declared", "value", "message"), REFUSED)
def test_a_value_of_another_type_is_refused_with_what_was_expected_and_where(
    codec: Codec, declared: Any, value: Any, message: str
) -> None:
    with pytest.raises(EncodeError, match=message) as caught:
        codec.bind(declared, None).encode(value)
    assert ", as declared" in str(caught.value)
    assert "7331" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (int, 1),
        (list[int], [1, 2]),
        (dict[str, float], {"a": 1.5}),
        (tuple[int, ...], (1,)),
        (datetime, NOW),
        (Any, {1}),
    ],
)
def test_the_bytes_depend_on_the_value_not_on_the_declaration(codec: Codec, declared: Any, value: Any) -> None:
    assert codec.bind(declared, None).encode(value) == codec.encode(value)


def test_an_int_given_for_a_float_is_stored_as_one(codec: Codec) -> None:
    assert codec.bind(float, None).encode(1) == codec.encode(1.0)
    assert codec.bind(dict[str, list[float]], None).encode({"a": [1, 2.5]}) == codec.encode({"a": [1.0, 2.5]})
    assert codec.bind(Point, None).encode(Point(1, 2)) == codec.encode({"x": 1, "y": 2.0})
    assert exact(codec.bind(float, None).decode(codec.encode(3))) == exact(3.0)


def test_a_class_that_is_not_registered_is_stored_as_its_fields(codec: Codec) -> None:
    when = datetime(2024, 1, 1)
    assert codec.bind(Struct, None).encode(Struct(1, when)) == codec.encode({"a": 1, "when": when})
    assert codec.bind(Attrs, None).encode(Attrs(1, (2,))) == codec.encode({"_hidden": 1, "b": (2,)})
    assert codec.bind(Move, None).encode(Move(Point(1))) == codec.encode({"start": {"x": 1, "y": 0.0}, "name": ""})
    assert codec.bind(set[Colour], None).encode({Colour.RED}) == codec.encode({"red"})
    assert codec.bind(Model, None).encode(Model(name="a", tags={"b"}, inner=None)) == codec.encode(
        {"name": "a", "tags": {"b"}, "inner": None}
    )


def test_a_class_that_is_registered_is_stored_under_its_tag_declared_or_not(codec: Codec) -> None:
    @dataclass
    class Later:
        x: int

    early = codec.bind(list[Later], None)
    assert early.encode([Later(1)]) == codec.encode([{"x": 1}])
    register_type(Later, f"test.later.{codec.name}")
    for bound in (early, codec.bind(list[Later], None)):
        assert bound.encode([Later(1)]) == codec.encode([Later(1)])
        assert bound.decode(codec.encode([Later(1)])) == [Later(1)]
    assert early.decode(codec.encode([{"x": 1}])) == [Later(1)]


def test_an_instance_its_constructor_would_change_is_refused(codec: Codec) -> None:
    bound = codec.bind(list[Clamped], None)
    changed = Clamped(3)
    changed.n = 99
    with pytest.raises(EncodeError, match=r"^value\[0\]: Clamped\(...\) built from its own fields changes them"):
        bound.encode([changed])
    derived = Derived(1)
    derived.twice = 7
    assert codec.bind(Derived, None).decode(codec.bind(Derived, None).encode(derived)) == derived


@pytest.mark.parametrize(
    ("declared", "stored", "message"),
    [
        (int, "a", "value: expected int, not str"),
        (list[int], [1, True], r"value\[1\]: expected int, not bool"),
        (tuple[int, ...], [1], "expected tuple, not list"),
        (Colour, "green", "not the value of a Colour"),
        (Colour, 1, "expected Colour, not int"),
        (Bits, 1.0, "expected Bits, not float"),
        (Bits, True, "expected Bits, not bool"),
        (Positive, 0, "value: does not meet its constraint"),
        (Point, {"x": "a"}, r'value\["x"\]: expected int, not str'),
        (Point, [1], "expected Point, not list"),
        (Model, {"name": -7331}, r"not a valid Model"),
        (Movie, {}, "the field 'title' of Movie is not stored here, as declared; declare it NotRequired"),
        (Known, 1, "expected Known, not int"),
    ],
)
def test_stored_data_of_another_type_is_a_decode_error(codec: Codec, declared: Any, stored: Any, message: str) -> None:
    with pytest.raises(DecodeError, match=message) as caught:
        codec.bind(declared, None).decode(codec.encode(stored))
    assert "7331" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (Plain, r"register_type\(Plain, …\) first"),
        (list[Plain], r"register_type\(Plain, …\) first"),
        (Point | dict[str, int], "cannot be distinguished"),
        (Point | Struct, "Point and Struct cannot be distinguished when read; register_type"),
        (list[Point] | list[int], "cannot be distinguished"),
        (Colour | str, "cannot be distinguished"),
        (Colour | Role, "cannot be distinguished"),
        (set[Point], "sets and keys of dicts"),
        (dict[Point, int], "sets and keys of dicts"),
        (frozenset[tuple[Point, int]], "sets and keys of dicts"),
        (Odd, r"register_type\(Odd, …\), and its members go by name"),
        (Literal[Colour.RED], r"register_type\(Colour, …\) first"),
        (Sequence[int], "declare a concrete type"),
        (Mapping[str, int], "declare a concrete type"),
        (Iterable[int], "declare a concrete type"),
        (type[int], "register_type"),
        (Callable[[], int], "store a name"),
        (list[typing.Callable[[], int]], "store a name"),
        (3, "declare Any"),
        ("Point", "the forward reference 'Point' is not resolved"),
        (list["Point"], "is not resolved"),
        (ForwardRef("Point"), "is not resolved"),
        (NeedsMore, "requires 'more', which is not a field"),
        (Annotated[int, msgspec.Meta(max_length=1)], "length"),
        (Annotated[str | None, msgspec.Meta(min_length=1)], "length"),
        (Thing, r"register_type\(Thing, …\) first"),
    ],
)
def test_an_annotation_that_cannot_be_kept_is_a_type_error_when_bound(
    codec: Codec, declared: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        codec.bind(declared, None)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement is Python 3.12's")
def test_a_type_alias_is_what_it_stands_for_and_may_refer_to_itself(codec: Codec) -> None:
    names: dict[str, Any] = {}
    exec(
        "type Words = list[str]; type Tree = dict[str, Tree] | int; type Of[T] = list[Of[T]] | T\n"
        "type Odd = Odd | int\n"
        "type Json = dict[str, Json] | list[Json] | str | int | float | bool | None",
        names,
    )
    assert codec.bind(names["Words"], None).encode(["a"]) == codec.encode(["a"])
    for declared, value in ((names["Tree"], {"a": {"b": 1}}), (names["Of"][str], [["a"], "b"]), (names["Json"], JSON)):
        bound = codec.bind(declared, None)
        assert exact(bound.decode(bound.encode(value))) == exact(value)
        with pytest.raises(EncodeError):
            bound.encode([b"x"])
    with pytest.raises(TypeError, match="Odd refers to itself outside a list, dict or class; declare Any"):
        codec.bind(names["Odd"], None)


Json = Union[dict[str, "Json"], list["Json"], str, int, float, bool, None]  # noqa: UP007 # as it is written
Deep = Union[int, tuple["Deep", ...]]  # noqa: UP007 # as above
Itself: Any = Union[int, "Itself"]  # as above
JSON: Any = {"a": [1, {"b": None, "c": [1.5, True, "x"]}], "d": {}}


@dataclass
class Page:
    data: Json
    old: Optional[Json] = None  # noqa: UP045 # as above


def test_the_usual_recursive_alias_of_json_can_be_declared(codec: Codec) -> None:
    bound = codec.bind(Page, None)
    page = Page(JSON, [JSON])
    assert exact(bound.decode(bound.encode(page))) == exact(page)
    with pytest.raises(EncodeError, match=r'value\["data"\]\["a"\]\[0\]: expected .*, not bytes'):
        bound.encode(Page({"a": [b"x"]}))  # type: ignore[list-item] # as a user may
    with pytest.raises(DecodeError, match=r'value\["data"\]\["a"\]\[0\]: expected .*, not bytes'):
        bound.decode(codec.encode({"data": {"a": [b"x"]}}))


def test_a_recursive_alias_nests_as_deep_as_anything_and_no_deeper(codec: Codec) -> None:
    bound = codec.bind(tied(Json, globals()), None)
    value: Any = 1
    for _ in range(99):
        value = [value]
    assert bound.decode(bound.encode(value)) == value
    with pytest.raises(EncodeError, match="nested"):
        bound.encode([[[[value]]]])
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(EncodeError, match="nested"):
        bound.encode(endless)


def test_a_collection_and_a_record_take_a_recursive_alias() -> None:
    backend = MemoryBackend()
    items = PersistentDict[str, Json]("json", backend=backend)
    items["k"] = JSON
    assert items["k"] == JSON
    with pytest.raises(EncodeError, match="not bytes"):
        items["k"] = [b"x"]  # type: ignore[list-item] # as a user may
    deep = PersistentList[Deep]("deep", backend=backend)
    deep.append((1, (2, (3,))))
    assert deep[0] == (1, (2, (3,)))
    with pytest.raises(TypeError, match="refers to itself outside a list, dict or class"):
        PersistentList[Itself]("itself", backend=backend).append(1)
    for annotation in (Json, "Json"):
        record: Any = type("JSONPaper", (Record,), {"__annotations__": {"data": annotation}, "__module__": __name__})
        record("x", data=JSON, backend=backend)
        assert record.load("x", backend=backend).data == JSON
        with pytest.raises(EncodeError, match="not bytes"):
            record("x", data=[b"x"], backend=backend)


def test_a_class_with_an_annotation_that_means_nothing_is_a_type_error(codec: Codec) -> None:
    @dataclass
    class Lost:
        a: Nowhere  # type: ignore[name-defined] # noqa: F821 - what the test is about

    with pytest.raises(TypeError, match=r"an annotation of .*Lost cannot be resolved"):
        codec.bind(Lost, None)


def test_a_persistent_object_comes_back_as_the_declared_class_or_a_subclass(codec: Codec) -> None:
    bound = codec.bind(list[Person | None], REFERENCES)
    value = [Person("a"), Hero("b"), None]
    assert exact(bound.decode(bound.encode(value))) == exact(value)
    assert bound.encode(value) == codec.bind(Any, REFERENCES).encode(value)
    with pytest.raises(EncodeError, match=r"value\[0\]: expected Person or None, not Place"):
        bound.encode([Place("x")])
    with pytest.raises(DecodeError, match=r"value\[0\]: expected Person or None, not Place"):
        bound.decode(codec.bind(Any, REFERENCES).encode([Place("x")]))


def test_objects_in_a_class_are_references_too(codec: Codec) -> None:
    @dataclass
    class Team:
        leader: Person
        members: list[Person]

    bound = codec.bind(Team, REFERENCES)
    team = Team(Hero("a"), [Person("b")])
    assert bound.decode(bound.encode(team)) == team


def test_a_class_that_holds_itself_is_refused(codec: Codec) -> None:
    node = Node(date(2024, 1, 1))
    node.children.append(node)
    with pytest.raises(EncodeError, match="holding itself"):
        codec.bind(Node, None).encode(node)


def test_data_nested_without_end_is_a_decode_error_for_a_class_too(codec: Codec) -> None:
    stored: Any = {"value": date(2024, 1, 1), "children": []}
    for _ in range(45):
        stored = {"value": date(2024, 1, 1), "children": [stored]}
    data = codec.encode(stored)
    assert isinstance(codec.bind(Node, None).decode(data), Node)


@pytest.mark.parametrize("declared", [str, int, bool, bytes, UUID])
def test_json_of_one_exact_type_is_canonical(declared: Any) -> None:
    assert JSONCodec().bind(declared, None).canonical


@pytest.mark.parametrize(
    "declared", [Any, object, float, int | bool, int | None, list[int], Positive, UserId, Decimal, datetime, Role]
)
def test_json_of_anything_else_is_not_canonical(declared: Any) -> None:
    assert not JSONCodec().bind(declared, None).canonical
    assert not MsgpackCodec().bind(int, None).canonical

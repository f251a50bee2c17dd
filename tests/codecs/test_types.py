"""Types that users register, references, and what is public beside the codecs."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import attrs
import msgspec
import pytest

from persistent_collections import ConfigurationError, DecodeError, EncodeError, lift, lower, register_type
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.msgpack import MsgpackCodec
from persistent_collections.codecs.types.registry import find_form
from tests.codecs.exact import exact
from tests.codecs.people import REFERENCES, Hero, Person, Thing

pytestmark = pytest.mark.filterwarnings("ignore::persistent_collections.MutableValueWarning")
"""The classes here change in place on purpose; test_mutable.py is about the warning."""


class Suit(enum.Enum):
    HEARTS = object()
    SPADES = 2


class Grade(enum.IntEnum):
    GOOD = 1


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True)
class Spot:
    x: int
    label: Any = None


@dataclass(frozen=True)
class Sub(Spot):
    pass


@dataclass
class Slotted:
    __slots__ = ("a", "b")
    a: int
    b: Any


@dataclass
class Counted:
    items: list[int]
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.items)


@dataclass
class Restless:
    n: int

    def __post_init__(self) -> None:
        self.n += 1


@dataclass
class Angry:
    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError(f"never {self.n}")


class Move(NamedTuple):
    start: Spot
    end: Any


class Struct(msgspec.Struct):
    a: int
    b: Any = None


@attrs.define
class Attrs:
    _private: int
    b: Any = None


class Ratio:
    def __init__(self, top: int, bottom: int) -> None:
        self.top, self.bottom = top, bottom

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ratio) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"{self.top}/{self.bottom}"


class Endless:
    pass


register_type(Suit, "test.suit")
register_type(Grade, "test.grade")
register_type(Mode, "test.mode")
register_type(Spot, "test.spot")
register_type(Slotted, "test.slotted")
register_type(Counted, "test.counted")
register_type(Restless, "test.restless")
register_type(Angry, "test.angry")
register_type(Move, "test.move")
register_type(Struct, "test.struct")
register_type(Attrs, "test.attrs")
register_type(Ratio, "test.ratio", lambda ratio: [ratio.top, ratio.bottom], lambda parts: Ratio(*parts))
register_type(Endless, "test.endless", lambda value: value, lambda _: Endless())


@pytest.fixture(params=[JSONCodec, MsgpackCodec])
def codec(request: pytest.FixtureRequest) -> Codec:
    made: Codec = request.param()
    return made


@pytest.mark.parametrize(
    "value",
    [
        Suit.HEARTS,
        Grade.GOOD,
        Mode.READ | Mode.WRITE,
        Mode(0),
        Spot(1, (2, {Grade.GOOD: Suit.SPADES})),
        Slotted(1, [Spot(1)]),
        Counted([1, 2]),
        Move(Spot(1), Spot(2, Spot(3))),
        Struct(1, {Spot(1): b"x"}),
        Attrs(1, (2,)),
        Ratio(1, 3),
        {Spot(1), Ratio(1, 2), Grade.GOOD, Suit.HEARTS, Move(Spot(1), 1)},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_registered_type_comes_back_wherever_it_is(codec: Codec, value: Any) -> None:
    for whole in (value, [value], {"a": (value,)}):
        assert exact(codec.decode(codec.encode(whole))) == exact(whole)
        assert exact(lift(lower(whole))) == exact(whole)


def test_an_enum_is_stored_by_name_a_flag_by_value_and_a_class_by_its_fields() -> None:
    assert lower([Suit.HEARTS, Mode.READ | Mode.WRITE]) == [{"$test.suit": "HEARTS"}, {"$test.mode": 3}]
    assert lower(Spot(1, b"a")) == {"$test.spot": {"x": 1, "label": {"$bytes": "YQ=="}}}
    assert lower(Attrs(1)) == {"$test.attrs": {"_private": 1, "b": None}}


def test_a_type_is_registered_by_exact_type() -> None:
    with pytest.raises(EncodeError, match="Sub is not registered"):
        lower([Sub(1)])


def test_the_same_registration_again_is_nothing() -> None:
    register_type(Suit, "test.suit")
    register_type(Mode, "test.mode")
    register_type(Spot, "test.spot")


def test_a_taken_tag_or_type_is_refused_unless_replaced() -> None:
    class Old:
        pass

    class New:
        pass

    def decode(_: Any) -> Any:
        return Old()

    register_type(Old, "test.taken", repr, decode)
    register_type(Old, "test.taken", repr, decode)
    with pytest.raises(
        ConfigurationError, match=r"New cannot be registered under the tag 'test.taken': .*Old is stored"
    ):
        register_type(New, "test.taken", repr, decode)
    with pytest.raises(ConfigurationError, match=r"Old is stored under 'test\.taken'"):
        register_type(Old, "test.other", repr, decode)
    with pytest.raises(ConfigurationError, match="replace=True"):
        register_type(Old, "test.taken", str, decode)
    register_type(New, "test.taken", lambda _: "new", lambda _: New(), replace=True)
    assert lower(New()) == {"$test.taken": "new"}
    with pytest.raises(EncodeError):
        lower(Old())


def test_shipped_types_and_tags_stay_what_they_are() -> None:
    for kind, tag in ((tuple, "test.tuple"), (Suit, "tuple"), (Suit, "ref"), (Suit, ""), (Suit, "$suit")):
        with pytest.raises(ConfigurationError):
            register_type(kind, tag, repr, eval, replace=True)
    for plain in (int, str, list, dict, bool, float, type(None)):
        with pytest.raises(TypeError, match="stored as it is"):
            register_type(plain, "test.plain", repr, eval, replace=True)
    assert lower((1,)) == {"$tuple": [1]}


def test_a_type_that_tells_nothing_of_itself_needs_both_functions() -> None:
    with pytest.raises(TypeError, match="give encode and decode: object is neither"):
        register_type(object, "test.object")
    with pytest.raises(TypeError, match="give encode and decode"):
        register_type(object, "test.object", repr)


def test_a_class_that_its_fields_do_not_make_is_refused() -> None:
    @dataclass
    class Odd:
        a: int

        def __init__(self, other: int) -> None:
            self.a = other

    with pytest.raises(TypeError, match="requires 'other', which is not a field"):
        register_type(Odd, "test.odd")
    with pytest.raises(EncodeError, match="built from its own fields changes them"):
        lower(Restless(1))


def test_what_a_registered_function_raises_becomes_our_error_without_the_value(codec: Codec) -> None:
    angry = Angry(1)
    angry.n = -7331
    with pytest.raises(EncodeError, match=r"^value\[0\]: .*raises ValueError") as refused:
        codec.encode([angry])
    broken = lower(Angry(5))
    broken["$test.angry"]["n"] = -7331
    with pytest.raises(DecodeError, match=r"not of type Angry \(ValueError\)") as undecoded:
        lift(broken)
    assert "7331" not in str(refused.value) + str(undecoded.value)


@pytest.mark.parametrize(
    "stored",
    [{}, {"other": 2}, [1], {"label": 1}],
    ids=["too little", "another class's", "no fields", "a required one missing"],
)
def test_fields_that_do_not_make_an_instance_are_a_decode_error(stored: Any) -> None:
    with pytest.raises(DecodeError):
        lift({"$test.spot": stored})


def test_a_field_that_was_added_takes_its_default() -> None:
    assert lift({"$test.spot": {"x": 1}}) == Spot(1)


def test_an_encode_that_gives_the_value_itself_is_refused(codec: Codec) -> None:
    with pytest.raises(EncodeError):
        codec.encode([Endless()])


@pytest.mark.parametrize("made", [JSONCodec, MsgpackCodec])
def test_a_persistent_object_is_stored_as_a_reference_wherever_it_is(made: Any) -> None:
    codec = made(Any, REFERENCES)
    value = [Person("a"), {"b": (Hero("c"), {Person("d"): {Hero("e")}})}]
    assert codec.decode(codec.encode(value)) == value
    assert JSONCodec(Any, REFERENCES).encode([Person("a")]) == b'[{"$ref":"Person:a"}]'


def test_a_persistent_object_of_another_store_is_refused_with_its_path(codec: Codec) -> None:
    bound = codec.bind(Any, REFERENCES)
    with pytest.raises(EncodeError, match=r'^value\["a"\]: it is in another store'):
        bound.encode({"a": Person("x", elsewhere=True)})


def test_a_persistent_object_is_refused_where_there_is_no_store(codec: Codec) -> None:
    with pytest.raises(EncodeError, match="Thing is not held"):
        codec.encode([Thing("x")])


@pytest.mark.parametrize("data", [b'{"$ref":1}', b'{"$ref":"Nobody:x"}', b'{"$ref":["Person:x"]}'])
def test_a_reference_to_nothing_known_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        JSONCodec(Any, REFERENCES).decode(data)


def defined_again(fields: str = "amount: int") -> Any:
    space: dict[str, Any] = {"__name__": __name__}
    exec(f"from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Coin:\n    {fields}\n", space)
    return space["Coin"]


def test_a_class_that_is_defined_and_registered_again_takes_its_tag(codec: Codec) -> None:
    first, second = defined_again(), defined_again("amount: int\n    unit: str = 'EUR'")
    register_type(first, "coin")
    data = codec.encode(first(1))
    register_type(second, "coin")
    assert codec.decode(data) == second(1)
    with pytest.raises(EncodeError, match="this Coin is of a class that was defined again since; make it anew"):
        codec.encode([first(1)])
    with pytest.raises(ConfigurationError, match="Coin is stored under 'coin'; choose another, or give replace=True"):
        register_type(Sub, "coin")
    with pytest.raises(EncodeError, match=r"expected Coin, not another class .*Coin, such as one"):
        codec.bind(first, None).encode(second(1))


@pytest.mark.parametrize("base", [datetime, PurePosixPath, Decimal])
def test_the_tag_that_a_refusal_proposes_can_be_registered(base: Any) -> None:
    kind: Any = type(base.__name__.capitalize(), (base,), {"__module__": "__main__"})
    value = kind(2024, 1, 1) if base is datetime else kind("1")
    with pytest.raises(EncodeError) as caught:
        JSONCodec().encode(value)
    [tag] = re.findall(r"register_type\(\w+, '(\w+)'", str(caught.value))
    register_type(kind, tag, str, kind)
    assert find_form(kind) is not None

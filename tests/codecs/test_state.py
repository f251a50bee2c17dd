"""State beside the fields of a class comes back equal and complete, or the value is refused with words."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest

from persistent_collections import EncodeError, register_type
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.msgpack import MsgpackCodec

pytestmark = pytest.mark.filterwarnings("ignore::persistent_collections.MutableValueWarning")
"""The classes here change in place on purpose; test_mutable.py is about the warning."""


@pytest.fixture(params=[JSONCodec, MsgpackCodec])
def codec(request: pytest.FixtureRequest) -> Codec:
    made: Codec = request.param()
    return made


@dataclass
class Page(list[str]):
    number: int = 0


@dataclass
class Output(dict[str, float]):
    model: str = ""


@dataclass
class Tags(set[str]):
    of: str = ""


@dataclass
class Ring(deque[int]):
    of: str = ""


@dataclass(eq=False)
class StopError(Exception):
    why: str = ""


@dataclass
class Job:
    name: str


@dataclass
class Slotted:
    __slots__ = ("__hidden", "name", "note")
    name: str

    def hide(self) -> Slotted:
        self.__hidden = 1
        return self


@attrs.define(slots=False)
class Attrs:
    name: str


class Struct(msgspec.Struct, dict=True):
    name: str


class Pair(NamedTuple):
    name: str


class Noted(Pair):
    note: str


def with_note(value: Any) -> Any:
    value.note = "sesame"
    return value


def filled(value: Any, *items: Any) -> Any:
    for item in items:
        value.append(item) if hasattr(value, "append") else value.add(item)
    return value


def keyed(value: Any) -> Any:
    value["logits"] = 0.5
    return value


def noted(value: Any) -> Any:
    value.add_note("sesame")
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (filled(Page(3), "line 1"), "Page is a list too, and its content as one is not a field"),
        (keyed(Output("m")), "Output is a dict too, and its content as one is not a field"),
        (filled(Tags("x"), "a"), "Tags is a set too"),
        (filled(Ring("x"), 1), "Ring is a deque too"),
        (StopError("sesame"), "StopError is an exception whose args its fields do not give"),
        (noted(StopError()), "StopError has the attribute '__notes__', which is not a field"),
        (with_note(Job("a")), "Job has the attribute 'note', which is not a field"),
        (with_note(Slotted("a")), "Slotted has the attribute 'note', which is not a field"),
        (Slotted("a").hide(), "Slotted has the attribute '_Slotted__hidden', which is not a field"),
        (with_note(Attrs("a")), "Attrs has the attribute 'note', which is not a field"),
        (with_note(Struct("a")), "Struct has the attribute 'note', which is not a field"),
        (with_note(Noted("a")), "Noted has the attribute 'note', which is not a field"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
@pytest.mark.parametrize("registered", [False, True])
def test_what_is_beside_the_fields_is_refused(codec: Codec, value: Any, words: str, registered: bool) -> None:
    kind = type(value)
    bound = codec.bind(kind, None)
    if registered:
        register_type(kind, f"test.state.{kind.__name__}")
        bound = codec
    with pytest.raises(EncodeError, match=f"{words}.*; give register_type an encode and a decode") as caught:
        bound.encode(value)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "value", [Page(1), Output("m"), Tags("x"), StopError(), Job("a"), Slotted("a"), Struct("a"), Noted("a")]
)
def test_an_instance_that_is_its_fields_is_held(codec: Codec, value: Any) -> None:
    bound = codec.bind(type(value), None)
    found = bound.decode(bound.encode(value))
    assert type(found) is type(value)
    assert repr(found) == repr(value)


@dataclass
class Busy:
    name: str
    size: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.marker = object()
        self.cache: dict[str, int] = {}

    @cached_property
    def length(self) -> int:
        return len(self.name)


@attrs.define
class Lazy:
    name: str

    @cached_property
    def length(self) -> int:
        return len(self.name)


def test_what_the_constructor_makes_again_is_no_state(codec: Codec) -> None:
    for value in (Busy("Luke"), Lazy("Luke")):
        assert value.length == 4
        bound = codec.bind(type(value), None)
        assert bound.decode(bound.encode(value)) == value
    changed = Busy("Luke")
    changed.cache["a"] = 1
    with pytest.raises(EncodeError, match="Busy has the attribute 'cache', which is not a field"):
        codec.bind(Busy, None).encode(changed)


class Address(pydantic.BaseModel):
    town: str = "Ely"
    street: str = ""


class User(pydantic.BaseModel):
    name: str
    age: int = 18
    nick: Annotated[str, pydantic.Field(alias="nickName")] = ""
    address: Address | None = None
    former: list[Address] = []
    named: dict[str, Address] = {}
    pair: tuple[Address, int] | None = None
    _token: str = pydantic.PrivateAttr("")


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    name: str = ""


class Addresses(pydantic.RootModel[list[Address]]):
    pass


class Names(pydantic.RootModel[dict[str, Any]]):
    pass


def set_fields(value: Any) -> Any:
    """Return which fields were set, at every depth."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_fields_set, {name: set_fields(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {key: set_fields(item) for key, item in value.items()}
    return [set_fields(item) for item in value] if isinstance(value, list | tuple) else None


@pytest.mark.parametrize(
    "value",
    [
        User(name="Luke"),
        User(name="Luke", age=18),
        User.model_validate({"name": "Luke", "nickName": "L"}),
        User(
            name="Luke", address=Address(), former=[Address(town="Bath"), Address()], named={"a": Address(street="x")}
        ),
        User(name="Luke", pair=(Address(), 1)),
        Address(),
        Open(),
        Open(name="a", other=1),  # type: ignore[call-arg] # extra fields are allowed
        Open(other=[1]),  # type: ignore[call-arg] # as above
        Addresses([Address(), Address(town="York")]),
        Addresses([]),
        Addresses([Address(town="a", street="b")]),
        Names({"a": 1}),
    ],
    ids=repr,
)
def test_a_model_knows_after_reading_which_fields_were_set(codec: Codec, value: Any) -> None:
    bound = codec.bind(type(value), None)
    found = bound.decode(bound.encode(value))
    assert found == value
    assert set_fields(found) == set_fields(value)
    assert found.model_dump(exclude_unset=True) == value.model_dump(exclude_unset=True)
    assert found.model_extra == value.model_extra
    assert bound.encode(found) == bound.encode(value)


def test_the_fields_that_were_not_set_are_stored_beside_the_others() -> None:
    codec = JSONCodec().bind(User, None)
    assert b"$unset" not in JSONCodec().bind(Address, None).encode(Address(town="a", street="b"))
    assert codec.encode(User(name="a", address=Address(town="b"))).endswith(
        b'"$unset":["age","nickName",["address","street"],"former","named","pair"]}'
    )


def test_a_default_that_changes_does_not_change_what_is_stored(codec: Codec) -> None:
    before = pydantic.create_model("Account", limit=(int, 10))
    after = pydantic.create_model("Account", limit=(int, 99))
    found: Any = codec.bind(after, None).decode(codec.bind(before, None).encode(before()))
    assert found.limit == 10
    assert found.model_fields_set == set()


def test_paths_of_unset_fields_that_lead_nowhere_are_passed_over() -> None:
    data = b'{"name":"a","$unset":["gone",["gone","x"],["former",3,"town"],["name","x"],[{}],[],1,null]}'
    assert JSONCodec().bind(User, None).decode(data) == User(name="a")


def private(value: User, token: str) -> User:
    value._token = token
    return value


class Taken(pydantic.BaseModel):
    unset: Annotated[int, pydantic.Field(alias="$unset")] = 0
    other: int = 0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (private(User(name="a"), "sesame"), "validating User again returns another value"),
        (Names({"$unset": [], "$root": 1}), "not a valid Names"),
        (Taken(), "Taken has a field '.unset', which is a reserved name"),
        (User(name="a").model_copy(update={"former": [Open(name="b")]}), "validating User again returns another value"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_model_that_would_not_come_back_complete_is_refused(codec: Codec, value: Any, words: str) -> None:
    with pytest.raises(EncodeError, match=words) as caught:
        codec.bind(type(value), None).encode(value)
    assert "sesame" not in str(caught.value)

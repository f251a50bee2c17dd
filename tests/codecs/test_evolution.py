"""Stored classes change while their values are stored: they are read, or an error shows the line to write."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, make_dataclass
from datetime import date
from functools import partial
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from persistent_collections import DecodeError, EncodeError, PersistentDict, formerly, register_type
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.msgpack import MsgpackCodec
from tests.codecs.exact import exact

pytestmark = pytest.mark.filterwarnings("ignore::persistent_collections.MutableValueWarning")
"""The classes here change in place on purpose; test_mutable.py is about the warning."""

REQUIRED: Any = object()
Fields = dict[str, Any]
"""Of a class to be made: name -> annotation, or (annotation, default)."""


def parted(fields: Fields) -> list[tuple[str, Any, Any]]:
    return [(name, *(given if isinstance(given, tuple) else (given, REQUIRED))) for name, given in fields.items()]


def as_dataclass(fields: Fields, **options: Any) -> Any:
    made = [
        (name, kind) if default is REQUIRED else (name, kind, field(default=default))
        for name, kind, default in parted(fields)
    ]
    return make_dataclass("User", made, **options)


def as_attrs(fields: Fields) -> Any:
    made = {
        name: attrs.field(type=kind, **({} if default is REQUIRED else {"default": default}))
        for name, kind, default in parted(fields)
    }
    return attrs.make_class("User", made)


def as_struct(fields: Fields) -> Any:
    made = [(name, kind) if default is REQUIRED else (name, kind, default) for name, kind, default in parted(fields)]
    return msgspec.defstruct("User", made)


def as_named_tuple(fields: Fields) -> Any:
    functional: Any = NamedTuple
    made = functional("User", [(name, kind) for name, kind, _ in parted(fields)])
    made.__new__.__defaults__ = tuple(default for _, _, default in parted(fields) if default is not REQUIRED)
    return made


def as_model(base: Any, fields: Fields) -> Any:
    made: Any = {name: (kind, ... if default is REQUIRED else default) for name, kind, default in parted(fields)}
    return pydantic.create_model("User", __base__=base, **made)


KINDS: dict[str, Callable[[Fields], Any]] = {
    "dataclass": as_dataclass,
    "frozen dataclass with slots": partial(as_dataclass, frozen=True, slots=True),
    "attrs": as_attrs,
    "Struct": as_struct,
    "NamedTuple": as_named_tuple,
    "pydantic": partial(as_model, pydantic.BaseModel),
}


class Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")


KINDS["pydantic that forbids other fields"] = partial(as_model, Strict)


@pytest.fixture(params=[JSONCodec, MsgpackCodec])
def codec(request: pytest.FixtureRequest) -> Codec:
    made: Codec = request.param()
    return made


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest) -> Callable[[Fields], Any]:
    return KINDS[request.param]


def read(codec: Codec, kind: Any, stored: Any) -> Any:
    return codec.bind(kind, None).decode(codec.encode(stored))


def test_an_added_field_reads_as_its_default(codec: Codec, make: Any) -> None:
    user = make({"name": str, "age": (int, 18)})
    assert read(codec, user, {"name": "Luke"}) == user(name="Luke")


def test_a_removed_field_is_passed_over(codec: Codec, make: Any) -> None:
    user = make({"name": str})
    assert read(codec, user, {"name": "Luke", "fax": "-"}) == user(name="Luke")


def test_a_renamed_field_is_read_by_its_former_name(codec: Codec, make: Any) -> None:
    user = make({"email": Annotated[str, formerly("mail"), formerly("e_mail")], "age": (int, 0)})
    for former in ("email", "mail", "e_mail"):
        assert read(codec, user, {former: "l@x.org"}) == user(email="l@x.org")
    assert codec.bind(user, None).encode(user(email="l@x.org", age=1)) == codec.encode({"email": "l@x.org", "age": 1})


def test_where_both_are_stored_the_former_was_written_later(codec: Codec, make: Any) -> None:
    user = make({"email": Annotated[str, formerly("mail"), formerly("e_mail")]})
    assert read(codec, user, {"email": "old", "mail": "new"}).email == "new"
    assert read(codec, user, {"email": "old", "e_mail": "newest", "mail": "new"}).email == "newest"


def test_a_former_value_is_converted(codec: Codec, make: Any) -> None:
    user = make(
        {
            "born_on": Annotated[date, formerly("born", str, date.fromisoformat)],
            "name": (Annotated[str, formerly("login", str.lower)], "nobody"),
        }
    )
    found = read(codec, user, {"born": "2001-02-03", "login": "LUKE"})
    assert found == user(born_on=date(2001, 2, 3), name="luke")
    assert read(codec, user, {"born_on": date(2001, 2, 3)}) == user(born_on=date(2001, 2, 3))


def test_a_conversion_that_fails_names_the_fields_and_no_value(codec: Codec, make: Any) -> None:
    user = make({"born_on": Annotated[date, formerly("born", str, date.fromisoformat)]})
    for stored in ("sesame", 7331):
        with pytest.raises(
            DecodeError, match=r'value\["born"\]: (its conversion to .born_on. raises|expected str, not int)'
        ) as caught:
            read(codec, user, {"born": stored})
        assert "sesame" not in str(caught.value)
        assert "7331" not in str(caught.value)


def test_a_conversion_has_to_give_the_declared_type(codec: Codec, make: Any) -> None:
    user = make({"age": Annotated[int, formerly("years", str, lambda text: text + "!")]})
    with pytest.raises(DecodeError):
        read(codec, user, {"years": "20"})


def test_a_missing_field_is_named_with_the_line_to_write(codec: Codec, make: Any) -> None:
    user = make({"name": str, "email": str})
    with pytest.raises(
        DecodeError, match=r"field 'email'.* is not stored here.*; give it a default, or if it had another"
    ) as caught:
        read(codec, user, {"name": "Luke", "mail": "l@x.org"})
    assert "email: Annotated[" in str(caught.value)
    assert "formerly('old_name')]" in str(caught.value)
    assert "mail" not in str(caught.value).replace("email", ""), "what is stored is not shown"


def test_a_field_of_another_type_is_named_with_the_line_to_write(codec: Codec, make: Any) -> None:
    user = make({"zip": int})
    with pytest.raises(
        DecodeError, match=r"zip.*if its type has changed, give it a new name: new_zip: Annotated\["
    ) as caught:
        read(codec, user, {"zip": "sesame"})
    assert "formerly('zip', str, convert)]" in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_the_line_that_is_shown_works(codec: Codec, make: Any) -> None:
    convert = int
    after = make({"new_zip": Annotated[int, formerly("zip", str, convert)]})
    assert read(codec, after, {"zip": "123"}) == after(new_zip=123)


def test_what_shares_no_field_with_a_class_is_no_value_of_it(codec: Codec) -> None:
    for make in (as_dataclass, as_attrs, as_struct):
        user = make({"name": (str, ""), "age": (int, 0)})
        with pytest.raises(
            DecodeError, match=r"no field of User is stored here.*; if it had another name, write name:"
        ):
            read(codec, user, {"fullname": "Luke"})
        assert read(codec, user, {}) == user()


class Movie(TypedDict):
    title: Annotated[str, formerly("name")]
    year: NotRequired[Annotated[int, formerly("released", str, int)]]


def test_a_typed_dict_changes_as_a_class_does(codec: Codec) -> None:
    assert read(codec, Movie, {"name": "a", "released": "1977", "fax": 1}) == {"title": "a", "year": 1977}
    assert read(codec, Movie, {"title": "a"}) == {"title": "a"}
    with pytest.raises(
        DecodeError, match="the field 'title' of Movie is not stored here, as declared; declare it NotReq"
    ):
        read(codec, Movie, {"year": 1})
    with pytest.raises(EncodeError, match="expected only keys of Movie"):
        codec.bind(Movie, None).encode({"title": "a", "name": "b"})


@dataclass
class Address:
    town: Annotated[str, formerly("city")]


@dataclass
class Person:
    address: Address
    others: list[Address] = field(default_factory=list)


def test_classes_in_classes_change_too(codec: Codec) -> None:
    stored = {"address": {"city": "Ely", "fax": 1}, "others": [{"city": "Bath"}, {"town": "York"}]}
    assert read(codec, Person, stored) == Person(Address("Ely"), [Address("Bath"), Address("York")])
    with pytest.raises(DecodeError, match=r'value\["others"\]\[1\]: the field .town. of Address is not stored here'):
        read(codec, Person, {"address": {"town": "Ely"}, "others": [{"town": "a"}, {}]})


class Inner(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    town: Annotated[str, formerly("city")]
    inner: Inner | None = None


class Outer(pydantic.BaseModel):
    one: Inner | None = None
    many: list[Inner] = []
    named: dict[str, Inner] = {}
    aliased: Annotated[str, formerly("former")] = pydantic.Field("", alias="Aliased")


def test_models_in_models_change_too(codec: Codec) -> None:
    town = {"city": "Ely", "fax": 1, "inner": {"city": "Bath", "fax": 2}}
    found = read(codec, Outer, {"one": town, "many": [town, {"town": "York"}], "named": {"a": town}, "former": "x"})
    ely = Inner(town="Ely", inner=Inner(town="Bath"))
    assert found == Outer(one=ely, many=[ely, Inner(town="York")], named={"a": ely}, Aliased="x")


@pytest.mark.parametrize("name", ["age", "mail"])
def test_a_former_name_is_no_field_and_of_one_field(codec: Codec, make: Any, name: str) -> None:
    user = make({"email": Annotated[str, formerly("mail")], "age": Annotated[int, formerly(name)]})
    with pytest.raises(TypeError, match="names a field, or another field's former name"):
        codec.bind(user, None)


def test_a_mark_of_a_part_of_an_annotation_is_not_passed_over(codec: Codec, make: Any) -> None:
    for kind in (Annotated[str, formerly("mail")] | None, list[Annotated[str, formerly("mail")]]):
        user = make({"email": (kind, None)})
        with pytest.raises(TypeError, match=r"'email' of User: formerly\('mail'\) marks a part of an annotation"):
            codec.bind(user, None)


def test_registered_classes_change_too(codec: Codec, make: Any) -> None:
    user = make({"email": Annotated[str, formerly("mail", str.lower)], "age": (int, 18)})
    if issubclass(user, pydantic.BaseModel):
        pytest.skip("a model is registered with functions of its own")
    register_type(user, "test.evolving", replace=True)

    def lifted(stored: dict[str, Any]) -> Any:
        return JSONCodec().decode(json.dumps({"$test.evolving": stored}).encode())

    assert lifted({"mail": "L@X", "fax": 1}) == user(email="l@x", age=18)
    for stored in ({"age": 1}, {"other": 1}):
        with pytest.raises(
            DecodeError, match="not of type User: its field 'email' is not stored here; give it a default, or if"
        ):
            lifted(stored)


def test_a_collection_of_changed_values_is_read_whole() -> None:
    backend = MemoryBackend()
    before = make_dataclass("User", [("name", str), ("fax", str)], namespace={"__module__": __name__})
    after = make_dataclass(
        "User", [("login", Annotated[str, formerly("name")]), ("age", int, field(default=0))], frozen=True
    )
    dicts: Any = PersistentDict
    old, new = dicts[str, before]("users", backend=backend), dicts[str, after]("users", backend=backend)
    old["a"] = before("Luke", "-")
    assert new.copy() == {"a": after("Luke")}
    new["b"] = after("Leia", 20)
    assert exact(new["b"]) == exact(after("Leia", 20))
    with pytest.raises(DecodeError, match="no field of User is stored here"):
        old["b"]

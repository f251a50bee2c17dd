from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from threading import Lock
from typing import Annotated, Any

import msgpack  # type: ignore[import-untyped] # it ships no types
import msgspec
import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    EncodeError,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    classes,
    codec,
    configure,
    connect,
    current_backend,
    make_record,
    stored_as,
)
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING
from persistent_collections.checking import check
from persistent_collections.moving import copy
from persistent_collections.testing.backends.base import shape_at
from tests.records.models import Coded, PackedCoded, Person


@pytest.fixture
def memory() -> Iterator[Backend]:
    configure("memory:")
    yield current_backend()
    configure({})


def test_text_and_references_are_bare_and_all_else_is_json(memory: Backend) -> None:
    person = Person(
        "leia", name="Lëia", nickname="P", age=19, tags=["a"], best=Person.ref("luke"), friends=[Person.ref("x")]
    )
    person.scores["a"] = 1
    assert memory.mapping(person.__pc__.key).get_all() == {
        "name": "Lëia".encode(),
        "nickname": b"P",
        "age": b"19",
        "tags": b'["a"]',
        "best": b"Person:luke",
    }
    assert memory.sequence(person.friends.__pc__.key).get_slice(slice(None)) == [b"Person:x"]
    assert memory.mapping(person.scores.__pc__.key).get_all() == {"a": b"1"}


def test_a_field_chooses_its_codec_and_its_name_in_the_store(memory: Backend) -> None:
    record = Coded("x", plain=[1], packed=[1], both=[2], text="t", json_text="t", notes=["n"], packed_notes=["n"])
    assert memory.mapping(record.__pc__.key).get_all() == {
        "plain": b"[1]",
        "packed": msgpack.packb([1]),
        "old_both": msgpack.packb([2]),
        "text": b"t",
        "json_text": b'"t"',
    }
    assert memory.sequence(record.notes.__pc__.key).get_slice(slice(None)) == [b"n"]
    assert memory.sequence(record.packed_notes.__pc__.key).get_slice(slice(None)) == [msgpack.packb("n")]


def test_a_class_chooses_the_codec_of_all_fields_but_those_that_choose(memory: Backend) -> None:
    record = PackedCoded("x", whole=1, text="t", json_text="t", other=Person.ref("p"), notes=["n"])
    found = memory.mapping(record.__pc__.key).get_all()
    assert (found["whole"], found["text"], found["json_text"]) == (b"\x01", msgpack.packb("t"), b'"t"')
    assert record.other == Person.ref("p")
    record.other = None
    assert "other" not in memory.mapping(record.__pc__.key).get_all()


def test_a_backend_chooses_the_codec_of_all_that_choose_none() -> None:
    with connect("memory:?codec=msgpack") as backend:
        record = Coded("x", plain=[1], packed=[1], text="t", json_text="t", notes=["n"], backend=backend)
        record.update(both=[3])
        assert backend.mapping(record.__pc__.key).get_all() == {
            "plain": msgpack.packb([1]),
            "packed": msgpack.packb([1]),
            "text": msgpack.packb("t"),
            "json_text": b'"t"',
            "old_both": msgpack.packb([3]),
        }
        assert backend.sequence(record.notes.__pc__.key).get_slice(slice(None)) == [msgpack.packb("n")]
        person = Person("p", name="P", nickname=None, best=record_of(backend), password="secret", backend=backend)
        assert person.nickname is None
        assert person.best == record_of(backend)
        assert person.password.verify("secret")


def record_of(backend: Backend) -> Person:
    return Person.ref("other", backend=backend)


def test_fields_with_codecs_of_their_own_read_back(store: Backend) -> None:
    record = Coded("x", plain=[1], packed=[1], both=[2], text="t", json_text="t", notes=["n"], packed_notes=["m"])
    assert record.to_dict() == {"plain": [1], "packed": [1], "both": [2], "text": "t", "json_text": "t"}
    assert (record.notes[:], record.packed_notes[:]) == (["n"], ["m"])
    record.packed.append(2)
    record.both += [3]
    assert (record.packed, record.both) == ([1, 2], [2, 3])
    assert "m" in record.packed_notes
    packed = PackedCoded("x", whole=1, text="t", json_text="t", notes=["n"])
    assert packed.increment("whole") == 2
    assert (packed.whole, packed.text, packed.json_text, packed.notes[:]) == (2, "t", "t", ["n"])


def test_a_field_stored_under_another_name_is_used_by_its_own(store: Backend) -> None:
    record = Coded("x", plain=[0])
    record.both = [1]
    with record.edit("both") as both:
        both.append(2)
    assert (record["both"], record.get("both"), dict(record.items())["both"]) == ([1, 2], [1, 2], [1, 2])
    assert "old_both" not in record
    del record.both
    assert record.both == []


def test_a_renamed_field_reads_older_records(store: Backend) -> None:
    class Old(Record, name="Renamed"):
        surname: str
        notes: PersistentList[int] = child()

    class New(Record, name="Renamed"):
        family_name: Annotated[str, stored_as("surname")]
        remarks: Annotated[PersistentList[int], stored_as("notes")] = child()

    Old("x", surname="Organa", notes=[1])
    new = New("x")
    assert (new.family_name, new["remarks"][:]) == ("Organa", [1])
    assert new.delete()
    assert not Old("x")


def test_two_fields_of_one_stored_name_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="Twice stores two fields as 'a'"):

        class Twice(Record):
            a: str
            b: Annotated[str, stored_as("a")]


@pytest.mark.parametrize("name", ["a:b", "a%b", "{a", "a}", ""])
def test_a_stored_name_with_a_reserved_character_is_a_type_error(name: str) -> None:
    with pytest.raises(TypeError, match=r"field 'a' of Odd: the field name .* which keys need"):
        make_record("Odd", {"a": Annotated[str, stored_as(name)]})


def test_constraints_are_checked_and_leave_a_text_bare(memory: Backend) -> None:
    class Limited(Record):
        name: Annotated[str, msgspec.Meta(max_length=3)]
        size: Annotated[int, msgspec.Meta(ge=1)]

    limited = Limited("x", name="abc", size=1)
    assert memory.mapping(limited.__pc__.key).get_all() == {"name": b"abc", "size": b"1"}
    with pytest.raises(EncodeError, match="field 'name' of 'Limited:x'"):
        limited.name = "abcd"
    with pytest.raises(EncodeError, match="field 'size' of 'Limited:x'"):
        limited.size = 0
    assert Limited("y", size=1).name == ""


def test_an_optional_text_with_a_default_needs_a_codec(memory: Backend) -> None:
    with pytest.raises(
        TypeError,
        match=r"field 'name' of Doubtful: None is stored as unset.*drop .*declare Annotated\[str \| None, ",
    ):

        class Doubtful(Record):
            name: str | None = "someone"

    class Sure(Record):
        name: Annotated[str | None, codec("json")] = "someone"

    sure = Sure("x", name=None)
    assert sure.name is None
    assert memory.mapping(sure.__pc__.key).get_all() == {"name": b"null"}
    del sure.name
    sure.update(name="other")
    assert sure.name == "other"


@pytest.mark.parametrize("annotation", [type, Iterator[int], Lock, "list[Lock]", lambda: None])
def test_an_annotation_that_cannot_be_kept_is_a_type_error_when_the_class_is_made(annotation: Any) -> None:
    with pytest.raises(TypeError, match="field 'a' of Unkept"):
        make_record("Unkept", {"a": annotation})


@pytest.mark.parametrize(
    "annotation",
    [
        PersistentList[Lock],
        PersistentList[Password],
        PersistentDict[str, Lock],
        PersistentDict[Lock, str],
        PersistentSet[Lock],
        "PersistentList[Lock]",
        Annotated[PersistentList[int], codec("str")],
    ],
)
def test_a_child_whose_items_cannot_be_kept_is_a_type_error_when_the_class_is_made(annotation: Any) -> None:
    with pytest.raises(TypeError, match="field 'a' of Unkept"):
        make_record("Unkept", {"a": annotation})


@pytest.mark.parametrize(
    ("annotation", "default"),
    [(int, "x"), (list[int], ["x"]), (str, 3), (date, "2024-01-01"), (dict[str, int], {1: 1})],
)
def test_a_default_of_another_type_is_a_type_error_when_the_class_is_made(annotation: Any, default: Any) -> None:
    with pytest.raises(TypeError, match="field 'a' of Unkept"):
        make_record("Unkept", {"a": annotation}, defaults={"a": default})


def test_a_class_that_could_not_be_made_is_not_known(memory: Backend) -> None:
    class Known(Record):
        name: str

    Person("leia")
    with pytest.raises(TypeError):

        class Known(Record):  # type: ignore[no-redef] # a namesake is what this test is about
            name: int = "x"  # type: ignore[assignment] # a default that cannot be kept

    assert "name" in classes.every()["Known"].ref("x")


def test_an_unknown_codec_is_named_when_the_class_is_made() -> None:
    with pytest.raises(ConfigurationError, match=r"no codec is called 'msgpak' .*; did you mean 'msgpack'"):

        class Misspelt(Record):
            a: Annotated[int, codec("msgpak")]


def test_the_codec_of_a_class_is_that_of_its_children_too(store: Backend) -> None:
    class PlainLog(PersistentList[Any], codec="json"):
        pass

    class Packed(Record, codec="msgpack"):
        sizes: PersistentList[int] = child()
        notes: PersistentDict[str, Any] = child()
        marked: Annotated[PersistentList[int], codec("json")] = child()
        log: PlainLog = child()

    packed = Packed("x", sizes=[1], notes={"a": 1}, marked=[1], log=[1])
    written = {name: read(store, Key("Packed:x", name)) for name in ("sizes", "notes", "marked", "log")}
    binary = b'"AQ=="' if store.medium == "json" else b"\x01"
    assert written == {"sizes": [binary], "notes": {"a": binary}, "marked": [b"1"], "log": [b"1"]}
    assert (packed.sizes[0], packed.notes["a"], packed.marked[0], packed.log[0]) == (1, 1, 1, 1)
    elsewhere = connect("memory:")
    copy(store, elsewhere)
    assert Packed("x", backend=elsewhere).sizes == [1]
    assert list(check(elsewhere)) == []


def read(store: Backend, key: Key) -> Any:
    if shape_at(store, key) is MAPPING:
        return store.mapping(key).get_all()
    return store.sequence(key).get_slice(slice(None))

"""The codecs ``str`` and ``reference``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from persistent_collections import DecodeError, EncodeError
from persistent_collections.codecs.reference import ReferenceCodec
from persistent_collections.codecs.text import TextCodec
from tests.codecs.people import REFERENCES, Hero, Person, Place
from tests.codecs.refusals import Text, Word


@pytest.mark.parametrize("text", ["", "a", "\0", "é\u2028", "\N{GRINNING FACE}", "null", '"'])
def test_text_is_stored_as_it_is(text: str) -> None:
    assert TextCodec().encode(text) == text.encode()
    assert TextCodec().decode(text.encode()) == text


@pytest.mark.parametrize("value", [1, None, b"a", ["a"], Word.A, Text("a"), 1.5])
def test_anything_but_text_is_refused_naming_json(value: Any) -> None:
    with pytest.raises(EncodeError, match=f"not {type(value).__name__}; choose the codec 'json'"):
        TextCodec().encode(value)


def test_what_is_no_text_is_refused_both_ways() -> None:
    with pytest.raises(EncodeError, match="lone surrogate"):
        TextCodec().encode("\ud800")
    with pytest.raises(DecodeError, match="not UTF-8 at byte 1"):
        TextCodec().decode(b"a\xff")


def test_text_may_be_declared_narrower() -> None:
    declared: Any
    for declared, held, refused in (
        (Literal["a", "b"], "a", "c"),
        (Annotated[str, msgspec.Meta(max_length=1)], "a", "ab"),
        (str | None, "a", None),
    ):
        codec = TextCodec().bind(declared, None)
        assert codec.decode(codec.encode(held)) == held
        with pytest.raises(EncodeError):
            codec.encode(refused)
    with pytest.raises(DecodeError):
        TextCodec().bind(Literal["a"], None).decode(b"c")


def test_an_enum_of_texts_is_stored_as_its_values() -> None:
    codec = TextCodec().bind(Word, None)
    assert codec.encode(Word.A) == Word.A.value.encode()
    assert codec.decode(Word.A.value.encode()) is Word.A
    with pytest.raises(EncodeError, match="expected Word, not str"):
        codec.encode(Word.A.value)
    with pytest.raises(DecodeError, match="not the value of a Word"):
        codec.decode(b"sesame")


@pytest.mark.parametrize("declared", [int, list[str], str | int, None | bytes, object, bool])
def test_str_cannot_be_bound_to_another_type(declared: Any) -> None:
    with pytest.raises(TypeError, match="choose the codec 'json'"):
        TextCodec().bind(declared, None)


def test_a_persistent_object_is_stored_as_its_key() -> None:
    codec = ReferenceCodec().bind(Any, REFERENCES)
    assert codec.encode(Hero("x:y")) == b"Hero:x:y"
    assert codec.decode(b"Hero:x:y") == Hero("x:y")


@pytest.mark.parametrize("declared", [Person, Person | None, Person | Place])
def test_a_reference_is_of_the_declared_class_or_a_subclass(declared: Any) -> None:
    codec = ReferenceCodec().bind(declared, REFERENCES)
    assert codec.decode(codec.encode(Hero("a"))) == Hero("a")


def test_a_reference_of_another_class_is_refused_both_ways() -> None:
    codec = ReferenceCodec().bind(Person, REFERENCES)
    with pytest.raises(EncodeError, match="expected Person, not Place"):
        codec.encode(Place("a"))
    with pytest.raises(DecodeError, match="expected Person, not Place"):
        codec.decode(b"Place:a")


@pytest.mark.parametrize("value", [None, "Person:a", 1, Person])
def test_anything_but_a_persistent_object_is_refused(value: Any) -> None:
    with pytest.raises(EncodeError, match="keeps only persistent objects"):
        ReferenceCodec().bind(Any, REFERENCES).encode(value)
    with pytest.raises(EncodeError, match="expected Person, not "):
        ReferenceCodec().bind(Person, REFERENCES).encode(value)


@pytest.mark.parametrize("data", [b"", b"Nobody:a", b"\xff", b"a"])
def test_what_is_no_key_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        ReferenceCodec().bind(Any, REFERENCES).decode(data)


@pytest.mark.parametrize("declared", [str, Person | int, None, list[Person]])
def test_reference_cannot_be_bound_to_another_type(declared: Any) -> None:
    with pytest.raises(TypeError, match="keeps only persistent objects"):
        ReferenceCodec().bind(declared, REFERENCES)


def test_reference_holds_nothing_before_it_is_bound() -> None:
    with pytest.raises(EncodeError, match="inside a collection or a record"):
        ReferenceCodec().encode(Person("a"))
    with pytest.raises(DecodeError, match="inside a collection or a record"):
        ReferenceCodec().decode(b"Person:a")

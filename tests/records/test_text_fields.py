"""However a field of texts is declared, its bytes and values are those of ``str``."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, NewType, Optional, Union

import msgspec
import pytest
from typing_extensions import TypeAliasType

from persistent_collections import (
    Backend,
    DecodeError,
    PersistentDict,
    PersistentList,
    Record,
    codec,
    formerly,
    stored_as,
)
from persistent_collections.backends.keys import Key

Email = NewType("Email", str)
Alias = TypeAliasType("Alias", str)
OptionalAlias = TypeAliasType("OptionalAlias", Optional[str])  # noqa: UP045 - as it may be written


class Word(enum.StrEnum):
    LUKE = "Luke"
    DIGITS = "42"
    TRUE = "true"
    NULL = "null"
    EMPTY_LIST = "[]"


class Plain(enum.Enum):
    LUKE = "Luke"
    DIGITS = "42"
    TRUE = "true"
    NULL = "null"
    EMPTY_LIST = "[]"


TEXTS = ("Luke", "42", "true", "null", "[]")
Texts = Literal["Luke", "42", "true", "null", "[]"]
DECLARED = [
    *(str | None, Email, Email | None, Alias, Alias | None, OptionalAlias, NewType("Deep", Email), Texts, Texts | None),
    *(Literal["Luke", "42", "true", "null", "[]", None], Optional[Texts], Union[Texts, str], Word, Word | None, Plain),  # noqa: UP007, UP045 - as above
    *(Annotated[str, msgspec.Meta(max_length=9)], Annotated[str | None, msgspec.Meta(max_length=9)]),
    *(Annotated[Email, "a mark"], Annotated[str | None, "a mark"], Annotated[str, formerly("mail")]),
    Annotated[Email | None, stored_as("name")],
]


def user(annotation: Any) -> Any:
    return type("TextOwner", (Record,), {"__annotations__": {"name": annotation, "size": int}, "__module__": __name__})


def stored(backend: Backend, record: Record) -> bytes | None:
    return backend.mapping(Key(record.key)).get("name")


@pytest.mark.parametrize("declared", DECLARED, ids=str)
def test_texts_keep_their_bytes_and_values_however_they_are_declared(store: Backend, declared: Any) -> None:
    for number, text in enumerate(TEXTS):
        before = user(str)(f"{number}", name=text)
        data = stored(store, before)
        found = user(declared).load(f"{number}").name
        assert getattr(found, "value", found) == text
        user(declared)(f"again-{number}", name=found)
        assert stored(store, user(declared).ref(f"again-{number}")) == data
        assert user(str).load(f"again-{number}").name == text


@pytest.mark.parametrize(
    ("declared", "unset"),
    [
        (str, ""),
        (Email, ""),
        (Alias, ""),
        (Annotated[Email, "a mark"], ""),
        (Texts, None),
        (Word, None),
        (OptionalAlias, None),
    ],
    ids=str,
)
def test_an_unset_field_reads_as_one_of_str_if_it_can(store: Backend, declared: Any, unset: Any) -> None:
    assert user(declared)("unset", size=1).name == unset


def test_none_in_a_text_that_may_be_none_is_unset(store: Backend) -> None:
    for declared in (str | None, Email | None, OptionalAlias, Texts | None, Literal["Luke", None], Word | None):
        luke = user(declared)("x", name=Word.LUKE if declared == Word | None else "Luke", size=1)
        luke.name = None
        assert luke.name is None
        assert stored(store, luke) is None


def test_a_text_that_is_no_member_is_a_decode_error(store: Backend) -> None:
    user(str)("x", name="sesame")
    for declared in (Word, Plain, Texts):
        with pytest.raises(DecodeError) as caught:
            _ = user(declared).load("x").name
        assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        (str | int, "str | int"),
        (str | int | None, "str | int | None"),
        (Word | int, "Word | int"),
        (Literal["a", 1], "Literal['a', 1]"),
        (str | list[str], "str | list[str]"),
        (Annotated[str | int, "a mark"], "Annotated[str | int, 'a mark']"),
    ],
    ids=str,
)
def test_a_union_of_text_and_another_type_needs_a_named_codec(declared: Any, written: str) -> None:
    with pytest.raises(TypeError, match=r"field 'name' of TextOwner: .* allows str and other types") as caught:
        user(declared)
    assert f'Annotated[{written}, codec("json")]' in str(caught.value)
    assert user(Annotated[declared, codec("json")])


@pytest.mark.parametrize("declared", [PersistentList[str | int], PersistentDict[str, str | None]])
def test_so_do_the_items_of_a_child(declared: Any) -> None:
    with pytest.raises(TypeError, match=r"allows str and other types.*codec\(.json.\)"):
        user(declared)
    assert user(Annotated[declared, codec("json")])


@pytest.mark.parametrize("declared", [Email, Alias, Texts, Word], ids=str)
def test_items_of_a_child_keep_their_bytes_too(store: Backend, declared: Any) -> None:
    user(PersistentList[str])("x").name.extend(TEXTS)
    found = list(user(PersistentList[declared])("x").name)
    assert [getattr(item, "value", item) for item in found] == list(TEXTS)
    user(PersistentList[declared])("y").name.extend(found)
    assert list(user(PersistentList[str])("y").name) == list(TEXTS)

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from persistent_collections.backends.json.text import parse, parse_deadline, render, render_deadline
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content
from persistent_collections.errors import CorruptDataError, EncodeError
from tests.backends.json.damage import damaged

pytestmark = pytest.mark.store("json")

PATH = Path("store/User/luke.json")
EMPTY = {MARKER: MARKER_DATA}
"""What ``{}`` is: a record that holds nothing."""

GOLDEN: dict[str, Content] = {
    '{\n  "name": "Luke Skywalker"\n}\n': {"name": b'"Luke Skywalker"'},
    '[\n  "User:han@example.com",\n  null\n]\n': [b'"User:han@example.com"', b"null"],
    '{\n  "": 1e+16,\n  "Zoë\\n\\"": []\n}\n': {"": b"1e+16", 'Zoë\n"': b"[]"},
    '{\n  "tags": {\n    "$set": [\n      1,\n      {}\n    ]\n  }\n}\n': {"tags": b'{"$set":[1,{}]}'},
}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SPELLINGS: list[dict[str, Any]] = [
    {"indent": 4},
    {"indent": "\t", "ensure_ascii": True},
    {"separators": (" , ", " :\r\n ")},
    {"separators": (",", ":"), "ensure_ascii": False},
]

CORRUPT = {
    b"": "line 1 column 1: ",
    b"null": "line 1 column 1: neither an object nor an array",
    b" 12": "line 1 column 1: neither an object nor an array",
    b'{"a": 1': "line 1 column 8: ",
    b'{\n  "a": 1,\n "b": }': "line 3 column 7: ",
    b'{"a": 1} {}': "line 1 column 10: ",
    b'{"a": 01}': "line 1 column 8: ",
    b"\0\0\0\0": "line 1 column 1: ",
    b'{\n "a": "\xff"}': "line 2 column 8: not UTF-8",
    b'{"a": "\xed\xa0\x80"}': "line 1 column 8: not UTF-8",
    b'{\n "a": 1,\n "b": 2, "a": 3}': "line 3 column 10: this key occurs twice in one object",
    b'{"a": 1, "\\u0061": 3}': "line 1 column 10: this key occurs twice in one object",
    b'{"x": {"a": 1, "b": {}, "a": 1}}': "line 1 column 25: this key occurs twice in one object",
    b'[[{"a": 1, "a": 1}]]': "line 1 column 12: this key occurs twice in one object",
    b'["NaN", NaN]': "line 1 column 9: NaN is not a JSON number",
    b'{"a":\n-Infinity}': "line 2 column 1: -Infinity is not a JSON number",
    b'["\\ud800"]': "line 1 column 2: half a surrogate pair",
    b'{"\\udc00": 1}': "line 1 column 2: half a surrogate pair",
    b'["a\tb"]': "line 1 column 4: ",
    b"[" * 100_000: "line 1 column 1: nested too deeply",
}


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(("text", "content"), GOLDEN.items())
def test_a_content_has_exactly_this_text(text: str, content: Content) -> None:
    assert render(content, PATH) == text.encode()
    assert parse(text.encode(), PATH) == content


def test_a_set_is_a_sorted_array() -> None:
    assert render({"b", "a", "é"}, PATH) == '[\n  "a",\n  "b",\n  "é"\n]\n'.encode()


@settings(max_examples=40)
@given(st.dictionaries(st.text(), VALUES) | st.lists(VALUES))
def test_any_content_comes_back_in_its_order(value: dict[str, Any] | list[Any]) -> None:
    if isinstance(value, dict):
        fields = {field: compact(item) for field, item in value.items()} or EMPTY
        assert parse(render(fields, PATH), PATH) == fields
        assert list(parse(render(fields, PATH), PATH)) == list(fields)
    else:
        items = [compact(item) for item in value]
        assert parse(render(items, PATH), PATH) == items


@settings(max_examples=40)
@given(value=st.dictionaries(st.text(), VALUES), spelling=st.sampled_from(SPELLINGS))
def test_however_it_is_laid_out_and_escaped_the_data_are_the_same(
    value: dict[str, Any], spelling: dict[str, Any]
) -> None:
    text = json.dumps(value, **spelling).encode()
    assert parse(text, PATH) == ({field: compact(item) for field, item in value.items()} or EMPTY)


@pytest.mark.parametrize("number", ["1E400", "1.0E5", "100000.00", "-0", "0.1234567890123456789", "9" * 5000])
@pytest.mark.parametrize("beside", ["1", '"\\/"', '{"x": 1e5}'])
def test_a_number_written_by_hand_keeps_every_digit(number: str, beside: str) -> None:
    text = f'{{"n": {number}, "beside": {beside}}}'.encode()
    assert parse(text, PATH) == {"n": number.encode(), "beside": beside.replace(" ", "").replace("\\", "").encode()}


def test_escapes_written_by_hand_are_spelt_as_ours() -> None:
    assert parse(b'{"\\u0061": "\\u00E9\\/\\ud83d\\ude00\\u000a\\u001F\\u007f"}', PATH) == {
        "a": '"é/😀\\n\\u001f\x7f"'.encode()
    }


def test_a_byte_order_mark_that_an_editor_put_there_is_passed_over() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 1}', PATH) == {"a": b"1"}


def test_brackets_around_white_space_that_a_lost_byte_left_are_no_empty_array() -> None:
    assert parse(b"[\n]\n", PATH) == []
    with pytest.raises(CorruptDataError, match="line 1 column 1: white space instead of fields or items"):
        parse(render([b"1"], PATH).replace(b"1", b""), PATH)


@pytest.mark.parametrize(("data", "message"), CORRUPT.items(), ids=lambda part: repr(part)[:30])
def test_a_corrupt_file_is_named_with_the_position(data: bytes, message: str) -> None:
    with pytest.raises(CorruptDataError) as caught:
        parse(data, PATH)
    assert str(caught.value).startswith(f"{PATH}, {message}")


def test_an_error_shows_nothing_of_what_is_stored() -> None:
    with pytest.raises(CorruptDataError) as caught:
        parse(b'{"sesame": "sesame", "sesame": "sesame"}', PATH)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {"a": b""},
        {"a": b"x"},
        [b"NaN"],
        [b"1 2"],
        [b'"\xff"'],
        {"\ud800": b"1"},
        {"\ud800"},
        [b"[" * 100_000 + b"]" * 100_000],
    ],
)
def test_what_could_not_be_read_again_is_not_written(content: Content) -> None:
    with pytest.raises(EncodeError, match=r"luke\.json"):
        render(content, PATH)


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_a_deadline_comes_back(deadline: float) -> None:
    assert parse_deadline(render_deadline(deadline), PATH) == deadline


def test_a_deadline_may_be_a_line_written_by_hand_or_by_an_earlier_version() -> None:
    assert render_deadline(1732386000.25) == b"1732386000.25\nf388f872\n"
    assert parse_deadline(b"1732386000.25\n", PATH) == 1732386000.25
    assert parse_deadline(b"1732386000\n", PATH) == 1732386000


@pytest.mark.parametrize(
    "data", [b"", b"tomorrow\n", b"1732386000", b"nan\n", b"inf\n", b"-1\n", b"1_0\n", b"1e+999\n", b" 1\n", b"1\n\n"]
)
def test_what_is_no_line_with_a_deadline_is_corrupt(data: bytes) -> None:
    with pytest.raises(CorruptDataError, match=r"luke\.json"):
        parse_deadline(data, PATH)


def test_no_damage_of_a_byte_brings_a_deadline_forward() -> None:
    deadline = 1732386000.25
    for data in damaged(render_deadline(deadline)):
        with suppress(CorruptDataError):
            assert parse_deadline(data, PATH) >= deadline

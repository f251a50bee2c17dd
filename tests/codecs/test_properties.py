"""What holds for every value and for every string of bytes."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgpack  # type: ignore[import-untyped] # it ships no types
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from persistent_collections import DecodeError, EncodeError, lift, lower
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.compressed import Compressed
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.keys.codec import key_codec
from persistent_collections.codecs.msgpack import MsgpackCodec
from persistent_collections.codecs.text import TextCodec
from persistent_collections.codecs.types.standard import STANDARD_FORMS
from tests.codecs.exact import exact
from tests.codecs.strategies import KEYS, LEAVES, VALUES

CODECS = [JSONCodec(), MsgpackCodec(), fit(MsgpackCodec(), "json"), Compressed(JSONCodec())]
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
THOROUGH = settings(QUICK, max_examples=1500)

everywhere = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


SURROGATES = range(0xD800, 0xE000)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4).filter(lambda key: key[:1] != "$"), inner)
    ),
    max_leaves=20,
)


def in_standard_json(value: Any) -> bytes:
    """Return the bytes that the standard library writes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def check_comes_back(codec: Codec, value: Any) -> None:
    assert exact(codec.decode(codec.encode(value))) == exact(value)


def check_is_steady(codec: Codec, value: Any) -> None:
    data = codec.encode(value)
    assert codec.encode(codec.decode(data)) == data


def check_decodes_or_refuses(codec: Codec, data: bytes) -> None:
    with suppress(DecodeError):
        codec.decode(data)


def check_spoilt_data_decodes_or_is_refused(codec: Codec, value: Any, spoil: st.DataObject) -> None:
    data = codec.encode(value)
    cut = spoil.draw(st.integers(0, len(data)))
    other = spoil.draw(st.binary(max_size=4))
    check_decodes_or_refuses(codec, data[:cut])
    check_decodes_or_refuses(codec, data[:cut] + other + data[cut + len(other) :])


def check_keys(one: Any, other: Any) -> None:
    codec = key_codec(Any)
    with suppress(EncodeError):
        assert (codec.encode(one) == codec.encode(other)) is (one == other)


def check_key_comes_back(key: Any) -> None:
    codec = key_codec(Any)
    with suppress(EncodeError):
        text = codec.encode(key)
        assert codec.decode(text) == key
        assert codec.encode(codec.decode(text)) == text


@QUICK
@given(JSON_VALUES)
def test_json_is_written_as_the_standard_library_does(value: Any) -> None:
    assert JSONCodec().encode(value) == in_standard_json(value)


def test_each_character_is_written_as_the_standard_library_does() -> None:
    text = "".join(chr(code) for code in range(sys.maxunicode + 1) if code not in SURROGATES)
    for value in (text, {text: [text]}):
        assert JSONCodec().encode(value) == in_standard_json(value)


@everywhere
@QUICK
@given(value=VALUES)
def test_a_value_comes_back_with_its_types(codec: Codec, value: Any) -> None:
    check_comes_back(codec, value)


@pytest.mark.slow
@everywhere
@THOROUGH
@given(value=VALUES)
def test_a_great_many_values_come_back_with_their_types(codec: Codec, value: Any) -> None:
    check_comes_back(codec, value)
    check_is_steady(codec, value)


@everywhere
@QUICK
@given(value=VALUES)
def test_what_was_decoded_is_encoded_to_the_same_bytes(codec: Codec, value: Any) -> None:
    check_is_steady(codec, value)


@QUICK
@given(value=VALUES)
def test_what_is_lowered_is_plain_json_and_is_lifted_back(value: Any) -> None:
    plain = json.loads(json.dumps(lower(value), allow_nan=False))
    assert exact(lift(plain)) == exact(value)


@QUICK
@given(value=VALUES)
def test_plain_values_are_the_formats_own(value: Any) -> None:
    with suppress(EncodeError, TypeError, ValueError, OverflowError):
        packed = msgpack.packb(value, strict_types=True)
        if b"\xc7" not in packed:
            assert MsgpackCodec().encode(value) == packed


@pytest.mark.parametrize("codec", [*CODECS, TextCodec()], ids=lambda codec: codec.name)
@QUICK
@given(data=st.binary(max_size=40))
def test_random_bytes_decode_or_are_refused(codec: Codec, data: bytes) -> None:
    check_decodes_or_refuses(codec, data)


@everywhere
@QUICK
@given(value=VALUES, spoil=st.data())
def test_spoilt_data_decodes_or_is_refused(codec: Codec, value: Any, spoil: st.DataObject) -> None:
    check_spoilt_data_decodes_or_is_refused(codec, value, spoil)


@pytest.mark.slow
@everywhere
@THOROUGH
@given(value=VALUES, spoil=st.data())
def test_a_great_deal_of_spoilt_data_decodes_or_is_refused(codec: Codec, value: Any, spoil: st.DataObject) -> None:
    check_spoilt_data_decodes_or_is_refused(codec, value, spoil)


def result(codec: Codec, data: bytes) -> Any:
    try:
        return exact(codec.decode(data))
    except DecodeError:
        return DecodeError


@QUICK
@given(value=st.dictionaries(st.text(max_size=3), VALUES, max_size=3), spoil=st.data())
def test_a_map_is_read_the_same_alone_and_in_a_list(value: Any, spoil: st.DataObject) -> None:
    data = MsgpackCodec().encode(value)
    cut = spoil.draw(st.integers(0, len(data)))
    spoilt = data[:cut] + spoil.draw(st.binary(max_size=4)) + data[cut:]
    inside = result(MsgpackCodec(), b"\x91" + spoilt)
    alone = result(MsgpackCodec(), spoilt)
    assert inside == (alone if alone is DecodeError else (list, [alone]))


@QUICK
@given(value=VALUES, spoil=st.data())
def test_a_json_text_is_read_the_same_with_a_space_before_it(value: Any, spoil: st.DataObject) -> None:
    data = JSONCodec().encode(value)
    cut = spoil.draw(st.integers(0, len(data)))
    spoilt = data[:cut] + spoil.draw(st.binary(max_size=3) | st.sampled_from([b"1e999", b"\\ud800", b"0"])) + data[cut:]
    assert result(JSONCodec(), spoilt) == result(JSONCodec(), b" " + spoilt)


@QUICK
@given(tag=st.sampled_from([*"abc"]) | st.text(max_size=9), stored=VALUES, spoil=st.data())
def test_any_value_under_any_tag_decodes_or_is_refused(tag: str, stored: Any, spoil: st.DataObject) -> None:
    tag = spoil.draw(st.sampled_from([form.tag for form in STANDARD_FORMS] + [tag]))
    check_decodes_or_refuses(JSONCodec(), json.dumps({f"${tag}": lower(stored)}).encode())
    packed = MsgpackCodec().encode([tag, stored])
    check_decodes_or_refuses(MsgpackCodec(), msgpack.packb(msgpack.ExtType(1, packed)))


@QUICK
@given(one=KEYS, other=KEYS)
def test_keys_have_one_text_just_where_they_are_equal(one: Any, other: Any) -> None:
    check_keys(one, other)


@pytest.mark.slow
@THOROUGH
@given(one=KEYS, other=KEYS)
def test_a_great_many_keys_have_one_text_just_where_they_are_equal(one: Any, other: Any) -> None:
    check_keys(one, other)
    check_key_comes_back(one)


@QUICK
@given(number=st.one_of(st.integers(-9, 9), st.floats(), st.decimals(allow_nan=False), st.booleans()), spoil=st.data())
def test_a_number_has_one_text_in_every_type_that_has_it(number: Any, spoil: st.DataObject) -> None:
    codec = key_codec(Any)
    kind = spoil.draw(st.sampled_from([int, float, Decimal, bool, complex]))
    with suppress(EncodeError, OverflowError, ValueError):
        other = kind(number)
        assert (codec.encode((other,)) == codec.encode((number,))) is (other == number)


@QUICK
@given(key=KEYS)
def test_a_key_comes_back_equal(key: Any) -> None:
    check_key_comes_back(key)


@QUICK
@given(
    text=st.text(max_size=20), declared=st.sampled_from([Any, int, float, Decimal, bytes, tuple[int, str], int | str])
)
def test_a_text_is_a_key_that_has_it_or_is_refused(text: str, declared: Any) -> None:
    codec = key_codec(declared)
    with suppress(DecodeError):
        assert codec.encode(codec.decode(text)) == text


@QUICK
@given(leaf=LEAVES)
def test_equal_leaves_have_equal_bytes_where_a_codec_says_so(leaf: Any) -> None:
    for declared in (str, int, bool, bytes):
        codec = JSONCodec(declared)
        assert codec.canonical
        with suppress(EncodeError):
            assert type(codec.decode(codec.encode(leaf))) is declared

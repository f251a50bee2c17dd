"""Codecs around other codecs: fitted to JSON stores, compressed, encrypted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.fernet import Fernet

from persistent_collections import ConfigurationError, DecodeError, EncodeError, get_codec
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.bcrypt import BcryptCodec
from persistent_collections.codecs.compressed import Compressed
from persistent_collections.codecs.encrypted import Encrypted
from persistent_collections.codecs.fit import fit
from tests.codecs.exact import exact
from tests.codecs.people import REFERENCES, Person

KEYS = [Fernet.generate_key().decode() for _ in range(3)]


@pytest.mark.parametrize("name", ["str", "json", "msgpack", "reference"])
def test_a_store_of_bytes_takes_a_codec_as_it_is(name: str) -> None:
    codec = get_codec(name)
    assert fit(codec, "bytes") is codec


def test_a_store_of_json_takes_a_json_codec_as_it_is() -> None:
    assert fit(get_codec("json"), "json") is get_codec("json")


@pytest.mark.parametrize("text", ["", "a", '"', "é\u2028\0\\", "null"])
def test_text_is_a_json_string_in_a_store_of_json(text: str) -> None:
    codec = fit(get_codec("str"), "json")
    assert json.loads(codec.encode(text)) == text
    assert codec.decode(codec.encode(text)) == text
    assert codec.decode(json.dumps(text).encode()) == text


@pytest.mark.parametrize("value", [None, b"\xff\0", [1, (2,)], {"a": b""}])
def test_binary_is_a_json_string_in_a_store_of_json(value: Any) -> None:
    codec = fit(get_codec("msgpack"), "json")
    assert type(json.loads(codec.encode(value))) is str
    assert exact(codec.decode(codec.encode(value))) == exact(value)


def test_a_fitted_codec_keeps_its_name_and_what_it_promises() -> None:
    for name in ("str", "msgpack"):
        fitted = fit(get_codec(name), "json")
        assert (fitted.name, fitted.format, fitted.canonical) == (name, "json", get_codec(name).canonical)
    with pytest.raises(EncodeError):
        fit(get_codec("str"), "json").encode(1)


def test_a_fitted_codec_is_bound_through() -> None:
    codec = fit(get_codec("reference"), "json").bind(Person, REFERENCES)
    assert codec.encode(Person("a")) == b'"Person:a"'
    assert codec.decode(b'"Person:a"') == Person("a")
    fitted = fit(BcryptCodec(rounds=4), "json")
    assert fitted.decode(fitted.encode("a")).verify("a")


WRAPPERS = [Compressed(get_codec("json")), Encrypted(get_codec("msgpack"), KEYS[:1])]


@pytest.mark.parametrize("codec", [*WRAPPERS, Compressed(WRAPPERS[1]), Encrypted(WRAPPERS[0], KEYS)])
@pytest.mark.parametrize("value", [None, "a" * 1000, [1, (2,), {3: b"\0"}]])
def test_a_value_comes_back_through_a_wrapper_in_any_store(codec: Codec, value: Any) -> None:
    for fitted in (codec, fit(codec, "json")):
        assert exact(fitted.decode(fitted.encode(value))) == exact(value)


@pytest.mark.parametrize("codec", WRAPPERS)
def test_a_wrapper_binds_the_codec_inside(codec: Codec) -> None:
    bound = codec.bind(list[Person], REFERENCES)
    assert bound.name == codec.name
    assert bound.decode(bound.encode([Person("a")])) == [Person("a")]
    with pytest.raises(EncodeError, match=r"expected Person, not int"):
        bound.encode([1])
    with pytest.raises(TypeError):
        codec.bind(Sequence[int], None)


def test_wrappers_are_named_after_the_codec_inside_or_as_told() -> None:
    assert [codec.name for codec in WRAPPERS] == ["json+zlib", "msgpack+fernet"]
    assert Compressed(get_codec("json"), "small").bind(int, None).name == "small"
    assert Encrypted(get_codec("json"), KEYS, "secret").name == "secret"


def test_what_is_compressed_is_smaller() -> None:
    value = ["a" * 100] * 100
    assert len(Compressed(get_codec("json")).encode(value)) < len(get_codec("json").encode(value)) / 20


def test_what_could_not_be_unpacked_is_not_compressed() -> None:
    codec = Compressed(get_codec("str"), max_size_bytes=10)
    assert codec.decode(codec.encode("a" * 10)) == "a" * 10
    with pytest.raises(EncodeError, match="its 11 bytes exceed max_size_bytes=10"):
        codec.encode("a" * 11)
    with pytest.raises(DecodeError, match="exceeds max_size_bytes=10"):
        codec.decode(Compressed(get_codec("str")).encode("a" * 11))


def test_nothing_of_what_is_encrypted_is_seen() -> None:
    codec = Encrypted(get_codec("json"), KEYS[:1])
    assert b"sesame" not in codec.encode("sesame")
    assert codec.encode("sesame") != codec.encode("sesame")
    assert KEYS[0] not in repr(codec)


def test_keys_are_rotated_by_putting_the_new_one_first() -> None:
    old, both = Encrypted(get_codec("json"), [KEYS[0]]), Encrypted(get_codec("json"), [KEYS[1], KEYS[0]])
    new = Encrypted(get_codec("json"), [KEYS[1]])
    data = old.encode("a")
    assert both.decode(data) == "a"
    assert new.decode(both.encode(both.decode(data))) == "a"
    with pytest.raises(DecodeError, match="no key opens this"):
        new.decode(data)


def test_what_was_changed_is_not_decrypted() -> None:
    codec = Encrypted(get_codec("json"), KEYS)
    data = bytearray(codec.encode("a"))
    data[20] ^= 1
    with pytest.raises(DecodeError, match="no key opens this"):
        codec.decode(bytes(data))


@pytest.mark.parametrize("keys", [[], ["short"], [b"\xff"], ["é" * 44]])
def test_what_is_no_key_is_refused_unshown(keys: list[Any]) -> None:
    with pytest.raises(ConfigurationError, match="at least one key") as caught:
        Encrypted(get_codec("json"), keys)
    assert "short" not in str(caught.value)


def test_without_cryptography_the_codec_says_what_to_install() -> None:
    code = """
import sys
sys.modules["cryptography.fernet"] = None
from persistent_collections import ConfigurationError
try:
    import persistent_collections.codecs.encrypted
except ConfigurationError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install cryptography" in done.stdout

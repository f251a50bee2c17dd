"""Passwords, one way."""

from __future__ import annotations

import copy
import hashlib
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from cryptography.fernet import Fernet

import persistent_collections
from persistent_collections import ConfigurationError, DecodeError, EncodeError
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.bcrypt import BcryptCodec, PasswordHash
from persistent_collections.codecs.compressed import Compressed
from persistent_collections.codecs.encrypted import Encrypted
from persistent_collections.codecs.fit import fit

PASSWORD = "sesame-open-\N{GRINNING FACE}"
LONG = "x" * 73

PLAIN_HASH = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
"""Of "secret"."""

PREHASHED = "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuraR8y8jUb0UMmCc9fwl/YxKZSpSs52u"
"""Of "secret"; Django 5.2 verifies it, too."""


@pytest.fixture
def codec() -> BcryptCodec:
    return BcryptCodec(rounds=4)


def test_a_password_is_stored_as_a_salted_hash_that_verifies_it(codec: BcryptCodec) -> None:
    data = codec.encode(PASSWORD)
    assert data.startswith(b"$2b$04$")
    assert data != codec.encode(PASSWORD)
    stored = codec.decode(data)
    assert type(stored) is PasswordHash
    assert stored.verify(PASSWORD)
    for wrong in ("", PASSWORD + "x", PASSWORD[:-1], PASSWORD + "\0", LONG, "\ud800"):
        assert not stored.verify(wrong)


def test_twelve_rounds_are_the_default() -> None:
    assert BcryptCodec().encode("a").startswith(b"$2b$12$")


def test_nul_is_a_character_as_any_other(codec: BcryptCodec) -> None:
    stored = codec.decode(codec.encode("a\0b"))
    assert stored.verify("a\0b")
    assert not stored.verify("a")
    assert not stored.verify("a\0c")


def test_a_hash_is_kept_not_hashed_again(codec: BcryptCodec) -> None:
    data = codec.encode(PASSWORD)
    assert codec.encode(codec.decode(data)) == data


def test_72_bytes_are_held_and_more_refused_without_showing_them(codec: BcryptCodec) -> None:
    assert codec.decode(codec.encode("é" * 36)).verify("é" * 36)
    for too_long in (LONG, "é" * 37):
        with pytest.raises(EncodeError, match=r"over 72 bytes; BcryptCodec\(prehash=True\)") as caught:
            codec.encode(too_long)
        assert too_long not in str(caught.value)


def test_prehashing_takes_passwords_of_any_length() -> None:
    codec = BcryptCodec(rounds=4, prehash=True)
    stored = codec.decode(codec.encode(LONG))
    assert stored.verify(LONG)
    assert not stored.verify(LONG + "x")
    assert not stored.verify(LONG[:72])


def test_a_hash_knows_how_it_was_made_whatever_the_codec_is_set_to() -> None:
    plain, prehashing = BcryptCodec(rounds=4), BcryptCodec(rounds=4, prehash=True)
    assert prehashing.encode("a").startswith(b"bcrypt_sha256$$2b$04$")
    assert prehashing.decode(plain.encode("a")).verify("a")
    assert plain.decode(prehashing.encode("a")).verify("a")
    assert not plain.decode(prehashing.encode(LONG)).verify(LONG[:72])


@pytest.mark.parametrize("data", [PLAIN_HASH, PREHASHED])
def test_a_hash_stored_long_ago_verifies_its_password(codec: BcryptCodec, data: str) -> None:
    stored = codec.decode(data.encode())
    assert stored.verify("secret")
    assert not stored.verify("Secret")
    assert codec.encode(stored) == data.encode()


def test_a_hash_made_another_way_than_now_needs_rehashing() -> None:
    made = {
        (rounds, prehash): BcryptCodec(rounds=rounds, prehash=prehash) for rounds in (4, 5) for prehash in (False, True)
    }
    for made_by, making in made.items():
        data = making.encode("a")
        for read_by, codec in made.items():
            assert codec.decode(data).needs_rehash is (made_by != read_by)
    assert PasswordHash(PLAIN_HASH.replace("2b", "2a"), rounds=4).needs_rehash
    assert not PasswordHash().needs_rehash


@pytest.mark.parametrize("value", [None, 1, b"secret", ["secret"], object()])
def test_what_is_no_password_is_refused(codec: BcryptCodec, value: Any) -> None:
    with pytest.raises(EncodeError, match="a str or a PasswordHash, not"):
        codec.encode(value)


@pytest.mark.parametrize("candidate", [None, b"secret", 1])
def test_a_candidate_that_is_no_text_is_a_type_error(candidate: Any) -> None:
    with pytest.raises(TypeError, match="a password is a str, not"):
        PasswordHash(PLAIN_HASH).verify(candidate)


def test_a_password_that_is_no_text_is_refused(codec: BcryptCodec) -> None:
    with pytest.raises(EncodeError, match="lone surrogate"):
        codec.encode("\ud800")


@pytest.mark.parametrize(
    "data",
    [b"secret", b"\xff", b"$2b$04$short", b"$2b$99$" + b"a" * 53, PLAIN_HASH.encode() + b"\n", b"$1$" + b"a" * 53],
)
def test_what_is_no_hash_is_a_decode_error(codec: BcryptCodec, data: bytes) -> None:
    with pytest.raises(DecodeError, match="not a bcrypt hash") as caught:
        codec.decode(data)
    assert "secret" not in str(caught.value)


def test_the_empty_hash_is_false_and_verifies_nothing(codec: BcryptCodec) -> None:
    empty = PasswordHash()
    assert not empty
    assert not empty.verify("")
    assert codec.decode(codec.encode(empty)) == empty
    assert PasswordHash(PLAIN_HASH)


@pytest.mark.parametrize("prehash", [False, True])
def test_an_empty_password_is_refused_and_verifies_nothing(prehash: bool) -> None:
    with pytest.raises(EncodeError, match="an empty password, which would let everybody in"):
        BcryptCodec(rounds=4, prehash=prehash).encode("")
    of_empty = hashlib.sha256(b"").hexdigest().encode() if prehash else b""
    hashed = bcrypt.hashpw(of_empty, bcrypt.gensalt(4)).decode()
    assert not PasswordHash(f"bcrypt_sha256${hashed}" if prehash else hashed).verify("")


def locals_of(error: BaseException) -> str:
    """Return the local variables of our own frames that a traceback shows."""
    shown, trace = [], error.__traceback__
    while trace:
        code = trace.tb_frame.f_code
        if Path(persistent_collections.__file__).parent in Path(code.co_filename).parents:
            shown.append(f"{code.co_qualname}: {trace.tb_frame.f_locals!r}")
        trace = trace.tb_next
    assert shown, "there were such frames"
    return "\n".join(shown)


@pytest.mark.parametrize("made", ["plain", "in JSON", "compressed", "encrypted", "both"])
def test_no_local_variable_of_a_traceback_holds_a_refused_password(made: str) -> None:
    codec: Codec = BcryptCodec(rounds=4)
    if made in ("compressed", "both"):
        codec = Compressed(codec)
    if made in ("encrypted", "both"):
        codec = Encrypted(codec, [Fernet.generate_key()])
    if made != "plain":
        codec = fit(codec, "json")
    refused = "sesame-open-" + LONG
    for call in (lambda: codec.encode(refused), lambda: codec.encode_all([refused])):
        with pytest.raises(EncodeError) as caught:
            call()
        assert "sesame" not in locals_of(caught.value)


def test_a_password_that_is_hashed_when_an_interrupt_comes_has_a_name_that_scrubbers_know(
    codec: BcryptCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(bcrypt, "hashpw", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        codec.encode(PASSWORD)
    variables = [item for entry in caught.traceback for item in entry.frame.f_locals.items()]
    assert {name for name, value in variables if PASSWORD in repr(value)} == {"password"}


def test_hashes_are_equal_by_their_text_and_show_none_of_it() -> None:
    one, same, other = PasswordHash(PLAIN_HASH), PasswordHash(PLAIN_HASH), PasswordHash(PLAIN_HASH[:-1] + "X")
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != PLAIN_HASH
    for shown in (repr(one), str(one), f"{one}", repr([one])):
        assert shown.strip("[]") == "<PasswordHash redacted>"
    assert repr(PasswordHash()) == "<PasswordHash empty>"


def test_a_hash_copies_and_pickles(codec: BcryptCodec) -> None:
    stored = codec.decode(codec.encode("a"))
    for twin in (copy.copy(stored), copy.deepcopy(stored), pickle.loads(pickle.dumps(stored))):
        assert twin == stored
        assert twin.verify("a")
        assert not twin.needs_rehash


@pytest.mark.parametrize("text", ["secret", PLAIN_HASH + "x"])
def test_a_hash_is_made_of_the_text_of_one_alone(text: str) -> None:
    with pytest.raises(ValueError, match="the text is not a bcrypt hash"):
        PasswordHash(text)


@pytest.mark.parametrize("rounds", [3, 32, "12", 12.5])
def test_rounds_that_bcrypt_does_not_take_are_refused(rounds: Any) -> None:
    with pytest.raises(ConfigurationError, match="4 to 31"):
        BcryptCodec(rounds=rounds)


def test_without_bcrypt_the_codec_says_what_to_install() -> None:
    code = """
import sys
from pathlib import Path
sys.modules["bcrypt"] = None
from persistent_collections import ConfigurationError, get_codec
try:
    get_codec("bcrypt")
except ConfigurationError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'persistent-collections[bcrypt]'" in done.stdout

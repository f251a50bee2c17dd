"""Bytes that a codec did not write give a DecodeError, soon and in little memory."""

from __future__ import annotations

import json
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgpack  # type: ignore[import-untyped] # it ships no types
import pytest
from cryptography.fernet import Fernet

from persistent_collections import DecodeError, EncodeError, get_codec, lift
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.compressed import Compressed
from persistent_collections.codecs.encrypted import Encrypted
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.msgpack import MsgpackCodec
from tests.codecs.exact import exact

SECRET = "sesame-open"


def tagged(tag: Any, stored: Any) -> bytes:
    data: bytes = msgpack.packb(msgpack.ExtType(1, msgpack.packb([tag, stored])))
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not the JSON of this codec"),
        (b"\xff", "not UTF-8"),
        (b'"\xff"', r"not the JSON of this codec \(not UTF-8\)$"),
        (b'{"a":"\xff"}', r"not the JSON of this codec \(not UTF-8\)$"),
        (b"\xef\xbb\xbf1", "not the JSON of this codec"),
        (b"[1,]", "not the JSON of this codec"),
        (b"1 2", "not the JSON of this codec"),
        (b"NaN", "not the JSON of this codec"),
        (b'[NaN, "$"]', "not the JSON of this codec"),
        (b"-Infinity", "not the JSON of this codec"),
        (b"1e999", "out of the range"),
        (b"1" * 9999, "too many digits"),
        (b'"\\ud800"', "not the JSON of this codec"),
        (b'"\\ud800 and more"', "not the JSON of this codec"),
        (b"[-" + b"9" * 4300 + b',"\\ud800"]', "half a surrogate pair"),
        (b"[-" + b"9" * 4300 + b",NaN]", "NaN is not JSON"),
        (b'{"a":1,"a":1}', "a duplicate key"),
        (b'[[{"a":{"b":1,"b":2}}]]', "a duplicate key"),
        (b'{"$tuple":[1],"$tuple":[1]}', "a duplicate key"),
        (b'{"\\u0061":1,"a":2}', "a duplicate key"),
        (b"[" * 100_000, "not the JSON of this codec"),
        (b'{"$tuple":[' * 100_000, "not the JSON of this codec"),
        (b'{"$tuple":[' * 800 + b"]}" * 800, "too deeply"),
        (b'{"$unknown":1}', "no type is registered under the tag 'unknown'; import the module"),
        (b'{"$":1}', "no type is registered under the tag ''"),
        (b'{"$tuple":1}', "a int is stored under the tag 'tuple', not a list"),
        (b'{"$tuple":{"$tuple":[]}}', "a tuple is stored under the tag 'tuple', not a list"),
        (b'{"$set":[1,1.0]}', "not of type set"),
        (b'{"$set":[[1]]}', "not of type set"),
        (b'{"$dict":[[1,2],[1,3]]}', "not of type dict"),
        (b'{"$dict":[[1,2],[true,3]]}', "not of type dict"),
        (b'{"$dict":[[[],2]]}', "not of type dict"),
        (b'{"$dict":["ab"]}', "not of type dict"),
        (b'{"$dict":[[1]]}', "not of type dict"),
        (b'{"$dict":{"a":1}}', "not a list"),
        (b'{"$bytes":"!"}', "not of type bytes"),
        (b'{"$bytes":"YR=="}', "not of type bytes"),
        (b'{"$int":"1"}', "not of type int"),
        (b'{"$int":"0x1_0"}', "not of type int"),
        (b'{"$float":"1.5"}', "not of type float"),
        (b'{"$float":1.5}', "not a str"),
        (b'{"$decimal":"sesame-open"}', "not of type Decimal"),
        (b'{"$decimal":"1E+99999999999999999999"}', "not of type Decimal"),
        (b'{"$uuid":"sesame-open"}', "not of type UUID"),
        (b'{"$complex":[1]}', "not of type complex"),
        (b'{"$complex":["1","2"]}', "not of type complex"),
        (b'{"$timedelta":[1]}', "not of type timedelta"),
        (b'{"$timedelta":[9999999999,0,0]}', "not of type timedelta"),
        (b'{"$date":"2024-13-01"}', "not of type date"),
        (b'{"$datetime":"sesame-open"}', "not of type datetime"),
        (b'{"$datetime":"2024-01-01T00:00:00[Europe/Nowhere]"}', "not of type datetime"),
        (b'{"$datetime":"2024-01-01T00:00:00[../../etc/passwd]"}', "not of type datetime"),
        (b'{"$datetime":"2024-01-01T00:00:00[Europe]"}', "not of type datetime"),
        (b'{"$time":"25:00:00"}', "not of type time"),
        (b'{"$ref":"User:x"}', "a reference to a persistent object"),
    ],
)
def test_json_refuses_what_it_does_not_write(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message) as caught:
        JSONCodec().decode(data)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not the MessagePack"),
        (b"\xc1", "not the MessagePack"),
        (b"\x01\x01", "more bytes follow"),
        (b"\xdd\xff\xff\xff\xff", "not the MessagePack"),
        (b"\x81\xa1a\xdd\xff\xff\xff\xff", "not the MessagePack"),
        (b"\xdf\xff\xff\xff\xff", "not the MessagePack"),
        (b"\xc6\xff\xff\xff\xff", "not the MessagePack"),
        (b"\xa1\xff", "not UTF-8"),
        (b"\x91" * 5000, "nested too deeply"),
        (b"\x81\xa1a" * 5000, "nested too deeply"),
        (b"\x82\xa1a\x01\xa1a\x02", "a duplicate key"),
        (b"\x91\x82\x01\x01\xc3\x02", "a duplicate key"),
        (b"\x81\x80\x01", "a key of a map is a map"),
        (b"\xd4\x02\x00", "an extension of type 2"),
        (b"\x81\xa1a\xd4\x02\x00", "an extension of type 2"),
        (b"\xd4\x01\xc1", "not the MessagePack"),
        (b"\xd4\x01\x01", "an extension of type 1"),
        (tagged("unknown", 1), "no type is registered under the tag 'unknown'"),
        (tagged(1, 1), "an extension of type 1"),
        (tagged("set", [1, 1]), "not of type set"),
        (tagged("set", {"a": 1}), "a dict is stored under the tag 'set'"),
        (tagged("ref", "User:x"), "a reference to a persistent object"),
    ],
)
def test_msgpack_refuses_what_it_does_not_write(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        MsgpackCodec().decode(data)


def test_what_messagepack_has_and_python_has_not_is_read_as_the_nearest() -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, 6000, UTC)
    stamp = msgpack.packb(moment, datetime=True)
    for data, value in (
        (stamp, moment),
        (b"\x81\xa1a" + stamp, {"a": moment}),
        (b"\x81\x92\x01\x91\x02\x03", {(1, (2,)): 3}),
        (b"\x91\x81\x92\x01\x91\x02\x03", [{(1, (2,)): 3}]),
    ):
        assert exact(MsgpackCodec().decode(data)) == exact(value)


def nested_extensions(depth: int) -> bytes:
    data = msgpack.packb([])
    for _ in range(depth):
        data = msgpack.packb(
            [msgpack.ExtType(1, msgpack.packb(["tuple", msgpack.unpackb(data, ext_hook=msgpack.ExtType)]))]
        )
    return bytes(data)


def test_extensions_nested_too_deep_are_refused() -> None:
    with pytest.raises(DecodeError):
        MsgpackCodec().decode(nested_extensions(1000))


def test_extensions_are_read_in_a_thread_with_a_small_stack() -> None:
    value: Any = ()
    for _ in range(90):
        value = (value,)
    data = MsgpackCodec().encode(value)
    found: list[Any] = []
    usual = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(MsgpackCodec().decode(data)))
        thread.start()
    finally:
        threading.stack_size(usual)
    thread.join()
    assert found == [value]


def peak_bytes(decode: Callable[[bytes], Any], data: bytes) -> int:
    tracemalloc.start()
    try:
        decode(data)
    except DecodeError:
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    pytest.fail("it was not refused")


def test_declared_lengths_take_no_memory() -> None:
    for start in (b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9"):
        for before in (b"", b"\x91", b"\x81\xa1a", b"\xdd\xff\xff\xff\xff" * 50):
            assert peak_bytes(MsgpackCodec().decode, before + start + b"\xff\xff\xff\xff") < 1_000_000


def test_what_is_compressed_unpacks_to_no_more_than_its_bound() -> None:
    codec = Compressed(get_codec("str"), max_size_bytes=100_000)
    bomb = zlib.compress(bytes(50_000_000))
    assert peak_bytes(codec.decode, bomb) < 2_000_000


@pytest.mark.parametrize(
    ("name", "data", "looks_like"),
    [
        ("json", b"plain text", "str"),
        ("json", b"\x81\xa1a\x01", "msgpack"),
        ("json", b"$2b$12$" + b"a" * 53, "bcrypt"),
        ("json", b"gAAAAABm", "encrypted"),
        ("json", zlib.compress(b"1"), "compressed"),
        ("msgpack", b'{"a":1}', "json"),
        ("msgpack", b'{"$date":"2024-01-01"}', "json"),
        ("msgpack", b"plain text", "str"),
        ("str", b"\x92\x01\xc2", "msgpack"),
        ("bcrypt", b"plain text", "str"),
        ("bcrypt", b'{"a":1}', "json"),
    ],
)
def test_data_of_another_codec_is_said_to_look_like_it(name: str, data: bytes, looks_like: str) -> None:
    with pytest.raises(DecodeError, match=f"; it looks like data of the codec '{looks_like}'$"):
        get_codec(name).decode(data)


@pytest.mark.parametrize(
    ("codec", "data", "message"),
    [
        (fit(get_codec("str"), "json"), b"1", "not the JSON string of the codec 'str'"),
        (fit(get_codec("str"), "json"), b'"a', "not the JSON string"),
        (fit(get_codec("str"), "json"), b'"\\ud800"', "not the JSON string"),
        (fit(get_codec("msgpack"), "json"), b"[1]", "not the JSON string of base64.*looks like .* 'json'"),
        (fit(get_codec("msgpack"), "json"), b'"!"', "not the JSON string of base64"),
        (fit(get_codec("msgpack"), "json"), b'"YR=="', "not the JSON string of base64"),
        (fit(get_codec("msgpack"), "json"), b'"wQ=="', "not the MessagePack"),
        (Compressed(get_codec("json")), b"[1]", "not what zlib compressed.*looks like .* 'json'"),
        (Compressed(get_codec("json")), zlib.compress(b"[1]")[:-1], "not one whole stream"),
        (Compressed(get_codec("json")), zlib.compress(b"[1]") + b"x", "not one whole stream"),
        (Compressed(get_codec("json")), zlib.compress(b"[1"), "not the JSON"),
        (Encrypted(get_codec("json"), [Fernet.generate_key()]), b"[1]", "no key opens.*looks like .* 'json'"),
    ],
    ids=lambda value: value.name if isinstance(value, Codec) else None,
)
def test_a_codec_around_another_refuses_what_it_does_not_write(codec: Codec, data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        codec.decode(data)


@pytest.mark.parametrize("plain", [{"$tuple": 1}, {"$": 1}, {"$dict": [[1]]}, [{"$unknown": 1}], {1: 2}])
def test_what_was_never_lowered_is_not_lifted(plain: Any) -> None:
    with pytest.raises(DecodeError):
        lift(plain)


def test_no_name_in_the_store_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr("builtins.__import__", lambda name, *_: imported.append(name))
    for data in (b'{"$os":"system"}', b'{"$datetime":"2024-01-01T00:00:00[os.path/x]"}', b'{"$os.system":["true"]}'):
        with pytest.raises(DecodeError):
            JSONCodec().decode(data)
    assert not imported


COLLIDING = [number * sys.hash_info.modulus for number in range(1, 1002)]
"""Integers of one hash; 20,000 such keys take a dict ten seconds."""


@pytest.mark.parametrize("codec", [JSONCodec(), MsgpackCodec()], ids=repr)
def test_keys_chosen_to_collide_are_bounded_both_ways(codec: Codec) -> None:
    for make in (dict.fromkeys, set, frozenset, lambda keys: {(key,): 1 for key in keys}):
        kept = make(COLLIDING[:1000])
        assert codec.decode(codec.encode(kept)) == kept
        with pytest.raises(EncodeError, match=r"value\[0\]: .*over 1000 keys or items have one hash"):
            codec.encode([make(COLLIDING)])


def test_stored_keys_chosen_to_collide_are_refused_before_a_dict_is_made_of_them() -> None:
    many = [number * sys.hash_info.modulus for number in range(1, 20_001)]  # a dict of them takes ten seconds
    pairs = json.dumps([[key, 1] for key in many], separators=(",", ":"))
    packed = msgpack.packb({msgpack.ExtType(1, msgpack.packb(["int", hex(key)])): 1 for key in many})
    started = time.process_time()
    for codec, data in (
        (JSONCodec(), f'{{"$dict":{pairs}}}'.encode()),
        (JSONCodec(), f'{{"$set":{json.dumps(many)}}}'.encode()),
        (MsgpackCodec(), packed),
    ):
        with pytest.raises(DecodeError):
            codec.decode(data)
    assert time.process_time() - started < 8

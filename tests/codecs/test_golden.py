"""The bytes of every codec and every shipped type. A change here makes stored data unreadable."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from persistent_collections import get_codec
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.types.standard import STANDARD_FORMS
from tests.codecs.exact import exact

PARIS = ZoneInfo("Europe/Paris")
INT = 10**4300
PACKED_INT = b"\xc8\x0d\xfe\x01\x92\xa3int\xda\x0d\xf6" + hex(INT).encode()

TUPLE_OF_2 = b"\xc7\x09\x01\x92\xa5tuple\x91\x02"
EMPTY_FROZENSET = b"\xc7\x0c\x01\x92\xa9frozenset\x90"

PLAIN: list[tuple[Any, bytes, bytes]] = [
    (None, b"null", b"\xc0"),
    (True, b"true", b"\xc3"),
    (False, b"false", b"\xc2"),
    (0, b"0", b"\x00"),
    (-1, b"-1", b"\xff"),
    (2**63, b"9223372036854775808", b"\xcf\x80\x00\x00\x00\x00\x00\x00\x00"),
    (1.0, b"1.0", b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
    (-0.0, b"-0.0", b"\xcb\x80\x00\x00\x00\x00\x00\x00\x00"),
    (1e16, b"1e+16", b"\xcb\x43\x41\xc3\x79\x37\xe0\x80\x00"),
    (1e-7, b"1e-07", b"\xcb\x3e\x7a\xd7\xf2\x9a\xbc\xaf\x48"),
    ("", b'""', b"\xa0"),
    ('é\u2028"\\\0', '"é\u2028\\"\\\\\\u0000"'.encode(), b"\xa8\xc3\xa9\xe2\x80\xa8" + b'"\\\0'),
    ([1, [2], {}], b"[1,[2],{}]", b"\x93\x01\x91\x02\x80"),
    ({"b": 1, "a": None}, b'{"b":1,"a":null}', b"\x82\xa1b\x01\xa1a\xc0"),
    ({"$": 1}, b'{"$$":1}', b"\x81\xa1$\x01"),
    ({"$tag": [1]}, b'{"$$tag":[1]}', b"\x81\xa4$tag\x91\x01"),
    ({"$$tag": 1}, b'{"$$$tag":1}', b"\x81\xa5$$tag\x01"),
    ({"$tag": 1, "b": 2}, b'{"$tag":1,"b":2}', b"\x82\xa4$tag\x01\xa1b\x02"),
]

TAGGED: list[tuple[Any, bytes, bytes]] = [
    ((1, ()), b'{"$tuple":[1,{"$tuple":[]}]}', b"\xc7\x13\x01\x92\xa5tuple\x92\x01\xd7\x01\x92\xa5tuple\x90"),
    ({2, 1}, b'{"$set":[1,2]}', b"\xd7\x01\x92\xa3set\x92\x01\x02"),
    (frozenset("ba"), b'{"$frozenset":["a","b"]}', b"\xd8\x01\x92\xa9frozenset\x92\xa1a\xa1b"),
    ({1: "a", "1": "b"}, b'{"$dict":[[1,"a"],["1","b"]]}', b"\x82\x01\xa1a\xa11\xa1b"),
    ({(1,): 2}, b'{"$dict":[[{"$tuple":[1]},2]]}', b"\x81\xc7\x09\x01\x92\xa5tuple\x91\x01\x02"),
    (b"\x00\xff", b'{"$bytes":"AP8="}', b"\xc4\x02\x00\xff"),
    (INT, b'{"$int":"' + hex(INT).encode() + b'"}', PACKED_INT),
    (-(2**63) - 1, b"-9223372036854775809", b"\xc7\x19\x01\x92\xa3int\xb3-0x8000000000000001"),
    (float("nan"), b'{"$float":"nan"}', b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),
    (float("-inf"), b'{"$float":"-inf"}', b"\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"),
    (
        1 - 0j,
        b'{"$complex":[1.0,0.0]}',
        b"\xc7\x1c\x01\x92\xa7complex\x92\xcb?\xf0\x00\x00\x00\x00\x00\x00\xcb\x00\x00\x00\x00\x00\x00\x00\x00",
    ),
    (Decimal("-1.50"), b'{"$decimal":"-1.50"}', b"\xc7\x0f\x01\x92\xa7decimal\xa5-1.50"),
    (Decimal("sNaN1"), b'{"$decimal":"sNaN1"}', b"\xc7\x0f\x01\x92\xa7decimal\xa5sNaN1"),
    (
        UUID(int=5),
        b'{"$uuid":"00000000-0000-0000-0000-000000000005"}',
        b"\xc7,\x01\x92\xa4uuid\xd9$00000000-0000-0000-0000-000000000005",
    ),
    (
        datetime(2024, 1, 2, 3, 4),
        b'{"$datetime":"2024-01-02T03:04:00"}',
        b"\xc7\x1e\x01\x92\xa8datetime\xb32024-01-02T03:04:00",
    ),
    (
        datetime(2024, 1, 2, 3, 4, 5, 6, UTC),
        b'{"$datetime":"2024-01-02T03:04:05.000006+00:00"}',
        b"\xc7,\x01\x92\xa8datetime\xd9 2024-01-02T03:04:05.000006+00:00",
    ),
    (
        datetime(2024, 1, 2, tzinfo=timezone(timedelta(minutes=-210))),
        b'{"$datetime":"2024-01-02T00:00:00-03:30"}',
        b"\xc7$\x01\x92\xa8datetime\xb92024-01-02T00:00:00-03:30",
    ),
    (
        datetime(2024, 10, 27, 2, 30, tzinfo=PARIS, fold=1),
        b'{"$datetime":"2024-10-27T02:30:00[Europe/Paris][_fold=1]"}',
        b"\xc76\x01\x92\xa8datetime\xd9*2024-10-27T02:30:00[Europe/Paris][_fold=1]",
    ),
    (date(2024, 1, 2), b'{"$date":"2024-01-02"}', b"\xc7\x11\x01\x92\xa4date\xaa2024-01-02"),
    (
        time(3, 4, tzinfo=PARIS),
        b'{"$time":"03:04:00[Europe/Paris]"}',
        b"\xc7\x1d\x01\x92\xa4time\xb603:04:00[Europe/Paris]",
    ),
    (
        time(3, 4, 5, 6, UTC, fold=1),
        b'{"$time":"03:04:05.000006+00:00[_fold=1]"}',
        b"\xc7%\x01\x92\xa4time\xbe03:04:05.000006+00:00[_fold=1]",
    ),
    (timedelta(-1, 2, 3), b'{"$timedelta":[-1,2,3]}', b"\xc7\x0f\x01\x92\xa9timedelta\x93\xff\x02\x03"),
    (Path("a/b"), b'{"$path":"a/b"}', b"\xc7\x0a\x01\x92\xa4path\xa3a/b"),
    (PurePosixPath("a\\b"), b'{"$pure_posix_path":"a\\\\b"}', b"\xc7\x15\x01\x92\xafpure_posix_path\xa3a\\b"),
    (PureWindowsPath("c:\\b"), b'{"$pure_windows_path":"c:/b"}', b"\xc7\x18\x01\x92\xb1pure_windows_path\xa4c:/b"),
]

GOLDEN = PLAIN + TAGGED


@pytest.mark.parametrize("case", range(len(GOLDEN)), ids=lambda case: type(GOLDEN[case][0]).__name__)
def test_the_bytes_of_json_and_msgpack_are_pinned(case: int) -> None:
    value, *pinned = GOLDEN[case]
    for name, data in zip(["json", "msgpack"], pinned, strict=True):
        codec = get_codec(name)
        assert codec.encode(value) == data
        assert exact(codec.decode(data)) == exact(value)


def test_every_shipped_type_is_pinned() -> None:
    assert {form.kind for form in STANDARD_FORMS} <= {type(value) for value, *_ in TAGGED}


def test_sets_of_unlike_items_are_written_in_one_order() -> None:
    value = {(2,), "b", 1, None, frozenset()}
    assert get_codec("json").encode(value) == b'{"$set":["b",1,null,{"$frozenset":[]},{"$tuple":[2]}]}'
    assert get_codec("msgpack").encode(value) == (
        b"\xc7\x25\x01\x92\xa3set\x95\x01\xa1b\xc0" + TUPLE_OF_2 + EMPTY_FROZENSET
    )


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("str", "é\0", "é\0".encode()),
        ("str", "", b""),
    ],
)
def test_the_bytes_of_str_are_pinned(name: str, value: str, data: bytes) -> None:
    codec = get_codec(name)
    assert codec.encode(value) == data
    assert codec.decode(data) == value


def test_what_fit_makes_of_text_and_binary_is_pinned() -> None:
    assert fit(get_codec("str"), "json").encode('é"') == '"é\\""'.encode()
    assert fit(get_codec("msgpack"), "json").encode([1, b"\xff"]) == b'"kgHEAf8="'

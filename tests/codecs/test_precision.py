"""What is stored finer than Python holds it is refused, not rounded and then written back."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any

import msgpack  # type: ignore[import-untyped] # it ships no types
import pydantic
import pytest
from dateutil import tz  # type: ignore[import-untyped] # it ships no types

from persistent_collections import DecodeError, EncodeError
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.msgpack import MsgpackCodec

pytestmark = pytest.mark.filterwarnings("ignore::persistent_collections.MutableValueWarning")
"""The classes here change in place on purpose; test_mutable.py is about the warning."""

SECONDS = (0, 1, 2**32 - 1, 2**33)
"""Of each of the three forms that MessagePack has for a timestamp, and before 1970 below."""


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: [it], lambda it: {"a": [it]}, lambda it: {it: 1}])
def test_a_timestamp_of_messagepack_is_exact_or_refused(wrap: Any) -> None:
    for seconds in (*SECONDS, -1):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=123_456)
        exact = msgpack.packb(wrap(msgpack.Timestamp(seconds, 123_456_000)))
        assert MsgpackCodec().decode(exact) == wrap(moment)
        with pytest.raises(DecodeError, match="a timestamp finer than a microsecond"):
            MsgpackCodec().decode(msgpack.packb(wrap(msgpack.Timestamp(seconds, 123_456_789))))


def test_a_timestamp_that_no_datetime_holds_is_refused() -> None:
    with pytest.raises(DecodeError):
        MsgpackCodec().decode(msgpack.packb(msgpack.Timestamp(2**60, 0)))


@pytest.mark.parametrize(
    "data",
    [
        b'{"$datetime":"2024-01-01T00:00:00.123456789"}',
        b'{"$datetime":"2024-01-01T00:00:00.123456789+00:00"}',
        b'{"$datetime":"2024-01-01T00:00:00,1234561"}',
        b'{"$datetime":"2024-01-01T00:00:00.1234560001[Europe/Paris]"}',
        b'{"$time":"01:02:03.123456789"}',
        b'{"$timedelta":[0,0,0.5]}',
        b'{"$timedelta":[0.1,0,0]}',
        b'{"$timedelta":[true,0,0]}',
        b'{"$complex":[9007199254740993,0]}',
        b'{"$complex":[0,9007199254740993]}',
        b"1e400",
    ],
)
def test_what_would_be_rounded_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        JSONCodec().decode(data)


def test_more_digits_that_are_zeros_are_no_loss() -> None:
    moment = datetime(2024, 1, 1, 0, 0, 0, 123_456)
    assert JSONCodec().decode(b'{"$datetime":"2024-01-01T00:00:00.123456000"}') == moment


def test_an_int_that_is_no_float_is_refused_where_floats_are_declared() -> None:
    codec = JSONCodec().bind(float, None)
    assert codec.decode(b"9007199254740992") == 2.0**53
    with pytest.raises(DecodeError, match="expected float, not int"):
        codec.decode(b"9007199254740993")
    with pytest.raises(EncodeError, match="expected float, not int"):
        codec.encode(2**53 + 1)


class Event(pydantic.BaseModel):
    at: datetime
    daily: time | None = None


class Zone(tzinfo):
    def utcoffset(self, moment: Any) -> timedelta:
        return timedelta(hours=1)

    def dst(self, moment: Any) -> None:
        return None

    def tzname(self, moment: Any) -> None:
        return None


@pytest.mark.parametrize("codec", [JSONCodec(), MsgpackCodec()], ids=repr)
@pytest.mark.parametrize("text", ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00+02:00", "2024-01-01T00:00:00-05:30"])
def test_a_time_that_pydantic_parsed_is_stored(codec: Codec, text: str) -> None:
    event = Event.model_validate_json(f'{{"at": "{text}", "daily": "{text[11:]}"}}')
    bound = codec.bind(Event, None)
    found = bound.decode(bound.encode(event))
    assert found == event
    assert found.at.utcoffset() == event.at.utcoffset()
    for moment in (event.at, event.daily):
        again = codec.decode(codec.encode(moment))
        assert again == moment
        assert type(again.tzinfo) is timezone


def test_a_parsed_offset_is_kept_where_it_is_no_more_than_that() -> None:
    for zone in (tz.tzutc(), tz.tzoffset(None, 3600)):
        moment = datetime(2024, 1, 1, tzinfo=zone)
        assert JSONCodec().decode(JSONCodec().encode(moment)) == moment
    for zone in (tz.tzoffset("EST", -18_000), tz.gettz("Europe/Paris"), Zone(), tz.tzoffset(None, 0.5)):
        with pytest.raises(EncodeError, match="its time zone would not come back"):
            JSONCodec().encode(datetime(2024, 1, 1, tzinfo=zone))

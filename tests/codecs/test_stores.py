"""Values of every type through every store: they come back as they are, type included, or are refused unwritten."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from persistent_collections import Backend, Codec, EncodeError, PersistentDict, PersistentList
from persistent_collections.codecs import Compressed
from tests.codecs.exact import exact
from tests.codecs.strategies import VALUES

FIXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def check_comes_back_from_the_store(backend: Backend, codec: str, value: Any) -> None:
    items = PersistentList[Any]("values", backend=backend, codec=codec)
    fields = PersistentDict[str, Any]("values", backend=backend, codec=codec)
    try:
        items[:] = [value]
    except EncodeError:
        with pytest.raises(EncodeError):
            fields["value"] = value
        return
    fields["value"] = value
    assert exact(items.copy()) == exact([value])
    assert exact(fields.copy()) == exact({"value": value})


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_values_come_back_from_every_store_as_they_went_in(backend: Backend, codec: str) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=FIXED)
    @given(VALUES)
    def every(value: Any) -> None:
        check_comes_back_from_the_store(backend, codec, value)

    every()


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_hundreds_of_values_come_back_from_every_store_as_they_went_in(backend: Backend, codec: str) -> None:
    @settings(max_examples=400, deadline=None, suppress_health_check=FIXED)
    @given(VALUES)
    def every(value: Any) -> None:
        check_comes_back_from_the_store(backend, codec, value)

    every()


class Answer(Codec):
    """A codec whose ``encode`` returns its value as it is."""

    name, format = "test.answer", "binary"

    def encode(self, value: Any) -> Any:
        return value

    def decode(self, data: bytes) -> Any:
        return data


class Static(Answer):
    """A codec whose ``encode`` needs no codec."""

    name = "test.static"

    @staticmethod
    def encode(value: Any) -> bytes:
        return bytes(value)


def test_a_codec_may_encode_by_a_static_method(backend: Backend) -> None:
    items = PersistentList[Any]("values", [b"a"], backend=backend, codec=Static())
    assert items.copy() == [b"a"]


@pytest.mark.parametrize("chosen", [Answer(), Compressed(Answer())])
def test_a_codec_that_returns_no_bytes_is_named_before_anything_is_written(backend: Backend, chosen: Codec) -> None:
    items = PersistentList[Any]("values", backend=backend, codec=chosen)
    fields = PersistentDict[str, Any]("values", backend=backend, codec=chosen)
    for value in ("text", None, bytearray(b"bytes")):
        said = rf"encode\(\) of the codec 'test\.answer' must return bytes, not {type(value).__name__}$"
        with pytest.raises(EncodeError, match=said):
            items.append(value)
        with pytest.raises(EncodeError, match=said):
            items[:] = [value]
        with pytest.raises(EncodeError, match=said):
            fields["a"] = value
    assert list(backend.keys("")) == []
    items.append(b"bytes")
    assert items[0] == b"bytes"

"""The suite that every codec has to pass, on ours."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import numpy
import pytest

from persistent_collections import get_codec, register_type
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.compressed import Compressed
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.testing.codecs import CodecSuite

HELD: list[Any] = [
    *(None, True, 0, -1, 2**70, 1.5, -0.0, "", "a\0", b"\xff", [], [1, ["a"]], {}, {"a": {"b": None}}),
    *((), (1, [2]), {1, "a"}, frozenset({1}), {1: 2, "1": 3}, {"$": 1}, Decimal("1.50"), UUID(int=1), 1j),
    datetime(2024, 1, 1, tzinfo=UTC),
]
REFUSED: list[Any] = [object(), [object()], {"a": bytearray(b"a")}, "\ud800", range(2)]


class TestJSON(CodecSuite):
    values = HELD
    refused = REFUSED

    @pytest.fixture
    def codec(self) -> Codec:
        return get_codec("json")


class TestMsgpack(TestJSON):
    @pytest.fixture
    def codec(self) -> Codec:
        return get_codec("msgpack")


class TestMsgpackInJSON(TestJSON):
    @pytest.fixture
    def codec(self) -> Codec:
        return fit(get_codec("msgpack"), "json")


class TestCompressed(TestJSON):
    @pytest.fixture
    def codec(self) -> Codec:
        return Compressed(get_codec("json"))


class TestText(CodecSuite):
    values: ClassVar = ["", "a", "null", "\0\u2028\N{GRINNING FACE}"]
    refused: ClassVar = [None, 1, b"a", ["a"], "\ud800"]

    @pytest.fixture
    def codec(self) -> Codec:
        return get_codec("str")


class TestTextInJSON(TestText):
    @pytest.fixture
    def codec(self) -> Codec:
        return fit(get_codec("str"), "json")


class TestJSONOfText(TestText):
    @pytest.fixture
    def codec(self) -> Codec:
        return JSONCodec(str)


class TestJSONOfInt(CodecSuite):
    values: ClassVar = [0, -1, 2**100]
    refused: ClassVar = [True, 1.0, "1", None]

    @pytest.fixture
    def codec(self) -> Codec:
        return JSONCodec(int)


class TestJSONOfListsOfFloats(CodecSuite):
    values: ClassVar = [[], [1.5, -0.0], [float("inf")]]
    refused: ClassVar = [[True], ["1"], (1.5,), None]

    @pytest.fixture
    def codec(self) -> Codec:
        return JSONCodec(list[float])


class TestArrays(CodecSuite):
    """A registered type whose ``==`` gives no bool."""

    values: ClassVar = [numpy.array([1.5, 2.0]), [numpy.array([[1, 2]])], {"a": numpy.zeros(0)}]
    refused = REFUSED

    @pytest.fixture
    def codec(self) -> Codec:
        register_type(
            numpy.ndarray,
            "test.array",
            lambda array: [str(array.dtype), list(array.shape), array.tobytes()],
            lambda parts: numpy.frombuffer(parts[2], parts[0]).reshape(parts[1]),
            replace=True,
        )
        return get_codec("json")

    def equal(self, value: Any, found: Any) -> bool:
        if not isinstance(value, numpy.ndarray):
            return super().equal(value, found)
        return value.dtype == found.dtype and numpy.array_equal(value, found)

"""The suite that every codec must pass."""

from __future__ import annotations

import json
import re
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum
from itertools import product, zip_longest
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar, Final, NamedTuple

import pytest

from persistent_collections.codecs.base import Codec
from persistent_collections.errors import DecodeError, EncodeError

__all__ = ["CodecSuite"]

TELLTALE: Final = "sesame-open-81726354"
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')


class _Colour(Enum):
    RED = "red"


class _Level(IntEnum):
    LOW = 1


class _Pair(NamedTuple):
    left: int
    right: int


class _Text(str):
    __slots__ = ()


class _List(list[int]):
    pass


def _endless() -> list[Any]:
    items: list[Any] = [1]
    items.append(items)
    return items


def _deep(depth: int) -> list[Any]:
    items: list[Any] = []
    for _ in range(depth):
        items = [items]
    return items


TEMPTING: Final[tuple[Any, ...]] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2**53 + 1,
        2**63,
        -(2**63) - 1,
        2**200,
        10**5000,
        0.0,
        -0.0,
        1.0,
        1e16,
        1e-7,
        5e-324,
    ),
    *(float("nan"), float("inf"), float("-inf"), 1j, complex(-0.0, 0), Decimal(1), Decimal("1.00"), Decimal("NaN")),
    *(
        "",
        "1",
        "null",
        "\0",
        "\x7f",
        "\u2028",
        "\ud800",
        "\u00e9",
        "e\u0301",
        "\N{GRINNING FACE}",
        "$",
        "$tag",
        TELLTALE,
    ),
    *(b"", b"1", b"\xff\0", bytearray(b"1"), memoryview(b"1"), range(3), slice(1), ..., NotImplemented),
    *([], [[]], [None], [1, 1.0, True], (), (1,), [(1,)], ([],), set(), {1}, frozenset(), {frozenset({1})}, {1, "1"}),
    *({}, {"": None}, {"b": 1, "a": 2}, {1: "a"}, {1: "a", "1": "b"}, {True: 1}, {None: 1}, {(1,): 1}, {1.5: 1}),
    *(
        {"$tag": 1},
        {"$": 1},
        {"$$tag": 1},
        {"$dict": [[1, 2]]},
        {"$bytes": "AA=="},
        {"$ref": "User:x"},
        {"$tag": 1, "b": 2},
    ),
    *(_Colour.RED, _Level.LOW, _Pair(1, 2), _Text("a"), _List([1]), OrderedDict(a=1), defaultdict(int, a=1)),
    *(object(), SimpleNamespace(a=1), int, len, iter([1]), Exception("a"), {"a": [object()]}, [lambda: None]),
    *(date(2026, 1, 2), datetime(2026, 1, 2, 3, 4, 5, 6, UTC), datetime(2026, 1, 2, 3, 4)),
    _endless(),
)
"""Values that codecs tend to return as different ones."""


class CodecSuite:
    """Tests that a codec returns exactly the encoded value, type included, or refuses it.

    Subclass it, and list values that the codec accepts and values that it refuses::

        class TestTOMLCodec(CodecSuite):
            values = ["text", 1, [1, 2], {"a": {"b": 1.5}}]
            refused = [None, [None], object()]

            @pytest.fixture
            def codec(self):
                return TOMLCodec()

    Test a codec narrowed by ``bind`` like any other. Do not use the suite for a one-way codec, such as one for
    passwords. Override :meth:`equal` if ``==`` of your values does not return a bool, such as that of numpy's arrays.

    Attributes:
        values: Examples of every kind of value that the codec accepts.
        refused: Examples of every kind of value that it refuses.
    """

    values: ClassVar[Sequence[Any]]
    refused: ClassVar[Sequence[Any]]

    def examples(self) -> list[Any]:
        """Return copies of ``values``, so that no test sees what another one's codec did to them."""
        return [fresh(value) for value in self.values]

    def equal(self, value: Any, found: Any) -> bool:
        """Return whether a decoded value equals ``value``; both have one type, not list, tuple, dict or dataclass."""
        return _exactly(value) == _exactly(found)

    def test_every_value_comes_back_equal_and_of_the_same_types_at_every_depth(self, codec: Codec) -> None:
        for value in self.examples():
            assert difference(value, codec.decode(codec.encode(value)), equal=self.equal) is None

    def test_a_tempting_value_comes_back_exactly_or_is_refused(self, codec: Codec) -> None:
        for value in TEMPTING:
            data = encoded(codec, value)
            if data is not None:
                found = codec.decode(data)
                told = difference(value, found, int_to_float=True, equal=self.equal)
                assert told is None, "exactly as it was, or refused"

    def test_a_value_is_not_changed_by_encoding_it(self, codec: Codec) -> None:
        for value in self.examples():
            before = repr(value)
            codec.encode(value)
            assert repr(value) == before

    def test_one_value_has_one_encoding(self, codec: Codec) -> None:
        for value in self.examples():
            data = codec.encode(value)
            assert codec.encode(value) == data
            assert codec.encode(codec.decode(data)) == data, "what was decoded is encoded to the same bytes"

    def test_the_bytes_are_of_the_declared_format(self, codec: Codec) -> None:
        assert codec.format in ("text", "json", "binary")
        for data in encodings(codec, [*self.examples(), *TEMPTING]):
            assert type(data) is bytes
            if codec.format != "binary":
                data.decode("utf-8")
            if codec.format == "json":
                json.loads(data, parse_constant=pytest.fail)
                assert not re.search(rb"\s", _STRING.sub(b"", data)), "JSON is compact: no spaces outside strings"

    def test_canonical_bytes_are_equal_just_where_the_values_are(self, codec: Codec) -> None:
        accepted = [
            (value, data) for value in [*self.examples(), *TEMPTING] if (data := encoded(codec, value)) is not None
        ]
        for (left, left_data), (right, right_data) in product(accepted, accepted) if codec.canonical else ():
            assert (left_data == right_data) is (left == right), "equal values give equal bytes, unequal ones others"

    def test_a_refusal_is_an_encode_error_that_shows_no_value(self, codec: Codec) -> None:
        for value in self.refused:
            with pytest.raises(EncodeError) as caught:
                codec.encode(value)
            for text in leaves(value):
                assert text not in str(caught.value), "an error says the type and the place, never the value"

    def test_every_refusal_is_an_encode_error(self, codec: Codec) -> None:
        for value in TEMPTING:
            encoded(codec, value)

    def test_nesting_without_end_in_sight_is_held_or_refused(self, codec: Codec) -> None:
        depth = 10 * sys.getrecursionlimit()
        data = encoded(codec, _deep(depth))
        if data is not None:
            found = codec.decode(data)
            for _ in range(depth):
                (found,) = found
            assert found == []

    def test_what_is_not_its_own_is_a_decode_error_or_a_value_it_holds(self, codec: Codec) -> None:
        random = Random(0)  # noqa: S311 - garbage that comes again, not a secret
        for data in garbage(encodings(codec, self.examples()), random):
            try:
                value = codec.decode(data)
            except DecodeError:
                continue
            codec.encode(value)

    def test_many_values_are_decoded_like_each(self, codec: Codec) -> None:
        own, random = encodings(codec, [*self.examples(), *TEMPTING]), Random(1)  # noqa: S311 - data that come again, no secret
        others = [data for data in garbage(own, random) if len(data) < 100]
        json_values = [b"null", b"1", b'"a"', b'{"a":[]}', b"[" * 200 + b"]" * 200]
        for mix in (own, others, json_values, [*own, *others], [*own, *json_values]):
            for _ in range(200):
                stored = random.choices(mix, k=random.randrange(5))
                each, values = decoded(map(codec.decode, stored)), decoded(codec.decode_all(stored))
                assert difference(each, values, equal=self.equal) is None, "the same values up to the same error"

    def test_a_decode_error_shows_no_stored_data(self, codec: Codec) -> None:
        telltale = TELLTALE.encode()
        wrapped = [b"%s", b'"%s', b"%s\xff", b'{"$nosuchtag":"%s"}', b'{"a":"%s"', b"\xc1%s", b'["%s",]', b"\xd9\x04%s"]
        for data in wrapped:
            assert TELLTALE not in decode_error(codec, data % telltale)


def encoded(codec: Codec, value: Any) -> bytes | None:
    """Return the bytes of ``value``, None if it is refused."""
    try:
        return codec.encode(value)
    except EncodeError:
        return None


def decoded(values: Iterable[Any]) -> list[Any]:
    """Return ``values`` up to the first that cannot be decoded, and the text of its error."""
    found: list[Any] = []
    try:
        for value in values:
            found.append(value)  # noqa: PERF402 - extend() would lose them at an error
    except DecodeError as error:
        found.append(str(error))
    return found


def decode_error(codec: Codec, data: bytes) -> str:
    """Return the message of the error of decoding ``data``, empty without one."""
    try:
        codec.decode(data)
    except DecodeError as error:
        return str(error)
    return ""


def encodings(codec: Codec, values: Sequence[Any]) -> list[bytes]:
    """Return the bytes of those ``values`` that are not refused."""
    return [data for value in values if (data := encoded(codec, value)) is not None]


def garbage(written: Sequence[bytes], random: Random) -> Iterator[bytes]:
    """Yield truncated, changed and invented data."""
    yield from (b"", b"\0", b" ", b"\xff", b"{", b"[", b'"', b"nan", b"NaN", b"Infinity", b"-", b"1" * 5000, b"1e999")
    yield from (
        b'{"$tag":1}',
        b'{"$bytes":1}',
        b'{"$dict":[[1]]}',
        b'{"$dict":[[[],1]]}',
        b'{"a":1,"a":2}',
        b'"\\ud800"',
    )
    yield from (unit * 100_000 for unit in (b"[", b'{"a":', b'{"$tuple":', b"\x91", b"\x81\xa1a", b"("))
    for data in written:
        yield from (data[:end] for end in range(0, len(data), max(1, len(data) // 50)))
        yield from (data + more for more in (b"\0", b" ", b"1", data))
        for _ in range(30 if data else 0):
            at = random.randrange(len(data))
            yield data[:at] + random.randbytes(1) + data[at + 1 :]
    for _ in range(500):
        yield random.randbytes(random.randrange(1, 20))


def fresh(value: Any) -> Any:
    """Return ``value`` with new lists, dicts and sets at every depth."""
    if type(value) in (list, tuple):
        return type(value)(map(fresh, value))
    if type(value) is dict:
        return {key: fresh(part) for key, part in value.items()}
    return value.copy() if type(value) is set else value


def leaves(value: Any) -> Iterator[str]:
    """Yield the texts by which parts of ``value`` could be recognized."""
    match value:
        case str():
            yield from [value] if len(value) > 5 else []
        case bytes():
            yield from leaves(value.decode("latin-1"))
        case int() if value.bit_length() < 64:
            yield from leaves(repr(value))
        case dict():
            yield from leaves(list(value.values()))
        case list() | tuple() | set() | frozenset():
            for part in value:
                yield from leaves(part)


def difference(
    value: Any,
    found: Any,
    path: str = "value",
    *,
    int_to_float: bool = False,
    equal: Callable[[Any, Any], bool] | None = None,
) -> str | None:
    """Return the position and kind of a difference of ``found`` from ``value``, None without one.

    Args:
        value: The expected value.
        found: The decoded value.
        path: The name of the value.
        int_to_float: Whether an int may be decoded as the equal float, as happens if the declared type is float.
        equal: Returns whether two values of one type without parts are equal; by default, they are compared with
            ``==``.
    """
    if int_to_float and (type(value), type(found)) == (int, float) and value == found:
        return None
    if type(value) is not type(found):
        return f"{path} was a {type(value).__name__} and came back as a {type(found).__name__}"
    if isinstance(value, (dict, list, tuple)) or is_dataclass(value):
        return _difference_of_parts(value, found, path, int_to_float=int_to_float, equal=equal)
    same = equal(value, found) if equal else _exactly(value) == _exactly(found)
    return None if same else f"{path} came back as another {type(value).__name__}"


def _difference_of_parts(value: Any, found: Any, path: str, **options: Any) -> str | None:
    pairs = zip_longest(_parts(value), _parts(found), fillvalue=("nothing", None))
    for (name, one), (other_name, other) in pairs:
        if name != other_name:
            return f"{path} has {other_name} where it had {name}"
        if told := difference(one, other, f"{path}{name}", **options):
            return told
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a container in order, each with its name; the name of a key includes its type."""
    if isinstance(value, dict):
        yield from ((f"[{_exactly(key)}]", part) for key, part in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"[{at}]", part) for at, part in enumerate(value))
    else:
        yield from ((f".{field.name}", getattr(value, field.name)) for field in fields(value))


def _exactly(value: Any) -> Hashable:
    """Return an object that equals only that of an equal value with the same types, sign, zone and fold throughout."""
    match value:
        case set() | frozenset():
            return (type(value), frozenset(map(_exactly, value)))
        case tuple():
            return (type(value), tuple(map(_exactly, value)))
        case float() | complex() | Decimal() | date() | time():
            return (type(value), repr(value))
        case _:
            return (type(value), value)

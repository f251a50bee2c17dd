"""A value comes back exactly, or is refused with the place and a remedy."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from threading import Thread
from typing import Any

import pytest

from persistent_collections import EncodeError, lower
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.msgpack import MsgpackCodec
from persistent_collections.codecs.types.lowering import MAX_DEPTH
from persistent_collections.codecs.types.registry import encode_as
from tests.codecs.exact import exact
from tests.codecs.refusals import REFUSED, Colour, Level, Pair, Point, Text

SECRET = "sesame-open"


@pytest.fixture(params=[JSONCodec, MsgpackCodec])
def codec(request: pytest.FixtureRequest) -> Codec:
    made: Codec = request.param()
    return made


@pytest.fixture
def digits() -> Iterator[None]:
    usual = sys.get_int_max_str_digits()
    yield
    sys.set_int_max_str_digits(usual)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda value: type(value).__name__)
def test_what_would_come_back_as_something_else_is_refused_wherever_it_is(codec: Codec, refused: Any) -> None:
    for value in (refused, [refused], [1, [refused]], {"a": refused}, {"a" * 99: [refused] * 99}, (refused,)):
        with pytest.raises(EncodeError):
            codec.encode(value)
    with pytest.raises(EncodeError):
        lower([refused])


@pytest.mark.parametrize("key", [Level.LOW, Colour.RED, Pair(1, 2), Text("a"), Fraction(1), "\ud800", (Text(),)])
def test_what_would_come_back_as_something_else_is_refused_as_a_key(codec: Codec, key: Any) -> None:
    with pytest.raises(EncodeError, match=r"^value\[0\]\.keys\(\)"):
        codec.encode([{key: 1}])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, Fraction(1)]}, r'^value\["a"\]\[1\]: Fraction .*register_type\(Fraction, '),
        ([(1, {"x": {2: Colour.RED}})], r'^value\[0\]\[1\]\["x"\]\[2\]: Colour is not registered; register_type'),
        ([OrderedDict(a=1)], r"^value\[0\]: OrderedDict would come back as a plain dict; convert it"),
        ([Text(SECRET)], r"^value\[0\]: Text would come back as a plain str"),
        ([{1: Point(1)}], r"^value\[0\]\[1\]: Point is not registered; register_type\(Point, '(tests_)?point'\)"),
        ({"k" * 99: object()}, r'^value\["k{40}"…\]: object'),
        ({(SECRET,): object()}, r"^value\[<tuple>\]: object"),
        (["\ud800" + SECRET], r"^value\[0\]: a str with a lone surrogate"),
    ],
)
def test_a_refusal_names_the_path_and_a_remedy_but_no_value(codec: Codec, value: Any, message: str) -> None:
    with pytest.raises(EncodeError, match=message) as caught:
        codec.encode(value)
    assert SECRET not in str(caught.value)


def nested(depth: int, make: Any) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = make(value)
    return value


LIST, DICT, TUPLE = (lambda v: [v]), (lambda v: {"a": v}), (lambda v: (v,))


@pytest.mark.parametrize("make", [LIST, DICT, TUPLE, lambda v: {1: v}], ids=["list", "dict", "tuple", "int keys"])
def test_nesting_comes_back_as_deep_as_the_limit(codec: Codec, make: Any) -> None:
    value = nested(MAX_DEPTH, make)
    assert exact(codec.decode(codec.encode(value))) == exact(value)


@pytest.mark.parametrize("make", [LIST, DICT, TUPLE], ids=["list", "dict", "tuple"])
def test_nesting_too_deep_is_refused(codec: Codec, make: Any) -> None:
    with pytest.raises(EncodeError):
        codec.encode(nested(100_000, make))


ANY_KIND = [LIST, DICT, TUPLE, lambda v: [{b"\xc4": v}], lambda v: {1: v}, lambda v: {(v,) if v == 1 else 1: v}]


@pytest.mark.parametrize("make", ANY_KIND)
def test_a_nesting_just_over_the_limit_is_refused_plain_or_not(codec: Codec, make: Any) -> None:
    with pytest.raises(EncodeError, match=r"^value.*…: nested more than 100 deep"):
        codec.encode(nested(MAX_DEPTH + 2, make))


def test_a_value_that_holds_itself_is_refused(codec: Codec) -> None:
    items: list[Any] = []
    items.extend([items, items])
    fields: dict[str, Any] = {"a": (1,)}
    fields["b"] = [fields]
    for value in (items, fields, (items,), {1: fields}):
        with pytest.raises(EncodeError, match="holding itself"):
            codec.encode(value)


def test_a_refusal_leaves_the_codec_as_it_was(codec: Codec) -> None:
    data = codec.encode(["plain"])
    for refused in REFUSED:
        with pytest.raises(EncodeError):
            codec.encode(["x" * 99, refused])
        assert codec.encode(["plain"]) == data


@pytest.mark.parametrize("digits_of", [640, 4299, 4300, 4301, 20_000])
def test_an_integer_of_any_length_comes_back(codec: Codec, digits_of: int) -> None:
    value = [10 ** (digits_of - 1), -(10**digits_of - 1), {"a": 10**digits_of}]
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.usefixtures("digits")
def test_the_bytes_do_not_depend_on_how_long_integers_this_process_reads(codec: Codec) -> None:
    value = ["x", 10**5000]
    data = codec.encode(value)
    for limit in (0, 6000, 640):
        sys.set_int_max_str_digits(limit)
        assert codec.encode(value) == data
        assert codec.decode(data) == value


@pytest.mark.usefixtures("digits")
def test_an_integer_this_process_may_not_write_is_refused() -> None:
    sys.set_int_max_str_digits(640)
    with pytest.raises(EncodeError, match="set_int_max_str_digits"):
        JSONCodec().encode([10**1000])


def test_keys_that_json_would_make_equal_stay_apart(codec: Codec) -> None:
    values: list[dict[Any, Any]] = [
        {1: "a", "1": "b"},
        {None: 1, "null": 2},
        {True: 1, "true": 2},
        {1.5: 1, "1.5": 2},
        {(1,): 1, "[1]": 2},
    ]
    for value in values:
        assert exact(codec.decode(codec.encode(value))) == exact(value)


def test_a_key_that_is_nan_comes_back(codec: Codec) -> None:
    value: dict[Any, Any] = {float("nan"): 1, (float("nan"),): 2}
    assert exact(codec.decode(codec.encode(value))) == exact(value)
    assert len(codec.decode(codec.encode({float("nan"), float("nan")}))) == 2


@pytest.mark.parametrize("key", ["$", "$tuple", "$$tuple", "$dict", "$ref", "$unknown"])
def test_a_dict_that_looks_tagged_comes_back_as_it_is(codec: Codec, key: str) -> None:
    values: list[Any] = [{key: [1]}, {key: {key: 1}}, [{key: (1,)}], {key: 1, "b": 2}, {"a": {key: []}}, {1: {key: 1}}]
    for value in values:
        assert exact(codec.decode(codec.encode(value))) == exact(value)


class Written(list[Any]):
    pass


class WrittenDict(dict[Any, Any]):
    pass


class WrittenSet(set[Any]):
    pass


encode_as(Written, list)
encode_as(WrittenDict, dict)
encode_as(WrittenSet, set)


@pytest.mark.parametrize("items", [[], [1, "a"], [(1,)], [WrittenDict(a=Written())], list(range(300)), [b"\xc7"]])
def test_a_subclass_encoded_as_a_builtin_has_its_bytes(codec: Codec, items: list[Any]) -> None:
    assert codec.encode(Written(items)) == codec.encode(items)
    assert codec.encode([{"a": Written(items)}]) == codec.encode([{"a": items}])
    assert type(codec.decode(codec.encode(Written(items)))) is list
    for fields in ({"a": items}, {1: items}, {"$a": items}, {}):
        assert codec.encode(WrittenDict(fields)) == codec.encode(fields)
    assert codec.encode(WrittenSet({1, "a"})) == codec.encode({1, "a"})


def test_a_subclass_encoded_as_a_builtin_hides_nothing_it_holds(codec: Codec) -> None:
    for value in (Written([Text("a")]), WrittenDict(a=Colour.RED), Written([bytearray(b"a")])):
        with pytest.raises(EncodeError):
            codec.encode(value)


def test_threads_may_share_a_codec(codec: Codec) -> None:
    values = [{"n": n, "items": Written(["x" * n] * 20), "tag": (n,)} for n in range(40)]
    wrong: list[Any] = []

    def work() -> None:
        wrong.extend(value for value in values * 5 if codec.decode(codec.encode(value)) != value)

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_encoding_while_encoding_spoils_neither(codec: Codec) -> None:
    inner: list[bytes] = []

    class Nosy(Written):
        def __iter__(self) -> Iterator[Any]:
            inner.append(codec.encode([1, 2, 3]))
            return super().__iter__()

    encode_as(Nosy, list)
    codec.encode([1])
    assert codec.encode({"a": Nosy([1]), "b": 2}) == codec.encode({"a": [1], "b": 2})
    assert set(inner) <= {codec.encode([1, 2, 3])}

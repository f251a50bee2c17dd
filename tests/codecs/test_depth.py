"""One depth for writing and for reading; what is deeper is one of our errors, wherever it is read from."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pydantic
import pytest
from cryptography.fernet import Fernet

from persistent_collections import DecodeError, EncodeError, PersistentCollectionsError, PersistentDict, lift, lower
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.compressed import Compressed
from persistent_collections.codecs.encrypted import Encrypted
from persistent_collections.codecs.fit import fit
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.keys.codec import key_codec
from persistent_collections.codecs.msgpack import MsgpackCodec
from persistent_collections.codecs.types.lowering import MAX_DEPTH
from tests.codecs.exact import exact

pytestmark = pytest.mark.filterwarnings("ignore::persistent_collections.MutableValueWarning")
"""The classes here change in place on purpose; test_mutable.py is about the warning."""

CODECS: list[Codec] = [
    JSONCodec(),
    MsgpackCodec(),
    fit(MsgpackCodec(), "json"),
    Compressed(JSONCodec()),
    Encrypted(MsgpackCodec(), [Fernet.generate_key()]),
]
KINDS: dict[str, Callable[[Any], Any]] = {
    "list": lambda inner: [inner],
    "dict": lambda inner: {"a": inner},
    "tuple": lambda inner: (inner,),
    "dict of ints": lambda inner: {1: inner},
    "frozenset": lambda inner: frozenset({inner}),
    "list of dicts": lambda inner: [inner] if isinstance(inner, dict) else {"a": inner},
}


def nested(depth: int, make: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = make(value)
    return value


def called_at(frames_left: int, call: Callable[[], Any]) -> Any:
    """Call with that many frames left of the stack."""
    used, frame = 0, sys._getframe()
    while frame:
        used, frame = used + 1, frame.f_back  # type: ignore[assignment]

    def deeper(more: int) -> Any:
        return deeper(more - 1) if more > 0 else call()

    return deeper(sys.getrecursionlimit() - used - frames_left)


@pytest.mark.parametrize("codec", CODECS, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_and_one_level_more_is_refused(codec: Codec, kind: str) -> None:
    value = nested(MAX_DEPTH + 1, KINDS[kind])
    assert exact(codec.decode(codec.encode(value))) == exact(value)
    with pytest.raises(EncodeError, match="nested more than 100 deep"):
        codec.encode(nested(MAX_DEPTH + 2, KINDS[kind]))


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 300, 500, 5_000, 100_000])
def test_what_others_wrote_deeper_is_a_decode_error(depth: int) -> None:
    for data in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        with pytest.raises(DecodeError, match="deep"):
            JSONCodec().decode(data)
    for data in (b"\x91" * depth + b"\x90", b"\x81\xa1a" * depth + b"\x90"):
        with pytest.raises(DecodeError, match=r"deep|StackError"):
            MsgpackCodec().decode(data)


def test_tags_do_not_count_as_levels_but_what_they_hold_does() -> None:
    with pytest.raises(DecodeError, match="nested more than 100 deep"):
        lift(nested(MAX_DEPTH + 2, lambda inner: {"$tuple": [inner]}))
    value = nested(MAX_DEPTH + 1, KINDS["tuple"])
    assert lift(lower(value)) == value


def test_keys_have_the_same_depth() -> None:
    codec = key_codec(Any)
    key = nested(MAX_DEPTH + 1, KINDS["tuple"])
    assert codec.decode(codec.encode(key)) == key
    with pytest.raises(EncodeError, match="nested more than 100 deep"):
        codec.encode(nested(MAX_DEPTH + 2, KINDS["tuple"]))
    for depth in (MAX_DEPTH + 2, 5_000):
        with pytest.raises(DecodeError):
            codec.decode('{"$tuple":[' * depth + "1" + "]}" * depth)


@pytest.mark.parametrize("codec", CODECS, ids=repr)
@pytest.mark.parametrize("left", [60, 100, 200, 400, 700])
def test_near_the_end_of_the_call_stack_it_is_the_value_or_one_of_our_errors(codec: Codec, left: int) -> None:
    for make in KINDS.values():
        value = nested(MAX_DEPTH + 1, make)
        data = codec.encode(value)
        for call in (lambda: codec.encode(value), lambda: codec.decode(data)):  # noqa: B023 - called at once
            with contextlib.suppress(PersistentCollectionsError):
                called_at(left, call)


@pytest.mark.parametrize("codec", ["json", "msgpack"])
@pytest.mark.parametrize("left", [150, 250, 400, 700])
def test_a_collection_near_the_end_of_the_call_stack_gives_the_value_or_one_of_our_errors(
    codec: str, left: int
) -> None:
    items = PersistentDict[str, Any]("depth", backend=MemoryBackend(), codec=codec)
    items["k"] = value = nested(MAX_DEPTH + 1, KINDS["list"])
    for call in (lambda: items["k"], lambda: list(items.values()), items.copy, lambda: items.update(k=value)):
        with contextlib.suppress(PersistentCollectionsError):
            called_at(left, call)


@dataclass
class Node:
    inner: Node | None = None


class Model(pydantic.BaseModel):
    inner: Model | None = None


@pytest.mark.parametrize("codec", [JSONCodec(), MsgpackCodec()], ids=repr)
@pytest.mark.parametrize("kind", [Node, Model])
def test_declared_classes_nest_as_deep_and_end_in_our_errors(codec: Codec, kind: Any) -> None:
    bound = codec.bind(kind, None)
    for depth in (50, 99, 101, 400):
        value = kind()
        for _ in range(depth):
            value = kind(inner=value)
        if depth < MAX_DEPTH:
            assert bound.decode(bound.encode(value)) == value
            continue
        with pytest.raises(EncodeError):
            bound.encode(value)
    packed = isinstance(codec, MsgpackCodec)
    data = b"\x81\xa5inner" * 400 + b"\xc0" if packed else b'{"inner":' * 400 + b"null" + b"}" * 400
    for left in (200, 400, 700):
        with pytest.raises(DecodeError):
            called_at(left, lambda: bound.decode(data))

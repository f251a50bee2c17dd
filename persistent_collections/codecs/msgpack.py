"""The codec ``msgpack``: MessagePack values as they are, every other type in an extension."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgpack  # type: ignore[import-untyped] # it has no types
import msgspec

from persistent_collections.codecs.base import References
from persistent_collections.codecs.declared.reading import DeclaredCodec
from persistent_collections.codecs.hints import looks_like
from persistent_collections.codecs.types.lowering import Lowering, Path, plain_leaves
from persistent_collections.codecs.types.registry import builtin_type, untagged
from persistent_collections.codecs.types.standard import require_spread
from persistent_collections.errors import DecodeError, EncodeError

EXTENSION: Final = 1
"""The extension type that holds ``[tag, x]``, packed."""

_LEAVES: Final = frozenset({type(None), bool, int, float, str, bytes})
_INTEGERS: Final = range(-(2**63), 2**64)
_PAIR: Final = 2
_KEPT_BUFFER_BYTES: Final = 2**16

_TIMESTAMP: Final = b"\xff"
"""The type of MessagePack's own extension, as a byte."""

_BINARIES: Final = bytes([*range(0xC4, 0xCA), *range(0xD4, 0xD9)])
"""The bytes that start a binary or an extension."""

_WORDS: Final = (
    (UnicodeDecodeError, "a text is not UTF-8"),
    (msgpack.ExtraData, "more bytes follow the value"),
    ((msgpack.StackError, RecursionError), "nested too deeply"),
    (TypeError, "a key of a map is a map"),
)
"""The description of the fault for each kind of error of the package ``msgpack``; the first match counts."""

_EXTENSIONS: Final = frozenset(bytes([start]) for start in [*range(0xC7, 0xCA), *range(0xD4, 0xD9)])


def _refuse_extension(extension: int, data: memoryview) -> Any:
    raise ValueError(f"extension {extension} of {len(data)} bytes")


_pack_once: Final[Callable[[Any], Any]] = msgpack.packb
_read_fast: Final = msgspec.msgpack.Decoder(ext_hook=_refuse_extension).decode
_write_fast: Final = msgspec.msgpack.Encoder().encode


_Scalar: TypeAlias = bool | int | float | str | None


class _Flat(msgspec.Struct, array_like=True, gc=False):
    """Most values, checked at the speed of C; msgspec would take subclasses too, but they have not been packed."""

    value: _Scalar | list[_Scalar | dict[str, _Scalar]] | dict[str, _Scalar | list[_Scalar]]


class MsgpackCodec(DeclaredCodec):
    """Store values as MessagePack.

    Check: None, bool, int of 64 bits, float, str, bytes, list and dict, with keys of any type, are MessagePack's own;
    a registered type, and a longer int, is extension type 1 holding ``[tag, x]``. Written by the package ``msgpack``.
    """

    name = "msgpack"
    format = "binary"
    starts = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])

    def __init__(self, declared: Any = Any, references: References | None = None) -> None:
        super().__init__(declared, references)
        self._packers: list[msgpack.Packer] = []

    def _write(self, value: Any) -> bytes:
        try:
            data = self._pack(value)
            if _is_kept(value, data, may_be_deep=self._may_be_deep(data)):
                return data
        except (TypeError, ValueError, OverflowError, RecursionError):
            pass  # not plain; the walk below stores it or reports where and why not
        try:
            return self._pack(_MsgpackLowering(self._references).lower(value))
        except EncodeError:
            raise
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise EncodeError(
                f"value: MessagePack cannot hold it ({type(error).__name__}): too long, or too deep"
            ) from None

    def decode(self, data: bytes) -> Any:
        return self.finished(self._read(data), data)

    def _read(self, data: bytes) -> Any:
        """Unpack; what packs to the same bytes again has no duplicate key and no extension of this codec."""
        if data[:1] not in _EXTENSIONS:
            try:
                value = _read_fast(data)
                if _write_fast(value) == data:
                    return value
            except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
                pass  # an extension, or not what this codec writes; unpacking it below shows which
        try:
            return self._unpack(data)
        except DecodeError:
            raise
        except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
            words = next((words for kind, words in _WORDS if isinstance(error, kind)), "truncated or malformed")
            raise DecodeError(f"not the MessagePack of this codec ({words}){looks_like(data, self.name)}") from None

    def _pack(self, value: Any) -> bytes:
        """Pack with an unused packer: re-entering one that is packing would spoil both results."""
        try:
            packer = self._packers.pop()
        except IndexError:
            packer = msgpack.Packer(strict_types=True, default=_as_builtin)
        data: bytes = packer.pack(value)
        if len(data) <= _KEPT_BUFFER_BYTES:
            self._packers.append(packer)
        return data

    def _unpack(self, data: bytes) -> Any:
        """Unpack; inner extensions come after outer ones, since recursion would soon exhaust the stack of C."""
        extensions: list[Any] = []

        def keep(extension: int, content: bytes) -> Any:
            extensions.append(msgpack.ExtType(extension, content))
            return extensions[-1]

        value = msgpack.unpackb(data, strict_map_key=False, timestamp=0, ext_hook=keep, object_pairs_hook=_unique)
        return self._lifted(value) if extensions or _TIMESTAMP in data else value

    def _lifted(self, value: Any) -> Any:
        if type(value) is list:
            return [self._lifted(item) for item in value]
        if type(value) is dict:
            return _unique([(self._lifted(key), self._lifted(item)) for key, item in value.items()])
        if type(value) is msgpack.Timestamp:
            return _moment(value)
        return self._untagged(value) if type(value) is msgpack.ExtType else value

    def _untagged(self, extension: Any) -> Any:
        content = self._unpack(extension.data) if extension.code == EXTENSION else None
        if type(content) is not list or len(content) != _PAIR or type(content[0]) is not str:
            raise DecodeError(f"an extension of type {extension.code} that this codec does not write")
        return untagged(content[0], content[1], self._references)


class _MsgpackLowering(Lowering):
    def _is_native(self, kind: type, value: Any) -> bool:
        return value in _INTEGERS if kind is int else kind in _LEAVES

    def _lower_dict(self, value: dict[Any, Any], path: Path) -> Any:
        return dict(self._lower_items(value, path))

    def _tag(self, tag: str, lowered: Any) -> Any:
        return msgpack.ExtType(EXTENSION, _pack_once([tag, lowered]))

    def _order(self, lowered: Any) -> Any:
        return _pack_once(lowered)


def _as_builtin(value: Any) -> Any:
    """Return the packed form of a value that msgpack has no type for, or refuse."""
    builtin = builtin_type(type(value))
    if builtin not in (list, dict):
        raise TypeError
    return builtin(value)


def _is_kept(value: Any, data: bytes, *, may_be_deep: bool) -> bool:
    """Return whether ``value``, which msgpack has packed to ``data`` with nothing tagged, would come back.

    By itself, msgpack packs bytearray and memoryview as bytes, and its own ExtType and Timestamp unchanged. If no byte
    of ``data`` can start one of these, or in a flat list, there is none. To examine all types would take longer than to
    pack.
    """
    if type(value) is not list and not may_be_deep and len(data.translate(None, _BINARIES)) == len(data):
        return True
    try:
        msgspec.convert((value,), _Flat)
    except msgspec.ValidationError:
        return plain_leaves(value, _LEAVES, _LEAVES, marks=False) is not None
    return True


def _moment(stamp: Any) -> datetime:
    if stamp.nanoseconds % 1000:
        raise DecodeError("a timestamp finer than a microsecond, which no datetime holds")
    moment: datetime = stamp.to_datetime()
    return moment


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    try:
        require_spread([key for key, _ in pairs])
        value = dict(pairs)
    except EncodeError as error:
        raise DecodeError(str(error)) from None
    except TypeError:
        value = {_frozen(key): item for key, item in pairs}
    if len(value) != len(pairs):
        raise DecodeError("a map has a duplicate key")
    return value


def _frozen(key: Any) -> Any:
    """Return a key that is an array as a tuple; this codec never writes one, but others do."""
    return tuple(map(_frozen, key)) if type(key) is list else key

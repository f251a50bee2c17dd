"""The codec ``json``: JSON values as they are, every other type as a tagged object."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from math import isfinite
from typing import Any, Final
from uuid import UUID

import msgspec

from persistent_collections.codecs.base import References
from persistent_collections.codecs.declared.reading import DeclaredCodec
from persistent_collections.codecs.hints import looks_like, reason
from persistent_collections.codecs.types.lowering import MAX_DEPTH, MAX_DIGITS, lift, lower, plain_leaves, to_json
from persistent_collections.errors import DecodeError, EncodeError

_LEAVES: Final = frozenset({type(None), bool, int, float, str})
_KEYS: Final = frozenset({str})
_BRACE, _DOLLAR = b"{$"
_CANONICAL: Final = (str, int, bool, bytes, UUID)
_read_fast: Final = msgspec.json.Decoder().decode
_write_fast: Final = msgspec.json.Encoder().encode
_read_lines: Final = msgspec.json.Decoder().decode_lines
_write_lines: Final = msgspec.json.Encoder().encode_lines
_READ_AT_ONCE: Final = 1000
_LONG: Final = 1_000_000
"""More bytes are not kept twice."""


class JSONCodec(DeclaredCodec):
    """Store values as one JSON text.

    Check: UTF-8, no spaces, written by the standard library's ``json``, whose bytes are pinned. A registered type is
    ``{"$tag": x}``, a user's one-key dict whose key starts with ``$`` gets one more ``$``, and a dict with other keys
    than ``str`` is ``{"$dict": [[key, value], …]}``. An integer of more than 4,300 digits, which Python would not
    read, is ``{"$int": "0x…"}``.
    """

    name = "json"
    format = "json"
    starts = b"[{"

    def __init__(self, declared: Any = Any, references: References | None = None) -> None:
        super().__init__(declared, references)
        self.canonical = declared in _CANONICAL

    def _write(self, value: Any) -> bytes:
        try:
            data = _write_fast(value)
            leaves = plain_leaves(value, _LEAVES, _KEYS, marks=True)
            if leaves is not None:
                if float in leaves:  # msgspec writes it otherwise
                    data = to_json(value).encode()
                if _reads_everywhere(data):
                    return data
        except Exception:  # noqa: BLE001, S110 - msgspec also calls code of values that are not plain, such as a tzinfo's
            pass  # the walk below stores it or reports where and why not
        return self._write_lowered(value)

    def _write_lowered(self, value: Any) -> bytes:
        lowered = lower(value, self._references)
        try:
            return to_json(lowered).encode()
        except (ValueError, TypeError, RecursionError) as error:
            raise EncodeError(
                f"value: this process cannot write it ({type(error).__name__}); "
                "see sys.set_int_max_str_digits and sys.setrecursionlimit"
            ) from None

    def decode(self, data: bytes) -> Any:
        """Parse, and check for duplicate keys and tags only if necessary.

        A text without objects, or one that is written back byte for byte, has no duplicate key. A text without ``"$``
        has no tag.
        """
        value: Any = None
        parse: Callable[[str], Any] | None = None
        try:
            value = _read_fast(data)
            if _BRACE in data and (
                (_DOLLAR in data and b'"$' in data) or _write_fast(value) != data  # one byte is found faster
            ):
                parse = _parse
        except msgspec.ValidationError:
            parse = _parse_in_range  # a number is out of the range of that parser, but perhaps not of Python's
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            hint = looks_like(data, self.name)
            raise DecodeError(f"not the JSON of this codec ({reason(error, data)}){hint}") from None
        if parse is not None:
            value = lift(_read_carefully(data, parse), self._references)
        return value if self._check is None and len(data) <= MAX_DEPTH else self.finished(value, data)

    def decode_all(self, stored: Iterable[bytes]) -> Iterable[Any]:
        texts = iter(stored)
        return chain.from_iterable(map(self._decode_at_once, iter(lambda: list(islice(texts, _READ_AT_ONCE)), [])))

    def _decode_at_once(self, texts: Sequence[bytes]) -> Iterable[Any]:
        """Parse texts as lines; one by one if they are long, have tags, or would not be written byte for byte so."""
        lines = b"" if sum(map(len, texts)) > _LONG else b"\n".join([*texts, b""])
        if not lines or b'"$' in lines:
            return map(self.decode, texts)
        try:
            values = _read_lines(lines)
            if len(values) != len(texts) or _write_lines(values) != lines:
                return map(self.decode, texts)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return map(self.decode, texts)
        is_finished = self._check is None and max(map(len, texts)) <= MAX_DEPTH
        return values if is_finished else map(self.finished, values, texts)


def _reads_everywhere(data: bytes) -> bool:
    """Return whether all integers in ``data`` are within Python's default limit, whatever the limit of this process."""
    return len(data) <= MAX_DIGITS or sys.get_int_max_str_digits() == MAX_DIGITS


def _read_carefully(data: bytes, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(data.decode())
    except DecodeError:
        raise
    except (json.JSONDecodeError, UnicodeError, RecursionError) as error:
        raise DecodeError(f"not the JSON of this codec ({reason(error, data)})") from None
    except ValueError:
        raise DecodeError("an integer has too many digits for this process; see sys.set_int_max_str_digits") from None


def _parse_in_range(text: str) -> Any:
    """Parse a text that msgspec couldn't parse to the end, and check for the faults it would have refused."""
    value = _decoder_in_range.decode(text)
    to_json(value).encode()
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise DecodeError("an object has a duplicate key")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise DecodeError("a number is out of the range of a float")
    return value


def _refuse(token: str) -> Any:
    raise DecodeError(f"{token} is not JSON")


_parse: Final = json.JSONDecoder(object_pairs_hook=_unique).decode
_decoder_in_range: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse)

"""The text of a file, and the content it stands for.

A file holds one JSON object or array, indented by two spaces, in UTF-8, ending in a newline. The data of its fields and
items are never turned into Python values: they are cut out of the text and put into it. A file edited by hand may be
laid out and escaped in any way; its data come back compact, with strings as the ``json`` codec writes them and numbers
as they stand (``1E400`` too), so that no digit is lost.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from persistent_collections.backends.base import Content
from persistent_collections.backends.json.errors import corrupt
from persistent_collections.errors import CorruptDataError, EncodeError

Parsed: TypeAlias = dict[str, bytes] | list[bytes]
_Raws: TypeAlias = dict[str, msgspec.Raw] | list[msgspec.Raw]

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_WHOLE: Final = msgspec.json.Decoder(float_hook=msgspec.Raw)
_TOKEN: Final = re.compile(r'(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")(?P<colon>\s*:)?|[{}\[\]]|NaN|-?Infinity')


def render(content: Content, path: Path) -> bytes:
    """Return the text of the file that holds ``content``, a set as a sorted array.

    Raises:
        EncodeError: Some of it is no JSON text, or has no UTF-8.
    """
    value: object
    match content:
        case dict():
            value = {field: msgspec.Raw(data) for field, data in content.items()}
        case list():
            value = [msgspec.Raw(data) for data in content]
        case set():
            value = sorted(content)
    try:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2)
        text.decode()
    except UnicodeError:
        raise EncodeError(
            f"{path} cannot hold half a surrogate pair or bytes that are no UTF-8; encode them as text first"
        ) from None
    except (msgspec.DecodeError, RecursionError):
        raise EncodeError(
            f"{path} holds JSON only, nested no deeper than Python recurses; fit the codec to the medium 'json'"
        ) from None
    return text + b"\n"


def parse(data: bytes, path: Path) -> Parsed:
    """Return the content of a file.

    Cost: O(n), values not parsed; several times as much where it was edited by hand.

    Raises:
        CorruptDataError: It is not one JSON object or array, has a key twice, a NaN or half a surrogate pair.
    """
    try:
        raws = _parse_ours(data) or _parse_edited(data, path)
    except RecursionError as error:
        raise _wrong(path, "", "nested too deeply") from error
    if isinstance(raws, dict):
        return {field: bytes(raw) for field, raw in raws.items()}
    return [bytes(raw) for raw in raws]


def render_deadline(deadline: float) -> bytes:
    """Return the text of the file that holds a deadline, in seconds since the epoch."""
    return f"{deadline!r}\n".encode()


def parse_deadline(data: bytes, path: Path) -> float:
    """Return the deadline a file holds."""
    try:
        return float(data)
    except ValueError:
        raise corrupt(path, " does not hold a deadline, in seconds since 1970") from None


def _parse_ours(data: bytes) -> _Raws | None:
    """Return what a file holds if its strings are spelt as ours and no key is there twice, else None.

    The parser keeps the last of two keys and any escape, so that only what encodes to the very text again has neither.
    """
    try:
        data.decode()
        compact = msgspec.json.format(data, indent=-1)
        raws = _cut(compact)
        same = msgspec.json.encode(raws) == compact
        if same and (b"\\" in compact or compact.find(b"{", 1) > 0):
            same = msgspec.json.encode(_WHOLE.decode(compact)) == compact
    except (UnicodeError, msgspec.DecodeError):
        return None
    return raws if same else None


def _cut(compact: bytes) -> _Raws:
    return _FIELDS.decode(compact) if compact.startswith(b"{") else _ITEMS.decode(compact)


def _parse_edited(data: bytes, path: Path) -> _Raws:
    """Return what a file holds, judged by the standard library's parser, or say where it is wrong."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _wrong(path, data[: error.start].decode(), "not UTF-8") from None
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise _wrong(path, text[: error.pos], error.msg) from None
    if text.strip()[0] not in "{[":
        raise _wrong(path, "", "neither an object nor an array")
    return _cut(msgspec.json.format(_Speller(text, path).respell().encode(), indent=-1))


class _Speller:
    """Spells the strings of a JSON text as the ``json`` codec does, and refuses what has no such spelling."""

    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._path = path
        self._names: list[set[str]] = []

    def respell(self) -> str:
        return _TOKEN.sub(self._respell, self._text)

    def _respell(self, token: re.Match[str]) -> str:
        match token[0][0]:
            case '"':
                return self._respell_string(token)
            case "{" | "[":
                self._names.append(set())
            case "}" | "]":
                self._names.pop()
            case _:
                raise self._wrong(token, f"{token[0]} is no JSON number")
        return token[0]

    def _respell_string(self, token: re.Match[str]) -> str:
        string = json.loads(token["string"])
        if not _is_unicode(string):
            raise self._wrong(token, "half a surrogate pair")
        if token["colon"]:
            if string in self._names[-1]:
                raise self._wrong(token, "this key stands twice in one object")
            self._names[-1].add(string)
        return json.dumps(string, ensure_ascii=False) + (token["colon"] or "")

    def _wrong(self, token: re.Match[str], message: str) -> CorruptDataError:
        return _wrong(self._path, self._text[: token.start()], message)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(path: Path, before: str, message: str) -> CorruptDataError:
    """Return the error for what is wrong right after ``before``."""
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return corrupt(path, f", line {line} column {column}: {message}")

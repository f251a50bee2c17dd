"""The text of a file, and its content.

A file holds one JSON object or array, indented by two spaces, in UTF-8, ending in a newline. The data of its fields and
items are never decoded into Python values: they are cut out of the text and put into it. A file edited by hand may have
any layout and escapes. Its data are returned compact, with strings as the ``json`` codec writes them, and numbers
unchanged (``1E400`` too), so that no digit is lost.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from math import isfinite
from pathlib import Path
from typing import Final, TypeAlias, TypeGuard
from zlib import crc32

import msgspec

from persistent_collections.backends.json.failures import corrupt
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Content
from persistent_collections.backends.shapes import shape_of
from persistent_collections.errors import CorruptDataError, EncodeError

Parsed: TypeAlias = dict[str, bytes] | list[bytes]
_Raws: TypeAlias = dict[str, msgspec.Raw] | list[msgspec.Raw]

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_WHOLE: Final = msgspec.json.Decoder(float_hook=msgspec.Raw)
_DEADLINE: Final = re.compile(rb"\d+(\.\d+)?(e[+-]\d+)?\n")
_TOKEN: Final = re.compile(r'(?P<string>"[^"\\]*+(?:\\.[^"\\]*+)*+")(?P<colon>\s*:)?|[{}\[\]]|NaN|-?Infinity')


def render(content: Content, path: Path) -> bytes:
    """Return the text of the file that holds ``content``, a set as a sorted array.

    Raises:
        EncodeError: Some of it isn't JSON text, or has no UTF-8 form.
    """
    value = shape_of(content).export(content)
    match content:
        case dict():
            # A record that holds only the marker is the file {}.
            value = {field: msgspec.Raw(data) for field, data in content.items() if field != MARKER or data}
        case list():
            value = list(map(msgspec.Raw, content))
    try:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2)
        text.decode()
    except UnicodeError:
        raise EncodeError(
            f"{path} cannot hold half a surrogate pair or bytes that are not UTF-8; encode them as text first"
        ) from None
    except (msgspec.DecodeError, RecursionError):
        raise EncodeError(
            f"{path} holds JSON only, nested no deeper than Python recurses; fit the codec to the medium 'json'"
        ) from None
    return text + b"\n"


def parse(data: bytes, path: Path) -> Parsed:
    """Return the content of a file.

    Cost: O(n), values not parsed; several times as much if it was edited by hand.

    Raises:
        CorruptDataError: It isn't one JSON object or array, or has a duplicate key, a NaN or half a surrogate pair.
    """
    data = data.removeprefix(BOM_UTF8)  # which some editors put there
    try:
        raws = _parse_ours(data) or _parse_edited(data, path)
    except RecursionError as error:
        raise _wrong(path, "", "nested too deeply") from error
    if not raws and b"\n  " in data:
        raise _wrong(path, "", "white space instead of fields or items; write {} or [] for none")
    if isinstance(raws, dict):
        return {field: bytes(raw) for field, raw in raws.items()} or {MARKER: MARKER_DATA}
    return [bytes(raw) for raw in raws]


def parses_as(content: Content, old: Content | None) -> TypeGuard[Parsed]:
    """Return whether :func:`parse` surely returns ``content`` for what :func:`render` returned.

    Cost: O(n) for a look, and parsing of what is not the same object in ``old``, the parsed content before.
    """
    if isinstance(content, set) or MARKER in content:
        return False
    known = set(map(id, old.values() if isinstance(old, dict) else old or ()))
    for data in content.values() if isinstance(content, dict) else content:
        if id(data) not in known and not _is_canonical(data):
            return False
    return True


def _is_canonical(data: bytes) -> bool:
    try:
        return type(data) is bytes and msgspec.json.encode(_WHOLE.decode(data)) == data
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


def render_deadline(deadline: float) -> bytes:
    """Return the text of the file that holds a deadline, in seconds since the epoch."""
    return seal(f"{deadline!r}\n".encode())


def parse_deadline(data: bytes, path: Path) -> float:
    """Return the deadline a file holds, with its checksum or, as version 0.1 wrote it, without."""
    text = data if data.count(b"\n") < 2 else unsealed(data, path)  # noqa: PLR2004 - the lines of a file with a checksum
    if not _DEADLINE.fullmatch(text) or not isfinite(float(text)):
        raise corrupt(path, " does not hold a deadline, in seconds since 1970")
    return float(text)


def seal(text: bytes) -> bytes:
    """Return ``lines`` with a checksum line, by which damage is detected."""
    return b"%b%08x\n" % (text, crc32(text))


def unsealed(data: bytes, path: Path) -> bytes:
    """Return the lines that :func:`seal` received, without their checksum line."""
    text = data[:-9]
    if seal(text) != data:
        raise corrupt(path, " is damaged: its last line is not the CRC-32 of those before")
    return text


def _parse_ours(data: bytes) -> _Raws | None:
    """Return the content of a file if its strings are in canonical form and keys are unique, else None.

    The parser keeps the last duplicate key and any escape, so only a text that encodes back to itself has neither.
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
    """Return the content of a file, parsed by the standard library's parser, or report the position of the fault."""
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
    """Encodes the strings of a JSON text like the ``json`` codec, and refuses those it can't encode."""

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
                raise self._wrong(token, f"{token[0]} is not a JSON number")
        return token[0]

    def _respell_string(self, token: re.Match[str]) -> str:
        string = json.loads(token["string"])
        if not _is_unicode(string):
            raise self._wrong(token, "half a surrogate pair")
        if token["colon"]:
            if string in self._names[-1]:
                raise self._wrong(token, "this key occurs twice in one object")
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
    """Return the error for the fault right after ``before``."""
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return corrupt(path, f", line {line} column {column}: {message}")

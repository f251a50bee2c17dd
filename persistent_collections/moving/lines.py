"""Objects as JSON Lines: one per line, between a first line that describes them and a last that counts them.

Each line ends in its number and a SHA-256 of the rest, so a reader notices a line that is cut off, edited, missing or
out of place. Values of a JSON store are written as the JSON they are. Other bytes are written as a string if they are
UTF-8, and as ``{"base64": "…"}`` otherwise.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec

from persistent_collections.backends.base import Medium
from persistent_collections.backends.keys import MARKER, MARKER_DATA, Entry, Key
from persistent_collections.backends.shapes import SHAPES, shape_of
from persistent_collections.errors import CorruptDataError
from persistent_collections.moving.objects import StoredObject

T = TypeVar("T")

_SEAL: Final = re.compile(rb'(\{.*),"line":([0-9]+),"sha256":"([0-9a-f]{64})"\}\n', re.DOTALL)
_FORM: Final = "has a format that this version does not know; import it with the version that exported it"
_END: Final = b'{"objects":'


class Header(msgspec.Struct):
    """The first line.

    Attributes:
        format: The name of the file format.
        version: Of the form of its lines.
        medium: The medium of the source store.
        codec: The codec that the URL of the source store chose, if any.
    """

    format: Literal["persistent-collections"]
    version: Literal[1]
    medium: Medium
    codec: str | None


_Root = Annotated[str, msgspec.Meta(pattern=r"\A[^:%{}]+:(?:[^:%{}]|%(?:25|3A|7B|7D))+\Z")]
_Child: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"\A[^:%{}]+\Z")] | None
_Some = msgspec.Meta(min_length=1)


_EMPTY: Final = {MARKER: MARKER_DATA}
"""The content of a record with no field set. From a JSON store it is written as ``{}``, as in a JSON file."""
_EMPTY_BEFORE: Final = b'{"":}'
"""What versions up to 0.2 write for it, which is no JSON, so that no string holds it either."""

_Part: Final[Any] = msgspec.defstruct(
    "_Part",
    [
        ("child", _Child, None),
        *((shape.name, shape.exported | None, None) for shape in SHAPES.values()),
        ("deadline", float | None, None),
    ],
    omit_defaults=True,
)
"""The content of one key, under the name of its shape."""

_Object: Final[Any] = msgspec.defstruct("_Object", [("key", _Root), ("parts", Annotated[list[_Part], _Some])])


class _End(msgspec.Struct):
    objects: int


class _Base64(msgspec.Struct):
    base64: str


class _Line(NamedTuple):
    number: int
    body: bytes


_header: Final = msgspec.json.Decoder(Header)
_object: Final = msgspec.json.Decoder(_Object)
_end: Final = msgspec.json.Decoder(_End)
_data: Final = msgspec.json.Decoder(str | _Base64)


def write_lines(header: Header, objects: Iterable[StoredObject]) -> Iterator[bytes]:
    """Yield the lines of a file."""
    yield _sealed(header, 1)
    count = 0
    to_raw = msgspec.Raw if header.medium == "json" else _raw
    for count, stored in enumerate(objects, 1):
        parts = [_part(key, part, to_raw) for key, part in stored.parts.items()]
        yield _sealed(_Object(stored.root, parts), count + 1)
    yield _sealed(_End(count), count + 2)


class LineReader:
    """The objects of a file, each read on demand.

    Args:
        lines: The lines of the file, their ends included.
        name: The name of the file in messages.

    Attributes:
        header: Its first line.

    Raises:
        CorruptDataError: A line was changed since it was written; the message names the line.
    """

    def __init__(self, lines: Iterable[bytes], name: str) -> None:
        self._name = name
        self._lines = self._unsealed(lines)
        self.header = self._decoded(_header, next(self._lines))
        self._from_raw: Callable[[msgspec.Raw], bytes] = bytes if self.header.medium == "json" else _from_raw

    def objects(self) -> Iterator[StoredObject]:
        """Yield every object, and make sure that the file ends as it should."""
        for count, line in enumerate(self._lines):
            if not line.body.startswith(_END):
                yield self._stored(line)
            elif self._decoded(_end, line).objects != count:
                raise self._wrong(line.number, "has a wrong count of the objects before it")

    def _unsealed(self, lines: Iterable[bytes]) -> Iterator[_Line]:
        """Yield each line without its seal, and check that nothing is missing and nothing follows."""
        number = 0
        ended = False
        for number, line in enumerate(lines, 1):
            sealed = _SEAL.fullmatch(line)
            if ended or sealed is None or int(sealed[2]) != number or _digest(sealed[1], number) != sealed[3]:
                raise self._wrong(number, "was cut off, edited, lost or moved since it was written")
            ended = sealed[1].startswith(_END)
            yield _Line(number, sealed[1] + b"}")
        if not ended:
            raise self._wrong(number + 1, "is missing: the file was cut off here")

    def _stored(self, line: _Line) -> StoredObject:
        found = self._decoded(_object, _Line(line.number, line.body.replace(_EMPTY_BEFORE, b"{}")))
        try:
            return StoredObject(found.key, {Key(found.key, part.child): self._part(part) for part in found.parts})
        except ValueError:
            raise self._wrong(line.number, _FORM) from None

    def _part(self, part: Any) -> Entry:
        for name, shape in SHAPES.items():
            if (found := getattr(part, name)) is not None:
                content = shape.content(_each(found, msgspec.Raw, self._from_raw))
                if content or (content == {} and self.header.medium == "json"):
                    return Entry(content or _EMPTY, part.deadline)
        raise ValueError

    def _decoded(self, decoder: msgspec.json.Decoder[T], line: _Line) -> T:
        try:
            return decoder.decode(line.body)
        except (msgspec.DecodeError, ValueError):
            raise self._wrong(line.number, _FORM) from None

    def _wrong(self, number: int, message: str) -> CorruptDataError:
        unless = ", or export did not write this file" if number == 1 else ""
        return CorruptDataError(f"{self._name}, line {number} {message}{unless}; nothing from there on was imported")


def _part(key: Key, part: Entry, to_raw: Callable[[bytes], msgspec.Raw]) -> Any:
    shape = shape_of(part.content)
    exported = {} if to_raw is msgspec.Raw and part.content == _EMPTY else shape.export(part.content)
    return _Part(key.child, **{shape.name: _each(exported, bytes, to_raw)}, deadline=part.deadline)


def _each(content: Any, kind: type, function: Callable[[Any], Any]) -> Any:
    """Return a dict or list with each value that is a ``kind`` replaced by the result of ``function``."""
    if isinstance(content, dict):
        return {name: function(value) if isinstance(value, kind) else value for name, value in content.items()}
    return [function(value) if isinstance(value, kind) else value for value in content]


def _raw(data: bytes) -> msgspec.Raw:
    try:
        text: str | _Base64 = data.decode()
    except UnicodeDecodeError:
        text = _Base64(b64encode(data).decode("ascii"))
    return msgspec.Raw(msgspec.json.encode(text))


def _from_raw(raw: msgspec.Raw) -> bytes:
    data = _data.decode(raw)
    return data.encode() if isinstance(data, str) else b64decode(data.base64, validate=True)


def _sealed(line: Any, number: int) -> bytes:
    body = msgspec.json.encode(line)[:-1]
    return b'%b,"line":%d,"sha256":"%b"}\n' % (body, number, _digest(body, number))


def _digest(body: bytes, number: int) -> bytes:
    return sha256(b"%d%b" % (number, body)).hexdigest().encode()

"""The interface of codecs: decoding returns exactly the encoded value, type included; encoding refuses other values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from types import FunctionType
from typing import Any, ClassVar, Final, Literal, TypeAlias

import msgspec

from persistent_collections.errors import EncodeError

Format: TypeAlias = Literal["text", "json", "binary"]
"""The kind of bytes a codec writes: UTF-8, one compact JSON text, or any bytes."""

_PACKAGE: Final = __name__.partition(".")[0]


def _instance(value: Any, kind: type) -> Any:
    return value if isinstance(value, kind) else None


def _no_remedy(kind: type) -> str:
    del kind
    return ""


class References(msgspec.Struct, frozen=True):
    """How the codecs of one store turn persistent objects into keys and back.

    A codec receives it in :meth:`Codec.bind`::

        class PathCodec(Codec):
            name, format = "path", "text"

            def __init__(self, references=None):
                self.references = references

            def bind(self, declared, references):
                return PathCodec(references)

            def encode(self, value):
                return f"/{self.references.to_key(value)}".encode()

            def decode(self, data):
                return self.references.from_key(data.decode()[1:])

        settings = PersistentDict("settings", {"theme": "dark"})
        places = PersistentList("places", [settings], codec=PathCodec())
        assert places[0]["theme"] == "dark"

    Attributes:
        kind: The class every persistent object is an instance of.
        to_key: Returns the key of an object. Raises ``EncodeError`` for a child collection, and for an object of
            another store.
        from_key: Returns the handle of a key, bound to this store; no I/O. Raises ``DecodeError`` if it is not the key
            of a known class.
        narrowed: Returns an object as one of a declared class, which may know type parameters that the key does not
            show; None if it is not of that class.
        remedy: Returns how to get an object of a declared class, as the end of an error's sentence.
    """

    kind: type
    to_key: Callable[[Any], str]
    from_key: Callable[[str], Any]
    narrowed: Callable[[Any, type], Any] = _instance
    remedy: Callable[[type], str] = _no_remedy


class Codec(ABC):
    """Turn values into bytes and back.

    ::

        class HexCodec(Codec):
            name, format, canonical = "hex", "text", True

            def encode(self, value):
                if type(value) is not int:
                    raise EncodeError(f"value: a number is an int, not {type(value).__name__}")
                return hex(value).encode()

            def decode(self, data):
                return int(data, 16)

        numbers = PersistentDict("numbers", {"a": 255}, codec=HexCodec())
        assert numbers["a"] == 255

    Attributes:
        name: The name by which it is registered and chosen.
        format: The kind of its bytes: ``"text"`` (UTF-8), ``"json"`` (one compact JSON text, UTF-8, no spaces) or
            ``"binary"`` (any bytes).
        canonical: Whether, among the values it accepts, equal ones give equal bytes and unequal ones different bytes,
            so that a store may look for a value by comparing bytes.
        secret: Whether notebooks and the command line hide its values.
    """

    name: str
    format: Format
    canonical: bool = False
    secret: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        encode = vars(cls).get("encode")
        if isinstance(encode, FunctionType) and cls.__module__.partition(".")[0] != _PACKAGE:
            cls.encode = _checked(encode)  # type: ignore[assignment]  # the same signature

    @abstractmethod
    def encode(self, value: Any) -> bytes:
        """Return the bytes of ``value``.

        Raises:
            EncodeError: It would not come back as it is; the message names the path inside the value and a remedy.
        """

    @abstractmethod
    def decode(self, data: bytes) -> Any:
        """Return the value ``data`` was encoded from.

        Raises:
            DecodeError: This codec does not write such bytes.
        """

    def require(self, value: Any) -> None:
        """Raise ``EncodeError`` if :meth:`encode` refuses ``value``; override it if :meth:`encode` is slow."""
        try:
            self.encode(value)
        except BaseException:
            del value  # tracebacks must not show a refused password
            raise

    def encode_all(self, values: Iterable[Any]) -> list[bytes]:
        """Return the result of :meth:`encode` for each of ``values``."""
        try:
            return list(map(self.encode, values))
        except BaseException:
            del values  # tracebacks must not show a refused password
            raise

    def decode_all(self, stored: Iterable[bytes]) -> Iterable[Any]:
        """Return the result of :meth:`decode` for each of ``stored``, decoded on demand."""
        return map(self.decode, stored)

    def bind(self, declared: Any, references: References | None) -> Codec:
        """Return this codec narrowed to values of a declared type, with the references of one store.

        Args:
            declared: A type or annotation without forward references, or ``Any``.
            references: None if persistent objects cannot be stored.

        Raises:
            TypeError: This codec cannot keep values of that type exactly.
        """
        del declared, references
        return self

    def check(self, declared: Any, kind: type, values: Iterable[Any] = ()) -> None:
        """Raise ``TypeError`` if this codec cannot keep values of a declared type exactly, whatever the store.

        Args:
            declared: As for :meth:`bind`.
            kind: The class every persistent object is an instance of.
            values: Values that it must be able to encode, such as a default.
        """
        self.bind(declared, References(kind, str, str)).encode_all(values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def _checked(encode: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bytes]:
    """Return the method ``encode`` of a codec as one that raises ``EncodeError`` if it returns no bytes."""

    @wraps(encode)
    def encoded(self: Codec, value: Any) -> bytes:
        try:
            data = encode(self, value)
        except BaseException:
            del value  # tracebacks must not show a refused password
            raise
        if not isinstance(data, bytes):
            del value
            raise EncodeError(f"encode() of the codec {self.name!r} must return bytes, not {type(data).__name__}")
        return data

    return encoded


class KeyCodec(ABC):
    """Turn dict keys or set members of one declared type into the texts under which they are stored, and back.

    Keys that are equal in Python have the same text. Numbers come back as the simplest equal one (``True`` and ``1.0``
    as ``1``).

    Attributes:
        verbatim: Whether each text is its key.
    """

    verbatim: ClassVar[bool] = False

    @abstractmethod
    def encode(self, key: Any) -> str:
        """Return the text of ``key``.

        Raises:
            EncodeError: It is not of the declared type, or would not come back as it is.
            TypeError: It is not hashable.
        """

    @abstractmethod
    def decode(self, text: str) -> Any:
        """Return the key ``text`` was encoded from.

        Raises:
            DecodeError: This codec does not write such a text.
        """

    def encode_all(self, keys: Iterable[Any]) -> Collection[str]:
        """Return the result of :meth:`encode` for each of ``keys``; it may be ``keys`` itself."""
        return list(map(self.encode, keys))

    def decode_all(self, texts: Iterable[str]) -> Iterable[Any]:
        """Return the result of :meth:`decode` for each of ``texts``, decoded on demand."""
        return map(self.decode, texts)

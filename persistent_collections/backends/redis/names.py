"""How keys, fields and members are written in Redis: as UTF-8."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from secrets import token_hex
from typing import Final

from persistent_collections.backends.keys import Key
from persistent_collections.errors import ConfigurationError, CorruptDataError, EncodeError

# Type and child names hold none of the four signs, ids hold them percent-encoded.
_SPELLING: Final = re.compile(r"([^:%{}]+:(?:[^:%{}]|%(?:25|3A|7B|7D))+)(?::([^:%{}]+))?")
_BESIDE: Final = re.compile(rb"::(?:[0-9a-f]{16}|fence)\Z")
_OF_CLASS: Final = re.compile(rb"[^:%{}]+::(?::|[^:{}]+)")
_GLOB_SIGNS: Final = re.compile(rb"[\\*?\[\]]")


class Names:
    """The names of a store: its prefix, then the key as it is (``app1:User:x:friends``).

    Args:
        prefix: Separates this store from other data in the database.

    Raises:
        ConfigurationError: The prefix has braces, by which a Redis Cluster would choose the slot.
    """

    def __init__(self, prefix: str) -> None:
        if "{" in prefix or "}" in prefix:
            raise ConfigurationError(f"option 'prefix' takes a text without braces, not {prefix!r}")
        self._prefix = encode(prefix)

    def spell(self, key: Key) -> bytes:
        return self._prefix + encode(str(key))

    def beside(self, name: bytes) -> bytes:
        """Return a temporary name, unlike any key's, for data needed only until a write to ``name`` is done."""
        return b"%b::%b" % (name, token_hex(8).encode())

    def is_ours(self, name: bytes) -> bool:
        """Return whether ``name`` is a key's, or a result of another method here."""
        return self.read(name) is not None or _BESIDE.search(name) is not None or self._is_of_class(name)

    def memo(self, type_name: str) -> bytes:
        """Return the name, unlike any key's, of the data about all indexes of a class."""
        return self.index(type_name, ":")

    def index(self, type_name: str, name: str) -> bytes:
        """Return the name, unlike any key's, of an index of a class; ``name`` has none of the characters ``:%{}``."""
        return b"%b%b::%b" % (self._prefix, encode(type_name), encode(name))

    def pattern(self, prefix: str) -> bytes:
        """Return a glob pattern of the names of keys whose root starts with ``prefix``, and maybe of others."""
        return _GLOB_SIGNS.sub(rb"\\\g<0>", self._prefix + encode(prefix)) + b"*"

    def starts(self, prefix: str) -> tuple[bytes, ...]:
        """Return the possible starts of the names of keys whose root starts with ``prefix``."""
        return (self._prefix + encode(prefix),)

    def read(self, name: bytes) -> Key | None:
        """Return the key with the name ``name``, or None."""
        if not name.startswith(self._prefix):
            return None
        try:
            spelt = _SPELLING.fullmatch(name.removeprefix(self._prefix).decode())
        except UnicodeDecodeError:
            return None
        return Key(*spelt.groups()) if spelt else None

    def _is_of_class(self, name: bytes) -> bool:
        return name.startswith(self._prefix) and _OF_CLASS.fullmatch(name, len(self._prefix)) is not None


class SlotNames(Names):
    """The names of a store on a cluster: a child is ``{app1:User:x}:friends``, which puts it in its owner's slot.

    An owner's name has no braces, so it is the same as on a single server, and hashes as a whole.
    """

    def spell(self, key: Key) -> bytes:
        root = self._prefix + encode(key.root)
        return root if key.child is None else b"{%b}:%b" % (root, encode(key.child))

    def beside(self, name: bytes) -> bytes:
        return super().beside(name if name.startswith(b"{") else b"{%b}" % name)

    def pattern(self, prefix: str) -> bytes:
        return b"*" + super().pattern(prefix)

    def starts(self, prefix: str) -> tuple[bytes, ...]:
        [start] = super().starts(prefix)
        return start, b"{" + start

    def read(self, name: bytes) -> Key | None:
        key = super().read(_without_braces(name))
        return key if key and self.spell(key) == name else None

    def index(self, type_name: str, name: str) -> bytes:
        """Return the name of an index of a class; all index data of a class are in one slot."""
        return b"{%b%b::}%b" % (self._prefix, encode(type_name), encode(name))

    def fence(self, key: Key) -> bytes:
        """Return the name, unlike any key's, of the data that block old claims of a record."""
        return b"{%b}::fence" % self.spell(key)

    def _is_of_class(self, name: bytes) -> bool:
        return name.startswith(b"{") and super()._is_of_class(_without_braces(name)) and b"::}" in name


def _without_braces(name: bytes) -> bytes:
    return name.replace(b"{", b"", 1).replace(b"}", b"", 1)


def encode(text: str) -> bytes:
    """Return ``text`` as UTF-8.

    Raises:
        EncodeError: It has a lone surrogate, which has no UTF-8 form.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise EncodeError(
            f"the text has a lone surrogate at position {error.start}, which UTF-8 cannot hold; "
            "encode it with errors='replace' or leave it out"
        ) from None


def encode_all(texts: Collection[str]) -> Sequence[bytes | str]:
    """Return ``texts`` in the form of a command; the client encodes ASCII, faster than Python can."""
    return list(texts) if "".join(texts).isascii() else list(map(encode, texts))


def decode_all(texts: Iterable[bytes], name: str) -> list[str]:
    """Return the fields or members of the content of ``name``.

    Raises:
        CorruptDataError: One is not UTF-8, so that another program must have put it there.
    """
    try:
        return list(map(bytes.decode, texts))
    except UnicodeDecodeError:
        raise _not_text(name) from None


def first_seen(names: list[str], seen: set[str]) -> list[str]:
    """Return the ``names`` that are not in ``seen``, each once, and add them to it."""
    new = names if not seen or seen.isdisjoint(names) else [name for name in names if name not in seen]
    known = len(seen)
    seen.update(new)
    return new if len(seen) == known + len(new) else list(dict.fromkeys(new))


def fields_of(reply: Mapping[bytes, bytes] | Sequence[bytes], name: str) -> dict[str, bytes]:
    """Return the fields in a reply to ``HGETALL``, of either protocol, about the content of ``name``.

    Raises:
        CorruptDataError: As of ``decode_all``.
    """
    pairs = reply.items() if isinstance(reply, Mapping) else zip(reply[::2], reply[1::2], strict=True)
    try:
        return {field.decode(): data for field, data in pairs}
    except UnicodeDecodeError:
        raise _not_text(name) from None


def _not_text(name: str) -> CorruptDataError:
    return CorruptDataError(
        f"{name!r} has a field or member that is not UTF-8; another program put it there: remove it with redis-cli"
    )

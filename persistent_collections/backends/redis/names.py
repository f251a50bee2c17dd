"""How a key is spelt as a name in Redis."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import Final

from persistent_collections.backends.base import Key
from persistent_collections.backends.redis.texts import encode
from persistent_collections.errors import ConfigurationError

# Type and child names hold none of the four signs, ids hold them percent-encoded.
_SPELLING: Final = re.compile(r"([^:%{}]+:(?:[^:%{}]|%(?:25|3A|7B|7D))+)(?::([^:%{}]+))?")
_GLOB_SIGNS: Final = re.compile(rb"[\\*?\[\]]")


class Names:
    """The names of a store: its prefix, then the key as it is (``app1:User:x:friends``).

    Args:
        prefix: Sets this store apart from all else in the database.

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
        """Return a name, spelt as no key is, for what only lasts as long as a transaction on ``name``."""
        return b"%b::%b" % (name, token_hex(8).encode())

    def pattern(self, prefix: str) -> bytes:
        """Return a glob pattern of the names of keys whose root starts with ``prefix``, and maybe of others."""
        return _GLOB_SIGNS.sub(rb"\\\g<0>", self._prefix + encode(prefix)) + b"*"

    def starts(self, prefix: str) -> tuple[bytes, ...]:
        """Return what the names of keys whose root starts with ``prefix`` may start with."""
        return (self._prefix + encode(prefix),)

    def read(self, name: bytes) -> Key | None:
        """Return the key that is spelt ``name``, None if none is."""
        if not name.startswith(self._prefix):
            return None
        try:
            spelt = _SPELLING.fullmatch(name.removeprefix(self._prefix).decode())
        except UnicodeDecodeError:
            return None
        return Key(*spelt.groups()) if spelt else None


class SlotNames(Names):
    """The names of a store on a cluster: a child is spelt ``{app1:User:x}:friends``, which puts it in its owner's slot.

    An owner's name has no braces, so that it is what it would be on a single server, and hashes as a whole.
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
        key = super().read(name.replace(b"{", b"", 1).replace(b"}", b"", 1))
        return key if key and self.spell(key) == name else None

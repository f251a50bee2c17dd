"""Names, fields and members as SQLite blobs, which sort the same way; and many numbers as one parameter."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from persistent_collections.backends.keys import Key


def encode(text: str) -> bytes:
    """Return ``text`` as UTF-8, half a surrogate pair as the three bytes it would have."""
    return text.encode("utf-8", "surrogatepass")


def decode(name: bytes) -> str:
    """Return the text that ``name`` was encoded from."""
    return name.decode("utf-8", "surrogatepass")


def spell(key: Key) -> tuple[bytes, bytes]:
    """Return ``key`` in the form of its row."""
    return encode(key.root), encode(key.child or "")


def read_key(root: bytes, child: bytes) -> Key | None:
    """Return the key of a row's name, None if another program wrote a name that isn't a key's."""
    if not {type(root), type(child)} <= {bytes}:
        return None
    try:
        key = Key(decode(root), decode(child) or None)
    except UnicodeDecodeError:
        return None
    type_name, _, object_id = key.root.partition(":")
    return key if type_name and object_id else None


def as_array(numbers: Iterable[int]) -> str:
    """Return ``numbers`` in the form of SQLite's ``json_each``."""
    return msgspec.json.encode(list(numbers)).decode()

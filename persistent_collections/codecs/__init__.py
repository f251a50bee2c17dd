"""Codecs: those to choose by name or to put around one another, and what you need to write one.

docs/codecs.md shows how. ``BcryptCodec``, ``Encrypted`` and ``PasswordHash`` are imported when they are first asked
for, since they need packages of their own.
"""

from typing import TYPE_CHECKING

from persistent_collections.codecs.base import Codec, Format, References
from persistent_collections.codecs.compressed import Compressed
from persistent_collections.codecs.registry import get_codec, register_codec
from persistent_collections.codecs.types.lowering import lift, lower
from persistent_collections.codecs.types.registry import register_type
from persistent_collections.lazy import lazily

if TYPE_CHECKING:
    from persistent_collections.codecs.bcrypt import BcryptCodec, PasswordHash
    from persistent_collections.codecs.encrypted import Encrypted
else:
    __getattr__ = lazily(__name__, {"BcryptCodec": "bcrypt", "Encrypted": "encrypted", "PasswordHash": "bcrypt"})

__all__ = [
    "BcryptCodec",
    "Codec",
    "Compressed",
    "Encrypted",
    "Format",
    "PasswordHash",
    "References",
    "get_codec",
    "lift",
    "lower",
    "register_codec",
    "register_type",
]

"""Codecs: choose one by name, put one around another, or write your own.

docs/codecs.md shows how. Those that need a module of their own are imported on first use: it may need other packages.
"""

from typing import TYPE_CHECKING

from persistent_collections.lazy import lazily

if TYPE_CHECKING:
    from persistent_collections.codecs.base import Codec, Format, References
    from persistent_collections.codecs.bcrypt import BcryptCodec, PasswordHash
    from persistent_collections.codecs.compressed import Compressed
    from persistent_collections.codecs.encrypted import Encrypted
    from persistent_collections.codecs.registry import get_codec, register_codec
    from persistent_collections.codecs.types.lowering import lift, lower
    from persistent_collections.codecs.types.registry import register_type
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "base": "Codec Format References",
            "bcrypt": "BcryptCodec PasswordHash",
            "compressed": "Compressed",
            "encrypted": "Encrypted",
            "registry": "get_codec register_codec",
            "types.lowering": "lift lower",
            "types.registry": "register_type",
        },
    )

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

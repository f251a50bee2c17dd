"""A codec around any other that encrypts what it writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from persistent_collections.codecs.base import Codec, References
from persistent_collections.codecs.hints import looks_like
from persistent_collections.errors import ConfigurationError, DecodeError

try:
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet
except ImportError:
    raise ConfigurationError("the codec Encrypted needs the package cryptography: pip install cryptography") from None


class Encrypted(Codec):
    """Store what another codec writes, encrypted and authenticated (Fernet: AES-128-CBC, HMAC-SHA256).

    ::

        key = Fernet.generate_key()
        secrets = PersistentDict("secrets", codec=Encrypted(get_codec("json"), [key]))
        secrets["token"] = "x-wing"
        assert secrets["token"] == "x-wing"

    The time of writing and the length of a value can be read without a key. To replace a key, put the new one before
    it, write every value again, and then remove the old one.

    Args:
        codec: The codec inside.
        keys: Keys from ``Fernet.generate_key``: the first encrypts, any of them decrypts.
        name: The name under which this codec is registered; by default ``<codec>+fernet``.
    """

    format = "text"
    secret = True

    def __init__(self, codec: Codec, keys: Sequence[str | bytes], name: str = "") -> None:
        self.name = name or f"{codec.name}+fernet"
        self._codec, self._keys = codec, tuple(keys)
        try:
            self._fernet = MultiFernet([Fernet(key) for key in self._keys])
        except ValueError:
            raise ConfigurationError(
                "Encrypted takes a list of at least one key, each as Fernet.generate_key() returns it"
            ) from None

    def bind(self, declared: Any, references: References | None) -> Codec:
        return type(self)(self._codec.bind(declared, references), self._keys, self.name)

    def encode(self, value: Any) -> bytes:
        try:
            data = self._codec.encode(value)
        except BaseException:
            del value  # tracebacks must not show a refused password
            raise
        return self._fernet.encrypt(data)

    def decode(self, data: bytes) -> Any:
        try:
            decrypted = self._fernet.decrypt(data)
        except InvalidToken:
            raise DecodeError(f"no key opens this, or it was changed{looks_like(data, 'encrypted')}") from None
        return self._codec.decode(decrypted)

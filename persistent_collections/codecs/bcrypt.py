"""The codec ``bcrypt``: passwords, one way."""

from __future__ import annotations

import hashlib
import re
from typing import Any, ClassVar, Final

from persistent_collections import flows
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.hashes import HASH_FORM, MAX_BYTES, PREHASH
from persistent_collections.codecs.hints import looks_like
from persistent_collections.errors import ConfigurationError, DecodeError, EncodeError

try:
    import bcrypt
except ImportError:
    raise ConfigurationError(
        "the codec 'bcrypt' needs the package bcrypt: pip install 'persistent-collections[bcrypt]'"
    ) from None

_HASH: Final = re.compile(HASH_FORM)
_ROUNDS: Final = range(4, 32)


class PasswordHash:
    """The hash of a password. An empty one is false, and verifies no password.

    ::

        stored = PasswordHash("$2b$04$UuTJ05JBevBeiSSZGa6YOOJKIYZtXsJNNrRA8AqeK4PqUJ4qcAkJi")
        assert not stored.verify("a wrong password")

    Two are equal if their texts are equal. Hashing one password twice gives two different texts.

    Args:
        text: The text that bcrypt writes, ``$2b$12$…``. If the SHA-256 of the password, in hexadecimal digits, was
            hashed, ``bcrypt_sha256$`` comes before it, as Django writes it.
        rounds: The cost that a new hash would have now.
        prehash: Whether a new hash would now be made from the SHA-256.
    """

    __slots__ = ("_prehash", "_rounds", "text")

    def __init__(self, text: str = "", *, rounds: int = 12, prehash: bool = False) -> None:
        if text and not _HASH.fullmatch(text):
            raise ValueError(
                "the text is not a bcrypt hash, such as '$2b$12$…'; to hash a password, assign it to a Password field"
            )
        self.text: Final = text
        self._rounds, self._prehash = rounds, prehash

    def verify(self, password: str) -> bool:
        """Return whether this is the hash of ``password``; all wrong ones that bcrypt accepts take the same time.

        Cost: the time of one hash, no I/O.

        Raises:
            TypeError: The password is not a ``str``.
        """
        if not isinstance(password, str):
            raise TypeError(f"a password is a str, not {type(password).__name__}")
        secret = _password_bytes(password, prehash=self.text.startswith(PREHASH))
        if not self.text or not password or secret is None or len(secret) > MAX_BYTES:
            return False
        return flows.aside(lambda: bcrypt.checkpw(secret, self.text.removeprefix(PREHASH).encode()))

    @property
    def needs_rehash(self) -> bool:
        """Whether the codec that read this would now hash the password another way: set it again at the next login.

        ::

            stored = PasswordHash("$2b$04$UuTJ05JBevBeiSSZGa6YOOJKIYZtXsJNNrRA8AqeK4PqUJ4qcAkJi", rounds=12)
            assert stored.needs_rehash

        Cost: no I/O.
        """
        match = _HASH.fullmatch(self.text)
        return match is not None and (bool(match[1]), match[2], int(match[3])) != (self._prehash, "2b", self._rounds)

    def __bool__(self) -> bool:
        return bool(self.text)

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, PasswordHash) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"<PasswordHash {'redacted' if self.text else 'empty'}>"


class BcryptCodec(Codec):
    """Store a password as its bcrypt hash; a :class:`PasswordHash` is stored as it is.

    ::

        passwords = PersistentDict("passwords", codec=BcryptCodec(rounds=4))
        passwords["luke"] = "TheForce"
        assert passwords["luke"].verify("TheForce")

    Cost: hashing, and every ``verify``, takes some 0.3 s at 12 rounds, and twice as long for each further round.

    Args:
        rounds: The cost, 4 to 31.
        prehash: Whether to hash the SHA-256 of a password in its place, so that passwords may exceed 72 bytes.

    Attributes:
        rounds_in_tests: The cost for every codec of this class during a test that uses the fixture of the pytest
            plugin.
    """

    name = "bcrypt"
    format = "text"
    secret = True
    rounds_in_tests: ClassVar[int | None] = None

    def __init__(self, *, rounds: int = 12, prehash: bool = False) -> None:
        if rounds not in _ROUNDS:
            raise ConfigurationError(f"bcrypt takes 4 to 31 rounds, not {rounds!r}")
        self._rounds, self._prehash = rounds, prehash

    def require(self, value: Any) -> None:
        password = value
        del value  # scrubbers of tracebacks know the other name
        problem = _problem(password, prehash=self._prehash)
        del password
        if problem:
            raise EncodeError(f"value: {problem}")

    def encode(self, value: Any) -> bytes:
        password = value
        del value  # as above
        if problem := _problem(password, prehash=self._prehash):
            del password
            raise EncodeError(f"value: {problem}")
        if type(password) is PasswordHash:
            return password.text.encode()
        secret = _password_bytes(password, prehash=self._prehash)
        salt = bcrypt.gensalt(self.rounds_in_tests or self._rounds)
        hashed = flows.aside(lambda: bcrypt.hashpw(secret or b"", salt))
        return PREHASH.encode() + hashed if self._prehash else hashed

    def decode(self, data: bytes) -> Any:
        try:
            return PasswordHash(data.decode(), rounds=self.rounds_in_tests or self._rounds, prehash=self._prehash)
        except ValueError:
            raise DecodeError(f"not a bcrypt hash{looks_like(data, self.name)}") from None


def _problem(password: Any, *, prehash: bool) -> str:
    """Return the reason why a password is refused, empty if it isn't."""
    if type(password) is PasswordHash:
        return ""
    if type(password) is not str:
        return f"a password is a str or a PasswordHash, not {type(password).__name__}"
    if not password:
        return "an empty password, which would let everybody in"
    secret = _password_bytes(password, prehash=prehash)
    if secret is None:
        return "a password with a lone surrogate is not text"
    if len(secret) > MAX_BYTES:
        return f"a password of over {MAX_BYTES} bytes; BcryptCodec(prehash=True) takes longer ones"
    return ""


def _password_bytes(password: str, *, prehash: bool) -> bytes | None:
    """Return the bytes for bcrypt to hash, None for a value that isn't text."""
    try:
        data = password.encode()
    except UnicodeEncodeError:
        return None
    return hashlib.sha256(data).hexdigest().encode() if prehash else data

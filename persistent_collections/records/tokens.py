"""Page tokens: the start of the next page of a query, and the query it belongs to."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final, NamedTuple

from persistent_collections.backends.indexes import Place
from persistent_collections.errors import PageTokenError
from persistent_collections.records.conditions import Wanted

_VERSION: Final = b"2"
_HASH_SIZE: Final = 8
_HEAD: Final = len(_VERSION) + _HASH_SIZE
_START: Final = _HEAD + 4


class Token(NamedTuple):
    """The token of a page.

    Attributes:
        query: The hash of the query that it belongs to.
        place: The last record of the page.
    """

    query: bytes
    place: Place

    def text(self) -> str:
        """Return it as a text that can be part of a URL."""
        size = len(self.place.key).to_bytes(_START - _HEAD, "big")
        data = _VERSION + self.query + size + self.place.key + self.place.id.encode()
        return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token_of(text: str) -> Token:
    """Return the token that a text encodes.

    Raises:
        PageTokenError: It is not a token.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        end = _START + int.from_bytes(data[_HEAD:_START], "big")
        token = Token(data[len(_VERSION) : _HEAD], Place(data[_START:end], data[end:].decode()))
    except (ValueError, TypeError):
        token, data = Token(b"", Place(b"", "")), b""
    if not data.startswith(_VERSION) or not token.place.id:
        raise PageTokenError("after() takes the token of a page, and this text is not one; begin with the first page")
    return token


def hash_of(conditions: Iterable[Wanted], *others: object) -> bytes:
    """Return a short hash of a query.

    Values in conditions on encrypted fields are left out, since a hash lets others test guesses.

    Args:
        conditions: The conditions of the query.
        others: Other texts, truth values and tuples of them that distinguish the query.
    """
    told = sorted((each.field.stored, () if each.field.codec.secret else (*each.ranges,)) for each in conditions)
    from hashlib import blake2b  # noqa: PLC0415 - it takes long, and few need it

    return blake2b(repr((told, others)).encode(), digest_size=_HASH_SIZE).digest()

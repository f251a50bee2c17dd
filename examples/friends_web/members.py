"""Members, their friends and their sessions: everything that is stored."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated, Self
from unicodedata import normalize

from persistent_collections import Password, PersistentSet, Record, child, get_codec, unique
from persistent_collections.codecs import PasswordHash

SESSION_LASTS = timedelta(days=7)


class Member(Record):
    """A member; no two have the same e-mail address."""

    name: str
    email: Annotated[str, unique]
    password: Password
    friends: PersistentSet[Member] = child()

    @classmethod
    def sign_up(cls, name: str, email: str, password: str) -> Self:
        """Store a new member; raise ``NotUnique`` if the address has one, which only the store can decide."""
        return cls.create(name=name, email=_address(email), password=password)

    @classmethod
    def with_address(cls, email: str) -> Self | None:
        """Return the member with an address, or None."""
        return cls.find(email=_address(email)).first() if email else None

    def befriend(self, other: Member) -> None:
        """Make two members friends of each other; it is safe to repeat."""
        self.friends.add(other)
        other.friends.add(self)


class Session(Record):
    """A login, stored under a hash of its token, so that nobody can read a valid token from the store."""

    member: Member


def log_in(email: str, password: str) -> Member | None:
    """Return the member whose password this is; an unknown address takes as long to refuse as a wrong password."""
    member = Member.with_address(email)
    hashed = (member is not None and member.password) or _nobodys_password()
    return member if hashed.verify(password) else None


@cache
def _nobodys_password() -> PasswordHash:
    codec = get_codec("bcrypt")
    return PasswordHash(codec.encode(token_urlsafe()).decode())


def start_session(member: Member) -> str:
    """Return a token that identifies ``member`` until the session ends."""
    token = token_urlsafe()
    Session.create(_hashed(token), member=member, expire=SESSION_LASTS)
    return token


def find_member(token: str) -> Member | None:
    """Return the member that ``token`` identifies, or None if the session or the member is gone."""
    return Session.ref(_hashed(token)).get("member") or None


def end_session(token: str) -> None:
    """Make ``token`` invalid."""
    Session.ref(_hashed(token)).delete()


def _address(email: str) -> str:
    """Return an address in one spelling: devices write accented letters in two ways (NFC and NFD)."""
    return normalize("NFC", normalize("NFC", email).lower())


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()

"""Members, their friends and their sessions: all that is stored, and nothing of the web."""

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
    """A member; no two have one e-mail address."""

    name: str
    email: Annotated[str, unique]
    password: Password
    friends: PersistentSet[Member] = child()

    @classmethod
    def sign_up(cls, name: str, email: str, password: str) -> Self:
        """Store a new member; ``NotUnique`` if the address has one, which only the store can know for sure."""
        return cls.create(name=name, email=_address(email), password=password)

    @classmethod
    def with_address(cls, email: str) -> Self | None:
        """Return the member of an address, if there is one."""
        return cls.find(email=_address(email)).first() if email else None

    def befriend(self, other: Member) -> None:
        """Make two members friends of each other; done twice, it is done once."""
        self.friends.add(other)
        other.friends.add(self)


class Session(Record):
    """Who is logged in, stored under a hash of the token: who reads the store learns no token that works."""

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
    """Return the token that stands for ``member`` until the session ends."""
    token = token_urlsafe()
    Session.create(_hashed(token), member=member, expire=SESSION_LASTS)
    return token


def find_member(token: str) -> Member | None:
    """Return the member that ``token`` stands for, if there still are such a session and such a member."""
    return Session.ref(_hashed(token)).get("member") or None


def end_session(token: str) -> None:
    """Let ``token`` stand for nobody."""
    Session.ref(_hashed(token)).delete()


def _address(email: str) -> str:
    """Return the one spelling of an address, as accented letters come in two (NFC and NFD), by the device."""
    return normalize("NFC", normalize("NFC", email).lower())


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()

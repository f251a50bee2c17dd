"""Members, their friends and their sessions: all that is stored, and nothing of the web."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from hashlib import sha256
from secrets import token_urlsafe
from typing import Self

from persistent_collections import Password, PersistentSet, Record, child, get_codec
from persistent_collections.codecs.bcrypt import PasswordHash

SESSION_LASTS = timedelta(days=7)


class Member(Record):
    """A member, stored under the key ``Member:<e-mail address>``."""

    name: str
    email: str
    password: Password
    friends: PersistentSet[Member] = child()

    @classmethod
    def sign_up(cls, name: str, email: str, password: str) -> Self:
        """Store a new member; ``ObjectExists`` if the address has one, which only the store can know for sure."""
        return cls.create(email.lower(), name=name, email=email, password=password)

    @classmethod
    def find(cls, email: str) -> Self | None:
        """Return the member of an address, if there is one."""
        member = cls.ref(email.lower()) if email else None
        return member or None

    def befriend(self, other: Member) -> None:
        """Make two members friends of each other; done twice, it is done once."""
        self.friends.add(other)
        other.friends.add(self)


class Session(Record):
    """Who is logged in, stored under a hash of the token: who reads the store learns no token that works."""

    member: Member


def log_in(email: str, password: str) -> Member | None:
    """Return the member whose password this is; an unknown address takes as long to refuse as a wrong password."""
    member = Member.find(email)
    hashed = (member is not None and member.password) or _nobodys_password()
    if not hashed.verify(password) or member is None:
        return None
    if hashed.needs_rehash:
        member.password = password
    return member


@cache
def _nobodys_password() -> PasswordHash:
    codec = get_codec("bcrypt")
    return PasswordHash(codec.encode(token_urlsafe()).decode())


def start_session(member: Member) -> str:
    """Return the token that stands for ``member`` until the session ends."""
    token = token_urlsafe()
    Session.create(_hashed(token), member=member).expire(SESSION_LASTS)
    return token


def find_member(token: str) -> Member | None:
    """Return the member that ``token`` stands for, if there still are such a session and such a member."""
    return Session.ref(_hashed(token)).get("member") or None


def end_session(token: str) -> None:
    """Let ``token`` stand for nobody."""
    Session.ref(_hashed(token)).delete()


def _hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()

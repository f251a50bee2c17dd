"""A set of texts as a Redis set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import reduce
from operator import and_, or_, sub
from typing import Any, ClassVar, Final

from persistent_collections.backends.handles import MemberStore, SetOperation
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.popped import last_part, ttl_of
from persistent_collections.backends.redis.handle import Handle
from persistent_collections.backends.redis.names import decode_all, encode, encode_all, first_seen
from persistent_collections.backends.redis.pool import Command
from persistent_collections.backends.redis.scripts import MEMBERS_RETAIN, MEMBERS_TOGGLE, POP
from persistent_collections.backends.shapes import MEMBERS, Shape
from persistent_collections.errors import CorruptDataError

_COMMANDS: Final[dict[SetOperation, str]] = {"union": "SUNION", "intersection": "SINTER", "difference": "SDIFF"}
_OPERATORS: Final[dict[SetOperation, Callable[[set[str], set[str]], set[str]]]] = {
    "union": or_,
    "intersection": and_,
    "difference": sub,
}


class RedisMembers(Handle, MemberStore):
    """A set; its members are UTF-8. Cost: one round trip per method, O(1) per member."""

    shape: ClassVar[Shape] = MEMBERS
    type_name: ClassVar[str] = "set"
    size_command: ClassVar[str] = "SCARD"
    put_command: ClassVar[str] = "SADD"
    same_step: ClassVar[str] = "in"
    read_command: ClassVar[tuple[str, Command]] = "SMEMBERS", ()

    @staticmethod
    def content_of(reply: Any, name: str) -> Content:
        return set(decode_all(reply, name))

    @staticmethod
    def items_of(content: AbstractSet[str]) -> Command:
        return encode_all(content)

    def contains(self, member: str) -> bool:
        return bool(self._read("SISMEMBER", encode(member)))

    def get_all(self) -> set[str]:
        return set(self._decoded(self._read("SMEMBERS")))

    def add(self, members: AbstractSet[str]) -> int:
        return self._feed("SADD", encode_all(members))

    def remove(self, members: AbstractSet[str]) -> int:
        return self._feed("SREM", encode_all(members))

    def retain(self, members: AbstractSet[str]) -> None:
        self._run_with(MEMBERS_RETAIN, encode_all(members))

    def toggle(self, members: AbstractSet[str]) -> None:
        self._run_with(MEMBERS_TOGGLE, encode_all(members))

    def pop_any(self) -> str | None:
        member = self._popped(self._run(POP, self.size_command, "SPOP"))
        if member is None:
            return None
        ttl_s = ttl_of(member)
        try:
            text: str = self._decoded([member])[0]
        except CorruptDataError:
            self._put_back("SADD", bytes(member), ttl_s=ttl_s)
            raise
        return text if ttl_s is None else last_part(text, ttl_s)

    def replace(self, members: AbstractSet[str]) -> None:
        self._put_instead(encode_all(members))

    def combine(self, operation: SetOperation, others: Sequence[Key]) -> set[str]:
        """Combine sets; on a cluster, each set in another slot is read at its own moment."""
        subject = self._subject._replace(name=" or ".join([self._subject.name, *map(str, others)]))
        names = [self._name, *map(self._server.names.spell, others)]
        if self._server.share_a_node(names):
            return set(self._decoded(self._server.ask(subject, (_COMMANDS[operation], *names), repeatable=True)))
        replies = self._server.ask_all([(subject, ("SMEMBERS", name)) for name in names])
        return reduce(_OPERATORS[operation], (set(self._decoded(reply)) for reply in replies))

    def pages(self) -> Iterator[list[str]]:
        seen: set[str] = set()
        for page in self._server.scan(self._subject, ("SSCAN", self._name)):
            yield first_seen(self._decoded(page), seen)

    def _decoded(self, members: Sequence[bytes]) -> list[str]:
        return decode_all(members, self._subject.name)


HANDLE: Final = RedisMembers
"""This module's entry in ``shapes``."""

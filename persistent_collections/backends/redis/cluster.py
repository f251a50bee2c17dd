"""A Redis Cluster: the node of each command, and commands to all nodes."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Final, NamedTuple

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ConnectionError, MovedError, ResponseError, TryAgainError  # noqa: A004 - redis-py's

from persistent_collections.backends.redis.connection import Node, Walk, ask_at_once
from persistent_collections.backends.redis.executor import Patience, Question, Server
from persistent_collections.backends.redis.failures import REACH, Failure, Subject, explain, is_passing, is_provisional
from persistent_collections.backends.redis.names import SlotNames
from persistent_collections.backends.redis.pool import Address, Command, Pool

_SLOTS: Final[Command] = ("CLUSTER", "SLOTS")
_VIEW: Final[Command] = ("CLUSTER", "NODES")
_ANNOUNCED: Final = (
    "the cluster announces this address: make sure that it can be reached from here, or set the node's options "
    "cluster-announce-ip and cluster-announce-port to one that can"
)
_SCRIPTED: Final = frozenset({"EVAL", "EVALSHA"})


class Member(Node):
    """A node of a cluster, named by the address that other nodes know."""

    is_member = True

    def __init__(self, pool: Pool, place: Address, *, asking: bool = False, remedy: str = _ANNOUNCED) -> None:
        super().__init__(pool, f"{place[0]}:{place[1]}", asking=asking, remedy=remedy)
        self.place = place


class _Holding(NamedTuple):
    """Which slots a master holds keys of.

    Attributes:
        member: The master.
        owned: The slots it serves.
        coming: Slots of others whose keys are being moved to it.
    """

    member: Member
    owned: set[int]
    coming: set[int]


class Cluster(Server):
    """Sends each command to the node that serves the slot of its first key.

    It asks which node that is on first use, when a node answers ``MOVED``, and when one fails. After ``ASK``, one
    command goes to another node.

    Args:
        seeds: Addresses of nodes that know the others.
        pool_at: Returns the pool of connections to an address.
        names: As for ``Server``.
        retry_for_s: As for ``Server``.
        page_sizes: As for ``Server``.

    Source: Redis Cluster specification, "Redirection and resharding".
    """

    several_roots: ClassVar[bool] = False
    names: SlotNames

    def __init__(
        self,
        seeds: Sequence[Address],
        pool_at: Callable[[Address], Pool],
        names: SlotNames,
        retry_for_s: float,
        page_sizes: Iterator[int],
    ) -> None:
        self._seeds = [Member(pool_at(seed), seed, remedy=REACH) for seed in seeds]
        address = ",".join(seed.address for seed in self._seeds)
        super().__init__(Node(self._seeds[0].pool, address), names, retry_for_s, page_sizes)
        self._pool_at = pool_at
        self._members = {seed.place: seed for seed in self._seeds}
        self._owners: list[Member | None] = [None] * REDIS_CLUSTER_HASH_SLOTS

    def share_a_node(self, names: Sequence[bytes]) -> bool:
        return len(set(map(key_slot, names))) == 1

    def ask_all(self, questions: Sequence[Question]) -> list[Any]:
        """Return the replies to many reading commands, each at its own moment, in one round trip per node.

        All nodes receive their commands before any reply is awaited. A node that doesn't answer is asked again alone.

        Raises:
            PersistentCollectionsError: They were not answered, or one of them was refused.
        """
        groups = self._groups([command for _, command in questions])
        asked = [(node, [questions[number][1] for number in numbers]) for node, numbers in groups.items()]
        answers: dict[int, Any] = {}
        for numbers, replies in zip(groups.values(), ask_at_once(asked), strict=True):
            if not isinstance(replies, Failure):
                answers.update(zip(numbers, replies, strict=True))
        return [
            self._checked(subject, answers[number])
            if number in answers and not is_provisional(answers[number])
            else self.ask(subject, command, repeatable=True)
            for number, (subject, command) in enumerate(questions)
        ]

    def scan_names(self, subject: Subject, options: Command) -> Iterator[list[bytes]]:
        """Yield the names of the keys of all masters in pages; every key that exists throughout at least once.

        A master is walked again if it has received slots since, by a move or because another master failed.
        """
        options = self._paged(options)
        walked: dict[Address, set[int]] = {}
        patience: Patience | None = None
        while True:
            try:
                ahead = self._ahead(walked)
                if not ahead:
                    return
                for member, owned, coming in ahead:
                    walk = Walk(("SCAN",), options)
                    while not walk.ended:
                        yield member.step(walk)
                        patience = None
                    # Keys from a node that was walked later were missed, so the first time does not count for it.
                    walked[member.place] = owned | coming if member.place in walked else owned
            except Failure as failure:
                patience = patience or Patience(time.monotonic() + self._retry_for_s)
                if not is_passing(failure.error) or not patience.pause():
                    raise explain(failure.error, subject, self._node.address, nothing_done=True) from None
                with suppress(Failure):
                    self._learn()

    def _groups(self, commands: Sequence[Command]) -> Mapping[Node, list[int]]:
        groups: dict[Node, list[int]] = {}
        with suppress(Failure):
            for number, command in enumerate(commands):
                groups.setdefault(self._node_for([command]), []).append(number)
        return groups

    def _node_for(self, commands: Sequence[Command]) -> Node:
        slot = key_slot(_first_key(commands))
        if self._owners[slot] is None:
            self._learn()
        owner = self._owners[slot]
        if owner is None:
            raise Failure(ConnectionError(f"no node serves slot {slot}"), nothing_done=True)
        return owner

    def _learn_from(self, failure: Failure, node: Node) -> Node | None:
        error = failure.error
        if not isinstance(error, AskError):
            if not isinstance(error, TryAgainError):
                with suppress(Failure):
                    self._learn(last=node)
            return None
        place = (error.host or node.address.rpartition(":")[0], error.port)
        # The error if no node accepts it: two nodes name each other, or some of the keys have moved.
        told = f"slot {error.slot_id} is said to be at {place[0]}:{place[1]}"
        failure.error = TryAgainError(told, status_code="TRYAGAIN")
        if isinstance(error, MovedError):
            member = self._member(place)
            with suppress(Failure):
                self._learn(first=member)
            self._owners[error.slot_id] = member
            return member
        return Member(self._member(place).pool, place, asking=True)

    def _learn(self, *, first: Node | None = None, last: Node | None = None) -> None:
        """Ask any node that answers for the owners of slots.

        Args:
            first: Nodes to ask before all others.
            last: Nodes to ask after all others.

        Raises:
            Failure: No node answered.
        """
        known = list(dict.fromkeys([*self._members.values(), *self._seeds]))
        random.shuffle(known)
        known.sort(key=lambda member: (member is not first, member is last))
        failure: Failure | None = None
        learned = False
        for member in known:
            try:
                [slots] = member.attempt([_SLOTS])
            except Failure as caught:
                if failure is None or is_passing(failure.error):
                    failure = caught
                continue
            if isinstance(slots, ResponseError):
                failure = Failure(slots, nothing_done=True)
                continue
            learned = True
            if self._note(slots, member):
                return
        if failure is not None and not learned:
            raise failure

    def _note(self, slots: Sequence[Sequence[Any]], teller: Member) -> bool:
        """Store the owners of slots by one node's answer, unless it is older; return whether all slots are served."""
        owners: list[Member | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        places = set()
        for start, end, *nodes in slots:
            here = [(_text(host) or teller.place[0], int(port)) for host, port, *_ in nodes]
            places.update(here)
            owners[start : end + 1] = [self._member(here[0])] * (end + 1 - start)
        if owners.count(None) > self._owners.count(None):
            return False
        self._owners = owners
        known = self._members.copy()  # another thread may add to it
        self._members = {place: member for place, member in known.items() if place in places}
        return None not in owners

    def _member(self, place: Address) -> Member:
        known = self._members.get(place)
        return known or self._members.setdefault(place, Member(self._pool_at(place), place))

    def _ahead(self, walked: Mapping[Address, set[int]]) -> list[_Holding]:
        """Return the masters with slots that no walk of them has covered."""
        return [one for one in self._holdings() if (one.owned | one.coming) - walked.get(one.member.place, set())]

    def _holdings(self) -> list[_Holding]:
        """Ask all masters for the slots in which they hold keys.

        Raises:
            Failure: One did not answer, or some slots have no owner.
        """
        if None in self._owners:
            self._learn()
        holdings: dict[Address, _Holding] = {}
        for member, view in self._views():
            owned, leaving = _read_view(view, member.place[0])
            holdings.setdefault(member.place, _Holding(member, set(), set())).owned.update(owned)
            for slot, place in leaving.items():
                holdings.setdefault(place, _Holding(self._member(place), set(), set())).coming.add(slot)
        missing = REDIS_CLUSTER_HASH_SLOTS - len(set().union(*(one.owned for one in holdings.values())))
        if missing:
            raise Failure(ConnectionError(f"no node serves {missing} of its slots"), nothing_done=True)
        return list(holdings.values())

    def _views(self) -> Iterator[tuple[Member, Any]]:
        """Yield each master with its reply to a question sent to all of them at once.

        Raises:
            Failure: One did not answer, or refused to.
        """
        masters = [member for member in set(self._owners) if member is not None]
        for member, replies in zip(masters, ask_at_once([(member, [_VIEW]) for member in masters]), strict=True):
            if isinstance(replies, Failure):
                raise replies
            if isinstance(replies[0], ResponseError):
                raise Failure(replies[0], nothing_done=True)
            yield member, replies[0]


def _first_key(commands: Sequence[Command]) -> bytes:
    """Return the key whose slot determines the node that executes ``commands``."""
    command = commands[1] if commands[0][0] == "MULTI" else commands[0]
    key: Any = command[3 if command[0] in _SCRIPTED else 1]
    return bytes(key)


def _text(host: bytes | str | None) -> str:
    """Return a host of ``CLUSTER SLOTS``, empty if it is the host of the node that was asked."""
    return host.decode() if isinstance(host, bytes) else host or ""


def _read_view(view: bytes, host: str) -> tuple[set[int], dict[int, Address]]:
    """Return the slots that a node serves, and those whose keys are being moved, by its own account.

    Args:
        view: Its answer.
        host: Its own address. If that is the hostname it announces, other nodes are addressed by their hostnames, and
            otherwise by IP: their certificates may be valid for only one of the two.

    Source: Redis ``CLUSTER NODES``; ``[93->-id]`` is a slot that is migrating to a node.
    """
    places: dict[str, tuple[Address, Address]] = {}
    own: list[str] = []
    by_name = False
    for line in view.decode().splitlines():
        node, where, flags, _, _, _, _, _, *slots = line.split()
        address, _, named = where.partition("@")
        (ip, _, port), hostname = address.rpartition(":"), f"{named},".split(",")[1]
        places[node] = (ip, int(port)), (hostname, int(port))
        if "myself" in flags.split(","):
            own, by_name = slots, hostname == host
    owned: set[int] = set()
    leaving: dict[int, Address] = {}
    for part in own:
        slot, arrow, target = part.strip("[]").partition("->-")
        if arrow and target in places:
            leaving[int(slot)] = places[target][by_name]
        elif not part.startswith("["):
            first, _, final = part.partition("-")
            owned.update(range(int(first), int(final or first) + 1))
    return owned, leaving

"""The sentinels of a service, which report the address of its master."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.exceptions import ResponseError
from redis.sentinel import MasterNotFoundError

from persistent_collections.backends.redis.connection import Node
from persistent_collections.backends.redis.failures import Failure, is_passing
from persistent_collections.backends.redis.pool import Address

ANNOUNCED: Final = (
    "check that sentinels and master run, and that the address they name can be reached from here, or set the master's "
    "option replica-announce-ip to one that can"
)


class Sentinels:
    """Asks the sentinels of a service one after the other.

    Args:
        nodes: How to reach each of them.
        service: The name under which they watch the master.
        least_others: How many other sentinels a sentinel must see to be trusted.

    Attributes:
        nodes: The sentinels; the one that last knew the master comes first.
        last: The last reported address of the master, None before.
    """

    def __init__(self, nodes: Sequence[Node], service: str, least_others: int = 0) -> None:
        self.nodes = list(nodes)
        self._service = service
        self._least_others = least_others
        self.last: Address | None = None

    def master(self) -> Address:
        """Return the master's address; the sentinel that reports it is asked first the next time.

        Raises:
            Failure: No sentinel reports one.
        """
        nodes, failures = self.nodes, list[Failure]()
        for node in nodes:
            try:
                found = self._named_by(node)
            except Failure as failure:
                failures.append(failure)
                continue
            if found:
                self.nodes = [node, *(other for other in nodes if other is not node)]
                self.last = found
                return found
        failures.sort(key=lambda failure: is_passing(failure.error))
        if len(failures) == len(nodes) and not is_passing(failures[0].error):
            raise failures[0]
        why = f": {failures[0].error}" if failures else ""
        raise Failure(
            MasterNotFoundError(f"none of the sentinels names a master for {self._service!r}{why}"), nothing_done=True
        )

    def _named_by(self, node: Node) -> Address | None:
        """Return the master's address from one sentinel, None if it doesn't know one or can't be trusted.

        Raises:
            Failure: It did not answer, or refused to.
        """
        [reply] = node.attempt([("SENTINEL", "MASTER", self._service)])
        if not isinstance(reply, ResponseError):
            return self._believed(_state_in(reply))
        if "No such master" not in str(reply):
            raise Failure(reply, nothing_done=True)
        return None

    def _believed(self, state: Mapping[bytes, bytes]) -> Address | None:
        """Return the address in a sentinel's reply; None if the master is down or too few sentinels watch it.

        Source: Redis ``SENTINEL MASTER``.
        """
        flags = set(state[b"flags"].split(b","))
        if b"master" not in flags or flags & {b"s_down", b"o_down"}:
            return None
        if int(state[b"num-other-sentinels"]) < self._least_others:
            return None
        return state[b"ip"].decode(), int(state[b"port"])

    def close(self) -> None:
        for node in self.nodes:
            node.pool.close()


def _state_in(reply: Any) -> Mapping[bytes, bytes]:
    """Return the fields in a reply of either protocol."""
    return reply if isinstance(reply, Mapping) else dict(zip(reply[::2], reply[1::2], strict=True))

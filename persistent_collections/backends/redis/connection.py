"""One attempt at commands, over one connection: bytes out and replies in."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar, Final, Self

from redis.exceptions import ConnectionError, RedisError, ResponseError, TryAgainError  # noqa: A004 - redis-py's

from persistent_collections import flows
from persistent_collections.backends.redis.failures import REACH, Failure, is_passing, is_redirect, is_reply, refusal_in
from persistent_collections.backends.redis.pool import Command, Lender, Pool

try:
    import hiredis
except ImportError:
    hiredis_pack: Callable[[Any], bytes] | None = None
else:
    hiredis_pack = hiredis.pack_command

_ASKING: Final[Command] = ("ASKING",)
_ABOUT: Final[Sequence[Command]] = (("INFO", "server"), ("INFO", "memory"))
_EVICTING: Final = re.compile(rb"\bmaxmemory_policy:((?!noeviction)[\w-]+)")
_LOG: Final = logging.getLogger(__name__)
_LEAST_LIMIT: Final = 2**20
_OF_CLUSTER: Final = re.compile(rb"\b(redis|server)_mode:cluster\b")
_REFUSED_WITHIN_S: Final = 0.5
_SENT_TOGETHER: Final = 100
_COPIED_BYTES: Final = 2**18
"""The most that is joined to be sent by one call of the system."""
_RUN_ID: Final = re.compile(rb"\brun_id:(\w+)")


class Node:
    """Executes commands over the connections of a pool, one attempt each.

    Connections are used directly rather than through ``redis.Redis``, whose retries cannot tell a command that was
    never sent from one whose reply was lost.

    Attributes:
        pool: Provides connections.
        address: The server's address, for messages.
        asking: Whether to send ``ASKING`` first, since another node redirected here and the slot is still moving.
        remedy: The advice if it can't be reached.
        is_member: Whether others of its cluster are asked too.
        is_partial: Whether it lists some of the keys only: it is a node of a cluster, and no other is asked.
    """

    is_member: ClassVar[bool] = False

    def __init__(self, pool: Pool, address: str, *, asking: bool = False, remedy: str = REACH) -> None:
        self.is_partial = False
        self.pool = pool
        self.remedy = remedy
        self._warned = False
        self.address = address
        self.asking = asking

    def attempt(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to ``commands``, refusals included.

        Raises:
            Failure: They were not answered; or one was refused temporarily or redirected to another server, so no write
                was executed.
        """
        try:
            with Exchange(self) as exchange:
                return exchange.attempt(commands)
        except Failure as failure:
            refusal = self._too_large(failure, commands)
            if refusal is None:
                raise
        raise Failure(refusal, nothing_done=True)

    def warn_of_eviction(self, memory: bytes) -> None:
        """Log, once, that the server evicts objects under memory pressure, if configured so.

        Source: Redis ``INFO``, ``maxmemory_policy``.
        """
        found = _EVICTING.search(memory)
        if found and not self._warned:
            self._warned = True
            _LOG.warning(
                "the server at %s deletes keys to make room (maxmemory-policy %s), so records and children may vanish; "
                "set it to noeviction",
                self.address,
                found[1].decode(),
            )

    def _too_large(self, failure: Failure, commands: Sequence[Command]) -> ResponseError | None:
        """Return the server's refusal of the largest value of ``commands``, if that is why it closed the connection.

        It closes before all is sent, so the refusal is lost. Announcing an equally large value repeats it.

        Source: Redis ``proto-max-bulk-len``, at least 1 MiB.
        """
        if is_reply(failure.error) or not isinstance(failure.error, ConnectionError) or not failure.nothing_done:
            return None
        sizes = [len(word) for command in commands for word in command if not isinstance(word, int)]
        if max(sizes) <= _LEAST_LIMIT:
            return None
        try:
            with Exchange(self) as exchange:
                return exchange.announce(max(sizes))
        except Failure:
            return None

    def step(self, walk: Walk) -> list[bytes]:
        """Return the next page of ``walk``.

        A cursor is a position in the tables of one process. Another process, such as the same server restarted, a
        replica in its place or the node a slot moved to, has different tables, so the walk starts again.

        Raises:
            Failure: As in :meth:`attempt`, and if the server refused.
        """
        with Exchange(self) as exchange:
            process, reply = exchange.read_page(walk)
            if walk.process not in (None, process):
                walk.cursor = b"0"
                process, reply = exchange.read_page(walk)
            walk.cursor, page = reply
            walk.ended = walk.cursor == b"0"
            walk.process = process
            return list(page)


class Walk:
    """A walk by ``SCAN``, ``HSCAN`` or ``SSCAN``, which may yield repeats.

    Attributes:
        command: The command up to its cursor.
        options: The arguments after the cursor.
        cursor: Its position.
        process: The process of the cursor, None before the first page.
        ended: Whether no pages remain.
    """

    def __init__(self, command: Command, options: Command) -> None:
        self.command = command
        self.options = options
        self.cursor = b"0"
        self.process: bytes | None = None
        self.ended = False


class Exchange:
    """Commands and their replies over one connection, which goes back to its pool at the end of the block.

    Raises:
        Failure: No connection is available.
    """

    __slots__ = ("_link", "_node", "_pool")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._pool = _lender(node.pool) if flows.bridging else node.pool
        self._link = self._pool.take()

    def attempt(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to ``commands``; raises as :meth:`Node.attempt` does."""
        self.send(commands)
        replies = self.receive()
        error = first_error(replies)
        if error and (is_redirect(error) or is_passing(error)):
            self._link.sound = is_redirect(error) or isinstance(error, TryAgainError)
            raise Failure(error, nothing_done=True)
        return replies

    def announce(self, size: int) -> ResponseError | None:
        """Return the server's refusal of a value of ``size`` bytes, None if it accepts it; the connection is closed."""
        self._link.sound = False
        try:
            self._link.connection.send_packed_command([b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % size])
            reply = self._reply() if self._link.connection.can_read(_REFUSED_WITHIN_S) else None
        except RedisError as error:
            raise Failure(error, nothing_done=True) from error
        return reply if isinstance(reply, ResponseError) else None

    def send(self, commands: Sequence[Command]) -> None:
        """Send all of ``commands``; if that fails, the last was not sent in full, so no transaction is executed."""
        self._link.sound = False
        if self._node.asking:
            commands = [_ASKING, *commands]
        self._link.awaited = len(commands)
        try:
            connection = self._link.connection
            pack = hiredis_pack
            connection.send_packed_command(_packed(commands, pack) if pack else connection.pack_commands(commands))
        except RedisError as error:
            raise Failure(error, nothing_done=True) from error

    def receive(self) -> list[Any]:
        """Return the replies, refusals among them; an error that means a lost connection is raised."""
        replies = [self._reply()]
        while len(replies) < self._link.awaited:
            replies.append(self._reply())
        self._link.sound = True
        return replies[1:] if self._node.asking else replies

    def read_page(self, walk: Walk) -> tuple[bytes, Any]:
        """Return which process answers, and its reply to the next step of ``walk``.

        Source: Redis ``INFO``, ``run_id`` and ``redis_mode``, in Valkey ``server_mode``. It is requested once per
        connection, along with the first step.
        """
        step = (*walk.command, walk.cursor, *walk.options)
        page, *told = self.attempt([step] if self._link.process is not None else [step, *_ABOUT])
        if isinstance(page, ResponseError):
            raise Failure(page, nothing_done=True)
        if told:
            process, memory = map(_info, told)
            self._node.warn_of_eviction(memory)
            self._node.is_partial = not self._node.is_member and bool(_OF_CLUSTER.search(process))
            found = _RUN_ID.search(process)
            self._link.process = found[1] if found else b""
        if self._node.is_partial and walk.command[0] == "SCAN":
            raise Failure(ResponseError("it lists only some of the keys"), nothing_done=True)
        return self._link.process or b"", page

    def _reply(self) -> Any:
        try:
            return self._link.connection.read_response()
        except ResponseError as error:
            return error.with_traceback(None)  # its frames hold the reply: a cycle that keeps the link alive
        except RedisError as error:
            refusal = refusal_in(error)
            raise Failure(refusal or error, nothing_done=is_reply(refusal or error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.give_back(self._link)


def _packed(commands: Sequence[Command], pack: Callable[[Any], bytes]) -> list[bytes]:
    """Return commands as bytes, small ones together; redis-py, which looks at each argument, takes thrice as long."""
    if len(commands) == 1:
        return [pack(tuple(commands[0]))]
    packed: list[bytes] = []
    for start in range(0, len(commands), _SENT_TOGETHER):
        pieces = [pack(tuple(command)) for command in commands[start : start + _SENT_TOGETHER]]
        packed += [b"".join(pieces)] if sum(map(len, pieces)) <= _COPIED_BYTES else pieces
    return packed


def ask_at_once(asked: Sequence[tuple[Node, Sequence[Command]]]) -> list[list[Any] | Failure]:
    """Return the replies of some nodes to their commands, sent to all before any reply is awaited.

    The failure of a node says that nothing was done only if none of its commands was sent.
    """
    with ExitStack() as stack:
        exchanges: list[Exchange | Failure] = []
        for node, commands in asked:
            try:
                exchange = stack.enter_context(Exchange(node))
            except Failure as failure:
                exchanges.append(failure)
            else:
                exchanges.append(_sent(exchange, commands))
        return [one if isinstance(one, Failure) else _received(one) for one in exchanges]


def _sent(exchange: Exchange, commands: Sequence[Command]) -> Exchange | Failure:
    try:
        exchange.send(commands)
    except Failure as failure:
        return Failure(failure.error, nothing_done=False)
    return exchange


def _received(exchange: Exchange) -> list[Any] | Failure:
    try:
        return exchange.receive()
    except Failure as failure:
        return Failure(failure.error, nothing_done=False)


def _lender(pool: Pool) -> Lender:
    """Return the provider of links in this context: ``pool``, or on an event loop one that does not block it."""
    here = flows.crossing()
    if here is None:
        return pool
    found = pool.on_loops.get(here.loop)
    if found is None:
        from persistent_collections.backends.redis.shared import SharedPool  # noqa: PLC0415 - needs hiredis

        for ended in [loop for loop in pool.on_loops if loop.is_closed()]:
            pool.on_loops.pop(ended, None)
        found = pool.on_loops[here.loop] = SharedPool(pool, here)
    return found


def first_error(replies: Sequence[Any]) -> ResponseError | None:
    """Return the first refusal among ``replies``."""
    for reply in replies:  # next() of a generator takes three times as long, on the way of every operation
        if isinstance(reply, ResponseError):
            return reply
    return None


def _info(told: bytes | ResponseError) -> bytes:
    """Return a reply to ``INFO``, empty for a fake server, which doesn't support ``INFO``."""
    if not isinstance(told, ResponseError):
        return told
    if "unknown command" not in str(told):
        raise Failure(told, nothing_done=True)
    return b""

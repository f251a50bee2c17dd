"""One server: commands out and replies in, over a connection of its pool."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol, Self, TypeAlias
from weakref import WeakKeyDictionary

from redis.exceptions import RedisError, ResponseError, TryAgainError

from persistent_collections.backends.redis.failures import Failure, is_passing, is_redirect, is_reply, refusal_in

Command: TypeAlias = Sequence[bytes | str | int]

_ASKING: Final[Command] = ("ASKING",)
_RUN_ID: Final = re.compile(rb"\brun_id:(\w+)")
_processes: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()
"""Which process is at the other end of each socket, where that was asked."""


class Connection(Protocol):
    """What is needed of a connection of redis-py or fakeredis."""

    def pack_command(self, *command: bytes | str | int) -> Any: ...
    def pack_commands(self, commands: Sequence[Command]) -> Any: ...
    def send_packed_command(self, command: Any) -> None: ...
    def read_response(self) -> Any: ...
    def disconnect(self) -> None: ...
    def _get_socket(self) -> Any: ...


class Pool(Protocol):
    """What is needed of a connection pool of redis-py or fakeredis."""

    def get_connection(self) -> Any: ...
    def release(self, connection: Any) -> None: ...


class Node:
    """Takes commands over the connections of a pool, a single attempt each.

    Connections are used directly rather than through ``redis.Redis``, whose retries cannot tell a command that was
    never sent from one whose reply was lost.

    Attributes:
        pool: Gives connections.
        address: Where it is, for messages.
        asking: Whether it has to be told that another node named it, since it only takes the slot over.
    """

    def __init__(self, pool: Pool, address: str, *, asking: bool = False) -> None:
        self.pool = pool
        self.address = address
        self.asking = asking

    def attempt(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to ``commands``, refusals included.

        Raises:
            Failure: They were not answered, or one of them was refused in a way that will pass or that names another
                server, so that none that writes was executed.
        """
        with Exchange(self) as exchange:
            return exchange.attempt(commands)

    def step(self, walk: Walk) -> list[bytes]:
        """Return the next page of ``walk``.

        A cursor says where in the tables of one process a walk is. Another process, be it the same server restarted, a
        replica in its place or the node a slot moved to, has others, so there the walk begins anew.

        Raises:
            Failure: As of :meth:`attempt`, and where the server refused.
        """
        with Exchange(self) as exchange:
            if walk.process is not None and exchange.process() != walk.process:
                walk.cursor = b"0"
            [reply] = exchange.attempt([(*walk.command, walk.cursor, *walk.options)])
            if isinstance(reply, ResponseError):
                raise Failure(reply, nothing_done=True)
            walk.cursor, page = reply
            walk.ended = walk.cursor == b"0"
            walk.process = None if walk.ended else exchange.process()
            return list(page)


class Walk:
    """A walk by ``SCAN``, ``HSCAN`` or ``SSCAN``, which may repeat what it has given.

    Attributes:
        command: The command up to its cursor.
        options: What follows that.
        cursor: Where it is.
        process: Whose cursor that is, None before the first page.
        ended: Whether there are no more pages.
    """

    def __init__(self, command: Command, options: Command) -> None:
        self.command = command
        self.options = options
        self.cursor = b"0"
        self.process: bytes | None = None
        self.ended = False


class Exchange:
    """Commands and their replies over one connection, which goes back to its pool at the end of the block.

    Attributes:
        sound: Whether all that was sent was answered and the connection may serve again.

    Raises:
        Failure: No connection can be had.
    """

    __slots__ = ("_awaited", "_connection", "_node", "sound")

    def __init__(self, node: Node) -> None:
        self._node = node
        try:
            self._connection: Connection = node.pool.get_connection()
        except RedisError as error:
            raise Failure(error, nothing_done=True) from error
        self._awaited = 0
        self.sound = True

    def attempt(self, commands: Sequence[Command]) -> list[Any]:
        """Return the replies to ``commands``; raises as :meth:`Node.attempt` does."""
        self.send(commands)
        replies = self.receive()
        error = first_error(replies)
        if error and (is_redirect(error) or is_passing(error)):
            self.sound = is_redirect(error) or isinstance(error, TryAgainError)
            raise Failure(error, nothing_done=True)
        return replies

    def send(self, commands: Sequence[Command]) -> None:
        """Send all of ``commands``; where that fails, the last was not sent in full, so no transaction is executed."""
        self.sound = False
        if self._node.asking:
            commands = [_ASKING, *commands]
        try:
            connection = self._connection
            packed = connection.pack_command(*commands[0]) if len(commands) == 1 else connection.pack_commands(commands)
            connection.send_packed_command(packed)
        except RedisError as error:
            raise Failure(error, nothing_done=True) from error
        self._awaited = len(commands)

    def receive(self) -> list[Any]:
        """Return the replies; one that is an error is returned too, but for those that mean a lost connection."""
        replies = [self._reply() for _ in range(self._awaited)]
        self.sound = True
        return replies[1:] if self._node.asking else replies

    def process(self) -> bytes:
        """Return what no other process at this address is called, asking once a connection.

        Source: Redis ``INFO``, ``run_id``.
        """
        key = self._connection._get_socket()  # a new one for each time the connection is made
        if key not in _processes:
            [reply] = self.attempt([("INFO", "server")])
            if isinstance(reply, ResponseError) and "unknown command" not in str(reply):  # as a fake server says
                raise Failure(reply, nothing_done=True)
            found = None if isinstance(reply, ResponseError) else _RUN_ID.search(reply)
            _processes[key] = found[1] if found else b""
        return _processes[key]

    def _reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return error
        except RedisError as error:
            refusal = refusal_in(error)
            raise Failure(refusal or error, nothing_done=is_reply(refusal or error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.sound:  # a reply still to come would be taken for the next command's
            self._connection.disconnect()
        self._node.pool.release(self._connection)


def first_error(replies: Sequence[Any]) -> ResponseError | None:
    """Return the first of ``replies`` that is a refusal."""
    for reply in replies:  # next() of a generator takes three times as long, on the way of every operation
        if isinstance(reply, ResponseError):
            return reply
    return None

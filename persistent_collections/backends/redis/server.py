"""One server: commands and scripts out, replies in, a single round trip each and no write executed twice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol, TypeAlias

from redis.exceptions import NoScriptError, RedisError, ResponseError

from persistent_collections.backends.redis.failures import Failure, Subject, explain, is_passing, is_reply
from persistent_collections.backends.redis.names import Names
from persistent_collections.backends.redis.scripts import Script

Command: TypeAlias = Sequence[bytes | str | int]
Question: TypeAlias = tuple[Subject, Command]

MAX_ITEMS: Final = 400_000
"""Items one command may carry; a server takes some million arguments. Even, so that fields keep their bytes."""

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.5


class Connection(Protocol):
    """What is needed of a connection of redis-py or fakeredis."""

    def pack_commands(self, commands: Sequence[Command]) -> Any: ...
    def send_packed_command(self, command: Any) -> None: ...
    def read_response(self) -> Any: ...
    def disconnect(self) -> None: ...


class Pool(Protocol):
    """What is needed of a connection pool of redis-py or fakeredis."""

    def get_connection(self) -> Any: ...
    def release(self, connection: Any) -> None: ...


class Server:
    """Sends commands over the connections of a pool.

    Connections are used directly rather than through ``redis.Redis``, whose retries cannot tell a command that was
    never sent from one whose reply was lost. Here a command is sent again, after a pause and within ``retry_for_s``
    seconds, only where the first attempt was never sent or was refused unexecuted, or where it only reads.

    Args:
        pool: Gives connections.
        names: How keys are spelt.
        address: Where the server is, for messages.
        retry_for_s: Seconds after which no attempt is begun anew.
        page_sizes: How much each step of an iteration asks for, iteration by iteration.
    """

    def __init__(self, pool: Pool, names: Names, address: str, retry_for_s: float, page_sizes: Iterator[int]) -> None:
        self.names = names
        self._pool = pool
        self._address = address
        self._retry_for_s = retry_for_s
        self._page_sizes = page_sizes

    def ask(self, subject: Subject, command: Command, *, repeatable: bool, none_if: Sequence[str] = ()) -> Any:
        """Return the reply to one command.

        Args:
            subject: What it is about.
            command: The command and its arguments.
            repeatable: Whether executing it twice does no harm.
            none_if: Texts of refusals that mean None.

        Raises:
            PersistentCollectionsError: It was not answered or was refused.
        """
        return self._checked(subject, self._reply(subject, [command], repeatable=repeatable), none_if)

    def run(
        self,
        subject: Subject,
        script: Script,
        keys: Sequence[bytes],
        arguments: Command,
        *,
        repeatable: bool = False,
        none_if: Sequence[str] = (),
    ) -> Any:
        """Return what a script returns, sending its source where the server has not got it; otherwise as :meth:`ask`.

        Source: Redis ``EVALSHA``; ``NOSCRIPT`` means that nothing was executed.
        """
        rest = (len(keys), *keys, *arguments)
        reply = self._reply(subject, [("EVALSHA", script.digest, *rest)], repeatable=repeatable)
        if isinstance(reply, NoScriptError):
            reply = self._reply(subject, [("EVAL", script.source, *rest)], repeatable=repeatable)
        return self._checked(subject, reply, none_if)

    def run_with(
        self, subject: Subject, script: Script, keys: Sequence[bytes], arguments: Command, items: Command
    ) -> Any:
        """Return what a script that takes any number of items returns.

        More items than one command may carry are staged, within one transaction, in a list of their own.
        There the source is sent, since a missing script would not keep the rest of the transaction from being done.
        """
        if len(items) <= MAX_ITEMS:
            return self.run(subject, script, keys, ("here", *arguments, *items))
        stage = self.names.beside(keys[0])
        pieces = (items[start : start + MAX_ITEMS] for start in range(0, len(items), MAX_ITEMS))
        commands: list[Command] = [("RPUSH", stage, *piece) for piece in pieces]
        commands.append(("EVAL", script.source, len(keys) + 1, *keys, stage, "staged", *arguments))
        commands.append(("UNLINK", stage))
        return self.transact(subject, commands, repeatable=False)[-2]

    def transact(self, subject: Subject, commands: Sequence[Command], *, repeatable: bool) -> list[Any]:
        """Return the replies to several commands executed as one step, in one round trip.

        Raises:
            PersistentCollectionsError: They were not answered, or one of them was refused.
        """
        reply = self._reply(subject, [("MULTI",), *commands, ("EXEC",)], repeatable=repeatable)
        return [self._checked(subject, part) for part in self._checked(subject, reply)]

    def ask_all(self, questions: Sequence[Question]) -> list[Any]:
        """Return the replies to many commands that read, each a moment of its own, in one round trip.

        Raises:
            PersistentCollectionsError: They were not answered, or one of them was refused.
        """
        if not questions:
            return []
        replies = self._replies(questions[0][0], [command for _, command in questions], repeatable=True)
        return [self._checked(subject, reply) for (subject, _), reply in zip(questions, replies, strict=True)]

    def scan(self, subject: Subject, command: Command, options: Command = ()) -> Iterator[list[bytes]]:
        """Yield the pages of a ``SCAN``, ``HSCAN`` or ``SSCAN``, which may repeat what it has given."""
        cursor, page_size = b"0", next(self._page_sizes)
        while True:
            cursor, page = self.ask(subject, (*command, cursor, *options, "COUNT", page_size), repeatable=True)
            yield page
            if cursor == b"0":
                return

    def _checked(self, subject: Subject, reply: Any, none_if: Sequence[str] = ()) -> Any:
        if not isinstance(reply, ResponseError):
            return reply
        if any(text in str(reply) for text in none_if):
            return None
        raise explain(reply, subject, self._address, nothing_done=True)

    def _reply(self, subject: Subject, commands: Sequence[Command], *, repeatable: bool) -> Any:
        """Return the last reply, or the first that is an error."""
        replies = self._replies(subject, commands, repeatable=repeatable)
        return _first_error(replies) or replies[-1]

    def _replies(self, subject: Subject, commands: Sequence[Command], *, repeatable: bool) -> list[Any]:
        """Return the replies to ``commands`` after as many attempts as are safe and needed."""
        give_up = time.monotonic() + self._retry_for_s
        pauses = _pauses()
        while True:
            try:
                return self._attempt(commands)
            except Failure as caught:
                failure = caught
            nothing_done = failure.nothing_done or repeatable
            pause = next(pauses)
            if not (nothing_done and is_passing(failure.error)) or time.monotonic() + pause > give_up:
                raise explain(failure.error, subject, self._address, nothing_done=nothing_done)
            time.sleep(pause)

    def _attempt(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._connection()
        complete = False
        try:
            _send(connection, commands)
            replies = [_receive(connection) for _ in commands]
            error = _first_error(replies)
            if error and is_passing(error):
                raise Failure(error, nothing_done=True)
            complete = True
            return replies
        finally:
            if not complete:  # a reply still to come would be taken for the next command's
                connection.disconnect()
            self._pool.release(connection)

    def _connection(self) -> Connection:
        try:
            connection: Connection = self._pool.get_connection()
        except RedisError as error:
            raise Failure(error, nothing_done=True) from error
        return connection


def _send(connection: Connection, commands: Sequence[Command]) -> None:
    """Send all of ``commands``; where that fails, the last was not sent in full, so that no transaction is executed."""
    try:
        connection.send_packed_command(connection.pack_commands(commands))
    except RedisError as error:
        raise Failure(error, nothing_done=True) from error


def _receive(connection: Connection) -> Any:
    """Return a reply; one that is an error is returned too, but for those redis-py takes for a lost connection."""
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
    except RedisError as error:
        raise Failure(error, nothing_done=is_reply(error)) from error


def _first_error(replies: Sequence[Any]) -> ResponseError | None:
    return next((reply for reply in replies if isinstance(reply, ResponseError)), None)


def _pauses() -> Iterator[float]:
    """Yield growing pauses in seconds, each cut at random so that clients do not come back all at once."""
    longest = _FIRST_PAUSE_S
    while True:
        yield random.uniform(0, longest)  # noqa: S311 - spreads load, keeps no secret
        longest = min(2 * longest, _LONGEST_PAUSE_S)

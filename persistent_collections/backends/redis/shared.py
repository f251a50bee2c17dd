"""Connections that many operations of one event loop share, each for its own commands and replies.

Replies come in the order of the commands. If an operation is cancelled or late, its replies are read in their turn and
dropped. Nothing blocks the loop: a thread makes connections, and sends large commands over a connection of their own.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from asyncio import AbstractEventLoop, Future, Task, TimerHandle
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from math import inf
from typing import Any, Final, TypeVar, cast
from weakref import ref

import hiredis
from redis.connection import DefaultParser
from redis.exceptions import (
    ConnectionError,  # noqa: A004 - redis-py's
    InvalidResponse,
    RedisError,
    TimeoutError,  # noqa: A004 - redis-py's
)

from persistent_collections import flows
from persistent_collections.backends.redis.failures import Failure
from persistent_collections.backends.redis.pool import Command, Connection, Link, Pool
from persistent_collections.flows import Crossing

T = TypeVar("T")

LARGE: Final = 2**18
"""Commands of so many bytes or more are sent over their own connection, so that others do not wait for them."""

_RECEIVED: Final = 2**16
_INTERRUPTED: Final = "an exception has interrupted another operation on the connection"
_MISSING: Final = object()
_NOT_YET: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SharedPool:
    """Lends every operation of one event loop a place on the same connection, made on first use.

    Args:
        pool: Lends connections.
        here: A function on the event loop.
    """

    def __init__(self, pool: Pool, here: Crossing) -> None:
        self._pool = ref(pool)
        self._loop = here.loop
        self._owner = os.getpid()
        self._line: Line | None = None
        self._opening: Task[Line | Exception | None] | None = None
        self._shares = True
        here.close_at_end(self)

    def take(self) -> Link:
        line = self._line
        if self._shares and (line is None or not line.is_usable(self.inner.leads_here)):
            line = self._opened()
        return Lane(self, line)

    def give_back(self, link: Link) -> None:
        assert isinstance(link, Lane)  # noqa: S101 - take() gave it
        link.leave()

    def close(self) -> None:
        """Close the connection, as soon as all requests sent over it are answered."""
        line, self._line = self._line, None
        if line is None or self._owner != os.getpid():
            return
        if not self._loop.is_running() or asyncio._get_running_loop() is self._loop:  # documented for frameworks
            line.retire()
        else:
            self._loop.call_soon_threadsafe(line.retire)

    __del__ = close

    @property
    def inner(self) -> Pool:
        """The source of connections."""
        pool = self._pool()
        assert pool is not None  # noqa: S101 - whoever asks has it
        return pool

    def _opened(self) -> Line | None:
        """Return a new connection, the same for all operations that ask meanwhile; None if none can be shared.

        Raises:
            Failure: It cannot be made.
        """
        here = current()
        if self._opening is None:
            self._opening = self._loop.create_task(self._open(here))
        opened = here.wait(asyncio.shield(self._opening))
        if isinstance(opened, Failure):
            raise Failure(opened.error, nothing_done=True) from opened.error
        if isinstance(opened, Exception):
            raise opened
        return opened

    async def taken(self, here: Crossing) -> Link:
        """Return a link of the pool, taken in a thread."""
        pool = self.inner
        taken: list[Link] = []
        ends = count()  # of the taking, and of the wait for it if that is cancelled; the second gives the link back

        def take() -> Link:
            taken.append(pool.take())
            if next(ends):
                pool.give_back(taken[0])
            return taken[0]

        try:
            return await here.in_thread(take)
        except BaseException:
            if next(ends):
                pool.give_back(taken[0])
            raise

    async def _open(self, here: Crossing) -> Line | Exception | None:
        try:
            self._line = self._shared(await self.taken(here))
        except Exception as error:  # noqa: BLE001 - each who waits raises it
            return error
        finally:
            self._opening = None
        return self._line

    def _shared(self, link: Link) -> Line | None:
        """Return the connection of ``link`` for all; None if its socket is not the operating system's."""
        channel = link.connection._get_socket()  # type: ignore[attr-defined]  # redis-py has no public name for it
        if isinstance(channel, socket.socket):
            link.sound = False
            return Line(link, channel, self._loop, self._pool)
        self._shares = False
        self.inner.give_back(link)
        return None


class Lane(Link):
    """One operation's place on a shared connection: it sends this operation's commands and receives their replies."""

    __slots__ = ("_alone", "_line", "_order", "_pool", "_read")

    def __init__(self, pool: SharedPool, line: Line | None) -> None:
        self.owner = os.getpid()
        self.sound = True
        self.process = None if line is None else line.link.process
        self.awaited = 0
        self._pool = pool
        self._line = line
        self._order: Order | None = None
        self._alone: Alone | None = None
        self._read = 0

    @property
    def connection(self) -> Any:  # type: ignore[override]
        """This object itself, which has the methods of a connection that are used."""
        return self

    def pack_commands(self, commands: Sequence[Command]) -> Any:
        link = self._link_alone().link if self._line is None else self._line.link
        return link.connection.pack_commands(commands)

    def send_packed_command(self, command: Any) -> None:
        line = self._line if self._alone is None else None
        if line is not None and self.awaited and sum(map(len, command)) < LARGE:
            self._order, self._read = line.send(command, self.awaited), 0
        else:
            self._link_alone().call(lambda connection: connection.send_packed_command(command))

    def can_read(self, timeout: float = 0) -> bool:
        return self._link_alone().call(lambda connection: connection.can_read(timeout))

    def read_response(self) -> Any:
        if self._alone is not None:
            return self._alone.call(lambda connection: connection.read_response())
        order = self._order
        assert order is not None  # noqa: S101 - something was sent
        if not order.done.done():
            current().wait(order.done)
        if order.failure is not None:
            raise order.failure
        reply = order.replies[self._read]
        self._read += 1
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def leave(self) -> None:
        """Let others go on: outstanding replies are dropped when they come."""
        if self._alone is not None:
            self._alone.leave(is_sound=self.sound)
        elif self._line is not None and self._order is not None:
            if self.sound:
                self._line.link.process = self.process
            else:
                self._line.leave(self._order, was_answered=self._read == self.awaited)

    def _link_alone(self) -> Alone:
        if self._alone is None:
            here = current()
            self._alone = Alone(here.wait(self._pool.taken(here)), self._pool.inner)
        return self._alone


class Alone:
    """A link of one operation only, whose connection is used in threads."""

    def __init__(self, link: Link, pool: Pool) -> None:
        self.link = link
        self._pool = pool
        self._ends = count(1)  # of the last call and of the operation; the second of the two gives the link back

    def call(self, function: Callable[[Connection], T]) -> T:
        """Return the result of ``function`` for the connection, run in a thread."""
        ends = self._ends = count()
        begun = count()

        def work() -> T | None:
            if next(begun):  # it was cancelled before
                return None
            try:
                return function(self.link.connection)
            finally:
                if next(ends):
                    self._pool.give_back(self.link)

        try:
            return cast("T", flows.aside(work))
        except BaseException:
            if not next(begun):  # it will do nothing, so this is its end
                next(ends)
            raise

    def leave(self, *, is_sound: bool) -> None:
        """Give the link back, as soon as no thread uses it any more."""
        self.link.sound = is_sound
        if next(self._ends):
            self._pool.give_back(self.link)


class Order:
    """The commands of one operation, and their replies.

    Attributes:
        awaited: The number of commands.
        end: The position of their last byte among all bytes passed to the connection.
        done: Set when all replies are received, or no more will be.
        replies: The replies received so far.
        failure: The reason why no more will be received.
        is_wanted: Whether an operation waits for it.
        asked_s: When it was sent, by the clock of the loop.
    """

    __slots__ = ("asked_s", "awaited", "done", "end", "failure", "is_wanted", "replies")

    def __init__(self, awaited: int, end: int, done: Future[None]) -> None:
        self.awaited = awaited
        self.end = end
        self.done = done
        self.replies: list[Any] = []
        self.failure: Failure | None = None
        self.is_wanted = True
        self.asked_s = inf

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self.is_wanted = False  # last: while this is true, an interrupted call is repeated

    def fail(self, error: RedisError, sent: int) -> None:
        """End it by ``error``, when ``sent`` of all bytes passed to the connection have been sent."""
        self.failure = Failure(error, nothing_done=self.end > sent)
        self.finish()


class Line:
    """One connection for the operations of an event loop.

    An exception may arrive at any line, as a signal handler raises it. If one leaves it unclear what was sent or
    received, ``_is_sound`` is false from then on, and the connection is closed when it is used again.

    Args:
        link: Its connection, which is connected.
        channel: The socket of that connection.
        loop: The event loop.
        pool: Returns the pool that gets the link back, None if it is gone.
    """

    def __init__(
        self, link: Link, channel: socket.socket, loop: AbstractEventLoop, pool: Callable[[], Pool | None]
    ) -> None:
        self.link = link
        self._socket = channel
        self._file = channel.fileno()  # which is known even when somebody else has closed the socket
        self._loop = loop
        self._pool = pool
        self._timeout_s: float | None = link.connection.socket_timeout
        self._check_after_s: float = link.connection.health_check_interval or inf
        self._reader = hiredis.Reader(InvalidResponse, DefaultParser.parse_error, notEnoughData=_MISSING)
        self._orders: deque[Order] = deque()
        self._new: list[Order] = []
        self._unsent = bytearray()
        self._given = self._sent = 0
        self._heard_s = loop.time()
        self._timer: TimerHandle | None = None
        self._is_open = self._is_sound = True
        self._is_closed = False
        channel.setblocking(False)
        loop.add_reader(self._file, self._receive)

    def is_usable(self, leads_here: Callable[[Link], bool]) -> bool:
        """Return whether another operation may use it; an idle connection is checked first, as it may be closed."""
        if not self._is_sound:
            self._fail(ConnectionError(_INTERRUPTED))
        elif self._is_open and not self._orders:
            if self._loop.time() - self._heard_s > self._check_after_s:
                self.retire()
            else:
                self._receive()
        if self._is_open and not leads_here(self.link):
            self.retire()
        return self._is_open

    def send(self, packed: Sequence[bytes], awaited: int) -> Order:
        """Send commands at the next turn of the loop; ``awaited`` is the number of their replies.

        Raises:
            Failure: The connection was closed.
        """
        if not self._is_open or not self._begins():
            raise Failure(ConnectionError("the connection was closed"), nothing_done=True)
        if self._timer is None and self._timeout_s is not None:
            self._timer = self._loop.call_later(self._timeout_s, self._expire)
        if not self._new:
            self._loop.call_soon(self._send)
        for piece in packed:
            self._unsent += piece
            self._given += len(piece)
        order = Order(awaited, self._given, self._loop.create_future())
        self._orders.append(order)
        self._new.append(order)
        self._is_sound = True
        return order

    def leave(self, order: Order, *, was_answered: bool) -> None:
        """Note that no operation waits for ``order`` any more, or that its answer requires another connection."""
        order.is_wanted = False
        if was_answered:
            self.retire()
        elif not self._is_open:
            self._close_if_unwanted()

    def retire(self) -> None:
        """Send nothing more, and close the connection when all sent commands are answered or late."""
        if self._loop.is_closed():
            self._orders.clear()  # nobody can wait any more
        self._is_open = False
        self._loop.remove_writer(self._file)
        self._unsent.clear()
        for order in self._orders:
            if order.is_wanted and order.end > self._sent:
                order.fail(ConnectionError("the connection was given up"), self._sent)
        self._close_if_unwanted()

    def _begins(self) -> bool:
        """Begin to send or receive, and return True; fail and return False if an exception interrupted this before."""
        if self._is_sound:
            self._is_sound = False
            return True
        self._fail(ConnectionError(_INTERRUPTED))
        return False

    def _send(self) -> None:
        """Send as much as the operating system takes at once."""
        if not self._is_open or not self._begins():
            return
        now = self._loop.time()
        for order in self._new:
            order.asked_s = now
        self._new.clear()
        try:
            sent = self._socket.send(self._unsent) if self._unsent else 0
        except _NOT_YET:
            sent = 0
        except OSError as error:
            self._is_sound = True
            self._receive()  # what came before
            self._fail(ConnectionError(f"Error while writing to socket: {error.args}"))
            return
        del self._unsent[:sent]
        self._sent += sent
        if self._unsent:
            self._loop.add_writer(self._file, self._send)
        else:
            self._loop.remove_writer(self._file)
        self._is_sound = True

    def _receive(self) -> None:
        """Receive the available data."""
        try:
            while not self._is_closed and self._begins():
                data = self._socket.recv(_RECEIVED)
                if not data:
                    raise ConnectionError("Connection closed by server.")
                self._sort(data)
                self._is_sound = True
                if len(data) < _RECEIVED and not self._has_more():
                    break
        except _NOT_YET:
            self._is_sound = True
        except OSError as error:
            self._fail(ConnectionError(f"Error while reading from socket: {error.args}"))
        except RedisError as error:
            self._fail(error)
        if not self._is_open:
            self._close_if_unwanted()

    def _has_more(self) -> bool:
        """Return whether TLS has received data that the operating system no longer reports."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _sort(self, data: bytes) -> None:
        """Append each reply in ``data`` to the first order that is not answered yet.

        Raises:
            RedisError: No order awaits a reply, or the data are not one.
        """
        self._heard_s = self._loop.time()
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not _MISSING:
            if isinstance(reply, hiredis.PushNotification):
                continue
            if not self._orders:
                raise reply if isinstance(reply, RedisError) else InvalidResponse("a reply to nothing")
            order = self._orders[0]
            order.replies.append(reply)
            if len(order.replies) == order.awaited:
                order.finish()
                self._orders.popleft()

    def _expire(self) -> None:
        """Fail orders that have waited too long with nothing received meanwhile, and set the next timer."""
        assert self._timeout_s is not None  # noqa: S101 - a timer was set
        later_s = self._loop.time() + self._timeout_s
        fallback = self._timer = self._loop.call_at(later_s, self._expire)  # first, lest an interrupt leave none
        if not self._is_sound:
            self._fail(ConnectionError(_INTERRUPTED))
        if self._new:
            self._loop.call_soon(self._send)
        self._end_late(self._timeout_s)
        waits = bool(self._orders) and not self._is_closed
        self._timer = self._loop.call_at(min(self._due_s(), later_s), self._expire) if waits else None
        fallback.cancel()

    def _end_late(self, timeout_s: float) -> None:
        now = self._loop.time()
        is_late = self._due_s() <= now
        for order in self._orders if is_late else ():
            if order.is_wanted and order.asked_s + timeout_s <= now:
                order.fail(TimeoutError("Timeout reading from socket"), self._sent)
        if is_late or not self._is_open:
            self.retire()

    def _due_s(self) -> float:
        """Return when the first wanted order is late; the first of all if none is wanted."""
        if not self._orders or self._timeout_s is None:
            return inf
        first = next((order for order in self._orders if order.is_wanted), self._orders[0])
        return max(first.asked_s, self._heard_s) + self._timeout_s

    def _fail(self, error: RedisError) -> None:
        """Fail all wanted orders by ``error``, and close the connection."""
        self._is_open = False
        for order in self._orders:
            if order.is_wanted:
                order.fail(error, self._sent)
        self._close_if_unwanted()

    def _close_if_unwanted(self) -> None:
        if self._is_closed or any(order.is_wanted for order in self._orders):
            return
        self._loop.remove_reader(self._file)
        self._loop.remove_writer(self._file)
        if self._timer is not None:
            self._timer.cancel()
        pool = self._pool()
        if pool is None:
            self.link.connection.disconnect()
        else:
            pool.give_back(self.link)
        self._is_closed = True  # last, so that an interrupted call is repeated


def current() -> Crossing:
    """Return the function on an event loop that this is in."""
    here = flows.crossing()
    assert here is not None  # noqa: S101 - only such a one comes here
    return here

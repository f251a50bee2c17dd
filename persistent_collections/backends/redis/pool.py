"""The idle connections to one server.

An exception of a signal handler may arrive at any line. So nothing here has to be undone: an operation may drop its
link, which closes the connection and frees its place in the pool. No lock is held, so a fork can't copy a held one.
"""

from __future__ import annotations

import os
from abc import ABC
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol, TypeAlias
from weakref import ref

from redis.exceptions import ConnectionError, MaxConnectionsError, RedisError  # noqa: A004 - redis-py's

from persistent_collections.backends.redis.failures import Failure

Command: TypeAlias = Sequence[bytes | str | int]
Address: TypeAlias = tuple[str, int]


class Connection(Protocol):
    """The interface that is used of a connection of redis-py or fakeredis."""

    socket_timeout: float | None
    health_check_interval: float

    def connect(self) -> None: ...
    def can_read(self, timeout: float = 0) -> bool: ...
    def pack_command(self, *command: bytes | str | int) -> Any: ...
    def pack_commands(self, commands: Sequence[Command]) -> Any: ...
    def send_packed_command(self, command: Any) -> None: ...
    def read_response(self) -> Any: ...
    def disconnect(self) -> None: ...


class Link:
    """A connection that one operation at a time uses.

    Attributes:
        connection: Made by redis-py.
        owner: The id of the process that made it; the child of a fork has another id.
        sound: Whether everything sent over it was answered, so that another operation may use it.
        process: Identifies the process at the other end, None until requested.
        awaited: The number of outstanding replies.
    """

    __slots__ = ("__weakref__", "awaited", "connection", "owner", "process", "sound")

    connection: Connection
    process: bytes | None

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.sound = False
        self.process = None
        self.awaited = 0


class Lender(Protocol):
    """Lends links to operations."""

    def take(self) -> Link:
        """Return a connected link.

        Raises:
            Failure: It cannot be connected, or too many are in use.
        """
        ...

    def give_back(self, link: Link) -> None:
        """Keep ``link`` for the next operation, or close it if it is broken."""

    def close(self) -> None:
        """Close the idle connections."""


class Pool(Lender, ABC):
    """Lends links to operations.

    Attributes:
        on_loops: The providers of links to operations on an event loop, by loop.
    """

    def __init__(self) -> None:
        self.on_loops: Final[dict[Any, Lender]] = {}

    def leads_here(self, link: Link) -> bool:
        """Return whether a connection has the same destination as a new one would have."""
        del link
        return True

    def close(self) -> None:
        """Close the idle connections."""
        for lender in list(self.on_loops.values()):
            lender.close()


class _Lent:
    """One process's part of a pool; a fork's child starts with a new one.

    Attributes:
        process: The id of that process.
        idle: The links to lend, those used last at the right.
        all: References to every link, idle or in use.
    """

    def __init__(self) -> None:
        self.process: Final = os.getpid()
        self.idle: Final[deque[Link]] = deque()
        self.all: Final[list[ref[Link]]] = []


class OwnPool(Pool):
    """A pool of connections that this package makes.

    Args:
        make: Makes a connection, which need not be connected yet. It may raise ``Failure``.
        limit: The maximum number of connections, None for as many as there are simultaneous operations.
        is_current: Returns whether an idle connection has the same destination as a new one would have; None if always.
    """

    def __init__(
        self,
        make: Callable[[], Connection],
        limit: int | None = None,
        is_current: Callable[[Connection], bool] | None = None,
    ) -> None:
        super().__init__()
        self.make = make
        self.limit = limit
        self._is_current = is_current
        self._lent = _Lent()

    def take(self) -> Link:
        lent = self._here()
        while True:
            try:
                link = lent.idle.pop()
            except IndexError:
                return self._new(lent)
            if _is_quiet(link.connection) and (not self._is_current or self.leads_here(link)):
                return link
            self._drop(link)

    def give_back(self, link: Link) -> None:
        if link.sound and link.owner == os.getpid():
            self._lent.idle.append(link)
        else:
            self._drop(link)

    def leads_here(self, link: Link) -> bool:
        return self._is_current is None or self._is_current(link.connection)

    def close(self) -> None:
        super().close()
        lent = self._here()
        while lent.idle:
            with suppress(IndexError):  # another thread may take the last one
                self._drop(lent.idle.pop())

    def _here(self) -> _Lent:
        lent = self._lent
        if lent.process != os.getpid():
            lent = self._lent = _Lent()
        return lent

    def _new(self, lent: _Lent) -> Link:
        link = Link()
        place = ref(link)
        for other in list(lent.all):
            if other() is None:  # dropped by an interrupted operation
                _remove(other, lent.all)
        lent.all.append(place)
        if self.limit is not None and lent.all.index(place) >= self.limit:
            _remove(place, lent.all)
            raise Failure(MaxConnectionsError(f"all {self.limit} connections are in use"), nothing_done=True)
        try:
            link.connection = self.make()
            link.connection.connect()
            link.sound = True
        except RedisError as error:
            raise Failure(error, nothing_done=True) from error
        except ValueError as error:  # such as a host that IDNA cannot spell
            raise Failure(ConnectionError(str(error)), nothing_done=True) from error
        finally:
            if not link.sound:
                _remove(place, lent.all)
        return link

    def _drop(self, link: Link) -> None:
        _remove(ref(link), self._here().all)
        link.connection.disconnect()


class GivenPool(Pool):
    """The pool of a client that was passed in, whose connections are used and not closed.

    Args:
        pool: A connection pool of redis-py.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__()
        self._pool = pool

    def take(self) -> Link:
        link = Link()
        try:
            link.connection = self._pool.get_connection()
        except RedisError as error:
            raise Failure(error, nothing_done=True) from error
        except BaseException as error:
            # redis-py puts a connection back that it was interrupted in making, with the reply to its greeting unread.
            self._pool.disconnect(inuse_connections=False)
            if isinstance(error, ValueError):
                raise Failure(ConnectionError(str(error)), nothing_done=True) from error
            raise
        link.sound = True
        return link

    def give_back(self, link: Link) -> None:
        if not link.sound:
            link.connection.disconnect()
        self._pool.release(link.connection)


def _is_quiet(connection: Connection) -> bool:
    """Return whether an idle connection is open and has no unread data, as it should."""
    try:
        return not connection.can_read()
    except (RedisError, OSError):
        return False


def _remove(place: ref[Link], places: list[ref[Link]]) -> None:
    with suppress(ValueError):
        places.remove(place)

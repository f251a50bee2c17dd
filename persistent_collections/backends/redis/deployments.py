"""The deployment of a store: one server, the master of a Sentinel service, or a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final
from weakref import WeakSet

from persistent_collections.backends.redis.cluster import Cluster
from persistent_collections.backends.redis.connection import Node
from persistent_collections.backends.redis.executor import Server
from persistent_collections.backends.redis.names import Names, SlotNames
from persistent_collections.backends.redis.pool import Address, Pool
from persistent_collections.backends.redis.sentinels import ANNOUNCED, Sentinels
from persistent_collections.errors import ConfigurationError

_HERE: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})


class Deployment(ABC):
    """How the data of a store is reached.

    Attributes:
        identity: The identity shared by all deployments of the same data.
    """

    identity: Hashable

    @abstractmethod
    def serve(self, prefix: str, retry_for_s: float, page_sizes: Iterator[int]) -> Server:
        """Return the executor of commands for this deployment."""

    @abstractmethod
    def close(self) -> None:
        """Close idle connections."""


class ServerDeployment(Deployment):
    """One server.

    Args:
        pool: Connections to it.
        address: The server's address, for messages: the path of a socket, or host and port.
        server: The same, for comparison.
        db: The number of the database.
    """

    def __init__(self, pool: Pool, address: str, server: str | Address, db: int) -> None:
        self.pool = pool
        self.identity = "redis", server if isinstance(server, str) else canonical(server), db
        self._address = address

    def serve(self, prefix: str, retry_for_s: float, page_sizes: Iterator[int]) -> Server:
        return Server(Node(self.pool, self._address), Names(prefix), retry_for_s, page_sizes)

    def close(self) -> None:
        self.pool.close()


class SentinelDeployment(Deployment):
    """The master of a service.

    Args:
        pool: Connections to it.
        places: The addresses of its sentinels.
        service: Its name among them.
        db: The number of the database.
        sentinels: Closed with the pool, if given.
    """

    def __init__(
        self, pool: Pool, places: Sequence[Address], service: str, db: int, sentinels: Sentinels | None = None
    ) -> None:
        self.pool = pool
        self.identity = "sentinel", frozenset(map(canonical, places)), service, db
        self._address = f"{service} by {spelt(places)}"
        self.sentinels = sentinels

    def serve(self, prefix: str, retry_for_s: float, page_sizes: Iterator[int]) -> Server:
        return Server(Node(self.pool, self._address, remedy=ANNOUNCED), Names(prefix), retry_for_s, page_sizes)

    def close(self) -> None:
        self.pool.close()
        if self.sentinels:
            self.sentinels.close()


class ClusterDeployment(Deployment):
    """A cluster some of whose nodes are known.

    Args:
        seeds: Their addresses.
        pool_at: Makes a pool of connections to an address.
    """

    def __init__(self, seeds: Sequence[Address], pool_at: Callable[[Address], Pool]) -> None:
        self.identity = "cluster", frozenset(map(canonical, seeds))
        self._seeds = seeds
        self._make_pool = pool_at
        self._opened: WeakSet[Pool] = WeakSet()

    def serve(self, prefix: str, retry_for_s: float, page_sizes: Iterator[int]) -> Server:
        return Cluster(self._seeds, self.pool_at, SlotNames(prefix), retry_for_s, page_sizes)

    def close(self) -> None:
        for pool in list(self._opened):
            pool.close()

    def pool_at(self, address: Address) -> Pool:
        """Return connections to the node at ``address``."""
        pool = self._make_pool(address)
        self._opened.add(pool)
        return pool


def spelt(addresses: Sequence[Address]) -> str:
    """Return addresses in the form of a URL."""
    return ",".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in addresses)


def canonical(address: Address) -> Address:
    """Return the canonical spelling of an address, for comparison. The local machine has four spellings."""
    host = address[0].lower()
    return ("localhost" if host in _HERE else host), address[1]


def check_host(host: str) -> None:
    """Raise if a text can't be a host name.

    Raises:
        ConfigurationError: It has an empty label, or one of more than 63 characters.

    Source: RFC 1035, 2.3.4, as ``socket.getaddrinfo`` holds to it.
    """
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise ConfigurationError(f"{host!r} cannot be the name of a host ({error}); correct it") from None

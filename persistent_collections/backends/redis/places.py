"""Where a store lies: on one server, on the master of a Sentinel service, or on a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

import redis
from redis import ConnectionPool, SSLConnection
from redis.sentinel import SentinelConnectionPool

from persistent_collections.backends.redis.cluster import Address, Cluster
from persistent_collections.backends.redis.names import Names, SlotNames
from persistent_collections.backends.redis.node import Node
from persistent_collections.backends.redis.server import Server
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError


class Place(ABC):
    """What a store on Redis is reached by."""

    @property
    @abstractmethod
    def identity(self) -> Hashable:
        """What all places of the same data have in common."""

    @abstractmethod
    def url(self, own: Mapping[str, object]) -> str:
        """Return the URL, without passwords, of this place with options of our own."""

    @abstractmethod
    def serve(self, prefix: str, retry_for_s: float, page_sizes: Iterator[int]) -> Server:
        """Return what takes commands here."""

    @abstractmethod
    def close(self) -> None:
        """Close idle connections."""


class ServerPlace(Place):
    """The server that the connections of a pool lead to."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool

    @property
    def identity(self) -> Hashable:
        place = self.pool.connection_kwargs
        server = place.get("path") or (place.get("host", "localhost").lower(), int(place.get("port", 6379)))
        return "redis", server, self._db

    def url(self, own: Mapping[str, object]) -> str:
        place = self.pool.connection_kwargs
        if "path" in place:
            return _shown("unix", _user(place), quote(place["path"]), {"db": self._db, **own})
        address = (place.get("host", "localhost"), place.get("port", 6379))
        return _shown(_scheme(self.pool), f"{_user(place)}{_spelt([address])}", f"/{self._db}", own)

    def serve(self, prefix: str, retry_for_s: float, page_sizes: Iterator[int]) -> Server:
        return Server(Node(self.pool, self._address), Names(prefix), retry_for_s, page_sizes)

    def close(self) -> None:
        self.pool.disconnect(inuse_connections=False)

    @property
    def _db(self) -> int:
        return int(self.pool.connection_kwargs.get("db") or 0)

    @property
    def _address(self) -> str:
        place = self.pool.connection_kwargs
        return str(place.get("path") or f"{place.get('host', 'localhost')}:{place.get('port', 6379)}")


class SentinelPlace(ServerPlace):
    """The master of a service, which its sentinels are asked for whenever a connection is made."""

    pool: SentinelConnectionPool

    @property
    def identity(self) -> Hashable:
        return "sentinel", frozenset(map(_canonical, self._sentinels)), self.pool.service_name, self._db

    def url(self, own: Mapping[str, object]) -> str:
        netloc = f"{_user(self.pool.connection_kwargs)}{_spelt(self._sentinels)}"
        return _shown(f"{_scheme(self.pool)}+sentinel", netloc, f"/{quote(self.pool.service_name)}/{self._db}", own)

    def close(self) -> None:
        super().close()
        for sentinel in self.pool.sentinel_manager.sentinels:
            sentinel.close()

    @property
    def _sentinels(self) -> list[Address]:
        kwargs = [sentinel.connection_pool.connection_kwargs for sentinel in self.pool.sentinel_manager.sentinels]
        return sorted((place.get("host", "localhost"), int(place.get("port", 6379))) for place in kwargs)

    @property
    def _address(self) -> str:
        return f"{self.pool.service_name} by {_spelt(self._sentinels)}"


class ClusterPlace(Place):
    """A cluster some of whose nodes are known.

    Args:
        seeds: Where these are.
        options: How to connect to each node, as ``ConnectionPool`` takes it.
    """

    def __init__(self, seeds: Sequence[Address], options: Mapping[str, Any]) -> None:
        self._seeds = seeds
        self._options = options
        self._opened: WeakSet[ConnectionPool] = WeakSet()

    @property
    def identity(self) -> Hashable:
        return "cluster", frozenset(map(_canonical, self._seeds))

    def url(self, own: Mapping[str, object]) -> str:
        pool = self._pool_at(self._seeds[0])
        return _shown(f"{_scheme(pool)}+cluster", f"{_user(pool.connection_kwargs)}{_spelt(self._seeds)}", "", own)

    def serve(self, prefix: str, retry_for_s: float, page_sizes: Iterator[int]) -> Server:
        return Cluster(self._seeds, self._pool_at, SlotNames(prefix), retry_for_s, page_sizes)

    def close(self) -> None:
        for pool in list(self._opened):
            pool.disconnect(inuse_connections=False)

    def _pool_at(self, address: Address) -> ConnectionPool:
        pool = self._new_pool(*address)
        self._opened.add(pool)
        return pool

    def _new_pool(self, host: str, port: int) -> ConnectionPool:
        return ConnectionPool(host=host, port=port, **self._options)


class GivenClusterPlace(ClusterPlace):
    """The cluster of a given client, whose connections are used to all nodes it knows.

    Args:
        client: Never closed; what is opened to nodes it does not know is.
    """

    def __init__(self, client: redis.RedisCluster) -> None:
        super().__init__([(node.host, int(node.port)) for node in client.startup_nodes], {})
        self._client = client

    def _pool_at(self, address: Address) -> ConnectionPool:
        host, port = self._client.nodes_manager.remap_host_port(*address)
        known = self._client.get_node(host, port)  # type: ignore[no-untyped-call]  # redis-py's own has no types
        if known is None or known.redis_connection is None:
            return super()._pool_at((host, port))
        pool: ConnectionPool = known.redis_connection.connection_pool
        return pool

    def _new_pool(self, host: str, port: int) -> ConnectionPool:
        manager = self._client.nodes_manager
        config = manager.maint_notifications_config
        made: redis.Redis = manager.create_redis_node(  # type: ignore[no-untyped-call]  # redis-py's own has no types
            host, port, maint_notifications_config=config, **manager.connection_kwargs
        )
        return made.connection_pool


def place_of(client: redis.Redis | redis.RedisCluster) -> Place:
    """Return where a client leads.

    Raises:
        ConfigurationError: It is none of redis-py's, decodes replies, or only reads.
    """
    if not isinstance(client, redis.Redis | redis.RedisCluster):
        raise ConfigurationError(
            f"a RedisBackend is made from a redis.Redis or redis.RedisCluster client, not a {type(client).__name__}"
        )
    encoder = client.encoder if isinstance(client, redis.RedisCluster) else client.connection_pool.get_encoder()
    if encoder.decode_responses:
        raise ConfigurationError(
            "this client decodes replies, and not all stored bytes are text; make it with decode_responses=False"
        )
    if isinstance(client, redis.RedisCluster):
        return GivenClusterPlace(client)
    pool = client.connection_pool
    if not isinstance(pool, SentinelConnectionPool):
        return ServerPlace(pool)
    if not pool.is_master:
        raise ConfigurationError("this client reads from replicas, which take no writes; make it with master_for")
    return SentinelPlace(pool)


def _shown(scheme: str, netloc: str, path: str, options: Mapping[str, object]) -> str:
    return StoreURL(scheme, netloc, path, options).without_secrets(dict.fromkeys(options, Option()))


def _scheme(pool: ConnectionPool) -> str:
    return "rediss" if issubclass(pool.connection_class, SSLConnection) else "redis"


def _user(options: Mapping[str, Any]) -> str:
    return f"{quote(options['username'])}@" if options.get("username") else ""


def _spelt(addresses: Iterable[Address]) -> str:
    return ",".join(f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in addresses)


def _canonical(address: Address) -> Address:
    """Return an address in the one spelling that others of it are compared by."""
    host = address[0].lower()
    return ("127.0.0.1" if host == "localhost" else host), address[1]

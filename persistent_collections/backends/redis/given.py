"""Clients of redis-py that are passed in, whose connections are used and never closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import redis
from redis import ConnectionPool, SSLConnection
from redis.client import Pipeline
from redis.cluster import ClusterPipeline
from redis.sentinel import SentinelConnectionPool

from persistent_collections.backends.redis.deployments import (
    ClusterDeployment,
    Deployment,
    SentinelDeployment,
    ServerDeployment,
    check_host,
    spelt,
)
from persistent_collections.backends.redis.pool import Address, GivenPool, OwnPool, Pool
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError


class Given(NamedTuple):
    """The destination of a client.

    Attributes:
        deployment: The deployment, which uses the client's connections.
        scheme: The scheme of the URL of the same store.
        netloc: The user and hosts in that URL.
        path: The path of that URL.
        options: The options that the URL needs.
    """

    deployment: Deployment
    scheme: str
    netloc: str
    path: str
    options: Mapping[str, object]

    def url(self, own: Mapping[str, object]) -> str:
        """Return the URL of the store, without passwords, with the options of this package."""
        options = {**self.options, **own}
        return StoreURL(self.scheme, self.netloc, self.path, options).without_secrets(dict.fromkeys(options, Option()))


def read_client(client: object) -> Given:
    """Return the destination of a client, without connecting.

    Raises:
        ConfigurationError: Stores can't use it.
    """
    if isinstance(client, Pipeline | ClusterPipeline):
        raise ConfigurationError(
            "a pipeline is not a client: every operation of a store is sent at once, so nothing would be queued; "
            "pass the client that the pipeline was made from"
        )
    if isinstance(client, redis.RedisCluster):
        _check_decoding(client.encoder.decode_responses)
        return _cluster(client)
    if not isinstance(client, redis.Redis):
        raise ConfigurationError(
            f"a RedisBackend is made from a redis.Redis or redis.RedisCluster client, not a {type(client).__name__}"
        )
    _check_decoding(client.connection_pool.get_encoder().decode_responses)
    if client.connection is not None:
        raise ConfigurationError(
            "this client has a single connection, which its own calls may be using; make it without "
            "single_connection_client"
        )
    pool = client.connection_pool
    return _sentinel(pool) if isinstance(pool, SentinelConnectionPool) else _server(pool)


def _check_decoding(decodes: bool) -> None:
    if decodes:
        raise ConfigurationError(
            "this client decodes replies, and not all stored bytes are text; make it with decode_responses=False"
        )


def _server(pool: ConnectionPool) -> Given:
    settings = pool.connection_kwargs
    db = int(settings.get("db") or 0)
    if "path" in settings:
        path = str(settings["path"])
        return Given(
            ServerDeployment(GivenPool(pool), path, path, db), "unix", _user(settings), quote(path), {"db": db}
        )
    address = _address(settings)
    deployment = ServerDeployment(GivenPool(pool), f"{address[0]}:{address[1]}", address, db)
    return Given(deployment, _scheme(pool), f"{_user(settings)}{spelt([address])}", f"/{db}", {})


def _sentinel(pool: SentinelConnectionPool) -> Given:
    if not pool.is_master:
        raise ConfigurationError("this client reads from replicas, which take no writes; make it with master_for")
    settings = pool.connection_kwargs
    db = int(settings.get("db") or 0)
    sentinels = pool.sentinel_manager.sentinels
    places = sorted(_address(sentinel.connection_pool.connection_kwargs) for sentinel in sentinels)
    return Given(
        SentinelDeployment(GivenPool(pool), places, pool.service_name, db),
        f"{_scheme(pool)}+sentinel",
        f"{_user(settings)}{spelt(places)}",
        f"/{quote(pool.service_name)}/{db}",
        {},
    )


def _cluster(client: redis.RedisCluster) -> Given:
    seeds = [(node.host, int(node.port)) for node in client.startup_nodes]
    manager = client.nodes_manager

    def pool_at(address: Address) -> Pool:
        host, port = manager.remap_host_port(*address)
        known = client.get_node(host, port)  # type: ignore[no-untyped-call]  # redis-py has no types here
        if known is not None and known.redis_connection is not None:
            return GivenPool(known.redis_connection.connection_pool)
        return OwnPool(maker(_node_pool(manager, host, port)))

    settings = manager.connection_kwargs
    scheme = "rediss+cluster" if settings.get("ssl") else "redis+cluster"
    return Given(ClusterDeployment(seeds, pool_at), scheme, f"{_user(settings)}{spelt(seeds)}", "", {})


def maker(pool: Any) -> Callable[[], Any]:
    """Return a function that creates connections like a pool of redis-py."""
    return lambda: pool.connection_class(**pool.connection_kwargs)


def _node_pool(manager: Any, host: str, port: int) -> Any:
    """Return a pool that leads to a node which the client does not know."""
    config = manager.maint_notifications_config
    made = manager.create_redis_node(host, port, maint_notifications_config=config, **manager.connection_kwargs)
    return made.connection_pool


def _address(settings: Mapping[str, Any]) -> Address:
    host, port = str(settings.get("host") or "localhost"), int(settings.get("port") or 6379)
    check_host(host)
    return host, port


def _scheme(pool: ConnectionPool) -> str:
    return "rediss" if issubclass(pool.connection_class, SSLConnection) else "redis"


def _user(settings: Mapping[str, Any]) -> str:
    return f"{quote(settings['username'])}@" if settings.get("username") else ""

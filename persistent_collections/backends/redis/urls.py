"""From a URL to the place of a store and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from redis import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from persistent_collections.backends.redis.cluster import Address
from persistent_collections.backends.redis.failures import is_passing
from persistent_collections.backends.redis.places import ClusterPlace, Place, SentinelPlace, ServerPlace
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError

RETRY_FOR_S: Final = 3.0
"""Seconds for which what was not executed is tried again, unless the URL says otherwise."""

OWN_OPTIONS: Final = {"prefix": Option(), "codec": Option(), "retry_for_s": Option(float)}

_OPTIONS: Final = {
    **OWN_OPTIONS,
    "db": Option(int),
    "username": Option(),
    "password": Option(secret=True),
    "protocol": Option(int, choices=(2, 3)),
    "client_name": Option(),
    "socket_timeout": Option(float),
    "socket_connect_timeout": Option(float),
    "health_check_interval": Option(int),
    "max_connections": Option(int),
}
_TCP_OPTIONS: Final = {**_OPTIONS, "socket_keepalive": Option(bool)}
_TLS_OPTIONS: Final = {
    **_TCP_OPTIONS,
    "ssl_ca_certs": Option(),
    "ssl_ca_path": Option(),
    "ssl_certfile": Option(),
    "ssl_keyfile": Option(),
    "ssl_password": Option(secret=True),
    "ssl_cert_reqs": Option(choices=("none", "optional", "required")),
    "ssl_check_hostname": Option(bool),
    "ssl_ciphers": Option(),
}
_SENTINEL_OPTIONS: Final = {
    "sentinel_username": Option(),
    "sentinel_password": Option(secret=True),
    "min_other_sentinels": Option(int),
}


def _but_db(options: Mapping[str, Option]) -> dict[str, Option]:
    return {name: option for name, option in options.items() if name != "db"}


OPTIONS: Final = {
    "redis": _TCP_OPTIONS,
    "valkey": _TCP_OPTIONS,
    "rediss": _TLS_OPTIONS,
    "valkeys": _TLS_OPTIONS,
    "unix": _OPTIONS,
    "redis+sentinel": _TCP_OPTIONS | _SENTINEL_OPTIONS,
    "rediss+sentinel": _TLS_OPTIONS | _SENTINEL_OPTIONS,
    "redis+cluster": _but_db(_TCP_OPTIONS),
    "rediss+cluster": _but_db(_TLS_OPTIONS),
}
"""The declared options of each scheme; all but our own are redis-py's, by its names."""

ALL_OPTIONS: Final = OPTIONS["rediss+sentinel"]
"""What one scheme or another takes."""

_MAX_PORT: Final = 65535
_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:@,]*))(?::(?P<port>\d+))?")


def read_url(url: StoreURL) -> tuple[Place, dict[str, Any]]:
    """Return the place a URL names, without connecting, and the values of our own options.

    Raises:
        ConfigurationError: The URL or one of its options is wrong.
    """
    options = url.read_options(OPTIONS[url.scheme])
    own = {name: options.pop(name) for name in OWN_OPTIONS if name in options}
    kind = url.scheme.partition("+")[2] or url.scheme
    read = {"cluster": _cluster, "sentinel": _sentinel, "unix": _socket}.get(kind, _server)
    return read(url, options), own


def _server(url: StoreURL, options: Mapping[str, Any]) -> Place:
    addresses = _addresses(url, 6379)
    path = url.path.strip("/")
    if addresses is None or len(addresses) > 1 or not (path.isdecimal() or not path):
        raise _misspelt(url, "server", "host:port/db")
    host, port = addresses[0]
    placed = {"connection_class": _connection_class(url), "host": host or "localhost", "port": port}
    placed |= _credentials(url) | ({"db": int(path)} if path else {})
    return ServerPlace(ConnectionPool(**_settings(placed, options)))


def _socket(url: StoreURL, options: Mapping[str, Any]) -> Place:
    if url.netloc.rpartition("@")[2] or not url.path:
        raise ConfigurationError("a socket's URL is spelt 'unix:///path/to/redis.sock', with three slashes")
    placed = {"connection_class": UnixDomainSocketConnection, "path": str(Path(unquote(url.path)).absolute())}
    return ServerPlace(ConnectionPool(**_settings(_credentials(url) | placed, options)))


def _cluster(url: StoreURL, options: Mapping[str, Any]) -> Place:
    addresses = _addresses(url, 6379)
    if addresses is None or not all(host for host, _ in addresses) or url.path.strip("/"):
        raise _misspelt(url, "cluster", "host:port,host:port")
    settings = _settings(_credentials(url), options)
    return ClusterPlace(addresses, settings | {"connection_class": _connection_class(url)})


def _sentinel(url: StoreURL, options: dict[str, Any]) -> Place:
    addresses = _addresses(url, 26379)
    service, _, db = url.path.strip("/").partition("/")
    if addresses is None or not all(host for host, _ in addresses) or not service or not (db.isdecimal() or not db):
        raise _misspelt(url, "Sentinel service", "host:port,host:port/service/db")
    credentials = {name: f"sentinel_{name}" for name in ("username", "password")}
    theirs = {name: options.pop(option) for name, option in credentials.items() if option in options}
    least = options.pop("min_other_sentinels", 0)
    tls = {"ssl": _connection_class(url) is SSLConnection}
    settings = _settings(_credentials(url) | ({"db": int(db)} if db else {}), options) | tls
    shared = {name: value for name, value in settings.items() if name.partition("_")[0] in _SHARED}
    manager = _Sentinels(addresses, least, shared | theirs)  # type: ignore[no-untyped-call]  # redis-py has no types here
    return SentinelPlace(SentinelConnectionPool(unquote(service), manager, **settings))  # type: ignore[no-untyped-call]


_SHARED: Final = {"ssl", "socket", "protocol", "retry", "maint"}
"""How the names of settings begin that hold for the connections to sentinels too."""


class _Sentinels(Sentinel):
    def discover_master(self, service_name: str) -> Address:
        """Return the master's address; the sentinel that knows it is asked first the next time.

        Theirs moves that sentinel within the list in place, by which two threads at once may lose another, and does not
        say why none was of use.

        Raises:
            RedisError: None names one, and what keeps each of them from being asked will not pass by itself.
            MasterNotFoundError: None names one at this moment.
        """
        sentinels, failures = self.sentinels, list[RedisError]()
        for sentinel in sentinels:
            try:
                masters: Any = sentinel.sentinel_masters()
                state = masters.get(service_name)
            except RedisError as error:
                failures.append(error)
                continue
            if state and self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
                self.sentinels = [sentinel, *(other for other in sentinels if other is not sentinel)]
                return state["ip"], state["port"]
        failures.sort(key=is_passing)
        if len(failures) == len(sentinels) and not is_passing(failures[0]):
            raise failures[0]
        why = f": {failures[0]}" if failures else ""
        raise MasterNotFoundError(f"none of the sentinels names a master for {service_name!r}{why}")


def _settings(placed: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to make connections with: each command is sent once.

    Raises:
        ConfigurationError: Something is said twice.
    """
    for name in placed.keys() & options.keys():
        raise ConfigurationError(f"option {name!r} is given twice; say it before the '?' or after it, once")
    once = {"retry": Retry(NoBackoff(), 0), "maint_notifications_config": MaintNotificationsConfig(enabled=False)}
    return {**once, **placed, **options}


def _connection_class(url: StoreURL) -> type[Connection]:
    return SSLConnection if url.scheme.startswith(("rediss", "valkeys")) else Connection


def _credentials(url: StoreURL) -> dict[str, Any]:
    user, _, password = url.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _addresses(url: StoreURL, default_port: int) -> list[Address] | None:
    """Return the hosts and ports a URL names, None if one is misspelt."""
    found = [_ADDRESS.fullmatch(text) for text in url.netloc.rpartition("@")[2].split(",")]
    read = [(one["v6"] or unquote(one["host"]), int(one["port"] or default_port)) for one in found if one]
    return read if len(read) == len(found) and all(port <= _MAX_PORT for _, port in read) else None


def _misspelt(url: StoreURL, what: str, right: str) -> ConfigurationError:
    return ConfigurationError(
        f"a {what}'s URL is spelt '{url.scheme}://user:password@{right}'; in user and password percent-encode "
        "'/', '@', ':', '?', '#' and '%', or give them as options"
    )

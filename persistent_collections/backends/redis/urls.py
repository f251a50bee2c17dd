"""From a URL to the deployment it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from redis import Connection, DriverInfo, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ConnectionError,  # noqa: A004 - redis-py's
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis-py's
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from persistent_collections.backends.redis.connection import Node
from persistent_collections.backends.redis.deployments import (
    ClusterDeployment,
    Deployment,
    SentinelDeployment,
    ServerDeployment,
    check_host,
)
from persistent_collections.backends.redis.failures import NO_TLS
from persistent_collections.backends.redis.pool import Address, OwnPool
from persistent_collections.backends.redis.sentinels import Sentinels
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError

RETRY_FOR_S: Final = 3.0
"""Seconds for which unexecuted commands are retried, unless the URL sets another time."""

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
"""The options of one scheme or another."""


class _Range(NamedTuple):
    """The range of an option's numbers."""

    least: int
    excluded: bool = False

    def check(self, name: str, number: float) -> None:
        """Raise if ``number`` is out of range; a time is also out of range if no clock can count it."""
        if not self.least <= number <= _GREATEST or (self.excluded and number == self.least):
            raise ConfigurationError(
                f"option {name!r} takes a number {'above' if self.excluded else 'from'} {self.least}, not {number}"
            )


_GREATEST: Final = 10**9
_RANGES: Final = {
    "retry_for_s": _Range(0),
    "db": _Range(0),
    "socket_timeout": _Range(0, excluded=True),
    "socket_connect_timeout": _Range(0, excluded=True),
    "health_check_interval": _Range(0),
    "max_connections": _Range(1),
    "min_other_sentinels": _Range(0),
}

_PROMPT_S: Final = 1.0
"""A server that has not answered the TLS handshake after so many seconds may be one without TLS."""

_MAX_PORT: Final = 65535
_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:@,]*))(?::(?P<port>\d+))?")


def read_url(url: StoreURL) -> tuple[Deployment, dict[str, Any]]:
    """Return the deployment a URL names, without connecting, and the values of our own options.

    Raises:
        ConfigurationError: The URL or one of its options is wrong.
    """
    options = url.read_options(OPTIONS[url.scheme])
    for name, range_ in _RANGES.items():
        if name in options:
            range_.check(name, options[name])
    own = {name: options.pop(name) for name in OWN_OPTIONS if name in options}
    kind = url.scheme.partition("+")[2] or url.scheme
    read = {"cluster": _cluster, "sentinel": _sentinel, "unix": _socket}.get(kind, _server)
    return read(url, options), own


def options_in(url: StoreURL) -> dict[str, object]:
    """Return the options in a URL, including a user, a password and a database in other parts."""
    path, kind = url.path.strip("/"), url.scheme.partition("+")[2] or url.scheme
    db = {"cluster": "", "sentinel": path.partition("/")[2], "unix": ""}.get(kind, path)
    return {**_credentials(url), **({"db": int(db)} if db.isdecimal() else {}), **url.options}


def _server(url: StoreURL, options: dict[str, Any]) -> Deployment:
    addresses = _addresses(url, 6379)
    path = url.path.strip("/")
    if addresses is None or len(addresses) > 1 or not (path.isdecimal() or not path):
        raise _misspelt(url, "server", "host:port/db")
    host, port = addresses[0]
    placed = {"host": host or "localhost", "port": port, **_credentials(url), **({"db": int(path)} if path else {})}
    settings = _settings(placed, options)
    pool = _pool(_connection_class(url), settings)
    address = settings["host"], port
    return ServerDeployment(pool, f"{address[0]}:{port}", address, settings.get("db", 0))


def _socket(url: StoreURL, options: dict[str, Any]) -> Deployment:
    if url.netloc.rpartition("@")[2] or not url.path:
        raise ConfigurationError("a socket's URL is written 'unix:///path/to/redis.sock', with three slashes")
    path = str(Path(unquote(url.path)).absolute())
    settings = _settings({**_credentials(url), "path": path}, options)
    return ServerDeployment(_pool(UnixDomainSocketConnection, settings), path, path, settings.get("db", 0))


def _cluster(url: StoreURL, options: dict[str, Any]) -> Deployment:
    addresses = _addresses(url, 6379)
    if addresses is None or not all(host for host, _ in addresses) or url.path.strip("/"):
        raise _misspelt(url, "cluster", "host:port,host:port")
    settings, made_by = _settings(_credentials(url), options), _connection_class(url)
    return ClusterDeployment(addresses, lambda at: _pool(made_by, {**settings, "host": at[0], "port": at[1]}))


def _sentinel(url: StoreURL, options: dict[str, Any]) -> Deployment:
    addresses, service, db = _service(url)
    credentials = {name: f"sentinel_{name}" for name in ("username", "password")}
    theirs = {name: options.pop(option) for name, option in credentials.items() if option in options}
    least = options.pop("min_other_sentinels", 0)
    settings = _settings(_credentials(url) | ({"db": db} if db is not None else {}), options)
    made_by = _connection_class(url)
    shared = {name: value for name, value in settings.items() if name.partition("_")[0] in _SHARED} | theirs
    nodes = [Node(_pool(made_by, {**shared, "host": host, "port": port}), f"{host}:{port}") for host, port in addresses]
    sentinels = Sentinels(nodes, service, least)
    limit = settings.pop("max_connections", None)

    def make() -> Any:
        host, port = sentinels.master()
        return made_by(host=host, port=port, **settings)

    def is_master(connection: Any) -> bool:
        return (connection.host, connection.port) == sentinels.last

    pool = OwnPool(make, limit, is_master)
    return SentinelDeployment(pool, addresses, service, settings.get("db", 0), sentinels)


def _service(url: StoreURL) -> tuple[list[Address], str, int | None]:
    """Return the addresses of sentinels, the service and the database that a URL names."""
    addresses = _addresses(url, 26379)
    service, _, db = url.path.strip("/").partition("/")
    if addresses and service and all(host for host, _ in addresses) and (db.isdecimal() or not db):
        return addresses, unquote(service), int(db) if db else None
    raise _misspelt(url, "Sentinel service", "host:port,host:port/service/db")


_SHARED: Final = {"ssl", "socket", "protocol", "retry", "maint", "driver"}
"""The starts of the names of settings that apply to connections to sentinels too."""


class _TLSConnection(SSLConnection):
    """A connection that notices a server without TLS, which waits for the end of a line and does not answer."""

    def connect(self) -> None:
        if self.is_connected:
            return
        wait_s = self.socket_timeout
        self.socket_timeout = _PROMPT_S if wait_s is None else min(_PROMPT_S, wait_s)
        try:
            super().connect()  # type: ignore[no-untyped-call]  # redis-py's own has no types
        except TimeoutError:
            self._check_tls()
            self.socket_timeout = wait_s
            super().connect()  # type: ignore[no-untyped-call]  # redis-py's own has no types
        self.socket_timeout = wait_s
        self.update_current_socket_timeout()

    def _check_tls(self) -> None:
        """Raise if the server answers without TLS.

        Raises:
            ConnectionError: It does.
        """
        timeouts = {"socket_timeout": self.socket_timeout, "socket_connect_timeout": self.socket_timeout}
        made_by: Any = Connection  # redis-py's own has no types
        plain = made_by(host=self.host, port=self.port, retry=Retry(NoBackoff(), 0), protocol=2, **timeouts)
        try:
            plain.connect()
        except RedisError as error:
            if not isinstance(error, ResponseError | AuthenticationError):
                return
        finally:
            plain.disconnect()
        raise ConnectionError(NO_TLS)


def _pool(made_by: Callable[..., Any], settings: Mapping[str, Any]) -> OwnPool:
    limit = settings.get("max_connections")
    return OwnPool(partial(made_by, **{n: v for n, v in settings.items() if n != "max_connections"}), limit)


def _settings(placed: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of connections, which send each command once.

    Raises:
        ConfigurationError: A setting is given twice.
    """
    for name in placed.keys() & options.keys():
        raise ConfigurationError(f"option {name!r} is given twice; write it once, before or after the '?'")
    once = {"retry": Retry(NoBackoff(), 0), "maint_notifications_config": MaintNotificationsConfig(enabled=False)}
    return {"driver_info": _driver_info(), **once, **placed, **options}


@cache
def _driver_info() -> DriverInfo:
    """Return redis-py's description of itself for a server, cached: redis-py would read its files per connection."""
    return DriverInfo()


def _connection_class(url: StoreURL) -> Callable[..., Any]:
    return _TLSConnection if url.scheme.startswith(("rediss", "valkeys")) else Connection


def _credentials(url: StoreURL) -> dict[str, Any]:
    user, _, password = url.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _addresses(url: StoreURL, default_port: int) -> list[Address] | None:
    """Return the hosts and ports a URL names, None if one is misspelt.

    Raises:
        ConfigurationError: One cannot be the name of a host.
    """
    found = [_ADDRESS.fullmatch(text) for text in url.netloc.rpartition("@")[2].split(",")]
    read = [(one["v6"] or unquote(one["host"]), int(one["port"] or default_port)) for one in found if one]
    if len(read) != len(found) or not all(0 < port <= _MAX_PORT for _, port in read):
        return None
    for host, _ in read:
        check_host(host)
    return read


def _misspelt(url: StoreURL, what: str, right: str) -> ConfigurationError:
    return ConfigurationError(
        f"a {what}'s URL is written '{url.scheme}://user:password@{right}'; in user and password percent-encode "
        "'/', '@', ':', '?', '#' and '%', or give them as options"
    )

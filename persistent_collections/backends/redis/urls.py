"""From a URL to a connection pool and back."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from redis import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

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
OPTIONS: Final = {
    "redis": _TCP_OPTIONS,
    "valkey": _TCP_OPTIONS,
    "rediss": _TLS_OPTIONS,
    "valkeys": _TLS_OPTIONS,
    "unix": _OPTIONS,
}
"""The declared options of each scheme; all but our own are redis-py's, by its names."""

_MAX_PORT: Final = 65535
_ADDRESS: Final = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:@]*))(?::(?P<port>\d+))?")


def read_url(url: StoreURL) -> tuple[ConnectionPool, dict[str, Any]]:
    """Return the pool a URL names, without connecting, and the values of our own options.

    Raises:
        ConfigurationError: The URL or one of its options is wrong.
    """
    options = url.read_options(OPTIONS[url.scheme])
    own = {name: options.pop(name) for name in OWN_OPTIONS if name in options}
    placed = _credentials(url) | (_socket(url) if url.scheme == "unix" else _address(url))
    for name in placed.keys() & options.keys():
        raise ConfigurationError(f"option {name!r} is given twice; say it before the '?' or after it, once")
    pool = ConnectionPool(
        retry=Retry(NoBackoff(), 0),
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **placed,
        **options,
    )
    return pool, own


def _credentials(url: StoreURL) -> dict[str, Any]:
    user, _, password = url.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _socket(url: StoreURL) -> dict[str, Any]:
    if url.netloc.rpartition("@")[2] or not url.path:
        raise ConfigurationError("a socket's URL is spelt 'unix:///path/to/redis.sock', with three slashes")
    return {"connection_class": UnixDomainSocketConnection, "path": str(Path(unquote(url.path)).absolute())}


def _address(url: StoreURL) -> dict[str, Any]:
    address = _ADDRESS.fullmatch(url.netloc.rpartition("@")[2])
    path = url.path.strip("/")
    if address is None or int(address["port"] or 0) > _MAX_PORT or not (path.isdecimal() or not path):
        raise ConfigurationError(
            f"a server's URL is spelt '{url.scheme}://user:password@host:port/db'; in user and password percent-encode "
            "'/', '@', ':', '?', '#' and '%', or give them as options"
        )
    placed: dict[str, Any] = {
        "connection_class": SSLConnection if url.scheme in {"rediss", "valkeys"} else Connection,
        "host": address["v6"] or unquote(address["host"]) or "localhost",
        "port": int(address["port"] or 6379),
    }
    return placed | ({"db": int(path)} if path else {})


def url_of(pool: ConnectionPool, own: Mapping[str, object]) -> str:
    """Return the URL, without password, of the server a pool connects to."""
    place = pool.connection_kwargs
    user = f"{quote(place['username'])}@" if place.get("username") else ""
    if "path" in place:
        return StoreURL("unix", user, quote(place["path"]), {"db": place.get("db") or 0, **own}).without_secrets(
            _OPTIONS
        )
    scheme = "rediss" if issubclass(pool.connection_class, SSLConnection) else "redis"
    host = place.get("host", "localhost")
    netloc = f"{user}{f'[{host}]' if ':' in host else host}:{place.get('port', 6379)}"
    return StoreURL(scheme, netloc, f"/{place.get('db') or 0}", own).without_secrets(_OPTIONS)


def identity_of(pool: ConnectionPool) -> Hashable:
    """Return what all pools of the same server and database have in common."""
    place = pool.connection_kwargs
    server = place.get("path") or (place.get("host", "localhost").lower(), int(place.get("port", 6379)))
    return "redis", server, int(place.get("db") or 0)


def address_of(pool: ConnectionPool) -> str:
    """Return where a pool's server is, for messages."""
    place = pool.connection_kwargs
    return str(place.get("path") or f"{place.get('host', 'localhost')}:{place.get('port', 6379)}")

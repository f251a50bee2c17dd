"""A store on a Redis server that only exists in this process, for tests."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Literal, Self

from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import ConfigurationError

try:
    import fakeredis
    import lupa  # type: ignore[import-untyped]  # noqa: F401 - untyped; fakeredis does without, its scripts do not

    from persistent_collections.backends.redis import RedisBackend
except ImportError as error:
    raise ConfigurationError(
        "this store needs fakeredis 2.40 with Lua: pip install 'persistent-collections[fakeredis]'"
    ) from error

_OPTIONS: Final = {
    "prefix": Option(),
    "codec": Option(),
    "server_type": Option(choices=("redis", "valkey")),
    "protocol": Option(int, choices=(2, 3)),
}


class FakeRedisBackend(RedisBackend):
    """The Redis store with a fake server of its own, which lasts as long as the backend.

    Args:
        name: Only shown in the URL.
        prefix: As of ``RedisBackend``.
        codec: As of ``RedisBackend``.
        server_type: What the server pretends to be.
        protocol: The version of RESP it is spoken to in.
    """

    def __init__(
        self,
        name: str = "",
        *,
        prefix: str = "",
        codec: str | None = None,
        server_type: Literal["redis", "valkey"] = "redis",
        protocol: Literal[2, 3] = 3,
    ) -> None:
        server = fakeredis.FakeServer(server_type=server_type)
        client = fakeredis.FakeRedis(server=server, host="fakeredis", protocol=protocol)
        super().__init__(client, prefix=prefix, codec=codec)
        self._url = f"fakeredis://{name}"

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        backend = cls(url.netloc or url.path, **url.read_options(_OPTIONS))
        backend._url = url.without_secrets(_OPTIONS)
        return backend

    @property
    def identity(self) -> Hashable:
        return id(self)

"""A store on a Redis server that only exists in this process, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from threading import get_ident
from typing import Any, ClassVar, Final, Literal, Self

from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.urls import Option, StoreURL
from persistent_collections.errors import BackendError, ConfigurationError

try:
    import fakeredis
    import lupa  # type: ignore[import-untyped]  # noqa: F401 - untyped; fakeredis does without, its scripts do not

    from persistent_collections.backends.redis import RedisBackend
    from persistent_collections.backends.redis.deployments import ServerDeployment
    from persistent_collections.backends.redis.given import maker
    from persistent_collections.backends.redis.pool import Command, OwnPool
except ImportError as error:
    raise ConfigurationError(
        "this store needs fakeredis 2.40 with Lua: pip install 'persistent-collections[fakeredis]'"
    ) from error

_PIECE_SIZE: Final = 2**16
_served: Final[dict[int, _Connection]] = {}  # by thread, the connection that a fake server is serving


class _Connection(fakeredis.FakeRedisConnection):
    """Sends a long command in pieces, so that fakeredis needs linear instead of quadratic time.

    A fake server has a lock. If its own thread held that lock, a signal handler would wait for it forever.
    """

    def connect(self) -> None:
        self._alone(super().connect)

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        packed = command if isinstance(command, bytes) else b"".join(command)
        pieces = [packed[start : start + _PIECE_SIZE] for start in range(0, len(packed), _PIECE_SIZE)]
        self._alone(super().send_packed_command, pieces, check_health)

    def _alone(self, call: Callable[..., object], *arguments: Any) -> None:
        this_thread = get_ident()
        if _served.get(this_thread, self) is not self:
            raise BackendError(
                "fakeredis: nothing was done, since a signal handler or finalizer has interrupted another operation of "
                "this thread; let it set a flag, and use the store after that or in another thread"
            )
        try:
            _served[this_thread] = self
            call(*arguments)
        finally:
            _served.pop(this_thread, None)


class FakeRedisBackend(RedisBackend):
    """The Redis store with a fake server of its own, which lasts as long as the backend.

    ::

        with FakeRedisBackend() as store:
            PersistentDict("settings", {"theme": "dark"}, backend=store)
            assert PersistentDict("settings", backend=store)["theme"] == "dark"

    Args:
        name: Only shown in the URL.
        prefix: As for ``RedisBackend``.
        codec: As for ``RedisBackend``.
        server_type: The server that it emulates.
        protocol: The RESP version of its clients.
    """

    in_process: ClassVar[bool] = True
    yields: ClassVar[bool] = False
    options: ClassVar[Mapping[str, Option]] = {
        "prefix": Option(),
        "codec": Option(),
        "server_type": Option(choices=("redis", "valkey")),
        "protocol": Option(int, choices=(2, 3)),
    }

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
        client = fakeredis.FakeRedis(server=server, host="fakeredis", protocol=protocol, connection_class=_Connection)
        client.ping()  # makes the database, which fakeredis would make twice for two threads that come at once
        pool = OwnPool(maker(client.connection_pool))
        deployment = ServerDeployment(pool, "fakeredis", f"fakeredis {id(server)}", 0)
        self._open(deployment, f"fakeredis://{name}", prefix, codec)

    @classmethod
    def from_url(cls, url: StoreURL) -> Self:
        backend = cls(url.netloc or url.path, **url.read_options(cls.options))
        backend._url = url.without_secrets(cls.options)
        return backend

    def _page_sizes(self) -> Iterator[int]:
        # fakeredis mixes up the cursors of simultaneous walks of one collection, unless their steps are of other sizes
        return cycle(range(PAGE_SIZE, PAGE_SIZE + 100))

    def _matching(self, prefix: str) -> Command:
        del prefix
        return ()  # the * of fakeredis matches no newline, which an id may have

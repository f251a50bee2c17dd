"""What a Redis URL and a given client mean."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio

from persistent_collections.backends.fakeredis import FakeRedisBackend
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis import RedisBackend
from persistent_collections.backends.redis.deployments import ClusterDeployment, SentinelDeployment, ServerDeployment
from persistent_collections.backends.redis.pool import OwnPool
from persistent_collections.backends.registry import find_backend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import BackendUnavailable, ConfigurationError
from tests.servers import RunningServer, run_server, wait_until

pytestmark = pytest.mark.store("server")

KEY = Key("Thing:x")
ADDRESS = "redis://127.0.0.1:1"
"""Where no server is."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with run_server() as server:
        yield server


def connect(url: str) -> RedisBackend:
    backend = find_backend(url.partition(":")[0]).from_url(StoreURL.parse(url))
    assert isinstance(backend, RedisBackend)
    return backend


def pool_of(backend: RedisBackend) -> OwnPool:
    deployment = backend._deployment
    assert isinstance(deployment, ServerDeployment | SentinelDeployment)
    assert isinstance(deployment.pool, OwnPool)
    return deployment.pool


class TestURLs:
    @pytest.mark.parametrize(
        ("url", "identity"),
        [
            ("redis://", (("redis", ("localhost", 6379), 0), "")),
            ("redis://LocalHost/", (("redis", ("localhost", 6379), 0), "")),
            ("valkey://localhost:6379/0", (("redis", ("localhost", 6379), 0), "")),
            ("rediss://u:p@localhost?ssl_cert_reqs=none", (("redis", ("localhost", 6379), 0), "")),
            ("redis://h:1/2?prefix=a:", (("redis", ("h", 1), 2), "a:")),
            ("redis://h:1?db=2&prefix=a:&protocol=2", (("redis", ("h", 1), 2), "a:")),
            ("redis://[::1]:7/3", (("redis", ("localhost", 7), 3), "")),
            ("redis://127.0.0.1:7/3", (("redis", ("localhost", 7), 3), "")),
            ("redis://[fe80::1]:7/3", (("redis", ("fe80::1", 7), 3), "")),
            ("unix:///run/a%20b.sock?db=4", (("redis", "/run/a b.sock", 4), "")),
            (
                "redis+sentinel://u:p@h:1,LocalHost/main/2?prefix=a:",
                (("sentinel", frozenset({("h", 1), ("localhost", 26379)}), "main", 2), "a:"),
            ),
            (
                "rediss+sentinel://[::1]:7/a%2Fb?sentinel_username=x",
                (("sentinel", frozenset({("localhost", 7)}), "a/b", 0), ""),
            ),
            (
                "redis+cluster://u:p@H:1,[::1],localhost:7?prefix=a:",
                (("cluster", frozenset({("h", 1), ("localhost", 6379), ("localhost", 7)})), "a:"),
            ),
        ],
    )
    def test_a_store_is_a_server_a_database_and_a_prefix(self, url: str, identity: object) -> None:
        assert connect(url).identity == identity

    def test_stores_are_equal_whatever_their_user_and_options(self) -> None:
        assert connect("redis://a:b@h/1?socket_timeout=3") == connect("valkey://h:6379?db=1")
        assert connect("redis://h/1") != connect("redis://h/2")
        assert connect("redis://h/1") != connect("redis://h/1?prefix=x")
        assert connect("redis://h/1") != connect("redis://i/1")
        assert connect("redis+cluster://h:1,i:2") == connect("rediss+cluster://u:p@i:2,h:1?protocol=2")
        assert connect("redis+sentinel://h:1,i:2/main") == connect("redis+sentinel://i:2,h:1/main?db=0")
        assert connect("redis+sentinel://h:1/main") != connect("redis+sentinel://h:1/other")
        assert connect("redis+sentinel://h:1/main") != connect("redis+sentinel://i:1/main"), "another service so named"
        assert connect("redis+cluster://h:1") != connect("redis://h:1")

    @pytest.mark.parametrize(
        "url",
        [
            "redis://h:1/2?prefix=a:&codec=msgpack&retry_for_s=0.5&protocol=2&socket_keepalive=false",
            "redis://h?username=u&client_name=me&db=3&max_connections=7&health_check_interval=1",
            "redis://h?socket_timeout=1.5&socket_connect_timeout=2.5",
            "unix:///run/redis.sock?db=1",
            "rediss://h:1?ssl_ca_certs=/a&ssl_certfile=/b&ssl_keyfile=/c&ssl_cert_reqs=optional&ssl_check_hostname=false",
            "valkeys://h:1?ssl_ca_path=/a&ssl_ciphers=X",
            "redis+sentinel://h:1,i:2/main/2?sentinel_username=u&min_other_sentinels=1&prefix=a:&socket_timeout=1.5",
            "rediss+cluster://h:1,i:2?prefix=a:&codec=msgpack&ssl_cert_reqs=optional&max_connections=7",
        ],
    )
    def test_the_url_is_given_back_with_its_options(self, url: str) -> None:
        assert connect(url).url == url

    def test_the_url_is_given_back_without_passwords(self) -> None:
        assert connect("redis://u:p%40s@h:1/2?prefix=a:").url == "redis://u@h:1/2?prefix=a:"
        assert connect("rediss://h:1?password=p&ssl_password=q&db=1").url == "rediss://h:1?db=1"
        sentinels = connect("rediss+sentinel://u:p@h:1,i:2/main?sentinel_username=v&sentinel_password=q")
        assert sentinels.url == "rediss+sentinel://u@h:1,i:2/main?sentinel_username=v"
        assert connect("redis+cluster://u:p%40s@h:1,i:2").url == "redis+cluster://u@h:1,i:2"

    def test_options_reach_the_connections(self) -> None:
        url = "rediss://u%2Fv:p%40s%3A@h:1/2?socket_timeout=1.5&ssl_cert_reqs=none&max_connections=7&client_name=me"
        pool = pool_of(connect(url))
        connection: Any = pool.make()
        assert isinstance(connection, redis.SSLConnection)
        assert (connection.username, connection.password) == ("u/v", "p@s:")
        assert (connection.host, connection.port, connection.db) == ("h", 1, 2)
        assert (connection.socket_timeout, connection.client_name) == (1.5, "me")
        assert pool.limit == 7

    def test_options_reach_the_connections_to_every_node_of_a_cluster(self) -> None:
        backend = connect("rediss+cluster://u:p@h:1,i:2?socket_timeout=1.5&ssl_cert_reqs=none&max_connections=7")
        assert isinstance(backend._deployment, ClusterDeployment)
        pool = backend._deployment.pool_at(("j", 3))
        assert isinstance(pool, OwnPool)
        connection: Any = pool.make()
        assert isinstance(connection, redis.SSLConnection)
        assert (connection.username, connection.password, connection.socket_timeout) == ("u", "p", 1.5)
        assert (connection.host, connection.port, pool.limit) == ("j", 3, 7)
        assert connection.retry.get_retries() == 0

    def test_options_reach_the_connections_to_the_master_and_to_its_sentinels(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = "rediss+sentinel://u:p@h:1,i:2/main/3?socket_timeout=1.5&ssl_cert_reqs=none&protocol=2&client_name=me"
        backend = connect(f"{url}&sentinel_username=v&sentinel_password=q")
        pool, deployment = pool_of(backend), backend._deployment
        assert isinstance(deployment, SentinelDeployment)
        assert deployment.sentinels is not None
        monkeypatch.setattr(deployment.sentinels, "master", lambda: ("m", 9))
        connection: Any = pool.make()
        assert isinstance(connection, redis.SSLConnection)
        assert (connection.host, connection.port) == ("m", 9)
        assert (connection.username, connection.password, connection.db) == ("u", "p", 3)
        assert (connection.socket_timeout, connection.client_name) == (1.5, "me")
        for node, place in zip(deployment.sentinels.nodes, [("h", 1), ("i", 2)], strict=True):
            assert isinstance(node.pool, OwnPool)
            one: Any = node.pool.make()
            assert isinstance(one, redis.SSLConnection)
            assert (one.host, one.port) == place
            assert (one.username, one.password, one.db, one.client_name) == ("v", "q", 0, None)
            assert (one.socket_timeout, one.cert_reqs) == (1.5, ssl.CERT_NONE)
            assert one.get_protocol() == 2
            assert one.retry.get_retries() == 0

    def test_codec_is_taken_from_the_url(self) -> None:
        assert connect("redis://h?codec=msgpack").codec == "msgpack"
        assert connect("redis://h").codec is None
        assert connect("fakeredis://?codec=msgpack").codec == "msgpack"

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("redis://h?prefx=a", "unknown option 'prefx' for 'redis'; did you mean 'prefix'"),
            ("redis://h?ssl_certfile=a", "unknown option 'ssl_certfile' for 'redis'"),
            ("unix:///a?socket_keepalive=on", "unknown option 'socket_keepalive' for 'unix'"),
            ("redis://h?db=one", "option 'db' takes an int"),
            ("redis://h?db=-1", "option 'db' takes a number from 0, not -1"),
            ("redis://h?max_connections=0", "option 'max_connections' takes a number from 1, not 0"),
            ("redis://h?socket_timeout=-1", "option 'socket_timeout' takes a number above 0, not -1"),
            ("redis://h?socket_timeout=0", "option 'socket_timeout' takes a number above 0, not 0"),
            ("redis://h?socket_connect_timeout=nan", "option 'socket_connect_timeout' takes a number above 0, not nan"),
            ("redis://h?socket_timeout=inf", "option 'socket_timeout' takes a number above 0, not inf"),
            ("redis://h?retry_for_s=-1", "option 'retry_for_s' takes a number from 0, not -1"),
            ("redis://h?health_check_interval=-1", "option 'health_check_interval' takes a number from 0, not -1"),
            ("redis+sentinel://h/m?min_other_sentinels=-1", "option 'min_other_sentinels' takes a number from 0"),
            ("redis://a..b", "'a..b' cannot be the name of a host"),
            (f"redis://{'a' * 64}.example", "cannot be the name of a host"),
            ("redis+cluster://h,a..b", "'a..b' cannot be the name of a host"),
            ("redis+sentinel://a..b/main", "'a..b' cannot be the name of a host"),
            ("redis://h:0", "is written 'redis://user:password@host:port/db'"),
            ("redis://h:65536", "is written 'redis://user:password@host:port/db'"),
            ("redis+socket:///run/redis.sock", "'unix:///path/to/redis.sock'"),
            ("redis://h?protocol=4", "option 'protocol' is one of 2, 3"),
            ("redis://h/1?db=1", "option 'db' is given twice"),
            ("redis://u@h/1?username=v", "option 'username' is given twice"),
            ("redis://h?prefix={a}", "option 'prefix' takes a text without braces"),
            ("redis://h/one", "is written 'redis://user:password@host:port/db'"),
            ("redis://h:port", "is written 'redis://user:password@host:port/db'"),
            ("redis://h/1/2", "is written 'redis://user:password@host:port/db'"),
            ("unix://run/redis.sock", "is written 'unix:///path/to/redis.sock'"),
            ("unix://", "is written 'unix:///path/to/redis.sock'"),
            ("redis://h,i", "is written 'redis://user:password@host:port/db'"),
            ("redis+cluster://", "is written 'redis+cluster://user:password@host:port,host:port'"),
            ("redis+cluster://h:1,,i:2", "is written 'redis+cluster://user:password@host:port,host:port'"),
            ("redis+cluster://h:1/0", "is written 'redis+cluster://user:password@host:port,host:port'"),
            ("redis+cluster:h:1", "is written 'redis+cluster://user:password@host:port,host:port'"),
            ("redis+cluster://h:1?db=1", "unknown option 'db' for 'redis+cluster'"),
            ("redis+cluster://h:1?prefix={a}", "option 'prefix' takes a text without braces"),
            ("redis+sentinel://h:1,i:2", "'redis+sentinel://user:password@host:port,host:port/service/db'"),
            ("redis+sentinel:///main", "'redis+sentinel://user:password@host:port,host:port/service/db'"),
            ("redis+sentinel://h:1,i:/main", "'redis+sentinel://user:password@host:port,host:port/service/db'"),
            ("rediss+sentinel://h:1/main/one", "'rediss+sentinel://user:password@host:port,host:port/service/db'"),
            ("redis+sentinel://h:1/main/1/2", "'redis+sentinel://user:password@host:port,host:port/service/db'"),
            ("redis+sentinel://h:1/main/1?db=1", "option 'db' is given twice"),
            ("redis+sentinel://h/main?sentinel_pasword=a", "did you mean 'sentinel_password'"),
            ("redis+sentinel://h/main?ssl_certfile=a", "unknown option 'ssl_certfile' for 'redis+sentinel'"),
            ("redis+sentinal://h/main", "did you mean 'redis+sentinel'"),
            ("fakeredis://?server_type=kdb", "option 'server_type' is one of redis, valkey"),
        ],
    )
    def test_a_wrong_url_is_told_with_what_would_be_right(self, url: str, message: str) -> None:
        with pytest.raises(ConfigurationError) as info:
            connect(url)
        assert message in str(info.value)

    @pytest.mark.parametrize("password", ["se/cret", "sec@ret/", "secret:/"])
    def test_a_password_that_breaks_the_url_is_not_shown(self, password: str) -> None:
        with pytest.raises(ConfigurationError) as info:
            connect(f"redis://user:{password}@host:1/0")
        assert "sec" not in str(info.value)
        assert "ret" not in str(info.value)

    def test_a_password_that_breaks_no_url_is_taken_whole(self) -> None:
        for password in ("a@b:c#d", "a:", "@", "#"):
            connection: Any = pool_of(connect(f"redis://user:{password}@host:1/0")).make()
            assert (connection.password, connection.host) == (password, "host")

    def test_making_a_store_reaches_for_no_server(self) -> None:
        with connect(f"{ADDRESS}?retry_for_s=0") as backend:
            mapping = backend.mapping(KEY)
            with pytest.raises(BackendUnavailable):
                mapping.get("f")

    def test_a_socket_serves_as_well(self, server: RunningServer) -> None:
        with connect(server.unix_url) as backend, connect(f"{server.unix_url}?db=1") as other:
            backend.mapping(KEY).set_many({"f": b"1"})
            assert backend.mapping(KEY).get("f") == b"1"
            assert other.mapping(KEY).get("f") is None

    def test_stores_of_other_prefixes_share_a_database_unseen(self, server: RunningServer) -> None:
        prefixes = ["", "a:", "b:", "a*", "[ab]", "é "]
        stores = [connect(f"redis://127.0.0.1:{server.port}/2?prefix={prefix}") for prefix in prefixes]
        for number, store in enumerate(stores):
            store.mapping(Key(f"T:{number}")).set_many({"f": b"1"})
        for number, (prefix, store) in enumerate(zip(prefixes, stores, strict=True)):
            if prefix:
                assert list(store.keys("")) == [Key(f"T:{number}")]
            store.close()


class TestGivenClients:
    def test_a_client_is_used_and_never_closed(self, server: RunningServer) -> None:
        with redis.Redis(port=server.port, db=3) as client:
            with RedisBackend(client, prefix="a:", codec="json") as backend:
                backend.mapping(KEY).set_many({"f": b"1"})
                assert client.hget("a:Thing:x", "f") == b"1"
                assert backend.codec == "json"
                opened = client.connection_pool._available_connections
                assert len(opened) == 1
            assert opened[0].is_connected
            assert backend == connect(f"redis://localhost:{server.port}/3?prefix=a:")
            assert backend.url == f"redis://localhost:{server.port}/3?prefix=a:&codec=json"

    def test_connections_of_our_own_are_closed_and_opened_again(self, server: RunningServer) -> None:
        with connect(f"{server.url}?client_name=ours") as backend, server.client() as client:
            for _ in range(2):
                backend.look([KEY])
                assert [one["name"] for one in client.client_list()].count("ours") == 1
                backend.close()
                wait_until(lambda: "ours" not in [one["name"] for one in client.client_list()], "it is not closed")

    def test_the_url_of_a_client_reaches_its_store_without_its_password(self) -> None:
        assert RedisBackend(redis.Redis(username="a b", password="secret")).url == "redis://a%20b@localhost:6379/0"
        assert RedisBackend(redis.Redis(host="::1", ssl=True)).url == "rediss://[::1]:6379/0"
        assert RedisBackend(redis.Redis(unix_socket_path="/a b", db=1)).url == "unix:///a%20b?db=1"
        for client in (redis.Redis(host="::1", db=4), redis.Redis(unix_socket_path="/a b", db=1)):
            backend = RedisBackend(client, prefix="p")
            assert connect(backend.url) == backend

    def test_a_client_that_decodes_is_refused_with_what_to_change(self) -> None:
        with pytest.raises(ConfigurationError, match="decode_responses=False"):
            RedisBackend(redis.Redis(decode_responses=True))

    def test_what_is_no_redis_client_is_refused(self) -> None:
        for client in (redis.asyncio.Redis(), "redis://localhost", None):
            with pytest.raises(ConfigurationError, match=r"redis.RedisCluster client, not a"):
                RedisBackend(client)  # type: ignore[arg-type]  # that is the point

    @pytest.mark.parametrize("transaction", [True, False])
    def test_a_pipeline_is_refused_since_it_would_queue_nothing(self, transaction: bool) -> None:
        with pytest.raises(ConfigurationError, match=r"a pipeline is not a client.*pass the client"):
            RedisBackend(redis.Redis().pipeline(transaction=transaction))

    def test_a_client_of_one_connection_is_refused(self, server: RunningServer) -> None:
        with (
            redis.Redis(port=server.port, single_connection_client=True) as client,
            pytest.raises(ConfigurationError, match="without single_connection_client"),
        ):
            RedisBackend(client)

    def test_a_host_of_a_client_that_cannot_be_one_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match=r"'a\.\.b' cannot be the name of a host"):
            RedisBackend(redis.Redis(host="a..b"))


class TestFakeServers:
    def test_every_backend_has_a_server_of_its_own(self) -> None:
        one, other = connect("fakeredis://name"), connect("fakeredis://name")
        one.mapping(KEY).set_many({"f": b"1"})
        assert other.look([KEY]) == [None]
        assert one != other
        assert one.url == "fakeredis://name"

    def test_what_is_stored_outlives_close(self) -> None:
        with FakeRedisBackend() as backend:
            backend.mapping(KEY).set_many({"f": b"1"})
        assert backend.look([KEY]) != [None]


@pytest.mark.parametrize(
    ("missing", "scheme", "remedy"),
    [
        ("redis", "redis", "pip install 'persistent-collections[redis]'"),
        ("redis", "fakeredis", "pip install 'persistent-collections[fakeredis]'"),
        ("fakeredis", "fakeredis", "pip install 'persistent-collections[fakeredis]'"),
        ("lupa", "fakeredis", "pip install 'persistent-collections[fakeredis]'"),
    ],
)
def test_a_missing_package_is_told_with_its_remedy(missing: str, scheme: str, remedy: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from persistent_collections.backends.registry import find_backend\n"
        "from persistent_collections.errors import ConfigurationError\n"
        f"try: find_backend({scheme!r})\n"
        "except ConfigurationError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert remedy in told

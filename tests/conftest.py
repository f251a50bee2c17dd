"""The stores every front-end test runs on: ask for ``backend``, or for ``store`` to have it as the default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import Backend, configure, connect, objects
from tests.servers import RunningCluster, RunningServer, run_cluster, run_server, run_service

Run = Callable[[], AbstractContextManager[Any]]

SERVERS: dict[str, Run] = {
    "server": run_server,
    "cluster": run_cluster,
    "sentinel": run_service,
}
"""How what serves a store is run."""

Start = Callable[[str], Any]
MakeURL = Callable[[Path, Start], str]


def _served_by(name: str) -> MakeURL:
    return lambda _, start: str(start(name).url)


STORES: dict[str, MakeURL] = {
    "json": lambda folder, _: f"json:{folder}/data?fsync=off",
    "sqlite": lambda folder, _: f"sqlite:{folder}/data.db?synchronous=OFF",
    "memory": lambda *_: "memory:",
    "fakeredis": lambda *_: "fakeredis://",
    **{name: _served_by(name) for name in SERVERS},
}
"""How each store's URL is made, from a temporary folder and what starts a server."""


@pytest.fixture(autouse=True)
def classes_of_modules() -> Iterator[None]:
    """Give the classes of modules back the names that classes made in the test took."""
    before = dict(objects.classes)
    yield
    for name, cls in before.items():
        if objects.classes.get(name) is not cls:
            objects._register(cls)


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Give what starts each of ``SERVERS`` once for the session, and empties it each time."""
    running: dict[str, Any] = {}
    with ExitStack() as stack:

        def start(name: str) -> Any:
            if name not in running:
                running[name] = stack.enter_context(SERVERS[name]())
            running[name].flush()
            return running[name]

        yield start


@pytest.fixture
def server(start: Start) -> RunningServer:
    """Give an empty real server."""
    running: RunningServer = start("server")
    return running


@pytest.fixture
def cluster(start: Start) -> RunningCluster:
    """Give an empty real cluster."""
    running: RunningCluster = start("cluster")
    return running


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path, start: Start) -> str:
    """Give the URL of an empty store of each kind."""
    return STORES[request.param](tmp_path, start)


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

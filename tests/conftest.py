"""The stores that tests run on: ask for ``backend``, or for ``store`` to have it as the default.

``--stores`` chooses which: the suites of ``persistent_collections.testing`` run on every store by default, and what
is built on stores runs on one. ``--stores rest`` runs all else, so that the two are everything. What takes seconds,
kills processes or makes large data is marked ``slow``; what takes more than half a minute is marked ``proof`` and has
a short form beside it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

from persistent_collections import Backend, Record, aio, classes, configure, connect
from persistent_collections.codecs import BcryptCodec
from tests.servers import RunningCluster, RunningServer, run_cluster, run_server, run_service

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    # Each process that a test starts would compile the package anew; the bytecode is kept apart from the sources.
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache/bytecode")
    sys.dont_write_bytecode = False

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

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

ONE: Final = "json"
"""The store of tests that need only one: the default store, and the one whose values are JSON and not bytes."""

MEMORY: Final = Path("/dev/shm")
"""Where Linux keeps files in memory."""
ROOM_BYTES: Final = 2 * 10**9
"""More than the files of the quick loop, of which pytest keeps those of three runs."""

MODULE_ABOUT: Final = re.compile(r'^pytestmark = \[?pytest\.mark\.store\("(\w+)"\)', re.MULTILINE)

PROOF: Final = "proof"
SUITES: Final = "suites"
ALL: Final = "all"
REST: Final = "rest"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stores",
        default=SUITES,
        help=f"{SUITES}: the suites on every store, all else on {ONE} (the default); {ALL}: everything on every store; "
        f"{REST}: what is in {ALL}, and not in {SUITES} with -m 'not slow'; or the only stores to test, separated by "
        f"commas: {', '.join(STORES)}",
    )

    parser.addoption("--bridge", action="store_true", help="run every test on an event loop, by the bridge of aio.run")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test on an event loop by the bridge, if it is marked so or all are to."""
    if not (pyfuncitem.get_closest_marker("bridged") or pyfuncitem.config.getoption("--bridge")):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    aio.configure(bridge=True)
    try:
        asyncio.run(aio.run(pyfuncitem.obj, **arguments))
    finally:
        aio.configure()
    return True


def pytest_configure(config: pytest.Config) -> None:
    _keep_files_in_memory(config)
    if unknown := {*_chosen(config)} - {*STORES}:
        raise pytest.UsageError(f"--stores: no store is named {', '.join(sorted(unknown))}; known: {', '.join(STORES)}")


def _keep_files_in_memory(config: pytest.Config) -> None:
    """Let the quick loop over one store write to memory where it can, since replacing a file on a disk takes long.

    All other runs write to the disk, or where ``TMPDIR`` or ``--basetemp`` says.
    """
    is_quick = _leaves_out_slow(config) and config.getoption("--stores") in STORES
    is_told = config.getoption("basetemp") is not None or "TMPDIR" in os.environ
    if is_quick and not is_told and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def _leaves_out_slow(config: pytest.Config) -> bool:
    return "not slow" in config.getoption("markexpr").split(" and ")


def _chosen(config: pytest.Config) -> list[str]:
    """Return the stores that what is built on stores runs on."""
    chosen = config.getoption("--stores")
    return {SUITES: [ONE], ALL: [*STORES], REST: [*STORES]}.get(chosen) or chosen.split(",")


def _available(config: pytest.Config) -> set[str]:
    """Return the stores that there are for tests about certain ones."""
    return {*STORES} if config.getoption("--stores") == SUITES else {*_chosen(config)}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import a module about a store that is not among those that ``--stores`` lists."""
    if config.getoption("--stores") in (SUITES, ALL, REST) or not collection_path.is_file():
        return None
    about = MODULE_ABOUT.search(collection_path.read_text("utf-8"))
    return True if about and about[1] not in _chosen(config) else None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Item] | None:
    """Make no tests of a class of which none would run: the suites are thousands of tests."""
    if not (isinstance(obj, type) and name.startswith("Test")):
        return None
    found = [getattr(each, "pytestmark", []) for each in (obj, collector.obj)]
    marks = [mark for each in found for mark in (each if isinstance(each, list) else [each])]
    return [] if any(_leaves_out(mark, collector.config) for mark in marks) else None


def _leaves_out(mark: pytest.Mark, config: pytest.Config) -> bool:
    """Say whether nothing with this mark runs."""
    chosen = _available(config)
    match mark.name:
        case "slow":
            return _leaves_out_slow(config)
        case "store":
            return not chosen.issuperset(mark.args)
        case "any_store":
            return chosen.isdisjoint(mark.args)
    return False


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for any store on the chosen ones, unless the test itself says on which."""
    if "store_kind" in metafunc.fixturenames and not _names_its_stores(metafunc.definition):
        metafunc.parametrize("store_kind", _chosen(metafunc.config))


def _names_its_stores(item: pytest.Item) -> bool:
    return any(mark.args[:1] == ("store_kind",) for mark in item.iter_markers("parametrize"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out proofs unless ``-m`` names them, and tests that need a store which ``--stores`` does not list."""
    with_proofs = PROOF in config.getoption("markexpr")
    chosen = _available(config)

    def is_wanted(item: pytest.Item) -> bool:
        if config.getoption("--stores") == REST and _is_usual(item):
            return False
        return (with_proofs or item.get_closest_marker(PROOF) is None) and not _needed(item) - chosen

    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = [item for item in items if is_wanted(item)]


def _is_usual(item: pytest.Item) -> bool:
    """Say whether a test is run without ``--stores`` and without what is slow."""
    spec = getattr(item, "callspec", None)
    on_one = spec is None or spec.params.get("store_kind", ONE) == ONE or _names_its_stores(item)
    return on_one and item.get_closest_marker("slow") is None


def _needed(item: pytest.Item) -> set[str]:
    """Return the stores that a test is about: by its marks ``store``, its parameters and its fixtures."""
    marked = {name for mark in item.iter_markers("store") for name in mark.args}
    spec = getattr(item, "callspec", None)
    named = {spec.params["store_kind"]} if spec and "store_kind" in spec.params else set()
    return marked | named | ({*SERVERS} & {*getattr(item, "fixturenames", ())})


@pytest.fixture(autouse=True)
def classes_of_modules() -> Iterator[None]:
    """Give the classes of modules back the names that classes made in the test took."""
    before = classes.every()
    yield
    for name, cls in before.items():
        if classes.find(name) is not cls:
            classes.register(cls, name, is_record=issubclass(cls, Record))


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Give what starts each of ``SERVERS``, or a server's program, once for the session, and empties it each time."""
    running: dict[str, Any] = {}
    with ExitStack() as stack:

        def start(name: str) -> Any:
            if name not in running:
                running[name] = stack.enter_context(SERVERS.get(name, partial(run_server, name))())
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


@pytest.fixture
def url(store_kind: str, tmp_path: Path, start: Start) -> str:
    """Give the URL of an empty store of each kind chosen."""
    return STORES[store_kind](tmp_path, start)


@pytest.fixture
def cheap_hashes() -> Iterator[None]:
    """Let passwords be hashed with the fewest rounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BcryptCodec, "rounds_in_tests", 4)
        yield


@pytest.fixture
def backend(url: str, cheap_hashes: None) -> Iterator[Backend]:
    """Give an empty store of each kind chosen."""
    with connect(url) as connected:
        yield connected


@pytest.fixture
def store(backend: Backend) -> Iterator[Backend]:
    """Give an empty store of each kind chosen, as the default."""
    configure({"backends": {"default": backend}})
    yield backend
    configure({})

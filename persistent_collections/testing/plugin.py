"""The pytest plugin: the fixture ``persistent_backend``, its option and its marker.

pytest loads it in every run if the package is installed, so no other module of the package is imported before a test
uses the fixture or the option is given. Nothing is opened before a test uses the fixture, with one exception: if the
option names a server, one request checks at the start that it can be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from persistent_collections.backends.base import Backend

_NAME: Final = "persistent_backend"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--persistent-backend URL``."""
    parser.getgroup("persistent-collections").addoption(
        "--persistent-backend",
        metavar="URL",
        help="the store for tests with the fixture persistent_backend; each test gets its own empty part of it "
        "(default: fakeredis://, or memory: if fakeredis is not installed)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and stop at once if the option's URL is wrong.

    Raises:
        UsageError: The URL is wrong, or a package that its store needs is not installed.
    """
    config.addinivalue_line("markers", f"{_NAME}(url): run the test, with the fixture of this name, on this store")
    config.addinivalue_line("markers", "slow: takes up to minutes; -m 'not slow' leaves it out")
    url = config.getoption(_NAME)
    if url is not None:
        from persistent_collections.testing import stores  # noqa: PLC0415 - few runs need it

        with stores.usage_errors():
            stores.check(url)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Stop if the server that the option names cannot be used; it is asked once, before xdist starts its workers.

    Cost: 1 round trip.

    Raises:
        UsageError: The server cannot be used.
    """
    config = session.config
    url = config.getoption(_NAME)
    if url is None or hasattr(config, "workerinput") or config.getoption("collectonly"):
        return
    from persistent_collections.testing import stores  # noqa: PLC0415 - few runs need it

    with stores.usage_errors():
        stores.ask(url)


@pytest.fixture(autouse=True)
def _persistent_backend_first(request: pytest.FixtureRequest) -> None:
    """Use the fixture before the test's other fixtures, which may write to a store, if the test has it or the marker.

    Fixtures of a class, a module or the session are earlier: these may call ``configure``.
    """
    if _NAME in request.fixturenames or request.node.get_closest_marker(_NAME):
        request.getfixturevalue(_NAME)


@pytest.fixture
def persistent_backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Make an empty store the default for this test, and replace each configured backend by another empty one.

    All objects use these stores, also objects made at import, unless they or their classes name a URL or a backend
    object. Passwords are hashed with 4 rounds. Afterwards, all settings are restored, and the test's data are deleted.
    """
    from persistent_collections.testing import stores  # noqa: PLC0415 - few runs need it

    with stores.empty(request) as backend:
        yield backend

"""The stores of the fixture ``persistent_backend``: an empty part of a store for each test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from typing import Any, Final

import pytest

from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete
from persistent_collections.backends.keys import Key
from persistent_collections.backends.paths import url_of
from persistent_collections.backends.registry import find_backend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.backends.wrappers.observers import observed
from persistent_collections.config import connect, stand_ins
from persistent_collections.errors import BackendError, ConfigurationError

_NAME: Final = "persistent_backend"
"""The fixture, the marker and, with dashes, the option."""

ROUNDS: Final = 4
"""The lowest cost that bcrypt accepts, with which hashing takes a millisecond."""

_FILES: Final = {"json": "", "sqlite": "data.db"}
"""The path of a store of files within the directory of the test."""


@contextmanager
def usage_errors() -> Iterator[None]:
    """Say at the start of pytest which option is wrong, without a traceback.

    Raises:
        UsageError: The URL of the option is wrong, or its server cannot be used.
    """
    try:
        yield
    except (BackendError, ConfigurationError) as error:
        raise pytest.UsageError(f"--persistent-backend: {error}") from error


def ask(text: str) -> None:
    """Ask the server that a URL names whether it can be used; stores without a server are not asked.

    Cost: 1 round trip.

    Raises:
        BackendError: It cannot be used.
    """
    url = StoreURL.parse(text)
    kind = find_backend(url.scheme)
    if url.scheme not in _FILES and not kind.in_process:
        with kind.from_url(url.with_secrets(kind.options)) as backend:
            if backend.path is None:
                backend.look([Key(_NAME)])


@contextmanager
def empty(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Make an empty store the default, and replace each configured backend by another, until the test has ended."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(stand_ins(_fresh_ones(request)))
        except ConfigurationError as error:
            raise pytest.fail.Exception(f"{_NAME}: {error}", pytrace=False) from None
        for backend in made:
            stack.callback(_clear, backend)
        with suppress(ConfigurationError):  # bcrypt is not installed
            codec: Any = import_module("persistent_collections.codecs.bcrypt").BcryptCodec
            stack.enter_context(pytest.MonkeyPatch.context()).setattr(codec, "rounds_in_tests", ROUNDS)
        yield made[0]


def _fresh_ones(request: pytest.FixtureRequest) -> Callable[[Backend | None], Backend]:
    """Return what makes each store of a test; no frame that a test's traceback shows holds the URL and its password."""
    url = _url(request)
    check(url)
    return lambda replaced: _fresh(url, replaced, request)


def _url(request: pytest.FixtureRequest) -> str:
    """Return the URL of the marker, of the option or of an installed store, the first that exists."""
    marker = request.node.get_closest_marker(_NAME)
    if marker:
        match marker.args:
            case (str(url),) if not marker.kwargs:
                return url
        raise ConfigurationError(f"the marker takes one URL: @pytest.mark.{_NAME}('redis://localhost:6379/0')")
    option: str | None = request.config.getoption(_NAME)
    return option or _usual()


def _usual() -> str:
    try:
        find_backend("fakeredis")
    except ConfigurationError:
        return "memory:"
    return "fakeredis://"


def check(text: str) -> None:
    """Raise ``ConfigurationError`` unless ``text`` is the URL of a store in which each test can have its own part."""
    url = StoreURL.parse(text)
    kind = find_backend(url.scheme)
    if url.scheme in _FILES or kind.in_process:
        url.read_options(kind.options)
    elif _path(kind, url) is None and "prefix" not in kind.options:
        raise ConfigurationError(
            f"a {url.scheme}: store has neither a path nor the option 'prefix', so a test cannot have a part of its "
            "own; make an empty store in a fixture, and use_backend() it"
        )


def _path(kind: type[Backend], url: StoreURL) -> str | None:
    """Return the name of the file or directory of a store, None if it has no path; no I/O."""
    if url.scheme in _FILES:
        return _FILES[url.scheme]
    path = kind.from_url(url.with_secrets(kind.options)).path
    return None if path is None else path.name


def _fresh(text: str, replaced: Backend | None, request: pytest.FixtureRequest) -> Backend:
    """Return a backend on an empty part of the store at a URL, with the codec of the backend that it replaces."""
    url = StoreURL.parse(text)
    kind = find_backend(url.scheme)
    options = dict(url.options)
    if replaced is not None and replaced.codec is not None:
        options.setdefault("codec", replaced.codec)
    if kind.in_process:
        return observed(kind.from_url(StoreURL(url.scheme, url.netloc, url.path, options)), url)
    place, name = text.partition("?")[0], _path(kind, url)
    if name is not None:
        folder = request.getfixturevalue("tmp_path_factory").mktemp(f"{_NAME}-")
        place = url_of(url.scheme, folder / name, {}, {}).without_secrets({})
    else:
        options["prefix"] = f"{options.get('prefix', '')}pytest-{secrets.token_hex(8)}:"
    return connect(place, **options)


def _clear(backend: Backend) -> None:
    """Delete everything under the test's prefix, and close the backend; pytest keeps or deletes files."""
    if not backend.in_process and "prefix" in backend.options:
        roots: dict[str, list[Key]] = {}
        for key in backend.keys(""):
            roots.setdefault(key.root, []).append(key)
        for keys in roots.values():
            backend.commit([], [Delete(key) for key in keys])
    backend.close()

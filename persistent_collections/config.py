"""Which store an operation goes to: URLs, ``configure``, ``use_backend`` and their precedence.

The first that speaks wins: ``backend=`` on the object, ``backend=`` on its class, the innermost ``use_backend``,
``configure``, the environment variable ``PERSISTENT_COLLECTIONS_URL``, and last ``json:./persistent-data``. Nothing is
read and nothing is opened before an operation asks for its backend. A relative path becomes absolute then, once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

from persistent_collections.backends.base import Backend
from persistent_collections.backends.forks import late, lock_across_forks
from persistent_collections.backends.registry import find_backend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.backends.wrappers.observers import observed
from persistent_collections.errors import ConfigurationError

VARIABLE: Final = "PERSISTENT_COLLECTIONS_URL"
DEFAULT_URL: Final = "json:./persistent-data"

BackendSource: TypeAlias = str | Backend
"""The values that ``backend=`` accepts: a configured name, a URL (a ``str`` with ``:``) or a backend."""


class LazyBackend:
    """A URL whose backend is created on first use, and is always the same afterwards."""

    def __init__(self, url: str) -> None:
        StoreURL.parse(url)
        self._url = url

    @late
    def backend(self) -> Backend:
        """The backend of the URL."""
        return connect(self._url)


Choice: TypeAlias = str | Backend | LazyBackend | None
"""A backend somebody chose: by configured name, for good, at its first use, or not (None)."""

_lock: Final = lock_across_forks()
_connected: Final[WeakValueDictionary[object, Backend]] = WeakValueDictionary()
_in_process: Final[dict[object, Backend]] = {}
"""Those whose entries would be lost with them."""
_defaults: Final[dict[str, Backend]] = {}
"""The default backends of this process so far, by the URL as it stands: a relative path is looked up once."""
_named: dict[str, Backend] = {}
_chosen: Final[ContextVar[Choice]] = ContextVar("persistent_collections_backend", default=None)


def connect(url: str, **options: Any) -> Backend:
    """Return the backend of ``url``; no I/O, except that files with secrets are read.

    ::

        with connect("memory:") as store:
            settings = PersistentDict("settings", {"theme": "dark"}, backend=store)
            assert settings["theme"] == "dark"

    While a backend is in use, the same URL returns the same backend, if credentials, options and the absolute path are
    the same. An in-process store without a name is new each time; one with a name is kept.

    Args:
        url: Such as ``json:./data`` or ``redis://localhost:6379/0?prefix=app1:``.
        options: More of the options that the URL's query may hold, typed. In place of a secret one, such as
            ``password``, ``password_env`` names an environment variable that holds it, or ``password_file`` a file.

    Raises:
        ConfigurationError: The URL or an option is wrong, or the store's client library is not installed.
    """
    parsed = StoreURL.parse(url, options)
    kind = find_backend(parsed.scheme)
    parsed = parsed.with_secrets(kind.options)
    backend = kind.from_url(parsed)
    if kind.in_process and not (parsed.netloc or parsed.path.strip("/")):
        return observed(backend, parsed)
    return _shared(observed(_shared(backend, parsed), parsed), parsed)


def configure(source: str | Path | Mapping[str, Any]) -> None:
    """Set the backends of this process, and forget those of an earlier call; no I/O, except that files are read.

    ::

        configure({"backends": {"default": "memory:", "sessions": "memory:sessions"}})
        assert PersistentDict("visits", {"home": 1})["home"] == 1
        configure({})                                    # as if it had never been called

    If the default store has a relative path, the next use looks it up in the current folder again.

    Args:
        source: The URL of the default backend; or ``{"backends": {name: {"url": …, option: …}}}``, where ``default``
            names the default backend, and a plain URL or a backend may replace the inner dict; or the path of a TOML
            file with the same content. The options are those of :func:`connect`.

    Raises:
        ConfigurationError: Something in it is wrong; the earlier configuration stays.
    """
    global _named  # noqa: PLW0603 - put in place at once: a reader in another thread sees the old or the new
    _named = _read(source)
    for url in [url for url, backend in _defaults.items() if not backend.in_process]:
        _defaults.pop(url, None)


@contextmanager
def use_backend(backend: BackendSource) -> Iterator[Backend]:
    """Make ``backend`` the default within the block, in this thread or task; no I/O.

    ::

        with use_backend("memory:"):
            visits = PersistentDict("visits", {"home": 1})
        assert visits["home"] == 1                       # objects made in the block stay with its store

    Raises:
        ConfigurationError: The URL is wrong, or the name is not configured; or the block ends in another context than
            it began in.
    """
    choice = choose(backend)
    token = _chosen.set(choice)
    try:
        yield resolve(choice)
    finally:
        try:
            _chosen.reset(token)
        except ValueError as error:
            raise ConfigurationError(
                "use_backend() ends in another context than it began in, so it did not apply to the code in between; "
                "begin and end it in one function. In FastAPI, do that in the endpoint, not in a dependency that yields"
            ) from error


@contextmanager
def stand_ins(make: Callable[[Backend | None], Backend]) -> Iterator[list[Backend]]:
    """Replace the default backend and every configured one by others within the block, in all threads.

    At the end, the earlier settings of ``configure`` and ``use_backend`` are restored, whatever was set meanwhile.

    Args:
        make: Returns the replacement of a backend, given the configured one, or None if no default is configured. It
            is called once per store, even if the store has several names. ``connect`` forgets the replacement at the
            end of the block.

    Yields:
        The replacements, the default first.
    """
    global _named  # noqa: PLW0603 - as in configure()
    before = _named
    stores = {name: (backend, backend and backend.codec) for name, backend in {"default": None, **before}.items()}
    made = {store: make(store[0]) for store in dict.fromkeys(stores.values())}
    token, _named = _chosen.set(None), {name: made[store] for name, store in stores.items()}
    try:
        yield list(made.values())
    finally:
        _named = before
        _chosen.reset(token)
        with _lock:
            forgotten = [url for url, known in _connected.items() if known in made.values()]
            for url in forgotten:
                del _connected[url]
                _in_process.pop(url, None)


def named_backends() -> Mapping[str, Backend]:
    """Return the backends that ``configure`` set, by name."""
    return MappingProxyType(_named)


def current_backend() -> Backend:
    """Return the backend that an object without a choice uses at this moment; no I/O.

    ::

        with use_backend("memory:") as store:
            assert current_backend() is store

    Raises:
        ConfigurationError: The URL of the default is wrong.
    """
    return resolve(None)


def known_default() -> Backend | None:
    """Return the default backend if ``use_backend``, ``configure`` or the environment chose one, else None."""
    chosen = _chosen.get() is not None or "default" in _named or os.environ.get(VARIABLE)
    return resolve(None) if chosen else None


def choose(backend: BackendSource | None) -> Choice:
    """Return the argument of ``backend=`` as a choice to keep: a URL is connected at once, a name is looked up later.

    Raises:
        ConfigurationError: The argument is not a name, a URL or a backend.
    """
    if backend is None or isinstance(backend, Backend):
        return backend
    if not isinstance(backend, str):
        raise ConfigurationError(
            f"backend= takes a configured name, a URL or a backend, not {type(backend).__name__}; "
            "a client of redis-py goes in as RedisBackend(client)"
        )
    if not backend:
        raise ConfigurationError("backend= is empty; give a configured name or a URL, or leave it out for the default")
    return connect(backend) if ":" in backend else backend


def surrounding() -> Choice:
    """Return the choice of the innermost ``use_backend``."""
    return _chosen.get()


def resolve(choice: Choice) -> Backend:
    """Return the backend that ``choice`` means at this moment.

    Raises:
        ConfigurationError: The name is not configured, or the URL of the default is wrong.
    """
    if isinstance(choice, Backend):
        return choice
    if isinstance(choice, LazyBackend):
        return choice.backend
    if choice is None:
        inner = _chosen.get()
        return _default() if inner is None else resolve(inner)
    if choice == "default":
        return _default()
    try:
        return _named[choice]
    except KeyError:
        if "/" in choice or "\\" in choice:
            raise ConfigurationError(
                f"{choice!r} is not a configured name, and a store's URL starts with its scheme: "
                f"'json:{choice}' or 'sqlite:{choice}'"
            ) from None
        known = ", ".join(map(repr, sorted(_named))) or "none"
        raise ConfigurationError(
            f"no backend named {choice!r} is configured (known: {known}); see configure()"
        ) from None


def portable(backend: Backend) -> str:
    """Return the configured name or the URL by which another process finds ``backend``.

    Raises:
        ConfigurationError: It has no name, and its URL alone does not find it.
    """
    for name, configured in _named.copy().items():
        if configured is backend:
            return name
    if not backend.in_process and _connected.get(_full_url(backend, StoreURL.parse(backend.url))) is backend:
        return backend.url
    missing = "its store ends with this process" if backend.in_process else "its URL lacks its password or its client"
    raise ConfigurationError(
        f"another process could not find {backend!r}: {missing}; give it a name with configure(), there and here"
    )


def _read(source: object) -> dict[str, Backend]:
    """Return the named backends ``source`` describes; no I/O but the reading of files it names."""
    if isinstance(source, str) and ":" in source:
        return {"default": connect(source)}
    if isinstance(source, Path):
        source = _read_toml(source)
    if not isinstance(source, Mapping):
        shown = repr(source) if isinstance(source, str) else type(source).__name__
        remedy = '; give {"backends": {"default": backend}}' if isinstance(source, Backend) else ""
        raise ConfigurationError(
            f"configure() takes a URL (such as 'json:./data'), a mapping or a pathlib.Path to a TOML file, "
            f"not {shown}{remedy}"
        )
    unknown = source.keys() - {"backends"}
    if unknown:
        raise ConfigurationError(
            f"unknown setting {min(unknown)!r}; a configuration holds 'backends', a table of named backends"
        )
    tables = source.get("backends", {})
    if not isinstance(tables, Mapping):
        raise ConfigurationError(f"'backends' is a table of named backends, not a {type(tables).__name__}")
    return {name: _backend(name, table) for name, table in tables.items()}


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - it takes long, and few need it

    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", error)
        raise ConfigurationError(f"cannot read the configuration {str(path)!r}: {reason}") from error


def _backend(name: str, table: object) -> Backend:
    """Return the backend that one entry of a configuration describes."""
    if ":" in name:
        raise ConfigurationError(f"the backend name {name!r} contains a ':', which marks a URL; choose another name")
    if isinstance(table, Backend):
        return table
    options = dict(table) if isinstance(table, Mapping) else {"url": table}
    url = options.pop("url", None)
    if not isinstance(url, str):
        raise ConfigurationError(f"backend {name!r} must be a URL, a backend or a table with a 'url'")
    try:
        return connect(url, **options)
    except ConfigurationError as error:
        raise ConfigurationError(f"backend {name!r}: {error.problem}").with_remedies(*error.remedies) from error


def _shared(backend: Backend, url: StoreURL) -> Backend:
    """Return the only backend in use of a full URL, ``backend`` if it is the first."""
    full_url = _full_url(backend, url)
    with _lock:
        shared = _connected.setdefault(full_url, backend)
        if shared.in_process:
            _in_process[full_url] = shared
        return shared


def _full_url(backend: Backend, url: StoreURL) -> object:
    """Return the identity of a backend for ``connect``: the whole URL, secrets included."""
    secrets = {name: url.options.get(name) for name, option in backend.options.items() if option.secret}
    return type(backend), backend.url, url.netloc.rpartition("@")[0], frozenset(secrets.items())


def _default() -> Backend:
    backend = _named.get("default")
    if backend is None:
        url = os.environ.get(VARIABLE) or DEFAULT_URL
        backend = _defaults.get(url) or _remember(url)
    return backend


def _remember(url: str) -> Backend:
    """Return the backend of a URL nobody connected to, the same one from now on, wherever the process goes."""
    with _lock:
        try:
            return _defaults.setdefault(url, connect(url))
        except ConfigurationError as error:
            raise ConfigurationError(f"{VARIABLE}: {error.problem}").with_remedies(*error.remedies) from error

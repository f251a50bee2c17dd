"""The registry of URL schemes and the stores that serve them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from persistent_collections.backends.base import Backend
from persistent_collections.backends.urls import imported
from persistent_collections.errors import ConfigurationError
from persistent_collections.remedies import ImportModule
from persistent_collections.suggestions import suggestion

ENTRY_POINT_GROUP: Final = "persistent_collections.backends"

_SOCKET: Final = "a server's socket is 'unix:///path/to/redis.sock'"
_BUILT_IN: Final = "persistent_collections.backends"
_schemes: dict[str, str] = {
    "json": f"{_BUILT_IN}.json:JSONBackend",
    "sqlite": f"{_BUILT_IN}.sqlite:SQLiteBackend",
    "memory": f"{_BUILT_IN}.memory:MemoryBackend",
    "fakeredis": f"{_BUILT_IN}.fakeredis:FakeRedisBackend",
    **dict.fromkeys(("redis", "rediss", "unix", "valkey", "valkeys"), f"{_BUILT_IN}.redis:RedisBackend"),
    **dict.fromkeys(("redis+cluster", "rediss+cluster"), f"{_BUILT_IN}.redis:RedisBackend"),
    **dict.fromkeys(("redis+sentinel", "rediss+sentinel"), f"{_BUILT_IN}.redis:RedisBackend"),
}

schemes = MappingProxyType(_schemes)
"""The registered URL schemes and the ``module:Class`` each is served by."""


def register_backend(scheme: str, target: str, *, replace: bool = False) -> None:
    """Serve URLs of ``scheme`` by the class that ``target`` names; no I/O.

    ::

        register_backend("kept", "persistent_collections.backends.memory:MemoryBackend")
        assert PersistentDict("settings", {"theme": "dark"}, backend="kept:")["theme"] == "dark"

    The class is imported when such a URL is first used.

    Args:
        scheme: The part of the URL before the first ``:``.
        target: ``"package.module:Class"``; the class is a ``Backend``, and overrides ``from_url(url: StoreURL)``.
        replace: Whether to take the scheme from another class.

    Raises:
        ConfigurationError: The scheme is served by another class already, or ``target`` names no class.
    """
    if not (isinstance(target, str) and ":" in target):
        raise ConfigurationError(
            f"the store for {scheme!r} URLs is written 'package.module:Class', not {target!r}; its module is imported "
            "when such a URL is first used"
        )
    scheme = scheme.lower()
    if not replace and _schemes.get(scheme, target) != target:
        raise ConfigurationError(
            f"scheme {scheme!r} is served by {_schemes[scheme]!r}; give replace=True to put {target!r} in its place"
        )
    _schemes[scheme] = target


def find_backend(scheme: str) -> type[Backend]:
    """Return the class that serves URLs of ``scheme``, importing it.

    Raises:
        ConfigurationError: No class does, or it can't be imported, or isn't a backend.
    """
    target = _schemes.get(scheme)
    if target is None:
        from importlib.metadata import entry_points  # noqa: PLC0415 - it takes long, and few need it

        for point in entry_points(group=ENTRY_POINT_GROUP, name=scheme):
            target = point.value
            break
        else:
            hint = _SOCKET if "sock" in scheme else suggestion(scheme, _schemes)
            own = [] if hint.endswith("?") else [ImportModule("if it is yours, import the module that registers it")]
            raise ConfigurationError(
                f"no store is registered for {scheme!r} URLs (register_backend adds one); {hint}"
            ).with_remedies(*own)
    try:
        found = imported(target)
    except ConfigurationError:  # a missing extra of this package has its own error
        raise
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"the store for {scheme!r} URLs, {target!r}, cannot be imported: {error}; install its package, or correct "
            "what register_backend or the entry point names"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Backend)):
        raise ConfigurationError(f"the store for {scheme!r} URLs, {target!r}, is not a class derived from Backend")
    return found

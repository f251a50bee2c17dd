"""The wrappers that the URL of any store asks for."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from persistent_collections.backends.base import Backend
from persistent_collections.backends.urls import SWITCHES, StoreURL, imported

OBSERVERS: Final = MappingProxyType(
    {
        "spans": "persistent_collections.backends.wrappers.spans:TracedBackend",
        "warnings": "persistent_collections.backends.wrappers.warnings:WatchedBackend",
    }
)
"""The wrapper around all operations that each of ``SWITCHES`` asks for; the last is outermost."""


def observed(backend: Backend, url: StoreURL) -> Backend:
    """Return ``backend`` in the wrappers that the options of ``url`` request, or itself.

    Raises:
        ConfigurationError: The dependency of one is not installed.
    """
    for name in OBSERVERS:
        if SWITCHES[name].read(name, url.options.get(name, False)):
            backend = find_observer(name)(backend)
    return backend


def find_observer(option: str) -> Callable[[Backend], Backend]:
    """Return the wrapper that an option of ``OBSERVERS`` asks for, importing it.

    Raises:
        ConfigurationError: Its dependency is not installed.
    """
    found: Callable[[Backend], Backend] = imported(OBSERVERS[option])
    return found

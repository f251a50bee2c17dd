"""A store that records an OpenTelemetry span for every operation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from persistent_collections.backends.base import Backend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.backends.wrappers.base import Operation, WrappedBackend
from persistent_collections.errors import ConfigurationError

try:
    from opentelemetry.trace import SpanKind, StatusCode, TracerProvider, get_tracer
except ImportError as error:
    raise ConfigurationError(
        "the option 'spans' needs the API of OpenTelemetry: pip install 'persistent-collections[opentelemetry]'"
    ) from error

R = TypeVar("R")

_SYSTEMS: Final = {"rediss": "redis", "unix": "redis", "valkeys": "valkey"}
_ENDPOINT: Final = re.compile(r"(\[[^]]*\]|[^:,]+|(?=:)):?(\d*)")
_PORT: Final = 6379


class TracedBackend(WrappedBackend):
    """Pass everything on to another backend, each operation in a span, as ``?spans=on`` does.

    A span is called ``{operation} {type}``, as in ``get User`` and ``push_right User.friends``. Its kind is ``CLIENT``,
    and it has the attributes of a database client: ``db.system.name``, ``db.namespace``, ``db.operation.name``,
    ``db.collection.name``, ``server.address`` and ``server.port``. The span of a failed operation also has
    ``error.type``, the name of the exception's class.
    Values are in no span. Neither are ids, nor messages of errors, which name ids, unless you pass ``keys=True``.

    ::

        with connect("memory:") as store:
            settings = PersistentDict("settings", {"theme": "dark"}, backend=TracedBackend(store, keys=True))
            assert settings["theme"] == "dark"  # a span called "get PersistentDict"

    Cost: no round trip. Iteration makes one span per page, and one that finds the end.

    Args:
        backend: The store that does the work. Closing the wrapper closes it too.
        tracer_provider: The provider that receives spans; by default the global one at the start of each span.
        keys: Whether a span of one object has its key, as ``persistent_collections.key``, and a span that failed has
            the message of the error.

    Source: the semantic conventions of OpenTelemetry for database client spans and for Redis.
    """

    option = "spans"

    def __init__(self, backend: Backend, *, tracer_provider: TracerProvider | None = None, keys: bool = False) -> None:
        super().__init__(backend)
        self._tracer = get_tracer("persistent_collections", tracer_provider=tracer_provider)
        self._keys = keys
        self._place = _place(backend)

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        about: dict[str, Any] = {**self._place, "db.operation.name": operation.name}
        name = operation.name
        if collection := operation.collection:
            about["db.collection.name"] = collection
            name = f"{name} {collection}"
        if self._keys and len({key.root for key in operation.keys}) == 1:
            about["persistent_collections.key"] = str(operation.keys[0])
        with self._tracer.start_as_current_span(
            name, kind=SpanKind.CLIENT, attributes=about, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                return call()
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR, str(error) if self._keys else None)
                raise


def _place(backend: Backend) -> Mapping[str, str | int]:
    """Return the attributes that identify the store."""
    url = StoreURL.parse(backend.url)
    scheme = url.scheme.partition("+")[0]
    system = _SYSTEMS.get(scheme, scheme)
    if system not in ("redis", "valkey"):
        return {"db.system.name": system} | ({"db.namespace": unquote(url.path)} if url.path else {})
    path = "" if scheme == "unix" else url.path.strip("/")
    service, _, db = path.partition("/") if url.scheme.endswith("+sentinel") else ("", "", path)
    number = str(url.options.get("db") or db or 0)
    return {"db.system.name": system, "db.namespace": number, **_server(url, unquote(service))}


def _server(url: StoreURL, service: str) -> Mapping[str, str | int]:
    """Return the attributes of a server, of the servers of a cluster, or of the sentinels of a service.

    Source: "Database server address" in the conventions.
    """
    hosts = url.netloc.rpartition("@")[2]
    if service:
        return {"server.address": f"{hosts}/{service}"}
    if url.scheme == "unix":
        return {"server.address": unquote(url.path)}
    names, texts = zip(*_ENDPOINT.findall(hosts or ":"), strict=True)
    port, *others = {int(text or _PORT) for text in texts}
    if others:
        return {"server.address": hosts}
    address = {"server.address": ",".join(name.strip("[]") or "localhost" for name in names)}
    return address if port == _PORT else {**address, "server.port": port}

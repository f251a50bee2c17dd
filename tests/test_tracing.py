from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from persistent_collections import (
    Backend,
    BackendUnavailable,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    configure,
    connect,
    fetch,
)
from persistent_collections.backends.base import PAGE_SIZE
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.wrappers import spans as wrapper
from persistent_collections.backends.wrappers.spans import TracedBackend
from persistent_collections.testing import FaultyBackend
from persistent_collections.testing.backends import BackendSuite
from tests.servers import RunningServer


class Skipper(Record):
    name: str
    crew: PersistentList[Skipper] = child()


class Spans:
    """Spans that have ended, in the order in which they did."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def taken(self) -> list[ReadableSpan]:
        """Return those since the last time."""
        found = list(self._exporter.get_finished_spans())
        self._exporter.clear()
        return found

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.taken()]


def about(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def store(backend: Backend, spans: Spans) -> Iterator[TracedBackend]:
    """Give each kind of store, traced, as the default."""
    store = TracedBackend(backend, tracer_provider=spans.provider)
    configure({"backends": {"default": store}})
    yield store
    configure({})


def test_each_operation_is_a_span_named_by_method_and_type(store: TracedBackend, spans: Spans) -> None:
    luke = Skipper("luke", name="Luke", crew=[Skipper.ref("han")])
    assert spans.names == ["commit Skipper"]
    assert luke.name == "Luke"
    luke.crew.append(luke)
    assert list(luke.crew)[1].name == "Luke"
    assert spans.names == [
        *("get Skipper", "push_right Skipper.crew"),
        *("size Skipper.crew", "get_slice Skipper.crew", "get Skipper"),
    ]
    assert list(fetch(luke.crew, "name")) == [{"name": "Luke"}]
    assert spans.names == ["get_slice Skipper.crew", "get_many Skipper", "examine Skipper"]
    assert list(fetch([luke], "name")) == [{"name": "Luke"}]
    assert spans.names == ["get_many Skipper"]
    assert luke.delete()
    assert not luke
    assert luke.ttl() is None
    assert spans.names == ["commit Skipper", "look Skipper", "look Skipper"]
    PersistentSet("colours").add("red")
    PersistentDict("settings")["theme"] = "dark"
    assert Skipper.count() == 0
    assert len(list(store.keys(""))) == 2
    store.look(list(store.keys("")))
    assert spans.names == ["add PersistentSet", "set_many PersistentDict", "keys Skipper", "keys", "keys", "look"]


def test_a_span_has_the_attributes_of_a_database_client(server: RunningServer, spans: Spans) -> None:
    with connect(server.url.replace("/0", "/3")) as backend:
        luke = Skipper("luke", name="Luke", backend=TracedBackend(backend, tracer_provider=spans.provider))
        luke.crew.append(luke)
        [_, span] = spans.taken()
    host, _, port = server.url.split("/")[2].partition(":")
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert about(span) == {
        "db.system.name": "redis",
        "db.namespace": "3",
        "db.operation.name": "push_right",
        "db.collection.name": "Skipper.crew",
        "server.address": host,
        "server.port": int(port),
    }
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "persistent_collections"


PLACES: list[tuple[str, dict[str, Any]]] = [
    ("redis://localhost", {"db.system.name": "redis", "db.namespace": "0", "server.address": "localhost"}),
    (
        "rediss://app:secret@[::1]:6380/2?prefix=a:",
        {"db.system.name": "redis", "db.namespace": "2", "server.address": "::1", "server.port": 6380},
    ),
    ("valkey://v1:6379", {"db.system.name": "valkey", "db.namespace": "0", "server.address": "v1"}),
    ("unix:///run/r.sock?db=1", {"db.system.name": "redis", "db.namespace": "1", "server.address": "/run/r.sock"}),
    (
        "redis+cluster://h1:7000,h2:7000",
        {"db.system.name": "redis", "db.namespace": "0", "server.address": "h1,h2", "server.port": 7000},
    ),
    (
        "redis+cluster://h1:7000,h2:7001",
        {"db.system.name": "redis", "db.namespace": "0", "server.address": "h1:7000,h2:7001"},
    ),
    (
        "redis+sentinel://s1:26379,s2:26379/mymaster/4",
        {"db.system.name": "redis", "db.namespace": "4", "server.address": "s1:26379,s2:26379/mymaster"},
    ),
    ("sqlite:///srv/my%20app.db", {"db.system.name": "sqlite", "db.namespace": "/srv/my app.db"}),
    ("json:///srv/data?fsync=off", {"db.system.name": "json", "db.namespace": "/srv/data"}),
    ("fakeredis://", {"db.system.name": "fakeredis"}),
    ("memory:cellar", {"db.system.name": "memory", "db.namespace": "cellar"}),
]


@pytest.mark.parametrize(("url", "attributes"), PLACES)
def test_the_place_of_a_store_is_told_as_the_conventions_have_it(url: str, attributes: dict[str, Any]) -> None:
    assert wrapper._place(connect(url)) == attributes


def test_iteration_makes_a_span_a_page_that_ends_before_the_caller_goes_on(store: TracedBackend, spans: Spans) -> None:
    squares = PersistentDict[int, int]("squares", {n: n * n for n in range(2 * PAGE_SIZE)})
    spans.taken()
    for _ in squares:
        assert trace.get_current_span() is trace.INVALID_SPAN
    names = spans.names
    assert set(names) == {"pages PersistentDict"}
    assert 3 <= len(names) <= 6
    assert len(list(PersistentDict.ids())) == 1
    assert spans.names == ["keys PersistentDict"]


def test_keys_are_found_a_page_at_a_time(spans: Spans) -> None:
    memory = TracedBackend(MemoryBackend(), tracer_provider=spans.provider)
    for number in range(PAGE_SIZE + 1):
        PersistentDict(number, {"a": 1}, backend=memory)
    spans.taken()
    found = PersistentDict.ids(backend=memory)
    assert next(found) == "0"
    assert spans.names == ["keys PersistentDict"]
    assert len(list(found)) == PAGE_SIZE
    assert spans.names == ["keys PersistentDict"]


def test_a_span_is_the_child_of_the_applications_and_the_parent_of_what_the_client_makes(spans: Spans) -> None:
    tracer = spans.provider.get_tracer("application")

    class Client(MemoryBackend):
        def read(self, key: Any) -> Any:
            with tracer.start_as_current_span("EXISTS"):
                return super().read(key)

    store = TracedBackend(Client(), tracer_provider=spans.provider)
    with tracer.start_as_current_span("GET /friends"):
        assert not Skipper.ref("luke", backend=store)
    client, operation, request = spans.taken()
    assert [span.name for span in (client, operation, request)] == ["EXISTS", "look Skipper", "GET /friends"]
    assert client.parent is not None
    assert operation.parent is not None
    assert client.parent.span_id == operation.get_span_context().span_id  # type: ignore[union-attr] # it has one
    assert operation.parent.span_id == request.get_span_context().span_id  # type: ignore[union-attr] # it has one


def test_a_span_of_another_thread_has_that_threads_parent(spans: Spans) -> None:
    store = TracedBackend(MemoryBackend(), tracer_provider=spans.provider)
    tracer = spans.provider.get_tracer("application")

    def work(number: int) -> None:
        with tracer.start_as_current_span(f"job {number}"):
            for _ in range(50):
                PersistentDict(number, backend=store).get("a")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    found = spans.taken()
    jobs = {span.get_span_context().span_id for span in found if span.name.startswith("job")}  # type: ignore[union-attr] # it has one
    parents = [span.parent.span_id for span in found if span.parent]
    assert set(parents) == jobs
    assert len(parents) == 200
    assert context.get_current() == {}


def test_what_fails_says_how_but_not_on_what(spans: Spans) -> None:
    faulty = FaultyBackend(connect("memory:"))
    store = TracedBackend(faulty, tracer_provider=spans.provider)
    luke = Skipper.ref("luke@example.com", backend=store)
    faulty.fail(BackendUnavailable)
    with pytest.raises(BackendUnavailable, match=r"luke@example\.com"):
        luke.name = "secret"
    [span] = spans.taken()
    assert about(span)["error.type"] == "BackendUnavailable"
    assert span.status.status_code is StatusCode.ERROR
    assert not span.events
    assert "luke@" not in span.to_json()
    assert "secret" not in span.to_json()


def test_keys_and_messages_of_errors_are_there_where_they_are_asked_for(spans: Spans) -> None:
    faulty = FaultyBackend(connect("memory:"))
    store = TracedBackend(faulty, tracer_provider=spans.provider, keys=True)
    luke = Skipper("luke@example.com", backend=store, name="secret", crew=[])
    luke.crew.append(luke)
    made, pushed = spans.taken()
    assert about(made)["persistent_collections.key"] == "Skipper:luke@example.com"
    assert about(pushed)["persistent_collections.key"] == "Skipper:luke@example.com:crew"
    faulty.fail(BackendUnavailable)
    with pytest.raises(BackendUnavailable):
        luke.name = "secret"
    [span] = spans.taken()
    assert "Skipper:luke@example.com" in (span.status.description or "")
    assert "secret" not in "".join(each.to_json() for each in (made, pushed, span))
    list(fetch([luke, Skipper.ref("han", backend=store)], "name"))
    assert not any("persistent_collections.key" in about(span) for span in spans.taken()[:1])


def test_spans_go_to_the_global_provider_of_the_time_and_nowhere_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stock = PersistentDict("stock", backend="memory:?spans=on")
    stock["apples"] = 3
    spans = Spans()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    assert stock["apples"] == 3
    assert spans.names == ["get PersistentDict"]


@pytest.mark.store("memory")
@pytest.mark.slow
class TestTracedBackend(BackendSuite):
    """What is traced is the store that it is."""

    @pytest.fixture
    def backend(self, spans: Spans) -> Backend:
        return TracedBackend(connect("memory:"), tracer_provider=spans.provider)

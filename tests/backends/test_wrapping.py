from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Collection, Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    config,
    configure,
    connect,
    use_backend,
)
from persistent_collections.backends.base import PAGE_SIZE, Examined, Wanted
from persistent_collections.backends.changes import Replace
from persistent_collections.backends.effects import operations_of
from persistent_collections.backends.keys import Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.shapes import MAPPING, SEQUENCE, SHAPES, Shape
from persistent_collections.backends.urls import StoreURL
from persistent_collections.backends.wrappers.base import Operation, WrappedBackend
from persistent_collections.backends.wrappers.spans import TracedBackend
from persistent_collections.backends.wrappers.warnings import WatchedBackend
from tests.servers import RunningServer

R = TypeVar("R")


class Topman(Record):
    name: str
    captain: Topman | None = None
    mates: PersistentList[Topman] = child()


class CountingBackend(WrappedBackend):
    """Takes note of each operation."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend)
        self.operations: list[Operation] = []

    def around(self, operation: Operation, call: Callable[[], R]) -> R:
        self.operations.append(operation)
        return call()


@pytest.fixture(params=["memory:{name}", "fakeredis://{name}", "sqlite:{folder}/app.db?synchronous=OFF", "server"])
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "server":
        server: RunningServer = request.getfixturevalue("server")
        yield f"{server.url}?prefix=app:"
    else:
        yield request.param.format(name=tmp_path.name.replace("_", "-"), folder=tmp_path)
    configure({})


def with_option(url: str, option: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{option}"


def test_without_an_option_nothing_is_wrapped(plain: str) -> None:
    assert not isinstance(connect(plain), WrappedBackend)
    assert connect(with_option(plain, "spans=off&warnings=no")) is connect(plain)


@pytest.mark.parametrize(("option", "kind"), [("spans", TracedBackend), ("warnings", WatchedBackend)])
def test_a_url_a_mapping_a_file_and_connect_turn_each_on(
    plain: str, option: str, kind: type[WrappedBackend], tmp_path: Path
) -> None:
    url = with_option(plain, f"{option}=on")
    backend = connect(url)
    assert type(backend) is kind
    assert connect(url) is connect(plain, **{option: True}) is connect(backend.url) is backend
    assert backend.url == with_option(connect(plain).url, f"{option}=on")
    file = tmp_path / "stores.toml"
    file.write_text(f'[backends.default]\nurl = "{plain}"\n{option} = true\n', "utf-8")
    for source in (url, {"backends": {"default": {"url": plain, option: True}}}, file):
        configure(source)
        assert config.current_backend() is backend


def test_both_are_turned_on_and_a_warning_is_in_no_span(plain: str) -> None:
    backend = connect(plain, warnings=True, spans="on")
    assert type(backend) is WatchedBackend
    assert type(backend.wrapped) is TracedBackend
    assert backend.wrapped.wrapped is connect(plain)
    assert connect(backend.url) is backend


def test_what_is_observed_is_the_same_store(plain: str) -> None:
    observed = connect(plain, spans=True)
    assert observed == connect(plain) == connect(plain, warnings=True)
    assert len({observed, connect(plain)}) == 1
    luke = Topman("luke", name="Luke", backend=observed)
    assert Topman.load("luke", backend=plain) == luke
    Topman("han", name="Han", captain=luke, mates=[luke], backend=plain)
    assert PersistentSet("a", {"x"}, backend=observed) | PersistentSet("b", {"y"}, backend=plain) == {"x", "y"}
    observed.close()
    assert luke.name == "Luke"


def test_all_that_is_reached_goes_the_same_way() -> None:
    counting = CountingBackend(MemoryBackend())
    with use_backend(counting):
        luke = Topman("luke", name="Luke", mates=[])
        luke.update(captain=luke)
        luke.mates.append(luke)
    [mate] = luke.mates
    del counting.operations[:]
    captain: Any = mate.captain
    assert captain.captain.mates[0].name == "Luke"
    assert [(each.shape, each.name, each.collection) for each in counting.operations] == [
        (MAPPING, "get", "Topman"),
        (MAPPING, "get", "Topman"),
        (SEQUENCE, "get", "Topman.mates"),
        (MAPPING, "get", "Topman"),
    ]
    assert all(found.__pc__.choice is counting for found in Topman.all(backend=counting))


def test_everything_a_store_does_is_passed_on() -> None:
    class Odd(MemoryBackend):
        several_roots = False

        @classmethod
        def options_in(cls, url: StoreURL) -> Mapping[str, object]:
            return {"read from": url.scheme}

        @property
        def path(self) -> Path:
            return Path("odd")

        def file(self, key: Key) -> Path:
            return Path(str(key))

        def strangers(self, type_names: Collection[str]) -> Iterator[tuple[str, str]]:
            return iter([(name, "strange") for name in type_names])

        def back_up(self, file: Path) -> None:
            backups.append(file)

        def default_of(self, option: str) -> object:
            return f"odd {option}"

    backups: list[Path] = []

    counting = CountingBackend(Odd("name"))
    key = Key("Topman:x")
    for name in (name for name in dir(Backend) if not name.startswith("_") and name not in ("around", "by_pages")):
        own, passed = getattr(counting.wrapped, name), getattr(counting, name)
        assert callable(own) or passed == own, name
    assert counting.options_in(StoreURL.parse("memory:")) == {"read from": "memory"}
    assert counting.file(key) == Path("Topman:x")
    assert counting.commit([], [Replace(key, {"f": b"1"})])
    assert counting.commit_once([], [Replace(key, {"f": b"1"})])
    assert not counting.takes_together([key, Key("Topman:y")]), "the store changes one object at a time"
    assert counting.commit_each([([], [Replace(key, {"f": b"1"})])]) == [True]
    assert counting.look([key]) == counting.wrapped.look([key])
    assert counting.get_many([(key, ["f"])]) == [[b"1"]]
    assert counting.examine([Wanted(key, ["f"])]) == [Examined([b"1"], [])]
    assert counting.snapshot([key]) == [({"f": b"1"}, None)]
    assert counting.snapshots([[key]]) == [[({"f": b"1"}, None)]]
    assert list(counting.keys("")) == [key]
    assert list(counting.strangers(["Topman"])) == [("Topman", "strange")]
    assert counting.default_of("codec") == "odd codec"
    counting.back_up(Path("copy.db"))
    assert backups == [Path("copy.db")]
    assert {operation.name for operation in counting.operations} == operations_of(Backend).keys()
    assert {operation.name: operation.effect for operation in counting.operations} == operations_of(Backend)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=lambda shape: shape.name)
def test_every_method_of_a_handle_is_an_operation_with_its_effect(shape: Shape) -> None:
    counting = CountingBackend(MemoryBackend())
    handle = counting.open(shape, Key("Topman:x"))
    for name, effect in operations_of(shape.interface).items():
        del counting.operations[:]
        parameters = signature(getattr(shape.interface, name)).parameters.values()
        needed = [_ARGUMENTS[each.name] for each in list(parameters)[1:] if each.default is each.empty]
        given = getattr(handle, name)(*needed)
        assert name != "pages" or list(given) is not None
        assert {(each.name, each.effect, each.shape) for each in counting.operations} == {(name, effect, shape)}


_ARGUMENTS: dict[str, Any] = {
    "by": 1,
    "data": b"1",
    "expected": b"1",
    "field": "f",
    "fields": ["f"],
    "index": 0,
    "items": {},
    "member": "a",
    "members": {"a"},
    "operation": "union",
    "others": [],
    "start": 0,
    "stop": 0,
    "times": 1,
    "where": slice(0, 1),
}


def test_the_keys_are_found_within_operations_a_page_at_a_time() -> None:
    counting = CountingBackend(MemoryBackend())
    asked: list[int] = []

    class Listing(MemoryBackend):
        def stored_keys(self, prefix: str) -> Any:
            asked.append(len(counting.operations))
            return super().stored_keys(prefix)

    counting.wrapped = Listing()
    for number in range(PAGE_SIZE):
        PersistentDict(number, {"a": 1}, backend=counting)
    del counting.operations[:]
    found = counting.keys("PersistentDict:")
    assert asked == []
    assert len(list(found)) == PAGE_SIZE
    assert asked == [1]
    assert [operation.name for operation in counting.operations] == ["keys", "keys"]


@pytest.mark.parametrize("option", ["spans", "warnings"])
def test_a_handle_is_unpickled_to_the_same_wrapper(plain: str, option: str) -> None:
    observed = connect(plain, **{option: True})
    luke = Topman("luke", name="Luke", mates=[], backend=observed)
    if observed.in_process:
        with pytest.raises(ConfigurationError, match="give it a name"):
            pickle.dumps(luke)
        configure({"backends": {"bosuns": observed}})
    for found in (pickle.loads(pickle.dumps(luke)), pickle.loads(pickle.dumps(luke.mates)).__pc__.origin.owner):
        assert config.resolve(found.__pc__.choice) is observed
        assert found.name == "Luke"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_goes_on_where_it_was(server: RunningServer) -> None:
    numbers = PersistentList[int]("numbers", backend=f"{server.url}?spans=on&warnings=on")
    numbers.append(1)
    if (process := os.fork()) == 0:
        numbers.append(2)
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0
    assert numbers == [1, 2]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("span=on", "unknown option 'span' for 'memory'; did you mean 'spans'?"),
        ("warning=on", "unknown option 'warning' for 'memory'; did you mean 'warnings'?"),
        ("spans=often", "option 'spans' takes a bool ('on' or 'off' in a URL), not 'often'"),
        ("warnings=", "option 'warnings' takes a bool ('on' or 'off' in a URL), not ''"),
    ],
)
def test_an_option_that_is_misspelt_or_of_another_type_is_refused(options: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        connect(f"memory:?{options}")
    assert str(refused.value) == told
    with pytest.raises(ConfigurationError, match=r"backend 'x': option 'spans' takes a bool .*, not 3"):
        configure({"backends": {"x": {"url": "memory:", "spans": 3}}})

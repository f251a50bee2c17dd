from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from contextlib import suppress
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    BackendError,
    BackendUnavailable,
    ConfigurationError,
    ConflictError,
    CorruptDataError,
    OutcomeUnknown,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    configure,
    connect,
    use_backend,
)
from persistent_collections.backends import TracedBackend, WatchedBackend
from persistent_collections.backends.effects import operations_of
from persistent_collections.backends.handles import MappingStore, MemberStore, SequenceStore
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis.mapping import RedisMapping
from persistent_collections.testing import FaultyBackend
from persistent_collections.testing.backends import BackendSuite
from tests.servers import RunningServer
from tests.test_imports import BLOCK

READS = {
    *("look", "examine", "get_many", "snapshot", "snapshots", "keys", "strangers", "back_up"),
    *("get", "get_all", "contains", "size", "pages", "get_slice", "find", "count", "combine"),
}


class Basket(Record):
    owner: str
    goods: PersistentList[str] = child()


@pytest.fixture
def faulty(backend: Backend) -> FaultyBackend:
    return FaultyBackend(backend)


@pytest.fixture
def stock(faulty: FaultyBackend) -> PersistentDict[str, Any]:
    return PersistentDict("stock", {"apples": 3, "tags": ["green"]}, backend=faulty)


@pytest.mark.store("memory")
@pytest.mark.slow
class TestFaultyBackend(BackendSuite):
    """Without an order to fail it is the backend it wraps."""

    @pytest.fixture
    def backend(self) -> FaultyBackend:
        return FaultyBackend(connect("memory:"))


@pytest.mark.parametrize("kind", [BackendUnavailable, BackendError, CorruptDataError])
def test_an_operation_told_to_fail_does_so_once_and_does_nothing(
    faulty: FaultyBackend, stock: PersistentDict[str, Any], kind: type[BackendError]
) -> None:
    faulty.fail(kind)
    with pytest.raises(kind, match=f"'PersistentDict:stock': .* ordered this {kind.__name__} of .*; nothing was done"):
        stock["pears"] = 1
    assert stock == {"apples": 3, "tags": ["green"]}


@pytest.mark.parametrize("done", [True, False])
def test_a_write_that_times_out_was_made_or_not_and_reads_go_on(
    faulty: FaultyBackend, stock: PersistentDict[str, Any], done: bool
) -> None:
    faulty.fail(OutcomeUnknown, done=done)
    assert stock["apples"] == 3
    with pytest.raises(OutcomeUnknown, match="may or may not have been made"):
        stock.increment("apples")
    assert stock["apples"] == (4 if done else 3)


def test_a_conflict_is_what_the_next_write_if_unchanged_meets(
    faulty: FaultyBackend, stock: PersistentDict[str, Any]
) -> None:
    faulty.fail(ConflictError)
    stock["pears"] = 1
    with pytest.raises(ConflictError):
        stock["tags"].append("ripe")
    assert stock == {"apples": 3, "tags": ["green"], "pears": 1}
    stock["tags"].append("ripe")
    assert stock["tags"] == ["green", "ripe"]


def test_what_is_tried_again_after_a_conflict_succeeds(faulty: FaultyBackend) -> None:
    scores = PersistentList("scores", [3, 1, 2], backend=faulty)
    faulty.fail(ConflictError, times=2)
    scores.sort()
    assert scores == [1, 2, 3]
    assert not faulty.heal()
    faulty.fail(ConflictError)
    scores.remove(2)
    assert scores == [1, 3]


def test_after_times_and_only_say_which_operations_fail(faulty: FaultyBackend, stock: PersistentDict[str, Any]) -> None:
    faulty.fail(BackendUnavailable, after=1, times=2, only="reads")
    outcomes = []
    for _ in range(4):
        stock["pears"] = 1
        try:
            outcomes.append(stock["apples"])
        except BackendUnavailable:
            outcomes.append(None)
    assert outcomes == [3, None, None, 3]
    faulty.fail(BackendUnavailable, times=None, only="writes")
    for _ in range(3):
        assert stock["apples"] == 3
        with pytest.raises(BackendUnavailable):
            stock["apples"] = 4
    assert faulty.heal()
    assert not faulty.heal()
    stock["apples"] = 4


def test_operations_count_every_call_and_page(faulty: FaultyBackend, stock: PersistentDict[str, Any]) -> None:
    before = faulty.operations
    assert stock["apples"] == 3
    assert faulty.operations == before + 1
    faulty.fail(BackendUnavailable)
    with pytest.raises(BackendUnavailable):
        stock.clear()
    assert faulty.operations == before + 2
    faulty.fail(BackendUnavailable)
    with pytest.raises(BackendUnavailable):
        list(stock)
    faulty.fail(BackendUnavailable)
    with pytest.raises(BackendUnavailable):
        list(Basket.ids(backend=faulty))


def test_a_record_survives_a_failure_at_every_step_of_its_making(faulty: FaultyBackend) -> None:
    with use_backend(faulty):
        for step in count():
            faulty.fail(BackendUnavailable, after=step)
            with suppress(BackendUnavailable):
                Basket.create("x", owner="Leia", goods=["apples", "pears"]).goods.append("plums")
            failed = not faulty.heal()
            basket = Basket.ref("x")
            whole = {"owner": "Leia"}, ["apples", "pears"] + ["plums"] * (not failed)
            assert not basket or (basket.to_dict(), basket.goods[:]) == whole
            if not failed:
                break
            basket.delete()
        assert step == 2


def test_it_is_equal_to_what_it_wraps_and_may_be_configured(faulty: FaultyBackend, backend: Backend) -> None:
    assert faulty == backend
    assert hash(faulty) == hash(backend)
    assert (faulty.medium, faulty.ordered, faulty.codec) == (backend.medium, backend.ordered, backend.codec)
    configure({"backends": {"default": faulty}})
    try:
        PersistentSet("colours").add("red")
        faulty.fail(BackendUnavailable)
        with pytest.raises(BackendUnavailable, match="'PersistentSet:colours'"):
            PersistentSet("colours").add("blue")
    finally:
        configure({})
    assert PersistentSet("colours", backend=backend) == {"red"}
    if not backend.in_process:
        with pytest.raises(ConfigurationError, match="give it a name"):
            pickle.dumps(PersistentSet("colours", backend=faulty))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"kind": ValueError}, "fail\\(\\) takes BackendError, .*, not <class 'ValueError'>"),
        ({"kind": BackendUnavailable, "done": True}, "done=True is for OutcomeUnknown"),
        ({"kind": BackendError, "only": "write"}, "only= is 'reads' or 'writes'"),
        ({"kind": OutcomeUnknown, "only": "reads"}, "^only writes raise OutcomeUnknown; leave out only='reads'"),
        ({"kind": ConflictError, "only": "reads"}, "^only writes raise ConflictError; leave out only='reads'"),
        ({"kind": BackendError, "after": -1}, "after= is 0 or more"),
        ({"kind": BackendError, "times": 0}, "times= 1 or more"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        FaultyBackend(connect("memory:")).fail(**arguments)


@pytest.mark.parametrize("wrapper", [FaultyBackend, TracedBackend, WatchedBackend])
def test_a_wrapper_takes_a_backend_and_shows_no_url_that_it_was_given(wrapper: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^\w+ is put around a backend, such as connect\(.*\), not a str$"):
        wrapper("redis://:TheForce@localhost")


@pytest.mark.parametrize("interface", [Backend, MappingStore, SequenceStore, MemberStore])
def test_what_reads_and_what_writes_is_told_apart(interface: type) -> None:
    faulty = FaultyBackend(connect("memory:"))
    handles: dict[type, Any] = {
        Backend: faulty,
        MappingStore: faulty.mapping(Key("X:x")),
        SequenceStore: faulty.sequence(Key("X:x")),
        MemberStore: faulty.members(Key("X:x")),
    }
    handle = handles[interface]
    assert {name for name, effect in operations_of(interface).items() if effect == "reads"} <= READS
    for name in operations_of(interface):
        parameters = list(inspect.signature(getattr(interface, name)).parameters.values())[1:]
        arguments = [""] * len([each for each in parameters if each.default is each.empty])
        call = partial(getattr(handle, name), *arguments)
        faulty.fail(BackendUnavailable, only="reads" if name in READS else "writes")
        with pytest.raises(BackendUnavailable):
            list(call())


def test_pytest_is_not_needed(tmp_path: Path) -> None:
    script = BLOCK.format(module="pytest") + (
        "from persistent_collections import connect\n"
        "from persistent_collections.testing import FaultyBackend\n"
        "FaultyBackend(connect('memory:')).close()\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)


def test_a_page_that_is_empty_ends_no_walk(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = RedisMapping.pages
    monkeypatch.setattr(RedisMapping, "pages", lambda mapping: chain([[]], pages(mapping), [[]]))  # as HSCAN may give
    with connect(server.url) as backend:
        stock = PersistentDict("stock", {"apples": 3, "pears": 2}, backend=FaultyBackend(backend))
        assert dict(stock.items()) == {"apples": 3, "pears": 2}

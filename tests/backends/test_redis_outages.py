"""No write happens twice and none is lost silently: servers that stall or are killed, connections that are cut.

``OUTAGES`` says how many cases of each kind to run; ``--log-cli-level=INFO`` shows what became of them.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from random import Random
from typing import Any, Final, NamedTuple

import pytest

from persistent_collections import PersistentDict, PersistentList, PersistentSet, Record, child
from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Exists, FieldsAre, Make, Replace, SetFields
from persistent_collections.backends.handles import MappingStore
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.redis import RedisBackend, executor, handle
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import BackendUnavailable, OutcomeUnknown
from persistent_collections.testing.backends.base import read_content
from tests.proxy import Direction, Proxy, counted
from tests.servers import PATIENCE_S, RunningServer, run_server, wait_until

pytestmark = pytest.mark.store("server")

LOG: Final = logging.getLogger(__name__)
OUTAGES: Final = int(os.environ.get("OUTAGES", "20"))
MAX_ITEMS: Final = 1000
"""Items one command may carry in these tests, so that staging takes little."""

State = dict[Key, Content | None]


class Owner(Record):
    name: str
    tags: PersistentList[str] = child()
    notes: PersistentDict[str, str] = child()


class Operation(NamedTuple):
    """One operation of a front-end or backend, and what it starts from."""

    prepare: Callable[[Backend], object]
    run: Callable[[Backend], object]


def numbers(backend: Backend) -> PersistentList[Any]:
    return PersistentList("x", backend=backend)


def words(backend: Backend) -> PersistentDict[str, Any]:
    return PersistentDict("x", backend=backend)


def letters(backend: Backend) -> PersistentSet[str]:
    return PersistentSet("x", backend=backend)


def on_list(run: Callable[[PersistentList[Any]], object], start: list[object]) -> Operation:
    return Operation(lambda backend: numbers(backend).extend(start), lambda backend: run(numbers(backend)))


def on_dict(run: Callable[[PersistentDict[str, Any]], object], **start: object) -> Operation:
    return Operation(lambda backend: words(backend).update(start), lambda backend: run(words(backend)))


def on_set(run: Callable[[PersistentSet[str]], object], *start: str) -> Operation:
    return Operation(lambda backend: letters(backend).update(start), lambda backend: run(letters(backend)))


def on_owner(run: Callable[[Backend], object]) -> Operation:
    return Operation(lambda backend: Owner("x", backend=backend, name="before", tags=["a"], notes={"a": "b"}), run)


def assign(target: Any, place: object, value: object) -> None:
    target[place] = value


def repeat(items: PersistentList[Any]) -> None:
    items *= 2


def toggle(items: PersistentSet[str], *members: str) -> None:
    items ^= set(members)


def on_family(run: Callable[[Backend], object]) -> Operation:
    return Operation(lambda backend: backend.commit([], [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"a", b"b"])]), run)


def own(backend: Backend) -> MappingStore:
    return backend.mapping(KEY, is_record=True)


FEW: Final[list[object]] = [3, 1, 2, 1]
MANY: Final = [f"item {number} of many" for number in range(3 * MAX_ITEMS)]
KEY: Final = Key("Thing:x")
OTHER_CHILD: Final = Key("Thing:x", "members")
CHILD: Final = Key("Thing:x", "child")

OPERATIONS: Final = {
    "list.append": on_list(lambda items: items.append(4), FEW),
    "list.extend": on_list(lambda items: items.extend([4, 5]), FEW),
    "list.lpush": on_list(lambda items: items.lpush(4), FEW),
    "list.lpop": on_list(lambda items: items.lpop(), FEW),
    "list.rpop": on_list(lambda items: items.rpop(), FEW),
    "list.pop": on_list(lambda items: items.pop(1), FEW),
    "list.insert": on_list(lambda items: items.insert(2, 4), FEW),
    "list.remove": on_list(lambda items: items.remove(1), FEW),
    "list.reverse": on_list(lambda items: items.reverse(), FEW),
    "list.sort": on_list(lambda items: items.sort(), FEW),
    "list *= 2": on_list(repeat, FEW),
    "list[1:3] = ...": on_list(lambda items: assign(items, slice(1, 3), [7, 8, 9]), FEW),
    "list[:] = ...": on_list(lambda items: assign(items, slice(None), [7]), FEW),
    "list[:] = ..., to nothing": on_list(lambda items: assign(items, slice(None), []), FEW),
    "list.extend, staged": on_list(lambda items: items.extend(MANY), FEW),
    "list[:] = ..., staged": on_list(lambda items: assign(items, slice(None), MANY), FEW),
    "dict[...] = ...": on_dict(lambda items: assign(items, "a", 2), a=1),
    "dict.update": on_dict(lambda items: items.update(a=2, c=3), a=1, b=2),
    "dict.pop": on_dict(lambda items: items.pop("a"), a=1, b=2),
    "dict.popitem": on_dict(lambda items: items.popitem(), a=1),
    "dict.setdefault": on_dict(lambda items: items.setdefault("c", 3), a=1),
    "dict.increment": on_dict(lambda items: items.increment("a"), a=1),
    "dict.increment by a float": on_dict(lambda items: items.increment("a", 0.5), a=1),
    "dict[...].append": on_dict(lambda items: items["a"].append(2), a=[1]),
    "set.add": on_set(lambda items: items.add("c"), "a", "b"),
    "set.pop": on_set(lambda items: items.pop(), "a"),
    "set ^= ...": on_set(lambda items: toggle(items, "a", "c"), "a", "b"),
    "set ^= ..., to nothing": on_set(lambda items: toggle(items, "a", "b"), "a", "b"),
    "Record(...)": on_owner(lambda backend: Owner("x", backend=backend, name="after", tags=["b"], notes={"c": "d"}).id),
    "Record.create": on_owner(lambda backend: Owner.create("y", backend=backend, name="new", tags=["b"]).id),
    "Record.delete": on_owner(lambda backend: Owner.ref("x", backend=backend).delete()),
    "record's children = ...": on_owner(
        lambda backend: Owner("x", backend=backend, name="before", tags=["b", "c"], notes={}).id
    ),
    "record's child.append": on_owner(lambda backend: Owner.ref("x", backend=backend).tags.append("b")),
    "commit": on_family(
        lambda backend: backend.commit(
            [Exists(KEY), FieldsAre(KEY, {"f": b"1", "g": None})],
            [SetFields(KEY, {"g": b"2"}), Delete(CHILD), Replace(OTHER_CHILD, {"m"})],
        )
    ),
    "commit, a family": on_family(
        lambda backend: backend.commit([], [SetFields(KEY, {"f": None}, is_record=True), Replace(CHILD, [b"c"])])
    ),
    "commit.Make": Operation(
        lambda backend: backend.commit([], [Replace(CHILD, [b"a", b"b"])]),
        lambda backend: backend.commit([], [Make(KEY, {"f": b"1"}, [CHILD, OTHER_CHILD]), Replace(OTHER_CHILD, {"m"})]),
    ),
    "commit.Make, there already": on_family(
        lambda backend: backend.commit([], [Make(KEY, {"f": b"2"}, [CHILD]), Replace(CHILD, [b"c"])])
    ),
    "commit.Delete": on_family(lambda backend: backend.commit([Exists(KEY)], [Delete(KEY, [CHILD])])),
    "commit, another shape": on_family(
        lambda backend: backend.commit([], [SetFields(KEY, {"f": b"2"}), Delete(CHILD), Replace(CHILD, {"m"})])
    ),
    "record's fields": on_family(lambda backend: own(backend).set_many({"f": b"2", "g": b"3"})),
    "record's fields, unset": on_family(lambda backend: own(backend).set_many({"f": None, "x": None})),
    "record's last field": on_family(lambda backend: own(backend).pop("f")),
    "record's last field, deleted": on_family(lambda backend: own(backend).delete("f")),
    "record, emptied": on_family(lambda backend: own(backend).replace({})),
    "child's items": on_family(lambda backend: backend.sequence(CHILD).push_right([b"c"])),
    "child's last items": on_family(lambda backend: backend.sequence(CHILD).repeat(0)),
    "child's first item": on_family(lambda backend: backend.members(OTHER_CHILD).add({"m"})),
}


class Undisturbed(NamedTuple):
    """What an operation does where nothing fails."""

    before: State
    after: State
    result: object


class Trial:
    """Runs operations through one backend and looks at what they did through another.

    Attributes:
        outcomes: How often each outcome was seen.
    """

    def __init__(self, backend: RedisBackend, observer: RedisBackend) -> None:
        self.backend, self.observer = backend, observer
        self.outcomes: Counter[str] = Counter()

    def prepare(self, operation: Operation) -> State:
        for key in [*self.observer.keys("")]:
            self.observer.commit([], [Delete(key)])
        operation.prepare(self.observer)
        return self.state()

    def state(self) -> State:
        """Return what is stored; what a server that stalled executes between two of these reads is waited for."""
        seen = None
        while seen != (now := {key: read_content(self.observer, key) for key in self.observer.keys("")}):
            seen = now
        return now

    def undisturbed(self, operation: Operation) -> Undisturbed:
        before = self.prepare(operation)
        result = operation.run(self.observer)  # which is patient, also where the machine is busy
        with suppress(BackendUnavailable):
            self.backend.look([KEY])  # leaves a connection open
        expected = Undisturbed(before, self.state(), result)
        assert expected.before != expected.after, "an operation that changes nothing shows nothing"
        return expected

    def run(self, operation: Operation, disturbed: AbstractContextManager[None]) -> None:
        """Run ``operation`` while it is ``disturbed``, and judge what came of it by what is stored then."""
        expected = self.undisturbed(operation)
        self.prepare(operation)
        failure: BackendUnavailable | OutcomeUnknown | None = None
        with disturbed:
            try:
                assert operation.run(self.backend) == expected.result
            except (BackendUnavailable, OutcomeUnknown) as error:
                failure = error
        now = self.state()
        match failure:
            case None:
                assert now == expected.after, "it was acknowledged, so it was done, and once"
                outcome = "done"
            case BackendUnavailable():
                assert now == expected.before, "nothing was done, it said"
                outcome = "not done"
            case OutcomeUnknown():
                assert now in (expected.before, expected.after), "done or not, but not in part and not twice"
                outcome = "unknown, done" if now == expected.after else "unknown, not done"
        self.outcomes[outcome] += 1


SCHEMES: Final = {"server": "redis", "cluster": "redis+cluster"}
KINDS: Final = pytest.mark.parametrize("kind", SCHEMES)


@contextmanager
def run(kind: str, *options: str) -> Iterator[RunningServer]:
    """Run a server, or a cluster of one node, so that every operation goes by the node that fails."""
    if kind == "server":
        with run_server(None, *options) as running:
            yield running
        return
    with run_server(None, "--cluster-enabled", "yes", *options) as node:
        with node.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]  # redis-py's
            wait_until(lambda: client.cluster("INFO")["cluster_state"] == "ok", "the cluster did not start")
        yield node


def connect(kind: str, port: int, options: str = "") -> RedisBackend:
    return RedisBackend.from_url(StoreURL.parse(f"{SCHEMES[kind]}://127.0.0.1:{port}?{options}"))


@pytest.fixture(autouse=True)
def small_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "MAX_ITEMS", MAX_ITEMS)
    monkeypatch.setattr(handle, "MAX_ITEMS", MAX_ITEMS)


@contextmanager
def trial(kind: str, port: int, observed_port: int, options: str) -> Iterator[Trial]:
    """Give what runs operations over ``port``, and log their outcomes at the end."""
    with connect(kind, port, options) as backend, connect(kind, observed_port, "retry_for_s=30") as observer:
        made = Trial(backend, observer)
        yield made
    LOG.info("%s: %d cases: %s", kind, made.outcomes.total(), dict(made.outcomes))


def drawn(random: Random, count: int) -> Iterator[Operation]:
    """Yield operations in random order, each as often as the others."""
    names: list[str] = []
    for _ in range(count):
        names = names or random.sample(list(OPERATIONS), len(OPERATIONS))
        yield OPERATIONS[names.pop()]


@contextmanager
def meanwhile(action: Callable[[], object], delay_s: float) -> Iterator[None]:
    """Do ``action`` so many seconds after the block begins, or before it does where that is none."""

    def wait_and_act() -> None:
        time.sleep(delay_s)
        action()

    if not delay_s:
        action()
        yield
        return
    thread = threading.Thread(target=wait_and_act)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def moment(random: Random) -> float:
    """Return when to disturb an operation of some tenths of a millisecond: before it, somewhere within, or after."""
    return random.choice([0, random.uniform(0.0, 0.001)])


@pytest.fixture(scope="module")
def real() -> Iterator[dict[str, RunningServer]]:
    with run("server") as single, run("cluster") as node:
        yield {"server": single, "cluster": node}


class TestStalls:
    """The server stands still: its operating system still takes what is sent, and it does it afterwards."""

    @KINDS
    @pytest.mark.slow
    def test_a_write_whose_server_stalls_is_done_once_or_told_to_be_unknown(self, kind: str) -> None:
        random, options = Random(1), "socket_timeout=0.1&retry_for_s=0.3"
        with run(kind) as stalling, trial(kind, stalling.port, stalling.port, options) as tried:
            for operation in drawn(random, OUTAGES):
                if random.random() < 0.3:
                    tried.backend.close()  # so that a connection has to be opened
                tried.run(operation, self.stalled(stalling, moment(random), random.choice([0.05, 0.25, 10])))

    @contextmanager
    def stalled(self, running: RunningServer, delay_s: float, most_s: float) -> Iterator[None]:
        """Let the server stand still after a delay, until the block ends but not longer than ``most_s``."""
        over = threading.Event()

        def stall() -> None:
            running.process.send_signal(signal.SIGSTOP)
            thread.start()

        def go_on() -> None:
            over.wait(most_s)
            running.process.send_signal(signal.SIGCONT)

        thread = threading.Thread(target=go_on)
        with meanwhile(stall, delay_s):
            yield
        over.set()
        thread.join()


class TestKills:
    """The server is killed and started again with what it had acknowledged."""

    @pytest.mark.parametrize("kind", ["server", pytest.param("cluster", marks=pytest.mark.slow)])
    def test_a_write_whose_server_is_killed_is_done_once_or_told_to_be_unknown(self, kind: str) -> None:
        random = Random(2)
        cases = OUTAGES if kind == "server" else OUTAGES // 4  # a node waits for 2 s before it serves again
        with (
            run(kind, "--appendonly", "yes", "--appendfsync", "always") as mortal,
            trial(kind, mortal.port, mortal.port, "retry_for_s=0.1") as tried,
        ):
            for operation in drawn(random, cases):
                tried.run(operation, self.killed(mortal, moment(random), at_once=random.random() < 0.5))

    @contextmanager
    def killed(self, running: RunningServer, delay_s: float, *, at_once: bool) -> Iterator[None]:
        """Kill the server after a delay, and start it again at once or at the end of the block."""

        def kill() -> None:
            running.stop()
            if at_once:
                running.start()

        with meanwhile(kill, delay_s):
            yield
        if not at_once:
            running.start()


@pytest.mark.slow
class TestCuts:
    """The connection is lost after some byte of a command or of its reply; the next one finds all well again."""

    @pytest.mark.parametrize(("kind", "protocol"), [("server", 2), ("server", 3), ("cluster", 3)])
    @pytest.mark.parametrize("name", OPERATIONS)
    def test_a_write_whose_connection_is_cut_is_done_once_or_told_to_be_unknown(
        self, real: dict[str, RunningServer], name: str, kind: str, protocol: int
    ) -> None:
        random, operation, running = Random(name), OPERATIONS[name], real[kind]
        with counted(running.port) as proxy:
            if kind == "cluster":
                announce(running, proxy.port)
            with trial(kind, proxy.port, running.port, f"protocol={protocol}") as tried:
                for begin in (lambda: None, lambda: forget(running, tried.backend)):
                    for direction, all_bytes in self.passed(tried, operation, proxy, begin).items():
                        places = range(all_bytes + 1)
                        for place in random.sample(places, min(OUTAGES // 10, len(places))):
                            tried.run(operation, self.cut(proxy, direction, place, begin))

    def passed(
        self, tried: Trial, operation: Operation, proxy: Proxy, begin: Callable[[], object]
    ) -> dict[Direction, int]:
        """Return how many bytes of an operation either side sends."""
        tried.undisturbed(operation)
        tried.prepare(operation)
        begin()
        proxy.reset()
        operation.run(tried.backend)
        return proxy.passed_bytes.copy()

    @contextmanager
    def cut(self, proxy: Proxy, direction: Direction, place: int, begin: Callable[[], object]) -> Iterator[None]:
        begin()
        proxy.cut_after(direction, place)
        yield
        give_up = time.monotonic() + PATIENCE_S
        while proxy.cut and time.monotonic() < give_up:
            time.sleep(0.0001)
        assert not proxy.cut, "the operation went by without coming to the place"


def announce(node: RunningServer, port: int) -> None:
    """Let a node of a cluster tell its clients to come by another port."""
    with node.client() as client:
        client.config_set("cluster-announce-port", port)
        wait_until(lambda: client.execute_command("CLUSTER", "SLOTS")[0][2][1] == port, "the port is not told")  # type: ignore[no-untyped-call]  # redis-py's


def forget(running: RunningServer, backend: RedisBackend) -> None:
    """Let the next operation open a connection and send the source of its script."""
    backend.close()
    with running.client() as client:
        client.script_flush()

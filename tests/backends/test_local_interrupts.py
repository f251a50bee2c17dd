"""An exception of a signal handler at any moment: a step is done or not, and everything goes on."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from persistent_collections import PersistentDict, PersistentList, connect
from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Replace, SetDeadline, SetFields
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.errors import BackendError, BackendUnavailable
from tests.injecting import ends_in_a_fork, ends_in_a_thread, handled_within, interruptions

# A file that was opened when the interrupt came is closed as it is collected, which warns of it.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"),
]

KEY, CHILD, LIST, SET = Key("User:luke"), Key("User:luke", "friends"), Key("List:x"), Key("Set:x")
OTHER = Key("Other:x")
KEYS = [KEY, CHILD, LIST, SET]

Operation = Callable[[Backend], object]
OPERATIONS: dict[str, Operation] = {
    "set a field": lambda backend: backend.mapping(KEY).set_many({"n": b"2"}),
    "append": lambda backend: backend.sequence(LIST).push_right([b"2"]),
    "add a member": lambda backend: backend.members(SET).add({"b"}),
    "delete a list": lambda backend: backend.sequence(LIST).replace([]),
    "change a family": lambda backend: backend.commit([], [SetFields(KEY, {"n": b"2"}), Replace(CHILD, [b"2"])]),
    "delete a family": lambda backend: backend.commit([], [Delete(KEY), Delete(CHILD)]),
    "set a deadline": lambda backend: backend.commit([], [SetDeadline(KEY, 1e6), SetDeadline(CHILD, 1e6)]),
    "read": lambda backend: backend.mapping(KEY).get_all(),
    "read a family": lambda backend: backend.snapshot([KEY, CHILD]),
    "list": lambda backend: list(backend.keys("")),
}


def stores(tmp_path: Path) -> dict[str, Backend]:
    return {"memory": MemoryBackend(), "json": JSONBackend(tmp_path / "data", fsync=False, lock_timeout_s=2)}


def prepare(backend: Backend) -> None:
    backend.commit([], [Delete(key) for key in (KEY, CHILD)])
    backend.commit([], [Replace(KEY, {"n": b"1"}), Replace(CHILD, [b"1"])])
    backend.sequence(LIST).replace([b"1"])
    backend.members(SET).replace({"a"})


def state(backend: Backend) -> list[tuple[Content, bool] | None]:
    entries = [backend.snapshot([key])[0] for key in KEYS]
    return [entry and (entry.content, entry.deadline is not None) for entry in entries]


def check_goes_on(backend: Backend, number: int) -> None:
    """Check that the next operation works, and now and then that another thread and a fork do."""
    assert backend.mapping(OTHER).increment("n", 1)
    if number % 10 == 0:
        assert ends_in_a_thread(lambda: backend.mapping(OTHER).increment("n", 1))
    if number % 40 == 0 and hasattr(os, "fork"):
        assert ends_in_a_fork(lambda: backend.mapping(OTHER).increment("n", 1))


def check_interrupts(backend: Backend, operation: Operation, stride: int) -> None:
    prepare(backend)
    before = state(backend)
    operation(backend)
    after = state(backend)
    prepare(backend)
    seen = []
    for number, _ in enumerate(interruptions(lambda: operation(backend), stride=stride)):
        found = state(backend)
        assert found in (before, after)
        seen.append(found)
        check_goes_on(backend, number)
        prepare(backend)
    assert before in seen
    assert list(backend.keys("Other:")) == [OTHER]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", ["memory", "json"])
def test_an_interrupt_at_some_moments_leaves_all_in_order(tmp_path: Path, name: str, operation: str) -> None:
    check_interrupts(stores(tmp_path)[name], OPERATIONS[operation], 23 if name == "memory" else 211)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("name", "stride"), [("memory", 1), ("json", 7), pytest.param("json", 1, marks=pytest.mark.proof)]
)
def test_an_interrupt_at_any_moment_leaves_all_in_order(tmp_path: Path, name: str, stride: int, operation: str) -> None:
    check_interrupts(stores(tmp_path)[name], OPERATIONS[operation], stride)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list descriptors")
def test_interrupts_leave_no_descriptors_and_no_files_behind(tmp_path: Path) -> None:
    backend = stores(tmp_path)["json"]
    prepare(backend)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for _ in interruptions(lambda: backend.sequence(LIST).push_right([b"2"]), stride=31):
        pass
    backend.sequence(LIST).push_right([b"3"])
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors
    assert [path.name for path in (tmp_path / "data/.store").iterdir() if path.name.startswith("temporary")] == []


@pytest.mark.parametrize("inner", ["set", "delete"])
def test_a_write_of_a_signal_handler_within_a_write_to_memory_is_not_lost(inner: str) -> None:
    backend = MemoryBackend()
    for moment in count():
        backend.commit([], [Replace(KEY, {"n": b"1", "m": b"0"})])

        def write() -> None:
            if inner == "set":
                backend.mapping(KEY).increment("n", 1)
            else:
                backend.mapping(KEY).pop("m")

        if not handled_within(lambda: backend.mapping(KEY).increment("n", 1), write, moment):
            break
        assert backend.mapping(KEY).get_all() == ({"n": b"3", "m": b"0"} if inner == "set" else {"n": b"2"})
    assert moment > 20


def test_what_a_signal_handler_puts_into_memory_while_it_is_deleted_stays() -> None:
    backend = MemoryBackend()
    outcomes = []
    for moment in count():
        backend.commit([], [Replace(KEY, {"n": b"1"})])
        if not handled_within(
            lambda: backend.commit([], [Delete(KEY)]), lambda: backend.mapping(KEY).set_many({"m": b"2"}), moment
        ):
            break
        outcomes.append(backend.mapping(KEY).get_all())
    assert outcomes.count({"m": b"2"}) > 2, "the handler wrote after the deletion was made"
    assert {} in outcomes, "the deletion was made after what the handler wrote"


def test_a_write_of_a_signal_handler_within_a_write_to_files_is_made_or_refused_at_once(tmp_path: Path) -> None:
    backend = stores(tmp_path)["json"]
    errors: list[BackendError] = []

    def write() -> None:
        assert backend.mapping(KEY).get("n") in (b"1", b"2")
        try:
            backend.mapping(KEY).increment("n", 1)
        except BackendError as error:
            errors.append(error)

    refused = made = 0
    for moment in count():
        backend.commit([], [Replace(KEY, {"n": b"1"})])
        errors.clear()
        if not handled_within(lambda: backend.mapping(KEY).increment("n", 1), write, moment):
            break
        assert backend.mapping(KEY).get("n") == (b"2" if errors else b"3")
        assert not any(isinstance(error, BackendUnavailable) for error in errors), "nobody waited"
        assert all("has interrupted another write of this thread" in str(error) for error in errors)
        refused, made = refused + len(errors), made + 1 - len(errors)
    assert refused
    assert made
    assert ends_in_a_thread(lambda: backend.mapping(KEY).increment("n", 1))


AT_EXIT = """
import sys
from persistent_collections import PersistentList, connect
log = PersistentList("log", backend=connect(sys.argv[1]))
log.append("main")
class Resource:
    def __del__(self):
        log.append("closed")
resource = Resource()
"""


@pytest.mark.parametrize("scheme", ["json", "sqlite"])
def test_a_finalizer_writes_while_the_interpreter_exits(scheme: str, tmp_path: Path) -> None:
    url = f"{scheme}:{tmp_path}/data"
    done = subprocess.run([sys.executable, "-c", AT_EXIT, url], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    assert PersistentList("log", backend=connect(url)) == ["main", "closed"]


class Visit:
    """What writes to a store when it is collected, and the store with it."""

    def __init__(self, url: str) -> None:
        self.me = self
        self.log = PersistentList[str]("log", ["begun"], backend=connect(url))

    def __del__(self) -> None:
        self.log.append("ended")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list descriptors")
@pytest.mark.parametrize("scheme", ["json", "sqlite"])
def test_a_finalizer_writes_to_a_store_that_is_collected_at_the_same_time(scheme: str, tmp_path: Path) -> None:
    gc.collect()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    url = f"{scheme}:{tmp_path}/data"
    Visit(url)
    gc.collect()
    assert PersistentList("log", backend=connect(url)) == ["begun", "ended"]
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


IN_ASCII = """
import sys
from persistent_collections import PersistentDict, PersistentCollectionsError, connect
store = connect(sys.argv[1])
PersistentDict("plain", backend=store)["a"] = "\\u00e9"
print(ascii(PersistentDict("plain", backend=store).copy()))
for call in (
    lambda: PersistentDict("Zo\\u00eb", backend=store).get("a"),
    lambda: PersistentDict("Zo\\u00eb", backend=store).update(a=1),
    lambda: list(store.keys("")),
):
    try:
        print(ascii(call()))
    except PersistentCollectionsError as error:
        print(type(error).__name__, ascii(str(error)))
""".replace("\\\\", "\\")


def test_in_an_ascii_locale_a_name_that_cannot_be_spelt_is_refused_with_a_remedy(tmp_path: Path) -> None:
    url = f"json:{tmp_path}/data"
    PersistentDict("Zoë", {"a": 1}, backend=connect(url))
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", IN_ASCII, url], capture_output=True, text=True, check=True, env=os.environ | locale
    )
    plain, *refused = done.stdout.splitlines()
    assert plain == "{'a': '\\xe9'}"
    assert len(refused) == 3
    assert all(line.startswith("BackendError") and "PYTHONUTF8=1" in line for line in refused)

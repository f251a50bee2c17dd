"""Each failure a user may meet: the error it gives, and the data as it was."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
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
    DecodeError,
    EncodeError,
    FormError,
    MutableValueWarning,
    NoIndexError,
    NotUnique,
    ObjectExists,
    ObjectNotFound,
    OutcomeUnknown,
    PageTokenError,
    PersistentCollectionsError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    SchemaChangedError,
    SlowHabitWarning,
    StillReferenced,
    TransactionError,
    UnknownFieldError,
    WrongShapeError,
    child,
    connect,
    errors,
)
from persistent_collections.backends.indexes import EntryKey, Indexing, IndexUnbuiltError
from persistent_collections.backends.keys import Key
from persistent_collections.remedies import Argument, ImportModule, NameCodec
from tests.servers import RunningServer, run_server


class Errand(Record):
    customer: str
    total: int
    lines: PersistentList[str] = child()


@pytest.fixture
def failing_server() -> Iterator[RunningServer]:
    with run_server() as server:
        yield server


TREE = {
    PersistentCollectionsError: (Exception,),
    EncodeError: (PersistentCollectionsError, TypeError),
    DecodeError: (PersistentCollectionsError, ValueError),
    FormError: (PersistentCollectionsError, ValueError),
    UnknownFieldError: (PersistentCollectionsError, KeyError, AttributeError),
    ObjectNotFound: (PersistentCollectionsError, KeyError),
    ObjectExists: (PersistentCollectionsError,),
    NotUnique: (ObjectExists,),
    StillReferenced: (PersistentCollectionsError,),
    NoIndexError: (PersistentCollectionsError, TypeError),
    PageTokenError: (PersistentCollectionsError, ValueError),
    WrongShapeError: (PersistentCollectionsError, TypeError),
    ConflictError: (PersistentCollectionsError,),
    CorruptDataError: (PersistentCollectionsError,),
    SchemaChangedError: (PersistentCollectionsError,),
    TransactionError: (PersistentCollectionsError,),
    ConfigurationError: (PersistentCollectionsError, ValueError),
    BackendError: (PersistentCollectionsError,),
    BackendUnavailable: (BackendError, ConnectionError),
    OutcomeUnknown: (BackendError, TimeoutError),
    SlowHabitWarning: (UserWarning,),
    MutableValueWarning: (UserWarning,),
}


def test_the_errors_are_this_tree() -> None:
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]
    assert {kind: kind.__bases__ for kind in found} == TREE


@pytest.mark.parametrize("kind", TREE)
def test_an_error_shows_its_message_and_is_pickled(kind: type[Exception]) -> None:
    error = kind("what happened")
    assert str(error) == "what happened"
    assert str(pickle.loads(pickle.dumps(error))) == "what happened"


@pytest.mark.parametrize("kind", [kind for kind in TREE if issubclass(kind, PersistentCollectionsError)])
def test_the_remedies_of_an_error_end_its_message_and_are_pickled(kind: type[PersistentCollectionsError]) -> None:
    remedies = (Argument("prefix", "a:", "names yours"), NameCodec("PersistentDict:d"), ImportModule("import it"))
    raised = kind("it is there").with_remedies(*remedies)
    for error in (raised, pickle.loads(pickle.dumps(raised))):
        assert (error.problem, error.remedies) == ("it is there", remedies)
        assert str(error) == (
            "it is there; prefix='a:' names yours; name its codec: codec={'PersistentDict:d': 'json'}; import it"
        )


def test_what_is_not_unique_is_pickled_with_its_field_and_the_other_record() -> None:
    error = pickle.loads(pickle.dumps(NotUnique("it is taken", field="email", other="User:luke")))
    assert (str(error), error.field, error.other) == ("it is taken", "email", "User:luke")


def test_an_index_that_is_not_whole_is_named_after_pickling() -> None:
    raised = IndexUnbuiltError(Indexing("User", (), lambda *_: EntryKey(b"")), ["email.text!"])
    error = pickle.loads(pickle.dumps(raised))
    assert (str(error), error.names) == (str(raised), ("email.text!",))


def test_a_form_error_is_pickled_with_its_messages() -> None:
    error = pickle.loads(pickle.dumps(FormError("wrong", errors={"born": "no date"})))
    assert (str(error), error.errors) == ("wrong", {"born": "no date"})


def test_an_error_that_is_located_keeps_its_remedies(backend: Backend) -> None:
    PersistentList("l", [Errand("o", customer="Leia", backend=backend)], backend=backend)
    raw = backend.sequence(Key("PersistentList:l"))
    raw.replace([data.replace(b"Errand", b"Errnad") for data in raw.get_slice(slice(None))])
    with pytest.raises(DecodeError) as caught:
        PersistentList("l", backend=backend)[0]
    assert caught.value.remedies[0] == ImportModule("import the module that defines this class")
    assert "a stored reference is to a 'Errnad'; import the module that defines this class" in str(caught.value)


@pytest.mark.parametrize("error", [KeyError, IndexError, ValueError, TypeError])
def test_what_a_built_in_would_raise_stays_just_that(store: Backend, error: type[Exception]) -> None:
    items: Any = PersistentList("l")
    d, members = PersistentDict("d"), PersistentSet("s")
    use: dict[type[Exception], list[Callable[[], object]]] = {
        KeyError: [lambda: d["x"], lambda: d.pop("x"), d.popitem, members.pop, lambda: members.remove("x")],
        IndexError: [lambda: items[0], items.pop, lambda: items.__setitem__(0, 1)],
        ValueError: [lambda: items.remove(1), lambda: items.index(1), lambda: items[::0]],
        TypeError: [lambda: items["x"], lambda: hash(d), lambda: items.extend(3)],
    }
    for each in use[error]:
        with pytest.raises(error) as caught:
            each()
        assert caught.type is error


@pytest.mark.parametrize(
    "url", ["jsn:./data", "redis//localhost", "redis://localhost/zero", "json://data", "json:", ""]
)
def test_a_wrong_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError):
        connect(url)


def test_a_stopped_server_is_unavailable_and_nothing_was_done(failing_server: RunningServer) -> None:
    with connect(failing_server.url, retry_for_s=0) as backend:
        order = Errand("o", customer="Leia", lines=["a"], backend=backend)
        failing_server.stop()
        uses: list[Callable[[], object]] = [
            lambda: order.customer,
            lambda: setattr(order, "total", 3),
            lambda: order.lines.append("b"),
            lambda: order.lines[:],
            lambda: order.update(total=1, lines=[]),
            order.delete,
            lambda: bool(order),
            lambda: list(Errand.ids(backend=backend)),
            lambda: order.increment("total"),
        ]
        for use in uses:
            with pytest.raises(BackendUnavailable) as caught:
                use()
            assert caught.value.__cause__ is not None
            assert str(failing_server.port) in str(caught.value)


def test_after_a_server_is_back_the_next_operation_reconnects(failing_server: RunningServer) -> None:
    with connect(failing_server.url, retry_for_s=0) as backend:
        items = PersistentList("items", ["a"], backend=backend)
        failing_server.stop()
        with pytest.raises(BackendUnavailable):
            items.append("b")
        failing_server.start()
        items.append("c")
        assert items == ["c"]


def test_a_write_that_was_not_answered_may_have_been_done_and_was_done_once(failing_server: RunningServer) -> None:
    with connect(failing_server.url, socket_timeout=0.2, retry_for_s=0) as backend:
        items = PersistentList("items", ["a"], backend=backend)
        with failing_server.stalled(), pytest.raises(OutcomeUnknown):
            items.append("b")
        assert items == ["a", "b"]


def test_a_corrupt_file_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    with connect(f"json:{tmp_path}") as backend:
        order = Errand("o", customer="Leia", lines=["a"], backend=backend)
        path = tmp_path / "Errand/o.json"
        path.write_text('{"customer": "Le', "utf-8")
        uses: list[Callable[[], object]] = [
            lambda: order.customer,
            lambda: setattr(order, "customer", "x"),
            lambda: order.increment("total"),
            order.to_dict,
            lambda: order.update(customer="x", lines=["b"]),
            order.delete,
        ]
        for use in uses:
            with pytest.raises(CorruptDataError, match=r"Errand/o\.json"):
                use()
            assert path.read_text("utf-8") == '{"customer": "Le'
        assert order.lines == ["a"]
        path.write_text('{"customer": "Leia"}', "utf-8")
        assert order.customer == "Leia"


@pytest.mark.parametrize("text", ["", "[", '"text"', "3", "null", '{"a": 1, "a": 2}', '{"a": NaN}', "\0"])
def test_whatever_is_no_object_or_array_is_corrupt(tmp_path: Path, text: str) -> None:
    with connect(f"json:{tmp_path}") as backend:
        settings = PersistentDict("s", {"a": 1}, backend=backend)
        path = tmp_path / "PersistentDict/s.json"
        path.write_text(text, "utf-8")
        with pytest.raises(CorruptDataError, match=r"PersistentDict/s\.json"):
            settings["b"] = 2
        assert path.read_text("utf-8") == text


@pytest.mark.parametrize(
    "use",
    [
        lambda d: d["a"],
        lambda d: d.update(a=1),
        lambda d: d.increment("a"),
        lambda d: d.clear(),
        lambda d: d.copy(),
        lambda d: d.setdefault("a", 1),
        list,
        len,
    ],
)
def test_a_list_opened_as_a_dict_is_a_wrong_shape_and_stays(store: Backend, use: Callable[[object], object]) -> None:
    class Items(PersistentList[int], name="shared"):
        pass

    class Fields(PersistentDict[str, int], name="shared"):
        pass

    items = Items("x", [1, 2])
    with pytest.raises(WrongShapeError, match="'shared:x'"):
        use(Fields("x"))
    assert items == [1, 2]


def test_a_record_opened_as_a_list_is_a_wrong_shape_and_stays(store: Backend) -> None:
    class Bill(Record):
        customer: str

    class Bills(PersistentList[int], name="Bill"):
        pass

    bill, bills = Bill("b", customer="Leia"), Bills("b")
    uses: list[Callable[[], object]] = [
        lambda: bills.append(1),
        lambda: bills[:],
        lambda: bills.extend([1, 2]),
        bills.reverse,
        bills.pop,
    ]
    for use in uses:
        with pytest.raises(WrongShapeError, match="'Bill:b'"):
            use()
    assert bill.customer == "Leia"


def test_an_unknown_field_writes_nothing(store: Backend) -> None:
    order = Errand("o", customer="Leia")
    with pytest.raises(UnknownFieldError, match="did you mean 'customer'"):
        order.update(total=3, custmer="Han")
    assert order.total == 0


@pytest.mark.parametrize("value", [object(), {"deep": [object()]}, lambda: None, {1, object()}, range(3), "\ud800"])
def test_an_unencodable_value_writes_nothing(store: Backend, value: Any) -> None:
    d, items = PersistentDict("d", {"a": 1}), PersistentList("l", [1])
    uses: list[Callable[[], object]] = [
        lambda: d.update(a=2, b=value),
        lambda: d.__setitem__("a", value),
        lambda: d.setdefault("c", value),
        lambda: items.extend([2, value]),
        lambda: items.__setitem__(0, value),
        lambda: items.insert(0, value),
        lambda: items.__setitem__(slice(0, 1), [2, value]),
        lambda: PersistentList("new", [1, value]),
    ]
    for use in uses:
        with pytest.raises(EncodeError, match="value"):
            use()
    assert (d.copy(), items[:], PersistentList("new")[:]) == ({"a": 1}, [1], [])


def test_a_full_or_forbidden_disk_is_a_backend_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the store's folder would be", "utf-8")
    with connect(f"json:{tmp_path}/data") as backend:
        items = PersistentList("items", backend=backend)
        with pytest.raises(BackendError) as caught:
            items.append(1)
        assert isinstance(caught.value.__cause__, OSError)
        assert f"{tmp_path}/data" in str(caught.value)
    assert (tmp_path / "data").read_text("utf-8").startswith("a file")


def test_a_read_only_server_is_a_backend_error_and_nothing_was_done(failing_server: RunningServer) -> None:
    with connect(failing_server.url, retry_for_s=0) as backend, failing_server.client() as client:
        items = PersistentList("items", ["a"], backend=backend)
        client.config_set("maxmemory", 1)
        with pytest.raises(BackendError):
            items.append("b" * 1000)
        client.config_set("maxmemory", 0)
        assert items == ["a"]


CRASH = """
import os, sys
from persistent_collections import PersistentDict, PersistentList, Record, child, connect

class Errand(Record):
    customer: str
    total: int
    lines: PersistentList[str] = child()

calls, dies_at = 0, int(sys.argv[2])

def counted(function):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == dies_at:
            os._exit(1)
        return function(*args, **kwargs)
    return call

backend = connect(f"json:{sys.argv[1]}")
order = Errand("o", backend=backend)
for name in ("replace", "fsync", "unlink", "link"):
    setattr(os, name, counted(getattr(os, name)))
order.update(customer="Han", total=2, lines=["c", "d"])
os._exit(0)
"""


@pytest.mark.slow
def test_a_crash_between_two_files_of_one_step_leaves_all_or_nothing(tmp_path: Path) -> None:
    outcomes = []
    for dies_at in range(1, 40):
        folder = tmp_path / str(dies_at)
        with connect(f"json:{folder}") as backend:
            order = Errand("o", customer="Leia", total=1, lines=["a", "b"], backend=backend)
            done = subprocess.run([sys.executable, "-c", CRASH, str(folder), str(dies_at)], check=False)
            found = (order.customer, order.total, order.lines[:])
            assert found in (("Leia", 1, ["a", "b"]), ("Han", 2, ["c", "d"]))
            outcomes.append(found[0])
            order.update(customer="Chewie", lines=["e"])
            assert (order.customer, order.total, order.lines[:]) == ("Chewie", found[1], ["e"])
        if done.returncode == 0:
            break
    else:
        pytest.fail("the write never ended")
    assert {"Leia", "Han"} == set(outcomes)
    assert outcomes == sorted(outcomes, reverse=True)
    assert len(outcomes) > 4


@pytest.mark.parametrize("spoilt", [b'{"password": "s3cret" x}', b'{"password": "s3cret\xfc"}'])
def test_the_cause_of_a_corrupt_file_does_not_hold_what_is_in_it(tmp_path: Path, spoilt: bytes) -> None:
    backend = connect(f"json:{tmp_path}")
    PersistentDict("x", {"a": 1}, backend=backend)
    (tmp_path / "PersistentDict" / "x.json").write_bytes(spoilt)
    with pytest.raises(CorruptDataError) as caught:
        PersistentDict("x", backend=backend).copy()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__

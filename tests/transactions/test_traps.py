"""What transactions refuse, and what goes wrong if they do not."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Thread
from typing import Annotated, Any

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    ConflictError,
    EncodeError,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    TransactionError,
    child,
    connect,
    fetch,
    on_commit,
    transaction,
    transactional,
    unique,
    use_backend,
)
from persistent_collections.backends import MemoryBackend
from persistent_collections.testing.transactions import elsewhere
from persistent_collections.transactions import limits
from tests.injecting import interruptions

SEVERAL_ROOTS = ["json", "sqlite", "server"]
"""Stores that outlive a backend and whose transactions are over several objects; a cluster refuses the second one."""


class Deposit(Record):
    balance: int = 0
    tags: list[list[str]] = []  # noqa: RUF012 - a default is made anew for each object
    log: PersistentList[str] = child()


@pytest.fixture
def d(store: Backend) -> PersistentDict[str, Any]:
    return PersistentDict("d", {"n": 1, "tags": [["a"]]})


def test_a_value_read_before_is_changed_with_the_transaction_or_not_at_all(d: PersistentDict[str, Any]) -> None:
    tags = d["tags"]
    inner = tags[0]
    with pytest.raises(ZeroDivisionError), transaction():
        inner.append("z")
        tags.append(["y"])
        assert d["tags"] == [["a", "z"], ["y"]]
        raise ZeroDivisionError
    assert d["tags"] == tags == [["a"]]
    assert inner == ["a"]
    with transaction():
        inner.append("b")
        elsewhere(lambda: d.update(n=2))
    assert d["tags"] == tags == [["a", "b"]]
    inner.append("c")
    assert d["tags"] == [["a", "b", "c"]]


def test_a_value_that_changed_since_it_was_read_is_a_conflict_at_its_line(d: PersistentDict[str, Any]) -> None:
    tags = d["tags"]
    elsewhere(lambda: d.update(tags=[]))
    with transaction():
        with pytest.raises(ConflictError):
            tags.append(["z"])
        with pytest.raises(ConflictError):
            tags.append(["z"])
        d["n"] = 5
    assert d.copy() == {"n": 5, "tags": []}
    assert tags == [["a"]]


def test_a_conflict_restores_values_in_hand(d: PersistentDict[str, Any]) -> None:
    tags = d["tags"]
    with pytest.raises(ConflictError), transaction():
        tags.append(["z"])
        elsewhere(lambda: d.update(tags=[["other"]]))
    assert tags == [["a"]]
    assert d["tags"] == [["other"]]


def test_a_conflict_names_the_part_that_was_read_and_no_value(d: PersistentDict[str, Any]) -> None:
    with pytest.raises(ConflictError) as caught, transaction():
        d.increment("n")  # it reads, and writes what it read plus 1
        elsewhere(lambda: d.increment("n"))
    assert str(caught.value) == (
        "'PersistentDict:d'['n'] has changed since the transaction read it; nothing was written, run it again"
    )
    assert d["n"] == 2


def test_a_conflict_names_the_first_of_many_parts_and_no_member_of_a_set(store: Backend) -> None:
    deposit = Deposit.create("x", balance=987, log=["secret"])
    marks = PersistentSet("marks", ["secret"]) if store.several_roots else None
    with pytest.raises(ConflictError) as caught, transaction():
        deposit.balance  # noqa: B018 - it is read
        deposit.log[0]
        assert marks is None or "secret" in marks
        elsewhere(lambda: deposit.update(balance=123))
    told = str(caught.value)
    assert "the transaction read 'Deposit:x'['balance'], " in told
    assert "'Deposit:x:log'[0]" in told
    assert "one of these has changed since; nothing was written" in told
    assert ("'PersistentSet:marks'" in told) is (marks is not None)
    assert not any(value in told for value in ("987", "123", "secret"))


def test_what_cannot_be_stored_is_refused_where_it_is_assigned(d: PersistentDict[str, Any]) -> None:
    with transaction():
        d["n"] = 2
        with pytest.raises(EncodeError, match="'x'"):
            d["x"] = object()
    assert d["n"] == 2


def test_two_stores_are_refused(d: PersistentDict[str, Any]) -> None:
    other = PersistentDict("d", {"n": 1}, backend=connect("memory:"))
    with transaction():
        d["n"] = 2
        with pytest.raises(TransactionError, match=r"is in one store.*memory:"):
            other["n"] = 2
    assert (d["n"], other["n"]) == (2, 1)
    with pytest.raises(TransactionError, match="is in one store"), transaction(backend="memory:"):
        d["n"] = 3
    assert d["n"] == 2


@pytest.mark.parametrize("store_kind", SEVERAL_ROOTS)
def test_one_store_by_two_backends_is_one(store: Backend, d: PersistentDict[str, Any]) -> None:
    same = PersistentDict("d", backend=f"{store.url}{'&' if '?' in store.url else '?'}warnings=on")
    with transaction():
        d["n"] = 2
        assert same["n"] == 2
    assert same["n"] == 2


def test_a_block_within_another_joins_it(d: PersistentDict[str, Any]) -> None:
    @transactional
    def add() -> None:
        d["n"] += 1
        elsewhere(lambda: d["n"] == 1 or pytest.fail("seen"))

    with transaction():
        add()
        with transaction():
            d["n"] += 1
        add()
        assert d["n"] == 4
    assert d["n"] == 4


def test_a_block_that_fails_within_another_fails_both(d: PersistentDict[str, Any]) -> None:
    with pytest.raises(TransactionError, match="ZeroDivisionError"), transaction():
        with contextlib.suppress(ZeroDivisionError), transaction():
            d["n"] = 2
            raise ZeroDivisionError
        with pytest.raises(TransactionError, match="ZeroDivisionError"):
            d["n"] = 3
    assert d["n"] == 1


def test_hooks_run_after_the_outermost_commit_and_never_again(d: PersistentDict[str, Any]) -> None:
    events: list[Any] = []

    def fail() -> None:
        events.append("fails")
        raise ConflictError("of the hook")

    @transactional
    def work() -> None:
        events.append("runs")
        on_commit(lambda: events.append(d["n"]))
        with transaction():
            on_commit(fail)
        on_commit(lambda: events.append("last"))
        n = d["n"]
        if events == ["runs"]:
            elsewhere(lambda: d.increment("n"))
        d["n"] = n + 1

    with pytest.raises(ConflictError, match="of the hook"):
        work()
    assert events == ["runs", "runs", 3, "fails", "last"]
    with contextlib.suppress(ZeroDivisionError), transaction():
        on_commit(lambda: events.append("never"))
        raise ZeroDivisionError
    with pytest.raises(TransactionError, match="on_commit"):
        on_commit(lambda: None)
    assert "never" not in events


async def _send_later() -> None:
    """Stand for a hook that would never run."""


@pytest.mark.parametrize("hook", [_send_later, functools.partial(_send_later)])
def test_a_hook_that_would_not_run_when_called_is_refused(
    hook: Callable[[], object], d: PersistentDict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=r"on_commit\(\) calls an ordinary function"), transaction():
        d["n"] = 2
        on_commit(hook)
    assert d["n"] == 1


@pytest.mark.parametrize("result", [None, 3])
def test_a_result_is_no_hook(result: Any, d: PersistentDict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"on_commit\(\) takes a function, not a result of type"), transaction():
        d["n"] = 2
        on_commit(result)
    assert d["n"] == 1


@pytest.mark.parametrize("given", [3, classmethod(lambda _: None), property(len)])
def test_only_a_function_is_transactional(given: Any) -> None:
    with pytest.raises(TypeError, match="write it below @classmethod"):
        transactional(given)


def test_a_block_decorates_no_function() -> None:
    block: Any = transaction()
    with pytest.raises(TypeError, match="write @transactional above a function"):
        block(len)


@pytest.mark.parametrize("options", [{"attempts": 0}, {"attempts": -1}, {"deadline_s": -0.5}])
def test_a_function_is_tried_at_least_once(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least once"):
        transactional(**options)


async def _send(name: str) -> None:
    """Stand for a mail that would never be sent."""


async def _stream(name: str) -> AsyncIterator[str]:
    yield name


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("hook", "kind"),
    [
        (lambda: _send("luke"), "coroutine"),
        (lambda: (n for n in (1, 2)), "generator"),
        (lambda: _stream("luke"), "async_generator"),
    ],
)
def test_a_hook_that_returns_what_nobody_runs_is_an_error_after_the_commit(
    store: Backend, hook: Callable[[], object], kind: str
) -> None:
    d, events = PersistentDict[str, int]("d"), list[str]()

    @transactional
    def change() -> None:
        d["n"] = 1
        on_commit(hook)
        on_commit(lambda: events.append("last"))

    with pytest.raises(TypeError, match=f"of on_commit\\(\\) returned a {kind}, so it did nothing; the commit stays"):
        change()
    assert (d["n"], events) == (1, ["last"])


def test_a_child_task_does_not_join(d: PersistentDict[str, Any]) -> None:
    async def child_task() -> None:
        with pytest.raises(TransactionError, match="another task"):
            d["n"] = 5
        with transaction():
            d["m"] = 1  # its own

    async def main() -> None:
        with transaction():
            n = d["n"]
            await asyncio.create_task(child_task())
            with pytest.raises(TransactionError, match="another task"):
                await asyncio.to_thread(lambda: d["n"])
            d["n"] = n + 1

    asyncio.run(main())
    assert d.copy() == {"n": 2, "tags": [["a"]], "m": 1}


def test_a_task_that_outlives_the_transaction_is_in_none(d: PersistentDict[str, Any]) -> None:
    async def late(begun: asyncio.Event) -> None:
        await begun.wait()
        d["late"] = 1

    async def main() -> None:
        begun = asyncio.Event()
        with transaction():
            task = asyncio.create_task(late(begun))
            d["n"] = 2
        begun.set()
        await task

    asyncio.run(main())
    assert d["late"] == 1


def test_tasks_have_transactions_of_their_own(d: PersistentDict[str, Any]) -> None:
    async def work(name: str, begun: asyncio.Event) -> None:
        with transaction():
            d[name] = 1
            begun.set()
            await asyncio.sleep(0)
            assert name in d

    async def main() -> None:
        await asyncio.gather(*(work(name, asyncio.Event()) for name in "xyz"))

    asyncio.run(main())
    assert {"x", "y", "z"} <= d.keys()


def test_a_thread_with_a_copied_context_does_not_join(d: PersistentDict[str, Any]) -> None:
    errors: list[str] = []

    def work() -> None:
        try:
            d["n"] = 9
        except TransactionError as error:
            errors.append(str(error))

    with transaction():
        d["n"] = 2
        thread = Thread(target=contextvars.copy_context().run, args=(work,))
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert d["n"] == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_block_that_does_not_include_its_code_says_so(d: PersistentDict[str, Any]) -> None:
    @contextlib.contextmanager
    def dependency() -> Iterator[None]:
        with transaction():
            yield

    block = dependency()
    contextvars.copy_context().run(block.__enter__)  # in a thread of its own, as FastAPI does
    d["n"] = 2
    with pytest.raises(TransactionError, match="did not include the code in between"):
        contextvars.copy_context().run(block.__exit__, None, None, None)
    d["n"] = 3
    elsewhere(lambda: d["n"] == 3 or pytest.fail("it goes on"))


def test_a_forked_child_does_not_commit_too(d: PersistentDict[str, Any]) -> None:
    numbers = PersistentList("numbers")
    code = 1
    try:
        with transaction():
            numbers.append(1)
            child_pid = os.fork()
    except TransactionError:
        code = 0
    finally:
        if child_pid == 0:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child_pid, 0)[1]) == 0
    assert numbers[:] == [1]


def test_generators_and_coroutines_are_refused(d: PersistentDict[str, Any]) -> None:
    def items() -> Iterator[Any]:
        with transaction():
            yield from d.items()

    with pytest.raises(TypeError, match="items would also apply to the code that iterates"):
        list(items())

    async def coroutine() -> None: ...

    async def asynchronous() -> Any:
        yield 1

    for function in (items, coroutine, asynchronous):
        with pytest.raises(TypeError, match="runs to its end at once"):
            transactional(function)

    @contextlib.contextmanager
    def inside() -> Iterator[None]:
        with transaction():
            yield

    with inside():
        d["n"] = 2
        elsewhere(lambda: d["n"] == 1 or pytest.fail("seen"))
    assert d["n"] == 2


def test_an_iterator_ends_with_its_transaction(d: PersistentDict[str, Any]) -> None:
    with transaction():
        keys = iter(PersistentDict("big", {str(n): n for n in range(3000)}))
        next(keys)
    with pytest.raises(TransactionError, match="has ended"):
        list(keys)


@pytest.mark.slow
def test_an_interrupt_within_entering_leaves_no_transaction(d: PersistentDict[str, Any]) -> None:
    gc.disable()
    try:
        block = transaction()
        block.__enter__()
        d["n"] = 5
        del block  # as if the interrupt came before the block began
        d["n"] = 7
    finally:
        gc.enable()
    assert_seen_elsewhere(d, 7)


def assert_seen_elsewhere(d: PersistentDict[str, Any], n: int) -> None:
    elsewhere(lambda: d["n"] == n or pytest.fail(f"{d['n']} instead of {n}"))


@pytest.mark.slow
@pytest.mark.store("memory")
def test_no_interrupt_leaves_a_function_in_its_transaction() -> None:
    d = PersistentDict[str, Any]("d", {"n": 1}, backend=MemoryBackend())
    conflicts: list[int] = []

    @transactional
    def work() -> None:
        n = d["n"]
        if not conflicts:
            conflicts.append(n)
            contextvars.Context().run(d.increment, "n")  # a conflict
        d["n"] = n + 1

    for _ in interruptions(work):
        d["n"] = 7
        assert_seen_elsewhere(d, 7)
        conflicts.clear()


def test_a_block_that_cannot_begin_is_not_entered(d: PersistentDict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="no backend named 'unknown'") as kept, transaction(backend="unknown"):
        pass
    d["n"] = 7
    assert_seen_elsewhere(d, 7)
    assert "known:" in str(kept.value)  # it kept the block until now


def test_an_operation_that_is_interrupted_halfway_writes_nothing(
    d: PersistentDict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(TransactionError, match="interrupted halfway"), transaction():
        d["m"] = 1
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("persistent_collections.transactions.cells.Cell.change", interrupt)
            d["n"] = 2
    assert "m" not in d


def test_too_much_at_once_is_refused(d: PersistentDict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransactionError, match=r"10001 fields.*10000 are the most"), transaction():
        PersistentList("many").extend(range(10_001))
    monkeypatch.setattr(limits, "MAX_BYTES", 2**20)
    with pytest.raises(TransactionError, match="2 MiB, and 1 MiB are the most"), transaction():
        PersistentList("large").append("x" * 2**21)
    assert not PersistentList("many")
    assert not PersistentList("large")


def test_a_function_that_never_wins_raises(d: PersistentDict[str, Any]) -> None:
    runs = []

    @transactional(attempts=3)
    def lose() -> None:
        runs.append(d["n"])
        elsewhere(lambda: d.increment("n"))
        d["n"] = 0

    with pytest.raises(ConflictError, match="in each of 3 attempts"):
        lose()
    assert runs == [1, 2, 3]
    runs.clear()
    with pytest.raises(ConflictError, match="in each of 1 attempts"):
        transactional(deadline_s=0.0)(lose.__wrapped__)()  # type: ignore[attr-defined]
    assert len(runs) == 1


def test_an_error_of_the_function_is_its_own_where_its_reads_hold(d: PersistentDict[str, Any]) -> None:
    runs = []

    @transactional
    def fail() -> None:
        runs.append((d["n"], d["tags"]))
        d["n"] = 5
        raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert (len(runs), d["n"]) == (1, 1)


def test_a_block_is_entered_once(d: PersistentDict[str, Any]) -> None:
    block = transaction()
    with block:
        d["n"] = 2
    with pytest.raises(TransactionError, match="entered before"), block:
        d["n"] = 3
    assert d["n"] == 2


def test_the_store_of_the_block_is_the_one_that_is_chosen_inside(d: PersistentDict[str, Any]) -> None:
    memory = connect("memory:")
    with transaction(), use_backend(memory) as chosen:
        assert chosen is memory
        PersistentDict("inside", {"x": 1})
    assert PersistentDict("inside", backend=memory).copy() == {"x": 1}


@pytest.mark.parametrize("store_kind", SEVERAL_ROOTS)
def test_an_item_moves_between_two_lists_at_once(store: Backend) -> None:
    todo, done = PersistentList("todo", ["a", "b"]), PersistentList("done")

    @transactional
    def move() -> None:
        done.append(todo.pop(0))
        elsewhere(lambda: todo.append("c") if len(todo) == 2 else None)

    move()
    assert (todo[:], done[:]) == (["b", "c"], ["a"])


@pytest.mark.parametrize("store_kind", SEVERAL_ROOTS)
def test_sets_are_combined_as_the_transaction_sees_them(store: Backend) -> None:
    one, two = PersistentSet("one", set("ab")), PersistentSet("two", set("bc"))
    with transaction():
        one.add("c")
        two.discard("b")
        assert one & two == {"c"}
    assert one.copy() == set("abc")


@pytest.mark.parametrize("store_kind", SEVERAL_ROOTS)
def test_many_records_are_read_together(store: Backend) -> None:
    for number in range(50):
        Deposit.create(str(number), balance=number)
    records = [Deposit.ref(str(number)) for number in range(50)]
    with transaction():
        records[7].balance = 70
        found = [row["balance"] for row in fetch(records, "balance")]
        assert found == [70 if number == 7 else number for number in range(50)]


@pytest.mark.parametrize("store_kind", SEVERAL_ROOTS)
def test_records_that_one_request_reads_are_of_one_moment(store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = Deposit.create("a", balance=10), Deposit.create("b", balance=0)
    get_many, runs = store.get_many, []

    @transactional
    def move() -> None:
        a.update(balance=7)
        b.update(balance=3)

    def between(wanted: Any) -> Any:
        found = get_many(wanted[:1])
        runs.append(len(wanted))
        if len(runs) == 1:
            elsewhere(move)
        return found + get_many(wanted[1:])

    @transactional
    def total() -> int:
        return sum(row["balance"] for row in fetch([a, b], "balance"))

    monkeypatch.setattr(store, "get_many", between)
    assert total() == 10
    assert runs == [2, 2]


class Badge(Record):
    owner: Annotated[str, unique]


class Apart(MemoryBackend):
    """Keeps index and record in different places, as a cluster does."""

    several_roots = False
    indexing = "unique"


def test_indexed_fields_are_refused_where_the_index_lies_elsewhere() -> None:
    store = Apart()
    with transaction(), pytest.raises(TransactionError, match="an index does not"):
        Badge.create("c", owner="c@", backend=store)
    assert list(store.keys("")) == []

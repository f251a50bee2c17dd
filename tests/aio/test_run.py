from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing
from typing import Any, TypeVar

import pytest
import trio

from persistent_collections import (
    Backend,
    ConfigurationError,
    ObjectNotFound,
    PersistentDict,
    PersistentList,
    Record,
    child,
    connect,
    current_backend,
    use_backend,
)
from persistent_collections.aio import FIRST_PAGE, LARGEST_PAGE, THREADS, configure, in_async, run, stream

T = TypeVar("T")

Loop = Callable[[Callable[[], Coroutine[Any, Any, T]]], T]


class Wizard(Record):
    name: str = ""
    spells: PersistentList[str] = child()


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> Loop[Any]:
    return trio.run if request.param == "trio" else in_asyncio


def in_asyncio(function: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(function())


@pytest.fixture
def few_threads() -> Iterator[None]:
    configure(threads=2)
    yield
    configure()


def learn(id: str, spell: str) -> int:
    wizard = Wizard.load(id)
    wizard.spells.append(spell)
    wizard.name += "!"
    return len(wizard.spells)


def test_a_function_runs_in_a_thread_of_its_own(store: Backend, loop: Loop[Any]) -> None:
    Wizard.create("gandalf", name="Gandalf")

    async def main() -> tuple[int, int, bool]:
        first = await run(learn, "gandalf", spell="light")
        return first, await run(learn, "gandalf", "fire"), await run(threading.get_ident) != threading.get_ident()

    assert loop(main) == (1, 2, True)
    assert (Wizard.load("gandalf").name, list(Wizard.load("gandalf").spells)) == ("Gandalf!!", ["light", "fire"])


def test_several_loops_one_after_another(loop: Loop[Any]) -> None:
    async def main() -> str:
        return await run(str, 3)

    assert [loop(main) for _ in range(3)] == ["3"] * 3


def test_the_context_holds_inside_and_ends_with_the_function(loop: Loop[Any]) -> None:
    inner, outer = connect("memory:"), connect("memory:")

    def choose() -> Backend:
        with use_backend(outer):
            return current_backend()

    async def main() -> list[Backend]:
        with use_backend(inner):
            return [await run(current_backend), await run(choose), await run(current_backend)]

    assert loop(main) == [inner, outer, inner]


def test_errors_of_the_function_are_raised(store: Backend, loop: Loop[Any]) -> None:
    async def main() -> None:
        await run(learn, "nobody", "light")

    with pytest.raises(ObjectNotFound):
        loop(main)


def test_stop_iteration_ends_nothing_silently(loop: Loop[Any]) -> None:
    async def main() -> None:
        await run(lambda: next(iter([])))

    with pytest.raises(RuntimeError, match="StopIteration"):
        loop(main)


def test_in_async_keeps_the_name(store: Backend, loop: Loop[Any]) -> None:
    Wizard.create("gandalf")
    learn_async = in_async(learn)

    async def main() -> int:
        return await learn_async("gandalf", spell="light")

    assert (loop(main), learn_async.__name__) == (1, "learn")


async def _coroutine() -> None: ...


def _generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("function", [_coroutine, _generator])
def test_what_is_no_ordinary_function_is_refused(function: Callable[..., Any], loop: Loop[Any]) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        in_async(function)

    async def main() -> None:
        await run(function)

    with pytest.raises(TypeError, match=function.__name__):
        loop(main)


def test_a_result_is_no_function(store: Backend, loop: Loop[Any]) -> None:
    result: Any = Wizard.all()

    async def streamed() -> list[Any]:
        return [each async for each in stream(result)]

    async def wrapped() -> Any:
        return in_async(result)

    told = r"{}\(\) takes a function and its arguments, not a result of type Found; write {}\(f, x\) for f\(x\)"
    for use, caller in ((lambda: run(result), "run"), (wrapped, "run"), (streamed, "stream")):
        with pytest.raises(TypeError, match=told.format(caller, caller)):
            loop(use)


def test_stream_refuses_a_coroutine_function() -> None:
    async def main() -> None:
        async for _ in stream(_coroutine):  # type: ignore[arg-type]
            pass

    with pytest.raises(TypeError, match="asynchronous already"):
        asyncio.run(main())


@pytest.mark.parametrize("count", [0, 1, FIRST_PAGE, 3 * FIRST_PAGE, LARGEST_PAGE + 57])
def test_stream_yields_all(count: int, loop: Loop[Any]) -> None:
    async def main() -> list[int]:
        return [item async for item in stream(range, count)]

    assert loop(main) == list(range(count))


def test_stream_of_records(store: Backend, loop: Loop[Any]) -> None:
    for number in range(3 * FIRST_PAGE):
        Wizard.create(str(number))

    async def main() -> set[str]:
        return {wizard.id async for wizard in stream(Wizard.all)}

    assert loop(main) == {str(number) for number in range(3 * FIRST_PAGE)}


def test_stream_yields_what_comes_before_an_error(loop: Loop[Any]) -> None:
    def three() -> Iterator[int]:
        yield from range(3)
        raise KeyError("x")

    seen = []

    async def main() -> None:
        async for item in stream(three):
            seen.append(item)  # noqa: PERF401 - what came before the error is kept

    with pytest.raises(KeyError):
        loop(main)
    assert seen == [0, 1, 2]


def test_a_stream_that_is_left_early_is_closed(loop: Loop[Any]) -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    async def main() -> None:
        async with aclosing(stream(endless)) as items:
            async for _ in items:
                break

    loop(main)
    assert closed == [True]


def test_a_stream_cancelled_while_a_page_is_read_is_closed_by_its_thread() -> None:
    started, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Iterator[int]:
        try:
            started.set()
            go_on.wait()
            yield 1
        finally:
            closed.set()

    async def walk() -> None:
        async for _ in stream(slow):
            pass

    async def main() -> None:
        task = asyncio.create_task(walk())
        await asyncio.to_thread(started.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not closed.is_set()
        go_on.set()
        assert await asyncio.to_thread(closed.wait, 20)

    asyncio.run(main())


def test_no_more_functions_run_at_once_than_threads(few_threads: None, loop: Loop[Any]) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def busy() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    async def in_tasks() -> None:
        await asyncio.gather(*(run(busy) for _ in range(8)))

    async def in_trio() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(run, busy)

    loop(in_trio if loop is trio.run else in_tasks)
    assert most == 2


def test_functions_are_handed_over_no_faster_than_they_run(few_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, handed_over = threading.Event(), []
    hand_over = asyncio.BaseEventLoop.run_in_executor

    def noted(*args: Any) -> Any:
        handed_over.append(args)
        return hand_over(*args)

    monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", noted)

    async def main() -> None:
        waiting = [asyncio.create_task(run(go_on.wait)) for _ in range(300)]
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(handed_over) == 2
        go_on.set()
        assert await asyncio.gather(*waiting) == [True] * 300

    asyncio.run(main())


@pytest.mark.parametrize("threads", [0, -1, True, "4"])
def test_a_wrong_number_of_threads_is_refused(threads: Any) -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        configure(threads=threads)


def test_tasks_that_share_one_handle(store: Backend) -> None:
    shared = PersistentDict[str, int]("shared", {"n": 0})

    async def main() -> None:
        await asyncio.gather(*(run(shared.increment, "n") for _ in range(5 * THREADS)))

    asyncio.run(main())
    assert shared["n"] == 5 * THREADS


def test_half_of_the_requests_are_cancelled_and_the_others_get_their_own_reply(store: Backend) -> None:
    numbers = PersistentDict[int, int]("numbers", {number: number for number in range(100)})

    def read(number: int) -> int:
        return numbers[number % 100] + number - number % 100

    async def main() -> list[int]:
        tasks = [asyncio.create_task(run(read, number)) for number in range(400)]
        await asyncio.sleep(0.01)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks[::2], return_exceptions=True)
        return list(await asyncio.gather(*tasks[1::2]))

    assert asyncio.run(main()) == list(range(1, 400, 2))
    assert numbers[7] == 7


def test_the_loop_goes_on_while_a_function_waits() -> None:
    go_on = threading.Event()

    async def main() -> None:
        waiting = asyncio.create_task(run(go_on.wait))
        await asyncio.sleep(0)  # while the function waits, the loop runs this very code
        go_on.set()
        assert await waiting

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_run_works_in_a_child_process() -> None:
    async def main() -> str:
        return await run(str, 3)

    assert asyncio.run(main()) == "3"
    pid = os.fork()
    if pid == 0:
        os._exit(0 if asyncio.run(main()) == "3" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_without_anyio_trio_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "anyio", None)

    async def main() -> None:
        await run(str)

    with pytest.raises(ConfigurationError, match=r"persistent-collections\[async\]"):
        trio.run(main)


def test_an_unfinished_stream_is_an_async_generator() -> None:
    assert isinstance(stream(range, 3), AsyncGenerator)

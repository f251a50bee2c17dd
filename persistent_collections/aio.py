"""The same models under asyncio: ordinary functions run beside the event loop.

The unit is a function, not an operation. Inside it, attributes, loops, ``in``, nested values and references work as
they do anywhere else, and no model is written twice::

    import asyncio
    from persistent_collections import PersistentList, Record, child
    from persistent_collections.aio import run

    class Pilot(Record):
        friends: PersistentList["Pilot"] = child()

    def befriend(a: str, b: str) -> int:
        pilot = Pilot.upsert(a)
        pilot.friends.append(Pilot.upsert(b))
        return len(pilot.friends)

    async def main() -> int:
        return await run(befriend, "luke", "han")

    assert asyncio.run(main()) == 1

A function runs in a thread, on every store. Under trio, ``anyio`` starts the thread. After ``configure(bridge=True)``,
functions for Redis run on the event loop of asyncio itself, which goes on while they wait.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from itertools import islice
from threading import Lock
from types import ModuleType
from typing import Any, Final, Generic, ParamSpec, TypeVar

from persistent_collections.config import known_default
from persistent_collections.errors import ConfigurationError
from persistent_collections.transactions.current import enter_loop

__all__ = ["configure", "in_async", "run", "stream"]

P = ParamSpec("P")
T = TypeVar("T")

THREADS: Final = 40
"""The number of functions that run at the same time, unless ``configure`` sets another."""

FIRST_PAGE: Final = 10
LARGEST_PAGE: Final = 1000


class _Threads:
    """The threads that functions run in, started on demand."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._number = THREADS
        self._executor: ThreadPoolExecutor | None = None
        self._limiter: Any = None  # one per event loop
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}

    def resize(self, number: int) -> None:
        """Limit simultaneous functions to ``number`` from now on; running ones continue."""
        with self._lock:
            before, self._executor, self._limiter, self._number = self._executor, None, None, number
            self._turns = {}
        if before is not None:
            before.shutdown(wait=False)

    def forget(self) -> None:
        """Start again in a child process, which has none of the threads."""
        self._lock, self._executor, self._limiter, self._turns = Lock(), None, None, {}

    def executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._number, "persistent-collections")
            return self._executor

    async def call(self, function: Callable[[], T]) -> T:
        """Return the result of ``function``, run in a thread; the loop continues meanwhile."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return await self._call_by_anyio(function)
        async with self._turn(loop):  # submitting hundreds of functions at once would block the loop
            return await loop.run_in_executor(self.executor(), _reported, function)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> asyncio.Semaphore:
        found = self._turns.get(loop)
        if found is None:
            found = asyncio.Semaphore(self._number)
            others = {other: turn for other, turn in self._turns.copy().items() if not other.is_closed()}
            self._turns = {**others, loop: found}
        return found

    async def _call_by_anyio(self, function: Callable[[], T]) -> T:
        try:
            from anyio import CapacityLimiter, lowlevel, to_thread  # noqa: PLC0415 - needed under trio only
        except ImportError as error:
            raise ConfigurationError(
                "outside asyncio, run() needs the package anyio: pip install 'persistent-collections[async]'"
            ) from error
        if self._limiter is None:
            self._limiter = lowlevel.RunVar("persistent_collections_threads")
        limiter = self._limiter.get(None)
        if limiter is None:
            limiter = CapacityLimiter(self._number)
            self._limiter.set(limiter)
        return await to_thread.run_sync(_reported, function, limiter=limiter)


_threads: Final = _Threads()
_bridge: ModuleType | None = None
"""The runner of functions on event loops, if enabled."""

os.register_at_fork(after_in_child=_threads.forget)


def configure(*, threads: int = THREADS, bridge: bool = False) -> None:
    """Choose how ``run`` and ``stream`` run functions in this process; no I/O. Running functions continue.

    ::

        configure(threads=100)

    With the bridge, a function runs on the event loop of asyncio, in a greenlet, if the default store is Redis or if
    none is configured. While the function waits for Redis, for another store or for the hash of a password, the loop
    continues. Many operations share one connection to each server. Everything else in the function blocks the loop.
    With another default store, and under trio, functions still run in threads.

    Args:
        threads: How many functions run in threads at the same time; others wait for a free thread.
        bridge: Whether functions for Redis run on the event loop.

    Raises:
        ConfigurationError: ``threads`` is not a positive integer, or the bridge cannot be used.
    """
    global _bridge  # noqa: PLW0603 - one for the process
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ConfigurationError(f"threads= is how many functions run at the same time, at least 1, not {threads!r}")
    _bridge = _load_bridge() if bridge else None
    _threads.resize(threads)


def _load_bridge() -> ModuleType:
    if not getattr(sys, "_is_gil_enabled", bool)() and hasattr(sys, "_is_gil_enabled"):
        raise ConfigurationError("greenlets are not safe in a Python without GIL; leave bridge= out")
    try:
        import hiredis  # noqa: F401, PLC0415 - it reads what comes over shared connections

        from persistent_collections import bridge  # noqa: PLC0415 - needs greenlet
    except ImportError as error:
        raise ConfigurationError(
            "bridge=True needs greenlet and hiredis; install persistent-collections[async]"
        ) from error
    bridge.enable()
    return bridge


async def run(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of ``function``, without blocking the event loop.

    ::

        async def main() -> int:
            return await run(pow, 2, 10)

        assert asyncio.run(main()) == 1024

    The function runs in a copy of your context: ``use_backend`` applies inside, and changes it makes end with it.
    You can use records and collections that it returns anywhere, but each further operation on them blocks the loop.

    If the task is cancelled, a function in a thread still runs to its end, and its result is dropped. With the bridge,
    the exception is raised in the function where it waits; a write that it waits for may or may not have been done.

    Cost: the round trips of the function, and about 100 µs for the change of threads, which the bridge saves.

    Args:
        function: An ordinary function. It is called once.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Raises:
        TypeError: It is a coroutine function or a generator function.
    """
    _require_ordinary(function)
    return await _called(partial(function, *args, **kwargs))


async def _called(function: Callable[[], T]) -> T:
    """Return the result of ``function`` in a copy of this context, beside the event loop or on it."""
    if _bridge is None or not _may_cross():
        return await _threads.call(partial(copy_context().run, function))
    result: T = await _bridge.call(partial(_crossed, function), _threads.call)
    return result


def _may_cross() -> bool:
    """Return whether a function may run on the event loop: an asyncio loop that can watch sockets."""
    loop = asyncio._get_running_loop()  # documented for frameworks; None under trio
    if loop is None or type(loop).add_reader is asyncio.AbstractEventLoop.add_reader:
        return False
    default = known_default()
    return default is None or default.yields


def _crossed(function: Callable[[], T]) -> T:
    enter_loop()
    return _reported(function)


def in_async(function: Callable[P, T], /) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return a coroutine function that calls ``function`` through ``run``.

    ::

        power = in_async(pow)
        assert asyncio.run(power(2, 10)) == 1024

    Cost: as ``run``, for each call.

    Raises:
        TypeError: It is a coroutine function or a generator function.
    """
    _require_ordinary(function)

    @wraps(function)
    async def coroutine(*args: P.args, **kwargs: P.kwargs) -> T:
        return await run(function, *args, **kwargs)

    return coroutine


async def stream(function: Callable[P, Iterable[T]], /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
    """Yield the items that ``function`` returns or yields; they are fetched in pages, each as by ``run``.

    ::

        async def main() -> list[int]:
            return [number async for number in stream(range, 100)]

        assert asyncio.run(main()) == list(range(100))

    The first page has 10 items, each further page twice as many, up to 1,000. If you leave the loop early, close the
    generator (``contextlib.aclosing``), like any other asynchronous generator.

    Cost: the round trips of the function, and one change of threads for each page.

    Args:
        function: Returns an iterable, or is a generator function. It is called once.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Raises:
        TypeError: It is a coroutine function.
    """
    _require_function(function, "stream")
    if iscoroutinefunction(function) or isasyncgenfunction(function):
        raise TypeError(f"{_name(function)} is asynchronous already; stream() takes an ordinary function")
    pages: _Pages[T] = _Pages(partial(function, *args, **kwargs))
    size = FIRST_PAGE
    try:
        while True:
            page, error = await _called(partial(pages.next, size))
            for item in page:
                yield item
            if error is not None:
                raise error
            if len(page) < size:
                return
            size = min(2 * size, LARGEST_PAGE)
    finally:
        pages.close()


class _Pages(Generic[T]):
    """The items of an iterable that is created and iterated in threads, one thread after another."""

    def __init__(self, function: Callable[[], Iterable[T]]) -> None:
        self._function = function
        self._context = copy_context()
        self._context.run(enter_loop)
        self._lock = Lock()
        self._iterator: Iterator[T] | None = None
        self._closed = False

    def next(self, size: int) -> tuple[list[T], Exception | None]:
        """Return up to ``size`` items, fewer at the end, and the exception that the iterable raised after them."""
        try:
            with self._lock:
                return self._context.run(self._page, size)
        finally:
            if self._closed:
                self.close()

    def close(self) -> None:
        """Close the iterable, as soon as no thread iterates over it."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            try:
                close = getattr(self._iterator, "close", None)
                if close is not None:
                    self._context.run(close)
            finally:
                self._lock.release()

    def _page(self, size: int) -> tuple[list[T], Exception | None]:
        page: list[T] = []
        try:
            if self._iterator is None:
                self._iterator = iter(self._function())
            page.extend(islice(self._iterator, size))
        except Exception as error:  # noqa: BLE001 - raised after the items before it were yielded
            return page, error
        return page, None


def _reported(function: Callable[[], T]) -> T:
    """Return the result of ``function``; an asyncio future can't carry ``StopIteration``, and would never end."""
    try:
        return function()
    except StopIteration as error:
        raise RuntimeError(
            "the function given to run() raised StopIteration; catch it there, or return a value instead"
        ) from error


def _require_function(given: object, caller: str) -> None:
    if not callable(given):
        raise TypeError(
            f"{caller}() takes a function and its arguments, not a result of type {type(given).__name__}; "
            f"write {caller}(f, x) for f(x), or {caller}(lambda: …)"
        )


def _require_ordinary(function: Callable[..., Any]) -> None:
    _require_function(function, "run")
    if iscoroutinefunction(function):
        raise TypeError(f"{_name(function)} is a coroutine function; await it, and give run() an ordinary function")
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        raise TypeError(f"{_name(function)} is a generator function; iterate over stream({_name(function)}, …)")


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)

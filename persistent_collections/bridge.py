"""Ordinary functions on an event loop of asyncio: each runs in its own greenlet, which waits without blocking."""

from __future__ import annotations

import asyncio
import os
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import copy_context
from itertools import count
from threading import get_ident
from typing import Any, Final, TypeAlias, TypeVar
from weakref import WeakSet

from greenlet import getcurrent, greenlet

from persistent_collections import flows
from persistent_collections.flows import Closing

T = TypeVar("T")

Aside: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Calls a function in a thread."""

_NONE: Final = 0
_counted: Final = count(1)
_free: Final[list[int]] = []  # numbers of runs that have ended
_ends: Final[dict[AbstractEventLoop, _End]] = {}


class Run(greenlet):
    """One function on an event loop.

    Attributes:
        loop: The event loop.
        number: Its identifier, negative and unique at any time; 0 in the child of a fork, which is on
            no event loop.
        notes: Data that other modules attach to it.
    """

    def __init__(self, function: Callable[[], Any], loop: AbstractEventLoop, aside: Aside) -> None:
        super().__init__(function)
        self.loop = loop
        self.number = _NONE
        self.notes: dict[Any, Any] = {}
        self._aside = aside

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Return the result of ``awaitable``; the loop continues meanwhile."""
        assert self.parent is not None  # noqa: S101 - only the main greenlet of a thread has none
        given: T = self.parent.switch(awaitable)
        return given

    def in_thread(self, call: Callable[[], T]) -> Awaitable[T]:
        """Call ``call`` in a thread, in the context of this function; return an awaitable for its result."""
        context = copy_context()
        return self._aside(lambda: context.run(call))

    def pause(self, seconds: float) -> None:
        """Wait for a time."""
        self.wait(asyncio.sleep(seconds))

    def close_at_end(self, resource: Closing) -> None:
        """Close ``resource`` when the loop ends; it is held weakly."""
        _ends[self.loop].resources.add(resource)


async def call(function: Callable[[], T], aside: Aside) -> T:
    """Return the result of ``function``, on the running event loop, which continues whenever it waits.

    If the task is cancelled, the exception is raised in the function where it waits.
    """
    loop = asyncio.get_running_loop()
    if loop not in _ends:
        await _watch(loop)
    run = Run(function, loop, aside)
    run.gr_context = copy_context()
    number = run.number = _take_number()
    try:
        given = run.switch()
        while not run.dead:
            try:
                value = await given
            except BaseException as error:  # noqa: BLE001 - it is raised where the function waits
                run.parent = getcurrent()
                given = run.throw(error)
            else:
                run.parent = getcurrent()  # an eager task may have begun it within another function
                given = run.switch(value)
    finally:
        _free.append(number)
    result: T = given
    return result


def enable() -> None:
    """Let functions run on event loops from now on."""
    flows.bridge(_crossing, _who)


class _End:
    """The resources to close when an event loop ends.

    Attributes:
        resources: Held weakly.
        watch: Ends when the loop does, which closes its asynchronous generators.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.resources: WeakSet[Closing] = WeakSet()
        self.watch = self._until(loop)

    def close(self) -> None:
        for resource in list(self.resources):
            resource.close()

    async def _until(self, loop: AbstractEventLoop) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            _ends.pop(loop, None)
            self.close()


async def _watch(loop: AbstractEventLoop) -> None:
    """Note a new loop, and close the resources of loops that were closed without ending their generators."""
    for other in [other for other in _ends if other.is_closed()]:
        left = _ends.pop(other, None)
        if left is not None:
            left.close()
    end = _ends[loop] = _End(loop)
    await anext(end.watch)


def _take_number() -> int:
    try:
        return _free.pop()
    except IndexError:
        return -next(_counted)


def _crossing() -> Run | None:
    run = getcurrent()
    return run if isinstance(run, Run) and run.number else None


def _who() -> int:
    return getattr(getcurrent(), "number", _NONE) or get_ident()


def _forget() -> None:
    """Start again in the child of a fork, whose event loops are not its own."""
    _ends.clear()
    run = getcurrent()
    if isinstance(run, Run):
        run.number = _NONE


os.register_at_fork(after_in_child=_forget)

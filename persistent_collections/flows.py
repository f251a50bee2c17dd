"""The current flow of execution: a thread, a task in it, or a function that ``run`` has put on an event loop."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from sys import modules
from threading import get_ident
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

T = TypeVar("T")

Flow: TypeAlias = tuple[int, int, int]


class Crossing(Protocol):
    """An ordinary function that runs on an event loop, which goes on whenever the function waits."""

    @property
    def loop(self) -> AbstractEventLoop:
        """The event loop."""
        ...

    @property
    def notes(self) -> dict[Any, Any]:
        """Data that other modules attach to this function; it ends with the function."""
        ...

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Return the result of ``awaitable``; the loop continues meanwhile."""
        ...

    def in_thread(self, call: Callable[[], T]) -> Awaitable[T]:
        """Call ``call`` in a thread, in the context of this function; return an awaitable for its result."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait for a time."""
        ...

    def close_at_end(self, resource: Closing) -> None:
        """Close ``resource`` when the loop ends; it is held weakly."""
        ...


class Closing(Protocol):
    """The resource to close."""

    def close(self) -> None: ...


def _on_no_loop() -> Crossing | None:
    return None


bridging = False
"""Whether crossings may exist. Check it before you call :func:`crossing`, in every operation."""

crossing: Callable[[], Crossing | None] = _on_no_loop
"""Return the crossing of this code, None in an ordinary thread. Call it as an attribute of this module."""

who: Callable[[], int] = get_ident
"""Return the identifier of the thread, or of its current crossing. Call it as an attribute of this module.

It is a small number, which another may get when the thread or the crossing has ended.
"""


def bridge(crossing_here: Callable[[], Any], who_is_here: Callable[[], int]) -> None:
    """Install these two functions from now on."""
    global bridging, crossing, who
    crossing, who, bridging = crossing_here, who_is_here, True


def aside(call: Callable[[], T]) -> T:
    """Return the result of ``call``, which takes long; on an event loop, call it in a thread."""
    here = crossing()
    return call() if here is None else here.wait(here.in_thread(call))


def sleep(seconds: float) -> None:
    """Pause; a function on an event loop lets the loop continue meanwhile."""
    here = crossing()
    if here is None:
        time.sleep(seconds)
    else:
        here.pause(seconds)


def flow() -> Flow:
    """Return the identifier of this flow of execution, unique among simultaneous ones.

    A context variable can't identify it: tasks, and functions that ``asyncio.to_thread`` calls, inherit its value.
    """
    library = event_loop()
    if library is None:
        return os.getpid(), who(), 0
    task = library.current_task() if library.__name__ == "asyncio" else library.lowlevel.current_task()
    return os.getpid(), who(), 0 if task is None else id(task)


def event_loop() -> ModuleType | None:
    """Return the library, asyncio or trio, whose event loop runs in this thread; None if none does; import neither."""
    asyncio = modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # documented for frameworks
        return asyncio
    trio = modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None

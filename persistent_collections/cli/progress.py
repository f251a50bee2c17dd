"""A progress bar on standard error, if that is a terminal, for activities that may take longer than a second."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Bar:
    """A bar that is shown until it is stopped.

    Args:
        progress: Shows it.
        task: Its row there.
    """

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, done: int, key: str) -> None:
        """Show how many are done; ``key`` is the last of them."""
        del key
        self._progress.update(self._task, completed=done)

    def stop(self) -> None:
        """Remove the bar, before other output is printed."""
        self._progress.stop()


@contextmanager
def bar(what: str, count: Callable[[], int | None] = lambda: None) -> Iterator[Bar]:
    """Show a bar while the block runs.

    Args:
        what: The activity.
        count: Returns the total, None if unknown; called only if the bar is visible.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    is_seen = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_seen) as progress:
        yield Bar(progress, progress.add_task(what, total=count() if is_seen else None))

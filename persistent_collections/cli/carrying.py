"""``copy``, ``export`` and ``import``: whole stores, with a progress bar where somebody sees it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from persistent_collections import moving
from persistent_collections.backends.base import Backend
from persistent_collections.cli.looking import JSONOption
from persistent_collections.cli.printing import write
from persistent_collections.cli.session import Session, store_called
from persistent_collections.cli.texts import as_json, clean

PrefixOption = Annotated[str, typer.Option(help="Only objects whose key starts with it.")]
OnConflictOption = Annotated[
    Literal["error", "skip", "replace"], typer.Option(help="About an object that is there and differs.")
]
STREAM: Final = "-"
"""The name of standard input or output."""


def copy(
    context: typer.Context,
    src: Annotated[str, typer.Argument(help="A URL, or the name of a configured backend.")],
    dst: Annotated[str, typer.Argument(help="A URL, or the name of a configured backend.")],
    *,
    prefix: PrefixOption = "",
    on_conflict: OnConflictOption = "error",
    json: JSONOption = False,
) -> None:
    """Copy every object from one store to another, and read it back."""
    session: Session = context.obj
    source, target = store_called(src), store_called(dst)
    with _progress("copy", lambda: _count(source, prefix)) as told:
        moved = moving.copy(source, target, prefix=prefix, on_conflict=on_conflict, codec=session.codecs, progress=told)
    _summarise(asdict(moved), target.url, json=json)


def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A path; - is standard output.")],
    *,
    prefix: PrefixOption = "",
    secrets: Annotated[
        Literal["keep", "omit"] | None, typer.Option(help="What becomes of the hashes of passwords.")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Write every object to a file of JSON Lines."""
    session: Session = context.obj
    out: str | IO[bytes] = sys.stdout.buffer if file == STREAM else file
    with _progress("export", lambda: _count(session.store, prefix)) as told:
        exported = moving.export(session.store, out, prefix=prefix, secrets=secrets, progress=told)
    if file != STREAM:
        _summarise({"exported": exported}, file, json=json)


def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A path; - is standard input.")],
    *,
    prefix: PrefixOption = "",
    on_conflict: OnConflictOption = "error",
    json: JSONOption = False,
) -> None:
    """Put every object of a file that export wrote into the store, and read it back."""
    session: Session = context.obj
    source: str | IO[bytes] = sys.stdin.buffer if file == STREAM else file
    with _progress("import", lambda: None if file == STREAM else _count_lines(Path(file))) as told:
        moved = moving.import_(
            source, session.store, prefix=prefix, on_conflict=on_conflict, codec=session.codecs, progress=told
        )
    _summarise(asdict(moved), session.store.url, json=json)


@contextmanager
def _progress(what: str, count: Callable[[], int | None]) -> Iterator[moving.Progress | None]:
    """Give what tells a progress bar on standard error of each object, None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=count())

        def told(done: int, key: str) -> None:
            del key
            progress.update(task, completed=done)

        yield told


def _count(backend: Backend, prefix: str) -> int:
    return len({key.root for key in backend.keys(prefix)})


def _count_lines(path: Path) -> int:
    with path.open("rb") as lines:
        return max(sum(1 for _ in lines) - 2, 0)  # the first and the last line are no objects


def _summarise(outcomes: dict[str, Any], where: str, *, json: bool) -> None:
    if json:
        write(as_json(outcomes))
    else:
        write(clean(f"{', '.join(f'{name} {count}' for name, count in outcomes.items())}: {where}"))

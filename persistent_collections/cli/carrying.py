"""``copy``, ``export`` and ``import``: whole stores, with a progress bar where somebody sees it."""

from __future__ import annotations

import sys
from collections import Counter
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
from persistent_collections.cli.failing import Exit, failed, tell
from persistent_collections.cli.looking import JSONOption
from persistent_collections.cli.printing import write
from persistent_collections.cli.session import Session, require_there, store_called
from persistent_collections.cli.texts import as_json, clean, some
from persistent_collections.errors import PersistentCollectionsError
from persistent_collections.objects import classes

PrefixOption = Annotated[str, typer.Option(metavar="PREFIX", help="Only objects whose key starts with it.")]
OnConflictOption = Annotated[
    Literal["error", "skip", "replace"], typer.Option(help="About an object that is there and differs.")
]
_APART: Final = "--prefix chooses your own, and ?prefix= in the URL of your application sets them apart"
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
    require_there(source)
    undeclared = Counter[str]()
    with _progress("copy", lambda: _count(source, prefix), undeclared) as told:
        moved = moving.copy(source, target, prefix=prefix, on_conflict=on_conflict, codec=session.codecs, progress=told)
    _summarise(asdict(moved), target.url, json=json)
    _warn(session, moved.foreign, undeclared)


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
    session.require_store()
    out: str | IO[bytes] = sys.stdout.buffer if file == STREAM else file
    undeclared = Counter[str]()
    with _progress("export", lambda: _count(session.store, prefix), undeclared) as told:
        done = moving.export(session.store, out, prefix=prefix, secrets=secrets, progress=told)
    if file != STREAM:
        _summarise(asdict(done), file, json=json)
    _warn(session, done.foreign, undeclared)


def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A path; - is standard input.")],
    *,
    prefix: PrefixOption = "",
    on_conflict: OnConflictOption = "error",
    json: JSONOption = False,
) -> None:
    """Put every object of an exported file into the store.

    Each is read back, as by copy.
    """
    session: Session = context.obj
    source: str | IO[bytes] = sys.stdin.buffer if file == STREAM else file
    undeclared = Counter[str]()
    with _progress("import", lambda: None if file == STREAM else _count_lines(Path(file)), undeclared) as told:
        moved = moving.import_(
            source, session.store, prefix=prefix, on_conflict=on_conflict, codec=session.codecs, progress=told
        )
    _summarise(asdict(moved), session.store.url, json=json)
    _warn(session, moved.foreign, undeclared)


@contextmanager
def _progress(what: str, count: Callable[[], int | None], undeclared: Counter[str]) -> Iterator[moving.Progress]:
    """Give what is to be told of each object: for a progress bar on standard error, where that is a terminal.

    Args:
        what: Is done.
        count: Gives the number of objects, None where it is not known.
        undeclared: Counts the objects of which no class is known, by type.
    """
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    is_seen = sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not is_seen) as progress:
        task = progress.add_task(what, total=count() if is_seen else None)

        so_far = 0

        def told(done: int, key: str) -> None:
            nonlocal so_far
            so_far = done
            type_name = key.partition(":")[0]
            undeclared.update({type_name} - classes.keys())
            progress.update(task, completed=done)

        try:
            yield told
        except PersistentCollectionsError as error:
            if not so_far or what == "export":
                raise
            progress.stop()
            failed(error)
            tell(f"that was after {so_far} objects, which stay; once it is mended, the same command goes on")
            raise typer.Exit(Exit.STORE) from None


def _count(backend: Backend, prefix: str) -> int:
    return len({key.root for key in backend.keys(prefix)})


def _count_lines(path: Path) -> int:
    with path.open("rb") as lines:
        return max(sum(1 for _ in lines) - 2, 0)  # the first and the last line are no objects


def _warn(session: Session, foreign: int, undeclared: Counter[str]) -> None:
    """Say what of another program's was left out, and what may be another program's and was taken along."""
    if foreign:
        tell(
            f"another program put there what {foreign} of the keys hold, which were left out; check lists them. "
            f"Its hashes, lists and sets look like yours: {_APART}"
        )
    if session.models and undeclared:
        types = some([f"{name} {count}" for name, count in sorted(undeclared.items())])
        tell(
            f"{undeclared.total()} of the objects are of types that no module declares: {types}. "
            f"If another program wrote them: {_APART}"
        )


def _summarise(outcomes: dict[str, Any], where: str, *, json: bool) -> None:
    if json:
        write(as_json(outcomes))
    else:
        write(clean(f"{', '.join(f'{name} {count}' for name, count in outcomes.items())}: {where}"))

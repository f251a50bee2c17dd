"""``copy``, ``export`` and ``import``: whole stores, with a progress bar on a terminal."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Annotated, Any, Final, Literal

import typer

from persistent_collections import classes, moving
from persistent_collections.backends.base import Backend
from persistent_collections.cli.failing import Exit, UsageError, failed, tell
from persistent_collections.cli.looking import JSONOption, tell_of_nothing
from persistent_collections.cli.printing import write
from persistent_collections.cli.progress import bar
from persistent_collections.cli.session import Session, require_there, store_called
from persistent_collections.cli.texts import as_json, clean
from persistent_collections.errors import PersistentCollectionsError
from persistent_collections.suggestions import some

PrefixOption = Annotated[str, typer.Option(metavar="PREFIX", help="Only objects whose key starts with it.")]
OnConflictOption = Annotated[
    Literal["error", "skip", "replace"], typer.Option(help="What to do if an object exists and differs.")
]
_APART: Final = "--prefix chooses your own, and ?prefix= in the URL of your application sets them apart"
STREAM: Final = "-"
"""The name of standard input or output."""


def copy(
    context: typer.Context,
    src: Annotated[str, typer.Argument(metavar="SRC", help="A URL, or the name of a configured backend.")],
    dst: Annotated[str, typer.Argument(metavar="DST", help="A URL, or the name of a configured backend.")],
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
    if prefix and moved == moving.Moved():
        tell_of_nothing(source, prefix)
    _warn(session, moved.foreign, undeclared)


def export(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A path; - is standard output.")],
    *,
    prefix: PrefixOption = "",
    secrets: Annotated[
        Literal["keep", "omit"] | None, typer.Option(help="Whether to keep or leave out the hashes of passwords.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
    json: JSONOption = False,
) -> None:
    """Write every object to a file of JSON Lines."""
    session: Session = context.obj
    session.require_store()
    out: str | IO[bytes] = sys.stdout.buffer if file == STREAM else file
    if file != STREAM:
        _require_writable(file, overwrite=overwrite)
    undeclared = Counter[str]()
    with _progress("export", lambda: _count(session.store, prefix), undeclared) as told:
        done = moving.export(session.store, out, prefix=prefix, secrets=secrets, overwrite=overwrite, progress=told)
    if file != STREAM:
        _summarise(asdict(done), file, json=json)
    if prefix and not (done.exported or done.foreign):
        tell_of_nothing(session.store, prefix)
    _warn(session, done.foreign, undeclared)


def backup(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A path.")],
    *,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
) -> None:
    """Write a SQLite store, which may be in use, to another file."""
    session: Session = context.obj
    session.require_store()
    _require_writable(file, overwrite=overwrite)
    with bar("backup"):
        moving.backup(session.store, file, overwrite=overwrite)
    write(clean(f"backed up: {file}"))


def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A path; - is standard input.")],
    *,
    prefix: PrefixOption = "",
    on_conflict: OnConflictOption = "error",
    json: JSONOption = False,
) -> None:
    """Put every object of an exported file into the store.

    Each object is read back, as in copy.
    """
    session: Session = context.obj
    source: str | IO[bytes] = sys.stdin.buffer if file == STREAM else file
    undeclared = Counter[str]()
    with _progress("import", lambda: None if file == STREAM else _count_lines(Path(file)), undeclared) as told:
        moved = moving.import_(
            source, session.store, prefix=prefix, on_conflict=on_conflict, codec=session.codecs, progress=told
        )
    _summarise(asdict(moved), session.store.url, json=json)
    if prefix and moved == moving.Moved():
        tell(f"no key that starts with {prefix!r} is in {file}")
    _warn(session, moved.foreign, undeclared)


def _require_writable(file: str, *, overwrite: bool) -> None:
    """Raise ``UsageError`` if ``file`` is not the path of a file, or of one that exists and is not to be replaced."""
    if not file:
        raise UsageError("FILE is empty; write the path of a file")
    if Path(file).is_dir():
        raise UsageError(f"{file} is a directory; write the path of a file in it")
    if not overwrite and os.path.lexists(file):
        raise UsageError(f"{file} exists already; --overwrite replaces it")


@contextmanager
def _progress(what: str, count: Callable[[], int | None], undeclared: Counter[str]) -> Iterator[moving.Progress]:
    """Yield the callback to report each object to.

    Args:
        what: The activity.
        count: Returns the number of objects, None if unknown.
        undeclared: Counts the objects of unknown classes, by type.
    """
    with bar(what, count) as shown:
        so_far = 0

        def told(done: int, key: str) -> None:
            nonlocal so_far
            so_far = done
            type_name = key.partition(":")[0]
            if classes.find(type_name) is None:
                undeclared[type_name] += 1
            shown.show(done, key)

        try:
            yield told
        except PersistentCollectionsError as error:
            if not so_far or what == "export":
                raise
            shown.stop()
            failed(error)
            tell(f"that was after {so_far} objects, which stay; correct it, and run the same command again to go on")
            raise typer.Exit(Exit.STORE) from None


def _count(backend: Backend, prefix: str) -> int:
    return len({key.root for key in backend.keys(prefix)})


def _count_lines(path: Path) -> int:
    with path.open("rb") as lines:
        return max(sum(1 for _ in lines) - 2, 0)  # the first and the last line aren't objects


def _warn(session: Session, foreign: int, undeclared: Counter[str]) -> None:
    """Report skipped data of other programs, and copied data that may belong to other programs."""
    if foreign:
        tell(
            f"{foreign} of the keys hold data of another program, and were left out; check lists them. "
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

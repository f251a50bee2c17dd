"""The application: the global options, and the commands under their names."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import metadata
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Final

import typer

from persistent_collections.cli import (
    carrying,
    changing,
    checks,
    finding,
    keeping,
    looking,
    migrating,
    settings,
    shell,
    watching,
)
from persistent_collections.cli.failing import Commands, Exit, NumbersTaken, failed, write_no_more
from persistent_collections.cli.printing import write
from persistent_collections.cli.session import Session

app: Final = typer.Typer(
    cls=Commands,
    name="persistent-collections",
    help="Look into a store of persistent-collections, change it, move it and check it.",
    epilog="Exit codes: 0 done, 1 not found or a fault found, 2 a mistake in the command, 3 the store failed.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _tell_version(*, asked: bool) -> None:
    if asked:
        write(f"persistent-collections {metadata.version('persistent-collections')}")
        sys.stdout.flush()
        raise typer.Exit


@app.callback()
def _globals(
    context: typer.Context,
    *,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The store; by default the configured one.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="A TOML file of named backends.")] = None,
    backend: Annotated[str | None, typer.Option(metavar="NAME", help="The name of a configured backend.")] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE",
            help="A module that defines the application's classes, such as myapp.models; may be given several times.",
        ),
    ] = None,
    codec: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[KEY=]NAME",
            help="The codec of collections whose class chooses none; may be given several times.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - told before any command is run
        bool, typer.Option("--version", help="Show the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    session = context.obj = Session(url, config, backend, models or [], codec or [])
    session.prepare()
    context.call_on_close(session.close)


_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "ls": looking.ls,
    "show": looking.show,
    "get": looking.get,
    "find": finding.find,
    "watch": watching.watch,
    "set": changing.set_,
    "delete": changing.delete,
    "expire": keeping.expire,
    "rename": keeping.rename,
    "copy": carrying.copy,
    "export": carrying.export,
    "backup": carrying.backup,
    "import": carrying.import_,
    "check": checks.check,
    "migrate": migrating.migrate,
    "reindex": finding.reindex,
    "shell": shell.shell,
    "config": settings.config,
    "backends": settings.backends,
    "codecs": settings.codecs,
}
_STREAMS: Final = (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w"))
"""How to open the null device in place of each standard stream."""

_NUMBERS: Final = {"get", "set", "delete"}

for _name, _command in _COMMANDS.items():
    app.command(_name, cls=NumbersTaken if _name in _NUMBERS else None)(_command)


def run() -> None:
    """Run the command that the process was started with."""
    _open_closed_streams()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # it would end before it deletes half a file
        signal.signal(signal.SIGTERM, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        "".join(sys.argv).encode()
    except UnicodeEncodeError:
        sys.stderr.write("persistent-collections: an argument is not UTF-8, so it cannot name anything in a store\n")
        sys.exit(Exit.USAGE)
    try:
        app(prog_name="persistent-collections")
    except OSError as error:  # of the help and the version, which are no commands
        sys.exit(failed(error).exit_code)
    finally:
        try:
            sys.stdout.flush()
        except OSError:  # it was reported; at its end, Python would report it again with another exit code
            write_no_more()


def _end(number: int, _frame: object) -> None:
    """End the process as a shell reports the end by a signal."""
    sys.exit(128 + number)


def _open_closed_streams() -> None:
    """Open the standard streams that the process was started without, as some daemons do.

    Input is empty, errors are dropped, and output fails when it is written: an export must not be lost in silence.
    """
    for name, flags, mode in _STREAMS:
        if getattr(sys, name) is None:
            stream = open(os.open(os.devnull, flags), mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open
            setattr(sys, name, stream)

"""How a command fails: one line on standard error and an exit code, never a traceback."""

from __future__ import annotations

import os
import re
import sys
from enum import IntEnum
from typing import Any, Final

import typer
from typer.core import TyperGroup

from persistent_collections.cli.texts import clean
from persistent_collections.errors import (
    ConfigurationError,
    EncodeError,
    ObjectNotFound,
    PersistentCollectionsError,
    UnknownFieldError,
)


class Exit(IntEnum):
    """The exit codes, documented in docs/commands.md."""

    OK = 0
    FOUND = 1
    """What was asked for is not there; or ``check``, or ``ls``, found something wrong."""
    USAGE = 2
    STORE = 3
    INTERRUPTED = 130
    """By Ctrl-C, as shells count it: 128 and the number of the signal."""


class UsageError(Exception):
    """The command is not one that can be done."""


class NotThereError(Exception):
    """What was asked for is not there."""


_CLICK_USAGE_ERROR: Final[Any] = typer.BadParameter.__bases__[0]
"""The base of what typer raises for a command that is no command; typer has no name for it."""

_OPTION: Final = re.compile(r"\b(secrets|on_conflict|prefix)='([\w:]+)'")
_IMPORT: Final = re.compile(r"import the module that [\w ]+")
_CODEC: Final = re.compile(r"codec=\{'([^']*)': '(\w+)'\}")


class Commands(TyperGroup):
    """The commands, whose failures are told in one line."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except _CLICK_USAGE_ERROR as error:
            error.message = clean(f"{error.message}{self._hint(getattr(error, 'option_name', ''))}")
            raise
        except BrokenPipeError:
            _read_no_more()
            raise typer.Exit(Exit.OK) from None
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                typer.echo(err=True)  # the terminal has shown ^C
            raise typer.Exit(Exit.INTERRUPTED) from None
        except (NotThereError, UsageError, PersistentCollectionsError, OSError) as error:
            raise failed(error) from None
        return result

    def _hint(self, option: str) -> str:
        """Return what to do about an option that a command has not got."""
        if option.removeprefix("-").isdecimal():
            return "; a negative index goes after --"
        return "; it goes before the command" if any(option in known.opts for known in self.params) else ""


def failed(error: Exception) -> typer.Exit:
    """Tell what went wrong, its remedy as it is spelt on the command line, and return what ends the command."""
    told = str(error)
    if isinstance(error, OSError) and error.filename:
        told = f"{error.filename}: {error.strerror}"
    message = _OPTION.sub(lambda match: f"--{match[1].replace('_', '-')} {match[2]}", told)
    message = _CODEC.sub(r"--codec '\1=\2', before the command", message)
    tell(_IMPORT.sub(r"\g<0> (--models yourapp, before the command)", message))
    match error:
        case NotThereError() | ObjectNotFound():
            return typer.Exit(Exit.FOUND)
        case UsageError() | ConfigurationError() | EncodeError() | UnknownFieldError():
            return typer.Exit(Exit.USAGE)
    return typer.Exit(Exit.STORE)


def tell(message: str) -> None:
    """Tell the person at the terminal, in one line on standard error."""
    typer.echo(f"persistent-collections: {clean(message)}", err=True)


def _read_no_more() -> None:
    """Let what is still to be flushed go nowhere, as the reader of the pipe has gone (Python's docs on SIGPIPE)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""How a command fails: one line on standard error and an exit code, never a traceback."""

from __future__ import annotations

import os
import re
import sys
from enum import IntEnum
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from persistent_collections.cli.texts import clean
from persistent_collections.errors import (
    ConfigurationError,
    ConflictError,
    EncodeError,
    NoIndexError,
    NotUnique,
    ObjectNotFound,
    PageTokenError,
    PersistentCollectionsError,
    SchemaChangedError,
    StillReferenced,
    TransactionError,
    UnknownFieldError,
    WrongShapeError,
)
from persistent_collections.remedies import Argument, ImportModule, NameCodec, Remedy, Scan


class Exit(IntEnum):
    """The exit codes, documented in docs/commands.md."""

    OK = 0
    FOUND = 1
    """The requested object is absent or in the way; or ``check``, or ``ls``, found a fault."""
    USAGE = 2
    STORE = 3
    INTERRUPTED = 130
    """By Ctrl-C, as shells count it: 128 and the number of the signal."""


class UsageError(Exception):
    """The command cannot be executed as it was given."""


class NotThereError(Exception):
    """The requested object does not exist, or something else is in its place."""


_NEGATIVE: Final = re.compile(r"-(\.?\d.*|Infinity)", re.DOTALL)

_FOUND: Final = (
    *(NotThereError, ObjectNotFound, StillReferenced, NotUnique),
    *(ConflictError, WrongShapeError, SchemaChangedError),
)
"""The errors of commands that find the store intact, but with other content than they need."""

_MISTAKES: Final = (
    *(UsageError, ConfigurationError, EncodeError, UnknownFieldError),
    *(NoIndexError, PageTokenError, TransactionError),
)
"""The errors of commands that cannot be executed as they were given."""

_CLICK_USAGE_ERROR: Final[Any] = typer.BadParameter.__bases__[0]
"""The base of typer's errors for invalid commands; typer has no name for it."""


class Commands(TyperGroup):
    """The commands; their failures are reported in one line."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except _CLICK_USAGE_ERROR as error:
            error.message = clean(f"{error.message}{self._hint(getattr(error, 'option_name', ''))}")
            raise
        except BrokenPipeError:
            write_no_more()
            raise typer.Exit(Exit.OK) from None
        except KeyboardInterrupt:
            if sys.stderr.isatty():
                typer.echo(err=True)  # the terminal has shown ^C
            raise typer.Exit(Exit.INTERRUPTED) from None
        except (NotThereError, UsageError, PersistentCollectionsError, OSError) as error:
            raise failed(error) from None
        return result

    def _hint(self, option: str) -> str:
        """Return the remedy for an unknown option of a command."""
        return "; it goes before the command" if any(option in known.opts for known in self.params) else ""


class NumbersTaken(TyperCommand):
    """A command whose words may be negative numbers, such as an index or a value; its options take no values."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        options = [word for word in args[:end] if word.startswith("-") and not _NEGATIVE.fullmatch(word)]
        words = [word for word in args[:end] if word not in options]
        return super().parse_args(ctx, [*options, "--", *words, *args[end + 1 :]])


def failed(error: Exception) -> typer.Exit:
    """Report an error, and return the exception that ends the command."""
    tell(message_of(error))
    if isinstance(error, _FOUND):
        return typer.Exit(Exit.FOUND)
    return typer.Exit(Exit.USAGE if isinstance(error, _MISTAKES) else Exit.STORE)


def message_of(error: Exception) -> str:
    """Return the text of an error, with its remedies in the form of the command line."""
    if isinstance(error, PersistentCollectionsError):
        return "; ".join([error.problem, *map(_spelt, error.remedies)])
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _spelt(remedy: Remedy) -> str:
    match remedy:
        case ImportModule():
            return f"{remedy} (--models yourapp, before the command)"
        case NameCodec(key=key):
            return f"name its codec: --codec '{key}=json', before the command"
        case Argument(name=name, value=value, effect=effect):
            return f"--{name.replace('_', '-')} {value} {effect}"
        case Scan():
            return "or read all of them: --scan"
    return str(remedy)


def tell(message: str) -> None:
    """Report to the user at the terminal, in one line on standard error."""
    typer.echo(f"persistent-collections: {clean(message)}", err=True)


def write_no_more() -> None:
    """Discard the output that is still to be flushed, as it cannot be written (Python's docs on SIGPIPE)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

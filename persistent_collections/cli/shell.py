"""``shell``: Python with the store and the application's classes."""

from __future__ import annotations

import code
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from platform import python_version
from types import ModuleType

import typer

import persistent_collections
from persistent_collections import classes
from persistent_collections.cli.failing import Exit
from persistent_collections.cli.session import Session
from persistent_collections.cli.texts import clean
from persistent_collections.config import configure, named_backends


def shell(context: typer.Context) -> None:
    """Start Python with the store configured.

    If standard input is not a terminal, it is run as a script.
    """
    session: Session = context.obj
    configure({"backends": {**named_backends(), "default": session.store}})
    public = {name: getattr(persistent_collections, name) for name in persistent_collections.__all__}
    known = {cls.__name__: cls for cls in classes.every().values()}
    # A module, since a class defined at the prompt looks up the names in its annotations in its module.
    module = sys.modules["__main__"] = ModuleType("__main__")
    vars(module).update({**public, **known, "store": session.store})
    banner = _banner(session, known.keys() - public.keys())
    if not sys.stdin.isatty():
        _run(sys.stdin.buffer.read(), module)
        return
    ipython = None
    with suppress(ImportError):
        ipython = import_module("IPython")
    if ipython:
        _start_ipython(ipython, banner, module)
    else:  # outside of any except clause, which would become the context of every error at the prompt
        _start_python(banner, module)


def _banner(session: Session, names: Iterable[str]) -> str:
    told = f"store is {clean(session.store.url)}, the default of objects that name no other store."
    if names:
        told += f"\nOf --models: {', '.join(sorted(names))}."
    return told


def _run(source: bytes, module: ModuleType) -> None:
    """Run a script, and report its error as Python does.

    Raises:
        Exit: The script raised an error.
    """
    try:
        exec(compile(source, "<stdin>", "exec"), vars(module))  # noqa: S102 - the purpose of a shell
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - any error is the script's
        own = error.__traceback__ and error.__traceback__.tb_next
        traceback.print_exception(error.with_traceback(own))
        raise typer.Exit(Exit.FOUND) from None


def _start_ipython(ipython: ModuleType, banner: str, module: ModuleType) -> None:
    config = import_module("traitlets.config").Config()
    config.HistoryManager.hist_file = ":memory:"  # input may be a password
    config.TerminalInteractiveShell.banner2 = f"{banner}\n"
    ipython.start_ipython(argv=[], config=config, user_module=module, user_ns=vars(module))


def _start_python(banner: str, module: ModuleType) -> None:
    with suppress(ImportError):  # on Windows
        import_module("readline")  # lines can be edited and called back; none is written to a file
    code.interact(f"Python {python_version()}\n{banner}", local=vars(module), exitmsg="")

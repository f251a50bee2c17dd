"""The state of the global options: the store, the application's classes, the codecs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

from persistent_collections.backends.base import Backend
from persistent_collections.backends.keys import Key
from persistent_collections.catalogue import Known
from persistent_collections.cli.failing import NotThereError, UsageError
from persistent_collections.codecs.registry import get_codec
from persistent_collections.collections.ids import unquote_id
from persistent_collections.config import VARIABLE, choose, configure, connect, current_backend, named_backends, resolve


@dataclass
class Session:
    """The global options of one command.

    Attributes:
        url: The store.
        config: A TOML file of named backends.
        backend: The name of one of them.
        models: Modules that define the application's classes.
        codec: The arguments: ``NAME``, or ``KEY=NAME``.
    """

    url: str | None
    config: Path | None
    backend: str | None
    models: list[str]
    codec: list[str]

    def prepare(self) -> None:
        """Import the classes, then configure: a named file overrides the configuration of their modules.

        Raises:
            UsageError: Two options choose the store, or a module cannot be imported.
            ConfigurationError: Something in the file, or the name of a codec, is wrong.
        """
        if self.url is not None and (self.config or self.backend):
            raise UsageError("--url names the store; leave out --config and --backend, or --url")
        _import(self.models)
        if self.config:
            configure(self.config)
        for name in self.codecs.values():
            get_codec(name)

    @cached_property
    def store(self) -> Backend:
        """The store; no I/O yet."""
        if self.url is not None:
            return connect(self.url)
        if self.backend is None:
            return current_backend()
        if ":" in self.backend:
            raise UsageError("--backend takes the name of a configured backend; a URL goes to --url")
        return store_called(self.backend)

    def require_store(self) -> None:
        """Make sure that there is a store to read.

        Raises:
            NotThereError: It doesn't exist.
        """
        is_named = self.url is not None or self.backend is not None
        require_there(self.store, "" if is_named else f"; --url, or the variable {VARIABLE}, names another")

    def close(self) -> None:
        """Close the store, if it was used."""
        if "store" in vars(self):
            self.store.close()

    @cached_property
    def codecs(self) -> Mapping[str, str]:
        """The codecs by key, by type, and for the rest."""
        return {key or "*": name for key, _, name in (given.rpartition("=") for given in self.codec)}

    @cached_property
    def known(self) -> Known:
        """The declarations of the store's content by classes and codecs."""
        return Known((), self.codecs, self.store.codec)


def store_called(given: str) -> Backend:
    """Return the store of a URL, or of the name of a configured backend.

    Raises:
        UsageError: It is neither.
        ConfigurationError: Something in the URL is wrong.
    """
    if ":" not in given and given not in (named := {"default", *named_backends()}):
        raise UsageError(
            f"{given!r} is neither a URL, such as 'json:./data', nor the name of a backend (known: "
            f"{', '.join(sorted(named))}); --config FILE defines the names"
        )
    return resolve(choose(given))


def require_there(store: Backend, hint: str = "") -> None:
    """Check that a store to be read exists; a misspelt one would read as empty.

    Raises:
        NotThereError: Its file or directory does not exist.
    """
    if store.path is not None and not store.path.exists():
        raise NotThereError(f"no store exists at {str(store.path)!r}{hint}")


def key_of(text: str) -> Key:
    """Return the key of a text.

    Raises:
        UsageError: It isn't a key.
    """
    type_name, _, rest = text.partition(":")
    quoted, colon, child = rest.partition(":")
    if not (type_name and id_of(Key(f"{type_name}:{quoted}")) and bool(child) == bool(colon) and ":" not in child):
        raise UsageError(
            f"{text!r} is not a key; write TYPE:ID, or TYPE:ID:FIELD for a child, as ls shows it, "
            "with %3A for a ':' in the id, %25 for a '%', %7B and %7D for braces"
        )
    return Key(f"{type_name}:{quoted}", child or None)


def id_of(key: Key) -> str | None:
    """Return the id in a key, None if it isn't a key."""
    return unquote_id(key.root.partition(":")[2])


def _import(modules: Iterable[str]) -> None:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    for module in modules:
        if not all(map(str.isidentifier, module.split("."))):
            raise UsageError(f"--models takes the name of a module, such as myapp.models, not {module!r}")
        try:
            import_module(module)
        except (Exception, SystemExit) as error:
            is_missing = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
            if is_missing and module.endswith(".py"):
                raise UsageError(f"--models takes the name of a module: {module.removesuffix('.py')}") from None
            where = f"; searched in {Path.cwd()} and in Python's module path" if is_missing else ""
            raise UsageError(f"--models {module} cannot be imported: {type(error).__name__}: {error}{where}") from error

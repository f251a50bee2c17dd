"""What the global options choose: the store, the application's classes, the codecs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

from persistent_collections.backends.base import Backend, Key
from persistent_collections.cli.failing import NotThereError, UsageError
from persistent_collections.codecs.registry import get_codec
from persistent_collections.config import VARIABLE, choose, configure, connect, current_backend, named_backends, resolve
from persistent_collections.known import Known
from persistent_collections.objects import unquote_id


@dataclass
class Session:
    """The global options of one command.

    Attributes:
        url: The store.
        config: A TOML file of named backends.
        backend: The name of one of them.
        models: Modules that define the application's classes.
        codec: As they are given: ``NAME``, or ``KEY=NAME``.
    """

    url: str | None
    config: Path | None
    backend: str | None
    models: list[str]
    codec: list[str]

    def prepare(self) -> None:
        """Import the classes, then configure: a file that is named wins over what a module of theirs configures.

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
            NotThereError: There is none.
        """
        is_named = self.url is not None or self.backend is not None
        require_there(self.store, "" if is_named else f"; --url, or the variable {VARIABLE}, names another")

    def close(self) -> None:
        """Close the store, if it was asked for."""
        if "store" in vars(self):
            self.store.close()

    @cached_property
    def codecs(self) -> Mapping[str, str]:
        """The codecs by key, by type, and for the rest."""
        return {key or "*": name for key, _, name in (given.rpartition("=") for given in self.codec)}

    @cached_property
    def known(self) -> Known:
        """What the classes and codecs say of what lies in the store."""
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
            f"{', '.join(sorted(named))}); --config FILE tells the names"
        )
    return resolve(choose(given))


def require_there(store: Backend, hint: str = "") -> None:
    """Make sure that a store that is to be read is there; one that has just been misspelt would read as empty.

    Raises:
        NotThereError: The file or directory it lies in does not exist.
    """
    if store.path is not None and not store.path.exists():
        raise NotThereError(f"there is no store at {str(store.path)!r}{hint}")


def key_of(text: str) -> Key:
    """Return the key that is spelt so.

    Raises:
        UsageError: None is.
    """
    type_name, _, rest = text.partition(":")
    quoted, colon, child = rest.partition(":")
    if not (type_name and id_of(Key(f"{type_name}:{quoted}")) and bool(child) == bool(colon) and ":" not in child):
        raise UsageError(
            f"{text!r} is no key; one is spelt TYPE:ID, and a child's TYPE:ID:FIELD, as ls shows it, "
            "with %3A for a ':' in the id, %25 for a '%', %7B and %7D for braces"
        )
    return Key(f"{type_name}:{quoted}", child or None)


def id_of(key: Key) -> str | None:
    """Return the id in a key, None if it is spelt as none is."""
    return unquote_id(key.root.partition(":")[2])


def _import(modules: Iterable[str]) -> None:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    for module in modules:
        if not all(map(str.isidentifier, module.split("."))):
            raise UsageError(f"--models takes the name of a module, such as myapp.models, not {module!r}")
        try:
            import_module(module)
        except Exception as error:
            is_missing = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
            where = f"; it was looked for in {Path.cwd()} and where Python finds modules" if is_missing else ""
            raise UsageError(f"--models {module} cannot be imported: {type(error).__name__}: {error}{where}") from error

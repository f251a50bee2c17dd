"""URLs of stores, their declared options, and the registry of schemes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from persistent_collections.errors import ConfigurationError
from persistent_collections.spelling import suggestion

if TYPE_CHECKING:
    from persistent_collections.backends.base import Backend

ENTRY_POINT_GROUP: Final = "persistent_collections.backends"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WORDS: Final = {
    "true": True,
    "on": True,
    "yes": True,
    "1": True,
    "false": False,
    "off": False,
    "no": False,
    "0": False,
}


SECRET_PLACES: Final = {"_env": "the variable", "_file": "the file"}
"""How the name of an option ends that says where the secret of the name before it stands, and what it names."""


@dataclass(frozen=True, slots=True)
class Option:
    """One declared option of a store.

    Attributes:
        type: ``str``, ``int``, ``float`` or ``bool``; what a text is read as, never guessed.
        choices: The only values taken, where there are any.
        secret: Whether its value is kept out of every URL that is shown, and may stand elsewhere: option ``x`` in the
            environment variable that ``x_env`` names, or in the file that ``x_file`` does.
    """

    type: type[str | int | float | bool] = str
    choices: tuple[object, ...] = ()
    secret: bool = False

    def read(self, name: str, value: object) -> Any:
        """Return ``value``, a text from a URL or a typed value from a mapping, as this option's type.

        Raises:
            ConfigurationError: It is not one, or not among the choices.
        """
        try:
            read = self._convert(value)
        except (KeyError, ValueError, TypeError):
            shown = "" if self.secret else f", not {value!r}"
            text = " ('on' or 'off' in a URL)" if self.type is bool else ""
            raise ConfigurationError(f"option {name!r} takes a {self.type.__name__}{text}{shown}") from None
        if self.choices and read not in self.choices:
            raise ConfigurationError(f"option {name!r} is one of {', '.join(map(str, self.choices))}, not {value!r}")
        return read

    def _convert(self, value: object) -> object:
        if isinstance(value, str):
            return _WORDS[value.lower()] if self.type is bool else self.type(value)
        if type(value) is self.type or (self.type is float and type(value) is int):
            return self.type(value)
        raise TypeError


OBSERVERS: Final = MappingProxyType(
    {
        "spans": "persistent_collections.backends.traced:TracedBackend",
        "warnings": "persistent_collections.watching:WatchedBackend",
    }
)
"""The options, on or off, that every store's URL takes, and the wrapper around all operations that each asks for."""

SWITCH: Final = Option(bool)
"""What each of these is."""


@dataclass(frozen=True, slots=True)
class StoreURL:
    """A store's URL taken apart; nothing is decoded but the options.

    Attributes:
        scheme: In lower case.
        netloc: ``user:password@host:port`` or the like, percent-encoded as it stood; empty without ``//``.
        path: Percent-encoded as it stood.
        options: The query's texts, and typed values given beside the URL.
    """

    scheme: str
    netloc: str = field(default="", repr=False)
    path: str = ""
    options: Mapping[str, object] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str, options: Mapping[str, object] | None = None) -> StoreURL:
        """Take ``text`` apart.

        Raises:
            ConfigurationError: It has no scheme, an ``@`` among the options, or an option twice.
        """
        scheme, _, rest = text.partition(":")
        if not _SCHEME.fullmatch(text[: len(scheme) + 1]):
            raise ConfigurationError(
                "a store's URL starts with its scheme, such as 'json:./data' or 'redis://localhost:6379/0'"
            )
        rest, _, query = rest.partition("?")
        if "@" in query:  # which may well be the end of a password, so that nothing of it is shown
            raise ConfigurationError(
                "an option of a store's URL holds an '@'; write it '%40', and a password's '?' '%3F'"
            )
        pairs = [*parse_qsl(query, keep_blank_values=True), *(options or {}).items()]
        merged = dict(pairs)
        if len(merged) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigurationError(f"option {twice!r} is given twice; say it in the URL or beside it, once")
        netloc, path = rest[2:].partition("/")[::2] if rest.startswith("//") else ("", rest)
        if rest.startswith("//") and "/" in rest[2:]:
            path = f"/{path}"
        return cls(scheme.lower(), netloc, path, MappingProxyType(merged))

    def with_secrets(self, declared: Mapping[str, Option]) -> StoreURL:
        """Return the URL with each secret itself in place of the option that says where it stands.

        The line end of a file is no part of it.

        Raises:
            ConfigurationError: A secret stands in several places, or not where it is said to.
        """
        options = dict(self.options)
        for name in _secrets(declared):
            given = [place for place in (name, *_places(name)) if place in options]
            if len(given) > 1:
                raise ConfigurationError(f"{' and '.join(given)} are given; say once where the {name} stands")
            for place in given:
                if place != name:
                    options[name] = _read_secret(place, options.pop(place))
        return replace(self, options=MappingProxyType(options))

    def read_options(self, declared: Mapping[str, Option]) -> dict[str, Any]:
        """Return the declared options read as their types; those of ``OBSERVERS`` are no store's, and left out.

        Raises:
            ConfigurationError: One is unknown (the nearest known one is named) or not of its type.
        """
        known = {**dict.fromkeys(OBSERVERS, SWITCH), **declared}
        for name in self.options.keys() - known.keys():
            places = [place for secret in _secrets(declared) for place in _places(secret)]
            raise ConfigurationError(
                f"unknown option {name!r} for {self.scheme!r}; {suggestion(name, [*known, *places])}"
            )
        read = {name: known[name].read(name, value) for name, value in self.options.items()}
        return {name: value for name, value in read.items() if name in declared}

    def without_secrets(self, declared: Mapping[str, Option]) -> str:
        """Return the URL's text without a password and without the values of secret options."""
        user, at, hosts = self.netloc.rpartition("@")
        netloc = f"{user.partition(':')[0]}@{hosts}" if at and user.partition(":")[0] else hosts
        shown = {n: v for n, v in self.options.items() if n in declared and not declared[n].secret}
        query = urlencode({n: str(v).lower() if isinstance(v, bool) else v for n, v in shown.items()}, safe=":/")
        slashes = "//" if self.netloc or self.path.startswith("/") else ""
        return f"{self.scheme}:{slashes}{netloc}{self.path}{'?' if query else ''}{query}"


def _secrets(declared: Mapping[str, Option]) -> list[str]:
    return [name for name, option in declared.items() if option.secret]


def _places(secret: str) -> list[str]:
    return [secret + ending for ending in SECRET_PLACES]


def _read_secret(place: str, value: object) -> str:
    """Return the secret that stands where an option of the name ``place`` says."""
    where: str = Option().read(place, os.fspath(value) if isinstance(value, os.PathLike) else value)
    if place.endswith("_file"):
        try:
            return Path(where).read_text("utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot read the {place} {where!r}: {error}") from None
    if where not in os.environ:
        raise ConfigurationError(f"{place} names the variable {where!r}, which is not set")
    return os.environ[where]


_BUILT_IN: Final = "persistent_collections.backends"
_schemes: dict[str, str] = {
    "json": f"{_BUILT_IN}.json:JSONBackend",
    "sqlite": f"{_BUILT_IN}.sqlite:SQLiteBackend",
    "memory": f"{_BUILT_IN}.memory:MemoryBackend",
    "fakeredis": f"{_BUILT_IN}.fakeredis:FakeRedisBackend",
    **dict.fromkeys(("redis", "rediss", "unix", "valkey", "valkeys"), f"{_BUILT_IN}.redis:RedisBackend"),
    **dict.fromkeys(("redis+cluster", "rediss+cluster"), f"{_BUILT_IN}.redis:RedisBackend"),
    **dict.fromkeys(("redis+sentinel", "rediss+sentinel"), f"{_BUILT_IN}.redis:RedisBackend"),
}

schemes = MappingProxyType(_schemes)
"""The registered URL schemes and the ``module:Class`` each is served by."""


def register_backend(scheme: str, target: str, *, replace: bool = False) -> None:
    """Serve URLs of ``scheme`` by the class ``target`` names, imported when such a URL is first connected to.

    Args:
        scheme: The part of the URL before the first ``:``.
        target: ``"package.module:Class"``; the class has a class method ``from_url(url: StoreURL)``.
        replace: Whether to take the scheme from another class.

    Raises:
        ConfigurationError: The scheme is served by another class already.
    """
    scheme = scheme.lower()
    if not replace and _schemes.get(scheme, target) != target:
        raise ConfigurationError(
            f"scheme {scheme!r} is served by {_schemes[scheme]!r}; give replace=True to put {target!r} in its place"
        )
    _schemes[scheme] = target


def find_backend(scheme: str) -> type[Backend]:
    """Return the class that serves URLs of ``scheme``, importing it.

    Raises:
        ConfigurationError: None does, or the one that does cannot be imported.
    """
    target = _schemes.get(scheme)
    if target is None:
        for point in entry_points(group=ENTRY_POINT_GROUP, name=scheme):
            target = point.value
            break
        else:
            raise ConfigurationError(
                f"no store is registered for {scheme!r} URLs (register_backend adds one); "
                f"{suggestion(scheme, _schemes)}"
            )
    try:
        found: type[Backend] = _imported(target)
    except ConfigurationError:  # an extra of ours that is not installed says so itself
        raise
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"the store for {scheme!r} URLs, {target!r}, cannot be imported: {error}; install its package, or correct "
            "what register_backend or the entry point names"
        ) from error
    return found


def find_observer(option: str) -> Callable[[Backend], Backend]:
    """Return the wrapper that an option of ``OBSERVERS`` asks for, importing it.

    Raises:
        ConfigurationError: What it needs is not installed.
    """
    found: Callable[[Backend], Backend] = _imported(OBSERVERS[option])
    return found


def _imported(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)

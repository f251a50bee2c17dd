"""URLs of stores and their declared options."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from persistent_collections.errors import ConfigurationError
from persistent_collections.suggestions import suggestion

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
"""The suffix of an option that locates the secret of another option, and the kind of location."""


class Option(msgspec.Struct, frozen=True):
    """One declared option of a store.

    ::

        options = {"timeout_s": Option(float), "level": Option(choices=("low", "high"))}
        url = StoreURL.parse("shelf:./data?timeout_s=0.5&level=high")
        assert url.read_options(options) == {"timeout_s": 0.5, "level": "high"}

    Attributes:
        type: ``str``, ``int``, ``float`` or ``bool``; the type that a text is parsed as, never guessed.
        choices: The only accepted values, if any; texts in upper or lower case.
        secret: Whether its value is left out of every URL that is shown, and may be given elsewhere: for option ``x``,
            in the environment variable named by ``x_env``, or in the file named by ``x_file``.
    """

    type: type[str | int | float | bool] = str
    choices: tuple[object, ...] = ()
    secret: bool = False

    def read(self, name: str, value: object) -> Any:
        """Return ``value``, a text from a URL or a typed value from a mapping, as this option's type.

        Raises:
            ConfigurationError: It is not of this type, or not among the choices.
        """
        try:
            read = self._convert(value)
        except (KeyError, ValueError, TypeError):
            shown = "" if self.secret else f", not {value!r}"
            kind = {bool: "a bool ('on' or 'off' in a URL)", int: "an int"}.get(self.type, f"a {self.type.__name__}")
            raise ConfigurationError(f"option {name!r} takes {kind}{shown}") from None
        if isinstance(read, str) and self.choices:
            read = next((choice for choice in self.choices if str(choice).lower() == read.lower()), read)
        if self.choices and read not in self.choices:
            raise ConfigurationError(f"option {name!r} is one of {', '.join(map(str, self.choices))}, not {value!r}")
        return read

    def _convert(self, value: object) -> object:
        if isinstance(value, str):
            return _WORDS[value.lower()] if self.type is bool else self.type(value)
        if type(value) is self.type or (self.type is float and type(value) is int):
            return self.type(value)
        raise TypeError


SWITCHES: Final[Mapping[str, Option]] = MappingProxyType({"spans": Option(bool), "warnings": Option(bool)})
"""The options that every store's URL accepts besides its own; each puts a wrapper around the store."""


@dataclass(frozen=True, slots=True)
class StoreURL:
    """The parts of a store's URL; only the options are decoded.

    ::

        url = StoreURL.parse("redis://localhost:6379/0?prefix=shop:")
        assert (url.scheme, url.netloc, url.path) == ("redis", "localhost:6379", "/0")
        assert url.options == {"prefix": "shop:"}

    Attributes:
        scheme: In lower case.
        netloc: ``user:password@host:port`` or the like, still percent-encoded; empty without ``//``.
        path: The path, still percent-encoded.
        options: The texts in the query, and typed values passed beside the URL.
    """

    scheme: str
    netloc: str = field(default="", repr=False)
    path: str = ""
    options: Mapping[str, object] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str, options: Mapping[str, object] | None = None) -> StoreURL:
        """Return the parts of ``text``.

        Raises:
            ConfigurationError: It has no scheme, an ``@`` among the options, or an option twice.
        """
        scheme, _, rest = text.partition(":")
        if not _SCHEME.fullmatch(text[: len(scheme) + 1]):
            raise ConfigurationError(
                "a store's URL starts with its scheme, such as 'json:./data' or 'redis://localhost:6379/0'"
            )
        rest, _, query = rest.partition("?")
        if "@" in query:  # it may end a password, so nothing of it is shown
            raise ConfigurationError(
                "an option of a store's URL holds an '@'; write it '%40', and a password's '?' '%3F'"
            )
        merged: dict[str, object] = {}
        for name, value in (*parse_qsl(query, keep_blank_values=True), *(options or {}).items()):
            if name in merged:
                raise ConfigurationError(f"option {name!r} is given twice; write it once, in the URL or beside it")
            merged[name] = value
        netloc, slash, path = rest[2:].partition("/") if rest.startswith("//") else ("", "", rest)
        return cls(scheme.lower(), netloc, slash + path, MappingProxyType(merged))

    def with_secrets(self, declared: Mapping[str, Option]) -> StoreURL:
        """Return the URL with each secret in place of the option that locates it.

        A line end of a file is not part of the secret.

        Raises:
            ConfigurationError: A secret has several locations, or is missing at its location.
        """
        options = dict(self.options)
        for name in _secrets(declared):
            given = [place for place in (name, *_places(name)) if place in options]
            if len(given) > 1:
                raise ConfigurationError(f"{' and '.join(given)} are given; keep only one")
            for place in given:
                if place != name:
                    options[name] = _read_secret(place, options.pop(place))
        return replace(self, options=MappingProxyType(options))

    def read_options(self, declared: Mapping[str, Option]) -> dict[str, Any]:
        """Return the declared options, parsed by type; ``SWITCHES`` don't belong to a store, and are left out.

        Raises:
            ConfigurationError: One is unknown (the nearest known one is named) or not of its type.
        """
        known = {**SWITCHES, **declared}
        for name in self.options.keys() - known.keys():
            places = [place for secret in _secrets(declared) for place in _places(secret)]
            raise ConfigurationError(
                f"unknown option {name!r} for {self.scheme!r}; {suggestion(name, [*known, *places])}"
            )
        read = {name: known[name].read(name, value) for name, value in self.options.items()}
        return {name: value for name, value in read.items() if name in declared}

    def without_secrets(self, declared: Mapping[str, Option]) -> str:
        """Return the URL's text without a password and without the values of secret options."""
        credentials, _, hosts = self.netloc.rpartition("@")
        user = credentials.partition(":")[0]
        slashes = "//" if self.netloc or self.path.startswith("/") else ""
        shown = {n: v for n, v in self.options.items() if n in declared and not declared[n].secret}
        place = f"{self.scheme}:{slashes}{user and f'{user}@'}{hosts}{self.path}"
        return f"{place}?{_query(shown)}" if shown else place


def _query(options: Mapping[str, object]) -> str:
    return urlencode({n: str(v).lower() if isinstance(v, bool) else v for n, v in options.items()}, safe=":/")


def _secrets(declared: Mapping[str, Option]) -> list[str]:
    return [name for name, option in declared.items() if option.secret]


def _places(secret: str) -> list[str]:
    return [secret + ending for ending in SECRET_PLACES]


def _read_secret(place: str, value: object) -> str:
    """Return the secret at the location in the option ``place``, without its line end.

    Raises:
        ConfigurationError: Nothing is there, or it is not text.
    """
    where: str = Option().read(place, os.fspath(value) if isinstance(value, os.PathLike) else value)
    if place.endswith("_file"):
        try:
            data = Path(where).read_bytes()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot read the {place} {where!r}: {error}") from None
    elif where in os.environ:
        data = os.environ[where].encode(errors="surrogateescape")
    else:
        raise ConfigurationError(
            f"{place} names the variable {where!r}, which is not set; set it, or leave {place} out"
        )
    try:
        secret = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"cannot read the {place} {where!r}: it is not UTF-8 at byte {error.start}") from None
    if not secret:
        raise ConfigurationError(f"{place} names {where!r}, which is empty; put the secret there, or leave {place} out")
    return secret


def imported(target: str) -> Any:
    """Return the object named by ``"module:Name"``, importing the module."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)

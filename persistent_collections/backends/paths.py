"""The file or directory of a store, as a URL names it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ConfigurationError


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return the absolute form of ``path``, resolved in the current folder; ``~`` is an ordinary name.

    Raises:
        ConfigurationError: The path is invalid, or it is relative to a folder that no longer exists.
    """
    if "\0" in os.fspath(path):
        raise ConfigurationError("the path of a store cannot contain NUL")
    try:
        return Path(path).absolute()
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"the store's path {os.fspath(path)!r} is relative to the working folder, which was removed; "
            "give an absolute path, or change to a folder that exists"
        ) from error


def path_of(url: StoreURL, thing: str, example: str) -> str:
    """Return the path of a store in a file or a directory, decoded; Windows writes a drive's as ``/C:/data``.

    ::

        assert path_of(StoreURL.parse("shelf:./my%20data"), "directory", "data") == "./my data"

    Args:
        url: The URL of a store.
        thing: The type of the path: a file, a directory.
        example: A name for it, for messages.

    Raises:
        ConfigurationError: The URL has a host or no path.
    """
    scheme = url.scheme
    if url.netloc:
        name = f"{url.netloc.rpartition('@')[2]}{url.path}"
        raise ConfigurationError(
            f"a {scheme}: URL has no host; write '{scheme}:./{name}' for a relative path, or '{scheme}:///{name}'"
        )
    if not url.path:
        raise ConfigurationError(
            f"a {scheme}: URL names a {thing}, as '{scheme}:./{example}' or '{scheme}:///var/lib/{example}'"
        )
    path = unquote(url.path, errors="surrogateescape")
    return path[1:] if os.name == "nt" and path[2:3] == ":" else path


def url_of(scheme: str, path: Path, options: Mapping[str, object], defaults: Mapping[str, object]) -> StoreURL:
    """Return the URL of an absolute ``path``, with the options that differ from the default."""
    text = f"/{path.as_posix().lstrip('/')}"
    said = {name: value for name, value in options.items() if value != defaults[name]}
    return StoreURL(scheme, path=quote(os.fsencode(text), safe="/:"), options=said)

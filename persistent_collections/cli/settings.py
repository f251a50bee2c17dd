"""``config``, ``backends`` and ``codecs``: show the settings, and the installed parts."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Annotated, Any, Final

import typer

from persistent_collections import config as configuration
from persistent_collections.backends import registry, urls
from persistent_collections.backends.wrappers.observers import OBSERVERS, find_observer
from persistent_collections.cli.looking import JSONOption
from persistent_collections.cli.printing import print_rows
from persistent_collections.cli.session import Session
from persistent_collections.cli.texts import REDACTED
from persistent_collections.codecs.registry import get_codec, known_codecs
from persistent_collections.errors import ConfigurationError

DEFAULT: Final = "default"


def config(
    context: typer.Context,
    *,
    explain: Annotated[bool, typer.Option("--explain", help="Every setting, and where it comes from.")] = False,
    json: JSONOption = False,
) -> None:
    """Show which store is used.

    With --explain, it shows every setting, its value and its source.
    """
    session: Session = context.obj
    rows = list(_settings(session))
    columns = {"setting": "SETTING", "value": "VALUE", "source": "FROM"}
    print_rows(rows if explain else rows[:1], columns, json=json)


def backends(*, json: JSONOption = False) -> None:
    """List the stores by the schemes of their URLs.

    It also lists the wrappers that any URL may request. For what is not installed, it shows the package to install.
    """
    points = {point.name: point.value for point in entry_points(group=registry.ENTRY_POINT_GROUP)}
    targets: dict[str, list[str]] = {}
    for scheme, target in {**points, **registry.schemes}.items():
        targets.setdefault(target, []).append(scheme)
    rows = [_found(" ".join(names), target, registry.find_backend, names[0]) for target, names in targets.items()]
    rows += [_found(f"any?{name}=on", target, find_observer, name) for name, target in OBSERVERS.items()]
    print_rows(rows, {"schemes": "SCHEMES", "status": "STATUS"}, json=json)


def codecs(*, json: JSONOption = False) -> None:
    """List the codecs, and what to install for others."""
    columns = {"name": "NAME", "format": "FORMAT", "status": "STATUS"}
    print_rows(({"name": name, **_codec(name)} for name in known_codecs()), columns, json=json)


def _found(schemes: str, target: str, find: Callable[[str], object], name: str) -> dict[str, Any]:
    row = {"schemes": schemes, "class": target}
    try:
        find(name)
    except (ConfigurationError, ImportError, AttributeError) as error:
        return {**row, "installed": False, "status": str(error)}
    return {**row, "installed": True, "status": "installed"}


def _codec(name: str) -> dict[str, Any]:
    try:
        found = get_codec(name)
    except ConfigurationError as error:
        return {"installed": False, "status": str(error)}
    return {"installed": True, "format": found.format, "canonical": found.canonical, "status": "installed"}


def _settings(session: Session) -> Iterator[dict[str, Any]]:
    yield from _of_store(session)
    for name, values in (("--codec", session.codec), ("--models", session.models)):
        yield _setting(name, ", ".join(values) or None, name if values else DEFAULT)
    for name, backend in configuration.named_backends().items():
        if backend is not session.store:
            yield _setting(f"backend {name}", backend.url, _file(session))


def _of_store(session: Session) -> Iterator[dict[str, Any]]:
    store, (source, given) = session.store, _source(session)
    yield _setting("store", store.url, source)
    said = store.options_in(urls.StoreURL.parse(store.url))
    for name, option in {**store.options, **urls.SWITCHES}.items():
        if option.secret:
            at = given.get(name)
            yield _setting(name, REDACTED if at else None, at or DEFAULT)
        elif said.get(name) is None:
            yield _setting(name, False if name in urls.SWITCHES else store.default_of(name), DEFAULT)
        else:
            yield _setting(name, said[name], source)


def _setting(name: str, value: object, source: str) -> dict[str, Any]:
    return {"setting": name, "value": value, "source": source}


def _source(session: Session) -> tuple[str, Mapping[str, str]]:
    """Return the source of the store's URL, and of each of its secrets."""
    if session.url is not None:
        return "--url", _secrets_in(session.url, {}, "--url")
    name = session.backend or DEFAULT
    if name in configuration.named_backends():
        where = f"{_file(session)}, backends.{name}"
        return where, _secrets_in_file(session, name, where)
    variable = os.environ.get(configuration.VARIABLE)
    return (configuration.VARIABLE, _secrets_in(variable, {}, configuration.VARIABLE)) if variable else (DEFAULT, {})


def _file(session: Session) -> str:
    return str(session.config) if session.config else "configure() in a module of --models"


def _secrets_in(url: str, beside: Mapping[str, object], where: str) -> dict[str, str]:
    """Return the source of each secret of a store whose URL, and options beside it, are written at ``where``."""
    parsed = urls.StoreURL.parse(url, beside)
    in_netloc = ":" in parsed.netloc.rpartition("@")[0]
    found = {**dict.fromkeys(parsed.options, where), **({"password": where} if in_netloc else {})}
    for name, value in parsed.options.items():
        for ending, what in urls.SECRET_PLACES.items():
            if name.endswith(ending):
                found[name.removesuffix(ending)] = f"{what} {value}, as {where} says"
    return found


def _secrets_in_file(session: Session, name: str, where: str) -> dict[str, str]:
    if session.config is None:
        return {}
    table = tomllib.loads(session.config.read_text("utf-8"))["backends"][name]
    options = {"url": table} if isinstance(table, str) else dict(table)
    return _secrets_in(options.pop("url"), options, where)

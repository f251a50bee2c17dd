"""``migrate``: values that are stored as older versions of their classes declared them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from persistent_collections.cli.failing import Exit, UsageError, message_of, tell
from persistent_collections.cli.looking import JSONOption
from persistent_collections.cli.printing import print_rows
from persistent_collections.cli.progress import bar
from persistent_collections.cli.session import Session
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.migrating import migrating
from persistent_collections.suggestions import suggestion


def migrate(
    context: typer.Context,
    types: Annotated[
        list[str] | None,
        typer.Argument(metavar="TYPE", help="The types of the objects; by default all that are known."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would change, and change nothing.")] = False,
    fill: Annotated[bool, typer.Option("--fill", help="Store defaults in fields that are not set.")] = False,
    json: JSONOption = False,
) -> None:
    """Store values as their classes declare them now.

    Run it again if it was interrupted, or if objects are LEFT, since old code wrote them meanwhile. The exit code is
    1 if something is left, or cannot be read.
    """
    session: Session = context.obj
    classes = _classes(types or ())
    session.require_store()
    is_done = True

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal is_done
        for cls in classes:
            name = cls.__pc__.type_name
            with bar(f"migrate {name}") as shown:
                found = migrating.migrate(
                    cls,
                    backend=session.store,
                    dry_run=dry_run,
                    fill=fill,
                    progress=shown.show,
                    on_error=lambda error: tell(message_of(error)),
                )
            is_done = is_done and not (found.unread or found.left)
            if found.examined or types:
                yield {"type": name, **asdict(found)}

    columns = {name: name.upper() for name in ("type", "examined", "changed", "unread", "left")}
    print_rows(rows(), columns, json=json)
    if not is_done:
        raise typer.Exit(Exit.FOUND)


def _classes(types: Sequence[str]) -> Sequence[type[PersistentObject]]:
    """Return the classes of some types, or all that are known.

    Raises:
        UsageError: One is not known, or none is.
    """
    known = {cls.__pc__.type_name: cls for cls in migrating.known()}
    if not known:
        raise UsageError("no class is known; --models myapp.models imports the application's classes")
    for name in types:
        if name not in known:
            raise UsageError(
                f"no class of type {name!r} is known; --models myapp.models imports the application's classes; "
                f"{suggestion(name, known)}"
            )
    return [known[name] for name in types or sorted(known)]

"""``check``: what is wrong in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, get_args

import typer

from persistent_collections.checking import Finding, Repairable
from persistent_collections.checking.checking import examine
from persistent_collections.cli.carrying import PrefixOption
from persistent_collections.cli.changing import YesOption, confirm
from persistent_collections.cli.failing import Exit, UsageError
from persistent_collections.cli.looking import JSONOption
from persistent_collections.cli.printing import print_rows
from persistent_collections.cli.session import Session
from persistent_collections.cli.texts import some


def check(
    context: typer.Context,
    *,
    prefix: PrefixOption = "",
    repair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help=f"Delete what is found of a kind, after a question: {', '.join(get_args(Repairable))}. "
            "For unknown_type, --prefix names the type, as in Old:.",
        ),
    ] = None,
    yes: YesOption = False,
    json: JSONOption = False,
) -> None:
    """Say what is wrong in the store.

    The exit code is 1 where something is and was not deleted.
    """
    session: Session = context.obj
    session.require_store()
    kinds = [kind for kind in get_args(Repairable) if kind in (repair or ())]
    if unknown := {*(repair or ())} - {*kinds}:
        raise UsageError(f"--repair {min(unknown)}: what can be repaired is {', '.join(get_args(Repairable))}")
    find = partial(examine, session.store, session.known, prefix=prefix, repair=kinds)
    if kinds and not yes:
        find = partial(find, is_agreed=set(_agreed(find, session.store.url)).__contains__)
    left = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal left
        for finding in find():
            left += not finding.deleted
            facts = asdict(finding)
            yield facts if json else facts | {"deleted": "deleted" if finding.deleted else ""}

    columns = {"kind": "KIND", "key": "KEY", "place": "PLACE", "deleted": "", "message": "MESSAGE"}
    print_rows(rows(), columns, json=json)
    if left:
        raise typer.Exit(Exit.FOUND)


def _agreed(find: Callable[..., Iterator[Finding]], url: str) -> list[Finding]:
    """Return what would be deleted, once somebody has read of it and said yes; no more than that is deleted then."""
    doomed: list[Finding] = []

    def note(finding: Finding) -> bool:
        doomed.append(finding)
        return False

    for _ in find(is_agreed=note):
        pass
    if doomed:
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(found.kind for found in doomed).items())
        places = [found.key if found.place is None else f"{found.key} {found.place}" for found in doomed]
        confirm(f"Delete {kinds} in {url}: {some(places)}?", yes=False)
    return doomed

"""``check``: what is wrong in the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any, get_args

import typer

from persistent_collections.checking import Repairable
from persistent_collections.checking import check as find
from persistent_collections.cli.carrying import PrefixOption
from persistent_collections.cli.changing import YesOption, confirm
from persistent_collections.cli.failing import Exit, UsageError
from persistent_collections.cli.looking import JSONOption
from persistent_collections.cli.printing import print_rows
from persistent_collections.cli.session import Session


def check(
    context: typer.Context,
    *,
    prefix: PrefixOption = "",
    repair: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Delete what is found of a kind; asks first.")
    ] = None,
    yes: YesOption = False,
    json: JSONOption = False,
) -> None:
    """Say what is wrong in the store; the exit code is 1 where something is and was not repaired."""
    session: Session = context.obj
    kinds = [kind for kind in get_args(Repairable) if kind in (repair or ())]
    if unknown := {*(repair or ())} - {*kinds}:
        raise UsageError(f"--repair {min(unknown)}: what can be repaired is {', '.join(get_args(Repairable))}")
    if kinds:
        confirm(f"Delete what is found as {', '.join(kinds)} in {session.store.url}?", yes=yes)
    left = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal left
        for finding in find(session.store, prefix=prefix, repair=kinds, codec=session.codecs):
            left += not finding.repaired
            facts = asdict(finding)
            yield facts if json else facts | {"repaired": "repaired" if finding.repaired else ""}

    columns = {"kind": "KIND", "key": "KEY", "place": "PLACE", "repaired": "", "message": "MESSAGE"}
    print_rows(rows(), columns, json=json)
    if left:
        raise typer.Exit(Exit.FOUND)

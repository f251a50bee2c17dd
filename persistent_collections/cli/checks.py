"""``check``: find the faults in the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Final, get_args

import typer

from persistent_collections.backends.base import Backend
from persistent_collections.checking import Deletable, Finding, Repairable
from persistent_collections.checking.checking import examine
from persistent_collections.cli.carrying import PrefixOption
from persistent_collections.cli.changing import YesOption, confirm
from persistent_collections.cli.failing import Exit, UsageError, tell
from persistent_collections.cli.looking import JSONOption, tell_of_nothing
from persistent_collections.cli.printing import print_rows
from persistent_collections.cli.progress import bar
from persistent_collections.cli.session import Session
from persistent_collections.suggestions import some

_PUT_RIGHT: Final = [kind for kind in get_args(Repairable) if kind not in get_args(Deletable)]
_DONE: Final = {"deleted": "Delete", "put right": "Put right"}
"""The description of a completed repair, and of the repair in a question."""


def check(
    context: typer.Context,
    *,
    prefix: PrefixOption = "",
    repair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help=f"Ask, and then delete the findings of one kind ({', '.join(get_args(Deletable))}) "
            f"or correct them ({', '.join(_PUT_RIGHT)}). For unknown_type, --prefix names the type, as in Old:.",
        ),
    ] = None,
    yes: YesOption = False,
    json: JSONOption = False,
) -> None:
    """Report the faults in the store.

    The exit code is 1 if a fault was not repaired.
    """
    session: Session = context.obj
    session.require_store()
    kinds = [kind for kind in get_args(Repairable) if kind in (repair or ())]
    if unknown := {*(repair or ())} - {*kinds}:
        known = ", ".join(get_args(Repairable))
        raise UsageError(f"--repair {min(unknown)}: the kinds that can be repaired are {known}")
    find = partial(_examined, session, prefix=prefix, repair=kinds)
    if kinds and not yes:
        find = partial(find, is_agreed=set(_agreed(find, session.store.url)).__contains__)
    left, kinds_found = 0, Counter[str]()

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal left
        for finding in find():
            left += not finding.repaired
            kinds_found[finding.kind] += 1
            facts = asdict(finding)
            yield facts if json else facts | {"repaired": _done(finding) if finding.repaired else ""}

    columns = {"kind": "KIND", "key": "KEY", "place": "PLACE", "repaired": "", "message": "MESSAGE"}
    print_rows(rows(), columns, json=json)
    _tell_kinds(kinds_found)
    if not kinds_found:
        _tell_if_unmatched(session.store, prefix)
    if left:
        raise typer.Exit(Exit.FOUND)


def _tell_kinds(found: Counter[str]) -> None:
    """Report how many findings of each kind there are, if these are several kinds: the few would be overlooked."""
    if len(found) > 1:
        tell(f"found: {', '.join(f'{number} {kind}' for kind, number in sorted(found.items()))}")


def _tell_if_unmatched(store: Backend, prefix: str) -> None:
    if prefix and not any(store.keys(prefix)):
        tell_of_nothing(store, prefix)


def _examined(session: Session, **options: Any) -> Iterator[Finding]:
    """Yield the findings, with a progress bar until the first; after that, the output shows the progress."""
    store, prefix = session.store, options["prefix"]
    with bar("check", lambda: sum(1 for _ in store.keys(prefix))) as shown:
        for finding in examine(store, session.known, progress=shown.show, **options):
            shown.stop()
            yield finding


def _agreed(find: Callable[..., Iterator[Finding]], url: str) -> list[Finding]:
    """Return the repairs that the user has seen and confirmed; only these are done then."""
    doomed: list[Finding] = []

    def note(finding: Finding) -> bool:
        doomed.append(finding)
        return False

    for _ in find(is_agreed=note):
        pass
    for done, question in _DONE.items():
        if found := [each for each in doomed if _done(each) == done]:
            kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(each.kind for each in found).items())
            places = [each.key if each.place is None else f"{each.key} {each.place}" for each in found]
            confirm(f"{question} {kinds} in {url}: {some(places)}?", yes=False)
    return doomed


def _done(finding: Finding) -> str:
    return "deleted" if finding.kind in get_args(Deletable) else "put right"

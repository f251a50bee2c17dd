"""``expire`` and ``rename``: change the deadline or the key of an object."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import typer

from persistent_collections.backends.changes import Exists, SetDeadline
from persistent_collections.backends.keys import Key
from persistent_collections.cli.changing import WithoutClassOption, keys_of_object, require_class
from persistent_collections.cli.failing import NotThereError, UsageError, message_of
from persistent_collections.cli.looking import UNITS, KeyArgument, remaining
from persistent_collections.cli.printing import write
from persistent_collections.cli.progress import bar
from persistent_collections.cli.session import Session, key_of
from persistent_collections.cli.texts import clean
from persistent_collections.collections.deadlines import seconds_until
from persistent_collections.errors import ObjectExists
from persistent_collections.moving.renaming import rename as rename_object

_NEVER = "never"


def expire(
    context: typer.Context,
    key: KeyArgument,
    when: Annotated[
        str, typer.Argument(metavar="WHEN", help="As 90s, 15min, 2h or 7d from now, a date and time, or never.")
    ],
) -> None:
    """Set the deadline of an object and its children, or remove it."""
    session: Session = context.obj
    place = _object(key, "has the deadline of its record; give the key of that")
    ttl_s = _seconds(when)
    session.require_store()
    deadlines = [SetDeadline(part, ttl_s) for part in keys_of_object(session, place)]
    if not session.store.commit([Exists(place)], deadlines):
        raise NotThereError(f"nothing is stored under {key!r} in {session.store.url}")
    write(clean(f"{key} {'has no deadline' if ttl_s is None else f'vanishes {remaining(ttl_s)}'}"))


def rename(
    context: typer.Context,
    key: KeyArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another key of the same type.")],
    *,
    without_class: WithoutClassOption = False,
) -> None:
    """Give an object another id, in one step with its children.

    References to it in other objects stay as they are; check lists them.
    """
    session: Session = context.obj
    old, becomes = (_object(given, "is renamed with its record; give the key of that") for given in (key, new))
    if old.root.partition(":")[0] != becomes.root.partition(":")[0]:
        raise UsageError(f"{new!r} is of another type than {key!r}; a new key differs only in the id")
    if old == becomes:
        raise UsageError(f"{key!r} has that key already")
    session.require_store()
    if not without_class:
        require_class(session, old)
    try:
        with bar("rename"):
            rename_object(session.store, old, becomes, session.known)
    except ObjectExists as error:
        raise NotThereError(message_of(error)) from None
    write(clean(f"renamed {old} to {becomes}"))


def _object(given: str, problem: str) -> Key:
    """Return the key of an object that is not a child.

    Raises:
        UsageError: It isn't a key, or it is the key of a child.
    """
    key = key_of(given)
    if key.child is not None:
        raise UsageError(f"{given!r} {problem}: {key.root}")
    return key


def _seconds(when: str) -> float | None:
    """Return the seconds until a deadline, None for never.

    Raises:
        UsageError: It isn't a deadline, or it has passed.
    """
    if when == _NEVER:
        return None
    units = dict(UNITS)
    spelt = re.fullmatch(rf"(\d+(?:\.\d+)?)({'|'.join(units)})", when)
    try:
        seconds = seconds_until(float(spelt[1]) * units[spelt[2]] if spelt else datetime.fromisoformat(when))
    except ValueError:
        raise UsageError(
            f"{when!r} is not a deadline; write a time from now as 90s, 15min, 2h or 7d, a moment with its offset as "
            f"2027-01-31T12:00+01:00, or {_NEVER}"
        ) from None
    if seconds <= 0:
        raise UsageError(f"{when!r} is not in the future; delete deletes it now")
    return seconds

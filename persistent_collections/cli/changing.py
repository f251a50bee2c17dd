"""``set`` and ``delete``: one value, one object."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from persistent_collections.backends.base import Backend, Delete, Key
from persistent_collections.cli import spelling
from persistent_collections.cli.failing import NotThereError, UsageError, tell
from persistent_collections.cli.looking import KeyArgument, index_of
from persistent_collections.cli.printing import write
from persistent_collections.cli.session import Session, id_of, key_of
from persistent_collections.cli.texts import clean
from persistent_collections.codecs.keys import key_codec
from persistent_collections.codecs.registry import get_codec
from persistent_collections.containers import PersistentCollection, text_codec
from persistent_collections.dicts import PersistentDict
from persistent_collections.errors import DecodeError, EncodeError
from persistent_collections.lists import PersistentList
from persistent_collections.objects import PersistentObject, references
from persistent_collections.records import Record
from persistent_collections.schema import Password

T = TypeVar("T")

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def set_(
    context: typer.Context,
    key: KeyArgument,
    place: Annotated[str, typer.Argument(metavar="FIELD|INDEX")],
    value: Annotated[str | None, typer.Argument(help="JSON, or a text; without it, read from standard input.")] = None,
    *,
    text: Annotated[bool, typer.Option("--text", help="VALUE is a text, whatever it looks like.")] = False,
    create: Annotated[bool, typer.Option("--create", help="Make the object if it does not exist.")] = False,
) -> None:
    """Set a field of a record, a key of a dict or an item of a list.

    VALUE is JSON, its tags as they are stored, or a plain word where one stands for a value of the declared type: a
    text, a date or time, a Decimal, a UUID, a path, a member of an Enum, the key of a record.
    """
    session: Session = context.obj
    handle = _handle(session, key_of(key))
    if not create:
        session.require_store()
    if not (create or handle):
        raise NotThereError(f"{key!r} does not exist in {session.store.url}; --create makes it")
    where, declared = _place(session, handle, place)
    meant = _value(value, declared, session.store, is_text=text)
    try:
        handle[where] = meant  # type: ignore[index]  # a set was refused
    except IndexError:
        raise NotThereError(f"{key!r} in {session.store.url} has no index {where}") from None
    except EncodeError as error:
        raise UsageError(f"{error}{spelling.hint(declared, references(session.store))}") from None
    if isinstance(meant, Record) and not meant:
        tell(f"{meant.key!r}, which is referred to now, does not exist in {session.store.url}")


def delete(context: typer.Context, key: KeyArgument, *, yes: YesOption = False) -> None:
    """Delete an object with its children, or one child; asks first."""
    session: Session = context.obj
    doomed = _doomed(session, key_of(key))
    session.require_store()
    there = [str(part) for part, found in zip(doomed, session.store.describe(doomed), strict=True) if found]
    if not there:
        raise NotThereError(f"nothing is stored under {key!r} in {session.store.url}")
    confirm(f"Delete {', '.join(there)} in {session.store.url}?", yes=yes)
    if not any(session.store.apply([Delete(part) for part in doomed])):
        raise NotThereError(f"{key!r} has gone from {session.store.url} meanwhile")
    write(clean(f"deleted {', '.join(there)}"))


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless the answer was given.

    Raises:
        NotThereError: The answer is no.
        UsageError: Nobody is there to answer.
    """
    if yes:
        return
    try:
        agreed = typer.confirm(clean(question), err=True)
    except typer.Abort:
        typer.echo(err=True)
        raise UsageError("there was no answer; give --yes where nobody can be asked") from None
    if not agreed:
        raise NotThereError("nothing was done")


def _doomed(session: Session, key: Key) -> list[Key]:
    """Return the keys of an object, those of which no class is known looked for, or the key of a child alone."""
    if key.child is not None:
        return [key]
    if session.known.class_of(key.root):
        return session.known.family(key.root)
    found = [part for part in session.store.keys(key.root) if part.root == key.root]
    return sorted({key, *found}, key=str)


def _place(session: Session, handle: PersistentObject, place: str) -> tuple[Any, Any]:
    """Return a place as the handle takes it, and the declared type of the values there."""
    match handle:
        case Record():
            field = handle._field(place)
            if field.child:
                raise UsageError(
                    f"{place!r} is a child of {handle.key!r}; set a place in it: set {handle.key}:{field.stored} …"
                )
            return place, field.declared
        case PersistentDict():
            _require_its_codec(handle)
            decode = key_codec(handle._declared(0), references(session.store)).decode
            return _meant(decode, place), handle._declared(-1)
        case PersistentList():
            index = index_of(place)
            _require_its_codec(handle)
            return index, handle._declared(-1)
    raise UsageError(f"{handle.key!r} is a set, which has members and no places to set")


def _handle(session: Session, key: Key) -> PersistentObject:
    example = session.known.example(Key(key.root))
    if example is None:
        raise UsageError(
            f"no class of {str(key)!r} is known, so nothing says how its values are written; "
            "--models myapp.models imports the application's"
        )
    handle = type(example).ref(id_of(key) or "", backend=session.store)
    if key.child is not None:
        field = session.known.fields(type(handle)).get(key.child) if isinstance(handle, Record) else None
        if field is None or not field.child:
            raise UsageError(f"{type(example).__name__} declares no child {key.child!r}")
        child: PersistentObject = handle[field.name]  # type: ignore[index]  # a record, as a field was found
        return child
    if isinstance(handle, PersistentCollection):
        handle._codec = session.known.codecs(key)(0)
    return handle


def _require_its_codec(handle: Any) -> None:
    """Read a value, so that none is written beside others that another codec wrote.

    Raises:
        DecodeError: It is not what the codec of ``handle`` writes.
    """
    next(iter(handle.values() if isinstance(handle, PersistentDict) else handle), None)


def _value(given: str | None, declared: Any, store: Backend, *, is_text: bool) -> Any:
    """Return the value that is meant by what is given on the command line."""
    text = _read(is_secret=declared is Password) if given is None else given
    if is_text or declared is Password:
        return text
    if text_codec(declared) == "reference":
        if text != "null":
            key_of(text)
        reference = get_codec("reference").bind(declared, references(store))
        return None if text == "null" else _meant(reference.decode, text.encode())
    return spelling.value_of(text, declared, references(store))


def _meant(decode: Callable[[T], Any], given: T) -> Any:
    try:
        return decode(given)
    except DecodeError as error:
        raise UsageError(f"what is given cannot be stored there: {error}") from None


def _read(*, is_secret: bool) -> str:
    if is_secret and sys.stdin.isatty():
        answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return answer
    if sys.stdin.isatty():
        tell("VALUE is what is typed now, until Ctrl-D at the start of a line")
    given = sys.stdin.buffer.read()
    if not given:
        raise UsageError("there is no VALUE, nor anything on standard input; an empty text is written '\"\"'")
    try:
        return given.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise UsageError("what is read from standard input is no UTF-8, and so no text") from None

"""``set`` and ``delete``: one value, one object."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from persistent_collections.annotations import as_written
from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete, Exists
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING, Shape
from persistent_collections.cli.failing import NotThereError, UsageError, message_of, tell
from persistent_collections.cli.looking import KeyArgument, PlacesArgument, index_of, path_to
from persistent_collections.cli.printing import write
from persistent_collections.cli.session import Session, id_of, key_of
from persistent_collections.cli.texts import clean
from persistent_collections.codecs.base import Codec
from persistent_collections.codecs.keys.codec import key_codec
from persistent_collections.collections import spelling
from persistent_collections.collections.base import PersistentCollection
from persistent_collections.collections.binding import references, text_codec
from persistent_collections.collections.dicts import PersistentDict
from persistent_collections.collections.lists import PersistentList
from persistent_collections.collections.objects import PersistentObject
from persistent_collections.collections.sets import PersistentSet
from persistent_collections.errors import DecodeError, EncodeError
from persistent_collections.records.forms import codec_of_text
from persistent_collections.records.record import Record
from persistent_collections.records.schema import Password

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
WithoutClassOption = Annotated[
    bool, typer.Option("--without-class", help="Do it even if the class is unknown, so that no on_delete is followed.")
]


def set_(
    context: typer.Context,
    key: KeyArgument,
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="FIELD|INDEX... [VALUE]",
            help="A place, or a child and a place in it; then the value, by default read from standard input.",
        ),
    ],
    *,
    text: Annotated[bool, typer.Option("--text", help="Take VALUE as a text, even if it looks like JSON.")] = False,
    create: Annotated[bool, typer.Option("--create", help="Make the object if it does not exist.")] = False,
) -> None:
    """Set a field of a record, a key of a dict or an item of a list.

    VALUE is JSON, with the tags of the stored form. If a type is declared, it may be a plain word: a text, yes or no, a
    date or time, a Decimal, a UUID, a path, a member of an Enum, or the key or id of a record.
    """
    session: Session = context.obj
    path, place, value = _path(session, key, places)
    handle = _handle(session, path)
    if not create:
        session.require_store()
    if not (create or handle or isinstance(handle, PersistentList)):  # a new list has no index to set
        raise NotThereError(f"{str(path)!r} does not exist in {session.store.url}; --create makes it")
    where, declared = _place(session, handle, place)
    own = codec_of_text(handle.__pc__.field(where), session.store) if isinstance(handle, Record) else None
    meant = _value(value, declared, own, session.store, is_text=text)
    try:
        handle[where] = meant  # type: ignore[index]  # a set was refused
    except IndexError:
        raise NotThereError(f"{str(path)!r} in {session.store.url} has no index {where}") from None
    except EncodeError as error:
        raise UsageError(f"{message_of(error)}{spelling.hint(declared, references(session.store))}") from None
    if isinstance(meant, Record) and not meant:
        tell(f"the value now refers to {meant.key!r}, which does not exist in {session.store.url}")


def delete(
    context: typer.Context,
    key: KeyArgument,
    places: PlacesArgument = None,
    *,
    yes: YesOption = False,
    without_class: WithoutClassOption = False,
) -> None:
    """Delete an object, a child or one place in it; asks first."""
    session: Session = context.obj
    path, left = path_to(session, key, places or [])
    if left:
        _delete_place(session, path, left, yes=yes)
        return
    doomed = keys_of_object(session, path)
    session.require_store()
    there = [str(part) for part, found in zip(doomed, session.store.look(doomed), strict=True) if found]
    if not there:
        raise NotThereError(f"nothing is stored under {str(path)!r} in {session.store.url}")
    if not without_class:
        require_class(session, path)
    confirm(f"Delete {', '.join(there)} in {session.store.url}?", yes=yes)
    if not _delete_object(session, doomed):
        raise NotThereError(f"{str(path)!r} was deleted from {session.store.url} meanwhile")
    write(clean(f"deleted {', '.join(there)}"))


def _delete_object(session: Session, doomed: Sequence[Key]) -> bool:
    """Delete a child, or an object with its children, and return whether it existed.

    Raises:
        StillReferenced: A record refers to it, and its class forbids the deletion.
    """
    key, *children = doomed
    cls = session.known.class_of(key.root)
    if key.child is None and cls and issubclass(cls, Record):
        return cls.ref(id_of(key) or "", backend=session.store).delete()
    return session.store.commit([Exists(key)], [Delete(key, None if key.child else children)])


def _delete_place(session: Session, path: Key, left: Sequence[str], *, yes: bool) -> None:
    """Delete a field, a key of a dict, an item of a list or a member of a set.

    Raises:
        NotThereError: It does not exist, or the answer is no.
        UsageError: These are several places.
    """
    if len(left) > 1:
        raise UsageError(f"{' '.join(left)!r} are several places; delete takes one, or a child and one place in it")
    handle = _handle(session, path)
    session.require_store()
    where = _member_or_place(session, handle, left[0])
    confirm(f"Delete {left[0]} of {path} in {session.store.url}?", yes=yes)
    try:
        if isinstance(handle, PersistentSet):
            handle.remove(where)
        else:
            del handle[where]  # type: ignore[attr-defined]  # a record, a dict or a list
    except (KeyError, IndexError):
        raise NotThereError(f"{str(path)!r} in {session.store.url} has no {left[0]!r}") from None
    write(clean(f"deleted {left[0]} of {path}"))


def _member_or_place(session: Session, handle: PersistentObject, text: str) -> Any:
    if not isinstance(handle, PersistentSet):
        return _place(session, handle, text)[0]
    return _key(session, handle, text)


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation, unless an option confirms.

    Raises:
        NotThereError: The answer is no.
        UsageError: The question cannot be asked: standard input is not a terminal.
        KeyboardInterrupt: Ctrl-C is the answer.
    """
    if yes:
        return
    try:
        agreed = typer.confirm(clean(question), err=True)
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        typer.echo(err=True)
        raise UsageError("no answer was given; pass --yes if nobody can be asked") from None
    if not agreed:
        raise NotThereError("nothing was done")


def require_class(session: Session, key: Key) -> None:
    """Make sure that records which refer to ``key`` can be treated as their ``on_delete`` says.

    Raises:
        UsageError: It may be a record, but its class is unknown.
    """
    if key.child is None and not session.known.class_of(key.root):
        [found] = session.store.look([key])
        if found and found.shape is MAPPING:
            raise UsageError(
                f"no class of {str(key)!r} is known, so on_delete of records that refer to it cannot be followed; "
                "--models myapp.models imports the application's classes; --without-class does it anyway"
            )


def keys_of_object(session: Session, key: Key) -> list[Key]:
    """Return the keys of an object, found by listing if its class is unknown, or only the key of a child."""
    if key.child is not None:
        return [key]
    if session.known.class_of(key.root):
        return session.known.family(key.root)
    found = [part for part in session.store.keys(key.root) if part.root == key.root]
    return sorted({key, *found}, key=str)


def _place(session: Session, handle: PersistentObject, place: str) -> tuple[Any, Any]:
    """Return a place in the form of the handle, and the declared type of the values there."""
    match handle:
        case Record():
            return place, handle.__pc__.field(place).declared
        case PersistentDict():
            _require_its_codec(handle)
            return _key(session, handle, place), handle.__pc__.declared(-1)
        case PersistentList():
            index = index_of(place)
            _require_its_codec(handle)
            return index, handle.__pc__.declared(-1)
    shape: Shape = handle.__pc__.shape
    raise UsageError(f"{handle.key!r} is a {shape.word}, which has {shape.columns[0]}s and no places to set")


def _key(session: Session, handle: PersistentDict[Any, Any] | PersistentSet[Any], text: str) -> Any:
    """Return the key or member that a word means.

    Raises:
        UsageError: No key or member of the declared type is written so.
    """
    declared = handle.__pc__.declared(0)
    try:
        return key_codec(declared, references(session.store)).decode(text)
    except DecodeError:
        what = "member" if isinstance(handle, PersistentSet) else "key"
        raise UsageError(
            f"{handle.key!r} has {what}s of type {as_written(declared)}, and this is not one; write it as show prints "
            "it"
        ) from None


def _path(session: Session, key: str, places: Sequence[str]) -> tuple[Key, str, str | None]:
    """Return the key, the place and the value of the arguments, which may name a child between key and place.

    Raises:
        UsageError: There are too few or too many arguments.
    """
    path, left = path_to(session, key, places)
    by_name = len(left) < len(places)
    match left:
        case [place] if not by_name:
            return path, place, None
        case [place, value]:
            return path, place, value
        case [] | [_]:
            raise UsageError(f"{places[0]!r} is a child of {key!r}; set a place in it: set {path} PLACE VALUE")
    raise UsageError(f"set takes a place and a value, not {len(left)} words; quote a value that has blanks")


def _handle(session: Session, key: Key) -> PersistentObject:
    example = session.known.example(Key(key.root))
    if example is None:
        raise UsageError(
            f"no class of {str(key)!r} is known, so its values cannot be encoded; "
            "--models myapp.models imports the application's classes"
        )
    handle = type(example)(id_of(key), backend=session.store)  # a record is made by the first write
    if key.child is not None:
        field = session.known.fields(type(handle)).get(key.child) if isinstance(handle, Record) else None
        if field is None or not field.child:
            raise UsageError(f"{type(example).__name__} declares no child {key.child!r}")
        child: PersistentObject = handle[field.name]  # type: ignore[index]  # a record, as a field was found
        return child
    if isinstance(handle, PersistentCollection):
        handle.__pc__.codec = session.known.codecs(key)(0)
    return handle


def _require_its_codec(handle: Any) -> None:
    """Read a value, so that a new one is never written beside values of another codec.

    Raises:
        DecodeError: The codec of ``handle`` can't have written it.
    """
    next(iter(handle.values() if isinstance(handle, PersistentDict) else handle), None)


def value_meant(text: str, declared: Any, store: Backend) -> Any:
    """Return the value of a declared type for a word on the command line.

    Where a reference is declared, it is a key if it holds a colon, and an id otherwise.

    Raises:
        UsageError: It isn't a key, but a reference is declared.
        SpellingError: It is ambiguous or not a value.
    """
    if declared is Password:
        return text
    if text_codec(declared) == "reference":
        return None if text == "null" else _reference(text, declared, store)
    return spelling.value_of(text, declared, references(store))


def _reference(text: str, declared: Any, store: Backend) -> Any:
    is_key = ":" in text or not text
    if is_key:
        key_of(text)
    try:
        return spelling.reference_to(declared, text, references(store), is_key=is_key)
    except DecodeError as error:
        raise UsageError(f"the value cannot be stored there: {message_of(error)}") from None


def _value(given: str | None, declared: Any, own: Codec | None, store: Backend, *, is_text: bool) -> Any:
    """Return the value of an argument of the command line.

    Args:
        given: The argument; None to read it from standard input.
        declared: The declared type.
        own: The codec whose text people write, if JSON has no form of the type.
        store: The store.
        is_text: Whether to take it as a text.
    """
    text = _read(is_secret=declared is Password) if given is None else given
    if is_text:
        return text
    try:
        if own and text != "null":
            return spelling.value_by(own, text)
        return value_meant(text, declared, store)
    except spelling.SpellingError as error:
        raise UsageError(f"VALUE {error}{', or pass --text' if error.is_text else ''}") from None


def _read(*, is_secret: bool) -> str:
    if is_secret and sys.stdin.isatty():
        answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return answer
    if sys.stdin.isatty():
        tell("type VALUE now, and end it with Ctrl-D at the start of a line")
    given = sys.stdin.buffer.read()
    if not given:
        raise UsageError("VALUE is missing, and standard input is empty; write an empty text as '\"\"'")
    try:
        return given.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise UsageError("standard input is not UTF-8, so it is not text") from None

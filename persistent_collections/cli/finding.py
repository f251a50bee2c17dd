"""``find`` and ``reindex``: find records by their fields, and rebuild the indexes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer

from persistent_collections.backends.keys import Key
from persistent_collections.cli.changing import value_meant
from persistent_collections.cli.failing import Exit, NotThereError, UsageError, message_of, tell
from persistent_collections.cli.looking import JSONOption
from persistent_collections.cli.printing import print_found, print_rows, write
from persistent_collections.cli.progress import bar
from persistent_collections.cli.reading import Reading
from persistent_collections.cli.session import Session
from persistent_collections.collections.binding import references
from persistent_collections.collections.spelling import SpellingError, hint
from persistent_collections.errors import (
    DecodeError,
    EncodeError,
    NotUnique,
    PersistentCollectionsError,
    SlowHabitWarning,
)
from persistent_collections.records.conditions import at_least, between, less_than, one_of, starts_with
from persistent_collections.records.finding import Query
from persistent_collections.records.finding import find as query_for
from persistent_collections.records.record import Record
from persistent_collections.records.reindexing import reindex as build
from persistent_collections.suggestions import suggestion

TypeArgument = Annotated[str, typer.Argument(metavar="TYPE", help="The type of the records, as ls shows it.")]

_WORD: Final = re.compile(r"([\w.]+)(\^=|[<>!]=|[<>=])(.*)", re.DOTALL)
_RANGES: Final[Mapping[tuple[str, ...], Callable[..., Any]]] = {
    (">=",): at_least,
    ("<",): less_than,
    (">=", "<"): between,
    ("<", ">="): lambda high, low: between(low, high),
    ("^=",): starts_with,
}
_FORMS: Final = "FIELD=VALUE, FIELD>=VALUE, FIELD<VALUE or FIELD^=START"


def find(
    context: typer.Context,
    type_name: TypeArgument,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="CONDITION|FIELD", help=f"A condition is {_FORMS}; a FIELD is shown."),
    ] = None,
    *,
    order_by: Annotated[
        list[str] | None,
        typer.Option(metavar="[-]FIELD", help="The order, descending with a -; may be given several times."),
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="NUMBER", min=1, help="How many records at most.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Continue after the page that printed this token.")
    ] = None,
    scan: Annotated[bool, typer.Option("--scan", help="Read all records if no index answers.")] = False,
    count: Annotated[bool, typer.Option("--count", help="Print only the number of records.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Print only how they are found.")] = False,
    json: JSONOption = False,
) -> None:
    """Find records by their fields.

    All conditions must hold. If you give several values for one field, it must have one of them. Write VALUE as for
    set.
    """
    session: Session = context.obj
    cls = _class(session, type_name)
    conditions, names = _parsed(words or ())
    session.require_store()
    unreadable: list[PersistentCollectionsError] = []
    with _mistakes_reported(), _warnings_reported():
        query = query_for(cls.__pc__, _where(session, cls, conditions), session.store).on_error(unreadable.append)
        query = _narrowed(query.order_by(*order_by or ()).after(after), limit, scan=scan)
        if explain:
            write(query.explain())
        elif count:
            with bar("find"):
                number = query.count()
            write(str(number))
        else:
            _print_found(session, cls, query, names, json=json)
    if unreadable:
        raise NotThereError(f"{len(unreadable)} of the records cannot be read; run check for details")


def reindex(
    context: typer.Context,
    types: Annotated[
        list[str] | None,
        typer.Argument(metavar="TYPE", help="The types of the records; by default all that have indexes."),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only look for duplicate values of unique fields.")
    ] = False,
    json: JSONOption = False,
) -> None:
    """Build the indexes of records anew, as after a field was marked."""
    session: Session = context.obj
    session.require_store()
    with _mistakes_reported():
        classes = [_class(session, name) for name in types] if types else _indexed(session)
    failed = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal failed
        for cls in classes:
            try:
                with bar(f"reindex {cls.type_name}") as shown:
                    number = build(cls.__pc__, session.store, dry_run=dry_run, progress=shown.show)
            except (NotUnique, DecodeError) as error:
                failed += 1
                yield {"type": cls.type_name, "problem": message_of(error)}
            else:
                yield {"type": cls.type_name, "records": number}

    with _mistakes_reported():
        print_rows(rows(), {"type": "TYPE", "records": "RECORDS", "problem": "PROBLEM"}, json=json)
    if failed:
        raise typer.Exit(Exit.FOUND)


def _parsed(words: Sequence[str]) -> tuple[list[Sequence[str]], list[str]]:
    """Return the conditions among some words, the field, the operator and the value of each, and the other words."""
    matches = [(word, _WORD.fullmatch(word)) for word in words]
    return [match.groups() for _, match in matches if match], [word for word, match in matches if not match]


def _narrowed(query: Query[Any], limit: int | None, *, scan: bool) -> Query[Any]:
    query = query if limit is None else query.limit(limit)
    return query.scan() if scan else query


def _class(session: Session, type_name: str) -> type[Record]:
    cls = session.known.class_of(f"{type_name}:")
    if cls is None:
        raise UsageError(
            f"no class of type {type_name!r} is known; --models myapp.models imports the application's classes; "
            f"{suggestion(type_name, session.known.type_names)}"
        )
    if not issubclass(cls, Record):
        raise UsageError(f"{type_name!r} is not a type of records, and only records have fields")
    return cls


def _indexed(session: Session) -> list[type[Record]]:
    """Return the classes that declare an index."""
    known = map(session.known.class_of, (f"{name}:" for name in sorted(session.known.type_names)))
    found = [cls for cls in known if cls and issubclass(cls, Record) and cls.__pc__.bound_fields(session.store).indexed]
    if not found:
        raise UsageError(
            "no class that declares an index is known; --models myapp.models imports the application's classes"
        )
    return found


def _where(session: Session, cls: type[Record], parts: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Return the conditions, by field.

    Args:
        session: The global options.
        cls: The class.
        parts: The field, the operator and the value of each.

    Raises:
        UsageError: One cannot be understood, or contradicts another.
        UnknownFieldError: A field is not declared.
    """
    given: dict[str, list[tuple[str, Any]]] = {}
    for name, operator, text in parts:
        given.setdefault(name, []).append((operator, text))
    return {name: _condition(session, cls, name, *zip(*each, strict=True)) for name, each in given.items()}


def _condition(session: Session, cls: type[Record], name: str, operators: Sequence[str], texts: Sequence[str]) -> Any:
    declared = _declared(cls, name)
    make = _maker(name, operators)
    try:
        values = texts if make is starts_with else [value_meant(text, declared, session.store) for text in texts]
        condition = make(*values)
        query_for(cls.__pc__, {name: condition}, session.store)
    except SpellingError as error:
        raise UsageError(f"{name}: the value {error}") from None
    except EncodeError as error:
        raise UsageError(f"{message_of(error)}{hint(declared, references(session.store))}") from None
    return condition


def _maker(name: str, operators: Sequence[str]) -> Callable[..., Any]:
    """Return the function that builds a condition from the values after some operators."""
    if set(operators) == {"="}:
        return one_of
    found = _RANGES.get(tuple(operators))
    if found is None:
        raise UsageError(f"{name} {' and '.join(operators)}: a condition is {_FORMS}, and a range >= and <")
    return found


def _declared(cls: type[Record], name: str) -> Any:
    """Return the declared type of a field that holds a value.

    Raises:
        UnknownFieldError: No field has this name.
        UsageError: It is a child.
    """
    field = cls.__pc__.schema().fields.get(name)
    if "." in name:
        head = name.partition(".")[0]
        raise UsageError(f"{name!r}: conditions are on fields of {cls.__name__} itself, such as {head}=ID")
    if field is None:
        raise cls.__pc__.unknown(name)
    if field.child:
        raise UsageError(f"{name!r} of {cls.__name__} is a child; records are found by their fields, and show shows it")
    return field.declared


def _shown_field(cls: type[Record], name: str) -> tuple[Key, str]:
    """Return a key of the class of a field, and its name there: ``captain.name`` is a field of the captain's class.

    Raises:
        UnknownFieldError: No field has this name.
        UsageError: The field is a child, or the field before the dot does not refer to records of one class.
    """
    head, dot, rest = name.partition(".")
    declared = _declared(cls, head)
    if not dot:
        return Key(f"{cls.type_name}:any"), name
    if not (isinstance(declared, type) and issubclass(declared, Record)):
        raise UsageError(f"{head!r} of {cls.__name__} does not refer to records of one class, so it has no {rest!r}")
    return _shown_field(declared, rest)


def _print_found(session: Session, cls: type[Record], query: Query[Any], names: Sequence[str], *, json: bool) -> None:
    fields = {name: _shown_field(cls, name) for name in names}
    reading = Reading(session.store, session.known)

    found = (
        {"key": cls.ref(row["id"]).key, **{name: reading.shown(*field, row[name]) for name, field in fields.items()}}
        for row in query.fetch("id", *names)
    )
    columns = {"key": "KEY", **{name: name.upper() for name in names}}
    if not print_found("find", found, columns, json=json):
        tell(f"no {cls.type_name} that matches is stored in {session.store.url}")
    if query.token:
        tell(f"there are more; the next page: --after {query.token}")


@contextmanager
def _mistakes_reported() -> Iterator[None]:
    """Report a fault of a query or a class as a usage error."""
    try:
        yield
    except PersistentCollectionsError:
        raise
    except (TypeError, ValueError, NameError) as error:
        raise UsageError(str(error)) from None


@contextmanager
def _warnings_reported() -> Iterator[None]:
    """Report a slow query in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", SlowHabitWarning)
        warnings.showwarning = lambda message, *_, **__: tell(str(message))
        yield

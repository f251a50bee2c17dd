"""``ls``, ``show`` and ``get``: what lies in the store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from persistent_collections.backends.base import Key
from persistent_collections.cli.failing import NotThereError, UsageError
from persistent_collections.cli.printing import print_rows, write
from persistent_collections.cli.reading import Reading
from persistent_collections.cli.session import Session, id_of, key_of
from persistent_collections.cli.texts import as_json, cell
from persistent_collections.errors import CorruptDataError
from persistent_collections.records import Record

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="As ls shows it: TYPE:ID, or TYPE:ID:FIELD.")]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def ls(
    context: typer.Context,
    prefix: Annotated[str, typer.Argument(help="List only keys that start with it.")] = "",
    *,
    json: JSONOption = False,
) -> None:
    """List the keys with their type, size and deadline, as they are found."""
    session: Session = context.obj
    unreadable: list[str] = []
    columns = {"type": "TYPE", "size": "SIZE", "deadline": "DEADLINE", "key": "KEY"}
    print_rows(_listed(session, prefix, unreadable), columns, json=json)
    if unreadable:
        raise NotThereError(f"what {len(unreadable)} of the keys hold cannot be read; check says more")


def show(context: typer.Context, key: KeyArgument, *, json: JSONOption = False) -> None:
    """Show all that a key holds: fields, items or members, and the children of a record."""
    session: Session = context.obj
    place = key_of(key)
    reading = Reading(session.store, session.known)
    shape = reading.shape(place)
    declared = session.known.family(place.root)[1:] if place.child is None else []
    children = [row for child in declared if (row := _child(reading, child))]
    if shape is None and not children:
        raise NotThereError(f"nothing is stored under {key!r} in {session.store.url}")
    columns = {
        "mapping": {"field": "FIELD", "value": "VALUE"},
        "sequence": {"index": "INDEX", "value": "VALUE"},
        "members": {"member": "MEMBER"},
    }[shape or "mapping"]
    names = list(columns)

    def rows() -> Iterator[dict[str, Any]]:
        for where, value in reading.pages(place, shape) if shape else ():
            row = {names[0]: value} if where is None else dict(zip(names, (where, value), strict=True))
            yield row if json or "value" not in row else row | {"value": as_json(row["value"])}
        for row in children:
            yield row if json else {"field": row["field"], "value": f"{row['type']} of {row['size']}: {row['child']}"}

    print_rows(rows(), columns, json=json)


def get(
    context: typer.Context,
    key: KeyArgument,
    place: Annotated[str | None, typer.Argument(metavar="[FIELD|INDEX]", help="Without it, all.")] = None,
    *,
    json: JSONOption = False,
) -> None:
    """Print one value: a text as it is, any other as JSON; without a place, all as one JSON text."""
    session: Session = context.obj
    reading = Reading(session.store, session.known)
    where = key_of(key)
    if place is not None and (child := _declared_child(session, where, place)):
        where, place = child, None
    value = _all(session, reading, where) if place is None else _one(session, reading, where, place)
    write(as_json(value) if json or place is None else cell(value) if value is not None else "null")


def remaining(ttl_s: float) -> str:
    """Return a time that is left, in the largest unit there is one of."""
    name, unit_s = next((unit for unit in _UNITS if ttl_s >= unit[1]), _UNITS[-1])
    return f"in {int(ttl_s // unit_s)} {name}"


def _listed(session: Session, prefix: str, unreadable: list[str]) -> Iterator[dict[str, Any]]:
    reading = Reading(session.store, session.known)
    root = ":".join(prefix.split(":")[:2])
    for key in session.store.keys(root):
        if str(key).startswith(prefix):
            try:
                row = _row(reading, key)
            except CorruptDataError:
                row = {"key": str(key), "type": "unreadable"}
                unreadable.append(str(key))
            if row:
                yield row


def _row(reading: Reading, key: Key) -> dict[str, Any] | None:
    shape = reading.shape(key)
    if shape is None:
        return None
    ttl_s = reading.ttl(key)
    facts = {"key": str(key), "type": reading.type(key, shape), "size": reading.size(key, shape)}
    return facts if ttl_s is None else facts | {"deadline": remaining(ttl_s), "ttl_s": round(ttl_s, 3)}


def _child(reading: Reading, key: Key) -> dict[str, Any] | None:
    shape = reading.shape(key)
    facts = shape and {"type": reading.type(key, shape), "size": reading.size(key, shape)}
    return {"field": key.child, "child": str(key), **facts} if facts else None


def _declared_child(session: Session, key: Key, name: str) -> Key | None:
    cls = session.known.class_of(key.root)
    if key.child is not None or cls is None or not issubclass(cls, Record):
        return None
    field = cls._fields().get(name)
    return Key(key.root, field.stored) if field and field.child else None


def _all(session: Session, reading: Reading, key: Key) -> Any:
    shape = reading.shape(key) or (key.child and session.store.exists([Key(key.root)]) and session.known.shape(key))
    if not shape:
        raise NotThereError(f"nothing is stored under {str(key)!r} in {session.store.url}")
    found = list(reading.pages(key, shape))
    if shape == "mapping":
        return dict(found)
    values = [value for _, value in found]
    return sorted(values) if shape == "members" else values


def _one(session: Session, reading: Reading, key: Key, place: str) -> Any:
    shape = reading.shape(key)
    where = f"{str(key)!r} in {session.store.url}"
    if shape == "members":
        raise UsageError(f"{where} is a set, which has members and no places; get it without one")
    if shape == "sequence":
        data = session.store.sequence(key).get(index_of(place))
    else:
        data = session.store.mapping(key).get(_stored_name(session, key, place))
    if data is not None:
        return reading.value(key, index_of(place) if shape == "sequence" else _stored_name(session, key, place), data)
    example = session.known.example(key)
    if isinstance(example, Record) and key.child is None:
        return reading.plain(type(example).ref(id_of(key) or "", backend=session.store)[place])
    raise NotThereError(f"nothing is stored at {place!r} of {where}")


def _stored_name(session: Session, key: Key, place: str) -> str:
    example = session.known.example(key)
    return example._field(place).stored if isinstance(example, Record) else place


def index_of(text: str) -> int:
    """Return the index that is spelt so.

    Raises:
        UsageError: None is.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{text!r} is no index; the places of a list are 0, 1, … and, after --, -1") from None

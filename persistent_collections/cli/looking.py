"""``ls``, ``show`` and ``get``: what lies in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Annotated, Any, Final

import typer

from persistent_collections.backends.base import PAGE_SIZE, Description, Key, Shape
from persistent_collections.cli.failing import NotThereError, UsageError, tell
from persistent_collections.cli.printing import print_rows, write
from persistent_collections.cli.reading import Place, Reading
from persistent_collections.cli.session import Session, id_of, key_of
from persistent_collections.cli.texts import as_json, cell
from persistent_collections.records import Record

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="As ls shows it: TYPE:ID, or TYPE:ID:FIELD.")]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]

_NAMES: Final[dict[Shape, tuple[str, ...]]] = {
    "mapping": ("field", "value"),
    "sequence": ("index", "value"),
    "members": ("member",),
}
"""What the columns are called that show a key of each shape."""

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def ls(
    context: typer.Context,
    prefix: Annotated[str, typer.Argument(help="List only keys that start with it.")] = "",
    *,
    json: JSONOption = False,
) -> None:
    """List the keys with type, size and deadline, as they are found."""
    session: Session = context.obj
    session.require_store()
    unreadable: list[str] = []
    columns = {"type": "TYPE", "size": "SIZE", "deadline": "DEADLINE", "key": "KEY"}
    rows = _listed(session, prefix, unreadable)
    if first := next(rows, None):
        print_rows(chain([first], rows), columns, json=json)
    else:
        what = f"no key that starts with {prefix!r}" if prefix else "nothing"
        tell(f"{what} is stored in {session.store.url}")
    if unreadable:
        raise NotThereError(f"what {len(unreadable)} of the keys hold cannot be read; check says more")


def show(context: typer.Context, key: KeyArgument, *, json: JSONOption = False) -> None:
    """Show all that a key holds, and the children of a record."""
    session: Session = context.obj
    place = key_of(key)
    session.require_store()
    reading = Reading(session.store, session.known)
    shape = reading.shape(place)
    declared = session.known.family(place.root)[1:] if place.child is None else []
    children = dict(zip(declared, reading.describe(declared), strict=True))
    if shape is None and not any(children.values()):
        raise NotThereError(f"nothing is stored under {key!r} in {session.store.url}")
    print_object(reading, shape, reading.pages(place, shape) if shape else (), children, json=json)
    tell_of_children(session, place)


def tell_of_children(session: Session, place: Key) -> None:
    """Say that the children of what may be a record are not shown, where no class is known that declares any."""
    if place.child is None and not session.known.class_of(place.root):
        tell(f"children of {str(place)!r}, if it is a record, are shown where its class is known: --models yourapp")


def print_object(
    reading: Reading,
    shape: Shape | None,
    places: Iterable[tuple[Place, Any]],
    children: Mapping[Key, Description | None],
    *,
    json: bool,
) -> None:
    """Print what a key holds.

    Args:
        reading: Reads the store.
        shape: Of what it holds, None if it holds nothing but children.
        places: The places and their values.
        children: What the keys of the children hold.
        json: As everywhere.
    """

    def rows() -> Iterator[dict[str, Any]]:
        for where, value in places:
            row = place_row(shape or "mapping", where, value)
            yield row if json or "value" not in row else row | {"value": as_json(row["value"])}
        for child, found in children.items():
            if found:
                facts = _facts(reading, child, found)
                size = f" of {facts['size']}" if "size" in facts else ""
                row = {"child": str(child), **facts} if json else {"value": f"{facts['type']}{size}: {child}"}
                yield {"field": child.child, **row}

    print_rows(rows(), {name: name.upper() for name in _NAMES[shape or "mapping"]}, json=json)


def place_row(shape: Shape, where: Place, value: Any) -> dict[str, Any]:
    """Return a place of a key of this shape and the value there, by the names of columns; of a member it is both."""
    return {"member": value} if where is None else dict(zip(_NAMES[shape], (where, value), strict=True))


def get(
    context: typer.Context,
    key: KeyArgument,
    place: Annotated[str | None, typer.Argument(metavar="[FIELD|INDEX]", help="Without it, all.")] = None,
    *,
    json: JSONOption = False,
) -> None:
    """Print one value, or all that a key holds as one JSON text.

    A value that is a text is printed as it is, any other as JSON.
    """
    session: Session = context.obj
    reading = Reading(session.store, session.known)
    where = key_of(key)
    session.require_store()
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
    keys = (key for key in session.store.keys(":".join(prefix.split(":")[:2])) if str(key).startswith(prefix))
    while page := list(islice(keys, PAGE_SIZE)):
        for key, found in zip(page, reading.describe(page), strict=True):
            if found:
                if found.shape is None:
                    unreadable.append(str(key))
                left = {} if found.ttl_s is None else deadline_facts(found.ttl_s)
                yield {"key": str(key), **_facts(reading, key, found), **left}


def _facts(reading: Reading, key: Key, found: Description) -> dict[str, Any]:
    if found.shape is None:
        return {"type": "unreadable"}
    return {"type": reading.type(key, found.shape), "size": found.size}


def deadline_facts(ttl_s: float) -> dict[str, Any]:
    """Return what is told of a deadline: the time left in words, and in seconds."""
    return {"deadline": remaining(ttl_s), "ttl_s": round(ttl_s, 3)}


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
    example = session.known.example(key)
    if shape is None and not isinstance(example, Record):
        raise NotThereError(f"nothing is stored under {where}")
    if shape == "sequence":
        data = session.store.sequence(key).get(index_of(place))
    else:
        data = session.store.mapping(key).get(_stored_name(session, key, place))
    if data is not None:
        return reading.value(key, index_of(place) if shape == "sequence" else _stored_name(session, key, place), data)
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

"""``ls``, ``show`` and ``get``: show the content of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from typing import Annotated, Any, Final

import typer

from persistent_collections.backends.base import PAGE_SIZE, Backend, Found
from persistent_collections.backends.keys import Key
from persistent_collections.backends.shapes import MAPPING, MEMBERS, SEQUENCE, Shape
from persistent_collections.cli.failing import NotThereError, UsageError, tell
from persistent_collections.cli.printing import print_found, print_rows, write
from persistent_collections.cli.progress import bar
from persistent_collections.cli.reading import Reading, Where
from persistent_collections.cli.session import Session, key_of
from persistent_collections.cli.texts import as_json, cell
from persistent_collections.errors import CorruptDataError
from persistent_collections.records.record import Record
from persistent_collections.suggestions import suggestion

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="As ls shows it: TYPE:ID, or TYPE:ID:FIELD.")]
PlacesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="FIELD|INDEX", help="A place, or a child and a place in it.")
]
ChildArgument = Annotated[str | None, typer.Argument(metavar="CHILD", help="One child of a record instead.")]
LimitOption = Annotated[int | None, typer.Option(metavar="NUMBER", min=1, help="How many lines at most.")]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]

UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
"""The units of times in output and arguments, in seconds."""


def ls(
    context: typer.Context,
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="List only keys that start with it.")] = "",
    *,
    count: Annotated[bool, typer.Option("--count", help="Count the objects of each type instead.")] = False,
    limit: LimitOption = None,
    json: JSONOption = False,
) -> None:
    """List the keys with type, size and deadline, or count objects."""
    session: Session = context.obj
    session.require_store()
    unreadable: list[str] = []
    columns = {"type": "TYPE", "size": "SIZE", "deadline": "DEADLINE", "key": "KEY"}
    rows = _listed(session, prefix, unreadable)
    if count:
        columns, rows = {"type": "TYPE", "objects": "OBJECTS"}, _counted(session, prefix)
    if not print_found("ls", islice(rows, limit), columns, json=json):
        tell_of_nothing(session.store, prefix)
    if unreadable:
        raise NotThereError(f"{len(unreadable)} of the keys hold data that cannot be read; run check for details")


def show(context: typer.Context, key: KeyArgument, child: ChildArgument = None, *, json: JSONOption = False) -> None:
    """Show the content of a key, and the children of a record."""
    session: Session = context.obj
    place = key_or_child(session, key, child)
    session.require_store()
    reading = Reading(session.store, session.known)
    shape = reading.shape(place)
    declared = session.known.family(place.root)[1:] if place.child is None else []
    children = dict(zip(declared, reading.look(declared), strict=True))
    if shape is None and not any(children.values()):
        raise NotThereError(f"nothing is stored under {str(place)!r} in {session.store.url}")
    places = reading.pages(place, shape) if shape else ()
    print_object(reading, place, shape, places, children, json=json)
    tell_of_children(session, place)


def tell_of_nothing(store: Backend, prefix: str) -> None:
    """Report that no key starts with ``prefix``, and the type that may be meant."""
    types, given = set[str](), prefix.partition(":")[0]
    if prefix:
        with bar("look for types"), suppress(CorruptDataError):  # raised after all that can be listed
            for key in store.keys(""):
                types.add(key.root.partition(":")[0])
    what = f"no key that starts with {prefix!r}" if prefix else "nothing"
    hint = f"; {suggestion(given, types)}" if types and given not in types else ""
    tell(f"{what} is stored in {store.url}{hint}")


def tell_of_children(session: Session, place: Key) -> None:
    """Warn that children of a possible record are not shown, if no known class declares any."""
    if place.child is None and not session.known.class_of(place.root):
        tell(f"if {str(place)!r} is a record, import its class to see its children: --models yourapp")


def print_object(
    reading: Reading,
    key: Key,
    shape: Shape | None,
    places: Iterable[tuple[Where, Any]],
    children: Mapping[Key, Found | None],
    *,
    json: bool,
) -> None:
    """Print the content of a key.

    Args:
        reading: Reads the store.
        key: The key.
        shape: The shape of its content, None if only its children exist.
        places: The places and their values.
        children: The contents of the keys of the children.
        json: As everywhere.
    """

    def rows() -> Iterator[dict[str, Any]]:
        unset = reading.unset_fields(key) if shape is MAPPING else {}
        names = reading.field_names(key)
        for where, value in places:
            row = place_row(shape or MAPPING, where, value)
            if isinstance(where, str):
                unset.pop(where, None)
            yield _marked(row, "" if names is None or where in names else "stray", json=json)
        for name, field in unset.items():
            row = {"field": name, "value": field.value}
            yield _marked(row, "default" if field.is_default else "unset", json=json)
        for child, found in children.items():
            if found:
                facts = _facts(reading, child, found)
                size = f" of {facts['size']}" if "size" in facts else ""
                row = {"child": str(child), **facts} if json else {"value": f"{facts['type']}{size}: {child}"}
                yield {"field": child.child, **row}

    print_rows(rows(), {name: name.upper() for name in (shape or MAPPING).columns}, json=json)


_MARKS: Final = {
    "": "",
    "default": "  (the default)",
    "unset": "  (not set)",
    "stray": "  (not declared)",
}
"""The note beside a place in a table, by its name in JSON."""


def _marked(row: dict[str, Any], mark: str, *, json: bool) -> dict[str, Any]:
    """Return a row of a place as it is printed, with a mark beside its value."""
    if json:
        return row | {mark: True} if mark else row
    return row | {"value": f"{as_json(row['value'])}{_MARKS[mark]}"} if "value" in row else row


def place_row(shape: Shape, where: Where, value: Any) -> dict[str, Any]:
    """Return a place of a key of this shape and its value, by the names of columns; a member is both."""
    values = (value,) if where is None else (where, value)
    return dict(zip(shape.columns, values, strict=True))


def get(
    context: typer.Context,
    key: KeyArgument,
    places: PlacesArgument = None,
    *,
    json: JSONOption = False,
) -> None:
    """Print one value, or the content of a key as one JSON text.

    A text is printed without quotes, with invisible characters escaped; any other value as JSON.
    """
    session: Session = context.obj
    reading = Reading(session.store, session.known)
    where, place = _place_of(session, key, places or [])
    session.require_store()
    if place is None:
        write(as_json(_all(session, reading, where)))
        return
    value = _one(session, reading, where, place)
    write("null" if value is None else as_json(value) if json else cell(value))


def remaining(ttl_s: float) -> str:
    """Return a remaining time in the largest unit that fits and the next one, rounded."""
    smallest_s = next((smaller[1] for unit, smaller in pairwise(UNITS) if ttl_s >= unit[1]), 1)
    left_s, parts = round(ttl_s / smallest_s) * smallest_s, []
    for name, unit_s in UNITS:
        number, left_s = divmod(left_s, unit_s)
        if number:
            parts.append(f"{number} {name}")
    return f"in {' '.join(parts) or '0 s'}"


def _keys(session: Session, prefix: str) -> Iterator[Key]:
    return (key for key in session.store.keys(":".join(prefix.split(":")[:2])) if str(key).startswith(prefix))


def _counted(session: Session, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield how many objects of each type there are, however many keys each has. Their names are held in memory."""
    with bar("ls --count") as shown:
        roots: set[str] = set()
        for done, key in enumerate(_keys(session, prefix), 1):
            roots.add(key.root)
            shown.show(done, key.root)
    counts = Counter(root.partition(":")[0] for root in roots)
    return ({"type": name, "objects": counts[name]} for name in sorted(counts))


def _listed(session: Session, prefix: str, unreadable: list[str]) -> Iterator[dict[str, Any]]:
    reading = Reading(session.store, session.known)
    keys = _keys(session, prefix)
    while page := list(islice(keys, PAGE_SIZE)):
        for key, found in zip(page, reading.look(page), strict=True):
            if found:
                if found.shape is None:
                    unreadable.append(str(key))
                left = {} if found.ttl_s is None else deadline_facts(found.ttl_s)
                yield {"key": str(key), **_facts(reading, key, found), **left}


def _facts(reading: Reading, key: Key, found: Found) -> dict[str, Any]:
    if found.shape is None:
        return {"type": "unreadable"}
    return {"type": reading.type(key, found.shape), "size": found.size}


def deadline_facts(ttl_s: float) -> dict[str, Any]:
    """Return the description of a deadline: the remaining time in words, and in seconds."""
    return {"deadline": remaining(ttl_s), "ttl_s": round(ttl_s, 3)}


def _place_of(session: Session, key: str, places: Sequence[str]) -> tuple[Key, str | None]:
    """Return the key and the place to read, None for the whole key."""
    where, left = path_to(session, key, places)
    if len(left) > 1 and where.child is None and not session.known.class_of(where.root):
        where, left = Key(where.root, left[0]), left[1:]  # only a child has places inside
    if len(left) > 1:
        raise UsageError(f"{' '.join(left)!r} are several places; get takes one, or a child and one place in it")
    return where, left[0] if left else None


def path_to(session: Session, given: str, places: Sequence[str]) -> tuple[Key, Sequence[str]]:
    """Return the key, or its child if the first place is one, and the remaining places.

    Raises:
        UsageError: It isn't a key.
    """
    key = key_of(given)
    if key.child is not None or not places:
        return key, places
    cls = session.known.class_of(key.root)
    declared = session.known.fields(cls).values() if cls and issubclass(cls, Record) else ()
    names = [field.stored for field in declared if field.child and field.name == places[0]]
    return (Key(key.root, names[0]), places[1:]) if names else (key, places)


def key_or_child(session: Session, given: str, child: str | None) -> Key:
    """Return the key, or the key of its child.

    Raises:
        UsageError: It isn't a key, or it has no such child.
    """
    key, left = path_to(session, given, [child] if child else [])
    if not left:
        return key
    if key.child is None and not session.known.class_of(key.root):
        return Key(key.root, child)
    raise UsageError(f"{child!r} is not a child of {given!r}; get {given} {child} reads one place")


def _all(session: Session, reading: Reading, key: Key) -> Any:
    shape = reading.shape(key)
    if shape is None and key.child is not None and session.store.look([key.owner]) != [None]:
        shape = session.known.shape(key)
    if not shape:
        raise NotThereError(f"nothing is stored under {str(key)!r} in {session.store.url}")
    found = list(reading.pages(key, shape))
    if shape in (SEQUENCE, MEMBERS):
        values = [value for _, value in found]
        return sorted(values) if shape is MEMBERS else values
    stored = dict(found)
    return stored | {name: field.value for name, field in reading.unset_fields(key).items() if name not in stored}


def _one(session: Session, reading: Reading, key: Key, place: str) -> Any:
    shape = reading.shape(key)
    where = f"{str(key)!r} in {session.store.url}"
    if shape not in (MAPPING, SEQUENCE, None):
        raise UsageError(f"{where} is a {shape.word}, which has {shape.columns[0]}s and no places; get it without one")
    example = session.known.example(key)
    if shape is None and not isinstance(example, Record):
        raise NotThereError(f"nothing is stored under {where}")
    if shape is SEQUENCE:
        data = session.store.sequence(key).get(index_of(place))
    else:
        store = example.__pc__.info.declared(session.store) if isinstance(example, Record) else session.store
        data = store.mapping(key).get(_stored_name(session, key, place))
    if data is not None:
        return reading.value(key, index_of(place) if shape is SEQUENCE else _stored_name(session, key, place), data)
    if isinstance(example, Record) and session.store.look([key.owner]) != [None]:
        return reading.unset(key, example.__pc__.field(place))
    raise NotThereError(f"nothing is stored at {place!r} of {where}")


def _stored_name(session: Session, key: Key, place: str) -> str:
    example = session.known.example(key)
    return example.__pc__.field(place).stored if isinstance(example, Record) else place


def index_of(text: str) -> int:
    """Return the index of a text.

    Raises:
        UsageError: It isn't an index.
    """
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{text!r} is not an index; the places of a list are 0, 1, … and -1") from None

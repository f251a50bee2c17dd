"""Index entries of records as bytes, and as arguments of scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import random
from typing import Any, Final, NamedTuple

from persistent_collections.backends.changes import Change, Condition, Exists, FieldsAre, Make, SetEntries, SetFields
from persistent_collections.backends.indexes import Indexing, Place
from persistent_collections.backends.keys import Key
from persistent_collections.backends.redis.mapping import flat, is_whole
from persistent_collections.backends.redis.names import encode
from persistent_collections.backends.redis.pool import Command
from persistent_collections.errors import EncodeError

_LONGEST_ID: Final = 0xFEFF
"""The first byte of a greater length could be 255, as what follows a NUL in an id."""

_MOST_ARGUMENTS: Final = 4000
_SAVED: Final = frozenset({Make, SetFields, SetEntries})
_MAY_EXIST: Final = 2
SWEPT: Final = 24
"""How many entries a write checks if it checks any; a few in every write would cost more."""

_SEEN_TO_GO: Final = 2
_OFTEN: Final = 0.25
_FEWER: Final = 0.75
_SELDOM: Final = 1 / 64


class Saving(NamedTuple):
    """A step that creates one record or sets fields of it, with its entries, in the form of ``save.lua``.

    Attributes:
        keys: The record's, then those of its children.
        arguments: The arguments after their names.
        type_name: The type name of the record.
        swept: How many entries it checks.
    """

    keys: Sequence[Key]
    arguments: Command
    type_name: str
    swept: int


class Claim(NamedTuple):
    """The assumptions of a write on a cluster.

    Attributes:
        key: The record's.
        stamp: The time of the write.
        window_us: How long it lives.
    """

    key: Key
    stamp: int
    window_us: int


class Sweeps:
    """Decides which writes look for stale entries of deleted records.

    One in four does while such entries are found, so stale entries stay fewer than the others. While none is found,
    fewer and fewer writes do; but slowly, since stale entries may lie together in one part of an index.
    """

    def __init__(self) -> None:
        self._share: dict[str, float] = {}

    def swept(self, type_name: str) -> int:
        """Return how many entries of a class a write checks."""
        return SWEPT if random() < self._share.get(type_name, _OFTEN) else 0  # noqa: S311 - spreads work, not a secret

    def note(self, type_name: str, reply: Any) -> None:
        """Note the reply of ``save.lua`` to a write that checked entries."""
        seldom = max(self._share.get(type_name, _OFTEN) * _FEWER, _SELDOM)
        self._share[type_name] = _OFTEN if reply == _SEEN_TO_GO else seldom


def as_saving(conditions: Sequence[Condition], changes: Sequence[Change], sweeps: Sweeps) -> Saving | None:
    """Return a step in the form of ``save.lua``, None if it does something else or more."""
    parts = _parts(changes)
    if SetEntries not in parts:
        return None
    make, given, entries = parts.get(Make), _given(parts.get(SetFields)), parts[SetEntries]
    known, conditions = _known(conditions, entries.key)
    expected = _expected(conditions, entries.key, may_make=make is not None)
    if given is None or expected is None:
        return None
    children, made = (make.children, flat(make.fields)) if make else ((), ())
    type_name = entries.indexing.type_name
    swept = sweeps.swept(type_name)
    told = expected, id_in(entries.key, entries.indexing), int(entries.anyway), swept, len(known), len(made)
    arguments = [*told, *parts_in(entries), *known, *made, *given]
    if len(arguments) > _MOST_ARGUMENTS:
        return None
    return Saving([entries.key, *children], arguments, type_name, swept)


def _parts(changes: Sequence[Change]) -> Mapping[type, Any]:
    """Return the changes by type if they are of one record, and of the kinds and in the order of ``save.lua``."""
    parts: dict[type, Any] = {}
    for change in changes:
        kind = type(change)
        is_late = kind is Make and SetFields in parts
        if kind not in _SAVED or kind in parts or is_late or change.key != changes[0].key:
            return {}
        parts[kind] = change
    return parts


def _given(fields: SetFields | None) -> Command | None:
    """Return the fields that are set with their bytes, None if one is deleted."""
    if fields is None:
        return ()
    return flat(fields.items) if is_whole(fields.items) else None


def _known(conditions: Sequence[Condition], key: Key) -> tuple[Command, Sequence[Condition]]:
    """Return the fields that the last condition says a record holds, with their bytes, and the other conditions."""
    last = conditions[-1] if conditions else None
    if isinstance(last, FieldsAre) and last.key == key and is_whole(last.fields):
        return flat(last.fields), conditions[:-1]
    return (), conditions


def _expected(conditions: Sequence[Condition], key: Key, *, may_make: bool) -> int | None:
    """Return whether a record must exist, in the form of ``save.lua``; None if there are other conditions."""
    if not conditions:
        return _MAY_EXIST if may_make else None
    condition = conditions[0]
    if len(conditions) > 1 or not isinstance(condition, Exists) or condition.key != key:
        return None
    return int(condition.expected) if may_make or condition.expected else None


def parts_in(change: SetEntries) -> list[bytes | str | int]:
    """Return the number of entries of a record, and each in the form of ``given`` in ``entering.lua``."""
    given: list[bytes | str | int] = [len(change.entries) + len(change.when_made)]
    for made, entries in enumerate((change.entries, change.when_made)):
        for name, (key, claims) in entries.items():
            text, size = _named(name)
            part = b"%c%b%b%b%b" % (claims, size, len(key).to_bytes(3, "big"), text, key)
            given += (text, made, part)
    return given


@lru_cache(1024)
def _named(index: str) -> tuple[bytes, bytes]:
    """Return the name of an index, quoted, and its length in two bytes."""
    name = encode(quoted(index))
    return name, len(name).to_bytes(2, "big")


def id_in(key: Key, indexing: Indexing) -> bytes:
    """Return the id of a record of this class.

    Raises:
        EncodeError: It is too long for an index.
    """
    text = encode(key.root[len(indexing.type_name) + 1 :])
    size = len(text) + text.count(0)
    if size > _LONGEST_ID:
        raise EncodeError(
            f"a record of {indexing.type_name} has an id of {size} bytes, and an index holds up to {_LONGEST_ID}; "
            "choose a shorter id"
        )
    return text


def spelt(place: Place) -> bytes:
    """Return the entry at a place: its key, the id, NUL and the length of that. See ``entries.lua``."""
    text = encode(place.id).replace(b"\0", b"\0\xff")
    return b"%b%b\0%b" % (place.key, text, len(text).to_bytes(2, "big"))


def read(entry: bytes) -> Place:
    """Return the place of an entry."""
    end = len(entry) - 3
    start = end - int.from_bytes(entry[-2:], "big")
    return Place(entry[:start], entry[start:end].replace(b"\0\xff", b"\0").decode())


def quoted(name: str) -> str:
    """Return the name of an index without the signs that have a meaning in the names of keys."""
    for sign in "%:{}":
        name = name.replace(sign, f"%{ord(sign):02X}")
    return name


def unquoted(name: bytes) -> str:
    """Return the unquoted name of an index."""
    text = name.decode()
    for sign in ":{}%":
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text

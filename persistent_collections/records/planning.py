"""Which index answers a query, and what is left to check for each record; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from persistent_collections.backends.indexes import FIRST, LAST, Index
from persistent_collections.records.conditions import Range, Wanted
from persistent_collections.records.indexing import Indexed

_KINDS: Final = 256
"""How many kinds of queries of a class are cached."""


class Plan(msgspec.Struct, frozen=True):
    """How a query is answered.

    Attributes:
        by: The index that answers the query, None if all records are read.
        ranges: The ranges of the index that contain the records.
        filters: The conditions checked for each record that is read.
        fields: The names in the store of the fields that order the result.
    """

    by: Index | None
    ranges: Sequence[Range]
    filters: Sequence[Wanted]
    fields: Sequence[str]


def plan_for(indexed: Indexed, wanted: Mapping[str, Wanted], order: tuple[str, ...]) -> Plan | None:
    """Return the plan of a query that the best index answers, None if no index does.

    Args:
        indexed: The indexes of the class.
        wanted: The conditions, by the names of their fields in the store.
        order: The names in the store of the fields to order by.
    """
    exact = tuple([name for name, each in wanted.items() if each.exact is not None])
    best = _best(indexed, tuple(wanted), exact, order)
    return best and _planned(*best, wanted)


class _Use(NamedTuple):
    """The usefulness of an index for a query; greater is better.

    Attributes:
        is_whole: Whether it is unique, and each of its fields must equal one value.
        equal: How many of its first fields are equal to one value.
        is_ranged: Whether the next field is limited to ranges.
        is_sorted: Whether the fields after these are those to order by.
    """

    is_whole: bool
    equal: int
    is_ranged: bool
    is_sorted: bool


def _best(
    indexed: Indexed, wanted: tuple[str, ...], exact: tuple[str, ...], order: tuple[str, ...]
) -> tuple[Index, _Use] | None:
    """Return the best index for a query, and its usefulness; None if no index answers it.

    Args:
        indexed: The indexes of the class.
        wanted: The names of fields in the store on which there are conditions.
        exact: The fields that must equal one value.
        order: Those to order by.
    """
    kind = wanted, exact, order
    try:
        best: tuple[Index, _Use] | None = indexed.uses[kind]
    except KeyError:
        uses = [(_use(index, {*wanted}, {*exact}, order), index) for index in indexed.indexing.indexes]
        best = max([(index, use) for use, index in uses if use is not None], key=itemgetter(1), default=None)
        if len(indexed.uses) >= _KINDS:
            indexed.uses.clear()
        indexed.uses[kind] = best
    return best


def _use(index: Index, wanted: set[str], exact: set[str], order: Sequence[str]) -> _Use | None:
    """Return the usefulness of an index for a query, None if the index does not answer it."""
    equal = len(list(takewhile(exact.__contains__, index.fields)))
    rest = index.fields[equal:]
    ahead = tuple(name for name in order if name not in index.fields[:equal])
    is_ranged = not wanted.isdisjoint(rest[:1])
    if ahead != rest[: len(ahead)] or not (equal or is_ranged or not wanted):
        return None
    return _Use(index.unique and not rest, equal, is_ranged, bool(ahead))


def indexable(wanted: Collection[str], exact: Sequence[str], order: Sequence[str]) -> Sequence[str] | None:
    """Return the fields of an index that would answer a query, None if no index could; as for :func:`plan_for`."""
    ordered = [name for name in order if name not in exact]
    if not ordered:
        return [*exact, *(name for name in wanted if name not in exact)]
    return [*exact, *ordered] if exact or not wanted or ordered[0] in wanted else None


def _planned(index: Index, use: _Use, wanted: Mapping[str, Wanted]) -> Plan:
    if use.is_whole and len(wanted) == use.equal == 1:
        [each] = wanted.values()
        return Plan(index, each.ranges, (), index.fields)
    start = b"".join([wanted[name].exact or b"" for name in index.fields[: use.equal]])
    ranges = wanted[index.fields[use.equal]].ranges if use.is_ranged else [Range(FIRST, LAST)]
    answered = index.fields[: use.equal + use.is_ranged]
    filters = [each for name, each in wanted.items() if name not in answered]
    return Plan(index, [Range(start + low, start + high) for low, high in ranges], filters, index.fields)

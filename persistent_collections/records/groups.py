"""The fields of the indexes of a class, as its marks and its class statement declare them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from persistent_collections.codecs.order import Order
from persistent_collections.marks import unique
from persistent_collections.records.schema import Field, order_for, require_no_default
from persistent_collections.suggestions import suggestion


class Group(msgspec.Struct, frozen=True):
    """The fields of one index.

    Attributes:
        names: As declared, in the order in which the index orders by them.
        unique: Whether two records can't have the same values in them.
    """

    names: tuple[str, ...]
    unique: bool = False


def groups_of(cls: type, option: str, given: Any) -> tuple[Group, ...]:
    """Return the indexes that an option of the class statement declares.

    Raises:
        TypeError: It isn't a sequence of sequences of names.
    """
    groups = [] if isinstance(given, str) else [(each,) if isinstance(each, str) else tuple(each) for each in given]
    if isinstance(given, str) or not all(map(_is_group, groups)):
        raise TypeError(
            f'class {cls.__name__}(…, {option}=…) takes a list of tuples of names of fields: {option}=[("customer", '
            '"placed")]'
        )
    return tuple(Group(names, option == "unique") for names in groups)


def _is_group(names: tuple[str, ...]) -> bool:
    return bool(names) and len({*names}) == len(names)


def all_groups(declared: Sequence[Group], fields: Sequence[Field]) -> list[Group]:
    """Return the indexes of a class: from marked fields and from its statement; unique ones first."""
    marked = [Group((field.name,), unique in field.marks) for field in fields if field.marks]
    return sorted(dict.fromkeys([*marked, *declared]), key=lambda group: not group.unique)


def orders_of(
    cls: type, groups: Sequence[Group], fields: Mapping[str, Field], missing: Collection[str] = ()
) -> dict[str, Order]:
    """Return how each field that an index orders by is ordered.

    Args:
        cls: The class.
        groups: Its indexes.
        fields: Its fields.
        missing: Fields that are declared, but whose annotations cannot be read yet.

    Raises:
        TypeError: A field does not exist, or an index cannot order by it.
    """
    orders: dict[str, Order] = {}
    for group in groups:
        for name in group.names:
            if name not in fields and name not in missing:
                raise TypeError(
                    f"an index of {cls.__name__} names {name!r}, which is not a field; {suggestion(name, fields)}"
                )
            if name in fields:
                orders[name] = order_for(fields[name], cls, unique=group.unique)
        if group.unique and len(group.names) == 1 and group.names[0] in fields:
            require_no_default(fields[group.names[0]], cls)
    return orders

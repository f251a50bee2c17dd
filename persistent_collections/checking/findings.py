"""The faults that a store can have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Deletable: TypeAlias = Literal[
    "undecodable", "dangling", "stray_field", "stray_child", "orphan", "unknown_type", "wrong_shape"
]
"""The kinds of findings that a repair deletes."""

Repairable: TypeAlias = Literal[Deletable, "former_field", "unindexed", "stale_entry"]
"""The kinds of findings that can be repaired."""

Kind: TypeAlias = Repairable | Literal["duplicate", "foreign", "unreadable", "misnamed"]
"""The kinds of findings:

- ``undecodable``: a value, dict key or set member that its codec does not read;
- ``dangling``: a reference to a record that does not exist;
- ``stray_field``: a field that the class of its record does not declare;
- ``stray_child``: a child collection that no class declares;
- ``orphan``: a declared child collection whose record does not exist;
- ``unknown_type``: a key of a type that no known class has;
- ``wrong_shape``: another shape than the class declares, such as a list instead of a dict;
- ``former_field``: a value stored as an older version of its class declared it: under a former name, in a field that
  has become a child, or in a child that has become a field;
- ``unindexed``: a record without its entry in an index, or an index that is not built;
- ``stale_entry``: an entry in an index that is not what its record says;
- ``duplicate``: a record with a value that must be unique and that another one has too;
- ``foreign``: a key with data that no store of this package writes, such as a string in Redis;
- ``unreadable``: a key whose content the store itself cannot read, such as a file that is not JSON;
- ``misnamed``: a file or a name in the store that is not the name of a key, or a symbolic link.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault in a store.

    ::

        from persistent_collections.backends import Key
        from persistent_collections.checking import check

        class Note(Record):
            text: str
            size: int

        with connect("memory:") as store:
            Note.create("n1", text="hello", size=5, backend=store)
            store.mapping(Key("Note:n1")).set_many({"size": b"five"})
            [finding] = check(store)
        assert (finding.kind, finding.key, finding.place) == ("undecodable", "Note:n1", "size")

    Attributes:
        kind: See :data:`Kind`.
        key: The key under which it is, or the name that is not a key.
        place: The field or index, None for the whole object and for a member of a set.
        message: The fault, without any stored value.
        repaired: Whether it was repaired: deleted or corrected.
    """

    kind: Kind
    key: str
    place: str | int | None
    message: str
    repaired: bool = False


class Problem(NamedTuple):
    """Something that is wrong under one key.

    Attributes:
        kind: As in a finding.
        place: As in a finding.
        message: As in a finding.
        repair: Deletes or corrects it, and returns whether it still existed; None if only the user can repair it.
    """

    kind: Kind
    place: str | int | None
    message: str
    repair: Callable[[], object] | None = None

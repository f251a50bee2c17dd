"""What can be wrong in a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Repairable: TypeAlias = Literal["undecodable", "dangling", "stray_field", "stray_child", "unknown_type", "wrong_shape"]
Kind: TypeAlias = Repairable | Literal["foreign", "unreadable", "misnamed"]
"""The kinds of findings:

- ``undecodable``: a value, dict key or set member that its codec does not read;
- ``dangling``: a reference to a record that does not exist;
- ``stray_field``: a field that the class of its record does not declare;
- ``stray_child``: a child collection that no class declares;
- ``unknown_type``: a key of a type that no known class has;
- ``wrong_shape``: a list, say, where the class declares a dict;
- ``foreign``: a key that holds what no store of this package writes, such as a string in Redis;
- ``unreadable``: a key whose content the store itself cannot make out, such as a file that is no JSON;
- ``misnamed``: a file or a name in the store that is spelt as no key is.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes:
        kind: See :data:`Kind`.
        key: The key it lies under, or the name that is no key's.
        place: The field or index, None for all of what the key holds and for a member of a set.
        message: What is wrong, without any stored value.
        deleted: Whether what was found was deleted.
    """

    kind: Kind
    key: str
    place: str | int | None
    message: str
    deleted: bool = False


class Problem(NamedTuple):
    """Something that is wrong under one key.

    Attributes:
        kind: As in a finding.
        place: As in a finding.
        message: As in a finding.
        delete: Deletes it, and says whether it was still there; None where that is left to the user.
    """

    kind: Kind
    place: str | int | None
    message: str
    delete: Callable[[], object] | None = None

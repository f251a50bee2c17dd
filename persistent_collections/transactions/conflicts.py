"""The error of a commit that met a conflict; it names the parts that were read, and never a value."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from typing import Final

from persistent_collections.backends.changes import Condition, FieldsAre, HeldBy, ItemsAre
from persistent_collections.errors import ConflictError

_SHOWN: Final = 3


def conflict(conditions: Sequence[Condition]) -> ConflictError:
    """Return the error that one of ``conditions`` did not hold. A store does not report which one."""
    read = list(dict.fromkeys(part for condition in conditions for part in _parts(condition)))
    if len(read) == 1:
        told = f"{read[0]} has changed since the transaction read it"
    else:
        more = f", and {len(read) - _SHOWN} more" if len(read) > _SHOWN else ""
        told = f"the transaction read {', '.join(read[:_SHOWN])}{more}, and one of these has changed since"
    return ConflictError(f"{told}; nothing was written, run it again")


def _parts(condition: Condition) -> Iterator[str]:
    """Yield the parts that a condition is about, as Python spells them; of a set the whole, as members are values."""
    match condition:
        case FieldsAre(fields=parts) | ItemsAre(items=parts):
            yield from (f"{str(condition.key)!r}[{reprlib.repr(part)}]" for part in parts)
        case HeldBy(indexing=indexing, index=index):
            yield f"the index {index} of {indexing.type_name}"
        case _:
            yield repr(str(condition.key))

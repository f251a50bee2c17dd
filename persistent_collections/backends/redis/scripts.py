"""The Lua scripts, for atomic steps that a single command cannot do."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha1
from importlib.resources import files
from typing import Final, Literal, TypeAlias

Role: TypeAlias = Literal["plain", "child", "record"]
"""The role of a key: without an owner, a child, or an owner itself."""

_FOLDER: Final = files("persistent_collections.backends.redis") / "lua"
_PLACE: Final = "--[[SCRIPT]]"
_PLACE_OF_STEP: Final = "--[[ONCE]]"
_PLACE_OF_ENTRIES: Final = "--[[ENTRIES]]"
_PLACE_OF_ENTERING: Final = "--[[ENTERING]]"


class Script:
    """One script, known to the server by its digest.

    Args:
        source: Its text.

    Source: Redis ``EVALSHA``, whose digest is the SHA-1 of the source.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = sha1(source.encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def once(self) -> Script:
        """This script with a token as its last key, so that it does nothing if it was executed before."""
        return Script(_text("once").replace(_PLACE_OF_STEP, self.source))


class Write(dict[Role, Script]):
    """A script that writes one key, for each role of the key, created on first use.

    Args:
        names: The files that it is built from, dependencies first.
    """

    def __init__(self, *names: str) -> None:
        self._names = names

    def __missing__(self, role: Role) -> Script:
        around = _text("deadlines", "child") if role == "child" else _text(role)
        self[role] = Script(around.replace(_PLACE, _text(*self._names)))
        return self[role]


def _text(*names: str) -> str:
    return "".join((_FOLDER / f"{name}.lua").read_text("utf-8") for name in names)


COMMIT: Final = Script(_text("common", "deadlines", "commit"))
COMMIT_ENTRIES: Final = Script(
    _text("common", "deadlines", "whole", "rows", "entries", "entering", "commit").replace(
        _PLACE_OF_ENTRIES, _text("commit_entries")
    )
)
COMMIT_CLAIMED: Final = Script(
    _text("common", "deadlines", "stamps", "commit").replace(_PLACE_OF_ENTRIES, _text("claimed"))
)
PUT: Final = Script(_text("put"))
SAVE: Final = Script(_text("rows", "save").replace(_PLACE_OF_ENTERING, _text("whole", "entries", "entering")))
INDEX_FIND: Final = Script(_text("whole", "paging", "index_all", "rows", "entries", "index_find"))
CLAIM: Final = Script(_text("whole", "stamps", "claim"))
FORBID: Final = Script(_text("stamps", "forbid"))
INDEX_PAGE: Final = Script(_text("whole", "paging", "index_page"))
INDEX_DISCARD: Final = Script(_text("rows", "entries", "index_discard"))
INDEX_STATE: Final = Script(_text("whole", "index_state"))
EXAMINE: Final = Script(_text("examine"))
SNAPSHOT: Final = Script(_text("snapshot"))
SEQUENCE_FIND: Final = Script(_text("common", "list", "sequence_find"))

COMMAND: Final = Write("command")
POP: Final = Write("pop")
FEED: Final = Write("common", "feed")
REPLACE: Final = Write("common", "replace")

MAPPING_ADD: Final = Write("mapping_add")
MAPPING_COMPARE_AND_SET: Final = Write("common", "mapping_compare_and_set")
MAPPING_DELETE: Final = Write("common", "mapping_delete")
MAPPING_INCREMENT: Final = Write("mapping_increment")
MAPPING_POP: Final = Write("common", "mapping_pop")
MAPPING_POP_ANY: Final = Write("common", "mapping_pop_any")
MAPPING_REPLACE_IF: Final = Write("common", "mapping_replace_if")
MAPPING_SET: Final = Write("common", "mapping_set")

SEQUENCE_COMPARE_AND_SET: Final = Write("sequence_compare_and_set")
SEQUENCE_DELETE_STRIDE: Final = Write("common", "list", "sequence_delete_stride")
SEQUENCE_INSERT: Final = Write("common", "list", "sequence_insert")
SEQUENCE_REPEAT: Final = Write("common", "sequence_repeat")
SEQUENCE_REPLACE_IF: Final = Write("common", "sequence_replace_if")
SEQUENCE_REVERSE: Final = Write("common", "list", "sequence_reverse")
SEQUENCE_SET_STRIDE: Final = Write("common", "list", "sequence_set_stride")
SEQUENCE_SPLICE: Final = Write("common", "list", "sequence_splice")
SEQUENCE_STAGE: Final = Script(_text("common", "sequence_stage"))
SEQUENCE_SWAP: Final = Write("deadlines", "sequence_swap")
SEQUENCE_TAKE: Final = Write("common", "list", "sequence_take")

MEMBERS_RETAIN: Final = Write("common", "members_retain")
MEMBERS_TOGGLE: Final = Write("common", "members_toggle")

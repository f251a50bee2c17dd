"""The Lua scripts, which make one atomic step of what no single command does."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import Final

_FOLDER: Final = files("persistent_collections.backends.redis") / "lua"


class Script:
    """One script, known to the server by its digest.

    Args:
        name: Its file among the package's Lua files.
        preludes: The files it builds on.

    Source: Redis ``EVALSHA``, whose digest is the SHA-1 of the source.
    """

    def __init__(self, name: str, *preludes: str) -> None:
        self.source = "".join((_FOLDER / f"{part}.lua").read_text("utf-8") for part in ("common", *preludes, name))
        self.digest = sha1(self.source.encode(), usedforsecurity=False).hexdigest()


APPLY: Final = Script("apply")
FEED: Final = Script("feed")
REPLACE: Final = Script("replace")
TIME_LEFT: Final = Script("time_left")

MAPPING_ADD: Final = Script("mapping_add")
MAPPING_COMPARE_AND_SET: Final = Script("mapping_compare_and_set")
MAPPING_INCREMENT: Final = Script("mapping_increment")
MAPPING_POP: Final = Script("mapping_pop")
MAPPING_POP_ANY: Final = Script("mapping_pop_any")
MAPPING_REPLACE_IF: Final = Script("mapping_replace_if")
MAPPING_SET: Final = Script("mapping_set")

SEQUENCE_COMPARE_AND_SET: Final = Script("sequence_compare_and_set")
SEQUENCE_DELETE_STRIDE: Final = Script("sequence_delete_stride", "list")
SEQUENCE_FIND: Final = Script("sequence_find", "list")
SEQUENCE_INSERT: Final = Script("sequence_insert", "list")
SEQUENCE_REPEAT: Final = Script("sequence_repeat")
SEQUENCE_REPLACE_IF: Final = Script("sequence_replace_if")
SEQUENCE_REVERSE: Final = Script("sequence_reverse", "list")
SEQUENCE_SET_STRIDE: Final = Script("sequence_set_stride", "list")
SEQUENCE_SPLICE: Final = Script("sequence_splice", "list")
SEQUENCE_TAKE: Final = Script("sequence_take", "list")

MEMBERS_RETAIN: Final = Script("members_retain")
MEMBERS_TOGGLE: Final = Script("members_toggle")

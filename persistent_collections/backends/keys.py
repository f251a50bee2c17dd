"""Keys, and the properties that a store reports of them."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

Content: TypeAlias = dict[str, bytes] | list[bytes] | set[str]
"""All that one key holds, a type for each shape."""

MARKER: Final = ""
"""The field of a record without other content, so that it exists. Declared fields never have this name."""

MARKER_DATA: Final = b""
"""The content of the marker field."""


class Key(NamedTuple):
    """The name of one stored collection.

    ::

        friends = Key("User:luke", "friends")
        assert str(friends) == "User:luke:friends"
        assert friends.owner == Key("User:luke")

    Attributes:
        root: ``<type name>:<id>``, the id percent-encoded where it holds ``:``, ``%``, ``{`` or ``}``.
        child: The field of a record's child collection, or None for the object itself.
    """

    root: str
    child: str | None = None

    @property
    def owner(self) -> Key:
        """The key of the object itself: of the record, for a child."""
        return self if self.child is None else Key(self.root)

    def __str__(self) -> str:
        return self.root if self.child is None else f"{self.root}:{self.child}"


class Entry(NamedTuple):
    """All that one key holds.

    ::

        entry = Entry([b"1", b"23"])
        assert entry.deadline is None
        assert entry.size_bytes == 3

    Attributes:
        content: Never empty, never changed in place.
        deadline: Seconds since the epoch at which the key vanishes, or None.
    """

    content: Content
    deadline: float | None = None

    @property
    def size_bytes(self) -> int:
        """About how large its values, items or members are."""
        return sum(map(len, self.content.values() if isinstance(self.content, dict) else self.content))

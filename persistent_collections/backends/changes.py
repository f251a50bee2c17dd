"""The parts of an atomic step over several keys: conditions, and changes made if all conditions hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import msgspec

from persistent_collections.backends.indexes import EntryKey, Indexing
from persistent_collections.backends.keys import Content, Key


class Exists(msgspec.Struct, frozen=True):
    """The key exists, or, if ``expected`` is False, it does not.

    ::

        store, key = connect("memory:"), Key("PersistentDict:d")
        assert store.commit([Exists(key, expected=False)], [SetFields(key, {"n": b"1"})])
        assert not store.commit([Exists(key, expected=False)], [Delete(key)])
    """

    key: Key
    expected: bool = True


class FieldsAre(msgspec.Struct, frozen=True):
    """The mapping holds these bytes; None means an absent field. A key that does not exist holds nothing.

    ::

        store, key = connect("memory:"), Key("PersistentDict:d")
        store.commit([], [SetFields(key, {"n": b"1"})])
        assert store.commit([FieldsAre(key, {"n": b"1", "m": None})], [SetFields(key, {"n": b"2"})])
    """

    key: Key
    fields: Mapping[str, bytes | None]


class HeldBy(msgspec.Struct, frozen=True):
    """No record of a class except ``holder`` has certain values in an index, and ``holder`` has them if present.

    Only for stores whose ``indexing`` is not ``"none"`` and that take several roots. One that keeps entries raises
    ``IndexUnbuiltError`` if the index is not whole.

    ::

        from persistent_collections.backends.indexes import Index

        email = Index("email.text!", ("email",), unique=True, declared=("email",))
        users = Indexing("User", (email,), lambda index, data: EntryKey(data[0], claims=True))
        with connect("memory:") as store:
            store.commit([], [Make(users.record("luke"), {"email": b"l@x.org"})])
            free = HeldBy(Key("User:"), users, "email.text!", b"l@x.org", (b"l@x.org",))
            assert not store.commit([free], [])

    Attributes:
        key: The key of ``holder``; ``Key("User:")`` without one.
        indexing: The indexes of the class.
        index: The name of the index.
        entry: The entry key of the values.
        data: Their bytes, for a store that compares those: of each field of the index, or the first of them.
    """

    key: Key
    indexing: Indexing
    index: str
    entry: bytes
    data: tuple[bytes, ...]

    @property
    def holder(self) -> Key | None:
        """The key of the record that has the values, or None."""
        return None if self.key.root == self.indexing.prefix else self.key


class ItemsAre(msgspec.Struct, frozen=True):
    """The sequence holds these bytes at these indexes, negative ones from the end; None means an index out of range.

    ::

        store, key = connect("memory:"), Key("PersistentList:l")
        store.commit([], [Push(key, [b"1", b"2"])])
        assert store.commit([ItemsAre(key, {0: b"1", -1: b"2", 2: None})], [Trim(key, left=1)])
    """

    key: Key
    items: Mapping[int, bytes | None]


class MembersAre(msgspec.Struct, frozen=True):
    """Each text is a member of the set, or, if its value is False, is not.

    ::

        store, key = connect("memory:"), Key("PersistentSet:s")
        store.commit([], [ChangeMembers(key, {"a"})])
        assert store.commit([MembersAre(key, {"a": True, "b": False})], [ChangeMembers(key, {"b"}, {"a"})])
    """

    key: Key
    members: Mapping[str, bool]


class SizeIs(msgspec.Struct, frozen=True):
    """The key holds this number of fields, items or members, whatever its shape; 0 if it does not exist.

    ::

        store, key = connect("memory:"), Key("PersistentList:l")
        assert store.commit([SizeIs(key, 0)], [Push(key, [b"1"])])
        assert not store.commit([SizeIs(key, 0)], [Push(key, [b"1"])])
    """

    key: Key
    size: int


class ContentIs(msgspec.Struct, frozen=True):
    """The key holds this content and nothing else; empty content means that it does not exist.

    ::

        store, key = connect("memory:"), Key("PersistentList:l")
        store.commit([], [Push(key, [b"1"])])
        assert store.commit([ContentIs(key, [b"1"])], [Replace(key, [b"2", b"3"])])
    """

    key: Key
    content: Content


Condition: TypeAlias = Exists | FieldsAre | ItemsAre | MembersAre | SizeIs | ContentIs | HeldBy
"""The conditions of a step."""


class Replace(msgspec.Struct, frozen=True):
    """Put ``content`` in place of all that the key holds; empty content deletes. A deadline of the key stays.

    ::

        store, key = connect("memory:"), Key("PersistentDict:d")
        store.commit([], [Replace(key, {"n": b"1"})])
        assert store.mapping(key).get_all() == {"n": b"1"}
        store.commit([], [Replace(key, {})])
        assert list(store.keys("")) == []
    """

    key: Key
    content: Content


class SetFields(msgspec.Struct, frozen=True):
    """Set fields of a mapping; delete fields whose value is None.

    ::

        store, key = connect("memory:"), Key("PersistentDict:d")
        store.commit([], [SetFields(key, {"n": b"1", "m": b"2"})])
        store.commit([], [SetFields(key, {"n": b"3", "m": None})])
        assert store.mapping(key).get_all() == {"n": b"3"}

    Attributes:
        is_record: Whether a mapping that becomes empty keeps the marker field, so that the record exists.
    """

    key: Key
    items: Mapping[str, bytes | None]
    is_record: bool = False


class Push(msgspec.Struct, frozen=True):
    """Append ``items`` to a sequence in their order, or put them before its first item if ``left``.

    ::

        store, key = connect("memory:"), Key("PersistentList:l")
        store.commit([], [Push(key, [b"2", b"3"]), Push(key, [b"0", b"1"], left=True)])
        assert store.sequence(key).get_slice(slice(None)) == [b"0", b"1", b"2", b"3"]
    """

    key: Key
    items: Sequence[bytes]
    left: bool = False


class Trim(msgspec.Struct, frozen=True):
    """Delete the first ``left`` and the last ``right`` items of a sequence; all, if it holds no more.

    ::

        store, key = connect("memory:"), Key("PersistentList:l")
        store.commit([], [Push(key, [b"1", b"2", b"3"]), Trim(key, left=1, right=1)])
        assert store.sequence(key).get_slice(slice(None)) == [b"2"]
    """

    key: Key
    left: int = 0
    right: int = 0


class ChangeMembers(msgspec.Struct, frozen=True):
    """Add members to a set and remove others.

    ::

        store, key = connect("memory:"), Key("PersistentSet:s")
        store.commit([], [ChangeMembers(key, {"a", "b"}), ChangeMembers(key, {"c"}, {"a"})])
        assert store.members(key).get_all() == {"b", "c"}
    """

    key: Key
    add: AbstractSet[str]
    remove: AbstractSet[str] = frozenset()


class Make(msgspec.Struct, frozen=True):
    """Make a record if it does not exist: delete the children left under its key, then set ``fields``.

    ::

        store, key = connect("memory:"), Key("User:luke")
        store.commit([], [Make(key, {"name": b"Luke"}), Make(key, {"name": b"Han"})])
        assert store.mapping(key).get("name") == b"Luke"

    An existing key is unchanged. A store that can list an object's keys deletes every child.

    Attributes:
        key: The record's own.
        fields: Its initial fields; if empty, the marker field.
        children: The children that its class knows.
    """

    key: Key
    fields: Mapping[str, bytes]
    children: Sequence[Key] = ()


class Delete(msgspec.Struct, frozen=True):
    """Delete the key, whatever its shape, and its deadline.

    ::

        store, key, child = connect("memory:"), Key("User:luke"), Key("User:luke", "friends")
        store.commit([], [Make(key, {"name": b"Luke"}), Push(child, [b"User:han"])])
        store.commit([Exists(key)], [Delete(key, [child])])
        assert list(store.keys("")) == []

    Attributes:
        key: The key to delete.
        children: The children of a record that go with it. A store that can list an object's keys deletes all others
            too, unless this is None.
        indexing: The indexes of the record's class, from which all entries of the record go too.
    """

    key: Key
    children: Sequence[Key] | None = None
    indexing: Indexing | None = None


class SetDeadline(msgspec.Struct, frozen=True):
    """Make the key vanish ``ttl_s`` seconds from now (at once if not positive), or never if None.

    ::

        store, key = connect("memory:"), Key("PersistentDict:d")
        store.commit([], [SetFields(key, {"n": b"1"}), SetDeadline(key, 60)])
        [found] = store.look([key])
        assert 59 < found.ttl_s <= 60

    All deadlines that one step sets are counted from the same moment.
    """

    key: Key
    ttl_s: float | None


class SetEntries(msgspec.Struct, frozen=True):
    """Replace the entries of a record in the indexes of its class, if the record exists at the end of the step.

    It accompanies the changes that set the fields, in stores whose ``indexing`` is not ``"none"``. A store that
    maintains entries deletes the old ones. A store that compares bytes compares those of the record at the end of the
    step.

    If an entry claims its key, ``commit`` raises ``NotUnique``, with nothing done, if another existing record has the
    same key at the end of the step. Stale entries of deleted records claim nothing.

    ::

        from persistent_collections.backends.indexes import Index

        email = Index("email.text!", ("email",), unique=True, declared=("email",))
        users = Indexing("User", (email,), lambda index, data: EntryKey(data[0], claims=True))
        with connect("memory:") as store:
            for id, text in [("luke", b"l@x.org"), ("han", b"h@x.org")]:
                user, entries = users.record(id), {"email.text!": EntryKey(text, claims=True)}
                store.commit([], [Make(user, {"email": text}), SetEntries(user, users, {}, entries)])
            taken = {"email.text!": EntryKey(b"l@x.org", claims=True)}
            with pytest.raises(NotUnique):
                store.commit([], [SetFields(user, {"email": b"l@x.org"}), SetEntries(user, users, taken, {})])

    Attributes:
        key: The record's own.
        indexing: The indexes of its class.
        entries: Its new entries in indexes, by name; entries in other indexes stay.
        when_made: Its entries in all indexes if a :class:`Make` of this step makes it. Remaining entries of an earlier
            record with this key are deleted first.
        anyway: Whether it is done even if one of these indexes is not whole. If False, such a step raises
            ``IndexUnbuiltError``, with nothing done.
    """

    key: Key
    indexing: Indexing
    entries: Mapping[str, EntryKey]
    when_made: Mapping[str, EntryKey]
    anyway: bool = False


Change: TypeAlias = Replace | SetFields | Push | Trim | ChangeMembers | Make | Delete | SetDeadline | SetEntries
"""The effect of a step on one key."""


def keys_of(conditions: Sequence[Condition], changes: Sequence[Change]) -> list[Key]:
    """Return every key of a step once, in the order of first use."""
    keys: dict[Key, None] = {}
    others: list[Key] = []
    for step in (*conditions, *changes):  # runs per saved record: each comprehension would be a call
        keys[step.key] = None
        if step.key.child is not None:
            others.append(step.key.owner)
        if isinstance(step, Make | Delete):
            others += step.children or ()
    keys.update(dict.fromkeys(others))
    return list(keys)

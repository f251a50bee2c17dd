"""The entries of several keys at one moment."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from persistent_collections.backends.base import Backend, Whole
from persistent_collections.backends.changes import Change, Delete, Replace, SetDeadline
from persistent_collections.backends.keys import Content, Entry, Key
from persistent_collections.testing.backends.base import KEY, StoreTests, assert_same, put
from persistent_collections.testing.backends.data import A, B

FAMILY: dict[Key, Content] = {
    KEY: {"g": A, "f": B, "": A},
    Key(KEY.root, "list"): [B, A, B],
    Key(KEY.root, "set"): {"f", ""},
}
ABSENT = Key(KEY.root, "absent")


def read_all(backend: Backend, objects: Sequence[Sequence[Key]]) -> list[list[Content | None]]:
    """Return the contents of keys of some objects, as many read together as the store reads."""
    contents: list[list[Content | None]] = []
    while len(contents) < len(objects):
        found = backend.snapshots(objects[len(contents) :])
        assert found, "at least one is read"
        contents += [[entry and entry.content for entry in as_read(whole)] for whole in found]
    return contents


def as_read(whole: Whole) -> list[Entry | None]:
    """Return the entries of an object that can be read."""
    assert isinstance(whole, list), whole
    return whole


class SnapshotTests(StoreTests):
    """``snapshot``."""

    def test_a_snapshot_has_all_that_each_key_holds_in_their_order(self, backend: Backend) -> None:
        for key, content in FAMILY.items():
            put(backend, key, content)
        put(backend, Key("Thing:xx"), [A])
        for keys in ([*FAMILY, ABSENT], [ABSENT, *reversed(FAMILY)], [ABSENT], [KEY]):
            for key, entry in zip(keys, backend.snapshot(keys), strict=True):
                assert_same(backend, entry and entry.content, FAMILY.get(key), f"{key} holds what was put there")
                assert entry is None or entry.deadline is None
        assert backend.snapshot([]) == []

    def test_a_snapshot_tells_the_moment_at_which_each_key_vanishes(self, backend: Backend) -> None:
        for key, content in FAMILY.items():
            put(backend, key, content)
        last = list(FAMILY)[-1]
        backend.commit([], [SetDeadline(KEY, 1000), SetDeadline(last, 0.01)])
        before = time.time()
        time.sleep(0.05)
        entries = dict(zip(FAMILY, backend.snapshot(list(FAMILY)), strict=True))
        found = entries[KEY]
        assert isinstance(found, Entry)
        assert found.deadline == pytest.approx(before + 1000, abs=30)
        assert [entry and entry.deadline for entry in list(entries.values())[1:]] == [None, None]
        assert entries[last] is None, "what has expired is not there"

    def test_a_snapshot_of_large_contents_is_whole(self, backend: Backend, many: int) -> None:
        contents: list[Content] = [
            {f"field {number}": b"%d" % number for number in range(many)},
            [b"%d" % number for number in range(many)],
            {f"member {number}" for number in range(many)},
        ]
        family = dict(zip(FAMILY, contents, strict=True))
        backend.commit([], [Replace(key, content) for key, content in family.items()])
        for key, entry in zip(family, backend.snapshot(list(family)), strict=True):
            assert_same(backend, entry and entry.content, family[key], f"{key} is whole")

    def test_objects_that_are_read_together_are_each_as_a_snapshot_has_them(self, backend: Backend) -> None:
        for key, content in FAMILY.items():
            put(backend, key, content)
            put(backend, Key("Thing:other", key.child), content)
        objects = [[*FAMILY, ABSENT], [ABSENT], [Key("Thing:other", key.child) for key in reversed(FAMILY)]]
        for keys, contents in zip(objects, read_all(backend, objects), strict=True):
            for key, held, entry in zip(keys, contents, backend.snapshot(keys), strict=True):
                assert_same(backend, held, entry and entry.content, f"{key} holds what was put there")

    def test_many_objects_are_read_in_their_order(self, backend: Backend) -> None:
        keys = [Key(f"Thing:{number}") for number in range(300)]
        backend.commit_each([([], [Replace(key, [b"%d" % number])]) for number, key in enumerate(keys)])
        found = read_all(backend, [[key] for key in keys])
        assert found == [[[b"%d" % number]] for number in range(300)]

    def test_a_snapshot_of_several_objects_has_their_deadlines(self, backend: Backend) -> None:
        put(backend, KEY, [A])
        backend.commit([], [SetDeadline(KEY, 1000)])
        [whole, *_] = backend.snapshots([[KEY]])
        [first] = as_read(whole)
        assert isinstance(first, Entry)
        assert first.deadline == pytest.approx(time.time() + 1000, abs=30)

    @pytest.mark.parametrize("items", [1, 1000])
    def test_large_objects_are_not_read_together(self, backend: Backend, items: int) -> None:
        keys = [Key(f"Thing:{number}") for number in range(8)]
        parts = [b'"%b"' % (b"%d" % number * (300_000 // items)) for number in range(8)]
        for key, part in zip(keys, parts, strict=True):
            put(backend, key, [part] * items)
        found = backend.snapshots([[key] for key in keys])
        assert 1 <= len(found) <= 4
        for [content], part in zip(read_all(backend, [[key] for key in keys]), parts, strict=True):
            assert content == [part] * items

    def test_a_key_that_changes_its_shape_is_seen_as_either(self, backend: Backend) -> None:
        for key, content in zip([*FAMILY, KEY], [*FAMILY.values(), [A]], strict=True):
            changes: list[Change] = [Delete(KEY), Replace(KEY, content)]
            backend.commit([], changes)
            [entry] = backend.snapshot([KEY])
            assert_same(backend, entry and entry.content, content, f"{key} is what it last was")

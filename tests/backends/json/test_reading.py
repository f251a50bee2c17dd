"""What a reader without a lock sees, whatever a writer does meanwhile, and how often it reads."""

from __future__ import annotations

import errno
import os
import time
from copy import deepcopy
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from persistent_collections.backends.changes import Change, Delete, Exists, Replace, SetDeadline, SetFields
from persistent_collections.backends.holding import Held
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.files import Files, Signature
from persistent_collections.backends.keys import Content, Key
from persistent_collections.errors import BackendError
from persistent_collections.testing.backends.base import ttl
from tests.backends.json.simulated import Node, SimulatedFiles, Stopped

pytestmark = pytest.mark.store("json")

ROOT = Path("/simulated")
KEY, CHILD = Key("User:luke"), Key("User:luke", "friends")
PAST, FUTURE = b"1.0\n", b"4102444800.0\n"

Seen = dict[Key, tuple[Content, bool]]

# What lies there before, with deadlines put there by hand, and what a writer does to it.
BEFORE: dict[str, tuple[list[Change], dict[Key, bytes]]] = {
    "nothing": ([], {}),
    "a record": ([Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"1"])], {}),
    "a record with a deadline": (
        [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"1"])],
        {KEY: FUTURE, CHILD: FUTURE},
    ),
    "an expired record": ([Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"1"])], {KEY: PAST, CHILD: PAST}),
}
WRITES: dict[str, list[Change]] = {
    "both are set": [SetFields(KEY, {"f": b"2"}), Replace(CHILD, [b"2"])],
    "both are deleted": [Delete(KEY), Delete(CHILD)],
    "one goes, the other comes": [Delete(KEY), Replace(CHILD, [b"2"])],
    "both are made anew": [Delete(KEY), Delete(CHILD), Replace(KEY, {"f": b"2"}), Replace(CHILD, [b"2"])],
    "deadlines change": [SetDeadline(KEY, 1000), SetDeadline(CHILD, None)],
    "deadlines go": [SetDeadline(KEY, None), SetDeadline(CHILD, None)],
    "all changes": [
        Replace(KEY, {"f": b"2"}),
        SetDeadline(KEY, 1000),
        Replace(CHILD, [b"2"]),
        SetDeadline(CHILD, 1000),
    ],
}


def prepared(name: str) -> SimulatedFiles:
    files = SimulatedFiles(ROOT.parent, orderly=True)
    changes, deadlines = BEFORE[name]
    JSONBackend(ROOT, files=files).mapping(Key("Other:x")).set_many({"f": b"1"})
    JSONBackend(ROOT, files=files).commit([], [*changes, *(SetDeadline(key, 1000) for key in deadlines)])
    for path in list(files.names):
        if "deadlines" in path.parts and path.suffix:
            files.names[path] = Node(next(iter(deadlines.values())), synced=True)
    return files


def read(files: SimulatedFiles, keys: list[Key]) -> Seen:
    """Return what is alive of ``keys``, and whether it has a deadline."""
    entries = zip(keys, JSONBackend(ROOT, files=files).read_many(keys), strict=True)
    return {
        key: (entry.content, entry.deadline is not None)
        for key, entry in entries
        if entry and (entry.deadline is None or entry.deadline > time.time())
    }


def write(files: SimulatedFiles, changes: list[Change], steps: int | None) -> None:
    """Make ``changes``, or die after so many steps."""
    files.stop_after(steps)
    try:
        JSONBackend(ROOT, files=files).commit([], changes)
    except Stopped:
        pass
    finally:
        files.stop_after(None)


@pytest.mark.slow
@pytest.mark.parametrize("changes", WRITES)
@pytest.mark.parametrize("before", BEFORE)
def test_whatever_a_writer_does_meanwhile_a_reader_sees_before_or_after(before: str, changes: str) -> None:
    files = prepared(before)
    after = deepcopy(files)
    write(after, WRITES[changes], None)
    for keys in ([KEY, CHILD], [KEY], [CHILD]):
        whole = [read(files, keys), read(after, keys)]
        # Of one key, read at once, only the content has to be of one moment.
        allowed = whole if len(keys) == 2 else [contents(seen) for seen in whole]
        for calm_steps in count():
            interrupted = False
            for steps in (*range(1, 50, 6), None):
                meanwhile = deepcopy(files)
                meanwhile.interrupt_after(calm_steps, partial(write, meanwhile, WRITES[changes], steps))
                found = read(meanwhile, keys)
                interrupted = meanwhile.interrupt is None
                assert (found if len(keys) == 2 else contents(found)) in allowed, f"{keys} {calm_steps} {steps}"
            if not interrupted:
                break


def contents(seen: Seen) -> list[Content]:
    return [content for content, _ in seen.values()]


def test_what_had_expired_before_an_unfinished_write_was_finished_is_not_seen_again() -> None:
    for steps in count():
        files = prepared("a record with a deadline")
        write(files, WRITES["both are set"], steps)
        if any(path.name == "commit.json" for path in files.names):
            break
    for path in list(files.names):
        if "deadlines" in path.parts and path.suffix:
            files.names[path] = Node(PAST, synced=True)
    for calm_steps in range(20):
        meanwhile = deepcopy(files)
        meanwhile.interrupt_after(calm_steps, partial(write, meanwhile, WRITES["both are deleted"], None))
        assert read(meanwhile, [KEY]) == {}


def test_a_deadline_put_off_in_time_keeps_what_is_being_read(tmp_path: Path) -> None:
    class PutOff(Files):
        """Someone puts the deadline off right after it was first read."""

        is_done = False

        def read(self, path: Path) -> tuple[bytes, Signature] | None:
            found = super().read(path)
            if "deadlines" in path.parts and not self.is_done:
                self.is_done = True
                JSONBackend(tmp_path).commit([], [SetDeadline(KEY, 1000)])
                time.sleep(0.3)
            return found

    JSONBackend(tmp_path).commit([], [Replace(KEY, {"f": b"1"}), SetDeadline(KEY, 0.25)])
    assert JSONBackend(tmp_path, files=PutOff()).mapping(KEY).get_all() == {"f": b"1"}


def test_a_look_at_what_is_made_meanwhile_gives_its_deadline(tmp_path: Path) -> None:
    class MadeMeanwhile(Files):
        """Someone makes the record, with a deadline, right after a reader saw that there is no deadline."""

        is_done = False

        def signature(self, path: Path) -> Signature | None:
            found = super().signature(path)
            if "deadlines" in path.parts and not self.is_done:
                self.is_done = True
                JSONBackend(tmp_path).commit([], [Replace(KEY, {"f": b"1"}), SetDeadline(KEY, 1000)])
            return found

    JSONBackend(tmp_path).commit([], [Replace(CHILD, [b"1"])])
    files = MadeMeanwhile()
    assert ttl(JSONBackend(tmp_path, files=files), KEY) == pytest.approx(1000, abs=10)
    assert files.is_done


class CountingFiles(Files):
    """Counts how often a file was opened."""

    def __init__(self) -> None:
        self.reads = 0

    def read(self, path: Path) -> tuple[bytes, Signature] | None:
        self.reads += 1
        return super().read(path)


def test_a_write_opens_no_file_but_its_own_unless_it_makes_it(tmp_path: Path) -> None:
    class Listing(Files):
        """Notes which files were opened."""

        def __init__(self) -> None:
            self.opened: list[str] = []

        def read(self, path: Path) -> tuple[bytes, Signature] | None:
            self.opened.append(path.name)
            return super().read(path)

    JSONBackend(tmp_path).commit(
        [], [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"1"] * 10_000), SetDeadline(CHILD, 1000)]
    )
    files = Listing()
    backend = JSONBackend(tmp_path, files=files)
    record = backend.mapping(KEY, is_record=True)
    record.set_many({"f": b"2"})
    record.increment("f", 1)
    backend.commit([Exists(KEY)], [SetFields(KEY, {"f": b"4"})])
    assert "friends.json" not in files.opened
    backend.sequence(Key(KEY.root, "others")).push_right([b"1"])
    assert "friends.json" not in files.opened
    backend.sequence(CHILD).push_right([b"2"])
    assert "friends.json" in files.opened


@pytest.mark.slow
def test_a_file_that_has_settled_is_opened_and_parsed_once(tmp_path: Path) -> None:
    files = CountingFiles()
    backend = JSONBackend(tmp_path, files=files)
    backend.mapping(KEY).set_many({"f": b"1"})
    time.sleep(2.5)
    entries = [backend.read(KEY) for _ in range(5)]
    reads = files.reads
    assert all(entry and entries[0] and entry.content is entries[0].content for entry in entries)
    assert backend.mapping(KEY).get_all() == {"f": b"1"}
    assert files.reads == reads
    backend.close()
    assert backend.mapping(KEY).get_all() == {"f": b"1"}
    assert files.reads > reads


def test_a_file_just_written_is_opened_again_and_parsed_once(tmp_path: Path) -> None:
    files = CountingFiles()
    backend = JSONBackend(tmp_path, files=files)
    backend.mapping(KEY).set_many({"f": b"1"})
    first, reads = backend.read(KEY), files.reads
    second = backend.read(KEY)
    assert first
    assert second
    assert second.content is first.content
    assert files.reads > reads


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="the system has no such file")
def test_a_file_that_is_longer_than_its_size_says_is_read_whole() -> None:
    found = Files().read(Path("/proc/version"))
    assert found
    assert found[0] == Path("/proc/version").read_bytes()


def test_every_edit_by_hand_is_seen_by_the_next_read(tmp_path: Path) -> None:
    backend = JSONBackend(tmp_path)
    backend.mapping(KEY).set_many({"f": b"100"})
    path = tmp_path / "User/luke.json"
    for number in range(101, 300):
        path.write_text(f'{{"f": {number}}}')
        os.utime(path, (1e9, 1e9))
        assert backend.mapping(KEY).get("f") == b"%d" % number


@pytest.mark.parametrize(("capacity_bytes", "kept"), [(1000, True), (100, False)])
def test_no_more_text_is_kept_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, capacity_bytes: int, kept: bool
) -> None:
    class Counting(SimulatedFiles):
        reads = 0

        def read(self, path: Path) -> tuple[bytes, Signature] | None:
            self.reads += 1
            return super().read(path)

    monkeypatch.setattr("persistent_collections.backends.json.reader.CAPACITY_BYTES", capacity_bytes)
    files = Counting(ROOT.parent, orderly=True)
    backend = JSONBackend(ROOT, files=files)
    keys = [Key(f"User:{number}") for number in range(10)]
    for key in keys:
        backend.mapping(key).set_many({"f": b'"%b"' % (b"x" * 20)})
    assert all(backend.mapping(key).size() == 1 for key in keys)
    reads = files.reads
    assert all(backend.mapping(key).size() == 1 for key in keys)
    assert (files.reads == reads) is kept


class ReadOnlyFiles(Files):
    """A file system that can only be read."""

    def create(self, path: Path, data: bytes, *, sync: bool) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    def lock(self, path: Path, timeout_s: float, held: Held) -> bool:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))


def test_a_store_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    JSONBackend(tmp_path).commit([], [SetFields(KEY, {"f": b"1"}), Replace(CHILD, [b"2"]), SetDeadline(KEY, 1000)])
    backend = JSONBackend(tmp_path, files=ReadOnlyFiles())
    assert backend.mapping(KEY).get_all() == {"f": b"1"}
    assert ttl(backend, KEY) is not None
    assert set(backend.keys("")) == {KEY, CHILD}
    with pytest.raises(BackendError, match="Read-only file system; the file system is read-only"):
        backend.mapping(KEY).set_many({"f": b"2"})


def test_a_reader_that_never_finds_two_moments_alike_waits_for_the_writers(tmp_path: Path) -> None:
    class Restless(Files):
        """Someone edits a file whenever another has been looked at."""

        def __init__(self) -> None:
            self.edits = 0
            self.is_locked = False

        def signature(self, path: Path) -> Signature | None:
            if path == tmp_path / "User/luke.json" and not self.is_locked:
                self.edits += 1
                path.write_text(f'{{"f": {self.edits}}}')
            return super().signature(path)

        def lock(self, path: Path, timeout_s: float, held: Held) -> bool:
            self.is_locked = True
            return super().lock(path, timeout_s, held)

    files = Restless()
    JSONBackend(tmp_path).commit([], [SetFields(KEY, {"f": b"0"}), Replace(CHILD, [b"2"])])
    entries = JSONBackend(tmp_path, files=files).read_many([KEY, CHILD])
    assert [entry and entry.content for entry in entries] == [{"f": b"%d" % files.edits}, [b"2"]]
    assert files.is_locked

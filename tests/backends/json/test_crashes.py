"""Kills and power cuts between any two operations on the file system."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from persistent_collections.backends.changes import Change, Delete, Replace, SetDeadline, SetFields
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.journal import Changes, Journal
from persistent_collections.backends.json.layout import STORE
from persistent_collections.backends.keys import Content, Key
from persistent_collections.errors import PersistentCollectionsError
from tests.backends.json.simulated import SimulatedFiles, Stopped

pytestmark = [pytest.mark.store("json"), pytest.mark.slow]

ROOT = Path("/simulated")
KEY = Key("User:luke")
FRIENDS = Key("User:luke", "friends")
TAGS = Key("User:luke", "tags")
LONG = Key(f"User:{'n' * 1000}", "friends")
FAMILY = [KEY, FRIENDS, TAGS]

STEPS: dict[str, tuple[list[Change], list[Change]]] = {
    "one file is made": ([], [SetFields(KEY, {"name": b'"Luke"'})]),
    "one file is changed": ([SetFields(KEY, {"n": b"1"})], [SetFields(KEY, {"n": b"2"})]),
    "one file is deleted": ([SetFields(KEY, {"n": b"1"})], [Delete(KEY)]),
    "a child is deleted": ([SetFields(KEY, {"n": b"1"}), Replace(FRIENDS, [b"1"])], [Delete(FRIENDS)]),
    "a long name is made": ([], [Replace(LONG, [b"1"])]),
    "a long name is deleted": ([Replace(LONG, [b"1"])], [Delete(LONG)]),
    "a family is made": ([], [SetFields(KEY, {"n": b"1"}), Replace(FRIENDS, [b"1"]), Replace(TAGS, {"a"})]),
    "a family is changed": (
        [SetFields(KEY, {"n": b"1"}), Replace(FRIENDS, [b"1"]), SetDeadline(KEY, 1000)],
        [SetFields(KEY, {"n": b"2"}), Replace(FRIENDS, [b"2"]), Replace(TAGS, {"b"}), SetDeadline(FRIENDS, 1000)],
    ),
    "a family is deleted": (
        [SetFields(KEY, {"n": b"1"}), Replace(FRIENDS, [b"1"]), SetDeadline(KEY, 1000), SetDeadline(FRIENDS, 1000)],
        [Delete(KEY), Delete(FRIENDS)],
    ),
    "a deadline is set": ([SetFields(KEY, {"n": b"1"})], [SetDeadline(KEY, 1000)]),
    "a deadline is taken away": ([SetFields(KEY, {"n": b"1"}), SetDeadline(KEY, 1000)], [SetDeadline(KEY, None)]),
}

State = tuple[dict[Key, tuple[Content, bool]], list[Key]]


def state(files: SimulatedFiles) -> State:
    """Return everything a fresh process reads."""
    with JSONBackend(ROOT, files=files) as backend:
        entries = {key: backend.read_many([key])[0] for key in [*FAMILY, LONG]}
        listed = sorted(backend.keys(""), key=str)
    return {key: (entry.content, entry.deadline is not None) for key, entry in entries.items() if entry}, listed


def apply(files: SimulatedFiles, changes: list[Change]) -> None:
    if changes:
        JSONBackend(ROOT, files=files).commit([], changes)


def prepared(before: list[Change], *, orderly: bool, kind: type[SimulatedFiles] = SimulatedFiles) -> SimulatedFiles:
    files = kind(ROOT.parent, orderly=orderly)
    apply(files, before)
    return files


def check_goes_on(files: SimulatedFiles, expected: State) -> None:
    """Check that the next write finds what readers found, and leaves nothing of ours lying about."""
    apply(files, [SetFields(Key("Other:x"), {"n": b"1"})])
    assert state(files) == (expected[0], sorted([*expected[1], Key("Other:x")], key=str))
    left = {path.name for path in files.names if path.parent == ROOT / STORE}
    assert left <= {"lock", "facts.json", "deadlines", "names"}


def kill(files: SimulatedFiles, random: Random) -> None:
    """Do no more than what has happened: what the process changed is there."""


Cut = Callable[[SimulatedFiles, Random], None]
CUTS: dict[str, tuple[bool, Cut, int]] = {
    "kill": (True, kill, 1),
    "power cut, names in order": (True, SimulatedFiles.cut_power, 3),
    "power cut, names at random": (False, SimulatedFiles.cut_power, 5),
}


def check_all_crashes(name: str, cut: str, kind: type[SimulatedFiles] = SimulatedFiles) -> int:
    """Cut a write short after every one of its steps, check what is left, and return how many states that were."""
    before, changes = STEPS[name]
    orderly, end, seeds = CUTS[cut]
    files = prepared(before, orderly=orderly, kind=kind)
    old = state(files)
    apply(files, changes)
    new = state(files)
    seen = set()
    for steps in count():
        acknowledged = False
        for seed in range(seeds):
            files = prepared(before, orderly=orderly, kind=kind)
            acknowledged = is_acknowledged(files, changes, steps)
            end(files, Random(seed))
            found = state(files)
            assert found in ([new] if acknowledged else [old, new]), f"after {steps} steps, seed {seed}"
            seen.add(found == new)
            check_goes_on(files, found)
        if acknowledged:
            assert seen == {False, True}, "it was cut short before and after the point of no return"
            return (steps + 1) * seeds
    raise AssertionError


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", STEPS)
def test_a_write_cut_short_anywhere_is_made_wholly_or_not_at_all(name: str, cut: str) -> None:
    assert check_all_crashes(name, cut) > 5


class NeverSynced(SimulatedFiles):
    """Does not wait for a file's data before it takes its name."""

    def create(self, path: Path, data: bytes, *, sync: bool) -> None:
        super().create(path, data, sync=False)


class NamesNeverSynced(SimulatedFiles):
    """Does not wait for the names in a directory."""

    def sync_directory(self, path: Path) -> None:
        """Do nothing."""


class WrittenInPlace(SimulatedFiles):
    """Truncates a file, and writes to it."""

    def replace(self, source: Path, target: Path) -> None:
        data, synced = self.names[source].data, self.names[source].synced
        self.unlink(target)
        super().create(target, b"", sync=True)
        self.unlink(target)
        super().create(target, data or b"", sync=synced)
        self.unlink(source)


def commit_after_the_first_file(journal: Any, changes: Changes) -> None:
    with journal._staging() as stage:
        staged = dict(journal._stage_all(changes, stage))
        first = next(iter(staged))
        journal._put_in_place({first: staged.pop(first)})
        if staged:
            journal._files.replace(stage(journal._commit_text(changes)), journal._commit)
            journal._finish(staged)
        journal._sync([first.parent])


def without_a_commit_file(journal: Any, changes: Changes) -> None:
    with journal._staging() as stage:
        staged = journal._stage_all(changes, stage)
        journal._put_in_place(staged)
        journal._sync({path.parent for path in staged})


def commit_file_gone_before_the_names_are_there(journal: Any, staged: Mapping[Path, Path | None]) -> None:
    journal._sync([journal._store])
    journal._put_in_place(staged)
    journal._files.unlink(journal._commit)
    journal._sync([journal._store])
    journal._sync({path.parent for path in staged})


def commit_file_never_synced(journal: Any, staged: Mapping[Path, Path | None]) -> None:
    journal._put_in_place(staged)
    journal._sync({path.parent for path in staged})
    journal._files.unlink(journal._commit)
    journal._sync([journal._store])


ALL_AT_ONCE, ONE = "a family is changed", "one file is changed"
# Each with a write and a cut that show it.
MISTAKES: dict[str, tuple[type[SimulatedFiles], dict[str, Any], str, str]] = {
    "no fsync before the replace": (NeverSynced, {}, ONE, "power cut, names at random"),
    "no fsync before the replace, names in order": (NeverSynced, {}, ONE, "power cut, names in order"),
    "no fsync of the directory": (NamesNeverSynced, {}, ONE, "power cut, names in order"),
    "no fsync of the directories": (NamesNeverSynced, {}, ALL_AT_ONCE, "power cut, names at random"),
    "written in place": (WrittenInPlace, {}, ONE, "kill"),
    "several written in place": (WrittenInPlace, {}, ALL_AT_ONCE, "kill"),
    "commit file after the first replace": (
        SimulatedFiles,
        {"write": commit_after_the_first_file},
        ALL_AT_ONCE,
        "kill",
    ),
    "no commit file": (SimulatedFiles, {"write": without_a_commit_file}, ALL_AT_ONCE, "kill"),
    "commit file not synced": (
        SimulatedFiles,
        {"_finish": commit_file_never_synced},
        ALL_AT_ONCE,
        "power cut, names at random",
    ),
    "commit file gone too early": (
        SimulatedFiles,
        {"_finish": commit_file_gone_before_the_names_are_there},
        ALL_AT_ONCE,
        "power cut, names at random",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_check_catches_the_mistakes_one_could_make(monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    kind, methods, name, cut = MISTAKES[mistake]
    for method, mistaken in methods.items():
        monkeypatch.setattr(Journal, method, mistaken)
    with pytest.raises((AssertionError, PersistentCollectionsError)) as caught:
        check_all_crashes(name, cut, kind)
    assert "point of no return" not in str(caught.value), "it is a state that is wrong"


@pytest.mark.parametrize("orderly", [True, False], ids=["names in order", "names at random"])
def test_a_power_cut_takes_back_no_write_that_was_acknowledged(orderly: bool) -> None:
    for seed in range(150):
        random, files = Random(seed), SimulatedFiles(ROOT.parent, orderly=orderly)
        for _ in range(random.randint(1, 6)):
            changes = random_changes(random)
            old, expected = state(files), deepcopy(files)
            apply(expected, changes)
            new = state(expected)
            if not is_acknowledged(files, changes, random.randint(0, 60)):
                if orderly and random.random() < 0.5:
                    apply(files, [SetFields(KEY, {"n": b"-1"})])
                    old = new = state(files)
                break
            assert state(files) == new
            old = new
        files.cut_power(random)
        assert state(files) in (old, new), f"seed {seed}"


def is_acknowledged(files: SimulatedFiles, changes: list[Change], steps: int) -> bool:
    """Apply ``changes`` in a process that dies after so many steps, and say whether it came to the end."""
    files.stop_after(steps)
    try:
        apply(files, changes)
    except Stopped:
        return False
    finally:
        files.stop_after(None)
    return True


def random_changes(random: Random) -> list[Change]:
    number = b"%d" % random.randrange(10**6)
    kinds: list[Change] = [
        *(SetFields(KEY, {"n": number}), Replace(FRIENDS, [number]), Replace(TAGS, {str(number)})),
        *(Delete(KEY), Delete(FRIENDS), SetDeadline(KEY, 1000), SetDeadline(FRIENDS, None)),
    ]
    return random.sample(kinds, random.randint(1, 3))

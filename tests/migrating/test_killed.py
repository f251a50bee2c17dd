"""A migration that is killed in the middle has changed whole records, and is complete when it has been run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from persistent_collections import Backend, connect, migrate
from persistent_collections.backends.keys import Key
from tests.migrating import people
from tests.migrating.people import OldResident, Resident

ROOT = Path(__file__).parents[2]
COUNT = 1500


def kill_after(url: str, lines: int) -> None:
    """Run a migration in a process of its own, and kill it when it has told of some records."""
    command = [sys.executable, "-m", people.__name__, url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(lines):
            assert process.stdout.readline()
        process.kill()


def is_whole(store: Backend, number: int) -> bool:
    """Return whether a record is as it was before, or as it is to be."""
    root = f"Resident:{number}"
    own, tags = store.snapshot([Key(root), Key(root, "tags")])
    assert own is not None
    before, after = {"fullname", "born", "tags"}, {"name", "year"}
    return (set(own.content), tags is not None) in ((before, False), (after, True))


@pytest.mark.slow
@pytest.mark.parametrize("store_kind", ["json", "sqlite", "server"])
def test_a_migration_that_is_killed_is_run_again(url: str) -> None:
    with connect(url) as store:
        people.fill(store, COUNT)
        for lines in (1, 30, 60):
            kill_after(url, lines)
            assert all(is_whole(store, number) for number in range(COUNT))
        done = migrate(Resident, backend=store)
        assert done.left == done.unread == 0
        assert 0 < done.changed < COUNT, "the killed ones have changed some"
        assert people.wrong(store, COUNT) == []
        assert migrate(Resident, backend=store).changed == 0
        assert OldResident.load("0", backend=store).fullname == ""

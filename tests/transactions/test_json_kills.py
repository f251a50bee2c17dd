"""A process that dies at any moment of a commit to a JSON store leaves all of it or nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

import pytest

from persistent_collections import PersistentList, Record, child, transactional, use_backend
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.files import Files
from tests.transactions.gang import PROCESSES

pytestmark = [pytest.mark.store("json"), pytest.mark.slow]

OBJECTS: Final = 6
MOMENTS: Final = 2 * OBJECTS + 1
"""After the commit file is in place: a file for each object and one for its list, then the commit file goes."""


class Part(Record, name="killed-part"):
    number: int = 0
    log: PersistentList[int] = child()


@transactional
def set_all(number: int) -> None:
    """Set the number of each object and note it."""
    for name in range(OBJECTS):
        part = Part.ref(str(name))
        part.number = number
        part.log.append(number)


class DyingFiles(Files):
    """The real file system, for a process that dies.

    Args:
        moment: How many files take their places or go after the commit file took its own, until the process dies
            before the next one; at -1 it dies before the commit file.
    """

    def __init__(self, moment: int) -> None:
        self._left = moment
        self._is_made = False

    def replace(self, source: Path, target: Path) -> None:
        is_commit = target.name == "commit.json"
        self._die_if(self._left == (-1 if is_commit else 0))
        super().replace(source, target)
        self._left -= self._is_made
        self._is_made |= is_commit

    def unlink(self, path: Path) -> None:
        self._die_if(self._left == 0)
        super().unlink(path)
        self._left -= self._is_made

    def _die_if(self, is_time: bool) -> None:
        if is_time and (self._is_made or self._left < 0):
            os.kill(os.getpid(), signal.SIGKILL)


def die(path: Path, number: int, moment: int) -> None:
    with use_backend(JSONBackend(path, fsync=False, files=DyingFiles(moment))):
        set_all(number)


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=pytest.mark.proof)])
def test_a_process_that_is_killed_in_a_commit_leaves_all_or_nothing(tmp_path: Path, kills: int) -> None:
    with JSONBackend(tmp_path / "data", fsync=False) as backend, use_backend(backend):
        parts = [Part.create(str(name)) for name in range(OBJECTS)]
        log: list[int] = []
        for kill in range(1, kills + 1):
            moment = kill * 4 % (MOMENTS + 1) - 1
            process = PROCESSES.Process(target=die, args=(tmp_path / "data", kill, moment))
            process.start()
            process.join()
            assert process.exitcode == -signal.SIGKILL, f"it was not killed at moment {moment}"
            assert (tmp_path / "data/.store/commit.json").exists() == (moment >= 0)
            log += [kill] if moment >= 0 else []
            expected = [(log[-1] if log else 0, log)] * OBJECTS
            assert [(part.number, part.log[:]) for part in parts] == expected, f"torn at moment {moment}"
            if kill % 3 == 0:  # somebody else writes on, else the next one to die finds what this one left
                set_all(-kill)
                log.append(-kill)
                assert [(part.number, part.log[:]) for part in parts] == [(-kill, log)] * OBJECTS

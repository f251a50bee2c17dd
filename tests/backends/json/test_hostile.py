"""A real disk that is full, permissions, umasks, links, and file systems that get in the way."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from persistent_collections.backends.changes import Change, Delete, Replace, SetDeadline, SetFields
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.files import Files, Item, Signature
from persistent_collections.backends.json.layout import STORE
from persistent_collections.backends.keys import Content, Key
from persistent_collections.errors import BackendError, CorruptDataError
from tests.backends.users import another_user

pytestmark = pytest.mark.store("json")

KEY, CHILD = Key("User:luke"), Key("User:luke", "friends")
FAMILY: list[Change] = [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"1"]), SetDeadline(KEY, 1000)]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


class Modes(Files):
    """Notes the mode of every file as it takes its name."""

    def __init__(self) -> None:
        self.modes: dict[str, int] = {}

    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        self.modes[target.name] = stat.S_IMODE(target.stat().st_mode)


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_whatever_the_umask_files_are_their_owners_alone(tmp_path: Path, mask: int) -> None:
    files = Modes()
    with umask(mask):
        JSONBackend(tmp_path / "a/store", files=files).commit(
            [], [*FAMILY, Replace(Key("User:luke", "n" * 900), [b"1"])]
        )
    assert "commit.json" in files.modes
    assert set(files.modes.values()) == {0o600}
    for path in [tmp_path / "a", *(tmp_path / "a").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_umask_that_leaves_the_owner_nothing_is_a_permission_denied(folder: Path) -> None:
    with another_user():
        with umask(0o777), pytest.raises(BackendError, match="Permission denied; let this user read and write there"):
            JSONBackend(folder / "store").commit([], FAMILY)
        for path in folder.rglob("*"):
            path.chmod(0o700)
        JSONBackend(folder / "store").commit([], FAMILY)
        assert JSONBackend(folder / "store").mapping(KEY).get("f") == b"1"


@pytest.mark.parametrize(
    "place", [".", "User", "User/luke", STORE, f"{STORE}/deadlines/User"], ids=lambda place: place.replace("/", " ")
)
def test_a_directory_that_may_only_be_read_fails_a_write_and_leaves_what_was_there(folder: Path, place: str) -> None:
    root = folder / "store"
    with another_user():
        JSONBackend(root).commit([], FAMILY)
        os.chmod(root / place, 0o500)  # noqa: PTH101 - "." keeps its name
        backend = JSONBackend(root)
        changes: list[Change] = [
            SetFields(KEY, {"f": b"2"}),
            Replace(CHILD, [b"2"]),
            SetDeadline(KEY, None),
            SetDeadline(CHILD, 10),
        ]
        if place == ".":  # no directory of a type can be made
            changes = [Replace(Key("Other:x"), [b"1"])]
        try:
            backend.commit([], changes)
        except BackendError as error:
            assert "Permission denied" in str(error)  # noqa: PT017 - which of two errors it is tells what was done
            made = type(error) is not BackendError
        else:
            made = True
        os.chmod(root / place, 0o700)  # noqa: PTH101 - as above
        assert (backend.mapping(KEY).get("f"), backend.sequence(CHILD).get(0)) == (
            (b"2", b"2") if made and place != "." else (b"1", b"1")
        )
        backend.commit([], [SetFields(KEY, {"f": b"3"}), Replace(CHILD, [b"3"])])
        assert JSONBackend(root).mapping(KEY).get("f") == b"3"
        assert {path.name for path in (root / STORE).iterdir()} <= {"lock", "facts.json", "deadlines"}


@pytest.mark.parametrize("place", ["User/luke.json", "User", f"{STORE}/deadlines/User/luke.json", STORE])
def test_what_may_not_be_read_is_named_and_can_be_read_once_it_may(folder: Path, place: str) -> None:
    root = folder / "store"
    with another_user():
        JSONBackend(root).commit([], FAMILY)
        mode = (root / place).stat().st_mode
        (root / place).chmod(0)
        for call in (
            lambda: JSONBackend(root).mapping(KEY).get_all(),
            lambda: JSONBackend(root).commit([], [Delete(KEY)]),
        ):
            with pytest.raises(BackendError, match="Permission denied; let this user read and write there") as caught:
                call()
            assert isinstance(caught.value.__cause__, PermissionError)
        (root / place).chmod(stat.S_IMODE(mode))
        assert JSONBackend(root).mapping(KEY).get_all() == {"f": b"1"}


WRITE_TOO_MUCH = """
import resource, signal, sys
from persistent_collections.backends.keys import Key
from persistent_collections.backends.changes import Replace, SetFields
from persistent_collections.backends.json import JSONBackend
from persistent_collections.errors import BackendError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
key, child = Key("User:luke"), Key("User:luke", "friends")
with JSONBackend(sys.argv[1]) as backend:
    backend.commit([], [SetFields(key, {"f": b"1"}), Replace(child, [b"1"])])
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    large = b'"%b"' % (b"x" * 1_000_000)
    for changes in ([SetFields(key, {"f": large})], [SetFields(key, {"f": b"2"}), Replace(child, [large])]):
        try:
            backend.commit([], changes)
        except BackendError as error:
            print(type(error).__name__, error)
    backend.mapping(key).set_many({"g": b"3"})
    print(backend.mapping(key).get_all(), backend.sequence(child).size())
"""


def test_a_disk_that_takes_no_more_is_reported_and_what_was_there_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_TOO_MUCH, str(tmp_path)]
    *reports, left = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(reports) == 2
    assert all(report.startswith("BackendError") and os.strerror(errno.EFBIG) in report for report in reports)
    assert all("nothing was written; raise the size that a file may have (ulimit -f)" in report for report in reports)
    assert left == "{'f': b'1', 'g': b'3'} 1"
    assert {path.name for path in (tmp_path / STORE).iterdir()} <= {"lock", "facts.json"}


@pytest.mark.parametrize(
    "where", ["User", "User/luke", STORE, f"{STORE}/lock", f"{STORE}/deadlines", f"{STORE}/commit.json"]
)
def test_no_link_that_was_planted_leads_a_write_out_of_the_store(tmp_path: Path, where: str) -> None:
    root, outside = tmp_path / "store", tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("theirs")
    (root / where).parent.mkdir(parents=True)
    target = outside / "kept" if where.endswith(("lock", ".json")) else outside
    (root / where).symlink_to(target)
    with pytest.raises((BackendError, CorruptDataError), match=r"symbolic link"):
        JSONBackend(root).commit([], FAMILY)
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "theirs"


def test_a_file_that_has_another_name_outside_is_replaced_and_not_written_to(tmp_path: Path) -> None:
    root = tmp_path / "store"
    JSONBackend(root).commit([], FAMILY)
    (tmp_path / "other name").hardlink_to(root / "User/luke.json")
    JSONBackend(root).mapping(KEY).set_many({"f": b"2"})
    assert '"f": 1' in (tmp_path / "other name").read_text()
    assert JSONBackend(root).mapping(KEY).get("f") == b"2"


@pytest.mark.parametrize("name", ["..", ".", "../..", "/etc/passwd", "..\\..", "a\0b", "%2E%2E", "\ud800", "~"])
def test_no_name_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    root = tmp_path / "deep/er/store"
    for key in (Key(f"User:{name}"), Key(f"User:{name}", name), Key(f"{name}:x")):
        JSONBackend(root, fsync=False).commit([], [Replace(key, [b"1"]), SetDeadline(key, 1000)])
        assert set(JSONBackend(root).keys("")) == {key}
        JSONBackend(root, fsync=False).commit([], [Delete(key)])
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in root.parent.iterdir()] == ["store"]
    assert [path.name for path in root.iterdir()] == [STORE]


def test_a_file_that_someone_keeps_open_for_ever_is_an_error_within_a_bound(tmp_path: Path) -> None:
    class HeldOpen(Files):
        """As Windows, where another program has a file open."""

        patience_s = 0.05
        attempts = 0
        held = False

        def _patiently(self, operation: Callable[[], Any]) -> Any:
            def refused() -> Any:
                self.attempts += 1
                if self.held:
                    raise PermissionError(errno.EACCES, "The process cannot access the file", str(tmp_path / "x"))
                return operation()

            return super()._patiently(refused)

    files = HeldOpen()
    backend = JSONBackend(tmp_path, files=files)
    backend.commit([], FAMILY)
    files.held, files.attempts = True, 0
    for call in (lambda: backend.mapping(KEY).get_all(), lambda: backend.mapping(KEY).set_many({"f": b"2"})):
        with pytest.raises(BackendError, match="The process cannot access the file"):
            call()
    assert files.attempts > 2
    files.held = False
    assert backend.mapping(KEY).get("f") == b"1"


class Unopened(Files):
    """Counts what is opened."""

    opened = 0

    def read(self, path: Path) -> tuple[bytes, Signature] | None:
        self.opened += 1
        return super().read(path)


def test_objects_are_listed_and_counted_without_being_opened_however_small(tmp_path: Path) -> None:
    contents: tuple[Content, ...] = ({"": b"1"}, [b"1"], {"n": b"1"}, {"name": b'"x"'}, {""})
    for number, content in enumerate(contents):
        JSONBackend(tmp_path, fsync=False).commit([], [Replace(Key(f"User:{number}"), content)])
    files = Unopened()
    backend = JSONBackend(tmp_path, files=files)
    assert len(list(backend.keys("User:"))) == len(contents)
    assert files.opened == 1, "the file of facts"


class Busy(Files):
    """A directory in which another process makes an object after each look."""

    made = 0

    def scan(self, path: Path) -> list[Item]:
        found = super().scan(path)
        if path.name == "User" and STORE not in path.parts:
            self.made += 1
            (path / f"new {self.made}.json").write_text('{"f":1}')
        return found


def test_an_object_that_is_made_while_files_of_others_are_looked_for_is_none_of_these(tmp_path: Path) -> None:
    JSONBackend(tmp_path, fsync=False).mapping(KEY).set_many({"f": b"1"})
    files = Busy()
    assert list(JSONBackend(tmp_path, files=files).strangers(())) == []
    assert files.made == 1, "each directory is scanned once"


class Crowded(Unopened):
    """A directory of a hundred thousand objects more."""

    def scan(self, path: Path) -> list[Item]:
        more = range(100_000) if path.name == "User" and STORE not in path.parts else range(0)
        return [*super().scan(path), *(Item(f"{number}.json", is_directory=False, size=40) for number in more)]


@pytest.mark.slow
def test_a_hundred_thousand_objects_are_listed_and_counted_without_being_opened(tmp_path: Path) -> None:
    JSONBackend(tmp_path, fsync=False).mapping(KEY).set_many({"f": b"1"})
    files = Crowded()
    assert sum(1 for _ in JSONBackend(tmp_path, files=files).keys("User:")) == 100_001
    assert files.opened == 1, "the file of facts"

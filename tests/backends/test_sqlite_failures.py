"""Each failure a user may meet, made to happen, names the file and a remedy and has SQLite's own error as its cause."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from persistent_collections import BackendError, BackendUnavailable
from persistent_collections.backends.changes import Delete
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend
from tests.backends.users import another_user

pytestmark = pytest.mark.store("sqlite")

KEY = Key("Thing:x")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def backend(path: Path) -> Iterator[SQLiteBackend]:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        backend.mapping(KEY).set_many({"f": b"1"})
        yield backend


@contextmanager
def locked(path: Path, how: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Keep a database locked as another program would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(how)
        yield


def test_a_store_that_others_keep_locked_is_unavailable_and_nothing_is_done(path: Path, backend: SQLiteBackend) -> None:
    with SQLiteBackend(path, busy_timeout_s=0.05) as impatient, locked(path):
        with pytest.raises(BackendUnavailable, match=r"store\.db: .*; nothing was done; .*busy_timeout_s"):
            impatient.mapping(KEY).set_many({"f": b"2"})
        assert impatient.mapping(KEY).get("f") == b"1", "readers do not wait"
    assert backend.mapping(KEY).get("f") == b"1"
    backend.mapping(KEY).set_many({"f": b"3"})
    assert backend.mapping(KEY).get("f") == b"3"


def test_a_store_that_is_locked_while_it_is_opened_is_unavailable(path: Path) -> None:
    with SQLiteBackend(path, busy_timeout_s=0.05) as backend:
        path.touch()
        with locked(path, "BEGIN EXCLUSIVE"), pytest.raises(BackendUnavailable) as caught:
            backend.mapping(KEY).set_many({"f": b"1"})
        assert isinstance(caught.value.__cause__, sqlite3.Error)
        backend.mapping(KEY).set_many({"f": b"1"})
        assert backend.mapping(KEY).get("f") == b"1"


def test_a_full_store_changes_nothing(backend: SQLiteBackend) -> None:
    def limit(db: sqlite3.Connection) -> None:
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 5}")

    backend._database.write(limit)
    with pytest.raises(BackendError, match=r"store\.db: .*; nothing was written; free some space"):
        backend.mapping(KEY).set_many({"f": b"2", "large": b"x" * 100_000})
    assert backend.mapping(KEY).get_all() == {"f": b"1"}
    backend.mapping(KEY).set_many({"f": b"3"})
    assert backend.mapping(KEY).get_all() == {"f": b"3"}


WRITE_TOO_MUCH = """
import resource, signal, sys
from persistent_collections.backends.changes import Delete
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.errors import BackendError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with SQLiteBackend(sys.argv[1], synchronous="OFF") as backend:
    mapping = backend.mapping(Key("Thing:x"))
    mapping.set_many({"f": b"1"})
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    try:
        mapping.set_many({"f": b"2", "large": b"x" * 1_000_000} if sys.argv[2] == "many" else {"f": b"x" * 1_000_000})
    except BackendError as error:
        print(type(error).__name__, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(mapping.get_all())
"""


@pytest.mark.parametrize("fields", ["many", "one"])
def test_a_disk_that_takes_no_more_is_reported_and_what_was_there_stays(path: Path, fields: str) -> None:
    command = [sys.executable, "-c", WRITE_TOO_MUCH, str(path), fields]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    report, left = run.stdout.splitlines()
    assert report == (
        f"OutcomeUnknown {path}: disk I/O error; the write may or may not have been made: "
        "read it again, and check the disk"
    )
    assert left == "{'f': b'1'}"


def test_a_folder_in_which_nothing_may_be_made_is_named(folder: Path) -> None:
    folder.chmod(0o555)
    with another_user(), SQLiteBackend(folder / "store.db") as backend:
        assert not backend.look([KEY])[0]
        with pytest.raises(
            BackendError, match=r"store\.db: Permission denied; let this user read and write it"
        ) as caught:
            backend.mapping(KEY).set_many({"f": b"1"})
    assert isinstance(caught.value.__cause__, PermissionError)


def test_a_file_that_may_not_be_read_is_named(folder: Path) -> None:
    with another_user(), SQLiteBackend(folder / "store.db", synchronous="OFF") as backend:
        backend.mapping(KEY).set_many({"f": b"1"})
        backend.close()
        (folder / "store.db").chmod(0)
        for call in (lambda: backend.look([KEY])[0], lambda: backend.commit([], [Delete(KEY)])):
            with pytest.raises(BackendError, match=r"store\.db: .*; let this user read and write it") as caught:
                call()
            assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_a_file_that_may_only_be_read_is_read_and_named_when_written(folder: Path) -> None:
    with another_user(), SQLiteBackend(folder / "store.db", synchronous="OFF") as backend:
        backend.mapping(KEY).set_many({"f": b"1"})
        backend.close()
        (folder / "store.db").chmod(0o400)
        assert backend.mapping(KEY).get("f") == b"1"
        with pytest.raises(BackendError, match=r"store\.db: .*; let this user"):
            backend.mapping(KEY).set_many({"f": b"2"})
        assert backend.mapping(KEY).get("f") == b"1"


def test_a_store_in_a_folder_that_may_only_be_read_is_read_and_named_when_written(folder: Path) -> None:
    with another_user(), SQLiteBackend(folder / "store.db", synchronous="OFF") as backend:
        backend.mapping(KEY).set_many({"f": b"1"})
    folder.chmod(0o555)
    with another_user(), SQLiteBackend(folder / "store.db") as backend:
        assert backend.mapping(KEY).get("f") == b"1"
        assert list(backend.keys("")) == [KEY]
        with pytest.raises(BackendError, match=r"store\.db: .*; let this user .* make files beside it"):
            backend.mapping(KEY).set_many({"f": b"2"})
        assert backend.mapping(KEY).get("f") == b"1"


def test_a_store_that_may_only_be_read_here_shows_what_others_write_to_it(folder: Path) -> None:
    writer = SQLiteBackend(folder / "store.db", synchronous="OFF")
    writer.mapping(KEY).set_many({"f": b"1"})
    writer.close()
    folder.chmod(0o555)
    with SQLiteBackend(folder / "store.db") as backend:
        with another_user():
            (folder / "store.db").stat()
        os.chown(folder / "store.db", 65534, 65534)
        with another_user():
            assert backend.mapping(KEY).get("f") == b"1"
        writer.mapping(KEY).set_many({"f": b"2"})
        writer.close()
        with another_user():
            assert backend.mapping(KEY).get("f") == b"2"


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
def test_a_pipe_in_the_place_of_a_file_of_sqlite_is_named_and_not_waited_for(
    path: Path, backend: SQLiteBackend, end: str
) -> None:
    backend.close()
    os.mkfifo(f"{path}{end}")
    with pytest.raises(BackendError, match=rf"store\.db{end} is not a file; .* move it away"):
        backend.mapping(KEY).get("f")
    with pytest.raises(BackendError, match=rf"store\.db{end} is not a file; .* move it away"):
        backend.mapping(KEY).set_many({"f": b"2"})
    Path(f"{path}{end}").unlink()
    assert backend.mapping(KEY).get("f") == b"1"


def test_what_is_larger_than_sqlite_takes_is_refused(backend: SQLiteBackend) -> None:
    backend._database.write(lambda db: db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000))
    with pytest.raises(BackendError, match=r"store\.db: .*; nothing was written; keep values as large"):
        backend.mapping(KEY).set_many({"f": b"x" * 2000})
    assert backend.mapping(KEY).get("f") == b"1"


def test_no_error_shows_what_is_stored(backend: SQLiteBackend) -> None:
    backend._database.write(lambda db: db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000))
    with pytest.raises(BackendError) as caught:
        backend.mapping(KEY).set_many({"sesame-field": b"sesame" * 1000})
    assert "sesame" not in str(caught.value) + str(caught.value.__cause__)


def test_an_interrupt_in_the_middle_of_a_write_undoes_it(backend: SQLiteBackend) -> None:
    def interrupted(db: sqlite3.Connection) -> None:
        db.execute("UPDATE fields SET data = x'39'")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backend._database.write(interrupted)
    assert backend.mapping(KEY).get("f") == b"1"
    backend.mapping(KEY).set_many({"f": b"2"})
    assert backend.mapping(KEY).get("f") == b"2"

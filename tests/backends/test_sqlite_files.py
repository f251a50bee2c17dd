"""The file: when it is made, what is left alone, what happens when it goes away."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from persistent_collections import ConfigurationError, CorruptDataError, connect
from persistent_collections.backends.base import Backend
from persistent_collections.backends.changes import Delete
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite import SQLiteBackend
from persistent_collections.errors import BackendError
from persistent_collections.testing.backends.base import KEY
from persistent_collections.testing.backends.calls import NAME, ON_ABSENT, Call

pytestmark = pytest.mark.store("sqlite")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder with its bytes."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def put(path: Path, data: bytes = b"1") -> None:
    """Make a store that holds a field, and close it."""
    with SQLiteBackend(path, synchronous="OFF") as backend:
        backend.mapping(KEY).set_many({"f": data})


def as_sqlite3(path: Path, *statements: str) -> None:
    """Do what another program might do."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize(
    "call", [call for call in ON_ABSENT if call.result in ([], {}, 0, False) and not call.leaves], ids=NAME
)
def test_a_missing_file_reads_as_empty(path: Path, call: Call) -> None:
    with SQLiteBackend(path) as backend:
        assert call.run(backend, KEY) == call.result


def test_reading_makes_no_file_and_no_folder(tmp_path: Path) -> None:
    with SQLiteBackend(tmp_path / "new" / "store.db") as backend:
        assert backend.mapping(KEY).get_all() == {}
        assert backend.sequence(KEY).get_slice(slice(None)) == []
        assert backend.members(KEY).combine("union", [KEY]) == set()
        assert list(backend.keys("")) == []
        assert list(backend.mapping(KEY).pages()) == [[]]
        assert not backend.look([KEY])[0]
    assert contents(tmp_path) == {}


def test_the_first_write_makes_the_file_and_its_folders_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.db"
    with SQLiteBackend(path) as backend:
        backend.mapping(KEY).set_many({"f": b"1"})
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), 0o600)
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (tmp_path / "a", tmp_path / "a" / "b")] == [0o700] * 2


@pytest.mark.parametrize("mask", [0, 0o077])
def test_whatever_the_umask_the_file_and_those_beside_it_are_this_users_alone(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with SQLiteBackend(tmp_path / "a/store.db", synchronous="OFF") as backend:
            backend.mapping(KEY).set_many({"f": b"1"})
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "a").iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("store.db", "store.db-wal", "store.db-shm"), 0o600)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="the system has no fsync of folders")
def test_the_names_of_new_folders_are_put_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def listen(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", listen)
    put(tmp_path / "a" / "b" / "store.db")
    assert synced == [tmp_path.stat().st_ino, (tmp_path / "a").stat().st_ino]


def test_closed_the_store_is_one_file_that_says_what_it_is(path: Path) -> None:
    put(path)
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    assert path.read_bytes()[68:72] == b"PCOL", "the application id, where file(1) looks for it"


def test_an_empty_file_is_an_empty_store(path: Path) -> None:
    path.touch()
    with SQLiteBackend(path) as backend:
        assert not backend.look([KEY])[0]
        assert path.read_bytes() == b"", "reading leaves it empty"
        backend.mapping(KEY).set_many({"f": b"1"})
        assert backend.mapping(KEY).get("f") == b"1"


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"Dear diary, " * 1000),
        lambda path: path.write_bytes(b"x"),
        lambda path: path.write_bytes(b"SQLite format 3\0" + b"\0" * 5000),
        lambda path: path.write_bytes(b"\0" * 8192),
        lambda path: as_sqlite3(path, "CREATE TABLE theirs (x)", "INSERT INTO theirs VALUES ('dear')"),
        lambda path: as_sqlite3(path, "PRAGMA journal_mode = WAL", "CREATE TABLE theirs (x)"),
        lambda path: as_sqlite3(path, "PRAGMA application_id = 7", "CREATE TABLE objects (id)"),
    ],
    ids=["text", "a byte", "a header", "zeros", "a database", "a database with a log", "a marked database"],
)
@pytest.mark.parametrize("write", [False, True], ids=["read", "written"])
def test_a_file_that_is_no_store_is_left_as_it_is(path: Path, make: Callable[[Path], object], write: bool) -> None:
    make(path)
    before = contents(path.parent)
    with SQLiteBackend(path) as backend, pytest.raises(CorruptDataError, match=r"store\.db.*left as it is"):
        backend.mapping(KEY).set_many({"f": b"1"}) if write else backend.mapping(KEY).get("f")
    assert contents(path.parent) == before, "not a byte is changed and nothing is made beside it"


@pytest.mark.parametrize("write", [False, True], ids=["read", "written"])
def test_the_format_of_a_newer_version_is_refused_and_left_as_it_is(path: Path, write: bool) -> None:
    put(path)
    as_sqlite3(path, "PRAGMA user_version = 3")
    before = contents(path.parent)
    with (
        SQLiteBackend(path) as backend,
        pytest.raises(CorruptDataError, match=r"format 3, .* knows 2; .* left as it is"),
    ):
        backend.mapping(KEY).set_many({"f": b"2"}) if write else backend.mapping(KEY).get("f")
    assert contents(path.parent) == before


def test_a_damaged_store_is_corrupt_and_its_file_is_left_as_it_is(path: Path) -> None:
    put(path, b"x" * 50_000)
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xa5" * (len(data) - 8192))
    before = contents(path.parent)
    with SQLiteBackend(path) as backend:
        calls: list[Callable[[], object]] = [backend.mapping(KEY).get_all, lambda: backend.commit([], [Delete(KEY)])]
        for call in calls:
            with pytest.raises(CorruptDataError, match=r"store\.db: .*; .*\.recover"):
                call()
    assert contents(path.parent) == before


def test_tables_that_are_missing_make_a_store_corrupt(path: Path) -> None:
    put(path)
    as_sqlite3(path, "DROP TABLE fields")
    with SQLiteBackend(path) as backend, pytest.raises(CorruptDataError, match=r"store\.db: "):
        backend.mapping(KEY).get("f")


def test_names_that_are_not_utf8_make_a_store_corrupt(path: Path) -> None:
    put(path)
    as_sqlite3(path, "UPDATE fields SET name = x'ff'")
    with SQLiteBackend(path) as backend, pytest.raises(CorruptDataError, match="did not write"):
        backend.mapping(KEY).get_all()


def test_a_text_set_by_hand_where_bytes_belong_is_refused_by_the_tables_themselves(path: Path) -> None:
    put(path)
    with pytest.raises(sqlite3.Error):
        as_sqlite3(path, "UPDATE fields SET data = '2'")
    as_sqlite3(path, "UPDATE fields SET data = CAST('2' AS BLOB) WHERE name = CAST('f' AS BLOB)")
    with SQLiteBackend(path) as backend:
        assert backend.mapping(KEY).get("f") == b"2"


def test_something_other_than_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for thing in (tmp_path, tmp_path / "pipe"):
        calls: list[Callable[[Backend], object]] = [lambda b: b.look([KEY])[0], lambda b: b.commit([], [Delete(KEY)])]
        for call in calls:
            with (
                SQLiteBackend(thing) as backend,
                pytest.raises(BackendError, match="is not a file; choose another path"),
            ):
                call(backend)


def test_a_file_where_a_folder_should_be_is_a_backend_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with SQLiteBackend(tmp_path / "file" / "store.db") as backend:
        calls: list[Callable[[], object]] = [lambda: backend.look([KEY])[0], lambda: backend.commit([], [Delete(KEY)])]
        for call in calls:
            with pytest.raises(BackendError, match=r"file.*; let this user read and write") as caught:
                call()
            assert isinstance(caught.value.__cause__, OSError)


def test_a_store_that_is_deleted_is_made_anew_by_the_next_write(path: Path) -> None:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        backend.mapping(KEY).set_many({"f": b"1"})
        for file in path.parent.iterdir():
            file.unlink()
        assert not backend.look([KEY])[0], "what is deleted is gone, also for those who have it open"
        assert contents(path.parent) == {}
        backend.mapping(KEY).set_many({"g": b"2"})
        assert path.is_file(), "no write goes to a file that has no name any more"
    with SQLiteBackend(path) as backend:
        assert backend.mapping(KEY).get_all() == {"g": b"2"}


@pytest.mark.parametrize("write", [False, True], ids=["read", "written"])
def test_a_store_that_is_put_in_place_of_another_is_read_within_a_millisecond_and_written_at_once(
    path: Path, tmp_path: Path, write: bool
) -> None:
    put(tmp_path / "other.db", b"other")
    with SQLiteBackend(path, synchronous="OFF") as backend:
        backend.mapping(KEY).set_many({"f": b"1"})
        backend.close()
        assert backend.mapping(KEY).get("f") == b"1"
        (tmp_path / "other.db").replace(path)
        for name in ("store.db-wal", "store.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        if write:
            assert backend.mapping(KEY).compare_and_set("f", b"other", b"2")
        time.sleep(0.002)
        assert backend.mapping(KEY).get("f") == (b"2" if write else b"other")


def test_threads_that_read_while_a_store_takes_the_place_of_another_find_one_or_the_other(
    path: Path, tmp_path: Path
) -> None:
    with SQLiteBackend(path, synchronous="OFF") as backend:
        backend.mapping(KEY).set_many({"f": b"0"})
        stop, found = threading.Event(), list[bytes | None]()

        def read() -> None:
            while not stop.is_set():
                found.append(backend.mapping(KEY).get("f"))

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, 6):
            put(tmp_path / "other.db", b"%d" % number)
            # In this order, since SQLite would read the new file through the log of the old one.
            as_sqlite3(path, "PRAGMA wal_checkpoint(TRUNCATE)")
            for name in ("store.db-wal", "store.db-shm"):
                (tmp_path / name).unlink(missing_ok=True)
            (tmp_path / "other.db").replace(path)
            time.sleep(0.05)
        time.sleep(0.01)
        assert backend.mapping(KEY).get("f") == b"5"
        stop.set()
        for thread in threads:
            thread.join()
        assert set(found) <= {b"%d" % number for number in range(6)}
        assert backend.mapping(KEY).compare_and_set("f", b"5", b"6")


def test_a_copy_made_by_vacuum_is_a_store_and_gets_its_log_back(path: Path, tmp_path: Path) -> None:
    put(path)
    as_sqlite3(path, f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    with SQLiteBackend(tmp_path / "copy.db") as backend:
        assert backend.mapping(KEY).get("f") == b"1"
        backend.mapping(KEY).set_many({"f": b"2"})
        assert (tmp_path / "copy.db-wal").is_file()


def test_a_checkpoint_that_was_cut_off_after_the_first_page_harms_nothing(path: Path, tmp_path: Path) -> None:
    put(path)
    torn = tmp_path / "torn.db"
    with SQLiteBackend(path, synchronous="OFF") as backend:
        short = path.read_bytes()
        backend.mapping(KEY).set_many({"large": b"x" * 100_000})
        shutil.copy(f"{path}-wal", f"{torn}-wal")
    whole = path.read_bytes()
    assert len(whole) > 100_000 > len(short)
    torn.write_bytes(whole[:4096] + short[4096:])  # the header tells of pages that are in the log only
    with SQLiteBackend(torn) as backend:
        assert backend.mapping(KEY).get_all() == {"f": b"1", "large": b"x" * 100_000}


MAKE_AND_DIE = """
import os, sqlite3, sys
from persistent_collections.backends.sqlite import schema

db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")  # so that the journal is on the disk before the end
db.execute("BEGIN IMMEDIATE")
schema.create_tables(db)
db.execute("CREATE TABLE filler (x)")
db.executemany("INSERT INTO filler VALUES (zeroblob(3000))", [()] * 50)
os.kill(os.getpid(), 9)
"""


def test_a_store_whose_maker_was_killed_is_empty(path: Path, tmp_path: Path) -> None:
    put(tmp_path / "whole.db")
    subprocess.run([sys.executable, "-c", MAKE_AND_DIE, str(path)], check=False)
    assert path.with_name("store.db-journal").stat().st_size > 0, "the kill came before there was anything to undo"
    path.write_bytes((tmp_path / "whole.db").read_bytes()[:4096])  # the first page is written first
    with SQLiteBackend(path) as backend:
        assert backend.mapping(KEY).get_all() == {}
        backend.mapping(KEY).set_many({"f": b"1"})
        assert backend.mapping(KEY).get_all() == {"f": b"1"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:./app.db", "app.db"),
        ("sqlite:app.db", "app.db"),
        ("sqlite:my%20data/%C3%A9%3F%23.db", "my data/é?#.db"),
        ("sqlite:///var/lib/app.db", "/var/lib/app.db"),
        ("sqlite:/var/lib/app.db", "/var/lib/app.db"),
        ("sqlite:~/app.db", "~/app.db"),
        ("sqlite:%FF.db", os.fsdecode(b"\xff.db")),
    ],
)
def test_a_url_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert connect(text) == SQLiteBackend(path)
    assert connect(connect(text).url) == SQLiteBackend(path)


@pytest.mark.parametrize("name", ["é?#%20&.db", os.fsdecode(b"\xff.db"), "file:x?mode=memory", "a b"])
def test_a_file_of_any_name_is_made_and_found_again(tmp_path: Path, name: str) -> None:
    put(tmp_path / name)
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208 - names, undecodable ones too
    with SQLiteBackend(tmp_path / name) as backend:
        assert backend.mapping(KEY).get("f") == b"1"


def test_the_url_shown_is_absolute_and_has_every_option_that_is_not_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert connect("sqlite:my app.db").url == f"sqlite://{tmp_path}/my%20app.db"
    url = connect("sqlite:app.db?synchronous=NORMAL&codec=msgpack", busy_timeout_s=2).url
    assert url == f"sqlite://{tmp_path}/app.db?synchronous=NORMAL&busy_timeout_s=2.0&codec=msgpack"
    assert connect(url).url == url
    assert connect(url).codec == "msgpack"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sqlite://app.db", "write 'sqlite:./app.db' for a relative path, or 'sqlite:///app.db'"),
        ("sqlite://me:secret@host/app.db", "write 'sqlite:./host/app.db' for"),
        ("sqlite:", "a sqlite: URL names a file, as 'sqlite:./app.db' or 'sqlite:///var/lib/app.db'"),
        ("sqlite://", "a sqlite: URL names a file"),
        ("sqlite::memory:", "for one that ends with the process, write 'memory:'"),
        ("sqlite:///:memory:", "for one that ends with the process, write 'memory:'"),
        ("sqlite:app.db?synchronous=on", "one of OFF, NORMAL, FULL, EXTRA, not 'on'"),
        ("sqlite:app.db?synchronus=OFF", "did you mean 'synchronous'"),
        ("sqlite:app.db?busy_timeout_s=soon", "'busy_timeout_s' takes a float"),
        ("sqlite:app.db?busy_timeout_s=-1", "busy_timeout_s is a number of seconds up to 2147483"),
        ("sqlite:app.db?busy_timeout_s=nan", "busy_timeout_s is a number of seconds up to 2147483"),
        ("sqlite:a%00b", "cannot contain NUL"),
    ],
)
def test_a_wrong_url_is_refused_with_the_right_spelling(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(text)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("word", ["OFF", "off", "Normal", "full", "eXtra"])
def test_synchronous_is_spelt_in_upper_or_lower_case(tmp_path: Path, word: str) -> None:
    with connect(f"sqlite:{tmp_path}/a.db?synchronous={word}") as store:
        assert (f"synchronous={word.upper()}" in store.url) == (word != "full"), "which is the default"
    with SQLiteBackend(tmp_path / "store.db", synchronous=word) as backend:
        backend.mapping(KEY).set_many({"f": b"1"})
        number = backend._database.read(lambda db: db.execute("PRAGMA synchronous").fetchone()[0])
        assert number == ("OFF", "NORMAL", "FULL", "EXTRA").index(word.upper())


def test_what_a_url_would_refuse_is_refused_by_the_class(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="one of OFF, NORMAL, FULL, EXTRA"):
        SQLiteBackend(tmp_path / "store.db", synchronous="OFF; DROP TABLE objects")


def test_a_relative_path_is_that_of_the_folder_it_was_given_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backend: Backend = SQLiteBackend("store.db", synchronous="OFF")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with backend:
        backend.mapping(Key("User:luke")).set_many({"f": b"1"})
    assert (tmp_path / "store.db").is_file()


def test_backends_are_equal_when_they_reach_the_same_file_and_write_through_links(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
    stores = [SQLiteBackend(tmp_path / name) for name in ("store.db", "link.db", "other.db")]
    assert stores[0] == stores[1] != stores[2]
    assert stores[0] == SQLiteBackend(tmp_path / "store.db", synchronous="OFF")
    with stores[0], stores[1]:
        stores[1].mapping(KEY).set_many({"f": b"1"})
        assert stores[0].mapping(KEY).get("f") == b"1"
        assert (tmp_path / "link.db").is_symlink()
        assert stat.S_IMODE((tmp_path / "store.db").stat().st_mode) == 0o600

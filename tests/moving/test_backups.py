"""Backups of a SQLite store that is in use, and how they are put back."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import ConfigurationError, CorruptDataError, PersistentDict, PersistentList, connect
from persistent_collections.backends.wrappers.base import WrappedBackend
from persistent_collections.errors import BackendError
from persistent_collections.moving import backup

pytestmark = pytest.mark.store("sqlite")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path}/app.db?synchronous=OFF"


def test_a_backup_of_an_open_store_has_every_acknowledged_write_and_is_a_store(url: str, tmp_path: Path) -> None:
    numbers = PersistentDict[str, int]("numbers", backend=url)
    for number in range(50):
        numbers[str(number)] = number
    backup(url, tmp_path / "backup.db")
    assert stat.S_IMODE((tmp_path / "backup.db").stat().st_mode) == 0o600
    numbers.clear()
    with connect(f"sqlite:{tmp_path}/backup.db") as restored:
        assert PersistentDict[str, int]("numbers", backend=restored) == {str(number): number for number in range(50)}
        PersistentDict[str, int]("numbers", backend=restored)["more"] = 1
    with connect(f"sqlite:{tmp_path}/backup.db") as restored:
        assert len(PersistentDict[str, int]("numbers", backend=restored)) == 51
    assert {file.name for file in tmp_path.iterdir()} >= {"app.db", "backup.db"}
    assert not [file for file in tmp_path.iterdir() if "unfinished" in file.name]


def test_a_backup_is_of_one_moment_while_others_write(url: str, tmp_path: Path) -> None:
    store = connect(url)
    pair = PersistentDict[str, int]("pair", {"a": 0, "b": 0}, backend=store)
    big = PersistentList[str]("big", ["x" * 1000] * 3000, backend=store)
    stop = threading.Event()

    def write_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            pair.update({"a": number, "b": number})

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for _ in range(5):
            backup(store, tmp_path / "backup.db", overwrite=True)
            with connect(f"sqlite:{tmp_path}/backup.db") as restored:
                found = PersistentDict[str, int]("pair", backend=restored).copy()
                assert found["a"] == found["b"]
                assert len(PersistentList[str]("big", backend=restored)) == len(big)
    finally:
        stop.set()
        writer.join()


def test_a_backup_put_back_beside_the_old_log_is_refused_and_left_as_it_is(url: str, tmp_path: Path) -> None:
    store = connect(url)
    numbers = PersistentDict[str, int]("numbers", {"a": 1}, backend=store)
    backup(store, tmp_path / "backup.db")
    numbers["a"] = 2
    for end in ("", "-wal", "-shm"):
        shutil.copy(tmp_path / f"app.db{end}", tmp_path / f"crashed.db{end}")
    shutil.copy(tmp_path / "backup.db", tmp_path / "crashed.db")
    before = (tmp_path / "crashed.db").read_bytes()
    restored = PersistentDict[str, int]("numbers", backend=f"sqlite:{tmp_path}/crashed.db")
    for use in (restored.copy, restored.clear):
        with pytest.raises(CorruptDataError, match=r"backup that was put beside the log .* delete .*crashed\.db-wal"):
            use()
    assert (tmp_path / "crashed.db").read_bytes() == before
    for end in ("-wal", "-shm"):
        (tmp_path / f"crashed.db{end}").unlink()
    assert restored == {"a": 1}


def test_a_file_that_exists_is_replaced_only_if_asked(url: str, tmp_path: Path) -> None:
    PersistentList[int]("l", [1], backend=url)
    (tmp_path / "backup.db").write_text("yesterday's", "utf-8")
    with pytest.raises(FileExistsError):
        backup(url, tmp_path / "backup.db")
    assert (tmp_path / "backup.db").read_text("utf-8") == "yesterday's"
    backup(url, tmp_path / "backup.db", overwrite=True)
    assert PersistentList[int]("l", backend=f"sqlite:{tmp_path}/backup.db") == [1]


def test_a_file_that_cannot_be_made_is_named_as_it_was_given(url: str, tmp_path: Path) -> None:
    PersistentList[int]("l", [1], backend=url)
    with pytest.raises(FileNotFoundError) as caught:
        backup(url, tmp_path / "none" / "backup.db")
    assert caught.value.filename == str(tmp_path / "none" / "backup.db")


def test_a_full_disk_is_said_of_the_backup_and_not_of_the_store(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = PersistentList[str]("l", ["x" * 1000] * 1000, backend=url)
    connect_to = sqlite3.connect

    def small(name: Any, **options: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect_to(name, **options)
        if "unfinished" in str(name):
            made.execute("PRAGMA max_page_count = 10")
        return made

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(BackendError, match=r"/\.backup\.db\.\d+\.unfinished: .*; free some space"):
        backup(url, tmp_path / "backup.db")
    assert len(words) == 1000
    assert not list(tmp_path.glob("*backup*"))


def test_a_store_that_does_not_exist_is_not_backed_up(url: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="does not exist; nothing was backed up"):
        backup(url, tmp_path / "backup.db")
    assert list(tmp_path.iterdir()) == []


def test_other_stores_name_the_way_to_back_them_up(tmp_path: Path) -> None:
    for url in (f"json:{tmp_path}/data", "memory:"):
        with pytest.raises(ConfigurationError, match="export writes any store to a file"):
            backup(url, tmp_path / "backup.db")
        assert not (tmp_path / "backup.db").exists()


def test_a_wrapped_store_is_backed_up(url: str, tmp_path: Path) -> None:
    PersistentList[int]("l", [1], backend=url)
    backup(WrappedBackend(connect(url)), tmp_path / "backup.db")
    assert PersistentList[int]("l", backend=f"sqlite:{tmp_path}/backup.db") == [1]

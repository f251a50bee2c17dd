"""What goes wrong is this package's error, names the file and a remedy, and costs no data."""

from __future__ import annotations

import errno
import io
import multiprocessing
import os
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from persistent_collections.backends.base import Found, Wanted
from persistent_collections.backends.changes import Change, Delete, Exists, Replace, SetDeadline, SetFields
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.files import Files
from persistent_collections.backends.json.layout import STORE
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.shapes import SEQUENCE
from persistent_collections.checking import check
from persistent_collections.errors import (
    BackendError,
    BackendUnavailable,
    CorruptDataError,
    EncodeError,
    OutcomeUnknown,
    WrongShapeError,
)
from persistent_collections.moving import copy
from persistent_collections.testing.backends.base import exists, ttl

pytestmark = pytest.mark.store("json")

KEY, CHILD = Key("User:luke"), Key("User:luke", "friends")
BEFORE: list[Change] = [Replace(KEY, {"f": b"1"}), Replace(CHILD, [b"1"]), SetDeadline(KEY, 1000)]
WRITES: dict[str, list[Change]] = {
    "one file": [SetFields(KEY, {"f": b"2"})],
    "several files": [SetFields(KEY, {"f": b"2"}), Replace(CHILD, [b"2"]), SetDeadline(KEY, None)],
    "deletion": [Delete(KEY), Delete(CHILD)],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def backend(root: Path) -> JSONBackend:
    backend = JSONBackend(root)
    backend.commit([], BEFORE)
    return backend


def read(root: Path) -> tuple[dict[str, bytes], list[bytes], bool]:
    with JSONBackend(root) as backend:
        left = ttl(backend, KEY)
        return backend.mapping(KEY).get_all(), backend.sequence(CHILD).get_slice(slice(None)), left is not None


class FailingFiles(Files):
    """Fails once, instead of making a change after so many others."""

    def __init__(self, after: int, number: int) -> None:
        self.left = after
        self.number = number

    def create(self, path: Path, data: bytes, *, sync: bool) -> None:
        if self.left == 0:
            path.write_bytes(data[:1])  # what a full disk leaves
        self._fail(path)
        super().create(path, data, sync=sync)

    def replace(self, source: Path, target: Path) -> None:
        self._fail(target)
        super().replace(source, target)

    def unlink(self, path: Path) -> None:
        self._fail(path)
        super().unlink(path)

    def make_directory(self, path: Path) -> bool:
        self._fail(path)
        return super().make_directory(path)

    def sync_directory(self, path: Path) -> None:
        self._fail(path)
        super().sync_directory(path)

    def _fail(self, path: Path) -> None:
        self.left -= 1
        if self.left == -1:
            raise OSError(self.number, os.strerror(self.number), str(path))


def failure(backend: JSONBackend, changes: list[Change]) -> BackendError | None:
    try:
        backend.commit([], changes)
    except BackendError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("write", "number"), [*zip(WRITES, [errno.ENOSPC, errno.EIO, errno.EACCES], strict=True)], ids=list(WRITES)
)
def test_a_write_that_fails_anywhere_is_done_or_not_as_its_error_says(tmp_path: Path, write: str, number: int) -> None:
    outcomes = set()
    for steps in count():
        root = tmp_path / str(steps)
        JSONBackend(root).commit([], BEFORE)
        old = read(root)
        files = FailingFiles(steps, number)
        backend = JSONBackend(root, files=files)
        error = failure(backend, WRITES[write])
        if error:
            assert isinstance(error.__cause__, OSError)
            assert str(root) in str(error)
            assert os.strerror(number) in str(error)
            outcomes.add(type(error))
        done = error is None or isinstance(error, OutcomeUnknown)
        assert (read(root) != old) == done, f"after {steps} steps"
        if files.left >= 0:
            break
        backend.mapping(Key("Other:x")).set_many({"f": b"1"})
        assert (read(root) != old) == done, "the next write finishes what was made, and nothing else"
        assert {path.name for path in (root / STORE).iterdir()} <= {"lock", "facts.json", "deadlines"}
    assert outcomes == {BackendError, OutcomeUnknown}


def test_what_a_failed_write_left_over_is_swept_by_the_next_backend(root: Path, backend: JSONBackend) -> None:
    (root / STORE / "temporary-0123").write_text("{")
    backend.mapping(KEY).set_many({"f": b"2"})
    assert (root / STORE / "temporary-0123").exists()
    JSONBackend(root).mapping(KEY).set_many({"f": b"3"})
    assert not (root / STORE / "temporary-0123").exists()


Operation = Callable[[JSONBackend], Any]
OPERATIONS: dict[str, Operation] = {
    "get": lambda backend: backend.mapping(KEY).get("f"),
    "set": lambda backend: backend.mapping(KEY).set_many({"f": b"2"}),
    "replace": lambda backend: backend.mapping(KEY).replace({"f": b"2"}),
    "push": lambda backend: backend.sequence(KEY).push_right([b"2"]),
    "add": lambda backend: backend.members(KEY).add({"a"}),
    "apply replace": lambda backend: backend.commit([], [Replace(KEY, [b"2"])]),
    "apply delete": lambda backend: backend.commit([], [Delete(CHILD), Delete(KEY)]),
    "delete and replace": lambda backend: backend.commit([], [Delete(KEY), Replace(KEY, [b"2"])]),
    "set a deadline": lambda backend: backend.commit([], [SetDeadline(KEY, 0)]),
    "make a child": lambda backend: backend.sequence(Key(KEY.root, "new")).push_right([b"2"]),
    "snapshot": lambda backend: backend.snapshot([KEY]),
    "examine": lambda backend: backend.examine([Wanted(KEY, ["f"])]),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("data", [b"", b'{"f": 1', b'{"f": 1, "f": 2}', b"null\n", b'["\xff"]'])
def test_no_operation_overwrites_or_drops_a_corrupt_file(
    root: Path, backend: JSONBackend, data: bytes, operation: str
) -> None:
    path = root / "User/luke.json"
    path.write_bytes(data)
    with pytest.raises(CorruptDataError, match=r"luke\.json, line 1 column"):
        OPERATIONS[operation](backend)
    assert path.read_bytes() == data
    assert backend.sequence(CHILD).size() == 1
    assert set(backend.keys("")) == {KEY, CHILD}, "it is there to be seen to"
    path.write_text('{"f": 5}')
    assert backend.mapping(KEY).get("f") == b"5"


@pytest.mark.parametrize(("corrupt", "sound"), [(CHILD, KEY), (KEY, CHILD)], ids=["a corrupt child", "a corrupt owner"])
def test_a_corrupt_file_is_in_the_way_of_its_own_key_alone(
    root: Path, backend: JSONBackend, corrupt: Key, sound: Key
) -> None:
    path = root / f"User/luke{'/friends' if corrupt.child else ''}.json"
    path.write_text("[1")
    if sound == KEY:
        assert backend.commit([Exists(KEY)], [SetFields(KEY, {"f": b"2"})])
        backend.mapping(KEY, is_record=True).set_many({"g": b"3"})
        assert backend.mapping(KEY).get_all() == {"f": b"2", "g": b"3"}
    else:
        assert backend.sequence(CHILD).get_slice(slice(None)) == [b"1"]
        with pytest.raises(CorruptDataError, match=path.name):  # nobody knows whether the owner exists
            backend.sequence(CHILD).push_right([b"3"])
    assert path.read_text() == "[1"
    with pytest.raises(CorruptDataError, match=path.name):
        backend.commit([], [Delete(KEY), Delete(CHILD)])
    assert exists(backend, sound)


@pytest.mark.parametrize("name", ["deadlines/User/luke.json", "commit.json", "facts.json"])
def test_a_corrupt_file_of_ours_is_named_and_left_alone(root: Path, backend: JSONBackend, name: str) -> None:
    path = root / STORE / name
    path.write_text('{"../../x": "1"}')
    for operation in ("get", "set", "apply delete"):
        with pytest.raises(CorruptDataError, match=path.name):
            OPERATIONS[operation](JSONBackend(root))
    assert path.read_text() == '{"../../x": "1"}'


def test_an_array_opened_as_a_set_holds_texts_and_none_twice(root: Path, backend: JSONBackend) -> None:
    path, members = root / "User/luke/friends.json", backend.members(CHILD)
    path.write_text('["a", "b", "a"]')
    with pytest.raises(CorruptDataError, match=r"friends\.json: an array with a repeated item is not a set"):
        members.add({"c"})
    assert backend.sequence(CHILD).size() == 3
    path.write_text('["a", 1]')
    with pytest.raises(WrongShapeError):
        members.add({"c"})
    path.write_text('["b", "a"]')
    members.add({"c"})
    assert path.read_text() == '[\n  "a",\n  "b",\n  "c"\n]\n'


@pytest.mark.parametrize("content", [{"f": b"not JSON"}, {"\ud800": b"1"}])
def test_what_cannot_be_kept_in_json_is_refused_before_anything_is_written(
    root: Path, backend: JSONBackend, content: Content
) -> None:
    old = read(root)
    with pytest.raises(EncodeError, match=r"luke\.json"):
        backend.commit([], [Replace(CHILD, [b"2"]), Replace(KEY, content)])
    assert read(root) == old


def test_a_symbolic_link_is_not_followed(root: Path, backend: JSONBackend, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "friends.json").write_text('["secret"]')
    (outside / "han.json").write_text('{"f": 1}')
    (root / "User/leia").symlink_to(outside)
    (root / "User/han.json").symlink_to(outside / "han.json")
    (root / "Linked").symlink_to(outside)
    assert set(backend.keys("")) == {KEY, CHILD}
    for key in (Key("User:leia", "friends"), Key("User:han"), Key("Linked:han")):
        with pytest.raises(CorruptDataError, match="is a symbolic link"):
            backend.snapshot([key])
    backend.mapping(Key("User:leia")).set_many({"f": b"1"})
    for key in (Key("User:leia", "new"), Key("User:han"), Key("Linked:new")):
        with pytest.raises(CorruptDataError, match="is a symbolic link"):
            backend.mapping(key).set_many({"f": b"2"})
    backend.mapping(Key("User:leia")).pop("f")
    assert sorted(path.name for path in outside.iterdir()) == ["friends.json", "han.json"]
    assert (outside / "han.json").read_text() == '{"f": 1}'


def test_a_store_may_itself_be_reached_through_a_link(root: Path, backend: JSONBackend, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    linked = JSONBackend(tmp_path / "link")
    linked.mapping(KEY).set_many({"f": b"2"})
    assert backend.mapping(KEY).get("f") == b"2"
    assert linked == backend


def test_something_else_in_the_place_of_a_file_or_directory_is_named(root: Path, backend: JSONBackend) -> None:
    (root / "User/han.json").mkdir()
    (root / "User/leia").write_text("a file")
    os.mkfifo(root / "User/pipe.json")
    for key in (Key("User:han"), Key("User:pipe")):
        with pytest.raises(BackendError, match=r"Not a file; something else has the name of"):
            backend.mapping(key).get("f")
        with pytest.raises(BackendError, match=rf"{key.root[5:]}\.json"):
            backend.mapping(key).set_many({"f": b"1"})
    backend.mapping(Key("User:leia")).set_many({"f": b"1"})
    with pytest.raises(BackendError, match=r"User/leia: Not a directory; something else has the name of"):
        backend.mapping(Key("User:leia", "x")).set_many({"f": b"1"})
    assert set(backend.keys("")) == {KEY, CHILD, Key("User:leia")}


@pytest.mark.parametrize("place", ["store", "store/data"])
def test_a_file_in_the_place_of_the_store_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "store").write_text("mine")
    backend = JSONBackend(tmp_path / place)
    uses: list[Callable[[], object]] = [
        lambda: backend.mapping(KEY).get_all(),
        lambda: backend.look([KEY]),
        lambda: backend.snapshot([KEY]),
        lambda: list(backend.keys("")),
        lambda: list(check(backend)),
        lambda: copy(backend, "memory:"),
        lambda: backend.mapping(KEY).set_many({"f": b"1"}),
    ]
    for use in uses:
        with pytest.raises(BackendError, match=r"store(/data)?: Not a directory; something else has the name"):
            use()
    assert (tmp_path / "store").read_text() == "mine"


def test_a_path_too_long_for_the_system_is_named(tmp_path: Path) -> None:
    backend = JSONBackend(tmp_path / "/".join(["n" * 200] * 30))
    with pytest.raises(BackendError, match="choose a shorter path"):
        backend.mapping(KEY).get("f")


def test_a_writer_waits_for_another_thread_no_longer_than_it_may(root: Path, backend: JSONBackend) -> None:
    impatient = JSONBackend(root, lock_timeout_s=0.05)
    held, done = threading.Event(), threading.Event()

    def step(entries: Any) -> Any:
        held.set()
        done.wait()
        return entries

    for holder in (impatient, backend):
        held.clear()
        done.clear()
        thread = threading.Thread(target=holder.transform, args=([KEY], step))
        thread.start()
        held.wait()
        try:
            with pytest.raises(BackendUnavailable, match=r"lock was held by other writers for 0\.05 s"):
                impatient.mapping(KEY).set_many({"f": b"2"})
            assert impatient.mapping(KEY).get("f") == b"1", "a reader waits for no one"
        finally:
            done.set()
            thread.join()
    impatient.mapping(KEY).set_many({"f": b"2"})


def hold_the_lock(root: Path, held: Any, done: Any) -> None:
    def step(entries: Any) -> Any:
        held.set()
        done.wait()
        return entries

    JSONBackend(root).transform([KEY], step)


def test_a_killed_holder_of_the_lock_does_not_keep_it(root: Path, backend: JSONBackend) -> None:
    spawn = multiprocessing.get_context("spawn")
    held, done = spawn.Event(), spawn.Event()
    holder = spawn.Process(target=hold_the_lock, args=(root, held, done))
    holder.start()
    assert held.wait(60)
    with pytest.raises(BackendUnavailable):
        JSONBackend(root, lock_timeout_s=0.05).mapping(KEY).set_many({"f": b"2"})
    holder.kill()
    holder.join()
    backend.mapping(KEY).set_many({"f": b"2"})


def test_a_file_someone_has_open_is_tried_again_where_the_system_refuses(tmp_path: Path) -> None:
    class Refusing(Files):
        """As Windows: no file is replaced or opened at the first attempt."""

        patience_s = 1.0
        refusals = 0

        def _patiently(self, operation: Callable[[], Any]) -> Any:
            attempts = count()

            def refused_first() -> Any:
                if next(attempts) == 0:
                    self.refusals += 1
                    raise PermissionError(errno.EACCES, "held open")
                return operation()

            return super()._patiently(refused_first)

    files = Refusing()
    backend = JSONBackend(tmp_path, files=files)
    backend.mapping(KEY).set_many({"f": b"1"})
    assert backend.mapping(KEY).pop("f") == b"1"
    assert files.refusals > 2


def test_a_file_that_cannot_be_read_is_described_and_hides_no_other(backend: JSONBackend, root: Path) -> None:
    (root / "User" / "luke.json").write_text("{", "utf-8")
    assert backend.look([KEY, CHILD, Key("User:han")]) == [Found(None), Found(SEQUENCE, None, 1), None]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_named_and_nothing_is_written(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> bool:
        raise OSError(number, os.strerror(number))

    backend = JSONBackend(tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr("persistent_collections.backends.json.files._try_lock", refuse)
        with pytest.raises(BackendError, match=r"has no locks; some network file systems .* keep the store on a local"):
            backend.mapping(KEY).set_many({"f": b"1"})
    assert backend.mapping(KEY).get_all() == {}
    backend.mapping(KEY).set_many({"f": b"2"})


def test_the_lock_of_a_store_that_was_deleted_meanwhile_is_taken_anew(root: Path, backend: JSONBackend) -> None:
    class Deleting(Files):
        """Deletes the store once, between opening its lock and taking it."""

        is_done = False

        def _patiently(self, operation: Callable[[], Any]) -> Any:
            file = super()._patiently(operation)
            if not self.is_done and isinstance(file, io.FileIO) and file.writable():
                self.is_done = True
                (root / STORE / "lock").unlink()
            return file

    JSONBackend(root, files=Deleting()).mapping(KEY).set_many({"f": b"2"})
    assert (root / STORE / "lock").exists()
    assert backend.mapping(KEY).get("f") == b"2"


def test_a_store_that_another_process_makes_meanwhile_is_not_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, look = tmp_path / "data", Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        try:
            return look(path, follow_symlinks=follow_symlinks)
        finally:
            os.makedirs(store, exist_ok=True)  # noqa: PTH103 - pathlib asks stat()

    monkeypatch.setattr(Path, "stat", stat)
    Files().require_no_file(store)

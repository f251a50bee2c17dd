"""Where files lie, and which are ours."""

from __future__ import annotations

import shutil
import stat
import unicodedata
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from persistent_collections.backends.changes import Delete, Exists, Replace, SetDeadline, SetFields
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.files import Files, Item, Signature
from persistent_collections.backends.json.layout import STORE
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.testing.backends.base import exists, ttl

pytestmark = pytest.mark.store("json")

LUKE = Key("User:luke@example.com")
FRIENDS = Key(LUKE.root, "friends")
LONG = "n" * 1000


@pytest.fixture
def backend(tmp_path: Path) -> JSONBackend:
    return JSONBackend(tmp_path / "store", fsync=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def tree(root: Path) -> dict[str, str]:
    """Return the text of every file but the lock, by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_text("utf-8")
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def expiring(stored: Mapping[Key, Entry | None], at: float) -> dict[Key, Entry | None]:
    return {key: entry and Entry(entry.content, at) for key, entry in stored.items()}


def test_an_object_its_child_and_their_deadline_are_readable_files(backend: JSONBackend, root: Path) -> None:
    backend.commit([], [SetFields(LUKE, {"name": b'"Luke Skywalker"'}), Replace(FRIENDS, [b'"User:han@example.com"'])])
    backend.transform([LUKE], partial(expiring, at=4102444800.5))
    assert tree(root) == {
        ".store/deadlines/User/luke@example.com.json": "4102444800.5\ne4366af4\n",
        ".store/facts.json": '{"format":1,"folds_case":false}\n',
        "User/luke@example.com.json": '{\n  "name": "Luke Skywalker"\n}\n',
        "User/luke@example.com/friends.json": '[\n  "User:han@example.com"\n]\n',
    }


def test_names_of_types_ids_and_children_are_escaped_alike(backend: JSONBackend, root: Path) -> None:
    child = Key("a/b:c%3Ad.json", ".e")
    backend.commit([], [Replace(child.owner, {"f": b"1"}), Replace(child, {"f": b"1"})])
    assert (root / "a%2Fb" / "c%3Ad%2Ejson" / "%2Ee.json").is_file()


def test_a_deleted_record_leaves_no_file_and_no_directory(backend: JSONBackend, root: Path) -> None:
    keys = [Key(f"{LONG}:{LONG}"), Key(f"{LONG}:{LONG}", LONG)]
    backend.commit([], [Replace(keys[0], {"f": b"1"}), Replace(keys[1], [b"1"])])
    backend.commit([], [SetDeadline(key, 1000) for key in keys])
    assert set(backend.keys("")) == set(keys)
    backend.commit([], [Delete(keys[0])])
    assert list(backend.keys("")) == keys[1:]
    backend.commit([], [Delete(keys[1])])
    assert list(tree(root)) == [".store/facts.json"]
    assert [path.name for path in root.rglob("*") if path.is_dir()] == [STORE]


def test_files_are_their_owners_alone(backend: JSONBackend, root: Path) -> None:
    backend.commit([], [Replace(LUKE, {"f": b"1"}), Replace(FRIENDS, [b"1"]), SetDeadline(LUKE, 1000)])
    for path in [root, *root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_reading_and_changing_nothing_make_nothing(backend: JSONBackend, root: Path) -> None:
    assert backend.mapping(LUKE).get_all() == {}
    assert list(backend.keys("")) == []
    assert backend.look([LUKE, FRIENDS]) == [None, None]
    assert backend.mapping(LUKE).pop("f") is None
    assert backend.commit([Exists(FRIENDS, expected=False)], [Delete(LUKE), Delete(FRIENDS)])
    assert not root.exists()


def test_an_unchanged_file_is_not_written_again(backend: JSONBackend, root: Path) -> None:
    backend.commit([], [Replace(LUKE, {"f": b"1", "g": b"2"}), Replace(FRIENDS, [b"1"])])
    paths = [root / "User/luke@example.com.json", root / "User/luke@example.com/friends.json"]
    before = [path.stat() for path in paths]
    backend.mapping(LUKE).set_many({"f": b"1"})
    backend.mapping(LUKE).replace({"f": b"1", "g": b"2"})
    assert [path.stat() for path in paths] == before
    backend.mapping(LUKE).replace({"g": b"2", "f": b"1"})
    assert [path.stat() == status for path, status in zip(paths, before, strict=True)] == [False, True]


def test_what_is_not_ours_is_passed_over_and_left_alone(backend: JSONBackend, root: Path) -> None:
    backend.commit([], [Replace(LUKE, {"f": b"1"}), Replace(FRIENDS, [b"1"])])
    foreign = ["README.md", "User/notes.txt", "User/.hidden.json", "User/a%2fb.json", "User/a:b.json", "User/%41.json"]
    foreign += ["User/CON.json", "User/x.json.json", "User/a%~0123.json", "User/e\u0301.json", ".git/x/y.json"]
    foreign += ["User/luke@example.com/deeper/x.json", "User/luke@example.com/.x.json", "User/x.JSON", "x.json"]
    foreign += [".store/deadlines/mine.txt", ".store/mine"]
    for name in foreign:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("mine")
    assert set(backend.keys("")) == {LUKE, FRIENDS}
    assert set(backend.stored_keys("User:")) == {LUKE, FRIENDS}
    backend.commit([], [Delete(LUKE), Delete(FRIENDS)])
    assert list(backend.keys("")) == []
    assert [name for name in foreign if (root / name).read_text() != "mine"] == []


def test_an_empty_array_written_by_hand_does_not_exist(backend: JSONBackend, root: Path) -> None:
    backend.mapping(LUKE).set_many({"f": b"1"})
    (root / "User/luke@example.com.json").write_text("[ ]\n")
    assert list(backend.keys("")) == []
    assert not exists(backend, LUKE)
    assert backend.sequence(LUKE).size() == 0
    assert not backend.commit([Exists(LUKE)], [Delete(LUKE)])
    backend.sequence(LUKE).push_right([b"1"])
    assert list(backend.keys("")) == [LUKE]


def test_an_empty_object_written_by_hand_is_a_record_that_holds_nothing(backend: JSONBackend, root: Path) -> None:
    backend.mapping(LUKE).set_many({"f": b"1"})
    for text in ("{}", "{\n\n}\r\n"):
        (root / "User/luke@example.com.json").write_text(text)
        assert set(backend.keys("")) <= {LUKE, FRIENDS}
        assert exists(backend, LUKE)
        assert backend.mapping(LUKE).get_all() == {}, "to a dict it holds nothing"
        backend.sequence(FRIENDS).push_right([b"1"])
        backend.mapping(LUKE, is_record=True).set_many({"f": b"1"})
        assert backend.mapping(LUKE).get_all() == {"f": b"1"}
        backend.mapping(LUKE, is_record=True).pop("f")
        assert (root / "User/luke@example.com.json").read_text() == "{}\n"


def test_a_store_written_by_hand_alone_is_read(backend: JSONBackend, root: Path) -> None:
    (root / "User/luke@example.com").mkdir(parents=True)
    (root / "User/luke@example.com.json").write_text('{"name": "Luke", "age": 19}')
    (root / "User/luke@example.com/friends.json").write_text('["User:han@example.com"]')
    assert set(backend.keys("")) == {LUKE, FRIENDS}
    assert backend.mapping(LUKE).get_all() == {"name": b'"Luke"', "age": b"19"}
    assert backend.members(FRIENDS).get_all() == {"User:han@example.com"}
    assert not (root / STORE).exists()


def test_an_expired_object_is_not_listed_and_one_that_will_expire_is(backend: JSONBackend, root: Path) -> None:
    keys = [LUKE, FRIENDS, Key("User:han"), Key("User:han", "friends")]
    backend.commit([], [Replace(key, [b'"%b"' % (b"x" * 100)]) for key in keys])
    for key in (LUKE, *keys[2:]):
        backend.transform([key], partial(expiring, at=4102444800.0))
    for passed in ("luke@example.com.json", "han/friends.json"):
        (root / ".store/deadlines/User" / passed).write_text("1.0\n")
    assert set(backend.keys("User:")) == {FRIENDS, keys[2]}
    assert set(backend.stored_keys("User:")) == set(keys)


def test_a_deadline_left_by_a_file_deleted_by_hand_does_not_come_back(backend: JSONBackend, root: Path) -> None:
    backend.mapping(LUKE).set_many({"f": b"1"})
    backend.commit([], [SetDeadline(LUKE, 1000)])
    (root / "User/luke@example.com.json").unlink()
    backend.mapping(LUKE).set_many({"f": b"1"})
    assert ttl(backend, LUKE) is None


class FoldingFiles(Files):
    """A file system that takes names that differ only in case for one, and lists them in lower case and NFD.

    As FUSE does, it gives each spelling of a name an inode of its own.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def signature(self, path: Path) -> Signature | None:
        found = super().signature(self._folded(path))
        return found and found._replace(inode=hash(path))

    def read(self, path: Path) -> tuple[bytes, Signature] | None:
        return super().read(self._folded(path))

    def replace(self, source: Path, target: Path) -> None:
        super().replace(self._folded(source), self._folded(target))

    def create(self, path: Path, data: bytes, *, sync: bool) -> None:
        super().create(self._folded(path), data, sync=sync)

    def unlink(self, path: Path) -> None:
        super().unlink(self._folded(path))

    def make_directory(self, path: Path) -> bool:
        return super().make_directory(self._folded(path))

    def remove_directory(self, path: Path) -> bool:
        return super().remove_directory(self._folded(path))

    def scan(self, path: Path) -> list[Item]:
        return super().scan(self._folded(path))

    def _folded(self, path: Path) -> Path:
        name = unicodedata.normalize("NFD", str(path.relative_to(self._root)))
        return self._root / unicodedata.normalize("NFD", name.casefold())


def test_on_a_file_system_that_folds_case_names_are_kept_apart(tmp_path: Path, root: Path) -> None:
    root.mkdir()
    backend = JSONBackend(root, fsync=False, files=FoldingFiles(root))
    names = [
        "luke",
        "Luke",
        "LUKE",
        "straße",
        "STRASSE",
        "strasse",
        "é",
        "É",
        "e\u0301",
        "%3Aa",
        "%3AA",
        "%3a",
        "%4c",
        LONG.upper(),
    ]
    keys = [Key(f"{kind}:{name}", child) for kind in ("User", "user") for name in names for child in (None, "X", "x")]
    for number, key in enumerate(keys):
        backend.mapping(key).set_many({"f": b"%d" % number})
    assert sorted(backend.keys(""), key=str) == sorted(keys, key=str)
    assert [backend.mapping(key).get("f") for key in keys] == [b"%d" % number for number in range(len(keys))]
    assert '"folds_case":true' in (root / ".store/facts.json").read_text()
    backend.commit([], [SetDeadline(keys[0], 1000)])
    assert sorted(backend.keys(""), key=str) == sorted(keys, key=str)
    assert list(backend.strangers(())) == []


def test_a_stranger_of_a_name_like_ours_is_no_sign_of_folding(backend: JSONBackend, root: Path) -> None:
    (root / STORE.upper()).mkdir(parents=True)
    backend.mapping(LUKE).set_many({"f": b"1"})
    assert '"folds_case":false' in (root / ".store/facts.json").read_text()


def test_how_names_are_spelt_is_found_out_once_and_kept(tmp_path: Path, root: Path) -> None:
    root.mkdir()
    JSONBackend(root, fsync=False, files=FoldingFiles(root)).mapping(Key("t:A")).set_many({"f": b"1"})
    elsewhere = JSONBackend(root, fsync=False)
    assert list(elsewhere.keys("")) == [Key("t:A")]
    elsewhere.mapping(Key("t:B")).set_many({"f": b"1"})
    assert (root / "t" / "%42.json").is_file()


def test_what_has_expired_goes_by_and_by_as_deadlines_are_set(backend: JSONBackend, root: Path) -> None:
    long = Key("Session:" + "x" * 300)
    for key in (*(Key(f"Session:{number}") for number in range(10)), Key("Session:0", "visits"), long):
        backend.sequence(key).push_right([b"1"])
        backend.transform([key], partial(expiring, at=4102444800.0))
    for path in (root / ".store/deadlines").rglob("*.json"):
        path.write_text("1.0\n")
    (root / ".store/deadlines/mine.txt").write_text("1")
    (root / ".store/deadlines/Session/mine.json").write_text("no deadline\n")
    lasting = [Key(f"Session:lasting {number}") for number in range(10)]
    for key in lasting:
        backend.sequence(key).push_right([b"1"])
        backend.transform([key], partial(expiring, at=4102444800.0))
    left = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    kept = {f"{place}Session/lasting {number}.json" for place in ("", ".store/deadlines/") for number in range(10)}
    ours = {".store/facts.json", ".store/lock"}
    assert left - ours == kept | {".store/deadlines/mine.txt", ".store/deadlines/Session/mine.json"}


@pytest.mark.parametrize(
    "name",
    [
        "luke (conflicted copy).json",
        "luke (Leia's conflicted copy 2026-11-29).json",
        "luke (conflicted copy 2026-11-29 104500).json",
        "luke.sync-conflict-20261129-104500-7ABCDEF.json",
    ],
)
def test_a_copy_that_a_program_for_synchronizing_folders_made_is_an_object_and_reported(
    backend: JSONBackend, root: Path, name: str
) -> None:
    backend.mapping(Key("User:luke")).set_many({"f": b"1"})
    backend.mapping(Key("User:Leia (a copy)")).set_many({"f": b"1"})
    shutil.copy(root / "User/luke.json", root / "User" / name)
    assert Key(f"User:{name.removesuffix('.json')}") in set(backend.keys("User:"))
    (path, message), *others = backend.strangers(())
    assert (path, others) == (str(Path("User", name)), [])
    assert "compare it with the original" in message


def test_two_spellings_of_an_accented_id_are_two_objects(backend: JSONBackend) -> None:
    spellings = [Key("User:ren\u00e9@example.com"), Key("User:rene\u0301@example.com")]
    for number, key in enumerate(spellings):
        backend.mapping(key).set_many({"n": b"%d" % number})
    assert set(backend.keys("User:")) == set(spellings)
    assert [backend.mapping(key).get("n") for key in spellings] == [b"0", b"1"]

"""Damage to any byte of any file is reported, and hides or deletes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from persistent_collections import PersistentDict
from persistent_collections.backends.changes import Replace, SetDeadline
from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.json.journal import Journal
from persistent_collections.backends.json.layout import STORE
from persistent_collections.backends.keys import Key
from persistent_collections.errors import CorruptDataError, PersistentCollectionsError
from persistent_collections.testing.backends.base import exists
from tests.backends.json.damage import damaged

LUKE, FRIENDS, LONG = Key("User:luke"), Key("User:luke", "friends"), Key("User:" + "n" * 300)
TAGS = Key("Tags:x")
KEYS = {LUKE, FRIENDS, LONG, TAGS}


def store(root: Path, *, unfinished: bool = False) -> JSONBackend:
    """Make a small store, with a write that was cut off after its commit if ``unfinished``."""
    backend = JSONBackend(root, fsync=False)
    backend.commit(
        [], [Replace(LUKE, {"name": b'"Luke"', "age": b"19"}), Replace(FRIENDS, [b"0"]), SetDeadline(LUKE, 1e6)]
    )
    backend.commit([], [Replace(LONG, {"n": b"1"})])
    backend.commit([], [Replace(TAGS, {"a", "b"})])
    if unfinished:
        with pytest.MonkeyPatch.context() as patch, suppress(RuntimeError):
            patch.setattr(Journal, "_finish", _cut_off)
            backend.commit([], [Replace(LUKE, {"name": b'"Leia"'}), Replace(FRIENDS, [b"2"])])
    return JSONBackend(root, fsync=False)


def _cut_off(*_: object) -> None:
    raise RuntimeError


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def listed(backend: JSONBackend) -> tuple[set[Key], bool]:
    """Return what a listing yields, and whether it ends in an error."""
    keys = set()
    try:
        for key in backend.keys(""):
            keys.add(key)
    except CorruptDataError:
        return keys, True
    return keys, False


def check(backend: JSONBackend, root: Path) -> None:
    """Check that every error is ours and nothing has vanished or is deleted."""
    data_files = {name for name in files(root) if not name.startswith(STORE)}
    keys, is_reported = listed(backend)
    assert is_reported or keys >= KEYS
    for key in KEYS:
        with suppress(PersistentCollectionsError):
            assert exists(backend, key)
            assert backend.snapshot([key]) != [None]
    for operation in _writes(backend):
        with suppress(PersistentCollectionsError):
            operation()
    assert data_files <= set(files(root))
    keys, is_reported = listed(JSONBackend(root))
    assert is_reported or keys >= KEYS


def _writes(backend: JSONBackend) -> Iterator[Callable[[], object]]:
    for number in range(2):  # each looks for what has expired
        other = Key(f"Other:{number}")
        yield partial(backend.commit, [], [Replace(other, [b"1"]), SetDeadline(other, 1e6)])
    yield lambda: backend.mapping(LUKE).set_many({"age": b"20"})
    yield lambda: backend.sequence(FRIENDS).push_right([b"1"])
    yield lambda: backend.mapping(LONG).set_many({"m": b"2"})
    yield lambda: backend.members(TAGS).add({"c"})


def damage_each_byte(tmp_path: Path, name: str, stride: int, *, unfinished: bool) -> None:
    sound = tmp_path / "sound"
    store(sound, unfinished=unfinished)
    for number, data in enumerate(list(damaged((sound / name).read_bytes()))[::stride]):
        root = tmp_path / str(number)
        shutil.copytree(sound, root)
        (root / name).write_bytes(data)
        check(JSONBackend(root, fsync=False), root)
        shutil.rmtree(root)


NAMES = [
    "User/luke.json",
    "User/luke/friends.json",
    "Tags/x.json",
    f"{STORE}/deadlines/User/luke.json",
    f"{STORE}/facts.json",
    f"{STORE}/lock",
    f"{STORE}/commit.json",
    "long name",
    "record of the long name",
]


def path_of(root: Path, name: str) -> str:
    long = next(found for found in files(root) if "~" in found and not found.startswith(STORE))
    return {"long name": long, "record of the long name": f"{STORE}/names/{long}"}.get(name, name)


def test_the_names_are_all_the_files_of_the_store(tmp_path: Path) -> None:
    store(tmp_path, unfinished=True)
    temporary = {name for name in files(tmp_path) if "temporary" in name}
    assert {path_of(tmp_path, name) for name in NAMES} == set(files(tmp_path)) - temporary


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_damage_to_some_bytes_hides_and_deletes_nothing(tmp_path: Path, name: str) -> None:
    store(tmp_path / "names")
    damage_each_byte(tmp_path, path_of(tmp_path / "names", name), 23, unfinished="commit" in name)


@pytest.mark.proof
@pytest.mark.parametrize("name", NAMES)
def test_damage_to_any_byte_hides_and_deletes_nothing(tmp_path: Path, name: str) -> None:
    store(tmp_path / "names")
    damage_each_byte(tmp_path, path_of(tmp_path / "names", name), 1, unfinished="commit" in name)


@pytest.mark.parametrize("text", ["nan\n", "inf\n", "-1\n", "1_0\n", ""])
def test_the_time_left_by_a_damaged_deadline_is_not_guessed(tmp_path: Path, text: str) -> None:
    things = PersistentDict("x", {"a": 1}, backend=JSONBackend(tmp_path, fsync=False))
    things.expire(1000)
    (tmp_path / STORE / "deadlines/PersistentDict/x.json").write_text(text)
    for use in (things.ttl, things.copy, lambda: bool(things)):
        with pytest.raises(CorruptDataError, match=r"x\.json"):
            use()


@pytest.mark.parametrize("is_missing", [False, True], ids=["damaged", "missing"])
def test_a_long_name_that_is_lost_is_reported_after_all_others_are_listed(tmp_path: Path, is_missing: bool) -> None:
    backend = store(tmp_path)
    record = tmp_path / path_of(tmp_path, "record of the long name")
    if is_missing:
        record.unlink()
    else:
        record.write_bytes(b'"another"')
    assert listed(backend) == ({LUKE, FRIENDS, TAGS}, True)
    with pytest.raises(CorruptDataError, match="does not hold the full name of"):
        list(backend.keys("User:"))
    assert backend.mapping(LONG).get("n") == b"1", "it can be read by its name, which nobody has to guess"
    backend.mapping(LONG).set_many({"n": b"2"})
    assert listed(backend) == (KEYS, False), "a write knows the name and has put it back"

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    CorruptDataError,
    ObjectExists,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    connect,
)
from persistent_collections.backends.changes import Change, Condition, Exists, Replace, SetDeadline
from persistent_collections.backends.keys import Entry, Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.shapes import MEMBERS, SEQUENCE
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.moving import Exported, Moved, copy, export, import_, receiving
from persistent_collections.moving.objects import TOLERANCE_S
from persistent_collections.testing.backends.base import shape_at, ttl
from tests.moving.models import NAMED, Notes, Traveller, files, pack, unpack
from tests.servers import RunningServer

FRIENDS = Path(__file__).parents[2] / "examples" / "friends.py"
TOLD = """
import runpy
from persistent_collections import register_codec
from persistent_collections.codecs.bcrypt import BcryptCodec

register_codec(BcryptCodec(rounds=4), replace=True)
runpy.run_path({path!r}, run_name="__main__")
"""
OBJECTS = 7
X = Key("Thing:x")


def tell_the_story(folder: Path) -> type[Record]:
    """Let another process tell the friends story on JSON files, and return a class for what it stored."""
    environment = os.environ | {"PERSISTENT_COLLECTIONS_URL": "json:./told?fsync=off"}
    command = [sys.executable, "-c", TOLD.format(path=str(FRIENDS))]
    subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)

    class User(Record):
        name: str
        email: str
        password: Password
        friends: PersistentList[User] = child()

    return User


def named(target: str, folder: Path) -> str:
    return {"json": f"json:{folder}/target?fsync=off", "sqlite": f"sqlite:{folder}/target.db"}.get(target, f"{target}:")


@pytest.mark.parametrize("by_way_of", [["sqlite", "server"], ["memory", "fakeredis"], ["fakeredis", "sqlite"]])
def test_the_story_comes_back_from_other_stores_as_the_very_same_files(
    by_way_of: Sequence[str], tmp_path: Path, server: RunningServer
) -> None:
    user = tell_the_story(tmp_path)
    urls = {
        "server": server.url,
        "sqlite": f"sqlite:{tmp_path}/way.db",
        "memory": "memory:",
        "fakeredis": "fakeredis://",
    }
    last = connect(f"json:{tmp_path}/told?fsync=off")
    for name in by_way_of:
        here = connect(urls[name])
        assert copy(last, here) == Moved(copied=2)
        assert user.load("luke@example.com", backend=here)["friends"][0]["name"] == "Han Solo"
        last = here
    assert copy(last, f"json:{tmp_path}/again?fsync=off") == Moved(copied=2)
    assert files(tmp_path / "again") == files(tmp_path / "told")


@pytest.mark.parametrize("target", ["json", "memory", "sqlite", "fakeredis"])
def test_every_kind_of_object_reads_the_same_in_any_other_store(backend: Backend, target: str, tmp_path: Path) -> None:
    pack(backend)
    there = connect(named(target, tmp_path))
    assert copy(backend, there, codec=NAMED) == Moved(copied=OBJECTS)
    assert unpack(there) == unpack(backend)
    assert copy(backend, there, codec=NAMED) == Moved(equal=OBJECTS)
    assert copy(there, backend, codec=NAMED) == Moved(equal=OBJECTS)


def test_stores_are_given_as_names_urls_or_backends(memory: Backend, tmp_path: Path) -> None:
    Traveller("a", backend=memory, age=1)
    assert copy(memory, f"json:{tmp_path}/a") == Moved(copied=1)
    assert copy(f"json:{tmp_path}/a", "memory:some") == Moved(copied=1)
    with pytest.raises(ConfigurationError, match="no backend named 'nowhere'"):
        copy(memory, "nowhere")


def test_within_one_medium_any_bytes_of_any_type_are_copied_with_no_class_and_no_codec(
    backend: Backend, tmp_path: Path
) -> None:
    data = b'"\xc3\xa9"' if backend.medium == "json" else b"\xff\x00"
    backend.commit([], [Replace(X, {"f": data, "": data}), Replace(Key("Thing:x", "y"), [data, data])])
    there = connect(named("json" if backend.medium == "json" else "memory", tmp_path))
    assert copy(backend, there) == Moved(copied=1)
    assert there.mapping(X).get_all() == {"f": data, "": data}
    assert there.sequence(Key("Thing:x", "y")).get_slice(slice(None)) == [data, data]


def test_stores_whose_urls_choose_different_codecs_are_refused_and_nothing_is_copied(memory: Backend) -> None:
    packed = connect("memory:?codec=msgpack")
    Traveller("a", backend=packed, age=1)
    with pytest.raises(ConfigurationError, match=r"\?codec=msgpack.*memory:"):
        copy(packed, memory)
    assert list(memory.keys("")) == []


def test_the_codec_that_both_urls_choose_tells_how_values_are_wrapped(tmp_path: Path) -> None:
    packed = connect("memory:?codec=msgpack")
    Traveller("a", backend=packed, age=300, name="A", tickets=[b"1"], visits={1: b"\xff"})
    PersistentDict("d", {"a": {"b": b"\xff"}}, backend=packed)
    there = connect(f"json:{tmp_path}/data?codec=msgpack&fsync=off")
    assert copy(packed, there) == Moved(copied=2)
    assert Traveller.load("a", backend=there).to_dict() == Traveller.load("a", backend=packed).to_dict()
    assert PersistentDict("d", backend=there) == {"a": {"b": b"\xff"}}


def test_only_objects_whose_key_starts_with_the_prefix_are_copied(memory: Backend, other: Backend) -> None:
    pack(memory)
    assert copy(memory, other, prefix="Traveller:luke") == Moved(copied=1)
    assert {key.root for key in other.keys("")} == {"Traveller:luke@example.com%3A %7B1%7D%25"}


def test_progress_is_told_the_number_and_the_key_of_each_object_once_it_is_there(
    memory: Backend, other: Backend
) -> None:
    for name in "cab":
        Traveller(name, backend=memory, age=1)
    told: list[tuple[int, str, int]] = []
    copy(memory, other, progress=lambda done, key: told.append((done, key, Traveller.count(backend=other))))
    assert told == [(1, "Traveller:a", 1), (2, "Traveller:b", 2), (3, "Traveller:c", 3)]


class Watched(MemoryBackend):
    """Notes what is asked of it, and lets something happen before it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[tuple[Sequence[Condition], Sequence[Change]]] = []
        self.looked_at: list[Sequence[Key]] = []
        self.before: Callable[[Sequence[Key]], object] = bool

    def snapshot(self, keys: Sequence[Key]) -> list[Entry | None]:
        self.looked_at.append(keys)
        self.before(keys)
        return super().snapshot(keys)

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        self.steps.append((conditions, changes))
        return super().commit(conditions, changes)


def test_an_object_is_put_in_one_step_with_its_children_and_deadlines(memory: Backend) -> None:
    pack(memory)
    Traveller.ref("luke@example.com: {1}%", backend=memory).expire(1000)
    there = Watched()
    copy(memory, there)
    assert [len({change.key.root for change in changes}) for _, changes in there.steps] == [1] * OBJECTS
    [(conditions, luke)] = [step for step in there.steps if "luke" in step[1][0].key.root]
    put = {change.key.child for change in luke if isinstance(change, Replace)}
    assert put == {None, "friends", "visits", "tickets", "stamps"}
    assert put == {change.key.child for change in luke if isinstance(change, SetDeadline)}
    assert put == {
        condition.key.child for condition in conditions if condition == Exists(condition.key, expected=False)
    }


def test_an_object_is_read_at_one_moment_with_the_children_that_came_since_its_name_was_read(other: Backend) -> None:
    source = Watched()
    Traveller("a", backend=source, age=1)
    source.before = lambda _: Traveller.ref("a", backend=source).update(age=2, stamps={7})
    source.commit([], [Replace(Key("Traveller:a", "undeclared"), [b"x"])])
    assert copy(source, other) == Moved(copied=1)
    assert [sorted(str(key.child) for key in keys) for keys in source.looked_at] == [
        ["None", "friends", "stamps", "tickets", "undeclared", "visits"]
    ]
    there = Traveller.load("a", backend=other)
    assert there.age == 2
    assert there.stamps == {7}


def test_one_object_at_a_time_is_in_memory(other: Backend) -> None:
    source = Watched()
    for name in "abc":
        Traveller(name, backend=source, age=1)
    there: list[int] = []
    source.before = lambda _: there.append(Traveller.count(backend=other))
    copy(source, other)
    assert there == [0, 1, 2], "each is read after the one before was put"


def test_what_vanishes_while_others_are_copied_is_left_out(other: Backend) -> None:
    source = Watched()
    for name in "ab":
        Traveller(name, backend=source, age=1)
    assert copy(source, other, progress=lambda *_: Traveller.ref("b", backend=source).delete()) == Moved(copied=1)


class Forgetful(MemoryBackend):
    """A store that says it has put what it has not."""

    def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
        return super().commit(conditions, [change for change in changes if not isinstance(change, self.forgets)])

    forgets: type = object


@pytest.fixture
def file(tmp_path: Path) -> Backend:
    """Give a SQLite store, into which many objects are put in one transaction."""
    return connect(f"sqlite:{tmp_path}/there.db?synchronous=OFF")


@pytest.mark.parametrize(("large", "expected"), [(False, 3), (True, 250)])
def test_many_objects_are_put_into_a_sqlite_file_in_one_transaction_unless_they_are_large(
    memory: Backend, file: Backend, large: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(250):
        Traveller(number, backend=memory, age=1)
    if large:
        monkeypatch.setattr(receiving, "BATCH_BYTES", 1)
    transactions: list[str] = []
    write = Database.write

    def counted(database: Database, step: Any) -> Any:
        transactions.append("")
        return write(database, step)

    monkeypatch.setattr(Database, "write", counted)
    assert copy(memory, file) == Moved(copied=250)
    assert len(transactions) <= expected
    assert len(transactions) > expected / 2
    assert Traveller.count(backend=file) == 250


def test_a_conflict_within_a_transaction_of_many_stops_there(memory: Backend, file: Backend) -> None:
    for name in "abc":
        Traveller(name, backend=memory, age=1)
    Traveller("b", backend=file, age=2)
    done: list[int] = []
    with pytest.raises(ObjectExists, match="'Traveller:b'"):
        copy(memory, file, progress=lambda count, _: done.append(count))
    assert done == [1]
    assert set(Traveller.ids(backend=file)) == {"a", "b"}
    assert copy(memory, file, on_conflict="skip") == Moved(copied=1, skipped=1, equal=1)
    assert copy(memory, file, on_conflict="replace") == Moved(replaced=1, equal=2)
    assert Traveller.load("b", backend=file).age == 1


def test_what_comes_before_an_object_that_cannot_be_read_is_put_all_the_same(file: Backend) -> None:
    source = Watched()
    for name in "abc":
        Traveller(name, backend=source, age=1)

    def damaged(keys: Sequence[Key]) -> None:
        if keys[0].root == "Traveller:c":
            raise CorruptDataError("'Traveller:c' is damaged")

    source.before = damaged
    with pytest.raises(CorruptDataError, match="'Traveller:c'"):
        copy(source, file)
    assert set(Traveller.ids(backend=file)) == {"a", "b"}


@pytest.mark.parametrize("forgets", [Replace, SetDeadline])
def test_an_object_that_does_not_read_back_as_it_was_put_is_an_error(memory: Backend, forgets: type) -> None:
    Traveller("a", backend=memory, age=41, name="Ann").expire(1000)
    there = Forgetful()
    there.forgets = forgets
    with pytest.raises(CorruptDataError, match=r"'Traveller:a' does not read back from memory:") as caught:
        copy(memory, there)
    assert "41" not in str(caught.value)
    assert "Ann" not in str(caught.value)


def differ(backend: Backend, age: int) -> None:
    Traveller("a", backend=backend, age=age, friends=[Traveller.ref("b", backend=backend)])


def test_another_content_is_a_conflict_and_an_error_unless_told_otherwise(memory: Backend, other: Backend) -> None:
    differ(memory, 1)
    differ(other, 2)
    Traveller("b", backend=memory, age=1)
    with pytest.raises(ObjectExists, match=r"'Traveller:a' is in memory: already.*'skip'.*'replace'"):
        copy(memory, other)
    assert Traveller.load("a", backend=other).age == 2
    assert not Traveller.ref("b", backend=other)


def test_what_differs_is_kept_with_skip_and_the_rest_is_copied(memory: Backend, other: Backend) -> None:
    differ(memory, 1)
    differ(other, 2)
    Traveller("b", backend=memory, age=1)
    assert copy(memory, other, on_conflict="skip") == Moved(copied=1, skipped=1)
    assert Traveller.load("a", backend=other).age == 2


def test_what_differs_is_replaced_whole_with_replace(backend: Backend, memory: Backend) -> None:
    memory.commit(
        [], [Replace(Key("Traveller:a"), {"age": b"1"}), Replace(Key("Traveller:a", "tickets"), [b"\xc4\x00"])]
    )
    Traveller("a", backend=backend, age=2, name="old", stamps={1}, friends=[]).expire(1000)
    backend.commit(
        [], [Replace(Key("Traveller:a", "tickets"), {"another": b'"shape"'}), Replace(Key("Traveller:a", "k"), [b"1"])]
    )
    assert copy(memory, backend, on_conflict="replace") == Moved(replaced=1)
    assert Traveller.load("a", backend=backend).to_dict() == Traveller.load("a", backend=memory).to_dict()
    assert sorted(map(str, backend.keys(""))) == ["Traveller:a", "Traveller:a:tickets"]
    assert ttl(backend, Key("Traveller:a")) is None
    assert copy(memory, backend, on_conflict="replace") == Moved(equal=1)


@pytest.mark.parametrize("child_key", ["friends", "undeclared"])
def test_a_child_alone_is_a_conflict(memory: Backend, other: Backend, child_key: str) -> None:
    Traveller("a", backend=memory, age=1)
    other.commit([], [Replace(Key("Traveller:a", child_key), [b"x"])])
    with pytest.raises(ObjectExists):
        copy(memory, other)
    assert other.mapping(Key("Traveller:a")).get_all() == {}


@pytest.mark.parametrize("child_key", ["friends", "undeclared"])
def test_a_child_more_is_a_conflict(memory: Backend, other: Backend, child_key: str) -> None:
    Traveller("a", backend=memory, age=1)
    Traveller("a", backend=other, age=1)
    other.sequence(Key("Traveller:a", child_key)).push_right([b"x"])
    assert copy(memory, other, on_conflict="skip") == Moved(skipped=1)
    assert copy(memory, other, on_conflict="replace") == Moved(replaced=1)
    assert list(other.keys("")) == [Key("Traveller:a")]


def test_another_shape_is_a_conflict(memory: Backend, other: Backend) -> None:
    memory.sequence(X).push_right([b"x"])
    other.members(X).add({"x"})
    with pytest.raises(ObjectExists):
        copy(memory, other)
    assert copy(memory, other, on_conflict="replace") == Moved(replaced=1)
    assert shape_at(other, X) is SEQUENCE


def test_a_conflict_with_what_was_put_since_the_copy_began_is_decided_in_the_store(memory: Backend) -> None:
    for name in "ab":
        Traveller(name, backend=memory, age=1)
    there = Watched()

    def put(*_: object) -> None:
        Traveller("b", backend=there, stamps={7})

    with pytest.raises(ObjectExists, match="'Traveller:b'"):
        copy(memory, there, progress=put)
    assert Traveller.ref("b", backend=there).stamps == {7}
    assert Traveller.load("b", backend=there).age == 0


def test_no_other_word_about_conflicts_is_taken(memory: Backend, other: Backend) -> None:
    with pytest.raises(ValueError, match="'error', 'skip' or 'replace', not 'overwrite'"):
        copy(memory, other, on_conflict="overwrite")  # type: ignore[arg-type] # what a script may pass


class CutError(Exception):
    pass


@pytest.mark.parametrize("done", range(1, OBJECTS))
def test_a_copy_that_was_cut_off_is_run_again(memory: Backend, other: Backend, done: int) -> None:
    pack(memory)
    Traveller.ref("luke@example.com: {1}%", backend=memory).expire(1000)

    def cut(count: int, _: str) -> None:
        if count == done:
            raise CutError

    with pytest.raises(CutError):
        copy(memory, other, progress=cut)
    assert copy(memory, other) == Moved(copied=OBJECTS - done, equal=done)
    assert unpack(other) == unpack(memory)


@pytest.mark.parametrize("target", ["json", "memory", "sqlite", "fakeredis"])
def test_each_key_keeps_its_own_deadline(backend: Backend, target: str, tmp_path: Path) -> None:
    keys = [Key("Traveller:a"), Key("Traveller:a", "friends"), Key("Traveller:a", "stamps")]
    contents: list[Any] = [{"age": b"1"}, [b"x"], {"y"}]
    if backend.medium == "json":
        contents[1] = [b'"x"']
    backend.commit([], [Replace(key, content) for key, content in zip(keys, contents, strict=True)])
    backend.commit([], [SetDeadline(keys[0], 100.0), SetDeadline(keys[1], 500.0)])
    there = connect(named(target, tmp_path))
    assert copy(backend, there) == Moved(copied=1)
    left = [ttl(there, key) for key in keys]
    assert left == [pytest.approx(100, abs=TOLERANCE_S), pytest.approx(500, abs=TOLERANCE_S), None]
    assert copy(backend, there) == Moved(equal=1)


@pytest.mark.parametrize(
    ("left_s", "outcome"), [(1000.0, "equal"), (1000 - 2 * TOLERANCE_S, "skipped"), (None, "skipped")]
)
def test_another_deadline_is_another_object_but_for_the_time_a_command_takes(
    memory: Backend, other: Backend, left_s: float | None, outcome: str
) -> None:
    Traveller("a", backend=memory, age=1).expire(1000 + TOLERANCE_S / 2)
    Traveller("a", backend=other, age=1)
    other.commit([], [SetDeadline(Key("Traveller:a"), left_s)])
    assert copy(memory, other, on_conflict="skip") == Moved(**{outcome: 1})


def test_a_part_that_expires_as_it_is_copied_is_no_failure(memory: Backend) -> None:
    Traveller("a", backend=memory, age=1, stamps={1})
    memory.commit([], [SetDeadline(Key("Traveller:a"), 0.2)])

    class Slow(MemoryBackend):
        def commit(self, conditions: Sequence[Condition], changes: Sequence[Change]) -> bool:
            try:
                return super().commit(conditions, changes)
            finally:
                time.sleep(0.3)

    there = Slow()
    assert copy(memory, there) == Moved(copied=1)
    assert list(there.keys("")) == [Key("Traveller:a", "stamps")]


def test_a_hand_edited_file_is_copied_as_what_it_says(tmp_path: Path, memory: Backend) -> None:
    path = tmp_path / "data" / "Traveller" / "a.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"age":   12,\n "name": "\\u0041nn"}')
    (tmp_path / "data" / "Notes").mkdir()
    (tmp_path / "data" / "Notes" / "n.json").write_text('{"n": 1E400}')
    source = connect(f"json:{tmp_path}/data")
    assert copy(source, memory, codec="json") == Moved(copied=2)
    assert Traveller.load("a", backend=memory).to_dict()["name"] == "Ann"
    assert memory.mapping(Key("Notes:n")).get("n") == b"1E400"
    assert copy(memory, f"json:{tmp_path}/again", codec="json") == Moved(copied=2)


def test_lists_dicts_and_sets_of_no_class_of_their_own_are_known_by_their_type(memory: Backend, tmp_path: Path) -> None:
    PersistentSet("s", {"b", "a"}, backend=memory)
    PersistentList("l", [1], backend=memory)
    Notes("n", {"a": "b"}, backend=memory)
    there = connect(f"json:{tmp_path}/data")
    assert copy(memory, there, codec="json") == Moved(copied=3)
    back = connect("memory:")
    assert copy(there, back, codec="json") == Moved(copied=3)
    assert PersistentSet("s", backend=back) == {"a", "b"}
    assert shape_at(back, Key("PersistentSet:s")) is MEMBERS
    assert shape_at(back, Key("PersistentList:l")) is SEQUENCE


FOREIGN: dict[Key, Callable[[Any, str], Any]] = {
    Key("cache:1"): lambda client, name: client.set(name, "x"),
    Key("scores:all"): lambda client, name: client.zadd(name, {"x": 1}),
    Key("Traveller:a", "text"): lambda client, name: client.set(name, "x"),
    Key("Traveller:a", "stamps"): lambda client, name: client.xadd(name, {"x": 1}),
    Key("Traveller:b"): lambda client, name: client.set(name, "x"),
    Key("binary:hash"): lambda client, name: client.hset(name, b"\xff", "x"),
    Key("binary:set"): lambda client, name: client.sadd(name, b"\xff"),
}
"""What other programs put beside our objects that no store here writes: one under a declared child's name too."""


@pytest.mark.parametrize(
    "serving", [pytest.param(name, marks=pytest.mark.store(name)) for name in ("server", "cluster")]
)
def test_what_no_store_here_writes_is_left_out_and_counted_and_all_else_copied(
    serving: str, start: Any, memory: Backend, tmp_path: Path
) -> None:
    serves = start(serving)
    for name in "ac":
        Traveller(name, backend=memory, age=1, visits={1: b""})
    assert copy(memory, serves.url) == Moved(copied=2)
    with serves.client() as client:
        for key, put_there in FOREIGN.items():
            put_there(client, f"{{{key.root}}}:{key.child}" if serving == "cluster" and key.child else str(key))
    there = connect(f"sqlite:{tmp_path}/there.db")
    assert copy(serves.url, there) == Moved(copied=2, foreign=len(FOREIGN))
    assert {str(key) for key in there.keys("")} == {
        f"Traveller:{name}{child}" for name in "ac" for child in ("", ":visits")
    }
    assert export(serves.url, tmp_path / "all.jsonl") == Exported(2, foreign=len(FOREIGN))
    assert import_(tmp_path / "all.jsonl", there) == Moved(equal=2)
    assert copy(there, serves.url, prefix="Traveller:c") == Moved(equal=1)

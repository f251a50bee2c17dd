from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest

from persistent_collections import (
    Backend,
    ConfigurationError,
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    classes,
    codec,
    connect,
    get_codec,
    stored_as,
)
from persistent_collections.backends.changes import Replace
from persistent_collections.backends.keys import Content, Key
from persistent_collections.backends.memory import MemoryBackend
from persistent_collections.backends.shapes import Shape
from persistent_collections.checking import Deletable, Finding, Kind, Repairable, check
from persistent_collections.codecs.fit import fit
from persistent_collections.errors import CorruptDataError
from tests.servers import RunningServer


class Pilot(Record):
    name: str
    password: Password
    age: int
    cargo: Annotated[list[bytes], codec("msgpack"), stored_as("hold")]
    wing: Pilot | None
    met: list[Any]
    crew: PersistentList[Pilot] = child()
    ranks: PersistentDict[int, int] = child()
    rivals: PersistentSet[Pilot] = child()
    ships: PersistentDict[Pilot, Any] = child()


class Manifest(PersistentDict[str, int]):
    pass


def put(backend: Backend, key: Key, content: Content, format: str = "json") -> None:
    """Store bytes that are JSON, or texts, as a store of this medium holds them."""
    text = fit(get_codec("str"), backend.medium)

    def texts(data: bytes) -> bytes:
        return text.encode(data.decode()) if format == "text" else data

    held: Content
    match content:
        case dict():
            held = {field: texts(data) for field, data in content.items()}
        case list():
            held = list(map(texts, content))
        case _:
            held = content
    backend.commit([], [Replace(key, held)])


ALL_BUT_UNKNOWN: Any = sorted({*get_args(Repairable)} - {"unknown_type"})
"""What can be repaired with no type named."""


def short(findings: Any) -> list[tuple[str, str, str | int | None, bool]]:
    return [(found.kind, found.key, found.place, found.repaired) for found in findings]


def fill(backend: Backend) -> None:
    """Fill a store with nothing wrong."""
    luke = Pilot("luke", backend=backend, name="Luke", age=3, cargo=[b"\xff"], password="TheForce")
    han = Pilot("han", backend=backend, name="Han", wing=luke, met=[{"who": luke}], crew=[luke], ranks={1: 2})
    luke.update(rivals={han}, ships={han: luke}, crew=[han])
    Manifest("m", {"a": 1}, backend=backend)
    PersistentDict("d", {"a": [luke]}, backend=backend)
    PersistentSet[Any]("s", {"a"}, backend=backend)


def test_a_store_with_nothing_wrong_gives_no_findings_and_repairing_changes_nothing(backend: Backend) -> None:
    fill(backend)
    assert list(check(backend)) == []
    before = Pilot.load("luke", backend=backend).to_dict()
    assert list(check(backend, repair=ALL_BUT_UNKNOWN)) == []
    assert Pilot.load("luke", backend=backend).to_dict() == before


def test_values_that_their_codec_does_not_read_are_named_by_place_and_never_shown(backend: Backend) -> None:
    put(backend, Key("Pilot:a"), {"age": b'"s3cret"', "hold": b'"s3cret"', "wing": b'"s3cret"'})
    put(backend, Key("Pilot:a", "ranks"), {"1": b"1", "s3cret": b"1", "2": b'"s3cret"'})
    put(backend, Key("Pilot:a", "crew"), [b"Pilot:a", b"s3cret", b"s3cret:x"], "text")
    put(backend, Key("Pilot:a", "rivals"), {"s3cret"})
    put(backend, Key("Manifest:m"), {"a": b"1", "b": b'"s3cret"'})
    findings = list(check(backend))
    places = {(found.key, found.place) for found in findings}
    assert {found.kind for found in findings} == {"undecodable"}
    assert places == {
        ("Pilot:a", "age"),
        ("Pilot:a", "hold"),
        ("Pilot:a", "wing"),
        ("Pilot:a:ranks", "s3cret"),
        ("Pilot:a:ranks", "2"),
        ("Pilot:a:crew", 1),
        ("Pilot:a:crew", 2),
        ("Pilot:a:rivals", None),
        ("Manifest:m", "b"),
    }
    assert not [found for found in findings if "s3cret" in found.message and found.place != 2]


def test_progress_is_told_after_each_key(backend: Backend) -> None:
    fill(backend)
    told: list[tuple[int, str]] = []
    assert list(check(backend, prefix="Pilot:", progress=lambda done, key: told.append((done, key)))) == []
    assert told == [(number, key) for number, key in enumerate(sorted(map(str, backend.keys("Pilot:"))), 1)]


def test_every_finding_that_can_be_repaired_says_how_to_keep_what_was_found(backend: Backend) -> None:
    luke = Pilot("luke", backend=backend, name="Luke", wing=Pilot.ref("gone", backend=backend))
    put(backend, Key("Pilot:luke", "gone"), {"a": b"1"})
    put(backend, Key("Pilot:han"), {"age": b'"x"', "old name": b"1"})
    put(backend, Key("Pilot:han", "ranks"), [b"1"])
    put(backend, Key("Old:a"), {"a": b"1"})
    put(backend, Key("Pilot:nobody", "ranks"), {"7": b"7"})
    found = {finding.kind: finding.message for finding in check(backend)}
    assert found.keys() == {*get_args(Deletable)}
    for kind, keep in {
        "orphan": "to keep its items, copy them elsewhere",
        "dangling": "create that, or refer to another",
        "stray_child": "declare it again to keep its items",
        "stray_field": "declare it again, or a field that reads it: Annotated[…, stored_as('old name')]",
        "undecodable": "to keep it, name the codec or declare the type",
        "unknown_type": "import the module that defines it",
        "wrong_shape": "open it, or declare it, as the type that is stored",
    }.items():
        assert keep in found[kind]  # type: ignore[index] # each kind is there, as was asserted
    assert luke


def test_references_to_records_that_do_not_exist_are_found_wherever_they_stand(backend: Backend) -> None:
    fill(backend)
    Pilot.ref("han", backend=backend).delete()
    luke = Pilot.ref("luke", backend=backend)
    luke.update(wing=Pilot.ref("gone", backend=backend), met=[[Pilot.ref("gone", backend=backend)]] * 2)
    PersistentDict("d", {"a": [PersistentList("never filled", backend=backend)]}, backend=backend)
    assert short(check(backend)) == [
        ("dangling", "Pilot:luke", "wing", False),
        ("dangling", "Pilot:luke", "met", False),
        ("dangling", "Pilot:luke:crew", 0, False),
        ("dangling", "Pilot:luke:rivals", None, False),
        ("dangling", "Pilot:luke:ships", "Pilot:han", False),
    ]
    assert "refers to 'Pilot:gone', which does not exist" in next(iter(check(backend))).message


def test_a_reference_to_a_class_that_is_not_declared_is_no_value_of_the_field(backend: Backend) -> None:
    Manifest("m", {"a": 1}, backend=backend)
    put(backend, Key("Pilot:a"), {"wing": b"Manifest:m"}, "text")
    put(backend, Key("Pilot:a", "crew"), [b"Unheard:x"], "text")
    assert short(check(backend)) == [
        ("undecodable", "Pilot:a", "wing", False),
        ("undecodable", "Pilot:a:crew", 0, False),
    ]


def test_what_no_class_declares_is_found(backend: Backend) -> None:
    put(backend, Key("Pilot:a"), {"name": b"A", "dropped": b"1", "crew": b"1", "cargo": b"1"}, "text")
    put(backend, Key("Pilot:a", "dropped"), [b"1"])
    put(backend, Key("Manifest:m", "child"), [b"1"])
    put(backend, Key("Unheard:x"), [b"1"])
    put(backend, Key("Unheard:x", "child"), {"a"})
    put(backend, Key("Pilot:b"), [b"1"])
    put(backend, Key("Pilot:b", "ranks"), [b"1"])
    assert sorted(short(check(backend)), key=str) == [
        ("former_field", "Pilot:a", "crew", False),
        ("stray_child", "Manifest:m:child", None, False),
        ("stray_child", "Pilot:a:dropped", None, False),
        ("stray_field", "Pilot:a", "cargo", False),
        ("stray_field", "Pilot:a", "dropped", False),
        ("unknown_type", "Unheard:x", None, False),
        ("unknown_type", "Unheard:x:child", None, False),
        ("wrong_shape", "Pilot:b", None, False),
        ("wrong_shape", "Pilot:b:ranks", None, False),
    ]


def spoil(backend: Backend) -> None:
    """Fill a store with something of each kind that can be repaired, among what is sound."""
    fill(backend)
    gone = Pilot.ref("gone", backend=backend)
    luke = Pilot.ref("luke", backend=backend)
    luke.wing = gone
    luke.crew[:] = [gone, luke, gone, gone, Pilot.ref("han", backend=backend), gone]
    luke.rivals.add(gone)
    luke.ships[gone] = 1
    luke.ships[luke] = gone
    backend.mapping(Key("Pilot:luke")).set_many({"age": b'"x"', "dropped": b"1"})
    backend.mapping(Key("Pilot:luke", "ranks")).set_many({"x": b'"x"', "7": b"7"})
    put(backend, Key("Manifest:m", "child"), [b"1"])
    put(backend, Key("Unheard:x"), [b"1"])
    put(backend, Key("Pilot:b"), [b"1"])
    put(backend, Key("Pilot:nobody", "ranks"), {"7": b"7"})


@pytest.mark.parametrize("kind", get_args(Deletable))
def test_only_findings_of_the_kinds_asked_for_are_repaired(backend: Backend, kind: Repairable) -> None:
    spoil(backend)
    prefix = "Unheard:" if kind == "unknown_type" else ""
    found = list(check(backend, prefix=prefix))
    others = {one.kind for one in check(backend)} - {kind}
    repaired = list(check(backend, prefix=prefix, repair=[kind]))
    assert [(one.kind, one.key, one.place, one.message) for one in repaired] == [
        (one.kind, one.key, one.place, one.message) for one in found
    ]
    assert {one.kind for one in repaired if one.repaired} == {kind}
    assert all(one.repaired for one in repaired if one.kind == kind)
    assert {one.kind for one in check(backend)} == others


def test_a_store_is_sound_once_all_is_repaired_and_what_was_sound_is_still_there(backend: Backend) -> None:
    spoil(backend)
    assert all(found.repaired for found in check(backend, prefix="Unheard:", repair=["unknown_type"]))
    assert all(found.repaired for found in check(backend, repair=ALL_BUT_UNKNOWN))
    assert list(check(backend)) == []
    luke = Pilot.load("luke", backend=backend)
    assert luke.wing is None
    assert luke.name == "Luke"
    assert [pilot.id for pilot in luke.crew] == ["luke", "han"]
    assert [pilot.id for pilot in luke.rivals] == ["han"]
    assert {pilot.id: there.id for pilot, there in luke.ships.items()} == {"han": "luke"}
    assert luke.ranks == {7: 7}
    assert PersistentDict("d", backend=backend) == {"a": [luke]}


def test_a_reference_within_a_value_is_left_to_the_user(backend: Backend) -> None:
    Pilot("a", backend=backend, met=[Pilot.ref("gone", backend=backend)])
    assert short(check(backend, repair=["dangling"])) == [("dangling", "Pilot:a", "met", False)]
    assert len(Pilot.load("a", backend=backend).met) == 1


class Meddled(MemoryBackend):
    """Changes what a key holds between two times that it is asked for."""

    def __init__(self, other: Content) -> None:
        super().__init__()
        self.asked = 0
        self._other = other
        self.watched: Key | None = None

    def open(self, shape: Shape, key: Key, *, is_record: bool = False) -> Any:
        if self.watched in (None, key):
            self._meddle(key)
        return super().open(shape, key, is_record=is_record)

    def _meddle(self, key: Key) -> None:
        self.asked += 1
        if self.asked == 2:
            self.commit([], [Replace(key, self._other)])


def test_what_has_changed_since_it_was_found_is_left() -> None:
    store = Meddled({"dropped": b"2", "gone": b"1"})
    put(store, Key("Pilot:a"), {"dropped": b"1", "gone": b"1"})
    assert short(check(store, repair=["stray_field"])) == [
        ("stray_field", "Pilot:a", "dropped", False),
        ("stray_field", "Pilot:a", "gone", True),
    ]
    assert store.mapping(Key("Pilot:a")).get_all() == {"dropped": b"2"}


def test_an_item_that_has_moved_since_it_was_found_is_left() -> None:
    store = Meddled([b"new", b"nor this"])
    Pilot("a", name="A", backend=store)
    put(store, Key("Pilot:a", "crew"), [b"not a key", b"nor this"])
    store.watched, store.asked = Key("Pilot:a", "crew"), 0
    assert short(check(store, repair=["undecodable"])) == [
        ("undecodable", "Pilot:a:crew", 0, False),
        ("undecodable", "Pilot:a:crew", 1, True),
    ]
    assert store.sequence(Key("Pilot:a", "crew")).get_slice(slice(None)) == [b"new"]


@pytest.mark.parametrize("kind", ["unreadable", "misnamed", "nonsense"])
def test_what_is_below_the_keys_cannot_be_repaired(memory: Backend, kind: Any) -> None:
    with pytest.raises(ValueError, match=f"'{kind}' cannot be repaired; the kinds that can are undecodable, "):
        check(memory, repair=[kind])


@pytest.mark.parametrize("repair", [True, "former_field"])
def test_the_kinds_to_repair_are_a_collection(memory: Backend, repair: Any) -> None:
    with pytest.raises(TypeError, match=r"repair takes the kinds of findings to repair, such as \['former_field'\]"):
        check(memory, repair=repair)


def test_codecs_are_named_as_for_a_copy_and_json_if_not(backend: Backend) -> None:
    PersistentList("l", [b"\x80"], backend=backend, codec="msgpack")
    PersistentDict("d", {"a": "text"}, backend=backend)
    assert short(check(backend, codec={"PersistentList:l": "msgpack"})) == []
    assert ("undecodable", "PersistentDict:d", "a", False) in short(check(backend, codec="msgpack"))


def test_only_keys_that_start_with_the_prefix_are_checked(backend: Backend) -> None:
    put(backend, Key("Pilot:a"), {"age": b'"x"'})
    put(backend, Key("Manifest:m"), {"a": b'"x"'})
    assert [found.key for found in check(backend, prefix="Pilot:")] == ["Pilot:a"]


def test_a_class_that_is_not_registered_is_given(memory: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    class Visitor(Record):
        name: str

    monkeypatch.delitem(classes._known, "Visitor")
    Visitor("v", backend=memory, name="V")
    assert [found.kind for found in check(memory)] == ["unknown_type"]
    assert list(check(memory, classes=[Visitor])) == []


def test_files_that_do_not_parse_and_names_that_are_no_keys_are_found_and_left(tmp_path: Path) -> None:
    store = connect(f"json:{tmp_path}?fsync=off")
    fill(store)
    spoilt = {
        "Pilot/torn.json": '{"name": "s3cret',
        "Pilot/luke/crew.json": "[1, 2",
        "README.txt": "s3cret",
        "Pilot/notes": "s3cret",
        "Pilot/%41.json": "{}",
        "Pilot/luke/deep/x.json": "{}",
        "loose.json": "{}",
        ".DS_Store": "",
    }
    for name, text in spoilt.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    findings = list(check(store, repair=ALL_BUT_UNKNOWN))
    assert {(found.kind, found.key) for found in findings if found.kind != "dangling"} == {
        ("unreadable", "Pilot:torn"),
        ("unreadable", "Pilot:luke:crew"),
        ("misnamed", "README.txt"),
        ("misnamed", str(Path("Pilot/notes"))),
        ("misnamed", str(Path("Pilot/%41.json"))),
        ("misnamed", str(Path("Pilot/luke/deep"))),
        ("misnamed", "loose.json"),
        ("misnamed", ".DS_Store"),
    }
    assert "torn.json, line 1 column " in next(found.message for found in findings if found.key == "Pilot:torn")
    assert not [found for found in findings if "s3cret" in found.message]
    assert {name: (tmp_path / name).read_text() for name in spoilt} == spoilt


@pytest.mark.parametrize("place", ["Pilot/linked.json", "Pilot/linked", "Pilot/luke/more.json", "Linked", "pipe.json"])
def test_a_symbolic_link_is_found_since_listings_lack_it(tmp_path: Path, place: str) -> None:
    root, outside = tmp_path / "store", tmp_path / "outside"
    store = connect(f"json:{root}?fsync=off")
    fill(store)
    before = list(check(store))
    outside.mkdir()
    if place == "pipe.json":
        os.mkfifo(root / place)
    else:
        (root / place).symlink_to(outside)
    added = [found for found in check(store, repair=ALL_BUT_UNKNOWN) if found not in before]
    assert [(found.kind, found.key) for found in added] == [("misnamed", str(Path(place)))]
    assert "does not follow it" in added[0].message


def test_an_object_whose_full_name_is_lost_is_found_and_hides_no_other(tmp_path: Path) -> None:
    store = connect(f"json:{tmp_path}?fsync=off")
    fill(store)
    store.mapping(Key("Pilot:" + "n" * 300)).set_many({"name": b'"Biggs"'})
    (record,) = (tmp_path / ".store/names").rglob("*.json")
    record.write_text('"torn')
    others = [found for found in check(store) if found.kind in ("unreadable", "misnamed")]
    assert [found.kind for found in others] == ["unreadable", "misnamed"]
    assert "does not hold the full name of" in others[0].message
    assert others[1].key.startswith(str(Path("Pilot/nnn")))


def test_rows_of_sqlite_that_are_torn_or_named_as_no_key_is_are_found_and_left(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = connect(f"sqlite:{path}?synchronous=OFF")
    fill(store)
    with closing(sqlite3.connect(path)) as db, db:
        made = "INSERT INTO objects (root, child, id, shape, size, first, next) VALUES (?, ?, ?, 'mapping', 1, 1, 2)"
        names = [(b"Pilot:\xfe", b""), (b"Pilot:han", b"\xfe"), (b"Pilot", b""), (b"Pilot:", b"x")]
        db.executemany(made, [(*name, 1000 + number) for number, name in enumerate(names)])
        db.execute(
            "DELETE FROM items WHERE place >> 32 = (SELECT id FROM objects WHERE root = ? AND child = ?)",
            (b"Pilot:han", b"crew"),
        )
        before = list(db.iterdump())
    listed: list[str] = []
    with pytest.raises(CorruptDataError, match="names are damaged"):
        listed.extend(Pilot.ids(backend=store))
    assert set(listed) == {"luke", "han"}
    findings = list(check(store, repair=ALL_BUT_UNKNOWN))
    assert sorted((found.kind, found.key) for found in findings if found.kind != "dangling") == [
        ("misnamed", "Pilot"),
        ("misnamed", "Pilot::x"),
        ("misnamed", "Pilot:\\xfe"),
        ("misnamed", "Pilot:han:\\xfe"),
        ("unreadable", ""),
        ("unreadable", "Pilot:han:crew"),
    ]
    with closing(sqlite3.connect(path)) as db:
        assert list(db.iterdump()) == before


def test_redis_keys_of_known_types_that_no_key_is_spelt_as_are_found_and_left(server: RunningServer) -> None:
    store = connect(f"{server.url}?prefix=app:")
    fill(store)
    spoilt = [b"app:Pilot:", b"app:Pilot:a:b:c", b"app:Pilot:100%", b"app:Pilot:\xff"]
    with server.client() as client:
        for name in [*spoilt, b"app:celery:x:y:z", b"Pilot:a:b:c"]:
            client.set(name, "s3cret")
        client.hset("app:Pilot:torn", b"\xff", b"s3cret")
        findings = list(check(store, repair=ALL_BUT_UNKNOWN))
        assert sorted((found.kind, found.key) for found in findings) == [
            ("foreign", "Pilot:torn"),
            ("misnamed", "app:Pilot:"),
            ("misnamed", "app:Pilot:100%"),
            ("misnamed", "app:Pilot:\\xff"),
            ("misnamed", "app:Pilot:a:b:c"),
        ]
        assert not [found for found in findings if "s3cret" in found.message]
        assert all(client.get(name) == b"s3cret" for name in spoilt)


SHARED: dict[str, Callable[[Any, str], Any]] = {
    "cache:1": lambda client, name: client.set(name, "x"),
    "Pilot:text": lambda client, name: client.set(name, "x"),
    "Pilot:luke:text": lambda client, name: client.set(name, "x"),
    "scores:all": lambda client, name: client.zadd(name, {"x": 1}),
    "events:all": lambda client, name: client.xadd(name, {"x": 1}),
    "celery-task-meta:42": lambda client, name: client.hset(name, "x", "1"),
    "bull:q:1": lambda client, name: client.rpush(name, "x"),
    "django:queue": lambda client, name: client.sadd(name, "x"),
    "shop:Book:1": lambda client, name: client.hset(name, "title", "x"),
}
"""What other programs put into a database, another application of this library among them."""
STRANGE = {"cache:1", "Pilot:text", "Pilot:luke:text", "scores:all", "events:all"}
"""Those that hold what no store here writes."""


@pytest.mark.parametrize("prefix", ["", "celery", "shop"])
def test_of_a_store_that_is_shared_no_object_of_an_unknown_type_is_deleted_unless_its_type_is_named(
    server: RunningServer, prefix: str
) -> None:
    with server.client() as client:
        for name, put_there in SHARED.items():
            put_there(client, name)
        with pytest.raises(ConfigurationError, match=r"another program's, and nothing was deleted; prefix='Old:'"):
            check(server.url, prefix=prefix, repair=["dangling", "unknown_type"])
        list(check(server.url, repair=ALL_BUT_UNKNOWN))
        assert {name.decode() for name in client.scan_iter()} == {*SHARED}


def test_only_objects_of_the_type_that_is_named_are_deleted(backend: Backend) -> None:
    for root in ("Old:a", "Older:a", "Other:a"):
        put(backend, Key(root), {"a": b"1"})
        put(backend, Key(root, "child"), {"a": b"1"})
    put(backend, Key("Pilot:a"), {"age": b"1"})
    deleted = check(backend, prefix="Old:", repair=["unknown_type"])
    assert [(found.key, found.repaired) for found in deleted] == [("Old:a", True), ("Old:a:child", True)]
    assert {key.root for key in backend.keys("")} == {"Older:a", "Other:a", "Pilot:a"}


def test_what_another_program_put_there_is_found_and_never_deleted_even_under_a_known_type(
    server: RunningServer,
) -> None:
    with server.client() as client:
        for name, put_there in SHARED.items():
            put_there(client, name)
        Pilot("luke", backend=server.url, name="Luke")
        named = [*check(server.url, repair=ALL_BUT_UNKNOWN)]
        for prefix in ("cache:", "scores:", "events:", "Pilot:"):
            named += check(server.url, prefix=prefix, repair=get_args(Repairable))
        foreign = [found for found in named if found.kind == "foreign"]
        assert {found.key for found in foreign} == STRANGE
        assert {"holds a string", "holds a zset", "holds a stream"} == {
            re.search(r"holds a \w+", found.message)[0]  # type: ignore[index] # it does, or the test fails
            for found in foreign
        }
        assert not [found for found in named if found.repaired]
        assert client.exists(*SHARED) == len(SHARED)


def test_a_finding_says_all_it_knows() -> None:
    assert repr(Finding("stray_field", "User:x", "age", "not declared")) == (
        "Finding(kind='stray_field', key='User:x', place='age', message='not declared', repaired=False)"
    )
    assert {*get_args(Repairable)} < {kind for part in get_args(Kind) for kind in (get_args(part) or [part])}

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from redis.connection import AbstractConnection
from typer.testing import CliRunner

from persistent_collections import Backend, PersistentDict, PersistentList, PersistentSet, connect
from persistent_collections.backends.keys import Key
from persistent_collections.backends.sqlite.database import Database
from persistent_collections.catalogue import Known
from persistent_collections.cli.app import app
from persistent_collections.cli.looking import remaining
from persistent_collections.cli.reading import Reading
from tests.cli.conftest import MODELS, Objects, Run
from tests.cli.models import Berth, Rank, Sailor
from tests.servers import RunningServer

ODD = ["..", "a/b\\c", "a b", "*[x]?", "é😀", "CON", "x" * 300, "-l"]
HASH = "$2b$12$" + "abcdefghijklmnopqrstu./" * 2 + "1234567"


@pytest.fixture
def store(url: str) -> Backend:
    return connect(url)


def test_ls_shows_every_key_with_type_size_and_deadline(url: str, store: Backend, objects: Objects) -> None:
    Sailor("ann", backend=store, name="Ann", age=40, crew=[Sailor("bob", backend=store, name="Bob")], ports={"Oslo"})
    PersistentDict("settings", {"a": 1}, backend=store).expire(7200)
    PersistentList("empty", backend=store)
    found = {row["key"]: row for row in objects("--url", url, *MODELS, "ls")}
    assert 7190 < found["PersistentDict:settings"].pop("ttl_s") <= 7200
    assert found == {
        "Sailor:ann": {"key": "Sailor:ann", "type": "record", "size": 2},
        "Sailor:ann:crew": {"key": "Sailor:ann:crew", "type": "list", "size": 1},
        "Sailor:ann:ports": {"key": "Sailor:ann:ports", "type": "set", "size": 1},
        "Sailor:bob": {"key": "Sailor:bob", "type": "record", "size": 1},
        "PersistentDict:settings": {
            "key": "PersistentDict:settings",
            "type": "dict",
            "size": 1,
            "deadline": "in 2 h",
        },
    }


def test_ls_ends_after_a_number_of_keys(url: str, store: Backend, objects: Objects, run: Run) -> None:
    for number in range(5):
        PersistentDict(number, {"a": 1}, backend=store)
    assert len(objects("--url", url, "ls", "--limit", "3")) == 3
    assert len(objects("--url", url, "ls", "--limit", "9")) == 5
    assert "--limit" in run("--url", url, "ls", "--limit", "0", status=2)


@pytest.mark.parametrize(
    ("ttl_s", "shown"),
    [
        (0.2, "in 0 s"),
        (59.4, "in 59 s"),
        (59.6, "in 1 min"),
        (89.9, "in 1 min 30 s"),
        (3599.7, "in 1 h"),
        (5399.99, "in 1 h 30 min"),
        (7199.9, "in 2 h"),
        (86399, "in 1 d"),
        (36 * 3600 - 1, "in 1 d 12 h"),
        (30 * 86400 - 1, "in 30 d"),
    ],
)
def test_a_deadline_is_shown_in_two_units_and_rounded(ttl_s: float, shown: str) -> None:
    assert remaining(ttl_s) == shown


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("Sailor", {"Sailor:ann", "Sailor:ann:crew"}),
        ("Sailor:a", {"Sailor:ann", "Sailor:ann:crew"}),
        ("Sailor:ann:", {"Sailor:ann:crew"}),
        ("Sailor:ann:crew", {"Sailor:ann:crew"}),
        ("Nobody", set()),
    ],
)
def test_ls_lists_the_keys_that_start_with_a_prefix(prefix: str, keys: set[str], objects: Objects) -> None:
    url = "memory:prefixes"
    store = connect(url)
    Sailor("ann", backend=store, name="Ann", crew=[Sailor.ref("ann", backend=store)])
    PersistentDict("Sailor", {"a": 1}, backend=store)
    assert {row["key"] for row in objects("--url", url, "ls", prefix)} == keys


def test_show_gives_a_row_for_each_field_and_each_child(url: str, store: Backend, objects: Objects) -> None:
    ann = Sailor("ann", backend=store, name="Ann", email="a@x", age=40, password="Ahoy", ports={"Oslo", "Rome"})
    ann.captain = ann
    rows = objects("--url", url, *MODELS, "show", "Sailor:ann")
    assert rows == [
        {"field": "name", "value": "Ann"},
        {"field": "age", "value": 40},
        {"field": "email", "value": "a@x"},
        {"field": "password", "value": "[redacted]"},
        {"field": "captain", "value": "Sailor:ann"},
        {"field": "born", "value": None, "unset": True},
        {"field": "ports", "child": "Sailor:ann:ports", "type": "set", "size": 2},
    ]


def test_show_reads_a_list_over_several_pages_in_its_order(url: str, store: Backend, objects: Objects) -> None:
    PersistentList("l", range(2500), backend=store)
    expected = [{"index": index, "value": index} for index in range(2500)]
    assert objects("--url", url, "show", "PersistentList:l") == expected


def test_show_gives_the_members_of_a_set(url: str, store: Backend, objects: Objects) -> None:
    PersistentSet("s", {"a", "b"}, backend=store)
    rows = objects("--url", url, "show", "PersistentSet:s")
    assert sorted(row["member"] for row in rows) == ["a", "b"]


def test_get_gives_a_text_as_it_is_and_all_else_as_json(url: str, store: Backend, run: Run) -> None:
    value = {"a": [1, None, "x"]}
    PersistentDict("d", {"text": "as it is", "value": value, "n": 1.5, "no": None}, backend=store)
    get = ("--url", url, "get", "PersistentDict:d")
    assert run(*get, "text") == "as it is\n"
    assert run(*get, "text", "--json") == '"as it is"\n'
    assert json.loads(run(*get, "value")) == value
    assert (run(*get, "n"), run(*get, "no")) == ("1.5\n", "null\n")
    assert json.loads(run(*get)) == PersistentDict("d", backend=store).copy()


def test_get_counts_the_items_of_a_list_as_python_does(url: str, store: Backend, run: Run) -> None:
    PersistentList("l", ["a", "b", "c"], backend=store)
    assert run("--url", url, "get", "PersistentList:l", "1") == "b\n"
    assert run("--url", url, "get", "PersistentList:l", "-1") == "c\n"
    assert run("--url", url, "get", "PersistentList:l", "--", "-1") == "c\n"
    assert "'3'" in run("--url", url, "get", "PersistentList:l", "3", status=1)
    assert "is not an index" in run("--url", url, "get", "PersistentList:l", "first", status=2)


def test_get_of_a_field_means_what_reading_it_does(url: str, store: Backend, run: Run) -> None:
    Sailor("ann", backend=store, email="a@x", crew=[Sailor("bob", backend=store, name="Bob")])
    get = ("--url", url, *MODELS, "get", "Sailor:ann")
    assert run(*get, "email") == "a@x\n"
    assert run(*get, "age") == "0\n"
    assert run(*get, "born") == "null\n"
    assert run(*get, "crew") == '["Sailor:bob"]\n'
    assert run(*get, "ports") == "[]\n"
    assert "did you mean 'email'" in run(*get, "emial", status=2)


def test_a_field_that_no_class_declares_is_marked(url: str, store: Backend, run: Run, objects: Objects) -> None:
    Sailor("ann", backend=store, name="Ann", email="a@x")
    store.mapping(Key("Sailor:ann")).set_many({"rum": b"3"})
    show = ("--url", url, *MODELS, "show", "Sailor:ann")
    rows = {row["field"]: row for row in objects(*show)}
    assert rows["rum"] == {"field": "rum", "value": 3, "stray": True}
    assert rows["email"] == {"field": "email", "value": "a@x"}
    assert rows["age"] == {"field": "age", "value": 0, "unset": True}
    assert "3  (not declared)" in run(*show)
    PersistentDict("d", {"a": 1}, backend=store)
    assert "not declared" not in run("--url", url, "show", "PersistentDict:d")


def test_defaults_are_shown_as_the_program_reads_them(url: str, store: Backend, run: Run, objects: Objects) -> None:
    berth = Berth("b", backend=store, ship="Revenge", paid=True)
    for field in ("rank", "pay"):  # as of a record that was stored before its class had them
        store.mapping(Key("Berth:b")).delete(field)
    get = ("--url", url, *MODELS, "get", "Berth:b")
    assert (run(*get, "rank"), run(*get, "paid"), run(*get, "nickname")) == ("mate\n", "true\n", "null\n")
    assert json.loads(run(*get, "pay", "--json")) == {"$decimal": "1.50"}
    stored = {"ship": "Revenge", "paid": True}
    unset = {"rank": "mate", "pay": {"$decimal": "1.50"}, "secret": None, "nickname": None}
    assert json.loads(run(*get)) == stored | unset
    assert objects("--url", url, *MODELS, "show", "Berth:b") == [
        {"field": "ship", "value": "Revenge"},
        {"field": "paid", "value": True},
        {"field": "rank", "value": "mate", "default": True},
        {"field": "pay", "value": {"$decimal": "1.50"}, "default": True},
        {"field": "secret", "value": None, "unset": True},
        {"field": "nickname", "value": None, "default": True},
    ]
    shown = run("--url", url, *MODELS, "show", "Berth:b")
    assert '"mate"  (the default)' in shown
    assert "null  (not set)" in shown
    berth.rank = Rank.CAPTAIN
    assert run(*get, "rank") == "captain\n"
    assert berth.delete()
    for command in ("get", "show"):
        run("--url", url, *MODELS, command, "Berth:b", status=1)


def test_ls_counts_the_objects_of_each_type(url: str, store: Backend, objects: Objects, run: Run) -> None:
    for name in "abc":
        Berth(name, backend=store, ship="Revenge", chores=["swab"])
    PersistentDict("settings", {"a": 1}, backend=store)
    assert objects("--url", url, "ls", "--count") == [
        {"type": "Berth", "objects": 3},
        {"type": "PersistentDict", "objects": 1},
    ]
    assert objects("--url", url, "ls", "Berth:a", "--count") == [{"type": "Berth", "objects": 1}]
    assert run("--url", url, "ls", "Nobody", "--count") == ""


@pytest.mark.parametrize("models", [(), MODELS], ids=["unknown", "known"])
def test_a_path_leads_into_a_child(url: str, models: tuple[str, ...], run: Run) -> None:
    Berth("b", backend=url, ship="Revenge", chores=["swab", "cook"])
    get = ("--url", url, *models, "get", "Berth:b")
    assert run(*get, "chores", "0") == "swab\n"
    assert run(*get, "chores", "--", "-1") == "cook\n"
    assert "'7' of 'Berth:b:chores'" in run(*get, "chores", "7", status=1)
    assert "takes one, or a child and one place in it" in run(*get, "chores", "0", "1", status=2)


@pytest.mark.parametrize("options", ["", "warnings=on"])
def test_a_set_in_a_json_file_is_a_set_in_a_wrapped_store_too(options: str, tmp_path: Path, objects: Objects) -> None:
    url = f"json:{tmp_path}/data?{options}"
    PersistentSet("s", {"a"}, backend=url)
    assert objects("--url", url, "show", "PersistentSet:s") == [{"member": "a"}]
    store = connect(url)
    reading = Reading(store, Known((), None, None))
    [entry] = reading.snapshot([Key("PersistentSet:s")]).values()
    assert entry is not None
    assert entry.content == {"a"}


def test_what_is_not_there_is_told_with_the_exit_code_one(url: str, store: Backend, run: Run) -> None:
    PersistentDict("d", {"a": 1}, backend=store)
    for command in (
        ("show", "PersistentDict:e"),
        ("get", "PersistentDict:e"),
        ("get", "PersistentDict:d", "b"),
        ("get", "Sailor:ann", "name"),
        ("delete", "PersistentDict:e", "--yes"),
        ("set", "PersistentDict:e", "a", "1"),
    ):
        told = run("--url", url, *MODELS, *command, status=1)
        assert told.startswith("persistent-collections: ")
        assert told.count("\n") == 1


@pytest.mark.parametrize("id", ODD)
def test_an_odd_id_is_listed_shown_and_deleted_as_any_other(id: str, url: str, objects: Objects, run: Run) -> None:
    handle = PersistentDict(id, {"f": id}, backend=url)
    [row] = objects("--url", url, "ls")
    assert row["key"] == handle.key
    assert objects("--url", url, "show", row["key"]) == [{"field": "f", "value": id}]
    run("--url", url, "delete", row["key"], "--yes")
    assert not handle


@pytest.mark.parametrize("store_kind", ["sqlite", "server"])
@pytest.mark.parametrize("id", ["a\x1b[31mb", "new\nline", "\x07\x9b1m", "rtl\u202eexe"])
def test_no_control_character_reaches_the_terminal_and_json_still_tells_it(
    id: str, url: str, run: Run, objects: Objects
) -> None:
    handle = PersistentDict(id, {id: id}, backend=url)
    commands = [
        ("ls",),
        ("show", handle.key),
        ("get", handle.key, id),
        ("get", handle.key),
        ("get", handle.key, "\x1b?"),
    ]
    for command in commands:
        told = run("--url", url, *command, status=int("\x1b?" in command))
        told += run("--url", url, *command, "--json", status=int("\x1b?" in command))
        assert all(character.isprintable() or character in " \n" for character in told), told
    assert objects("--url", url, "show", handle.key) == [{"field": id, "value": id}]
    assert run("--url", url, "ls").count("\n") == 2


@pytest.mark.parametrize("store_kind", ["json", "server"])
@pytest.mark.parametrize("models", [(), MODELS], ids=["unknown", "known"])
def test_the_hash_of_a_password_is_never_printed(url: str, store: Backend, models: tuple[str, ...], run: Run) -> None:
    ann = Sailor("ann", backend=store, name="Ann", password="Ahoy")
    text = ann.password.text
    values: dict[str, Any] = {
        "text": HASH,
        "in": {"deep": [HASH, {HASH: 1}]},
        "raw": HASH.encode(),
        "inside": f"is {HASH}",
    }
    PersistentDict("json", values, backend=store)
    PersistentDict("msgpack", values, backend=store, codec="msgpack")
    PersistentSet("set", {HASH}, backend=store)
    PersistentDict("keys", {HASH: 1}, backend=store)
    commands = [("ls",), ("get", "Sailor:ann", "password"), ("get", "PersistentDict:json", "raw")]
    for key in map(str, store.keys("")):
        commands += [("show", key), ("get", key)]
    told = "".join(run("--url", url, *models, *command, *json) for command in commands for json in ((), ("--json",)))
    assert told.count("[redacted]") > 2 * len(commands)
    in_base64 = base64.b64encode(HASH.encode()).decode()
    for secret in (text, HASH, text[-20:], HASH[-20:], in_base64[:40]):
        assert secret not in told


def test_a_value_that_its_codec_does_not_read_is_shown_as_it_looks(run: Run, objects: Objects) -> None:
    store = connect("memory:undecodable")
    PersistentDict("d", {"a": (1, 2)}, backend=store, codec="msgpack")
    PersistentDict("d", backend=store, codec="str")["b"] = "text"
    assert objects(
        "--url", "memory:undecodable", "--codec", "PersistentDict:d=msgpack", "show", "PersistentDict:d"
    ) == [
        {"field": "a", "value": {"$tuple": [1, 2]}},
        {"field": "b", "value": "text"},
    ]
    [first, _] = objects("--url", "memory:undecodable", "show", "PersistentDict:d")
    assert "$bytes" in first["value"]


def test_a_key_that_the_store_cannot_read_does_not_hide_the_others(tmp_path: Any, run: Run) -> None:
    url = f"json:{tmp_path}/data"
    PersistentDict("a", {"x": 1}, backend=url)
    PersistentDict("b", {"x": 1}, backend=url)
    (tmp_path / "data" / "PersistentDict" / "a.json").write_text("{", "utf-8")
    told = run("--url", url, "ls", status=1)
    assert "unreadable" in told
    assert "PersistentDict:b" in told


def test_a_file_of_another_shape_than_its_class_declares_does_not_hide_the_others(
    tmp_path: Any, objects: Objects
) -> None:
    url = f"json:{tmp_path}/data"
    Sailor("ann", backend=url, name="Ann")
    (tmp_path / "data" / "Sailor" / "bob.json").write_text("[1]", "utf-8")
    found = {row["key"]: row["type"] for row in objects("--url", url, *MODELS, "ls")}
    assert found == {"Sailor:ann": "record", "Sailor:bob": "list"}
    [finding] = objects("--url", url, *MODELS, "check", status=1)
    assert (finding["kind"], finding["key"]) == ("wrong_shape", "Sailor:bob")


@pytest.mark.parametrize("store_kind", ["server", "cluster"])
def test_ls_asks_a_bounded_number_of_times_a_page(
    url: str, store: Backend, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        Sailor(f"{number}", backend=store, name="Ann", crew=[Sailor.ref("bob", backend=store)], ports={"Oslo"})
    Sailor.ref("1", backend=store).expire(7200)
    sent: list[object] = []
    send = AbstractConnection.send_packed_command

    def counted(connection: AbstractConnection, command: Any, *args: Any, **kwargs: Any) -> None:
        sent.append(connection)
        send(connection, command, *args, **kwargs)  # type: ignore[no-untyped-call]  # redis-py's own has no types

    store.keys("")  # opens the connections
    assert all(store.look([Key(f"Sailor:{number}") for number in range(100)]))
    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
    assert len(objects("--url", url, *MODELS, "ls")) == 300
    assert len(sent) == (9 + 6 if url.startswith("redis+cluster:") else 1 + 2)


def test_ls_on_sqlite_reads_twice_a_page_and_twice_at_the_end(
    tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:{tmp_path}/data.db?synchronous=OFF"
    for number in range(100):
        PersistentList(f"{number}", [1, 2], backend=url)
    readings: list[Database] = []
    read = Database.read

    def counted(database: Database, step: Any) -> Any:
        readings.append(database)
        return read(database, step)

    monkeypatch.setattr(Database, "read", counted)
    assert {row["size"] for row in objects("--url", url, "ls")} == {2}
    assert len(readings) == 4, "a page of keys, a look at them, damaged names, and content without an object"


def test_what_other_programs_keep_in_a_server_hides_no_key(server: RunningServer, run: Run) -> None:
    PersistentDict("a", {"x": 1}, backend=server.url)
    with server.client() as client:
        client.set("PersistentDict:theirs", "text", ex=1000)
        client.zadd("PersistentList:theirs", {"member": 1})
    told = run("--url", server.url, "ls", status=1)
    lines = [line.split() for line in told.splitlines()[1:-1]]
    assert sorted((line[0], line[-1]) for line in lines) == [
        ("dict", "PersistentDict:a"),
        ("unreadable", "PersistentDict:theirs"),
        ("unreadable", "PersistentList:theirs"),
    ]
    assert "2 of the keys hold data that cannot be read" in told


def test_a_key_that_holds_another_shape_than_its_class_declares_is_shown_as_it_is(
    url: str, store: Backend, objects: Objects
) -> None:
    ann = Sailor("ann", backend=store, name="Ann")
    store.mapping(Key(ann.key, "crew")).set_many({"f": b'"x"'})
    rows = {row["key"]: row["type"] for row in objects("--url", url, *MODELS, "ls")}
    assert rows == {"Sailor:ann": "record", "Sailor:ann:crew": "dict"}
    assert objects("--url", url, *MODELS, "show", "Sailor:ann:crew") == [{"field": "f", "value": "x"}]
    [_, *_, row] = objects("--url", url, *MODELS, "show", "Sailor:ann")
    assert row == {"field": "crew", "child": "Sailor:ann:crew", "type": "dict", "size": 1}


def test_a_child_that_cannot_be_read_hides_nothing_of_its_record(tmp_path: Path, run: Run, objects: Objects) -> None:
    url = f"json:{tmp_path}/data"
    Sailor("ann", backend=url, name="Ann", ports={"Oslo"})
    (tmp_path / "data" / "Sailor" / "ann" / "ports.json").write_text("[", "utf-8")
    told = run("--url", url, *MODELS, "show", "Sailor:ann")
    assert "Ann" in told
    assert "unreadable: Sailor:ann:ports" in told
    assert objects("--url", url, *MODELS, "show", "Sailor:ann")[-1] == {
        "field": "ports",
        "child": "Sailor:ann:ports",
        "type": "unreadable",
    }


def test_children_that_no_class_declares_are_said_not_to_be_shown(tmp_path: Any, run: Run) -> None:
    url = f"sqlite:{tmp_path}/a.db"
    with connect(url) as store:
        store.mapping(Key("Unheard:x")).set_many({"name": b"Ann"})
        store.sequence(Key("Unheard:x", "crew")).push_right([b"Sailor:bob"])
    PersistentDict("plain", {"a": 1}, backend=url)

    def told(key: str) -> str:
        return CliRunner().invoke(app, ["--url", url, "show", key], prog_name="persistent-collections").stderr

    assert "if 'Unheard:x' is a record, import its class to see its children" in told("Unheard:x")
    assert told("PersistentDict:plain") == ""


def test_check_ends_with_the_number_of_each_kind_if_there_are_several(tmp_path: Path, run: Run) -> None:
    url = f"sqlite:{tmp_path}/data.db"
    store = connect(url)
    store.mapping(Key("Sailor:ann")).set_many({"x": b"1", "y": b"1", "captain": b"Sailor:nobody"})
    command = ("--url", url, *MODELS, "check")
    assert run(*command, status=1).endswith("persistent-collections: found: 1 dangling, 2 stray_field\n")
    store.mapping(Key("Sailor:ann")).set_many({"captain": None})
    assert "found:" not in run(*command, status=1)

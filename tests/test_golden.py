"""The stored form of every shape, byte for byte: what stands here may be read by programs for years."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pytest
import redis

from persistent_collections import (
    Password,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Record,
    child,
    codec,
    configure,
    stored_as,
)
from tests.servers import RunningServer

FRIENDS = Path(__file__).parent.parent / "examples" / "friends.py"
USERS = ["luke@example.com", "han@example.com"]
HASH = rb"\$2b\$12\$[./A-Za-z0-9]{53}"


class Golden(Record):
    name: str
    maybe: str | None
    size: int
    tags: list[str]
    born: date
    best: Golden | None
    packed: Annotated[list[int], codec("msgpack")]
    renamed: Annotated[str, stored_as("old_name")]
    password: Password
    anything: Any
    friends: PersistentList[Golden] = child()
    scores: PersistentDict[int, float] = child()
    teams: PersistentSet[str] = child()
    words: Annotated[PersistentList[str], stored_as("old_words")] = child()
    numbers: PersistentList[int] = child()


def fill() -> None:
    PersistentDict("settings", {"theme": "dark", "größe": 1, "recent": ["a", {"b": None}], "when": date(2024, 2, 29)})
    PersistentDict[int, str]("by number", {1: "one", -2: "minus two"})
    PersistentDict[Any, Any]("by anything", {1: "number", "1": "text", (1, "a"): (1, b"\x00\xff")})
    PersistentDict("packed", {"a": [1, b"\xff"]}, codec="msgpack")
    PersistentList("items", ["plain", 1, 2.5, True, None, [1, "ü"], {"$a": 1}, float("inf"), 2**70])
    PersistentList[str]("declared", ["plain"])
    PersistentSet("colours", {"red", "blue"})
    PersistentSet[int]("primes", {2, 11, 3})
    Golden(
        "a:b/c%",
        name="Lëia",
        maybe="maybe",
        size=3,
        tags=["x", "y"],
        born=date(2024, 2, 29),
        best=Golden.ref("{x}"),
        packed=[1, 300],
        renamed="old",
        anything={"ref": Golden.ref("other"), "set": {1}},
        friends=[Golden.ref("a:b/c%"), Golden.ref("z")],
        scores={7: 1, -1: 0.5},
        teams={"b", "a"},
        words=["w"],
        numbers=[1, 2],
    )


REDIS: dict[str, Any] = {
    "PersistentDict:settings": {
        "theme": '"dark"',
        "größe": "1",
        "recent": '["a",{"b":null}]',
        "when": '{"$date":"2024-02-29"}',
    },
    "PersistentDict:by number": {"1": '"one"', "-2": '"minus two"'},
    "PersistentDict:by anything": {
        "1": '"number"',
        '"1"': '"text"',
        '{"$tuple":[1,"a"]}': '{"$tuple":[1,{"$bytes":"AP8="}]}',
    },
    "PersistentDict:packed": {"a": b"\x92\x01\xc4\x01\xff"},
    "PersistentList:items": [
        '"plain"',
        "1",
        "2.5",
        "true",
        "null",
        '[1,"ü"]',
        '{"$$a":1}',
        '{"$float":"inf"}',
        "1180591620717411303424",
    ],
    "PersistentList:declared": ['"plain"'],
    "PersistentSet:colours": {"red", "blue"},
    "PersistentSet:primes": {"2", "3", "11"},
    "Golden:a%3Ab/c%25": {
        "name": "Lëia",
        "maybe": "maybe",
        "size": "3",
        "tags": '["x","y"]',
        "born": '{"$date":"2024-02-29"}',
        "best": "Golden:%7Bx%7D",
        "packed": b"\x92\x01\xcd\x01,",
        "old_name": "old",
        "anything": '{"ref":{"$ref":"Golden:other"},"set":{"$set":[1]}}',
    },
    "Golden:a%3Ab/c%25:friends": ["Golden:a%3Ab/c%25", "Golden:z"],
    "Golden:a%3Ab/c%25:scores": {"7": "1.0", "-1": "0.5"},
    "Golden:a%3Ab/c%25:teams": {"a", "b"},
    "Golden:a%3Ab/c%25:old_words": ["w"],
    "Golden:a%3Ab/c%25:numbers": ["1", "2"],
}

JSON_FILES: dict[str, Any] = {
    "PersistentDict/settings.json": {
        "theme": "dark",
        "größe": 1,
        "recent": ["a", {"b": None}],
        "when": {"$date": "2024-02-29"},
    },
    "PersistentDict/by number.json": {"1": "one", "-2": "minus two"},
    "PersistentDict/by anything.json": {
        "1": "number",
        '"1"': "text",
        '{"$tuple":[1,"a"]}': {"$tuple": [1, {"$bytes": "AP8="}]},
    },
    "PersistentDict/packed.json": {"a": "kgHEAf8="},
    "PersistentList/items.json": [
        "plain",
        1,
        2.5,
        True,
        None,
        [1, "ü"],
        {"$$a": 1},
        {"$float": "inf"},
        1180591620717411303424,
    ],
    "PersistentList/declared.json": ["plain"],
    "PersistentSet/colours.json": ["blue", "red"],
    "PersistentSet/primes.json": ["11", "2", "3"],
    "Golden/a%3Ab%2Fc%25.json": {
        "name": "Lëia",
        "maybe": "maybe",
        "size": 3,
        "tags": ["x", "y"],
        "born": {"$date": "2024-02-29"},
        "best": "Golden:%7Bx%7D",
        "packed": "kgHNASw=",
        "old_name": "old",
        "anything": {"ref": {"$ref": "Golden:other"}, "set": {"$set": [1]}},
    },
    "Golden/a%3Ab%2Fc%25/friends.json": ["Golden:a%3Ab/c%25", "Golden:z"],
    "Golden/a%3Ab%2Fc%25/scores.json": {"7": 1.0, "-1": 0.5},
    "Golden/a%3Ab%2Fc%25/teams.json": ["a", "b"],
    "Golden/a%3Ab%2Fc%25/old_words.json": ["w"],
    "Golden/a%3Ab%2Fc%25/numbers.json": [1, 2],
}

SETTINGS_FILE = """\
{
  "theme": "dark",
  "größe": 1,
  "recent": [
    "a",
    {
      "b": null
    }
  ],
  "when": {
    "$date": "2024-02-29"
  }
}
"""

STORY_KEYS = {f"User:{user}{child}" for user in USERS for child in ("", ":friends")}


def as_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {as_bytes(field): as_bytes(data) for field, data in value.items()}
    if isinstance(value, list | set):
        return type(value)(map(as_bytes, value))
    return value.encode() if isinstance(value, str) else value


def dump(client: redis.Redis) -> dict[bytes, Any]:
    """Return all that a server holds, read by its own commands."""
    read: dict[Any, Any] = {
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
    }
    keys: list[Any] = client.keys("*")
    return {key: read[client.type(key)](key) for key in keys}


def tree(folder: Path) -> dict[str, str]:
    """Return every file below a folder but those the store keeps for itself."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".store" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def tell(url: str, folder: Path) -> str:
    """Tell the friends' story in another process."""
    environment = os.environ | {"PERSISTENT_COLLECTIONS_URL": url}
    command = [sys.executable, str(FRIENDS)]
    return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    configure({})


def test_keys_and_bytes_in_redis(server: RunningServer, restored: None) -> None:
    configure(server.url)
    fill()
    with server.client() as client:
        assert dump(client) == as_bytes(REDIS)


def test_keys_in_redis_start_with_the_prefix(server: RunningServer, restored: None) -> None:
    configure(f"{server.url}?prefix=app1:")
    fill()
    with server.client() as client:
        assert dump(client) == {b"app1:" + key: value for key, value in as_bytes(REDIS).items()}


def test_files_in_a_folder(tmp_path: Path, restored: None) -> None:
    configure(f"json:{tmp_path}?fsync=off")
    fill()
    found = tree(tmp_path)
    assert found["PersistentDict/settings.json"] == SETTINGS_FILE
    assert {name: json.loads(text) for name, text in found.items()} == JSON_FILES
    assert all(text == json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n" for text in found.values())
    assert {path.name for path in (tmp_path / ".store").iterdir()} == {"lock", "facts.json"}


def test_after_the_story_a_server_holds_a_hash_and_a_list_for_each_user(server: RunningServer, tmp_path: Path) -> None:
    tell(server.url, tmp_path)
    with server.client() as client:
        held = dump(client)
    assert {key.decode() for key in held} == STORY_KEYS
    luke, han = (held[f"User:{user}".encode()] for user in USERS)
    assert re.fullmatch(HASH, luke.pop(b"password"))
    assert re.fullmatch(HASH, han.pop(b"password"))
    assert luke == {b"name": b"Luke Skywalker", b"email": b"luke@example.com"}
    assert han == {b"name": b"Han Solo", b"email": b"han@example.com"}
    assert held[b"User:luke@example.com:friends"] == [b"User:han@example.com"]
    assert held[b"User:han@example.com:friends"] == [b"User:luke@example.com"]
    assert list(tmp_path.iterdir()) == []


def test_after_the_story_a_folder_holds_a_record_and_a_list_for_each_user(tmp_path: Path) -> None:
    tell("json:./data", tmp_path)
    data = tmp_path / "data"
    assert {path.name for path in data.iterdir()} == {"User", ".store"}
    assert tree(data).keys() == {f"User/{user}{child}.json" for user in USERS for child in ("", "/friends")}
    for name in tree(data):
        subprocess.run([sys.executable, "-m", "json.tool", str(data / name)], check=True, capture_output=True)
    luke = json.loads((data / "User/luke@example.com.json").read_text("utf-8"))
    assert re.fullmatch(HASH, luke.pop("password").encode())
    assert luke == {"name": "Luke Skywalker", "email": "luke@example.com"}
    assert (data / "User/luke@example.com/friends.json").read_text("utf-8") == '[\n  "User:han@example.com"\n]\n'


def test_a_value_edited_by_hand_is_what_the_next_read_gives(tmp_path: Path, restored: None) -> None:
    configure(f"json:{tmp_path}")
    record = Golden("g", name="written", tags=["a"], friends=[Golden.ref("x")])
    assert (record.name, record.friends[:]) == ("written", [Golden.ref("x")])
    path = tmp_path / "Golden/g.json"
    for name in ("edited", "EDITED", "by hand"):
        path.write_text(json.dumps({"name": name, "tags": ["a", "b"], "maybe": "new"}), "utf-8")
        assert (record.name, record.tags, record.maybe) == (name, ["a", "b"], "new")
    (tmp_path / "Golden/g/friends.json").write_text('["Golden:y", "Golden:z"]', "utf-8")
    assert record.friends[:] == [Golden.ref("y"), Golden.ref("z")]
    (tmp_path / "Golden/h.json").write_text('{"name": "added by hand"}', "utf-8")
    assert sorted(Golden.ids()) == ["g", "h"]
    assert Golden.load("h").name == "added by hand"
    path.unlink()
    (tmp_path / "Golden/g/friends.json").unlink()
    assert not record


def test_a_text_is_bare_only_where_a_record_declares_it(server: RunningServer, restored: None) -> None:
    configure(server.url)
    PersistentList[str]("typed", ["a"])
    PersistentList("untyped", ["a"])
    assert PersistentList[str]("untyped")[:] == PersistentList("typed")[:] == ["a"]
    with server.client() as client:
        assert client.lrange("PersistentList:typed", 0, -1) == client.lrange("PersistentList:untyped", 0, -1)

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers import RunningServer

FRIENDS = Path(__file__).parents[2] / "examples" / "friends.py"
TOLD = [
    "Luke Skywalker's first friend is Han Solo",
    "Han Solo's first friend is Luke Skywalker",
    "Does Luke's password verify? True",
    "And another one? False",
]

QUICKLY = """
import runpy
from persistent_collections import register_codec
from persistent_collections.codecs.bcrypt import BcryptCodec

register_codec(BcryptCodec(rounds=4), replace=True)
"""

Contents = Callable[[], dict[Any, Any]]


@pytest.fixture(params=["json", "sqlite", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, server: RunningServer) -> tuple[str, Contents]:
    """Give the URL of a store that processes share, and what reads all that is in it, by other means than ours."""
    if request.param == "sqlite":
        return "sqlite:./app.db", lambda: dump_sqlite(tmp_path / "app.db")
    if request.param == "json":
        return "json:./data", lambda: {
            path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "data").rglob("*.json")
        }

    def dump() -> dict[Any, Any]:
        with server.client() as client:
            keys: Any = client.keys("*")
            return {key: client.dump(key) for key in keys}

    return server.url, dump


def dump_sqlite(path: Path) -> dict[Any, Any]:
    with closing(sqlite3.connect(path)) as connection:
        return {line: None for line in connection.iterdump() if line.startswith("INSERT")}


def tell(url: str | None, folder: Path) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PERSISTENT_COLLECTIONS_URL"}
    if url is not None:
        environment["PERSISTENT_COLLECTIONS_URL"] = url
    command = [sys.executable, "-c", f"{QUICKLY}\nrunpy.run_path({str(FRIENDS)!r}, run_name='__main__')"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def run(script: str, url: str, folder: Path) -> str:
    command = [sys.executable, "-c", script.format(friends=str(FRIENDS))]
    environment = os.environ | {"PERSISTENT_COLLECTIONS_URL": url}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout


def test_told_twice_the_story_is_the_same_and_nothing_is_written_again(
    shared: tuple[str, Contents], tmp_path: Path
) -> None:
    url, contents = shared
    first = tell(url, tmp_path)
    held = contents()
    assert len(held) >= 4
    assert tell(url, tmp_path) == first
    assert contents() == held


def test_another_process_finds_what_the_story_stored(shared: tuple[str, Contents], tmp_path: Path) -> None:
    url, _ = shared
    tell(url, tmp_path)
    script = """
import runpy
User = runpy.run_path({friends!r})["User"]
luke = User.load("luke@example.com")
print(luke["friends"][0]["name"], luke["friends"][0]["friends"][0] == luke, luke.password.verify("TheForce"))
luke.friends.append(luke)
print(sorted(User.ids()), User.count(), len(luke.friends))
"""
    assert run(script, url, tmp_path).splitlines() == [
        "Han Solo True True",
        "['han@example.com', 'luke@example.com'] 2 2",
    ]


@pytest.mark.slow
def test_another_store_changes_nothing_of_the_story_but_the_listing(server: RunningServer, tmp_path: Path) -> None:
    told = {
        url: tell(url, tmp_path)
        for url in (None, "json:./data", "sqlite:./app.db", "fakeredis://", server.url, "memory:")
    }
    for lines in told.values():
        assert lines[: len(TOLD)] == TOLD

    def listing(url: str | None) -> list[str]:
        return [re.sub(r"\$2b\$\S+", "hash", line) for line in told[url][len(TOLD) :]]

    assert (
        listing("fakeredis://")
        == listing(server.url)
        == listing("sqlite:./app.db")
        == [
            "",
            "User:han@example.com",
            "  email: han@example.com",
            "  name: Han Solo",
            "  password: hash",
            "",
            "User:han@example.com:friends",
            "  0) User:luke@example.com",
            "",
            "User:luke@example.com",
            "  email: luke@example.com",
            "  name: Luke Skywalker",
            "  password: hash",
            "",
            "User:luke@example.com:friends",
            "  0) User:han@example.com",
        ]
    )
    assert "User/luke@example.com/friends.json" in told[None]
    assert '  "name": "Luke Skywalker",' in told["json:./data"]
    assert listing(None) == listing("json:./data")
    assert {path.name for path in tmp_path.iterdir()} >= {"persistent-data", "data", "app.db"}

"""The package without an extra: the local stores work, and all else names the extra that it needs."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from persistent_collections import ConfigurationError, Password, PersistentDict, PersistentList, Record, child, connect


class User(Record):
    name: str
    friends: PersistentList["User"] = child()


for url in ("json:./data", "sqlite:./app.db", "memory:"):
    with connect(url) as store:
        luke = User.create("luke", name="Luke", backend=store)
        luke.friends.append(luke)
        settings = PersistentDict("settings", {"recent": ["a.txt"]}, backend=store)
        settings["recent"].append("b.txt")
        assert settings.copy() == {"recent": ["a.txt", "b.txt"]}
        assert User.load("luke", backend=store).friends.fetch("name") == [{"name": "Luke"}]


def needed(work: object) -> str:
    """Return the error that names a missing extra."""
    try:
        work()
    except ConfigurationError as error:
        return str(error)
    raise AssertionError(work)


def declare_a_password() -> None:
    class Account(Record):
        password: Password

    Account.create("luke", password="TheForce", backend="memory:")


for package, extra, work in (
    ("redis", "redis", lambda: connect("redis://127.0.0.1:1")),
    ("fakeredis", "fakeredis", lambda: connect("fakeredis://")),
    ("opentelemetry", "opentelemetry", lambda: connect("memory:?spans=on")),
    ("bcrypt", "bcrypt", declare_a_password),
):
    if find_spec(package) is None:
        assert f"pip install 'persistent-collections[{extra}]'" in needed(work), extra
if find_spec("typer") is None:
    command = [str(Path(sys.executable).with_name("persistent-collections")), "ls"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "pip install 'persistent-collections[cli]'" in done.stderr, done.stderr

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from persistent_collections import PersistentDict
from persistent_collections.backends.registry import schemes
from tests.cli.conftest import Objects, Run

FILE = """
[backends.default]
url = "json:./data"
fsync = false

[backends.cache]
url = "redis://ann:hunter2@127.0.0.1:1/0?retry_for_s=0"

[backends.vault]
url = "redis://127.0.0.1:1/0?retry_for_s=0"
password_env = "VAULT_PASSWORD"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAULT_PASSWORD", "hunter2")
    (tmp_path / "stores.toml").write_text(FILE, "utf-8")
    return "stores.toml"


def explained(objects: Objects, *arguments: str) -> dict[str, tuple[Any, str]]:
    return {row["setting"]: (row["value"], row["source"]) for row in objects(*arguments, "config", "--explain")}


def test_config_tells_the_value_of_each_setting_and_its_source(file: str, tmp_path: Path, objects: Objects) -> None:
    assert explained(objects, "--config", file, "--codec", "json") == {
        "store": (f"json://{tmp_path}/data?fsync=false", "stores.toml, backends.default"),
        "codec": (None, "default"),
        "fsync": ("false", "stores.toml, backends.default"),
        "lock_timeout_s": (30.0, "default"),
        "spans": (False, "default"),
        "warnings": (False, "default"),
        "--codec": ("json", "--codec"),
        "--models": (None, "default"),
        "backend cache": ("redis://ann@127.0.0.1:1/0?retry_for_s=0", "stores.toml"),
        "backend vault": ("redis://127.0.0.1:1/0?retry_for_s=0", "stores.toml"),
    }


def test_config_tells_what_sees_all_operations_and_what_the_store_behind_it_is_set_to(objects: Objects) -> None:
    settings = explained(objects, "--url", "sqlite:/srv/app.db?warnings=on")
    assert settings["store"] == ("sqlite:///srv/app.db?warnings=on", "--url")
    assert settings["warnings"] == ("on", "--url")
    assert settings["spans"] == (False, "default")
    assert settings["synchronous"] == ("FULL", "default")


def test_the_option_wins_over_the_variable_and_this_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objects: Objects
) -> None:
    monkeypatch.chdir(tmp_path)
    assert explained(objects)["store"] == (f"json://{tmp_path}/persistent-data", "default")
    monkeypatch.setenv("PERSISTENT_COLLECTIONS_URL", "memory:variable")
    assert explained(objects)["store"] == ("memory:variable", "PERSISTENT_COLLECTIONS_URL")
    assert explained(objects, "--url", "memory:option")["store"] == ("memory:option", "--url")


@pytest.mark.parametrize("of", ["--url", "PERSISTENT_COLLECTIONS_URL", "stores.toml, backends.default"])
def test_config_tells_the_variable_or_the_file_that_a_secret_comes_from(
    of: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objects: Objects
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OWN", "hunter1")
    (tmp_path / "theirs").write_text("hunter2")
    where = {"password_env": "OWN", "sentinel_password_file": "theirs"}
    url = f"rediss+sentinel://127.0.0.1:1/main/0?{urlencode(where)}"
    (tmp_path / "stores.toml").write_text(f'backends.default = "{url}"', "utf-8")
    monkeypatch.setenv("PERSISTENT_COLLECTIONS_URL", url)
    arguments = {"--url": ("--url", url), "PERSISTENT_COLLECTIONS_URL": ()}.get(of, ("--config", "stores.toml"))
    told = explained(objects, *arguments)
    assert told["store"] == ("rediss+sentinel://127.0.0.1:1/main/0", of)
    assert told["password"] == ("[redacted]", f"the variable OWN, as {of} says")
    assert told["sentinel_password"] == ("[redacted]", f"the file theirs, as {of} says")
    assert told["ssl_password"] == (None, "default")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://ann:hunter2@h/0?prefix=a:", {"db": 0, "username": "ann", "prefix": "a:"}),
        ("redis://h/7", {"db": 7, "username": None}),
        ("redis://h?db=3&username=a%40b", {"db": "3", "username": "a@b"}),
        ("redis+sentinel://a%40b:hunter2@h:1/main/2", {"db": 2, "username": "a@b"}),
        ("redis+cluster://ann@h:1", {"username": "ann"}),
        ("unix://ann@/0", {"db": None, "username": "ann"}),
        ("redis://h", {"db": None, "username": None}),
    ],
)
def test_config_tells_what_stands_before_the_query_too(url: str, told: dict[str, Any], objects: Objects) -> None:
    settings = explained(objects, "--url", url)
    for name, value in told.items():
        assert settings[name] == (value, "default" if value is None else "--url")
    assert settings["password"][0] == ("[redacted]" if "hunter2" in url else None)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "redis://ann:hunter2@127.0.0.1:1/0?retry_for_s=0"),
        ("--url", "redis://127.0.0.1:1/0?retry_for_s=0&password=hunter2"),
        ("--config", "stores.toml", "--backend", "cache"),
        ("--config", "stores.toml", "--backend", "vault"),
        ("--url", "redis://127.0.0.1:1/0?retry_for_s=0&password_env=VAULT_PASSWORD"),
        ("--url", "redis+sentinel://127.0.0.1:1/main/0?retry_for_s=0&sentinel_password_env=VAULT_PASSWORD"),
    ],
)
def test_no_password_is_shown_by_any_command_nor_in_any_error(arguments: tuple[str, ...], file: str, run: Run) -> None:
    told = run(*arguments, "config", "--explain")
    told += run(*arguments, "config", "--explain", "--json")
    assert told.count("[redacted]") == 2
    told += run(*arguments, "ls", status=3)
    told += run(*arguments, "export", "file", status=3)
    told += run(*arguments, "show", "no key", status=2)
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "redsi://ann:hunter2@h", "ls"),
        ("--url", "redis://ann:hunter2@h?retry=1", "ls"),
        ("--backend", "redis://ann:hunter2@h", "ls"),
        ("show", "redis://ann:hunter2@h:1"),
        ("redis://ann:hunter2@h",),
        ("ls", "a", "redis://ann:hunter2@h"),
        ("--url", "json:x", "--config", "stores.toml", "ls"),
        ("--config", "missing.toml", "ls"),
        ("--models", "no.such.module", "ls"),
        ("--codec", "jsno", "ls"),
        ("copy", "redis://ann:hunter2@h"),
    ],
)
def test_a_mistake_in_the_command_ends_with_two_and_shows_no_password(
    arguments: tuple[str, ...], file: str, run: Run
) -> None:
    told = run(*arguments, status=2)
    assert "hunter2" not in told
    assert "Traceback" not in told


def test_a_module_of_models_is_found_in_the_folder_and_may_configure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run, objects: Objects
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in __import__("sys").path if path])
    name = f"models_{tmp_path.name}".replace("-", "_")
    text = "import persistent_collections\npersistent_collections.configure('memory:configured')\n"
    (tmp_path / f"{name}.py").write_text(text, "utf-8")
    PersistentDict("here", {"a": 1}, backend="memory:configured")
    assert "PersistentDict:here" in run("--models", name, "ls")
    store = explained(objects, "--models", name)["store"]
    assert store == ("memory:configured", "configure() in a module of --models, backends.default")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two\\nlines"),
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
    ],
)
def test_a_module_of_models_that_fails_is_told_in_one_line(
    text: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_models.py").write_text(text, "utf-8")
    told = run("--models", "broken_models", "ls", status=2)
    assert reason in told
    assert told.count("\n") == 1


def test_backends_and_codecs_list_what_there_is(objects: Objects, run: Run) -> None:
    found = {scheme for row in objects("backends") if row["installed"] for scheme in row["schemes"].split()}
    ours = {scheme for scheme, target in schemes.items() if target.startswith("persistent_collections.")}
    assert found >= ours
    rows = {row["name"]: row for row in objects("codecs")}
    assert {"json", "str", "msgpack", "reference", "bcrypt"} <= rows.keys()
    assert rows["str"] == {"name": "str", "installed": True, "format": "text", "canonical": True, "status": "installed"}
    observers = [(row["schemes"], row["installed"]) for row in objects("backends")][-2:]
    assert observers == [("any?spans=on", True), ("any?warnings=on", True)]
    assert "redis+cluster" in run("backends")
    assert "msgpack" in run("codecs")

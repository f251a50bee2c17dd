from __future__ import annotations

import os
from pathlib import Path

import pytest

from persistent_collections.backends.json import JSONBackend
from persistent_collections.backends.keys import Key
from persistent_collections.backends.registry import find_backend
from persistent_collections.backends.urls import StoreURL
from persistent_collections.errors import ConfigurationError

pytestmark = pytest.mark.store("json")


def connect(text: str, options: dict[str, object] | None = None) -> JSONBackend:
    return JSONBackend.from_url(StoreURL.parse(text, options))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_json_urls_are_served_by_this_backend() -> None:
    assert find_backend("json") is JSONBackend


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("json:./data", "data"),
        ("json:data", "data"),
        ("json:my%20data/%C3%A9%3F", "my data/é?"),
        ("json:///var/lib/app", "/var/lib/app"),
        ("json:/var/lib/app", "/var/lib/app"),
        ("json:~/data", "~/data"),
        ("json:%FF", os.fsdecode(b"\xff")),
    ],
)
def test_a_url_names_a_directory(here: Path, text: str, path: str) -> None:
    assert connect(text) == JSONBackend(path)
    assert connect(connect(text).url) == JSONBackend(path)


def test_the_url_shown_is_absolute_and_has_every_option_that_is_not_the_default(here: Path) -> None:
    assert connect("json:my data").url == f"json://{here}/my%20data"
    url = connect("json:data?fsync=off&codec=msgpack", {"lock_timeout_s": 2}).url
    assert url == f"json://{here}/data?fsync=false&lock_timeout_s=2.0&codec=msgpack"
    assert connect(url).url == url
    assert connect(url).codec == "msgpack"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("json://data", "write 'json:./data' for a relative path, or 'json:///data'"),
        ("json://me:secret@data/x", "write 'json:./data/x' for"),
        ("json:", "a json: URL names a directory, as 'json:./data'"),
        ("json:data?fsynk=off", "did you mean 'fsync'"),
        ("json:data?lock_timeout_s=soon", "'lock_timeout_s' takes a float"),
        ("json:data?lock_timeout_s=-1", "lock_timeout_s is a number of seconds of at least 0"),
        ("json:data?lock_timeout_s=nan", "lock_timeout_s is a number of seconds of at least 0"),
        ("json:a%00b", "cannot contain NUL"),
    ],
)
def test_a_wrong_url_is_refused_with_the_right_spelling(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(text)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_relative_path_is_that_of_the_directory_it_was_given_in(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = connect("json:data")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    backend.mapping(Key("User:luke")).set_many({"f": b"1"})
    assert (here / "data/User/luke.json").is_file()


def test_backends_are_equal_when_they_reach_the_same_directory(here: Path) -> None:
    (here / "link").symlink_to(here / "data")
    assert JSONBackend("data") == JSONBackend(here / "data", fsync=False)
    assert JSONBackend("data") == JSONBackend("link")
    assert len({JSONBackend("data"), JSONBackend("link"), JSONBackend("other")}) == 2

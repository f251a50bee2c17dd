"""Codecs by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest

from persistent_collections import (
    Codec,
    ConfigurationError,
    PersistentDict,
    codec,
    get_codec,
    make_record,
    register_codec,
)
from persistent_collections.codecs.json import JSONCodec
from persistent_collections.codecs.registry import known_codecs
from persistent_collections.codecs.text import TextCodec


class Shout(TextCodec):
    def __init__(self, name: str = "shout") -> None:
        super().__init__()
        self.name = name

    def encode(self, value: Any) -> bytes:
        return super().encode(value).upper()


def test_a_built_in_codec_is_one_object() -> None:
    for name in ("str", "json", "msgpack", "reference", "bcrypt"):
        assert get_codec(name).name == name
        assert get_codec(name) is get_codec(name)


def test_a_codec_is_found_by_the_name_it_was_registered_under() -> None:
    shout = Shout("test.shout")
    register_codec(shout)
    register_codec(shout)
    assert get_codec("test.shout") is shout


@pytest.mark.parametrize("name", ["test.taken", "json", "bcrypt"])
def test_a_name_that_is_taken_is_refused_unless_replaced(name: str) -> None:
    if name == "test.taken":
        register_codec(Shout(name))
    usual = get_codec(name)
    with pytest.raises(ConfigurationError, match=f"the name '{name}' is another codec's; .*replace=True"):
        register_codec(Shout(name))
    assert get_codec(name) is usual
    replacing = Shout(name)
    try:
        register_codec(replacing, replace=True)
        assert get_codec(name) is replacing
    finally:
        register_codec(usual, replace=True)


def test_an_unknown_name_gives_the_nearest_or_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no codec is called 'jsn' .*; did you mean 'json'\?$"):
        get_codec("jsn")
    with pytest.raises(ConfigurationError, match=r"no codec is called 'yaml' .*; known: .*'bcrypt', .*'msgpack'"):
        get_codec("yaml")


class Nameless(Codec):
    format = "text"

    def encode(self, value: Any) -> bytes:
        return b""

    def decode(self, data: bytes) -> Any:
        return None


class Formless(Nameless):
    name, format = "test.formless", "plain"  # type: ignore[assignment]  # no format of a codec, as is tested


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (Shout, r"Shout is a class; give the codec that it makes: Shout\(\)"),
        (print, "a codec is an instance of Codec, not <built-in function print>"),
        (Nameless(), "Nameless has no name; write name ="),
        (Formless(), "Formless has no format; write format = 'text', 'json' or 'binary'"),
    ],
)
def test_what_is_not_a_codec_is_refused_wherever_it_is_chosen(given: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        register_codec(given)
    with pytest.raises(ConfigurationError, match=told):
        PersistentDict("things", codec=given, backend="memory:")["a"] = 1
    with pytest.raises(ConfigurationError, match=told):
        make_record("ChosenForAField", {"number": Annotated[int, codec(given)]}, backend="memory:").create(number=1)


def a_package(folder: Path, name: str, points: dict[str, str]) -> None:
    (folder / f"{name}-1.dist-info").mkdir(parents=True)
    (folder / f"{name}-1.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    lines = [f"{point} = {target}" for point, target in points.items()]
    text = "[persistent_collections.codecs]\n" + "\n".join(lines)
    (folder / f"{name}-1.dist-info" / "entry_points.txt").write_text(text)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder whose packages are installed."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_an_installed_package_is_asked_for_its_codec_by_name(installed: Path) -> None:
    here = "tests.codecs.test_registry"
    a_package(installed, "one", {"shout": f"{here}:Shout", "test.made": f"{here}:MADE", "json": f"{here}:Shout"})
    assert type(get_codec("shout")) is Shout
    assert get_codec("test.made") is MADE
    assert type(get_codec("json")) is JSONCodec
    assert {"shout", "test.made", "json"} <= set(known_codecs())


MADE = Shout("test.made")


def test_what_an_installed_package_gives_must_be_the_codec_of_that_name(installed: Path) -> None:
    here = "tests.codecs.test_registry"
    a_package(installed, "one", {"test.other": f"{here}:MADE", "test.none": f"{here}:Path"})
    for name in ("test.other", "test.none"):
        with pytest.raises(ConfigurationError, match=f"'{name}' has no Codec of that name"):
            get_codec(name)


def test_a_codec_whose_package_cannot_be_imported_is_a_configuration_error(installed: Path) -> None:
    a_package(installed, "one", {"test.gone": "no_such_module:codec", "test.gone.too": "json:no_such_name"})
    for name in ("test.gone", "test.gone.too"):
        with pytest.raises(ConfigurationError, match=f"the codec '{name}' cannot be loaded from "):
            get_codec(name)


def test_two_packages_with_one_name_are_both_named(installed: Path) -> None:
    a_package(installed, "one", {"test.two": "a:b"})
    a_package(installed, "two", {"test.two": "c:d"})
    with pytest.raises(
        ConfigurationError, match=r"the codec 'test.two' is in two packages, as (a:b and c:d|c:d and a:b)"
    ):
        get_codec("test.two")


def test_importing_the_package_loads_no_codec_and_nothing_they_stand_on() -> None:
    code = """
import sys
import persistent_collections
heavy = {"bcrypt", "msgpack", "cryptography", "pydantic", "persistent_collections.codecs.json"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

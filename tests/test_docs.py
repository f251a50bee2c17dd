"""Everything the documents and docstrings show is done as it stands there."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from inspect import isclass, isfunction
from pathlib import Path
from types import ModuleType

import pytest

import persistent_collections
from persistent_collections import (
    Backend,
    PersistentDict,
    PersistentList,
    PersistentSet,
    Query,
    Record,
    configure,
)
from persistent_collections.backends import Delete
from persistent_collections.backends.redis.urls import OPTIONS
from persistent_collections.backends.registry import find_backend
from persistent_collections.backends.urls import SWITCHES
from tests.test_round_trips import public
from tools.readme import apart

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(page for folder in ("docs", "examples") for page in (ROOT / folder).rglob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r'^```\w+ title="(.+?)"\n(.*?)^```$', re.DOTALL | re.MULTILINE)
LITERAL_BLOCK = re.compile(r"::\n\n((?:    .*\n|\n)+)")
CODE = re.compile(r"^```.*?^```$|`[^`]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
MODULES = [
    path for path in sorted((ROOT / "persistent_collections").rglob("*.py")) if "::\n" in path.read_text("utf-8")
]
NOT_PYTHON = {"errors.py": 1, "layout.py": 1}
"""How many of the literal blocks of a module's docstrings are pictures."""


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a language, without the files that a page shows under their names."""
    return [text for word, text in FENCE.findall(FILE.sub("", page.read_text("utf-8"))) if word == language]


def files(page: Path) -> dict[str, str]:
    """Return the files that a page shows, by their names."""
    return dict(FILE.findall(page.read_text("utf-8")))


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def docstrings(path: Path) -> Iterator[str]:
    """Yield the docstrings of a module and of all that is defined in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield f"{ast.get_docstring(node) or ''}\n"


@pytest.mark.parametrize("times", [pytest.param(1, id="once"), pytest.param(2, id="again", marks=pytest.mark.slow)])
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=named)
def test_the_python_of_a_page_runs_from_top_to_bottom_and_again_on_the_data_that_it_left(
    page: Path, tmp_path: Path, times: int
) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks(page, "python")), "utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERSISTENT_")}
    spurious = "ignore:Binding:DeprecationWarning"  # of Python 3.12.0 to 3.12.3, which take ?1 for a name
    command = [sys.executable, "-W", "error", "-W", spurious, str(script)]
    for _ in range(times):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=named)
def test_the_toml_of_a_page_is_read_and_so_are_its_backends(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in blocks(page, "toml"):
        for variable in re.findall(r'^\w+_env = "(.*)"', text, re.MULTILINE):
            monkeypatch.setenv(variable, "made up")
        path = tmp_path / "stores.toml"
        path.write_text(text, "utf-8")
        if "backends" in tomllib.loads(text):
            configure(path)
            configure({})


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_commands_of_a_page_name_files_that_are_there(page: Path) -> None:
    for word in " ".join(blocks(page, "sh")).split():
        if re.fullmatch(r"(?!\.venv)[\w.]*/?[\w./-]+(\.\w+|/run)", word) and not word[0].isdigit():
            assert (ROOT / word).exists(), word


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        assert (page.parent / target).exists(), target


def test_the_readme_of_the_package_has_no_link_that_needs_the_files_beside_it() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    homes = {"Documentation": "https://docs.test/pc/", "Source": "https://code.test/pc"}
    assert LINK.findall(text)
    assert LINK.findall(apart(text, urls)) == LINK.findall(apart(text, {})) == LINK.findall(apart(text, homes)) == []
    assert not [url for url in urls.values() if "//example." in url]
    assert "install (`docs/install.md`)" in apart(text, {})
    assert "[install](https://docs.test/pc/install/)" in apart(text, homes)
    assert "[how to contribute](https://code.test/pc/CONTRIBUTING.md)" in apart(text, homes)


@pytest.mark.parametrize(
    "kind", [PersistentDict, PersistentList, PersistentSet, Record], ids=lambda kind: kind.__name__
)
def test_the_page_of_methods_names_every_one(kind: type) -> None:
    page = (ROOT / "docs" / "methods.md").read_text("utf-8")
    words = set(re.findall(r"\w+", "".join(CODE.findall(page))))
    assert {name for name in public(kind) if not name.startswith("_")} <= words


def test_the_reference_shows_every_public_name() -> None:
    pages = {page.name: page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.md")}
    shown = {
        name.rpartition(".")[2] for text in pages.values() for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    }
    public_names = re.findall(r"`(\w+)`", pages["public.md"].partition("\n## ")[2])
    assert {name for name in public_names if name not in shown and f"`{name}`" not in pages["errors.md"]} <= {
        "persistent_collections"
    }


def test_the_table_of_options_names_every_one_of_each_store() -> None:
    page = (ROOT / "docs" / "choose-a-store.md").read_text("utf-8").partition("| store | options |")[2]
    rows = re.findall(r"^\| (\S.*?) \| (.*) \|$", page, re.MULTILINE)
    told = {name: {*re.findall(r"`(\w+)`", listed)} for name, listed in rows if name != "---"}
    redis = {scheme: {*options} for scheme, options in OPTIONS.items()}
    for name in ("json", "sqlite", "fakeredis", "memory"):
        own = told.get(f"`{name}:`", set()) - {"on", "off"}
        assert own | told["all"] == {*find_backend(name).options, *SWITCHES}
    for scheme, options in redis.items():
        assert {*options, *SWITCHES} == (
            told["all"]
            | told["`redis:` and kin"]
            | (set() if "cluster" in scheme else told["… except on a cluster"])
            | (set() if scheme == "unix" else told["… except `unix:`"])
            | (told["`rediss:`, `valkeys:`, `rediss+…`"] if scheme.startswith(("rediss", "valkeys")) else set())
            | (told["`redis+sentinel:`, `rediss+sentinel:`"] if "sentinel" in scheme else set())
        ), scheme


def test_the_readme_tells_the_same_story_on_a_server() -> None:
    [line] = [line for line in "".join(blocks(ROOT / "README.md", "sh")).splitlines() if "redis://" in line]
    url = "PERSISTENT_COLLECTIONS_URL=redis://localhost:6379/0"
    assert line.rpartition("&& ")[2] == f"{url} .venv/bin/python examples/friends.py"


def _public_methods(kind: type) -> dict[str, str]:
    """Return the docstrings of the methods and properties of a class of ours that are not Python's own."""
    found = {}
    for base in kind.__mro__[::-1]:
        if base.__module__.startswith("persistent_collections"):
            found.update({name: _docstring(value) for name, value in vars(base).items() if not name.startswith("_")})
    return {name: text for name, text in found.items() if text is not None}


def _docstring(value: object) -> str | None:
    function = getattr(value, "__func__", value)
    return (function.__doc__ or "") if callable(function) or isinstance(function, property) else None


@pytest.mark.parametrize(
    "kind", [PersistentDict, PersistentList, PersistentSet, Record, Query], ids=lambda kind: kind.__name__
)
def test_each_public_method_says_what_it_does_and_costs_with_an_example(kind: type) -> None:
    methods = _public_methods(kind)
    assert len(methods) > 10
    assert [name for name, text in methods.items() if len(text.partition("\n")[0]) < 20] == []
    assert [name for name, text in methods.items() if "::\n" not in text] == []
    assert [name for name, text in methods.items() if "Cost: " not in text and "no i/o" not in text.lower()] == []


def test_each_public_function_and_class_shows_an_example() -> None:
    names = re.findall(r"^## `(.*)`$", (ROOT / "docs/reference/public.md").read_text("utf-8"), re.MULTILINE)
    modules = [importlib.import_module(name) for name in names]
    values = {value for module in modules for name in module.__all__ if _is_shown(value := getattr(module, name))}
    assert len(values) > 90
    assert [value.__name__ for value in values if "::\n" not in (value.__doc__ or "")] == []


def _is_shown(value: object) -> bool:
    return isfunction(value) or (isclass(value) and not issubclass(value, Exception))


def test_the_prompts_in_docstrings_show_what_happens() -> None:
    for module in pkgutil.walk_packages(persistent_collections.__path__, "persistent_collections."):
        assert doctest.testmod(importlib.import_module(module.name)).failed == 0, module.name


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_the_literal_blocks_in_docstrings_run(path: Path, store: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = 0
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    names = {name: getattr(persistent_collections, name) for name in persistent_collections.__all__}
    for block in LITERAL_BLOCK.findall("".join(docstrings(path))):
        try:
            code = compile(textwrap.dedent(block), path.name, "exec")
        except SyntaxError:
            pictures += 1
        else:
            written = ModuleType("docstring.<locals>")
            vars(written).update({"pytest": pytest, **names, **vars(module), "__name__": written.__name__})
            monkeypatch.setitem(sys.modules, written.__name__, written)  # where annotations look for names
            exec(code, vars(written))
        for key in list(store.keys("")):  # each example starts with an empty store
            store.commit([], [Delete(key)])
    assert pictures == NOT_PYTHON.get(path.name, 0)

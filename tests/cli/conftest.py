from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from persistent_collections import configure, get_codec, register_codec
from persistent_collections.cli.app import app
from persistent_collections.codecs.bcrypt import BcryptCodec
from tests.conftest import STORES, Start

MODELS = ("--models", "tests.cli.models")

Run = Callable[..., str]
Objects = Callable[..., list[Any]]


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PERSISTENT_COLLECTIONS_URL", raising=False)
    usual = get_codec("bcrypt")
    register_codec(BcryptCodec(rounds=4), replace=True)
    yield
    register_codec(usual, replace=True)
    configure({})


@pytest.fixture
def url(store_kind: str, tmp_path: Path, start: Start) -> str:
    """Give the URL of an empty store of each kind; an in-process one with a name, by which a command finds it again."""
    named = {"memory": f"memory:{tmp_path.name}", "fakeredis": f"fakeredis://{tmp_path.name.replace('_', '-')}"}
    return named.get(store_kind) or STORES[store_kind](tmp_path, start)


@pytest.fixture
def run() -> Run:
    """Give what runs a command in this process and returns what it wrote, on both streams where it failed."""

    def run(*arguments: str, status: int = 0, given: str | bytes | None = None) -> str:
        done = CliRunner().invoke(app, arguments, input=given, prog_name="persistent-collections")
        assert done.exit_code == status, (done.output, done.exception)
        return done.stdout if status == 0 else done.output

    return run


@pytest.fixture
def objects(run: Run) -> Objects:
    """Give what runs a command with ``--json`` and returns the objects it wrote, one a line."""

    def objects(*arguments: str, status: int = 0) -> list[Any]:
        return [json.loads(line) for line in run(*arguments, "--json", status=status).splitlines()]

    return objects

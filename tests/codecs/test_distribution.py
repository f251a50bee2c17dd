"""A codec that another distribution brings by an entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import files

DISTRIBUTION = Path(__file__).with_name("distribution")
DOCS = Path(__file__).parents[2] / "docs" / "codecs.md"

USE = """
from decimal import Decimal
from persistent_collections import PersistentDict, Record, connect

class Owner(Record):
    name: str

for url in ("memory:", "json:./data"):
    backend = connect(url)
    owner = Owner("leia", name="Leia", backend=backend)
    d = PersistentDict("d", codec="cbor", backend=backend)
    d["a"] = {"price": Decimal("1.50"), "owner": owner}
    assert d["a"] == {"price": Decimal("1.50"), "owner": owner}, url
    assert type(d["a"]["price"]) is Decimal
print("held")
"""


@pytest.mark.slow
def test_a_codec_of_an_installed_package_is_found_by_its_name_alone(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages)]
    subprocess.run([*install, str(DISTRIBUTION)], check=True, cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    done = subprocess.run(
        [sys.executable, "-c", USE], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("held\n", "")


def test_the_suite_that_the_docs_show_runs_over_it(tmp_path: Path) -> None:
    (tmp_path / "test_cbor.py").write_text(files(DOCS)["test_cbor.py"], "utf-8")
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\naddopts = --strict-markers\npythonpath = {DISTRIBUTION}\n", "utf-8"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "12 passed" in done.stdout


def test_the_docs_show_the_codec_that_is_installed() -> None:
    source = (DISTRIBUTION / "example_cbor.py").read_text("utf-8")
    definition = source[source.index("class CborCodec") :]
    assert definition in DOCS.read_text("utf-8")

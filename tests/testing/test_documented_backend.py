"""The backends that the documentation shows pass the suites, collected as strictly as pytest can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import ROOT, blocks


def run(folder: Path, store: str, suites: str) -> None:
    """Run suites over a store, without the slow ones; the marker for these is known though nobody registers it here."""
    (folder / "store.py").write_text(store, "utf-8")
    (folder / "test_store.py").write_text(suites, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.slow
def test_the_backend_of_the_guide_passes_the_suites_it_is_shown_with(tmp_path: Path) -> None:
    page = blocks(ROOT / "docs" / "write-a-backend.md", "python")
    [backend] = [block for block in page if "class OneFileBackend" in block]
    [suites] = [block for block in page if "class TestOneFileBackend" in block]
    run(tmp_path, backend, f"from store import OneFileBackend\n{suites}")

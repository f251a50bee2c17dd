"""The backend that docs/write-a-backend.md shows passes the suites it shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import ROOT, blocks


@pytest.mark.slow
def test_the_documented_backend_passes_the_suites_it_is_shown_with(tmp_path: Path) -> None:
    backend, _, suites = blocks(ROOT / "docs" / "write-a-backend.md", "python")
    (tmp_path / "onefile.py").write_text(backend, "utf-8")
    (tmp_path / "test_onefile.py").write_text(f"from onefile import OneFileBackend\n{suites}", "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

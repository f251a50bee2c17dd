"""The rules of records hold on a store of another author, which has only the five methods of a simple one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.test_docs import ROOT


@pytest.mark.slow
def test_every_rule_of_records_holds_on_a_store_of_five_methods() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", "tests/records"]
    options = ["-p", "tests.testing.stores", "--stores", "shelf"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout

"""The benchmarks run, each contender does its part, and what this library answers in them is right."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
TABLE = re.compile(r"<!-- begin ([\w-]+) -->\n(.*?)<!-- end \1 -->", re.DOTALL)


@pytest.mark.slow
def test_one_command_measures_everything_and_writes_the_page(tmp_path: Path) -> None:
    shutil.copy(PAGE, tmp_path)
    command = [sys.executable, "-m", "benchmarks", "--quick", "--docs", str(tmp_path)]
    done = subprocess.run(
        [*command, "--results", str(tmp_path / "results.json")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "benchmarks.svg").read_text("utf-8").count("<g id=") > 0
    before, after = (dict(TABLE.findall(page.read_text("utf-8"))) for page in (PAGE, tmp_path / PAGE.name))
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] == after[name]} <= {"redis-versions"}
    redis = json.loads((tmp_path / "results.json").read_text("utf-8"))["redis"]
    assert redis["faults"]["ours"] == {}
    raced = {name for rows in redis["times"].values() for cells in rows.values() for name in cells}
    assert raced == {"redis-py", "redis-py, our codec", *redis["faults"]}
    assert len(redis["faults"]) == 5


def test_every_table_of_the_page_is_filled_in() -> None:
    tables = dict(TABLE.findall(PAGE.read_text("utf-8")))
    assert len(tables) == 13
    assert all(table.strip() for table in tables.values()), tables

"""mypy and pyright, both strict, read the files of this folder as a user's."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.test_docs import ROOT, blocks

HERE = Path(__file__).parent
MARK = "  # error"
Checker = Callable[[Path], set[int]]


def mypy(path: Path) -> set[int]:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=.mypy_cache", path.name]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {int(line) for line in re.findall(rf"^{path.name}:(\d+): error", done.stdout, re.MULTILINE)}


def pyright(path: Path) -> set[int]:
    settings = {"include": [path.name], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (path.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--project", ".", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == 1, done.stdout
    return {problem["range"]["start"]["line"] + 1 for problem in found["generalDiagnostics"]}


@pytest.fixture(params=[mypy, pyright])
def checker(request: pytest.FixtureRequest) -> Checker:
    check: Checker = request.param
    return check


@pytest.mark.slow
@pytest.mark.parametrize("name", ["accepted.py", "rejected.py"])
def test_type_checkers_reject_the_lines_marked_and_no_others(name: str, checker: Checker, tmp_path: Path) -> None:
    path = Path(shutil.copy(HERE / name, tmp_path))
    lines = dict(enumerate(path.read_text("utf-8").splitlines(), 1))
    marks = (MARK, f"{MARK} of {checker.__name__}")
    rejected = checker(path)
    assert [lines[number] for number in sorted(rejected)] == [line for line in lines.values() if line.endswith(marks)]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/write-a-backend.md"])
def test_type_checkers_accept_the_page(page: str, checker: Checker, tmp_path: Path) -> None:
    path = tmp_path / "page.py"
    path.write_text("\n".join(blocks(ROOT / page, "python")), "utf-8")
    assert not checker(path)

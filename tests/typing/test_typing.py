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

HERE = Path(__file__).parent
MARK = "  # error"
STORY = """
from persistent_collections import Password, PersistentDict, PersistentList, Record, child

settings = PersistentDict("settings")            # key "PersistentDict:settings", in the default store
settings["theme"] = "dark"                       # one atomic write; another process sees it

class User(Record):                              # declared fields; key "User:<id>"
    name: str
    email: str
    password: Password                           # stored as a bcrypt hash, never as text
    friends: PersistentList["User"] = child()    # a child list, key "User:<id>:friends"

luke = User("luke@example.com", name="Luke Skywalker", email="luke@example.com", password="TheForce")
han = User("han@example.com", name="Han Solo", email="han@example.com", password="LetTheWookieWin")
luke["friends"].append(han)                      # stored as a reference, "User:han@example.com"
han["friends"].append(luke)                      # cycles are fine
luke["friends"][0]["name"]                       # 'Han Solo'
luke["password"].verify("TheForce")              # True
User.load("luke@example.com").name               # later, in another process
"""

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
    rejected = checker(path)
    assert [lines[number] for number in sorted(rejected)] == [line for line in lines.values() if line.endswith(MARK)]


@pytest.mark.slow
def test_type_checkers_accept_the_story_of_the_readme(checker: Checker, tmp_path: Path) -> None:
    path = tmp_path / "story.py"
    path.write_text(STORY, "utf-8")
    assert not checker(path)


def test_the_readme_tells_that_story() -> None:
    readme = (HERE.parent.parent / "README.md").read_text("utf-8")
    assert STORY.partition('luke["friends"][0]')[0].strip() in readme

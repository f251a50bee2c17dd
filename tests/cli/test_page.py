"""What docs/commands.md shows is what the commands print: RECORD=1 writes it anew, to be read before it is kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MODELS = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN_FOLDER = "/srv/app"


class Session:
    """A shell in which the commands of the page are given one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PERSISTENT_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        self._environment = {**kept, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1"}

    def give(self, block: str) -> str:
        """Return a block with what its commands print now, both streams, and an exit code that is not 0."""
        commands = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
        return "".join(f"$ {command}\n{self._output(command)}" for command in commands)

    def _output(self, command: str) -> str:
        if variable := re.fullmatch(r"export (\w+)=(\S+)", command):
            self._environment[variable[1]] = variable[2]
            return ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout.replace(str(self._folder), SHOWN_FOLDER)


@pytest.mark.slow
def test_the_page_shows_what_the_commands_print(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    (tmp_path / "models.py").write_text("".join(MODELS.findall(page)), "utf-8")
    session = Session(tmp_path)
    recorded = BLOCK.sub(lambda block: f"```console\n{session.give(block[1])}```", page)
    if os.environ.get("RECORD"):
        PAGE.write_text(recorded, "utf-8")
    assert recorded == page

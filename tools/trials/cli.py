"""The extra ``cli``: the command, which also says the version of the wheel."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path


def run(*words: str) -> str:
    command = [str(Path(sys.executable).with_name("persistent-collections")), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


assert run("--version") == f"persistent-collections {version('persistent-collections')}\n"
run("--url", "json:./data", "set", "PersistentDict:settings", "theme", '"dark"')
assert "dark" in run("--url", "json:./data", "get", "PersistentDict:settings", "theme")

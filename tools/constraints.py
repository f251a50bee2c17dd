"""Write the constraints that the tests are installed with: ``python tools/constraints.py`` writes both files anew.

``constraints/tested.txt`` pins every package to its newest release, as a fresh environment gets it today. A clone that
installs with it next year gets what passes now. ``constraints/lowest.txt`` pins what the package requires to the lowest
version that ``pyproject.toml`` allows. ``--check`` only compares the second with ``pyproject.toml``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
TESTED = ROOT / "constraints" / "tested.txt"
LOWEST = ROOT / "constraints" / "lowest.txt"
HEAD = "# Written by tools/constraints.py\n"
REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[[\w,]+\])?>=(?P<version>[\w.]+)")


def requirements(project: dict[str, Any]) -> Iterator[str]:
    """Yield what the package and its extras require."""
    yield from project["dependencies"]
    yield from chain.from_iterable(project["optional-dependencies"].values())


def lowest() -> str:
    """Return the constraints that allow only the lowest version of each requirement."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = {found["name"]: found["version"] for found in map(REQUIREMENT.match, requirements(project)) if found}
    return HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(pins.items()))


def newest() -> str:
    """Return the constraints that allow only what a fresh environment gets now."""
    with TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [str(Path(folder) / "bin" / "python"), "-m", "pip"]
        subprocess.run([*pip, "install", "--quiet", "--upgrade", "pip"], cwd=ROOT, check=True)
        subprocess.run([*pip, "install", "--quiet", "--group", "dev", "--editable", ".[all]"], cwd=ROOT, check=True)
        listed = [*pip, "freeze", "--exclude-editable"]
        return HEAD + subprocess.run(listed, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Write both files, or compare one."""
    if "--check" in sys.argv:
        if LOWEST.read_text("utf-8") != lowest():
            sys.exit("constraints/lowest.txt is not what pyproject.toml says; run python tools/constraints.py")
        return
    LOWEST.write_text(lowest(), "utf-8")
    TESTED.write_text(newest(), "utf-8")


if __name__ == "__main__":
    main()

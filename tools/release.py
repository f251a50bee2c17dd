"""Build the wheel and the sdist, and try them as a user gets them: ``python tools/release.py [folder for both]``.

Each extra is installed from the wheel by itself, in an empty environment, and so is each combination of extras that a
page shows after ``pip install``. ``tools/trials/<extra>.py`` then runs there. The package without extras is tried on
each Python that is installed, and the sdist on the newest of them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
TRIALS = ROOT / "tools" / "trials"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ALL = EXTRAS["all"][0].partition("[")[2].rstrip("]").split(",")
"""The extras that ``all`` stands for."""
SHOWN = re.compile(r"pip install[^`\n]*?(?:\s|')persistent-collections(?:\[([\w,]+)\])?(?=['\s`])")
WORKERS = 2

sys.path.insert(0, str(ROOT))
from tests.servers import run_server  # noqa: E402 - the server of the tests, for the extras that need one
from tools.readme import LINK  # noqa: E402 - also found from the root


class Environments:
    """Empty environments in one folder, each made anew."""

    def __init__(self, folder: Path, wheel: Path, server: str) -> None:
        self._folder, self._wheel, self._server = folder, wheel, server
        self._numbers = count()

    def try_out(self, what: str, requirement: str, extras: list[str], python: str = sys.executable) -> str:
        """Install a requirement in an empty environment, and run the trials of extras there."""
        home = self._folder / str(next(self._numbers))
        run(python, "-m", "venv", "--without-pip", str(home))
        own = str(home / "bin" / "python")
        constraint = home / "wheel.txt"
        constraint.write_text(f"persistent-collections @ {self._wheel.as_uri()}\n", "utf-8")
        only = ["-c", str(constraint)] if requirement.startswith("persistent-collections") else []
        run(sys.executable, "-m", "pip", "--python", own, "install", "-q", *only, requirement)
        variables = {name: text for name, text in os.environ.items() if not name.startswith("PERSISTENT_")}
        variables["TRIAL_SERVER"] = self._server
        for extra in ["base", *extras]:
            run(own, "-P", "-W", "error", str(TRIALS / f"{extra}.py"), cwd=home, env=variables)
        return what


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it, as ``python -m build`` does; return the wheel and the sdist."""
    own = folder / "build" / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", str(own.parents[1]))
    run(sys.executable, "-m", "pip", "--python", str(own), "install", "-q", "build")
    run(str(own), "-m", "build", "--outdir", str(folder), ".")
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def check_content(wheel: Path) -> None:
    """Check that the wheel has each file of the package that git knows, and nothing else."""
    known = set(run("git", "ls-files", "persistent_collections").split())
    built = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    if known != built:
        sys.exit(f"{wheel.name}: these files are in the wheel or in git, and not in both: {sorted(known ^ built)}")


def check_links(wheel: Path) -> None:
    """Check that the wheel's metadata have no made-up address, and no link that needs the files of the repository."""
    [name] = (name for name in ZipFile(wheel).namelist() if name.endswith(".dist-info/METADATA"))
    metadata = ZipFile(wheel).read(name).decode()
    if "//example." in "".join(PROJECT["urls"].values()):
        sys.exit("pyproject.toml: an address in [project.urls] is made up; set it, or leave it out")
    if found := LINK.search(metadata):
        sys.exit(f"{wheel.name}: the README has the link {found[0]!r}, which leads nowhere on a package index")


def shown() -> set[str]:
    """Return the extras, separated by commas, that the pages name after ``pip install``."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    return {extras or "" for page in pages for extras in SHOWN.findall(page.read_text("utf-8"))}


def trials(wheel: Path, sdist: Path) -> Iterator[tuple[str, str, list[str], str]]:
    """Yield what is tried: its name, the requirement, the extras whose trials run, and the Python."""
    pythons = run("tools/test-with", "found").split()
    for python in pythons:
        yield f"{run(python, '--version').strip()} ({python})", str(wheel), [], python
    yield sdist.name, str(sdist), [], pythons[-1]
    for extras in sorted({*EXTRAS, *shown()} - {""}):
        named = extras.split(",")
        if unknown := {*named} - {*EXTRAS}:
            sys.exit(f"a page shows the extra {', '.join(unknown)}, which pyproject.toml does not have")
        wanted = f"persistent-collections[{extras}]"
        yield wanted, wanted, ALL if extras == "all" else named, sys.executable


def main() -> None:
    """Build, check and try both files, and copy them to the folder that the command names."""
    with TemporaryDirectory() as name, run_server() as server:
        folder = Path(name)
        wheel, sdist = build(folder)
        check_content(wheel)
        check_links(wheel)
        environments = Environments(folder, wheel, server.url)
        with ThreadPoolExecutor(WORKERS) as workers:
            for what in workers.map(lambda trial: environments.try_out(*trial), [*trials(wheel, sdist)]):
                print("works:", what, flush=True)
        for built in (wheel, sdist):
            if sys.argv[1:]:
                shutil.copy(built, sys.argv[1])
            print("built:", built.name)
    if not {"Documentation", "Source"} <= PROJECT["urls"].keys():
        print("the README on the package index will name files instead of links; see CONTRIBUTING.md, Release")


def run(*command: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run a command, and return what it writes."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()

from __future__ import annotations

import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import get_args

import pytest

from persistent_collections import PersistentDict, PersistentList, configure
from persistent_collections.checking import Repairable
from tests.test_imports import BLOCK

BINDING = "ignore:Binding:DeprecationWarning"  # Python 3.12.0 to 3.12.3 take ?1 for a name
COMMAND = [sys.executable, "-W", "error", "-W", BINDING, "-m", "persistent_collections"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERSISTENT_COLLECTIONS_URL", raising=False)
    configure("sqlite:app.db?synchronous=OFF")
    PersistentDict("settings", {"theme": "x" * 300, "a\x1b[1m": "b\x1b[2m"})
    PersistentList("long", ["y" * 100] * 5000)
    configure({})
    return tmp_path


def process(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "--url", "sqlite:app.db", *arguments]
    full = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=full, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.slow
def test_the_exit_codes_are_those_that_are_documented(folder: Path) -> None:
    assert process(folder, "get", "PersistentDict:settings", "theme").returncode == 0
    assert process(folder, "get", "PersistentDict:settings", "other").returncode == 1
    assert process(folder, "list").returncode == 2
    (folder / "app.db").write_text("this is no database " * 100, "utf-8")
    failed = process(folder, "ls")
    assert (failed.returncode, failed.stdout) == (3, "")
    assert failed.stderr.startswith("persistent-collections: ")
    assert failed.stderr.count("\n") == 1


def test_a_reader_that_has_seen_enough_is_no_error(folder: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--url", "sqlite:app.db", "show", "PersistentList:long"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdout
        assert running.stderr
        assert running.stdout.readline().split() == [b"INDEX", b"VALUE"]
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 0


@pytest.mark.parametrize(
    ("command", "closed", "status", "told"),
    [
        (["ls"], ">&-", 3, "Bad file descriptor"),
        (["get", "PersistentList:long", "0"], ">&-", 3, "Bad file descriptor"),
        (["export", "-"], ">&-", 3, "Bad file descriptor"),
        (["--version"], ">&-", 3, "Bad file descriptor"),
        (["ls"], ">/dev/full", 3, "No space left on device"),
        (["--help"], ">/dev/full", 3, "No space left on device"),
        (["set", "PersistentDict:settings", "size"], "<&-", 2, "VALUE is missing"),
        (["delete", "PersistentDict:settings"], "<&-", 2, "no answer was given"),
        (["import", "-"], "<&-", 3, "line 1 is missing"),
        (["shell"], "<&-", 0, ""),
        (["ls"], "2>&-", 0, ""),
        (["ls", "Nothing"], "<&- >&- 2>&-", 0, ""),
    ],
)
def test_a_standard_stream_may_be_closed(command: list[str], closed: str, status: int, told: str, folder: Path) -> None:
    line = f"{shlex.join([*COMMAND, '--url', 'sqlite:app.db', *command])} {closed}"
    ended = subprocess.run(line, cwd=folder, shell=True, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr.count("\n")) == (status, min(len(told), 1) + ("y/N" in ended.stderr))
    assert told in ended.stderr
    assert "[Errno" not in ended.stderr


def test_ctrl_c_during_the_start_is_the_usual_end(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt", "utf-8")
    full = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    ended = subprocess.run(COMMAND, env=full, capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (130, b"")


def test_ctrl_c_at_a_question_is_the_usual_end(folder: Path) -> None:
    (folder / "ending.py").write_text(
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)", "utf-8"
    )
    command = [*COMMAND, "--url", "sqlite:app.db", "--models", "ending", "delete", "PersistentDict:settings"]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stderr is not None
        told = b""
        while not told.endswith(b"[y/N]:"):
            told += running.stderr.read(1)
        running.send_signal(signal.SIGINT)
        assert (running.wait(60), running.stderr.read()) == (130, b"")
    assert process(folder, "get", "PersistentDict:settings").returncode == 0


def test_a_process_that_is_told_to_end_leaves_no_half_of_an_export(folder: Path) -> None:
    (folder / "ending.py").write_text(
        "import os, signal\nos.fsync = lambda _: os.kill(os.getpid(), signal.SIGTERM)", "utf-8"
    )
    ended = process(folder, "--models", "ending", "export", "out.jsonl")
    assert (ended.returncode, ended.stderr) == (143, "")
    assert [path.name for path in folder.iterdir() if "out.jsonl" in path.name] == []


def test_in_a_pipe_nothing_is_coloured_and_nothing_wrapped(folder: Path) -> None:
    shown = process(folder, "show", "PersistentDict:settings", COLUMNS="40", FORCE_COLOR="1", TERM="xterm-256color")
    assert "\x1b" not in shown.stdout
    assert sorted(map(len, shown.stdout.splitlines()))[-1] > 300
    assert len(shown.stdout.splitlines()) == 3


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_terminal_long_values_are_folded_and_no_color_is_heeded(
    environment: dict[str, str], coloured: bool, folder: Path
) -> None:
    told = on_terminal(folder, "show", "PersistentDict:settings", COLUMNS="60", TERM="xterm-256color", **environment)
    assert ("\x1b[1m" in told.replace("a\\x1b[1m", "")) == coloured
    assert "a\\x1b[1m" in told
    assert told.replace("\x1b", "") == told or coloured
    lines = told.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    assert max(map(len, lines)) <= 60
    assert sum(line.count("x" * 10) > 0 for line in lines) > 3


def on_terminal(folder: Path, *arguments: str, typed: str = "", **environment: str) -> str:
    """Return what a command writes to a terminal, at which something is typed."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    with subprocess.Popen(
        [*COMMAND, "--url", "sqlite:app.db", *arguments],
        cwd=folder,
        env={**kept, **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        os.write(ours, typed.encode())
        told = b""
        try:
            while piece := os.read(ours, 65536):
                told += piece
        except OSError:  # how Linux tells that the other side is closed
            pass
        assert running.wait(60) == 0, told
    os.close(ours)
    return told.decode()


@pytest.mark.slow
def test_a_bar_shows_the_progress_on_a_terminal(folder: Path) -> None:
    told = on_terminal(folder, "export", "out.jsonl", TERM="xterm-256color")
    assert "2/2" in told
    assert "exported 2, foreign 0: out.jsonl" in told
    assert "1/1" in on_terminal(folder, "check", "--prefix", "PersistentDict:", TERM="xterm-256color")
    for unknown in (
        ["ls", "--count"],
        ["ls"],
        ["backup", "app-backup.db"],
        ["rename", "PersistentList:long", "PersistentList:l"],
    ):
        told = on_terminal(folder, *unknown, TERM="xterm-256color")
        assert f"{unknown[0]}" in told.partition("/?")[0], "nobody knows how many there are"
        assert "/?" in told


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_without_the_extra_one_line_says_what_to_install(module: str, tmp_path: Path) -> None:
    script = f"{BLOCK.format(module=module)}\nfrom persistent_collections.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "pip install 'persistent-collections[cli]'" in done.stderr
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_the_version_is_that_of_the_package() -> None:
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"persistent-collections {metadata.version('persistent-collections')}\n"


def test_the_list_of_commands_cuts_no_summary_off() -> None:
    environment = {**os.environ, "COLUMNS": "80"}
    told = subprocess.run([*COMMAND, "--help"], env=environment, capture_output=True, text=True, check=True).stdout
    assert "..." not in told.partition("Commands:")[2]
    assert "--models MODULE" in told
    assert not re.search("<(str|path|list)", told)


def test_the_help_of_check_lists_what_can_be_repaired() -> None:
    told = subprocess.run([*COMMAND, "check", "--help"], capture_output=True, text=True, check=True).stdout
    assert {*get_args(Repairable)} <= {*re.findall(r"\w+", told)}


def test_the_library_imports_neither_typer_nor_rich(tmp_path: Path) -> None:
    imports = "import persistent_collections.moving, persistent_collections.checking, sys"
    script = f"{imports}; print({{'typer', 'rich'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_shell_completes_the_names_of_commands(folder: Path) -> None:
    asked = {"COMP_WORDS": "persistent-collections expo", "COMP_CWORD": "1"}
    script = folder / "persistent-collections"
    script.write_text("from persistent_collections.cli import main\nmain()\n", "utf-8")
    environment = {**os.environ, **asked, "_PERSISTENT_COLLECTIONS_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["export"]
